"""Scripts say what they do before they do it."""

import runpy
import sys
from pathlib import Path

import pytest

import skbird.datasets

ROOT = Path(__file__).resolve().parent.parent
SCRIPTS = [
    path
    for folder in ("benchmarks", "examples")
    for path in sorted((ROOT / folder).glob("*.py"))
    if not path.name.startswith("_")
]


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_help_is_printed_and_nothing_is_run(path, monkeypatch, capsys, tmp_path):
    if path.stem in {"optuna_search", "search_encoder"}:
        pytest.importorskip("optuna")

    def refuse(*args, **kwargs):
        raise AssertionError("the experiment runs")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(skbird.datasets, "make_birdclef", refuse)
    monkeypatch.syspath_prepend(str(path.parent))
    monkeypatch.setattr(sys, "argv", [path.name, "--help"])
    before = set(sys.modules)
    try:
        with pytest.raises(SystemExit) as stopped:
            runpy.run_path(str(path), run_name="__main__")
    finally:
        for name in {script.stem for script in path.parent.glob("*.py")} - before:
            sys.modules.pop(name, None)
    assert stopped.value.code == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f"usage: {path.name}")
    assert len(shown.split("\n\n")[1].split()) > 1  # what it does
    assert list(tmp_path.iterdir()) == []
