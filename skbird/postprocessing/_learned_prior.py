"""Priors that labelled rows tell: how often species are there, by site and hour."""

import numpy as np

from skbird.postprocessing._prior_rows import look_up, number_rows
from skbird.utils._truth import PRESENT_FROM

_SMALLEST = 1e-6


class LearnedPrior:
    """Smoothed shares of rows that have a species, by site, hour, or other columns.

    The share at each level of one column is drawn towards that of all rows, as if
    `shrinkage` more rows had been like them. The share at a combination of levels is
    drawn likewise towards what the columns tell by themselves: the odds of all rows,
    changed by each column's level. A level that was not seen changes nothing.

    Parameters
    ----------
    keys : DataFrame of shape (n_rows, n_columns)
        The columns.
    target : ndarray of float, shape (n_rows, n_species)
        Presence; NaN is unknown.
    shrinkage : float >= 0

    Attributes
    ----------
    overall : ndarray of shape (n_species,)
        Share of all rows.
    """

    def __init__(self, keys, target, shrinkage):
        known = ~np.isnan(target)
        present = known & (np.nan_to_num(target) >= PRESENT_FROM)
        # Half a presence among one more row: no share is 0 or 1.
        self.overall = (present.sum(axis=0) + 0.5) / (known.sum(axis=0) + 1)
        self.keys = list(keys.columns)
        self._shrinkage = max(shrinkage, _SMALLEST)
        self._single = {
            name: self._shares(keys[[name]], present, known, self.overall)
            for name in self.keys
        }
        levels = number_rows(keys)[1]
        self._joint = self._shares(keys, present, known, self._expected(levels))

    def of_rows(self, rows, species):
        """Return the priors of rows that have the columns of `keys`."""
        levels, shares = self._joint
        place = look_up(rows[self.keys], levels)
        priors = self._expected(rows)
        priors[place >= 0] = shares[place[place >= 0]]
        return priors

    def knows(self, species, priors, min_prior):
        """Return that all species are known, (n_species,) bool."""
        return np.ones(len(self.overall), dtype=bool)

    def _expected(self, rows):
        """Return the shares that each column by itself leads to."""
        base = _logit(self.overall)
        total = np.repeat(base[None], len(rows), axis=0)
        for name, (levels, shares) in self._single.items():
            place = look_up(rows[[name]], levels)
            seen = place >= 0
            total[seen] += _logit(shares[place[seen]]) - base
        return 1 / (1 + np.exp(-total))

    def _shares(self, keys, present, known, towards):
        number, levels = number_rows(keys)
        counts = np.zeros((2, len(levels), present.shape[1]))
        np.add.at(counts[0], number, present)
        np.add.at(counts[1], number, known)
        extra = self._shrinkage
        return levels, (counts[0] + extra * towards) / (counts[1] + extra)


def held_out_priors(keys, target, shrinkage, groups, n_folds=10):
    """Return the priors of rows that rows of other groups tell.

    Parameters
    ----------
    keys, target, shrinkage
        See `LearnedPrior`.
    groups : ndarray of int, shape (n_rows,)
    n_folds : int, default=10
        Into which groups are dealt out.

    Returns
    -------
    priors : ndarray of float, shape (n_rows, n_species)
    overall : ndarray of float, shape (n_rows, n_species)
        The shares of all rows, without the own fold.
    """
    fold = np.unique(groups, return_inverse=True)[1] % n_folds
    priors = np.full(target.shape, np.nan)
    overall = np.full(target.shape, np.nan)
    for number in np.unique(fold):
        own = fold == number
        prior = LearnedPrior(keys[~own], target[~own], shrinkage)
        priors[own] = prior.of_rows(keys[own], None)
        overall[own] = prior.overall
    return priors, overall


def _logit(share):
    share = np.clip(share, _SMALLEST, 1 - _SMALLEST)
    return np.log(share) - np.log1p(-share)
