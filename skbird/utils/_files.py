"""Files that appear whole or not at all, their folders, and what is safe to read."""

import errno
import os
import re
import stat
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

try:
    import fcntl
except ImportError:  # Windows, where nobody can remove a file that is open
    fcntl = None  # type: ignore[assignment]

#: What a table of text may have: a million rows, and more. Python needs ten times as
#: much memory for their cells.
MAX_TEXT_BYTES = 100_000_000
_KINDS = {
    stat.S_ISDIR: "a folder",
    stat.S_ISFIFO: "a pipe",
    stat.S_ISCHR: "a device",
    stat.S_ISBLK: "a device",
    stat.S_ISSOCK: "a socket",
}
_FULL = (errno.ENOSPC, errno.EDQUOT)
_FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)
_OLD_S = 86_400  # nobody writes at one file for so long
_PART = r"\.[0-9a-f]{32}\.part"

# Folders in which this process has looked for leftovers.
_tidied: set[Path] = set()


@contextmanager
def open_whole(path, mode="w", *, sync=True):
    """Open a file that appears whole or not at all.

    It is written beside `path` and then renamed, so that a killed run, or a power cut,
    leaves no half file.

    Parameters
    ----------
    path : path-like
        Where to write. An existing file is replaced.
    mode : {"w", "wb"}, default="w"
        "w" writes UTF-8 and leaves line ends as they are.
    sync : bool, default=True
        See `replacing`.

    Yields
    ------
    file
        To write to.

    Raises
    ------
    FileNotFoundError
        If the folder does not exist.
    OSError
        If the folder is full, or cannot be written to, or has a folder, a pipe, a
        device or a socket of that name.
    """
    path = Path(os.path.realpath(path))  # a link stays one
    if not path.parent.is_dir():
        raise FileNotFoundError(
            f"path={str(path)!r}: the folder {path.parent} does not exist. Make it "
            "first."
        )
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise OSError(
            f"{str(path)!r} is a pipe, a device or a socket, which would be replaced "
            "by a file. Name a file."
        )
    remove_leftovers(path.parent)
    part = path.with_name(f".{uuid4().hex}.part")  # short: names may be at the limit
    with replacing(path, part, mode, sync=sync) as file:
        yield file


@contextmanager
def replacing(path, part, mode="wb", *, sync=True, remedy=None):
    """Write a file under another name, and rename it once it is whole.

    All files that must not be half-written are written by this, most of them by way of
    `open_whole`.

    Parameters
    ----------
    path : path-like
        The file. If it is there, also as a link, it is replaced.
    part : path-like
        What it is called until then; in the same folder. `remove_dead` tells whether
        somebody still writes it.
    mode : {"w", "wb"}, default="wb"
    sync : bool, default=True
        Whether it must be whole after a power cut, too, which takes the disk some
        milliseconds. False suits thousands of small files that can be made again.
    remedy : str, default=None
        What helps when the disk is full.

    Yields
    ------
    file
        To write to.

    Raises
    ------
    OSError
        If the folder is full, or cannot be written to.
    """
    try:
        with explained(path, remedy):
            permissions = _permissions(path)
            file = _create(part, mode)
            if permissions is not None:
                with suppress(OSError):  # not every file system has them
                    os.chmod(part, permissions)
        # What else the caller may not do is not the fault of this folder.
        with explained(path, remedy, forbidden=()), file:
            yield file
            file.flush()
            if sync:
                os.fsync(file.fileno())
            if fcntl is not None:  # closed, it would be taken for a dead one
                with explained(path, remedy):
                    os.replace(part, path)
        if fcntl is None:  # Windows renames no open file
            with explained(path, remedy):
                os.replace(part, path)
    finally:
        Path(part).unlink(missing_ok=True)


def _permissions(path):
    """Return the permissions of the file that is replaced; None if there is none."""
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return None
    return stat.S_IMODE(mode) if stat.S_ISREG(mode) else None


def _create(part, mode):
    options = {"encoding": "utf-8", "newline": ""} if mode == "w" else {}
    while True:
        file = open(part, mode.replace("w", "x"), **options)
        hold(file)
        if os.path.exists(part):
            return file
        file.close()  # somebody took it for a dead one before it was held


@contextmanager
def explained(path, remedy=None, *, forbidden=_FORBIDDEN):
    """Say which folder is full or cannot be written to, and what to do.

    Parameters
    ----------
    path : path-like
        What is written meanwhile.
    remedy : str, default=None
        What helps when the disk is full.
    forbidden : tuple of int
        Numbers of errors that mean that one may not write there.
    """
    try:
        yield
    except OSError as exc:
        if isinstance(exc.__cause__, OSError):
            raise  # explained already
        folder, name = os.path.split(os.path.abspath(path))
        if exc.errno in _FULL:
            remedy = remedy or "Free some space, or choose another folder"
            text = f"No space is left for {name} in {folder}. {remedy}"
        elif exc.errno == errno.EFBIG:
            text = (
                f"{name} gets larger than a file in {folder} may be. Raise the limit "
                "(ulimit -f), or choose a folder on another file system"
            )
        elif exc.errno == errno.EISDIR:
            text = f"{name} in {folder} is a folder, where a file must go. Move it away"
        elif exc.errno in forbidden:
            text = (
                f"{name} cannot be written in {folder} ({os.strerror(exc.errno)}). "
                "Change who may write there, or choose another folder"
            )
        else:
            raise
        raise OSError(exc.errno, text) from exc


