import copy
import pickle

import numpy as np
import pandas as pd
import pytest
import timm
import torch
from forks import answer_elsewhere
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from skorch.callbacks import Callback
from skorch.exceptions import NotInitializedError

from skbird.data import Spectrograms
from skbird.data._spectrogram_format import normalize_segments
from skbird.nn import (
    BinaryCrossEntropy,
    CNNClassifier,
    Mixup,
    RecipeCallback,
    SEDClassifier,
    WarmupCosine,
)
from skbird.nn._batches import SegmentDataset, normalize_batch
from skbird.nn._heads import SED

TINY = {"backbone_weights": None, "verbose": 0, "random_state": 0}


@pytest.fixture(scope="module")
def stripes():
    """Spectrograms in dB: each of three species is a bright stripe of mel bands."""
    rng = np.random.default_rng(0)
    Y = rng.integers(0, 2, (96, 3)).astype(np.float32)
    X = rng.normal(-60, 5, (96, 32, 64))
    for species in range(3):
        X[:, 4 + 10 * species : 8 + 10 * species] += 30 * Y[:, species, None, None]
    spectrograms = Spectrograms.from_arrays(X, normalize="minmax", top_db=80.0)
    return spectrograms, pd.DataFrame(Y, columns=["a", "b", "c"])


@pytest.fixture(scope="module")
def fitted(stripes):
    net = SEDClassifier(
        "lcnet_035", "time", max_epochs=12, lr=5e-3, batch_size=16, **TINY
    )
    return net.fit(*stripes)


@pytest.mark.slow
@pytest.mark.parametrize(
    "make",
    [
        lambda **k: CNNClassifier("test_efficientnet", **k),
        lambda **k: SEDClassifier("test_efficientnet", "time", **k),
        lambda **k: SEDClassifier("test_efficientnet", "frequency", **k),
    ],
)
def test_networks_learn(stripes, make):
    X, Y = stripes
    # Masks of a fifth of so few bands would hide a species altogether.
    net = make(
        max_epochs=12, lr=5e-3, batch_size=16, callbacks__frequency_mask=None, **TINY
    )
    net.fit(X[:64], Y.iloc[:64])
    assert net.score(X[64:], Y.iloc[64:]) > 0.9
    assert list(net.species_) == ["a", "b", "c"]
    assert len(net.classes_) == 3
    assert net.predict_proba(X).shape == (96, 3)
    assert set(np.unique(net.predict(X))) <= {0, 1}
    assert net.embed(X).shape[0] == 96
    assert net.history_.index.tolist() == [*range(1, 13)]
    losses = net.history_["train_loss"]
    assert losses.iloc[-1] < losses.iloc[0]


@pytest.mark.slow
def test_the_same_seed_gives_the_same_model(stripes):
    X, Y = stripes
    net = CNNClassifier("lcnet_035", max_epochs=2, **TINY)
    torch.manual_seed(1)
    first = clone(net).fit(X, Y).predict_proba(X)
    torch.manual_seed(2)
    state = torch.random.get_rng_state()
    second = clone(net).fit(X, Y).predict_proba(X)
    np.testing.assert_array_equal(first, second)
    assert torch.equal(torch.random.get_rng_state(), state)
    other = clone(net).set_params(random_state=1).fit(X, Y).predict_proba(X)
    assert not np.allclose(first, other)


@pytest.mark.slow
def test_activations_say_when(stripes, fitted):
    X, _ = stripes
    row = fitted.activations(X[:2])[1]
    n_steps = row.attention.shape[1]
    assert row.probability.shape == (1, n_steps, 3)
    np.testing.assert_allclose(row.attention.mean(axis=1), 1, rtol=1e-5)
    assert (np.diff(row.centers) > 0).all()
    assert 0 < row.centers.min() < row.centers.max() < X.format.grid.segment_s
    # The row's logits are pooled from those of the steps.
    logits = np.log(row.probability[0] / (1 - row.probability[0]))
    pooled = np.log(np.exp(logits).mean(axis=0))
    expected = 1 / (1 + np.exp(-pooled))
    np.testing.assert_allclose(fitted.predict_proba(X[:2])[1], expected, rtol=1e-3)


