"""Arrays in .npy files that show when a bit of them has changed."""

import io
import math
import mmap
import os
import stat
import time
import zlib
from dataclasses import dataclass
from functools import lru_cache
from uuid import uuid4

import numpy as np

from skbird.utils._files import replacing

# A file ends with this and the CRC-32 of its name and all before. Readers of .npy do
# not look there.
_MARK = b"skbird:crc32"
_END = len(_MARK) + 4
_CHUNK = 1 << 20  # bytes read at once
_RECENT_NS = 2_000_000_000  # clocks of file systems may be that coarse

# Hashes of the files that were found whole by this process.
_whole: set[tuple] = set()


class DamagedArrayError(ValueError):
    """A file does not hold the array that was stored."""


@dataclass(frozen=True)
class _Layout:
    dtype: np.dtype
    shape: tuple
    order: str
    offset: int


def store_array(path, array, *, remedy=None):
    """Write an array so that nobody ever sees half of it.

    Parameters
    ----------
    path : str
        Where to; what is there, also a link, is replaced.
    array : ndarray
        An array of numbers.
    remedy : str, default=None
        What helps when the disk is full.
    """
    layout = np.lib.format.header_data_from_array_1_0(array)
    data = array.T if layout["fortran_order"] else array
    _store(path, layout, [data], remedy)


def store_frames(path, frames, *, remedy=None):
    """Write the transposed frames of a `FrameFile` as `store_array` writes an array.

    Parameters
    ----------
    path : str
    frames : FrameFile
        Its frames have the shape (n_frames, n_mels).
    remedy : str, default=None
        See `store_array`.
    """
    shape = frames.map().T.shape
    descr = np.lib.format.dtype_to_descr(frames.map().dtype)
    layout = {"descr": descr, "fortran_order": True, "shape": shape}
    _store(path, layout, frames.blocks(), remedy)


def _store(path, layout, pieces, remedy):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, layout)
    crc = zlib.crc32(header.getvalue(), _seed(path))
    part = f"{path}.{uuid4().hex}.part"
    # Not synced: what a power cut spoils is found by its checksum, and made again.
    with replacing(path, part, sync=False, remedy=remedy) as file:
        file.write(header.getvalue())
        for piece in pieces:
            # Not by tofile, whose error for a full disk does not say so.
            data = np.ascontiguousarray(piece).reshape(-1).view(np.uint8)
            crc = zlib.crc32(data, crc)
            file.write(data)
        file.write(_MARK + crc.to_bytes(4, "big"))


def _seed(path):
    return zlib.crc32(os.path.basename(path).encode())


def map_array(path, *, marked=True):
    """Map an array that `store_array` wrote; each process checks it once.

    Parameters
    ----------
    path : str
    marked : bool, default=True
        Whether arrays that others have written are refused.

    Returns
    -------
    ndarray
        It cannot be written to.

    Raises
    ------
    FileNotFoundError
        If there is none.
    DamagedArrayError
        If it is another than it was, or no regular file.
    """
    if not stat.S_ISREG(os.lstat(path).st_mode) and (
        marked or not os.path.isfile(path)
    ):
        raise DamagedArrayError(f"{path} is not a regular file.")
    with open(path, "rb") as file:
        n_bytes = _check(file, path, marked)
        layout = _read_layout(file, path, n_bytes)
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    # numpy.memmap does no more, but takes as long again as all the rest.
    return np.ndarray(
        layout.shape, layout.dtype, mapped, layout.offset, order=layout.order
    )


def _check(file, path, marked):
    """Return how many bytes of a file are the array's; complain if they are others."""
    found = os.fstat(file.fileno())
    n_bytes = max(found.st_size - _END, 0)
    times = found.st_mtime_ns, found.st_ctime_ns  # copies may keep the first
    identity = hash((path, found.st_ino, found.st_size, times))
    if identity in _whole:
        return n_bytes
    file.seek(n_bytes)
    end = file.read()
    if end[:-4] != _MARK:
        if not marked:
            return found.st_size  # somebody else's
        raise DamagedArrayError(f"{path} is damaged, or of another version of skbird.")
    if _crc(file, n_bytes, path) != int.from_bytes(end[-4:], "big"):
        raise DamagedArrayError(f"{path} is damaged: its content has changed.")
    # What has just been written could be written again without another time.
    if time.time_ns() - found.st_mtime_ns > _RECENT_NS:
        _whole.add(identity)
    return n_bytes


def _crc(file, n_bytes, path):
    file.seek(0)
    crc = _seed(path)
    while chunk := file.read(min(n_bytes, _CHUNK)):
        crc = zlib.crc32(chunk, crc)
        n_bytes -= len(chunk)
    return crc


def _read_layout(file, path, n_bytes):
    file.seek(0)
    start = file.read(10)
    try:
        layout = _parse(start + file.read(int.from_bytes(start[8:], "little")))
    except Exception as exc:  # numpy takes the header for a program text of Python
        raise DamagedArrayError(f"{path} has no header of an array.") from exc
    needed = layout.offset + layout.dtype.itemsize * math.prod(layout.shape)
    if n_bytes < needed:
        raise DamagedArrayError(f"{path} is cut short.")
    return layout


@lru_cache(maxsize=1024)
def _parse(header):
    file = io.BytesIO(header)
    if np.lib.format.read_magic(file) != (1, 0):
        raise ValueError("Other versions are not written.")
    shape, is_fortran, dtype = np.lib.format.read_array_header_1_0(file)
    if dtype.hasobject:
        raise ValueError("Objects are pickled, and a pickle can run any program.")
    return _Layout(dtype, shape, "F" if is_fortran else "C", len(header))
