"""Ranking metrics, averaged over the species that can be judged."""

import warnings
from numbers import Integral
from typing import Literal, overload

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import rankdata
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import average_precision_score

from skbird.utils._params import check_params
from skbird.utils._truth import Truth, validate_scores
from skbird.utils._typing import NanRows

_CONSTRAINTS = {"return_skipped": ["boolean"]}
_MAX_PADDING = 100_000  # rows, which are made


@overload
def macro_roc_auc(
    y_true: ArrayLike,
    proba: ArrayLike,
    *,
    nan_rows: NanRows = "raise",
    return_skipped: Literal[False] = False,
) -> float: ...
@overload
def macro_roc_auc(
    y_true: ArrayLike,
    proba: ArrayLike,
    *,
    nan_rows: NanRows = "raise",
    return_skipped: Literal[True],
) -> tuple[float, list]: ...


@overload
def macro_roc_auc(
    y_true: ArrayLike,
    proba: ArrayLike,
    *,
    nan_rows: NanRows = "raise",
    return_skipped: bool = False,
) -> float | tuple[float, list]: ...
def macro_roc_auc(
    y_true: ArrayLike,
    proba: ArrayLike,
    *,
    nan_rows: NanRows = "raise",
    return_skipped: bool = False,
) -> float | tuple[float, list]:
    r"""Compute the mean ROC-AUC over species that have both positives and negatives.

    The area of one species is the probability that a row with it scores higher than
    a row without it, ties counting half, from the ranks :math:`r_i` of its scores:

    .. math:: AUC = \frac{\sum_{i \in pos} r_i - n_{pos} (n_{pos} + 1) / 2}
                         {n_{pos} \, n_{neg}}

    Species without a positive or without a negative are left out, as in the BirdCLEF
    competitions since 2024 (there only positives can be missing).

    Parameters
    ----------
    y_true : array-like or DataFrame of shape (n_rows, n_species)
        Truth in [0, 1]. From 0.5 on it counts as presence. NaN = unknown: that entry
        is left out of its species. Rows that are -1 throughout are left out.
    proba : array-like or DataFrame of shape (n_rows, n_species)
        Probabilities or any finite scores; rows match `y_true` by position.
    nan_rows : {"raise", "omit"}, default="raise"
        What to do with rows of `proba` that are NaN throughout, which are recordings
        that could not be read. "omit" judges the others only and warns how many are
        missing: the score is then of the readable recordings, not of all.
    return_skipped : bool, default=False
        Whether to return the species left out as well.

    Returns
    -------
    score : float in [0, 1]
        0.5 is chance. NaN, with an `UndefinedMetricWarning`, if no species can be
        judged: a fold of a cross-validation may be like that.
    skipped : list
        Names of the species left out if `y_true` is a DataFrame, else their column
        numbers. Only if `return_skipped` is true.

    Raises
    ------
    ValueError
        If shapes or species differ or values are out of range.

    See Also
    --------
    species_report : The same, species by species.

    References
    ----------
    Mann, Whitney (1947), "On a test of whether one of two random variables is
    stochastically larger than the other". BirdCLEF 2024, evaluation page, Kaggle.

    Examples
    --------
    >>> from skbird.metrics import macro_roc_auc
    >>> y_true = [[1, 0, 0], [0, 1, 0], [0, 1, 0]]
    >>> proba = [[0.9, 0.2, 0.1], [0.1, 0.3, 0.2], [0.2, 0.1, 0.3]]
    >>> macro_roc_auc(y_true, proba, return_skipped=True)
    (0.75, [2])
    """
    check_params("macro_roc_auc", _CONSTRAINTS, return_skipped=return_skipped)
    truth, score = validate_scores(y_true, proba, nan_rows=nan_rows)
    per_species = roc_auc_per_species(truth, score)
    return _macro_mean(per_species, truth.species, "ROC-AUC", return_skipped)


@overload
def macro_average_precision(
    y_true: ArrayLike,
    proba: ArrayLike,
    *,
    nan_rows: NanRows = "raise",
    return_skipped: Literal[False] = False,
) -> float: ...
@overload
def macro_average_precision(
    y_true: ArrayLike,
    proba: ArrayLike,
    *,
    nan_rows: NanRows = "raise",
    return_skipped: Literal[True],
) -> tuple[float, list]: ...


