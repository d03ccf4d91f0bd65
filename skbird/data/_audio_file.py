"""Read many stretches of one recording in one go."""

import numpy as np

from skbird.data._audio_header import AudioReadError
from skbird.data._channels import Mixer
from skbird.data._decode import open_decoder
from skbird.utils._names import existing_path, printable_path

# Float files may exceed full scale, but not by this: such samples are damage.
_MAX_SAMPLE = 1e6
# Values, all channels together, that are decoded before they are mixed.
_BLOCK_VALUES = 2**24


class AudioFile:
    """An open recording whose stretches are read in order, each sample decoded once.

    Successive calls of `read` may overlap, as rows with overlapping stretches do: what
    two of them share is kept from the first. Going back further than that seeks.

    Parameters
    ----------
    path : str or path-like
        The recording.
    channels : {"mean", "loudest"} or int, default="mean"
        Which channels are heard, see :class:`skbird.preprocessing.Resampler`.

    Attributes
    ----------
    header : AudioHeader
        Its length is what can be read, whatever the file promises.
    mixer : Mixer
        Says whether the channels that were read cancel each other.

    Raises
    ------
    AudioReadError
        If the file is missing, is a directory, is not audio or holds no samples, or
        has no such channel.
    """

    # Decoding this much audio that nobody wants is cheaper than a seek, which costs
    # ogg and mp3 a search for the page.
    _max_skip_s = 2.0

    def __init__(self, path, channels="mean"):
        self.path = printable_path(str(path))
        self._existing_path = existing_path(self.path)
        self._decoder = open_decoder(self._existing_path)
        self.header = self._decoder.header
        try:
            self.mixer = Mixer(self._existing_path, self.header, channels)
        except BaseException:  # a decoder left open is a file left open
            self._decoder.close()
            raise
        self._position = 0  # next frame the decoder yields
        self._kept = np.empty(0, np.float32)  # the samples just before it

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self._decoder.close()

    def read(self, start, stop):
        """Read frames `start` to `stop`, of one channel or mixed.

        Parameters
        ----------
        start, stop : int
            First frame, and the one after the last. `stop` may lie past the end.

        Returns
        -------
        ndarray of shape (n_samples,), float32
            Full scale is 1. Shorter than asked, and perhaps empty, if the recording
            ends before `stop`.

        Raises
        ------
        AudioReadError
            If decoding fails, or samples are NaN, infinite or absurdly large. The file
            must be opened anew after that.
        """
        stop = min(stop, self.header.n_frames)
        first_kept = self._position - len(self._kept)
        if first_kept <= start <= self._position:
            head = self._kept[start - first_kept : max(stop - first_kept, 0)]
        else:
            self._move_to(start)
            head = np.empty(0, np.float32)
        samples = self._append(head, start, stop)
        lowest, highest = samples.min(initial=0), samples.max(initial=0)
        if not -_MAX_SAMPLE < lowest <= highest < _MAX_SAMPLE:  # neither if NaN
            damaged = np.count_nonzero(~(np.abs(samples) < _MAX_SAMPLE))
            raise AudioReadError(
                f"{self.path} holds {damaged} samples that are NaN, infinite or "
                "absurdly large."
            )
        return samples

    def _append(self, head, start, stop):
        n_missing = stop - start - len(head)
        if n_missing <= 0:
            return head
        tail = [self.mixer(block) for block in self._decode(n_missing)]
        self._position += sum(map(len, tail))
        parts = [head, *tail] if len(head) else tail
        self._kept = parts[0] if len(parts) == 1 else np.concatenate(parts)
        return self._kept

    def _decode(self, n_frames):
        """Yield blocks of frames, so that all channels are never held at once."""
        longest = max(_BLOCK_VALUES // self.header.n_channels, 1)
        while n_frames > 0:
            wanted = min(n_frames, longest)
            block = self._decoder.read(wanted)
            yield block
            n_frames = n_frames - wanted if len(block) == wanted else 0

    def _move_to(self, frame):
        gap = frame - self._position
        is_near = 0 <= gap <= self._max_skip_s * self.header.sample_rate
        if not (is_near and self._skip(gap)):
            self._position = min(frame, self.header.n_frames)
            self._decoder.seek(self._position)
        self._kept = np.empty(0, np.float32)

    def _skip(self, n_frames):
        """Decode frames that nobody wants; return whether none of them is damaged."""
        try:
            self._position += sum(len(block) for block in self._decode(n_frames))
        except AudioReadError:
            self._decoder.close()
            self._decoder = open_decoder(self._existing_path)
            return False
        return True
