"""Match files of annotations with recordings by their names."""

import os
import re
from collections import defaultdict

import pandas as pd

from skbird.utils._names import printable_path, same_text
from skbird.utils._params import check_list, check_path
from skbird.utils._text import counted

_ENDING = re.compile(
    r"(\.Table\.\d+)?(\.BirdNET)?(\.(selections|selection\.table|results))?"
    r"\.(txt|tsv|csv)$",
    re.IGNORECASE,
)
_SEPARATORS = re.compile(r"[/\\]+")


def recording_name(path):
    """Return what the name of an annotation file says of its recording.

    Examples
    --------
    >>> recording_name("tables/night.Table.1.selections.txt")
    'night'
    """
    name = path_parts(os.fspath(path))[-1]
    shorter = _ENDING.sub("", name)
    return shorter if shorter != name else without_suffix(name)


def annotation_names(recordings):
    """Name the annotation files of recordings, all in one folder.

    Recorders call the files of all sites alike: such names get as many folders before
    them as tell them apart.

    Parameters
    ----------
    recordings : sequence of str
        Different paths.

    Returns
    -------
    dict of str to str
        For each recording a name without ending.

    Examples
    --------
    >>> annotation_names(["a/1.wav", "b/1.wav", "b/2.wav"])
    {'a/1.wav': 'a_1', 'b/1.wav': 'b_1', 'b/2.wav': '2'}
    """
    names = {}
    waiting = {path: _joined_names(path) for path in recordings}
    while waiting:
        candidates = {path: next(found, None) for path, found in waiting.items()}
        # Some file systems take A.txt and a.txt for the same.
        holders = defaultdict(list)
        for path, name in (names | candidates).items():
            holders[name and _alike(name)].append(path)
        for path, name in candidates.items():
            if name is None:
                raise ValueError(
                    f"{path!r} differs from another path in case or spelling only. "
                    "Write each path in one way, or rename the recording."
                )
            if len(holders[_alike(name)]) == 1:
                names[path] = name
                del waiting[path]
    return {path: names[path] for path in recordings}


class AudioFinder:
    """Find the recordings that annotations belong to.

    Parameters
    ----------
    recordings : sequence of str or path-like
        The recordings there are.
    """

    def __init__(self, recordings):
        self.recordings = [
            printable_path(os.fspath(check_path(path, "recordings")))
            for path in check_list(recordings, "recordings", "paths")
        ]
        self._by_ending, self._by_joined = defaultdict(list), defaultdict(list)
        for path in dict.fromkeys(self.recordings):
            for ending in {*_endings(path), *_endings(without_suffix(path))}:
                self._by_ending[ending].append(path)
            for joined in set(map(_alike, _joined_names(path))):
                self._by_joined[joined].append(path)

    def by_path(self, path, place):
        """Return the recording whose path ends most like `path` does."""
        return self.only(self.alike(path)[0], path, place)

    def alike(self, path):
        """Return the recordings that end most like a path, and in how many parts."""
        # Annotated as wav, kept as flac: without the suffix if not with it. What is in
        # the same folder comes first.
        endings = [*_endings(path), *_endings(without_suffix(path))]
        for ending in sorted(endings, key=lambda ending: -ending.count("/")):
            if ending in self._by_ending:
                return self._by_ending[ending], 1 + ending.count("/")
        return [], 0

    def by_file(self, file):
        """Return the recording that the name of an annotation file stands for."""
        name = self.name_of(file)
        return self.only(self.named_like(name), name, file)

    def name_of(self, file):
        """Return which name of a recording an annotation file says.

        All but its suffix, where a recording bears that name, as ``a.selections.wav``
        does beside ``a.wav``; else see `recording_name`.
        """
        whole = without_suffix(path_parts(os.fspath(file))[-1])
        return whole if _alike(whole) in self._by_joined else recording_name(file)

    def named_like(self, name):
        """Return the recordings that the name of an annotation file may stand for."""
        # "night.wav.not.mat" and "night.reviewed.txt" are of night.wav.
        while _alike(name) not in self._by_joined and "." in name[1:]:
            name = without_suffix(name)
        return self._by_joined.get(_alike(name), [])

    def only(self, candidates, name, place):
        """Return the one candidate, or complain about there being none or several."""
        if len(candidates) == 1:
            return candidates[0]
        if candidates:
            raise ValueError(
                f"{place}: {name!r} may be {candidates[0]!r} or {candidates[1]!r}. "
                "Write more of its path, or pass only the recordings of these "
                "annotations."
            )
        raise ValueError(
            f"{place}: {name!r} is not among the recordings given "
            f"({counted(len(self.recordings), 'file')}), such as "
            f"{', '.join(map(repr, self.recordings[:3]))}. Add it."
        )


class NameFinder(AudioFinder):
    """Name the recordings that annotations speak of; `place_boxes` then finds them."""

    def by_path(self, path, place):
        """Return the path as the annotations say it."""
        return path

    def by_file(self, file):
        """Return the name of the recording that an annotation file is named after."""
        return self.name_of(file)


def find_recordings(table, named, recordings):
    """Return the recording of each line of annotations.

    Parameters
    ----------
    table : TextTable
    named : Series of shape (n_lines,)
        The path that the line says; NaN where it does not.
    recordings : path-like, sequence of path-like, AudioFinder or None
        The recording of all lines; recordings to choose from; None: take what the
        line says, else the name of its file.

    Returns
    -------
    Series of shape (n_lines,)
    """
    if isinstance(recordings, str | os.PathLike):
        n_named = named.groupby(table.file).nunique()
        if (n_named > 1).any():
            number = n_named.index[n_named > 1][0]
            raise ValueError(
                f"recordings={os.fspath(recordings)!r} is one recording, but "
                f"{table.files[number]} is of {n_named[number]}. Pass a list of them."
            )
        path = printable_path(os.fspath(recordings))
        return pd.Series(path, index=named.index, dtype=object)
    finder = recordings
    if not (recordings is None or isinstance(recordings, AudioFinder)):
        finder = AudioFinder(recordings)
    known, paths = {}, []
    for row, (name, file) in enumerate(zip(named, table.file.tolist(), strict=True)):
        key = name if isinstance(name, str) else file
        if key not in known:
            known[key] = _locate(finder, key, table, row)
        paths.append(known[key])
    # pandas' text holds no names that are not UTF-8.
    return pd.Series(paths, index=named.index, dtype=object)


def _locate(finder, key, table, row):
    """Return the recording that is named, or that the numbered file is named after."""
    if isinstance(key, str):
        return key if finder is None else finder.by_path(key, table.place(row))
    file = table.files[key]
    return recording_name(file) if finder is None else finder.by_file(file)


def path_parts(path):
    """Split a path of any system; a drive is a folder."""
    parts = [part for part in _SEPARATORS.split(path) if part not in ("", ".")]
    return [part.rstrip(":") for part in parts] or [path]


def without_suffix(path):
    """Return a path without the ending of its file."""
    return os.path.splitext(path)[0]


def _alike(name):
    """Spell a name as file systems may compare it, without regard to case."""
    return same_text(name).casefold()


def _endings(path):
    """Return what a path may end with, the longest first."""
    parts = path_parts(_alike(path))
    return ["/".join(parts[first:]) for first in range(len(parts))]


def _joined_names(path):
    """Yield the names that an annotation file of a recording may have."""
    *folders, name = path_parts(path)
    for stem in (without_suffix(name), name):
        for n_folders in range(len(folders) + 1):
            yield "_".join([*folders[len(folders) - n_folders :], stem])
