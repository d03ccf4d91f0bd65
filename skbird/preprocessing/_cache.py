"""Arrays of rows on disk, shared by folds, trials, threads, processes and sessions."""

import os
from hashlib import blake2b
from pathlib import Path
from uuid import uuid4

import numpy as np

# Raised whenever the same parameters would give other numbers than before.
_CACHE_VERSION = 1


class ArrayCache:
    """A folder of arrays under keys; entries appear whole or not at all.

    Parameters
    ----------
    directory : str or path-like
        Made if it is not there. May be deleted whenever no pass or training runs.
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
        os.makedirs(os.path.dirname(path), exist_ok=True)
        temporary = f"{path}.{uuid4().hex}.part"
        try:
            with open(temporary, "xb") as file:
                np.save(file, array, allow_pickle=False)
            os.replace(temporary, path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise


def stored_frames(path, n_mels):
    """Return the number of frames of a stored spectrogram, 0 if there is none.

    Only the header is read. A file cut short by a full disk or a power cut counts as
    not there.
    """
    try:
        with open(path, "rb") as file:
            np.lib.format.read_magic(file)
            shape, _, dtype = np.lib.format.read_array_header_1_0(file)
            n_bytes = os.fstat(file.fileno()).st_size - file.tell()
    except (OSError, ValueError):
        return 0
    whole = len(shape) == 2 and n_bytes == shape[0] * shape[1] * dtype.itemsize
    return shape[1] if whole and shape[0] == n_mels else 0


def load_stored(path):
    """Return the array stored at a path, or None if there is none that is whole."""
    try:
        return np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
