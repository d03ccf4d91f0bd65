"""How segments are drawn and read ahead of the device that trains."""

import threading
from contextlib import nullcontext

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback
from test_training import make_stripes, small

from skbird.nn._reader import read_ahead, read_batches
from skbird.nn._segment_draws import SegmentDraws

needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA here")

# Draws -------------------------------------------------------------------------------


@pytest.fixture
def weighted():
    """Rows of one to thirty segments, many of weight 0: bounds and weights."""
    rng = np.random.default_rng(0)
    bounds = np.r_[0, np.cumsum(rng.integers(1, 30, 200))]
    weights = rng.random(bounds[-1]) * (rng.random(bounds[-1]) < 0.5)
    weights[bounds[:-1]] += 0.01  # something in each row
    return bounds, weights.astype(np.float32)


def test_single_draws_are_those_of_numpys_choice(weighted):
    bounds, weights = weighted
    rows = np.random.default_rng(1).integers(0, 200, 3000)
    rng, expected = np.random.RandomState(2), []
    for row in rows:
        share = weights[bounds[row] : bounds[row + 1]].astype(np.float64)
        share /= share.sum()
        expected.extend(bounds[row] + rng.choice(len(share), 1, replace=False, p=share))
    drawn = SegmentDraws(*weighted).draw(np.random.RandomState(2), rows, 1)
    assert drawn.tolist() == expected


@pytest.mark.parametrize("n", [2, 5])
def test_several_draws_of_a_row_repeat_only_where_it_has_too_few(weighted, n):
    bounds, weights = weighted
    draws = SegmentDraws(*weighted)
    rows = np.tile(np.arange(200), 2)
    drawn = draws.draw(np.random.RandomState(0), rows, n).reshape(400, n)
    assert (drawn >= bounds[rows][:, None]).all()
    assert (drawn < bounds[rows + 1][:, None]).all()
    assert (weights[drawn] > 0).all()
    enough = draws.n_weighing[rows] >= n
    assert 0 < enough.sum() < 400
    repeats = np.array([len(set(row)) < n for row in drawn.tolist()])
    assert not repeats[enough].any()
    assert repeats[~enough].all()


def test_several_draws_follow_the_weights():
    weights = np.array([0.1, 0.2, 0.3, 0.4])
    draws = SegmentDraws(np.array([0, 4]), weights)
    rows = np.zeros(40_000, int)
    pairs = draws.draw(np.random.RandomState(0), rows, 2).reshape(-1, 2)
    first = np.bincount(pairs[:, 0]) / len(rows)
    np.testing.assert_allclose(first, weights, atol=0.01)
    # Of those left, in proportion to their weights.
    both = np.mean((pairs == [3, 0]).all(axis=1))
    assert both == pytest.approx(0.4 * 0.1 / 0.6, abs=0.005)


# Reading ahead -----------------------------------------------------------------------


def readers():
    return [t for t in threading.enumerate() if t.name.startswith("skbird-reader")]


def test_batches_come_in_order_and_a_few_are_read_ahead():
    read = []
    batches = read_ahead(lambda job: read.append(job) or -job, range(9))
    for number, batch in enumerate(batches):
        assert batch == -number
        assert len(read) <= number + 3
    assert read == list(range(9))
    assert not readers()


def test_errors_of_the_reader_reach_the_training():
    def read(job):
        if job == 3:
            raise OSError("the file of job 3 is gone")
        return job

    batches = read_ahead(read, range(9))
    assert [next(batches) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(OSError, match="job 3 is gone"):
        next(batches)
    assert not readers()


def test_a_training_that_ends_stops_its_reader():
    batches = read_ahead(lambda job: job, iter(int, 1))  # without end
    next(batches)
    assert readers()
    batches.close()
    assert not readers()


def test_a_batch_is_used_after_its_copy_only(monkeypatch):
    """The order of what a GPU is told, with streams that only note it."""
    told = []

    class Stream:
        def __init__(self, device):
            self.device = device

        def record_event(self):
            told.append("copied")
            return told.count("copied")

        def wait_event(self, event):
            told.append(f"wait for {event}")

    monkeypatch.setattr(torch.cuda, "Stream", Stream)
    monkeypatch.setattr(torch.cuda, "current_stream", Stream)
    monkeypatch.setattr(torch.cuda, "stream", nullcontext)
    jobs = range(1, 6)
    batches = read_batches(lambda job: {"x": torch.tensor(job)}, jobs, "cuda:0")
    for job, batch in zip(jobs, batches, strict=True):
        assert batch["x"] == job
        assert f"wait for {job}" in told
        assert f"wait for {job + 1}" not in told
    assert told.count("copied") == 5
    assert not readers()


def test_a_cpu_reads_its_batches_in_turn():
    read = []
    batches = read_batches(lambda job: read.append(job) or job, range(9), "cpu")
    for number, batch in enumerate(batches):
        assert read == list(range(number + 1))
        assert batch == number
        assert not readers()


# On a GPU ----------------------------------------------------------------------------


@needs_cuda
@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
def test_no_step_waits_for_the_gpu(precision):
    class Watch(Callback):
        """Makes waiting an error, from the second step of an epoch to its last."""

        def on_batch_begin(self, net, **kwargs):
            if len(net.history) > 1 and len(net.history[-1, "batches"]) == 2:
                torch.cuda.set_sync_debug_mode("error")

        def on_batch_end(self, net, **kwargs):
            if len(net.history[-1, "batches"]) == 4:
                torch.cuda.set_sync_debug_mode("default")

    X, Y = make_stripes()
    net = small(precision=precision, device="cuda", callbacks=[Watch()])
    try:
        net.fit(X, Y)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert [len(epoch["batches"]) for epoch in net.history] == [4] * 3


@needs_cuda
def test_a_gpu_is_given_the_segments_that_a_cpu_is_given():
    seen = {}

    class Look(Callback):
        def on_batch_begin(self, net, batch=None, **kwargs):
            inputs, target = batch
            kept = [inputs["rows"], inputs["segments"].cpu(), target.cpu()]
            seen.setdefault(net.device, []).append(kept)

    X, Y = make_stripes()
    # Dropout on a CPU would take draws from those of the augmentation.
    options = {"drop_rate": 0.0, "precision": "float32", "callbacks": [Look()]}
    for device in ("cpu", "cuda"):
        small(device=device, **options).fit(X, Y)
    for ours, theirs in zip(seen["cpu"], seen["cuda"], strict=True):
        for one, other in zip(ours, theirs, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


@needs_cuda
def test_a_gpu_trains_as_a_cpu_does():
    X, Y = make_stripes()
    losses = {}
    for device in ("cpu", "cuda"):
        net = small(device=device, precision="float32", drop_rate=0.0).fit(X, Y)
        losses[device] = net.history[:, "batches", :, "train_loss"]
    # Differences of rounding grow from step to step.
    np.testing.assert_allclose(losses["cuda"][0], losses["cpu"][0], rtol=0.01)
    np.testing.assert_allclose(losses["cuda"], losses["cpu"], rtol=0.1)


@needs_cuda
def test_a_gpu_predicts_what_a_cpu_predicts():
    X, Y = make_stripes()
    net = small(device="cuda").fit(X, Y)
    proba = net.predict_proba(X)
    on_cpu = net.set_params(device="cpu").predict_proba(X)
    np.testing.assert_allclose(proba, on_cpu, atol=1e-3)
    assert not readers()
