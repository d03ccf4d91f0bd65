"""Which recordings the boxes of a table are in, wherever both lie by now."""

import math
import os
from pathlib import Path

from skbird.cli import _console

_EXACT, _NAME_ALONE = math.inf, 0  # in place of the number of parts that agree


def place_boxes(boxes, table, data, audio):
    """Return the boxes that are in the recordings, with the paths that these have.

    A path is taken as seen from the table, from the folder of the recordings or from
    here, else by its end. Recorders call the files of all sites alike, so that folders
    count: names alone do only if no folder agrees, and with a warning.

    Parameters
    ----------
    boxes : DataFrame
    table : Path
        The file they are from.
    data : Path
        The folder of the recordings.
    audio : list of str
        The recordings.

    Returns
    -------
    DataFrame

    Raises
    ------
    ValueError
        If no box is in any recording, or it is not clear in which.
    """
    placed = _place(boxes["path"].unique(), table, data, audio)
    if any(n_parts > _NAME_ALONE for _, n_parts in placed.values()):
        placed = {path: place for path, place in placed.items() if place[1]}
    best = {}
    for recording, n_parts in placed.values():
        best[recording] = max(best.get(recording, 0), n_parts)
    found = {path: r for path, (r, n_parts) in placed.items() if n_parts == best[r]}
    _check_clear(found, best, table)
    missing = [path for path in boxes["path"].unique() if path not in found]
    if not found:
        first = f"the first is in {missing[0]!r}" if missing else "there are none"
        raise ValueError(
            f"{table}: no box is in any of the {len(audio)} recordings of {data}; "
            f"{first}. Write paths as they are seen from the table."
        )
    path, recording = next(iter(found.items()))
    if best[recording] == _NAME_ALONE:
        _console.say(
            f"Warning: {len(found)} recordings of {table} were found by their names "
            f"alone, such as {recording} for {path}. Are they the same?"
        )
    if missing:
        _console.say(
            f"Warning: {table} has boxes of {len(missing)} recordings that are not in "
            f"{data}, such as {missing[0]}; they are left out."
        )
    boxes = boxes[boxes["path"].isin(found)]
    return boxes.assign(path=boxes["path"].map(found))


def _place(paths, table, data, audio):
    """Return the recording for each path, and in how many parts the two agree."""
    from skbird.annotations._audio_names import AudioFinder, path_parts

    finder = AudioFinder(audio)
    exact = {os.path.abspath(path): path for path in audio}
    placed = {}
    for path in paths:
        seen = [os.path.abspath(root / path) for root in (table.parent, data, Path())]
        found = [exact[place] for place in seen if place in exact]
        if found:
            placed[path] = found[0], _EXACT
            continue
        alike, n_parts = finder.alike(path)
        if n_parts == 1 and len(path_parts(path)) > 1:
            n_parts = _NAME_ALONE
        if len(alike) == 1:
            placed[path] = alike[0], n_parts
        elif alike and n_parts:
            finder.by_path(path, table)  # says which it may be
    return placed


def _check_clear(found, best, table):
    """Complain of different paths that seem to be of one recording."""
    paths = {}
    for path, recording in found.items():
        other = paths.setdefault(recording, path)
        if other != path and best[recording] != _EXACT:
            raise ValueError(
                f"{table}: {other!r} and {path!r} would both be {recording!r}. Write "
                "paths as they are seen from the table."
            )
