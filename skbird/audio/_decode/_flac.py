"""Check whether a FLAC file ends where its header says.

Encoders that write to a pipe do not know the length and leave 0; files cut short keep
the length they should have had, and files written one after another that of the first.
The header of the last frame tells: it holds the number of the frame, or of its first
sample.
"""

import os
from functools import partial
from itertools import islice, pairwise
from typing import NamedTuple

from skbird.audio._decode._counting import count_once
from skbird.audio._decode._crc import crc
from skbird.audio._decode._finding import MAX_LINKS, UNREADABLE, Finding

_HEAD = 8 + 34  # marker, header of the first block, STREAMINFO
# Where the last frame is sought. Frames are of some 10 kB, and of 1 MB in the worst
# case; then the second look finds it.
_TAILS = 2**15, 2**21
_MAX_BLOCKS = 1000  # of metadata
_MAX_TRIED = 8  # frames, of which one is whole or follows another
_UNKNOWN_TOTAL = 2**36
_BLOCK_SIZES = {1: 192, **{2 + k: 576 << k for k in range(4)}}
_BLOCK_SIZES |= {8 + k: 256 << k for k in range(8)}
_BITS = {1: 8, 2: 12, 4: 16, 5: 20, 6: 24, 7: 32}
_RATE_BYTES = {12: 1, 13: 2, 14: 2}
_LONGEST_HEADER = 16
_SYNCS = b"\xff\xf8", b"\xff\xf9"
_CRC_8, _CRC_16 = 0x07, 0x8005
_MAX_TAGS = 2**14  # bytes at the end
_TAGS = b"TAG", b"APETAGEX", b"ID3"
_SCANNED = 2**20


class _Stream(NamedTuple):
    """The properties of a recording that the first block tells."""

    head: bytes
    block_size: int
    most_bytes: int  # of a frame; 0 if unknown
    n_channels: int
    n_bits: int
    total: int  # samples; 0 if unknown
    sound_at: int  # byte at which the blocks of metadata end
    sync: bytes = _SYNCS[0]  # with which all its frames begin
    # Whether it was cut from a longer one, whose numbers its frames keep: seeks go
    # astray.
    begins_late: bool = False


class _Frame(NamedTuple):
    at: int
    first: int  # its first sample
    end: int  # the sample after its last


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
    stream = _read_stream(file, start)
    if stream is None:
        return None  # libsndfile says what is wrong
    exceeds = _exceeds_frames(size, stream)
    if not exceeds and _ends_as_promised(file, start, size, stream):
        return None
    status = os.fstat(file.fileno())
    identity = "fLaC", os.path.abspath(file.name), status.st_size, status.st_mtime_ns
    return count_once(identity, partial(_look_closely, file, start, size))


def _look_closely(file, start, size):
    """Return what is to be said of a file whose header does not fit its frames."""
    begins = _find_streams(file, start, size)
    if len(begins) == 1:
        return _judge(file, start, size)
    links = []
    for begin, end in pairwise([*begins, size]):
        if len(links) == MAX_LINKS:
            links.append(UNREADABLE)
            break
        finding = _judge(file, begin, end)
        links.append(((begin, end),) if finding is None else finding.parts)
    return Finding(links=tuple(links), promised=_read_stream(file, start).total)


def _read_stream(file, start):
    file.seek(start)
    head = file.read(_HEAD)
    if len(head) < _HEAD or head[4] & 0x7F != 0:
        return None
    fields = int.from_bytes(head[18:26], "big")
    stream = _Stream(
        head,
        block_size=int.from_bytes(head[8:10], "big"),
        most_bytes=int.from_bytes(head[15:18], "big"),
        n_channels=(fields >> 41 & 7) + 1,
        n_bits=(fields >> 36 & 31) + 1,
        total=fields % _UNKNOWN_TOTAL,
        sound_at=_skip_blocks(file, start, head),
    )
    file.seek(stream.sound_at)
    content = file.read(_LONGEST_HEADER)
    frame = _read_frame(content, 0, stream)
    if frame is None:
        return stream
    return stream._replace(sync=content[:2], begins_late=frame.first > 0)


def _skip_blocks(file, start, head):
    """Return where the blocks of metadata end: pictures may be large."""
    at, is_last = start + _HEAD, head[4] >> 7
    for _ in range(_MAX_BLOCKS):
        if is_last:
            break
        file.seek(at)
        head = file.read(4)
        if len(head) < 4:
            break
        is_last = head[0] >> 7
        at += 4 + int.from_bytes(head[1:], "big")
    return at


def _read_tails(file, start, size):
    """Yield the end of the file, and a longer one if that does not tell."""
    for length in _TAILS:
        first = max(size - length, start + _HEAD)
        file.seek(first)
        yield first, file.read(size - first)
        if first == start + _HEAD:
            return


