"""A table of the errors that are worth listening to."""

from numbers import Integral
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from skbird.utils._rows import check_same_orders
from skbird.utils._text import counted
from skbird.utils._truth import validate_scores, validate_threshold
from skbird.utils._typing import Names, NanRows

FALSE_POSITIVE, FALSE_NEGATIVE = "false positive", "false negative"
_COLUMNS = ["row", "species", "error", "truth", "score", "margin"]


def error_table(
    y_true: ArrayLike,
    proba: ArrayLike,
    threshold: ArrayLike = 0.5,
    *,
    kind: Literal["both", "false positive", "false negative"] = "both",
    X: pd.DataFrame | None = None,
    max_per_species: int | None = None,
    species: Names | None = None,
    nan_rows: NanRows = "raise",
) -> pd.DataFrame:
    """List false positives and false negatives, the most confident errors first.

    Among the confident false positives are calls that the annotator missed, and among
    the confident false negatives labels of species that cannot be heard: listen
    before blaming the model.

    Parameters
    ----------
    y_true : array-like or DataFrame of shape (n_rows, n_species)
        Truth in [0, 1]. From 0.5 on it counts as presence. NaN = unknown: that entry
        cannot be an error. Rows that are -1 throughout are left out.
    proba : array-like or DataFrame of shape (n_rows, n_species)
        Probabilities or any finite scores; rows match `y_true` by position.
    threshold : float or array-like of shape (n_species,), default=0.5
        Score from which a species counts as predicted.
    kind : {"both", "false positive", "false negative"}, default="both"
        Which errors to list. If the threshold is far from 0.5, one kind can be further
        from it and fills the top of the list; then list each kind by itself.
    X : DataFrame of n_rows rows, default=None
        What was predicted, in the order of `y_true`; its columns (``path``,
        ``start``, ``end``, ...) are appended, its index is ignored.
    max_per_species : int >= 1, default=None
        Largest number of errors of each kind to list for a species. None: all.
    species : sequence of str, default=None
        Names of the species. By default the columns of `y_true`: their names if it is
        a DataFrame, else their numbers.
    nan_rows : {"raise", "omit"}, default="raise"
        What to do with rows of `proba` that are NaN throughout; see
        `skbird.metrics.macro_roc_auc`.

    Returns
    -------
    errors : DataFrame
        One line per error: ``row`` (position, from 0), ``species``, ``error``,
        ``truth`` and ``score`` as given, ``margin``, then the columns of `X`. The
        margin is the distance of the score from the threshold: the larger, the more
        confident the model was. Lines are sorted by it, the largest first.

    Raises
    ------
    TypeError
        If `X` is not a DataFrame.
    ValueError
        If shapes or species differ, values are out of range, or `X` has other
        rows, or columns of the table's own names.

    See Also
    --------
    species_report : How many errors each species has.

    Examples
    --------
    >>> import pandas as pd
    >>> from skbird.metrics import error_table
    >>> y_true = pd.DataFrame({"amerob": [1, 0, 1], "banowl": [0, 0, 1]})
    >>> proba = [[0.9, 0.6], [0.95, 0.3], [0.2, 0.7]]
    >>> X = pd.DataFrame({"path": ["a.ogg", "a.ogg", "b.ogg"]})
    >>> error_table(y_true, proba, X=X)
       row species           error  truth  score  margin   path
    0    1  amerob  false positive    0.0   0.95    0.45  a.ogg
    1    2  amerob  false negative    1.0   0.20    0.30  b.ogg
    2    0  banowl  false positive    0.0   0.60    0.10  a.ogg
    """
    _check_options(kind, max_per_species)
    truth, score = validate_scores(y_true, proba, species=species, nan_rows=nan_rows)
    threshold = validate_threshold(threshold, score.shape[1])
    if X is not None:
        _check_rows(X, len(score))
        check_same_orders({"y_true": y_true, "proba": proba, "X": X})
    predicted = score >= threshold
    # Unknown entries are NaN in score, so neither predicted nor positive.
    wrong = predicted != truth.positive
    if kind != "both":
        wrong &= predicted == (kind == FALSE_POSITIVE)
    row, column = np.nonzero(wrong)
    limit = np.broadcast_to(threshold, score.shape)[row, column]
    margin = np.abs(score[row, column] - limit)
    first = np.argsort(-margin, kind="stable")
    row, column, margin = row[first], column[first], margin[first]
    errors = pd.DataFrame(
        {
            "row": row,
            "species": pd.Index(truth.species).take(column),
            "error": np.where(predicted[row, column], FALSE_POSITIVE, FALSE_NEGATIVE),
            "truth": np.asarray(y_true)[row, column].astype(np.float64),
            "score": score[row, column],
            "margin": margin,
        }
    )
    if max_per_species is not None:
        nth = errors.groupby([column, errors["error"]]).cumcount()
        errors = errors[nth < max_per_species].reset_index(drop=True)
    if X is None:
        return errors
    return errors.join(X.reset_index(drop=True), on="row")


def _check_options(kind, max_per_species):
    kinds = ("both", FALSE_POSITIVE, FALSE_NEGATIVE)
    if not isinstance(kind, str) or kind not in kinds:
        raise ValueError(f"kind={kind!r} must be one of {kinds}.")
    if max_per_species is not None and not (
        isinstance(max_per_species, Integral) and max_per_species >= 1
    ):
        raise ValueError(
            f"max_per_species={max_per_species!r} must be a whole number, at least 1, "
            "or None for all errors."
        )


def _check_rows(X, n_rows):
    if not isinstance(X, pd.DataFrame):
        raise TypeError(
            f"X must be a DataFrame, such as the one that was predicted; got "
            f"{type(X).__name__}."
        )
    if len(X) != n_rows:
        raise ValueError(
            f"X has {counted(len(X), 'row')} and y_true {n_rows}; pass the very table "
            "that was predicted."
        )
    taken = [name for name in _COLUMNS if name in X.columns]
    if taken:
        raise ValueError(
            f"X has the columns {taken}, which the table of errors has itself. "
            "Rename or drop them."
        )
