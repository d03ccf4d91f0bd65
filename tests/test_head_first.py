"""Backbones that wait for their head; trainings in two parts that are killed."""

import pickle
from itertools import pairwise

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback
from tiny_cnn import TinyCNN

from skbird.nn import CNNClassifier


class Watch(Callback):
    """Notes after each batch what the backbone and the head are."""

    def __init__(self):
        self.seen_ = []

    def on_train_begin(self, net, **kwargs):
        self.note(net)

    def on_batch_end(self, net, **kwargs):
        self.note(net)

    def note(self, net):
        module = net.module_
        weights = module.backbone.conv_stem.weight, module.classifier.weight
        running = module.backbone.bn1.running_mean
        self.seen_.append([part.detach().clone() for part in (*weights, running)])


def make(**options):
    """Return a network that takes four steps an epoch, and what it is fitted on."""
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(16, 32, 64)), np.tile([[1, 0], [0, 1]], (8, 1))
    options = {"max_epochs": 2, "batch_size": 4, "random_state": 0, **options}
    net = CNNClassifier(
        "lcnet_035", module=TinyCNN, backbone_weights=None, verbose=0, **options
    )
    return net, X, Y


def test_the_backbone_waits_while_the_head_and_the_norms_learn():
    watch = Watch()
    net, X, Y = make(
        callbacks__head_first__head_share=0.5, callbacks=[("watch", watch)]
    )
    net.fit(X, Y)
    seen = dict(net.callbacks_)["watch"].seen_
    moved = np.array(
        [
            [not torch.equal(old, new) for old, new in zip(before, after, strict=True)]
            for before, after in pairwise(seen)
        ]
    )
    backbone, head, norms = moved.T
    assert backbone.tolist() == [False] * 4 + [True] * 4
    assert head.all()
    assert norms.all()


def test_the_fitted_network_is_free_and_holds_its_weights_once():
    watch = Watch()
    net, X, Y = make(
        callbacks__head_first__head_share=0.99, callbacks=[("watch", watch)]
    )
    net.fit(X, Y)
    seen = dict(net.callbacks_)["watch"].seen_
    assert not torch.equal(seen[-2][0], seen[-1][0])  # the last step is of all
    net, X, Y = make(callbacks__head_first__head_share=0.9)
    net.fit(X, Y)
    assert all(weight.requires_grad for weight in net.module_.parameters())
    plain, X, Y = make()
    assert len(pickle.dumps(net)) < len(pickle.dumps(plain.fit(X, Y))) + 1000


def test_frozen_weights_stay_frozen():
    class Frozen(TinyCNN):
        def __init__(self, *args, **options):
            super().__init__(*args, **options)
            self.backbone.depthwise.requires_grad_(False)

    net, X, Y = make(callbacks__head_first__head_share=0.5)
    net.set_params(module=Frozen).fit(X, Y)
    assert not net.module_.backbone.depthwise.weight.requires_grad
    assert net.module_.backbone.conv_stem.weight.requires_grad


@pytest.mark.parametrize(
    "share", ["head_first__head_share", "coarse_first__coarse_share"]
)
def test_a_killed_training_goes_on_where_it_was(share, tmp_path):
    class Kill(Callback):
        def on_epoch_end(self, net, **kwargs):
            if len(net.history) == 2:  # the first is in the checkpoint
                raise KeyboardInterrupt("killed")

    options = {f"callbacks__{share}": 0.7, "precision": "float32"}
    net, X, Y = make(**options)
    wanted = net.fit(X, Y).predict_proba(X)
    killed, X, Y = make(checkpoint_dir=tmp_path, **options)
    killed.set_params(callbacks=[("kill", Kill())])
    with pytest.raises(KeyboardInterrupt, match="killed"):
        killed.fit(X, Y)
    again, X, Y = make(checkpoint_dir=tmp_path, **options)
    np.testing.assert_array_equal(again.fit(X, Y).predict_proba(X), wanted)


def test_a_network_without_a_backbone_cannot_wait():
    class Bare(torch.nn.Module):
        def __init__(self, n_species, **options):
            super().__init__()
            self.layer = torch.nn.Linear(64, n_species)

        def forward(self, x):
            return self.layer(x.mean(dim=(1, 2)))

    net, X, Y = make(callbacks__head_first__head_share=0.5)
    with pytest.raises(ValueError, match=r"module=Bare has no backbone .*head_share=0"):
        net.set_params(module=Bare).fit(X, Y)
