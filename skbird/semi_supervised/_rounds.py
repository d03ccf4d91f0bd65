"""The rows of a self-training, and the history of its rounds."""

import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.model_selection import GroupKFold
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import _check_method_params

from skbird.utils._rows import file_numbers

# The columns of `history_`.
HISTORY = (
    "n_rows",
    "n_hard",
    "n_soft",
    "n_zero",
    "n_left_out",
    "labels_per_row",
    "mass",
    "n_species",
    "change",
    "seconds",
)
_NEARLY_ALL = 0.9  # of all pseudo-labels of a round
_NAMED = 5  # species


@dataclass(frozen=True)
class TrainingRows:
    """The rows that `fit` was given, of which each round trains on some.

    Parameters
    ----------
    X, y
        As `fit` got them.
    hidden : ndarray of int, shape (n_unlabelled,)
        The unlabelled rows.
    fit_params : dict
        Arguments of the estimator's ``fit``.
    """

    X: object
    y: object
    hidden: np.ndarray
    fit_params: dict

    def take(self, rows):
        """Return the rows of X and of the fit parameters."""
        params = _check_method_params(self.X, self.fit_params, rows)
        return _safe_indexing(self.X, rows), params

    def like_y(self, labels, rows=slice(None)):
        """Return rows of targets in the form that y has."""
        if not isinstance(self.y, pd.DataFrame):
            return labels[rows]
        return pd.DataFrame(labels[rows], self.y.index[rows], self.y.columns)

    def folds(self, n_folds):
        """Split the unlabelled rows, files kept whole if X tells them."""
        groups = file_numbers(self.X)[self.hidden]
        return GroupKFold(n_folds).split(self.hidden, groups=groups)


def describe_round(pseudo, before, proba, soft_threshold):
    """Count a round's pseudo-labels, for its line of the history.

    Parameters
    ----------
    pseudo, before : ndarray of shape (n_unlabelled, n_species)
        Pseudo-labels of this round and of the one before; rows of -1 have none.
    proba : ndarray of shape (n_unlabelled, n_species)
        The teacher's probabilities, raised to their power.
    soft_threshold : float

    Returns
    -------
    dict
        All of `HISTORY` but the seconds.
    """
    used, was_used = ((labels >= 0).any(axis=1) for labels in (pseudo, before))
    positive = pseudo > 0
    change = np.nan
    if was_used.any():
        # A row that had labels, or has some now, counts where it has none as absent.
        moved = np.abs(np.maximum(pseudo, 0) - np.maximum(before, 0))
        change = float(moved[used | was_used].mean())
    n_rows, n_zero = int(used.sum()), int((proba < soft_threshold).all(axis=1).sum())
    return {
        "n_rows": n_rows,
        "n_hard": int((pseudo == 1).sum()),
        "n_soft": int((positive & (pseudo < 1)).sum()),
        "n_zero": n_zero,
        "n_left_out": len(pseudo) - n_rows - n_zero,
        "labels_per_row": positive.sum() / max(n_rows, 1),
        "mass": float(pseudo[used].sum()),
        "n_species": int(positive.any(axis=0).sum()),
        "change": change,
    }


def warn_of_labels_everywhere(number, line, pseudo, soft_threshold):
    """Warn if a round's teacher hears nearly every species in every row."""
    n_species = pseudo.shape[1]
    share = line["labels_per_row"] / n_species
    # A single species may well call throughout; without a threshold all is positive.
    if share > _NEARLY_ALL and n_species > 1 and soft_threshold > 0:
        warnings.warn(
            f"Round {number}: {share:.0%} of the pseudo-labels are positive, nearly "
            "every species in every row: typical of a network that was trained too "
            "briefly. Train longer, or raise soft_threshold and hard_threshold.",
            UserWarning,
            stacklevel=5,  # the rounds, fit and its check stand between
        )


def warn_of_lost_species(coverage, target, species, power):
    """Warn of species with labelled rows that have lost all their pseudo-labels.

    Parameters
    ----------
    coverage : list of ndarray of shape (n_species,)
        Rows of each species that have pseudo-labels, in each round so far.
    target : ndarray of shape (n_rows, n_species)
        The labels that `fit` was given.
    species : ndarray of shape (n_species,)
    power : float
        `proba_power` of this round.
    """
    if len(coverage) == 1:
        return
    lost = (target > 0).any(axis=0) & (coverage[-2] > 0) & (coverage[-1] == 0)
    if lost.any():
        warnings.warn(
            f"Round {len(coverage)}: no pseudo-label of {_named(species[lost])}, which "
            "had some in the round before: the next student learns that unlabelled "
            f"rows lack it. Lower proba_power, here {power:g}, stop earlier with "
            f"max_iter={len(coverage) - 1}, or train a better teacher.",
            UserWarning,
            stacklevel=5,  # the rounds, fit and its check stand between
        )


def print_round(number, line, silent, ended):
    """Print the line of a round that is over; `ended` is "max_iter" if it goes on.

    `silent` are the species without a pseudo-label.
    """
    none = f", none of {_named(silent)}" if line["n_species"] and len(silent) else ""
    print(
        "round {number}: {n_rows} rows pseudo-labelled, {n_hard} hard and {n_soft} "
        "soft labels of {n_species} species{none}; {n_zero} rows below the soft "
        "threshold, {n_left_out} beyond a limit or unreadable; {seconds:.0f} s{end}"
        "".format(
            number=number,
            none=none,
            end="" if ended == "max_iter" else f"; {ended}",
            **line,
        ),
        flush=True,
    )


def _named(species):
    more = len(species) - _NAMED
    names = ", ".join(str(name) for name in species[:_NAMED])
    return f"{names} and {more} more" if more > 0 else names
