"""Precision, recall and F score as the threshold moves."""

from numbers import Real
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from skbird.metrics._counts import ratio
from skbird.utils._params import as_floats
from skbird.utils._truth import validate_scores
from skbird.utils._typing import Names, NanRows


def threshold_curve(
    y_true: ArrayLike,
    proba: ArrayLike,
    thresholds: ArrayLike | None = None,
    *,
    beta: float = 1.0,
    average: Literal["macro"] | None = None,
    species: Names | None = None,
    nan_rows: NanRows = "raise",
) -> pd.DataFrame:
    r"""Compute precision, recall and F score at many thresholds.

    The F score is the weighted harmonic mean of precision and recall:

    .. math:: F_\beta = \frac{(1 + \beta^2) \, tp}{(1 + \beta^2) \, tp + \beta^2 \, fn
              + fp}

    Parameters
    ----------
    y_true : array-like or DataFrame of shape (n_rows, n_species)
        Truth in [0, 1]. From 0.5 on it counts as presence. NaN = unknown: that entry
        is left out of its species. Rows that are -1 throughout are left out.
    proba : array-like or DataFrame of shape (n_rows, n_species)
        Probabilities or any finite scores; rows match `y_true` by position.
    thresholds : array-like of shape (n_thresholds,), default=None
        Scores from which a species counts as predicted. None: 0, 0.01, ... 1, for
        which `proba` must be in [0, 1].
    beta : float > 0, default=1.0
        How many times as important recall is as precision. Below 1 false detections
        cost more, above 1 misses do.
    average : {None, "macro"}, default=None
        None gives a curve per species, "macro" their mean.
    species : sequence of str, default=None
        Names of the species. By default the columns of `y_true`: their names if it is
        a DataFrame, else their numbers.
    nan_rows : {"raise", "omit"}, default="raise"
        What to do with rows of `proba` that are NaN throughout; see
        `skbird.metrics.macro_roc_auc`.

    Returns
    -------
    curve : DataFrame
        One line per species and threshold, thresholds ascending: ``species``,
        ``threshold``, ``n_predicted``, ``precision``, ``recall`` and ``f_beta``, the
        last three in [0, 1] and NaN where undefined (precision if nothing is
        predicted, recall without positives). With ``average="macro"`` there is no
        ``species``, `n_predicted` is a sum, and the others are means over the species
        that have a positive; where some of these are never predicted, the precision
        is the mean of the rest.

    Raises
    ------
    ValueError
        If shapes or species differ or values are out of range.

    See Also
    --------
    species_report : All figures of each species, at one threshold.

    Examples
    --------
    >>> from skbird.metrics import threshold_curve
    >>> y_true = [[1, 0], [0, 1], [1, 1]]
    >>> proba = [[0.9, 0.6], [0.5, 0.3], [0.2, 0.7]]
    >>> curve = threshold_curve(y_true, proba, [0.1, 0.4], species=["amerob", "owl"])
    >>> curve.round(2)
      species  threshold  n_predicted  precision  recall  f_beta
    0  amerob        0.1            3       0.67     1.0     0.8
    1  amerob        0.4            2       0.50     0.5     0.5
    2     owl        0.1            3       0.67     1.0     0.8
    3     owl        0.4            2       0.50     0.5     0.5

    The threshold at which the F score of each species is highest:

    >>> best = curve.loc[curve.groupby("species")["f_beta"].idxmax()]
    >>> best[["species", "threshold"]]
      species  threshold
    0  amerob        0.1
    2     owl        0.1
    """
    if not isinstance(beta, Real) or not 0 < beta < np.inf:
        raise ValueError(f"beta={beta!r} must be above 0, and finite.")
    if average is not None and not (isinstance(average, str) and average == "macro"):
        raise ValueError(f"average={average!r} must be None or 'macro'.")
    truth, score = validate_scores(y_true, proba, species=species, nan_rows=nan_rows)
    thresholds = _check_thresholds(thresholds, score)
    n_positive = truth.positive.sum(axis=0)
    n_predicted = _n_reaching(score, thresholds)
    hits = _n_reaching(np.where(truth.positive, score, np.nan), thresholds)
    # With tp = hits, fn = positives - tp and fp = predicted - tp, the denominator of F,
    # (1 + beta^2) tp + beta^2 fn + fp, becomes beta^2 positives + predicted.
    scale = float(beta) ** 2
    curves = {  # each (n_species, n_thresholds)
        "n_predicted": n_predicted,
        "precision": ratio(hits, n_predicted),
        "recall": ratio(hits, n_positive[:, None]),
        "f_beta": ratio((1 + scale) * hits, scale * n_positive[:, None] + n_predicted),
    }
    if average == "macro":
        return _macro(curves, thresholds, judged=n_positive > 0)
    n_species = len(n_positive)
    return pd.DataFrame(
        {
            "species": pd.Index(truth.species).repeat(len(thresholds)),
            "threshold": np.tile(thresholds, n_species),
            **{name: curve.ravel() for name, curve in curves.items()},
        }
    )


def _n_reaching(score, thresholds):
    """Count the scores of each species from each threshold on: (n_species, n)."""
    n_scores = np.count_nonzero(~np.isnan(score), axis=0)
    ascending = np.sort(score, axis=0).T  # NaN, which reaches nothing, comes last
    below = [np.searchsorted(scores, thresholds) for scores in ascending]
    return n_scores[:, None] - np.reshape(below, (len(n_scores), len(thresholds)))


def _macro(curves, thresholds, judged):
    n_predicted = curves.pop("n_predicted")[judged].sum(axis=0)
    # The mean of pandas passes over NaN, and is NaN without a warning if all are.
    means = {name: pd.DataFrame(curve[judged]).mean() for name, curve in curves.items()}
    return pd.DataFrame({"threshold": thresholds, "n_predicted": n_predicted, **means})


def _check_thresholds(thresholds, score):
    if thresholds is None:
        outside = score[(score < 0) | (score > 1)]
        if len(outside):
            raise ValueError(
                f"proba has values outside [0, 1], such as {outside[0]:g}. Pass "
                "thresholds that suit such scores."
            )
        return np.arange(101) / 100
    thresholds = as_floats(thresholds, "thresholds", np.float64)
    if thresholds.ndim != 1 or thresholds.size == 0 or np.isnan(thresholds).any():
        raise ValueError(
            f"thresholds={thresholds} must be one or more numbers in a row, none NaN: "
            "shape (n_thresholds,)."
        )
    return np.unique(thresholds)
