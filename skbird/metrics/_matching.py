"""Pair events that overlap in time."""

from numbers import Real

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment

from skbird.utils._linked import number_linked
from skbird.utils._names import (
    commonest_names,
    match_names,
    plain_path,
    settle_names,
)
from skbird.utils._overlaps import overlapping_pairs
from skbird.utils._text import counted

# As text, because a program may read the species number 22973 where another wrote it.
_TYPES = {"path": str, "start": np.float64, "end": np.float64, "species": str}


def match_events(
    true_events: pd.DataFrame, predicted_events: pd.DataFrame, *, min_iou: float = 0.5
) -> pd.DataFrame:
    r"""Pair true and predicted events one to one.

    Only events of the same recording and species can be partners, if their
    intersection over union,

    .. math:: IoU = \frac{\min(e_1, e_2) - \max(s_1, s_2)}
                         {(e_1 - s_1) + (e_2 - s_2) - \text{intersection}}

    of start s and end e is positive and at least `min_iou`. Of all such pairings, the
    one with the most pairs is taken, and among these one with the largest sum of IoU:
    the order of the lines and scores have no part in it.

    Parameters
    ----------
    true_events, predicted_events : DataFrame
        One line per event with ``path``, ``start``, ``end`` (seconds) and
        ``species``, compared as text, but without regard to the spelling of names
        (case, blanks, underscores) and paths (backslashes). Further columns and the
        index are ignored.
    min_iou : float in [0, 1], default=0.5
        0 accepts any overlap. Above 0.5 an event has one possible partner at most,
        unless events of one table overlap each other.

    Returns
    -------
    pairs : DataFrame
        One line per pair, in the order of `true_events`: ``true`` and ``predicted``,
        positions in the two tables, and ``iou``. True events that are not in it were
        missed, predicted ones that are not in it are false.

    Raises
    ------
    TypeError
        If a table is not a DataFrame.
    ValueError
        If columns or values are missing, an event does not end after its start, or
        `min_iou` is out of range.

    Examples
    --------
    >>> import pandas as pd
    >>> from skbird.metrics import match_events
    >>> true = pd.DataFrame(
    ...     {"path": "a.ogg", "start": [0.0, 4.0], "end": [2.0, 5.0], "species": "owl"}
    ... )
    >>> predicted = pd.DataFrame(
    ...     {"path": "a.ogg", "start": [0.5], "end": [2.0], "species": "owl"}
    ... )
    >>> match_events(true, predicted)
       true  predicted   iou
    0     0          0  0.75
    """
    true_events, predicted_events = check_both(true_events, predicted_events)
    return pair_events(true_events, predicted_events, min_iou)


def pair_events(true_events, predicted_events, min_iou):
    """Pair events as `match_events` does, in tables that `check_both` has seen."""
    if not isinstance(min_iou, Real) or not 0 <= min_iou <= 1:
        raise ValueError(f"min_iou={min_iou!r} must be in [0, 1].")
    true, predicted, shared_s = overlapping_pairs(
        true_events, predicted_events, ("path", "species")
    )
    true, predicted = true[shared_s > 0], predicted[shared_s > 0]
    iou = _iou(true_events.iloc[true], predicted_events.iloc[predicted])
    enough = iou >= min_iou - 1e-9  # seconds such as 0.3 - 0.2 are not exact
    true, predicted, iou = true[enough], predicted[enough], iou[enough]
    chosen = np.sort(_best_pairs(true, predicted, iou))
    pairs = {"true": true, "predicted": predicted, "iou": iou}
    return pd.DataFrame({name: values[chosen] for name, values in pairs.items()})


def _iou(a, b):
    """Intersection over union of events that overlap, line by line."""
    start_a, end_a = a["start"].to_numpy(), a["end"].to_numpy()
    start_b, end_b = b["start"].to_numpy(), b["end"].to_numpy()
    shared = np.minimum(end_a, end_b) - np.maximum(start_a, start_b)
    return shared / ((end_a - start_a) + (end_b - start_b) - shared)


