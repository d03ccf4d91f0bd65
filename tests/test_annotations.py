"""Round trips of boxes, real tables, damaged tables, and rows made of boxes."""

import os
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skbird.annotations import (
    boxes_to_rows,
    proba_to_events,
    read_audacity,
    read_birdnet,
    read_boxes,
    read_crowsetta,
    read_raven,
    read_submission,
    write_audacity,
    write_birdnet,
    write_boxes,
    write_raven,
    write_submission,
)
from skbird.audio import AudioReadError
from skbird.data import Spectrograms
from skbird.inspection import attention_boxes
from skbird.nn._sed import Activations

DATA = Path(os.environ.get("SKBIRD_DATA", "../shared/data")) / "donana_soundscapes"

# The first selections of Recording_1_Segment_02 of Chronister et al. (2021),
# doi:10.5061/dryad.d2547d81z, as crowsetta's examples have them.
RAVEN = (
    "Selection\tView\tChannel\tBegin Time (s)\tEnd Time (s)\tLow Freq (Hz)"
    "\tHigh Freq (Hz)\tSpecies\r\n"
    "1\tSpectrogram 1\t1\t154.387792767\t154.911598217\t2878.2\t4049.0\tEATO\r\n"
    "2\tSpectrogram 1\t1\t167.526598245\t168.17302044\t2731.9\t3902.7\tEATO\r\n"
    "3\tSpectrogram 1\t1\t183.609636834\t184.097751553\t2878.2\t3975.8\tEATO\r\n"
)
# spinetail.txt of scikit-maad (BSD license).
AUDACITY = (
    "0.101385\t0.367520\tSP\n\\\t6441.064453\t12296.577148\n"
    "0.506924\t3.041545\tCRER\n\\\t2593.156006\t8866.920898\n"
)
# Untrusted text: formulas, separators, quotes, signs that look like something else.
LABELS = ["=cmd()", "'=1+1", '"both"', 'a "word"', "+49", "-", "@x", "NA", "a;b,c", "Ü"]


def table(*lines):
    columns = ["path", "start", "end", "low_hz", "high_hz", "species", "score"]
    return pd.DataFrame(list(lines), columns=columns)


@pytest.fixture
def boxes():
    return table(
        ("site1/a.wav", 0.1, 0.3, 1000.0, 2000.5, "owl", 0.25),
        ("site1/a.wav", 1 / 3, 2 / 3, np.nan, np.nan, "Pica pica", 1.0),
        ("site1/a.wav", 7.0, 7.0, np.nan, 8000.0, "wren", 0.125),
        ("site2/a.wav", 12.5, 3600.7, 0.0, 16000.0, "owl", 0.1 + 0.2),
        ("b.flac", 0.0, 1e-3, 50.0, 60.0, np.nan, 0.5),
    )


def write(path, text, encoding="utf-8"):
    path.write_bytes(text.encode(encoding))
    return path


# Round trips ------------------------------------------------------------------


def test_boxes_survive_raven(boxes, tmp_path):
    boxes["Notes"] = ["a", "b", np.nan, "c", "d"]
    boxes["Quality"] = [1.0, 2.5, 3.0, np.nan, 5.0]
    tables = write_raven(boxes, tmp_path / "new")
    assert [path.name.partition(".")[0] for path in tables] == [
        "site1_a",
        "site2_a",
        "b",
    ]
    assert_frame_equal(read_raven(tables), boxes)
    audio = [f"/mnt/{path}" for path in ("site2/a.wav", "b.flac", "site1/a.wav")]
    assert_frame_equal(
        read_raven(tables, audio), boxes.assign(path="/mnt/" + boxes["path"])
    )


def test_boxes_survive_audacity(boxes, tmp_path):
    files = write_audacity(boxes, tmp_path)
    audio = ["site1/a.wav", "b.flac", "site2/a.wav"]
    assert_frame_equal(read_audacity(files, audio), boxes)


@pytest.mark.parametrize("name", ["boxes.csv", "boxes.parquet"])
def test_boxes_survive_their_own_files(boxes, tmp_path, name):
    boxes["recordist"] = ["x", "y", "1", "=z", "w"]
    write_boxes(boxes, tmp_path / name)
    assert_frame_equal(read_boxes(tmp_path / name), boxes)


def test_boxes_survive_birdnet_but_for_frequencies(boxes, tmp_path):
    write_birdnet(boxes, tmp_path / "all.csv")
    found = read_birdnet(tmp_path / "all.csv")
    expected = boxes.assign(low_hz=np.nan, high_hz=np.nan)
    assert_frame_equal(found[expected.columns], expected)
    assert found["Common name"].equals(boxes["species"])
    header = (tmp_path / "all.csv").read_text().splitlines()[0]
    assert header == "Start (s),End (s),Scientific name,Common name,Confidence,File"


def test_predictions_survive_kaggle(tmp_path):
    rng = np.random.default_rng(0)
    proba = pd.DataFrame(rng.random((6, 3)).round(8), columns=["amerob", "22973", "NA"])
    rows = pd.DataFrame(
        {"path": ["x/H1.ogg"] * 3 + ["H2.ogg"] * 3, "end": [5, 10, 15] * 2}
    )
    write_submission(proba, rows, tmp_path / "s.csv")
    assert_frame_equal(read_submission(tmp_path / "s.csv", rows), proba)
    some = rows.iloc[[4, 0]]
    expected = proba.iloc[[4, 0]].reset_index(drop=True)
    assert_frame_equal(read_submission(tmp_path / "s.csv", some), expected)
    by_id = read_submission(tmp_path / "s.csv")
    assert by_id.index.tolist() == ["H1_5", "H1_10", "H1_15", "H2_5", "H2_10", "H2_15"]
    with pytest.raises(ValueError, match=r"no line for 1 of 1 row \('H9_5'\)"):
        read_submission(tmp_path / "s.csv", pd.DataFrame({"path": ["H9"], "end": [5]}))


