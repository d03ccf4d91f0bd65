"""Trust a detection more if the same species is heard elsewhere in its recording."""

import os

import numpy as np
import pandas as pd
from sklearn.base import (
    BaseEstimator,
    ClassifierMixin,
    MetaEstimatorMixin,
    _fit_context,
    clone,
)
from sklearn.utils import get_tags
from sklearn.utils._param_validation import HasMethods
from sklearn.utils.validation import check_is_fitted

from skbird.metrics import macro_roc_auc
from skbird.postprocessing._reweight import PARAMETER_CONSTRAINTS, reweight
from skbird.utils._proba import as_proba_matrix


class SoundscapeReweighter(ClassifierMixin, MetaEstimatorMixin, BaseEstimator):
    r"""Multiply a classifier's probabilities by the species' level in the whole file.

    A species that is heard all over a soundscape is more likely to be in each of its
    rows, and one that shows up nowhere else is more likely to be an error:

    .. math:: \hat p_{ij} = p_{ij} \,
              \Big(\frac{1}{|T|} \sum_{k \in T} p_{kj}\Big)^{power}

    where T holds the `top_k` rows of the file of row i with the highest probability
    of species j, or all its rows. It helps the ranking of rows across files, which
    the macro ROC-AUC measures. The results are no longer calibrated, and never higher
    than before.

    All rows of a file must be predicted in one call. Their order does not matter.
    X says which rows share a file: its column ``path``, its attribute ``paths``
    (skbird's `Recordings` and `Spectrograms`), or the paths themselves if X is a
    sequence of paths. For other X, pass `groups` to the methods that predict.

    Parameters
    ----------
    estimator : estimator object
        A multi-label classifier with ``predict_proba``, usually a whole pipeline. Wrap
        a fitted one in `sklearn.frozen.FrozenEstimator` to keep it as it is.
    top_k : int >= 1, default=None
        How many rows of a file to average. None: all of them, the file mean. 1: the
        file's maximum, which does not punish a species for calling only once.
    power : float >= 0, default=1.0
        Strength: 0 changes nothing; more than 1 silences doubtful files further.

    Attributes
    ----------
    estimator_ : estimator object
        The fitted clone of `estimator`.
    classes_ : ndarray of shape (n_species, 2)
        The two values of each label, [0, 1].
    species_ : ndarray of str or of int
        The species in the order of the columns of ``predict_proba``: names if
        `estimator_` knows them or y was a DataFrame, else column numbers.
    n_features_in_, feature_names_in_
        Those of `estimator_`. Only if it has them.

    See Also
    --------
    reweight : The same on arrays.

    References
    ----------
    Sydorskyi et al., second place of BirdCLEF 2025 (Kaggle), for ``top_k=1``.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from skbird.postprocessing import SoundscapeReweighter
    >>> X, Y = np.array([[0.0], [1.0], [2.0], [3.0]]), np.eye(4)[:, :2]
    >>> model = SoundscapeReweighter(KNeighborsClassifier(2)).fit(X, Y)
    >>> model.predict_proba([[0.1], [2.9]], groups=["a.ogg", "a.ogg"])
    array([[0.125, 0.125],
           [0.   , 0.   ]])
    """

    _parameter_constraints: dict = {
        "estimator": [HasMethods(["fit", "predict_proba"])],
        **PARAMETER_CONSTRAINTS,
    }

    def __init__(self, estimator, *, top_k=None, power=1.0):
        self.estimator = estimator
        self.top_k = top_k
        self.power = power

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y, **fit_params):
        """Fit a clone of the estimator; nothing else is learned.

        Parameters
        ----------
        X : DataFrame, sequence of paths, or whatever `estimator` takes
            The rows.
        y : array-like or DataFrame of shape (n_rows, n_species)
            Their labels, as `estimator` takes them.
        **fit_params
            Passed on to ``estimator.fit``.

        Returns
        -------
        self : SoundscapeReweighter
        """
        if np.ndim(y) != 2:
            raise ValueError(
                f"y has shape {np.shape(y)}, but (n_rows, n_species) is needed. For "
                "one species pass y.reshape(-1, 1)."
            )
        self.estimator_ = clone(self.estimator).fit(X, y, **fit_params)
        self.classes_ = np.tile([0, 1], (np.shape(y)[1], 1))
        names = getattr(y, "columns", np.arange(len(self.classes_)))
        self.species_ = np.asarray(getattr(self.estimator_, "species_", names))
        return self

    def predict_proba(self, X, *, groups=None):
        """Predict reweighted probabilities.

        Parameters
        ----------
        X : DataFrame, sequence of paths, or whatever `estimator` takes
            The rows, all those of a file together.
        groups : array-like of shape (n_rows,), default=None
            Which file a row is from. By default X tells.

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
        groups = _files_of_rows(X) if groups is None else groups
        proba = as_proba_matrix(
            self.estimator_.predict_proba(X),
            getattr(self.estimator_, "classes_", None),
            len(self.classes_),
        )
        return reweight(proba, groups, top_k=self.top_k, power=self.power)

    def predict(self, X, *, groups=None):
        r"""Predict which species are present.

        A species is present if the geometric mean of its probability and the file's
        level, weighted 1 : `power`, is at least 0.5, which means
        :math:`\hat p \ge 0.5^{1 + power}`. Thresholds of `estimator` are not used.

        Parameters
        ----------
        X : DataFrame, sequence of paths, or whatever `estimator` takes
            The rows, all those of a file together.
        groups : array-like of shape (n_rows,), default=None
            Which file a row is from. By default X tells.

        Returns
        -------
        labels : ndarray of int, shape (n_rows, n_species)
            0 or 1; 0 throughout for rows that could not be read.
        """
        proba = self.predict_proba(X, groups=groups)
        return (proba >= 0.5 ** (1 + self.power)).astype(np.int64)

    def score(self, X, y, *, groups=None):
        """Macro ROC-AUC of the reweighted probabilities, over the readable rows.

        Parameters
        ----------
        X : DataFrame, sequence of paths, or whatever `estimator` takes
            The rows, all those of a file together.
        y : array-like or DataFrame of shape (n_rows, n_species)
            Their labels; see `skbird.metrics.macro_roc_auc`.
        groups : array-like of shape (n_rows,), default=None
            Which file a row is from. By default X tells.

        Returns
        -------
        score : float in [0, 1]
        """
        proba = self.predict_proba(X, groups=groups)
        return macro_roc_auc(np.asarray(y), proba, nan_rows="omit")

    @property
    def n_features_in_(self):
        """Number of features that `estimator_` was fitted on."""
        return self._of_fitted_estimator("n_features_in_")

    @property
    def feature_names_in_(self):
        """Names of the features that `estimator_` was fitted on."""
        return self._of_fitted_estimator("feature_names_in_")

    def _of_fitted_estimator(self, name):
        # AttributeError, also before fit, is how scikit-learn learns of its absence.
        if "estimator_" not in vars(self):
            raise AttributeError(f"{type(self).__name__} is not fitted: no {name}.")
        return getattr(self.estimator_, name)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags = get_tags(self.estimator).input_tags
        tags.input_tags.one_d_array = True
        tags.input_tags.string = True
        tags.target_tags.multi_output = True
        tags.target_tags.single_output = False
        tags.classifier_tags.multi_label = True
        return tags


def _files_of_rows(X):
    """Which file each row is from, as far as X tells."""
    if isinstance(X, pd.DataFrame):  # first: its columns are attributes, too
        paths = X.get("path", [None])
    else:
        paths = getattr(X, "paths", [None] if isinstance(X, str) else X)
    paths = list(paths)
    if not all(isinstance(path, str | os.PathLike) for path in paths):
        raise ValueError(
            f"X ({type(X).__name__}) does not say which rows share a file. Pass a "
            "DataFrame with a column 'path', a sequence of paths, or groups= with one "
            "file per row."
        )
    return np.array([os.fspath(path) for path in paths], dtype=object)