def test_activations_over_frequency_are_in_hz(birds):
    from skbird.preprocessing import LogMel

    X, Y = birds
    X = LogMel(n_mels=64, hop_length=1024).fit_transform(X)
    net = SEDClassifier("lcnet_035", "frequency", max_epochs=1, **TINY).fit(X, Y)
    centers = net.activations(X)[0].centers
    assert (np.diff(centers) > 0).all()
    assert 0 < centers.min() < centers.max() < 8000


def test_time_attention_keeps_time_and_frequency_attention_frequency():
    x = torch.rand(2, 1, 128, 256)
    for axis, n_steps in (("time", 8), ("frequency", 4)):
        logits, attention = SED("lcnet_035", 5, axis).eval().step_maps(x)
        assert logits.shape == (2, 5, n_steps)
        assert attention.shape == (2, n_steps)


@pytest.mark.parametrize("step_pooling", ["lse", "mean", "max"])
def test_steps_are_pooled_as_asked(step_pooling):
    torch.manual_seed(0)
    x = torch.rand(2, 1, 64, 256)
    module = SED("lcnet_035", 5, "time", step_pooling).eval()
    with torch.no_grad():
        steps = module.step_maps(x)[0]
        expected = {
            "lse": steps.exp().mean(dim=2).log(),
            "mean": steps.mean(dim=2),
            "max": steps.max(dim=2).values,
        }
        torch.testing.assert_close(module(x), expected[step_pooling])


@pytest.mark.slow
def test_pickle_predicts_the_same_in_a_fresh_process_and_is_small(stripes, fitted):
    X, _ = stripes
    proba = answer_elsewhere(fitted, "predict_proba", X)
    np.testing.assert_allclose(proba, fitted.predict_proba(X), atol=1e-6)
    tensors = fitted.module_.state_dict().values()
    n_bytes = sum(t.numel() * t.element_size() for t in tensors)
    assert len(pickle.dumps(fitted)) < 1.2 * n_bytes


def test_a_callback_of_ones_own_ends_a_training_and_is_called_with_its_loss(stripes):
    class StopBelow(RecipeCallback):
        def __init__(self, loss=0.01):
            self.loss = loss

        def on_epoch_end(self, net, **kwargs):
            if net.history[-1, "train_loss"] < self.loss:
                net.stop_training_ = True

    class Count(torch.nn.Module):
        def forward(self, logits, target, label_weight):
            assert logits.shape == target.shape
            assert label_weight is None
            return (logits - torch.nan_to_num(target)).square().mean()

    X, Y = stripes
    net = CNNClassifier("lcnet_035", backbone_weights=None, max_epochs=5, verbose=0)
    net.set_params(criterion=Count, callbacks=[("stop", StopBelow())])
    net.set_params(callbacks__stop__loss=100.0).fit(X, Y)
    assert len(net.history) == 1
    assert net.predict_proba(X).shape == np.shape(Y)


def test_a_loaded_network_trains_on(stripes, fitted):
    X, Y = stripes
    loaded = pickle.loads(pickle.dumps(fitted))
    loaded.set_params(lr=1e-3, max_epochs=1)
    before = loaded.predict_proba(X)
    loaded.fit(X, Y)
    assert not np.allclose(before, loaded.predict_proba(X))


