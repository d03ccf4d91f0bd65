"""Open recordings with whatever reads them."""

import errno
import os
import stat
from pathlib import Path

from skbird.data._audio_header import AudioReadError
from skbird.data._sndfile import SndfileDecoder

# No recorder of wildlife, from whales to bats, is outside of these; a damaged header
# may say anything, and one wrong rate makes a row of hours.
_SAMPLE_RATES = 100, 4_000_000
_MAX_CHANNELS = 256
_NO_SUCH_FILE = {errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG}


def open_decoder(path):
    """Open a recording.

    Parameters
    ----------
    path : str

    Returns
    -------
    SndfileDecoder

    Raises
    ------
    AudioReadError
        If the file is missing, no regular file or not audio.
    """
    _check_file(path)
    decoder = SndfileDecoder(path, path)
    try:
        _check_header(path, decoder.header)
    except AudioReadError:
        decoder.close()
        raise
    return decoder


def _check_file(path):
    """Refuse what is no file before it is opened: a FIFO waits for ever."""
    try:
        found = os.stat(path)
    except (OSError, ValueError) as exc:  # ValueError: no file can have such a name
        if getattr(exc, "errno", errno.ENOENT) not in _NO_SUCH_FILE:
            raise AudioReadError(f"{path} cannot be read: {exc.strerror}.") from exc
        where = "" if os.path.isabs(path) else f" (seen from {Path.cwd()})"
        raise AudioReadError(f"{path} does not exist{where}.") from exc
    if stat.S_ISDIR(found.st_mode):
        raise AudioReadError(f"{path} is a directory, not an audio file.")
    if not stat.S_ISREG(found.st_mode):
        raise AudioReadError(f"{path} is a pipe, device or socket, not an audio file.")
    if found.st_size == 0:
        raise AudioReadError(f"{path} is empty: 0 bytes.")
    if path.lower().endswith(".raw"):
        raise AudioReadError(
            f"{path} holds samples without a header: nobody knows at which rate. Write "
            "it as .wav or .flac."
        )


def _check_header(path, header):
    lowest, highest = _SAMPLE_RATES
    if not lowest <= header.sample_rate <= highest:
        raise AudioReadError(
            f"{path} claims a sample rate of {header.sample_rate} Hz; {lowest} to "
            f"{highest} are possible. Its header is damaged."
        )
    if header.n_channels > _MAX_CHANNELS:
        raise AudioReadError(
            f"{path} claims {header.n_channels} channels; at most {_MAX_CHANNELS} are "
            "possible. Its header is damaged."
        )
    if header.n_frames == 0:
        raise AudioReadError(f"{path} holds no samples (zero frames).")
