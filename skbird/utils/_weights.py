"""Check the weights of rows and of labels that `fit` is given."""

import numpy as np
import pandas as pd

from skbird.utils._params import as_floats


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
    if len(weight) != n_rows:
        raise ValueError(f"sample_weight has {len(weight)} rows, but X has {n_rows}.")
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


def _check_weight(name, weight):
    if not (np.isfinite(weight).all() and (weight >= 0).all() and weight.any()):
        raise ValueError(f"{name} must be finite, not negative and not all 0.")
    return weight