def test_weights_from_a_file_adapt_the_stem(tmp_path):
    source = timm.create_model("lcnet_035", num_classes=1000)
    state = source.state_dict()
    torch.save(state, tmp_path / "w.pth")
    from safetensors.torch import save_file

    save_file(state, tmp_path / "w.safetensors")
    for name in ("w.pth", "w.safetensors"):
        module = SED("lcnet_035", 5, backbone_weights=str(tmp_path / name))
        loaded = module.backbone.state_dict()
        expected = state["conv_stem.weight"].sum(dim=1, keepdim=True)
        torch.testing.assert_close(loaded["conv_stem.weight"], expected)
        key = "blocks.1.0.conv_pw.weight"
        torch.testing.assert_close(loaded[key], state[key])


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"backbone": "efficientnet_b99"}, "is not a model of timm"),
        ({"backbone": "vit_tiny_patch16_224"}, "convolutional"),
        (
            {"backbone_weights": "/no/such/file"},
            "neither 'pretrained', None nor a file",
        ),
        ({"pooling": "median"}, "'pooling' parameter"),
        ({"max_epochs": 0}, "'max_epochs' parameter"),
        ({"attention": "channel"}, "'attention' parameter"),
        ({"drop_rate": 1.5}, "'drop_rate' parameter"),
        ({"train_split": 0.2}, "train_split=0.2 is not supported"),
    ],
)
def test_bad_parameters_are_named(stripes, params, message):
    net = SEDClassifier(**{"backbone": "lcnet_035", **TINY, "max_epochs": 1, **params})
    with pytest.raises(ValueError, match=message):
        net.fit(*stripes)


@pytest.mark.parametrize("name", ["w.pth", "w.safetensors"])
def test_damaged_weights_are_named(stripes, tmp_path, name):
    path = tmp_path / name
    path.write_bytes(b"junk" * 100)
    net = CNNClassifier("lcnet_035", **{**TINY, "backbone_weights": str(path)})
    with pytest.raises(ValueError, match="cannot be read as safetensors"):
        net.fit(*stripes)


def test_weights_files_cannot_run_code(stripes, tmp_path):
    path = tmp_path / "w.pth"
    torch.save({"conv_stem.weight": print}, path)
    net = CNNClassifier("lcnet_035", **{**TINY, "backbone_weights": str(path)})
    with pytest.raises(ValueError, match="cannot be read"):
        net.fit(*stripes)


def test_weights_of_another_network_are_named(stripes, tmp_path):
    path = tmp_path / "w.pth"
    torch.save({"fc.weight": torch.zeros(2)}, path)
    net = CNNClassifier("lcnet_035", **{**TINY, "backbone_weights": str(path)})
    with pytest.raises(ValueError, match="do not fit lcnet_035"):
        net.fit(*stripes)
    torch.save(timm.create_model("lcnet_050", in_chans=1).state_dict(), path)
    with pytest.raises(ValueError, match="do not fit lcnet_035: size mismatch for "):
        net.fit(*stripes)


def test_pretrained_without_network_names_the_remedy(stripes, monkeypatch):
    def no_network(*args, **kwargs):
        if kwargs.get("pretrained"):
            raise OSError("no route to host")

    monkeypatch.setattr(timm, "create_model", no_network)
    net = CNNClassifier("lcnet_035", verbose=0)
    with pytest.raises(
        ValueError, match=r"no route to host.*pass backbone_weights=None"
    ):
        net.fit(*stripes)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda Y: Y.iloc[:5], "Y has 5 rows, but X has 96"),
        (lambda Y: Y["a"], r"\(n_rows, n_species\) is needed"),
        (lambda Y: 2 * Y, r"outside \[0, 1\]"),
        (lambda Y: Y * 0 - 1, "Y has no label in 96 rows: all are unlabelled"),
        (lambda Y: None, "Y is missing"),
        (lambda Y: np.array(["wren"] * 96), "no number.*encode_labels"),
    ],
)
def test_bad_targets_are_named(stripes, change, message):
    X, Y = stripes
    with pytest.raises(ValueError, match=message):
        CNNClassifier("lcnet_035", **TINY).fit(X, change(Y))


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({"sample_weight": np.ones(3)}, "sample_weight has 3 rows"),
        ({"sample_weight": np.ones((96, 1))}, r"sample_weight has shape \(96, 1\)"),
        ({"sample_weight": -np.ones(96)}, "sample_weight must be finite"),
        ({"label_weight": np.ones((96, 2))}, "label_weight has shape"),
        (
            {"label_weight": pd.DataFrame(np.ones((96, 3)), columns=["c", "b", "a"])},
            "another order",
        ),
    ],
)
def test_bad_weights_are_named(stripes, weights, message):
    X, Y = stripes
    with pytest.raises(ValueError, match=message):
        CNNClassifier("lcnet_035", **TINY).fit(X, Y, **weights)