@overload
def macro_average_precision(
    y_true: ArrayLike,
    proba: ArrayLike,
    *,
    nan_rows: NanRows = "raise",
    return_skipped: bool = False,
) -> float | tuple[float, list]: ...
def macro_average_precision(
    y_true: ArrayLike,
    proba: ArrayLike,
    *,
    nan_rows: NanRows = "raise",
    return_skipped: bool = False,
) -> float | tuple[float, list]:
    r"""Compute the mean average precision over species that have positives.

    The average precision of one species is the precision at each distinct score,
    weighted by the recall gained there:

    .. math:: AP = \sum_t (R_t - R_{t-1}) P_t

    It is also known as cmAP. Unlike the ROC-AUC it depends on how rare a species is:
    chance is its share of positive rows. BirdCLEF 2023 used another variant,
    `padded_cmap`.

    Parameters
    ----------
    y_true : array-like or DataFrame of shape (n_rows, n_species)
        Truth in [0, 1]. From 0.5 on it counts as presence. NaN = unknown: that entry
        is left out of its species. Rows that are -1 throughout are left out.
    proba : array-like or DataFrame of shape (n_rows, n_species)
        Probabilities or any finite scores; rows match `y_true` by position.
    nan_rows : {"raise", "omit"}, default="raise"
        What to do with rows of `proba` that are NaN throughout; see `macro_roc_auc`.
    return_skipped : bool, default=False
        Whether to return the species left out as well.

    Returns
    -------
    score : float in [0, 1]
        NaN, with an `UndefinedMetricWarning`, if no species has a positive.
    skipped : list
        Names of the species left out if `y_true` is a DataFrame, else their column
        numbers. Only if `return_skipped` is true.

    Raises
    ------
    ValueError
        If shapes or species differ or values are out of range.

    See Also
    --------
    padded_cmap : The variant of BirdCLEF 2023.
    sklearn.metrics.average_precision_score : Used for each species.

    Examples
    --------
    >>> from skbird.metrics import macro_average_precision
    >>> y_true = [[1, 0], [0, 0], [1, 0]]
    >>> proba = [[0.9, 0.2], [0.5, 0.3], [0.2, 0.1]]
    >>> round(macro_average_precision(y_true, proba), 3)
    0.833
    """
    check_params("macro_average_precision", _CONSTRAINTS, return_skipped=return_skipped)
    truth, score = validate_scores(y_true, proba, nan_rows=nan_rows)
    per_species = average_precision_per_species(truth, score)
    return _macro_mean(per_species, truth.species, "average precision", return_skipped)


@overload
def padded_cmap(
    y_true: ArrayLike,
    proba: ArrayLike,
    *,
    padding: int = 5,
    nan_rows: NanRows = "raise",
    return_skipped: Literal[False] = False,
) -> float: ...
@overload
def padded_cmap(
    y_true: ArrayLike,
    proba: ArrayLike,
    *,
    padding: int = 5,
    nan_rows: NanRows = "raise",
    return_skipped: Literal[True],
) -> tuple[float, list]: ...


