"""Join rows with detections to events with a beginning and an end."""

from numbers import Real

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from skbird.annotations._submission import as_species_table
from skbird.data import check_rows
from skbird.utils._rows import check_same_order
from skbird.utils._text import counted
from skbird.utils._truth import validate_threshold
from skbird.utils._typing import Names

_ROUNDING_S = 1e-3  # less than a millisecond between two rows is rounding, not time


def proba_to_events(
    proba: ArrayLike,
    X: pd.DataFrame,
    threshold: ArrayLike = 0.5,
    max_gap_s: float = 0.0,
    *,
    species: Names | None = None,
) -> pd.DataFrame:
    """Join consecutive rows in which a species is predicted to events.

    Parameters
    ----------
    proba : array-like or DataFrame of shape (n_rows, n_species)
        Probabilities, as ``predict_proba`` gives them. The columns of a DataFrame name
        the species; its index is ignored. NaN (rows that could not be read) is no
        prediction.
    X : DataFrame
        What was predicted, in the order of `proba`: ``path``, ``start`` and ``end`` in
        seconds, as `skbird.data.segment_table` makes it. Rows may be in any order and
        overlap each other.
    threshold : float or array-like of shape (n_species,), default=0.5
        Probability from which a species counts as predicted.
    max_gap_s : float >= 0, default=0.0
        Longest gap, in seconds, between rows of one event. With 0, rows are joined if
        one starts where the other ends, or earlier; if rows overlap, an event can
        therefore span a row in which the species is not predicted.
    species : sequence of str, default=None
        Names of the columns of `proba`, such as ``model.species_``. Needed unless
        `proba` is a DataFrame.

    Returns
    -------
    events : DataFrame
        One line per event: ``path``, ``start``, ``end``, ``species`` and ``score``,
        the highest probability of its rows; ordered by recording as in `X`, then
        by start.

    Raises
    ------
    TypeError
        If `X` is not a DataFrame.
    ValueError
        If shapes do not fit, a row with a prediction has no end, or `max_gap_s` is
        below 0.

    See Also
    --------
    skbird.metrics.event_report : Compares such events with annotated ones.

    Examples
    --------
    >>> import pandas as pd
    >>> from skbird.annotations import proba_to_events
    >>> X = pd.DataFrame({"path": "a.ogg", "start": [0.0, 5.0, 10.0, 15.0]})
    >>> X["end"] = X["start"] + 5.0
    >>> proba_to_events([[0.6], [0.9], [0.1], [0.7]], X, species=["amerob"])
        path  start   end species  score
    0  a.ogg    0.0  10.0  amerob    0.9
    1  a.ogg   15.0  20.0  amerob    0.7
    """
    if not isinstance(max_gap_s, Real) or not max_gap_s >= 0:
        raise ValueError(f"max_gap_s={max_gap_s!r} must be 0 seconds or more.")
    table = as_species_table(proba, species)
    check_same_order(X, proba, ("X", "proba"))
    X = check_stretches(X, len(table))
    values = table.to_numpy()
    row, column = np.nonzero(values >= validate_threshold(threshold, values.shape[1]))
    _check_ends(X["end"], row)
    found = X.iloc[row].assign(column=column, score=values[row, column])
    found["file"] = pd.factorize(X["path"])[0][row]
    found = found.sort_values(["file", "column", "start"], ignore_index=True)
    of_species = found.groupby(["file", "column"])
    # The latest end so far: a long row may outlast shorter ones that start after it.
    latest_end = of_species["end"].cummax()
    gap_s = found["start"] - latest_end.shift(fill_value=0.0)
    is_first = of_species.cumcount() == 0
    event = (is_first | (gap_s > max_gap_s + _ROUNDING_S)).cumsum()
    events = found.groupby(event).agg(
        dict.fromkeys(["file", "path", "column", "start"], "first")
        | dict.fromkeys(["end", "score"], "max")
    )
    events = events.sort_values(["file", "start", "column"], ignore_index=True)
    events["species"] = table.columns.take(events["column"])
    return events[["path", "start", "end", "species", "score"]]


def check_stretches(X, n_rows):
    """Return path, start and end of rows that were predicted, of which there are n."""
    if not isinstance(X, pd.DataFrame):
        raise TypeError(
            "X must be a DataFrame with 'path', 'start' and 'end'; got "
            f"{type(X).__name__}. skbird.data.segment_table makes one."
        )
    if len(X) != n_rows:
        raise ValueError(
            f"proba has {counted(n_rows, 'row')} and X has {len(X)}; pass the very "
            "table that was predicted."
        )
    return check_rows(X)[["path", "start", "end"]]


def _check_ends(end, predicted):
    """Rows that could not be read may lack an end, those with a prediction not."""
    endless = predicted[end.isna().to_numpy()[predicted]]
    if len(endless):
        raise ValueError(
            f"X has no end at row {endless[0]}, so that its event would have none. "
            "Give each row its end in seconds, as skbird.data.segment_table does."
        )
