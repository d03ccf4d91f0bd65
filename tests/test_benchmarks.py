import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"


@pytest.fixture
def ablation(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import ablation

    yield ablation
    for name in ("ablation", "_changes", "_common"):
        sys.modules.pop(name, None)


def test_the_ablation_compares_pairs(ablation):
    lines = [("synthetic", "base", s, "a", b) for s, b in enumerate([0.5, 0.7, 0.9])]
    lines += [("synthetic", "no mixup", s, "a", b) for s, b in ((2, 0.88), (0, 0.46))]
    lines += [("esc10", "base", 0, "a", 0.8), ("esc10", "no masks", 0, "a", 0.9)]
    table = pd.DataFrame(lines, columns=["task", "change", "seed", "split", "score"])
    compared = ablation.compare(table)
    row = compared.loc[("no mixup", "synthetic")]
    assert row["pairs"] == 2
    assert row["base"] == pytest.approx(0.7)
    assert row["difference"] == pytest.approx(-0.03)
    # Differences of -0.04 and -0.02: Student's t with one degree of freedom.
    half = 12.7062 * np.std([-0.04, -0.02], ddof=1) / np.sqrt(2)
    assert row["high"] == pytest.approx(-0.03 + half, rel=1e-4)
    assert row["low"] == pytest.approx(-0.03 - half, rel=1e-4)
    alone = compared.loc[("no masks", "esc10")]
    assert alone["difference"] == pytest.approx(0.1)
    assert np.isnan(alone["low"])


def test_every_change_names_parameters_that_exist(ablation):
    for task in ablation.CHANGES["CNN instead of SED"].tasks:
        for name, change in ablation.CHANGES.items():
            if task in change.tasks:
                base = ablation.make_base(task, None, None, 0)
                changed = base.set_params(**change.params)
                params = changed.get_params()
                for key, value in change.params.items():
                    assert params[key] is value, (name, key)
