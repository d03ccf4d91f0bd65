"""A table that says which species a model recognises and which it does not."""

from numbers import Real

import pandas as pd
from numpy.typing import ArrayLike

from skbird.metrics._counts import ratio
from skbird.metrics._ranking import average_precision_per_species, roc_auc_per_species
from skbird.utils._truth import validate_scores, validate_threshold
from skbird.utils._typing import Names, NanRows


def species_report(
    y_true: ArrayLike,
    proba: ArrayLike,
    species: Names | None = None,
    threshold: ArrayLike = 0.5,
    *,
    nan_rows: NanRows = "raise",
) -> pd.DataFrame:
    """Compute the scores of each species by itself.

    Parameters
    ----------
    y_true : array-like or DataFrame of shape (n_rows, n_species)
        Truth in [0, 1]. From 0.5 on it counts as presence. NaN = unknown: that entry
        is left out of its species. Rows that are -1 throughout are left out.
    proba : array-like or DataFrame of shape (n_rows, n_species)
        Probabilities or any finite scores; rows match `y_true` by position.
    species : sequence of str, default=None
        Names of the species. By default the columns of `y_true`: their names if it is
        a DataFrame, else their numbers.
    threshold : float or array-like of shape (n_species,), default=0.5
        Score from which a species counts as predicted. Raise it for fewer false
        detections (precision), lower it for fewer misses (recall).
    nan_rows : {"raise", "omit"}, default="raise"
        What to do with rows of `proba` that are NaN throughout; see
        `skbird.metrics.macro_roc_auc`.

    Returns
    -------
    report : DataFrame indexed by species
        ``n_rows`` with known truth, ``n_positive`` and, at the threshold,
        ``n_predicted`` among them; ``roc_auc`` and ``average_precision``; and at the
        threshold ``accuracy`` = (tp + tn) / n_rows, ``precision`` = tp / (tp + fp),
        ``recall`` = tp / (tp + fn) and ``f1`` = 2 tp / (2 tp + fp + fn), all in
        [0, 1] and NaN where undefined (for example recall without positives). The
        accuracy of a rare species is close to 1 even if it is never predicted.

    Raises
    ------
    TypeError
        If `species` is no list, but a threshold for instance.
    ValueError
        If shapes or species differ or values are out of range.

    See Also
    --------
    threshold_curve : Precision, recall and F score at many thresholds.
    error_table : The rows that are behind these figures.

    Examples
    --------
    >>> from skbird.metrics import species_report
    >>> y_true = [[1, 0], [0, 0], [1, 0]]
    >>> proba = [[0.9, 0.6], [0.5, 0.3], [0.2, 0.1]]
    >>> report = species_report(y_true, proba, species=["amerob", "banowl"])
    >>> report[["n_positive", "roc_auc", "precision", "recall"]]
             n_positive  roc_auc  precision  recall
    species
    amerob            2      0.5        0.5     0.5
    banowl            0      NaN        0.0     NaN
    """
    if isinstance(species, str | Real):
        raise TypeError(
            f"species={species!r} must be a list of names. Parameters from the third "
            "on are best passed by name: threshold=0.7, nan_rows='omit'."
        )
    truth, score = validate_scores(y_true, proba, species=species, nan_rows=nan_rows)
    threshold = validate_threshold(threshold, score.shape[1])
    # NaN >= threshold is false, so unknown entries are never predicted.
    predicted = score >= threshold
    hits = (predicted & truth.positive).sum(axis=0)
    n_predicted = predicted.sum(axis=0)
    n_positive = truth.positive.sum(axis=0)
    n_rows = truth.known.sum(axis=0)
    n_wrong = n_predicted + n_positive - 2 * hits
    return pd.DataFrame(
        {
            "n_rows": n_rows,
            "n_positive": n_positive,
            "n_predicted": n_predicted,
            "roc_auc": roc_auc_per_species(truth, score),
            "average_precision": average_precision_per_species(truth, score),
            "accuracy": ratio(n_rows - n_wrong, n_rows),
            "precision": ratio(hits, n_predicted),
            "recall": ratio(hits, n_positive),
            "f1": ratio(2 * hits, n_predicted + n_positive),
        },
        index=pd.Index(truth.species, name="species"),
    )
