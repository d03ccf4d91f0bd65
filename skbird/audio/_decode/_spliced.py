"""A mended view of a file that is left as it is."""

import io
from bisect import bisect_right
from itertools import accumulate


class SplicedFile(io.RawIOBase):
    """A file to be read that is made of bytes and of stretches of another.

    Parameters
    ----------
    path : str
        The other file.
    parts : sequence of bytes or (int, int)
        Bytes as given, and stretches of the file from an offset to another.
    """

    def __init__(self, path, parts):
        self._file = open(path, "rb", buffering=0)
        self._parts = [part for part in parts if _length(part)]
        self._starts = [0, *accumulate(map(_length, self._parts))]
        self._position = 0

    def readable(self):
        """Return True."""
        return True

    def seekable(self):
        """Return True."""
        return True

    def seek(self, offset, whence=io.SEEK_SET):
        """Go to a byte."""
        base = (0, self._position, self._starts[-1])[whence]
        self._position = max(base + offset, 0)
        return self._position

    def readinto(self, buffer):
        """Fill a buffer; fewer bytes than it holds only at the end."""
        wanted = memoryview(buffer).cast("B")
        n_read = 0
        while n_read < len(wanted) and self._position < self._starts[-1]:
            n_bytes = self._read_some(wanted[n_read:])
            if n_bytes == 0:  # the file has become shorter
                break
            n_read += n_bytes
            self._position += n_bytes
        return n_read

    def _read_some(self, wanted):
        number = bisect_right(self._starts, self._position) - 1
        part, inside = self._parts[number], self._position - self._starts[number]
        n_bytes = min(len(wanted), _length(part) - inside)
        if isinstance(part, bytes):
            wanted[:n_bytes] = part[inside : inside + n_bytes]
            return n_bytes
        self._file.seek(part[0] + inside)
        return self._file.readinto(wanted[:n_bytes])

    def close(self):
        """Close the file."""
        self._file.close()
        super().close()


def _length(part):
    return len(part) if isinstance(part, bytes) else part[1] - part[0]
