"""Archives: parts, resuming after kills, bad files, full disks, clusters, budgets."""

import ctypes
import datetime as dt
import errno
import io
import json
import os
import random
import signal
import subprocess
import sys
import time
import warnings
from contextlib import contextmanager
from functools import cache
from itertools import count
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from forks import started
from joblib import parallel_config
from joblib.externals.loky import get_reusable_executor
from joblib.externals.loky.backend.context import set_start_method
from sklearn.base import BaseEstimator
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skbird.archive import _block_work, _manifest, predict_archive
from skbird.archive._columns import arrow_column, further_columns
from skbird.archive._part_files import kept_pairs, remove_run
from skbird.archive._time_budget import TimeBudget, cheaper_model
from skbird.audio import AudioReadError
from skbird.data import Recordings, segment_table
from skbird.ensemble import FoldEnsemble, MultilabelVotingClassifier, SeedEnsemble
from skbird.postprocessing import SoundscapeReweighter
from skbird.utils._parquet import read_parquet

pytest.importorskip("pyarrow")
pytestmark = pytest.mark.usefixtures("forked_workers")
RATE = 1000
SPECIES = ["cricket", "frog", "owl"]


class Level(BaseEstimator):
    """Three species whose probabilities follow the level and the start of a row.

    `log` is a file that gets a line per call; at the recording `killer`, the process
    kills itself once.
    """

    def __init__(self, gain=1.0, sleep_s=0.0, log=None, killer=None, tta_shifts_s=()):
        self.gain = gain
        self.sleep_s = sleep_s
        self.log = log
        self.killer = killer
        self.tta_shifts_s = tta_shifts_s

    species_ = SPECIES

    def fit(self, X, y):
        self.fitted_ = True
        return self

    def predict_proba(self, X):
        if self.log is not None:
            with open(self.log, "a") as file:
                print(
                    len(X), *sorted({Path(path).stem for path in X["path"]}), file=file
                )
        if self.killer and X["path"].str.contains(self.killer).any():
            flag = Path(self.log).with_suffix(".killed")
            if not flag.exists():
                flag.touch()
                os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(self.sleep_s)
        level = np.array([np.abs(clip.samples).mean() for clip in Recordings(X)])
        place = X["start"].to_numpy() / 100
        return np.column_stack([self.gain * level, level / 2 + place, level**2])


class Skipping(Level):
    """Gives NaN for rows that it cannot read, as LogMel(on_error="skip") does."""

    def predict_proba(self, X):
        proba = np.full((len(X), 3), np.nan)
        for row in range(len(X)):
            try:
                proba[row] = super().predict_proba(X.iloc[[row]])
            except AudioReadError:
                continue
        return proba


def write_nights(folder, n_files, seed=0):
    folder.mkdir(parents=True, exist_ok=True)
    for number, content in enumerate(nights_as_wav(n_files, seed)):
        (folder / f"night{number:02d}.wav").write_bytes(content)
    return folder


@cache
def nights_as_wav(n_files, seed):
    rng = np.random.default_rng(seed)
    contents = []
    for number in range(n_files):
        samples = rng.uniform(0.05, 0.9) * rng.random(RATE * (12 + number % 3))
        file = io.BytesIO()
        soundfile.write(file, samples, RATE, format="WAV")
        contents.append(file.getvalue())
    return contents


@pytest.fixture
def nights(tmp_path):
    """A folder of nine recordings of 12 to 14 s, three rows each."""
    return write_nights(tmp_path / "nights", 9)


@pytest.fixture
def run(nights, tmp_path):
    """Return a function that predicts the nights in three blocks."""

    def run(model=None, recordings=nights, **options):
        options = {"out": tmp_path / "out", "block_s": 40, "verbose": 0} | options
        return predict_archive(model or Level(), recordings, **options)

    return run


def expected_rows(folder, model=None):
    paths = sorted(map(str, folder.rglob("*.wav")))
    rows = segment_table(paths)
    proba = (model or Level()).predict_proba(rows).astype(np.float32)
    return rows.join(pd.DataFrame(proba, columns=SPECIES))


def test_parts_hold_what_the_model_predicts(run, nights, tmp_path):
    result = run()
    expected = expected_rows(nights)
    pd.testing.assert_frame_equal(result.read(), expected)
    assert result.read()["owl"].dtype == np.float32
    parts = sorted((tmp_path / "out").glob("*.parquet"))
    assert [part.name for part in parts] == [
        "_files.parquet",
        *(f"part-{number:06d}.parquet" for number in range(3)),
    ]
    # Readers of a Parquet folder see the parts only.
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "out"), expected)
    assert (result.n_files, result.n_rows) == (9, 27)
    assert result.hours == pytest.approx(9 * 13 / 3600)
    assert result.times_real_time == pytest.approx(9 * 13 / result.seconds)
    assert result.errors.columns.tolist() == ["path", "error"]
    assert len(result.errors) == len(result.dropped) == 0
    assert "9 recordings" in str(result)


@pytest.mark.parametrize(
    ("min_proba", "top_species"),
    [(0.2, None), (None, 2), (0.2, 1), (0.99, 3), (0.0, None)],
)
def test_output_can_be_kept_small(run, nights, min_proba, top_species):
    result = run(min_proba=min_proba, top_species=top_species)
    lines = []
    for row in expected_rows(nights).to_dict("records"):
        pairs = sorted(((row[name], name) for name in SPECIES), reverse=True)[
            :top_species
        ]
        for proba, name in pairs:
            if min_proba is None or proba >= np.float32(min_proba):
                lines.append((row["path"], row["start"], row["end"], name, proba))
    columns = ["path", "start", "end", "species", "probability"]
    assert list(result.read().itertuples(index=False, name=None)) == lines
    assert result.read().columns.tolist() == columns
    assert result.n_rows == len(lines)


def test_pairs_are_in_order_and_without_nan():
    proba = np.array(
        [[0.5, np.nan, 0.5, 0.1], [np.nan] * 4, [0, 1, 0, 0.2]], dtype=np.float32
    )
    row, column = kept_pairs(proba, min_proba=0.1, top_species=3)
    assert list(zip(row, column, strict=True)) == [
        (0, 0),
        (0, 2),
        (0, 3),
        (2, 1),
        (2, 3),
    ]
    row, column = kept_pairs(proba[:1], top_species=4)
    assert column.tolist() == [0, 2, 3]


@pytest.mark.slow
def test_recordings_are_a_folder_paths_or_a_row_table(run, nights, tmp_path):
    (nights / "deep").mkdir()
    (nights / "night03.wav").rename(nights / "deep" / "night03.WAV")
    (nights / "notes.txt").write_text("rain")
    (nights / "._night00.wav").write_bytes(b"macOS")
    paths = sorted([*nights.glob("night*.wav"), nights / "deep" / "night03.WAV"])
    result = run()
    assert (result.n_files, len(result.errors)) == (9, 0)
    by_folder = result.read()
    assert by_folder["path"].unique().tolist() == [str(path) for path in paths]
    by_paths = run(recordings=[*paths, paths[0]], out=tmp_path / "paths").read()
    pd.testing.assert_frame_equal(by_folder, by_paths)
    # Rows of three files, interleaved; the middle one is a block by itself.
    table = segment_table([paths[0], paths[4], paths[8]], 2.0, 2.0)
    table = table.sort_values(["start", "path"]).assign(site="A")
    result = run(recordings=table, out=tmp_path / "table", block_s=10)
    expected = pd.concat(table[table["path"] == str(p)] for p in paths[::4])
    stretches = ["path", "start", "end"]
    pd.testing.assert_frame_equal(
        result.read()[stretches], expected[stretches].reset_index(drop=True)
    )
    assert result.hours == pytest.approx((table["end"] - table["start"]).sum() / 3600)
    whole = run(recordings=pd.DataFrame({"path": paths}), out=tmp_path / "whole")
    assert whole.read()["end"].isna().all()
    assert whole.n_rows == 9
    assert whole.hours == pytest.approx(9 * 13 / 3600)


def test_further_columns_of_a_row_table_reach_the_model(run, nights):
    class BySite(Level):
        def predict_proba(self, X):
            return super().predict_proba(X) * (X[["site"]].to_numpy() == "A")

    table = segment_table(sorted(nights.iterdir()))
    table["site"] = np.where(table["start"] == 5, "B", "A")
    owl = run(BySite(), table).read()["owl"]
    np.testing.assert_array_equal(owl == 0, table["start"] == 5)


@pytest.fixture
def table(nights):
    """The rows of the nights with columns of all kinds, some of them not flat."""
    table = segment_table(sorted(nights.iterdir()))
    number = np.arange(len(table))
    return table.assign(
        site=np.where(table["start"] == 5, "B", "A"),
        depth=number,
        level=np.where(number % 2, number / 4, np.nan),
        dawn=number % 3 == 0,
        time=pd.Timestamp("2024-05-01", tz="Europe/Berlin") + pd.to_timedelta(number),
        kind=pd.Categorical(np.where(number % 2, "mono", "stereo")),
        code=pd.Categorical(number % 2),
        note=[None] * len(table),
        mixed=["a", 1, None] * 9,
        card=[Path("card", str(n)) for n in number],
        tags=[["x"]] * len(table),
        name=pd.Series(["caf\udce9"] * len(table), dtype=object),
    ).rename(columns={"depth": 7})


