"""Find where the sound of an Opus stream begins, as its pages count.

Pages count from 0 if the stream is whole. Of one that was cut from a longer one, or
whose writer counts otherwise, libsndfile leaves out too few of the samples that the
header tells to skip, but seeks as if it had left out all.
"""

OPUS_RATE = 48_000  # in which Opus counts, whatever the rate of the recording
MOST_OPUS_SAMPLES = 5760  # that a packet holds: 120 ms
_CONTINUES = 1  # flag of a page that begins within a packet
_SILK_MS, _CELT_MS = (10, 20, 40, 60), (2.5, 5, 10, 20)
_FIRST_HYBRID, _FIRST_CELT = 12, 16  # kinds of packets


def read_skipped(content):
    """Return how many samples the header tells to skip.

    Parameters
    ----------
    content : bytes
        What the first page holds.
    """
    return int.from_bytes(content[10:12], "little")


def first_granule(page, flags, granule):
    """Return the number with which the pages begin to count.

    Parameters
    ----------
    page : bytes
        The first page with sound.
    flags, granule : int
        Of this page.

    Returns
    -------
    int
        0 if the stream is whole.
    """
    if flags & _CONTINUES:
        return 0
    n_segments = page[26]
    first = at = 27 + n_segments
    n_samples = 0
    for n_bytes in page[27:first]:
        at += n_bytes
        if n_bytes < 255:
            n_samples += _n_samples(page[first : first + 2])
            first = at
    return max(granule - n_samples, 0)


def _n_samples(packet):
    """Return how many samples a packet holds, from its first two bytes."""
    if not packet:
        return 0
    kind, n_frames = packet[0] >> 3, packet[0] & 3
    if n_frames == 3:
        n_frames = packet[1] & 63 if len(packet) > 1 else 0
    else:
        n_frames = min(n_frames + 1, 2)
    if kind >= _FIRST_CELT:
        frame_ms = _CELT_MS[kind & 3]
    elif kind >= _FIRST_HYBRID:
        frame_ms = _SILK_MS[kind & 1]
    else:
        frame_ms = _SILK_MS[kind & 3]
    return int(n_frames * frame_ms * OPUS_RATE) // 1000
