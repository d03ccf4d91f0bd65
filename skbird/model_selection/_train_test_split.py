"""One split into training and test rows that keeps sources apart."""

from numbers import Real

import numpy as np
from scipy import sparse
from sklearn.utils import check_random_state

from skbird.utils._rows import number_groups
from skbird.utils._sklearn_compat import Interval, validate_params
from skbird.utils._text import counted
from skbird.utils._truth import validate_truth

# Rows that are off by a tenth weigh as much as a twelfth of rare species untested.
_WEIGHT_OF_ROWS = 10
_FEW_GROUPS = 15  # a choice among so few is quick, and much depends on each


@validate_params(
    {
        "test_size": [Interval(Real, 0, 0.5, closed="right")],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def group_train_test_split(Y, groups, *, test_size=0.2, random_state=None):
    """Split rows once, groups whole, so that each species can be learned and judged.

    Groups are moved into the test part one by one, first a group with a positive, then
    the others in random order, and out again, as long as that brings the test part
    nearer to `test_size` of the rows and of the positives of each species (one at
    least). Several orders are tried, more if there are few groups, and the best result
    is kept; a better choice of groups may exist.
    Rows count for more than species: to test a few more of these, the size may be off
    by some percent. The last group of a species is always trained on, so that each
    species can be learned and, if it is in two groups or more and there is room, is
    tested.

    Parameters
    ----------
    Y : array-like or DataFrame of shape (n_rows, n_species)
        Labels in [0, 1], presence from 0.5. NaN = unknown, -1 throughout a row =
        unlabelled; such rows are never tested.
    groups : array-like of shape (n_rows,)
        What must stay together: recordings, recordists, sites. `leak_groups` makes
        them from whatever is known of the rows.
    test_size : float in (0, 0.5], default=0.2
        Share of the labelled rows to test on. As groups stay whole, the test part may
        be up to twice as large if groups are few or large.
    random_state : int, RandomState instance or None, default=None
        Seed of the random orders. Other seeds give other splits, if there are several
        that are equally good.

    Returns
    -------
    train, test : ndarray of int
        Row numbers. Unlabelled rows of a group that is tested are in neither part.

    Raises
    ------
    ValueError
        If there are no rows, no species or no positives, or no group can be tested:
        those with positives have a species that no other has, or too many rows or
        positives, as most do that are more than twice as large as the test part is to
        be.

    See Also
    --------
    GroupMultilabelKFold : Tests every group once.

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
    truth = validate_truth(Y, "Y")
    _check_positives(truth.positive)
    labelled = truth.known.any(axis=1)
    group, names = number_groups(groups, len(labelled))
    ones, rows = np.ones(len(group), dtype=np.int64), np.arange(len(group))
    counts = sparse.csr_array((ones, (group, rows))) @ sparse.csr_array(truth.positive)
    sizes = np.bincount(group[labelled], minlength=len(names))
    rng = check_random_state(random_state)
    held_out = choose_groups(counts, sizes, test_size, rng)[group]
    test = np.flatnonzero(held_out & labelled)
    if not len(test):
        raise ValueError(
            f"test_size={test_size:g} leaves nothing to test on: of "
            f"{counted(len(names), 'group')} each has a species that no other has, has "
            f"none at all, or too many rows ({test_size * sizes.sum():.3g} are wanted) "
            "or positives. Use finer groups, such as recordings."
        )
    return np.flatnonzero(~held_out), test


def _check_positives(positive):
    n_rows, n_species = positive.shape
    if n_rows == 0 or n_species == 0:
        raise ValueError(
            f"Y has shape {positive.shape}, but rows and species are needed. Pass a "
            "row per recording and a column per species."
        )
    if not positive.any():
        raise ValueError(
            f"Y has no positives: none of its {counted(n_rows, 'row')} has a label of "
            "0.5 or more for a species. Pass rows with species."
        )


def choose_groups(counts, sizes, test_size, rng):
    """Choose the groups to test on.

    Parameters
    ----------
    counts : sparse array of shape (n_groups, n_species), csr
        Positive rows of each species in each group.
    sizes : ndarray of shape (n_groups,)
        Labelled rows of each group.
    test_size : float
        Share of rows and positives to be tested.
    rng : RandomState

    Returns
    -------
    ndarray of bool, shape (n_groups,)
        All False if no group with a positive can be tested.
    """
    labelled, positive = np.flatnonzero(sizes), np.flatnonzero(np.diff(counts.indptr))
    tries = []
    # Where groups are many, whatever order they come in leads to about the same.
    n_tries = 50 if len(sizes) <= _FEW_GROUPS else min(10, 1 + 10_000 // len(sizes))
    for _ in range(n_tries):
        part = _TestPart(counts, sizes, test_size)
        # Others could fill the room that one with positives needs.
        n_moved = any(map(part.move_if_better, rng.permutation(positive)))
        while n_moved:
            n_moved = sum(map(part.move_if_better, rng.permutation(labelled)))
        tries.append(part)
    return min(tries, key=_TestPart.loss).groups


class _TestPart:
    """Groups to test on, and how far they are from what is wanted."""

    def __init__(self, counts, sizes, test_size):
        self.counts, self.sizes = counts, sizes.tolist()
        self.ends = counts.indptr.tolist()
        n_groups, n_species = counts.shape
        self.groups = np.zeros(n_groups, dtype=bool)
        self.rows, self.positives = 0, np.zeros(n_species)
        self.wanted_rows = max(test_size * sizes.sum(), 1)
        self.wanted_positives = np.maximum(test_size * counts.sum(axis=0), 1)
        self.n_trained = np.bincount(counts.indices, minlength=n_species)
        self.wanted_positives[self.n_trained < 2] = 0  # there is no choice for them
        self.off = self._off(self.positives, slice(None))

    def loss(self):
        """Return how far rows and species are from what is wanted."""
        return self._loss(self.rows, self._off(self.positives, slice(None)))

    def move_if_better(self, group):
        """Take a group in, or out, if that lowers the loss; say whether it was done."""
        row = slice(self.ends[group], self.ends[group + 1])
        species, amounts = self.counts.indices[row], self.counts.data[row]
        sign = -1 if self.groups[group] else 1
        if sign == 1 and (self.n_trained[species] == 1).any():
            return False
        if sign == -1 and amounts.sum() == self.positives.sum():
            return False  # nothing else is there to judge by
        rows = self.rows + sign * self.sizes[group]
        positives = self.positives[species] + sign * amounts
        off = self._off(positives, species)
        before = self._loss(self.rows, self.off[species])
        # Less by more than rounding, or a group could go to and fro for ever.
        if self._loss(rows, off) > before - 1e-9:
            return False
        self.groups[group] = sign == 1
        self.rows = rows
        self.positives[species], self.off[species] = positives, off
        self.n_trained[species] -= sign
        return True

    def _off(self, positives, species):
        # By ratio: half of what is wanted is as bad as twice, and none is worse.
        return np.log((positives + 0.5) / (self.wanted_positives[species] + 0.5))

    def _loss(self, rows, off):
        rows_off = rows / self.wanted_rows - 1
        return off @ off / len(self.positives) + _WEIGHT_OF_ROWS * rows_off**2
