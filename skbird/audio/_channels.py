"""Choose and mix the channels of a recording."""

import warnings
from numbers import Integral, Real

import numpy as np
import pandas as pd

from skbird.audio._audio_header import AudioReadError
from skbird.audio._decode import open_decoder
from skbird.audio._decode._counting import count_once
from skbird.audio._decode._identity import content_identity
from skbird.utils._text import counted

WORDS = ("mean", "loudest")
_LAST = 255  # no recording with more channels is opened
_LOOK_S, _MOST_LOOKS = 1.0, 60  # where levels are compared
# Enough of the samples to see whether channels cancel; no usual tone has this period.
_STRIDE = 101
# Of the power that the mean of unrelated channels has.
_CANCELLED = 0.5
_DEAD = 0.01  # of the loudest channel's power
_SILENCE = 1e-10  # power; nothing is lost below


def check_channels(value, place="channels"):
    """Return which channels a value means: "mean", "loudest", or a number from 0.

    Parameters
    ----------
    value : str, int or float
        As tables hold them: numbers as text or float, too.
    place : str
        How the error calls it.

    Raises
    ------
    ValueError
        If it means none.
    """
    text = value.strip().lower() if isinstance(value, str) else value
    if isinstance(text, str) and text in WORDS:
        return text
    if isinstance(text, str) and text.isascii() and text.isdecimal():
        text = float(text)  # of any length
    is_number = isinstance(text, Real) and not isinstance(text, bool | np.bool_)
    if is_number and 0 <= text <= _LAST and float(text).is_integer():
        return int(text)
    raise ValueError(
        f"{place}={value!r:.100} must be 'mean', 'loudest' or the number of a channel: "
        f"0 is the first, {_LAST} the last that can be."
    )


def check_column(column, place):
    """Return a column ``channels`` of a row table as text, missing where it is.

    Parameters
    ----------
    column : Series
    place : callable
        Says for the number of a row how the error calls it.
    """
    texts = [
        np.nan
        if pd.api.types.is_scalar(value) and (pd.isna(value) or value == "")
        else str(check_channels(value, f"{place(row)}: channels"))
        for row, value in enumerate(column)
    ]
    return pd.Series(texts, index=column.index, dtype=object)


def row_channels(row, others="mean"):
    """Return which channels a row is read from.

    Parameters
    ----------
    row : Mapping
        The row of the table; what it says in ``channels`` counts.
    others : {"mean", "loudest"} or int, default="mean"
        From which a row is read that says nothing.
    """
    own = row.get("channels")
    if isinstance(own, str | Integral):
        return check_channels(own)
    return others


def missing_channel(path, channels, n_channels):
    """Say that a recording lacks a channel, or return None."""
    if isinstance(channels, str) or channels < n_channels:
        return None
    return (
        f"{path} has {n_channels} channel{'s'[: n_channels > 1]}, and not that of "
        f"channels={channels}: the first is 0. Choose another, 'mean' or 'loudest' (a "
        "column 'channels' of a table counts more than the pipeline; rename it if it "
        "means something else)."
    )


class Mixer:
    """Make one channel of the channels of a recording.

    Parameters
    ----------
    path : str
        The recording, as it is called on the disk.
    header : AudioHeader
    channels : {"mean", "loudest"} or int

    Attributes
    ----------
    channel : int or None
        The one that is heard; None for the mean of several.

    Raises
    ------
    AudioReadError
        If there is no such channel.
    """

    def __init__(self, path, header, channels):
        problem = missing_channel(path, channels, header.n_channels)
        if problem is not None:
            raise AudioReadError(problem)
        if channels == "loudest" and header.n_channels > 1:
            channels = loudest_channel(path)
        elif header.n_channels == 1:
            channels = 0
        self.channel = None if channels == "mean" else channels
        self._powers = np.zeros(header.n_channels + 1)  # the last is of the mean
        self._n_looked = 0

    def __call__(self, block):
        """Mix frames of shape (n_frames, n_channels) to (n_frames,)."""
        if self.channel is not None:
            return np.ascontiguousarray(block[:, self.channel])
        mixed = _mean(block)
        if len(mixed):
            some = block[::_STRIDE]
            self._n_looked += len(some)
            self._powers[:-1] += len(some) * some.var(axis=0)
            self._powers[-1] += len(some) * mixed[::_STRIDE].var()
        return mixed

    @property
    def cancels(self):
        """True if the mean of the channels lost sound to silence or opposite signs.

        That is, whether all channels but one are dead, or less is left than of channels
        that have nothing to do with each other.
        """
        *powers, mean = self._powers / max(self._n_looked, 1)
        if len(powers) == 1 or max(powers) <= _SILENCE:
            return False
        *_, second, loudest = sorted(powers)
        is_antiphase = mean < _CANCELLED * sum(powers) / len(powers) ** 2
        return is_antiphase or second < _DEAD * loudest


def _mean(block):
    if block.shape[1] == 2:  # the same, five times as fast
        return (block[:, 0] + block[:, 1]) * np.float32(0.5)
    return block.mean(axis=1)


def warn_of_cancelled(paths, stacklevel):
    """Warn of recordings whose channels cancel each other in their mean."""
    warnings.warn(
        f"In {counted(len(paths), 'recording')} the mean of the channels is some 6 dB "
        "or more quieter than the loudest of them: others are all but silent, or have "
        f"the opposite sign. The first: {min(paths)}. Resampler(channels='loudest'), "
        "or a column 'channels' of the table, takes one of them.",
        UserWarning,
        stacklevel=stacklevel + 1,
    )


def loudest_channel(path):
    """Return the number of the channel with the most power, the first of equals.

    It is that of the whole recording, so that it does not depend on the rows that are
    read: of long ones, 60 seconds are heard, spread evenly. An offset (DC) is no sound.
    Found once in a process.

    Parameters
    ----------
    path : str

    Raises
    ------
    AudioReadError
        If it cannot be opened.
    """
    identity = "loudest", *content_identity(path)
    return count_once(identity, lambda: _find_loudest(path))


def _find_loudest(path):
    powers, decoder = 0.0, open_decoder(path)
    try:
        header = decoder.header
        length = round(_LOOK_S * header.sample_rate)
        n_looks = min(-(-header.n_frames // length), _MOST_LOOKS)
        for start in np.linspace(0, max(header.n_frames - length, 0), n_looks):
            try:
                decoder.seek(int(start))
                power = decoder.read(length).var(axis=0, dtype=np.float64)
            except AudioReadError:  # the rows that are damaged say so
                decoder.close()
                decoder = open_decoder(path)
                continue
            if np.isfinite(power).all():
                powers = powers + power
        return int(np.argmax(powers))
    finally:
        decoder.close()
