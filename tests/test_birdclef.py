"""load_birdclef: the folder shape of each year, and what is missing from it."""

import shutil

import numpy as np
import pandas as pd
import pytest
import soundfile

from skbird.datasets import load_birdclef, make_birdclef
from skbird.datasets._birdclef_files import read_csv


def _write_audio(path, seconds=1):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.zeros(8000 * seconds, dtype="float32"), 8000)


def _write_csv(path, **columns):
    pd.DataFrame(columns).to_csv(path, index=False)


@pytest.fixture
def root_2021(tmp_path):
    _write_csv(
        tmp_path / "train_metadata.csv",
        primary_label=["amerob", "norcar"],
        secondary_labels=["['norcar']", "[]"],
        filename=["XC1.ogg", "XC2.ogg"],
        scientific_name=["Turdus migratorius", "Cardinalis cardinalis"],
        common_name=["American Robin", "Northern Cardinal"],
        author=["Ann", None],
        url=["https://www.xeno-canto.org/1", "https://www.xeno-canto.org/2"],
    )
    _write_audio(tmp_path / "train_short_audio/amerob/XC1.ogg")
    _write_audio(tmp_path / "train_short_audio/norcar/XC2.ogg")
    _write_audio(tmp_path / "train_soundscapes/7_COR_20190904.ogg", 10)
    _write_audio(tmp_path / "train_soundscapes/8_SSW_20190904.ogg", 5)
    _write_csv(
        tmp_path / "train_soundscape_labels.csv",
        row_id=["7_COR_5", "7_COR_10"],
        site="COR",
        audio_id=7,
        seconds=[5, 10],
        birds=["nocall", "amerob norcar"],
    )
    _write_csv(tmp_path / "sample_submission.csv", row_id=["9_COR_5"], birds="nocall")
    return tmp_path


@pytest.fixture
def root_2025(tmp_path):
    _write_csv(
        tmp_path / "train.csv",
        primary_label=["41970", "amerob", "amerob"],
        secondary_labels=["['']", "['41970']", "['']"],
        filename=["41970/iNat5.ogg", "amerob/XC1.ogg", "amerob/CSA2.ogg"],
        collection=["iNat", "XC", "CSA"],
        author=["Ann", "Bob", "Cem"],
        rating=[0.0, 4.5, 0.0],
    )
    _write_csv(
        tmp_path / "taxonomy.csv",
        primary_label=["41970", "amerob", "22333"],
        inat_taxon_id=[41970, 12727, 22333],
        scientific_name=["Panthera onca", "Turdus migratorius", "Rana sp"],
        common_name=["Jaguar", "American Robin", "Frog"],
        class_name=["Mammalia", "Aves", "Amphibia"],
    )
    for name in ("41970/iNat5.ogg", "amerob/XC1.ogg", "amerob/CSA2.ogg"):
        _write_audio(tmp_path / "train_audio" / name)
    _write_audio(tmp_path / "train_soundscapes/H02_20230420_074000.ogg", 12)
    (tmp_path / "test_soundscapes").mkdir()
    (tmp_path / "test_soundscapes/readme.txt").write_text("hidden")
    _write_csv(
        tmp_path / "sample_submission.csv",
        **{"row_id": ["soundscape_1_5"], "22333": 0.3, "41970": 0.3, "amerob": 0.3},
    )
    return tmp_path