@pytest.mark.slow
@pytest.mark.parametrize("options", [{}, {"min_proba": 0.05}, {"n_jobs": 2}], ids=str)
def test_further_columns_of_a_row_table_reach_the_results(run, table, nights, options):
    (nights / "night04.wav").write_bytes(b"broken")
    (nights / "night05.wav").write_bytes(b"")
    result = run(recordings=table, block_s=1, **options)
    assert [part.stat().st_size > 0 for part in result.parts] == [True] * 7
    rows = result.read()
    further = list(map(str, table.columns[3:]))
    assert rows.columns[:15].tolist() == ["path", "start", "end", *further]
    expected = rows[["path", "start", "end"]].merge(table.rename(columns={7: "7"}))
    for name in ("site", "7", "level", "dawn", "time", "code"):
        assert rows[name].tolist() == expected[name].tolist() or name == "level"
    np.testing.assert_array_equal(rows["level"], expected["level"])
    assert rows["time"].dt.tz is not None
    assert rows["kind"].tolist() == expected["kind"].tolist()
    assert rows["note"].isna().all()
    assert set(rows["mixed"].dropna()) == {"a", "1"}
    assert rows["card"][0] == str(Path("card", "0"))
    assert (rows["tags"] == "['x']").all()
    assert (rows["name"] == r"caf\xe9").all()
    again = run(recordings=table, block_s=1, **options)
    assert again.times_real_time == 0
    pd.testing.assert_frame_equal(again.read(), rows)
    pd.testing.assert_frame_equal(pd.read_parquet(result.folder), rows)
    with pytest.raises(ValueError, match=r"row_table was '.*' and is '"):
        run(recordings=table.assign(site="C"), block_s=1, **options)


@pytest.mark.parametrize(
    ("column", "options", "message"),
    [
        ("frog", {}, r"has a column 'frog', which is also the name of a species"),
        (
            "species",
            {"top_species": 1},
            "has a column 'species', .* a column of the results",
        ),
        ("probability", {"min_proba": 0}, "has a column 'probability', which is also"),
        (7, {}, r"has a column '7', .* rename it, or leave it out"),
    ],
)
def test_columns_that_would_be_there_twice_are_refused(
    run, table, monkeypatch, column, options, message
):
    monkeypatch.setattr(_manifest, "add_durations", None)  # before any file is opened
    table = pd.concat([table, pd.Series("x", index=table.index, name=column)], axis=1)
    with pytest.raises(ValueError, match=message):
        run(recordings=table, **options)


def test_a_run_that_is_refused_leaves_no_folder(run, tmp_path):
    with pytest.raises(ValueError, match="step_s=1e-09 would make"):
        run(out=tmp_path / "new" / "out", step_s=1e-9)
    assert not (tmp_path / "new").exists()
    (tmp_path / "own").mkdir()
    with pytest.raises(ValueError, match="step_s=1e-09 would make"):
        run(out=tmp_path / "own", step_s=1e-9)
    assert (tmp_path / "own").is_dir()


def test_column_numbers_for_names_of_species_may_be_taken_too(run, table):
    class Nameless(Level):
        species_ = None

    with pytest.raises(ValueError, match="has a column '1', which is also the name of"):
        run(Nameless(), table.assign(**{"1": "x"}))
    assert run(recordings=table.assign(species="x", frogs=1)).n_rows == 27


@pytest.mark.slow
def test_a_model_sees_whole_files_and_no_more_rows_in_large_archives(run, tmp_path):
    most = {}
    for n_files in (8, 40):
        folder = write_nights(tmp_path / f"n{n_files}", n_files)
        log = tmp_path / f"calls{n_files}"
        run(Level(log=log), folder, out=tmp_path / f"o{n_files}")
        calls = [line.split() for line in log.read_text().splitlines()]
        most[n_files] = max(int(n_rows) for n_rows, *_ in calls)
        files = [file for _, *files in calls[1:] for file in files]
        assert len(files) == len(set(files)) == n_files
    assert most[8] == most[40] == 9


def test_reweighting_by_file_is_that_of_the_whole_archive(run, nights):
    Y = np.eye(3)
    X = expected_rows(nights)[["path", "start", "end"]]
    model = SoundscapeReweighter(FrozenEstimator(Level().fit(X, Y))).fit(X[:3], Y)
    expected = model.predict_proba(X).astype(np.float32)
    rows = run(model).read()
    np.testing.assert_array_equal(rows[SPECIES], expected)


def test_species_are_found_in_a_pipeline_and_lists_of_columns_understood(run):
    class Forest(Level):
        species_ = ["owl"]
        classes_ = [np.array([0, 1])]

        def predict_proba(self, X):
            owl = super().predict_proba(X)[:, 2]
            return [np.column_stack([1 - owl, owl])]

    rows = run(make_pipeline(FunctionTransformer(), Forest().fit(None, None))).read()
    assert rows.columns.tolist() == ["path", "start", "end", "owl"]
    assert (rows["owl"] < 0.5).all()


# Resuming --------------------------------------------------------------------------


@pytest.mark.slow
def test_finished_parts_are_kept_and_the_rest_is_run(run, tmp_path):
    log = tmp_path / "log"
    undisturbed = run(Level(log=log)).read()
    out = tmp_path / "out"
    (out / "part-000001.parquet").unlink()
    damaged = out / "part-000002.parquet"
    damaged.write_bytes(damaged.read_bytes()[:-20])
    (out / f".part-000001.parquet.{'a1' * 16}.tmp").write_bytes(b"half")
    n_calls = len(log.read_text().splitlines())
    with pytest.warns(UserWarning, match="1 finished part is damaged"):
        result = run(Level(log=log))
    calls = log.read_text().splitlines()[n_calls:]
    assert calls == [
        "3 night00",  # what tells models apart
        "9 night03 night04 night05",
        "9 night06 night07 night08",
    ]
    pd.testing.assert_frame_equal(result.read(), undisturbed)
    assert not list(out.glob(".*"))
    again = run(Level(log=log))
    assert again.times_real_time == 0
    assert again.n_rows == 27
    assert len(log.read_text().splitlines()) == n_calls + 4


@pytest.mark.slow
def test_kills_leave_no_trace_in_the_rows(tmp_path, run):
    folder, out = write_nights(tmp_path / "many", 24), tmp_path / "out"
    undisturbed = run(recordings=folder, block_s=10, out=tmp_path / "undisturbed")
    options = {"block_s": 10, "verbose": 0}
    rng = random.Random(0)
    finished = {}
    for _ in range(3):
        process = started(predict_archive, Level(sleep_s=0.05), folder, out, **options)
        while len(list(out.glob("part-*"))) == len(finished):
            assert process.exitcode is None
            time.sleep(0.01)
        time.sleep(rng.uniform(0, 0.2))
        process.kill()
        process.join()
        assert process.exitcode == -signal.SIGKILL
        parts = {path: path.stat().st_mtime_ns for path in out.glob("part-*")}
        assert finished.items() < parts.items()  # what was done is not done again
        finished = parts
    assert len(finished) < 24
    result = run(recordings=folder, block_s=10)
    whole = undisturbed.read()
    pd.testing.assert_frame_equal(result.read(), whole, check_exact=True)
    pd.testing.assert_frame_equal(whole, expected_rows(folder), check_exact=True)
    assert all(path.stat().st_mtime_ns == at for path, at in finished.items())
    assert not list(out.glob(".*"))


def dying(call, calls, last):
    """Return `call`, but for the process to kill itself at the last of the calls."""

    def call_or_die(*args):
        if next(calls) == last:
            os.kill(os.getpid(), signal.SIGKILL)
        return call(*args)

    return call_or_die


def die_at_each_write(folder, root):
    """Predict a folder by processes that die before and after each file they write."""
    for last in range(99):
        process = os.fork()
        if process == 0:
            calls = count()
            os.fsync = dying(os.fsync, calls, last)
            os.replace = dying(os.replace, calls, last)
            out = Path(root, str(last))
            predict_archive(Level(), folder, out, block_s=10, verbose=0)
            os._exit(0)
        _, status = os.waitpid(process, 0)
        if not os.WIFSIGNALED(status):
            return


@pytest.mark.slow
def test_kills_at_each_write_leave_no_trace(tmp_path, run):
    folder, root = write_nights(tmp_path / "few", 3), tmp_path / "outs"
    process = started(die_at_each_write, folder, root)
    process.join()
    assert process.exitcode == 0
    outs = sorted(root.iterdir())
    # Two calls for the list of files, the manifest and each part; and none of them.
    assert len(outs) == 2 * (2 + 3) + 1
    assert sum(any(out.glob(".*.tmp")) for out in outs) == 10
    expected = expected_rows(folder)
    for out in outs:
        rows = run(recordings=folder, block_s=10, out=out).read()
        pd.testing.assert_frame_equal(rows, expected, check_exact=True)
        assert not list(out.glob(".*"))


