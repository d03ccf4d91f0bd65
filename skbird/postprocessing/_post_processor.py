"""Base classes of post-processors, which change what a classifier predicts."""

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.utils.validation import check_is_fitted

from skbird.base import MultilabelMetaMixin
from skbird.metrics import macro_roc_auc
from skbird.utils._nested import check_same_species, predict_matrix
from skbird.utils._rows import (
    check_targets,
    groups_of_rows,
    recordings_of_rows,
    row_table,
)


class PostProcessor(MultilabelMetaMixin, BaseEstimator):
    """Base class of meta-estimators that change the predictions of a classifier.

    A subclass fits the inner classifier with ``_fit_estimator``, which also learns its
    species, and changes the probabilities that ``super().predict_proba(X)`` returns.

    Examples
    --------
    A post-processor that lowers each probability by a power:

    >>> import numpy as np
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from skbird.postprocessing import PostProcessor
    >>> class Power(PostProcessor):
    ...     def __init__(self, estimator, exponent=2.0):
    ...         self.estimator = estimator
    ...         self.exponent = exponent
    ...
    ...     def fit(self, X, y):
    ...         self._fit_estimator(X, y, {})
    ...         return self
    ...
    ...     def predict_proba(self, X):
    ...         return super().predict_proba(X) ** self.exponent
    >>> X, Y = np.array([[0.0], [1.0], [2.0]]), np.array([[1, 0], [0, 1], [0, 1]])
    >>> Power(KNeighborsClassifier(2)).fit(X, Y).predict_proba([[0.4]])
    array([[0.25, 0.25]])
    """

    def _fit_estimator(self, X, y, fit_params):
        check_targets(X, y)
        self.estimator_ = clone(self.estimator).fit(X, y, **fit_params)
        self._learn_species(y)

    def _estimator_proba(self, X):
        return predict_matrix(self.estimator_, X, len(self.classes_))

    def predict_proba(self, X):
        """Predict the probability of each species.

        Parameters
        ----------
        X : DataFrame, sequence of paths, or whatever `estimator` takes
            The rows.

        Returns
        -------
        proba : ndarray of shape (n_rows, n_species)
            NaN for rows that could not be read.
        """
        check_is_fitted(self)
        return self._estimator_proba(X)


class FilePostProcessor(PostProcessor):
    """Base of post-processors that look at all rows of a file.

    Subclasses define ``_reweight(proba, groups, start)`` and ``_neutral()``, what it
    makes of a probability of 0.5 among others of 0.5.
    """

    def predict_proba(self, X, *, groups=None):
        """Predict reweighted probabilities.

        Parameters
        ----------
        X : DataFrame, sequence of paths, or whatever `estimator` takes
            The rows, all those of a file together.
        groups : str or array-like of shape (n_rows,), default=None
            Which file a row is from, or the column of X that tells. By default X tells.

        Returns
        -------
        proba : ndarray of shape (n_rows, n_species)
            NaN for rows that could not be read.

        Raises
        ------
        ValueError
            If neither X nor `groups` says which rows share a file.
        """
        check_is_fitted(self)
        # Before the prediction: a forgotten `groups` must not cost hours.
        groups = groups_of_rows(X, groups)
        groups = recordings_of_rows(X) if groups is None else groups
        return self._reweight(self._estimator_proba(X), groups, starts_of_rows(X))

    def predict(self, X, *, groups=None):
        r"""Predict which species are present.

        A species is present from the value on that a row of probability 0.5 gets in a
        file whose level is 0.5, :math:`(1 - s)\, 0.5^{1 + a} + s / 2` with a =
        `level_power` and s = `level_share`.
        Thresholds of `estimator` are not used.

        Parameters
        ----------
        X : DataFrame, sequence of paths, or whatever `estimator` takes
            The rows, all those of a file together.
        groups : str or array-like of shape (n_rows,), default=None
            Which file a row is from, or the column of X that tells. By default X tells.

        Returns
        -------
        labels : ndarray of int, shape (n_rows, n_species)
            0 or 1; 0 throughout for rows that could not be read.
        """
        proba = self.predict_proba(X, groups=groups)
        return (proba >= self._neutral()).astype(np.int64)

    def score(self, X, y, *, groups=None):
        """Macro ROC-AUC of the reweighted probabilities, over the readable rows.

        Parameters
        ----------
        X : DataFrame, sequence of paths, or whatever `estimator` takes
            The rows, all those of a file together.
        y : array-like or DataFrame of shape (n_rows, n_species)
            Their labels; see `skbird.metrics.macro_roc_auc`.
        groups : str or array-like of shape (n_rows,), default=None
            Which file a row is from, or the column of X that tells. By default X tells.

        Returns
        -------
        score : float in [0, 1]
        """
        check_same_species(type(self).__name__, getattr(self, "species_", None), y)
        return macro_roc_auc(y, self.predict_proba(X, groups=groups), nan_rows="omit")


def starts_of_rows(X):
    """Return where rows start in their files, in seconds, or None if X does not tell.

    Parameters
    ----------
    X : DataFrame, object with an attribute ``rows`` that is one, or anything else

    Returns
    -------
    ndarray of float, shape (n_rows,), or None
    """
    table = row_table(X)
    if table is None or "start" not in table.columns:
        return None
    return table["start"].to_numpy(dtype=np.float64, na_value=np.nan)
