"""Promises about ops: frozen, local, and known to the cache by what they depend on."""

from dataclasses import fields, is_dataclass, replace
from numbers import Real

import numpy as np
from sklearn.base import clone

from skbird.utils.estimator_checks._answers import needs, promise

_RATE = 16_000
_SECONDS = 20
# As long rows are cut: a block sees 4 s before and 1 s after what it is about.
_BLOCK_S, _LEAD_S, _TAIL_S = 8, 4, 1
# Share of the largest value that settling may cost: a detector of speech, which
# remembers what it heard, needs most of it.
_SAMPLES_SETTLE, _SERIES_SETTLE = 0.01, 0.2


@promise
def check_frozen_ops(estimator, data):
    """Check that ops are frozen dataclasses, so that rows stay as they were made."""
    for op in _recordings(estimator, data).ops:
        name = type(op).__name__
        assert is_dataclass(op), f"{name} is no dataclass: use @dataclass(frozen=True)."
        assert type(op).__dataclass_params__.frozen, (
            f"{name} is a dataclass that is not frozen: use @dataclass(frozen=True)."
        )


@promise
def check_blocks(estimator, data):
    """Check that a long row, worked on in blocks, is the same as in one piece."""
    found = _recordings(estimator, data)
    sound = _sound(_SECONDS)
    whole, rate = _values(found, sound)
    blocks = {name: [] for name in whole}
    for first in range(0, _SECONDS, _BLOCK_S):
        start, is_last = max(0, first - _LEAD_S), first + _BLOCK_S >= _SECONDS
        stop = None if is_last else (first + _BLOCK_S + _TAIL_S) * _RATE
        part, _ = _values(found, sound[start * _RATE : stop])
        for name, values in part.items():
            begin = round((first - start) * rate[name])
            end = None if is_last else begin + round(_BLOCK_S * rate[name])
            blocks[name].append(values[begin:end])
    for name, values in whole.items():
        others = np.concatenate(blocks[name])
        assert len(values) == len(others), (
            f"{name} of {_SECONDS} s has length {len(values)}, and {len(others)} in "
            "blocks."
        )
        settle = _SAMPLES_SETTLE if name == "sound" else _SERIES_SETTLE
        off = np.abs(values - others)
        assert (off <= settle * np.abs(values).max()).all(), (
            f"{name} at {off.argmax() / rate[name]:.2f} s of {_SECONDS} s is "
            f"{values[off.argmax()]:.4g}, and {others[off.argmax()]:.4g} if the row is "
            f"worked on in blocks. An op sees {_LEAD_S} s before a moment and "
            f"{_TAIL_S} s after it; of the whole row it knows nothing."
        )


@promise
def check_measured_series(estimator, data):
    """Check that filters measure as often as they say, and judge each segment."""
    found = _recordings(estimator, data)
    needs(found.weight_ops, "weighs no segments")
    silence = 0 * _sound(2.3)
    for sound in (_sound(_SECONDS), _sound(2.3), _sound(0.3), silence):
        weights = _clip(found, sound).weights
        assert ((weights >= 0) & (weights <= 1)).all(), (
            f"segments of {len(sound) / _RATE} s weigh {weights}, not 0 to 1."
        )


@promise
def check_measure_key(estimator, data):
    """Check that measure_key tells apart what filters measure otherwise.

    Other values of the fields that hold numbers are tried.
    """
    found = _recordings(estimator, data)
    needs(found.weight_ops, "weighs no segments")
    twins = _recordings(clone(estimator), data).weight_ops
    sound = _sound(2.3)
    for op, twin in zip(found.weight_ops, twins, strict=True):
        name, key = type(op).__name__, op.measure_key
        assert repr(twin.measure_key) == repr(key), (
            f"measure_key of {name} is {key!r}, and {twin.measure_key!r} with the same "
            "parameters: nothing would be found in a cache."
        )
        before = op.measure(sound, _RATE)
        for field, value in _other_values(op):
            try:
                changed = replace(op, **{field: value})
                if changed.measure_key != key:
                    continue
                after = changed.measure(sound, _RATE)
            except Exception:
                continue  # a value that the op refuses
            assert np.array_equal(before, after, equal_nan=True), (
                f"{name} measures otherwise with {field}={value!r}, under the same "
                f"measure_key={key!r}: a cache_dir would return what another {field} "
                f"measured. Put {field} into measure_key, or define none."
            )


def _other_values(op):
    """Yield names of fields that hold numbers, and other values for them."""
    for field in fields(op):
        value = getattr(op, field.name)
        others = ()
        if isinstance(value, bool | np.bool_):
            others = (not value,)
        elif isinstance(value, Real):
            others = value + 1, 2 * value, type(value)(value / 2)
        for other in others if field.init else ():
            if other != value:
                yield field.name, other


def _recordings(estimator, data):
    needs(hasattr(estimator, "transform"), "no transformer")
    found = estimator.fit(data.X, data.Y).transform(data.X)
    needs(hasattr(found, "ops"), "gives no recordings")
    return found


def _sound(seconds):
    """Return noise, a tone and an offset that get louder with time."""
    time = np.arange(round(seconds * _RATE)) / _RATE
    noise = 0.3 * np.random.default_rng(0).standard_normal(len(time))
    tone = np.sin(2 * np.pi * 1000 * time) * (np.sin(3 * time) > 0)
    return ((noise + tone + 1) * (0.02 + 0.01 * time)).astype(np.float32)


def _clip(found, samples):
    from skbird.data import Clip

    clip = Clip(samples, _RATE, found.rows.iloc[0].to_dict())
    for op in found.ops:
        clip = op(clip)
    return clip


def _values(found, samples):
    """Return what ops make of samples, and how much of it there is in a second."""
    clip = _clip(found, samples)
    values, rate = {"sound": clip.samples}, {"sound": clip.sample_rate}
    for number, (op, series) in enumerate(clip.measured):
        name = f"series {number}, of {type(op).__name__},"
        values[name], rate[name] = series, op.values_per_s
    return values, rate