def test_events_of_predictions_become_raven_tables(tmp_path):
    rows = pd.DataFrame({"path": "n.wav", "start": [0.0, 5.0], "end": [5.0, 10.0]})
    events = proba_to_events([[0.9], [0.8]], rows, species=["owl"])
    (path,) = write_raven(events, tmp_path, full_band_hz=16_000)
    (box,) = read_raven(path).to_dict("records")
    assert box == {
        "path": "n.wav", "start": 0, "end": 10, "low_hz": 0, "high_hz": 16_000,
        "species": "owl", "score": 0.9,
    }  # fmt: skip


@pytest.mark.parametrize("label", LABELS)
def test_untrusted_labels_break_no_file_and_come_back(label, tmp_path):
    boxes = table(
        ("=p.wav", 0.0, 1.0, 1.0, 2.0, label, 0.5), ("b.wav", 0, 1, 1, 2, "x", 1)
    )
    boxes[label] = f"{label} x"
    files = write_raven(boxes, tmp_path)
    assert_frame_equal(read_raven(files), boxes)
    write_boxes(boxes, tmp_path / "b.csv")
    assert_frame_equal(read_boxes(tmp_path / "b.csv"), boxes)
    plain = boxes.drop(columns=label)
    files = write_audacity(plain, tmp_path)
    assert_frame_equal(read_audacity(files, ["=p.wav", "b.wav"]), plain)


@pytest.mark.filterwarnings("ignore:1 text is changed in the file")
@pytest.mark.parametrize("label", ["a\tb", "a\nb", "a\r\nb", "a\u2028b", "a\x00b"])
def test_breaks_in_labels_become_spaces(label, tmp_path):
    boxes = table(("p.wav", 0.0, 1.0, 1.0, 2.0, label, 0.5))
    assert read_raven(write_raven(boxes, tmp_path))["species"].tolist() == ["a b"]
    assert read_audacity(write_audacity(boxes, tmp_path))["species"].tolist() == ["a b"]
    write_birdnet(boxes, tmp_path / "b.csv")
    assert read_birdnet(tmp_path / "b.csv")["species"].tolist() == ["a b"]


def test_no_cell_of_a_written_table_is_a_formula(tmp_path):
    boxes = table(*(("=p.wav", 0.0, 1.0, 1.0, 2.0, label, 0.5) for label in LABELS))
    boxes["=head"] = "=cell"
    write_boxes(boxes, tmp_path / "b.csv")
    write_birdnet(boxes, tmp_path / "n.csv")
    texts = [path.read_text() for path in write_raven(boxes, tmp_path)]
    texts += [(tmp_path / name).read_text() for name in ("b.csv", "n.csv")]
    for text in texts:
        cells = text.replace("\t", ",").replace("\n", ",").split(",")
        assert not any(cell.lstrip('"')[:1] in tuple("=+-@") for cell in cells if cell)


def test_recordings_without_boxes_get_empty_tables(boxes, tmp_path):
    paths = ["c.wav", *boxes["path"].unique()]
    for writer, reader in ((write_raven, read_raven), (write_audacity, read_audacity)):
        files = writer(boxes, tmp_path, recordings=paths)
        assert len(files) == 4
        empty = reader(files[0])
        assert len(empty) == 0
        assert empty.columns[:6].tolist() == boxes.columns[:6].tolist()
        with pytest.raises(ValueError, match=r"1 file not in recordings.*'b\."):
            writer(boxes, tmp_path, recordings=paths[:3])


def test_tables_of_one_name_are_told_apart(tmp_path):
    paths = [
        "x/1.wav",
        "y/1.wav",
        "1.wav",
        "1.flac",
        "z/x/1.wav",
        "x/2.wav",
        "B.wav",
        "c/b.wav",
        "D:\\3.wav",
        "E:\\3.wav",
    ]
    boxes = table(*((path, 0.0, 1.0, 1.0, 2.0, path, 1.0) for path in paths))
    files = write_raven(boxes, tmp_path)
    assert len({file.name.casefold() for file in files}) == len(paths)
    assert files[5].name == "2.Table.1.selections.txt"
    assert files[-1].name == "E_3.Table.1.selections.txt"
    assert_frame_equal(read_raven(files), boxes)
    with pytest.raises(ValueError, match="in case or spelling only"):
        write_raven(
            table(*((p, 0, 1, 1, 2, "a", 1) for p in ("a.wav", "./a.wav"))), tmp_path
        )


# Raven ------------------------------------------------------------------------


def test_a_real_raven_table(tmp_path):
    path = write(tmp_path / "Recording_1_Segment_02.Table.1.selections.txt", RAVEN)
    audio = ["mp3/Recording_1_Segment_01.mp3", "mp3/Recording_1_Segment_02.mp3"]
    found = read_raven(path, audio)
    expected = table(
        (audio[1], 154.387792767, 154.911598217, 2878.2, 4049.0, "EATO", 0),
        (audio[1], 167.526598245, 168.17302044, 2731.9, 3902.7, "EATO", 0),
        (audio[1], 183.609636834, 184.097751553, 2878.2, 3975.8, "EATO", 0),
    )
    assert_frame_equal(found, expected.drop(columns="score"))
    assert set(read_raven(path)["path"]) == {"Recording_1_Segment_02"}
    assert set(read_raven(path, "x.wav")["path"]) == {"x.wav"}
    rows = pd.DataFrame({"path": audio[1], "start": np.arange(60) * 5.0})
    _, Y = boxes_to_rows(found, rows.assign(end=rows["start"] + 5))
    assert np.flatnonzero(Y["EATO"]).tolist() == [30, 33, 36]