def test_2025(root_2025):
    data = load_birdclef(root_2025)
    assert data.species == ["22333", "41970", "amerob"]
    np.testing.assert_array_equal(data.Y, [[0, 1, 0], [0, 1, 1], [0, 0, 1]])
    np.testing.assert_array_equal(data.label_weight.iloc[1], [1, 0.5, 1])
    assert list(data.X.columns[:3]) == ["path", "collection", "group"]
    assert list(data.X["group"]) == ["Mammalia", "Aves", "Aves"]
    assert list(data.X["author"]) == ["Ann", "Bob", "Cem"]
    assert list(data.groups) == list(data.X["collection"]) == ["iNat", "XC", "CSA"]
    assert list(data.species_table["group"]) == ["Amphibia", "Mammalia", "Aves"]
    assert data.species_table.loc["amerob", "common_name"] == "American Robin"
    assert list(data.unlabeled["row_id"].str.rsplit("_").str[-1]) == ["5", "10", "15"]
    assert set(data.unlabeled["collection"]) == {"soundscape"}
    assert data.soundscapes is None
    assert data.soundscapes_Y is None
    assert data.test.empty
    assert {"path", "start", "end", "row_id"} <= set(data.test.columns)
    assert data.test_Y is None
    assert list(data.sample_submission["row_id"]) == ["soundscape_1_5"]
    assert "3 recordings of 3 species" in data.DESCR


def test_2025_species_come_from_the_taxonomy_without_a_submission(root_2025):
    (root_2025 / "sample_submission.csv").unlink()
    data = load_birdclef(root_2025)
    assert data.species == ["41970", "amerob", "22333"]
    assert data.sample_submission is None


def test_recordings_of_no_species_are_said(root_2025):
    assert "none of them" not in load_birdclef(root_2025).DESCR
    table = pd.read_csv(root_2025 / "train.csv", dtype=str)
    table.loc[2, "primary_label"] = "nocall"
    table.to_csv(root_2025 / "train.csv", index=False)
    data = load_birdclef(root_2025)
    assert "3 recordings of 3 species" in data.DESCR
    assert "secondary included), 1 row with none of them, by" in data.DESCR


def test_species_and_weight_are_passed_on(root_2025):
    data = load_birdclef(root_2025, species=["amerob", "41970"], secondary_weight=0)
    assert data.species == ["amerob", "41970"]
    assert data.label_weight.loc[1, "41970"] == 0
    with pytest.warns(UserWarning, match="'41970'"):
        load_birdclef(root_2025, species=["amerob"])


def test_2021(root_2021):
    data = load_birdclef(root_2021)
    assert data.species == ["amerob", "norcar"]
    assert data.X["path"][0].endswith("XC1.ogg")
    assert set(data.X["collection"]) == {"XC"}
    assert set(data.X["group"]) == {"unknown"}
    # One collection only: recordists are kept apart instead.
    assert list(data.groups) == ["Ann", "unknown"]
    assert list(data.soundscapes["row_id"]) == ["7_COR_5", "7_COR_10"]
    np.testing.assert_array_equal(data.soundscapes_Y, [[0, 0], [1, 1]])
    assert list(data.unlabeled["row_id"]) == ["8_SSW_5"]


def test_ebird_taxonomy_of_2023_names_the_group(root_2021):
    _write_csv(
        root_2021 / "eBird_Taxonomy_v2021.csv",
        SPECIES_CODE=["ostric2", "amerob"],
        PRIMARY_COM_NAME=["Common Ostrich", "American Robin"],
        SCI_NAME=["Struthio camelus", "Turdus migratorius"],
    )
    with open(root_2021 / "eBird_Taxonomy_v2021.csv", "a") as file:
        file.write(",,\n")  # spreadsheets write blank lines so
    data = load_birdclef(root_2021)
    assert len(read_csv(root_2021 / "eBird_Taxonomy_v2021.csv")) == 2
    assert list(data.species_table["group"]) == ["Aves", "unknown"]
    assert data.species == ["amerob", "norcar"]


def test_what_macos_leaves_beside_soundscapes_is_none(root_2021):
    before = load_birdclef(root_2021)
    for path in list((root_2021 / "train_soundscapes").iterdir()):
        path.with_name(f"._{path.name}").write_bytes(b"\0\5\x16\7")
    after = load_birdclef(root_2021)
    pd.testing.assert_frame_equal(before.unlabeled, after.unlabeled)


