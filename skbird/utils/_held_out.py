"""Predictions of rows by an estimator that has not seen them."""

import warnings
from numbers import Integral

import numpy as np
from sklearn.base import clone
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GroupKFold, KFold, check_cv
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import _check_method_params

from skbird.utils._folds import check_folds, list_folds
from skbird.utils._nested import check_same_species, predict_matrix, species_of
from skbird.utils._rows import check_groups, check_targets, file_numbers
from skbird.utils._text import none_of
from skbird.utils._truth import validate_truth

_DEFAULT_FOLDS = 5


def held_out_proba(estimator, X, y, *, cv=None, groups=None, fit_params=None):
    """Predict each row by a clone of the estimator that was fitted without its file.

    What is learned from the output of a classifier (thresholds, calibration, weights)
    must not be learned from rows that it was trained on: there it is surer of itself,
    and more often right, than it will ever be again.

    Parameters
    ----------
    estimator : estimator object
        A multi-label classifier with ``predict_proba``. A
        `sklearn.frozen.FrozenEstimator` is not fitted: it predicts all rows, and the
        caller sees to it that they are new to it.
    X : DataFrame, sequence of paths, or whatever `estimator` takes
        The rows.
    y : array-like or DataFrame of shape (n_rows, n_species)
        Their labels: in [0, 1], NaN = unknown, -1 throughout = unlabelled. Unlabelled
        rows are trained on, which some estimators refuse, but not tested. They are
        predicted if their file has labelled rows too, since these may need them as
        context.
    cv : int, splitter or iterable of (train, test), default=None
        The folds. An int, 5 if None, keeps rows of a group together.
    groups : array-like of shape (n_rows,), default=None
        What must stay together, such as sites, days or recordists. By default the file
        that X names; if it names none, each row is by itself.
    fit_params : dict, default=None
        Passed on to ``estimator.fit``; what has n_rows entries is cut to the fold.

    Returns
    -------
    proba : ndarray of float, shape (n_rows, n_species)
        NaN in rows that no fold predicted or that could not be read.
    tested : ndarray of bool, shape (n_rows,)
        Whether a row has known labels and was predicted.

    Raises
    ------
    ValueError
        If shapes differ, a fold has rows of one file in training and test, a row is in
        several test folds, or no labelled row is tested.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from skbird.utils._held_out import held_out_proba
    >>> X, Y = np.array([[0.0], [0.1], [5.0], [5.1]]), np.eye(2)[[0, 0, 1, 1]]
    >>> proba, tested = held_out_proba(KNeighborsClassifier(1), X, Y, cv=4)
    >>> proba.tolist() == Y.tolist()
    True
    """
    n_rows, n_species = check_targets(X, y)
    labelled = labelled_rows(y)
    if isinstance(estimator, FrozenEstimator):
        check_same_species("The frozen estimator", species_of(estimator), y)
        return predict_matrix(estimator, X, n_species), labelled
    files = file_numbers(X, groups)
    splits = _splits(X, y, cv, groups, files)
    _check_splits(splits, files)
    in_labelled_file = np.isin(files, files[labelled])
    proba = np.full((n_rows, n_species), np.nan)
    predicted = np.zeros(n_rows, dtype=bool)
    for train, test in splits:
        test = test[in_labelled_file[test]]
        if not labelled[test].any():
            continue
        fold = clone(estimator).fit(
            _safe_indexing(X, train),
            _safe_indexing(y, train),
            **_check_method_params(X, fit_params or {}, train),
        )
        proba[test] = predict_matrix(fold, _safe_indexing(X, test), n_species)
        predicted[test] = True
    tested = labelled & predicted
    if not tested.any():
        raise ValueError(
            f"cv={cv!r} tests no row that has labels: there is nothing to learn from. "
            "Use folds that share out the labelled rows."
        )
    return proba, tested


def labelled_rows(y):
    """Return which rows have a label, (n_rows,) bool; there must be one."""
    labelled = validate_truth(y, "y").known.any(axis=1)
    if not labelled.any():
        raise ValueError(
            f"{none_of(len(labelled), 'row')} of y has a label, only -1 or NaN: there "
            "is nothing to learn from. Pass rows with labels."
        )
    return labelled


def _splits(X, y, cv, groups, files):
    """List the (train, test) row numbers of each fold."""
    together = files if groups is None else check_groups(groups, len(files))
    if cv is None or isinstance(cv, Integral):
        n_groups = len(np.unique(together))
        n_splits = cv or min(_DEFAULT_FOLDS, n_groups)
        if n_groups < len(together):
            cv = GroupKFold(n_splits)
        else:
            # Shuffled, since tables tend to be sorted by species.
            cv = KFold(n_splits, shuffle=True, random_state=0)
            together = None
    elif not hasattr(cv, "split"):
        cv = list_folds(cv, "cv")
    with warnings.catch_warnings():
        if groups is None:  # nobody expects the splitter to heed the files
            warnings.filterwarnings("ignore", "The groups parameter is ignored")
        splits = list(check_cv(cv).split(X, y, together))
    return check_folds(splits, len(files))


def _check_splits(splits, files):
    n_tests = np.zeros(len(files), dtype=np.int64)
    for fold, (train, test) in enumerate(splits):
        leaked = np.isin(files[test], files[train])
        if leaked.any():
            raise ValueError(
                f"cv trains fold {fold} on rows of the file or group of row "
                f"{test[leaked][0]}, which it tests: that prediction is not held out. "
                "Use cv=None, or GroupKFold with groups that keep files whole."
            )
        n_tests[test] += 1
    if n_tests.max() > 1:
        raise ValueError(
            f"cv tests row {n_tests.argmax()} {n_tests.max()} times; once at most is "
            "needed. Use KFold or GroupKFold, without repetition."
        )
