"""What is chosen of the detections of a session, and what of it by chance."""

import numpy as np
import pandas as pd

from skbird.review._choose_for_review import choose_of_species, number_bands

STRATEGIES = ("stratified", "top", "uncertain", "random")
N_BANDS = 5
_GOLDEN = 0x9E3779B97F4A7C15  # of splitmix64: tells the streams of seeds apart


class Choices:
    """The detections that each strategy chooses, in the order in which to listen.

    Parameters
    ----------
    detections : DataFrame
    keys : Index of uint64
        What tells the detections from each other. What is drawn depends on them alone:
        neither the order of detections nor further ones change it.
    n_per_species : int
    seed : int

    Attributes
    ----------
    species : list of str
        Sorted.
    """

    def __init__(self, detections, keys, n_per_species, seed):
        self._n = n_per_species
        self._proba = detections["probability"].to_numpy()
        streams = keys.to_numpy() + np.uint64(_GOLDEN * seed % 2**64)
        self._drawn = pd.util.hash_array(streams)  # as splitmix64 does
        self._number, names = pd.factorize(detections["species"], sort=True)
        self.species = names.tolist()
        order = np.argsort(self._number, kind="stable")
        self._of_species = np.split(order, np.bincount(self._number).cumsum()[:-1])
        self._band = np.zeros(len(detections), np.int64)
        for numbers in self._of_species:
            self._band[numbers] = number_bands(self._proba[numbers], N_BANDS)
        cell = self._number * N_BANDS + self._band
        self._band_size = np.bincount(cell, minlength=1)[cell]
        self._chosen = {}
        self._by_chance = np.zeros(len(detections), bool)
        for strategy in ("stratified", "random"):
            self._by_chance[self.chosen(strategy)] = True

    def chosen(self, strategy):
        """Return the numbers of the detections that a strategy chooses."""
        if strategy not in self._chosen:
            parts = [np.empty(0, np.int64)]
            for numbers in self._of_species:
                own = self._proba[numbers], self._drawn[numbers]
                chosen, _, _ = choose_of_species(*own, self._n, strategy, N_BANDS)
                parts.append(numbers[chosen])
            self._chosen[strategy] = np.concatenate(parts)
        return self._chosen[strategy]

    def stratum(self, number):
        """Return the band of a detection, and how many are in it.

        None if it is not chosen by chance: then it stands for no others.
        """
        by_chance = self._by_chance[number]
        band, size = int(self._band[number]), int(self._band_size[number])
        return {
            "stratum": band if by_chance else None,
            "stratum_size": size if by_chance else None,
        }

    def count(self, numbers):
        """Count detections by species, in the order of `species`."""
        return np.bincount(self._number[numbers], minlength=len(self.species))
