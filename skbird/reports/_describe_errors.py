"""A page about the errors of a model, with clips to listen to."""

import warnings
from functools import partial
from numbers import Integral, Real

import numpy as np
import pandas as pd
from sklearn.utils import check_random_state

from skbird.audio import row_channels
from skbird.data import check_rows, check_some_rows
from skbird.metrics import FALSE_NEGATIVE, FALSE_POSITIVE, error_table, species_report
from skbird.reports import _error_sections as sections
from skbird.reports import _error_tables as tables
from skbird.reports._clips import Cut, make_clips
from skbird.reports._report import Report
from skbird.reports._row_sounds import measure_rows
from skbird.utils._params import MOST, N_JOBS, check_params
from skbird.utils._rows import check_same_orders, row_table
from skbird.utils._sklearn_compat import check_matplotlib_support
from skbird.utils._text import counted
from skbird.utils._truth import validate_scores, validate_threshold

_CONSTRAINTS = {
    "explain": [callable, None],
    "call_type": [str, None],
    "title": [str],
    "random_state": ["random_state"],
    "n_jobs": N_JOBS,
    "verbose": ["verbose"],
}


def describe_errors(
    X,
    y_true,
    proba,
    *,
    threshold=0.5,
    train_predictions=None,
    explain=None,
    call_type="type",
    n_clips=100,
    max_per_species=3,
    clip_s=5.0,
    max_decoded=400,
    title="Errors",
    random_state=None,
    n_jobs=-1,
    verbose=1,
):
    """Describe the errors of a model: species, confusions, the worst errors as clips.

    Parameters
    ----------
    X : DataFrame, `Recordings`, `Spectrograms`, sequence of paths, or anything else
        The rows that were predicted. If it names no files there are no clips.
    y_true : array-like or DataFrame of shape (n_rows, n_species)
        Truth in [0, 1], NaN where unknown. From 0.5 on it counts as presence.
    proba : array-like or DataFrame of shape (n_rows, n_species)
        Probabilities in [0, 1] of held-out rows, which training has not seen. Rows that
        are NaN throughout could not be read; they are counted and left out, as are
        species that are, of which a model knows nothing.
    threshold : float or array-like of shape (n_species,), default=0.5
        Score from which a species counts as predicted.
    train_predictions : tuple (y_true, proba), default=None
        Truth and probabilities of the rows that the model was trained on. If given, a
        table lists the species that are recognised there but not in held-out rows.
    explain : callable, default=None
        Called as ``explain(row, species)`` with the number of a row and a column of
        `y_true` for each clip; returns a picture to be shown below the spectrogram: a
        Figure of matplotlib, an array (height, width[, 3]) of floats in [0, 1] or of
        uint8, or None. See the example.
    call_type : str, default="type"
        Column of X with call types; see :class:`skbird.compose.CallTypeClassifier`.
    n_clips : int >= 0, default=100
        Clips on the page, half of them false positives.
    max_per_species : int >= 1, default=3
        Largest number of clips of one kind of error for a species.
    clip_s : float > 0, default=5.0
        Length of a clip in seconds; of longer rows the loudest stretch is taken.
    max_decoded : int >= 0 or None, default=400
        Number of rows whose sound is measured, half of them with errors if there are
        enough. None: all.
    title : str, default="Errors"
        Title of the page.
    random_state : int, RandomState instance or None, default=None
        Seed for drawing the rows to be measured.
    n_jobs : int, default=-1
        Threads, as in joblib.
    verbose : int, default=1
        0 shows no progress.

    Returns
    -------
    Report
        ``report.to_html(path)`` writes the page. ``report.tables`` holds "species",
        "confusions", "errors" (all of them, the most confident first) and, where they
        can be made, "over_time", "sound", "by_level", "call_types" and "memory".

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    TypeError
        If `explain` returns something else than a picture.
    ValueError
        If shapes or species differ, or values are out of range.

    See Also
    --------
    describe_recordings : A page about the recordings alone.
    skbird.metrics.error_table : The table of errors by itself.

    Examples
    --------
    With Grad-CAM of a fitted pipeline below each spectrogram:

    >>> from skbird.inspection import GradCAMDisplay
    >>> def explain(row, species):
    ...     display = GradCAMDisplay.from_estimator(pipe, X, row=row, species=species)
    ...     return display.figure_
    >>> report = describe_errors(X, Y, proba, explain=explain)  # doctest: +SKIP

    Without sound:

    >>> import numpy as np
    >>> from skbird.reports import describe_errors
    >>> y_true = np.array([[1, 0], [0, 1], [1, 0], [0, 1]])
    >>> proba = np.array([[0.9, 0.6], [0.1, 0.8], [0.4, 0.1], [0.2, 0.7]])
    >>> report = describe_errors(None, y_true, proba)
    >>> report.tables["errors"][["row", "species", "error"]]
       row  species           error
    0    0        1  false positive
    1    2        0  false negative
    """
    check_matplotlib_support("describe_errors")
    _check_limits(n_clips, max_per_species, max_decoded, clip_s)
    check_params(
        "describe_errors",
        _CONSTRAINTS,
        explain=explain,
        call_type=call_type,
        title=title,
        random_state=random_state,
        n_jobs=n_jobs,
        verbose=verbose,
    )
    rng = check_random_state(random_state)
    check_same_orders({"y_true": y_true, "proba": proba, "X": X})
    y_true, proba, threshold, train_predictions, unscored = _scored_species(
        y_true, proba, threshold, train_predictions
    )
    with warnings.catch_warnings():
        # Rows that could not be read are counted on the page.
        warnings.filterwarnings("ignore", message=".*rows? of proba (is|are) NaN")
        truth, score = validate_scores(y_true, proba, nan_rows="omit")
        threshold = validate_threshold(threshold, score.shape[1])
        report = tables.species_table(y_true, proba, threshold)
        errors = error_table(y_true, proba, threshold, nan_rows="omit")
    memory = None
    if train_predictions is not None:
        trained = _train_report(train_predictions, threshold, y_true)
        memory = tables.memory_table(report, trained)
    rows = _rows_of(X, len(score))
    judged = tables.outcomes(truth, score, threshold)
    measured = spectra = None
    clips = []
    if rows is not None:
        columns = [c for c in ("path", "start", "end", "collection") if c in rows]
        errors = errors.join(rows[columns], on="row")
        chosen = _choose_rows(judged, max_decoded, rng)
        threads = {"n_jobs": n_jobs, "verbose": verbose}
        measured, spectra = measure_rows(rows, chosen, **threads)
        cuts = _choose_cuts(errors, rows, n_clips, max_per_species, explain)
        clips = make_clips(cuts, clip_s, **threads)
    findings = sections.Findings(
        y_true=y_true,
        proba=proba,
        truth=truth,
        score=score,
        threshold=threshold,
        report=report,
        errors=errors,
        rows=rows,
        call_type=call_type,
        memory=memory,
        outcomes=judged,
        measured=measured,
        spectra=spectra,
        clips=clips,
        unscored=unscored,
    )
    return Report(title, sections.error_sections(findings))