def make_folder(path):
    """Make a folder, and those above it, if it is not there.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    Path

    Raises
    ------
    OSError
        If it cannot be made.
    """
    path = Path(path)
    try:
        with explained(path):
            path.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as exc:
        raise NotADirectoryError(
            exc.errno,
            f"{path} cannot be made: a file is in its place. Name another",
        ) from exc
    return path


@contextmanager
def making_folder(path):
    """Make a folder that goes again if an error leaves it empty.

    Parameters
    ----------
    path : path-like
        See `make_folder`.
    """
    path = Path(path)
    new = [folder for folder in (path, *path.parents) if not folder.exists()]
    make_folder(path)
    try:
        yield
    except BaseException:
        with suppress(OSError):  # something is in it
            for folder in new:
                folder.rmdir()
        raise


def hold(file):
    """Show others, as long as an open file is not closed, that somebody uses it.

    The lock goes with the process, however it ends.
    """
    if fcntl is not None:
        with suppress(OSError):  # of file systems without locks
            fcntl.flock(file, fcntl.LOCK_EX)


def remove_leftovers(folder, pattern="*.part", name=_PART):
    """Remove what killed processes left half-written, once for each process.

    Parameters
    ----------
    folder : path-like
    pattern : str, default="*.part"
        Where to look, as :meth:`pathlib.Path.glob` takes it.
    name : str, default=that of `open_whole`
        A regular expression that the whole name must match.
    """
    key = os.path.realpath(folder), pattern
    if key in _tidied:
        return
    _tidied.add(key)
    for path in Path(folder).glob(pattern):
        if re.fullmatch(name, path.name):
            remove_dead(path)


def remove_dead(path):
    """Remove a file that somebody began to write, unless somebody still does.

    Parameters
    ----------
    path : path-like
    """
    path = Path(path)
    with suppress(OSError):  # it went, or is not ours
        with path.open("r+b") as file:
            if not _is_held(file):
                path.unlink()
                return
    if fcntl is None:
        with suppress(OSError):
            path.unlink()


def _is_held(file):
    if fcntl is None:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # no locks here: be careful
        return time.time() - os.fstat(file.fileno()).st_mtime < _OLD_S
    return False


def check_regular(path, *, max_bytes=None, remedy=""):
    """Refuse what would be read for ever, or not fit into memory, before it is opened.

    Parameters
    ----------
    path : path-like
        Links are followed.
    max_bytes : int, default=None
        None: of any size.
    remedy : str, default=""
        What the message says in the end about files that are too large.

    Raises
    ------
    FileNotFoundError
        If there is none.
    OSError
        If the system does not tell.
    ValueError
        If it is a folder, a pipe, a device or a socket, or too large.
    """
    status = os.stat(path)
    if not stat.S_ISREG(status.st_mode):
        kinds = [kind for is_kind, kind in _KINDS.items() if is_kind(status.st_mode)]
        raise ValueError(
            f"{os.fspath(path)!r} is {' '.join(kinds) or 'something else'}, not a "
            "file. Pass the path of a file; what comes through a pipe, write to one "
            "first."
        )
    if max_bytes is not None and status.st_size > max_bytes:
        raise ValueError(_too_large(path, status.st_size, max_bytes, remedy))


def read_bytes(path, *, max_bytes=MAX_TEXT_BYTES, remedy=""):
    """Read a regular file of a reasonable size.

    Parameters
    ----------
    path : path-like
    max_bytes, remedy
        See `check_regular`.

    Returns
    -------
    bytes

    Raises
    ------
    OSError, ValueError
        See `check_regular`.
    """
    check_regular(path, max_bytes=max_bytes, remedy=remedy)
    with open(path, "rb") as file:
        # Some say that they have 0 bytes.
        data = file.read(-1 if max_bytes is None else max_bytes + 1)
    if max_bytes is not None and len(data) > max_bytes:
        raise ValueError(_too_large(path, len(data), max_bytes, remedy))
    return data


def _too_large(path, n_bytes, max_bytes, remedy):
    return (
        f"{os.fspath(path)!r} has {n_bytes / 1e6:,.0f} MB, and at most "
        f"{max_bytes / 1e6:,.0f} are read. {remedy}"
    ).rstrip()
