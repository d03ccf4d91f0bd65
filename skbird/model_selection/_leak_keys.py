"""Keys of rows, one for each kind of leak: rows with equal keys share something."""

import hashlib
import os
import warnings
from collections.abc import Hashable
from difflib import get_close_matches
from numbers import Real
from typing import NamedTuple

import numpy as np
import pandas as pd
from joblib import Parallel, delayed

from skbird.audio import (
    FINGERPRINT_S,
    AudioReadError,
    find_near_duplicates,
    fingerprint,
    read_audio,
)
from skbird.model_selection._alike import (
    MIN_SIMILARITY,
    Pairs,
    alike,
    check_embeddings,
    is_windows,
)
from skbird.utils._files import check_regular
from skbird.utils._linked import number_linked
from skbird.utils._names import existing_path
from skbird.utils._params import N_JOBS, check_params
from skbird.utils._progress import progress_bar
from skbird.utils._rows import row_table
from skbird.utils._sklearn_compat import Interval
from skbird.utils._text import counted

#: Each kind, and the kind that would explain it already.
KINDS = {
    "file": None,
    "author": "file",
    "author_day": "file",
    "identical": "file",
    "near_duplicate": "identical",
    "alike": "near_duplicate",
}
_CONSTRAINTS = {
    "identical": ["boolean"],
    "near_duplicates": ["boolean"],
    "min_similarity": [Interval(Real, 0, 1, closed="right"), None],
    "n_jobs": N_JOBS,
    "verbose": ["verbose"],
}
_SHORTEST_DATE = len("20210503")  # a year or a month is no day


class Key(NamedTuple):
    """The keys of all rows for one kind of leak."""

    numbers: np.ndarray  # (n_rows,) int: rows with the same one share it; -1: unknown
    texts: np.ndarray  # (n_rows,) object: how to call it
    pairs: Pairs | None = None  # where rows are linked one by one, and how closely


def leak_keys(
    X,
    *,
    author="author",
    date="date",
    identical=True,
    near_duplicates=False,
    embeddings=None,
    min_similarity=None,
    n_jobs=-1,
    verbose=0,
):
    """Give numbers to what rows may share; `find_leaks` documents the parameters.

    Returns
    -------
    dict of str to Key
        In the order of `KINDS`, those that can be checked.
    """
    _check_given(
        {"author": author, "date": date},
        identical=identical,
        near_duplicates=near_duplicates,
        min_similarity=min_similarity,
        n_jobs=n_jobs,
        verbose=verbose,
    )
    table = _check_table(X, author, date, is_enough=embeddings is not None)
    if embeddings is not None:
        embeddings = check_embeddings(embeddings, len(table))
    keys = table_keys(table, author, date)
    if "author_day" in keys:
        _check_days(table, author, date, keys["author_day"])
    if "file" in keys and (identical or near_duplicates):
        file, paths, _ = keys["file"]
        _, first = np.unique(file[file >= 0], return_index=True)
        files = paths[file >= 0][first]
        contents = number_contents(files, n_jobs, verbose)
        keys["identical"] = Key(_look_up(contents, file), paths)
        if near_duplicates:
            sounds = _look_up(_sounds(files, contents, n_jobs, verbose), contents)
            keys["near_duplicate"] = Key(_look_up(sounds, file), paths)
    if embeddings is not None:
        keys["alike"] = _alike(embeddings, min_similarity, keys.get("file"))
    return keys


def _alike(embeddings, min_similarity, file):
    if min_similarity is None:
        kind = "windows" if is_windows(embeddings) else "matrix"
        min_similarity = MIN_SIMILARITY[kind]
    n_rows = len(embeddings)
    pairs = alike(embeddings, min_similarity)
    numbers = number_linked(pairs.first, pairs.second, n_rows)
    rows = np.array([f"row {row}" for row in range(n_rows)], dtype=object)
    return Key(numbers, rows if file is None else file.texts, pairs)


def _check_given(columns, **params):
    for name, column in columns.items():
        if column is not None and not isinstance(column, Hashable):
            raise TypeError(
                f"{name}={column!r:.100} must be the name of a column of X, or None."
            )
    check_params("find_leaks", _CONSTRAINTS, **params)


def check_options(caller, options):
    """Refuse options that `leak_keys` does not take; `caller` is who was called."""
    for name in options.keys() - leak_keys.__kwdefaults__.keys():
        close = get_close_matches(name, leak_keys.__kwdefaults__)
        raise TypeError(
            f"{caller}() got an unexpected keyword argument {name!r}"
            f"{f'; did you mean {close[0]}?' if close else '.'}"
        )


def table_keys(table, author, date):
    """Give numbers to what rows share by their row table alone."""
    keys = {}
    if "path" in table.columns:
        # What is no path cannot be read, nor be shared.
        paths = [
            os.fspath(path) if isinstance(path, str | os.PathLike) else None
            for path in table["path"]
        ]
        files = [None if path is None else os.path.abspath(path) for path in paths]
        numbers, _ = pd.factorize(np.array(files, dtype=object))
        keys["file"] = Key(numbers, np.array(paths, dtype=object))
    if author in table.columns and date is None:
        keys["author"] = _authors(table[author])
    elif author in table.columns and date in table.columns:
        keys["author_day"] = _author_days(table[author], table[date])
    return keys


