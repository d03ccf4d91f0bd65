"""What is chosen of the detections of a session, and what of it by chance."""

import numpy as np
import pandas as pd

from skbird.review._choose_for_review import (
    choose_of_species,
    number_bands,
    number_places,
)

N_BANDS = 5
_IN_A_ROW = 25  # of one species before the next comes: five of each band
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
        self._place = number_places(detections["recording"], detections["site"])
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
            parts, rounds = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
            for numbers in sorted(self._of_species, key=len, reverse=True):
                own = self._proba[numbers], self._drawn[numbers]
                chosen, _, _ = choose_of_species(
                    *(*own, self._n, strategy, N_BANDS), self._place[numbers]
                )
                parts.append(numbers[chosen])
                rounds.append(np.arange(len(chosen)) // _IN_A_ROW)
            # Who stops early has heard enough of the species that are detected most.
            order = np.argsort(np.concatenate(rounds), kind="stable")
            self._chosen[strategy] = np.concatenate(parts)[order]
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

    def bands_of(self, entries, numbers):
        """Return in which bands judgements of earlier sessions are by now.

        Where other detections were predicted, bands and what was drawn of them changed.

        Parameters
        ----------
        entries : DataFrame
        numbers : ndarray of int, shape (n_entries,)
            Of the detections that they are of; -1: of none.

        Returns
        -------
        list of (stratum, stratum_size, entry)
            Those that change.
        """
        own, known = numbers >= 0, entries["stratum"].notna().to_numpy()
        if not own.any():
            return []
        old = entries[["stratum", "stratum_size"]].fillna(-1).astype(np.int64)
        new = np.column_stack([self._band, self._band_size])[numbers]
        same = (old == new).all(axis=1).to_numpy()
        gone = own & known & ~same
        # What is left of a band that is no more stands for nothing.
        cell = (
            old.assign(species=entries["species"]).groupby([*old, "species"]).ngroup()
        )
        gone |= ~own & known & cell.isin(cell[gone]).to_numpy()
        drawn = own & self._by_chance[numbers]
        changed = np.flatnonzero((drawn & ~same) | (gone & ~drawn))
        entry = entries["entry"].to_numpy()
        return [
            (*(new[k].tolist() if drawn[k] else (None, None)), int(entry[k]))
            for k in changed
        ]

    def count(self, numbers):
        """Count detections by species, in the order of `species`."""
        return np.bincount(self._number[numbers], minlength=len(self.species))
