"""What `fit` refuses is said before anything is decoded, where that can be known."""

import numpy as np
import pandas as pd
import pytest
import timm
import torch
from sklearn.pipeline import make_pipeline

from skbird.data import Spectrograms, encode_labels
from skbird.nn import (
    BCEFocalLoss,
    CNNClassifier,
    FocalLoss,
    SEDClassifier,
    SpectrogramAugmentor,
    TimeMask,
)
from skbird.preprocessing import LogMel, Resampler, RMSFilter, Segmenter, VADFilter
from skbird.utils._optimizers import check_optimizer

HEADS = {
    "cnn": CNNClassifier,
    "time": lambda *a, **k: SEDClassifier(*a, attention="time", **k),
    "frequency": lambda *a, **k: SEDClassifier(*a, attention="frequency", **k),
}


def network(backbone="test_efficientnet", head="cnn", **options):
    options = {"backbone_weights": None, "verbose": 0, "random_state": 0, **options}
    return HEADS[head](backbone, **options)


def test_a_device_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match="device='nope' cannot be used"):
        network(device="nope").check_input(32, 64)


@pytest.mark.parametrize(
    ("backbone", "head"),
    [("dla34", "cnn"), ("hrnet_w18_small", "time"), ("hrnet_w18_small", "frequency")],
)
def test_a_backbone_is_tried_with_the_shape_that_segments_have(backbone, head):
    net = network(backbone, head)
    message = rf"backbone='{backbone}'.*128 mel bands x 313 frames.*It takes 128 x 320"
    with pytest.raises(ValueError, match=message):
        net.check_input(128, 313)
    net.check_input(128, 320)


@pytest.mark.parametrize(
    ("backbone", "head"),
    [
        ("crossvit_tiny_240", "cnn"),
        ("efficientvim_m1", "time"),
        ("hiera_tiny_224", "cnn"),
    ],
)
def test_backbones_without_a_map_are_named(backbone, head):
    if not timm.is_model(backbone):
        pytest.skip("this timm does not know it")
    with pytest.raises(ValueError, match=f"backbone='{backbone}'.*convolutional"):
        network(backbone, head).check_input(128, 313)


def test_fit_tries_it_before_it_trains():
    X = Spectrograms.from_arrays(np.zeros((4, 32, 40)))
    net = network("hrnet_w18_small", "time")
    with pytest.raises(ValueError, match=r"hrnet_w18_small.*32 mel bands x 40 frames"):
        net.fit(X, np.eye(2)[[0, 1, 0, 1]])


def test_trying_leaves_the_network_and_the_draws_as_they_are():
    net = network()
    before = torch.random.get_rng_state()
    assert net.check_input(32, 40) is None
    assert torch.equal(torch.random.get_rng_state(), before)
    assert not hasattr(net, "module_")
    X, Y = np.random.default_rng(0).random((8, 32, 40)), np.eye(2)[[0, 1] * 4]
    plain = network(max_epochs=1).fit(X, Y)
    tried = network(max_epochs=1)
    tried.check_input(32, 40)
    tried.fit(X, Y).check_input(64, 80)
    np.testing.assert_array_equal(plain.predict_proba(X), tried.predict_proba(X))


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"lr": 0}, "'lr' parameter of CNNClassifier"),
        ({"lr": np.inf}, "'lr' parameter of CNNClassifier"),
        ({"backbone": "efficientnet_b99"}, "is not a model of timm"),
        (
            {"backbone_weights": "/no/such/file"},
            "neither 'pretrained', None nor a file",
        ),
        ({"criterion__label_smoothing": 2}, "label_smoothing=2 must be in"),
        (
            {"criterion": BCEFocalLoss, "criterion__bce_weight": -1},
            "bce_weight=-1 must not be negative",
        ),
        (
            {"criterion": FocalLoss, "criterion__gamma": np.inf},
            "gamma=inf must not be negative or infinite",
        ),
        ({"callbacks__mixup__alpha": -1}, "'alpha' parameter of Mixup"),
        ({"callbacks__hard_negatives__boost": 0}, "'boost' parameter of Hard"),
        ({"callbacks__clipping__gradient_clip_value": -1}, "'gradient_clip_value'"),
        ({"callbacks__augment": SpectrogramAugmentor({"a": 3})}, r"by_group\['a'\]=3"),
        (
            {"callbacks__augment": SpectrogramAugmentor({"a": [TimeMask(2)]})},
            "'max_share' parameter of TimeMask",
        ),
    ],
)
def test_all_parameters_can_be_checked_early(params, message):
    net = network().set_params(**params)
    with pytest.raises(ValueError, match=message):
        net.check_input(32, 40)
    with pytest.raises(ValueError, match=message):
        net.fit(np.zeros((4, 32, 40)), np.eye(2)[[0, 1, 0, 1]])


STEPS = [Resampler(8000), Segmenter(), VADFilter(), RMSFilter(), LogMel()]


@pytest.mark.parametrize("step", STEPS, ids=lambda step: type(step).__name__)
def test_the_number_of_labels_is_checked_before_decoding(step, birds, monkeypatch):
    def decode(*args, **kwargs):
        raise AssertionError("decoded")

    monkeypatch.setattr("skbird.audio._read_audio.AudioFile.read", decode)
    X, Y = birds
    for labels in (Y[:-1], Y.to_numpy()[:3], [*Y.iloc[:, 0], 1]):
        pipe = make_pipeline(step, LogMel(16), network())
        with pytest.raises(ValueError, match=f"Y has {len(labels)} rows, but X has 12"):
            pipe.fit(X, labels)
    table = pd.DataFrame({"primary_label": ["wren"] * 12})
    with pytest.raises(TypeError, match="encode_labels returns two tables"):
        make_pipeline(step, LogMel(16), network()).fit(X, encode_labels(table))


def test_an_unknown_optimizer_is_none_that_an_older_torch_lacks(monkeypatch):
    monkeypatch.delattr(torch.optim, "Muon", raising=False)
    check_optimizer(None)
    with pytest.raises(ValueError, match="optimizer=LBFGS does not train"):
        check_optimizer(torch.optim.LBFGS)