@pytest.mark.parametrize(
    ("change", "encoding"),
    [
        (lambda text: text, "utf-8-sig"),
        (lambda text: text, "utf-16"),
        (lambda text: text.replace("\r\n", "\n"), "utf-8"),
        (lambda text: text.replace("\r\n", "\r"), "utf-8"),
        (lambda text: text.replace("\r\n", "\r\n\r\n"), "utf-8"),
        (lambda text: text.replace("\r\n", "\t\r\n"), "utf-8"),
        (lambda text: text.replace("EATO", '"EATO"'), "utf-8"),
        (lambda text: text.replace(".", ","), "utf-8"),
        (lambda text: text.replace("Species", "species "), "utf-8"),
        (lambda text: text.replace("Species", "Common Name"), "utf-8"),
    ],
)
def test_raven_tables_of_all_systems_are_the_same(change, encoding, tmp_path):
    expected = read_raven(write(tmp_path / "a.txt", RAVEN))
    path = write(tmp_path / "a.selections.txt", change(RAVEN), encoding)
    assert_frame_equal(read_raven(path), expected)


def test_letters_of_old_windows_files_are_read(tmp_path):
    path = write(tmp_path / "a.txt", RAVEN.replace("EATO", "Mönch"), "cp1252")
    assert set(read_raven(path)["species"]) == {"Mönch"}


def test_selections_of_several_views_and_channels_count_once(tmp_path):
    header, *lines = RAVEN.split("\r\n")[:-1]
    waveform = [line.replace("Spectrogram", "Waveform") for line in lines]
    waveform = [line.replace("2878.2\t4049.0", "\t") for line in waveform]
    second = [line.replace("\t1\t1", "\t2\t1") for line in lines]
    only = ["9\tWaveform 1\t1\t300.0\t301.0\t\t\tWREN"]
    both = [
        line for three in zip(waveform, lines, second, strict=True) for line in three
    ]
    path = write(tmp_path / "a.txt", "\n".join([header, *both, *only]))
    found = read_raven(path)
    assert found["species"].tolist() == ["EATO"] * 3 + ["WREN"]
    assert_frame_equal(found[:3], read_raven(write(tmp_path / "a.txt", RAVEN)))


def test_equal_boxes_of_one_view_are_all_kept(tmp_path):
    text = RAVEN.splitlines()[0] + "\n" + "1\tSpectrogram 1\t1\t0\t1\t5\t6\tOWL\n" * 2
    assert len(read_raven(write(tmp_path / "a.txt", text))) == 2


def test_a_table_of_several_recordings(tmp_path):
    text = (
        "Selection\tBegin Time (s)\tEnd Time (s)\tBegin Path\tFile Offset (s)"
        "\tSpecies Code\n"
        "1\t3.0\t6.0\tD:\\site1\\a.wav\t3.0\towl\n"
        "2\t63.0\t66.0\tD:\\site2\\a.wav\t3.0\towl\n"
    )
    path = write(tmp_path / "all.txt", text)
    found = read_raven(path, ["/x/site2/a.wav", "/x/site1/a.flac", "/x/site1/a.wav"])
    assert found["path"].tolist() == ["/x/site1/a.wav", "/x/site2/a.wav"]
    assert found["start"].tolist() == [3.0, 3.0]
    assert found["end"].tolist() == [6.0, 6.0]
    found = read_raven(path, ["/x/SITE1/A.FLAC", "site2/a.wav"])
    # The folder counts for more than the format.
    assert found["path"].tolist() == ["/x/SITE1/A.FLAC", "site2/a.wav"]
    found = read_raven(path, ["/x/SITE1/A.FLAC", "site2/a.flac"])
    assert found["path"].tolist() == ["/x/SITE1/A.FLAC", "site2/a.flac"]
    assert read_raven(path)["path"].tolist() == ["D:\\site1\\a.wav", "D:\\site2\\a.wav"]
    with pytest.raises(
        ValueError, match=r"'one\.wav' is one recording, but .*all.txt is of 2"
    ):
        read_raven(path, "one.wav")
    with pytest.raises(
        ValueError, match=r"all.txt, line 2: .*may be '/y/a.wav' or '/x/a"
    ):
        read_raven(path, ["/y/a.wav", "/x/a.wav"])
    with pytest.raises(
        ValueError,
        match=r"line 2: .*not among the recordings given \(1 file\).*'b.wav'",
    ):
        read_raven(path, ["b.wav"])
    text = "\n".join(
        "\t".join(np.delete(line.split("\t"), 4)) for line in text.splitlines()
    )
    with pytest.warns(
        UserWarning, match="all.txt is of 2 recordings, but has no 'File Off"
    ):
        assert read_raven(write(path, text))["start"].tolist() == [3.0, 63.0]


