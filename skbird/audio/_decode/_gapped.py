"""Decode around places of a recording that are damaged."""

from dataclasses import replace

import numpy as np

from skbird.audio._audio_header import AudioReadError
from skbird.audio._decode._gaps import SHORT_S, gaps_note


class GappedDecoder:
    """A decoder that keeps away from damaged places, behind which times stay true.

    Parameters
    ----------
    decoder : SndfileDecoder
    gaps : sequence of (int, int)
        First frame of each damaged place, and the one after its last; in order.

    Attributes
    ----------
    header : AudioHeader
    """

    seeks_blindly = False

    def __init__(self, decoder, gaps):
        self._decoder = decoder
        self.path = decoder.path
        n_frames = decoder.header.n_frames
        self._gaps = [(a, min(b, n_frames)) for a, b in gaps if a < n_frames]
        self.header = decoder.header
        if self._gaps:
            note = gaps_note(self._gaps, self.header.sample_rate)
            note = f"{self.header.note} {note}".lstrip()
            self.header = replace(self.header, note=note, is_cut=True)
        self._position = 0

    def read(self, n_frames):
        """Decode the next frames: (n_read, n_channels), fewer only at the end.

        Short gaps are silence.

        Raises
        ------
        AudioReadError
            If there is a longer gap among them, or decoding fails.
        """
        stop = min(self._position + n_frames, self.header.n_frames)
        self._check(stop)
        blocks = [np.empty((0, self.header.n_channels), np.float32)]
        for first, end in self._gaps:
            if end <= self._position or first >= stop:
                continue
            if self._position < first:
                blocks.append(self._decode(first - self._position))
            if self._position < first:
                break  # it ends before its header says
            silent = min(end, stop) - self._position
            blocks.append(np.zeros((silent, self.header.n_channels), np.float32))
            self.seek(self._position + silent)
        else:
            if self._position < stop:
                blocks.append(self._decode(stop - self._position))
        return blocks[1] if len(blocks) == 2 else np.concatenate(blocks)

    def _check(self, stop):
        rate = self.header.sample_rate
        for first, end in self._gaps:
            if end > self._position and first < stop and end - first > SHORT_S * rate:
                raise AudioReadError(
                    f"Cannot decode {self.path} from {first / rate:.2f} to "
                    f"{end / rate:.2f} s: it is damaged there."
                )

    def _decode(self, n_frames):
        block = self._decoder.read(n_frames)
        self._position += len(block)
        return block

    def seek(self, frame):
        """Go to a frame; within a gap, to its silence."""
        self._position = frame
        if not any(first <= frame < stop for first, stop in self._gaps):
            before = [stop for _, stop in self._gaps if stop <= frame]
            self._decoder.seek(frame, max(before, default=0))

    def met_damage(self):
        """Return False: it is known where the damage is."""
        return False

    def close(self):
        """Close the file."""
        self._decoder.close()
