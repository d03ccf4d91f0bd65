import numpy as np
import pandas as pd

from skbird.data import check_rows
from skbird.review._tables import check_names, check_reviews

_DECIMALS = 6  # of seconds: less than a sample


def reviews_to_rows(reviews, X, species):
    """Turn reviews into rows and labels to train on.

    Parameters
    ----------
    reviews : DataFrame
        One line per judgement: ``path``, ``start``, ``end``, ``species`` and ``judged``
        (1 right, 0 wrong, NaN uncertain). Without start and end: whole recordings.
    X : DataFrame or sequence of paths
        The rows that were predicted.
    species : sequence of str
        Names of the columns of Y.

    Returns
    -------
    rows : DataFrame
        The rows of `X` of which something is known, in their order, with all columns.
    Y : DataFrame of shape (n_rows, n_species), float32
        1 present, 0 absent, NaN where nobody judged, or was uncertain. Where several
        judged, their mean.

    Raises
    ------
    TypeError, ValueError
        If `reviews` is no such table, a review is of no row of `X`, or of a species
        that `species` has not.

    See Also
    --------
    skbird.annotations.boxes_to_rows : The same of recordings with all calls marked.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from skbird.review import reviews_to_rows
    >>> reviews = pd.DataFrame(
    ...     {"path": ["a.wav", "a.wav", "c.wav"], "species": ["owl", "wren", "owl"],
    ...      "judged": [1, 0, np.nan]}
    ... )
    >>> rows, Y = reviews_to_rows(reviews, ["a.wav", "b.wav", "c.wav"], ["owl", "wren"])
    >>> rows["path"].tolist(), Y.to_numpy().tolist()
    (['a.wav'], [[1.0, 0.0]])
    """
    names = pd.Index(check_names(species), dtype=object)
    reviews = check_reviews(reviews, ["path"])
    rows = check_rows(X)
    place, judged_place = _number_places(
        rows, check_rows(reviews, input_name="reviews")
    )
    n_places = place.max(initial=-1) + 1
    column = names.get_indexer(pd.Index(reviews["species"], dtype=object))
    unknown = judged_place >= n_places
    if unknown.any():
        line = unknown.argmax()
        path, *seconds = reviews.reindex(columns=["path", "start", "end"]).loc[line]
        raise ValueError(
            f"Row {line} of reviews is of {path}, {seconds[0]} to {seconds[1]} s, "
            f"which is no row of X ({unknown.sum()} such). Pass as X the rows that "
            "were predicted, or leave these reviews out."
        )
    if (column < 0).any():
        line = (column < 0).argmax()
        raise ValueError(
            f"Row {line} of reviews is of {reviews['species'][line]!r}, which species "
            f"has not ({(column < 0).sum()} such). Add it, or leave these reviews out."
        )
    known = reviews["judged"].notna().to_numpy()
    shape = n_places, len(names)
    total, n_judged = np.zeros(shape), np.zeros(shape)
    cell = judged_place[known], column[known]
    np.add.at(total, cell, reviews["judged"].to_numpy()[known])
    np.add.at(n_judged, cell, 1)
    mean = np.divide(total, n_judged, out=np.full(shape, np.nan), where=n_judged > 0)
    Y = mean[place].astype(np.float32)
    told = ~np.isnan(Y).all(axis=1)
    return (
        rows[told].reset_index(drop=True),
        pd.DataFrame(Y[told], columns=names),
    )


def _number_places(rows, reviews):
    """Give numbers to (path, start, end) of rows, then of reviews that are of none."""
    places = pd.concat([rows, reviews])[["path", "start", "end"]].round(_DECIMALS)
    numbers = places.groupby([*places], sort=False, dropna=False).ngroup().to_numpy()
    return np.split(numbers, [len(rows)])
