"""Annotations of other programs, and files that tell their format themselves."""

import sys
from collections import Counter

import numpy as np
import pandas as pd
import pytest

from skbird.annotations import (
    _text_tables,
    read_annotations,
    read_birdnet,
    read_boxes,
    read_kaleidoscope,
    read_raven,
    write_audacity,
    write_birdnet,
    write_boxes,
    write_raven,
    write_submission,
)
from skbird.annotations._audio_names import AudioFinder

KEYS = ["path", "start", "end", "species"]
BIRDNET = {
    "csv": (
        "Start (s),End (s),Scientific name,Common name,Confidence,File\n"
        "3.0,6.0,Pica pica,Eurasian Magpie,0.8141,/d/site/night.wav\n"
    ),
    "r": (
        "filepath,start,end,scientific_name,common_name,confidence,lat,lon,week,"
        "overlap,sensitivity,min_conf,species_list,model\n"
        "/d/site/night.wav,3.0,6.0,Pica pica,Eurasian Magpie,0.8141,-1,-1,-1,0.0,1.0,"
        "0.1,,BirdNET_GLOBAL_6K_V2.4\n"
    ),
    "kaleidoscope": (
        "INDIR,FOLDER,IN FILE,OFFSET,DURATION,scientific_name,common_name,confidence,"
        "lat,lon,week,overlap,sensitivity\n"
        "/d,site,night.wav,3.0,3.0,Pica pica,Eurasian Magpie,0.8141,-1,-1,-1,0.0,1.0\n"
    ),
    "birdnetlib": (
        ",common_name,scientific_name,start_time,end_time,confidence,label,file\n"
        "0,Eurasian Magpie,Pica pica,3.0,6.0,0.8141,Pica pica_Eurasian Magpie,"
        "/d/site/night.wav\n"
    ),
    "birdnet": (
        "input,start_time,end_time,species_name,confidence\n"
        "/d/site/night.wav,00:00:03.00,00:00:06.00,Pica pica_Eurasian Magpie,0.8141\n"
    ),
    "birdnetR": (
        '"","start","end","scientific_name","common_name","confidence"\n'
        '"1",3,6,"Pica pica","Eurasian Magpie",0.8141\n'
    ),
}


@pytest.mark.parametrize("kind", BIRDNET)
def test_all_tables_of_birdnet_are_read(tmp_path, kind):
    path = tmp_path / "night.csv"
    path.write_text(BIRDNET[kind])
    expected = ["/d/site/night.wav", 3.0, 6.0, "Pica pica", 0.8141]
    if kind == "birdnetR":  # of one recording, which it does not name
        expected[0] = "night"
    read = read_kaleidoscope if kind == "kaleidoscope" else read_birdnet
    for boxes in (read_annotations(path), read(path)):
        assert boxes[[*KEYS, "score"]].to_numpy().tolist() == [expected]
    boxes = read_annotations(path, ["site/other.wav", "site/night.flac"])
    assert boxes["path"].tolist() == ["site/night.flac"]
    if "ommon" in BIRDNET[kind] or kind == "birdnet":
        name = "common_name" if kind == "kaleidoscope" else "Common name"
        boxes = read_annotations(path, annotation_column=name)
        assert boxes["species"].tolist() == ["Eurasian Magpie"]


def test_birdnet_in_parquet_is_read(tmp_path):
    pytest.importorskip("pyarrow")
    path = tmp_path / "a.parquet"
    table = {"Start (s)": [3.0], "End (s)": [6.0], "Scientific name": ["Pica pica"]}
    pd.DataFrame(table | {"Confidence": [0.5], "File": "a.wav"}).to_parquet(path)
    assert read_annotations(path)[KEYS].to_numpy().tolist() == [
        ["a.wav", 3.0, 6.0, "Pica pica"]
    ]


KALEIDOSCOPE = (
    "INDIR,FOLDER,IN FILE,CHANNEL,OFFSET,DURATION,Fmax,AUTO ID*,MANUAL ID,DATE\n"
    "D:\\bats\\,night1,a.wav,0,2.5,1.5,45.1,PIPPIP,PIPPYG,2024-07-01\n"
    "D:\\bats,,b.wav,0,0,5,,NoID,,2024-07-01\n"
    "D:\\bats,night1,b.wav,1,1,5,,MYOMYO,,2024-07-01\n"
)


