"""The result of a look at a container whose header is wrong."""

from dataclasses import dataclass

# Recordings in a file that are opened; another stands for all the others.
MAX_LINKS = 1000
UNREADABLE = (b"",)


@dataclass(frozen=True)
class Finding:
    """Instructions to open a file whose header cannot be believed.

    Parameters
    ----------
    parts : tuple of bytes or (int, int)
        The mended file: bytes as given, and stretches of the file from an offset to
        another.
    promised, held : float or None
        What the header promises and what the file holds, in one unit, whichever.
        `promised` None: the header does not say. `held` None: only decoding can tell;
        `promised` is in frames then.
    is_sequential : bool
        Whether a seek in this file would go astray.
    links : tuple of (int, int), or of tuples like `parts`
        Instead of `parts`: stretches, or mended files, that are recordings by
        themselves, to be read one after another.
    promised_rate : int or None
        Frames per second in which `promised` counts; None: as many as the file has.
    gaps : tuple of (int, int)
        Damaged places: the first frame of each, and the one after its last. `parts` are
        the whole of the file if there are none.
    late : int
        By how many samples, in which `promised_rate` counts, seeks land too late.
    note : str
        How it is seen that the file was cut short; "" if it is not.
    """

    parts: tuple = ()
    promised: float | None = None
    held: float | None = None
    is_sequential: bool = False
    links: tuple = ()
    promised_rate: int | None = None
    gaps: tuple = ()
    late: int = 0
    note: str = ""
