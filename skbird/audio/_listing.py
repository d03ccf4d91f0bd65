"""Find the recordings in a folder."""

import os
import re
import warnings
from collections import deque
from functools import cache
from pathlib import Path

from skbird.utils._names import printable_path
from skbird.utils._params import check_path
from skbird.utils._text import counted
from skbird.utils._typing import PathLike

# What libsndfile reads and recorders or archives write.
_SNDFILE_SUFFIXES = frozenset(
    ".aif .aifc .aiff .au .caf .flac .mp2 .mp3 .oga .ogg .opus .rf64 .snd .w64 "
    ".wav".split()
)
# What FFmpeg reads: phones, cameras, downloads.
FFMPEG_SUFFIXES = frozenset(
    ".3g2 .3gp .aac .ac3 .amr .ape .asf .avi .m4a .m4b .m4v .mka .mkv .mov .mp4 .tta "
    ".webm .wma .wv".split()
)
AUDIO_SUFFIXES = _SNDFILE_SUFFIXES | FFMPEG_SUFFIXES
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
_BAD_NAME = "Its name, or that of its folder, is not UTF-8. Rename it."
_UNREAD = "The folder or link cannot be read: {}. Is a disk missing?"


def list_audio(folder: PathLike) -> list[str]:
    """List the audio files of a folder, at any depth, whatever case their suffix has.

    Links are followed, but no file is listed twice. Hidden files and folders are left
    out, and so are the bins and thumbnails of systems (``$RECYCLE.BIN``, ``__MACOSX``,
    ``@eaDir``).

    Parameters
    ----------
    folder : str or path-like

    Returns
    -------
    list of str
        Paths that begin with `folder`, sorted.

    Raises
    ------
    NotADirectoryError
        If `folder` is not a folder.
    ValueError
        If it holds no audio files.

    Warns
    -----
    UserWarning
        If files are left out because their names are not UTF-8, which neither tables
        nor Parquet can hold, or folders because they cannot be read.

    See Also
    --------
    segment_table : Cuts recordings into rows.
    load_recordings : Lists recordings with their labels.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from skbird.audio import list_audio
    >>> folder = Path(tempfile.mkdtemp())
    >>> for name in ("night.WAV", "dawn.flac", "notes.txt"):
    ...     (folder / name).touch()
    >>> [Path(path).name for path in list_audio(folder)]
    ['dawn.flac', 'night.WAV']
    """
    paths, left_out = find_audio(Path(check_path(folder, "folder")).expanduser())
    warn_left_out(left_out, stacklevel=3)
    return drop_links(paths)


def drop_links(paths):
    """Keep one path of each file, rather its own name than that of a link.

    Parameters
    ----------
    paths : sequence of str

    Returns
    -------
    list of str
        In the same order.
    """
    is_link = cache(os.path.islink)  # folders are asked once

    def count_links(path):
        path = Path(os.path.abspath(path))
        return sum(map(is_link, (path, *path.parents)))

    kept = {}  # by the path without links: how many there are in a path, and the path
    for path in dict.fromkeys(paths):
        real = os.path.realpath(path)
        n_links = count_links(path)
        if real not in kept or n_links < kept[real][0]:
            kept[real] = n_links, path
    kept = {path for _, path in kept.values()}
    return [path for path in dict.fromkeys(paths) if path in kept]


def find_audio(folder):
    r"""Return the audio files of a folder, at any depth, and what is left out.

    Hidden files and folders (``.git``, ``.Trash-1000``) and the bins and thumbnails of
    systems (``$RECYCLE.BIN``, ``__MACOSX``, ``@eaDir``) are not looked at; `folder`
    itself may be called so. Links are followed. Below each folder directly in `folder`,
    every folder is listed once, by its own name rather than that of a link, so that
    links in circles end while two species may be links to the same folder.

    Parameters
    ----------
    folder : str or path-like

    Returns
    -------
    paths : list of str
        Sorted.
    left_out : list of (str, str)
        Path and what is wrong, sorted: files whose names are not UTF-8, which neither
        tables nor Parquet can hold (``\xe9`` stands for the byte), folders and links
        that cannot be read.

    Raises
    ------
    NotADirectoryError
        If `folder` is not a folder.
    ValueError
        If there are no paths.
    """
    if not Path(folder).is_dir():
        raise NotADirectoryError(f"{str(folder)!r} is not a folder.")
    paths, left_out = [], []
    found, unread = _walk(os.fspath(folder))
    for path in found:
        if path.isascii() or not _NO_TEXT.search(path):
            paths.append(path)
        else:
            left_out.append((printable_path(path), _BAD_NAME))
    left_out += [(printable_path(path), _UNREAD.format(why)) for path, why in unread]
    if not paths:
        suffixes = ", ".join(sorted(AUDIO_SUFFIXES))
        missing = (
            f"The folder {str(folder)!r} holds no audio files: none with the suffixes "
            f"{suffixes} outside of hidden folders."
        )
        raise ValueError(" ".join([missing, *_notes(left_out)]))
    return sorted(paths), sorted(left_out)


def list_folders(folder):
    """Return the names of the folders in a folder, without those of systems."""
    _, folders, links = _scan(folder)
    here = Path(folder)
    return sorted([*folders, *(name for name in links if (here / name).is_dir())])


def warn_left_out(left_out, stacklevel):
    """Warn of what `find_audio` left out, once per kind."""
    for note in _notes(left_out):
        warnings.warn(note, UserWarning, stacklevel=stacklevel)


def _notes(left_out):
    unnamed = [path for path, error in left_out if error == _BAD_NAME]
    unread = [f"{path} ({error})" for path, error in left_out if error != _BAD_NAME]
    if unnamed:
        yield (
            f"{counted(len(unnamed), 'file name is', 'file names are')} not UTF-8 and "
            f"left out, the first: {min(unnamed)}. Rename the file or its folder."
        )
    if unread:
        yield (
            f"{counted(len(unread), 'folder or link', 'folders or links')} cannot be "
            f"read: left out, the first: {min(unread)}."
        )


def _walk(root):
    """Return the audio files, and each folder that cannot be read, with the reason."""
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
            unread.append((path, exc.strerror))
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
    """Return whether a folder is another one, or in it; both without links."""
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
