"""Decode what libsndfile reads."""

import os

import numpy as np
import soundfile

from skbird.audio._audio_header import AudioHeader, AudioReadError
from skbird.audio._decode._spliced import SplicedFile

_SKIPPED = 2**16
_HOLE = "reports a hole"  # in what libsndfile notes of Ogg files
# Frames to decode before what is sought: blocks of Vorbis overlap by so many at most.
# MP3 and Opus remember more, but what leads to a frame may lie over damage, which
# shifts what is behind.
_VORBIS_FRAMES = 2**13


class SndfileDecoder:
    """A file open in libsndfile.

    Parameters
    ----------
    path : str
        The file.
    parts : sequence of bytes or (int, int)
        What of it is read, see `SplicedFile`; the file as it is if there are none.
    is_sequential : bool
        Whether a seek would go astray, so that one decodes from the beginning.

    Attributes
    ----------
    header : AudioHeader
        As libsndfile has it, true or not.

    Raises
    ------
    AudioReadError
        If libsndfile does not read it.
    """

    def __init__(self, path, parts=(), *, is_sequential=False):
        self.path = path
        self._parts = parts
        self._is_sequential = is_sequential
        self._source = self._file = None
        self._open()
        self.header = AudioHeader(
            self._file.samplerate, self._file.frames, self._file.channels
        )

    def _open(self):
        self.close()
        try:
            self._source = SplicedFile(self.path, self._parts) if self._parts else None
            self._file = _Stream(self._source or _name(self.path))
        except OSError as exc:
            raise AudioReadError(
                f"{self.path} cannot be read: {exc.strerror}."
            ) from exc
        except soundfile.LibsndfileError as exc:
            self.close()
            raise AudioReadError(
                f"{self.path} is not an audio file that libsndfile can read: "
                f"{exc.error_string}"
            ) from exc
        self._position = 0

    def read(self, n_frames):
        """Decode the next frames: (n_read, n_channels), fewer only at the end."""
        try:
            block = self._file.read(n_frames, dtype="float32", always_2d=True)
        except soundfile.LibsndfileError as exc:
            self._position = np.inf  # nobody knows; from here, no way leads forward
            raise AudioReadError(f"Cannot decode {self.path}: {exc}") from exc
        self._position += len(block)
        return block

    def seek(self, frame):
        """Go to a frame, so that the same samples follow as if all were decoded."""
        before = max(frame - self._pre_roll, 0)
        is_near = before <= self._position <= frame and self._pre_roll > 0
        is_near = is_near and not self.met_damage()
        if not (self._is_sequential or is_near):
            self._jump(before)
        self._go_forward(frame)
        if self._pre_roll and not self._is_sequential and self.met_damage():
            # Frames were lost on the way: this leads to the right one.
            self._open()
            self._jump(frame)
            self._go_forward(frame)

    def _jump(self, frame):
        try:
            self._file.seek(frame)
            self._position = frame
        except soundfile.LibsndfileError:
            # Of files cut short; what lies before can be decoded all the same.
            self._position = np.inf

    def _go_forward(self, frame):
        if frame < self._position:
            self._open()
        while self._position < frame:
            if not len(self.read(min(frame - self._position, _SKIPPED))):
                break

    @property
    def _pre_roll(self):
        return _VORBIS_FRAMES if self._file.subtype == "VORBIS" else 0

    def met_damage(self):
        """Whether libsndfile has passed over pages of an Ogg file since it was opened.

        It reads on behind them as if nothing were missing.
        """
        return self._file.format == "OGG" and _HOLE in self._file.extra_info

    def close(self):
        """Close the file."""
        for file in (self._file, self._source):
            if file is not None:
                file.close()


def _name(path):
    # soundfile refuses text that is not UTF-8, and takes bytes as they are.
    return path if os.name == "nt" else os.fsencode(path)


class _Stream(soundfile.SoundFile):
    def seekable(self):
        # Of seekable files, soundfile reads no more than the header promises and seeks
        # after each read, which loses what it has read just before a false end.
        return False