def predict_in_forks(*args, n_jobs):
    """Predict in blocks of 10 s by processes that need import nothing anew.

    A process that was itself forked off the server would start a server of its own.
    """
    set_start_method("fork", force=True)
    try:
        return predict_archive(*args, block_s=10, n_jobs=n_jobs, verbose=0)
    finally:
        get_reusable_executor(reuse=True).shutdown()


@pytest.mark.slow
def test_two_runs_at_once_disturb_neither_each_other_nor_the_rows(tmp_path):
    folder, out = write_nights(tmp_path / "many", 24), tmp_path / "out"
    archive = Level(sleep_s=0.01), folder, out
    runs = [started(predict_in_forks, *archive, n_jobs=n_jobs) for n_jobs in (1, 2)]
    for process in runs:
        process.join()
        assert process.exitcode == 0
    result = predict_archive(Level(), folder, out, block_s=10, verbose=0)
    assert result.times_real_time == 0
    pd.testing.assert_frame_equal(result.read(), expected_rows(folder))
    assert not list(out.glob(".*"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"segment_s": 4.0},
            r"segment_s was 5.0 and is 4.0; step_s was 5.0 and is 4.0",
        ),
        ({"step_s": 2.5}, "step_s was 5.0 and is 2.5.*another out, or fresh=True"),
        ({"min_proba": 0.1}, "min_proba was None and is 0.1"),
        ({"top_species": 1}, "top_species was None and is 1"),
        ({"block_s": 50}, "block_s was 40.0 and is 50.0"),
        ({"model": Level(gain=0.8)}, "the model gives the first rows other prob"),
    ],
)
def test_another_run_is_refused(run, options, message):
    run()
    with pytest.raises(ValueError, match=message):
        run(**options)


@pytest.mark.slow
def test_other_recordings_or_species_are_refused(run, nights, tmp_path):
    run()
    paths = sorted(nights.iterdir())
    table = segment_table(paths)
    with pytest.raises(ValueError, match=r"row_table was None and is "):
        run(recordings=table)
    run(recordings=table, out=tmp_path / "table")
    with pytest.raises(ValueError, match=r"row_table was '.*' and is '"):
        run(recordings=table.assign(end=table["end"] - 1), out=tmp_path / "table")
    with pytest.raises(ValueError, match=r"2 recordings are missing, first .*night00"):
        run(recordings=paths[2:])
    paths[4].rename(tmp_path / "elsewhere")  # a disk that is not there
    with pytest.raises(ValueError, match=r"1 recording is missing, first .*night04"):
        run(recordings=paths)
    (tmp_path / "elsewhere").rename(paths[4])

    class Renamed(Level):
        species_ = ["cricket", "toad", "owl"]

    run(recordings=table, out=tmp_path / "named")
    with pytest.raises(ValueError, match=r"at 1: \['frog'\] and \['toad'\]"):
        run(Renamed(), table, out=tmp_path / "named")


@pytest.mark.slow
def test_new_recordings_are_predicted_and_the_others_kept(
    run, nights, tmp_path, capsys
):
    log = tmp_path / "log"
    before = run().read()
    # Blocks have room for them, and they come first in the folder.
    for number in range(4):
        soundfile.write(nights / f"early{number}.wav", np.full(6000, 0.5), RATE)
    (nights / "early9.wav").write_bytes(b"broken")
    (tmp_path / "out" / "part-000001.parquet").unlink()
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("part-*")}
    result = run(Level(log=log), verbose=1)
    assert "5 recordings are new; the run had 9." in capsys.readouterr().out
    assert log.read_text().splitlines() == [
        "3 night00",
        "9 night03 night04 night05",
        "8 early0 early1 early2 early3",
    ]
    assert all(path.stat().st_mtime_ns == at for path, at in kept.items())
    rows = result.read()
    pd.testing.assert_frame_equal(rows[: len(before)], before)
    new = segment_table(sorted(nights.glob("early[0-3].wav")))
    pd.testing.assert_frame_equal(
        rows[["path", "start", "end"]][len(before) :].reset_index(drop=True), new
    )
    assert [Path(path).stem for path in result.errors["path"]] == ["early9"]
    assert (result.n_files, result.n_rows) == (14, 35)
    soundfile.write(nights / "later.wav", np.full(6000, 0.5), RATE)
    assert run().n_rows == 37
    assert run().times_real_time == 0
    with pytest.raises(ValueError, match=r"1 recording is missing, first .*early0"):
        run(recordings=sorted(nights.iterdir())[1:])


def in_order(rows):
    return rows.sort_values(["path", "start"], ignore_index=True)


@pytest.mark.slow
def test_changed_recordings_are_predicted_again(run, nights, tmp_path):
    broken = nights / "night04.wav"
    whole = broken.read_bytes()
    broken.write_bytes(b"half copied")
    log = tmp_path / "log"
    result = run(Level(log=log))
    assert [Path(path).stem for path in result.errors["path"]] == ["night04"]
    n_calls = len(log.read_text().splitlines())
    broken.write_bytes(whole)
    soundfile.write(nights / "night08.wav", np.full(30 * RATE, 0.5), RATE)
    part = tmp_path / "out" / "part-000000.parquet"
    kept = part.stat().st_mtime_ns
    result = run(Level(log=log))
    calls = log.read_text().splitlines()[n_calls:]
    assert calls == [
        "3 night00",
        "9 night03 night05 night06",
        "3 night07",
        "3 night04",
        "6 night08",
    ]
    assert part.stat().st_mtime_ns == kept
    pd.testing.assert_frame_equal(in_order(result.read()), expected_rows(nights))
    assert len(result.errors) == 0
    assert run().times_real_time == 0


@pytest.mark.slow
def test_blocks_stay_small_when_broken_recordings_become_whole(run, tmp_path):
    folder = write_nights(tmp_path / "many", 12)
    files = {path: path.read_bytes() for path in folder.iterdir()}
    for path in sorted(files)[1:]:
        path.write_bytes(b"")
    run(recordings=folder)
    for path in sorted(files)[1:]:
        path.write_bytes(files[path])
    log = tmp_path / "log"
    result = run(Level(log=log), folder)
    assert max(int(line.split()[0]) for line in log.read_text().splitlines()) <= 9
    pd.testing.assert_frame_equal(in_order(result.read()), expected_rows(folder))


def test_without_the_recording_that_tells_models_apart_nothing_goes_on(run, nights):
    run()
    soundfile.write(nights / "night00.wav", np.full(9 * RATE, 0.5), RATE)
    message = "1 recording is changed by which models are told apart, first .*night00"
    with pytest.raises(ValueError, match=message):
        run(Level(gain=0.8))


def test_the_same_names_in_another_folder_are_another_run(run, tmp_path, monkeypatch):
    for site in "AB":
        write_nights(tmp_path / site / "rec", 3, seed=ord(site))
    monkeypatch.chdir(tmp_path / "A")
    before = run(recordings="rec").read()
    monkeypatch.chdir(tmp_path / "B")
    with pytest.raises(
        ValueError, match=r"3 recordings are others, seen from .*B inst"
    ):
        run(recordings="rec")
    monkeypatch.chdir(tmp_path / "A")
    pd.testing.assert_frame_equal(run(recordings="rec").read(), before)
    (tmp_path / "A").rename(tmp_path / "C")
    monkeypatch.chdir(tmp_path / "C")
    assert run(recordings="rec").times_real_time == 0


@pytest.mark.slow
def test_what_could_not_be_opened_may_go(run, nights, tmp_path):
    broken = [nights / "early.wav", *(nights / f"late{n}.wav" for n in range(3))]
    for path in broken:
        path.write_bytes(b"broken")
    result = run()
    assert len(result.errors) == 4
    for path in broken:
        path.unlink()
    result = run()
    assert len(result.errors) == 0
    assert result.n_files == 9
    pd.testing.assert_frame_equal(result.read(), expected_rows(nights))
    # As a list, too, and alone in the last block.
    lost = tmp_path / "lost.wav"
    soundfile.write(lost, np.ones(RATE * 60), RATE)
    paths = [*sorted(nights.iterdir()), lost, tmp_path / "none.wav"]
    assert run(recordings=paths).n_files == 11
    assert run(recordings=paths[:-1]).n_files == 10
    assert len(run(recordings=paths[:-1]).errors) == 0


def test_changed_recordings_of_a_row_table(run, nights):
    table = segment_table(sorted(nights.iterdir()))
    run(recordings=table)
    soundfile.write(nights / "night04.wav", np.full(13 * RATE, 0.5), RATE)
    rows = in_order(run(recordings=table).read())
    expected = Level().predict_proba(table).astype(np.float32)
    np.testing.assert_array_equal(rows[SPECIES].to_numpy(), expected)


