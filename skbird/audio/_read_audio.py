"""Read headers of recordings, and stretches of them."""

import warnings
from numbers import Real

import numpy as np
from joblib import Parallel, delayed

from skbird.audio._audio_file import AudioFile
from skbird.audio._audio_header import AudioHeader, AudioReadError
from skbird.audio._channels import check_channels, warn_of_cancelled
from skbird.utils._params import check_path
from skbird.utils._progress import progress_bar
from skbird.utils._text import counted
from skbird.utils._typing import Channels, PathLike


def read_headers(paths, *, n_jobs=-1, verbose=0):
    """Read the headers of many files, in threads.

    Parameters
    ----------
    paths : sequence of str
        The files.
    n_jobs : int
        Threads.
    verbose : int
        Whether to show a progress bar, if it takes longer than a second.

    Returns
    -------
    list of AudioHeader or AudioReadError
        In the order of `paths`: the header, or what is wrong with the file.

    Warns
    -----
    UserWarning
        If headers cannot be true, so that something was assumed, or not all sound of
        files is heard.
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
    headers = list(progress_bar(headers, total=len(paths), **options))
    _warn_of_notes(paths, headers)
    return headers


def _warn_of_notes(paths, headers):
    noted = {}
    for path, header in zip(paths, headers, strict=True):
        if getattr(header, "note", ""):  # errors have none
            noted.setdefault(_kind_of(header), []).append(f"{path}: {header.note}")
    for kind, notes in noted.items():
        # From this line, so that the same text is printed once, whoever asks again.
        warnings.warn(
            f"{kind} in {len(notes)} of {counted(len(paths), 'file')}; the first: "
            f"{notes[0]}",
            stacklevel=1,
        )


def _kind_of(header):
    """Say what is the matter with files whose note is of this kind."""
    if header.note.startswith("Its header"):
        return "The header is not believed"
    return "Some sound is lost" if header.is_cut else "Further sound is not heard"


def cut_short(paths, headers):
    """Return path and note of the files of which not all sound can be read."""
    return [
        (path, header.note)
        for path, header in zip(paths, headers, strict=True)
        if getattr(header, "is_cut", False)
    ]


def read_header(path: PathLike) -> AudioHeader:
    """Read the header of an audio file.

    Parameters
    ----------
    path : str or path-like
        A file in any format that libsndfile reads (wav, flac, ogg, opus, mp3, ...), or
        FFmpeg (m4a, wma, webm, ...; needs ``pip install 'skbird[formats]'``).

    Returns
    -------
    AudioHeader
        Sample rate in Hz, number of frames (samples per channel) that can be read,
        channels; in ``note`` what was assumed where the file's own header cannot be
        true. Then, and in formats that FFmpeg reads, the file is decoded to find its
        length, once in a process.

    Raises
    ------
    AudioReadError
        If the file is missing, is a directory, is not audio or holds no samples.

    Examples
    --------
    >>> import numpy as np, soundfile, tempfile
    >>> from pathlib import Path
    >>> from skbird.audio import read_header
    >>> path = Path(tempfile.mkdtemp()) / "frog.wav"
    >>> soundfile.write(path, np.zeros(7 * 8000), 8000)
    >>> header = read_header(path)
    >>> header.sample_rate, header.duration_s
    (8000, 7.0)
    """
    with AudioFile(check_path(path)) as audio:
        return audio.header


def read_audio(
    path: PathLike,
    start_s: float = 0.0,
    end_s: float | None = None,
    *,
    channels: Channels = "mean",
) -> tuple[np.ndarray, int]:
    """Read a stretch of a recording, of one channel or mixed.

    Parameters
    ----------
    path : str or path-like
        The recording.
    start_s : float >= 0, default=0.0
        Where the stretch begins, in seconds.
    end_s : float > `start_s` or None, default=None
        Where it ends; None, NaN or infinite means with the recording.
    channels : {"mean", "loudest"} or int, default="mean"
        Which channels are heard, see :class:`skbird.preprocessing.Resampler`.

    Returns
    -------
    samples : ndarray of shape (n_samples,), float32
        Full scale is 1.
    sample_rate : int
        In Hz, as the file has it.

    Raises
    ------
    AudioReadError
        If the stretch cannot be read, or there is no such channel.
    ValueError
        If `end_s` is not after `start_s`, or `channels` is none of these.

    Warns
    -----
    UserWarning
        If the mean of the channels is far below the loudest of them.

    Examples
    --------
    >>> import numpy as np, soundfile, tempfile
    >>> from pathlib import Path
    >>> from skbird.audio import read_audio
    >>> path = Path(tempfile.mkdtemp()) / "frog.wav"
    >>> soundfile.write(path, np.zeros(7 * 8000), 8000)
    >>> samples, sample_rate = read_audio(path, start_s=5.0)
    >>> samples.shape, sample_rate
    ((16000,), 8000)
    """
    check_path(path)
    if not isinstance(start_s, Real) or not 0 <= start_s < np.inf:
        raise ValueError(
            f"start_s={start_s!r} must be a number of seconds, at least 0."
        )
    if end_s is not None and (not isinstance(end_s, Real) or end_s <= start_s):
        raise ValueError(
            f"end_s={end_s!r} must be above start_s={start_s}, in seconds."
        )
    with AudioFile(path, check_channels(channels)) as audio:
        end_s = None if end_s is None else float(end_s)
        start, stop = stretch_frames(audio.header, float(start_s), end_s)
        samples = audio.read(start, stop)
        if len(samples) == 0:
            raise no_samples(path, start_s)
        if audio.mixer.cancels:
            warn_of_cancelled([audio.path], stacklevel=2)
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
