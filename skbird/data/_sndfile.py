"""Decode what libsndfile reads."""

import soundfile

from skbird.data._audio_header import AudioHeader, AudioReadError


class SndfileDecoder:
    """A file open in libsndfile.

    Parameters
    ----------
    path : str
        What messages call the file.
    source : str or file object
        What is opened.

    Attributes
    ----------
    header : AudioHeader
        As the file has it, true or not.

    Raises
    ------
    AudioReadError
        If it is no file that libsndfile reads.
    """

    def __init__(self, path, source):
        self.path = path
        try:
            self._file = _Stream(source)
        except soundfile.LibsndfileError as exc:
            raise AudioReadError(
                f"{path} is not an audio file that libsndfile can read: "
                f"{exc.error_string}"
            ) from exc
        self.header = AudioHeader(
            self._file.samplerate, self._file.frames, self._file.channels
        )

    def read(self, n_frames):
        """Decode the next frames: (n_read, n_channels), fewer only at the end."""
        try:
            return self._file.read(n_frames, dtype="float32", always_2d=True)
        except soundfile.LibsndfileError as exc:
            raise AudioReadError(f"Cannot decode {self.path}: {exc}") from exc

    def seek(self, frame):
        """Go to a frame."""
        try:
            self._file.seek(frame)
        except soundfile.LibsndfileError as exc:
            raise AudioReadError(f"Cannot decode {self.path}: {exc}") from exc

    def close(self):
        """Close the file."""
        self._file.close()


class _Stream(soundfile.SoundFile):
    def seekable(self):
        # Of seekable files, soundfile reads no more than the header promises and seeks
        # after each read, which loses what it has read just before a false end.
        return False