@pytest.mark.slow
def test_a_kill_amid_changes_is_made_good(run, nights, monkeypatch):
    def killed(*args):
        raise KeyboardInterrupt("amid changes")

    run()
    soundfile.write(nights / "night01.wav", np.full(9 * RATE, 0.5), RATE)
    soundfile.write(nights / "early.wav", np.full(9 * RATE, 0.5), RATE)
    with monkeypatch.context() as patch:
        patch.setattr(_manifest, "write_whole", killed)
        with pytest.raises(KeyboardInterrupt, match="amid changes"):
            run()
    pd.testing.assert_frame_equal(in_order(run().read()), expected_rows(nights))


def test_another_model_does_not_get_new_recordings(run, nights):
    run()
    soundfile.write(nights / "night99.wav", np.ones(3000), RATE)
    with pytest.raises(ValueError, match="other probabilities"):
        run(Level(gain=0.8))
    (nights / "night99.wav").unlink()
    assert run().n_files == 9


@pytest.mark.slow
def test_fresh_replaces_a_run_once_the_model_works(run, tmp_path):
    run()
    out = tmp_path / "out"
    (out / "notes.txt").write_text("rain")
    before = {path: path.read_bytes() for path in out.iterdir()}
    with pytest.raises(TypeError, match=r"model=.*predict_proba"):
        run(BaseEstimator(), fresh=True)
    assert {path: path.read_bytes() for path in out.iterdir()} == before
    for damage in (b"{", None):
        if damage is None:
            (out / "_manifest.json").unlink()
        else:
            (out / "_manifest.json").write_bytes(damage)
        result = run(Level(gain=0.8), fresh=True, block_s=99, top_species=1)
        assert result.n_rows == 27
        assert len(list(out.glob("part-*"))) == 2
        assert run(Level(gain=0.8), block_s=99, top_species=1).times_real_time == 0
    assert (out / "notes.txt").read_text() == "rain"


@pytest.mark.parametrize("fresh", ["no", "False", None, 1, 0.0, [True]])
def test_only_truth_values_delete_a_run(run, tmp_path, fresh):
    run()
    parts = {path: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    with pytest.raises(TypeError, match=r"fresh=.* must be True, which deletes"):
        run(fresh=fresh)
    assert {path: path.read_bytes() for path in (tmp_path / "out").iterdir()} == parts
    assert run(fresh=np.False_).times_real_time == 0


def test_parts_of_unknown_origin_are_refused(run, tmp_path):
    run()
    (tmp_path / "out" / "_manifest.json").unlink()
    with pytest.raises(ValueError, match=r"holds parts, but no _manifest\.json"):
        run()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["_manifest.json", "_files.parquet"])
@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[: len(data) // 2],
        lambda data: b"null",
        lambda data: data[:-40] + bytes(40),
        lambda data: data[:9] + bytes(len(data) - 17) + data[-8:],
        lambda data: b"[" * 100_000,
    ],
    ids=["empty", "cut", "other", "zeros", "zeros inside", "nested"],
)
def test_a_damaged_plan_is_named_with_the_remedy(run, tmp_path, name, damage):
    run()
    path = tmp_path / "out" / name
    path.write_bytes(damage(path.read_bytes()))
    message = rf"out/{name} is damaged or missing \(.*Pass another out, or fresh=True"
    with pytest.raises(ValueError, match=message):
        run()
    remove_run(tmp_path / "out")
    assert run().n_rows == 27


def test_a_lost_list_of_files_is_named(run, tmp_path):
    run()
    (tmp_path / "out" / "_files.parquet").unlink()
    with pytest.raises(ValueError, match=r"_files\.parquet is damaged or missing"):
        run()


DAMAGED = "1 finished part is damaged, .*; the first is .*part-00000{}.parquet"


def test_a_part_with_a_damaged_footer_is_made_again(run, nights, tmp_path):
    run()
    part = tmp_path / "out" / "part-000001.parquet"
    data = part.read_bytes()
    part.write_bytes(data[:9] + bytes(len(data) - 17) + data[-8:])
    with pytest.warns(UserWarning, match=DAMAGED.format(1)):
        result = run()
    pd.testing.assert_frame_equal(result.read(), expected_rows(nights))


@pytest.mark.parametrize("options", [{}, {"top_species": 1}], ids=str)
@pytest.mark.parametrize("other", ["part-000001.parquet", "_files.parquet"])
def test_a_file_in_the_place_of_a_part_is_no_part(run, tmp_path, options, other):
    result = run(**options)
    expected, part = result.read(), tmp_path / "out" / "part-000000.parquet"
    part.write_bytes(part.with_name(other).read_bytes())
    with pytest.raises(ValueError, match=r"part-000000\.parquet is damaged \(it was"):
        result.read()
    with pytest.warns(UserWarning, match=DAMAGED.format(0)):
        again = run(**options)
    pd.testing.assert_frame_equal(again.read(), expected, check_exact=True)


def flip(data, place, bit):
    """Return the bytes with one bit changed."""
    data = bytearray(data)
    data[place] ^= 1 << bit
    return bytes(data)


