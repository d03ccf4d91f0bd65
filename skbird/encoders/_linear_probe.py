"""What probes have in common: linear scores of windows, pooled, one set per species."""

import warnings
from numbers import Integral, Real

import numpy as np
from scipy.special import expit
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted

from skbird.base import MultilabelMixin
from skbird.encoders._probe_fit import choose_c, fit_coefficients
from skbird.encoders._probe_targets import (
    read_targets,
    warn_of_constants,
    weigh_outcomes,
)
from skbird.encoders._window_batches import WindowBatches, row_slices
from skbird.encoders._windows import Windows
from skbird.utils._params import THRESHOLD
from skbird.utils._rows import groups_of_rows, number_groups
from skbird.utils._sklearn_compat import Interval, StrOptions
from skbird.utils._text import counted
from skbird.utils._truth import validate_threshold

_DEFAULT_C = 0.1  # the best for few rows


class LinearProbe(MultilabelMixin, BaseEstimator):
    """Base of the probes.

    A subclass has the parameters `C`, `class_weight`, `max_iter` and `threshold`, and
    defines ``_windows_of(X, reset)``, which gives `Windows` or something like it, and
    ``_pooling(bounds, weights)``.
    """

    _attends = False  # whether there are coefficients of attention

    __metadata_request__fit = {"groups": True, "label_weight": True}

    _parameter_constraints: dict = {
        "C": [StrOptions({"auto"}), Interval(Real, 0, None, closed="neither")],
        "class_weight": [StrOptions({"balanced"}), None],
        "max_iter": [Interval(Integral, 1, 1_000_000, closed="both")],
        "threshold": THRESHOLD,
    }

    def fit(self, X, y, sample_weight=None, label_weight=None, groups=None):
        """Fit the coefficients of each species.

        Parameters
        ----------
        X : see the class
            The rows. Those with NaN, which could not be read, are left out.
        y : array-like or DataFrame of shape (n_rows, n_species)
            In [0, 1]; fractions are soft targets, NaN is unknown. A row that is -1
            throughout is unlabelled and not used. Columns name the species.
        sample_weight : array-like of shape (n_rows,), default=None
            Weights of the rows; only their relations count.
        label_weight : array-like of shape (n_rows, n_species), default=None
            Factor of the loss of each label; >= 0.
        groups : str or array-like of shape (n_rows,), default=None
            What must stay together where C is chosen, such as recordists or sites; or a
            column of the row table of `Windows`. By default files do, as far as X
            tells.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If a parameter, y or a weight is not as said, or no row is left.

        Warns
        -----
        UserWarning
            If there are species without positives or without negatives.
        ConvergenceWarning
            If `max_iter` steps are too few.
        """
        self._validate_params()
        windows = self._windows_of(X, reset=True)
        species, present, total, row_weight = read_targets(
            windows, y, sample_weight, label_weight
        )
        validate_threshold(self.threshold, len(species))
        groups = _groups(X, groups, len(windows))
        batches, rows = self._training_batches(windows, row_weight)
        present, total, row_weight = present[rows], total[rows], row_weight[rows]
        learned = warn_of_constants(species, present, total)
        intercept = _constant_logits(present, total)
        present, total = weigh_outcomes(present, total, row_weight, self.class_weight)
        problem = batches, present[:, learned], total[:, learned]
        problem += (self._pooling(batches.bounds, batches.weights),)
        batches.standardize(row_weight)
        vars(self).pop("C_scores_", None)  # of an earlier fit
        self.C_ = self.C if self.C != "auto" else self._choose_c(problem, groups[rows])
        coef, n_iter = fit_coefficients(*problem, self.C_, self.max_iter)
        if n_iter.max(initial=0) >= self.max_iter:
            warnings.warn(
                f"The coefficients of {(n_iter >= self.max_iter).sum()} species still "
                f"changed after max_iter={self.max_iter} steps. Raise it, or lower C.",
                ConvergenceWarning,
                stacklevel=2,
            )
        self.species_, self.n_iter_ = species, int(n_iter.max(initial=0))
        self.classes_ = np.tile([0, 1], (len(species), 1))
        self._keep(batches, coef, intercept, learned)
        return self

    def predict_proba(self, X):
        """Predict the probability of each species.

        Parameters
        ----------
        X : see the class
            The rows.

        Returns
        -------
        ndarray of shape (n_rows, n_species), float32
            NaN in rows that could not be read.
        """
        check_is_fitted(self, "coef_")
        windows = self._windows_of(X, reset=False)
        logits = np.full((len(windows), len(self.species_)), np.nan, np.float32)
        for rows, batch, scores in self._scored(windows):
            pooling = self._pooling(batch.bounds, batch.weights)
            logits[rows] = pooling.logits(scores)
        return expit(logits)

    def _scored(self, windows):
        """Yield numbers of readable rows, their windows and the scores of these."""
        coef = self._standardized_coef()
        readable = np.flatnonzero(windows.n_windows)
        for part in row_slices(windows.n_windows[readable], windows.n_values):
            rows = readable[part]
            batch = WindowBatches(windows, rows, self.mean_, self.scale_)
            with np.errstate(invalid="ignore"):  # NaN and infinity become NaN
                scores = batch.forward(coef)
                scores[~np.isfinite(scores)] = np.nan
            yield rows, batch, scores

    def _training_batches(self, windows, row_weight):
        rows = np.flatnonzero((row_weight > 0) & (windows.n_windows > 0))
        batches = WindowBatches(windows, rows)
        finite = batches.is_finite()
        if not finite.all():
            rows = rows[finite]
            batches = WindowBatches(windows, rows)
        if not len(rows):
            raise ValueError(
                f"There is nothing to train on in {counted(len(windows), 'row')}: each "
                "is unlabelled, unreadable or has sample_weight 0."
            )
        return batches, rows

    def _choose_c(self, problem, groups):
        chosen, self.C_scores_ = choose_c(*problem, groups, self.max_iter)
        return _DEFAULT_C if chosen is None else chosen

    def _keep(self, batches, coef, intercept, learned):
        """Keep coefficients; species that cannot be learned have an intercept only."""
        self.mean_, self.scale_ = batches.mean, batches.scale
        whole = np.zeros((len(coef), len(learned), len(self.mean_)))
        whole[:, learned] = np.swapaxes(coef[:, :-1], 1, 2) / self.scale_
        intercept[learned] = coef[0, -1] - whole[0, learned] @ self.mean_
        self.coef_, self.intercept_ = whole[0], intercept
        self.attention_coef_ = whole[1] if self._attends else None

    def _standardized_coef(self):
        """Return what `_keep` was given, of all species."""
        parts = [self.coef_, *([self.attention_coef_] if self._attends else [])]
        coef = np.stack(
            [np.vstack([(p * self.scale_).T, p @ self.mean_]) for p in parts]
        )
        coef[0, -1] += self.intercept_
        return coef.astype(np.float32)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.target_tags.multi_output = True
        tags.target_tags.single_output = False
        tags.input_tags.allow_nan = True
        return tags


def _groups(X, groups, n_rows):
    if groups is None:
        groups = X.rows["path"] if isinstance(X, Windows) else np.arange(n_rows)
    return number_groups(groups_of_rows(X, groups, n_rows=n_rows), n_rows)[0]


def _constant_logits(present, total):
    """Return log odds of each species, with half a row more of each outcome."""
    positive, known = present.sum(axis=0), total.sum(axis=0)
    return np.log((positive + 0.5) / (known - positive + 0.5))
