"""Whether an mp3 file is as long as libsndfile thinks.

libsndfile believes the first frame where it is a Xing, Info or VBRI header, and guesses
from the first bitrates where there is none. A few frames, taken from all over the file,
tell whether either can be true. What cannot gets a Xing header that promises more than
there can be: decoding then goes on to the end.
"""

import struct
from typing import NamedTuple

from skbird.data._decode._finding import Finding

_KBITS = {  # by version 1 or not, and layer
    (True, 3): (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (True, 2): (0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 1): tuple(range(0, 449, 32)),
    (False, 3): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 2): (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 1): (0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
}
_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}
_LOOK = 2**12  # holds two frames, wherever it begins
_SEARCH = 2**17  # for the first frame, if it is not where it should be
# Frames looked at: where there is nothing else to go by, and where a promise is.
_N_SAMPLES, _N_CHECKS = 8, 4
# How far the frames promised may be from what their mean size lets expect: of files of
# one bitrate, and of others, of which a few frames tell less.
_SLACK, _VARIABLE_SLACK = 1.03, 2.0
# Tags at the end; the size in the Xing header is of the sound alone.
_MAX_TAGS = 2**14
_LOWEST_KBIT = 8


class _Frame(NamedTuple):
    at: int
    head: bytes
    kind: tuple  # what all frames of a stream share: version, layer, sample rate
    kbit: int
    length: int

    @property
    def is_mono(self):
        return self.head[3] >> 6 == 3

    @property
    def samples(self):
        version, layer, _ = self.kind
        if layer == 1:
            return 384
        return 1152 if version == 3 or layer == 2 else 576


def look_at_mpeg(file, start, size):
    """Look whether frames from all over the file bear out its length.

    Parameters
    ----------
    file : binary file
    start : int
        Where the frames begin, behind tags.
    size : int
        Bytes of the file.

    Returns
    -------
    Finding or None
        None if the length is believed, or the file is not MPEG audio.
    """
    first = _find_frame(file, start, _LOOK) or _find_frame(file, start, _SEARCH)
    if first is None or first.kind[1] != 3:
        return None
    n_bytes = size - first.at
    file.seek(first.at)
    content = file.read(first.length + 4)
    promised, tag_bytes = _read_promise(content, first)
    if promised is None:
        is_true = all(
            frame.kbit == first.kbit
            for frame in _sample(file, first, n_bytes, _N_SAMPLES)
        )
    else:
        is_true = _bears_out(file, first, n_bytes, promised, tag_bytes, content)
    if is_true:
        return None
    most = n_bytes // _length(first.kind, _LOWEST_KBIT) + 2
    content = content[: first.length]
    parts = _promise(content, first, most, n_bytes), (first.at + first.length, size)
    if promised is None:
        parts = _new_xing(first, most, n_bytes), (first.at, size)
    return Finding(parts, promised=promised and promised * first.samples)


def _sample(file, first, n_bytes, n_samples):
    """Yield frames from all over the file."""
    for k in range(1, n_samples):
        at = first.at + n_bytes * k // n_samples
        frame = _find_frame(file, at, _LOOK, first)
        if frame is not None:
            yield frame


def _bears_out(file, first, n_bytes, promised, tag_bytes, content):
    """Whether as many frames as promised fit the size of the file."""
    if tag_bytes and not 0.99 * tag_bytes - 1024 <= n_bytes <= tag_bytes + _MAX_TAGS:
        return False
    second = _parse(content[first.length :], 0)
    is_constant = b"Info" in content[:40]
    if is_constant and second is not None:
        lengths, slack = [second.length], _SLACK
    else:
        lengths = [f.length for f in _sample(file, first, n_bytes, _N_CHECKS)]
        slack = _VARIABLE_SLACK
    if not lengths:  # too short for samples
        return promised * _length(first.kind, _LOWEST_KBIT) <= n_bytes
    expected = n_bytes / sum(lengths) * len(lengths)
    return expected / slack - 9 <= promised <= expected * slack + 9


def _find_frame(file, at, n_bytes, like=None):
    """Return the first frame from here that is followed by another; None if none is."""
    file.seek(at)
    content = file.read(n_bytes)
    sync = b"\xff" if like is None else like.head[:2]
    k = content.find(sync)
    while k >= 0:
        frame = _parse(content[k : k + 4], at + k)
        if frame is not None and (like is None or like.kind == frame.kind):
            follower = _parse(content[k + frame.length : k + frame.length + 4], 0)
            if follower is not None and follower.kind == frame.kind:
                return frame
        k = content.find(sync, k + 1)
    return None


def _parse(head, at):
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    version, layer = head[1] >> 3 & 3, 4 - (head[1] >> 1 & 3)
    kbit_code, rate_code = head[2] >> 4, head[2] >> 2 & 3
    if version == 1 or layer == 4 or rate_code == 3 or kbit_code in (0, 15):
        return None
    kind = version, layer, _RATES[version][rate_code]
    kbit = _KBITS[version == 3, layer][kbit_code]
    length = _length(kind, kbit, head[2] >> 1 & 1)
    return _Frame(at, bytes(head), kind, kbit, length)


def _length(kind, kbit, padding=0):
    version, layer, rate = kind
    if layer == 1:
        return (12_000 * kbit // rate + padding) * 4
    return (144_000 if version == 3 or layer == 2 else 72_000) * kbit // rate + padding


def _xing_at(frame):
    if frame.kind[0] == 3:
        return 21 if frame.is_mono else 36
    return 13 if frame.is_mono else 21


def _read_promise(content, frame):
    """Return how many frames a Xing, Info or VBRI header promises, and bytes."""
    at = _xing_at(frame)
    if content[at : at + 4] in (b"Xing", b"Info"):
        flags, frames, n_bytes = struct.unpack_from(
            ">III", content[at + 4 :] + bytes(12)
        )
        if flags & 1:
            return frames, n_bytes if flags & 2 else 0
    if content[36:40] == b"VBRI" and len(content) >= 54:
        n_bytes, frames = struct.unpack_from(">II", content, 46)
        return frames, n_bytes
    return None, 0


def _promise(content, frame, frames, n_bytes):
    """Return a first frame that promises other numbers."""
    at = _xing_at(frame)
    if content[at : at + 4] not in (b"Xing", b"Info"):
        return _new_xing(frame, frames, n_bytes)
    flags = struct.unpack_from(">I", content, at + 4)[0]
    mended = bytearray(content)
    struct.pack_into(">I", mended, at + 8, frames)
    if flags & 2:
        struct.pack_into(">I", mended, at + 12, n_bytes)
    return bytes(mended)


def _new_xing(frame, frames, n_bytes):
    """Return a frame of silence with a Xing header."""
    head = bytearray(frame.head)
    head[1] |= 1  # no checksum
    head[2] = head[2] & 0x0C | 14 << 4  # room enough
    length = _parse(head, 0).length
    content = bytes(head).ljust(_xing_at(frame), b"\0")
    content += b"Xing" + struct.pack(">III", 3, frames, n_bytes)
    return content.ljust(length, b"\0")