def test_2024_keeps_unlabelled_soundscapes_in_a_folder_of_their_own(root_2021):
    (root_2021 / "train_soundscape_labels.csv").unlink()
    (root_2021 / "train_soundscapes").rename(root_2021 / "unlabeled_soundscapes")
    (root_2021 / "train_short_audio").rename(root_2021 / "train_audio")
    data = load_birdclef(root_2021)
    assert len(data.unlabeled) == 3
    assert data.soundscapes is None


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"url": ["https://xeno-canto.org/1", None]}, ["XC", "iNat"]),
        ({"url": ["https://www.inaturalist.org/1", "x"]}, ["iNat", "iNat"]),
        ({}, ["unknown", "iNat"]),
        ({"collection": ["CSA", None]}, ["CSA", "unknown"]),
    ],
)
def test_collection_is_found(tmp_path, columns, expected):
    names = ["a/r1.ogg", "a/iNat2.ogg"]
    _write_csv(tmp_path / "train.csv", primary_label="a", filename=names, **columns)
    for name in names:
        _write_audio(tmp_path / "train_audio" / name)
    assert list(load_birdclef(tmp_path).X["collection"]) == expected


def test_missing_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such folder"):
        load_birdclef(tmp_path / "nowhere")


def test_missing_table(root_2025):
    (root_2025 / "train.csv").unlink()
    with pytest.raises(
        FileNotFoundError, match=r"train.csv or train_metadata.csv; found: .*taxonomy"
    ):
        load_birdclef(root_2025)


def test_missing_column(root_2025):
    _write_csv(root_2025 / "train.csv", primary_label=["a"], file=["a.ogg"])
    with pytest.raises(ValueError, match=r"lacks the columns \['filename'\]"):
        load_birdclef(root_2025)


def test_missing_audio_folder(root_2025):
    (root_2025 / "train_audio").rename(root_2025 / "audio")
    with pytest.raises(FileNotFoundError, match="no train_audio/ or train_short"):
        load_birdclef(root_2025)


def test_missing_recording(root_2025):
    (root_2025 / "train_audio/amerob/XC1.ogg").unlink()
    with pytest.raises(
        FileNotFoundError,
        match=r"1 recording of 3.*\['amerob/XC1.ogg'\]. It holds 2 files",
    ):
        load_birdclef(root_2025)


def test_truth_of_a_missing_soundscape(root_2021):
    (root_2021 / "train_soundscapes/7_COR_20190904.ogg").unlink()
    with pytest.raises(ValueError, match=r"2 row_id that no soundscape has.*7_COR_10"):
        load_birdclef(root_2021)


def test_a_species_may_be_called_na(brief_recordings, tmp_path):
    sizes = {"n_test": 1, "n_labeled": 0, "n_unlabeled": 0, "soundscape_s": 10}
    make_birdclef(tmp_path / "set", n_species=2, n_recordings=6, **sizes)
    table = pd.read_csv(tmp_path / "set" / "train.csv", dtype=str)
    table.loc[0, "primary_label"] = "NA"
    table.to_csv(tmp_path / "set" / "train.csv", index=False)
    data = load_birdclef(tmp_path / "set", species=["NA"])
    assert data.Y["NA"].tolist() == [1, 0, 0, 0, 0, 0]


def test_tables_that_a_spreadsheet_saved_are_read(root_2025):
    path = root_2025 / "train.csv"
    header, *lines = path.read_text().splitlines()
    lines = [f"{line}," for line in lines]
    lines[1] = lines[1].replace("Bob", "Jörg")
    path.write_bytes("\n".join([header, *lines]).encode("cp1252"))
    X = load_birdclef(root_2025).X
    assert X["author"].tolist() == ["Ann", "Jörg", "Cem"]
    assert X["primary_label"].tolist() == ["41970", "amerob", "amerob"]


