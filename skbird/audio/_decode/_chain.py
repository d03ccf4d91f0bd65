"""Decode recordings that lie one after another in a file."""

from dataclasses import replace
from itertools import accumulate

import numpy as np

from skbird.audio._audio_header import AudioReadError
from skbird.audio._decode._counting import count_once
from skbird.audio._decode._identity import content_identity
from skbird.audio._decode._sndfile import SndfileDecoder


class ChainDecoder:
    """Several decoders, one after another; one is open at a time.

    Parameters
    ----------
    path : str
        The file.
    links : tuple
        Those of `Finding`. Those after one that cannot be opened, or whose sample rate
        or channels differ from those of the first, are left out.

    Attributes
    ----------
    header : AudioHeader
        Of all of them together.

    Raises
    ------
    AudioReadError
        If the first cannot be opened.
    """

    seeks_blindly = False

    def __init__(self, path, links):
        self.path = path
        identity = "chain", *content_identity(path)
        headers = count_once(identity, lambda: _read_headers(path, links))
        self._links = links[: len(headers)]
        self._starts = [0, *accumulate(header.n_frames for header in headers)]
        self.n_left_out = len(links) - len(headers)
        self.header = replace(headers[0], n_frames=self._starts[-1])
        self._decoder = None
        self.seek(0)

    def seek(self, frame):
        """Go to a frame."""
        number = np.searchsorted(self._starts, frame, "right") - 1
        self._go_to(min(int(number), len(self._links) - 1))
        inside = frame - self._starts[self._number]
        if inside:
            self._decoder.seek(inside)

    def _go_to(self, number):
        self.close()
        self._number = number
        self._decoder = _open_link(self.path, self._links[number])

    def read(self, n_frames):
        """Decode the next frames: (n_read, n_channels), fewer only at the end."""
        blocks = [self._decoder.read(n_frames)]
        n_missing = n_frames - len(blocks[0])
        while n_missing and self._number + 1 < len(self._links):
            self._go_to(self._number + 1)
            blocks.append(self._decoder.read(n_missing))
            n_missing -= len(blocks[-1])
        return blocks[0] if len(blocks) == 1 else np.concatenate(blocks)

    def met_damage(self):
        """Return whether pages of the recording that is open were passed over."""
        return self._decoder.met_damage()

    def close(self):
        """Close the file."""
        if self._decoder is not None:
            self._decoder.close()


def _read_headers(path, links):
    """Return the headers of the links that make one recording; the first must."""
    headers = []
    for link in links:
        try:
            decoder = _open_link(path, link)
        except AudioReadError:
            if not headers:
                raise
            break
        decoder.close()
        if headers and _format(decoder.header) != _format(headers[0]):
            break
        headers.append(decoder.header)
    return headers


def _open_link(path, link):
    is_stretch = isinstance(link[0], int)
    return SndfileDecoder(path, (link,) if is_stretch else link)


def _format(header):
    return header.sample_rate, header.n_channels
