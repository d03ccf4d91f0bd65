"""Names of species and files that are spelled in several ways: matched, or said."""

import os
import pickle
import sys
import unicodedata
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from sklearn.base import BaseEstimator

from skbird.annotations import boxes_to_rows
from skbird.annotations._submission import arrange
from skbird.archive import predict_archive
from skbird.audio import read_audio
from skbird.data import Recordings, encode_labels, segment_table
from skbird.data._recordings import file_identity
from skbird.datasets import load_recordings
from skbird.metrics import event_report, match_events
from skbird.preprocessing import LogMel
from skbird.utils._names import existing_path, match_names, printable_path

NFC, NFD = "Ka\u0308uz"[:1] + "\u00e4uz", "Ka\u0308uz"
SPELLINGS = ["Pica_pica", "pica pica", " Pica  pica", "PICA_PICA ", "Pica\u00a0pica"]
needs_bytes = pytest.mark.skipif(
    sys.platform in ("win32", "darwin"), reason="names of files are UTF-8 here"
)


@pytest.fixture
def put(tmp_path):
    """Return a function that writes a short recording and returns its path."""

    def put(name):
        path = os.path.join(tmp_path, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            soundfile.write(file, np.full(8000, 0.1), 8000, format="WAV")
        return path

    return put


@pytest.mark.parametrize("spelled", [*SPELLINGS, NFD])
def test_labels_are_matched_with_species_that_are_spelled_otherwise(spelled):
    species = ["Parus major", "Pica pica", NFC]
    table = pd.DataFrame({"primary_label": [spelled, "Parus major"]})
    with pytest.warns(UserWarning, match="1 label is taken for a species .* for '"):
        Y, _ = encode_labels(table, species)
    assert list(Y.columns) == species
    assert Y.to_numpy().argmax(axis=1).tolist() == [2 if spelled == NFD else 1, 0]
    assert Y.to_numpy().sum() == 2


def test_several_spellings_are_one_species_by_the_name_that_is_commonest():
    labels = ["pica_pica", "Pica pica", "Pica pica", "Parus major"]
    table = pd.DataFrame({"primary_label": labels, "secondary_labels": "PICA_PICA"})
    with pytest.warns(UserWarning, match="2 labels .*'PICA_PICA' for 'Pica pica'"):
        Y, label_weight = encode_labels(table)
    assert Y.to_dict("list") == {"Parus major": [0, 0, 0, 1], "Pica pica": [1] * 4}
    assert label_weight["Pica pica"].tolist() == [1, 1, 1, 0.5]


@pytest.mark.filterwarnings("error")
def test_an_exact_match_wins_and_is_not_talked_about():
    table = pd.DataFrame({"primary_label": ["a1", "b"]})
    assert encode_labels(table, ["b", "a1"])[0].to_numpy().tolist() == [[0, 1], [1, 0]]


def test_species_named_in_two_spellings_are_two_and_that_is_said():
    table = pd.DataFrame({"primary_label": ["Pica pica", "Pica_pica", "pica pica"]})
    with (
        pytest.warns(UserWarning, match="species has 'Pica pica' and 'Pica_pica'"),
        pytest.warns(UserWarning, match=r"1 label is not among.*'pica pica' \(1x\)"),
    ):
        Y, _ = encode_labels(table, ["Pica pica", "Pica_pica"])
    assert Y.to_numpy().tolist() == [[1, 0], [0, 1], [0, 0]]


@pytest.mark.parametrize("cell", ["nocall", "NoCall", "no_call", " No call "])
def test_nocall_is_no_species_however_it_is_written(cell):
    Y, _ = encode_labels(pd.DataFrame({"primary_label": [cell]}), ["wren"])
    assert Y.to_numpy().tolist() == [[0]]


def test_folders_of_one_species_in_two_spellings(put):
    put("Pica pica/a.wav")
    root = Path(put("pica_pica/b.wav")).parents[1]
    put("Parus major/c.wav")
    with pytest.warns(UserWarning, match="'pica_pica' for 'Pica pica'"):
        data = load_recordings(root)
    assert data.species == ["Parus major", "Pica pica"]
    assert data.Y["Pica pica"].sum() == 2


def test_names_like_several_are_like_none():
    assert match_names(["a b", "x"], ["A b", "a_b"]) == {}


@pytest.mark.parametrize("on_disk", ["NFC", "NFD"])
@pytest.mark.parametrize("in_table", ["NFC", "NFD"])
@pytest.mark.parametrize("separator", ["/", "\\"])
def test_a_table_finds_files_in_either_form(put, on_disk, in_table, separator):
    name = "Wälder/Käuze/ö.wav"
    path = put(unicodedata.normalize(on_disk, name))
    put("plain/night.wav")
    root = Path(put("other.wav")).parent
    spelled = unicodedata.normalize(in_table, name).replace("/", separator)
    (root / "table.csv").write_text(
        f"path,species\n{spelled},wren\nplain{separator}night.wav,owl\n",
        encoding="utf-8",
    )
    paths = load_recordings(root / "table.csv").X["path"].tolist()
    assert paths == [path, str(root / "plain" / "night.wav")]


@pytest.mark.skipif(os.sep == "\\", reason="backslashes separate folders here")
def test_a_backslash_may_belong_to_a_name(put):
    path = put("a\\b.wav")
    assert existing_path("a\\b.wav", os.path.dirname(path)) == path


@pytest.mark.parametrize("name", ["a.wav", NFC, "a\\b", "\ud800.wav", "a\0b\\ä"])
def test_names_of_nothing_stay_as_they_are(tmp_path, name):
    assert existing_path(name, str(tmp_path)) == os.path.join(tmp_path, name)


@needs_bytes
@pytest.mark.parametrize("name", [b"K\xe4uz.wav", b"\xff\xc3\xa4/\xe9.wav"])
def test_names_that_are_not_utf_8_are_printable_and_found(put, name):
    path = put(os.fsdecode(name))
    shown = printable_path(path)
    assert shown.encode().isascii() == (b"\xc3" not in name)
    assert existing_path(shown) == path


def test_surrogates_that_are_no_bytes_are_printable():
    assert printable_path("\ud800\udce4.wav") == "\ufffd\\xe4.wav"


def test_boxes_find_species_and_recordings_that_are_spelled_otherwise():
    boxes = pd.DataFrame(
        {
            "path": [f"a\\{NFD}.wav", f"a/{NFC}.wav"],
            "start": [1.0, 6.0],
            "end": [2.0, 7.0],
            "species": ["pica_pica", "Pica pica"],
        }
    )
    rows = pd.DataFrame({"path": f"a/{NFC}.wav", "start": [0.0, 5.0]})
    rows["end"] = rows["start"] + 5
    for species in (None, ["Pica pica"]):
        with pytest.warns(UserWarning, match="'pica_pica' for 'Pica pica'"):
            _, Y = boxes_to_rows(boxes, rows, species=species)
        assert Y.to_dict("list") == {"Pica pica": [1, 1]}


@pytest.mark.parametrize("species", [None, ["Pica pica"]])
def test_events_are_matched_whatever_the_spelling_of_their_species(species):
    true = pd.DataFrame(
        {"path": NFC, "start": [0.0], "end": [1.0], "species": ["Pica pica"]}
    )
    predicted = true.assign(species="Pica_pica", path=NFD)
    with pytest.warns(UserWarning, match="'Pica_pica' for 'Pica pica'"):
        report = event_report(true, predicted, species=species, recordings=[NFD])
    assert report.loc["Pica pica", "f1"] == 1
    with pytest.warns(UserWarning, match="'Pica_pica' for 'Pica pica'"):
        assert len(match_events(true, predicted)) == 1


def test_two_species_alike_stay_apart_in_a_report_of_both():
    true = pd.DataFrame({"path": "a", "start": 0.0, "end": 1.0, "species": ["A", "a"]})
    with pytest.warns(UserWarning, match="species has 'A' and 'a'"):
        report = event_report(true, true.iloc[:1], species=["A", "a"])
    assert report["n_matched"].tolist() == [1, 0]


def test_a_submission_has_the_spelling_of_the_sample():
    like = pd.DataFrame({"row_id": [f"{NFC}_5"], "Pica pica": [0.5]})
    rows = pd.DataFrame({"path": [f"{NFD}.ogg"], "end": [5.0]})
    proba = pd.DataFrame({"Pica_pica": [0.25]})
    with pytest.warns(UserWarning, match="'Pica_pica' for 'Pica pica'"):
        table = arrange(proba, rows, like=like)
    assert table["Pica pica"].to_dict() == {f"{NFC}_5": 0.25}


@needs_bytes
@pytest.mark.parametrize("cached", [False, True])
def test_a_name_that_is_not_utf_8_costs_no_other_row(put, tmp_path, cached):
    cache = tmp_path / "cache" if cached else None
    odd, good = put(os.fsdecode(b"K\xe4uz.wav")), put("good.wav")
    gone = os.fsdecode(b"\xff.wav")
    paths = [odd, good, gone, odd]
    table = segment_table(paths, on_error="skip")
    assert table["end"].isna().tolist() == [False, False, True, False]
    log_mel = LogMel(8, on_error="skip", cache_dir=cache)
    with pytest.warns(UserWarning, match=r"1 of 4 rows .*\\xff.wav does not exist"):
        spectrograms = log_mel.fit_transform(paths)
    assert spectrograms.n_frames[[0, 1, 3]].all()
    assert spectrograms.errors["row"].tolist() == [2]
    assert "\\xff.wav does not exist" in spectrograms.errors["error"][0]
    str(spectrograms.errors).encode()
    pickle.dumps(Recordings(paths))


@needs_bytes
def test_an_archive_goes_on_beside_a_name_that_is_not_utf_8(put, tmp_path):
    pytest.importorskip("pyarrow")
    paths = [put(os.fsdecode(b"K\xe4uz.wav")), put("good.wav")]
    run = predict_archive(Constant(), paths, tmp_path / "out", verbose=0)
    assert run.read()["path"].tolist() == paths[1:]
    assert "K\\xe4uz.wav" in run.errors["path"][0]


class Constant(BaseEstimator):
    species_ = ("owl",)

    def predict_proba(self, X):
        return np.array([[clip.samples.mean()] for clip in Recordings(X)])


def test_sound_is_found_in_either_form(put):
    put(f"{NFD}.wav")
    path = os.path.join(os.path.dirname(put("a.wav")), f"{NFC}.wav")
    assert len(read_audio(path)[0]) == 8000
    assert file_identity(path)[1] > 0
    assert len(segment_table([path])) == 1
