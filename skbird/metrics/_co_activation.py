"""Confusions between species, for rows that may have several."""

from typing import Literal, overload

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from skbird.metrics._counts import ratio
from skbird.utils._params import check_params
from skbird.utils._truth import validate_scores, validate_threshold
from skbird.utils._typing import Names, NanRows

_CONSTRAINTS = {"return_support": ["boolean"]}


@overload
def co_activation(
    y_true: ArrayLike,
    proba: ArrayLike,
    threshold: ArrayLike | None = 0.5,
    *,
    species: Names | None = None,
    nan_rows: NanRows = "raise",
    return_support: Literal[False] = False,
) -> pd.DataFrame: ...
@overload
def co_activation(
    y_true: ArrayLike,
    proba: ArrayLike,
    threshold: ArrayLike | None = 0.5,
    *,
    species: Names | None = None,
    nan_rows: NanRows = "raise",
    return_support: Literal[True],
) -> tuple[pd.DataFrame, pd.DataFrame]: ...


@overload
def co_activation(
    y_true: ArrayLike,
    proba: ArrayLike,
    threshold: ArrayLike | None = 0.5,
    *,
    species: Names | None = None,
    nan_rows: NanRows = "raise",
    return_support: bool = False,
) -> pd.DataFrame | tuple[pd.DataFrame, pd.DataFrame]: ...
def co_activation(
    y_true: ArrayLike,
    proba: ArrayLike,
    threshold: ArrayLike | None = 0.5,
    *,
    species: Names | None = None,
    nan_rows: NanRows = "raise",
    return_support: bool = False,
) -> pd.DataFrame | tuple[pd.DataFrame, pd.DataFrame]:
    r"""Compute how often one species sets off the prediction of another.

    It replaces the confusion matrix, which needs one label per row. Rows can have
    several species, so each pair (a, b) is judged on the rows with species a and
    without species b:

    .. math:: C_{ab} = \frac{|\{i : a \in P_i, b \in A_i, f_{ib} \ge t_b\}|}
                            {|\{i : a \in P_i, b \in A_i\}|}
              \qquad
              C_{aa} = \frac{|\{i : a \in P_i, f_{ia} \ge t_a\}|}{|\{i : a \in P_i\}|}

    with the species :math:`P_i` known to be present and :math:`A_i` known to be absent
    in row i. The diagonal is the recall. :math:`C_{ab}` also counts false alarms that
    have nothing to do with a: a column that is high throughout is a species with many
    of them, and a single high entry is a confusion.

    Parameters
    ----------
    y_true : array-like or DataFrame of shape (n_rows, n_species)
        Truth in [0, 1]. From 0.5 on it counts as presence. NaN = unknown: that entry
        is neither presence nor absence. Rows that are -1 throughout are left out.
    proba : array-like or DataFrame of shape (n_rows, n_species)
        Probabilities or any finite scores; rows match `y_true` by position.
    threshold : float, array-like of shape (n_species,) or None, default=0.5
        Score from which a species counts as predicted. None computes the mean score of
        b over those rows instead of the share that reaches a threshold.
    species : sequence of str, default=None
        Names of the species. By default the columns of `y_true`: their names if it is
        a DataFrame, else their numbers.
    nan_rows : {"raise", "omit"}, default="raise"
        What to do with rows of `proba` that are NaN throughout; see
        `skbird.metrics.macro_roc_auc`.
    return_support : bool, default=False
        Whether to return the numbers of rows as well.

    Returns
    -------
    rates : DataFrame of shape (n_species, n_species)
        True species in the index, predicted ones in the columns; in [0, 1] with a
        threshold. NaN where no row has the one without the other.
    support : DataFrame of shape (n_species, n_species)
        Number of rows behind each rate. Only if `return_support` is true.

    Raises
    ------
    ValueError
        If shapes or species differ or values are out of range.

    See Also
    --------
    error_table : The rows with these errors.

    Examples
    --------
    Half of the rows with frogs, and none of those with robins, sound like an owl:

    >>> from skbird.metrics import co_activation
    >>> y_true = [[1, 0, 0], [1, 0, 0], [0, 1, 0], [0, 1, 1]]
    >>> proba = [[0.9, 0.1, 0.8], [0.7, 0.2, 0.1], [0.2, 0.9, 0.3], [0.1, 0.8, 0.4]]
    >>> co_activation(y_true, proba, species=["frog", "robin", "owl"])
    predicted  frog  robin  owl
    true
    frog        1.0    0.0  0.5
    robin       0.0    1.0  0.0
    owl         0.0    NaN  0.0
    """
    check_params("co_activation", _CONSTRAINTS, return_support=return_support)
    truth, score = validate_scores(y_true, proba, species=species, nan_rows=nan_rows)
    if threshold is None:
        activation = np.where(truth.known, score, 0.0)
    else:
        threshold = validate_threshold(threshold, score.shape[1])
        activation = (score >= threshold).astype(np.float64)
    rows = truth.positive.any(axis=1)  # the others have no true species
    present = truth.positive[rows].astype(np.float64)
    absent = (truth.known & ~truth.positive)[rows].astype(np.float64)
    support = present.T @ absent
    total = present.T @ (absent * activation[rows])
    np.fill_diagonal(support, present.sum(axis=0))
    np.fill_diagonal(total, (present * activation[rows]).sum(axis=0))
    labels = {
        "index": pd.Index(truth.species, name="true"),
        "columns": pd.Index(truth.species, name="predicted"),
    }
    rates = pd.DataFrame(ratio(total, support), **labels)
    if return_support:
        return rates, pd.DataFrame(support.astype(np.int64), **labels)
    return rates
