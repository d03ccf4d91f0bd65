"""Which recordings the boxes of a table are in, wherever both lie by now."""

import os
from dataclasses import dataclass
from pathlib import Path

from skbird.cli import _console


@dataclass(frozen=True)
class _Place:
    """A recording that a path may be of.

    Attributes
    ----------
    recording : str
    exact : bool
        Whether it is what the path leads to from some folder.
    n_parts : int
        Else, how many names at the ends of both agree; 1 is that of the file.
    n_above : int
        How many folders of the recording are above those. All that was moved together
        has as many.
    whole : bool
        Whether the path has no names but these.
    """

    recording: str
    exact: bool = False
    n_parts: int = 0
    n_above: int = 0
    whole: bool = False


def place_boxes(boxes, table, data, audio):
    """Return the boxes that are in the recordings, with the paths that these have.

    A path is taken as seen from the table, from the folder of the recordings or from
    here; if that finds none of the recordings, by its end. Recorders call the files of
    all sites alike, so that folders count: names alone do only if no folder agrees.

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
    paths = boxes["path"].unique()
    found = _place_exactly(paths, table, data, audio)
    found = found or _place_by_ends(paths, table, data, audio)
    _check_clear(found, table)
    missing = [path for path in paths if path not in found]
    if not found:
        first = f"the first is in {missing[0]!r}" if missing else "there are none"
        raise ValueError(
            f"{table}: no box is in any of the {len(audio)} recordings of {data}; "
            f"{first}. Write paths as they are seen from the table."
        )
    _say_how_found(found, table)
    if missing:
        _console.say(
            f"Warning: {table} has boxes of {len(missing)} recordings that are not in "
            f"{data}, such as {missing[0]}; they are left out."
        )
    recordings = {path: place.recording for path, place in found.items()}
    boxes = boxes[boxes["path"].isin(recordings)]
    return boxes.assign(path=boxes["path"].map(recordings))


def _place_exactly(paths, table, data, audio):
    """Return the places of paths that lead to recordings, with any suffix."""
    from skbird.annotations._audio_names import without_suffix
    from skbird.utils._names import same_text

    exact = {}
    # Annotated as wav, kept as flac: without the suffix if not with it.
    for name in (without_suffix, str):
        exact |= {same_text(name(os.path.abspath(path))): path for path in audio}
    found = {}
    for path in paths:
        seen = [os.path.abspath(root / path) for root in (table.parent, data, Path())]
        for place in map(same_text, [*seen, *map(without_suffix, seen)]):
            if place in exact:
                found[path] = _Place(exact[place], exact=True)
                break
    return found


def _place_by_ends(paths, table, data, audio):
    """Return the places of paths whose ends are those of recordings."""
    from skbird.annotations._audio_names import AudioFinder, path_parts

    finder = AudioFinder(audio)
    found = {}
    for path in paths:
        if any(map(os.path.isfile, (table.parent / path, data / path, path))):
            continue  # it is there, and none of these recordings
        alike, n_parts = finder.alike(path)
        n_own = len(path_parts(path))
        if len(alike) > 1 and (n_parts > 1 or n_own == 1):
            finder.by_path(path, table)  # says which it may be
        if len(alike) == 1:
            n_above = len(path_parts(os.path.abspath(alike[0]))) - n_parts
            whole = n_parts == n_own
            found[path] = _Place(alike[0], False, n_parts, n_above, whole)
    clear = {p: place for p, place in found.items() if place.n_parts > 1 or place.whole}
    if not clear:
        return found
    # Where one path agrees up to "2023/siteA", one that agrees up to "Data" only is of
    # another site.
    moved = [place.n_above for place in clear.values() if not place.whole]
    least = min(moved, default=0)
    return {
        path: place
        for path, place in clear.items()
        if place.whole or place.n_above == least
    }


def _check_clear(found, table):
    """Complain of different paths that seem to be of one recording."""
    paths = {}
    for path, place in found.items():
        other = paths.setdefault(place.recording, path)
        if other != path and not place.exact:
            raise ValueError(
                f"{table}: {other!r} and {path!r} would both be {place.recording!r}. "
                "Write paths as they are seen from the table."
            )


def _say_how_found(found, table):
    path, place = next(iter(found.items()))
    if place.exact:
        return
    names_alone = place.n_parts == 1 and not place.whole
    how = "their names alone" if names_alone else "the ends of their paths"
    _console.say(
        f"{'Warning: ' if names_alone else ''}{len(found)} recordings of {table} were "
        f"found by {how}, such as {place.recording} for {path}. Are they the same?"
    )
