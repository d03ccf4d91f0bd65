"""The header of a recording, and the error if it cannot be read."""

from dataclasses import dataclass

from skbird.utils._names import printable_path


class AudioReadError(ValueError):
    """A recording, or a stretch of one, cannot be read.

    The message names the file, the reason and the remedy.

    Examples
    --------
    >>> from skbird.audio import AudioReadError, read_header
    >>> try:
    ...     read_header("gone.wav")
    ... except AudioReadError as error:
    ...     print(str(error)[:23])
    gone.wav does not exist
    """

    def __init__(self, message: str) -> None:
        super().__init__(printable_path(message))  # it names a file


@dataclass(frozen=True)
class AudioHeader:
    """Sample rate, length and channels of a recording, known before it is decoded.

    Parameters
    ----------
    sample_rate : int
        In Hz.
    n_frames : int
        Samples per channel that can be read.
    n_channels : int
    note : str, default=""
        What was assumed because the file's own header cannot be true, or what part of
        its sound is lost; "" if all is well.
    is_cut : bool, default=False
        Whether sound that the header promises, or that follows, cannot be read.

    Examples
    --------
    >>> from skbird.audio import AudioHeader
    >>> AudioHeader(sample_rate=32_000, n_frames=160_000, n_channels=1).duration_s
    5.0
    """

    sample_rate: int
    n_frames: int
    n_channels: int
    note: str = ""
    is_cut: bool = False

    @property
    def duration_s(self) -> float:
        """Length of the recording in seconds."""
        return self.n_frames / self.sample_rate
