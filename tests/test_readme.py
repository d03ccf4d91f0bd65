"""What the README shows must run."""

import re
from pathlib import Path

import numpy as np

README = Path(__file__).parent.parent / "README.md"


def test_the_example_runs_as_printed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code = re.search(r"```python\n(.*?)```", README.read_text(), re.DOTALL).group(1)
    lines = [line for line in code.splitlines() if line.strip()]
    assert len(lines) <= 14
    # The same lines on a data set and with a training short enough for a test.
    small = (
        "n_species=2, n_recordings=14, n_test=1, n_labelled=0, n_unlabelled=0, "
        "soundscape_s=10, "
    )
    code = code.replace("make_birdclef(", f"make_birdclef({small}root=")
    code = code.replace("weights=None", "weights=None, max_epochs=1")
    namespace = {}
    exec(code, namespace)
    assert namespace["proba"].shape == (2, 2)
    assert np.isfinite(namespace["proba"]).all()
    assert len(namespace["scores"]) == 3


def test_every_figure_names_its_command():
    results = README.read_text().split("## Measured")[1].split("\n## ")[0]
    assert "python benchmarks/" in results
    for command in re.findall(r"python (\S+\.py)", README.read_text()):
        assert (README.parent / command).is_file()