def _ends_as_promised(file, start, size, stream):
    if not stream.total or stream.begins_late:
        return False
    for _, tail in _read_tails(file, start, size):
        last = next(_frames_from_end(tail, stream), None)
        if last is not None:
            return last.end == stream.total
    return False


def _exceeds_frames(size, stream):
    """Return whether the file holds more than the frames promised."""
    n_frames = -(-stream.total // max(stream.block_size, 1))
    most = stream.sound_at + n_frames * stream.most_bytes + _MAX_TAGS
    return 0 < stream.most_bytes and most < size


def _find_streams(file, start, size):
    """Return where FLAC files begin that were written one after another."""
    begins, at = [start], start + _HEAD
    while at < size:
        file.seek(at)
        content = file.read(min(_SCANNED + _HEAD, size - at))
        k = content.find(b"fLaC")
        while k >= 0:
            # A first block of STREAMINFO, which is 34 bytes long.
            if content[k + 4 : k + 5] in (b"\0", b"\x80") and (
                content[k + 5 : k + 8] == b"\0\0\x22"
            ):
                begins.append(at + k)
            k = content.find(b"fLaC", k + 1)
        at += _SCANNED
    return sorted(set(begins))


def _judge(file, start, size):
    """Look whether one recording has the length that its header says."""
    stream = _read_stream(file, start)
    if stream is None:
        return None
    for first, tail in _read_tails(file, start, size):
        end = _find_end(tail, stream)
        if end is not None:
            total, stop = end[0], first + end[1]
            break
    else:
        total, stop = 0, size
    if stream.begins_late:
        total, stop = 0, size
    if total and total == stream.total:
        return None
    fields = int.from_bytes(stream.head[18:26], "big") - stream.total + total
    mended = stream.head[:18] + fields.to_bytes(8, "big") + stream.head[26:]
    parts = mended, (start + _HEAD, stop)
    return Finding(
        parts,
        promised=stream.total or None,
        held=total or None,
        is_sequential=stream.begins_late,
    )


def _find_end(tail, stream):
    """Return the last sample that is whole, and the byte behind; None if none is sure.

    A frame is one if its checksum is right or another ends where it begins.
    """
    stop = len(tail)
    frames = (*islice(_frames_from_end(tail, stream), _MAX_TRIED + 1), None)
    for frame, before in pairwise(frames):
        if frame.end == stream.total or _is_whole(tail[frame.at :]):
            return frame.end, stop
        if before is not None and before.end == frame.first:
            return frame.first, frame.at
    return None


def _is_whole(content):
    """Return whether a frame fills these bytes, but for tags."""
    begin = max(len(content) - _MAX_TAGS, 0)
    tags = (content.find(tag, begin) for tag in _TAGS)  # one may hold another
    ends = {len(content), len(content.rstrip(b"\0")), *(at for at in tags if at >= 0)}
    return any(crc(content[:end], 16, _CRC_16) == 0 for end in ends)


def _frames_from_end(tail, stream):
    """Yield the frames whose headers lie in these bytes, the last one first."""
    at = len(tail)
    while (at := tail.rfind(stream.sync, 0, at)) >= 0:
        frame = _read_frame(tail[at : at + _LONGEST_HEADER], at, stream)
        if frame is not None:
            yield frame


def _read_frame(head, at, stream):
    """Return the frame with this header; None if it is no header."""
    if len(head) < 6 or not _fits(head, stream):
        return None
    n_bytes = max(8 - (head[4] ^ 0xFF).bit_length(), 1)  # as in UTF-8
    number = head[4] & (0xFF >> (n_bytes + 1) if n_bytes > 1 else 0x7F)
    for byte in head[5 : 4 + n_bytes]:
        number = number << 6 | byte & 0x3F
    size_code, rate_code = head[2] >> 4, head[2] & 15
    behind = 4 + n_bytes
    if size_code in (6, 7):
        n_size = size_code - 5
        length = int.from_bytes(head[behind : behind + n_size], "big") + 1
        behind += n_size
    elif size_code in _BLOCK_SIZES:
        length = _BLOCK_SIZES[size_code]
    else:
        return None
    behind += _RATE_BYTES.get(rate_code, 0)
    if len(head) <= behind or crc(head[: behind + 1], 8, _CRC_8) != 0:
        return None
    is_by_sample = head[1] & 1
    first = number if is_by_sample else number * stream.block_size
    return _Frame(at, first, first + length)


def _fits(head, stream):
    """Return whether channels and bits are those of the stream."""
    channels, bits = head[3] >> 4, head[3] >> 1 & 7
    n_channels = channels + 1 if channels < 8 else 2
    return (
        head[:2] in _SYNCS
        and head[2] & 15 < 15
        and channels < 11
        and n_channels == stream.n_channels
        and (bits == 0 or _BITS.get(bits) == stream.n_bits)
        and not head[3] & 1
    )
