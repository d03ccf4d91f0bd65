"""Arrays of rows on disk, shared by folds, trials, threads, processes and sessions."""

import os
from hashlib import blake2b
from pathlib import Path
from uuid import uuid4

import numpy as np

from skbird.utils._array_files import (
    DamagedArrayError,
    map_array,
    store_array,
    store_frames,
)
from skbird.utils._files import make_folder, remove_leftovers
from skbird.utils._frame_file import FrameFile

# Raised whenever the same parameters would give other numbers than before.
_CACHE_VERSION = 1

_LEFT = r"[0-9a-f]{30}\.npy\.[0-9a-f]{32}\.part"
_REMEDY = (
    "What is there is kept: free some space, or choose another cache_dir, and call "
    "again"
)


class ArrayCache:
    """A folder of arrays under keys; entries appear whole or not at all.

    Parameters
    ----------
    directory : str or path-like
        Made if it is not there. May be deleted whenever no pass or training runs. What
        killed processes left half-written goes.
    """

    def __init__(self, directory):
        self.directory = make_folder(Path(directory).expanduser().absolute())
        remove_leftovers(self.directory, "??/*.part", _LEFT)

    def path(self, *key):
        """Return where the array of this key lies, or would lie.

        Parameters
        ----------
        *key : objects
            Values whose ``repr`` shows everything that the array depends on.

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
        self._make_way(path)
        store_array(path, array, remedy=_REMEDY)

    def store_frames(self, path, frames):
        """Write a spectrogram, transposed, so that nobody ever sees half of it.

        So the entry has the documented shape (n_mels, n_frames), yet on disk a segment
        is one contiguous stretch.

        Parameters
        ----------
        path : str
            As `path` gave it.
        frames : ndarray of shape (n_frames, n_mels) or FrameFile
        """
        self._make_way(path)
        if isinstance(frames, FrameFile):
            store_frames(path, frames, remedy=_REMEDY)
        else:
            store_array(path, frames.T, remedy=_REMEDY)

    def _make_way(self, path):
        make_folder(os.path.dirname(path))
        if os.path.isdir(path) and not os.path.islink(path):
            os.rename(path, f"{path}.{uuid4().hex}.aside")  # whosever it is


def stored_length(path, is_entry):
    """Return the number of frames of a stored entry, 0 if there is none.

    One that is damaged, or that `is_entry` does not take for one, counts as not there.
    """
    try:
        array = map_array(path)
    except (OSError, DamagedArrayError):
        return 0
    return array.shape[1] if array.ndim == 2 and is_entry(array) else 0


def load_stored(path):
    """Return the series stored at a path, or None if there is none that is whole."""
    try:
        array = map_array(path)
    except (OSError, DamagedArrayError):
        return None
    return np.array(array) if array.ndim == 1 and array.dtype.kind == "f" else None
