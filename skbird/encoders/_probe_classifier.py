from numbers import Real

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_is_fitted

from skbird.base import MultilabelMixin
from skbird.utils._sklearn_compat import Interval


class ProbeClassifier(MultilabelMixin, BaseEstimator):
    """A linear classifier on embeddings, one for each species.

    Parameters
    ----------
    C : float > 0, default=0.1
        Inverse of the strength of the regularisation.

    Examples
    --------
    >>> import numpy as np
    >>> from skbird.encoders import ProbeClassifier
    >>> X = np.array([[0.0], [0.1], [0.9], [1.0]])
    >>> Y = np.array([[0, 1], [0, 1], [1, 0], [1, 0]])
    >>> ProbeClassifier(C=100).fit(X, Y).predict([[0.95]])
    array([[1, 0]])
    """

    _parameter_constraints: dict = {"C": [Interval(Real, 0, None, closed="neither")]}

    def __init__(self, C=0.1):
        self.C = C

    def fit(self, X, y):
        """Fit one logistic regression for each species."""
        self._validate_params()
        self.species_ = np.asarray(getattr(y, "columns", np.arange(np.shape(y)[1])))
        self.classes_ = np.tile([0, 1], (len(self.species_), 1))
        self.scaler_ = StandardScaler().fit(X)
        scaled, labels = self.scaler_.transform(X), np.asarray(y) >= 0.5
        self.models_ = [
            LogisticRegression(C=self.C, max_iter=1000).fit(scaled, column)
            if 0 < column.sum() < len(column)
            else float(column.mean())
            for column in labels.T
        ]
        return self

    def predict_proba(self, X):
        """Return probabilities (n_rows, n_species)."""
        check_is_fitted(self)
        scaled = self.scaler_.transform(X)
        return np.column_stack(
            [
                np.full(len(scaled), m)
                if isinstance(m, float)
                else m.predict_proba(scaled)[:, 1]
                for m in self.models_
            ]
        )