@pytest.mark.parametrize("end", ["\r", "\r\n"])
def test_lines_of_other_systems_are_read(root_2025, end):
    path = root_2025 / "train.csv"
    path.write_bytes(path.read_text().replace("\n", end).encode())
    assert load_birdclef(root_2025).X["author"].tolist() == ["Ann", "Bob", "Cem"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        'primary_label,filename\n"a\n',
        "a,b\n1,2\n1,2,3,4\n",
        '"' + "a" * 200_000,
        f"a,{'b' * 200_000}\n1,2\n",
    ],
    ids=["empty", "open quote", "more cells", "no end", "long name"],
)
def test_a_damaged_table_is_named(root_2025, text):
    (root_2025 / "taxonomy.csv").write_text(text)
    with pytest.raises(ValueError, match=r"taxonomy\.csv' is no table that can be"):
        load_birdclef(root_2025)


def test_folders_of_species_may_be_links(root_2025):
    folder = root_2025 / "train_audio" / "amerob"
    folder.rename(root_2025 / "other disk")
    folder.symlink_to(root_2025 / "other disk")
    assert load_birdclef(root_2025).X["path"][1] == str(folder / "XC1.ogg")


def test_recordings_that_are_named_twice_are_one_row(root_2025):
    once, path = load_birdclef(root_2025), root_2025 / "train.csv"
    path.write_text(path.read_text() + "".join(path.read_text().splitlines(True)[1:]))
    with pytest.warns(UserWarning, match="3 of 6 lines of .*train.csv"):
        twice = load_birdclef(root_2025)
    pd.testing.assert_frame_equal(twice.Y, once.Y)
    pd.testing.assert_frame_equal(twice.label_weight, once.label_weight)
    for name in ("path", "group", "primary_label", "rating"):
        assert twice.X[name].tolist() == once.X[name].tolist()
    assert len(twice.groups) == 3


@pytest.fixture(scope="module")
def made_once(brief_recordings, tmp_path_factory):
    root = tmp_path_factory.mktemp("made") / "set"
    sizes = {"n_test": 2, "n_labeled": 2, "n_unlabeled": 0, "soundscape_s": 10}
    make_birdclef(root, n_species=3, n_recordings=6, **sizes)
    return root


@pytest.fixture
def made(made_once, tmp_path):
    """A made folder of which tables may be changed."""
    shutil.copytree(made_once, tmp_path / "set")
    return tmp_path / "set"


def _change(path, change):
    path.write_text(change(path.read_text()))


@pytest.mark.slow
@pytest.mark.parametrize("decimal", [".", ","])
def test_side_tables_may_have_semicolons_and_blank_lines(made, decimal):
    expected = load_birdclef(made)
    for name in ("taxonomy.csv", "soundscape_calls.csv", "soundscape_truth.csv"):
        table = pd.read_csv(made / name)
        table.to_csv(made / name, sep=";", decimal=decimal, index=False)
        _change(made / name, lambda text: text + ";" * text.split("\n")[0].count(";"))
    data = load_birdclef(made)
    pd.testing.assert_frame_equal(data.calls, expected.calls)
    pd.testing.assert_frame_equal(data.test_Y, expected.test_Y)
    assert data.X["group"].tolist() == expected.X["group"].tolist()


@pytest.mark.parametrize("name", ["soundscape_truth", "train_soundscape_truth"])
def test_lines_that_are_twice_in_a_table_count_once(made, name):
    expected = load_birdclef(made)
    for file in (f"{name}.csv", "soundscape_calls.csv", "taxonomy.csv"):
        _change(made / file, lambda text: text + text.split("\n", 1)[1])
    with pytest.warns(
        UserWarning, match="/soundscape_.* repeats 4 lines; .* count|repeats 4 lines"
    ):
        data = load_birdclef(made)
    pd.testing.assert_frame_equal(data.test_Y, expected.test_Y)
    pd.testing.assert_frame_equal(data.soundscapes_Y, expected.soundscapes_Y)
    pd.testing.assert_frame_equal(data.calls, expected.calls)
    assert data.species == expected.species


