"""Whether a FLAC file ends where its header says.

Encoders that write to a pipe do not know the length and leave 0; files cut short keep
the length they should have had. The header of the last frame tells: it holds the
number of the frame, or of its first sample.
"""

from skbird.data._decode._finding import Finding

_HEAD = 8 + 34  # marker, header of the first block, STREAMINFO
# Where the last frame is sought. Frames are of some 10 kB, and of 1 MB in the worst
# case; then the second look finds it.
_TAILS = 2**15, 2**21
_UNKNOWN_TOTAL = 2**36
_BLOCK_SIZES = {1: 192, **{2 + k: 576 << k for k in range(4)}}
_BLOCK_SIZES |= {8 + k: 256 << k for k in range(8)}


def look_at_flac(file, start, size):
    """Look whether the last frame is where STREAMINFO has it.

    Parameters
    ----------
    file : binary file
    start : int
        Where the marker "fLaC" lies.
    size : int
        Bytes of the file.

    Returns
    -------
    Finding or None
        None if the header is true, or there is none that could be mended.
    """
    file.seek(start)
    head = file.read(_HEAD)
    if len(head) < _HEAD or head[4] & 0x7F != 0:
        return None  # libsndfile says what is wrong
    block_size = int.from_bytes(head[8:10], "big")
    fields = int.from_bytes(head[18:26], "big")
    total = fields % _UNKNOWN_TOTAL
    for length in _TAILS:
        first = max(size - length, start + _HEAD)
        file.seek(first)
        if total and _has_end(file.read(size - first), total, block_size):
            return None
        if first == start + _HEAD:
            break
    unknown = (fields - total).to_bytes(8, "big")
    mended = head[:18] + unknown + head[26:]
    return Finding((mended, (start + _HEAD, size)), promised=total or None)


def _has_end(tail, total, block_size):
    """Whether a frame begins in these bytes after which the recording ends."""
    for sync in (b"\xff\xf8", b"\xff\xf9"):
        at = tail.rfind(sync)
        while at >= 0:
            if _frame_end(tail[at : at + 16], block_size) == total:
                return True
            at = tail.rfind(sync, 0, at)
    return False


def _frame_end(head, block_size):
    """Return the sample after a frame, by its header; None if it is no header."""
    if len(head) < 6:
        return None
    n_bytes = max(8 - (head[4] ^ 0xFF).bit_length(), 1)  # as in UTF-8
    number = head[4] & (0xFF >> (n_bytes + 1) if n_bytes > 1 else 0x7F)
    for byte in head[5 : 4 + n_bytes]:
        number = number << 6 | byte & 0x3F
    code = head[2] >> 4
    rest = head[4 + n_bytes :]
    if code in (6, 7):
        if len(rest) < code - 5:
            return None
        length = int.from_bytes(rest[: code - 5], "big") + 1
    elif code in _BLOCK_SIZES:
        length = _BLOCK_SIZES[code]
    else:
        return None
    is_by_sample = head[1] & 1
    return (number if is_by_sample else number * block_size) + length
