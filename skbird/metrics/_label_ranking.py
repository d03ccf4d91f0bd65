"""Ranking of the species within a row, where the other metrics rank rows."""

import warnings

import numpy as np
from numpy.typing import ArrayLike
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import label_ranking_average_precision_score

from skbird.utils._truth import validate_scores
from skbird.utils._typing import NanRows


def lrap(y_true: ArrayLike, proba: ArrayLike, *, nan_rows: NanRows = "raise") -> float:
    r"""Compute label-ranking average precision, over the rows that have a positive.

    It asks whether the species present in a row score highest in it: for each of
    them, the share of present ones among the species that score at least as high,
    averaged over those species and then over rows:

    .. math:: LRAP = \frac{1}{n} \sum_i \frac{1}{|P_i|} \sum_{j \in P_i}
              \frac{|\{k \in P_i : f_{ik} \ge f_{ij}\}|}
                   {|\{k \in K_i : f_{ik} \ge f_{ij}\}|}

    with the species :math:`P_i` present in row i and :math:`K_i` known in it. Rows
    without a known positive are left out. The metric compares scores of different
    species, which the macro metrics never do, and says nothing of rows without calls.

    Parameters
    ----------
    y_true : array-like or DataFrame of shape (n_rows, n_species)
        Truth in [0, 1]. From 0.5 on it counts as presence. NaN = unknown: that entry
        is left out of its row's ranking. Rows that are -1 throughout are left out.
    proba : array-like or DataFrame of shape (n_rows, n_species)
        Probabilities or any finite scores; rows match `y_true` by position.
    nan_rows : {"raise", "omit"}, default="raise"
        What to do with rows of `proba` that are NaN throughout; see `macro_roc_auc`.

    Returns
    -------
    score : float in [0, 1]
        NaN, with an `UndefinedMetricWarning`, if no row has a positive.

    Raises
    ------
    ValueError
        If shapes or species differ or values are out of range.

    See Also
    --------
    sklearn.metrics.label_ranking_average_precision_score : The same where all is
        known; it counts rows without a positive as 1.

    References
    ----------
    Tsoumakas, Katakis, Vlahavas (2010), "Mining multi-label data", in Data Mining and
    Knowledge Discovery Handbook, Springer.

    Examples
    --------
    >>> import numpy as np
    >>> from skbird.metrics import lrap
    >>> y_true = [[1, 0, 0], [0, 0, 1], [0, 0, 0]]
    >>> proba = [[0.8, 0.5, 0.9], [0.2, 0.1, 0.7], [0.3, 0.3, 0.3]]
    >>> lrap(y_true, proba)
    0.75
    >>> y_true[0][2] = np.nan  # whether the third species calls there is not known
    >>> lrap(y_true, proba)
    1.0
    """
    truth, score = validate_scores(y_true, proba, nan_rows=nan_rows)
    rows = truth.positive.any(axis=1)
    if not rows.any():
        warnings.warn(
            "No row has a known positive; LRAP is NaN. Use more rows.",
            UndefinedMetricWarning,
            stacklevel=2,
        )
        return float("nan")
    # Below all others an unknown entry is in no ranking: only higher ones count there.
    lowest = np.nextafter(np.nanmin(score), -np.inf)
    ranked = np.where(truth.known[rows], score[rows], lowest)
    return float(label_ranking_average_precision_score(truth.positive[rows], ranked))
