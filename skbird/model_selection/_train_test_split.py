"""One split into training and test rows that keeps sources apart."""

from numbers import Real

import numpy as np
from sklearn.utils._param_validation import Interval, validate_params

from skbird.metrics._validation import validate_truth
from skbird.model_selection._group_kfold import GroupMultilabelKFold
from skbird.utils._rows import number_groups


@validate_params(
    {
        "test_size": [Interval(Real, 0, 0.5, closed="right")],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def group_train_test_split(y, groups, *, test_size=0.2, random_state=None):
    """Split rows once, groups whole, so that each species can be learned.

    It is the first fold of `GroupMultilabelKFold`, without groups that alone have a
    species: these are trained on.

    Parameters
    ----------
    y : array-like or DataFrame of shape (n_rows, n_species)
        Labels in [0, 1], presence from 0.5. NaN = unknown, -1 throughout a row =
        unlabelled; such rows are never tested.
    groups : array-like of shape (n_rows,)
        What must stay together: recordings, recordists, sites. `leak_groups` makes
        them from whatever is known of the rows.
    test_size : float in (0, 0.5], default=0.2
        Share of the rows to test on; about so many.
    random_state : int, RandomState instance or None, default=None
        Breaks ties between groups.

    Returns
    -------
    train, test : ndarray of int
        Row numbers.

    Raises
    ------
    ValueError
        If there are fewer groups than 1 / `test_size`, or nothing is left to test on.

    Examples
    --------
    >>> import numpy as np
    >>> from skbird.model_selection import group_train_test_split
    >>> Y = np.eye(2)[[0, 0, 0, 0, 1, 1, 1, 1]]
    >>> recordists = ["ann", "ann", "ben", "cat", "ann", "ben", "cat", "cat"]
    >>> train, test = group_train_test_split(
    ...     Y, recordists, test_size=0.3, random_state=0
    ... )
    >>> set(recordists[row] for row in train) & set(recordists[row] for row in test)
    set()
    """
    truth = validate_truth(y, "y")
    group, names = number_groups(groups, len(truth.positive))
    n_splits = max(round(1 / test_size), 2)
    if len(names) < n_splits:
        raise ValueError(
            f"test_size={test_size:g} needs {n_splits} groups or more, and there are "
            f"{len(names)}: {list(names[:5])}. Use finer groups, such as recordings."
        )
    folds = GroupMultilabelKFold(n_splits, shuffle=True, random_state=random_state)
    train, test = next(folds.split(truth.positive, y, groups))
    untaught = ~truth.positive[train].any(axis=0)
    needed = group[test[truth.positive[test][:, untaught].any(axis=1)]]
    test = test[~np.isin(group[test], needed)]
    if not truth.positive[test].any():
        raise ValueError(
            f"test_size={test_size:g} leaves nothing to test on: none of the "
            f"{len(names)} groups has a species that another has as well. Use finer "
            "groups, such as recordings."
        )
    return np.flatnonzero(~np.isin(group, group[test])), test
