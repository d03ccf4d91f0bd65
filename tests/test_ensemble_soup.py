"""Networks whose weights are averaged."""

import pickle

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline

from skbird.data import Spectrograms
from skbird.nn import CNNClassifier, SEDClassifier, soup
from skbird.nn._heads import CNN

TINY = {"backbone_weights": None, "max_epochs": 1, "verbose": 0, "random_state": 0}


class Other(CNN):
    """A network of another kind with the same weights."""


def make_data(n_bands=32, n_species=2, **options):
    rng = np.random.default_rng(0)
    Y = rng.integers(0, 2, (16, n_species)).astype(np.float32)
    X = rng.normal(-60, 5, (16, n_bands, 64))
    return Spectrograms.from_arrays(X, **options), Y


@pytest.fixture(scope="module")
def nets():
    X, Y = make_data()
    net = CNNClassifier("test_efficientnet", **TINY)
    return [clone(net).set_params(lr=lr).fit(X, Y) for lr in (1e-3, 3e-3, 1e-4)]


def test_the_weights_are_the_mean(nets):
    before = [pickle.dumps(net.module_.state_dict()) for net in nets]
    mixed = soup(nets)
    states = [net.module_.state_dict() for net in nets]
    for name, value in mixed.module_.state_dict().items():
        each = [state[name] for state in states]
        if value.is_floating_point():
            torch.testing.assert_close(value, sum(each) / 3)
        else:
            assert value == each[0]
    assert before == [pickle.dumps(net.module_.state_dict()) for net in nets]
    assert type(mixed) is CNNClassifier
    assert mixed.lr == 1e-3


def test_it_predicts_like_its_parts_and_travels(nets):
    X, _ = make_data()
    mixed = soup(iter(nets))
    proba = mixed.predict_proba(X)
    assert proba.shape == (16, 2)
    parts = [net.predict_proba(X) for net in nets]
    assert 0 < np.abs(proba - parts[0]).max()
    # Same start, one epoch: they are near each other, and so is their mean.
    np.testing.assert_allclose(proba, np.mean(parts, axis=0), atol=0.1)
    again = pickle.loads(pickle.dumps(mixed))
    np.testing.assert_array_equal(again.predict_proba(X), proba)
    np.testing.assert_array_equal(
        soup(nets[:1]).predict_proba(X), nets[0].predict_proba(X)
    )
    assert soup(nets[:1]) is not nets[0]


def test_it_is_under_the_licenses_of_all(nets, monkeypatch):
    assert soup(nets).weights_license_ is None
    for net, license in zip(nets[1:], ["CC BY-NC-SA 4.0", "CC BY 4.0"], strict=True):
        monkeypatch.setattr(net, "weights_license_", license)
    assert soup(nets).weights_license_ == "CC BY-NC-SA 4.0 and CC BY 4.0"
    assert soup([*nets, nets[1]]).weights_license_ == "CC BY-NC-SA 4.0 and CC BY 4.0"


@pytest.mark.slow
def test_what_differs_is_named(nets):
    X, Y = make_data()

    def refused(message, other):
        with pytest.raises(
            ValueError, match=rf"nets\[0\] and nets\[1\] differ in {message}"
        ):
            soup([nets[0], other])

    def cnn(X=X, Y=Y, backbone="test_efficientnet", **options):
        return CNNClassifier(backbone, **TINY, **options).fit(X, Y)

    refused("backbone: 'test_efficientnet' and 'lcnet_050'", cnn(backbone="lcnet_050"))
    refused("feature_pooling: 'mean' and 'gem'", cnn(feature_pooling="gem"))
    refused("species", cnn(Y=make_data(n_species=3)[1]))
    refused("mel_hz", cnn(make_data(n_bands=40)[0]))
    refused("normalize: None and 'standard'", cnn(make_data(normalize="standard")[0]))
    refused("module", cnn(module=Other))
    sed = SEDClassifier("test_efficientnet", **TINY).fit(X, Y)
    refused("class", sed)
    other = SEDClassifier("test_efficientnet", attention="time", **TINY).fit(X, Y)
    with pytest.raises(ValueError, match="differ in attention"):
        soup([sed, other])


def test_what_is_no_fitted_network_is_refused(nets):
    with pytest.raises(ValueError, match="nets is empty"):
        soup([])
    with pytest.raises(TypeError, match=r"nets\[1\] is a Pipeline.*pipeline\[-1\]"):
        soup([nets[0], make_pipeline(nets[1])])
    with pytest.raises(NotFittedError, match="CNNClassifier"):
        soup([nets[0], CNNClassifier("test_efficientnet")])
