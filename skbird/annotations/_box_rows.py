"""Turn time-stamped boxes into the rows and the Y that a classifier trains on."""

import warnings
from numbers import Real

import numpy as np
import pandas as pd

from skbird.annotations._boxes import check_boxes
from skbird.data import check_rows, segment_table
from skbird.utils._names import (
    commonest_names,
    match_names,
    names_species,
    plain_path,
    settle_names,
)
from skbird.utils._overlaps import overlapping_pairs
from skbird.utils._params import check_list
from skbird.utils._text import counted, none_of
from skbird.utils._typing import Names, Rows

_ROUNDING_S = 1e-9  # seconds such as 0.3 - 0.2 are not exact


def boxes_to_rows(
    boxes: pd.DataFrame,
    X: Rows,
    segment_s: float = 5.0,
    step_s: float = 5.0,
    *,
    min_overlap_s: float = 0.25,
    min_overlap_fraction: float | None = None,
    species: Names | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Cut annotated recordings into rows, and tell which species call in each.

    Parameters
    ----------
    boxes : DataFrame
        ``path``, ``start``, ``end`` (seconds, the same for a point in time) and
        ``species``, as the readers of this package give them. Boxes whose species is
        missing or ``"nocall"`` are left out.
    X : sequence of path-like, or DataFrame
        The annotated recordings, written as in `boxes`, also those in which nobody
        calls: all of their rows are empty. (The form of accents and Windows'
        backslashes do not matter.) They are cut into rows by
        :func:`skbird.data.segment_table`, which reads their headers. A DataFrame with
        ``path``, ``start`` and ``end`` has the rows themselves (without start and end:
        whole recordings), and no file is touched.
    segment_s, step_s : float > 0, default=5.0
        Length of a row, and distance from the start of a row to the next, in seconds.
    min_overlap_s : float >= 0, default=0.25
        Seconds of a box that must lie in a row. With 0, any overlap counts, and points
        in time count for the row they lie in.
    min_overlap_fraction : float in (0, 1], default=None
        Share of a box that is enough as well. With 0.5, each call counts in some row,
        however short it is.
    species : sequence of str, default=None
        Columns of Y, in this order; boxes of other species are left out. By default
        all of `boxes`, sorted. Names that differ in case, blanks or underscores only
        are matched as :func:`skbird.data.encode_labels` does.

    Returns
    -------
    rows : DataFrame
        ``path``, ``start``, ``end``, and further columns of `X`.
    Y : DataFrame of shape (n_rows, n_species), float32
        1 where a box counts for a row, else 0.

    Raises
    ------
    skbird.audio.AudioReadError
        If recordings are missing or cannot be read: names them.
    TypeError, ValueError
        If `boxes` is no table of boxes, or a parameter is out of range.

    Warns
    -----
    UserWarning
        If boxes of `species` in these recordings count for no row: they overlap too
        little, or lie behind the end. If no box is in any of the recordings. If species
        are spelled in several ways.

    See Also
    --------
    skbird.data.encode_labels : Makes Y from labels of whole recordings.
    proba_to_events : The way back, from probabilities to boxes.

    Examples
    --------
    >>> import pandas as pd
    >>> from skbird.annotations import boxes_to_rows
    >>> boxes = pd.DataFrame(
    ...     {"path": "a.wav", "start": [1.0, 4.5], "end": [2.0, 6.0],
    ...      "species": ["owl", "wren"]}
    ... )
    >>> rows = pd.DataFrame({"path": "a.wav", "start": [0.0, 5.0, 10.0]})
    >>> rows, Y = boxes_to_rows(boxes, rows.assign(end=rows["start"] + 5.0))
    >>> Y
       owl  wren
    0  1.0   1.0
    1  0.0   1.0
    2  0.0   0.0
    """
    _check_overlaps(min_overlap_s, min_overlap_fraction)
    boxes = check_boxes(boxes)
    labels = boxes["species"].dropna().unique()
    named = [label for label in labels if names_species(label)]
    boxes = boxes[boxes["species"].isin(named)]
    if species is None:
        species = commonest_names(boxes["species"])
    species = pd.Index([str(name) for name in check_list(species, "species")])
    if not species.is_unique:
        twice = species[species.duplicated()][0]
        raise ValueError(f"species has {twice!r} twice. Give each species one column.")
    if isinstance(X, pd.DataFrame):
        rows = check_rows(X)
    else:
        rows = segment_table(check_rows(X)["path"], segment_s, step_s)
    meant = settle_names(named, species, stacklevel=2)
    boxes = boxes[boxes["species"].isin(meant)].reset_index(drop=True)
    paths = match_names(boxes["path"].unique(), rows["path"].unique(), plain_path)
    boxes = boxes.assign(
        species=boxes["species"].map(meant),
        path=[paths.get(path, path) for path in boxes["path"]],
    )
    box, row = _count(boxes, rows, min_overlap_s, min_overlap_fraction)
    Y = np.zeros((len(rows), len(species)), dtype=np.float32)
    Y[row, species.get_indexer(pd.Index(boxes["species"]))[box]] = 1
    _warn_about_lost(boxes, rows, box)
    return rows, pd.DataFrame(Y, columns=species)


def _count(boxes, rows, min_overlap_s, min_overlap_fraction):
    """Return the pairs (box, row) in which the box counts for the row."""
    rows = rows.assign(end=rows["end"].fillna(np.inf))  # to the end of the recording
    box, row, shared_s = overlapping_pairs(boxes, rows)
    start, end = boxes[["start", "end"]].to_numpy()[box].T
    # A point on the edge of two rows lies in the later one.
    is_inside = start < rows["end"].to_numpy()[row]
    inside = np.where(start == end, is_inside, shared_s > _ROUNDING_S)
    enough = shared_s >= min_overlap_s - _ROUNDING_S
    if min_overlap_fraction is not None:
        enough |= shared_s >= min_overlap_fraction * (end - start) - _ROUNDING_S
    return box[inside & enough], row[inside & enough]


def _check_overlaps(min_overlap_s, min_overlap_fraction):
    if not isinstance(min_overlap_s, Real) or not min_overlap_s >= 0:
        raise ValueError(f"min_overlap_s={min_overlap_s!r} must be 0 seconds or more.")
    if min_overlap_fraction is not None and not (
        isinstance(min_overlap_fraction, Real) and 0 < min_overlap_fraction <= 1
    ):
        raise ValueError(
            f"min_overlap_fraction={min_overlap_fraction!r} must be in (0, 1], or None."
        )


def _warn_about_lost(boxes, rows, kept):
    if len(boxes) == 0:
        return
    here = np.array(boxes["path"].isin(rows["path"]))
    if not here.any():
        warnings.warn(
            f"{none_of(len(boxes), 'box', 'boxes')} is in any of the "
            f"recordings: the boxes are in {boxes['path'][0]!r}, ..., the recordings "
            f"are {', '.join(map(repr, rows['path'][:1])) or 'none'}, .... Write paths "
            "alike in both, or pass recordings when reading.",
            stacklevel=3,
        )
    here[kept] = False
    if here.any():
        first = boxes.iloc[here.argmax()]
        warnings.warn(
            f"{here.sum()} of {counted(len(boxes), 'box', 'boxes')} "
            f"{'counts' if here.sum() == 1 else 'count'} for no row, such as "
            f"{first['species']!r} at {first['start']:g} to {first['end']:g} s of "
            f"{first['path']!r}: they lie behind its end, or share too little time "
            "with any (see min_overlap_s, min_overlap_fraction).",
            stacklevel=3,
        )
