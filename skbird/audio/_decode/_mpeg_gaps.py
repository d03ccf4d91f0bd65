"""Walk through the frames of an mp3 file, and put silence where some are damaged.

libmpg123 gives up where it finds no frame for some time. A view of the file in which
frames of silence stand in the place of those is decoded to its end.
"""

import mmap
from dataclasses import dataclass

from skbird.audio._audio_header import AudioReadError

_TAGS = b"ID3", b"TAG", b"APETAGEX"
# Frames borrow at most so many bytes from those before.
_RESERVOIR = 511
# How many more frames the header may promise than the lost bytes let expect.
_SLACK = 2
# What is shorter than this, in frames, is not what is left of one.
_LEAST = 0.5


@dataclass(frozen=True)
class Walk:
    """The stretches of an mp3 file that consist of frames.

    Parameters
    ----------
    stretches : list of (int, int, int)
        First byte, the one after the last, and number of frames.
    are_tags : list of bool
        Whether the bytes between one stretch and the next are tags.
    ends_whole : bool
        Whether nothing but tags follows the last frame: the file was not cut short.
    """

    stretches: list
    are_tags: list
    ends_whole: bool

    @property
    def n_frames(self):
        """Number of frames, that of the header included."""
        return sum(n for _, _, n in self.stretches)

    @property
    def mean_bytes(self):
        """Mean length of the frames."""
        return sum(b - a for a, b, _ in self.stretches) / max(self.n_frames, 1)

    def lost(self, promised):
        """Return how many frames are lost behind each stretch but the last.

        Parameters
        ----------
        promised : int or None
            How many frames there were.
        """
        pairs = zip(self.stretches, self.stretches[1:], self.are_tags, strict=False)
        guesses = [
            0 if is_tag else (after[0] - before[1]) / self.mean_bytes
            for before, after, is_tag in pairs
        ]
        total = sum(guesses)
        known = -1 if promised is None else promised - self.n_frames
        # Frames may have been cut out; a damaged promise is not believed for that.
        most = self.n_frames if self.ends_whole else _SLACK * total + _SLACK
        scale = 1.0
        if total and 0 <= known <= most:
            scale = known / total
        else:  # bytes that were put between frames are no lost sound
            guesses = [guess if guess >= _LEAST else 0.0 for guess in guesses]
        lost, done, exact = [], 0, 0.0
        for guess in guesses:
            exact += guess * scale
            lost.append(round(exact) - done)
            done += lost[-1]
        return lost


def walk_frames(file, first, parse):
    """Return the `Walk` through all frames of a file.

    Parameters
    ----------
    file : binary file
    first : object
        The first frame, with `at` and `kind`.
    parse : callable
        Returns the frame that four bytes begin, or None.

    Raises
    ------
    AudioReadError
        If the file has become empty.
    """
    lengths = {}  # by the three bytes that tell

    def length_at(at):
        key = content[at : at + 3]
        if key not in lengths:
            frame = parse(content[at : at + 4], at)
            lengths[key] = (
                frame.length if frame is not None and frame.kind == first.kind else 0
            )
        return lengths[key]

    def find_next(at):
        while (at := content.find(first.head[:2], at)) >= 0:
            length = length_at(at)
            if length and length_at(at + length):
                return at
            at += 1
        return None

    stretches, are_tags = [], []
    with _mapped(file) as content:
        size, begin, at, n_frames = len(content), first.at, first.at, 0
        while at + 4 <= size:
            length = length_at(at)
            if length:
                at, n_frames = at + length, n_frames + 1
                continue
            found = find_next(at)
            if found is None:
                break
            stretches.append((begin, at, n_frames))
            are_tags.append(content[at : at + 8].startswith(_TAGS))
            begin, at, n_frames = found, found, 0
        stretches.append((begin, min(at, size), n_frames))
        ends_whole = at == size or content[at : at + 8].startswith(_TAGS)
    return Walk(stretches, are_tags, ends_whole)


def _mapped(file):
    try:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except ValueError as exc:
        reason = "it has become empty"
        raise AudioReadError(f"{file.name} cannot be read: {reason}.") from exc


def mend_gaps(walk, first, promised, parse):
    """Return a view of the file without damage, and where silence is in it.

    Parameters
    ----------
    walk : Walk
    first : object
        The first frame.
    promised : int or None
        How many frames the header promises, itself included.
    parse : callable
        As in `walk_frames`.

    Returns
    -------
    parts : list of bytes or (int, int)
    gaps : list of (int, int)
        Samples: the first of each damaged place and the one after its last.
    n_frames : int
    """
    head = first.head
    quiet = bytes((head[0], head[1] | 1, 1 << 4 | head[2] & 0x0C, head[3]))
    quiet = quiet.ljust(parse(quiet, 0).length, b"\0")
    margin = 2 + int(_RESERVOIR / walk.mean_bytes)
    parts, gaps, n_frames = [], [], 0
    n_headers = 0 if promised is None else 1
    lost = [*walk.lost(promised), None]
    for (begin, stop, n), n_lost, is_tag in zip(
        walk.stretches, lost, [*walk.are_tags, True], strict=True
    ):
        parts.append((begin, stop))
        n_frames += n
        if is_tag:
            continue
        gap_at = n_frames - n_headers
        gaps.append((max(gap_at - 2, 0), gap_at + n_lost + margin))
        parts.append(quiet * n_lost)
        n_frames += n_lost
    return parts, [(a * first.samples, b * first.samples) for a, b in gaps], n_frames
