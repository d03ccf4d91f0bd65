"""Trainings whose first steps see half as many frames."""

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback
from tiny_cnn import TinyCNN

from skbird.nn import CNNClassifier, CoarseFirst, SegmentAugmentation


class Seen(Callback):
    """Notes the segments that a network is given."""

    def __init__(self):
        self.shapes_ = {True: [], False: []}

    def on_train_begin(self, net, **kwargs):
        net.module_.register_forward_pre_hook(self.note)

    def note(self, module, inputs):
        self.shapes_[module.training].append(tuple(inputs[0].shape[1:]))


def make(n_frames=64, **options):
    """Return a network that takes four steps an epoch, and what it is fitted on."""
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(16, 32, n_frames)), np.tile([[1, 0], [0, 1]], (8, 1))
    options = {"max_epochs": 2, "batch_size": 4, "random_state": 0, **options}
    net = CNNClassifier(
        "lcnet_035", module=TinyCNN, backbone_weights=None, verbose=0, **options
    )
    return net, X, Y


@pytest.mark.parametrize(
    ("share", "n_coarse"), [(0.0, 0), (0.4, 3), (0.5, 4), (0.99, 7)]
)
def test_the_first_steps_see_half_the_frames(share, n_coarse):
    net, X, Y = make(
        callbacks__coarse_first__coarse_share=share, callbacks=[("seen", Seen())]
    )
    net.fit(X, Y)
    shapes = dict(net.callbacks_)["seen"].shapes_
    wanted = [(1, 32, 32)] * n_coarse + [(1, 32, 64)] * (8 - n_coarse)
    assert shapes[True] == wanted
    net.predict_proba(X)
    assert set(shapes[False]) == {(1, 32, 64)}


@pytest.mark.parametrize(("n_frames", "n_coarse"), [(7, 3), (2, 1), (1, 1)])
def test_each_two_frames_become_their_mean(n_frames, n_coarse):
    segments = torch.arange(8.0 * n_frames).reshape(2, 1, 4, n_frames)
    inputs = {"segments": segments, "label_weight": None}
    callback = CoarseFirst()
    callback.step_, callback.n_first_ = 0, 1
    coarse = callback.change_inputs(inputs, None)
    first = segments[..., : 2 * n_coarse]
    pairs = first.unflatten(-1, (n_coarse, -1)).mean(-1)
    assert torch.equal(coarse["segments"], pairs)
    assert set(coarse) == set(inputs)
    assert inputs["segments"] is segments
    assert callback.change_inputs(inputs, None) is inputs  # the coarse step is over


def test_augmentations_of_ones_own_see_all_frames():
    class Reversed(SegmentAugmentation):
        def __init__(self, p=1.0):
            self.p = p

        def augment(self, segments, format):
            assert segments.shape[-1] == format.frames_per_segment
            return segments.flip(-1)

    net, X, Y = make(
        callbacks__coarse_first__coarse_share=0.9, callbacks=[("own", Reversed())]
    )
    assert net.fit(X, Y).predict_proba(X).shape == (16, 2)


def test_coarse_steps_teach_something_else():
    options = {"max_epochs": 1, "precision": "float32"}
    net, X, Y = make(callbacks__coarse_first__coarse_share=0.7, **options)
    plain, X, Y = make(**options)
    proba = net.fit(X, Y).predict_proba(X)
    assert not np.array_equal(plain.fit(X, Y).predict_proba(X), proba)
