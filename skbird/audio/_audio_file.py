"""Read many stretches of one recording in one go."""

import warnings

import numpy as np

from skbird.audio._audio_header import AudioReadError
from skbird.audio._channels import Mixer
from skbird.audio._decode import loses_time, open_decoder
from skbird.utils._names import existing_path, printable_path
from skbird.utils._text import counted

# Float files may exceed full scale, but not by this: such samples are damage.
_MAX_SAMPLE = 1e6
# Values, all channels together, that are decoded before they are mixed.
_BLOCK_VALUES = 2**24
# Coders end a few samples sooner or later than headers say.
_TOLERANCE_S = 0.1


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
        Header with the length that can be read, whatever the file promises.
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
        self._is_close = False  # whether it is known where the file is damaged
        # libmpg123 passes over damage without a word.
        self._may_lose_time = self._decoder.seeks_blindly
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
        # To look at the file costs about a fiftieth of what the decoding of all of it
        # does, once.
        if self._may_lose_time and not self._is_close:
            self._may_lose_time = False
            if loses_time(self._existing_path):
                self._look_closely()
        try:
            samples = self._read(start, stop)
        except AudioReadError:
            if self._is_close:
                raise
            self._look_closely()
            samples = self._read(start, stop)
        lowest, highest = samples.min(initial=0), samples.max(initial=0)
        if not -_MAX_SAMPLE < lowest <= highest < _MAX_SAMPLE:  # neither if NaN
            damaged = np.count_nonzero(~(np.abs(samples) < _MAX_SAMPLE))
            raise AudioReadError(
                f"{self.path} holds "
                f"{counted(damaged, 'sample that is', 'samples that are')} NaN, "
                "infinite or absurdly large."
            )
        return samples

    def _look_closely(self):
        """Open the file anew, and find out what of it is damaged."""
        self._is_close = True
        self._decoder.close()
        self._decoder = open_decoder(self._existing_path, closely=True)
        self._position, self._kept = 0, np.empty(0, np.float32)
        header = self._decoder.header
        if header.note != self.header.note:
            warnings.warn(f"{self.path}: {header.note}", stacklevel=2)
        self.header = header

    def _read(self, start, stop):
        stop = min(stop, self.header.n_frames)
        first_kept = self._position - len(self._kept)
        if first_kept <= start <= self._position:
            head = self._kept[start - first_kept : max(stop - first_kept, 0)]
        else:
            self._move_to(start)
            head = np.empty(0, np.float32)
        return self._append(head, start, stop)

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
        position = self._position
        while n_frames > 0:
            wanted = min(n_frames, longest)
            block = self._decoder.read(wanted)
            position += len(block)
            self._check_whole(position, len(block) < wanted)
            yield block
            n_frames = n_frames - wanted if len(block) == wanted else 0

    def _check_whole(self, position, is_end):
        """Refuse an end before the end, and what lies behind lost pages."""
        missing_s = (self.header.n_frames - position) / self.header.sample_rate
        is_early = is_end and missing_s > _TOLERANCE_S
        if is_early or (not self._is_close and self._decoder.met_damage()):
            end_s = position / self.header.sample_rate
            raise AudioReadError(
                f"Cannot decode {self.path} behind {end_s:.2f} s, though its header "
                f"says {self.header.duration_s:.2f} s: it is damaged there."
            )

    def _move_to(self, frame):
        gap = frame - self._position
        is_near = 0 <= gap <= self._max_skip_s * self.header.sample_rate
        if not (is_near and self._skip(gap)):
            if frame and self._decoder.seeks_blindly and not self._is_close:
                self._look_closely()
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
