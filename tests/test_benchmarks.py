import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"


@pytest.fixture
def load(monkeypatch):
    """Return a function that imports a benchmark by name."""
    before = set(sys.modules)
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    yield __import__
    for name in {path.stem for path in BENCHMARKS.glob("*.py")} - before:
        sys.modules.pop(name, None)


@pytest.fixture
def ablation(load):
    return load("ablation")


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


@pytest.mark.slow
def test_every_change_names_parameters_that_exist(ablation):
    for task in ablation.CHANGES["CNN instead of SED"].tasks:
        for name, change in ablation.CHANGES.items():
            if task in change.tasks:
                base = ablation.make_base(task, None, None, 0)
                changed = base.set_params(**change.params)
                params = changed.get_params()
                for key, value in change.params.items():
                    assert params[key] is value, (name, key)


@pytest.fixture
def run_all(load):
    return load("run_all")


def write_result(folder, name, results, **record):
    (folder / f"{name}.json").write_text(json.dumps({"results": results, **record}))


def test_the_table_shows_the_results_and_how_they_were_made(run_all, tmp_path):
    cache = {"second / first": 0.0196}
    write_result(tmp_path, "cache", cache, command="cache.py --rows 24")
    write_result(tmp_path, "training_speed", {"skbird": {"plain": 3.14, "by hand": 1}})
    table, missing = run_all.render(tmp_path)
    assert table.splitlines() == [
        "| what | figure | goal | command |",
        "| --- | --- | --- | --- |",
        "| file to log-mel again, cache warm, against the first pass | **2.0 % of the "
        "time** | below 5 % | `python benchmarks/cache.py --rows 24` |",
        "| training EfficientNet-B0, against a plain loop | **3.1 times as fast** | at "
        "least 3 times as fast | `python benchmarks/training_speed.py` |",
        "| training EfficientNet-B0, against a loop by hand with the same settings | "
        "**1.00 times as fast** | within 5 % | `python benchmarks/training_speed.py` |",
    ]
    # Files that are not there, and figures that a file from earlier lacks.
    assert len(missing) == len(run_all.ROWS) - 3
    assert "cache on disk, per hour of audio: run_all.py cache" in missing
    assert any(line.endswith("run_all.py archive") for line in missing)


def test_the_page_changes_between_its_markers_only(run_all, tmp_path):
    page = tmp_path / "speed.md"
    before, after = f"# É | a\n\n{run_all.BEGIN}\n", f"{run_all.END}\n\nthe rest"
    page.write_text(f"{before}| an old table |\n{after}")
    for table in ("| new |\n", "| newer |\n| by far |\n"):
        run_all.write_table(page, table)
        assert page.read_text() == f"{before}{table}{after}"


@pytest.mark.parametrize(
    "text", ["", "{BEGIN}", "{END}", "{END} {BEGIN}", "{BEGIN} {BEGIN} {END}"]
)
def test_a_page_without_markers_is_left_alone(run_all, tmp_path, text):
    page = tmp_path / "speed.md"
    text = text.format(BEGIN=run_all.BEGIN, END=run_all.END)
    page.write_text(text)
    with pytest.raises(ValueError, match="once each and in this order"):
        run_all.write_table(page, "| new |\n")
    assert page.read_text() == text


def test_the_command_line_writes_the_table_of_its_results(
    run_all, tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv("SKBIRD_RESULTS", str(tmp_path))
    write_result(tmp_path, "cache", {"second / first": 0.01})
    page = tmp_path / "speed.md"
    page.write_text(f"{run_all.BEGIN}{run_all.END}")
    arguments = ["run_all.py", "--table-only", "--page", str(page)]
    monkeypatch.setattr(sys, "argv", arguments)
    run_all.main()
    assert "**1.0 % of the time**" in page.read_text()
    assert "run_all.py training" in capsys.readouterr().out
    monkeypatch.setattr(sys, "argv", ["run_all.py", "cashe"])
    with pytest.raises(SystemExit, match=r"^2$"):
        run_all.main()
    assert "no benchmark ['cashe']" in capsys.readouterr().err


def test_rows_that_kills_changed_are_counted(load):
    rows = pd.DataFrame({"path": ["a", "a", "b"], "start": [0, 5, 0], "end": [5, 9, 5]})
    one = rows.assign(owl=[0.1, 0.2, 0.3], frog=0.5)
    other = one.assign(owl=[0.1, 0.2, np.nextafter(0.3, 1)])[::-1]
    count = load("archive").count_differences
    assert count(one, one[::-1]) == 0
    assert count(one, other) == 1
    for wrong in (one[:2], pd.concat([one, one[:1]]), one.assign(start=[0, 6, 0])):
        with pytest.raises(SystemExit, match="not have the same rows"):
            count(one, wrong)


def test_rare_calls_lie_where_the_truth_says(load):
    rng = np.random.default_rng(0)
    calls, species = np.array([[1.0], [2.0], [2.5]]), np.array([0, 1, 1])
    make_rows = load("rare_calls").make_rows
    X, Y, truth = make_rows(calls, species, np.zeros((5, 1)), 3, 50, rng)
    values, bounds, _ = X.stacked()
    np.testing.assert_array_equal(truth, np.c_[values == 1, values >= 2, values < 0])
    np.testing.assert_array_equal(Y, np.maximum.reduceat(truth, bounds[:-1]))
    assert Y.any(axis=0).tolist() == [True, True, False]  # the third is in no fold
    assert np.diff(bounds).min() >= 20


def test_queries_are_compared_with_chance_in_the_same_folds(load):
    active = load("active")
    chance = np.array([[0.5, 0.7, 0.6, 0.6], [0.6, 0.8, 0.7, 0.7]])
    gain = np.array([[0.1], [0.2]])
    table = active.compare({"random": chance, "CoreSet": chance + gain})
    line = table.loc["CoreSet"]
    assert line["area"] == pytest.approx(0.8)
    assert line["difference"] == pytest.approx(0.15)
    half = 12.7062 * np.std([0.1, 0.2], ddof=1) / np.sqrt(2)  # one degree of freedom
    assert line["low"] == pytest.approx(0.15 - half, rel=1e-4)
    assert (line["least"], line["most"]) == pytest.approx((0.1, 0.2))
    assert np.isnan(table.loc["random", "difference"])
    truth = np.eye(10)[np.arange(400) % 10]
    rows = active.thinned(np.arange(40, 400), truth, seed=0)
    assert sorted(truth[rows].sum(axis=0))[::9] == [3, 32]
    assert rows.min() >= 40