def _best_pairs(true, predicted, iou):
    """Return which candidate pairs to keep: as many as possible, then as much IoU."""
    is_free = (np.bincount(true)[true] == 1) & (np.bincount(predicted)[predicted] == 1)
    contested = np.flatnonzero(~is_free)
    chosen = [np.flatnonzero(is_free)]
    for edges in _connected(contested, true, predicted):
        i_names, i = np.unique(true[edges], return_inverse=True)
        j_names, j = np.unique(predicted[edges], return_inverse=True)
        edge_of = np.full((len(i_names), len(j_names)), -1)
        edge_of[i, j] = edges
        # One more pair outweighs any sum of IoU, none of which is above 1.
        gain = np.zeros(edge_of.shape)
        gain[i, j] = min(gain.shape) + iou[edges]
        assigned = edge_of[linear_sum_assignment(gain, maximize=True)]
        chosen.append(assigned[assigned >= 0])
    return np.concatenate(chosen)


def _connected(edges, true, predicted):
    """Split edges into groups that share no event with each other."""
    if len(edges) == 0:
        return []
    n_true = true.max() + 1
    n_events = n_true + predicted.max() + 1
    numbers = number_linked(true[edges], n_true + predicted[edges], n_events)
    group = numbers[true[edges]]
    by_group = np.argsort(group, kind="stable")
    firsts = np.flatnonzero(np.diff(group[by_group])) + 1
    return np.split(edges[by_group], firsts)


def check_both(true_events, predicted_events, species=None):
    """Bring two tables of events into one form, in which names are spelled alike.

    Parameters
    ----------
    true_events, predicted_events : DataFrame
        See `check_events`.
    species : sequence of str, default=None
        How names are to be spelled. None: as it is done most often.

    Returns
    -------
    true_events, predicted_events : DataFrame
    """
    true = check_events(true_events, "true_events")
    predicted = check_events(predicted_events, "predicted_events")
    names = [*true["species"], *predicted["species"]]
    species = commonest_names(names) if species is None else species
    meant = settle_names(names, species, stacklevel=3)
    paths = match_names(predicted["path"].unique(), true["path"].unique(), plain_path)
    predicted["path"] = [paths.get(path, path) for path in predicted["path"]]
    for events in (true, predicted):
        events["species"] = [meant.get(name, name) for name in events["species"]]
    return true, predicted


def check_events(events, name):
    """Bring a table of events into one form.

    Parameters
    ----------
    events : DataFrame
        Has ``path``, ``start``, ``end`` and ``species``.
    name : str
        What to call it in errors.

    Returns
    -------
    DataFrame
        A copy with those columns only, paths and species as text, indexed 0 to n - 1.
    """
    if not isinstance(events, pd.DataFrame):
        raise TypeError(
            f"{name} must be a DataFrame with the columns {list(_TYPES)}; got "
            f"{type(events).__name__}."
        )
    missing = [column for column in _TYPES if column not in events.columns]
    if missing:
        raise ValueError(
            f"{name} has no columns {missing}; its columns are "
            f"{list(events.columns)[:10]}. Rename those that hold them."
        )
    events = events[list(_TYPES)].reset_index(drop=True)
    if events.isna().any(axis=None):
        row, column = np.argwhere(events.isna().to_numpy())[0]
        raise ValueError(
            f"{name} has no {events.columns[column]} at row {row}. Fill it in, or "
            "drop the event."
        )
    try:
        events = events.astype(_TYPES)
    except (TypeError, ValueError) as exc:
        raise ValueError(f"{name}: start and end must be in seconds: {exc}") from exc
    start, end = events["start"], events["end"]
    wrong = np.flatnonzero(~((end > start) & np.isfinite(end - start)))
    if len(wrong):
        row = wrong[0]
        raise ValueError(
            f"{name} has start={start[row]:g} and end={end[row]:g} at row {row}: "
            f"start < end is needed, in seconds ({counted(len(wrong), 'such row')})."
        )
    return events
