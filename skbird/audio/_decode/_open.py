"""Open recordings with whatever reads them, and find out how long they are."""

import errno
import importlib.util
import os
import stat
from dataclasses import replace
from functools import partial
from pathlib import Path

from skbird.audio._audio_header import AudioReadError
from skbird.audio._decode._chain import ChainDecoder
from skbird.audio._decode._chunks import MAGICS, look_at_chunks
from skbird.audio._decode._counting import count_frames, count_once
from skbird.audio._decode._ffmpeg import FFmpegDecoder, seems_ffmpeg
from skbird.audio._decode._finding import Finding
from skbird.audio._decode._flac import look_at_flac
from skbird.audio._decode._gapped import GappedDecoder
from skbird.audio._decode._identity import content_identity
from skbird.audio._decode._mpeg import look_at_mpeg, lost_seconds
from skbird.audio._decode._ogg import look_at_ogg
from skbird.audio._decode._sndfile import SndfileDecoder
from skbird.audio._listing import FFMPEG_SUFFIXES
from skbird.utils._text import counted

# No recorder of wildlife, from whales to bats, is outside of these; a damaged header
# may say anything, and one wrong rate makes a row of hours.
_SAMPLE_RATES = 100, 4_000_000
_MAX_CHANNELS = 256
_BUFFER = 2**12  # most of what is looked at lies at the beginning
_HEAD = 16  # what tells the containers apart
# More frames than this to a byte hold only the most silent of flac files.
_MOST_PER_BYTE, _MOST_PER_BYTE_FLAC = 2**12, 2**13
_NO_SUCH_FILE = {errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG}
# Writers miscount their last frame; containers of video round.
_TOLERANCE_S, _ROUNDED_S = 0.1, 0.5
_suspects: set[tuple] = (
    set()
)  # identities of files in which decoding has met with damage


def open_decoder(path, *, closely=False):
    """Open a recording.

    Parameters
    ----------
    path : str
    closely : bool
        Whether to look for damage in all of the file, now and whenever it is opened
        again: decoding has met with some.

    Returns
    -------
    SndfileDecoder, ChainDecoder, GappedDecoder or FFmpegDecoder
        Its header says how much can be read, and what was assumed.

    Raises
    ------
    AudioReadError
        If the file is missing, no regular file, not audio or holds no samples.
    """
    found = _check_file(path)
    identity = _identity(path, found)
    if closely:
        _suspects.add(identity)
    try:
        with open(path, "rb", buffering=_BUFFER) as file:
            head = file.read(_HEAD)
            finding = _look(file, head, found.st_size, identity in _suspects)
    except OSError as exc:
        raise AudioReadError(f"{path} cannot be read: {exc.strerror}.") from exc
    decoder = _open(path, finding, head)
    try:
        _check_format(path, decoder.header)
        if isinstance(decoder, FFmpegDecoder):
            _follow_timeline(decoder, found)
        else:
            decoder.header = _true_header(decoder, finding, found)
            if finding is not None and finding.note:
                decoder.header = _cut(decoder.header, finding.note)
            decoder = _around_gaps(decoder, finding)
        if decoder.header.n_frames == 0:
            raise AudioReadError(f"{path} holds no samples (zero frames).")
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
    return found


def _around_gaps(decoder, finding):
    if finding is None or not finding.gaps:
        return decoder
    rate = decoder.header.sample_rate
    scale = rate / (finding.promised_rate or rate)
    gaps = [(int(first * scale), int(stop * scale)) for first, stop in finding.gaps]
    return GappedDecoder(decoder, gaps)


def loses_time(path):
    """Return whether an mp3 file lacks frames that its decoder passes over.

    Parameters
    ----------
    path : str

    Returns
    -------
    bool
        Whether rows behind them would be heard more than 0.1 s too early.

    Raises
    ------
    AudioReadError
        If the file is not there any more, or cannot be read.
    """
    try:
        with open(path, "rb", buffering=_BUFFER) as file:
            start, head = _pass_tags(file, file.read(_HEAD))
            if not _may_be_mpeg(head, start):
                return False
            identity = "lost", *content_identity(file.name)
            look = partial(lost_seconds, file, start)
            return count_once(identity, look) > _TOLERANCE_S
    except OSError as exc:
        raise AudioReadError(f"{path} cannot be read: {exc.strerror}.") from exc


def _pass_tags(file, head):
    """Return where the sound begins, behind tags that some programs put first."""
    start = 0
    while head.startswith(b"ID3"):
        start += 10 + int("".join(f"{byte & 127:07b}" for byte in head[6:10]), 2)
        file.seek(start)
        head = file.read(_HEAD)
    return start, head


