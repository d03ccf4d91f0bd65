"""Which detections somebody has listened to, and what they were."""

import numpy as np
import pandas as pd

from skbird.utils._columns import check_table
from skbird.utils._names import plain_path
from skbird.utils._params import as_floats
from skbird.utils._text import counted
from skbird.utils._truth import check_judged

_NEEDED = "path", "start", "species", "judged"


def find_reviewed(reviews, rows, species, known):
    """Find the rows that reviews are of.

    Parameters
    ----------
    reviews : DataFrame
        As the user gives it.
    rows : DataFrame
        ``path`` and ``start`` of what was predicted.
    species : list of str
        Those that count.
    known : list of str
        Those that were predicted.

    Returns
    -------
    DataFrame
        ``row``, ``column`` (of `species`) and ``correct``, a line per row and species
        that was judged, and not in two ways.
    """
    table = _check(reviews)
    others = table.loc[~table["species"].isin(known), "species"]
    if len(others):
        raise ValueError(
            f"reviews has judgements of {others.iloc[0]!r}, which is none of the "
            "species of proba. Leave them out, or correct the name."
        )
    row = _rows_of(table, rows)
    if (row < 0).any():
        lost = table.iloc[(row < 0).argmax()]
        raise ValueError(
            f"{counted((row < 0).sum(), 'review is', 'reviews are')} of no row of X, "
            f"such as {lost['path']!r} from {lost['start']:g} s on. Pass the rows that "
            "were reviewed, their paths written alike."
        )
    found = pd.DataFrame(
        {
            "row": row,
            "column": pd.Index(species).get_indexer(table["species"]),
            "correct": table["judged"],
        }
    )
    found = found[found["correct"].notna() & (found["column"] >= 0)]
    judged = found.groupby(["row", "column"])["correct"].agg(["min", "max"])
    agreed = judged[judged["min"] == judged["max"]].reset_index()
    return agreed.rename(columns={"min": "correct"})[["row", "column", "correct"]]


def _rows_of(reviews, rows):
    """Return the row that each review is of; -1 if there is none."""
    numbers, names = pd.factorize(rows["path"])
    # A file may be written in two ways.
    spelling, plain = pd.factorize(
        np.array([plain_path(str(name)) for name in names], dtype=object)
    )
    numbers = spelling[numbers]
    number = pd.Index(plain).get_indexer(
        [plain_path(str(name)) for name in reviews["path"]]
    )
    chosen = np.flatnonzero(np.isin(numbers, number))  # of millions of rows a few
    start_s = rows["start"].to_numpy()[chosen]
    keys = pd.MultiIndex.from_arrays([numbers[chosen], _milliseconds(start_s)])
    first = ~keys.duplicated()
    wanted = pd.MultiIndex.from_arrays([number, _milliseconds(reviews["start"])])
    place = keys[first].get_indexer(wanted)
    found = np.append(chosen[first], -1)  # -1, unknown, takes the last
    return np.where(place < 0, -1, found[place])


def _milliseconds(start_s):
    return np.rint(1000 * np.asarray(start_s, dtype=float)).astype(np.int64)


def _check(reviews):
    remedy = "skbird.review.read_reviews makes such a table"
    check_table(reviews, "reviews", _NEEDED, remedy)
    judged = check_judged(reviews["judged"])
    start = as_floats(reviews["start"], "start of reviews", np.float64)
    if not np.isfinite(start).all():
        row = (~np.isfinite(start)).argmax()
        raise ValueError(f"start of reviews is missing in row {row}. Fill it in.")
    return reviews.assign(judged=judged, start=start).reset_index(drop=True)
