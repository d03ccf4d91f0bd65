"""Boxes that a model found itself, by which it must not be judged."""

import numpy as np

from skbird.cli._results import NOTE, digest, read_note

_EDGE_S = 0.01  # Raven and Audacity round seconds
_SCORE = 0.001  # `predict` writes four digits


def untouched_tables(tables, place):
    """Return those tables that are as ``predict`` wrote them, wherever they lie now.

    Parameters
    ----------
    tables : list of Path
    place : Path
        The file or folder they are in. The notes of ``predict`` on what it wrote are
        beside or in it.

    Returns
    -------
    list of Path
    """
    place = place.absolute()
    folders = {place, place.parent, place.resolve(), place.resolve().parent}
    notes = {n for f in folders for n in (f / NOTE, *f.glob(f"*/{NOTE}"))}
    known = set()
    for note in notes:
        for digests in read_note(note)[0].values():
            known.update(digests if isinstance(digests, list) else ())
    return [table for table in tables if known and digest(table) in known]


def own_boxes(boxes, X, proba, species):
    """Return which boxes are just what the model finds: where, and how likely.

    `predict` joins rows to events, whose score is the highest probability of their
    rows. Who corrects an event moves an edge, changes its species or takes it away; new
    boxes have no score. So this holds for tables that were copied, renamed, saved again
    by other programs, or are in part there only, and not for corrected boxes.

    Parameters
    ----------
    boxes : DataFrame
        With the paths and species of rows and model.
    X : DataFrame
        Rows that follow each other.
    proba : ndarray of shape (n_rows, n_species)
    species : list of str

    Returns
    -------
    ndarray of shape (n_boxes,), bool
    """
    import pandas as pd

    from skbird.utils._names import match_names
    from skbird.utils._overlaps import overlapping_pairs

    own = np.zeros(len(boxes), dtype=bool)
    if "score" not in boxes or boxes["score"].isna().all():
        return own
    meant = match_names(boxes["species"].dropna().unique(), species)
    column = pd.Index(species).get_indexer(boxes["species"].map(meant))
    box, row, shared_s = overlapping_pairs(boxes, X)
    inside = (shared_s > _EDGE_S) & (column[box] >= 0)
    box, row = box[inside], row[inside]
    found = pd.DataFrame(
        {
            "start": X["start"].to_numpy()[row],
            "end": X["end"].to_numpy()[row],
            "score": proba[row, column[box]],
        }
    )
    found = found.groupby(box).agg({"start": "min", "end": "max", "score": "max"})
    of_box = boxes[["start", "end", "score"]].iloc[found.index]
    off = np.abs(found.to_numpy() - of_box.to_numpy())
    own[found.index] = (off <= (_EDGE_S, _EDGE_S, _SCORE)).all(axis=1)
    return own


def look_like_events(boxes, X, proba, species):
    """Return whether all boxes are where the model finds events, scores aside.

    Each then begins and ends with rows that the model finds more likely than those
    beside them. So are the boxes of `predict` without their scores; those of people who
    mark whole rows can be, so that this is no proof.

    Parameters
    ----------
    boxes, X, proba, species
        See `own_boxes`.

    Returns
    -------
    bool
    """
    import pandas as pd

    from skbird.utils._names import match_names
    from skbird.utils._overlaps import overlapping_pairs

    meant = match_names(boxes["species"].dropna().unique(), species)
    known = boxes[boxes["species"].isin(meant)].reset_index(drop=True)
    if not len(known):
        return False
    edges = known[["start", "end"]].to_numpy() + np.array([-2, 2]) * _EDGE_S
    wide = known.assign(start=edges[:, 0], end=edges[:, 1])
    box, row, shared_s = overlapping_pairs(wide, X)
    column = pd.Index(species).get_indexer(known["species"].map(meant))
    found = pd.DataFrame({"start": X["start"].to_numpy()[row]})
    found["end"] = X["end"].to_numpy()[row]
    found["proba"] = proba[row, column[box]]
    inside = shared_s > 3 * _EDGE_S
    beside = found["proba"][~inside].groupby(box[~inside]).max()
    found = found[inside].groupby(box[inside])
    found = found.agg({"start": "min", "end": "max", "proba": "min"})
    found = found.reindex(range(len(known)))
    off = np.abs(found[["start", "end"]].to_numpy() - known[["start", "end"]])
    is_peak = ~(beside.reindex(found.index) >= found["proba"])
    return bool((off <= _EDGE_S).all(axis=None) and is_peak.all())
