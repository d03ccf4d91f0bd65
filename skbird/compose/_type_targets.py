"""The maths of splitting targets by call type."""

import re
from collections import Counter

import numpy as np
import pandas as pd

from skbird.data import parse_primary_label
from skbird.utils._names import match_names
from skbird.utils._params import as_floats
from skbird.utils._truth import PRESENT_FROM

_REST = "other"


def split_targets(X, y, *, column, min_recordings, siblings, ignore):
    """Split the targets of each species by call type; the rules are the classifier's.

    Parameters
    ----------
    X : DataFrame of n_rows
        With tags in `column`; ``path`` and ``primary_label`` are used if there.
    y : array-like or DataFrame of shape (n_rows, n_species)
        Targets of the species.
    column, min_recordings, siblings, ignore
        See `CallTypeClassifier`.

    Returns
    -------
    call_types : DataFrame
        The new columns: ``species``, ``type``, ``column``, ``n_recordings``.
    targets : DataFrame of shape (n_rows, n_columns), float32
        Those of a species stand together.
    owner : ndarray of int, shape (n_columns,)
        Which column of y each comes from.
    """
    species = list(getattr(y, "columns", range(np.shape(y)[1])))
    values = as_floats(y, "y", np.float32)
    ignored = parse_tags(ignore)
    tags = [parse_tags(cell) - ignored for cell in X[column]]
    told = has_own_tags(X, y, values > 0)
    recordings = np.asarray(X.get("path", np.arange(len(X)))).astype(str)
    owner, types, targets = [], [], []
    for i in range(len(species)):
        own = _split(
            values[:, i], told[:, i], tags, recordings, min_recordings, siblings
        )
        owner += [i] * len(own)
        types += own.keys()
        targets += own.values()
    call_types = pd.DataFrame(
        {
            "species": [species[i] for i in owner],
            "type": pd.Series(types, dtype=object),
            "column": [
                str(species[i]) if kind is None else f"{species[i]} | {kind}"
                for i, kind in zip(owner, types, strict=True)
            ],
            "n_recordings": [
                len(set(recordings[target >= PRESENT_FROM])) for target in targets
            ],
        }
    )
    targets = pd.DataFrame(
        np.column_stack(targets), X.index, call_types["column"].to_list()
    )
    return call_types, targets, np.array(owner)


def parse_tags(cell):
    """Set of the tags in a cell of xeno-canto's or BirdCLEF's, lower-case."""
    if isinstance(cell, list | tuple | set | frozenset | np.ndarray):
        cell = ",".join(tag for tag in cell if isinstance(tag, str))
    text = "" if pd.isna(cell) else str(cell).lower()
    # Brackets and quotes are peeled off, not parsed: a typo costs one tag, not the fit.
    return {tag.strip("[]'\" ") for tag in re.split("[,;]", text)} - {""}


def has_own_tags(X, y, heard):
    """Return whether a row's tags are about this species; bool, (n_rows, n_species)."""
    if "primary_label" in X.columns and hasattr(y, "columns"):
        labels = [parse_primary_label(cell) for cell in X["primary_label"]]
        species = [str(name) for name in y.columns]
        meant = match_names((own[0] for own in labels if len(own) == 1), species)
        primary = [meant.get(own[0], "") if len(own) == 1 else "" for own in labels]
        is_primary = np.array(primary)[:, None] == np.array(species)
        if is_primary.any():
            return heard & is_primary
    return heard & (heard.sum(axis=1, keepdims=True) == 1)


def _split(value, told, tags, recordings, min_recordings, siblings):
    """Targets of one species, by type; by None if it stays in one column."""
    sure = np.flatnonzero(told & (value >= PRESENT_FROM))
    pairs = {(recordings[row], tag) for row in sure for tag in tags[row]}
    counts = Counter(tag for _, tag in pairs)
    kept = {tag for tag, n in counts.items() if n >= min_recordings and tag != _REST}
    types = sorted(kept)
    rest = max(types, key=counts.get, default=None)
    if len({recordings[row] for row in sure if not tags[row] & kept}) >= min_recordings:
        rest = _REST
        types.append(rest)
    if len(types) < 2:
        return {None: value}
    targets = np.repeat(value[:, None], len(types), axis=1)
    targets[value > 0] = np.nan  # heard, but as which type?
    for row in np.flatnonzero(told):
        own = tags[row] & kept or {rest}
        if rest == _REST and tags[row] - kept:
            own = own | {_REST}  # a rare type besides
        elsewhere = 0 if tags[row] and siblings == "absent" else np.nan
        targets[row] = [value[row] if t in own else elsewhere for t in types]
    return dict(zip(types, targets.T, strict=True))
