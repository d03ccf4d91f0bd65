"""Recordings with labels, however they lie on disk."""

from pathlib import Path

import pandas as pd
import pytest

from skbird.data import load_recordings, make_birdclef


@pytest.fixture
def touch(tmp_path):
    """Return a function that makes empty files; loading decodes nothing."""

    def touch(*names):
        for name in names:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).touch()
        return tmp_path

    return touch


def names(data):
    return [Path(path).name for path in data.X["path"]]


def test_a_folder_per_species(touch):
    root = touch(
        "Pica pica/b.WAV",
        "Pica pica/2021/a.flac",
        "Pica pica/._a.flac",
        "Pica pica/notes.txt",
        "Parus major/c.ogg",
        "Noise/d.wav",
        "Pica pica, Parus major/e.mp3",
    )
    data = load_recordings(root)
    assert data.species == ["Parus major", "Pica pica"]
    found = dict(zip(names(data), data.Y.to_numpy().tolist(), strict=True))
    assert found == {
        "a.flac": [0, 1],
        "b.WAV": [0, 1],
        "c.ogg": [1, 0],
        "d.wav": [0, 0],
        "e.mp3": [1, 1],
    }
    assert (data.label_weight == 1).all().all()
    assert "5 rows of 5 recordings, 2 species (Parus major, Pica pica)" in data.DESCR


def test_species_may_be_given(touch):
    root = touch("wren/a.wav", "dove/b.wav")
    data = load_recordings(root, species=["wren", "robin", "dove"])
    assert data.Y.to_numpy().tolist() == [[0, 0, 1], [1, 0, 0]]


def test_a_table_counts_from_its_folder(touch):
    root = touch("audio/a.wav")
    other = str(root / "elsewhere" / "b.wav")
    table = root / "metadata.csv"
    table.write_text(
        "filename,species,secondary_labels,start,end,rating\n"
        f"audio/a.wav,0042,dove,0,5,4\n{other},dove,,5,10,\n"
    )
    data = load_recordings(table, secondary_weight=0.25)
    assert data.X["path"].tolist() == [str(root / "audio/a.wav"), other]
    assert data.species == ["0042", "dove"]
    assert data.Y.to_numpy().tolist() == [[1, 1], [0, 1]]
    assert data.label_weight.loc[0, "dove"] == 0.25
    assert data.X["start"].tolist() == [0, 5]
    assert data.X["rating"].tolist()[:1] == [4]


@pytest.mark.parametrize(
    ("name", "separator", "encoding"),
    [("a.csv", ";", "utf-8-sig"), ("a.tsv", "\t", "utf-8"), ("a.parquet", "", "")],
)
def test_tables_of_other_programs(tmp_path, name, separator, encoding):
    table = pd.DataFrame({"path": ["ä, b.wav", "c.wav"], "label": ["Wren", "Dove"]})
    if separator:
        options = {"sep": separator, "encoding": encoding, "index": False}
        table.to_csv(tmp_path / name, **options)
    else:
        pytest.importorskip("pyarrow")
        table.to_parquet(tmp_path / name)
    data = load_recordings(tmp_path / name)
    assert names(data) == ["ä, b.wav", "c.wav"]
    assert data.X["primary_label"].tolist() == ["Wren", "Dove"]


def test_a_birdclef_folder(tmp_path):
    sizes = {"n_test": 1, "n_labelled": 0, "n_unlabelled": 0, "soundscape_s": 10}
    made = make_birdclef(tmp_path / "set", n_species=2, n_recordings=6, **sizes)
    data = load_recordings(tmp_path / "set")
    pd.testing.assert_frame_equal(data.X, made.X)
    assert len(data.test) == 2


@pytest.mark.parametrize(
    ("files", "source", "error", "message"),
    [
        ((), "gone", FileNotFoundError, "gone' does not exist. Pass a folder with"),
        (("a/x.txt",), "", ValueError, "holds no audio files"),
        (("a/x.wav", "y.wav"), "", ValueError, "1 recordings that are in no folder"),
        (("a/x.wav",), "", ValueError, "nothing to tell it from"),
        (("x.wav",), "x.wav", ValueError, "Pass the folder that holds the recording"),
        (("x.xlsx",), "x.xlsx", ValueError, "must end in .csv, .tsv or .parquet"),
    ],
)
def test_what_cannot_be_loaded_names_the_remedy(touch, files, source, error, message):
    with pytest.raises(error, match=message):
        load_recordings(touch(*files) / source)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,kind\na.wav,x\n", "no column for their labels: one of primary_label"),
        ("sound,species\na.wav,x\n", "no column for the recordings: one of path"),
        ("path,species\na.wav,x\n,y\n", "names no recording in line 3"),
        ("path,species\n", "has no lines"),
    ],
)
def test_a_table_that_lacks_something(tmp_path, text, message):
    table = tmp_path / "table.csv"
    table.write_text(text)
    with pytest.raises(ValueError, match=message):
        load_recordings(table)
