"""Check that a front end from a model file can run, and suits its network."""

import math
from collections import Counter
from dataclasses import replace

import numpy as np

from skbird.data import SegmentGrid, check_same_axes
from skbird.encoders import EmbeddingEncoder, PretrainedScores
from skbird.inference._fields import FieldError
from skbird.inference._heads import HEADS, check_head
from skbird.inference._network import CompiledNetwork
from skbird.inference._pipeline import CompiledPipeline
from skbird.preprocessing import BandPass, LogMel, Resampler, Segmenter
from skbird.utils._nested import parts_of

# Sample rate of recordings where no Resampler sets it.
_USUAL_RATE = 48_000
# Spectrograms, or logits, of a block in bytes; blocks are whole files, so that short
# ones say nothing of what a file needs.
_MAX_BLOCK, _LEAST_BLOCK_S = 512 * 2**20, 600
# Operations for the spectrogram of a second of sound: 1e8 at 500 kHz with n_fft=4096
# and hop_length=256, for bats.
_MAX_WORK = 5e8


def takes_files(known):
    """Return whether a model takes files or spectrograms; refuse what takes both.

    Parameters
    ----------
    known : dict
        A description whose values are checked.

    Returns
    -------
    bool

    Raises
    ------
    FieldError
        If a pipeline is in another, or an ensemble holds pipelines and networks.
    """
    kinds = {takes_files(inner) for inner in known.get("inner", ())}
    name = known["part"].type.__name__
    if len(kinds) > 1:
        raise FieldError(f"{name} holds models of files and models of spectrograms")
    if known["part"].type is CompiledPipeline:
        if True in kinds:
            raise FieldError(f"{name} holds another")
        return True
    if known["part"].type is PretrainedScores:
        return True
    return True in kinds


def check_front_end(front_end):
    """Refuse front ends that cannot run, or that take too long.

    Parameters
    ----------
    front_end : Pipeline
    """
    names, steps = zip(*front_end.steps, strict=True)
    if len(set(names)) != len(names) or any("__" in name for name in names):
        raise FieldError(f"the steps of the front end are named {names}")
    kinds = Counter(map(type, steps))
    if type(steps[-1]) not in (LogMel, EmbeddingEncoder):
        raise FieldError("a front end has one LogMel or EmbeddingEncoder, at its end")
    if {LogMel, EmbeddingEncoder} <= kinds.keys():
        raise FieldError("a front end has a LogMel or an EmbeddingEncoder, not both")
    for kind, n in kinds.items():
        most = 2 if kind is BandPass else 1
        if n > most:
            raise FieldError(f"a front end has {n} of {kind.__name__}, not {most}")
    rate = None
    for step in steps:
        if isinstance(step, Resampler):
            rate = step.sample_rate
        elif isinstance(step, BandPass):
            _check_band(step, rate)
    if isinstance(steps[-1], LogMel):
        _check_work(steps[-1], rate)


def _check_band(step, rate):
    """Refuse filters that are unstable, or whose coefficients are not finite."""
    # Where the rate is that of the recordings, one that the band fits into.
    rate = rate or max(_USUAL_RATE, 4 * step.low_hz)
    band = f"BandPass from {step.low_hz:g} to {step.high_hz} Hz at {rate:g} Hz"
    if step.low_hz >= rate / 2:
        raise FieldError(f"{band} leaves nothing")
    try:
        with np.errstate(all="ignore"):
            design = step.make_op().design(rate)
    except (np.linalg.LinAlgError, ValueError) as exc:
        raise FieldError(f"{band} cannot be computed ({exc})") from None
    if design is not None:
        sections, steady = design
        is_finite = np.isfinite(sections).all() and np.isfinite(steady).all()
        if not is_finite or (np.abs(sections[:, 5]) > 1).any():
            raise FieldError(f"{band} cannot be computed")


def _check_work(logmel, rate):
    if rate is not None and max(logmel.low_hz, logmel.high_hz or 0) > rate / 2:
        raise FieldError(
            f"low_hz={logmel.low_hz:g} or high_hz={logmel.high_hz} of LogMel is beyond "
            f"half of sample_rate={rate}"
        )
    rate = rate or _USUAL_RATE
    n_fft = logmel.n_fft
    work = rate / logmel.hop_length * n_fft * math.log2(n_fft)
    if work > _MAX_WORK:
        raise FieldError(
            f"LogMel with n_fft={n_fft} and hop_length={logmel.hop_length} at {rate:g} "
            f"Hz needs {work:.0e} operations for a second of sound, more than "
            f"{_MAX_WORK:.0e}"
        )


def check_suits(model):
    """Refuse networks that do not suit their front end, or would fill the memory.

    Parameters
    ----------
    model : CompiledPipeline
        Whose front end is checked.
    """
    steps = {type(step): step for _, step in model.front_end.steps}
    if EmbeddingEncoder in steps:
        check_head(model, steps[EmbeddingEncoder])
        return
    logmel, segmenter = steps[LogMel], steps.get(Segmenter)
    grid = SegmentGrid()
    if segmenter is not None:
        grid = SegmentGrid(segmenter.segment_s, segmenter.overlap, segmenter.pad)
    rate = steps[Resampler].sample_rate if Resampler in steps else None
    seconds = max(model.chunk_s, _LEAST_BLOCK_S)
    n_frames = seconds * (rate or _USUAL_RATE) / logmel.hop_length
    _check_bytes(
        f"spectrograms at hop_length={logmel.hop_length} and n_mels={logmel.n_mels}",
        seconds,
        n_frames * logmel.n_mels * 2,
    )
    n_segments = seconds / (grid.segment_s * (1 - grid.overlap))
    for network in parts_of(model.network):
        if getattr(network, "voting", None) == "rank":
            raise FieldError("voting='rank' would rank the rows of a block alone")
        if type(network) in HEADS:
            raise FieldError(f"{type(network).__name__} takes no spectrograms")
        if isinstance(network, CompiledNetwork):
            _check_axes(network, logmel, rate, grid)
            # A program of a file answers with at most so many steps.
            n_steps = network.input_shape[1] if network.frame_scores else 1
            n_bytes = n_segments * len(network.species) * n_steps * 4
            what = f"logits of {len(network.species)} species at overlap={grid.overlap}"
            _check_bytes(what, seconds, n_bytes)


def _check_bytes(what, seconds, n_bytes):
    if n_bytes > _MAX_BLOCK:
        raise FieldError(
            f"{seconds:g} s of sound are over {_MAX_BLOCK >> 20} MiB of {what}"
        )


def _check_axes(network, logmel, rate, grid):
    own = network.format
    if rate is not None:
        given = replace(
            own,
            mel_hz=logmel.make_op().centres_hz(rate),
            frame_s=logmel.hop_length / rate,
        )
        try:
            check_same_axes(given, own)
        except ValueError as exc:
            raise FieldError(str(exc)) from None
    n_frames = replace(own, grid=grid).frames_per_segment
    if n_frames != own.frames_per_segment:
        raise FieldError(
            f"segments have {n_frames} frames, where the network takes "
            f"{own.frames_per_segment}"
        )
