"""The maths of stratified groups: counts per group in, a fold per group out."""

import numpy as np


def assign_folds(counts, sizes, n_splits):
    """Share out groups so that each fold gets its part of every species.

    Parameters
    ----------
    counts : sparse array of shape (n_groups, n_species), csr
        Positive rows of each species in each group.
    sizes : ndarray of shape (n_groups,)
        Rows of each group.
    n_splits : int
        Number of folds; at most n_groups.

    Returns
    -------
    folds : ndarray of int, shape (n_groups,)
    """
    folds = np.full(len(sizes), -1)
    shares = _Shares(counts, sizes, n_splits)
    of_species = counts.tocsc()
    n_left = np.diff(of_species.indptr)
    while n_left.any():
        # The rarest first, as long as there is a choice of folds for it.
        rarest = np.where(n_left > 0, n_left, np.iinfo(n_left.dtype).max).argmin()
        column = slice(of_species.indptr[rarest], of_species.indptr[rarest + 1])
        waiting = folds[of_species.indices[column]] < 0
        groups = of_species.indices[column][waiting]
        amounts = of_species.data[column][waiting]
        for group in groups[np.argsort(-amounts, kind="stable")]:
            folds[group], species = shares.place(group, rarest)
            n_left[species] -= 1
    rest = np.flatnonzero(folds < 0)  # nothing was heard in them
    for group in rest[np.argsort(-sizes[rest], kind="stable")]:
        folds[group], _ = shares.place(group)
    return folds


class _Shares:
    """Rows, positives and groups that each fold has so far."""

    def __init__(self, counts, sizes, n_splits):
        self.counts, self.sizes, self.n_rows = counts, sizes, sizes.sum()
        n_species = counts.shape[1]
        self.rows = np.zeros(n_splits)
        self.positives = np.zeros((n_splits, n_species))
        self.groups = np.zeros((n_splits, n_species), dtype=np.int64)
        self.n_groups = np.bincount(counts.indices, minlength=n_species)
        self.total = np.maximum(counts.sum(axis=0), 1)

    def place(self, group, rarest=None):
        """Put a group into the fold that needs it most; return fold and species."""
        row = slice(self.counts.indptr[group], self.counts.indptr[group + 1])
        species, amounts = self.counts.indices[row], self.counts.data[row]
        size = self.sizes[group]
        # Chi-square, the sum over species of (observed - expected)^2 / expected, grows
        # by 2 amount (observed - expected) / expected and terms that all folds share.
        # All folds expect the same, so only what they have so far makes a difference.
        excess = self.positives[:, species] @ (amounts / self.total[species])
        excess += self.rows * (size / self.n_rows)
        has_of_rarest = self.positives[:, rarest] if rarest is not None else excess
        # A species whose groups are all in one fold could not be learned for it.
        others_here = self.groups[:, species] == self.n_groups[species] - 1
        n_locked_in = (others_here & (self.n_groups[species] > 1)).sum(axis=1)
        fold = np.lexsort((excess, has_of_rarest, n_locked_in))[0]
        self.rows[fold] += size
        self.positives[fold, species] += amounts
        self.groups[fold, species] += 1
        return fold, species
