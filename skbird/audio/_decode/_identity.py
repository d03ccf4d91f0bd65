"""Tell one state of a file from another."""

import os

from skbird.audio._audio_header import AudioReadError


def content_identity(path):
    """Return (absolute path, size, time): what was found in the file holds for it.

    Parameters
    ----------
    path : str

    Raises
    ------
    AudioReadError
        If the file has gone, or cannot be asked.
    """
    try:
        found = os.stat(path)
    except OSError as exc:
        raise AudioReadError(f"{path} cannot be read: {exc.strerror}.") from exc
    return os.path.abspath(path), found.st_size, found.st_mtime_ns
