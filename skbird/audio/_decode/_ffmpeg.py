"""Decode with FFmpeg what libsndfile does not read: phones, cameras, the web.

The length, and where each part of the recording begins, come from decoding it once:
what containers say of either is often a rounded or a planned figure. A packet that
cannot be decoded is a gap, behind which the recording goes on.
"""

from bisect import bisect_right
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np

from skbird.audio._audio_header import AudioHeader, AudioReadError
from skbird.audio._decode._ffmpeg_samples import as_float
from skbird.audio._decode._gaps import SHORT_S, Block, GapFinder, gaps_note
from skbird.utils._extras import install_hint
from skbird.utils._text import counted

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
# What begins with so many damaged packets is no recording.
_MOST_BAD = 32
# Nothing in them says how long they are: FFmpeg guesses from the bitrate.
_RAW_STREAMS = frozenset("aac ac3 amr eac3 mp3".split())
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
    """Return whether a file begins like those that only FFmpeg reads."""
    return any(head[at : at + len(magic)] == magic for at, magic in _MAGICS)


@dataclass(frozen=True)
class Timeline:
    """Starts of the parts of a recording, found by decoding it once.

    Parameters
    ----------
    n_frames : int
    stamps, frames : list of int
        The container's time of a mark, and the frame that it is.
    gaps : list of (int, int)
        The first frame that is missing, and the one after the last.
    error : str
        What ended the decoding; "" for the end of the file.
    promised_s : float
        What the container says; 0 if it says nothing.
    """

    n_frames: int
    stamps: list
    frames: list
    gaps: list
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

    seeks_blindly = False

    def __init__(self, path):
        self.path = path
        self._av = _import_av(path)
        self._timeline = None
        self._container = self._source = None
        self._format = None  # sample rate and channels
        self._open()
        first = self._first_block()
        self.header = AudioHeader(self._format[0], 0, self._format[1])
        self._blocks = chain([first], self._blocks)

    def _open(self):
        self.close()
        try:
            self._source = open(self.path, "rb")
            # Tags that are no UTF-8 cost nothing; PyAV 19 takes them without an option.
            older = int(self._av.__version__.split(".")[0]) < 19
            tags = {"metadata_errors": "replace"} if older else {}
            self._container = self._av.open(self._source, options=_OPTIONS, **tags)
            self._stream = self._find_stream()
        except AudioReadError:
            self.close()
            raise
        except (self._av.FFmpegError, ValueError) as exc:
            self.close()
            raise self._unreadable(_reason(exc)) from exc
        except OSError as exc:
            self.close()
            raise self._failed(exc) from exc
        self._start()

    def _first_block(self):
        try:
            block = next(self._blocks, None)
        except AudioReadError:
            self.close()
            raise
        if block is None:
            self.close()
            if self._error:
                raise self._unreadable(self._error)
            raise AudioReadError(f"{self.path} holds no samples (zero frames).")
        return block

    def _unreadable(self, reason):
        return AudioReadError(
            f"{self.path} is not an audio file that libsndfile or FFmpeg can read: "
            f"{reason}."
        )

    def _failed(self, exc):
        return AudioReadError(f"{self.path} cannot be read: {_reason(exc)}.")

    def _find_stream(self):
        if not self._container.streams.audio:
            raise AudioReadError(
                f"{self.path} has no sound: it holds "
                f"{counted(len(self._container.streams.video), 'video stream')} and no "
                "audio."
            )
        for stream in self._container.streams:
            if stream.type != "audio" and hasattr(stream, "discard"):  # since PyAV 18
                stream.discard = "all"
        return self._container.streams.audio[0]

    def _start(self):
        self._error, self._n_bad = "", 0  # of the packets since the last block
        self._blocks = self._decode()
        self._waiting = None
        self._position = 0

    @property
    def _is_exact(self):
        name = self._stream.codec_context.name
        return name in _EXACT_CODECS or name.startswith("pcm_")

    def _decode(self):
        """Yield the `Block` of each frame that can be decoded."""
        try:
            for packet in self._container.demux(self._stream):
                place = packet.pos or 0, (packet.pos or 0) + packet.size
                for stamp, samples in self._decode_packet(packet):
                    yield Block(samples, stamp, *place, self._n_bad)
                    self._error, self._n_bad = "", 0
                if self._format is None and self._n_bad > _MOST_BAD:
                    return
        except (self._av.FFmpegError, ValueError) as exc:  # ValueError: a seek to 2^63
            self._error, self._n_bad = _reason(exc), self._n_bad + 1
        except OSError as exc:  # of the disk or the network: it may pass
            raise self._failed(exc) from exc

    def _decode_packet(self, packet):
        """Yield time and samples of the frames of a packet, or count it as damaged."""
        try:
            for frame in packet.decode():
                samples = as_float(frame)
                self._check_format(frame.sample_rate, samples.shape[1])
                if len(samples):
                    yield frame.pts, samples
        except (self._av.FFmpegError, ValueError) as exc:
            self._error, self._n_bad = _reason(exc), self._n_bad + 1

    def _check_format(self, rate, n_channels):
        if self._format is None:
            self._format = rate, n_channels
        if (rate, n_channels) != self._format:
            raise ValueError(
                f"it changes from {self._format[0]} Hz and "
                f"{counted(self._format[1], 'channel')} to {rate} Hz and {n_channels}; "
                "cut it there"
            )

    def measure(self):
        """Decode everything, from the beginning.

        Returns
        -------
        Timeline

        Raises
        ------
        AudioReadError
            If the disk or the network fails, which says nothing of the recording.
        """
        rate = self.header.sample_rate
        frames_per_tick = float(self._stream.time_base * rate)
        finder = GapFinder(frames_per_tick, self._stream.start_time)
        stamps, frames, gaps = [], [], []
        n_frames, next_mark = 0, _MARK_S * rate
        for block in self._blocks:
            n_missing = finder.missing(block, n_frames)
            if n_missing and (block.n_bad or n_missing >= SHORT_S * rate):
                gaps.append((n_frames, n_frames + n_missing))
                n_frames += n_missing
            if n_frames >= next_mark and block.stamp is not None:
                stamps.append(block.stamp)
                frames.append(n_frames)
                next_mark = n_frames + _MARK_S * rate
            n_frames += len(block.samples)
        error = self._error and f"Cannot decode {self.path}: {self._error}."
        promised_s = self._promised_s()
        self._open()
        return Timeline(n_frames, stamps, frames, gaps, error, promised_s)

    def _promised_s(self):
        if _RAW_STREAMS.intersection(self._container.format.name.split(",")):
            return 0.0
        if self._stream.duration is not None:
            return float(self._stream.duration * self._stream.time_base)
        if self._container.duration is None or len(self._container.streams) > 1:
            return 0.0
        return self._container.duration / self._av.time_base

    def follow(self, timeline, header):
        """Take over a timeline, and the header with its length."""
        if timeline.gaps:
            header = _add_note(header, gaps_note(timeline.gaps, header.sample_rate))
            header = replace(header, is_cut=True)
        n_streams = len(self._container.streams.audio)
        if n_streams > 1:
            note = f"Of its {n_streams} audio streams, only the first is heard."
            header = _add_note(header, note)
        self._timeline, self.header = timeline, header

    def read(self, n_frames):
        """Decode the next frames: (n_read, n_channels), fewer only at the end.

        Short gaps are silence.

        Raises
        ------
        AudioReadError
            If there is a longer gap among them, or the file cannot be read.
        """
        self._check_gaps(self._position, self._position + n_frames)
        blocks = []
        while n_frames > 0:
            block = self._take(n_frames)
            if block is None:
                break
            blocks.append(block)
            n_frames -= len(block)
        if not blocks:
            return np.empty((0, self.header.n_channels), np.float32)
        return blocks[0] if len(blocks) == 1 else np.concatenate(blocks)

    def _check_gaps(self, start, stop):
        rate, gaps = self.header.sample_rate, self._timeline.gaps
        for first, end in gaps[self._gap_before(start) : self._gap_before(stop) + 1]:
            if end > start and first < stop and end - first > SHORT_S * rate:
                raise AudioReadError(
                    f"Cannot decode {self.path} from {first / rate:.2f} to "
                    f"{end / rate:.2f} s: it is damaged there."
                )

    def _gap_before(self, frame):
        """Return the number of the last gap that begins at a frame or before it."""
        return max(bisect_right(self._timeline.gaps, (frame, np.inf)) - 1, 0)

    def _take(self, most):
        """Return some of the next frames, silence in gaps; None at the end."""
        samples = self._silence(most)
        if samples is None:
            samples = self._waiting
            if samples is None:
                block = next(self._blocks, None)
                if block is None:
                    return None
                samples = block.samples
            self._waiting = samples[most:] if len(samples) > most else None
            samples = samples[:most]
        self._position += len(samples)
        return samples

    def _silence(self, most):
        """Return what a gap holds from here on; None if here is none."""
        for first, stop in self._timeline.gaps[self._gap_before(self._position) :][:1]:
            if first <= self._position < stop:
                n_frames = min(most, stop - self._position)
                return np.zeros((n_frames, self.header.n_channels), np.float32)
        return None

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
            self._start()
            for block in self._blocks:
                if block.stamp == stamp:
                    self._waiting = block.samples
                    self._position = self._timeline.frames[mark]
                    return True
                if block.stamp is not None and block.stamp > stamp:
                    break
        except (self._av.FFmpegError, OSError, ValueError):
            pass  # opening it again tells whether it can be read at all
        self._open()
        return False

    def _skip(self, n_frames):
        while n_frames > 0:
            samples = self._take(n_frames)
            if samples is None:
                return
            n_frames -= len(samples)

    def met_damage(self):
        """Return False: its timeline says where the damage is."""
        return False

    def close(self):
        """Close the file."""
        if self._container is not None:
            self._container.close()
            self._container = None
        if self._source is not None:
            self._source.close()


def _add_note(header, note):
    return replace(header, note=f"{header.note} {note}".lstrip())


def _reason(exc):
    return getattr(exc, "strerror", None) or exc


def _import_av(path):
    try:
        import av
    except ImportError as exc:
        raise AudioReadError(
            f"{path} is of a format that libsndfile does not read. FFmpeg does: "
            f"{install_hint('formats')}."
        ) from exc
    return av