def _check_limits(n_clips, max_per_species, max_decoded, clip_s):
    limits = {"n_clips": (n_clips, 0), "max_per_species": (max_per_species, 1)}
    if max_decoded is not None:
        limits["max_decoded"] = (max_decoded, 0)
    for name, (value, lowest) in limits.items():
        if not isinstance(value, Integral) or not lowest <= value <= MOST:
            raise ValueError(
                f"{name}={value!r} must be a whole number, at least {lowest} and at "
                f"most {MOST:,}."
            )
    if not isinstance(clip_s, Real) or not clip_s > 0:
        raise ValueError(f"clip_s={clip_s!r} must be above 0 seconds.")


def _scored_species(y_true, proba, threshold, train_predictions):
    """Leave out species that are NaN throughout, and name them.

    Returns
    -------
    y_true, proba, threshold, train_predictions
        As they were if there are none.
    unscored : list
    """
    given = y_true, proba, threshold, train_predictions
    try:
        unread = np.isnan(np.asarray(proba, dtype=float))
        fits = unread.ndim == 2 and np.shape(y_true) == unread.shape
    except (TypeError, ValueError):
        fits = False
    if not fits or unread.all():  # which is said elsewhere
        return *given, []
    unscored = unread.all(axis=0)
    if not unscored.any():
        return *given, []
    # Names of both, or of one; numbers stay what they are.
    names = getattr(y_true, "columns", getattr(proba, "columns", None))
    names = pd.RangeIndex(len(unscored)) if names is None else names
    tables = [y_true, proba]
    if isinstance(train_predictions, tuple):
        tables += train_predictions
    tables = [
        pd.DataFrame(table, columns=getattr(table, "columns", names)).loc[:, ~unscored]
        for table in tables
    ]
    if train_predictions is not None:
        train_predictions = tuple(tables[2:])
    threshold = validate_threshold(threshold, unread.shape[1])[~unscored]
    return *tables[:2], threshold, train_predictions, names[unscored].tolist()


