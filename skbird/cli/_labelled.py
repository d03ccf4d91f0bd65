"""Recordings whose truth is known, for ``evaluate`` and ``report``."""

from pathlib import Path

import click

from skbird.cli import _console
from skbird.cli._models import progress_shown, row_length, species_names
from skbird.cli._numbers import FloatRange
from skbird.cli._places import place_boxes

DATA = click.argument("data", type=click.Path(exists=True, path_type=Path))
_ANNOTATIONS = click.option(
    "--annotations",
    type=click.Path(exists=True, path_type=Path),
    help="DATA is a folder of recordings, and here is what calls in them: a folder of "
    "Raven selection tables, or a .csv or .parquet of boxes. Recordings are found by "
    "the ends of their paths.",
)
_ANNOTATED_ONLY = click.option(
    "--annotated-only",
    is_flag=True,
    help="Leave out recordings without a selection table, or box in the table. "
    "Otherwise they are recordings in which nothing calls.",
)


def annotation_options(command):
    """Add the options on annotations to a command."""
    return _ANNOTATIONS(_ANNOTATED_ONLY(command))


THRESHOLD = click.option(
    "--threshold",
    type=FloatRange(0, 1),
    default=0.5,
    show_default=True,
    help="Probability from which a species counts as predicted.",
)


def predict_labelled(model, data, annotations, annotated_only):
    """Load recordings and their truth, and predict them.

    Parameters
    ----------
    model : estimator
    data : Path
    annotations : Path or None
    annotated_only : bool
        Whether to leave out recordings of which `annotations` say nothing.

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
    if annotations is None:
        X, Y, left_out = _load(data, species)
    else:
        X, Y, left_out = _load_annotated(
            data, annotations, species, row_length(model), annotated_only
        )
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
            f"None of the {len(errors)} recordings can be read. The first, {path}: "
            f"{reason}"
        )
    return X, Y, proba, pd.concat([errors, _console.as_errors(left_out)])


def predict_rows(model, X):
    """Predict rows, with a progress bar; those that cannot be read cost no other.

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
    import warnings

    import numpy as np
    import pandas as pd

    from skbird.data import check_rows
    from skbird.inference._block_work import readable_proba
    from skbird.inference._faults import file_errors

    rows = check_rows(X)
    with progress_shown(model), warnings.catch_warnings():
        # They are listed in the end.
        warnings.filterwarnings("ignore", r"\d+ of \d+ rows cannot be used")
        proba, reasons = readable_proba(model, rows, len(species_names(model)))
    errors = file_errors(rows, np.isnan(proba).all(axis=1), reasons)
    return proba, pd.DataFrame(errors, columns=["path", "error"])


def _load(data, species):
    from skbird.data import load_recordings

    loaded = load_recordings(data, species=species)
    # A BirdCLEF folder: what counts are soundscapes, which training has not seen.
    for rows, name in (("test", "test_Y"), ("soundscapes", "soundscapes_Y")):
        if loaded.get(name) is not None:
            _console.say(f"{data}: its labelled soundscapes, {len(loaded[rows])} rows")
            return loaded[rows], loaded[name], None
    _console.say(loaded.DESCR)
    return loaded.X, loaded.Y, loaded.get("errors")


def _load_annotated(data, annotations, species, segment_s, annotated_only):
    from skbird.annotations import boxes_to_rows, read_boxes, read_raven
    from skbird.data import segment_table
    from skbird.data._listing import drop_links, find_audio

    audio, left_out = find_audio(data)
    audio, tables = drop_links(audio), []
    if annotations.is_dir():
        tables = sorted(annotations.rglob("*.txt"))
        if not tables:
            raise ValueError(f"{str(annotations)!r} holds no selection tables (*.txt).")
        boxes = read_raven(tables, audio)
    elif annotations.suffix.lower() == ".txt":
        tables = [annotations]
        boxes = read_raven(annotations, audio)
    else:
        boxes = place_boxes(read_boxes(annotations), annotations, data, audio)
    audio = _choose(audio, boxes, tables, annotated_only)
    _say_unknown(boxes, species)
    rows = segment_table(audio, segment_s, segment_s, on_error="skip")
    X, Y = boxes_to_rows(boxes, rows, species=species)
    _console.say(
        f"{data}: {len(audio)} recordings, {len(boxes)} boxes, {len(X)} rows of "
        f"{segment_s:g} s"
    )
    return X, Y, left_out


def _choose(audio, boxes, tables, annotated_only):
    """Return the recordings to judge; say how many of them have no annotations."""
    from skbird.annotations._audio_names import AudioFinder

    annotated, finder = set(boxes["path"]), AudioFinder(audio)
    for table in tables:
        try:
            annotated.add(finder.by_file(table))  # also of a table without boxes
        except ValueError:
            pass  # of the recordings that it names, not of one it is named after
    chosen = [path for path in audio if path in annotated]
    n_without = len(audio) - len(chosen)
    if n_without and annotated_only:
        _console.say(f"{n_without} recordings without annotations are left out.")
        return chosen
    if n_without:
        _console.say(
            f"Warning: {n_without} of {len(audio)} recordings have no annotations, and "
            "are taken for recordings in which nothing calls. --annotated-only leaves "
            "them out."
        )
    return audio


def _say_unknown(boxes, species):
    """Name labels that the model does not know, however they are written."""
    from skbird.utils._names import match_names

    names = boxes["species"].dropna()
    known = match_names(names.unique(), [*species, "", "nocall"])
    unknown = names[~names.isin(known)].value_counts()
    if len(unknown):
        _console.say(
            f"Warning: {unknown.sum()} boxes have labels that the model does not know "
            f"({len(unknown)} labels, such as {unknown.index[0]!r}). They count for "
            "nothing."
        )


def _say_if_trained_on(model, X):
    from skbird.inference import trained_on

    known = trained_on(model, X)
    if known.any():
        _console.say(
            f"Warning: the model was trained on recordings of {known.sum()} of these "
            f"{len(X)} rows, by their names: the figures flatter it."
        )
