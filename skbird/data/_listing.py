"""Which files of a folder are recordings."""

import os
import re
import warnings
from collections import deque
from pathlib import Path

# What libsndfile reads and recorders or archives write.
AUDIO_SUFFIXES = frozenset(
    ".aif .aifc .aiff .au .caf .flac .mp3 .oga .ogg .opus .rf64 .snd .w64 .wav".split()
)
# Bins, thumbnails and leftovers of Windows, macOS, Linux, Synology and QNAP.
_SYSTEM_FOLDERS = frozenset(
    (
        "$recycle.bin",
        "system volume information",
        "__macosx",
        "lost+found",
        "@eadir",
        "#recycle",
        "@recycle",
    )
)
# What Python makes of the bytes of a name that are no UTF-8.
_NO_TEXT = re.compile("[\ud800-\udfff]")


def list_audio(folder):
    """Return the audio files of a folder, at any depth, sorted.

    Hidden files and folders (``.git``, ``.Trash-1000``) and the bins and thumbnails of
    systems (``$RECYCLE.BIN``, ``__MACOSX``, ``@eaDir``) are left out; `folder` itself
    may be called so. Links are followed. Below each folder directly in `folder`, every
    folder is listed once, by its own name rather than that of a link, so that links in
    circles end while two species may be links to the same folder.

    Parameters
    ----------
    folder : str or path-like

    Returns
    -------
    list of str

    Raises
    ------
    NotADirectoryError
        If it is no folder.
    ValueError
        If there are none.

    Warns
    -----
    UserWarning
        If files are left out because their names are not UTF-8, which neither tables
        nor Parquet can hold, or folders because they cannot be read.
    """
    if not Path(folder).is_dir():
        raise NotADirectoryError(f"{str(folder)!r} is not a folder.")
    found, unread = _walk(os.fspath(folder))
    paths = [path for path in found if path.isascii() or not _NO_TEXT.search(path)]
    notes = []
    if len(paths) < len(found):
        first = min(set(found) - set(paths))
        notes.append(
            f"{len(found) - len(paths)} files have names that are not UTF-8 and are "
            f"left out, the first: {first!r}. Rename them, or the folder."
        )
    if unread:
        notes.append(
            f"{len(unread)} folders or links cannot be read and are left out, the "
            f"first: {min(unread)}. Is a disk missing?"
        )
    if not paths:
        suffixes = ", ".join(sorted(AUDIO_SUFFIXES))
        missing = (
            f"The folder {str(folder)!r} holds no audio files: none with the suffixes "
            f"{suffixes} outside of hidden folders."
        )
        raise ValueError(" ".join([missing, *notes]))
    for note in notes:
        warnings.warn(note, UserWarning, stacklevel=2)
    return sorted(paths)


def _walk(root):
    """Return the audio files, and a text on each folder that cannot be read."""
    real = os.path.realpath(root)
    around = {real, *map(str, Path(real).parents)}
    files, unread = [], []
    # Path, path without links, and what is not to be listed again below.
    waiting = deque([(root, real, None)])
    while waiting:
        path, real, seen = waiting.popleft()
        if seen is not None:
            if real in seen:
                continue
            seen.add(real)
        try:
            audio, folders, links = _scan(path)
        except OSError as exc:
            unread.append(f"{path!r} ({exc.strerror})")
            continue
        files += audio
        for name in folders:
            below = set(around) if seen is None else seen
            inside = os.path.join(path, name), os.path.join(real, name), below
            waiting.appendleft(inside)
        # Links wait until all folders have been listed by their own names.
        for name in links:
            below = set(around) if seen is None else seen
            link = os.path.join(path, name)
            target = os.path.realpath(link)
            if not _is_around(target, real):
                waiting.append((link, target, below))
    return files, unread


def _is_around(outer, folder):
    """Whether a folder is another one, or in it; both without links."""
    return os.path.join(folder, "").startswith(os.path.join(outer, ""))


def _scan(folder):
    """Return the paths of audio, and the names of folders and of links to others."""
    audio, folders, links = [], [], []
    with os.scandir(folder) as entries:
        for entry in entries:
            name = entry.name
            # macOS leaves "._name.wav" beside each file on cards and sticks.
            if name.startswith("."):
                continue
            if _is_folder(entry):
                if name.lower() not in _SYSTEM_FOLDERS:
                    (links if _is_link(entry) else folders).append(name)
            elif os.path.splitext(name)[1].lower() in AUDIO_SUFFIXES:
                audio.append(entry.path)
            elif entry.is_symlink() and not os.path.exists(entry.path):
                links.append(name)  # perhaps to a folder; opening it says why not
    return audio, folders, sorted(links)


def _is_folder(entry):
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _is_link(entry):
    # Windows has junctions, too; Python knows them from 3.12 on.
    return entry.is_symlink() or getattr(entry, "is_junction", bool)()
