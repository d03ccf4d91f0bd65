import pickle
import warnings
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.utils import _safe_indexing, resample

from skbird.audio import AudioReadError
from skbird.data import (
    ClipOp,
    Recordings,
    _row_table,
    check_rows,
    read_rows,
    segment_table,
)


@pytest.mark.parametrize(
    "X",
    [
        ["a.wav", "b.wav"],
        [Path("a.wav"), Path("b.wav")],
        ("a.wav", "b.wav"),
        np.array(["a.wav", "b.wav"]),
        np.array(["a.wav", "b.wav"], dtype=object),
        pd.Series(["a.wav", "b.wav"], index=[7, 3]),
        pd.DataFrame({"path": ["a.wav", "b.wav"]}, index=[7, 3]),
    ],
)
def test_all_forms_of_paths_give_the_same_rows(X):
    rows = check_rows(X)
    assert list(rows["path"]) == ["a.wav", "b.wav"]
    assert list(rows["start"]) == [0, 0]
    assert rows["end"].isna().all()
    assert list(rows.index) == [0, 1]


def test_further_columns_may_have_any_names():
    table = pd.DataFrame([["a.wav", 1, 2, 3, 4]], columns=["path", 0, "x", "x", 3])
    rows = check_rows(table)
    assert rows.columns.tolist() == ["path", "start", "end", 0, "x", "x", 3]
    assert rows.iloc[0, 3:].tolist() == [1, 2, 3, 4]


def test_further_columns_travel_along_and_the_input_stays():
    X = pd.DataFrame({"path": ["a.wav"], "end": [3], "site": ["H8"]})
    rows = check_rows(X)
    assert rows.loc[0, "site"] == "H8"
    assert list(X.columns) == ["path", "end", "site"]


def as_in(kind):
    """Return a row table that differs from others in nothing that counts."""
    table = pd.DataFrame({"path": ["a", "b"], "start": 0.0, "end": 1.0, "x": 2.0})
    if kind == "attributes":
        table.attrs = {"station": "H8"}
    elif kind == "no labels twice":
        table.flags.allows_duplicate_labels = False
    elif kind == "categories":
        table.columns = pd.CategoricalIndex(table.columns, name="column")
    elif kind == "put together":
        start, end, x = (table.pop(name) for name in ("start", "end", "x"))
        table = table.assign(start=start).assign(end=end).assign(x=x)
    return table


@pytest.mark.parametrize(
    "kind", ["attributes", "no labels twice", "categories", "put together"]
)
def test_nothing_of_a_row_table_counts_but_its_columns(kind):
    plain, given = as_in("nothing"), as_in(kind)
    rows = check_rows(given)
    pd.testing.assert_frame_equal(rows, check_rows(plain))
    assert not rows.attrs
    assert rows.iloc[[0, 0]].assign(site="H8").shape == (2, 5)
    assert joblib.hash(Recordings(given)) == joblib.hash(Recordings(plain))


def test_a_row_table_is_no_part_of_the_table_that_it_was_made_of():
    given = as_in("nothing")
    rows = check_rows(given)
    rows.loc[0, ["path", "start"]] = "c", 0.5
    given.loc[1, "end"] = 9.0
    assert given["path"].tolist() == ["a", "b"]
    assert given["start"].tolist() == [0, 0]
    assert rows["end"].tolist() == [1, 1]


@pytest.mark.parametrize(("start", "end"), [(-1, 5), (5, 5), (6, 5), (np.inf, np.nan)])
def test_a_stretch_that_is_none_names_its_row(start, end):
    X = pd.DataFrame({"path": ["a", "b"], "start": [0, start], "end": [1, end]})
    with pytest.raises(ValueError, match=r"Row 1 of X \(b\).*0 <= start < end"):
        check_rows(X)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("b.wav,5,5,", r"line 4 \(.*b.wav\) has start=5 and end=5"),
        ("b.wav,0,5,left", "line 4: channels='left' must be"),
    ],
)
def test_errors_of_a_table_name_its_file_and_line(tmp_path, line, message):
    path = tmp_path / "night.csv"
    path.write_text(f"path,start,end,channels\na.wav,0,5,0\n\n{line}\n")
    with pytest.raises(ValueError, match=f"night.csv', {message}"):
        read_rows(path)


@pytest.mark.parametrize(
    ("X", "error", "message"),
    [
        ("a.wav", TypeError, "single path where a list of paths"),
        (Path("a.wav"), TypeError, "single path where a list of paths"),
        ([1, 2], TypeError, "Row 0 of X holds 1"),
        (np.zeros((2, 2)), TypeError, "sequence of paths"),
        (pd.DataFrame({"file": ["a"]}), ValueError, "without a column 'path'"),
        (pd.DataFrame({"path": ["a"], "end": ["x"]}), TypeError, "'end'"),
    ],
)
def test_other_input_is_refused(X, error, message):
    with pytest.raises(error, match=message):
        check_rows(X)


