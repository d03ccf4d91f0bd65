"""Decode recordings that lie one after another in a file."""

from dataclasses import replace
from itertools import accumulate

import numpy as np

from skbird.data._audio_header import AudioReadError


class ChainDecoder:
    """Several decoders, one after another; one is open at a time.

    Parameters
    ----------
    openers : sequence of callable
        Each opens a decoder. Those after one that cannot be opened, or whose sample
        rate or channels differ from those of the first, are left out.

    Attributes
    ----------
    header : AudioHeader
        Of all of them together.

    Raises
    ------
    AudioReadError
        If the first cannot be opened.
    """

    def __init__(self, openers):
        headers = []
        for opener in openers:
            header = _try_header(opener, is_first=not headers)
            if header is None or _format(header) != _format((headers or [header])[0]):
                break
            headers.append(header)
        self._openers = openers[: len(headers)]
        self._starts = [0, *accumulate(header.n_frames for header in headers)]
        self.n_left_out = len(openers) - len(headers)
        self.header = replace(headers[0], n_frames=self._starts[-1])
        self._decoder = None
        self.seek(0)

    def seek(self, frame):
        """Go to a frame."""
        number = np.searchsorted(self._starts, frame, "right") - 1
        self._go_to(min(int(number), len(self._openers) - 1))
        inside = frame - self._starts[self._number]
        if inside:
            self._decoder.seek(inside)

    def _go_to(self, number):
        self.close()
        self._number, self._decoder = number, self._openers[number]()

    def read(self, n_frames):
        """Decode the next frames: (n_read, n_channels), fewer only at the end."""
        blocks = [self._decoder.read(n_frames)]
        n_missing = n_frames - len(blocks[0])
        while n_missing and self._number + 1 < len(self._openers):
            self._go_to(self._number + 1)
            blocks.append(self._decoder.read(n_missing))
            n_missing -= len(blocks[-1])
        return blocks[0] if len(blocks) == 1 else np.concatenate(blocks)

    def close(self):
        """Close the file."""
        if self._decoder is not None:
            self._decoder.close()


def _try_header(opener, *, is_first):
    try:
        decoder = opener()
    except AudioReadError:
        if is_first:
            raise
        return None
    decoder.close()
    return decoder.header


def _format(header):
    return header.sample_rate, header.n_channels
