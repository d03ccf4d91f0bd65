"""Arrays of rows on disk, shared by folds, trials, threads, processes and sessions."""

import os
import tempfile
from hashlib import blake2b
from pathlib import Path

import numpy as np

# Raised whenever the same parameters would give other numbers than before.
_CACHE_VERSION = 1
_HEADER_BYTES = 128  # of an .npy file with a short shape


class ArrayCache:
    """A folder of arrays under keys; entries appear whole or not at all.

    Parameters
    ----------
    directory : str or path-like
        Made if it is not there. Safe to delete at any time.
    """

    def __init__(self, directory):
        self.directory = Path(directory).expanduser().absolute()
        self.directory.mkdir(parents=True, exist_ok=True)

    def path(self, *key):
        """Return where the array of this key lies, or would lie.

        Parameters
        ----------
        *key : objects
            Their ``repr`` must say all that the array depends on.

        Returns
        -------
        str
        """
        text = repr((_CACHE_VERSION, *key))
        digest = blake2b(text.encode(), digest_size=16).hexdigest()
        return f"{self.directory}/{digest[:2]}/{digest[2:]}.npy"

    def store(self, path, array):
        """Write an array so that nobody ever sees half of it.

        Parameters
        ----------
        path : str
            As `path` gave it.
        array : ndarray
            The entry.
        """
        folder = os.path.dirname(path)
        os.makedirs(folder, exist_ok=True)
        handle, temporary = tempfile.mkstemp(suffix=".part", dir=folder)
        try:
            with os.fdopen(handle, "wb") as file:
                np.save(file, array, allow_pickle=False)
            os.replace(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise


def stored_frames(path, n_mels):
    """Return the number of frames of a stored spectrogram, 0 if there is none.

    The size of the file tells; opening thousands of them would take much longer. A
    file cut short by a full disk or a power cut counts as not there.
    """
    try:
        n_bytes = os.stat(path).st_size - _HEADER_BYTES
    except OSError:
        return 0
    frame_bytes = n_mels * np.dtype(np.float16).itemsize
    return n_bytes // frame_bytes if n_bytes > 0 and n_bytes % frame_bytes == 0 else 0


def load_stored(path):
    """Return the array stored at a path, or None if there is none that is whole."""
    try:
        return np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
