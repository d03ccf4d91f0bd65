"""Base of the post-processors that learn from held-out predictions."""

import numpy as np
from sklearn.base import _fit_context

from skbird.postprocessing._post_processor import PostProcessor
from skbird.utils._held_out import held_out_proba
from skbird.utils._params import as_floats
from skbird.utils._rows import groups_of_rows
from skbird.utils._truth import validate_truth


class HeldOutPostProcessor(PostProcessor):
    """Base of post-processors that learn from held-out predictions.

    Subclasses define ``_learn(proba, target, prepared)``, which gets what
    `held_out_pairs` returns, and, if they need to know more of the rows,
    ``_prepare(X, y, groups)``, which returns it.
    """

    __metadata_request__fit = {"groups": True}

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(
        self,
        X,
        y,
        *,
        groups=None,
        sample_weight=None,
        label_weight=None,
        **fit_params,
    ):
        """Learn from held-out predictions, and fit the estimator on all rows.

        Parameters
        ----------
        X : DataFrame, sequence of paths, or whatever `estimator` takes
            The rows; for reweighting, all rows of each file.
        y : array-like or DataFrame of shape (n_rows, n_species)
            Their labels: in [0, 1], present from 0.5 on, NaN = unknown, -1 throughout =
            unlabelled. Calibration takes fractions as they are.
        groups : str or array-like of shape (n_rows,), default=None
            What must stay together in a fold, such as sites; or a column of X. By
            default files do. If X does not name files, these are the files.
        sample_weight : array-like of shape (n_rows,), default=None
            Weights of the rows, for what is at the end of `estimator`, whatever its
            step is called.
        label_weight : array-like of shape (n_rows, n_species), default=None
            Weights of the labels, likewise: networks multiply the loss by them.
        **fit_params
            Passed on to ``estimator.fit``. What has n_rows entries is cut to the fold.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If there is nothing to learn from: no held-out row could be read, or species
            or files are missing that are needed.
        """
        groups = groups_of_rows(X, groups)
        fit_params = self._params_of_fit(
            X,
            fit_params,
            groups=groups,
            sample_weight=sample_weight,
            label_weight=label_weight,
        )
        prepared = self._prepare(X, y, groups)
        proba, target = held_out_pairs(
            self.estimator, X, y, cv=self.cv, groups=groups, fit_params=fit_params
        )
        # Before the longest fit, that of all rows: if nothing can be learnt, it raises.
        self._learn(proba, target, prepared)
        self._fit_estimator(X, y, fit_params)
        return self

    def _prepare(self, X, y, groups):
        """Check the rows before they cost time; return what `_learn` needs of them."""


def held_out_pairs(estimator, X, y, *, cv, groups, fit_params):
    """Return the held-out predictions and the known targets of all rows.

    Parameters
    ----------
    estimator, X, y, cv, groups, fit_params
        See `held_out_proba`.

    Returns
    -------
    proba : ndarray of float, shape (n_rows, n_species)
        NaN in rows that were not predicted or could not be read.
    target : ndarray of float, shape (n_rows, n_species)
        In [0, 1]; NaN where it is unknown or without a prediction.
    """
    proba, _ = held_out_proba(
        estimator, X, y, cv=cv, groups=groups, fit_params=fit_params
    )
    known = validate_truth(y).known & ~np.isnan(proba)
    if not known.any():
        raise ValueError(
            "All held-out predictions of labelled rows are NaN: no recording could be "
            "read, or the classifier diverged."
        )
    return proba, np.where(known, as_floats(y, "y", np.float64), np.nan)
