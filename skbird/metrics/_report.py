"""A table that says which species a model recognises and which it does not."""

import numpy as np
import pandas as pd

from skbird.metrics._ranking import average_precision_per_species, roc_auc_per_species
from skbird.metrics._validation import validate_scores


def species_report(y_true, y_score, species=None, threshold=0.5, *, nan_rows="raise"):
    """Judge each species by itself.

    Parameters
    ----------
    y_true : array-like or DataFrame of shape (n_rows, n_species)
        Truth in [0, 1]. From 0.5 on it counts as presence. NaN = unknown: that entry
        is left out of its species. Rows that are -1 throughout are left out.
    y_score : array-like or DataFrame of shape (n_rows, n_species)
        Probabilities or any finite scores; rows match `y_true` by position.
    species : sequence of str, default=None
        Names of the species. By default the columns of `y_true`: their names if it is
        a DataFrame, else their numbers.
    threshold : float or array-like of shape (n_species,), default=0.5
        Score from which a species counts as predicted. Raise it for fewer false
        detections (precision), lower it for fewer misses (recall).
    nan_rows : {"raise", "omit"}, default="raise"
        What to do with rows of `y_score` that are NaN throughout; see
        `skbird.metrics.macro_roc_auc`.

    Returns
    -------
    report : DataFrame indexed by species
        ``n_rows`` with known truth, ``n_positive`` among them, ``roc_auc``,
        ``average_precision``, and at the threshold ``precision`` = tp / (tp + fp),
        ``recall`` = tp / (tp + fn) and ``f1`` = 2 tp / (2 tp + fp + fn), all in
        [0, 1] and NaN where undefined (for example recall without positives).

    Raises
    ------
    ValueError
        If shapes or species differ or values are out of range.

    Examples
    --------
    >>> from skbird.metrics import species_report
    >>> y_true = [[1, 0], [0, 0], [1, 0]]
    >>> y_score = [[0.9, 0.6], [0.5, 0.3], [0.2, 0.1]]
    >>> report = species_report(y_true, y_score, species=["amerob", "banowl"])
    >>> report[["n_positive", "roc_auc", "precision", "recall"]]
             n_positive  roc_auc  precision  recall
    species
    amerob            2      0.5        0.5     0.5
    banowl            0      NaN        0.0     NaN
    """
    truth, score = validate_scores(y_true, y_score, nan_rows=nan_rows)
    names = truth.species if species is None else list(species)
    n_species = score.shape[1]
    if len(names) != n_species:
        raise ValueError(
            f"species has {len(names)} names, but y_true has {n_species} columns. Pass "
            "one name per column."
        )
    if np.shape(threshold) not in ((), (n_species,)):
        raise ValueError(
            f"threshold has shape {np.shape(threshold)}; pass one number, or one per "
            f"species: ({n_species},)."
        )
    # NaN >= threshold is false, so unknown entries are never predicted.
    predicted = score >= np.asarray(threshold, dtype=np.float64)
    hits = (predicted & truth.positive).sum(axis=0)
    n_predicted = predicted.sum(axis=0)
    n_positive = truth.positive.sum(axis=0)
    return pd.DataFrame(
        {
            "n_rows": truth.known.sum(axis=0),
            "n_positive": n_positive,
            "roc_auc": roc_auc_per_species(truth, score),
            "average_precision": average_precision_per_species(truth, score),
            "precision": _ratio(hits, n_predicted),
            "recall": _ratio(hits, n_positive),
            "f1": _ratio(2 * hits, n_predicted + n_positive),
        },
        index=pd.Index(names, name="species"),
    )


def _ratio(part, whole):
    return np.divide(part, whole, out=np.full(whole.shape, np.nan), where=whole > 0)
