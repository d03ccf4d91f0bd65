"""What probes learn from Y: the weight of each outcome of each label."""

import warnings

import numpy as np

from skbird.utils._params import as_floats
from skbird.utils._rows import check_targets
from skbird.utils._truth import validate_truth
from skbird.utils._weights import check_label_weight, check_sample_weight

_SHOWN = 5


def read_targets(X, y, sample_weight, label_weight):
    """Turn Y and weights into weights of outcomes.

    Parameters
    ----------
    X : sequence of n_rows
    y : array-like or DataFrame of shape (n_rows, n_species)
        In [0, 1]; NaN is unknown, a row of -1 unlabelled.
    sample_weight : array-like of shape (n_rows,) or None
    label_weight : array-like of shape (n_rows, n_species) or None

    Returns
    -------
    species : ndarray of shape (n_species,)
        The columns of y, or their numbers.
    present : ndarray of shape (n_rows, n_species), float32
        Weight of the outcome that the species is there: a target of 0.7 counts for 0.7
        of its weight here.
    total : ndarray of shape (n_rows, n_species), float32
        Weight of both outcomes; 0 where nothing is known.
    row_weight : ndarray of shape (n_rows,), float64
        0 of rows that teach nothing.
    """
    shape = check_targets(X, y)
    truth = validate_truth(y, "y")
    species = np.asarray(getattr(y, "columns", np.arange(shape[1])))
    row_weight = check_sample_weight(sample_weight, len(X))
    label_weight = check_label_weight(label_weight, shape, list(species))
    total = truth.known.astype(np.float32)
    if label_weight is not None:
        total *= label_weight
    row_weight = np.ones(len(X)) if row_weight is None else row_weight.copy()
    row_weight[~total.any(axis=1)] = 0
    target = np.where(truth.known, as_floats(y, "y", np.float32), 0)
    return species, target * total, total, row_weight


def weigh_outcomes(present, total, row_weight, class_weight):
    """Return weights of outcomes with those of rows and classes in them.

    Parameters
    ----------
    present, total : ndarray of shape (n_rows, n_species)
    row_weight : ndarray of shape (n_rows,)
        Of rows that are trained on; only their relations count.
    class_weight : {"balanced"} or None

    Returns
    -------
    present, total : ndarray of shape (n_rows, n_species), float32
    """
    factor = (row_weight / row_weight.mean()).astype(np.float32)[:, None]
    present, total = present * factor, total * factor
    if class_weight == "balanced":
        absent = total - present
        half = total.sum(axis=0) / 2
        present *= half / np.maximum(present.sum(axis=0), 1e-12)
        absent *= half / np.maximum(absent.sum(axis=0), 1e-12)
        total = present + absent
    return present, total


def warn_of_constants(species, present, total):
    """Say which species cannot be learned, and return which can, (n_species,) bool."""
    positive, known = present.sum(axis=0), total.sum(axis=0)
    reasons = {
        "no known label": known == 0,
        "no positive": (positive == 0) & (known > 0),
        "no negative": (positive == known) & (known > 0),
    }
    for reason, lacking in reasons.items():
        if lacking.any():
            shown = [*map(str, species[lacking][:_SHOWN]), "..."][: lacking.sum()]
            warnings.warn(
                f"{lacking.sum()} of {len(species)} species have {reason} among the "
                f"rows that are trained on: {', '.join(shown)}. They get a constant "
                "probability.",
                UserWarning,
                stacklevel=4,
            )
    return ~np.logical_or.reduce([*reasons.values()])
