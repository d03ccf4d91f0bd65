"""Decode what libsndfile reads."""

import os

import numpy as np
import soundfile

from skbird.audio._audio_header import AudioHeader, AudioReadError
from skbird.audio._decode._opus import OPUS_RATE
from skbird.audio._decode._spliced import SplicedFile

_SKIPPED = 2**16
_HOLE = "reports a hole"  # in what libsndfile notes of Ogg files
# Decoders carry over what came before, so that seeks begin to decode earlier, by so
# many frames, or seconds. Blocks of Vorbis overlap by 8192 frames at most. MP3 borrows
# up to 511 bytes from the frames before: 9 of the shortest; at low sample rates up to
# 255, 85 of the shortest. What Opus predicts from fades, to the last bit in 5 s.
_VORBIS_FRAMES, _MPEG_FRAMES, _LOW_MPEG_FRAMES, _OPUS_S = 2**13, 2**14, 2**16, 5
_LOW_MPEG_RATE = 24_000
# libmpg123 adds in another order, in a cycle of four of its frames of 1152 or 576.
_MPEG_CYCLE = 4 * 1152


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
    late : int
        By how many samples of `OPUS_RATE` libsndfile's seeks land too late.

    Attributes
    ----------
    header : AudioHeader
        As libsndfile has it, true or not.

    Raises
    ------
    AudioReadError
        If libsndfile does not read it.
    """

    def __init__(self, path, parts=(), *, is_sequential=False, late=0):
        self.path = path
        self._parts = parts
        self._is_sequential = is_sequential
        self._source = self._file = None
        self._met_damage = False
        self._open()
        self.header = AudioHeader(
            self._file.samplerate, self._file.frames, self._file.channels
        )
        self._late = -(-late * self._file.samplerate // OPUS_RATE)

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

    def seek(self, frame, earliest=0):
        """Go to a frame, so that the same samples follow as if all were decoded.

        Those of mp3 files may differ by 1.2e-7 of full scale, in the last bit, as
        libmpg123 adds in another order; those of Opus files of a low bitrate by 1e-4,
        rarely, where what was predicted fades slowly.

        Parameters
        ----------
        frame : int
        earliest : int
            What lies before this frame is damaged, and no help to decode.
        """
        if self._is_sequential:
            self._go_forward(frame)
            return
        lead = self._lead
        begin = max(frame - lead, min(earliest, frame), 0)
        is_near = lead > 0 and begin <= self._position <= frame
        try:
            if not is_near or self._is_past_hole():
                self._jump(begin)
            self._go_forward(frame)
            if not (lead and self._is_past_hole()):
                return
        except AudioReadError:
            if not lead:
                raise
        # Frames were lost on the way: this leads to the right one.
        self._met_damage = True
        self._open()
        self._jump(frame)
        self._go_forward(frame)

    def _jump(self, frame):
        if self._lead and frame <= self._late:
            self._open()
            return
        if self._file.subtype.startswith("MPEG"):
            frame -= frame % _MPEG_CYCLE
        try:
            self._file.seek(frame - self._late)
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
    def seeks_blindly(self):
        """True if seeks may go astray unnoticed because part of a file is lost."""
        subtype = self._file.subtype
        return subtype in ("OPUS", "MPEG_LAYER_III") and not self._is_sequential

    @property
    def _lead(self):
        """Number of frames to decode before the frame that is sought."""
        subtype, rate = self._file.subtype, self._file.samplerate
        if subtype.startswith("MPEG"):
            return _LOW_MPEG_FRAMES if rate <= _LOW_MPEG_RATE else _MPEG_FRAMES
        if subtype == "OPUS":
            return _OPUS_S * rate
        return _VORBIS_FRAMES if subtype == "VORBIS" else 0

    def met_damage(self):
        """Return whether it is known that frames of the file were lost.

        libsndfile passes over pages of Ogg files, and reads on behind them as if
        nothing were missing.
        """
        return self._met_damage or self._is_past_hole()

    def _is_past_hole(self):
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
