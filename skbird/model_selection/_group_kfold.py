"""Folds that keep groups whole and share out many species, common and rare."""

from numbers import Integral

import numpy as np
from scipy import sparse
from sklearn.model_selection import BaseCrossValidator
from sklearn.utils import check_consistent_length, check_random_state

from skbird.model_selection._stratify import assign_folds
from skbird.utils._rows import groups_of_rows, number_groups
from skbird.utils._sklearn_compat import Interval, validate_parameter_constraints
from skbird.utils._text import counted
from skbird.utils._truth import validate_truth

_PARAMETER_CONSTRAINTS = {
    "n_splits": [Interval(Integral, 2, None, closed="left")],
    "shuffle": ["boolean"],
    "random_state": ["random_state"],
}


class GroupMultilabelKFold(BaseCrossValidator):
    """K folds of whole groups, with the rows of each species spread over all folds.

    `StratifiedGroupKFold` refuses multi-label targets, and `GroupKFold` does not look
    at them: some folds then have no positive of a rare species to judge, or train on
    none. Here groups are placed one by one, the rarest species first (the one that the
    fewest groups still to be placed have), of its groups the largest first, as in
    iterative stratification. A group goes to the fold that, in this order,

    1. would not get all groups of a species, which then could not be learned for it;
    2. has the fewest positives of the rarest species;
    3. has the least too much of all species of the group and of rows, by chi-square.

    So a species in two groups or more is in the training part of every fold, and one
    in `n_splits` groups or more is in every test part, unless rarer species that share
    its groups stand against it. A species in a single group is missing in training
    when that group is tested: `fold_report` names it.

    Rows without any known label (-1 or NaN throughout) are never tested. They are
    trained on, except while their group is held out: then they are in neither part. A
    group that has no other rows is always trained on.

    Parameters
    ----------
    n_splits : int >= 2, default=5
        Number of folds; at most the number of groups with labelled rows.
    shuffle : bool, default=False
        Whether to break ties at random. If false, the folds depend only on the names of
        the groups and on y, not on the order of rows.
    random_state : int, RandomState instance or None, default=None
        Seed of the shuffling.

    See Also
    --------
    LeaveOneSourceOut : Tests each group by itself.
    fold_report : Counts the positives of each species in each fold.

    Notes
    -----
    ``cross_val_predict`` needs every row to be tested once, so it refuses y with
    unlabelled rows; `cross_val_report` has NaN for them. Placing takes time in
    proportion to the groups: 300,000 rows in 30,000 groups with 200 species took 2 s
    on one core.

    References
    ----------
    Sechidis, Tsoumakas, Vlahavas (2011), "On the stratification of multi-label data",
    ECML PKDD, for single rows.

    Examples
    --------
    >>> import numpy as np
    >>> from skbird.model_selection import GroupMultilabelKFold
    >>> Y = np.array([[1, 0], [1, 0], [0, 1], [0, 1], [1, 1], [-1, -1]])
    >>> recordists = ["ann", "ann", "ben", "ben", "cat", "ann"]
    >>> for train, test in GroupMultilabelKFold(3).split(Y, Y, recordists):
    ...     print(train, test)
    [2 3 4] [0 1]
    [0 1 2 3 5] [4]
    [0 1 4 5] [2 3]
    """

    # As in sklearn.model_selection.GroupKFold: with metadata routing, groups are asked
    # for without set_split_request.
    __metadata_request__split = {"groups": True}

    def __init__(self, n_splits=5, *, shuffle=False, random_state=None):
        self.n_splits = n_splits
        self.shuffle = shuffle
        self.random_state = random_state
        validate_parameter_constraints(
            _PARAMETER_CONSTRAINTS, vars(self), caller_name=type(self).__name__
        )
        if random_state is not None and not shuffle:
            raise ValueError(
                f"random_state={random_state!r} has no effect without shuffle=True. "
                "Pass both or none."
            )

    def split(self, X, y, groups=None):
        """Generate the rows of each fold.

        Parameters
        ----------
        X : anything with a length of n_rows, or None
            Looked at only if `groups` names a column.
        y : array-like or DataFrame of shape (n_rows, n_species)
            Labels in [0, 1], presence from 0.5. NaN = unknown, -1 throughout a row =
            unlabelled.
        groups : str or array-like of shape (n_rows,), default=None
            What must stay together: recordings, recordists, sites; or a column of X. It
            must be given.

        Yields
        ------
        train, test : ndarray of int
            Row numbers.

        Raises
        ------
        ValueError
            If `groups` is missing, or fewer groups than folds have labelled rows.
        """
        check_consistent_length(X, y)
        if groups is None:
            raise ValueError(
                "groups is None. Pass the recording, recordist or site of each row, "
                "as in cross_val_score(..., groups=X['path'])."
            )
        truth = validate_truth(y, "y")
        labelled = truth.known.any(axis=1)
        groups = groups_of_rows(X, groups, n_rows=len(labelled))
        group_of_row, _ = number_groups(groups, len(labelled))
        fold_of_row = self._fold_of_group(truth, labelled, group_of_row)[group_of_row]
        for fold in range(self.n_splits):
            held_out = fold_of_row == fold
            yield np.flatnonzero(~held_out), np.flatnonzero(held_out & labelled)

    def get_n_splits(self, X=None, y=None, groups=None):
        """Return the number of folds; the arguments are not looked at.

        Parameters
        ----------
        X, y, groups : ignored
            There for scikit-learn.

        Returns
        -------
        int
        """
        return self.n_splits

    def _fold_of_group(self, truth, labelled, group_of_row):
        """Return the fold in which each group is tested, -1 for those never tested."""
        n_groups = group_of_row.max() + 1
        sizes = np.bincount(group_of_row[labelled], minlength=n_groups)
        testable = np.flatnonzero(sizes)
        if len(testable) < self.n_splits:
            raise ValueError(
                f"n_splits={self.n_splits} exceeds the "
                f"{counted(len(testable), 'group')} with labelled rows. Lower it, or "
                "use finer groups."
            )
        rows, species = np.nonzero(truth.positive)
        ones = np.ones(len(rows), dtype=np.int64)
        counts = sparse.coo_array(
            (ones, (group_of_row[rows], species)),
            shape=(n_groups, truth.positive.shape[1]),
        ).tocsr()
        if self.shuffle:
            check_random_state(self.random_state).shuffle(testable)
        folds = np.full(n_groups, -1)
        folds[testable] = assign_folds(counts[testable], sizes[testable], self.n_splits)
        return folds
