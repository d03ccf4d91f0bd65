"""What was heard of each species, and what the report says of it."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from skbird.review._tables import name_species
from skbird.utils._proba import check_proba

_COLUMNS = [
    "n_reviews",
    "n_correct",
    "n_uncertain",
    "n_recordings",
    "threshold",
    "threshold_low",
    "threshold_high",
    "precision",
    "precision_low",
    "precision_high",
    "n_detections",
    "n_more_reviews",
    "reason",
]


class Heard(NamedTuple):
    """Judgements of one species."""

    proba: np.ndarray
    judged: np.ndarray
    weight: np.ndarray
    recording: np.ndarray

    def counts(self):
        return {
            "n_reviews": len(self.judged),
            "n_correct": int(self.judged.sum()),
            "n_recordings": len(np.unique(self.recording)),
        }


def columns_of(proba, names):
    """Return the predictions of each species, found by name in a DataFrame."""
    if isinstance(proba, pd.DataFrame):
        given = name_species(proba, None)
        missing = [name for name in names if name not in set(given)]
        if missing:
            raise ValueError(
                f"proba has no column {missing[0]!r}. Pass the predictions of all "
                "species that have reviews, or leave these reviews out."
            )
        proba = proba[names]
    else:
        name_species(proba, names)
    return list(check_proba(proba, None).T)


def as_report(lines, names):
    table = pd.DataFrame(lines, columns=_COLUMNS, index=pd.Index(names, name="species"))
    return table.astype(
        {
            name: "Int64" if name.startswith("n_") else "float64"
            for name in _COLUMNS
            if name != "reason"
        }
    )
