"""Judge detections that have a beginning and an end."""

import warnings

import pandas as pd

from skbird.metrics._counts import ratio
from skbird.metrics._matching import check_both, pair_events
from skbird.utils._names import match_names, plain_path
from skbird.utils._params import check_list
from skbird.utils._text import counted
from skbird.utils._typing import Names, Paths


def event_report(
    true_events: pd.DataFrame,
    predicted_events: pd.DataFrame,
    *,
    min_iou: float = 0.5,
    species: Names | None = None,
    recordings: Paths | None = None,
) -> pd.DataFrame:
    """Compute precision and recall of detected events, species by species.

    A predicted event is right if `match_events` pairs it with a true one: same
    recording, same species, and an overlap in time of at least `min_iou`. Each event
    has at most one partner, so two detections of one call are one hit and one false
    detection, and one detection of two calls leaves a miss. Probabilities of fixed
    5-s rows cut and join calls; for them, `species_report` of the rows is fairer,
    or a low `min_iou`.

    Parameters
    ----------
    true_events, predicted_events : DataFrame
        One line per event with ``path``, ``start``, ``end`` (seconds) and
        ``species``, compared as text, but without regard to the spelling of names
        (case, blanks, underscores) and paths (backslashes). Further columns and the
        index are ignored.
    min_iou : float in [0, 1], default=0.5
        Overlap needed; see `match_events`.
    species : sequence, default=None
        Species to judge, in this order; events of others are left out. By default
        all of either table, sorted.
    recordings : sequence of str, default=None
        Files to judge: pass those that were annotated, also the ones in which
        nothing was found; events in others are left out. By default all of either
        table, so that predictions in recordings nobody annotated count as false.

    Returns
    -------
    report : DataFrame indexed by species
        ``n_true``, ``n_predicted``, ``n_matched``, ``precision`` = n_matched /
        n_predicted, ``recall`` = n_matched / n_true and ``f1`` = 2 n_matched /
        (n_true + n_predicted), in [0, 1] and NaN where undefined.

    Raises
    ------
    TypeError
        If a table is not a DataFrame, or `species` or `recordings` is one text.
    ValueError
        If columns or values are missing, an event does not end after its start,
        `min_iou` is out of range, or neither table has any of `species`.

    Warns
    -----
    UserWarning
        If neither table has some of `species`, or no recording is in both.

    See Also
    --------
    skbird.annotations.proba_to_events : From probabilities of rows to events.

    References
    ----------
    Mesaros, Heittola, Virtanen (2016), "Metrics for polyphonic sound event
    detection", Applied Sciences 6(6), for event-based precision and recall.

    Examples
    --------
    >>> import pandas as pd
    >>> from skbird.metrics import event_report
    >>> columns = ["path", "start", "end", "species"]
    >>> true = pd.DataFrame(
    ...     [("a.ogg", 1.0, 3.0, "amerob"), ("a.ogg", 7.0, 8.0, "amerob")],
    ...     columns=columns,
    ... )
    >>> predicted = pd.DataFrame(
    ...     [("a.ogg", 1.5, 3.0, "amerob"), ("a.ogg", 4.0, 5.0, "banowl")],
    ...     columns=columns,
    ... )
    >>> event_report(true, predicted)[["n_true", "n_matched", "precision", "recall"]]
             n_true  n_matched  precision  recall
    species
    amerob        2          1        1.0     0.5
    banowl        0          0        0.0     NaN
    """
    if species is not None:
        species = [str(name) for name in check_list(species, "species")]
    true_events, predicted_events = check_both(true_events, predicted_events, species)
    if species is not None:
        _warn_about_unknown(
            species, {*true_events["species"], *predicted_events["species"]}
        )
    if recordings is not None:
        true_events = _only_in(recordings, true_events)
        predicted_events = _only_in(recordings, predicted_events)
    if species is None:
        species = sorted({*true_events["species"], *predicted_events["species"]})
    _warn_about_other_paths(true_events["path"], predicted_events["path"])
    pairs = pair_events(true_events, predicted_events, min_iou)
    matched = true_events["species"].iloc[pairs["true"]]
    n_true, n_predicted, n_matched = (
        names.value_counts().reindex(species, fill_value=0).to_numpy()
        for names in (true_events["species"], predicted_events["species"], matched)
    )
    return pd.DataFrame(
        {
            "n_true": n_true,
            "n_predicted": n_predicted,
            "n_matched": n_matched,
            "precision": ratio(n_matched, n_predicted),
            "recall": ratio(n_matched, n_true),
            "f1": ratio(2 * n_matched, n_true + n_predicted),
        },
        index=pd.Index(species, name="species"),
    )


def _warn_about_unknown(species, found):
    unknown = [name for name in species if name not in found]
    if unknown:
        message = (
            f"species has {unknown[:5]}, of which neither table has an event "
            f"({len(unknown)} of {counted(len(species), 'name')}); they have "
            f"{sorted(found)[:10]}."
        )
        if found and len(unknown) == len(species):
            raise ValueError(f"{message} Is it written alike?")
        warnings.warn(message, stacklevel=3)


def _only_in(recordings, events):
    paths = map(str, check_list(recordings, "recordings", "paths"))
    known = match_names(events["path"].unique(), paths, plain_path)
    return events[events["path"].isin(known)]


def _warn_about_other_paths(true_paths, predicted_paths):
    both_found = len(true_paths) > 0 and len(predicted_paths) > 0
    if both_found and not true_paths.isin(predicted_paths).any():
        warnings.warn(
            "No recording is in both tables, so that nothing can match: the true "
            f"events are in {true_paths.iloc[0]!r}, ..., the predicted ones in "
            f"{predicted_paths.iloc[0]!r}, .... Write paths alike in both.",
            stacklevel=3,
        )