@pytest.mark.parametrize("name", ["soundscape_truth", "train_soundscape_truth"])
def test_the_caller_is_told_of_species_that_a_truth_spells_otherwise(made, name):
    expected = load_birdclef(made)
    species = expected.species[-1]
    _change(made / f"{name}.csv", lambda text: text.replace(species, species.upper()))
    with pytest.warns(UserWarning, match=f"'{species.upper()}' for") as caught:
        data = load_birdclef(made)
    assert [warning.filename for warning in caught] == [__file__]
    pd.testing.assert_frame_equal(data.test_Y, expected.test_Y)
    pd.testing.assert_frame_equal(data.soundscapes_Y, expected.soundscapes_Y)


@pytest.mark.parametrize("n_lines", [0, 3])
def test_rows_that_a_truth_lacks_are_unknown(made, n_lines):
    def cut(text):
        return "".join(text.splitlines(True)[: n_lines + 1])

    _change(made / "soundscape_truth.csv", cut)
    with pytest.warns(UserWarning, match=rf"_truth\.csv .* {4 - n_lines} of 4 rows"):
        data = load_birdclef(made)
    assert len(data.test_Y) == len(data.test) == 4
    assert data.test_Y.isna().all(axis=1).sum() == 4 - n_lines


def test_rows_that_the_labels_of_soundscapes_lack_are_said(made):
    file = made / "train_soundscape_truth.csv"
    _change(file, lambda text: "".join(text.splitlines(True)[:4]))
    with pytest.warns(UserWarning, match=r"_truth\.csv says nothing of 1 row "):
        assert len(load_birdclef(made).soundscapes) == 3


def test_labels_of_the_same_row_are_joined(root_2021):
    file = root_2021 / "train_soundscape_labels.csv"
    _change(file, lambda text: text + "7_COR_10,COR,7,10,norcar\n")
    with pytest.warns(UserWarning, match=r"_labels\.csv has 1 line with the row_id"):
        data = load_birdclef(root_2021)
    assert data.soundscapes_Y.to_numpy().tolist() == [[0, 0], [1, 1]]


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("taxonomy", lambda t: t.replace("primary", "first"), "lacks the columns"),
        ("soundscape_truth", lambda t: t.replace("row_id", "id"), "lacks the columns"),
        ("soundscape_calls", lambda t: t.replace("start", "on"), "lacks the columns"),
        ("soundscape_calls", lambda t: t + "a.ogg,,1,2,,\n", "no species in row"),
        ("soundscape_calls", lambda t: t + ",x,1,2,,\n", "no filename in row"),
        ("soundscape_calls", lambda t: t + "a.ogg,x,1,b,,\n", "'b' is not a number"),
        (
            "soundscape_truth",
            lambda t: t.replace(",1", ",yes"),
            "'yes' is not a number",
        ),
        ("soundscape_truth", lambda t: t.replace(",1", ",7"), r"outside \[0, 1\]"),
        (
            "soundscape_truth",
            lambda t: t + t.split("\n")[1][:-1] + ".25\n",
            "different things of row_id",
        ),
    ],
)
def test_what_is_wrong_in_a_side_table_names_it(made, name, change, message):
    _change(made / f"{name}.csv", change)
    with pytest.raises(ValueError, match=rf"/{name}\.csv.* {message}"):
        load_birdclef(made)


@pytest.mark.parametrize("name", ["taxonomy", "soundscape_truth", "sample_submission"])
def test_a_folder_in_the_place_of_a_table_is_said(made, name):
    (made / f"{name}.csv").unlink()
    (made / f"{name}.csv").mkdir()
    with pytest.raises(ValueError, match=rf"{name}\.csv' is a folder, not a file"):
        load_birdclef(made)


def test_a_taxonomy_that_lacks_species_is_said(made):
    _change(made / "taxonomy.csv", lambda text: "".join(text.splitlines(True)[:2]))
    with pytest.warns(UserWarning, match="no group of . of 6 recordings"):
        load_birdclef(made)
