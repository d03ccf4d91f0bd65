"""Recordings with labels, however they lie on disk."""

import os
import sys
import warnings
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.neighbors import KNeighborsClassifier

from skbird.audio._listing import find_audio, list_audio
from skbird.compose._type_targets import has_own_tags
from skbird.data import check_rows, encode_labels
from skbird.data._label_table import read_table
from skbird.datasets import load_recordings, make_birdclef
from skbird.datasets._birdclef_files import read_csv
from skbird.model_selection import group_train_test_split
from skbird.reports._recording_tables import encode_all
from skbird.utils._held_out import held_out_proba


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
    assert list(data.errors.columns) == ["path", "error"]
    assert len(data.errors) == 0
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


def test_a_birdclef_folder(brief_recordings, tmp_path):
    sizes = {"n_test": 1, "n_labeled": 0, "n_unlabeled": 0, "soundscape_s": 10}
    made = make_birdclef(tmp_path / "set", n_species=2, n_recordings=6, **sizes)
    data = load_recordings(tmp_path / "set")
    pd.testing.assert_frame_equal(data.X, made.X)
    assert len(data.test) == 2
    assert len(data.errors) == 0


@pytest.mark.parametrize(
    ("files", "source", "error", "message"),
    [
        ((), "gone", FileNotFoundError, "gone' does not exist. Pass a folder with"),
        (("a/x.txt",), "", ValueError, "holds no audio files"),
        (("a/x.wav", "y.wav"), "", ValueError, "1 recording in no folder"),
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


def test_hidden_folders_and_those_of_systems_are_no_species(touch):
    root = touch(
        ".hidden/wren/a.wav",
        ".hidden/dove/b.wav",
        ".hidden/.Trash-1000/files/c.wav",
        ".hidden/.git/d.wav",
        ".hidden/__MACOSX/wren/e.wav",
        ".hidden/wren/.ipynb_checkpoints/f.wav",
        ".hidden/wren/@eaDir/g.wav/SYNO.wav",
        ".hidden/$Recycle.Bin/h.wav",
    )
    data = load_recordings(root / ".hidden")
    assert data.species == ["dove", "wren"]
    assert names(data) == ["b.wav", "a.wav"]


def test_only_hidden_folders(touch):
    with pytest.raises(ValueError, match=r"holds no audio files.*hidden folders"):
        list_audio(touch(".hidden/a.wav"))


@pytest.fixture
def link():
    """Return a function that makes a symbolic link, where the system has them."""

    def link(path, target):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            path.symlink_to(target)
        except OSError as exc:
            pytest.skip(f"no symbolic links here: {exc}")

    return link


def test_linked_folders_are_species(touch, link):
    disk = touch("disk/birds/2021/a.wav", "disk/pigeons/b.wav", "set/robin/c.wav")
    link(disk / "set" / "wren", disk / "disk" / "birds")
    link(disk / "set" / "dove", disk / "disk" / "pigeons")
    link(disk / "set" / "pigeon", disk / "disk" / "pigeons")
    link(disk / "set" / "robin" / "d.wav", disk / "disk" / "birds" / "2021" / "a.wav")
    data = load_recordings(disk / "set")
    assert data.species == ["dove", "pigeon", "robin", "wren"]
    assert names(data) == ["b.wav", "b.wav", "c.wav", "d.wav", "a.wav"]


def test_the_folder_itself_may_be_a_link(touch, link):
    root = touch("disk/wren/a.wav", "disk/dove/b.wav")
    link(root / "set", root / "disk")
    paths = [str(root / "set" / "dove" / "b.wav"), str(root / "set" / "wren" / "a.wav")]
    assert list_audio(root / "set") == paths


@pytest.mark.parametrize(
    ("inside", "target"),
    [
        ("", "."),
        ("", ".."),
        ("", "/"),
        ("wren", "."),
        ("wren", ".."),
        ("wren", "../.."),
        ("wren/2021", ".."),
        ("wren/2021", "../../.."),
    ],
)
def test_links_to_a_folder_around_them_end(touch, link, inside, target):
    root = touch("outer/set/wren/2021/a.wav", "outer/set/dove/b.wav", "outer/x.wav")
    folder = root / "outer" / "set"
    link(folder / inside / "again", target)
    paths = [str(folder / "dove" / "b.wav"), str(folder / "wren" / "2021" / "a.wav")]
    assert list_audio(folder) == paths


def test_links_within_a_linked_folder_end(touch, link):
    root = touch("disk/birds/a.wav", "disk/x.wav", "set/dove/b.wav")
    link(root / "set" / "wren", root / "disk" / "birds")
    link(root / "disk" / "birds" / "up", root / "disk")
    link(root / "disk" / "birds" / "set", root / "set")
    assert names(load_recordings(root / "set")) == ["b.wav", "a.wav"]


def test_links_between_folders_end(touch, link):
    """Each folder is there once in each folder of a species, under its own name."""
    species = [f"species{n}" for n in range(9)]
    root = touch(*(f"{name}/{name}.wav" for name in species))
    for one in species:
        for other in species:
            link(root / one / f"a {other}", root / other)
    paths, _ = find_audio(root)
    assert len(paths) == len(species) ** 2
    own = [str(root / name / f"{name}.wav") for name in species]
    assert set(own) <= set(paths)
    assert list_audio(root) == own


def test_a_folder_goes_by_its_own_name_before_that_of_a_link(touch, link):
    root = touch("wren/deep/er/2021/a.wav")
    link(root / "wren" / "a link", root / "wren" / "deep" / "er" / "2021")
    assert list_audio(root) == [str(root / "wren/deep/er/2021/a.wav")]


def test_a_folder_may_be_in_the_home_of_the_user(touch, monkeypatch):
    root = touch("home/set/a.wav")
    monkeypatch.setenv("HOME", str(root / "home"))
    monkeypatch.setenv("USERPROFILE", str(root / "home"))
    assert list_audio("~/set") == [str(root / "home" / "set" / "a.wav")]


def test_a_link_is_not_a_files_own_name_below_a_linked_folder(touch, link):
    root = touch("disk/b.wav")
    link(root / "set", root / "disk")
    link(root / "disk" / "a.wav", root / "disk" / "b.wav")
    assert list_audio(root / "set") == [str(root / "set" / "b.wav")]


def test_links_that_lead_nowhere_are_said(touch, link):
    root = touch("wren/a.wav", "dove/b.wav")
    link(root / "robin", root / "unplugged")
    link(root / "wren" / "self", root / "wren" / "self")
    with pytest.warns(UserWarning, match=r"2 folders or links .* the first: .*robin"):
        assert len(list_audio(root)) == 2
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        paths, left_out = find_audio(root)
    assert paths == [str(root / "dove/b.wav"), str(root / "wren/a.wav")]
    assert [path for path, _ in left_out] == [
        str(root / "robin"),
        str(root / "wren" / "self"),
    ]
    assert all("cannot be read: " in error for _, error in left_out)


def test_folders_that_may_not_be_read_are_said(touch, monkeypatch):
    root = touch("wren/a.wav", "dove/b.wav")
    scan = os.scandir

    def refuse(folder):
        if Path(folder).name == "dove":
            raise PermissionError(13, "Permission denied", str(folder))
        return scan(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.warns(UserWarning, match=r"1 folder or link cannot .*dove.*Permission"):
        assert len(list_audio(root)) == 1


def touch_bytes(path):
    """Make a file whose name is no UTF-8, where the file system takes it."""
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        open(path, "wb").close()
    except (OSError, UnicodeError) as exc:
        pytest.skip(f"such names are not possible here: {exc}")


@pytest.mark.parametrize("name", [b"wren/caf\xe9.wav", b"caf\xe9/a.wav"])
def test_names_that_are_not_utf_8_cost_no_other_file(touch, name):
    root = touch("wren/a.wav", "dove/b.wav")
    touch_bytes(os.path.join(os.fsencode(root), name))
    shown = r"1 file name is not UTF-8 .* the first: .*caf\\xe9.*Rename"
    with pytest.warns(UserWarning, match=shown) as warned:
        data = load_recordings(root)
    assert warned[0].filename == __file__
    assert names(data) == ["b.wav", "a.wav"]
    assert data.errors["path"].tolist() == [
        f"{root}/{name.decode('latin1')}".replace("é", r"\xe9")
    ]
    assert "not UTF-8. Rename" in data.errors.loc[0, "error"]


def test_names_of_which_none_is_utf_8(tmp_path):
    touch_bytes(os.path.join(os.fsencode(tmp_path), b"wren/caf\xe9.wav"))
    with pytest.raises(ValueError, match=r"holds no audio.*1 file name is not UTF-8"):
        list_audio(tmp_path)


@pytest.mark.parametrize(
    "index",
    [[0, 0, 0], [2, 1, 0], [7, 8, 9], ["a", "b", "c"]],
    ids=["repeated", "reversed", "shifted", "text"],
)
@pytest.mark.parametrize("index_name", [None, "species"])
def test_rows_of_parquet_are_counted_from_0(tmp_path, index, index_name):
    pytest.importorskip("pyarrow")
    table = pd.DataFrame(
        {"path": ["a.wav", "b.wav", "c.wav"], "species": ["wren", "dove", "wren"]},
        index=pd.Index(index, name=index_name),
    )
    table.to_parquet(tmp_path / "table.parquet")
    data = load_recordings(tmp_path / "table.parquet")
    assert list(data.X.index) == list(data.Y.index) == [0, 1, 2]
    assert list(data.X.columns) == ["path", "primary_label"]
    assert data.Y["wren"].tolist() == [1, 0, 1]


@pytest.mark.parametrize("index", [["filename"], ["filename", "species"]])
def test_a_named_index_of_parquet_is_a_column(tmp_path, index):
    pytest.importorskip("pyarrow")
    table = pd.DataFrame({"filename": ["b", "a"], "species": ["wren", "dove"], "n": 1})
    table.set_index(index).to_parquet(tmp_path / "table.parquet")
    data = load_recordings(tmp_path / "table.parquet")
    assert names(data) == ["b", "a"]
    assert data.X["primary_label"].tolist() == ["wren", "dove"]
    assert list(data.X.index) == [0, 1]


@pytest.mark.parametrize("kept", [0, 10, 200, -1])
def test_damaged_parquet_is_named(tmp_path, kept):
    pytest.importorskip("pyarrow")
    table = tmp_path / "table.parquet"
    pd.DataFrame({"path": ["a.wav"] * 99, "label": "wren"}).to_parquet(table)
    table.write_bytes(table.read_bytes()[:kept])
    with pytest.raises(ValueError, match=r"table.parquet' is no Parquet .* again"):
        load_recordings(table)


def test_parquet_whose_text_is_no_utf_8_is_named(tmp_path):
    pytest.importorskip("pyarrow")
    table = tmp_path / "table.parquet"
    pd.DataFrame({"path": ["a.wav"], "label": "wren"}).to_parquet(
        table, compression=None
    )
    table.write_bytes(table.read_bytes().replace(b"a.wav", b"\xe9.wav"))
    with pytest.raises(ValueError, match=r"table.parquet' is no Parquet"):
        load_recordings(table)


def test_parquet_that_claims_too_much_is_refused(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    columns = {f"c{number}": [1.0] for number in range(10_001)}
    wide = pytest.importorskip("pyarrow").table(columns)
    parquet.write_table(wide, tmp_path / "table.parquet")
    with pytest.raises(ValueError, match=r"table.parquet' .* 10001 columns, and at"):
        load_recordings(tmp_path / "table.parquet")


def test_a_column_of_a_long_table_is_of_one_kind(tmp_path):
    # The more columns, the fewer lines are a part of their own for pandas.
    others = [f"c{number}" for number in range(510)]
    lines = [f"path,site,{','.join(others)}", *["a.wav,1"] * 2100, "a.wav,creek"]
    (tmp_path / "table.csv").write_text("\n".join(lines))
    table, _ = read_table(tmp_path / "table.csv")
    assert table["site"].tolist() == [*["1"] * 2100, "creek"]
    assert read_csv(tmp_path / "table.csv")["site"].tolist() == table["site"].tolist()


def test_parquet_without_pyarrow(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    table = tmp_path / "table.parquet"
    table.write_bytes(b"PAR1")
    with pytest.raises(ImportError, match=r"pip install .*\[archive\]'"):
        load_recordings(table)


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["cp1252", "utf-16", "utf-8", "utf-8-sig"])
@pytest.mark.parametrize("separator", ",;\t")
def test_text_in_any_encoding(tmp_path, encoding, separator, line_end):
    text = "path,species,start,end\nKäuzchen.wav,Käuzchen,0,1\nb.wav,dove,1,2\n"
    text = text.replace(",", separator).replace("\n", line_end)
    (tmp_path / "table.csv").write_bytes(text.encode(encoding))
    data = load_recordings(tmp_path / "table.csv")
    assert names(data) == ["Käuzchen.wav", "b.wav"]
    assert data.species == ["Käuzchen", "dove"]
    assert data.X["end"].tolist() == [1, 2]


@pytest.mark.parametrize(
    "text",
    [
        "path,species,n\na.wav,wren,1,\nb.wav,dove,2,\n",
        "path,species,n,\na.wav,wren,1,\nb.wav,dove,2,\n",
        "path,species,n\na.wav,wren,1,,\nb.wav,dove,2\n,,\n\n",
        "\npath, species ,n\na.wav,wren,1\n\nb.wav,dove,2",
        'path,species,n\n"a.wav","wren",1\n"b.wav","dove","2"',
    ],
    ids=["ends", "all ends", "empty lines", "spaces", "quotes"],
)
def test_separators_and_lines_too_many(tmp_path, text):
    (tmp_path / "table.csv").write_text(text)
    data = load_recordings(tmp_path / "table.csv")
    assert names(data) == ["a.wav", "b.wav"]
    assert data.X["primary_label"].tolist() == ["wren", "dove"]
    assert data.X["n"].tolist() == [1, 2]
    assert list(data.X.index) == [0, 1]


def test_short_lines_are_filled_up(tmp_path):
    (tmp_path / "table.csv").write_text("path,species,n\na.wav,wren\nb.wav,dove,2\n")
    assert load_recordings(tmp_path / "table.csv").X["n"].tolist()[1:] == [2]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"table.csv' is empty"),
        (" \n\n", r"table.csv' is empty"),
        ('"",""\n,,\n', r"table.csv' is empty"),
        (
            "path,species\na.wav,wren\n\nb, c.wav,dove\n",
            r"table.csv', line 4: 3 cells, but 2 columns .* Quote it",
        ),
        (
            'path,species\na.wav,"wren\nb.wav,dove\n',
            r"table.csv', line 2: .* quotation mark",
        ),
        (
            'path,species\na.wav,wren\n"b.wav"x,dove\n',
            r"table.csv', line 3: .* quotation mark",
        ),
        ("PK\x03\x04\x00\x00", r"table.csv' is no text.* save it as CSV"),
        ("path,species\n,,\n\na.wav,wren\n,dove\n", r"no recording in line 5 "),
        (
            'path,species,start\n"a\n.wav",wren,0\nb.wav,dove,1:30\n',
            r"table.csv', line 4, column 'start': '1:30' is not .* Write seconds",
        ),
        (
            "path,species,end\na.wav,wren,1\nb.wav,dove,\nc.wav,dove,x\n",
            r"table.csv', line 4, column 'end': 'x' is not a number",
        ),
        (
            'path,species,end\na.wav,wren,1\nb.wav,dove,"1,000"\n',
            r"table.csv', line 3, column 'end': '1,000' is not a number",
        ),
        ("path,species\na.wav,\nb.wav,nocall\n", r"table.csv' names no species"),
    ],
)
def test_damaged_text_says_where(tmp_path, text, message):
    table = tmp_path / "table.csv"
    table.write_text(text, newline="")
    with pytest.raises(ValueError, match=message):
        load_recordings(table)


def test_seconds_with_decimal_commas(tmp_path):
    text = "path;species;start;end\na.wav;wren;0,5;1,25\nb.wav;dove;;NA\n"
    (tmp_path / "table.csv").write_text(text)
    X = load_recordings(tmp_path / "table.csv").X
    assert X["start"].tolist()[:1] == [0.5]
    assert X["end"].tolist()[:1] == [1.25]
    assert X[["start", "end"]].isna().to_numpy().tolist() == [[False] * 2, [True] * 2]


@pytest.mark.parametrize(
    "column", [[Decimal("1.5"), None], pd.array([1, None]), [1, 2]]
)
def test_seconds_of_parquet(tmp_path, column):
    pytest.importorskip("pyarrow")
    table = {"path": ["a", "b"], "label": ["wren", "dove"], "start": column}
    pd.DataFrame(table).to_parquet(tmp_path / "table.parquet")
    start = load_recordings(tmp_path / "table.parquet").X["start"]
    assert start.dtype == float
    assert start[0] == column[0]


@pytest.mark.parametrize("bad", ["x", pd.Timedelta("1s"), True, [1.0, 2.0]])
def test_seconds_of_parquet_that_are_none(tmp_path, bad):
    pytest.importorskip("pyarrow")
    table = {"path": ["a", "b"], "label": ["wren", "dove"], "start": [bad, bad]}
    pd.DataFrame(table).to_parquet(tmp_path / "table.parquet")
    with pytest.raises(ValueError, match=r"row 0, column 'start': .* not a number"):
        load_recordings(tmp_path / "table.parquet")


def test_no_folder_with_a_species(touch):
    with pytest.raises(ValueError, match="names no species"):
        load_recordings(touch("nocall/a.wav", "noise/b.wav"))


def write_table(tmp_path, text):
    path = tmp_path / "table.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize("label", ["NA", "null", "None", "nan", "n/a"])
def test_labels_that_look_like_missing_ones_are_labels(tmp_path, label):
    text = f"path,species,secondary_labels,n\na,{label},,NA\nb,dove,{label},1\nc,,,2\n"
    data = load_recordings(write_table(tmp_path, text))
    assert data.species == sorted([label, "dove"])
    assert data.Y[label].tolist() == [1, 1, 0]
    assert data.Y.iloc[2].tolist() == [0, 0]
    assert data.X["primary_label"].tolist() == [label, "dove", ""]
    assert data.X["n"].tolist()[1:] == [1, 2]
    assert data.X["n"].isna()[0]


def test_numbers_that_are_names_stay_as_they_are(tmp_path):
    text = "file,label,site,n,x,start\n001,1,007,0,0.5,00.5\n002,2,,10,10,01\n"
    X = load_recordings(write_table(tmp_path, text)).X
    assert [Path(path).name for path in X["path"]] == ["001", "002"]
    assert X["site"][0] == "007"
    assert X["site"].isna()[1]
    assert X[["n", "x", "start"]].to_numpy().tolist() == [[0, 0.5, 0.5], [10, 10, 1]]


def test_an_author_may_be_missing_and_is_no_number(tmp_path):
    text = "path,label,author\na,wren,1\nb,dove,NA\nc,dove,\n"
    author = load_recordings(write_table(tmp_path, text)).X["author"]
    assert author[0] == "1"
    assert author.isna().tolist() == [False, True, True]


def test_quotes_before_formulas_unless_files_are_called_so(touch):
    root = touch("'=a.wav", "=b.wav")
    text = "path,species\n'=a.wav,'=wren\n'=b.wav,dove\n'=gone.wav,dove\n"
    data = load_recordings(write_table(root, text))
    assert names(data) == ["'=a.wav", "=b.wav", "=gone.wav"]
    assert data.species == ["=wren", "dove"]


@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf"], ids=["bare", "mark"])
def test_one_bad_byte_costs_no_other_name(tmp_path, start):
    text = start + "path,species\nä.wav,Käuzchen\nü.wav,?\nö.wav,Krähe\n".encode()
    path = write_table(tmp_path, text.replace(b"?", b"M\xf6we"))
    message = r"table.csv' is UTF-8 except .* 1 places, the first in line 3"
    with pytest.warns(UserWarning, match=message):
        data = load_recordings(path)
    assert names(data) == ["ä.wav", "ü.wav", "ö.wav"]
    assert data.species == ["Krähe", "Käuzchen", "M\ufffdwe"]


@pytest.mark.parametrize(
    ("text", "species"),
    [
        (
            "path,species\na.wav,Käuzchen\nb.wav,M?we\n".encode(),
            ["Käuzchen", "M\ufffdwe"],
        ),
        ("path,species\na.wav,dove\nb.wav,Krä".encode()[:-1], ["Kr\ufffd", "dove"]),
    ],
    ids=["one good, one bad", "cut off"],
)
def test_text_that_is_mostly_utf8_is_not_taken_for_that_of_windows(
    tmp_path, text, species
):
    path = write_table(tmp_path, text.replace(b"?", b"\xf6"))
    with pytest.warns(UserWarning, match="is UTF-8 except"):
        assert load_recordings(path).species == species


def test_sites_that_look_like_powers_of_ten_stay_text(tmp_path):
    text = "path,label,site,n,x\na,wren,1E1,1,2.5e3\nb,dove,2e1,10,1e-05\n"
    X = load_recordings(write_table(tmp_path, text)).X
    assert X["site"].tolist() == ["1E1", "2e1"]
    assert X[["n", "x"]].to_numpy().tolist() == [[1, 2500], [10, 1e-5]]


def test_one_species_alone_is_told(touch):
    root = touch("a/x.wav")
    with pytest.warns(UserWarning, match=r"are of \['a'\]: there is nothing to tell"):
        assert load_recordings(root).species == ["a"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_recordings(root, species=["a"])
        load_recordings(touch("noise/y.wav"))


def test_a_comma_before_a_space_belongs_to_the_name(touch):
    data = load_recordings(touch("Owl, Barn/1.wav", "dove,wren/2.wav"))
    assert data.species == ["Owl, Barn", "dove", "wren"]
    assert data.Y.to_numpy().tolist() == [[1, 0, 0], [0, 1, 1]]


def test_a_folder_with_a_minus_says_that_a_species_is_absent(touch):
    root = touch(
        "Pica pica/a.wav",
        "Parus major/b.wav",
        "-Pica_pica/c.wav",
        "-Pica pica,-Parus major/d.wav",
        "Parus major,-Pica pica/e.wav",
        "noise/f.wav",
        "-Corvus corax/g.wav",
    )
    with (
        pytest.warns(UserWarning, match=r"1 label is not among.*'Corvus corax' \(1x\)"),
        pytest.warns(UserWarning, match="'Pica_pica' for 'Pica pica'"),
    ):
        data = load_recordings(root)
    assert data.species == ["Parus major", "Pica pica"]
    found = dict(zip(names(data), data.Y.to_numpy().tolist(), strict=True))
    unknown = pytest.approx(np.nan, nan_ok=True)
    assert found == {
        "a.wav": [0, 1],
        "b.wav": [1, 0],
        "c.wav": [unknown, 0],
        "d.wav": [0, 0],
        "e.wav": [1, 0],
        "f.wav": [0, 0],
        "g.wav": [unknown, unknown],
    }


def test_a_table_of_absent_species_means_the_same(touch):
    root = touch("wren/a.wav", "dove/b.wav", "-wren/c.wav")
    folders = load_recordings(root)
    folders.X.to_csv(root / "table.csv", index=False)
    pd.testing.assert_frame_equal(load_recordings(root / "table.csv").Y, folders.Y)


def test_a_minus_may_belong_to_the_name_of_a_species():
    table = pd.DataFrame({"primary_label": ["-a", "-", "b"]})
    Y, _ = encode_labels(table, ["-a", "-", "b"])
    assert Y.to_numpy().tolist() == np.eye(3).tolist()


def test_empty_folders_are_named(touch):
    root = touch("wren/a.wav", "dove/b.wav", "owl/notes.txt", ".hidden/x.txt")
    (root / "crow" / "2021").mkdir(parents=True)
    with pytest.warns(
        UserWarning, match="2 folders of .* no recordings.*'crow', 'owl'"
    ):
        assert load_recordings(root).species == ["dove", "wren"]


@pytest.mark.parametrize("name", ["path", "primary_label", "secondary_labels", "start"])
@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_doubled_columns_are_refused(tmp_path, name, suffix):
    columns = ["path", "primary_label", "secondary_labels", "start", "end", name]
    table = pd.DataFrame([["a.wav", "wren", "", 0.0, 1.0, "b"]], columns=columns)
    file = tmp_path / f"table.{suffix}"
    if suffix == "csv":
        table.to_csv(file, index=False)
    else:
        pyarrow = pytest.importorskip("pyarrow")
        arrays = [pyarrow.array(table.iloc[:, k]) for k in range(len(columns))]
        doubled = pyarrow.Table.from_arrays(arrays, columns)
        pytest.importorskip("pyarrow.parquet").write_table(doubled, file)
    with pytest.raises(ValueError, match=rf"table.{suffix}' .*{name}"):
        load_recordings(file)
    if name in ("path", "start"):
        with pytest.raises(ValueError, match=f"X has more than one column '{name}'"):
            check_rows(table)
    else:
        with pytest.raises(
            ValueError, match=f"table has more than one column '{name}'"
        ):
            encode_labels(table)


def test_columns_of_several_levels_are_refused():
    columns = pd.MultiIndex.from_product([["path", "primary_label"], ["x"]])
    table = pd.DataFrame([["a.wav", "wren"]], columns=columns)
    for take in (check_rows, encode_labels):
        with pytest.raises(ValueError, match=r"columns of 2 levels \(a MultiIndex\)"):
            take(table)


def test_an_index_of_several_levels_may_name_the_rows_but_not_the_files():
    index = pd.MultiIndex.from_tuples([("a.wav", 0.0)], names=["file", "start_time"])
    table = pd.DataFrame({"primary_label": ["wren"]}, index=index)
    assert encode_labels(table)[0].index.equals(index)
    with pytest.raises(
        ValueError, match=r"reset_index\(\) if \['file', 'start_time'\]"
    ):
        check_rows(table)


DEEP = ["[" * 5000, "[" + "-" * 50_000 + "1]", "[" + "1+" * 30_000 + "1]", "[{[]: 1}]"]
DEEP += [
    "[" + "9" * 400 + "]",
    "[" + "9" * 9000 + "]",
    "[1e999]",
    "[['a']]",
    "['a'] + 1",
]


@pytest.mark.parametrize("cell", DEEP, ids=range(len(DEEP)))
def test_a_bad_cell_names_file_and_line(tmp_path, cell):
    table = pd.DataFrame({"path": ["a.wav", "b.wav"], "primary_label": "wren"})
    table["secondary_labels"] = ["['dove']", cell]
    table.to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises((ValueError, TypeError), match=r"t.csv', line 3: secondary_lab"):
        load_recordings(tmp_path / "t.csv")
    with pytest.raises(
        (ValueError, TypeError), match="row 'y': secondary_labels"
    ) as bad:
        encode_labels(table.set_index(pd.Index(["x", "y"])))
    assert len(str(bad.value)) < 600


def test_groups_of_which_some_are_missing_are_refused():
    y = pd.DataFrame({"wren": [0, 1, 0, 1], "dove": [1, 0, 1, 0]})
    for groups in (
        ["a", "b", np.nan, "c"],
        ["a", "b", None, "c"],
        [1.0, 2.0, np.nan, 3],
    ):
        with pytest.raises(ValueError, match=r"groups is missing .* at row 2 \(1 of 4"):
            group_train_test_split(y, groups)
        with pytest.raises(ValueError, match=r"groups is missing .* at row 2 \(1 of 4"):
            held_out_proba(KNeighborsClassifier(1), y, y, groups=pd.Series(groups))


def test_reports_and_call_types_take_labels_as_training_does():
    rows = pd.DataFrame(
        {
            "path": ["a.wav", "b.wav", "c.wav"],
            "primary_label": ["Pica pica", "Pica pica", "-Pica_pica"],
            "secondary_labels": ["", "pica pica", ""],
        }
    )
    with pytest.warns(UserWarning, match="'Pica_pica' for 'Pica pica'"):
        Y = encode_all(rows)
    assert Y.to_dict("list") == {"Pica pica": [1, 1, 0]}
    rows["primary_label"] = ["pica_pica", "Pica pica", "wren"]
    heard = np.ones((3, 1), bool)
    own = has_own_tags(rows, pd.DataFrame({"Pica pica": [1, 1, 1]}), heard)
    assert own[:, 0].tolist() == [True, True, False]


def test_lines_of_the_same_recording_are_one_row_with_all_their_labels(touch):
    root = touch("a.wav", "b.wav")
    text = "path,primary_label\na.wav,dove\nb.wav,owl\n./a.wav,wren\na.wav,dove\n"
    (root / "t.csv").write_text(text)
    with pytest.warns(UserWarning, match="2 of 4 lines of .*t.csv.* 2 rows that have"):
        data = load_recordings(root / "t.csv")
    assert names(data) == ["a.wav", "b.wav"]
    assert data.X["primary_label"].tolist() == ["dove;wren", "owl"]
    assert data.Y.to_numpy().tolist() == [[1, 0, 1], [0, 1, 0]]


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_only_lines_of_the_same_stretch_are_joined(tmp_path, suffix):
    table = pd.DataFrame(
        {
            "path": ["a.wav"] * 5,
            "start": [0, 5, 5, None, 5],
            "end": [5.0, 10.0, 10.0, 5.0, None],
            "species": ["dove", "dove", "-owl", "wren", "owl"],
        }
    )
    path = tmp_path / f"t.{suffix}"
    table.to_csv(path, index=False) if suffix == "csv" else table.to_parquet(path)
    with pytest.warns(UserWarning, match="2 of 5 lines"):
        data = load_recordings(path)
    assert data.X["primary_label"].tolist() == ["dove;wren", "dove;-owl", "owl"]
    assert data.Y["owl"].tolist() == [0, 0, 1]


def test_joined_lines_keep_secondary_labels_and_say_what_differs(tmp_path):
    (tmp_path / "t.csv").write_text(
        "path,primary_label,secondary_labels,site,rating\n"
        "a.wav,Pica pica,Parus major,creek,5\n"
        "a.wav,Bubo bubo,\"['Pica pica', 'Parus major']\",creek,4\n"
        "b.wav,Parus major,,hill,3\n"
    )
    with pytest.warns(UserWarning, match=r"columns \['rating'\], which differ"):
        data = load_recordings(tmp_path / "t.csv")
    assert data.Y.to_numpy().tolist() == [[1, 1, 1], [0, 1, 0]]
    assert data.label_weight.to_numpy().tolist() == [[1, 0.5, 1], [1, 1, 1]]
    assert data.X["rating"].tolist() == [5, 3]
    assert data.X.index.tolist() == [0, 1]


@pytest.mark.parametrize("text", ["a.wav,dove;-dove\n", "a.wav,-dove\na.wav,dove\n"])
@pytest.mark.filterwarnings("ignore:1 of 3 lines")
def test_a_species_both_absent_and_present_is_said(tmp_path, text):
    (tmp_path / "t.csv").write_text(f"path,species\n{text}b.wav,owl\n")
    with pytest.warns(UserWarning, match="1 row says .* both .* absent .*'dove'"):
        data = load_recordings(tmp_path / "t.csv")
    assert data.Y.to_numpy().tolist() == [[1, 0], [0, 1]]


def test_na_is_missing_among_numbers_only(tmp_path):
    (tmp_path / "t.csv").write_text(
        "path,start,site,rating,id\n"
        "a.wav,NA,NA,4.5,9007199254740993\n"
        "b.wav,1,None,NA,\n"
        "c.wav,,null,3,9007199254740992\n"
        "d.wav,2,,,1\n"
    )
    table, _ = read_table(tmp_path / "t.csv")
    assert table["site"].fillna("?").tolist() == ["NA", "None", "null", "?"]
    assert table["rating"].fillna(-1).tolist() == [4.5, -1, 3, -1]
    assert table["start"].fillna(-1).tolist() == [-1, 1, -1, 2]
    ids = ["9007199254740993", "?", "9007199254740992", "1"]
    assert table["id"].fillna("?").tolist() == ids


def test_a_table_in_a_folder_of_species_is_said(tmp_path):
    for name in ("wren", "dove"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.wav").touch()
    (tmp_path / "metadata.csv").write_text("path,primary_label\nwren/1.wav,dove\n")
    (tmp_path / "notes.txt").write_text("rain at night")
    message = r"metadata\.csv' has a column primary_label, but is not read"
    with pytest.warns(UserWarning, match=message) as caught:
        load_recordings(tmp_path)
    assert len(caught) == 1


def test_a_table_beside_folders_that_cannot_be_opened_costs_nothing(
    tmp_path, monkeypatch
):
    for name in ("dove", "wren"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "1.wav").touch()
    (tmp_path / "metadata.csv").touch()

    def refuse(*args):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("skbird.datasets._load_recordings.open", refuse, raising=False)
    assert len(load_recordings(tmp_path).X) == 2
