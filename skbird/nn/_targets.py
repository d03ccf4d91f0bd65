"""Check what `fit` is given besides the spectrograms."""

import warnings

import numpy as np
import pandas as pd

from skbird.utils._params import as_floats
from skbird.utils._rows import check_species_columns
from skbird.utils._text import counted
from skbird.utils._truth import PRESENT_FROM

_SHOWN = 5


def check_targets(y, n_rows):
    """Check Y and bring it into the form that training uses.

    Parameters
    ----------
    y : array or DataFrame of shape (n_rows, n_species)
        In [0, 1], NaN = unknown; a row that is -1 throughout is unlabelled.
    n_rows : int
        Number of rows of X.

    Returns
    -------
    species : ndarray of shape (n_species,), object
        Column names, or "species 0", ... if there are none.
    target : ndarray of shape (n_rows, n_species), float32
        Unlabelled rows are NaN throughout.

    Raises
    ------
    ValueError
        If the shape or a value is not as said.
    """
    if y is None:
        raise ValueError("Y is missing: fit(X, Y) needs (n_rows, n_species) targets.")
    if isinstance(y, tuple):
        raise TypeError(
            "Y is a tuple. encode_labels returns two tables: "
            "Y, label_weight = encode_labels(table)."
        )
    check_species_columns(y, "Y")
    names = list(y.columns) if isinstance(y, pd.DataFrame) else None
    try:
        target = as_floats(y, "Y", np.float32).copy()
    except ValueError as exc:
        raise ValueError(
            f"Y holds something that is no number ({exc}). Turn a column of labels "
            "into indicators with Y, label_weight = skbird.data.encode_labels(table)."
        ) from exc
    if target.ndim != 2:
        raise ValueError(
            f"Y has shape {target.shape}; (n_rows, n_species) is needed. Turn a column "
            "of labels into indicators with Y, label_weight = "
            "skbird.data.encode_labels(table)."
        )
    _check_length("Y", target, n_rows)
    target[(target == -1).all(axis=1)] = np.nan
    wrong = (target < 0) | (target > 1)
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        raise ValueError(
            f"Y[{row}, {column}] is {target[row, column]:g}, outside [0, 1]. Only rows "
            "that are -1 throughout (unlabelled) and NaN (unknown) may lie outside."
        )
    if np.isnan(target).all():
        raise ValueError(
            f"Y has no label in {counted(n_rows, 'row')}: all are unlabelled or "
            "unknown. Label some of them."
        )
    if names is None:
        names = [f"species {column}" for column in range(target.shape[1])]
    return np.array(names, dtype=object), target


def check_sample_weight(sample_weight, n_rows):
    """Check weights of rows (n_rows,); None stays None."""
    if sample_weight is None:
        return None
    weight = as_floats(sample_weight, "sample_weight", np.float64)
    if weight.ndim != 1:
        raise ValueError(
            f"sample_weight has shape {weight.shape}; one weight per row, ({n_rows},), "
            "is needed."
        )
    _check_length("sample_weight", weight, n_rows)
    return _check_weight("sample_weight", weight)


def check_label_weight(label_weight, shape, species):
    """Check weights of labels (n_rows, n_species); None stays None."""
    if label_weight is None:
        return None
    if isinstance(label_weight, pd.DataFrame) and label_weight.shape == shape:
        columns = list(label_weight.columns)
        if set(columns) == set(species) and columns != list(species):
            raise ValueError(
                "The columns of label_weight are those of Y in another order. Reorder "
                "them: label_weight[Y.columns]."
            )
    weight = np.asarray(label_weight, dtype=np.float32)
    if weight.shape != shape:
        raise ValueError(
            f"label_weight has shape {weight.shape}, but Y has {shape}: one weight for "
            "each label is needed."
        )
    return _check_weight("label_weight", weight)


def check_usable(dataset):
    """Refuse a `SegmentDataset` without a row to train on.

    Raises
    ------
    ValueError
        Names a recording that cannot be read, if there is one.
    """
    if len(dataset):
        return
    X = dataset.spectrograms
    text = (
        f"There is nothing to train on in {counted(len(X), 'row')}: each is "
        "unlabelled, unreadable or has sample_weight 0."
    )
    if len(X.errors):
        text += (
            f" {counted(len(X.errors), 'row')} cannot be read; the first error: "
            f"{X.errors['error'].iloc[0]}"
        )
    raise ValueError(text)


def warn_of_unheard(species, target, is_read):
    """Warn of species whose recordings are all among those that cannot be read.

    Parameters
    ----------
    species : ndarray of shape (n_species,)
    target : ndarray of shape (n_rows, n_species)
    is_read : ndarray of bool, shape (n_rows,)
    """
    present = target >= PRESENT_FROM
    lost = present.any(axis=0) & ~present[is_read].any(axis=0)
    if lost.any():
        shown = [*map(str, species[lost][:_SHOWN]), "..."][: lost.sum()]
        warnings.warn(
            f"None of the recordings of {lost.sum()} species can be read: "
            f"{', '.join(shown)}. The network learns that they are absent. Mend the "
            "recordings, or leave these columns out of Y.",
            UserWarning,
            stacklevel=3,
        )


def _check_length(name, values, n_rows):
    if len(values) != n_rows:
        raise ValueError(f"{name} has {len(values)} rows, but X has {n_rows}.")


def _check_weight(name, weight):
    if not (np.isfinite(weight).all() and (weight >= 0).all() and weight.any()):
        raise ValueError(f"{name} must be finite, not negative and not all 0.")
    return weight