def places(data):
    """Return a sample of the places in some bytes, ends and middle; all if asked."""
    if "SKBIRD_ALL_BYTES" in os.environ:
        return range(len(data))
    return sorted({*range(0, len(data), len(data) // 30), len(data) - 1})


@pytest.mark.slow
@pytest.mark.parametrize("options", [{}, {"top_species": 1}], ids=str)
def test_no_flipped_bit_of_a_part_changes_numbers(run, nights, tmp_path, options):
    result = run(**options)
    expected, part = result.read(), result.parts[1]
    data = part.read_bytes()
    rng = random.Random(0)
    for number, place in enumerate(places(data)):
        part.write_bytes(flip(data, place, rng.randrange(8)))
        with pytest.raises(ValueError, match=r"part-000001\.parquet is damaged .*anew"):
            result.read()
        if number % 8 == 0:
            with pytest.warns(UserWarning, match=DAMAGED.format(1)):
                run(**options)
            assert part.read_bytes() == data
    with pytest.warns(UserWarning, match=DAMAGED.format(1)):
        again = run(**options)
    pd.testing.assert_frame_equal(again.read(), expected, check_exact=True)


def parsed(path):
    """Return what is in a file of JSON, or None; a changed blank changes nothing."""
    try:
        return json.loads(path.read_bytes())
    except ValueError:
        return None


@pytest.mark.slow
@pytest.mark.parametrize("name", ["_manifest.json", "_files.parquet"])
def test_no_flipped_bit_of_a_plan_changes_numbers(run, tmp_path, name):
    expected, path = run().read(), tmp_path / "out" / name
    data = path.read_bytes()
    rng = random.Random(0)
    for place in places(data):
        path.write_bytes(flip(data, place, rng.randrange(8)))
        if path.suffix == ".json" and json.loads(data) == parsed(path):
            pd.testing.assert_frame_equal(run().read(), expected, check_exact=True)
        else:
            with pytest.raises(ValueError, match=rf"{name} is damaged or missing"):
                run()


@pytest.mark.slow
def test_damage_that_comes_while_a_run_is_read_is_made_good_by_the_next(run, nights):
    result = run()
    for number, damage in enumerate([lambda data: b"", lambda data: data + b"x"]):
        result.parts[number].write_bytes(damage(result.parts[number].read_bytes()))
    with pytest.warns(UserWarning, match="2 finished parts are damaged"):
        rows = run().read()
    pd.testing.assert_frame_equal(rows, expected_rows(nights))
    result.parts[2].unlink()
    result.parts[2].mkdir()
    message = r"part-000002.parquet in .*out is a folder, where .* Move it away"
    with (
        pytest.warns(UserWarning, match="1 finished part is damaged"),
        pytest.raises(OSError, match=message),
    ):
        run()


OTHERS = [
    "night.wav",
    ".notes.tmp",
    "part-of-spring.parquet",
    "part-00001.parquet",
    "part-000001.parquet.bak",
    "part-000001.csv",
    "spring_manifest.json",
    "_files.parquet.old",
    "errors.csv",
    ".model-mine.tmp",
    "part-000007.parquet/notes.txt",
    "_manifest/part-000001.parquet",
    "deep/part-000000.parquet",
    "deep/_manifest.json",
    "deep/_errors.csv",
]


@pytest.fixture
def out_among_others(run, nights):
    """A run of the nights in their own folder, where other files lie, too."""
    for name in OTHERS[1:]:
        (nights / name).parent.mkdir(exist_ok=True)
        (nights / name).write_text("of others")
    run(out=nights)
    return nights


def all_files(folder):
    return {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize("damage", [None, "_manifest.json", "_files.parquet"])
def test_a_run_is_removed_and_nothing_else(out_among_others, damage):
    folder, tag = out_among_others, "0f" * 16
    for name in (
        "_errors.csv",
        f".{tag}.part",
        f".part-000003.parquet.{tag}.tmp",
        f"._manifest.json.{tag}.tmp",
        f".model-{tag}.tmp",
        f"..model-{tag}.tmp.{tag}.tmp",
    ):
        (folder / name).write_text("half")
    if damage:
        (folder / damage).unlink()
    remove_run(folder)
    recordings = {f"night{number:02d}.wav" for number in range(9)}
    assert all_files(folder) == recordings | set(OTHERS[1:])
    remove_run(folder)  # nothing is left to be removed
    assert all_files(folder) == recordings | set(OTHERS[1:])


def test_a_run_that_is_not_there_is_removed_quietly(tmp_path):
    remove_run(tmp_path / "none")
    (tmp_path / "file").write_text("of others")
    remove_run(tmp_path / "file")
    assert all_files(tmp_path) == {"file"}


def test_files_of_others_are_no_part_of_a_run(run, out_among_others, nights):
    assert all_files(nights) >= set(OTHERS[1:])
    result = run(out=nights)
    assert result.times_real_time == 0
    pd.testing.assert_frame_equal(result.read(), expected_rows(nights))


# Faults that pass ------------------------------------------------------------------


class Fault:
    """Makes recordings unreadable for a while; their size and time stay the same."""

    def __init__(self, *paths):
        self.contents = {path: path.read_bytes() for path in paths}
        self.write({path: bytes(len(data)) for path, data in self.contents.items()})

    def write(self, contents):
        for path, data in contents.items():
            before = path.stat()
            path.write_bytes(data)
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))

    def passes(self):
        self.write(self.contents)


@pytest.mark.slow
def test_what_could_not_be_opened_once_is_tried_again(run, nights, tmp_path, capsys):
    log = tmp_path / "log"
    fault = Fault(nights / "night01.wav", nights / "night04.wav")
    result = run()
    assert [Path(path).stem for path in result.errors["path"]] == ["night01", "night04"]
    assert run().times_real_time == 0
    fault.passes()
    result = run(Level(log=log), verbose=1)
    said = "0 recordings are new; the run had 9, of which 2 could not be opened before."
    assert said in capsys.readouterr().out
    # The parts of the others stay.
    assert log.read_text().splitlines() == ["3 night00", "6 night01 night04"]
    assert len(result.errors) == 0
    pd.testing.assert_frame_equal(in_order(result.read()), expected_rows(nights))
    assert run().times_real_time == 0


@pytest.mark.slow
def test_a_fault_of_all_but_one_recording_leaves_no_trace(run, nights):
    fault = Fault(*sorted(nights.iterdir())[1:])
    assert len(run().errors) == 8
    fault.passes()
    result = run()
    assert len(result.errors) == 0
    pd.testing.assert_frame_equal(in_order(result.read()), expected_rows(nights))
    table = pd.read_parquet(result.folder)
    pd.testing.assert_frame_equal(in_order(table), expected_rows(nights))


def test_the_reason_is_that_of_the_latest_try(run, nights):
    Fault(nights / "night01.wav")
    before = run().errors["error"].item()
    whole = (nights / "night01.wav").read_bytes()
    (nights / "night01.wav").unlink()
    (nights / "night01.wav").mkdir()
    size = (nights / "night01.wav").stat().st_size
    after = run(recordings=[*sorted(nights.iterdir())]).errors["error"].item()
    assert "is a directory" in after != before
    assert size != len(whole)


@pytest.mark.parametrize("model", [Level, Skipping])
@pytest.mark.parametrize("as_table", [False, True], ids=["files", "rows"])
def test_what_could_not_be_read_in_mid_run_is_tried_again(run, nights, model, as_table):
    class Unlucky(model):
        def predict_proba(self, X):
            if len(X) == 9 and X["path"].str.contains("night03").any():
                self.fault = Fault(nights / "night04.wav")
            return super().predict_proba(X)

    recordings = segment_table(sorted(nights.iterdir())) if as_table else nights
    unlucky = Unlucky()
    result = run(unlucky, recordings)
    assert result.errors["error"].item().startswith("3 of 3 rows are left out: ")
    assert run(model(), recordings).times_real_time == 0
    unlucky.fault.passes()
    result = run(model(), recordings)
    assert len(result.errors) == 0
    pd.testing.assert_frame_equal(result.read(), expected_rows(nights))
    assert run(model(), recordings).times_real_time == 0


@pytest.mark.parametrize("model", [Level, Skipping])
def test_a_fault_of_a_moment_is_not_even_noticed(run, nights, model):
    class Moment(model):
        def predict_proba(self, X):
            if len(X) == 9 and X["path"].str.contains("night03").any():
                fault = Fault(nights / "night04.wav")
                proba = np.full((9, 3), np.nan)
                try:
                    proba = super().predict_proba(X)
                finally:
                    fault.passes()
                return proba
            return super().predict_proba(X)

    result = run(Moment())
    assert len(result.errors) == 0
    pd.testing.assert_frame_equal(result.read(), expected_rows(nights))


def test_a_recording_that_cannot_be_opened_for_a_moment_is_no_single_row(
    run, nights, monkeypatch
):
    def segment(paths, *args, **options):
        fault = Fault(*(Path(path) for path in paths if "night04" in path))
        rows = segment_table(paths, *args, **options)
        fault.passes()
        return rows

    monkeypatch.setattr("skbird.archive._block_work.segment_table", segment)
    result = run()
    assert "it could not be opened for a moment" in result.errors["error"].item()
    assert result.n_rows == 24
    monkeypatch.undo()
    result = run()
    assert len(result.errors) == 0
    pd.testing.assert_frame_equal(result.read(), expected_rows(nights))


class Patchy(Level):
    """Fails at the rows of night00 that start at one of `bad_s`."""

    def __init__(self, bad_s=(), skips=False, log=None):
        super().__init__(log=log)
        self.bad_s = bad_s
        self.skips = skips

    def fails_at(self, path, start):
        return Path(path).stem == "night00" and start in self.bad_s

    def read_audio(self, path, start_s=0.0, end_s=None):
        if self.fails_at(path, start_s):
            raise AudioReadError(f"Cannot read {path}: the share is away.")

    def predict_proba(self, X):
        failed = np.array([*map(self.fails_at, X["path"], X["start"])])
        if failed.any() and not self.skips:
            raise AudioReadError("Cannot read a row: the share is away.")
        proba = super().predict_proba(X)
        # As reweighters do, it looks at all rows of a recording at once.
        proba[:, 0] *= 0.3 * (~failed).sum()
        return np.where(failed[:, None], np.nan, proba)


@pytest.mark.parametrize("skips", [False, True], ids=["raises", "skips"])
@pytest.mark.parametrize("as_table", [False, True], ids=["files", "rows"])
def test_first_rows_that_come_back_are_no_other_model(
    run, nights, monkeypatch, skips, as_table
):
    recordings = segment_table(sorted(nights.iterdir())) if as_table else nights
    model = Patchy(bad_s=(0.0,), skips=skips)
    monkeypatch.setattr("skbird.archive._faults.read_audio", model.read_audio)
    assert len(run(model, recordings).errors) == 1
    model.bad_s = ()
    result = run(model, recordings)
    assert len(result.errors) == 0
    assert len(result.read()) == 27
    with pytest.raises(ValueError, match="the first rows other probabilities"):
        run(Level(gain=0.5), recordings)


@pytest.mark.parametrize("skips", [False, True], ids=["raises", "skips"])
def test_first_rows_that_go_are_named_where_nothing_can_be_compared(
    run, nights, monkeypatch, skips
):
    model = Patchy(skips=skips)
    monkeypatch.setattr("skbird.archive._faults.read_audio", model.read_audio)
    run(model)
    model.bad_s = (0.0,)
    with pytest.raises(ValueError, match=r"cannot read the rows of \S+ that it could"):
        run(model)
    model.bad_s = ()
    assert run(model).times_real_time == 0


def test_runs_of_earlier_versions_go_on(run, tmp_path):
    run()
    path = tmp_path / "out" / "_manifest.json"
    manifest = json.loads(path.read_text())
    assert manifest.pop("probe_rows") == [0, 1, 2]
    del manifest["checksum"]
    manifest["checksum"] = _manifest._checksum(manifest)
    path.write_text(json.dumps(manifest))
    assert run().times_real_time == 0


def test_a_missing_recording_that_comes_back_is_predicted(run, nights, tmp_path):
    paths = sorted(nights.iterdir())
    paths[4].rename(tmp_path / "away")
    result = run(recordings=paths)
    assert "does not exist" in result.errors["error"].item()
    (tmp_path / "away").rename(paths[4])
    rows = run(recordings=paths).read()
    pd.testing.assert_frame_equal(in_order(rows), expected_rows(nights))
    paths[4].rename(tmp_path / "away")
    with pytest.raises(ValueError, match=r"night04.wav \(No such file.* once they are"):
        run(recordings=paths)
    with pytest.raises(ValueError, match=r"night05.wav \(not among those that were"):
        run(recordings=[*paths[:4], tmp_path / "away", *paths[6:]])


def test_many_broken_recordings_are_tried_again_by_their_headers_alone(run, nights):
    Fault(*sorted(nights.iterdir())[1:])
    run()
    kept = (nights.parent / "out" / "_files.parquet").stat().st_mtime_ns
    assert run().times_real_time == 0  # and nothing is written anew
    assert (nights.parent / "out" / "_files.parquet").stat().st_mtime_ns == kept


@pytest.mark.parametrize("seconds", [12 * 10**9, -1, -(2**31)])
def test_times_that_are_far_from_now_are_kept(run, nights, seconds):
    path = nights / "night04.wav"
    os.utime(path, (seconds, seconds))
    if path.stat().st_mtime != seconds:
        pytest.skip("this file system has no such times")
    pd.testing.assert_frame_equal(run().read(), expected_rows(nights))
    assert run().times_real_time == 0
    os.utime(path, (seconds + 1, seconds + 1))
    assert run().times_real_time > 0


# What goes wrong -------------------------------------------------------------------


@pytest.fixture
def bad_nights(nights):
    """Three of the nine damaged: no audio, no samples, bad in the middle."""
    (nights / "night01.wav").write_text("not audio")
    soundfile.write(nights / "night04.wav", np.zeros(0), RATE)
    samples = np.full(12 * RATE, 0.5, np.float32)
    samples[7 * RATE] = np.nan
    soundfile.write(nights / "night05.wav", samples, RATE, subtype="FLOAT")
    return nights


@pytest.mark.parametrize("model", [Level(), Skipping()])
def test_bad_files_are_listed_and_cost_no_good_one(run, bad_nights, model):
    for _ in range(2):  # the second time from the finished parts
        result = run(model)
        errors = dict(result.errors.to_numpy())
        assert [Path(path).stem for path in errors] == ["night01", "night04", "night05"]
        one, four, five = errors.values()
        assert "not an audio file" in one
        assert "no samples" in four
        assert five.startswith("1 of 3 rows is left out: ")
        assert "night05.wav holds 1 sample that is NaN" in five
        rows = result.read()
        n_rows = rows["path"].map(lambda path: Path(path).stem).value_counts()
        whole = {f"night{n:02d}": 3 for n in (0, 2, 3, 6, 7, 8)}
        assert n_rows.to_dict() == whole | {"night05": 2}
        assert not rows.isna().any(axis=None)
        assert "3 recordings with errors" in str(result)


def test_bad_files_of_a_row_table_are_listed_once(run, bad_nights):
    result = run(recordings=pd.DataFrame({"path": sorted(bad_nights.iterdir())}))
    assert [path[-6:-4] for path in result.errors["path"]] == ["01", "04", "05"]
    assert result.n_rows == 6


def test_blocks_of_bad_files_only_make_empty_parts(run, nights):
    for number in (3, 4, 5, 6, 7, 8):
        (nights / f"night{number:02d}.wav").write_text("not audio")
    for options in ({}, {"min_proba": 0.1, "out": nights.parent / "long"}):
        result = run(block_s=14, **options)
        assert len(result.errors) == 6
        assert result.read()["path"].nunique() == 3


@pytest.fixture
def mostly_bad(nights):
    """One night that fills a block; before and after it only broken ones."""
    for number in (0, 1, 2, 3, 6, 7, 8):
        (nights / f"night{number:02d}.wav").write_bytes(b"not audio"[: 3 * number])
    (nights / "night05.wav").unlink()
    return nights


ARCHIVES = {
    "folder": lambda folder: folder,
    "paths": lambda folder: sorted(folder.iterdir()),
    "rows": lambda folder: pd.DataFrame({"path": sorted(folder.iterdir()), "end": 5.0}),
}


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [{}, {"min_proba": 0.0}, {"top_species": 3}, {"n_jobs": 2}, {"time_budget_s": 60}],
    ids=str,
)
@pytest.mark.parametrize("make", ARCHIVES.values(), ids=ARCHIVES)
def test_blocks_of_broken_files_alone_stop_nothing(run, mostly_bad, make, options):
    for _ in range(2):  # the second time from the finished parts
        result = run(recordings=make(mostly_bad), block_s=4, **options)
        assert [path[-6:-4] for path in result.errors["path"]] == [
            f"{number:02d}" for number in (0, 1, 2, 3, 6, 7, 8)
        ]
        assert len(list(result.folder.glob("part-*"))) > 1
        check_columns(result)
        assert {path[-6:-4] for path in result.read()["path"]} == {"04"}


def check_columns(result):
    """Check what is read and that it says so without rows, too."""
    for rows in [result.read(), *map(pd.read_parquet, result.folder.glob("part-*"))]:
        assert pd.api.types.is_string_dtype(rows["path"])
        assert (rows[["start", "end"]].dtypes == np.float64).all()
        numbers = rows.drop(
            columns=["path", "start", "end", "species"], errors="ignore"
        )
        assert (numbers.dtypes == np.float32).all()
        if "species" in rows:
            assert pd.api.types.is_string_dtype(rows["species"])


def test_only_the_last_file_can_be_read(run, nights):
    for path in sorted(nights.iterdir())[:-1]:
        path.write_bytes(b"")
    result = run(block_s=10)
    assert len(result.errors) == 8
    assert result.n_rows == 3


@pytest.mark.parametrize("model", [Level, Skipping])
@pytest.mark.parametrize("options", [{}, {"min_proba": 0.0}], ids=str)
def test_a_block_whose_files_vanish_is_empty(run, nights, model, options):
    class Eater(model):
        def predict_proba(self, X):
            proba = super().predict_proba(X)
            for number in (3, 4, 5):
                (nights / f"night{number:02d}.wav").unlink(missing_ok=True)
            return proba

    result = run(Eater(), **options)
    assert [path[-6:-4] for path in result.errors["path"]] == ["03", "04", "05"]
    assert result.errors["error"].str.contains("does not exist").all()
    assert result.read()["path"].nunique() == 6
    check_columns(result)


def test_an_archive_that_vanishes_leaves_typed_columns(run, nights):
    class Eater(Level):
        def predict_proba(self, X):
            proba = super().predict_proba(X)
            for path in nights.iterdir():
                path.unlink()
            return proba

    result = run(Eater())
    assert (len(result.errors), result.n_rows, len(result.read())) == (9, 0, 0)
    check_columns(result)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:30]), "not an audio file"),
        (lambda path: path.write_bytes(b""), "is empty: 0 bytes"),
        (lambda path: (path.unlink(), path.mkdir()), "is a directory"),
        (lambda path: path.write_bytes(path.read_bytes()[:9000]), "no samples after"),
    ],
    ids=["header only", "emptied", "a folder", "shorter"],
)
def test_files_that_change_in_mid_run_cost_no_other(run, nights, damage, message):
    class Changer(Level):
        def predict_proba(self, X):
            if len(X) == 9 and X["path"].str.contains("night03").any():
                damage(nights / "night04.wav")
            return super().predict_proba(X)

    result = run(Changer())
    n_rows = result.read()["path"].str[-6:-4].value_counts()
    # Of a shorter one, its beginning is left.
    assert n_rows.drop("04", errors="ignore").eq(3).all()
    assert n_rows.get("04", 0) == (message == "no samples after")
    assert message in result.errors["error"].item()