def test_tables_of_kaleidoscope_are_read(tmp_path):
    path = tmp_path / "id.csv"
    path.write_text(KALEIDOSCOPE)
    for boxes in (read_kaleidoscope(path), read_annotations(path)):
        assert boxes["path"].tolist() == [
            "D:\\bats/night1/a.wav", "D:\\bats/b.wav", "D:\\bats/night1/b.wav"
        ]  # fmt: skip
        assert boxes["start"].tolist() == [2.5, 0, 1]
        assert boxes["end"].tolist() == [4, 5, 6]
        assert boxes["species"].fillna("").tolist() == ["PIPPYG", "", "MYOMYO"]
    boxes = read_kaleidoscope(path, annotation_column="AUTO ID*")
    assert boxes["species"].tolist() == ["PIPPIP", "NoID", "MYOMYO"]
    audio = ["x/b.wav", "x/night1/a.wav", "x/night1/b.wav"]
    path.write_text("\n".join(KALEIDOSCOPE.splitlines()[::2]))
    assert read_kaleidoscope(path, audio[:2])["path"].tolist() == audio[:1]
    path.write_text(KALEIDOSCOPE.replace("AUTO ID*", "TOP1MATCH*"))
    assert read_kaleidoscope(path)["species"].tolist()[2] == "MYOMYO"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("2.5", "inf", "line 2, column 'OFFSET': a number is needed"),
        ("2.5,1.5", "1e308,1e308", "line 2, column 'DURATION': a number is needed"),
        ("2.5,1.5", "2.5,-1", "line 2: '0' is 0 and 'DURATION' is -1"),
        ("DURATION", "LENGTH", "there is no column 'DURATION'.*id.csv"),
        ("IN FILE", "OUT FILE", "there is no column 'IN FILE'"),
    ],
)
def test_damaged_tables_of_kaleidoscope_are_named(tmp_path, old, new, message):
    path = tmp_path / "id.csv"
    path.write_text(KALEIDOSCOPE.replace(old, new))
    with pytest.raises(ValueError, match=rf"id\.csv.*{message}"):
        read_kaleidoscope(path)


def test_raven_tables_may_be_separated_by_commas(tmp_path):
    path = tmp_path / "night.csv"
    text = (
        '"Selection","Begin Time (s)","End Time (s)","Species"\n1,0.5,1.5,"Owl, Barn"\n'
    )
    expected = [["night", 0.5, 1.5, "Owl, Barn"]]
    for version in (text, "\n" + text, text.replace('"Sel', '\ufeff"Sel')):
        path.write_text(version)
        assert read_raven(path)[KEYS].to_numpy().tolist() == expected
        assert read_annotations(path)[KEYS].to_numpy().tolist() == expected
    german = "Selection;Begin Time (s);End Time (s);Species\n1;0,5;1,5;Owl, Barn\n"
    path.write_text(german)
    assert read_raven(path)[KEYS].to_numpy().tolist() == expected


@pytest.fixture
def boxes():
    return pd.DataFrame(
        {
            "path": ["a.wav", "a.wav", "b.wav"],
            "start": [0.0, 5.0, 5.0],
            "end": [5.0, 10.0, 10.0],
            "species": ["owl", "wren", "owl"],
        }
    )


def test_what_skbird_writes_is_read_whatever_it_is(boxes, tmp_path):
    pytest.importorskip("pyarrow")
    expected = boxes.to_numpy().tolist()
    for name in ("b.csv", "b.parquet"):
        write_boxes(boxes, tmp_path / name)
        assert read_annotations(tmp_path / name)[KEYS].to_numpy().tolist() == expected
    write_birdnet(boxes, tmp_path / "n.csv")
    assert read_annotations(tmp_path / "n.csv")[KEYS].to_numpy().tolist() == expected
    mixed = [
        *write_raven(boxes[:2], tmp_path),
        *write_audacity(boxes[2:], tmp_path),
    ]
    found = read_annotations(mixed, ["x/a.wav", "x/b.wav"])
    assert found[KEYS].assign(path=boxes["path"]).to_numpy().tolist() == expected


def test_rows_of_zeros_and_ones_are_truth(tmp_path):
    rows = pd.DataFrame({"path": ["a.wav"] * 3, "end": [5.0, 10.0, 15.0]})
    truth = np.array([[1, 1], [0, 0], [0, 1]])
    expected = [[0, 5, "owl"], [0, 5, "wren"], [10, 15, "wren"], [5, 10, ""]]
    submission = tmp_path / "truth.csv"
    write_submission(truth, rows, submission, species=["owl", "wren"])
    table = rows.assign(start=rows["end"] - 5, owl=truth[:, 0], wren=truth[:, 1])
    table.to_csv(tmp_path / "wide.csv", index=False)
    for path in (submission, tmp_path / "wide.csv"):
        boxes = read_annotations(path).fillna({"species": ""})
        assert boxes[KEYS[1:]].to_numpy().tolist() == expected
        assert boxes["path"].str.startswith("a").all()
    write_submission(truth * 0.7, rows, submission, species=["owl", "wren"])
    with pytest.raises(ValueError, match=r"truth\.csv holds 0\.7 where 0 or 1"):
        read_annotations(submission)
    for row_id in ("a_soon", "a_0", "a_inf", "_5"):
        submission.write_text(f"row_id,owl\n{row_id},1\n")
        message = rf"truth\.csv: the row_id '{row_id}' does not end in '_' and a second"
        with pytest.raises(ValueError, match=message):
            read_annotations(submission)


