"""What a query knows of the rows that it chooses from."""

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from skbird.active._labels import check_labels, is_answered, is_labeled
from skbird.utils._names import one_line
from skbird.utils._params import as_floats
from skbird.utils._proba import check_proba
from skbird.utils._rows import check_same_order, number_groups, row_table
from skbird.utils._text import counted


@dataclass(frozen=True)
class Pool:
    """The rows to choose from.

    Parameters
    ----------
    proba : ndarray of shape (n_rows, n_species) or None
        The model's probabilities; NaN throughout in rows that cannot be read, and in
        columns of species that the model does not know.
    features : ndarray of float32, shape (n_rows, n_features), or None
        NaN in rows that cannot be read.
    Y : ndarray of shape (n_rows, n_species) or None
        Labels so far; -1 throughout in rows that nobody was asked for.
    available : ndarray of bool, shape (n_rows,)
        Rows that may be chosen.
    recording_numbers : ndarray of int, shape (n_rows,)
    """

    proba: np.ndarray | None
    features: np.ndarray | None
    Y: np.ndarray | None
    available: np.ndarray
    recording_numbers: np.ndarray

    @property
    def labeled(self):
        """Numbers of the rows with a label."""
        if self.Y is None:
            return np.empty(0, np.int64)
        return np.flatnonzero(is_labeled(self.Y))


def is_readable(proba=None, features=None):
    """Return a mask of the rows that neither table says cannot be read, (n_rows,).

    Parameters
    ----------
    proba : ndarray of shape (n_rows, n_species) or None
        NaN throughout in rows that cannot be read.
    features : ndarray of shape (n_rows, n_features) or None
        With NaN or infinity in such rows.

    Returns
    -------
    ndarray of bool, or True if there is neither

    Raises
    ------
    ValueError
        If a feature is NaN or infinite in all rows, though there are others.
    """
    readable = True
    if proba is not None:
        readable = ~np.isnan(proba).all(axis=1)
    if features is not None:
        readable = readable & _has_all_features(features)
    return readable


def _has_all_features(features):
    whole, known = [], np.zeros(features.shape[1], bool)
    # In blocks, as a mask of all values would be large.
    for block in np.array_split(features, len(features) // 8192 + 1):
        finite = np.isfinite(block)
        whole.append(finite.all(axis=1))
        known |= finite.any(axis=0)
    if len(features) and not known.all() and not np.isnan(features).all():
        raise ValueError(
            f"features has no finite number in {_columns_named(~known)}, so that no "
            "row can be compared. Leave out what is NaN in all rows, and scale what is "
            "beyond 3.4e38, the limit of float32."
        )
    return np.concatenate(whole)


def _columns_named(mask):
    """Name the columns in which a mask is true, the first five of them."""
    columns = np.flatnonzero(mask)
    shown = ", ".join(map(str, columns[:5])) + (", ..." if len(columns) > 5 else "")
    return f"{len(columns)} of {counted(len(mask), 'column')} ({shown})"


def row_named(X, row, features=None):
    """Return what names a row of a pool that cannot be read, as text.

    Parameters
    ----------
    X : rows of the pool
    row : int
    features : ndarray of shape (n_rows, n_features), default=None
        If some are not finite, they are named, too.

    Returns
    -------
    str
    """
    table, text = row_table(X), f"row {row}"
    if table is not None and "path" in table:
        text += f", {one_line(str(table['path'].iloc[row]))}"
    values = np.zeros(0) if features is None else features[row]
    missing = ~np.isfinite(values)
    if missing.any() and not np.isnan(values).all():
        text += f", with no finite number in {_columns_named(missing)} of features"
    return text


def make_pool(proba, features, Y, available, recording_ids):
    """Check what a query is given, and put it together.

    Parameters
    ----------
    proba, features, Y : array-like with n_rows rows, or None
    available : array-like of bool, shape (n_rows,), or None
        None: all rows without an answer. Rows that cannot be read are never available.
    recording_ids : array-like of shape (n_rows,) or None
        None: each row is from a recording of its own.

    Returns
    -------
    Pool
    """
    given = {"proba": proba, "features": features, "Y": Y}
    for one, other in combinations(given, 2):
        check_same_order(given[one], given[other], (one, other))
    tables = {}
    if proba is not None:
        tables["proba"] = check_proba(proba, None)
    if features is not None:
        tables["features"] = _as_table(features)
    if Y is not None:
        tables["Y"] = check_labels(Y)
    n_rows = _number_of_rows(tables, available, recording_ids)
    if proba is not None and Y is not None:
        n_species = [tables[name].shape[1] for name in ("Y", "proba")]
        if n_species[0] != n_species[1]:
            raise ValueError(
                f"Y has {counted(n_species[0], 'column')}, but proba has "
                f"{n_species[1]}: pass a column for each species, in one order."
            )
    mask = np.ones(n_rows, bool)
    if available is not None:
        if np.asarray(available).dtype != bool:
            raise TypeError(
                f"available={available!r:.100} must be a mask of all rows, True for "
                "those that may be chosen."
            )
        mask &= available
    elif Y is not None:
        mask &= ~is_answered(tables["Y"])
    mask &= is_readable(tables.get("proba"), tables.get("features"))
    numbers = np.arange(n_rows)
    if recording_ids is not None:
        numbers, _ = number_groups(recording_ids, n_rows, "recording_ids")
    return Pool(*(tables.get(name) for name in given), mask, numbers)


def _as_table(features):
    table = as_floats(features, "features", np.float32)
    if table.ndim != 2:
        raise ValueError(
            f"features has shape {table.shape}; a row per row of the pool is needed."
        )
    return table


def _number_of_rows(tables, available, recording_ids):
    given = {"available": available, "recording_ids": recording_ids}
    given = tables | {name: v for name, v in given.items() if v is not None}
    if not given:
        raise ValueError(
            "There is nothing to choose from: pass proba, features, Y or available, "
            "with a row per row of the pool."
        )
    sizes = {name: len(values) for name, values in given.items()}
    if len(set(sizes.values())) > 1:
        said = ", ".join(f"{name} {counted(n, 'row')}" for name, n in sizes.items())
        raise ValueError(f"The pool has rows in several numbers: {said}.")
    return next(iter(sizes.values()))
