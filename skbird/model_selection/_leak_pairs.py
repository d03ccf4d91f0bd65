"""Pair test rows with the training rows that they share something with."""

import numpy as np
import pandas as pd

from skbird.model_selection._leak_keys import KINDS
from skbird.utils._text import counted

_COLUMNS = ["kind", "test_row", "train_row", "n_train_rows", "shared"]


def pair_rows(keys, train, test):
    """Pair test rows with training rows that share something; see `find_leaks`.

    Parameters
    ----------
    keys : dict of str to Key
    train, test : ndarray of int or bool, or slice

    Returns
    -------
    DataFrame
        That of `find_leaks`.
    """
    found = []
    for kind, key in keys.items():
        rows = np.arange(len(key.numbers))
        train_rows = _take(rows, train, "train")
        test_rows = _take(rows, test, "test")
        explained = _explaining(kind, keys)
        if key.pairs is not None:
            pairs = _closest(key.pairs, explained, train_rows, test_rows)
        else:
            explained = explained[0] if explained else None
            pairs = _pair(key.numbers, explained, train_rows, test_rows)
        pairs = pairs.assign(kind=kind, shared=key.texts[pairs["train_row"]])
        found.append(pairs[[*_COLUMNS, *pairs.columns.intersection(["similarity"])]])
    return pd.concat(found, ignore_index=True)


def _explaining(kind, keys):
    """List the keys of kinds that imply a kind, the one next to it first.

    Rows of one file also share its author and its bytes, and copies their sound: of
    kinds that imply each other, only the first is listed.
    """
    found = []
    while (kind := KINDS[kind]) is not None:
        found += [keys[kind].numbers] if kind in keys else []
    return found


def _closest(pairs, explained, train, test):
    """Pair each test row with the training row that is most like it; see `_pair`."""
    found = pairs.between(train, test)
    for numbers in explained:
        of_test = numbers[found["test_row"]]
        same = (of_test == numbers[found["train_row"]]) & (of_test >= 0)
        found = found[~same]
    n_train_rows = found.groupby("test_row")["train_row"].transform("size")
    found = found.assign(n_train_rows=n_train_rows)
    order = ["test_row", "similarity", "train_row"]
    found = found.sort_values(order, ascending=[True, False, True])
    return found.drop_duplicates("test_row")


def _take(rows, part, name):
    """Return the numbers of the rows of one part, which may be a mask, too."""
    try:
        return rows[part]
    except IndexError as exc:
        raise ValueError(
            f"{name} does not fit X, which has {counted(len(rows), 'row')}: {exc}."
        ) from exc


def _pair(key, explained, train, test):
    """Pair each test row with the first training row that has the same key.

    Parameters
    ----------
    key : ndarray of int, shape (n_rows,)
        Key of each row for the kind of leak; -1 is unknown, and shared with nobody.
    explained : ndarray of int, shape (n_rows,), or None
        Key of the kind that explains this one: rows that agree in it as well, such as
        two with the same bytes since they are of the same file, are no pair.
    train, test : ndarray of int
        Numbers of rows.

    Returns
    -------
    DataFrame
        ``test_row``, ``train_row`` and ``n_train_rows``.
    """
    if explained is None:  # all pairs count: let these differ
        inner_train, inner_test = np.zeros(len(train)), np.ones(len(test))
    else:
        inner_train, inner_test = explained[train], explained[test]
    left = pd.DataFrame({"test_row": test, "key": key[test], "inner": inner_test})
    right = pd.DataFrame({"train_row": train, "key": key[train], "inner": inner_train})
    left, right = left[left["key"] >= 0], right[right["key"] >= 0]
    # To merge all rows of a key would make n_train x n_test pairs. Two examples per key
    # are enough: of two training rows that differ in `inner`, at least one differs from
    # any test row. How many there are is then counted, as all with the key less those
    # that are explained.
    examples = right.drop_duplicates(["key", "inner"]).groupby("key").head(2)
    pairs = left.merge(examples, on="key", suffixes=("", "_train"))
    pairs = pairs[pairs["inner"] != pairs["inner_train"]].drop_duplicates("test_row")
    # How many there are: those of the key, less those that are explained.
    n_same = right.groupby("key").size().reindex(pairs["key"]).to_numpy()
    both = pd.MultiIndex.from_frame(pairs[["key", "inner"]])
    n_explained = right.groupby(["key", "inner"]).size().reindex(both, fill_value=0)
    return pairs.assign(n_train_rows=n_same - n_explained.to_numpy())