@pytest.mark.parametrize("form", ["bool", "text", "TRUE", "missing", "categories"])
@pytest.mark.parametrize("name", ["wide.csv", "rows.csv", "wide.parquet"])
def test_false_and_true_are_truth(tmp_path, form, name):
    owl, wren = pd.Series([True, False, False]), pd.Series([True, False, True])
    kinds = {"bool": bool, "text": str, "missing": "boolean", "categories": "category"}
    owl, wren = (
        column.astype(str).str.upper() if form == "TRUE" else column.astype(kinds[form])
        for column in (owl, wren)
    )
    end = pd.Series([5.0, 10.0, 15.0])
    table = {"path": ["a.wav"] * 3, "start": end - 5, "end": end}
    if name == "rows.csv":
        table = {"row_id": ["a_5", "a_10", "a_15"]}
    table = pd.DataFrame(table | {"owl": owl, "wren": wren, "site": ["x", "y", "z"]})
    if name == "wide.parquet":
        pytest.importorskip("pyarrow")
        table.to_parquet(tmp_path / name)
    else:
        table.to_csv(tmp_path / name, index=False)
    boxes = read_annotations(tmp_path / name).fillna({"species": ""})
    assert boxes[KEYS[1:]].to_numpy().tolist() == [
        [0, 5, "owl"], [0, 5, "wren"], [10, 15, "wren"], [5, 10, ""]
    ]  # fmt: skip


@pytest.mark.parametrize("rows", ["row_id", "path,start,end"])
@pytest.mark.parametrize(
    ("header", "cells", "message"),
    [
        (
            "owl,temp",
            "1,12.5",
            r"holds 12\.5 where .* 'temp' calls in 'a' from 0 to 5 s",
        ),
        ("owl", "soon", r"holds 'soon' where .* whether 'owl' calls"),
        ("owl", "", r"holds nan where .* whether 'owl' calls"),
        ("channel,site", "1,x", "of no species whether .* 'channel', 'site' holds"),
        ("owl", None, "of no species whether"),
    ],
)
def test_truth_that_is_none_names_its_column(tmp_path, rows, header, cells, message):
    keys = {"row_id": ["a_5", "a_10", "a_15", "a_20"]}.get(
        rows, ["a,0,5", "a,5,10", "a,10,15", "a,15,20"]
    )
    usual = {"soon": "1", "": "1", None: ""}.get(cells, cells)
    lines = [f"{rows},{header}", f"{keys[0]},{cells or ''}"]
    lines += [f"{key},{usual}" for key in keys[1:]]
    (tmp_path / "truth.csv").write_text("\n".join(lines))
    with pytest.raises(ValueError, match=rf"truth\.csv.*{message}"):
        read_annotations(tmp_path / "truth.csv")


@pytest.mark.parametrize("rows", ["row_id", "path,start,end"])
def test_columns_that_travel_along_are_no_species(tmp_path, rows):
    keys = {"row_id": ["a_5", "a_10"]}.get(rows, ["a,0,5", "a,5,10"])
    header = f"{rows},owl,channel,site,notes,Collection"
    lines = [header, f"{keys[0]},0,1,S1,,0", f"{keys[1]},1,1,1,,1"]
    (tmp_path / "truth.csv").write_text("\n".join(lines))
    boxes = read_annotations(tmp_path / "truth.csv")
    assert boxes["species"].fillna("").tolist() == ["owl", ""]
    (tmp_path / "truth.csv").write_text(header)
    assert len(read_annotations(tmp_path / "truth.csv")) == 0


