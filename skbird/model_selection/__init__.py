"""Split rows without leaks, and score models on held-out rows.

The splitters keep recordings, recordists or sources whole, spread rare species over the
folds, and accept unlabelled rows. They work as ``cv`` wherever scikit-learn takes one.
`cross_val_report` gives what ``cross_val_score`` cannot: species that a fold cannot
judge are left out, predictions are kept, and the score has an interval.

Examples
--------
>>> import numpy as np
>>> from sklearn.model_selection import cross_val_score
>>> from sklearn.neighbors import KNeighborsClassifier
>>> from skbird.metrics import macro_roc_auc_scorer
>>> from skbird.model_selection import GroupMultilabelKFold
>>> X = np.arange(12.0).reshape(-1, 1)
>>> Y = np.hstack([X > 5, X % 4 < 2]).astype(int)
>>> recordists = np.arange(12) // 2 % 4
>>> cross_val_score(
...     KNeighborsClassifier(2), X, Y, groups=recordists, cv=GroupMultilabelKFold(2),
...     scoring=macro_roc_auc_scorer,
... )
array([0.375 , 0.4375])
"""

from skbird.model_selection._cross_val_report import cross_val_report
from skbird.model_selection._cross_val_result import CrossValReport
from skbird.model_selection._fold_report import fold_report
from skbird.model_selection._group_kfold import GroupMultilabelKFold
from skbird.model_selection._interval import macro_roc_auc_interval
from skbird.model_selection._leaks import (
    LeakageWarning,
    check_leaks,
    find_leaks,
    leak_groups,
)
from skbird.model_selection._leave_one_source_out import LeaveOneSourceOut
from skbird.model_selection._paired_bootstrap import (
    PairedBootstrapResult,
    paired_bootstrap,
)
from skbird.model_selection._train_test_split import group_train_test_split
from skbird.utils._public import set_public_module

__all__ = [
    "CrossValReport",
    "GroupMultilabelKFold",
    "LeakageWarning",
    "LeaveOneSourceOut",
    "PairedBootstrapResult",
    "check_leaks",
    "cross_val_report",
    "find_leaks",
    "fold_report",
    "group_train_test_split",
    "leak_groups",
    "macro_roc_auc_interval",
    "paired_bootstrap",
]
set_public_module(globals())

# For the other rooms; not public.
from skbird.model_selection._bootstrap import percentile_interval, resample_counts
from skbird.model_selection._heard import count_heard
from skbird.model_selection._leak_keys import number_contents
