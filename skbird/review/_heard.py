"""What was heard of each species, and what the report says of it."""

from typing import NamedTuple

import numpy as np
import pandas as pd

from skbird.review._tables import name_species
from skbird.utils._bootstrap import FEWEST_RECORDINGS
from skbird.utils._proba import check_proba
from skbird.utils._text import counted

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


def lack_of_support(line, min_reviews, n_unweighted):
    """Return why too little was heard; None if it is enough."""
    n_reviews, n_recordings = line["n_reviews"], line["n_recordings"]
    if n_reviews < min_reviews:
        others = f" and {n_unweighted} without weight" if n_unweighted else ""
        return f"{counted(n_reviews, 'review')}{others}; {min_reviews} are needed"
    if n_recordings < FEWEST_RECORDINGS:
        return (
            f"reviews of {counted(n_recordings, 'recording')}; "
            f"{FEWEST_RECORDINGS} are needed"
        )
    return None


def more_reviews(line, min_reviews, n_left):
    """Say how many reviews are missing, and if so many are not left (None: unknown)."""
    missing = min_reviews - line["n_reviews"]
    if missing <= 0:
        return {}
    if n_left is None or n_left >= missing:
        return {"n_more_reviews": missing}
    n_left = max(n_left, 0)
    left = counted(n_left, "detection is", "detections are")
    reason = f"{line['reason']}, and only {left} left in the bands that were judged"
    return {"n_more_reviews": n_left, "reason": reason}


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