def _may_be_mpeg(head, start):
    """Return whether mp3 frames may follow: behind tags they need not at once."""
    others = {b"fLaC", b"OggS", *MAGICS}
    return head[:4] not in others and (start > 0 or head[:1] == b"\xff")


def _look(file, head, size, closely):
    """Return what the container tells against its header; None if nothing."""
    start, head = _pass_tags(file, head)
    magic = head[:4]
    if magic == b"fLaC":
        return look_at_flac(file, start, size)
    if magic == b"OggS":
        finding = look_at_ogg(file, start, size, closely=closely)
        # libsndfile knows of tags before others, not before this.
        whole = Finding(((start, size),), promised=1, held=1) if start else None
        return finding or whole
    if magic in MAGICS:
        return look_at_chunks(file, start, size)
    if not _may_be_mpeg(head, start):
        return None
    return look_at_mpeg(file, start, size, closely=closely)


def _open(path, finding, head):
    try:
        if finding is not None and finding.links:
            return ChainDecoder(path, finding.links)
        return _opener(path, finding or Finding())()
    except AudioReadError:
        suffix = os.path.splitext(path)[1].lower()
        if not (suffix in FFMPEG_SUFFIXES or seems_ffmpeg(head) or _has_ffmpeg()):
            raise
        return FFmpegDecoder(path)


def _opener(path, finding):
    return partial(
        SndfileDecoder,
        path,
        finding.parts,
        is_sequential=finding.is_sequential,
        late=finding.late,
    )


def _has_ffmpeg():
    return importlib.util.find_spec("av") is not None


def _true_header(decoder, finding, found):
    """Return the header with the length that can be read, and what was assumed."""
    header, size = decoder.header, found.st_size
    if finding is None:
        if header.n_frames <= size * _MOST_PER_BYTE:
            return header
        finding = Finding(promised=header.n_frames)
    promised_s = finding.promised
    if promised_s is not None and finding.held is not None:
        promised_s *= header.duration_s / finding.held
    elif promised_s is not None:
        promised_s /= finding.promised_rate or header.sample_rate
    if finding.links:
        return _chain_header(decoder, promised_s)
    if finding.held is not None:
        return _noted(header, promised_s)
    opener = _opener(decoder.path, finding)
    count = partial(count_frames, opener, size * _MOST_PER_BYTE_FLAC)
    n_frames, error = count_once(_identity(decoder.path, found), count)
    return _noted(replace(header, n_frames=n_frames), promised_s, error)


def _chain_header(decoder, promised_s):
    header = decoder.header
    if not decoder.n_left_out:
        return header if promised_s is None else _noted(header, promised_s)
    note = (
        f"It holds {decoder.n_left_out + 1} recordings or more, one after another; "
        f"those behind {header.duration_s:.2f} s cannot be read, or have another "
        "sample rate or number of channels."
    )
    return replace(header, note=note, is_cut=True)


def _follow_timeline(decoder, found):
    identity = "timeline", *_identity(decoder.path, found)
    timeline = count_once(identity, decoder.measure)
    header = replace(decoder.header, n_frames=timeline.n_frames)
    promised_s = timeline.promised_s
    if promised_s <= header.duration_s + _ROUNDED_S:
        promised_s = header.duration_s
    decoder.follow(timeline, _noted(header, promised_s, timeline.error))


def _identity(path, found):
    return os.path.abspath(path), found.st_size, found.st_mtime_ns


def _noted(header, promised_s, error=""):
    """Add what is to be said of a length that is not the one promised."""
    held = f"{header.duration_s:.2f} s"
    promises_more = (promised_s or 0) > header.duration_s
    if error and not promises_more:
        note = f"Only its first {held} can be decoded. {error}"
    elif promised_s is None:
        note = f"Its header does not say how long it is; {held} were found."
    elif abs(promised_s - header.duration_s) <= _TOLERANCE_S:
        return header
    else:
        reason = "it was cut short, or the header is damaged"
        reason = (error or f"{reason}.") if promises_more else "all is read."
        note = f"Its header says {promised_s:.2f} s, it holds {held}: {reason}"
    return replace(header, note=note, is_cut=bool(error) or promises_more)


def _cut(header, note):
    return replace(header, note=f"{header.note} {note}".lstrip(), is_cut=True)


def _check_format(path, header):
    lowest, highest = _SAMPLE_RATES
    if not lowest <= header.sample_rate <= highest:
        raise AudioReadError(
            f"{path} claims a sample rate of {header.sample_rate} Hz; {lowest} to "
            f"{highest} are possible. Its header is damaged."
        )
    if header.n_channels > _MAX_CHANNELS:
        raise AudioReadError(
            f"{path} claims {counted(header.n_channels, 'channel')}; at most "
            f"{_MAX_CHANNELS} are possible. Its header is damaged."
        )