def test_segment_table_covers_each_file_once(write_wav):
    paths = [write_wav("a.wav", np.zeros(16_000 * 12)), write_wav("b.wav", [0.0] * 99)]
    table = segment_table(paths)
    assert list(table["start"]) == [0, 5, 10, 0]
    assert list(table["end"][:3]) == [5, 10, 12]
    assert list(table["path"]) == [paths[0]] * 3 + [paths[1]]


def test_segment_table_with_overlap(write_wav):
    table = segment_table([write_wav("a.wav", np.zeros(16_000 * 10))], step_s=2.5)
    assert list(table["start"]) == [0, 2.5, 5, 7.5]
    assert list(table["end"]) == [5, 7.5, 10, 10]


def test_rows_of_a_recording_given_twice_count_twice(write_wav, monkeypatch):
    monkeypatch.setattr(_row_table, "_MAX_ROWS", 30)
    path = write_wav("a.wav", np.zeros(16_000))
    assert len(segment_table([path] * 3, 0.1, 0.1)) == 30
    with pytest.raises(ValueError, match=r"step_s=0.1 would make 40 rows, 10 of .*a"):
        segment_table([path] * 4, 0.1, 0.1)
    empty = segment_table([])
    assert list(empty) == ["path", "start", "end"]
    assert empty[["start", "end"]].dtypes.tolist() == [float, float]


@pytest.mark.parametrize("name", ["segment_s", "step_s"])
def test_segment_table_checks_lengths(name):
    with pytest.raises(ValueError, match=f"{name}=0"):
        segment_table(["a.wav"], **{name: 0})


def test_segment_table_with_files_that_cannot_be_read(write_wav, tmp_path):
    paths = [str(tmp_path / "no.wav"), write_wav("a.wav", np.zeros(16_000 * 6))]
    with pytest.raises(AudioReadError, match="1 of 2 files cannot be read"):
        segment_table(paths)
    table = segment_table(paths, on_error="skip")
    assert list(table["path"]) == [paths[0], paths[1], paths[1]]
    assert table["end"].isna().tolist() == [True, False, False]
    with pytest.raises(ValueError, match="on_error='ignore' must be"):
        segment_table(paths, on_error="ignore")


def test_arrays_without_axes_are_numbers_of_rows(write_wav):
    recordings = Recordings([write_wav("a.wav", np.ones(800), 8000)])
    assert recordings[np.array(0)].duration_s == 0.1


def test_recordings_are_indexed_as_scikit_learn_does(write_wav):
    recordings = Recordings([write_wav(f"{n}.wav", np.zeros(800)) for n in range(3)])
    chosen = _safe_indexing(recordings, np.array([2, 0]))
    assert chosen.paths.tolist() == recordings.paths[[2, 0]].tolist()


def test_paths_without_the_stretches_of_their_rows_are_noticed():
    table = pd.DataFrame({"path": list("aaaab"), "start": np.arange(5.0), "end": 9.0})
    message = r"5 rows name 2 recordings without .*4 of them are the whole of 'a'"
    for X in (table["path"], table[["path"]], list(table["path"])):
        with pytest.warns(UserWarning, match=message) as caught:
            recordings = Recordings(X)
        assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        recordings[[0, 1]].then(ClipOp()).assign(x=1)
        pickle.loads(pickle.dumps(recordings))
        Recordings(table)
        Recordings(table[["path", "start"]])
        names = [f"{number}.wav" for number in range(1000)]
        Recordings(resample(names, random_state=0))
        Recordings([*names, *names])


@pytest.mark.parametrize(
    ("end", "message"),
    [
        (pd.to_timedelta([5, 6], unit="s"), r"'end' of X holds Timedelta.*total_seco"),
        ([True, 5.0], "'end' of X holds True"),
        ([5.0, b"1"], "'end' of X holds b'1'"),
        (["5", "1_0"], "'end' of X holds '1_0'"),
        (np.array([5j, 6]), "'end' of X holds 5j"),
        ([5.0, 10**400], "'end' of X must hold seconds"),
    ],
)
def test_what_is_no_number_of_seconds_is_refused(end, message):
    if isinstance(end, list):
        end = pd.Series(end, dtype=object)
    with pytest.raises(TypeError, match=message):
        check_rows(pd.DataFrame({"path": ["a.wav", "b.wav"], "end": end}))


def test_durations_of_arrow_are_no_numbers():
    pyarrow = pytest.importorskip("pyarrow")
    end = pd.Series([5000], dtype=pd.ArrowDtype(pyarrow.duration("ms")))
    with pytest.raises(TypeError, match="'end' of X holds Timedelta"):
        check_rows(pd.DataFrame({"path": ["a.wav"], "end": end}))


@pytest.mark.parametrize("dtype", ["Int64", "category", object, "str"])
def test_numbers_of_seconds_may_be_of_any_type(dtype):
    end = pd.Series([5, 6]).astype(dtype)
    rows = check_rows(pd.DataFrame({"path": ["a.wav", "b.wav"], "end": end}))
    assert rows["end"].tolist() == [5.0, 6.0]


def test_what_is_no_operation_is_refused():
    with pytest.raises(TypeError, match=r"len.* is no operation on clips.*ClipOp"):
        Recordings(["a.wav"]).then(len)
