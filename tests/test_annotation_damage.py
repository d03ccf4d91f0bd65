"""Damaged and hostile tables of annotations: right rows, or an error of skbird's."""

import os
import warnings

import numpy as np
import pandas as pd
import pytest
from conftest import HOSTILE, needs_hostile

from skbird.annotations import (
    read_audacity,
    read_birdnet,
    read_boxes,
    read_kaleidoscope,
    read_raven,
    read_submission,
    write_audacity,
    write_birdnet,
    write_boxes,
    write_raven,
    write_submission,
)

RAVEN = (
    "Selection\tBegin Time (s)\tEnd Time (s)\tFile Offset (s)\tLow Freq (Hz)\tSpecies\n"
)


@pytest.fixture
def boxes():
    table = {
        "path": ["a.wav", "b.wav"],
        "start": [0.0, 1.0],
        "end": [1.0, 2.5],
        "low_hz": [1.0, np.nan],
        "high_hz": [2.0, np.nan],
        "species": ["owl", "wren"],
        "score": [0.5, 0.25],
    }
    return pd.DataFrame(table)


def assert_refused(read, path):
    """Check that what is wrong is said in skbird's words, with the name of the file."""
    with pytest.raises(ValueError, match=path.name.replace(".", r"\.")) as caught:
        read(path)
    assert type(caught.value) is ValueError


# Files ------------------------------------------------------------------------


@needs_hostile
def test_hostile_tables_are_read_or_named():
    read = {".parquet": read_boxes, ".csv": read_submission, ".txt": read_audacity}
    files = sorted((HOSTILE / "tables").iterdir())
    for path in files:
        if path.name.startswith("short_boxes"):
            assert len(read_raven(path)) == 10
        elif path.name == "s3_c360.parquet":  # only pandas' notes are damaged
            assert len(read_boxes(path)) == 5
        else:
            assert_refused(read[path.suffix], path)
    assert len(files) == 25


def test_damaged_parquet_is_named(boxes, tmp_path):
    pytest.importorskip("pyarrow")
    write_boxes(boxes, tmp_path / "whole.parquet")
    whole = (tmp_path / "whole.parquet").read_bytes()
    path = tmp_path / "b.parquet"
    for size in (0, 3, 100, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:size])
        assert_refused(read_boxes, path)
    rng = np.random.default_rng(0)
    for _ in range(100):
        damaged = bytearray(whole)
        for place in rng.integers(len(whole), size=3):
            damaged[place] = rng.integers(256)
        path.write_bytes(damaged)
        try:
            read_boxes(path)
        except ValueError:
            assert_refused(read_boxes, path)


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        ("path", [["a"], ["b"]], "must hold text: unhashable"),
        ("species", [{"a": 1}, {"a": 2}], "must hold text: unhashable"),
        ("species", [True, False], "must hold text: True is bool"),
        ("path", pd.to_datetime(["2024-01-01"] * 2), "must hold text: Timestamp"),
        ("start", pd.to_datetime(["2024-01-01"] * 2), "must hold numbers"),
        ("end", pd.to_timedelta(["1s", "2s"]), "must hold numbers"),
        ("end", [True, True], "must hold numbers: it holds bool"),
        ("start", [[0.0], [1.0]], "must hold numbers"),
        ("start", ["0:00:01", "0:00:02"], "must hold numbers"),
        ("low_hz", [np.inf, 1], r"\['low_hz'\] is inf at row 0"),
        ("path", ["a.wav", " "], "has no path at row 1"),
        ("end", [1.0, None], "has no end at row 1"),
    ],
)
def test_parquet_of_other_types_is_refused(boxes, tmp_path, column, values, message):
    pytest.importorskip("pyarrow")
    path = tmp_path / "b.parquet"
    boxes.assign(**{column: values}).to_parquet(path)
    with pytest.raises(ValueError, match=rf"b\.parquet.*{message}"):
        read_boxes(path)


