"""From segments to rows, on numbers small enough to work out by hand."""

import numpy as np
import pytest

from skbird.data._frame_scores import _average
from skbird.data._pooling import pool_rows, score_rows


@pytest.mark.parametrize(
    ("pooling", "expected"),
    [
        ("max", [[3.0, 0.0], [np.nan] * 2, [-5.0, 7.0], [np.nan] * 2]),
        ("mean", [[2.0, -1.0], [np.nan] * 2, [-5.0, 7.0], [np.nan] * 2]),
        (
            "lse",
            [
                [np.log((np.e + np.e**3) / 2), np.log((1 + np.e**-2) / 2)],
                [np.nan] * 2,
                [-5.0, 7.0],
                [np.nan] * 2,
            ],
        ),
    ],
)
def test_rows_are_pooled_from_their_segments(pooling, expected):
    values = np.array([[1.0, 0.0], [3.0, -2.0], [-5.0, 7.0]])
    pooled = pool_rows(values, np.array([0, 0, 2]), 4, pooling)
    np.testing.assert_allclose(pooled, expected, rtol=1e-6)
    assert pooled.dtype == np.float32


@pytest.mark.parametrize("pooling", ["max", "mean", "lse"])
def test_without_segments_all_rows_are_nan(pooling):
    pooled = pool_rows(np.empty((0, 3)), np.empty(0, int), 2, pooling)
    np.testing.assert_array_equal(pooled, np.full((2, 3), np.nan))


class _Segments:
    """Two rows, of which the first has a segment that prediction leaves out."""

    segment_predict_weights = np.array([1.0, 0.0, 0.25])
    segment_rows = np.array([0, 0, 1])

    def __len__(self):
        return 2


def test_segments_without_weight_say_nothing_about_their_row():
    logits = np.array([[1.0], [9.0], [3.0]])
    scores = score_rows(_Segments(), lambda X, read: logits, pooling="max")
    np.testing.assert_array_equal(scores, [[1], [3]])


def test_what_segments_say_of_the_same_moment_is_averaged():
    step_logits = np.array([[[1.0, 3.0]], [[5.0, 7.0]]])  # two segments of two steps
    moments = _average(step_logits, np.array([0.0, 1.0]))
    np.testing.assert_array_equal(moments, [[1], [4], [7]])
    late = _average(step_logits, np.array([0.0, 3.0]))  # nothing of the third moment
    np.testing.assert_array_equal(late, [[1], [3], [5], [5], [7]])
