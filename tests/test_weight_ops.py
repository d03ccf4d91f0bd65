"""Filters of one's own: what is missing or wrong in them is named."""

from dataclasses import dataclass

import numpy as np
import pytest
from broken_promises import (
    PlainOp,
    PowerOp,
    RatelessOp,
    ThawedOp,
    TwoValuesOp,
    UnevenOp,
    WholeRowOp,
)
from sklearn.pipeline import make_pipeline

from skbird.data import Recordings, WeightOp, row_weights
from skbird.preprocessing import ClipTransformer, LogMel, RMSFilter, VADFilter

RATE = 8000


@dataclass(frozen=True)
class VerdictOp(PowerOp):
    verdict: object = None

    def judge(self, values, starts, segment_s, row):
        return self.verdict


class Filter(ClipTransformer):
    def __init__(self, op):
        self.op = op

    def make_op(self):
        return self.op


@pytest.fixture
def path(write_wav):
    rng = np.random.default_rng(0)
    return write_wav("a.wav", rng.normal(0, np.repeat([0.1, 0.3], 5 * RATE)), RATE)


def weights(op, path, **given):
    steps = make_pipeline(Filter(op), LogMel(8, verbose=0, **given))
    return steps.fit_transform([path]).segment_weights


@pytest.mark.parametrize(
    ("op", "error", "message"),
    [
        (
            RatelessOp(),
            TypeError,
            r"RatelessOp has no values_per_s and no use_at_predict\. Define it in the "
            r"class, .* help\(skbird\.data\.WeightOp\) says",
        ),
        (
            UnevenOp(),
            ValueError,
            r"values_per_s=0\.3 of UnevenOp puts 1\.2 values into 4 s\. A whole .* "
            "choose another",
        ),
        (
            TwoValuesOp(),
            ValueError,
            r"measure of TwoValuesOp returned shape \(2,\) for 10\.00 s of .*a\.wav; "
            r"at values_per_s=1 it must be \(10,\)",
        ),
    ],
)
def test_pipelines_name_what_a_filter_lacks(path, op, error, message):
    with pytest.raises(error, match=message):
        weights(op, path)


@pytest.mark.parametrize(
    ("verdict", "found"),
    [
        ((np.ones(2), np.ones(3)), r"weights of shape \(2,\)"),
        ((np.ones(3), 1.0), r"qualities of shape \(\)"),
        (
            (np.ones(3), [1, np.nan, 1]),
            "NaN among the qualities, the first for seg.* 1",
        ),
        (np.ones(3), r"array\(\[1\., 1\., 1\.\]\)"),
        (None, "None"),
    ],
)
def test_what_a_filter_judges_is_checked(verdict, found):
    op, row = VerdictOp(verdict=verdict), {"path": "frog.wav", "start": 2.5}
    message = (
        rf"judge of VerdictOp returned {found}, for the row of frog\.wav that starts "
        r"at 2\.5 s\. It must return two arrays of shape \(3,\) without NaN"
    )
    with pytest.raises(ValueError, match=message):
        row_weights([(op, np.ones(10))], np.arange(3.0), 1.0, row)


def test_a_cache_keeps_filters_apart_that_define_no_key(path, tmp_path):
    for op in (PowerOp(1.0), PowerOp(0.5), WholeRowOp(0.5)):
        fresh = weights(op, path)
        for _ in range(2):
            np.testing.assert_array_equal(weights(op, path, cache_dir=tmp_path), fresh)


def test_keys_name_class_and_fields():
    assert PowerOp().measure_key == "broken_promises.PowerOp {'factor': 1.0}"
    assert RMSFilter().make_op().measure_key == "mean_square_100"
    assert VADFilter().make_op().measure_key.startswith("silero-vad")


def test_a_key_by_default_needs_a_dataclass():
    class Bare(WeightOp):
        pass

    with pytest.raises(TypeError, match=r"Bare is no dataclass: .* Make it one"):
        assert Bare().measure_key


def test_ops_that_are_no_filters_need_no_rate(path):
    assert len(Recordings([path], [PlainOp(), ThawedOp()])[0].samples) == 10 * RATE