@pytest.mark.parametrize(
    ("row_ids", "expected", "told"),
    [
        (["n_5", "n_10", "n_60", "n_62"], [(0, 5), (5, 10), (55, 60), (60, 62)], True),
        (["n_5", "n_10", "m_60", "m_120"], [(0, 5), (5, 10), (55, 60), (115, 120)], 1),
        (["n_0.3", "n_0.6", "n_0.9", "m_0.3"], None, True),
        (["n_15", "n_20", "n_30", "n_31"], [(10, 15), (15, 20), (25, 30)], True),
        (["n_10", "n_15", "m_10"], [(0, 10), (10, 15), (0, 10)], False),
        (["n_5", "n_60"], [(0, 5), (55, 60)], False),
        (["n_5", "n_65", "n_125", "n_185"], [(0, 5), (60, 65), (120, 125)], False),
        (["n_3600"], [(0, 3600)], False),
        (["n_7", "n_11", "n_16"], [(3, 7), (7, 11), (12, 16)], False),
    ],
)
def test_a_row_does_not_stretch_over_a_gap(tmp_path, row_ids, expected, told):
    path = tmp_path / "truth.csv"
    path.write_text("\n".join(["row_id,owl", *(f"{row},1" for row in row_ids)]))
    if told:
        boxes = read_annotations(path)
    else:
        message = r"truth\.csv does not tell .* for \d+ s"
        with pytest.warns(UserWarning, match=message) as warned:
            boxes = read_annotations(path)
        assert warned[0].filename == __file__
    found = boxes[["start", "end"]].to_numpy()
    if expected:
        np.testing.assert_allclose(found[: len(expected)], expected)
    else:
        assert found[:3, 0].tolist() == pytest.approx([0, 0.3, 0.6])


@pytest.mark.parametrize("name", ["b.csv", "b.parquet"])
def test_the_column_of_species_may_be_said_for_boxes_too(boxes, tmp_path, name):
    boxes = boxes.assign(Common=["Owl", "Wren", "Owl"])
    if name.endswith("parquet"):
        pytest.importorskip("pyarrow")
    write_boxes(boxes, tmp_path / name)
    found = read_annotations(tmp_path / name, annotation_column="Common")
    assert found["species"].tolist() == ["Owl", "Wren", "Owl"]
    assert found["species_"].tolist() == ["owl", "wren", "owl"]
    message = rf"{name}.* no column 'nonsense'.*annotation_column='nonsense' must"
    with pytest.raises(ValueError, match=message):
        read_annotations(tmp_path / name, annotation_column="nonsense")


def test_a_column_of_species_is_refused_where_there_is_none(boxes, tmp_path):
    rows = tmp_path / "rows.csv"
    rows.write_text("row_id,owl\na_5,1\na_10,0\n")
    for path in (rows, *write_audacity(boxes[:1], tmp_path)):
        with pytest.raises(ValueError, match=rf"annotation_column='x' .*{path.name}"):
            read_annotations(path, annotation_column="x")


def test_files_are_read_once_and_recordings_listed_once(boxes, tmp_path, monkeypatch):
    files = [tmp_path / f"{number}.csv" for number in range(3)]
    for file in files[:2]:
        write_boxes(boxes, file)
    files[2].write_text("row_id,owl\na_5,1\na_10,0\n")
    files += [*write_raven(boxes[:1], tmp_path), *write_audacity(boxes[2:], tmp_path)]
    read, listed, asked = Counter(), [], Counter()
    read_bytes, alike = _text_tables.read_bytes, AudioFinder.alike

    def count_read(path, *args, **kwargs):
        read[path.name] += 1
        return read_bytes(path, *args, **kwargs)

    def count_asked(self, path):
        asked[path] += 1
        return alike(self, path)

    class Recordings(list):
        def __iter__(self):
            listed.append(1)
            return super().__iter__()

    monkeypatch.setattr(_text_tables, "read_bytes", count_read)
    monkeypatch.setattr(AudioFinder, "alike", count_asked)
    found = read_annotations(files, Recordings(["x/a.wav", "x/b.wav"]))
    assert set(found["path"]) == {"x/a.wav", "x/b.wav"}
    assert read == dict.fromkeys((file.name for file in files), 1)
    assert len(listed) == 1
    # Two boxes of a.wav in a file are one question.
    assert asked == {"a.wav": 3, "b.wav": 2, "a": 1}


def test_parquet_without_pyarrow_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (tmp_path / "b.parquet").write_bytes(b"PAR1")
    with pytest.raises(ImportError, match=r"b\.parquet.*pip install .*\[archive\]'"):
        read_annotations(tmp_path / "b.parquet")


def test_tables_of_no_known_format_are_named(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match=r"x\.csv, line 1: 'a,b' does not name"):
        read_annotations(path)
    path.write_text("path,start,end\na.wav,1,2\n")
    with pytest.raises(ValueError, match="no column 'species'"):
        read_boxes(path)