def test_other_input_is_refused(stripes, fitted):
    net = CNNClassifier("lcnet_035", **TINY)
    with pytest.raises(TypeError, match="Put a LogMel before it"):
        net.fit(["a.wav"], [[1]])
    with pytest.raises((NotFittedError, NotInitializedError), match="not"):
        net.predict_proba(stripes[0])
    with pytest.raises(ValueError, match=r"16 mel bands.*trained on 32 mel"):
        fitted.predict_proba(np.zeros((2, 16, 64)))


def test_the_pair_of_encode_labels_is_not_y(stripes):
    X, Y = stripes
    with pytest.raises(TypeError, match="Y, label_weight = encode_labels"):
        CNNClassifier("lcnet_035", **TINY).fit(X, (Y, Y))


def test_a_near_name_is_suggested(stripes):
    net = CNNClassifier("mobilenet_v3_small_050", **TINY)
    with pytest.raises(ValueError, match=r"Did you mean.*mobilenetv3_small_050"):
        net.fit(*stripes)


def test_unlabelled_rows_are_not_trained_on(stripes):
    X, Y = stripes
    some = Y.copy()
    some.iloc[48:] = -1
    net = CNNClassifier("lcnet_035", max_epochs=2, **TINY)
    with_unlabelled = clone(net).fit(X, some).predict_proba(X)
    alone = clone(net).fit(X[:48], Y.iloc[:48]).predict_proba(X)
    np.testing.assert_allclose(with_unlabelled, alone, atol=1e-6)


def test_sample_weight_steers_the_draw():
    X = Spectrograms.from_arrays(np.zeros((4, 8, 16)))
    weight = np.array([0.0, 1.0, 1.0, 8.0])
    dataset = SegmentDataset(X, np.ones((4, 1), np.float32), weight)
    rng = np.random.RandomState(0)
    drawn = np.concatenate([dataset.draw(rng, 1) for _ in range(2000)])
    share = np.bincount(drawn, minlength=4) / len(drawn)
    np.testing.assert_allclose(share, [0, 0.1, 0.1, 0.8], atol=0.02)


def test_segments_are_drawn_by_their_weights(write_wav):
    from conftest import RATE, tone
    from sklearn.pipeline import make_pipeline

    from skbird.preprocessing import LogMel, RMSFilter, Segmenter

    levels = np.repeat([0.0, 0.1, 0.3], RATE * 2)
    path = write_wav("a.wav", levels * tone(600, 6, level=1))
    steps = make_pipeline(Segmenter(2.0, 0.0), RMSFilter(mode="weight"), LogMel(16))
    dataset = SegmentDataset(steps.fit_transform([path]), np.ones((1, 1), np.float32))
    rng = np.random.RandomState(0)
    drawn = np.concatenate([dataset.draw(rng, 1) for _ in range(1000)])
    share = np.bincount(drawn, minlength=3) / len(drawn)
    np.testing.assert_allclose(share, [0, 0.25, 0.75], atol=0.05)
    # Two of a row: both that weigh anything, none twice.
    assert sorted(dataset.draw(rng, 2)) == [1, 2]


@pytest.mark.slow
def test_label_weight_zero_hides_a_label(stripes):
    X, Y = stripes
    wrong = Y.copy()
    wrong.iloc[:40, 0] = 1 - wrong.iloc[:40, 0]
    hidden = np.ones(Y.shape, np.float32)
    hidden[:40, 0] = 0
    net = CNNClassifier("lcnet_035", max_epochs=2, **TINY)
    first = clone(net).fit(X, Y, label_weight=hidden).predict_proba(X)
    second = clone(net).fit(X, wrong, label_weight=hidden).predict_proba(X)
    np.testing.assert_array_equal(first, second)