@pytest.mark.slow
def test_rows_past_the_end_are_listed(run, nights):
    rows = segment_table(sorted(nights.iterdir()))
    late = rows["path"].str.contains("night0[345]")  # a block, after a good one
    rows.loc[late, ["start", "end"]] += 100
    rows.loc[rows.index[-1], ["start", "end"]] = [50, 55]
    for model in (Level(), Skipping()):
        out = nights.parent / type(model).__name__
        result = run(model, rows, block_s=20, out=out)
        assert [path[-6:-4] for path in result.errors["path"]] == "03 04 05 08".split()
        assert result.errors["error"].str.contains("has no samples after").all()
        assert result.n_rows == 17
        check_columns(result)


def name_without_text(folder):
    """Give a night a name that is not UTF-8."""
    path = os.fsencode(folder) + b"/caf\xe9.wav"
    try:
        os.rename(folder / "night05.wav", path)
    except OSError:
        pytest.skip("this file system takes UTF-8 only")
    return os.fsdecode(path)


@pytest.mark.slow
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_paths_that_are_not_text_are_listed(run, nights, tmp_path, n_jobs):
    name_without_text(nights)
    paths = [os.path.join(nights, name) for name in sorted(os.listdir(nights))]
    table = pd.DataFrame({"path": pd.Series(paths, dtype=object), "end": 4.0})
    forms = {"paths": paths, "array": np.array(paths), "table": table}
    forms["objects"] = list(map(Path, paths))
    for name, recordings in forms.items():
        for _ in range(2):  # the second time from the finished parts
            result = run(
                None, recordings, out=tmp_path / name, block_s=10, n_jobs=n_jobs
            )
            path, error = result.errors.iloc[0]
            assert len(result.errors) == 1
            assert path == rf"{nights}/caf\xe9.wav"
            assert "is not UTF-8. Rename it." in error
            assert result.read()["path"].nunique() == 8
        result.errors.to_csv(tmp_path / "errors.csv")


@pytest.mark.filterwarnings("ignore:1 file name is not UTF-8")
def test_a_name_that_is_not_text_stops_no_folder(run, nights):
    name_without_text(nights)
    assert run().read()["path"].nunique() == 8


def test_results_cannot_go_where_pyarrow_cannot(run, tmp_path):
    out = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9")
    with pytest.raises(ValueError, match=r"out=.*caf\\xe9 is a path that is not UTF-8"):
        run(out=out)


