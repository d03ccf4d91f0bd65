"""Decode with FFmpeg what libsndfile does not read: phones, cameras, the web.

The length, and where each part of the recording begins, come from decoding it once:
what containers say of either is often a rounded or a planned figure.
"""

from bisect import bisect_right
from dataclasses import dataclass

import numpy as np

from skbird.data._audio_header import AudioHeader, AudioReadError

# Demuxers that read the one file they are given. Playlists and manifests, which name
# other files and addresses, are not among them, and no protocol may be opened.
_OPTIONS = {
    "format_whitelist": (
        "aac,ac3,aiff,amr,ape,asf,avi,caf,flac,matroska,mov,mp3,mpegts,ogg,tta,w64,wav,"
        "wv"
    ),
    "protocol_whitelist": "none",
}
# Seconds from one mark of a timeline to the next. A seek goes one mark back further
# than needed, and what it decodes up to the mark makes decoders forget the gap.
_MARK_S = 4
# Decoders that make no noise of their own. Others (AAC, AC-3, WMA) go on with their
# random numbers where they stand, so that the same samples come only from the same
# beginning; behind this many seconds that takes too long, and the noise differs.
_EXACT_CODECS = frozenset(
    "alac amrnb amrwb ape flac mp2 mp2float mp3 mp3float opus tta vorbis "
    "wavpack".split()
)
_SEQUENTIAL_S = 1800
_SCALES = {"u8": 2**7, "s16": 2**15, "s32": 2**31, "s64": 2**63}
# What the files begin with that FFmpeg is needed for: offset, bytes.
_MAGICS = (
    (4, b"ftyp"),
    (0, b"\x1aE\xdf\xa3"),  # Matroska, WebM
    (0, b"0&\xb2u\x8ef\xcf\x11"),  # ASF: WMA
    (0, b"wvpk"),
    (0, b"#!AMR"),
    (0, b"\xff\xf1"),  # AAC
    (0, b"\xff\xf9"),
    (0, b"TTA1"),
    (0, b"MAC "),
    (8, b"AVI "),
)


def seems_ffmpeg(head):
    """Whether a file begins like those that FFmpeg reads and libsndfile does not."""
    return any(head[at : at + len(magic)] == magic for at, magic in _MAGICS)


@dataclass(frozen=True)
class Timeline:
    """Where the parts of a recording begin, as decoding it once has shown.

    Parameters
    ----------
    n_frames : int
    stamps, frames : list of int
        The container's time of a mark, and the frame that it is.
    error : str
        What ended the decoding; "" for the end of the file.
    promised_s : float
        What the container says; 0 if it says nothing.
    """

    n_frames: int
    stamps: list
    frames: list
    error: str
    promised_s: float