def test_the_column_of_labels_is_found_table_by_table(tmp_path):
    head = "Begin Time (s)\tEnd Time (s)\tAnnotation\tCommon Name"
    first = write(tmp_path / "1.txt", f"{head}\tNote\n0\t1\t\tRobin\thm\n")
    second = write(tmp_path / "2.txt", f"{head}\n0\t1\tsong\tRobin\n0\t1\t\tWren\n")
    assert read_raven(first)["species"].tolist() == ["Robin"]
    found = read_raven([first, second])
    assert found["species"].fillna("-").tolist() == ["Robin", "song", "-"]
    assert found["Note"].fillna("-").tolist() == ["hm", "-", "-"]
    found = read_raven([first, second], annotation_column="common name")
    assert found["species"].tolist() == ["Robin", "Robin", "Wren"]
    with pytest.raises(
        ValueError, match=r"2.txt, line 1: there is no column 'Note', but"
    ):
        read_raven([first, second], annotation_column="Note")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "168.17302044",
            "soon",
            r"a.txt, line 3, column 'End Time \(s\)': 'soon' is not",
        ),
        ("167.526598245", "", r"line 3, column 'Begin Time \(s\)': a number is needed"),
        (
            "167.526598245",
            "inf",
            r"line 3, column 'Begin Time \(s\)': a number is needed",
        ),
        ("3902.7", "1.000,5", r"line 3, column 'High Freq \(Hz\)': '1.000,5' is not"),
        ("167.526598245", "169", r"line 3: 'Begin Time \(s\)' is 169 and 'End Time"),
        ("2731.9", "5000", r"line 3: 'Low Freq \(Hz\)' is 5000 and 'High"),
        (
            "4049.0\tEATO",
            "4049.0\tEATO\tx",
            "line 2: 9 cells, but 8 columns.*separator",
        ),
        (
            "End Time (s)",
            "End",
            r"line 1: there is no column 'End Time \(s\)', but 'Sel",
        ),
        ("Species", "Who", "line 1: none of the columns .*'Who'.*annotation_column"),
    ],
)
def test_errors_name_file_line_and_column(old, new, message, tmp_path):
    path = write(tmp_path / "a.txt", RAVEN.replace(old, new))
    with pytest.raises(ValueError, match=message):
        read_raven(path)


def test_files_that_are_no_tables_are_named(tmp_path):
    with pytest.raises(ValueError, match=r"a.txt, line 1: names of columns are needed"):
        read_raven(write(tmp_path / "a.txt", ""))
    with pytest.raises(IsADirectoryError, match=r"is a folder.*rglob"):
        read_raven(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"none\.txt"):
        read_raven(tmp_path / "none.txt")
    with pytest.raises(ValueError, match="files is empty"):
        read_raven([])


def test_raven_refuses_boxes_that_it_cannot_write(boxes, tmp_path):
    with pytest.raises(ValueError, match="column 'view', a name that Raven uses"):
        write_raven(boxes.assign(view=1), tmp_path)
    with pytest.raises(ValueError, match="full_band_hz=0 must be above 0"):
        write_raven(boxes, tmp_path, full_band_hz=0)
    with pytest.raises(ValueError, match=r"start=2 and end=1 s at row 0 \(a.wav\)"):
        write_raven(table(("a.wav", 2, 1, 0, 1, "a", 1)), tmp_path)
    with pytest.raises(ValueError, match="has no end at row 0"):
        write_raven(table(("a.wav", 2, np.nan, 0, 1, "a", 1)), tmp_path)
    with pytest.raises(ValueError, match=r"no columns \['species'\].*'label'"):
        write_raven(boxes.rename(columns={"species": "label"}), tmp_path)
    with pytest.raises(TypeError, match="boxes must be a DataFrame"):
        write_raven([], tmp_path)


# Audacity and BirdNET ---------------------------------------------------------


def test_a_real_label_track(tmp_path):
    found = read_audacity(
        write(tmp_path / "spinetail.txt", AUDACITY), ["spinetail.wav"]
    )
    expected = table(
        ("spinetail.wav", 0.101385, 0.36752, 6441.064453, 12296.577148, "SP", 0),
        ("spinetail.wav", 0.506924, 3.041545, 2593.156006, 8866.920898, "CRER", 0),
    )
    assert_frame_equal(found, expected.drop(columns="score"))


