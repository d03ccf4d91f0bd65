"""Check whether an mp3 file is as long as libsndfile thinks.

libsndfile believes the first frame where it is a Xing, Info or VBRI header, and guesses
from the first bitrates where there is none. Such a header is believed if its checksum
is right, or the size of a file of one bitrate bears it out; a guess, if a few frames
from all over the file have that bitrate. Other files get a Xing header that promises
more than there can be: decoding then goes on to the end.
"""

import struct
from functools import partial
from typing import NamedTuple

from skbird.audio._decode._counting import count_once
from skbird.audio._decode._crc import reversed_crc
from skbird.audio._decode._finding import Finding
from skbird.audio._decode._identity import content_identity
from skbird.audio._decode._mpeg_gaps import mend_gaps, walk_frames

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
# Frames looked at where there is nothing else to go by.
_N_SAMPLES = 8
# How many frames a file of one bitrate may hold more, or fewer, than its size tells.
_SLACK = 2
# Tags at the end; the size in the Xing header is of the sound alone.
_MAX_TAGS, _MIN_REST = 2**14, 512
_BITRATES = 8, 320
# What the checksum of the header covers, from "Xing" on.
_XING_BYTES, _CRC_16 = 154, 0x8005


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


def look_at_mpeg(file, start, size, *, closely=False):
    """Look whether frames from all over the file bear out its length.

    Parameters
    ----------
    file : binary file
    start : int
        Where the frames begin, behind tags.
    size : int
        Bytes of the file.
    closely : bool
        Whether to look at all frames, though the length may be believed.

    Returns
    -------
    Finding or None
        None if the length is believed, or the file is not MPEG audio.
    """
    first = _find_first(file, start)
    if first is None:
        return None
    n_bytes = size - first.at
    file.seek(first.at)
    content = file.read(first.length + 4)
    promised, tag_bytes = _read_promise(content, first)
    if promised is None:
        frames = _sample(file, first, n_bytes)
        is_true = all(frame.kbit == first.kbit for frame in frames)
    else:
        is_true = _bears_out(file, first, n_bytes, promised, tag_bytes, content)
    if is_true and not closely:
        return None
    identity = "mpeg", is_true, *content_identity(file.name)
    look = partial(_look_closely, file, size, first, content, promised, is_true)
    return count_once(identity, look)


def lost_seconds(file, start):
    """Return how much sound is lost between the frames of an mp3 file.

    libmpg123 passes over it, and what follows is heard too early.

    Parameters
    ----------
    file : binary file
    start : int
        Where the frames begin, behind tags.

    Returns
    -------
    float
        0.0 if the file is not MPEG audio.
    """
    first = _find_first(file, start)
    if first is None:
        return 0.0
    file.seek(first.at)
    promised, _ = _read_promise(file.read(first.length + 4), first)
    walk = walk_frames(file, first, _parse)
    n_lost = sum(walk.lost(None if promised is None else promised + 1))
    return n_lost * first.samples / first.kind[2]


def _look_closely(file, size, first, content, promised, is_true):
    """Walk through all frames: mend what is damaged, and promise what there can be."""
    walk = walk_frames(file, first, _parse)
    total = None if promised is None else promised + 1
    if is_true and _is_whole(walk, size, total):
        return None
    parts, gaps, n_frames = mend_gaps(walk, first, total, _parse)
    n_bytes = size - first.at
    most = n_bytes // _length(first.kind, _BITRATES[0]) + 2
    # What follows the last frame that another follows may still be one.
    parts[-1] = parts[-1][0], size
    is_counted = bool(gaps) and n_frames == total
    if promised is None:
        parts = _new_xing(first, most, n_bytes), *parts
    else:
        frames = promised if is_counted else most
        head = _promise(content[: first.length], first, frames, n_bytes)
        parts = head, (first.at + first.length, parts[0][1]), *parts[1:]
    promised = promised and promised * first.samples
    held = promised if is_counted else None
    return Finding(tuple(parts), promised, held, gaps=tuple(gaps))


def _is_whole(walk, size, total):
    """Return whether as many frames follow each other as were promised or guessed."""
    rest = size - walk.stretches[-1][1]
    if len(walk.stretches) > 1 or (rest and not walk.ends_whole):
        return False
    return rest <= _MIN_REST if total is None else abs(walk.n_frames - total) <= 1


def _sample(file, first, n_bytes):
    """Yield frames from all over the file."""
    for k in range(1, _N_SAMPLES):
        at = first.at + n_bytes * k // _N_SAMPLES
        frame = _find_frame(file, at, _LOOK, first)
        if frame is not None:
            yield frame


def _bears_out(file, first, n_bytes, promised, tag_bytes, content):
    """Return whether there are as many frames as promised."""
    if tag_bytes and not 0.99 * tag_bytes - 1024 <= n_bytes <= tag_bytes + _MAX_TAGS:
        return False
    if tag_bytes and n_bytes > tag_bytes + _MIN_REST:
        if _find_frame(file, first.at + tag_bytes, _LOOK, first) is not None:
            return False  # that is no tag
    second = _parse(content[first.length :], 0)
    if second is not None and b"Info" in content[:40]:  # one bitrate
        n_frames = ((tag_bytes or n_bytes) - first.length) / _mean_length(second)
        if abs(promised - n_frames) <= _SLACK:
            return True
    lowest, highest = (_length(first.kind, kbit) for kbit in _BITRATES)
    fits = promised * lowest <= n_bytes <= (promised + _SLACK) * (highest + 1)
    return fits and _is_sealed(content, first)


def _is_sealed(content, frame):
    """Return whether the checksum of the Xing header is right, as encoders leave it."""
    stop = _xing_at(frame) + _XING_BYTES
    sealed, found = content[:stop], int.from_bytes(content[stop : stop + 2], "big")
    # FFmpeg counts zeros, up to the length that the longest header has.
    return any(
        reversed_crc(sealed.ljust(length, b"\0"), 16, _CRC_16) == found
        for length in (stop, 190)
    )


def _find_first(file, start):
    """Return the first frame, of layer 3; None if there is none."""
    first = _find_frame(file, start, _LOOK) or _find_frame(file, start, _SEARCH)
    return None if first is None or first.kind[1] != 3 else first


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


def _mean_length(frame):
    """Return the mean length of frames of its bitrate, of which some are padded."""
    return 125 * frame.kbit * frame.samples / frame.kind[2]


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
