"""The maths of priors: arrays in, arrays out."""

import numpy as np

from skbird.metrics import average_precision_per_species, roc_auc_per_species

SCORINGS = ("roc_auc", "average_precision", "log_loss")
_SURE = 1e-7


def change_odds(proba, priors, *, reference, strength, min_prior):
    """Multiply the odds of probabilities by a power of priors.

    Parameters
    ----------
    proba : ndarray of shape (n_rows, n_species)
        In [0, 1]; NaN stays NaN.
    priors : ndarray of shape (n_rows, n_species)
        In [0, 1]; NaN is unknown and changes nothing.
    reference : ndarray of float, shape (n_species,) or (n_rows, n_species)
        Priors at which nothing changes.
    strength : float >= 0
    min_prior : float > 0
        Lower priors count as this one.

    Returns
    -------
    ndarray of shape (n_rows, n_species)
        In [0, 1], of the type of `proba`.
    """
    ratio = np.maximum(priors, min_prior) / reference
    factor = np.where(np.isnan(ratio), 1.0, ratio**strength).astype(proba.dtype)
    changed = proba * factor
    changed /= 1 - proba + changed
    return np.where(factor == 1, proba, changed)


def score_predictions(truth, proba, scoring):
    """Return the mean score of the species that can be judged; higher is better.

    Parameters
    ----------
    truth : Truth
    proba : ndarray of float, shape (n_rows, n_species)
    scoring : {"roc_auc", "average_precision", "log_loss"}
        Log loss is negative here, and over all known labels.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If no species can be judged.
    """
    score = np.where(truth.known, proba, np.nan)
    if scoring == "log_loss":
        sure = np.clip(score, _SURE, 1 - _SURE)
        return float(
            np.nanmean(np.where(truth.positive, np.log(sure), np.log1p(-sure)))
        )
    metrics = {
        "roc_auc": roc_auc_per_species,
        "average_precision": average_precision_per_species,
    }
    per_species = metrics[scoring](truth, score)
    if np.isnan(per_species).all():
        raise ValueError(
            "No species is present in some of the held-out rows and absent in others, "
            "so that no strength can be judged. Use more files, or scoring='log_loss'."
        )
    return float(np.nanmean(per_species))


def mean_of_known(priors):
    """Return the mean over rows, (n_species,); NaN if nothing is known."""
    known = ~np.isnan(priors)
    total = np.where(known, priors, 0.0).sum(axis=0)
    n_known = known.sum(axis=0)
    return np.divide(
        total, n_known, out=np.full(total.shape, np.nan), where=n_known > 0
    )