def test_label_tracks_of_all_kinds(tmp_path):
    text = (
        "\ufeff1,5\t1,5\tpoint\r\n"
        "2.0\tpoint without end\r\n"
        "3.0\t4.0\r\n"
        "3.0\t4.0\tPica pica, Magpie\t0.75\r\n"
        "\\\t-1.000000\t8000\r\n"
        "5\t6\ttab\tin label\r\n\r\n"
    )
    found = read_audacity(write(tmp_path / "a.txt", text), recordings="a.wav")
    assert found["start"].tolist() == [1.5, 2, 3, 3, 5]
    assert found["end"].tolist() == [1.5, 2, 4, 4, 6]
    assert found["species"].fillna("").tolist() == [
        "point", "point without end", "", "Pica pica, Magpie", "tab in label",
    ]  # fmt: skip
    assert found["score"].fillna(-1).tolist() == [-1, -1, -1, 0.75, -1]
    assert found["low_hz"].isna().all()
    assert found["high_hz"].fillna(-1).tolist() == [-1, -1, -1, 8000, -1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("\\\t1\t2\n", "a.txt, line 1: frequencies without a label"),
        ("0\t1\tx\nsoon\t2\ty\n", "line 2, column 'start': 'soon' is not a number"),
        ("0\t1\tx\n\\\t1\tHz\n", "line 1, column 'high frequency': 'Hz' is not"),
        ("3\t1\tx\n", "line 1: 'start' is 3 and 'end' is 1"),
    ],
)
def test_damaged_label_tracks_are_refused(text, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        read_audacity(write(tmp_path / "a.txt", text))


@pytest.mark.parametrize(
    "name",
    [
        "night.txt",
        "night.wav.txt",
        "NIGHT.Table.2.selections.txt",
        "night.BirdNET.selection.table.txt",
        "night.BirdNET.results.txt",
        "night.reviewed.txt",
        "site_night.txt",
    ],
)
def test_files_find_their_recording_by_name(name, tmp_path):
    path = write(tmp_path / name, "0\t1\tx\n")
    audio = ["x/other.wav", "x/site/night.wav", "x/site/night2.wav"]
    assert read_audacity(path, audio)["path"].tolist() == [audio[1]]
    with pytest.raises(ValueError, match=r"may be 'a/night.wav' or 'b/night.wav'"):
        read_audacity(
            write(tmp_path / "night.txt", "0\t1\tx"), ["a/night.wav", "b/night.wav"]
        )


@pytest.mark.parametrize("write_", [write_raven, write_birdnet])
def test_boxes_may_be_of_any_kind_of_arrow(write_, boxes, tmp_path):
    pyarrow = pytest.importorskip("pyarrow", minversion="16")
    kind = pyarrow.string_view()
    species = pyarrow.array(["owl"] * len(boxes), kind)
    notes = pyarrow.array(["x"] * len(boxes), kind)
    boxes = boxes.assign(
        species=pd.array(species, dtype=pd.ArrowDtype(kind)),
        note=pd.array(notes, dtype=pd.ArrowDtype(kind)),
    )
    write_(boxes, tmp_path / "arrow")
    assert (tmp_path / "arrow").exists()


@pytest.mark.parametrize(
    "stem",
    ["a.selections", "a.Table.1", "a.BirdNET.results", "A.SELECTIONS", "a.txt", "a"],
)
def test_recordings_named_like_tables_keep_their_boxes(stem, tmp_path):
    audio = [str(tmp_path / f"{name}.wav") for name in dict.fromkeys(("a", stem))]
    box = {"path": audio[-1], "start": 1.0, "end": 2.0, "species": "owl"}
    box |= {"low_hz": np.nan, "high_hz": np.nan}
    labels = write_audacity(pd.DataFrame([box]), tmp_path / "labels")
    assert read_audacity(labels, audio)["path"].tolist() == audio[-1:]
    tables = write_raven(pd.DataFrame([box | {"path": stem}]), tmp_path / "raven")
    lines = [line.split("\t") for line in tables[0].read_text().splitlines()]
    bare = ["\t".join(np.delete(line, lines[0].index("Begin Path"))) for line in lines]
    path = write(tmp_path / f"{stem}.csv", "\n".join(bare))
    assert read_raven(path, audio)["path"].tolist() == audio[-1:]


def test_birdnet_tables_of_a_german_spreadsheet(tmp_path):
    plain = (
        "Start (s),End (s),Scientific name,Common name,Confidence,File,week\n"
        '0.0,3.0,Pica pica,"Magpie, Eurasian",0.8141,x/night.wav,12\n'
    )
    german = (
        "Start (s);End (s);Scientific name;Common name;Confidence;File;week\r\n"
        "0,0;3,0;Pica pica;Magpie, Eurasian;0,8141;x/night.wav;12\r\n"
    )
    found = read_birdnet(write(tmp_path / "a.csv", plain))
    assert_frame_equal(read_birdnet(write(tmp_path / "b.csv", german)), found)
    assert found["score"].tolist() == [0.8141]
    assert found["week"].tolist() == [12]
    audio = ["y/night.wav", "x/night.wav"]
    assert read_birdnet(tmp_path / "a.csv", audio)["path"].tolist() == audio[1:]
    found = read_birdnet(tmp_path / "a.csv", annotation_column="Common name")
    assert found["species"].tolist() == ["Magpie, Eurasian"]
    with pytest.raises(
        ValueError, match=r"there is no column 'Start \(s\)'.*--rtype csv"
    ):
        read_birdnet(write(tmp_path / "c.csv", "INDIR,FOLDER\n"))


# Own files --------------------------------------------------------------------


def test_other_endings_and_damaged_files_are_refused(boxes, tmp_path):
    with pytest.raises(ValueError, match=r"b.xlsx' must end in '.csv' or '.parquet'"):
        write_boxes(boxes, tmp_path / "b.xlsx")
    path = write(tmp_path / "b.csv", 'path,start,end,species\na.wav,0,"1,owl\n')
    with pytest.raises(ValueError, match=r"b.csv, line 2: .*mark not closed"):
        read_boxes(path)
    path = write(tmp_path / "b.csv", "path,start,end\na.wav,0,1\n")
    with pytest.raises(ValueError, match="no column 'species'"):
        read_boxes(path)
    with pytest.raises(FileNotFoundError, match=r"the folder .*none does not exist"):
        write_boxes(boxes, tmp_path / "none" / "b.csv")


def test_numbers_of_species_are_text(tmp_path):
    boxes = table(
        ("a.wav", 0.0, 1.0, 1.0, 2.0, 22973, 1.0), ("a.wav", 0, 1, 1, 2, None, 1)
    )
    write_boxes(boxes, tmp_path / "b.csv")
    assert read_boxes(tmp_path / "b.csv")["species"][0] == "22973"
    assert read_raven(write_raven(boxes, tmp_path))["species"][0] == "22973"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,a\nH1_5,0.5\n", "line 1: there is no column 'row_id', but 'id', 'a'"),
        ("row_id,a\nH1_5,0.5\nH1_5,0.5\n", "line 3: the row_id 'H1_5' is .*repeated"),
        ("row_id,a\nH1_5,0.5\nH1_10,x\n", "line 3, column 'a': 'x' is not a number"),
    ],
)
def test_damaged_submissions_are_refused(text, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        read_submission(write(tmp_path / "s.csv", text))


# Crowsetta --------------------------------------------------------------------


@pytest.fixture
def fake_crowsetta(monkeypatch):
    """Stand-in for crowsetta, whose formats "boxes" and "segments" hold two lines."""

    def segment(start, end, samples=False):
        unit, other = ("sample", "s") if samples else ("s", "sample")
        return SimpleNamespace(
            label="song",
            **{f"onset_{unit}": start, f"offset_{unit}": end},
            **{f"onset_{other}": None, f"offset_{other}": None},
        )

    box = SimpleNamespace(
        onset=1.0, offset=2.0, low_freq=5.0, high_freq=9.0, label="owl"
    )
    sequence = SimpleNamespace(segments=[segment(1.0, 2.0)])
    samples = SimpleNamespace(segments=[segment(8000, 12_000, samples=True)])
    found = {
        "boxes": SimpleNamespace(notated_path="x/b.wav", bboxes=[box, box]),
        "segments": [SimpleNamespace(notated_path=None, seq=[sequence, sequence])],
        "samples": SimpleNamespace(notated_path=None, seq=samples),
    }

    def reader(format):
        def from_file(file, **options):
            if options not in ({}, {"annot_col": "Species"}):
                raise KeyError("no such option")
            return SimpleNamespace(to_annot=lambda: found[format])

        return SimpleNamespace(from_file=from_file)

    formats = SimpleNamespace(as_list=lambda: sorted(found))
    module = SimpleNamespace(formats=formats, Transcriber=reader)
    monkeypatch.setitem(sys.modules, "crowsetta", module)


@pytest.mark.usefixtures("fake_crowsetta")
def test_what_crowsetta_reads_becomes_boxes(write_wav, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("t.xml", "a.TextGrid", "t.not.mat"):
        Path(name).touch()
    found = read_crowsetta(
        "t.xml", "boxes", ["y/b.wav", "x/b.wav"], annot_col="Species"
    )
    line = ("x/b.wav", 1.0, 2.0, 5.0, 9.0, "owl", 0)
    assert_frame_equal(found, table(line, line).drop(columns="score"))
    found = read_crowsetta("a.TextGrid", "segments", ["a.wav", "b.wav"])
    line = ("a.wav", 1.0, 2.0, np.nan, np.nan, "song", 0)
    assert_frame_equal(found, table(line, line).drop(columns="score"))
    path = write_wav("a.wav", np.zeros(20_000), rate=8000)
    found = read_crowsetta("t.not.mat", "samples", path)
    assert found[["start", "end"]].to_numpy().tolist() == [[1.0, 1.5]]
    with pytest.raises(
        ValueError, match=r"format='rave' is none .*: boxes, samples, seg"
    ):
        read_crowsetta("t.txt", "rave")
    with pytest.raises(ValueError, match=r"t.xml: crowsetta cannot read it as 'boxes'"):
        read_crowsetta("t.xml", "boxes", wrong=1)
    with pytest.raises(AudioReadError, match=r"t\.not does not exist"):
        read_crowsetta("t.not.mat", "samples")
    with pytest.raises(FileNotFoundError, match=r"none\.xml"):
        read_crowsetta("none.xml", "boxes")


def test_without_crowsetta_the_remedy_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "crowsetta", None)
    with pytest.raises(ImportError, match=r"pip install .*\[annotations\]'"):
        read_crowsetta("a.txt", "raven")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of crowsetta's own
def test_crowsetta_itself_reads_what_is_written(boxes, tmp_path):
    pytest.importorskip("crowsetta")
    boxes = boxes[:1]
    tables = write_raven(boxes, tmp_path)
    found = read_crowsetta(
        tables, "raven", ["site1/a.wav", "c.wav"], annot_col="Annotation"
    )
    assert found["species"].tolist() == ["owl"]
    write(tmp_path / "a.txt", RAVEN)
    found = read_crowsetta(tmp_path / "a.txt", "raven", annot_col="Species")
    assert_frame_equal(found, read_raven(tmp_path / "a.txt"))
    files = write_audacity(boxes.drop(columns="score"), tmp_path)
    found = read_crowsetta(files, "aud-bbox", "site1/a.wav")
    assert_frame_equal(found, boxes.drop(columns="score"))


# Rows -------------------------------------------------------------------------


def slow_rows(boxes, rows, species, min_overlap_s, min_fraction):
    Y = np.zeros((len(rows), len(species)), np.float32)
    for i, row in enumerate(rows.itertuples()):
        for box in boxes.itertuples():
            shared = min(box.end, row.end) - max(box.start, row.start)
            enough = shared >= min_overlap_s
            if min_fraction is not None:
                enough |= shared >= min_fraction * (box.end - box.start)
            if box.path == row.path and shared > 0 and enough:
                Y[i, species.index(box.species)] = 1
    return Y


@pytest.mark.filterwarnings("ignore:.*count for no row")
@pytest.mark.parametrize("min_fraction", [None, 0.5, 1.0])
@pytest.mark.parametrize("min_overlap_s", [0.0, 0.25, 2.0])
def test_rows_agree_with_a_loop(min_overlap_s, min_fraction):
    rng = np.random.default_rng(0)
    start, row_start = rng.random(60) * 30, rng.random(80) * 30
    boxes = pd.DataFrame(
        {
            "path": rng.choice(["a", "b", "c"], 60),
            "start": start,
            "end": start + rng.exponential(2, 60),
            "species": rng.choice(["owl", "wren"], 60),
        }
    )
    rows = pd.DataFrame(
        {
            "path": rng.choice(["a", "b", "d"], 80),
            "start": row_start,
            "end": row_start + rng.exponential(6, 80),
        }
    )
    options = {"min_overlap_s": min_overlap_s, "min_overlap_fraction": min_fraction}
    found, Y = boxes_to_rows(boxes, rows, **options)
    assert_frame_equal(found, rows)
    expected = slow_rows(boxes, rows, ["owl", "wren"], min_overlap_s, min_fraction)
    np.testing.assert_array_equal(Y, expected)
    assert Y.dtypes.tolist() == [np.float32] * 2
    shuffled = rng.permutation(80)
    _, Y = boxes_to_rows(boxes.sample(frac=1), rows.iloc[shuffled], **options)
    np.testing.assert_array_equal(Y, expected[shuffled])


def test_recordings_without_boxes_have_empty_rows(write_wav):
    paths = [write_wav(f"{n}.wav", np.zeros(12 * 1000), rate=1000) for n in range(2)]
    boxes = pd.DataFrame(
        {"path": paths[:1], "start": [4.0], "end": [5.5], "species": ["owl"]}
    )
    rows, Y = boxes_to_rows(boxes, paths, species=["wren", "owl"])
    assert rows["path"].tolist() == paths[:1] * 3 + paths[1:] * 3
    assert rows["end"].tolist() == [5.0, 10.0, 12.0] * 2
    assert Y.columns.tolist() == ["wren", "owl"]
    assert Y["owl"].tolist() == [1, 1, 0, 0, 0, 0]
    assert not Y["wren"].any()
    rows, Y = boxes_to_rows(boxes, paths, 4.0, 2.0, min_overlap_s=1.5)
    assert rows["start"][:6].tolist() == [0, 2, 4, 6, 8, 10]
    assert Y["owl"][:6].tolist() == [0, 1, 1, 0, 0, 0]
    rows, Y = boxes_to_rows(boxes[:0], paths, species=["owl"])
    assert Y.shape == (6, 1)
    with pytest.raises(
        AudioReadError, match=r"1 of 2 files cannot be read:\n.*none\.wav"
    ):
        boxes_to_rows(boxes, [paths[0], "none.wav"])


def test_rows_of_a_table_keep_their_columns_and_may_be_whole_recordings():
    boxes = table(("a", 70.0, 71.0, 1, 2, "owl", 1), ("b", 0.0, 1.0, 1, 2, "wren", 1))
    X = pd.DataFrame({"path": ["b", "a"], "collection": ["XC", "iNat"]}, index=[7, 3])
    rows, Y = boxes_to_rows(boxes, X)
    assert rows["collection"].tolist() == ["XC", "iNat"]
    assert Y.to_numpy().tolist() == [[0, 1], [1, 0]]


def test_overlaps_of_rounded_seconds_are_enough():
    boxes = table(("a", 0.1, 0.3, 1, 2, "owl", 1))
    rows = pd.DataFrame({"path": "a", "start": [0.0, 0.3], "end": [0.3, 0.6]})
    _, Y = boxes_to_rows(boxes, rows, min_overlap_s=0.2)
    assert Y["owl"].tolist() == [1, 0]


def test_points_count_for_the_row_they_lie_in():
    boxes = table(("a", 5.0, 5.0, 1, 2, "owl", 1), ("a", 1.0, 1.0, 1, 2, "wren", 1))
    rows = pd.DataFrame({"path": "a", "start": [0.0, 5.0], "end": [5.0, 10.0]})
    for options in ({"min_overlap_s": 0}, {"min_overlap_fraction": 0.5}):
        _, Y = boxes_to_rows(boxes, rows, **options)
        assert Y.to_numpy().tolist() == [[0, 1], [1, 0]]
    with pytest.warns(UserWarning, match="2 of 2 boxes count for no row"):
        boxes_to_rows(boxes, rows)


def test_boxes_without_species_are_left_out():
    boxes = table(*(("a", 0, 1, 1, 2, name, 1) for name in ("owl", None, "nocall", "")))
    _, Y = boxes_to_rows(boxes, pd.DataFrame({"path": ["a"]}))
    assert Y.columns.tolist() == ["owl"]


def test_lost_boxes_are_told():
    boxes = table(
        ("a", 1.0, 1.1, 1, 2, "owl", 1),
        ("a", 1.0, 4.0, 1, 2, "owl", 1),
        ("b", 1.0, 1.1, 1, 2, "owl", 1),
        ("a", 1.0, 1.1, 1, 2, "wren", 1),
    )
    rows = pd.DataFrame({"path": ["a"], "start": [0.0], "end": [5.0]})
    with pytest.warns(
        UserWarning, match=r"1 of 3 boxes counts for no row.*'owl' at 1 to 1.1"
    ):
        boxes_to_rows(boxes, rows, species=["owl"])
    with pytest.warns(
        UserWarning, match=r"None of the 4 boxes.*'a', ...*'x/a'.*recordings"
    ):
        boxes_to_rows(boxes, rows.assign(path="x/a"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"min_overlap_s": -1}, "min_overlap_s=-1 must be 0"),
        ({"min_overlap_fraction": 0}, r"min_overlap_fraction=0 must be in \(0, 1\]"),
        ({"species": ["owl", "owl"]}, "species has 'owl' twice"),
    ],
)
def test_bad_arguments_of_rows_are_refused(boxes, options, message):
    with pytest.raises(ValueError, match=message):
        boxes_to_rows(boxes, pd.DataFrame({"path": ["a"]}), **options)


