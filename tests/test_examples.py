import importlib.util
import sys
from pathlib import Path

import pytest

pytest.importorskip("optuna")
EXAMPLES = Path(__file__).resolve().parent.parent / "examples"


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_the_search_shares_the_cache_and_goes_on(tmp_path, monkeypatch, capsys):
    spec = importlib.util.spec_from_file_location(
        "optuna_search", EXAMPLES / "optuna_search.py"
    )
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    monkeypatch.setattr(example, "OUTPUT", tmp_path)
    make_pipeline = example.make_pipeline

    def make_small(cache_dir):
        small = {"backbone": "lcnet_035", "max_epochs": 1, "segments_per_row": 1}
        return make_pipeline(cache_dir).set_params(
            **{f"net__{name}": value for name, value in small.items()}
        )

    monkeypatch.setattr(example, "make_pipeline", make_small)
    monkeypatch.setattr(sys, "argv", ["search", "--trials", "2", "--recordings", "36"])
    example.main()
    shown = capsys.readouterr().out
    assert "2 trials: {'complete': 2}" in shown
    assert "Front end: 216 rows in" in shown  # 2 trials, 3 folds, 36 rows
    n_files = len(list((tmp_path / "cache").rglob("*.npy")))
    monkeypatch.setattr(sys, "argv", ["search", "--trials", "3", "--recordings", "36"])
    example.main()
    assert "3 trials: {'complete': 3}" in capsys.readouterr().out
    # The third trial found all its spectrograms in the cache.
    assert len(list((tmp_path / "cache").rglob("*.npy"))) == n_files
