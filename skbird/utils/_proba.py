"""Bring the probabilities of any multi-label classifier into one shape."""

import numpy as np

from skbird.utils._params import as_floats


def as_proba_matrix(proba, classes=None, n_species=None):
    """Return probabilities of presence as one matrix, whatever ``predict_proba`` gave.

    Multi-label classifiers answer in two ways: a matrix with a column per species
    (networks, ``OneVsRestClassifier``, ``ClassifierChain``), or a list with one
    (n_rows, n_classes) array per species (forests, nearest neighbours,
    ``MultiOutputClassifier``). With a single species many answer as binary
    classifiers do, with a column for absence and one for presence.

    Parameters
    ----------
    proba : array-like of shape (n_rows, n_species) or list of such arrays
        What ``predict_proba`` returned.
    classes : array-like or list of array-like, default=None
        ``classes_`` of the classifier: tells which column means presence (label 1).
        A species that was never present in training has no such column and gets 0.
        Without it, the last of two columns is taken.
    n_species : int, default=None
        Number of species expected. It decides whether two columns are two species or
        the absence and presence of one.

    Returns
    -------
    matrix : ndarray of float, shape (n_rows, n_species)

    Raises
    ------
    ValueError
        If the columns cannot be told apart or are not `n_species`.

    Examples
    --------
    >>> import numpy as np
    >>> as_proba_matrix([np.array([[0.9, 0.1]]), np.array([[1.0]])], [[0, 1], [0]])
    array([[0.1, 0. ]])
    """
    if isinstance(proba, list | tuple):
        classes = [None] * len(proba) if classes is None else classes
        columns = [_presence(p, c) for p, c in zip(proba, classes, strict=True)]
        matrix = np.column_stack(columns)
    else:
        matrix = np.asarray(proba)
        flat_classes = None if _is_per_species(classes) else classes
        n_columns = matrix.shape[1] if matrix.ndim == 2 else 0
        is_binary = n_columns == 2 or (n_columns == 1 and flat_classes is not None)
        if n_species == 1 and is_binary:
            matrix = _presence(matrix, flat_classes)[:, None]
    if not np.issubdtype(matrix.dtype, np.floating):
        matrix = matrix.astype(np.float64)
    if matrix.ndim != 2 or n_species not in (None, matrix.shape[1]):
        expected = "n_species" if n_species is None else n_species
        raise ValueError(
            f"predict_proba returned shape {matrix.shape}, but (n_rows, {expected}) is "
            "needed: one probability per row and species. Use a multi-label classifier "
            "fitted on as many species as there are columns in Y."
        )
    return matrix


def check_proba(proba, dtype):
    """Return probabilities of species as an array, NaN where there are none.

    Parameters
    ----------
    proba : array-like or DataFrame of shape (n_rows, n_species)
    dtype : dtype of floats

    Returns
    -------
    ndarray

    Raises
    ------
    ValueError
        If it has another shape, or a value is outside [0, 1].
    """
    proba = as_floats(proba, "proba", dtype)
    if proba.ndim != 2:
        raise ValueError(
            f"proba has shape {proba.shape}; (n_rows, n_species) is needed."
        )
    outside = proba[(proba < 0) | (proba > 1)]
    if len(outside):
        raise ValueError(
            f"proba has values outside [0, 1], such as {outside[0]:g}. Pass "
            "probabilities, not logits."
        )
    return proba


def _presence(proba, classes):
    """Column of `proba` (n_rows, n_classes) that belongs to label 1; 0 if none does."""
    proba = np.asarray(proba)
    if classes is None:
        if proba.ndim != 2 or proba.shape[1] != 2:
            raise ValueError(
                f"Cannot tell which column of shape {proba.shape} means presence. Pass "
                "classes, the classifier's classes_."
            )
        return proba[:, 1]
    is_present = np.asarray(classes) == 1
    return proba[:, is_present.argmax()] if is_present.any() else np.zeros(len(proba))


def _is_per_species(classes):
    """Return whether `classes` is a list of arrays, one per species."""
    return classes is not None and len(classes) > 0 and np.ndim(classes[0]) > 0
