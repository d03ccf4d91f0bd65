"""Say which species the folds of a cross-validation can learn and judge."""

import numpy as np
import pandas as pd

from skbird.utils._folds import list_folds
from skbird.utils._truth import validate_truth


def fold_report(Y, folds):
    """Count the positives of each species in training and test of each fold.

    Parameters
    ----------
    Y : array-like or DataFrame of shape (n_rows, n_species)
        Labels in [0, 1], presence from 0.5. NaN = unknown, -1 throughout a row =
        unlabelled.
    folds : iterable of (train, test)
        Row numbers, as ``cv.split(X, y, groups)`` yields them.

    Returns
    -------
    report : DataFrame indexed by fold and species
        ``n_train_positive`` and ``n_test_positive``. If the first is 0, the model
        cannot know the species; if the second is 0, the fold cannot judge it.

    Raises
    ------
    TypeError
        If `folds` is a splitter, or a single (train, test).
    ValueError
        If Y is not such a table, or there is no fold.

    Examples
    --------
    >>> import pandas as pd
    >>> from skbird.model_selection import GroupMultilabelKFold, fold_report
    >>> Y = pd.DataFrame({"wren": [1, 1, 0, 0], "owl": [0, 0, 1, 0]})
    >>> cv = GroupMultilabelKFold(2)
    >>> report = fold_report(Y, cv.split(Y, Y, groups=["a", "b", "c", "d"]))
    >>> report.query("n_train_positive == 0 or n_test_positive == 0")
                  n_train_positive  n_test_positive
    fold species
    0    owl                     0                1
    1    owl                     1                0
    """
    truth = validate_truth(Y, "Y")
    counts = [
        [truth.positive[part].sum(axis=0) for part in fold]
        for fold in list_folds(folds)
    ]  # (n_folds, 2, n_species)
    index = pd.MultiIndex.from_product(
        [range(len(counts)), truth.species], names=["fold", "species"]
    )
    n_train, n_test = np.moveaxis(np.array(counts), 1, 0).reshape(2, -1)
    return pd.DataFrame(
        {"n_train_positive": n_train, "n_test_positive": n_test}, index=index
    )
