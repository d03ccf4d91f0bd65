"""Find the recordings of the boxes of a table, even if files were moved."""

import os
from dataclasses import dataclass
from pathlib import Path

from skbird.annotations._audio_names import AudioFinder, path_parts, without_suffix
from skbird.utils._names import same_text
from skbird.utils._text import counted

_COMPARED_BYTES = 2**16


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


def place_boxes(boxes, table, data, audio, say):
    """Return the boxes that are in the recordings, with the paths that these have.

    A path is taken as seen from the table, from the folder of the recordings or from
    here; if that finds none of the recordings, by its end. Recorders call the files of
    all sites alike, so that folders count: names alone do only if no folder agrees.

    Parameters
    ----------
    boxes : DataFrame
    table : Path
        The file they are from, or the folder of several.
    data : Path
        The folder of the recordings.
    audio : list of str
        The recordings.
    say : callable
        Takes a line on how recordings were found, and on boxes that are left out.

    Returns
    -------
    DataFrame

    Raises
    ------
    ValueError
        If no box is in any recording, or it is not clear in which.
    """
    paths = boxes["path"].unique()
    roots = (table if table.is_dir() else table.parent, data, Path())
    found = _place_exactly(paths, roots, audio)
    # Where some paths are exact, others of other folders are of other sites.
    rest = [p for p in paths if not found or (p not in found and _is_bare(p))]
    found |= _place_by_ends(rest, roots, AudioFinder(audio), table)
    _check_clear(found, table)
    missing = [path for path in paths if path not in found]
    if not found:
        first = f"the first is in {missing[0]!r}" if missing else "there are none"
        raise ValueError(
            f"{table}: no box is in any recording of {data} (it has "
            f"{len(audio)}); {first}. Write paths as they are seen from the table."
        )
    _say_how_found(found, table, say)
    if missing:
        say(
            f"Warning: {table} has boxes of {counted(len(missing), 'recording')} not "
            f"in {data}, such as {missing[0]}; they are left out."
        )
    recordings = {path: place.recording for path, place in found.items()}
    boxes = boxes[boxes["path"].isin(recordings)]
    return boxes.assign(path=boxes["path"].map(recordings))


def _place_exactly(paths, roots, audio):
    """Return the places of paths that lead to recordings, with any suffix."""
    exact = {}
    # Annotated as wav, kept as flac: without the suffix if not with it.
    for name in (without_suffix, str):
        exact |= {same_text(name(os.path.abspath(path))): path for path in audio}
    found = {}
    for path in paths:
        seen = [os.path.abspath(root / path) for root in roots]
        for place in map(same_text, [*seen, *map(without_suffix, seen)]):
            if place in exact:
                found[path] = _Place(exact[place], exact=True)
                break
    return found


def _place_by_ends(paths, roots, finder, table):
    """Return the places of paths whose ends are those of recordings."""
    found = {}
    for path in paths:
        alike, n_parts = finder.alike(path)
        if not alike and _is_bare(path):
            # Perhaps the name of a table, which says more than its recording's.
            alike, n_parts = finder.named_like(path), 1
        there = [root / path for root in roots if os.path.isfile(root / path)]
        alike = [new for new in alike if not there or _is_copy(there[0], new)]
        n_own = len(path_parts(path))
        if len(alike) > 1 and (n_parts > 1 or _is_bare(path)):
            finder.only(alike, path, table)  # says which it may be
        if len(alike) == 1:
            n_above = len(path_parts(os.path.abspath(alike[0]))) - n_parts
            whole = n_parts == n_own
            found[path] = _Place(alike[0], False, n_parts, n_above, whole)
    if not any(place.n_parts > 1 for place in found.values()):
        return found
    clear = {p: place for p, place in found.items() if place.n_parts > 1 or place.whole}
    # Where one path agrees up to "2023/siteA", one that agrees up to "Data" only is of
    # another site.
    moved = [place.n_above for place in clear.values() if not place.whole]
    least = min(moved, default=0)
    return {
        path: place
        for path, place in clear.items()
        if place.whole or place.n_above == least
    }


def _is_bare(path):
    """Return whether a path is a name, without folders."""
    return len(path_parts(path)) == 1


def _is_copy(path, recording):
    """Return whether a file that is there is, as far as one can see, that recording."""
    if os.path.getsize(path) == 0 or not os.path.isfile(recording):
        return False
    return _fingerprint(path) == _fingerprint(recording)


def _fingerprint(path):
    size = os.path.getsize(path)
    with open(path, "rb") as file:
        first = file.read(_COMPARED_BYTES)
        file.seek(max(size - _COMPARED_BYTES, 0))
        return size, first, file.read(_COMPARED_BYTES)


def _is_end(path, other):
    """Return whether a path ends as another does that has fewer folders, or none."""
    ends = [path_parts(same_text(without_suffix(p)).casefold()) for p in (path, other)]
    shorter, longer = sorted(ends, key=len)
    return longer[-len(shorter) :] == shorter


def _check_clear(found, table):
    """Raise an error if different paths seem to be of one recording."""
    paths = {}
    for path, place in found.items():
        other = paths.setdefault(place.recording, path)
        if other != path and not place.exact and not _is_end(path, other):
            raise ValueError(
                f"{table}: {other!r} and {path!r} would both be {place.recording!r}. "
                "Write paths as they are seen from the table."
            )


def _say_how_found(found, table, say):
    path, place = next(iter(found.items()))
    if place.exact:
        return
    names_alone = place.n_parts == 1 and not place.whole
    how = "their names alone" if names_alone else "the ends of their paths"
    say(
        f"{'Warning: ' if names_alone else ''}{counted(len(found), 'recording')} of "
        f"{table} {'was' if len(found) == 1 else 'were'} found by {how}, such as "
        f"{place.recording} for {path}. Are they the same?"
    )
