"""Find what training and test rows share and a score must not profit from."""

import warnings

import numpy as np
import pandas as pd

from skbird.model_selection._leak_keys import check_options, leak_keys, table_keys
from skbird.model_selection._leak_pairs import pair_rows
from skbird.utils._folds import list_folds
from skbird.utils._linked import number_linked
from skbird.utils._rows import row_table
from skbird.utils._text import counted

_SHARES = {
    "file": "a file",
    "author": "an author",
    "author_day": "author and day",
    "identical": "files with the same bytes",
    "near_duplicate": "sound",
    "alike": "what an encoder finds alike",
}


class LeakageWarning(UserWarning):
    """Test rows share something with training rows that makes the score too good.

    Examples
    --------
    >>> import warnings
    >>> from skbird.model_selection import LeakageWarning
    >>> warnings.simplefilter("error", LeakageWarning)  # a leak stops the program
    >>> warnings.resetwarnings()
    """


def find_leaks(
    X,
    train,
    test,
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
    """Find test rows that share a recording, recordist or sound with training rows.

    ================== ===============================================================
    kind               what a test row shares with a training row
    ================== ===============================================================
    ``file``           the path, whichever stretches of it the rows are
    ``author``         the author, if `date` is None
    ``author_day``     author and calendar day: often the same individual and place
    ``identical``      another path with the same bytes
    ``near_duplicate`` another file with the same sound: renamed, cut, amplified,
                       filtered, resampled, or compressed anew
    ``alike``          embeddings that are nearly the same
    ================== ===============================================================

    A pair is listed once, under the first kind of the table that explains it, except
    that same author and day may come with the same content.

    Parameters
    ----------
    X : DataFrame, `Recordings`, `Spectrograms` or sequence of paths
        The rows.
    train, test : array-like of int
        Row numbers, or masks, of the rows that a model is trained and tested on.
    author : str or None, default="author"
        Column of X that names the recordist. None leaves this check out.
    date : str or None, default="date"
        Column of X with the date of the recording, in any form that pandas reads; a
        date without a day is unknown. None compares authors alone.
    identical : bool, default=True
        Whether to compare the content of files. Only files of equal size are read.
    near_duplicates : bool, default=False
        Whether to compare the sound; includes `identical`. The first minute of every
        file is decoded: about a minute per 8 hours of audio on one core. Files with
        less than 3 s of sound are not compared.
    embeddings : Windows or array-like of shape (n_rows, n_features), default=None
        What a pretrained model says of the rows: those whose embeddings have a cosine
        similarity of `min_similarity` are listed. Best the windows of
        ``EmbeddingEncoder(output="windows", step_s=1)``: each window of the shorter row
        must be like one of the other, so that clips cut from longer rows are found.
    min_similarity : float in (0, 1], default=None
        None: 0.9 for windows, 0.95 for one vector for each row; see the notes.
    n_jobs : int, default=-1
        Threads that read files, as in joblib; -1 uses all cores.
    verbose : int, default=0
        0 shows no progress bar.

    Returns
    -------
    leaks : DataFrame
        One line per kind and test row: ``kind``, ``test_row``, ``train_row`` (the first
        training row that shares it), ``n_train_rows`` (how many training rows do) and
        ``shared`` (what they share). Empty if there are no leaks. With `embeddings`
        also ``similarity``: NaN for other kinds, of which `train_row` is not the most
        similar one, but the first.

    Raises
    ------
    ValueError
        If X tells nothing that could be checked, or `embeddings` has not its rows.

    Warns
    -----
    UserWarning
        If X has no column `author` or `date`, dates tell no day, or files are missing.

    See Also
    --------
    check_leaks : The same for the folds of a cross-validation.
    leak_groups : Groups that keep together what is shared.

    Notes
    -----
    *What is found alike.* Of 1,670 copies of 207 recordings (xeno-canto, ESC-10,
    Doñana), by embeddings of BirdNET 2.4, these shares are found:

    =============================== ============== =============== ===============
    the copy is                     windows at 0.9 in steps of 1 s one vector a row
    =============================== ============== =============== ===============
    mp3, Vorbis, or 20 dB quieter   98 to 100 %                    99 to 100 %
    cut to 3 or 4 s of 5 or 6 s     52 to 87 %     81 to 83 %      25 to 88 %
    cut and mp3                     43 to 81 %                     31 to 91 %
    cut to 4 or 10 s of 60 s        37 to 60 %                     0 to 40 %
    with noise 20 dB, 10 dB below   36 to 50, 10 %                 23, 4 %
    =============================== ============== =============== ===============

    Of 127,900 pairs of other recordings 2 are listed in error (one vector a row: 3).
    Of 109 pairs of one species and recordist 2 are, one of them with neighbouring
    catalogue numbers; in steps of 1 s, 3. What is not listed may still be of the same
    hour: groups by recordist are needed all the same. Other models have other
    similarities: look at the table before you trust `min_similarity`.

    To compare 30,000 vectors of 1,024 values takes half a minute on one core; ten times
    as many windows take a hundred times as long, and no more memory. Of very many
    copies of a row, such as silence, not all pairs are looked at.

    Examples
    --------
    >>> import pandas as pd
    >>> from skbird.model_selection import find_leaks
    >>> X = pd.DataFrame({"path": ["1.ogg", "2.ogg", "3.ogg", "1.ogg"],
    ...                   "author": ["ann", "ben", "ben", "ann"],
    ...                   "date": ["2021-05-03", "2021-05-03", "3 May 2021", None]})
    >>> find_leaks(X, train=[0, 1], test=[2, 3], identical=False)
             kind  test_row  train_row  n_train_rows           shared
    0        file         3          0             1            1.ogg
    1  author_day         2          1             1  ben, 2021-05-03
    """
    train, test = _check_part(train, "train"), _check_part(test, "test")
    keys = leak_keys(
        X,
        author=author,
        date=date,
        identical=identical,
        near_duplicates=near_duplicates,
        embeddings=embeddings,
        min_similarity=min_similarity,
        n_jobs=n_jobs,
        verbose=verbose,
    )
    return pair_rows(keys, train, test)


def check_leaks(X, folds, **options):
    """Find leaks in the folds of a cross-validation, and warn of them.

    Parameters
    ----------
    X : DataFrame, `Recordings`, `Spectrograms` or sequence of paths
        The rows.
    folds : iterable of (train, test)
        Row numbers, as ``cv.split(X, y, groups)`` yields them.
    **options
        As for `find_leaks`. Each file is read once, however many folds there are.

    Returns
    -------
    leaks : DataFrame
        The table of `find_leaks`, with the number of the ``fold`` as first column.

    Raises
    ------
    TypeError
        If `folds` is a splitter, or a single (train, test).
    ValueError
        If X tells nothing that could be checked.

    Warns
    -----
    LeakageWarning
        If there are leaks: what is shared, in how many folds, and the remedy.

    Examples
    --------
    >>> from sklearn.model_selection import GroupKFold
    >>> from skbird.model_selection import check_leaks
    >>> X = ["a.ogg", "b.ogg", "a.ogg", "c.ogg"]
    >>> len(check_leaks(X, GroupKFold(3).split(X, groups=X), author=None,
    ...                 identical=False))
    0
    """
    check_options("check_leaks", options)
    folds = list_folds(folds)  # before files are read
    leaks = _find_in_folds(leak_keys(X, **options), folds)
    _warn(leaks, stacklevel=3)
    return leaks


def warn_about_cheap_leaks(X, folds):
    """Warn of leaks that the row table of X shows, on behalf of `cross_val_report`."""
    table = row_table(X)
    keys = {} if table is None else table_keys(table, author="author", date="date")
    if keys:
        # Between the report and its caller stands the check of parameters.
        _warn(_find_in_folds(keys, folds), stacklevel=5)


def leak_groups(X, **options):
    """Group rows so that no two groups share what `find_leaks` looks for.

    Parameters
    ----------
    X : DataFrame, `Recordings`, `Spectrograms` or sequence of paths
        The rows.
    **options
        As for `find_leaks`.

    Returns
    -------
    groups : ndarray of int, shape (n_rows,)
        Pass them to a splitter. Rows that share something, directly or by way of other
        rows, are in the same group.

    Raises
    ------
    ValueError
        If X tells nothing that could be checked.

    Examples
    --------
    >>> import pandas as pd
    >>> from skbird.model_selection import leak_groups
    >>> X = pd.DataFrame({"path": ["1.ogg", "1.ogg", "2.ogg", "3.ogg"],
    ...                   "author": "ann", "date": ["2021-05-03", None, "3 May 2021",
    ...                                             "2021-06-01"]})
    >>> leak_groups(X, identical=False).tolist()
    [0, 0, 0, 1]
    """
    check_options("leak_groups", options)
    keys = [key.numbers for key in leak_keys(X, **options).values()]
    # Rows and keys are the nodes of a graph; a row is linked to each key that it has.
    # Its connected components are the groups: a leak has no length, so a row that
    # shares its file with one row and its author with another ties the two together.
    n_nodes = n_rows = len(keys[0])
    rows, nodes = [], []
    for key in keys:
        known = np.flatnonzero(key >= 0)
        rows.append(known)
        nodes.append(n_nodes + key[known])
        n_nodes += key.max() + 1
    linked = number_linked(np.concatenate(rows), np.concatenate(nodes), n_nodes)
    return linked[:n_rows]


def _check_part(part, name):
    """Return row numbers or a mask as an array; slices stay."""
    if isinstance(part, slice):
        return part
    try:
        rows = np.asarray(part)
    except ValueError:  # of several lengths
        rows = np.empty((0, 0))
    if rows.ndim != 1 or (len(rows) and rows.dtype.kind not in "iub"):
        raise TypeError(
            f"{name}={part!r:.100} must be row numbers of X, or a mask of its rows, of "
            "one dimension."
        )
    return rows if len(rows) else rows.astype(np.intp)


def _find_in_folds(keys, folds):
    found = [
        pair_rows(keys, train, test).assign(fold=fold)
        for fold, (train, test) in enumerate(folds)
    ]
    table = pd.concat(found, ignore_index=True)
    return table[["fold", *table.columns.drop("fold")]]


def _warn(leaks, stacklevel):
    if len(leaks) == 0:
        return
    parts = [
        f"{_SHARES[kind]} ({counted(len(of_kind), 'row')} in "
        f"{counted(of_kind['fold'].nunique(), 'fold')}, such as "
        f"{of_kind['shared'].iloc[0]!r})"
        for kind, of_kind in leaks.groupby("kind", sort=False)
    ]
    options = ", date=None" if (leaks["kind"] == "author").any() else ""
    if (leaks["kind"] == "alike").any():
        options += ", embeddings=embeddings"
    warnings.warn(
        f"LEAKAGE: the score will be too good. Test rows share with training rows "
        f"{', '.join(parts)}. Keep these together, for example by "
        f"groups=leak_groups(X{options}); check_leaks(X, folds{options}) lists them.",
        LeakageWarning,
        stacklevel=stacklevel,
    )