def test_parquet_of_other_programs_is_read(boxes, tmp_path):
    pytest.importorskip("pyarrow")
    path = tmp_path / "b.parquet"
    others = {
        "path": boxes["path"].str.encode("utf-8"),  # text that is not marked as such
        "start": boxes["start"].astype("Float32"),
        "species": boxes["species"].astype("category"),
        "tags": [["a"], ["b", "c"]],
    }
    boxes.assign(**others).set_index("path").to_parquet(path)
    found = read_boxes(path)
    pd.testing.assert_frame_equal(found[list(boxes)], boxes)


@pytest.mark.slow
def test_parquet_that_claims_too_much_is_refused(tmp_path):
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as parquet

    path = tmp_path / "b.parquet"
    wide = {f"c{number}": [1.0] for number in range(10_001)}
    parquet.write_table(pa.table(wide), path)
    with pytest.raises(ValueError, match=r"b\.parquet.*10001 columns, and at most"):
        read_boxes(path)
    constant = pa.table({"start": np.zeros(3_000_000)})
    parquet.write_table(constant, path, compression="zstd")
    assert path.stat().st_size < 100_000
    with pytest.raises(ValueError, match=r"b\.parquet.*claims 3000000 rows"):
        read_boxes(path)


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (
            "1\t0\t1\tinf\t\towl",
            r"line 2, column 'File Offset \(s\)': a number is .*inf",
        ),
        ("1\t0\t1\t1e999\t\towl", r"line 2, column 'File Offset \(s\)': a number is"),
        ("1\t-1e308\t1e308\t5\t\towl", r"line 2, column 'End Time \(s\)': a number is"),
        ("1\t0\t1\t\tinf\towl", r"line 2, column 'Low Freq \(Hz\)': a number is"),
        (f"1\t{'9' * 5000}\t1\t\t\towl", r"line 2, column 'Begin Time \(s\)': a numb"),
        ("1\t1_0\t11\t\t\towl", "line 2, column 'Begin Time.*'1_0' is not a number"),
        ("1\t2024-01-01\t1\t\t\towl", "'2024-01-01' is not a number"),
        ("1\t0\t1\t\t\to\x00wl", "is no text"),
        ("1\t0\t1\t\t\to\x0bwl", r"line 2: the control character '\\x0b'"),
    ],
)
def test_numbers_beyond_all_bounds_name_their_cell(tmp_path, cells, message):
    path = tmp_path / "a.txt"
    path.write_text(RAVEN + cells + "\n")
    with pytest.raises(ValueError, match=rf"a\.txt.*{message}") as caught:
        read_raven(path)
    assert len(str(caught.value)) < 600