@pytest.mark.skipif(
    not DATA.is_dir(), reason="SKBIRD_DATA names no folder with donana_soundscapes/"
)
@pytest.mark.filterwarnings("ignore:1 of 79 boxes counts for no row")
def test_the_annotations_of_donana_give_the_published_rows(tmp_path):
    windows = pd.read_csv(DATA / "windows5s.csv", keep_default_na=False)
    meta = pd.read_csv(DATA / "metadata.csv")
    boxes = meta.rename(columns={"primary_label": "species"})
    boxes["path"] = boxes["path"].map(lambda path: str(DATA / path))
    audio = sorted(map(str, (DATA / "audio").iterdir()))
    boxes = boxes[["path", "start", "end", "species"]]
    for again in (
        boxes,
        read_raven(write_raven(boxes, tmp_path), audio),
        read_audacity(write_audacity(boxes, tmp_path), audio),
    ):
        rows, Y = boxes_to_rows(again, audio, min_overlap_s=0.1)
        assert (
            rows["path"]
            .map(Path)
            .map(lambda p: f"audio/{p.name}")
            .equals(windows["path"])
        )
        np.testing.assert_array_equal(rows[["start", "end"]], windows[["start", "end"]])
        found = [set(Y.columns[present]) for present in Y.to_numpy(dtype=bool)]
        labels = windows["species"] + ";" + windows["other_labels"]
        assert found == [set(text.split(";")) - {""} for text in labels]


