"""Frames of a long row, on disk."""

import os
import tempfile
import weakref

import numpy as np

from skbird.utils._files import explained
from skbird.utils._process_folder import process_folder

_REMEDY = (
    "The frames of long rows are kept there: free some space, give LogMel a cache_dir "
    "on a larger disk, set the environment variable TMPDIR, or cut the rows into some "
    "seconds (skbird.data.segment_table)"
)
_CHUNK = 1 << 13  # frames read at once


class FrameFile:
    """Frames that are appended block by block to a file, and mapped to be read.

    Such a row takes the memory of one block, whatever its length. The file lies in the
    system's folder for temporary files and goes with the object.
    """

    def __init__(self):
        folder = process_folder("skbird-frames-")
        number, self._path = tempfile.mkstemp(dir=folder)
        os.close(number)
        self._remove = weakref.finalize(self, _remove, self._path, os.getpid())
        self._shape, self._dtype = (0,), None

    def __len__(self):
        return self._shape[0]

    def append(self, block):
        """Write further frames.

        Parameters
        ----------
        block : ndarray of shape (n_frames, n_mels)
            Frames of the same type and width as those before.

        Raises
        ------
        OSError
            If the disk is full.
        """
        with explained(self._path, _REMEDY), open(self._path, "ab") as file:
            file.write(np.ascontiguousarray(block))
        self._shape = (len(self) + len(block), *block.shape[1:])
        self._dtype = block.dtype

    def map(self):
        """Return the frames, which stay on disk: a memmap (n_frames, n_mels)."""
        return np.memmap(self._path, self._dtype, "r", shape=self._shape)

    def blocks(self):
        """Yield the frames block by block, each of shape (n_frames, n_mels)."""
        for first in range(0, len(self), _CHUNK):
            yield np.array(self.map()[first : first + _CHUNK])

    def __reduce__(self):
        # Another process must not rely on a file that goes with this one.
        return np.array, (self.map(),)


def _remove(path, process):
    if os.getpid() == process and os.path.exists(path):  # not in a forked process
        os.unlink(path)
