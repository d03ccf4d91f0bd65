"""Files that appear whole or not at all, and files that are safe to read."""

import os
import stat
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

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
        data = file.read(max_bytes + 1)  # some say that they have 0 bytes
    if len(data) > max_bytes:
        raise ValueError(_too_large(path, len(data), max_bytes, remedy))
    return data


def _too_large(path, n_bytes, max_bytes, remedy):
    return (
        f"{os.fspath(path)!r} has {n_bytes / 1e6:,.0f} MB, and at most "
        f"{max_bytes / 1e6:,.0f} are read. {remedy}"
    ).rstrip()


@contextmanager
def open_whole(path, mode="w"):
    """Open a file that appears whole or not at all.

    It is written beside `path` and then renamed, so that a killed run leaves no half
    file.

    Parameters
    ----------
    path : path-like
        Where to write. An existing file is replaced.
    mode : {"w", "wb"}, default="w"
        "w" writes UTF-8 and leaves line ends as they are.

    Yields
    ------
    file
        To write to.

    Raises
    ------
    FileNotFoundError
        If the folder does not exist.
    """
    path = Path(os.path.realpath(path))  # a link stays one
    if not path.parent.is_dir():
        raise FileNotFoundError(
            f"path={str(path)!r}: the folder {path.parent} does not exist. Make it "
            "first."
        )
    part = path.with_name(f".{uuid4().hex}.part")  # short: names may be at the limit
    options = {"encoding": "utf-8", "newline": ""} if mode == "w" else {}
    try:
        with part.open(mode, **options) as file:
            yield file
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