# Attention --------------------------------------------------------------------


class FakeSED:
    """Network that has said its probabilities, (n_segments, n_steps, 2), already."""

    species_ = np.array(["owl", "wren"], dtype=object)

    def __init__(self, attention, probability):
        self.attention = attention
        self.probability = np.asarray(probability)

    def activations(self, X):
        bounds = np.searchsorted(X.segment_rows, np.arange(1, len(X)))
        return [
            Activations(part, None, None) for part in np.split(self.probability, bounds)
        ]


@pytest.fixture
def spectrograms():
    """Two rows of 4 s in a row, one segment each, 8 mel bands at 0, 1000, ... Hz."""
    found = Spectrograms.from_arrays(np.zeros((2, 8, 41)), frame_s=0.1)
    found.format = type(found.format)(
        tuple(1000.0 * np.arange(8)), 0.1, found.format.grid, None, None
    )
    found.rows = pd.DataFrame(
        {"path": "n.wav", "start": [10.0, 14.0], "end": [14.0, 17.5]}
    )
    return found


# Owl: the last second of the first row, the first of the second; wren: the last two.
MOMENTS = np.zeros((2, 4, 2))
MOMENTS[0, 3, 0], MOMENTS[1, 0, 0], MOMENTS[1, 2:, 1] = 0.9, 0.7, 0.8
# Owl: in the second of four bands in the first row, also in the third in the second.
BANDS = np.full((2, 4, 2), 0.01)
BANDS[0, 1, 0], BANDS[1, 2, 0], BANDS[1, 3, 1] = 0.8, 0.5, 0.3