def _check_table(X, author, date, is_enough=False):
    table = row_table(X)
    missing = []
    if table is not None and author is not None:
        wanted = [author] if date is None else [author, date]
        missing = [name for name in wanted if name not in table.columns]
    unchecked = (missing or author is None) and not is_enough
    if table is not None and len(table) == 0:
        raise ValueError(f"X ({type(X).__name__}) has no rows: nothing can be checked.")
    if table is None or ("path" not in table.columns and unchecked):
        found = "no row table" if table is None else f"the columns {list(table)}"
        raise ValueError(
            f"X ({type(X).__name__}) has {found}: nothing can be checked. Pass a "
            "DataFrame with a column 'path', or with an author and a date."
        )
    if missing:
        named = "column by author=" if date is None else "columns by author= and date="
        alone = "date=None to go by the author alone, or " if missing == [date] else ""
        warnings.warn(
            f"Same author{'' if date is None else ' on the same day'} is not checked: "
            f"X has no column {' or '.join(map(repr, missing))}. Name the {named}, or "
            f"pass {alone}author=None to leave it out.",
            UserWarning,
            stacklevel=4,
        )
    return table


def _check_days(table, author, date, key):
    given = pd.notna(_texts(table[author])) & pd.notna(_texts(table[date]))
    no_day = given & (key.numbers < 0)
    if no_day.any():
        example = table[date].iloc[no_day.argmax()]
        warnings.warn(
            f"{no_day.sum()} of {given.sum()} dates in column {date!r} tell no day, "
            f"such as {str(example)!r}; same author on the same day is not checked "
            "for their rows. Write YYYY-MM-DD, or pass date=None to go by the author "
            "alone.",
            UserWarning,
            stacklevel=4,
        )


def _texts(column):
    """Return what is written in a column, (n_rows,) object; None where nothing is."""
    texts = column.astype("string").str.strip().replace("", pd.NA)
    return texts.to_numpy(dtype=object, na_value=None)


def _authors(authors):
    names = _texts(authors)
    return Key(pd.factorize(names)[0], names)


def _author_days(authors, dates):
    names = _texts(authors)
    date, texts = pd.factorize(dates.astype("string").str.strip())
    days = pd.to_datetime(
        texts.where(texts.str.len() >= _SHORTEST_DATE),
        errors="coerce",
        format="mixed",
        utc=True,
    ).strftime("%Y-%m-%d")
    days = np.append(days.to_numpy(dtype=object), None)[date]  # -1 takes the last
    known = pd.notna(names) & pd.notna(days)
    texts = np.full(len(names), None, dtype=object)
    texts[known] = names[known] + ", " + days[known]
    return Key(pd.factorize(texts)[0], texts)


def number_contents(files, n_jobs, verbose):
    """Give numbers to the contents of files; those of a unique size are not read."""
    sizes = pd.Series([_size(path) for path in files])
    alike = np.flatnonzero(sizes.duplicated(keep=False) & sizes.notna())
    digests = _in_threads(_digest, files[alike], n_jobs, verbose, "content")
    unread = sizes.isna().to_numpy(copy=True)
    unread[alike] = [digest is None for digest in digests]
    content = np.array(files, dtype=object)
    content[alike] = digests
    content[unread] = files[unread]
    if unread.any():
        warnings.warn(
            f"{unread.sum()} of {counted(len(files), 'file')} "
            f"{'is' if unread.sum() == 1 else 'are'} missing or cannot be read, such "
            f"as {files[unread.argmax()]!r}; the content is not checked.",
            UserWarning,
            stacklevel=4,
        )
    return pd.factorize(content)[0]


def _sounds(files, contents, n_jobs, verbose):
    """Give numbers to the sounds of contents; near duplicates share theirs."""
    _, first = np.unique(contents, return_index=True)
    fingerprints = _in_threads(
        _fingerprint_file, files[first], n_jobs, verbose, "fingerprints"
    )
    pairs = find_near_duplicates(fingerprints)
    return number_linked(*pairs.T, len(first))


def _look_up(values, numbers):
    """Return ``values[numbers]``, -1 where the number is -1."""
    return np.append(values, -1)[numbers]


def _in_threads(work, paths, n_jobs, verbose, label):
    results = Parallel(n_jobs, prefer="threads", return_as="generator")(
        delayed(work)(path) for path in paths
    )
    options = {"desc": label, "unit": "file", "delay": 1, "verbose": verbose}
    return list(progress_bar(results, total=len(paths), **options))


def _size(path):
    """Return the bytes of a file; None if it is none, such as a pipe, or missing."""
    path = existing_path(path)
    try:
        check_regular(path)
        return os.path.getsize(path)
    except (OSError, ValueError):
        return None


def _digest(path):
    """Return what tells the content of a file from others; None if it is unreadable."""
    try:
        with open(existing_path(path), "rb") as file:
            return hashlib.file_digest(file, "blake2b").hexdigest()
    except OSError:
        return None


def _fingerprint_file(path):
    try:
        return fingerprint(*read_audio(path, 0.0, FINGERPRINT_S))
    except AudioReadError:
        return np.empty(0, dtype=np.uint32)  # fitting will name it
