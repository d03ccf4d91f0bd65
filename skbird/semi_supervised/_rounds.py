"""The rows that a self-training works on, and what it notes of each round."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.model_selection import GroupKFold
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import _check_method_params

from skbird.utils._rows import file_numbers

HISTORY = (
    *("n_rows", "n_hard", "n_soft", "n_zero", "n_left_out", "labels_per_row", "mass"),
    *("n_species", "change", "seconds"),
)


@dataclass(frozen=True)
class TrainingRows:
    """What fit was given, to be cut to rows."""

    X: object
    y: object
    hidden: np.ndarray  # the unlabelled rows
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
    """Return the line of the history that a round begins with."""
    used, was_used = ((labels >= 0).any(axis=1) for labels in (pseudo, before))
    positive = pseudo > 0
    change = np.nan
    if was_used.any():
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
