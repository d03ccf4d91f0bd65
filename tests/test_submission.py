import csv

import numpy as np
import pandas as pd
import pytest

from skbird.annotations import write_submission

SPECIES = ["amerob", "banowl", "22973"]


@pytest.fixture
def rows():
    return pd.DataFrame(
        {
            "path": ["x/H1.ogg", "x/H1.ogg", "y/H2.v2.ogg"],
            "start": [0.0, 5.0, 0.0],
            "end": [5.0, 9.9999999, 5.0],
        }
    )


@pytest.fixture
def proba():
    return np.random.default_rng(0).random((3, 3)).astype(np.float32)


@pytest.fixture
def sample():
    """Sample submission: other order of lines and of species."""
    row_ids = ["H2.v2_5", "H1_5", "H1_10"]
    return pd.DataFrame({"row_id": row_ids, "22973": 0.3, "amerob": 0.3, "banowl": 0.3})


def test_lines_are_named_by_file_and_end(rows, proba, tmp_path):
    path = tmp_path / "submission.csv"
    submission = write_submission(proba, rows, path, species=SPECIES)
    with path.open(newline="") as file:
        header, *lines = csv.reader(file)
    assert header == ["row_id", *SPECIES]
    assert [line[0] for line in lines] == ["H1_5", "H1_10", "H2.v2_5"]
    values = np.array([line[1:] for line in lines], dtype=float)
    np.testing.assert_allclose(values, proba, rtol=1e-7)
    assert submission["row_id"].tolist() == ["H1_5", "H1_10", "H2.v2_5"]
    np.testing.assert_array_equal(submission[SPECIES], proba)


def test_given_row_ids_are_used(rows, proba, tmp_path):
    rows["row_id"] = ["001", "002", "NA"]
    submission = write_submission(proba, rows, tmp_path / "s.csv", species=SPECIES)
    assert submission["row_id"].tolist() == ["001", "002", "NA"]


@pytest.mark.parametrize("from_file", [False, True])
def test_order_is_that_of_the_sample(rows, proba, sample, tmp_path, from_file):
    like = sample
    if from_file:
        like = tmp_path / "sample_submission.csv"
        sample.to_csv(like, index=False)
    path = tmp_path / "submission.csv"
    submission = write_submission(proba, rows, path, like=like, species=SPECIES)
    assert submission.columns.tolist() == sample.columns.tolist()
    assert submission["row_id"].tolist() == sample["row_id"].tolist()
    expected = proba[[2, 0, 1]][:, [2, 0, 1]]
    np.testing.assert_array_equal(submission.drop(columns="row_id"), expected)
    written = pd.read_csv(path)
    np.testing.assert_allclose(written.drop(columns="row_id"), expected, rtol=1e-7)


def test_columns_of_a_frame_name_the_species(rows, proba, sample, tmp_path):
    frame = pd.DataFrame(proba, columns=["amerob", "banowl", 22973], index=[7, 8, 9])
    submission = write_submission(frame, rows, tmp_path / "s.csv", like=sample)
    np.testing.assert_array_equal(submission["22973"], proba[[2, 0, 1], 2])
    with pytest.raises(ValueError, match="Leave species out"):
        write_submission(frame, rows, tmp_path / "s.csv", species=SPECIES[::-1])


def test_nan_is_refused_or_filled(rows, proba, tmp_path):
    proba[1] = np.nan
    with pytest.raises(ValueError, match=r"1 of 3 rows \('H1_10'\).*fill_nan"):
        write_submission(proba, rows, tmp_path / "s.csv", species=SPECIES)
    submission = write_submission(
        proba, rows, tmp_path / "s.csv", species=SPECIES, fill_nan=0.25
    )
    assert (submission.loc[1, SPECIES] == 0.25).all()
    assert np.isnan(proba[1]).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"species": None}, r"species=model\.species_"),
        ({"species": ["a", "b"]}, r"\(n_rows, 2\) is needed"),
        ({"species": ["a", "b", "a"]}, "species must be unique; repeated: 'a'"),
        ({"species": ["a", "b", "c\nd"]}, "must not hold line breaks"),
        ({"proba": np.full((3, 3), 1.5)}, r"outside \[0, 1\] in 3 of 3 rows.*sigmoid"),
        ({"proba": np.ones((2, 3))}, "proba has 2 rows and X has 3"),
        ({"X": pd.DataFrame({"path": ["a", "b", "c"]})}, "'path' and 'end'"),
        (
            {"X": pd.DataFrame({"path": ["a.ogg"] * 3, "end": [5, 5.2, 10]})},
            "row_id must be unique; repeated: 'a_5'.*whole seconds",
        ),
        (
            {"X": pd.DataFrame({"path": ["a", "b", "c"], "end": [5, np.nan, 5]})},
            "is nan at row 1",
        ),
        ({"fill_nan": 2}, "fill_nan=2 must be"),
    ],
)
def test_bad_input_is_refused(rows, proba, tmp_path, change, message):
    arguments = {"proba": proba, "X": rows, "species": SPECIES} | change
    with pytest.raises(ValueError, match=message):
        write_submission(path=tmp_path / "s.csv", **arguments)
    assert not list(tmp_path.iterdir())


def test_rows_must_be_a_table(proba, tmp_path):
    with pytest.raises(TypeError, match="segment_table"):
        write_submission(proba, ["a.ogg"] * 3, tmp_path / "s.csv", species=SPECIES)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda like: like.iloc[:2], "row ids .* 0 missing .* 1 too many .'H1_10'"),
        (lambda like: like.assign(row_id=["H1_5", "H1_10", "H9_5"]), "missing .'H9_5'"),
        (lambda like: like.drop(columns="amerob"), "species .* 1 too many .'amerob'"),
        (lambda like: like.assign(new=0.0), "species .* 1 missing .'new'"),
        (lambda like: like.drop(columns="row_id"), "like has no column 'row_id'"),
        (lambda like: like.assign(row_id=["H1_5", None, "H1_10"]), "empty in 1 of 3"),
        (lambda like: like.iloc[[0, 1, 2, 1]], "unique; 1 are there again .'H1_5'"),
        (lambda like: like.iloc[:, [0, 1, 1, 2, 3]], "columns twice: '22973'"),
    ],
)
def test_differences_from_the_sample_are_named(
    rows, proba, sample, tmp_path, change, message
):
    with pytest.raises(ValueError, match=message):
        write_submission(
            proba, rows, tmp_path / "s.csv", like=change(sample), species=SPECIES
        )


def test_a_failed_write_leaves_the_old_file(rows, proba, tmp_path, monkeypatch):
    path = tmp_path / "submission.csv"
    path.write_text("old")

    def fail(self, file, **kwargs):
        file.write("half a line")
        raise OSError("disk full")

    monkeypatch.setattr(pd.DataFrame, "to_csv", fail)
    with pytest.raises(OSError, match="disk full"):
        write_submission(proba, rows, path, species=SPECIES)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_awkward_names_survive_as_they_are(rows, proba, tmp_path):
    names = ["=1+1", 'a "b", c', "-x"]
    path = tmp_path / "s.csv"
    write_submission(proba, rows, path, species=names)
    with path.open(newline="") as file:
        assert next(csv.reader(file)) == ["row_id", *names]


def test_a_missing_folder_is_named(rows, proba, tmp_path):
    with pytest.raises(FileNotFoundError, match="no does not exist"):
        write_submission(proba, rows, tmp_path / "no" / "s.csv", species=SPECIES)
