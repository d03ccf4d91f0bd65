"""Sets of species that may be present, so that few present ones are missed."""

import warnings
from numbers import Real

import numpy as np

from skbird.postprocessing._held_out_post_processor import HeldOutPostProcessor
from skbird.utils._params import THRESHOLD
from skbird.utils._rows import file_numbers
from skbird.utils._sklearn_compat import HasMethods, Interval
from skbird.utils._truth import validate_truth


class ConformalClassifier(HeldOutPostProcessor):
    r"""Predict sets of species that hold each present species with a given confidence.

    Each species gets a threshold that all but a share `alpha` of the held-out rows with
    this species reach. The set of a row holds the species that reach their thresholds:
    a species that is present is in the set with a probability of at least 1 - `alpha`.
    With F files that have the species, of :math:`n_f` rows each, the threshold
    :math:`\tau` is the highest of these rows' probabilities p with

    .. math:: \frac{1}{F + 1} \Big(1 + \sum_{f=1}^{F} \frac{1}{n_f}
              \sum_{i \in f} [p_i < \tau]\Big) \le alpha

    so that rows of a file, which are alike, count together as one. If there is none,
    with fewer than 1 / alpha - 1 files, the species is in every set; `fit` warns if
    that is so of all species.

    The guarantee is about a row that is drawn from the species' rows of a new file, on
    average over files, those given to `fit` included. **It assumes that the new file
    could as well have been one of those** (exchangeability): it does not hold for
    soundscapes of another place or season, nor if `fit` was given focal recordings. It
    needs a fitted estimator in `sklearn.frozen.FrozenEstimator` and rows new to it.
    With `cv` the thresholds are those of the folds' models, and are right only as far
    as the model of all rows predicts like these.

    Parameters
    ----------
    estimator : estimator object
        A multi-label classifier with ``predict_proba``, usually a whole pipeline. A
        fitted one in `sklearn.frozen.FrozenEstimator` is kept as it is: then the rows
        given to `fit` must be new to it.
    alpha : float in (0, 1), default=0.1
        The share of presences that may be missed.
    threshold : float in [0, 1] or array of shape (n_species,), default=0.5
        Probability from which `predict` counts a species as present.
    cv : int, splitter or iterable of (train, test), default=None
        The folds, which must keep files whole. With an int (None means 5) they do.

    Attributes
    ----------
    estimator_ : estimator object
        The clone of `estimator` fitted on all rows.
    thresholds_ : ndarray of shape (n_species,)
        Probabilities from which species are in the set; -inf: always.
    n_files_ : ndarray of int, shape (n_species,)
        Number of files with the species, from which its threshold was chosen.
    classes_ : ndarray of shape (n_species, 2)
        The two values of each label, [0, 1].
    species_ : ndarray of str or of int
        The species in the order of the columns of ``predict_proba``.
    n_features_in_, feature_names_in_
        Those of `estimator_`. Only if it has them.

    See Also
    --------
    ThresholdTuner : Thresholds for the most hits instead of a share of misses.

    References
    ----------
    Vovk (2012), "Conditional validity of inductive conformal predictors", for one
    threshold per label. Lee, Barber, Willett (2023), "Distribution-free
    inference with hierarchical data", for files of several rows.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.frozen import FrozenEstimator
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from skbird.postprocessing import ConformalClassifier
    >>> X, Y = np.arange(20.0).reshape(-1, 1), np.repeat([[1, 0], [0, 1]], 10, axis=0)
    >>> fitted = FrozenEstimator(KNeighborsClassifier(5).fit(X, Y))
    >>> Y[10:12, 0] = 1  # in new rows the first species goes on until 11
    >>> model = ConformalClassifier(fitted, alpha=0.1).fit(X, Y)
    >>> model.predict_set([[0], [10], [19]]).astype(int)
    array([[1, 0],
           [1, 1],
           [0, 1]])
    """

    _parameter_constraints: dict = {
        "estimator": [HasMethods(["fit", "predict_proba"])],
        "alpha": [Interval(Real, 0, 1, closed="neither")],
        "threshold": THRESHOLD,
        "cv": ["cv_object"],
    }

    def __init__(self, estimator, *, alpha=0.1, threshold=0.5, cv=None):
        self.estimator = estimator
        self.alpha = alpha
        self.threshold = threshold
        self.cv = cv

    def _prepare(self, X, y, groups):
        return file_numbers(X, groups)

    def _learn(self, proba, target, files):
        present = validate_truth(target).positive
        pairs = [(proba[rows, j], files[rows]) for j, rows in enumerate(present.T)]
        self.n_files_ = np.array([len(np.unique(own)) for _, own in pairs])
        self.thresholds_ = np.array(
            [conformal_threshold(p, own, self.alpha) for p, own in pairs]
        )
        if np.isneginf(self.thresholds_).all():
            warnings.warn(
                f"Every set will have all species: alpha={self.alpha:g} needs "
                f"{np.ceil(1 / self.alpha - 1 - 1e-9):.0f} files with a species or "
                f"more, and none has more than {self.n_files_.max()}. Raise alpha, or "
                "label more files.",
                UserWarning,
                stacklevel=4,  # between stand fit and its check of parameters
            )

    def predict_set(self, X):
        """Predict the set of species that may be present.

        Parameters
        ----------
        X : DataFrame, sequence of paths, or whatever `estimator` takes
            The rows.

        Returns
        -------
        members : ndarray of bool, shape (n_rows, n_species)
            True throughout for rows that could not be read: nothing is ruled out.
        """
        return ~(self.predict_proba(X) < self.thresholds_)


def conformal_threshold(proba, file_of_row, alpha):
    """Return the highest threshold that misses a share `alpha` at most.

    Parameters
    ----------
    proba : ndarray of shape (n,)
        Predictions of rows that have the species.
    file_of_row : ndarray of int, shape (n,)
    alpha : float in (0, 1)

    Returns
    -------
    threshold : float
        One of `proba`, or -inf if there are too few files.

    Examples
    --------
    >>> import numpy as np
    >>> from skbird.postprocessing._conformal import conformal_threshold
    >>> proba = np.array([0.7, 0.2, 0.9, 0.5])
    >>> float(conformal_threshold(proba, np.arange(4), alpha=0.4))
    0.5
    """
    _, file, n_rows = np.unique(file_of_row, return_inverse=True, return_counts=True)
    order = np.argsort(proba)
    values, first = np.unique(proba[order], return_index=True)
    missed = np.append(0.0, np.cumsum(1 / n_rows[file[order]]))[first]
    # The new file may be the worst of all; the rest forgives rounding.
    allowed = (1 + missed) / (len(n_rows) + 1) <= alpha + 1e-12
    return values[allowed].max(initial=-np.inf)