def test_rows_that_only_the_model_cannot_use_are_listed_as_such(run):
    class Deaf(Level):
        def predict_proba(self, X):
            is_late = X["path"].str.contains("night08") & (X["start"] > 5)
            return np.where(
                is_late.to_numpy()[:, None], np.nan, super().predict_proba(X)
            )

    result = run(Deaf())
    assert result.n_rows == 26
    message = "1 of 3 rows is left out: the model gives NaN for them"
    assert result.errors["error"].item().startswith(message)


def test_files_that_vanish_in_mid_run_are_listed(run, nights):
    class Eater(Level):
        def predict_proba(self, X):
            (nights / "night07.wav").unlink(missing_ok=True)
            return super().predict_proba(X)

    result = run(Eater())
    assert result.read()["path"].nunique() == 8
    assert "does not exist" in result.errors["error"].item()


def test_an_archive_without_a_readable_file_is_refused(run, tmp_path):
    paths = [tmp_path / "a.wav", tmp_path / "b.wav"]
    with pytest.raises(AudioReadError, match=r"None of the 2 .*a\.wav does not exist"):
        run(recordings=paths)


def test_a_model_without_numbers_is_refused(run):
    class Lost(Level):
        def predict_proba(self, X):
            return np.full((len(X), 3), np.nan)

    with pytest.raises(AudioReadError, match=r"None of the 9 .* gives NaN"):
        run(Lost())


class Buggy(Level):
    """Fails at one recording."""

    def predict_proba(self, X):
        if X["path"].str.contains("night04").any():
            raise KeyError("site")
        return super().predict_proba(X)


def test_a_bug_stops_the_run_and_keeps_what_is_done(run, nights):
    message = r"KeyError in the block of 3 files that begins with .*night03.wav: 'site'"
    with pytest.raises(RuntimeError, match=message):
        run(Buggy())
    pd.testing.assert_frame_equal(run().read(), expected_rows(nights))


FULL = (
    r"No space is left for part-0000\d\d\.parquet in .*out\. The parts that are "
    "finished are kept: free some space, or narrow the output by min_proba or "
    "top_species into another folder, and call again; the run goes on where it stopped"
)


@pytest.mark.slow
def test_a_full_disk_is_named_and_can_be_resumed(run, nights, tmp_path, monkeypatch):
    out, log = tmp_path / "out", tmp_path / "log"

    def fsync(descriptor):
        if len(list(out.glob("part-*"))) == 1:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fsync)
    for _ in range(2):  # the second time nothing has changed
        with pytest.raises(OSError, match=FULL) as caught:
            run()
        assert caught.value.errno == errno.ENOSPC
        assert [path.name for path in out.glob("part-*")] == ["part-000000.parquet"]
        assert not list(out.glob(".*"))
    monkeypatch.undo()
    rows = run(Level(log=log)).read()
    pd.testing.assert_frame_equal(rows, expected_rows(nights), check_exact=True)
    assert log.read_text().splitlines() == [
        "3 night00",  # what tells models apart
        "9 night03 night04 night05",
        "9 night06 night07 night08",
    ]


def mount_small_disks(outs):
    """Mount them in namespaces of this process: without root, only there may one."""
    ids = os.getuid(), os.getgid()
    new_user, new_mount = 0x10000000, 0x20000
    if ctypes.CDLL(None).unshare(new_user | new_mount) != 0:
        raise OSError("no namespaces")
    Path("/proc/self/setgroups").write_text("deny")
    for name, number in zip(["uid_map", "gid_map"], ids, strict=True):
        Path("/proc/self", name).write_text(f"0 {number} 1")
    for out in outs:
        small = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", out]
        subprocess.run(small, check=True)


def fill_and_mend_disks(folder, outs):
    """Predict onto disks that are too small, and again once they are large enough."""
    try:
        mount_small_disks(outs.values())
    except (AttributeError, OSError, subprocess.CalledProcessError):
        return
    for n_jobs, out in outs.items():
        with pytest.raises(OSError, match=FULL) as caught:
            predict_in_forks(Level(), folder, out, n_jobs=n_jobs)
        said = len(list(Path(out).glob("part-*"))), caught.value.errno
        subprocess.run(["mount", "-o", "remount,size=1m", out], check=True)
        rows = predict_in_forks(Level(), folder, out, n_jobs=n_jobs).read()
        pd.to_pickle((*said, rows), f"{out}.pkl")


@pytest.mark.slow
def test_a_disk_that_is_really_full(tmp_path):
    folder = write_nights(tmp_path / "many", 24)
    outs = {n_jobs: str(tmp_path / str(n_jobs) / "out") for n_jobs in (1, 2)}
    for out in outs.values():
        os.makedirs(out)
    process = started(fill_and_mend_disks, folder, outs)
    process.join()
    assert process.exitcode == 0
    if not list(tmp_path.glob("*/out.pkl")):
        pytest.skip("no small disk can be mounted")
    for out in outs.values():
        n_parts, number, rows = pd.read_pickle(f"{out}.pkl")
        assert 0 < n_parts < 24
        assert number == errno.ENOSPC
        pd.testing.assert_frame_equal(rows, expected_rows(folder), check_exact=True)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"segment_s": 0}, "segment_s=0 must be above 0 seconds"),
        ({"step_s": -1}, "step_s=-1 must be above"),
        ({"block_s": np.inf}, "block_s=inf must be above 0 seconds, and finite"),
        ({"time_budget_s": "1 h"}, "time_budget_s='1 h' must be"),
        ({"min_proba": 1.5}, r"min_proba=1.5 must be in \[0, 1\]"),
        ({"top_species": 0}, "top_species=0 must be a whole number from 1 on"),
        ({"time_budget_s": 60, "n_jobs": 2}, "goes with n_jobs=1 only, got 2"),
        ({"recordings": "no such folder"}, "'no such folder' is not a folder"),
    ],
)
def test_bad_arguments_are_refused(run, options, message):
    with pytest.raises(ValueError, match=message):
        run(**options)


def test_a_folder_without_audio_and_names_taken_twice_are_refused(run, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"holds no audio files: .*\.flac"):
        run(recordings=tmp_path / "empty")

    class Twice(Level):
        species_ = ["owl", "frog", "owl"]

    with pytest.raises(ValueError, match="species_ hold 'owl' twice"):
        run(Twice())


def test_missing_pyarrow_names_the_extra(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ImportError, match=r"pip install .*\[archive\]'"):
        run()


# More processes and machines -------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["loky", "threading", "multiprocessing"])
def test_several_jobs_give_the_same_rows(run, bad_nights, tmp_path, backend):
    alone = run(out=tmp_path / "alone")
    with parallel_config(backend=backend, n_jobs=2):
        together = run()
    pd.testing.assert_frame_equal(together.read(), alone.read())
    pd.testing.assert_frame_equal(together.errors, alone.errors)
    assert not list((tmp_path / "out").glob(".*"))


def test_no_thread_keeps_the_model(run):
    with parallel_config(backend="threading"):
        run(n_jobs=2)
    assert not _block_work._loaded


@pytest.mark.slow
def test_a_bug_in_a_worker_is_named(run, tmp_path):
    with pytest.raises(RuntimeError, match=r"KeyError in the block .*night03"):
        run(Buggy(), n_jobs=2)
    assert not list((tmp_path / "out").glob(".*"))


@contextmanager
def dask_cluster():
    """Two workers of Dask's; joblib sends them what it is given."""
    distributed = pytest.importorskip("distributed")
    from dask import config

    with (
        config.set({"distributed.worker.multiprocessing-method": "forkserver"}),
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster),
        parallel_config(backend="dask"),
    ):
        yield


@contextmanager
def ray_cluster():
    """Two workers of Ray's, which come back when they die."""
    ray = pytest.importorskip("ray")
    pytest.importorskip("ray.util.joblib").register_ray()
    node = pytest.importorskip("ray._private.node").Node
    paths = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    again = {"max_restarts": -1, "max_task_retries": 3}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", paths)  # Ray has workers in reserve that know it
        for unneeded in ("start_monitor", "start_log_monitor", "start_api_server"):
            patch.setattr(node, unneeded, lambda *args, **options: None, raising=False)
        ray.init(num_cpus=2, include_dashboard=False)
    try:
        with parallel_config(backend="ray", n_jobs=-1, ray_remote_args=again):
            yield
    finally:
        ray.shutdown()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "cluster", [dask_cluster, pytest.param(ray_cluster, marks=pytest.mark.thorough)]
)
def test_a_dead_worker_of_a_cluster_loses_its_block_only(run, tmp_path, cluster):
    folder = write_nights(tmp_path / "many", 18)
    log = tmp_path / "log"
    model = Level(sleep_s=0.1, log=log, killer="night07")
    with cluster():
        result = run(model, folder)
    assert log.with_suffix(".killed").exists()
    pd.testing.assert_frame_equal(result.read(), expected_rows(folder))
    calls = log.read_text().splitlines()[1:]
    assert sorted(calls) == sorted(
        [f"9 night{n:02d} night{n + 1:02d} night{n + 2:02d}" for n in range(0, 18, 3)]
        + ["9 night06 night07 night08"]
    )
    assert not list((tmp_path / "out").glob(".*"))


