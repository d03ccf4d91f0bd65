"""Scorers for ``cross_val_score``, searches and Optuna that accept skbird's Y.

scikit-learn's own scorers refuse soft truth, fail for one or two species and give NaN
as soon as one species has no positive in a fold.
"""

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin

from skbird.metrics._label_ranking import lrap
from skbird.metrics._ranking import (
    macro_average_precision,
    macro_roc_auc,
    padded_cmap,
)
from skbird.utils._nested import check_same_species, predict_matrix, species_of

# The only class that multi-metric scoring shares predictions with: with a plain
# callable, scoring two metrics would predict all recordings twice.
from skbird.utils._sklearn_compat import BaseScorer
from skbird.utils._truth import validate_truth


class _MatrixClassifier(ClassifierMixin, BaseEstimator):
    """Show scikit-learn any fitted multi-label classifier as one that gives a matrix.

    Its helper for responses takes ``classes_`` of one or two species for a binary
    problem, and the last column of a constant species for its presence.
    """

    classes_ = np.array([[0, 1], [0, 1]])  # reads as "multilabel-indicator"

    def __init__(self, estimator, n_species):
        self.estimator = estimator
        self.n_species = n_species

    def predict_proba(self, X):
        return predict_matrix(self.estimator, X, self.n_species)


class _ProbaScorer(BaseScorer):
    """Call ``metric(Y, estimator.predict_proba(X))``; higher is better.

    Unreadable recordings (NaN rows) are left out with a warning instead of an error:
    who trains with ``on_error="skip"`` has chosen that, and would lose the fold.
    """

    def __init__(self, metric, name):
        super().__init__(metric, 1, {"nan_rows": "omit"}, "predict_proba")
        self._name = name

    def _score(self, method_caller, estimator, X, y_true):
        n_species = len(validate_truth(y_true).species)  # before the long prediction
        check_same_species(type(estimator).__name__, species_of(estimator), y_true)
        if not hasattr(estimator, "predict_proba"):
            raise TypeError(
                f"estimator is of type {type(estimator).__name__}; {self._name} needs "
                "one with predict_proba."
            )
        classifier = _MatrixClassifier(estimator, n_species)
        proba = method_caller(classifier, self._response_method, X)
        return self._score_func(y_true, proba, **self._kwargs)

    def __repr__(self):
        return self._name

    def __reduce__(self):
        # By its public name: pickles and clones mean the scorer, not its insides.
        return self._name


macro_roc_auc_scorer = _ProbaScorer(macro_roc_auc, "macro_roc_auc_scorer")
macro_average_precision_scorer = _ProbaScorer(
    macro_average_precision, "macro_average_precision_scorer"
)
padded_cmap_scorer = _ProbaScorer(padded_cmap, "padded_cmap_scorer")
lrap_scorer = _ProbaScorer(lrap, "lrap_scorer")
