"""Read audio files: headers, stretches, and many stretches of one file in one go."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from joblib import Parallel, delayed

from skbird.utils._progress import progress_bar

# No recorder writes less; a damaged header that says so would make a row of hours.
_MIN_SAMPLE_RATE = 100
# Float files may exceed full scale, but not by this: such samples are damage.
_MAX_SAMPLE = 1e6


class AudioReadError(ValueError):
    """A recording, or a stretch of one, cannot be read.

    The message names the file, the reason and the remedy.
    """


@dataclass(frozen=True)
class AudioHeader:
    """What a file says of itself before anything is decoded."""

    sample_rate: int
    n_frames: int
    n_channels: int

    @property
    def duration_s(self):
        """Length of the recording in seconds."""
        return self.n_frames / self.sample_rate


def read_headers(paths, *, n_jobs=-1, verbose=False):
    """Read the headers of many files, in threads.

    Parameters
    ----------
    paths : sequence of str
        The files.
    n_jobs : int
        Threads.
    verbose : bool
        Whether to show a progress bar, if it takes longer than a second.

    Returns
    -------
    list of AudioHeader or AudioReadError
        In the order of `paths`: the header, or what is wrong with the file.
    """

    def attempt(path):
        try:
            return read_header(path)
        except AudioReadError as exc:
            return exc

    headers = Parallel(n_jobs, prefer="threads", return_as="generator")(
        delayed(attempt)(path) for path in paths
    )
    options = {"desc": "headers", "unit": "file", "delay": 1, "verbose": verbose}
    return list(progress_bar(headers, total=len(paths), **options))


def read_header(path):
    """Read the header of an audio file.

    Parameters
    ----------
    path : str or path-like
        A file in any format that libsndfile reads (wav, flac, ogg, opus, mp3, ...).

    Returns
    -------
    AudioHeader
        Sample rate in Hz, number of frames (samples per channel), channels.

    Raises
    ------
    AudioReadError
        If the file is missing, is a directory, is not audio or holds no samples.
    """
    with AudioFile(path) as audio:
        return audio.header


class AudioFile:
    """An open recording whose stretches are read in order, each sample decoded once.

    Successive calls of `read` may overlap, as rows with overlapping stretches do: what
    two of them share is kept from the first. Going back further than that seeks.

    Parameters
    ----------
    path : str or path-like
        The recording.

    Raises
    ------
    AudioReadError
        If the file is missing, is a directory, is not audio or holds no samples.
    """

    # Decoding this much audio that nobody wants is cheaper than a seek, which costs
    # ogg and mp3 a search for the page.
    _max_skip_s = 2.0

    def __init__(self, path):
        self.path = str(path)
        self._file = _open(self.path)
        self.header = AudioHeader(
            self._file.samplerate, self._file.frames, self._file.channels
        )
        if self.header.n_frames == 0:
            self._file.close()
            raise AudioReadError(f"{self.path} holds no samples (zero frames).")
        if self.header.sample_rate < _MIN_SAMPLE_RATE:
            self._file.close()
            raise AudioReadError(
                f"{self.path} claims a sample rate of {self.header.sample_rate} Hz; at "
                f"least {_MIN_SAMPLE_RATE} are needed. Its header is damaged."
            )
        self._position = 0  # next frame the decoder yields
        self._kept = np.empty(0, np.float32)  # the samples just before it

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self._file.close()

    def read(self, start, stop):
        """Read frames `start` to `stop`, mixed to mono.

        Parameters
        ----------
        start, stop : int
            First frame, and the one after the last. `stop` may lie past the end.

        Returns
        -------
        ndarray of shape (n_samples,), float32
            Full scale is 1. Shorter than asked, and perhaps empty, if the recording
            ends before `stop`: headers of truncated files promise too much.

        Raises
        ------
        AudioReadError
            If decoding fails, or samples are NaN, infinite or absurdly large. The file
            must be opened anew after that.
        """
        try:
            first_kept = self._position - len(self._kept)
            if first_kept <= start <= self._position:
                head = self._kept[start - first_kept : max(stop - first_kept, 0)]
            else:
                self._move_to(start)
                head = np.empty(0, np.float32)
            samples = self._append(head, start, stop)
        except soundfile.LibsndfileError as exc:
            raise AudioReadError(f"Cannot decode {self.path}: {exc}") from exc
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
        block = self._file.read(n_missing, dtype="float32", always_2d=True)
        tail = block[:, 0] if block.shape[1] == 1 else block.mean(axis=1)
        self._position += len(tail)
        self._kept = np.concatenate([head, tail]) if len(head) else tail
        return self._kept

    def _move_to(self, frame):
        gap = frame - self._position
        if 0 <= gap <= self._max_skip_s * self.header.sample_rate:
            self._position += len(self._file.read(gap, dtype="float32"))
        else:
            self._position = self._file.seek(min(frame, self.header.n_frames))
        self._kept = np.empty(0, np.float32)


def _open(path):
    # Unlike Path.exists, this raises nothing for names that no file can have.
    if os.path.isdir(path):
        raise AudioReadError(f"{path} is a directory, not an audio file.")
    if not os.path.exists(path):
        where = "" if os.path.isabs(path) else f" (seen from {Path.cwd()})"
        raise AudioReadError(f"{path} does not exist{where}.")
    if os.path.isfile(path) and os.path.getsize(path) == 0:
        raise AudioReadError(f"{path} is empty: 0 bytes.")
    if path.lower().endswith(".raw"):
        raise AudioReadError(
            f"{path} holds samples without a header: nobody knows at which rate. Write "
            "it as .wav or .flac."
        )
    try:
        return soundfile.SoundFile(path)
    except soundfile.LibsndfileError as exc:
        raise AudioReadError(
            f"{path} is not an audio file that libsndfile can read: {exc.error_string}"
        ) from exc


def read_audio(path, start_s=0.0, end_s=None):
    """Read a stretch of a recording, mixed to mono.

    Parameters
    ----------
    path : str or path-like
        The recording.
    start_s, end_s : float
        The stretch in seconds; `end_s` None or NaN means to the end.

    Returns
    -------
    samples : ndarray of shape (n_samples,), float32
        Full scale is 1.
    sample_rate : int
        In Hz, as the file has it.

    Raises
    ------
    AudioReadError
        If the stretch cannot be read.
    """
    with AudioFile(path) as audio:
        start, stop = stretch_frames(audio.header, start_s, end_s)
        samples = audio.read(start, stop)
        if len(samples) == 0:
            raise no_samples(path, start_s)
        return samples, audio.header.sample_rate


def no_samples(path, start_s):
    """Make the error for a row that starts where its recording holds nothing."""
    return AudioReadError(
        f"{path} has no samples after {start_s:g} s, where a row starts. It is "
        "truncated, or the table belongs to another file."
    )


def stretch_frames(header, start_s, end_s):
    """Return the first frame of a stretch and the one after its last."""
    start = round(start_s * header.sample_rate)
    if end_s is None or not np.isfinite(end_s):
        return start, header.n_frames
    return start, min(round(end_s * header.sample_rate), header.n_frames)
