"""Judge species probabilities as BirdCLEF does, species by species.

The functions know nothing but arrays: truth and scores of shape (n_rows, n_species).
Truth may be soft, unknown or missing, as everywhere in skbird. The scorers plug the
same functions into ``cross_val_score``, ``GridSearchCV`` and Optuna.

Examples
--------
>>> import numpy as np
>>> from sklearn.model_selection import KFold, cross_val_score
>>> from sklearn.neighbors import KNeighborsClassifier
>>> from skbird.metrics import macro_roc_auc_scorer
>>> X = np.arange(12.0).reshape(-1, 1)
>>> Y = np.hstack([X > 5, X % 4 < 2]).astype(int)
>>> cv = KFold(2, shuffle=True, random_state=0)
>>> scores = cross_val_score(
...     KNeighborsClassifier(2), X, Y, cv=cv, scoring=macro_roc_auc_scorer
... )
>>> scores.round(2)
array([0.75, 0.75])

With NaN (unknown) in Y pass a splitter as `cv`, not a number: scikit-learn would
inspect Y to choose one, and refuse NaN. Species that a fold cannot judge, because none
of its rows has them, are left out of its score:
``macro_roc_auc(Y, proba, return_skipped=True)`` names them.
"""

from skbird.metrics._entropy import prediction_entropy
from skbird.metrics._ranking import macro_average_precision, macro_roc_auc
from skbird.metrics._report import species_report
from skbird.metrics._scorers import (
    macro_average_precision_scorer,
    macro_roc_auc_scorer,
)
from skbird.utils._public import set_public_module

__all__ = [
    "macro_average_precision",
    "macro_average_precision_scorer",
    "macro_roc_auc",
    "macro_roc_auc_scorer",
    "prediction_entropy",
    "species_report",
]
set_public_module(globals())
