"""Files that appear whole or not at all."""

import os
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4


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