@overload
def padded_cmap(
    y_true: ArrayLike,
    proba: ArrayLike,
    *,
    padding: int = 5,
    nan_rows: NanRows = "raise",
    return_skipped: bool = False,
) -> float | tuple[float, list]: ...
def padded_cmap(
    y_true: ArrayLike,
    proba: ArrayLike,
    *,
    padding: int = 5,
    nan_rows: NanRows = "raise",
    return_skipped: bool = False,
) -> float | tuple[float, list]:
    """Compute the mean average precision over all species, padded as in BirdCLEF 2023.

    Each species gets `padding` further rows, in which it is present and scored 1. So
    the few positives of a rare species count for less, and a species without any has
    an average precision, too: 1, whatever its false alarms, unless one scores 1. Hence
    the figure is higher than `macro_average_precision`, and the more so the fewer
    positives there are: compare it only between models on the same rows.

    Parameters
    ----------
    y_true : array-like or DataFrame of shape (n_rows, n_species)
        Truth in [0, 1]. From 0.5 on it counts as presence. NaN = unknown: that entry
        is left out of its species. Rows that are -1 throughout are left out.
    proba : array-like or DataFrame of shape (n_rows, n_species)
        Probabilities in [0, 1]; rows match `y_true` by position.
    padding : int >= 1, default=5
        Rows added to each species.
    nan_rows : {"raise", "omit"}, default="raise"
        What to do with rows of `proba` that are NaN throughout; see `macro_roc_auc`.
    return_skipped : bool, default=False
        Whether to return the species left out as well.

    Returns
    -------
    score : float in [0, 1]
        NaN, with an `UndefinedMetricWarning`, if nothing is known of any species.
    skipped : list
        Species of which no row is known: names if `y_true` is a DataFrame, else
        column numbers. Only if `return_skipped` is true.

    Raises
    ------
    ValueError
        If shapes or species differ, values are out of range, or `padding` is below 1.

    See Also
    --------
    macro_average_precision : The same without padding.

    References
    ----------
    BirdCLEF 2023, evaluation page, Kaggle. Kahl et al., "Overview of BirdCLEF 2023:
    Automated bird species identification in Eastern Africa", CLEF 2023 working notes.

    Examples
    --------
    >>> from skbird.metrics import padded_cmap
    >>> y_true = [[1, 0], [0, 0], [1, 0]]
    >>> proba = [[0.9, 0.2], [0.5, 0.3], [0.2, 0.1]]
    >>> round(padded_cmap(y_true, proba), 3)
    0.991
    """
    if not isinstance(padding, Integral) or not 1 <= padding <= _MAX_PADDING:
        raise ValueError(
            f"padding={padding!r} must be a whole number of rows, from 1 to "
            f"{_MAX_PADDING:,}. Without padding the score is macro_average_precision."
        )
    check_params("padded_cmap", _CONSTRAINTS, return_skipped=return_skipped)
    truth, score = validate_scores(y_true, proba, nan_rows=nan_rows)
    outside = score[(score < 0) | (score > 1)]
    if len(outside):
        raise ValueError(
            f"proba has values outside [0, 1], such as {outside[0]:g}, which the "
            "padding's score of 1 does not fit. Pass probabilities, not logits."
        )
    present = np.ones((padding, score.shape[1]), dtype=bool)
    padded = Truth(
        np.vstack([truth.positive, present]),
        np.vstack([truth.known, present]),
        truth.species,
    )
    per_species = average_precision_per_species(padded, np.vstack([score, present]))
    per_species[~truth.known.any(axis=0)] = np.nan
    return _macro_mean(per_species, truth.species, "padded cmAP", return_skipped)


def roc_auc_per_species(truth, score):
    """Compute the ROC-AUC of each species; NaN without positives or negatives."""
    # Mann and Whitney (1947): the rank sum of the positives, less the least that it can
    # be, counts the pairs in which the positive scores higher; mean ranks count ties as
    # half. All species at once are much faster than scikit-learn's one by one. Unknown
    # entries are NaN in score, so ranks count among the known rows only.
    ranks = rankdata(score, axis=0, nan_policy="omit")
    n_positive = truth.positive.sum(axis=0)
    n_negative = truth.known.sum(axis=0) - n_positive
    rank_sum = np.where(truth.positive, ranks, 0.0).sum(axis=0)
    wins = rank_sum - n_positive * (n_positive + 1) / 2
    pairs = n_positive * n_negative
    return np.divide(wins, pairs, out=np.full(pairs.shape, np.nan), where=pairs > 0)


def average_precision_per_species(truth, score):
    """Compute the average precision of each species; NaN without positives."""
    result = np.full(score.shape[1], np.nan)
    for j in np.flatnonzero(truth.positive.any(axis=0)):
        known = truth.known[:, j]
        result[j] = average_precision_score(truth.positive[known, j], score[known, j])
    return result


def _macro_mean(per_species, species, name, return_skipped):
    undefined = np.isnan(per_species)
    if undefined.all():
        warnings.warn(
            f"No species has the rows that {name} needs; the score is NaN. Use more "
            "rows, or folds that share out the species.",
            UndefinedMetricWarning,
            stacklevel=3,
        )
        score = float("nan")
    else:
        score = float(per_species[~undefined].mean())
    if return_skipped:
        return score, [species[j] for j in np.flatnonzero(undefined)]
    return score
