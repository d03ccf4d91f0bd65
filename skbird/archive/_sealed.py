"""Parquet files that show when a bit of them has changed."""

import io
from hashlib import blake2b

from skbird.archive._columns import import_pyarrow
from skbird.utils._files import read_bytes

_SEAL = b"skbird.blake2b"
_BLANK = b"0" * 32


class DamagedFileError(ValueError):
    """A file does not hold what was written into it."""


def seal(table):
    """Write a table into the bytes of a Parquet file with a checksum of them all.

    Parameters
    ----------
    table : pyarrow.Table

    Returns
    -------
    memoryview
    """
    pyarrow = import_pyarrow()
    # The checksum comes last in the file, and counts as zeros.
    metadata = (table.schema.metadata or {}) | {_SEAL: _BLANK}
    buffer = io.BytesIO()
    pyarrow.parquet.write_table(table.replace_schema_metadata(metadata), buffer)
    data = buffer.getbuffer()
    place = _find_digest(buffer.getvalue())
    data[place : place + len(_BLANK)] = _digest(data, place)
    return data


def unseal(path):
    """Open a Parquet file that `seal` made.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    pyarrow.parquet.ParquetFile
        Of bytes in memory.

    Raises
    ------
    DamagedFileError
        If it is another than it was, was never sealed, or is no regular file.
    OSError
        If it cannot be read.
    """
    pyarrow = import_pyarrow()
    try:
        data = read_bytes(path, max_bytes=None)
    except ValueError as exc:  # a pipe would be waited for, a device read for ever
        raise DamagedFileError(str(exc)) from exc
    place = _find_digest(data)
    if place is None:
        raise DamagedFileError(
            "it has no checksum, so that it is damaged, or of another version of skbird"
        )
    if data[place : place + len(_BLANK)] != _digest(memoryview(data), place):
        raise DamagedFileError("its content does not match its checksum")
    return pyarrow.parquet.ParquetFile(pyarrow.BufferReader(data))


def _find_digest(data):
    """Return where in a file its checksum begins, or None."""
    key = data.rfind(_SEAL)
    # Thrift has a byte for the kind of the value and one for its length.
    place = key + len(_SEAL) + 2
    return place if key >= 0 and place + len(_BLANK) <= len(data) else None


def _digest(data, place):
    digest = blake2b(data[:place], digest_size=len(_BLANK) // 2)
    digest.update(_BLANK)
    digest.update(data[place + len(_BLANK) :])
    return digest.hexdigest().encode()
