"""Recordings with known labels, for ``evaluate`` and ``report``."""

from pathlib import Path

import click

from skbird.cli import _console
from skbird.cli._annotated import NONE_LEFT, AnnotatedRows, say_if_scored
from skbird.cli._models import progress_shown, row_length, species_names
from skbird.cli._numbers import FloatRange
from skbird.cli._own_boxes import untouched_tables
from skbird.utils._text import counted, none_of

DATA = click.argument("data", type=click.Path(exists=True, path_type=Path))
THRESHOLD = click.option(
    "--threshold",
    type=FloatRange(0, 1),
    default=0.5,
    show_default=True,
    help="Probability from which a species counts as predicted.",
)


def predict_labelled(model, data, annotations):
    """Load recordings and their labels, and predict them.

    Parameters
    ----------
    model : estimator
    data : Path
    annotations : Annotations
        If it has a path, `data` is a folder of recordings.

    Returns
    -------
    X : DataFrame
    Y : DataFrame of shape (n_rows, n_species)
        The species of the model.
    proba : ndarray of shape (n_rows, n_species)
        NaN for rows that cannot be read.
    errors : DataFrame
        ``path`` and ``error`` of their recordings.
    """
    import pandas as pd

    species = [str(name) for name in species_names(model)]
    annotated = None
    if annotations.path is None:
        X, Y, left_out = _load(data, species)
        if not annotations.reviewed:
            _check_labels(X, data)
    else:
        annotated = AnnotatedRows(data, annotations, species, row_length(model))
        X, Y, left_out = annotated.X, annotated.Y, annotated.left_out
    if not (Y == 1).to_numpy().any():
        shown = ", ".join([*species[:5], "..."][: len(species)])
        raise ValueError(
            f"{str(data)!r} has no row with one of the {len(species)} species of the "
            f"model ({shown}): there is nothing to judge. Are the names the same?"
        )
    _say_if_trained_on(model, X)
    proba, errors = predict_rows(model, X)
    if len(errors) == X["path"].nunique() and pd.isna(proba).all():
        path, reason = errors.iloc[0]
        raise ValueError(
            f"{none_of(len(errors), 'recording')} can be read. The first, "
            f"{path}: {reason}"
        )
    if annotated is not None:
        judged = annotated.judged(proba)
        X, Y, proba = X[judged], Y[judged], proba[judged]
    return X, Y, proba, pd.concat([errors, _console.as_errors(left_out)])


def predict_rows(model, X):
    """Predict rows, with a progress bar; rows that cannot be read get NaN.

    Parameters
    ----------
    model : estimator
    X : DataFrame

    Returns
    -------
    proba : ndarray of shape (n_rows, n_species)
        NaN for rows that cannot be read.
    errors : DataFrame
        ``path`` and ``error`` of their recordings.
    """
    import numpy as np
    import pandas as pd

    from skbird.archive import file_errors, readable_proba
    from skbird.data import check_rows

    rows = check_rows(X)
    with progress_shown(model):
        proba, reasons = readable_proba(model, rows, len(species_names(model)))
    errors = file_errors(rows, np.isnan(proba).all(axis=1), reasons)
    return proba, pd.DataFrame(errors, columns=["path", "error"])


def _load(data, species):
    from skbird.datasets import load_recordings

    try:
        loaded = load_recordings(data, species=species)
    except ValueError as exc:
        if not data.is_dir():
            raise
        raise ValueError(
            f"{exc} Or pass --annotations, where tables say what calls in them."
        ) from exc
    # A BirdCLEF folder: what counts are soundscapes, which training has not seen. Those
    # of the test are for the end: who chooses a model by them knows nothing afterwards.
    for rows, name, what in (
        ("soundscapes", "soundscapes_Y", "labelled soundscapes"),
        ("test", "test_Y", "test soundscapes"),
    ):
        if loaded.get(name) is not None:
            _console.say(f"{data}: {counted(len(loaded[rows]), 'row')} of its {what}")
            return loaded[rows], loaded[name], None
    _console.say_lines(loaded.DESCR)
    return loaded.X, loaded.Y, loaded.get("errors")


def _check_labels(X, data):
    """Refuse labels that ``predict`` wrote; warn of those that look like them."""
    if data.is_file() and untouched_tables([data], data):
        raise ValueError(NONE_LEFT.format(path=data))
    if {"start", "end"} <= set(X):  # a table of events
        say_if_scored(X)


def _say_if_trained_on(model, X):
    from skbird.inference import trained_on

    known = trained_on(model, X)
    if known.any():
        _console.say(
            f"Warning: the model was trained on recordings of {known.sum()} of these "
            f"{counted(len(X), 'row')}, going by their names: the figures flatter it."
        )
