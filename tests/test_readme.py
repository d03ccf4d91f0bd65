"""What the README and the pages in docs/ show must run and be true."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from sklearn.pipeline import make_pipeline
from tiny_cnn import TinyCNN

from skbird.nn import CNNClassifier
from skbird.preprocessing import LogMel

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").rglob("*.md"))]


def examples(page):
    """List the Python code that a page shows."""
    return re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)


@pytest.mark.slow
@pytest.mark.usefixtures("brief_recordings")
def test_the_example_runs_as_printed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (code,) = examples(README)
    lines = [line for line in code.splitlines() if line.strip()]
    assert len(lines) <= 14
    # The same lines on a data set and with a training short enough for a test.
    small = (
        "n_species=2, n_recordings=14, n_test=1, n_labeled=0, n_unlabeled=0, "
        "soundscape_s=10, "
    )
    code = code.replace("make_birdclef(", f"make_birdclef({small}root=")
    code = code.replace("backbone_weights=None", "backbone_weights=None, max_epochs=1")
    namespace = {}
    exec(code, namespace)
    assert namespace["proba"].shape == (2, 2)
    assert np.isfinite(namespace["proba"]).all()
    assert len(namespace["scores"]) == 3


@pytest.mark.slow
def test_the_examples_with_own_recordings_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for folder in ("recordings", "soundscapes"):
        Path(folder).mkdir()
    rng = np.random.default_rng(0)
    rows = []
    for number in range(10):
        name = f"{number}.wav"
        soundfile.write(f"recordings/{name}", 0.1 * rng.standard_normal(16_000), 8000)
        rows.append((name, ["wren", "dove"][number // 5], f"author {number % 5}"))
    table = pd.DataFrame(rows, columns=["path", "primary_label", "author"])
    table.to_csv("recordings/metadata.csv", index=False)
    soundfile.write("soundscapes/night.wav", 0.1 * rng.standard_normal(80_000), 8000)

    # Of noise it learns nothing: the seed decides whether any event is above 0.5.
    options = {
        "backbone_weights": None,
        "max_epochs": 1,
        "verbose": 0,
        "random_state": 0,
    }
    net = CNNClassifier(module=TinyCNN, **options)
    namespace = {"pipe": make_pipeline(LogMel(16), net)}
    (first,) = examples(README)
    (own,) = examples(ROOT / "docs/recordings.md")
    (around,) = examples(ROOT / "docs/around_the_pipeline.md")
    (inference,) = examples(ROOT / "docs/prediction.md")
    seeing, annotations = examples(ROOT / "docs/displays_and_annotations.md")
    exec("\n".join(re.findall(r"^from .*", first, re.MULTILINE)), namespace)
    exec(own, namespace)
    assert len(namespace["scores"]) == 5
    assert list(pd.read_csv("predictions.csv").columns) == ["row_id", "dove", "wren"]
    exec(around, namespace)
    assert namespace["proba"].shape == (2, 2)
    assert list(namespace["student"].species_) == ["dove", "wren"]
    exec(inference, namespace)
    assert len(namespace["result"].read()) > 0
    exec(seeing, namespace)
    assert "<table" in Path("recordings.html").read_text()
    assert Path("errors.html").is_file()
    assert Path("soundscape.png").is_file()
    Path("annotations").mkdir()
    Path("annotations/night.Table.1.selections.txt").write_text(
        "Begin Time (s)\tEnd Time (s)\tSpecies\n1.5\t2.5\twren\n"
    )
    exec(annotations, namespace)
    assert namespace["annotated_Y"]["wren"].tolist() == [1, 0]
    assert len(list(Path("predictions_raven").iterdir())) == 1


def test_the_readme_is_a_first_page():
    assert len(README.read_text().splitlines()) <= 150


def test_figures_of_the_readme_stand_on_a_page_that_names_their_command():
    pages = (ROOT / "docs/results").glob("*.md")
    results = "\n".join(page.read_text() for page in pages)
    tables = re.findall(r"^\|.*$", README.read_text(), re.MULTILINE)
    figures = re.findall(r"\*\*(.*?)\*\*", "\n".join(tables))
    assert len(figures) > 5
    assert [figure for figure in figures if figure not in results] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_what_a_page_names_is_there(page):
    text = page.read_text()
    for script in re.findall(r"python ((?:examples|benchmarks)/\S+\.py)", text):
        assert (ROOT / script).is_file(), script
    for link in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (page.parent / link).exists(), link
    if page.parent.name == "results":
        assert "python benchmarks/" in text