def test_mixup_mixes_segments_labels_and_weights(fitted):
    torch.manual_seed(0)
    inputs = {"segments": torch.rand(64, 1, 4, 8), "label_weight": torch.rand(64, 3)}
    target = torch.eye(64)[:, :3]
    batch = [dict(inputs), target]
    Mixup(alpha=1.0).on_batch_begin(fitted, batch, training=False)
    assert batch[1] is target
    Mixup(alpha=1.0).on_batch_begin(fitted, batch, training=True)
    assert ((batch[1] > 0) & (batch[1] < 1)).any()
    assert not torch.equal(batch[0]["segments"], inputs["segments"])
    assert not torch.equal(batch[0]["label_weight"], inputs["label_weight"])
    unknown = [dict(inputs), torch.full((64, 3), torch.nan)]
    Mixup().on_batch_begin(fitted, unknown, training=True)
    assert unknown[1].isnan().all()


def test_callbacks_are_reached_by_set_params(stripes):
    net = CNNClassifier("lcnet_035", max_epochs=1, **TINY)
    net.set_params(callbacks__mixup__alpha=0.2, callbacks__time_mask=None)
    net = clone(net).fit(*stripes)
    assert dict(net.callbacks_)["mixup"].alpha == 0.2
    assert "time_mask" not in dict(net.callbacks_)


@pytest.mark.parametrize(
    ("misspelt", "message"),
    [
        (
            {"backbone_weihgts": None},
            r"no parameter 'backbone_weihgts' \(did you mean backbone_weights or",
        ),
        ({"callbacks__mixupp__p": 0.5}, r"mixupp__p' .*mean callbacks__mixup__p or"),
        ({"callbacks__mixup_p": 0.5}, r"'callbacks__mixup_p' .*mean callbacks__mixup"),
        (
            {"callbacks__mixup__pp": 0.5},
            r"'callbacks__mixup__pp' .*mean callbacks",
        ),
        ({"criterion__smoothing": 0.1}, "mean criterion__label_smoothing"),
        ({"module__drop_rat": 0.1}, "mean module__drop_rate"),
        ({"optimizer__epss": 0.1}, "mean optimizer__eps"),
        ({"iterator_train__shufle": True}, "mean iterator_train__shuffle"),
        ({"qqq": 1, "zzz__p": 2}, "no parameter 'qqq' and 'zzz__p'. get_params"),
    ],
)
def test_misspelt_parameters_are_refused_at_once(misspelt, message):
    with pytest.raises(TypeError, match=message):
        CNNClassifier(**misspelt)
    net = CNNClassifier()
    with pytest.raises(ValueError, match=message):
        net.set_params(**misspelt)
    assert not set(misspelt) & set(net.get_params())


def test_parameters_are_those_of_a_class_as_it_is_now():
    """Notebooks that load modules anew change classes that were asked before."""

    class Net(CNNClassifier):
        def __init__(self, module=None, speed=1, **kwargs):
            CNNClassifier.__init__(self, module, **kwargs)
            self.speed = speed

    with pytest.raises(ValueError, match="has no parameter 'height'"):
        Net().set_params(height=2)

    def init(self, module=None, height=1, **kwargs):
        CNNClassifier.__init__(self, module, **kwargs)
        self.height = height

    Net.__init__.__code__ = init.__code__
    assert Net().set_params(height=2).height == 2


class Mine(Callback):
    def __init__(self, speed=1):
        self.speed = speed


def test_parameters_of_all_parts_survive_clone_and_pickle(stripes):
    params = {
        "callbacks": [("mine", Mine()), Mine],
        "callbacks__mine__speed": 2,
        "callbacks__Mine__speed": 3,
        "callbacks__mixup": Mixup(alpha=0.2),
        "callbacks__mixup__p": 0.5,
        "callbacks__cutmix": None,
        "criterion": lambda **options: BinaryCrossEntropy(**options),
        "criterion__label_smoothing": 0.1,
        "module__drop_rate": 0.1,
        "optimizer": torch.optim.SGD,
        "optimizer__momentum": 0.9,
        "optimizer__param_groups": [("backbone.*", {"lr": 1e-3})],
        "iterator_train__num_workers": 0,
        "compile__backend": "eager",
    }
    net = clone(CNNClassifier("lcnet_035", max_epochs=1, **TINY, **params))
    net.fit(*stripes)
    callbacks = dict(net.callbacks_)
    assert (callbacks["mine"].speed, callbacks["Mine"].speed) == (2, 3)
    off = clone(clone(net).set_params(callbacks__mixup=None))
    assert off.get_params()["callbacks__mixup__p"] == 0.5  # whose p waits for another
    net.set_params(optimizer__param_groups__0__lr=1e-4, criterion=BinaryCrossEntropy)
    again = pickle.loads(pickle.dumps(net))
    assert again.get_params()["criterion__label_smoothing"] == 0.1