def _train_report(train_predictions, threshold, y_true):
    if not isinstance(train_predictions, tuple) or len(train_predictions) != 2:
        raise ValueError(
            "train_predictions must be a tuple (y_true, proba) of the rows trained on, "
            f"got {type(train_predictions).__name__}."
        )
    report = species_report(*train_predictions, threshold=threshold, nan_rows="omit")
    names = list(y_true.columns) if hasattr(y_true, "columns") else None
    if len(report) != np.shape(y_true)[1] or names not in (None, list(report.index)):
        raise ValueError(
            f"train_predictions has the species {list(report.index)[:5]} "
            f"({len(report)}) and y_true others ({np.shape(y_true)[1]}): both must "
            "have the same columns."
        )
    return report


def _rows_of(X, n_rows):
    """Return the row table of X, or None if it names no files."""
    if X is not None and not hasattr(X, "__len__"):
        raise TypeError(
            f"X is of type {type(X).__name__}; rows that were predicted are needed, or "
            "None."
        )
    table = None if X is None else row_table(X)
    if X is not None and len(table if table is not None else X) != n_rows:
        raise ValueError(
            f"X has {counted(len(table if table is not None else X), 'row')} and "
            f"y_true {n_rows}; pass the very rows that were predicted."
        )
    if table is None or "path" not in table:
        return None
    check_some_rows(table)
    return check_rows(table)


def _choose_rows(judged, max_decoded, rng):
    """Choose rows at random, as many of each outcome as of the others if there are."""
    n_rows = len(next(iter(judged.values())))
    if max_decoded is None:
        return np.flatnonzero(np.any(list(judged.values()), axis=0))
    share = max_decoded // len(judged)
    drawn = [rng.permutation(np.flatnonzero(mask))[:share] for mask in judged.values()]
    return np.unique(np.concatenate([*drawn, np.empty(0, int)])) if n_rows else []


def _choose_cuts(errors, rows, n_clips, max_per_species, explain):
    """Take the most confident errors of each kind, few of each species."""
    few = errors[errors.groupby(["species", "error"]).cumcount() < max_per_species]
    alarms = few[few["error"] == FALSE_POSITIVE]
    misses = few[few["error"] == FALSE_NEGATIVE]
    n_misses = min(len(misses), max(n_clips // 2, n_clips - len(alarms)))
    shown = pd.concat([alarms.head(n_clips - n_misses), misses.head(n_misses)])
    cuts = []
    for error in shown.to_dict("records"):
        is_alarm = error["error"] == FALSE_POSITIVE
        there = "not on the label" if is_alarm else "on the label"
        about = {
            "title": str(error["species"]),
            "kind": error["error"],
            "tone": "bad" if is_alarm else "miss",
            "numbers": {"score": error["score"], "margin": error["margin"]},
            "texts": (f"row {error['row']}, {there}",),
        }
        row = rows.iloc[error["row"]]
        picture = explain and partial(explain, error["row"], error["species"])
        stretch = row["path"], row["start"], row["end"]
        cuts.append(Cut(*stretch, about, picture, row_channels(row)))
    return cuts