def test_boxes_of_both_attentions_have_both_extents(spectrograms, tmp_path):
    found = attention_boxes(
        spectrograms,
        time=FakeSED("time", MOMENTS),
        frequency=FakeSED("frequency", BANDS),
    )
    expected = table(
        ("n.wav", 13.0, 15.0, 1500.0, 5500.0, "owl", 0.9),
        ("n.wav", 16.0, 17.5, 5500.0, 7000.0, "wren", 0.8),
    )
    assert_frame_equal(found, expected)
    assert_frame_equal(read_raven(write_raven(found, tmp_path)), expected)
    found = attention_boxes(
        spectrograms,
        time=FakeSED("time", MOMENTS),
        frequency=FakeSED("frequency", BANDS),
        min_band_share=0.7,
    )
    assert found["high_hz"].tolist() == [3500.0, 7000.0]


def test_segments_that_only_touch_a_box_have_no_part_in_it(spectrograms):
    models = {
        "time": FakeSED("time", MOMENTS),
        "frequency": FakeSED("frequency", BANDS),
    }
    found = attention_boxes(spectrograms, **models, threshold=0.85)
    assert found["end"].tolist() == [14.0]
    assert found["high_hz"].tolist() == [3500.0]


def test_what_fills_up_a_short_row_gives_no_box(spectrograms):
    spectrograms.rows["end"] = [14.0, 15.5]
    found = attention_boxes(spectrograms, time=FakeSED("time", MOMENTS))
    assert found["species"].tolist() == ["owl"]


def test_boxes_of_one_attention_lack_the_other_extent(spectrograms):
    found = attention_boxes(
        spectrograms, time=FakeSED("time", MOMENTS), threshold=[0.8, 0.5]
    )
    assert found["start"].tolist() == [13.0, 16.0]
    assert found["end"].tolist() == [14.0, 17.5]
    assert found[["low_hz", "high_hz"]].isna().all(axis=None)
    found = attention_boxes(
        spectrograms, frequency=FakeSED("frequency", BANDS), threshold=0.25
    )
    expected = table(
        ("n.wav", 10.0, 17.5, 1500.0, 5500.0, "owl", 0.8),
        ("n.wav", 14.0, 17.5, 5500.0, 7000.0, "wren", 0.3),
    )
    assert_frame_equal(found, expected)


def test_pipelines_find_boxes_in_what_their_front_end_makes(spectrograms):
    net = FakeSED("time", MOMENTS)
    pipe = make_pipeline(FunctionTransformer(lambda paths: spectrograms), net)
    assert_frame_equal(
        attention_boxes(["n.wav", "n.wav"], time=pipe),
        attention_boxes(spectrograms, time=net),
    )


def test_no_call_gives_no_box(spectrograms):
    models = {
        "time": FakeSED("time", MOMENTS),
        "frequency": FakeSED("frequency", BANDS),
    }
    found = attention_boxes(spectrograms, **models, threshold=0.99)
    assert len(found) == 0
    assert found.columns.tolist() == table().columns.tolist()


def test_models_of_the_wrong_kind_are_refused(spectrograms):
    net = FakeSED("time", MOMENTS)
    with pytest.raises(ValueError, match=r"attention='time'\. Pass it as time"):
        attention_boxes(spectrograms, frequency=net)
    with pytest.raises(ValueError, match="time and frequency are both None"):
        attention_boxes(spectrograms)
    with pytest.raises(TypeError, match="time is a str, which has no activations"):
        attention_boxes(spectrograms, time="net")
    with pytest.raises(ValueError, match=r"min_band_share=0 must be in \(0, 1\]"):
        attention_boxes(spectrograms, time=net, min_band_share=0)
    other = FakeSED("frequency", BANDS)
    other.species_ = ["owl", "frog"]
    with pytest.raises(ValueError, match="know different species"):
        attention_boxes(spectrograms, time=net, frequency=other)