def test_the_schedule_warms_up_and_falls():
    schedule = WarmupCosine(warmup=0.1, final=0.01)
    factors = [schedule.factor(step, 100) for step in range(100)]
    assert factors[0] < 0.1 < factors[5] < factors[10]
    assert max(factors) == factors[10] == 1
    assert all(np.diff(factors[10:]) < 0)
    assert factors[-1] == pytest.approx(0.01, abs=1e-3)


def test_the_schedule_rises_by_equal_steps_and_follows_the_cosine():
    schedule = WarmupCosine(warmup=0.2, final=0.1)
    t, n, w = np.arange(1, 51), 50, 10
    cosine = (1 + np.cos(np.pi * (t - 1 - w) / (n - w))) / 2
    expected = np.where(t <= w, t / (w + 1), 0.1 + 0.9 * cosine)
    factors = [schedule.factor(step, n) for step in range(n)]
    np.testing.assert_allclose(factors, expected)


def test_the_schedule_reaches_the_optimizer(stripes):
    net = CNNClassifier("lcnet_035", max_epochs=2, lr=0.01, **TINY).fit(*stripes)
    assert net.optimizer_.param_groups[0]["lr"] < 0.005
    assert net.optimizer_.param_groups[0]["weight_decay"] == 0.01


def test_parameter_groups_keep_their_own_rates(stripes):
    groups = [("backbone.*", {"lr": 1e-6})]
    net = CNNClassifier("lcnet_035", max_epochs=1, lr=0.01, **TINY)
    net.set_params(optimizer__param_groups=groups).fit(*stripes)
    low, high = (group["lr"] for group in net.optimizer_.param_groups)
    assert low == pytest.approx(high * 1e-4)


def test_an_interrupted_fit_is_no_fit(stripes):
    class Interrupt(Callback):
        def on_epoch_end(self, net, **kwargs):
            raise KeyboardInterrupt

    net = CNNClassifier("lcnet_035", callbacks=[Interrupt()], **TINY)
    with pytest.raises(KeyboardInterrupt, match=r"^$"):
        net.fit(*stripes)


@pytest.mark.slow
def test_training_goes_on_with_warm_start_only(stripes):
    X, Y = stripes
    net = CNNClassifier("lcnet_035", max_epochs=1, warm_start=True, **TINY).fit(X, Y)
    before = net.module_
    loaded = pickle.loads(pickle.dumps(net.fit(X, Y)))
    assert net.module_ is before
    assert len(loaded.fit(X, Y).history) == 3
    with pytest.raises(ValueError, match="continues with the 3 species"):
        net.fit(X, Y.iloc[:, :2])
    with pytest.raises(TypeError, match="use fit with warm_start=True"):
        net.partial_fit(X, Y)


def test_another_sample_rate_is_noticed(birds, write_wav):
    from sklearn.pipeline import make_pipeline

    from skbird.preprocessing import LogMel

    X, Y = birds
    net = CNNClassifier("lcnet_035", max_epochs=1, **TINY)
    pipe = make_pipeline(LogMel(16), net).fit(X, Y)
    with pytest.raises(ValueError, match=r"frames of 64 ms.*trained on.*32 ms"):
        pipe.predict_proba([write_wav("slow.wav", np.zeros(8000), 8000)])