@pytest.mark.slow
def test_a_million_columns_are_refused_at_once(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(",".join(map(str, range(1_000_000))) + ",start\n")
    with pytest.raises(ValueError, match=r"a\.csv, line 1: it names 1000001 columns"):
        read_boxes(path)
    path.write_text("row_id," + path.read_text())
    with pytest.raises(ValueError, match=r"a\.csv, line 1: it names 1000002 columns"):
        read_submission(path)


def test_an_open_quote_does_not_swallow_lines(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text('path,start,end,species\na.wav,0,1,"owl\nb.wav,2,3,wren\n')
    with pytest.raises(ValueError, match=r"a\.csv, line 3: .*mark not closed"):
        read_boxes(path)


def test_devices_and_pipes_are_refused(tmp_path):
    pipe = tmp_path / "pipe.csv"
    os.mkfifo(pipe)
    for read in (read_boxes, read_birdnet, read_submission, read_raven, read_audacity):
        with pytest.raises(ValueError, match=r"pipe\.csv' is a pipe, not a file"):
            read(pipe)
    with pytest.raises(ValueError, match="'/dev/zero' is a device, not a file"):
        read_raven("/dev/zero")


def test_columns_of_one_name_are_said(boxes, tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("path,start,end,species,Species\na.wav,0,1,owl,wren\n")
    with pytest.warns(
        UserWarning, match=r"a\.csv, line 1: the column 'species' is nam"
    ):
        assert read_boxes(path)["species"].tolist() == ["owl"]
    twice = pd.concat([boxes, boxes[["path"]]], axis=1)
    with pytest.raises(ValueError, match="has the column 'path' twice"):
        write_boxes(twice, path)
    levels = boxes.set_axis(pd.MultiIndex.from_product([["a"], boxes]), axis=1)
    with pytest.raises(ValueError, match="no columns"):
        write_boxes(levels, path)


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-16", "cp1252"])
def test_tables_of_all_encodings_are_read(tmp_path, encoding):
    path = tmp_path / "a.csv"
    path.write_bytes("path,start,end,species\na.wav,0,1,Käuz\n".encode(encoding))
    assert read_boxes(path)["species"].tolist() == ["Käuz"]
    path.write_bytes("row_id,Käuz\nH1_5,0.5\n".encode(encoding))
    assert read_submission(path).to_dict() == {"Käuz": {"H1_5": 0.5}}


def test_utf_16_that_is_cut_off_is_said(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes("path,start,end,species\na.wav,0,1,owls".encode("utf-16")[:-1])
    with pytest.warns(
        UserWarning, match=r"a\.csv' is UTF-16 except for bytes in 1 pla"
    ):
        assert read_boxes(path)["species"].tolist() == ["owl\ufffd"]


# Submissions ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("row_id,a\nx,1,2\n", "line 2: 3 cells, but 2 columns"),
        ("row_id,a\nx,1\ny,1,2\n", "Expected 2 fields in line 3, saw 3"),
        ("row_id,a,\nx,1,2\n", "line 2: a cell in a column without a name"),
        ("row_id,a,a\nx,1,2\n", "line 1: 'a' is there twice"),
        ("row_id,a\nx,1e999\n", "line 2, column 'a': 'inf' is not"),
        (f"row_id,a\nx,{'1' * 400}\n", "line 2, column 'a': '1111.* is not"),
        ("row_id,a\nx,1\ny,True\n", "line 3, column 'a': 'True' is not"),
        ("row_id,a\nx,True\n", "line 2, column 'a': 'True' is not"),
        ("row_id,a\nx,1\n\ny,soon\n", "line 4, column 'a': 'soon' is not"),
        ('row_id,a\nx,"1\n', "line 2: unexpected end of data"),
        ("row_id,a\n,1\n", "line 2: the row_id nan is missing"),
    ],
)
def test_damaged_submissions_are_named(tmp_path, text, message):
    path = tmp_path / "s.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=rf"s\.csv.*{message}") as caught:
        read_submission(path)
    assert type(caught.value) is ValueError


def test_submissions_without_rows_and_with_gaps_are_read(tmp_path):
    path = tmp_path / "s.csv"
    path.write_text("row_id,a\n")
    assert read_submission(path).shape == (0, 1)
    path.write_text("row_id,a,\nx,0.5,\n\ny,,\n")
    assert read_submission(path)["a"].fillna(-1).to_dict() == {"x": 0.5, "y": -1}


def test_samples_of_all_encodings_are_read(tmp_path):
    rows = pd.DataFrame({"path": ["H1.ogg"], "end": [5.0]})
    path = tmp_path / "sample.csv"
    options = {"like": path, "species": ["Käuz"]}
    path.write_bytes("row_id,Käuz\nH1_5,0\n".encode("utf-16"))
    assert write_submission([[0.5]], rows, tmp_path / "s.csv", **options).size == 2
    path.write_bytes(b"")
    with pytest.raises(ValueError, match=r"sample\.csv is empty"):
        write_submission([[0.5]], rows, tmp_path / "s.csv", **options)


# Round trips ------------------------------------------------------------------

LABELS = [
    "=cmd", "'=x", "''=x", "'", "a\tb", "a\nb", "a\rb", " lead", "trail ", '"q"',
    'a"b', '"', '""', "a,b", "a;b", "K\udce4uz", "NA", "nan", "null", "007", "1e5",
    "-1", "\\", "a\\\tb", "\u2028x", "x\x00y", "x\x0by", "\ufeffx", "#c", "1_0",
]  # fmt: skip
WRITERS = {
    "raven": lambda boxes, root: write_raven(boxes, root),
    "audacity": lambda boxes, root: write_audacity(boxes, root),
    "birdnet": lambda boxes, root: [write_birdnet(boxes, root / "b.csv")],
    "csv": lambda boxes, root: [write_boxes(boxes, root / "b.csv")],
    "parquet": lambda boxes, root: [write_boxes(boxes, root / "b.parquet")],
}
READERS = {
    "raven": lambda files, root: read_raven(files),
    "audacity": lambda files, root: read_audacity(files),
    "birdnet": lambda files, root: read_birdnet(root / "b.csv"),
    "csv": lambda files, root: read_boxes(root / "b.csv"),
    "parquet": lambda files, root: read_boxes(root / "b.parquet"),
}


@pytest.mark.slow
@pytest.mark.parametrize("format_", WRITERS)
@pytest.mark.parametrize("label", LABELS)
def test_names_survive_or_are_said(boxes, tmp_path, format_, label):
    if format_ == "parquet":
        pytest.importorskip("pyarrow")
    changed = boxes.assign(site=["x", "y"])
    columns = ["species"] if format_ == "audacity" else ["species", "site"]
    for column in columns:
        changed[column] = pd.Series([label, "x"], dtype=object)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        files = WRITERS[format_](changed, tmp_path)
    found = READERS[format_](files, tmp_path)[columns].to_numpy().tolist()
    survived = found == changed[columns].to_numpy().tolist()
    assert survived != any("changed in the file" in str(w.message) for w in said)


def test_names_of_files_survive_or_are_said(boxes, tmp_path):
    paths = pd.Series(["K\udce4uz.wav", "=b c.wav"], dtype=object)
    for format_, write in WRITERS.items():
        if format_ in ("csv", "birdnet", "raven"):
            with pytest.warns(UserWarning, match=r"'K\\udce4uz\.wav' to "):
                files = write(boxes.assign(path=paths), tmp_path)
            found = READERS[format_](files, tmp_path)
            assert found["path"].tolist() == ["K\\udce4uz.wav", "=b c.wav"]


def test_columns_that_would_become_one_are_refused(boxes, tmp_path):
    with pytest.raises(ValueError, match="or that another column has"):
        write_raven(boxes.assign(**{"a b": 1, "a\tb": 2}), tmp_path)


def test_columns_of_several_kinds_are_no_parquet(boxes, tmp_path):
    pytest.importorskip("pyarrow")
    mixed = boxes.assign(note=pd.Series([1, "x"], dtype=object))
    with pytest.raises(ValueError, match=r"cannot be written as Parquet: .*one kind"):
        write_boxes(mixed, tmp_path / "b.parquet")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (read_audacity, "1\t2\towl\n-1\t4.0\tdove\n"),
        (read_raven, "Begin Time (s)\tEnd Time (s)\tSpecies\n-1\t4\tdove\n"),
        (
            read_raven,
            "Begin Time (s)\tEnd Time (s)\tFile Offset (s)\tSpecies\n3\t4\t-1\tdove\n",
        ),
        (read_boxes, "path,start,end,species\na.wav,-1,4,dove\n"),
        (
            read_birdnet,
            "Start (s),End (s),Scientific name,Common name,Confidence,File\n"
            "-1,4,Zenaida macroura,dove,0.5,a.wav\n",
        ),
        (
            read_kaleidoscope,
            "INDIR,FOLDER,IN FILE,OFFSET,DURATION,MANUAL ID\n,,a.wav,-1,4,dove\n",
        ),
    ],
)
def test_no_box_starts_before_its_recording(tmp_path, read, text):
    path = tmp_path / "t.csv"
    path.write_text(text)
    options = {} if read is read_boxes else {"recordings": "t.wav"}
    if "a.wav" in text:
        options = {}
    with pytest.raises(ValueError, match=r"t\.csv, line 2: .* is -1 seconds, before"):
        read(path, **options)


def test_no_box_in_parquet_starts_before_its_recording(tmp_path, boxes):
    pytest.importorskip("pyarrow")
    boxes.assign(start=[0, -1]).to_parquet(tmp_path / "t.parquet")
    with pytest.raises(ValueError, match=r"t\.parquet, row 1: 'start' is -1 seconds"):
        read_boxes(tmp_path / "t.parquet")
