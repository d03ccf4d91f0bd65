"""Judge species probabilities as BirdCLEF does, species by species.

The functions take arrays: truth and scores of shape (n_rows, n_species). Truth may be
soft, unknown or missing, as everywhere in skbird. `event_report` compares
tables of events with a beginning and an end instead. The scorers plug the metrics into
``cross_val_score``, ``GridSearchCV`` and Optuna.

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

from skbird.metrics._co_activation import co_activation
from skbird.metrics._entropy import prediction_entropy
from skbird.metrics._errors import error_table
from skbird.metrics._event_report import event_report
from skbird.metrics._label_ranking import lrap
from skbird.metrics._matching import match_events
from skbird.metrics._ranking import (
    macro_average_precision,
    macro_roc_auc,
    padded_cmap,
)
from skbird.metrics._scorers import (
    lrap_scorer,
    macro_average_precision_scorer,
    macro_roc_auc_scorer,
    padded_cmap_scorer,
)
from skbird.metrics._species_report import species_report
from skbird.metrics._threshold_curve import threshold_curve
from skbird.utils._public import set_public_module

__all__ = [
    "co_activation",
    "error_table",
    "event_report",
    "lrap",
    "lrap_scorer",
    "macro_average_precision",
    "macro_average_precision_scorer",
    "macro_roc_auc",
    "macro_roc_auc_scorer",
    "match_events",
    "padded_cmap",
    "padded_cmap_scorer",
    "prediction_entropy",
    "species_report",
    "threshold_curve",
]
set_public_module(globals())

# For the other rooms; not public.
from skbird.metrics._counts import ratio
from skbird.metrics._errors import FALSE_NEGATIVE, FALSE_POSITIVE
from skbird.metrics._ranking import average_precision_per_species, roc_auc_per_species
