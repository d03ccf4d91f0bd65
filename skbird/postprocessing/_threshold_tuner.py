"""Decide from which probability on each species counts as present."""

from numbers import Integral, Real

import numpy as np

from skbird.postprocessing._calibration import pool_species
from skbird.postprocessing._held_out_post_processor import HeldOutPostProcessor
from skbird.postprocessing._thresholds import best_threshold
from skbird.utils._sklearn_compat import HasMethods, Interval, StrOptions
from skbird.utils._truth import PRESENT_FROM, validate_truth


class ThresholdTuner(HeldOutPostProcessor):
    r"""Choose a threshold for each species, and predict with it.

    The thresholds are chosen on held-out predictions. A species with few presences gets
    the one that is best for all species together.

    Parameters
    ----------
    estimator : estimator object
        A multi-label classifier with ``predict_proba``, usually a whole pipeline. A
        fitted one in `sklearn.frozen.FrozenEstimator` is kept as it is: then the rows
        given to `fit` must be new to it.
    objective : {"f_beta", "precision", "prevalence"}, default="f_beta"
        What the thresholds optimise.

        - "f_beta": the highest :math:`F_\beta`, the weighted harmonic mean of precision
          and recall, :math:`(1 + \beta^2)\, tp / ((1 + \beta^2)\, tp + \beta^2 fn +
          fp)`.
        - "precision": as many detections as possible, of which a share of
          `min_precision` is right. A species that never reaches it is never predicted;
          its threshold is infinite.
        - "prevalence": as many rows as have the species. Errors of both kinds even out,
          which suits counts.
    beta : float > 0, default=1.0
        Above 1 misses weigh more than false detections. Only with "f_beta".
    min_precision : float in (0, 1], default=0.9
        Only with "precision".
    min_positives : int >= 1, default=5
        A species in fewer rows gets the threshold of all species together.
    cv : int, splitter or iterable of (train, test), default=None
        The folds, which must keep files whole. With an int (None means 5) they do.

    Attributes
    ----------
    estimator_ : estimator object
        The clone of `estimator` fitted on all rows.
    thresholds_ : ndarray of shape (n_species,)
        Probabilities from which species count as present.
    pooled_threshold_ : float
        The threshold of species with fewer than `min_positives` positive rows, chosen
        on the rows of all species together.
    n_positives_ : ndarray of int, shape (n_species,)
        Number of positive rows of each species in the held-out predictions.
    classes_ : ndarray of shape (n_species, 2)
        The two values of each label, [0, 1].
    species_ : ndarray of str or of int
        The species in the order of the columns of ``predict_proba``.
    n_features_in_, feature_names_in_
        Those of `estimator_`. Only if it has them.

    See Also
    --------
    sklearn.model_selection.TunedThresholdClassifierCV : For one label per row.
    skbird.metrics.species_report : Precision and recall at given thresholds.

    Notes
    -----
    Precision depends on how common a species is: it holds where the shares of species
    are those of the rows given to `fit`.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.frozen import FrozenEstimator
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from skbird.postprocessing import ThresholdTuner
    >>> X, Y = np.arange(20.0).reshape(-1, 1), np.repeat([[1, 0], [0, 1]], 10, axis=0)
    >>> fitted = FrozenEstimator(KNeighborsClassifier(5).fit(X, Y))
    >>> Y[8] = 0, 1  # the second species begins at 8, not at 10
    >>> Y[9] = 0, 1
    >>> ThresholdTuner(fitted).fit(X, Y).thresholds_
    array([0.9, 0.1])
    """

    _parameter_constraints: dict = {
        "estimator": [HasMethods(["fit", "predict_proba"])],
        "objective": [StrOptions({"f_beta", "precision", "prevalence"})],
        "beta": [Interval(Real, 0, None, closed="neither")],
        "min_precision": [Interval(Real, 0, 1, closed="right")],
        "min_positives": [Interval(Integral, 1, None, closed="left")],
        "cv": ["cv_object"],
    }

    def __init__(
        self,
        estimator,
        *,
        objective="f_beta",
        beta=1.0,
        min_precision=0.9,
        min_positives=5,
        cv=None,
    ):
        self.estimator = estimator
        self.objective = objective
        self.beta = beta
        self.min_precision = min_precision
        self.min_positives = min_positives
        self.cv = cv

    def _learn(self, proba, target, prepared):
        truth = validate_truth(target)
        self.n_positives_ = truth.positive.sum(axis=0)
        if not self.n_positives_.any():
            raise ValueError(
                "No species is present in the held-out rows, so that there is no "
                "threshold to choose. Pass rows that have species."
            )
        self.pooled_threshold_ = self._tune(*pool_species(proba, target))
        self.thresholds_ = np.full(len(self.n_positives_), self.pooled_threshold_)
        for j in np.flatnonzero(self.n_positives_ >= self.min_positives):
            known = truth.known[:, j]
            self.thresholds_[j] = self._tune(proba[known, j], target[known, j])

    def _tune(self, proba, target):
        return best_threshold(
            proba,
            target >= PRESENT_FROM,
            objective=self.objective,
            beta=self.beta,
            min_precision=self.min_precision,
        )

    def predict(self, X):
        """Predict which species are present: those that reach their threshold.

        Parameters
        ----------
        X : DataFrame, sequence of paths, or whatever `estimator` takes
            The rows.

        Returns
        -------
        labels : ndarray of int, shape (n_rows, n_species)
            0 or 1; 0 throughout for rows that could not be read.
        """
        return (self.predict_proba(X) >= self.thresholds_).astype(np.int64)
