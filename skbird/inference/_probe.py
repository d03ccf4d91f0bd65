"""The compiled head of an encoder: one linear classifier for each species."""

import numpy as np
import scipy.special
from sklearn.base import BaseEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from skbird.base import MultilabelMixin
from skbird.encoders import ProbeClassifier, Windows
from skbird.utils._nested import predict_matrix, species_of


class CompiledProbe(MultilabelMixin, BaseEstimator):
    """Linear classifiers on the embeddings of rows, as arrays.

    :func:`compile_pipeline` makes it of what follows an `EmbeddingEncoder`.

    Parameters
    ----------
    coef : array of shape (n_species, n_features)
    intercept : array of shape (n_species,)
    species : sequence of length n_species
    pooling : {"mean", "max", "meanmax"}, default="mean"
        How the windows of a row become features; see
        :class:`skbird.encoders.EmbeddingEncoder`.
    threshold : float or array-like of shape (n_species,), default=0.5
        Probability from which `predict` says that a species is present.

    Attributes
    ----------
    species_ : ndarray of shape (n_species,)
    classes_ : ndarray of shape (n_species, 2)
        [0, 1] for each species.

    Examples
    --------
    >>> import numpy as np
    >>> from skbird.encoders import Windows
    >>> from skbird.inference._probe import CompiledProbe
    >>> probe = CompiledProbe([[2.0]], [-1.0], ["Bufo bufo"])
    >>> probe.predict_proba(Windows.from_arrays([[[0.0], [1.0]]]))
    array([[0.5]])
    """

    def __init__(self, coef, intercept, species, *, pooling="mean", threshold=0.5):
        self.coef = coef
        self.intercept = intercept
        self.species = species
        self.pooling = pooling
        self.threshold = threshold

    @property
    def species_(self):
        """The species, in the order of the columns of ``predict_proba``."""
        return np.asarray(self.species)

    @property
    def classes_(self):
        """The two values of each label, [0, 1]."""
        return np.tile([0, 1], (len(self.species), 1))

    def fit(self, X, y=None):
        """Do nothing: it is fitted.

        Parameters
        ----------
        X, y : ignored

        Returns
        -------
        self
        """
        return self

    def predict_proba(self, X):
        """Predict the probability of each species in each row.

        Parameters
        ----------
        X : Windows or ndarray of shape (n_rows, n_features)

        Returns
        -------
        ndarray of shape (n_rows, n_species), float64
            NaN for rows that could not be read.
        """
        features = X.pool(self.pooling) if isinstance(X, Windows) else np.asarray(X)
        coef = np.asarray(self.coef, dtype=np.float64)
        return scipy.special.expit(features @ coef.T + np.asarray(self.intercept))

    def __sklearn_is_fitted__(self):
        return True


class PooledHead(MultilabelMixin, BaseEstimator):
    """Any fitted classifier on the embeddings of rows, fed with their windows.

    Parameters
    ----------
    estimator : fitted classifier
    pooling : {"mean", "max", "meanmax"}, default="mean"

    Attributes
    ----------
    species_, classes_
        See `CompiledProbe`.
    """

    def __init__(self, estimator, *, pooling="mean"):
        self.estimator = estimator
        self.pooling = pooling

    @property
    def estimator_(self):
        """The classifier, which is fitted."""
        return self.estimator

    @property
    def species_(self):
        """The species, in the order of the columns of ``predict_proba``."""
        return species_of(self.estimator_)

    @property
    def classes_(self):
        """The two values of each label, [0, 1]."""
        return np.tile([0, 1], (len(self.species_), 1))

    @property
    def _threshold(self):
        return getattr(self.estimator_, "threshold", 0.5)

    def predict_proba(self, X):
        """Predict the probability of each species in each row.

        Parameters
        ----------
        X : Windows

        Returns
        -------
        ndarray of shape (n_rows, n_species)
            NaN for rows that could not be read.
        """
        features = X.pool(self.pooling)
        heard = np.isfinite(features).all(axis=1)
        proba = np.full((len(features), len(self.species_)), np.nan)
        if heard.any():
            n_species = proba.shape[1]
            found = predict_matrix(self.estimator_, features[heard], n_species)
            proba[heard] = found
        return proba

    def __sklearn_is_fitted__(self):
        return True


def linear_of(head):
    """Return the coefficients of a head, if it is linear.

    Parameters
    ----------
    head : fitted classifier
        A `ProbeClassifier`; logistic regressions, one for each species; or a pipeline
        that ends in one of them, after StandardScaler.

    Returns
    -------
    (coef, intercept) : ndarray of shapes (n_species, n_features) and (n_species,)
        None if it is something else.
    """
    if isinstance(head, Pipeline):
        found = linear_of(head[-1])
        for _, step in reversed(head.steps[:-1]):
            # What inherits from them may do something else.
            if found is None or type(step) is not StandardScaler:
                return None
            coef, intercept = found
            if step.with_std:
                coef = coef / step.scale_
            if step.with_mean:  # it has a mean_ in any case
                intercept = intercept - coef @ step.mean_
            found = coef, intercept
        return found
    if type(head) is ProbeClassifier:
        return head.coef_, head.intercept_
    if type(head) in (OneVsRestClassifier, MultiOutputClassifier):
        parts = [_binary(model) for model in head.estimators_]
        if any(part is None for part in parts):
            return None
        return np.vstack([c for c, _ in parts]), np.array([i for _, i in parts])
    return None


def _binary(model):
    """Return coefficients and intercept of one logistic regression; None of others."""
    # Others with coefficients make probabilities of them in other ways.
    if type(model) is not LogisticRegression or model.classes_.tolist() != [0, 1]:
        return None
    return model.coef_[0], float(model.intercept_[0])
