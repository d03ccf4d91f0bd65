"""How scripts of users call what has type hints: ``nox -s types`` checks this file.

Nothing here is run.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import assert_type

import numpy as np
import pandas as pd

import skbird
from skbird.annotations import proba_to_events, read_raven, write_submission
from skbird.archive import ArchiveResult, predict_archive
from skbird.audio import AudioHeader, list_audio, read_audio, read_header
from skbird.data import (
    Clip,
    Recordings,
    as_recordings,
    encode_labels,
    recording_weights,
    segment_table,
)
from skbird.metrics import co_activation, macro_roc_auc, padded_cmap, species_report
from skbird.nn import SEDClassifier


def read(folder: Path) -> pd.DataFrame:
    """Look at the recordings of a folder, and return its rows."""
    files = list_audio(folder)
    assert_type(files, list[str])
    assert_type(read_header(files[0]), AudioHeader)
    samples, sample_rate = read_audio(files[0])
    print(samples.mean() / sample_rate)
    rows = segment_table([Path(file) for file in files], segment_s=5.0)
    recordings = as_recordings(rows)
    assert_type(recordings[0], Clip)
    assert_type(recordings[[0, 1]], Recordings)
    assert_type(recordings[np.array([True, False])], Recordings)
    assert_type(recordings[2:5], Recordings)
    for clip in recordings:
        print(clip.samples.shape, clip.sample_rate)
    return rows


def weigh(table: pd.DataFrame) -> np.ndarray:
    """Weigh recordings by what a table says of them."""
    Y, _label_weight = encode_labels(table)
    return recording_weights(table, Y, collection={"XC": 1.0, "CSA": 2})


def judge(truth: pd.DataFrame, proba: np.ndarray, wanted: bool) -> float:
    """Judge predictions in several ways."""
    score, skipped = macro_roc_auc(truth, proba, return_skipped=True)
    print(f"{score:.3f}, without {len(skipped)} species")
    either = macro_roc_auc(truth, proba, return_skipped=wanted)
    assert_type(either, float | tuple[float, list])
    assert_type(co_activation(truth, proba), pd.DataFrame)
    rates, support = co_activation(truth, proba, return_support=True)
    print(rates[support > 5], species_report(truth, proba, threshold=[0.5, 0.4]))
    return round(macro_roc_auc(truth, proba) + padded_cmap(truth, proba), 2)


def write(rows: pd.DataFrame, proba: np.ndarray, species: Sequence[str]) -> None:
    """Write predictions, and read boxes that somebody corrected."""
    events = proba_to_events(proba, rows, species=species)
    print(events["score"].max(), read_raven(["a.txt", Path("b.txt")], ["a.wav"]))
    write_submission(proba, rows, "submission.csv", species=species)


def predict(files: Sequence[Path]) -> None:
    """Predict an archive; networks have no hints yet, and get in nobody's way."""
    net = SEDClassifier("efficientnet_b0", lr=1e-3).set_params(max_epochs=3)
    result = predict_archive(net, files, "out")
    assert_type(result, ArchiveResult)
    print(skbird.__version__, skbird.data.segment_table(files))