def test_a_device_that_is_gone_becomes_the_cpu(fitted, monkeypatch):
    state = fitted.__getstate__() | {"device": "cuda"}
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    net = SEDClassifier.__new__(SEDClassifier)
    with pytest.warns(UserWarning, match="device='cuda' is not there"):
        net.__setstate__(state)
    assert net.device == "cpu"


def test_rows_that_are_all_unreadable_give_nan(stripes, fitted):
    X, _ = stripes
    nothing = Spectrograms(X.rows[:2], [None, None], [0, 0], X.format)
    assert np.isnan(fitted.predict_proba(nothing)).all()
    assert fitted.embed(nothing).shape == (2, fitted.embed(X[:1]).shape[1])
    assert fitted.activations(nothing)[0].probability.shape[0] == 0


def test_a_loss_that_is_not_finite_stops_training(stripes):
    class Exploding(BinaryCrossEntropy):
        def forward(self, *args):
            return super().forward(*args) * torch.inf

    net = CNNClassifier("lcnet_035", criterion=Exploding, max_epochs=3, **TINY)
    with pytest.raises(FloatingPointError, match="Lower lr="):
        net.fit(*stripes)


@pytest.mark.parametrize("normalize", ["minmax", "standard", None])
@pytest.mark.parametrize("top_db", [40.0, None])
def test_both_normalisations_agree_and_repeat(normalize, top_db):
    batch = np.random.default_rng(0).normal(-50, 20, (4, 30, 20)).astype(np.float32)
    expected = normalize_segments(batch, normalize, top_db)
    once = normalize_batch(torch.from_numpy(batch)[:, None], normalize, top_db)
    np.testing.assert_allclose(once[:, 0], expected, atol=1e-4)
    twice = normalize_batch(once, normalize, top_db)
    np.testing.assert_allclose(twice, once, atol=1e-4)


def test_a_fitted_network_moves_to_the_device_that_is_set(stripes):
    """To "meta", the device that every machine has."""
    net = CNNClassifier("lcnet_035", max_epochs=1, device="cpu", **TINY).fit(*stripes)
    optimizer, expected = net.optimizer_, net.predict_proba(stripes[0])
    net.set_params(device="cpu", threshold=0.4)
    assert net.optimizer_ is optimizer
    np.testing.assert_array_equal(net.predict_proba(stripes[0]), expected)
    # Another optimizer is made where it is wanted, with the learning rate of then.
    net.set_params(device="meta").set_params(lr=0.1)
    parts = [*net.module_.parameters(), *net.module_.buffers()]
    assert {part.device.type for part in parts} == {"meta"}
    assert not hasattr(net, "optimizer_")


def test_a_fitted_network_stays_where_no_device_is(fitted):
    net = copy.copy(fitted)
    with pytest.raises(ValueError, match=r"device='gpu' cannot be used: .*'cuda'\."):
        net.set_params(device="gpu", threshold=0.4)
    assert net.get_params()["device"] == "auto"
    assert net.threshold == fitted.threshold
    # One that is not fitted may be fitted on another machine.
    assert clone(fitted).set_params(device="gpu").device == "gpu"


def test_device_auto_stays_auto(fitted):
    assert fitted.get_params()["device"] == "auto"
    assert clone(fitted).get_params()["device"] == "auto"
    assert fitted.device in ("cpu", "cuda")


@pytest.mark.slow
def test_verbose_shows_epochs_and_loss(stripes, capsys):
    options = {**TINY, "verbose": 1}
    CNNClassifier("lcnet_035", max_epochs=2, **options).fit(*stripes)
    shown = capsys.readouterr().err
    assert "epoch 2/2, loss" in shown
    CNNClassifier("lcnet_035", max_epochs=1, **TINY).fit(*stripes)
    assert capsys.readouterr().err == ""


def test_nullable_labels_may_be_unknown(stripes):
    X, Y = stripes
    nullable = pd.DataFrame(Y).astype("Int64")
    nullable.iloc[0, 0] = pd.NA
    net = CNNClassifier("lcnet_035", max_epochs=1, **TINY).fit(X, nullable)
    assert net.predict_proba(X).shape == Y.shape