# Time budgets ----------------------------------------------------------------------


class Clock:
    """A clock that is set by hand."""

    now = 100.0

    def __call__(self):
        return self.now


def voting(weights):
    """A fitted voting ensemble of three members."""
    X, y = np.zeros((3, 1)), np.eye(3)
    members = [(f"m{gain}", Level(gain, tta_shifts_s=(0.1,))) for gain in (1, 2, 3)]
    return MultilabelVotingClassifier(members, weights=weights).fit(X, y)


def test_a_budget_drops_augmentation_then_the_least_members():
    model, clock = voting([0.5, 0.2, 0.3]), Clock()
    budget = TimeBudget(model, 100, audio_s=1000, clock=clock)

    def note(seconds):
        clock.now += seconds
        return budget.note(50)

    assert note(10) == "test-time augmentation"
    member = "a member of MultilabelVotingClassifier"
    assert note(10) == f"{member} (weight 0.2; 2 left)"
    assert note(9) == f"{member} (weight 0.37; 1 left)"
    # 800 s are left at 8 s per 50 s; 63 s are left of the budget.
    with pytest.warns(UserWarning, match="at the speed so far it takes 65 s longer"):
        assert note(8) is None
    with warnings.catch_warnings():  # once is enough
        warnings.simplefilter("error")
        assert note(8) is None
    assert len(budget.dropped) == 3
    assert [member.gain for member in budget.model.estimators_] == [1]
    assert [member.gain for member in model.estimators_] == [1, 2, 3]
    assert all(member.tta_shifts_s == (0.1,) for member in model.estimators_)


def test_a_budget_that_suffices_drops_nothing():
    clock = Clock()
    budget = TimeBudget(Level(tta_shifts_s=(0.1,)), 100, audio_s=1000, clock=clock)
    assert budget.note(0) is None  # a block of bad files only tells nothing
    for _ in range(20):
        clock.now += 4.9
        assert budget.note(50) is None
    assert budget.model.tta_shifts_s == (0.1,)
    # After the last block it is too late.
    clock.now += 1000
    assert budget.note(0) is None


def test_speed_is_measured_anew_after_each_drop():
    clock = Clock()
    budget = TimeBudget(voting(None), 100, audio_s=1000, clock=clock)
    clock.now += 30
    assert budget.note(100) == "test-time augmentation"
    clock.now += 7
    assert budget.note(100) is None


def test_members_without_a_vote_cost_nothing_and_ties_go_to_the_last():
    model, dropped = cheaper_model(cheaper_model(voting([0.5, 0, 0.5]))[0])
    assert dropped == "a member of MultilabelVotingClassifier (weight 0.5; 1 left)"
    assert [member.gain for member in model.estimators_] == [1]
    assert model.weights_.tolist() == [1]
    assert cheaper_model(model)[1] is None


def test_the_member_that_species_need_least_on_average_is_dropped():
    weights = np.array([[0.5, 0.5, 0], [0.8, 0, 0.2], [0, 0, 1]])
    model, dropped = cheaper_model(cheaper_model(voting(weights))[0])
    assert dropped == "a member of MultilabelVotingClassifier (weight 0.17; 2 left)"
    np.testing.assert_allclose(model.weights_, [[1, 0], [0.8, 0.2], [0, 1]])
    model, _ = cheaper_model(model)
    assert [member.gain for member in model.estimators_] == [1]
    assert model.weights_.tolist() == [[1], [1], [1]]
    assert cheaper_model(model)[1] is None


@pytest.mark.parametrize("ensemble", [SeedEnsemble(Level()), FoldEnsemble(Level())])
def test_ensembles_without_weights_lose_the_last_member_also_inside(ensemble):
    ensemble.estimators_ = [Level(gain) for gain in (1, 2, 3)]
    outer = SoundscapeReweighter(ensemble)
    outer.estimator_ = make_pipeline(FunctionTransformer(), ensemble)
    cheaper, dropped = cheaper_model(outer)
    name = type(ensemble).__name__
    assert dropped == f"a member of {name} (weight 0.33; 2 left)"
    left = cheaper.estimator_[-1].estimators_
    assert [member.gain for member in left] == [1, 2]
    assert len(ensemble.estimators_) == 3


class Slow(Level):
    """Takes long for test-time augmentation."""

    def predict_proba(self, X):
        time.sleep(0.1 * len(self.tta_shifts_s))
        return super().predict_proba(X)


@pytest.mark.slow
def test_what_a_budget_dropped_is_said_and_remembered(run, nights, capsys):
    model = Slow(tta_shifts_s=(-0.5, 0.5))
    options = {"block_s": 14, "time_budget_s": 1.5, "verbose": 1}
    for _ in range(2):  # the second time from the finished parts
        result = run(model, **options)
        assert result.dropped == [
            f"test-time augmentation, for 8 recordings from {nights / 'night01.wav'} on"
        ]
        assert "dropped to fit the time budget: test-time" in str(result)
    said = "To fit time_budget_s, the rest is predicted without test-time augmentation."
    assert capsys.readouterr().out.count(said) == 1
    assert model.tta_shifts_s == (-0.5, 0.5)


def test_progress_names_files_speed_and_time_left(run, capsys):
    run(verbose=1)
    shown = capsys.readouterr().err
    assert "archive: 100%" in shown
    assert "files/s, " in shown
    assert "x real time" in shown


BIG = 24_000_000_000_000_011  # a float would make ...012 of it


def test_whole_numbers_with_gaps_keep_their_digits(run, table):
    serial = pd.array([BIG, None, *range(25)], dtype="Int64")
    result = run(recordings=table[["path", "start", "end"]].assign(serial=serial))
    serials = result.read()["serial"]
    assert serials.dtype == "Int64"
    assert BIG in serials.tolist()
    assert serials.isna().sum() == 1
    serial = pd.array([BIG + 1, None, *range(25)], dtype="Int64")
    with pytest.raises(ValueError, match=r"row_table was '.*' and is '"):
        run(recordings=table[["path", "start", "end"]].assign(serial=serial))


@pytest.mark.parametrize("dtype", ["Int8", "UInt16", "Int64", "UInt64"])
def test_tables_of_parquet_keep_whole_numbers(tmp_path, dtype):
    most = np.iinfo(dtype.lower()).max
    given = pd.DataFrame({"n": pd.array([most, None], dtype=dtype), "whole": [1, 2]})
    given.to_parquet(tmp_path / "rows.parquet")
    found = read_parquet(tmp_path / "rows.parquet")
    pd.testing.assert_frame_equal(found, given)


@pytest.mark.parametrize(
    "values",
    [
        [dt.date(2020, 1, 1), dt.datetime(2020, 1, 1, 5)],
        [pd.Timestamp("2020"), pd.Timestamp("2020", tz="Europe/Berlin")],
        [pd.Timestamp("2020", tz="UTC"), pd.Timestamp("2020", tz="Europe/Berlin")],
        [1, 2.5, None, True],
        [np.float32(2), np.int64(16777217)],
        [0, False],
    ],
)
def test_columns_of_several_types_are_text(values):
    rows = pd.DataFrame({"path": "a", "start": 0.0, "end": 1.0}, range(len(values)))
    rows["x"] = pd.Series(values, dtype=object)
    kind = further_columns(rows)["x"]
    texts = [None if value is None else str(value) for value in values]
    assert arrow_column(rows["x"], kind).to_pylist() == texts


@pytest.mark.parametrize(
    ("kind", "values", "texts"),
    [
        ("string_view", ["x", None, "y"], ["x", None, "y"]),
        ("binary_view", [b"x", None, b"y"], ["b'x'", None, "b'y'"]),
        ("month_day_nano_interval", [None] * 3, [None] * 3),
    ],
)
def test_all_kinds_of_arrow_reach_the_results(run, nights, kind, values, texts):
    pyarrow = pytest.importorskip("pyarrow", minversion="16")
    kind = getattr(pyarrow, kind)()
    column = pd.array(pyarrow.array(values, kind), dtype=pd.ArrowDtype(kind))
    path = min(map(str, nights.iterdir()))
    table = pd.DataFrame({"path": path, "start": [0, 1, 2], "end": [1, 2, 3]})
    found = run(recordings=table.assign(site=column)).read()["site"]
    assert found.astype(object).where(found.notna(), None).tolist() == texts


@pytest.mark.parametrize("values", [[1, 2, None], [BIG, BIG + 1, None], [0.5, None]])
def test_categories_of_numbers_may_have_gaps(values):
    categories = pd.Index([value for value in values if value is not None])
    rows = pd.DataFrame({"path": "a", "start": 0.0, "end": 1.0}, range(len(values)))
    rows["x"] = pd.Categorical([*values[:-1], None], categories=categories)
    kind = further_columns(rows)["x"]
    assert arrow_column(rows["x"], kind).to_pylist() == values