class FFmpegDecoder:
    """The first audio stream of a file open in FFmpeg.

    Parameters
    ----------
    path : str
        The file.

    Attributes
    ----------
    header : AudioHeader
        Without a length until `follow` has set it.

    Raises
    ------
    AudioReadError
        If PyAV is not installed, FFmpeg does not read the file, or it has no sound.
    """

    def __init__(self, path):
        self.path = path
        self._av = _import_av(path)
        self._timeline = None
        self._container = None
        self._open()
        self._waiting = self._first_block()
        self.header = AudioHeader(self._rate, 0, self._waiting.shape[1])

    def _open(self):
        self.close()
        self._source = open(self.path, "rb")
        try:
            self._container = self._av.open(
                self._source, options=_OPTIONS, metadata_errors="replace"
            )
            self._stream = self._find_stream()
        except (self._av.FFmpegError, ValueError) as exc:
            self.close()
            if isinstance(exc, AudioReadError):
                raise
            raise self._unreadable(exc) from exc
        self._start()

    def _first_block(self):
        try:
            _, block = next(self._frames, (None, None))
        except AudioReadError as exc:
            self.close()
            raise self._unreadable(exc.__cause__ or exc) from exc
        if block is None:
            self.close()
            raise AudioReadError(f"{self.path} holds no samples (zero frames).")
        return block

    def _unreadable(self, exc):
        return AudioReadError(
            f"{self.path} is not an audio file that libsndfile or FFmpeg can read: "
            f"{_reason(exc)}."
        )

    def _find_stream(self):
        if not self._container.streams.audio:
            raise AudioReadError(
                f"{self.path} has no sound: it holds "
                f"{len(self._container.streams.video)} video streams and no audio."
            )
        for stream in self._container.streams:
            if stream.type != "audio" and hasattr(stream, "discard"):  # since PyAV 18
                stream.discard = "all"
        return self._container.streams.audio[0]

    def _start(self, *, is_lenient=False):
        self._is_lenient = is_lenient
        self._rate = self._n_channels = None
        self._frames = self._decode()
        self._waiting = None
        self._position = 0

    @property
    def _is_exact(self):
        name = self._stream.codec_context.name
        return name in _EXACT_CODECS or name.startswith("pcm_")

    def _decode(self):
        """Yield the container's time of each decoded block, and the block."""
        try:
            for packet in self._container.demux(self._stream):
                for frame in self._decode_packet(packet):
                    block = _as_float(frame)
                    self._check_format(frame.sample_rate, block.shape[1])
                    yield frame.pts, block
        except (self._av.FFmpegError, ValueError) as exc:
            if isinstance(exc, AudioReadError):
                raise
            raise AudioReadError(f"Cannot decode {self.path}: {_reason(exc)}.") from exc

    def _decode_packet(self, packet):
        try:
            return packet.decode()
        except self._av.error.InvalidDataError:
            if self._is_lenient:  # behind a seek, packets lack those before them
                return []
            raise

    def _check_format(self, rate, n_channels):
        if self._rate is None:
            self._rate, self._n_channels = rate, n_channels
        if (rate, n_channels) != (self._rate, self._n_channels):
            raise AudioReadError(
                f"{self.path} changes from {self._rate} Hz and {self._n_channels} "
                f"channels to {rate} Hz and {n_channels}. Cut it there."
            )

    def measure(self):
        """Decode everything that is left, from the beginning.

        Returns
        -------
        Timeline
        """
        stamps, frames, n_frames, error = [], [], len(self._waiting), ""
        next_mark = _MARK_S * self.header.sample_rate
        try:
            for stamp, block in self._frames:
                if n_frames >= next_mark and stamp is not None:
                    stamps.append(stamp)
                    frames.append(n_frames)
                    next_mark = n_frames + _MARK_S * self.header.sample_rate
                n_frames += len(block)
        except AudioReadError as exc:
            error = str(exc)
        promised_s = self._promised_s()
        self._open()
        return Timeline(n_frames, stamps, frames, error, promised_s)

    def _promised_s(self):
        if self._stream.duration is not None:
            return float(self._stream.duration * self._stream.time_base)
        if self._container.duration is None or len(self._container.streams) > 1:
            return 0.0
        return self._container.duration / self._av.time_base

    def follow(self, timeline, header):
        """Take over a timeline, and the header with its length."""
        self._timeline, self.header = timeline, header

    def read(self, n_frames):
        """Decode the next frames: (n_read, n_channels), fewer only at the end."""
        blocks, n_missing = [], n_frames
        while n_missing > 0:
            block = self._waiting
            if block is None:
                _, block = next(self._frames, (None, None))
            if block is None:
                break
            blocks.append(block[:n_missing])
            self._waiting = block[n_missing:] if len(block) > n_missing else None
            n_missing -= len(blocks[-1])
        self._position += n_frames - n_missing
        if not blocks:
            return np.empty((0, self.header.n_channels), np.float32)
        return blocks[0] if len(blocks) == 1 else np.concatenate(blocks)

    def seek(self, frame):
        """Go to a frame."""
        mark = bisect_right(self._timeline.frames, frame) - 1
        is_far = frame > _SEQUENTIAL_S * self.header.sample_rate
        sought = mark > 0 and (self._is_exact or is_far) and self._seek_mark(mark)
        if not sought and frame < self._position:
            self._open()
        self._skip(frame - self._position)

    def _seek_mark(self, mark):
        """Go to a mark; return whether the container finds it."""
        stamp = self._timeline.stamps[mark]
        before = self._timeline.stamps[mark - 1]
        try:
            self._container.seek(before, stream=self._stream)
            self._start(is_lenient=True)
            for found, block in self._frames:
                if found == stamp:
                    self._waiting = block
                    self._is_lenient = False
                    self._position = self._timeline.frames[mark]
                    return True
                if found is not None and found > stamp:
                    break
        except (self._av.FFmpegError, AudioReadError):
            pass
        self._open()
        return False

    def _skip(self, n_frames):
        while n_frames > 0:
            n_read = len(self.read(min(n_frames, 2**16)))
            if not n_read:
                return
            n_frames -= n_read

    def close(self):
        """Close the file."""
        if self._container is not None:
            self._container.close()
            self._container = None
        if getattr(self, "_source", None) is not None:
            self._source.close()


def _reason(exc):
    return getattr(exc, "strerror", None) or exc


def _as_float(frame):
    """Return the samples of a frame, (n_frames, n_channels), full scale 1."""
    values, kind = frame.to_ndarray(), frame.format.name
    if frame.format.is_planar:
        values, kind = values.T, kind.removesuffix("p")
    else:
        values = values.reshape(-1, frame.layout.nb_channels)
    if kind == "u8":
        values = values.astype(np.float32) - _SCALES[kind]
    values = np.ascontiguousarray(values, np.float32)
    return values / np.float32(_SCALES[kind]) if kind in _SCALES else values


def _import_av(path):
    try:
        import av
    except ImportError as exc:
        raise AudioReadError(
            f"{path} is of a format that libsndfile does not read. FFmpeg does: pip "
            "install 'skbird[formats]'."
        ) from exc
    return av
