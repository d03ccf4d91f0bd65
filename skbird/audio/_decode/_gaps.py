"""Find how much of a recording is lost where packets of it cannot be decoded."""

from typing import NamedTuple

import numpy as np

# Shorter gaps are told by damaged packets alone: of whole ones, times jitter, and
# coders leave silence out.
SHORT_S = 0.5
# Lost bytes hold at most this many times the sound that those before them hold.
_SLACK = 4


def gaps_note(gaps, rate):
    """Return what is said of a recording with damaged places.

    Parameters
    ----------
    gaps : list of (int, int)
        The first frame of each, and the one after its last.
    rate : int
        Frames per second.
    """
    missing_s = sum(stop - first for first, stop in gaps) / rate
    return (
        f"{missing_s:.2f} s of it are damaged, first at {gaps[0][0] / rate:.2f} s. "
        f"Gaps of up to {SHORT_S} s are heard as silence; rows over longer ones "
        "cannot be read."
    )


class Block(NamedTuple):
    """Decoded samples, and where they lie in the container.

    Parameters
    ----------
    samples : ndarray of shape (n_frames, n_channels)
    stamp : int or None
        Their time, in ticks.
    first, stop : int
        Bytes of the packet in the file.
    n_bad : int
        Packets just before that could not be decoded.
    """

    samples: np.ndarray
    stamp: int | None
    first: int
    stop: int
    n_bad: int


class GapFinder:
    """Tell how many frames are missing before each block of a recording.

    The container's times tell, as far as the bytes that were lost can hold as much:
    times may be damaged themselves, and a pause is no damage.

    Parameters
    ----------
    frames_per_tick : float
    first_stamp : int or None
        When the recording begins.
    """

    def __init__(self, frames_per_tick, first_stamp):
        self._frames_per_tick = frames_per_tick
        self._end = first_stamp  # of the block before, in ticks
        self._end_byte = 0

    def missing(self, block, n_before):
        """Return the frames that are missing between a block and the one before.

        Parameters
        ----------
        block : Block
        n_before : int
            Frames before it, those that were missing included.
        """
        n_frames = len(block.samples)
        at_least = block.n_bad * n_frames
        gap = at_least
        if block.stamp is not None and self._end is not None:
            gap = self._rounded(
                (block.stamp - self._end) * self._frames_per_tick, n_frames
            )
        n_bytes = max(block.first - self._end_byte, 0)
        most = max(at_least, _SLACK * n_bytes * n_before / max(self._end_byte, 1))
        self._end_byte = max(self._end_byte, block.stop)
        self._end = None
        if block.stamp is not None:
            self._end = block.stamp + n_frames / self._frames_per_tick
        return max(gap, 0) if gap <= most else at_least

    def _rounded(self, gap, n_frames):
        """Round to whole blocks if the times, which are whole ticks, allow it."""
        blocks = round(gap / n_frames) * n_frames
        is_near = abs(gap - blocks) <= 2 * self._frames_per_tick + 1
        return blocks if is_near else round(gap)
