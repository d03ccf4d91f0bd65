"""Find the damaged pages of an Ogg file, by their checksums and numbers."""

import mmap
import zlib

from skbird.audio._decode._crc import reversed_bits

_HEAD_BYTES, _MAX_SEGMENTS = 27, 255
_BEGINS = 2  # flag of the first page of a stream
_ONES = 0xFFFFFFFF


def find_ogg_gaps(file, start):
    """Return the stretches of samples that are lost, as pages count them.

    Parameters
    ----------
    file : binary file
    start : int
        Where the first page lies.

    Returns
    -------
    tuple of (int, int)
        From the end of the last page that is whole to the end of the next one: where
        the sound of that begins is not said. Empty if there are several streams.
    """
    gaps, first_serial = [], None
    is_open, expected, end = False, 0, 0
    with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        for flags, granule, serial, number in _whole_pages(content, start):
            if first_serial is None:
                first_serial, expected = serial, number
            elif flags & _BEGINS:
                return ()
            if serial != first_serial:
                continue
            # Streams cut from longer ones begin with a hole that is none.
            is_open = is_open or (number != expected and end > 0)
            expected = number + 1
            if granule >= 0:
                if is_open and granule > end:
                    gaps.append((end, granule))
                is_open, end = False, granule
    return tuple(gaps)


def _whole_pages(content, start):
    """Yield flags, granule, serial and number of the pages that are undamaged."""
    at = content.find(b"OggS", start)
    while at >= 0:
        head = content[at : at + _HEAD_BYTES + _MAX_SEGMENTS]
        n_bytes = 0
        if len(head) >= _HEAD_BYTES:
            segments = head[_HEAD_BYTES : _HEAD_BYTES + head[26]]
            n_bytes = _HEAD_BYTES + len(segments) + sum(segments)
        is_whole = n_bytes and _is_whole(content[at : at + n_bytes])
        if is_whole:
            granule = int.from_bytes(head[6:14], "little", signed=True)
            serial = int.from_bytes(head[14:18], "little")
            yield head[5], granule, serial, int.from_bytes(head[18:22], "little")
        at = content.find(b"OggS", at + (n_bytes if is_whole else 4))


def _is_whole(page):
    """Return whether the checksum is right; zlib has that of Ogg, bits reversed."""
    stored = reversed_bits(page[22:26])
    content = reversed_bits(page[:22] + bytes(4) + page[26:])
    return zlib.crc32(content, _ONES) ^ _ONES == int.from_bytes(stored, "big")
