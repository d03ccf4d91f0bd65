"""The parts of the training recipe that are not augmentation."""

import os
import pickle
import signal
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import timm
import torch
from forks import started
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from skorch.callbacks import Callback
from tiny_cnn import TinyCNN

from skbird.data import Spectrograms
from skbird.metrics import macro_roc_auc, prediction_entropy
from skbird.nn import (
    BinaryCrossEntropy,
    CNNClassifier,
    Curriculum,
    Mixup,
    SEDClassifier,
    SpectrogramAugmentor,
    TimeMask,
    WarmupCosine,
)
from skbird.nn import _allocator as allocator
from skbird.nn import _precision as precision_module
from skbird.nn._averaging import mean_weights
from skbird.nn._batches import SegmentDataset
from skbird.nn._heads import CNN, SED, GeneralizedMean
from skbird.nn._precision import autocast, choose_precision, depthwise_in_float32
from skbird.utils._optimizers import usable_optimizers

TINY = {"backbone_weights": None, "verbose": 0, "random_state": 0, "batch_size": 16}


def make_stripes(n_rows=64, seed=0):
    """Return rows in dB where each of three species is a bright stripe of bands."""
    rng = np.random.default_rng(seed)
    Y = rng.integers(0, 2, (n_rows, 3)).astype(np.float32)
    X = rng.normal(-60, 5, (n_rows, 32, 64))
    for species in range(3):
        X[:, 4 + 10 * species : 8 + 10 * species] += 30 * Y[:, species, None, None]
    X = Spectrograms.from_arrays(X, normalize="minmax", top_db=80.0)
    return X, pd.DataFrame(Y, columns=["a", "b", "c"])


@pytest.fixture(scope="module")
def stripes():
    return make_stripes()


def small(**options):
    options = {"module": TinyCNN, "max_epochs": 3, **TINY, **options}
    return CNNClassifier("lcnet_035", **options)


class Record(Callback):
    """Keeps what `look(net)` says after each epoch, last of all callbacks."""

    def __init__(self, look):
        self.look = look
        self.seen_ = []

    def on_epoch_end(self, net, **kwargs):
        self.seen_.append(self.look(net))


class Rows(Callback):
    """Keeps which rows each epoch draws; may break off in the middle of one."""

    transient = ("epochs_", "killed_in_")  # not a part of the training

    def __init__(self):
        self.epochs_ = []
        self.killed_in_ = None

    def on_batch_end(self, net, **kwargs):
        n_batches = len(net.history[-1, "batches"])
        if len(net.history) == self.killed_in_ and n_batches == 2:
            raise KeyboardInterrupt

    def on_epoch_begin(self, net, **kwargs):
        self.epochs_.append([])

    def on_batch_begin(self, net, batch=None, training=False, **kwargs):
        self.epochs_[-1].extend(batch[0]["rows"].tolist())


# Schedule, optimizer -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("n_rows", "options"),
    [
        (1, {}),
        (5, {"batch_size": 2}),
        (4, {"batch_size": 1}),
    ],
)
def test_a_batch_of_one_segment_may_be_too_little(n_rows, options):
    X = np.random.default_rng(0).normal(-60, 5, (n_rows, 32, 32))
    Y = np.eye(3, 2)[[0, 1, 1, 0, 1][:n_rows]]
    message = "cannot be trained on a batch of one segment of 32 mel bands x 32 frames"
    with pytest.raises(ValueError, match=f"{message}.*Train on more rows, or raise"):
        small(module=CNN, **options).fit(X, Y)
    enough = {**options, "segments_per_row": 2, "batch_size": 16}
    assert small(module=CNN, **enough).fit(X, Y)


def test_a_batch_of_one_segment_may_be_enough():
    X = np.random.default_rng(0).normal(-60, 5, (1, 32, 64))
    net = small(module=CNN, callbacks__mixup=None, max_epochs=1).fit(X, [[0, 1]])
    assert (net.history_["train_loss"] > 0).all()


OPTIMIZERS = {
    name: kind
    for name, kind in vars(torch.optim).items()
    if isinstance(kind, type) and kind is not torch.optim.Optimizer
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers_train_or_are_refused_before_the_work(stripes, name):
    X, Y = stripes
    net = small(optimizer=OPTIMIZERS[name], max_epochs=1, batch_size=4)
    if name in usable_optimizers():
        net.fit(X[:8], Y[:8])
        assert np.isfinite(net.predict_proba(X[:2])).all()
        return
    message = f"optimizer={name} does not train these .* take one of .*AdamW.*SGD"
    with pytest.raises(ValueError, match=message):
        net.check_input(32, 64)
    with pytest.raises(ValueError, match=message):
        net.fit(X, Y)


def test_restarts_repeat_the_cosine():
    schedule = WarmupCosine(warmup=0.1, final=0.0, cycles=3)
    factors = np.array([schedule.factor(step, 100) for step in range(101)])
    assert np.flatnonzero(np.diff(factors) > 0.5).tolist() == [39, 69]
    np.testing.assert_allclose(factors[[10, 40, 70]], 1, atol=0.01)
    assert factors[-1] == 0


def test_norms_and_biases_are_not_decayed_and_the_backbone_learns_slower(stripes):
    options = {"backbone_lr_factor": 0.1, "weight_decay": 0.05}
    net = small(module=CNN, max_epochs=1, lr=0.01, **options)
    net.fit(*stripes)
    names = {id(p): name for name, p in net.module_.named_parameters()}
    seen = {}
    for group in net.optimizer_.param_groups:
        for parameter in group["params"]:
            name = names.pop(id(parameter))
            expected_lr = 0.001 if name.startswith("backbone.") else 0.01
            assert group["initial_lr"] == pytest.approx(expected_lr), name
            decay = 0.05 if parameter.ndim > 1 else 0.0
            assert group["weight_decay"] == decay, name
            seen[name] = group
    assert not names  # each parameter is in one group
    assert seen["backbone.conv_stem.weight"]["weight_decay"] == 0.05
    assert seen["backbone.bn1.weight"]["weight_decay"] == 0.0
    assert seen["classifier.weight"] is not seen["backbone.conv_stem.weight"]


@pytest.mark.slow
def test_a_backbone_rate_of_zero_freezes_it(stripes):
    net = small(backbone_lr_factor=0.0, weight_decay=0.0).fit(*stripes)
    start = small(max_epochs=1, lr=1e-12, weight_decay=0.0).fit(*stripes)
    torch.testing.assert_close(
        net.module_.backbone.conv_stem.weight, start.module_.backbone.conv_stem.weight
    )
    assert not torch.allclose(
        net.module_.classifier.weight, start.module_.classifier.weight
    )


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_gradients_are_clipped(stripes, precision):
    norms = []

    class Norms(Callback):
        def on_batch_end(self, net, **kwargs):
            parameters = [p for p in net.module_.parameters() if p.grad is not None]
            norms.append(torch.stack([p.grad.norm() for p in parameters]).norm().item())

    def largest():
        # float16 begins with a scale that may overflow: such a step is left out.
        return np.max(norms, where=np.isfinite(norms), initial=0)

    options = {"precision": precision, "callbacks": [Norms()]}
    small(**options).fit(*stripes)
    assert largest() > 0.2
    norms.clear()
    net = small(**options)
    net.set_params(callbacks__clipping__gradient_clip_value=0.1).fit(*stripes)
    # Of the gradients themselves, not of those scaled up for float16.
    assert 0.09 < largest() <= 0.1001


# Averages ----------------------------------------------------------------------------


@pytest.mark.slow
def test_the_average_of_weights_is_what_predicts(stripes):
    raw = []

    class Raw(Callback):
        def on_batch_end(self, net, batch=None, training=False, **kwargs):
            raw.append(net.module_.classifier.bias.detach().clone())

        def on_epoch_begin(self, net, **kwargs):
            if raw:  # the optimizer goes on where it was, not from the average
                torch.testing.assert_close(net.module_.classifier.bias.data, raw[-1])

    # Callbacks of one's own come after the default ones, which have restored by then.
    net = small(callbacks=[Raw()], lr=0.05)
    net.set_params(callbacks__average__decay=0.9).fit(*stripes)
    expected = None
    start = small(max_epochs=1, lr=1e-12).fit(*stripes)
    expected = start.module_.classifier.bias.detach()
    for step, bias in enumerate(raw, start=1):
        decay = min(0.9, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * bias
    torch.testing.assert_close(net.module_.classifier.bias.data, expected)
    assert not torch.allclose(net.module_.classifier.bias, raw[-1], atol=1e-3)
    net.set_params(callbacks=None).fit(*stripes)
    n_bytes = len(pickle.dumps(net))
    assert n_bytes < 1.1 * len(pickle.dumps(small().fit(*stripes)))


@pytest.mark.slow
def test_no_average_by_default(stripes):
    plain = small().fit(*stripes)
    off = small(callbacks__average=None).fit(*stripes)
    assert torch.equal(plain.module_.classifier.bias, off.module_.classifier.bias)


def test_soup_is_the_mean_of_floats_and_keeps_counters():
    states = [{"w": torch.tensor([1.0, 2.0]), "n": torch.tensor(3)} for _ in range(2)]
    states[1]["w"] = torch.tensor([3.0, 6.0])
    soup = mean_weights(states)
    assert soup["w"].tolist() == [2, 4]
    assert soup["n"].item() == 3


# Validation --------------------------------------------------------------------------


def test_held_out_groups_are_not_trained_on(stripes):
    X, Y = stripes
    X = X.assign(author=np.repeat(np.arange(16), 4))
    rows = Rows()
    net = small(callbacks=[rows])
    net.set_params(
        callbacks__validation__fraction=0.25, callbacks__validation__groups="author"
    )
    net.fit(X, Y)
    used = set(np.concatenate(rows.epochs_))
    assert len(used) == 48
    assert len({row // 4 for row in used}) == 12
    assert len(net.history[:, "valid_score"]) == 3
    assert net.history[-1, "train_batch_count"] == 3  # of 16


@pytest.mark.slow
def test_the_best_epoch_is_kept(stripes):
    X, Y = stripes
    biases = Record(lambda net: net.module_.classifier.bias.detach().clone())
    net = small(max_epochs=6, lr=0.02, callbacks=[biases])
    net.set_params(callbacks__validation__fraction=0.25).fit(X, Y)
    scores = net.history[:, "valid_score"]
    assert len(set(scores)) > 1
    best = int(np.argmax(scores))
    assert torch.equal(net.module_.classifier.bias.data, biases.seen_[best])
    net.set_params(callbacks__validation__keep="last").fit(X, Y)
    assert torch.equal(net.module_.classifier.bias.data, biases.seen_[-1])
    biases.seen_.clear()
    net.set_params(
        callbacks__validation__keep="soup", callbacks__validation__n_soup=2
    ).fit(X, Y)
    first, second = np.argsort(-np.array(scores), kind="stable")[:2]
    expected = (biases.seen_[first] + biases.seen_[second]) / 2
    torch.testing.assert_close(net.module_.classifier.bias.data, expected)


@pytest.mark.slow
def test_the_average_is_what_is_validated(stripes):
    X, Y = stripes
    rows, proba = Rows(), Record(lambda net: None)
    net = small(lr=0.05, callbacks=[rows, proba])
    net.set_params(callbacks__validation__fraction=0.25).fit(X, Y)
    of_raw_weights = net.history[:, "valid_score"]
    held_out = np.setdiff1d(np.arange(64), np.concatenate(rows.epochs_))
    assert len(held_out) == 16
    # The batch of the validation: another rounds otherwise, which may swap two ranks.
    proba.look = lambda net: net.predict_proba(X[held_out])
    proba.seen_.clear()
    net.set_params(callbacks__average__decay=0.9).fit(X, Y)
    expected = [macro_roc_auc(Y.iloc[held_out], seen) for seen in proba.seen_]
    assert net.history[:, "valid_score"] == pytest.approx(expected)
    assert not np.allclose(of_raw_weights, expected)


@pytest.mark.slow
@pytest.mark.parametrize("keep", ["best", "soup"])
def test_what_is_validated_on_is_not_pickled(keep):
    X, Y = make_stripes(128)
    net = small(callbacks__validation__keep=keep)
    n_bytes = len(pickle.dumps(net.fit(X, Y)))
    net.set_params(callbacks__validation__fraction=0.5).fit(X, Y)
    assert len(pickle.dumps(net)) < 1.1 * n_bytes


@pytest.mark.slow
def test_training_stops_early(stripes):
    X, Y = stripes
    net = small(max_epochs=30, lr=1e-9)
    net.set_params(
        callbacks__validation__fraction=0.25, callbacks__validation__patience=2
    ).fit(X, Y)
    scores = net.history[:, "valid_score"]
    assert len(scores) < 30
    assert len(scores) == 1 + int(np.argmax(scores)) + 2


@pytest.mark.slow
def test_each_species_keeps_a_group_to_train_on():
    X, _ = make_stripes(20)
    Y = np.zeros((20, 3))
    Y[:10, 0] = Y[10:, 1] = 1
    Y[3, 2] = 1  # one recording only
    rows = Rows()
    for seed in range(5):
        net = small(max_epochs=1, callbacks=[rows], random_state=seed)
        net.set_params(callbacks__validation__fraction=0.5).fit(X, Y)
    for epoch in rows.epochs_:
        assert 3 in epoch
        assert len(set(epoch)) == 10


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"validation__fraction": 1.0}, "'fraction' parameter of ValidationSplit"),
        ({"validation__keep": "first"}, "'keep' parameter of ValidationSplit"),
        ({"validation__n_soup": 0}, "'n_soup' parameter of ValidationSplit"),
        ({"validation__patience": 0}, "'patience' parameter of ValidationSplit"),
        ({"validation__fraction": 0.2, "validation__groups": "site"}, "groups='site'"),
        ({"average__decay": 1.0}, "'decay' parameter of WeightAverage"),
        ({"curriculum__start": 0.0}, "'start' parameter of Curriculum"),
        ({"curriculum__start": 0.5}, "no column by='rating'"),
        ({"curriculum__start": 0.5, "curriculum__by": "path"}, "by='path' of numbers"),
        ({"curriculum__pacing_power": 0}, "'pacing_power' parameter of Curriculum"),
        ({"curriculum__easy": "first"}, "'easy' parameter of Curriculum"),
        ({"hard_negatives__boost": 0.5}, "'boost' parameter of HardNegativeMining"),
        ({"hard_negatives__threshold": 1.0}, "'threshold' parameter of Hard"),
        ({"schedule__cycles": 0}, "'cycles' parameter of WarmupCosine"),
        ({"coarse_first__coarse_share": 1.0}, "'coarse_share' parameter of Coarse"),
        ({"head_first__head_share": 1.0}, "'head_share' parameter of HeadFirst"),
    ],
)
def test_bad_parameters_of_callbacks_are_named(stripes, params, message):
    net = small().set_params(**{f"callbacks__{k}": v for k, v in params.items()})
    with pytest.raises(ValueError, match=message):
        net.fit(*stripes)


def test_nothing_to_validate_on_is_named():
    X, _ = make_stripes(6)
    with pytest.raises(ValueError, match="leaves nothing to validate on"):
        small(callbacks__validation__fraction=0.5).fit(X, np.eye(6))
    Y = np.ones((6, 1))
    with pytest.raises(ValueError, match="no species is both present and absent"):
        small(callbacks__validation__fraction=0.5).fit(X, Y)


# Curriculum and hard negatives -------------------------------------------------------


@pytest.mark.slow
def test_easy_rows_come_first(stripes):
    X, Y = stripes
    rating = np.linspace(1, 5, 64)
    rating[:8] = np.nan  # count as the median
    rows = Rows()
    net = small(max_epochs=8, callbacks=[rows])
    net.set_params(callbacks__curriculum__start=0.25)
    net.fit(X.assign(rating=rating), Y)
    assert net.history[:, "curriculum_rows"] == [16, 28, 40, 52, 64, 64, 64, 64]
    assert set(rows.epochs_[0]) == set(range(48, 64))
    assert set(rows.epochs_[-1]) == set(range(64))
    assert {len(epoch) for epoch in rows.epochs_} == {64}
    # All of those admitted come equally often.
    assert set(np.bincount(rows.epochs_[0])[48:]) == {4}
    rows.epochs_.clear()
    net.set_params(callbacks__curriculum__easy="low")
    net.fit(X.assign(rating=rating), Y)
    assert set(rows.epochs_[0]) == set(range(8, 24))


@pytest.mark.parametrize(("easy", "first"), [("high", 40), ("low", 16)])
def test_rows_without_a_rating_count_as_the_median(stripes, easy, first):
    X, Y = stripes
    rating = np.linspace(0, 1, 64) ** 4  # whose mean is far from the median
    rating[:16] = np.nan
    rows = Rows()
    net = small(max_epochs=1, callbacks=[rows])
    net.set_params(callbacks__curriculum__start=0.5, callbacks__curriculum__easy=easy)
    net.fit(X.assign(rating=rating), Y)
    admitted = set(rows.epochs_[0])
    assert len(admitted) == 32
    # All of the easier half of the rated rows, and some without a rating.
    assert {row for row in admitted if row >= 16} == set(range(first, first + 24))


@pytest.mark.slow
def test_chance_decides_between_rows_that_are_equally_easy(stripes):
    X, Y = stripes
    X = X.assign(rating=np.repeat([1.0, 5.0], 32))

    def first_epoch(seed):
        rows = Rows()
        net = small(max_epochs=1, callbacks=[rows], random_state=seed)
        net.set_params(callbacks__curriculum__start=0.25).fit(X, Y)
        return set(rows.epochs_[0])

    admitted = [first_epoch(seed) for seed in (0, 1, 2)]
    assert {len(rows) for rows in admitted} == {16}
    assert set().union(*admitted) <= set(range(32, 64))
    assert admitted[0] != admitted[1] != admitted[2]
    assert admitted[0] == first_epoch(0)


@pytest.mark.slow
def test_the_loss_of_the_rows_can_order_them(stripes):
    X, Y = stripes
    losses, checked = np.full(64, np.nan), []

    class Check(Callback):
        """Comes after the curriculum, and keeps the losses too."""

        def on_batch_end(self, net, batch=None, y_pred=None, **kwargs):
            loss = torch.nn.functional.binary_cross_entropy_with_logits(
                y_pred, batch[1], reduction="none"
            )
            losses[batch[0]["rows"].numpy()] = loss.mean(dim=1).detach().cpu().numpy()

        def on_epoch_begin(self, net, dataset_train=None, **kwargs):
            admitted = dataset_train.row_factors["curriculum"] > 0
            if not np.isnan(losses).any():
                assert losses[admitted].max() <= losses[~admitted].min() + 1e-6
                checked.append(admitted.sum())

    net = small(max_epochs=8, callbacks=[Check()])
    net.set_params(
        callbacks__curriculum__start=0.5,
        callbacks__curriculum__full=1.0,
        callbacks__curriculum__by="loss",
    ).fit(X, Y)
    assert net.history[:, "curriculum_rows"] == [64, *checked]
    assert checked == [36, 40, 44, 48, 52, 56, 60]


@pytest.mark.slow
def test_sample_weights_count_among_the_rows_admitted(stripes):
    X, Y = stripes
    weight = np.tile([1.0, 3.0], 32)
    admitted, boost = np.repeat([0.0, 1.0], 32), np.tile([1.0, 1.0, 2.0, 2.0], 16)
    dataset = SegmentDataset(X, Y.to_numpy(), weight)
    rng = np.random.RandomState(0)
    for factor in (np.ones(64), boost):
        dataset.row_factors = {"curriculum": admitted, "hard_negatives": factor}
        drawn = np.concatenate([dataset.draw(rng, 1) for _ in range(200)])
        count = np.bincount(drawn, minlength=64).reshape(2, 8, 4).sum(axis=1)
        expected = (weight * admitted * factor).reshape(2, 8, 4).sum(axis=1)
        np.testing.assert_allclose(
            count / count.sum(), expected / expected.sum(), rtol=0.1
        )


def test_pacing():
    steady = Curriculum(start=0.2, full=0.5)
    shares = [steady.admitted_share(epoch, 10) for epoch in range(10)]
    np.testing.assert_allclose(shares[:6], [0.2, 0.36, 0.52, 0.68, 0.84, 1.0])
    assert shares[6:] == [1.0] * 4
    fast = Curriculum(start=0.2, full=0.5, pacing_power=2.0)
    assert fast.admitted_share(0, 10) == pytest.approx(0.2)
    assert fast.admitted_share(1, 10) > 0.45


def test_prediction_entropy_is_high_where_a_teacher_is_unsure():
    proba = np.array([[0.5, 0.5], [0.0, 1.0], [0.9, 0.9], [np.nan, np.nan]])
    entropy = prediction_entropy(proba)
    np.testing.assert_allclose(entropy[:2], [1, 0], atol=1e-9)
    assert 0 < entropy[2] < 1
    assert np.isnan(entropy[3])
    with pytest.raises(ValueError, match=r"proba has values outside \[0, 1\]"):
        prediction_entropy(proba + 1)


@pytest.mark.slow
def test_hard_negatives_are_drawn_more_often(stripes):
    X, Y = stripes
    wrong, factors = [], []

    class Check(Callback):
        def on_epoch_begin(self, net, dataset_train=None, **kwargs):
            if wrong:
                factors.append(dataset_train.row_factors["hard_negatives"])
            wrong.append(np.zeros((64, 3), bool))

        def on_batch_end(self, net, batch=None, y_pred=None, **kwargs):
            heard = (torch.sigmoid(y_pred) > 0.4) & (batch[1] == 0)
            np.logical_or.at(wrong[-1], batch[0]["rows"].numpy(), heard.cpu().numpy())

    rows = Rows()
    net = small(max_epochs=30, callbacks=[Check(), rows], lr=5e-3)
    net.set_params(
        callbacks__hard_negatives__boost=8.0, callbacks__hard_negatives__threshold=0.4
    ).fit(X, Y)
    drawn = np.zeros(2)  # of rows that were hard, of the others
    for heard, factor, epoch in zip(wrong, factors, rows.epochs_[1:], strict=False):
        hard = heard.any(axis=1)
        np.testing.assert_array_equal(factor, np.where(hard, 8, 1))
        if 0 < hard.sum() < 64:
            count = np.bincount(epoch, minlength=64)
            drawn += count[hard].mean(), count[~hard].mean()
    assert 5 < drawn[0] / drawn[1] < 12
    expected = [dict(zip("abc", heard.sum(axis=0), strict=True)) for heard in wrong]
    assert net.history[:, "hard_negatives"] == expected
    off = small(callbacks=[rows]).fit(X, Y)
    assert "hard_negatives" not in off.history[-1]


# Precision ---------------------------------------------------------------------------


# With mixup chance moves the score by a tenth.
PRECISELY = {"max_epochs": 25, "lr": 5e-3, "callbacks__frequency_mask": None}
PRECISELY |= {"callbacks__mixup": None}


@pytest.fixture(scope="module")
def full_precision(stripes):
    return small(precision="float32", **PRECISELY).fit(*stripes)


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_half_precision_trains_in_half_precision(stripes, full_precision, precision):
    X, Y = stripes
    seen = []

    depthwise = set()

    def note(part, inputs, output):
        if part.training:
            depthwise.add(output.dtype)

    class Spy(TinyCNN):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            for part in self.modules():
                if isinstance(part, torch.nn.Conv2d) and part.groups > 1:
                    part.register_forward_hook(note)

        def forward(self, x):
            logits = super().forward(x)
            seen.append((self.training, logits.dtype))
            return logits

    net = small(module=Spy, precision=precision, **PRECISELY).fit(X, Y)
    assert net.precision_ == precision
    assert {dtype for training, dtype in seen if training} == {
        precision_module.PRECISIONS[precision]
    }
    # Only on CPUs are depthwise convolutions slow in half precision.
    on_cpu = torch.device(net.device).type == "cpu"
    assert depthwise == {
        torch.float32 if on_cpu else precision_module.PRECISIONS[precision]
    }
    assert np.isfinite(net.history[:, "train_loss"]).all()
    test_X, test_Y = make_stripes(seed=1)
    score = full_precision.score(test_X, test_Y)
    assert net.score(test_X, test_Y) > score - 0.05
    assert net.predict_proba(X).dtype == np.float32
    assert {dtype for training, dtype in seen if not training} == {torch.float32}


def test_depthwise_convolutions_stay_in_float32_in_training_only():
    module = CNN("lcnet_035", 3).to(memory_format=torch.channels_last)
    kinds = {}

    def note(part, inputs, output):
        kind = "depthwise" if part.groups > 1 else "other"
        kinds.setdefault(kind, set()).add(output.dtype)

    for part in module.modules():
        if isinstance(part, torch.nn.Conv2d):
            part.register_forward_hook(note)
    x = torch.rand(2, 1, 32, 64)
    with depthwise_in_float32(module, True), autocast("cpu", torch.bfloat16):
        module(x).sum().backward()
    assert kinds == {"depthwise": {torch.float32}, "other": {torch.bfloat16}}
    kinds.clear()
    with depthwise_in_float32(module, False), autocast("cpu", torch.bfloat16):
        module(x)
    assert kinds["depthwise"] == {torch.bfloat16}
    assert not any("forward" in vars(part) for part in module.modules())


@pytest.mark.slow
def test_float16_scales_the_loss(stripes):
    """Gradients below float16's range survive, since the loss is scaled up."""
    X, Y = stripes

    class Faint(BinaryCrossEntropy):
        def forward(self, *args):
            return super().forward(*args) * 1e-7

    nets = [
        small(
            criterion=Faint,
            precision="float16",
            optimizer__eps=1e-16,
            callbacks__clipping__gradient_clip_value=clip,
        ).fit(X, Y)
        for clip in (None, 1e-30)
    ]
    moved = [net.module_.backbone.conv_stem.weight for net in nets]
    assert not torch.allclose(*moved)  # the clipped one stood still
    assert nets[0].scaler_.get_scale() > 1


def test_auto_means_what_is_faster(stripes, monkeypatch):
    X, Y = stripes
    net = small(max_epochs=1, device="cpu").fit(X, Y)
    dataset = SegmentDataset(X, Y.to_numpy())
    assert net.precision_ == "float32"  # such a short training tries nothing
    monkeypatch.setattr(precision_module, "_MIN_STEPS", 1)
    monkeypatch.setattr(precision_module, "_MIN_PARAMETERS", 1)
    monkeypatch.setattr(
        torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: True, raising=False
    )
    for gain, expected in ((2.0, "bfloat16"), (1.05, "float32")):
        monkeypatch.setattr(precision_module, "_measure_gain", lambda *a, g=gain: g)
        assert choose_precision(net, dataset) == expected
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: False)
    monkeypatch.setattr(precision_module, "_measure_gain", lambda *a: 2.0)
    assert choose_precision(net, dataset) == "float32"


@pytest.mark.slow
def test_trying_precisions_leaves_the_training_as_it_is(stripes, monkeypatch):
    X, Y = stripes
    net = small(device="cpu")
    expected = clone(net).set_params(precision="float32").fit(X, Y).predict_proba(X)
    monkeypatch.setattr(precision_module, "_MIN_STEPS", 1)
    monkeypatch.setattr(precision_module, "_MIN_PARAMETERS", 1)
    monkeypatch.setattr(precision_module, "_MIN_GAIN", np.inf)
    tried = net.fit(X, Y)
    assert tried.precision_ == "float32"
    np.testing.assert_array_equal(tried.predict_proba(X), expected)


def test_cuda_means_half_precision(stripes, monkeypatch):
    net = small(max_epochs=1).fit(*stripes)
    net.device = "cuda"

    def supported(natively):
        # As torch answers for a card without: emulated.
        return lambda including_emulation=True: including_emulation or natively

    monkeypatch.setattr(torch.cuda, "is_bf16_supported", supported(True))
    assert choose_precision(net, None) == "bfloat16"
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", supported(False))
    assert choose_precision(net, None) == "float16"
    net.device = "mps"
    assert choose_precision(net, None) == "float32"


@pytest.mark.slow
def test_a_compiled_network_trains_and_pickles_without_its_compiler(stripes):
    X, Y = stripes
    # The eager backend: code is traced, but no compiler of C++ is needed.
    plain = small(max_epochs=1)
    net = clone(plain).set_params(compile=True, compile__backend="eager").fit(X, Y)
    assert isinstance(net.module_, torch._dynamo.OptimizedModule)
    loaded = pickle.loads(pickle.dumps(net))
    assert isinstance(loaded.module_, TinyCNN)
    np.testing.assert_allclose(loaded.predict_proba(X), net.predict_proba(X), atol=1e-5)
    plain.fit(X, Y)
    np.testing.assert_allclose(plain.predict_proba(X), net.predict_proba(X), atol=1e-3)


# Heads -------------------------------------------------------------------------------


def test_generalised_mean_lies_between_mean_and_maximum():
    x = torch.rand(2, 3, 8, 10) + 0.1
    mean, most = x.mean(dim=2), x.amax(dim=2)
    torch.testing.assert_close(GeneralizedMean(p=1.0)(x, dim=2), mean)
    torch.testing.assert_close(
        GeneralizedMean(p=80.0)(x, dim=2), most, rtol=0.05, atol=0
    )
    middle = GeneralizedMean()(x, dim=2)
    assert ((middle > mean) & (middle < most)).all()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_generalised_mean_is_as_exact_as_half_precision_can_tell(dtype):
    torch.manual_seed(0)
    x = (0.02 * torch.rand(8, 64, 8, 10)).to(dtype)
    pool = GeneralizedMean()
    expected = x.double().clamp(min=1e-6).pow(3).mean(dim=(2, 3)).pow(1 / 3)
    for enabled in (False, True):
        with torch.autocast("cpu", dtype, enabled=enabled):
            pooled = pool(x, dim=(2, 3))
        assert pooled.dtype == dtype
        # What rounding the result leaves; rounding on the way adds to it.
        rtol = 0.501 * torch.finfo(dtype).eps
        torch.testing.assert_close(pooled.double(), expected, rtol=rtol, atol=0)


@pytest.mark.slow
@pytest.mark.parametrize("make", [CNNClassifier, SEDClassifier])
def test_the_exponent_is_learnt(stripes, make):
    net = make("lcnet_035", feature_pooling="gem", max_epochs=2, lr=0.01, **TINY)
    net.fit(*stripes)
    assert net.module_.feature_pooling.p.item() != 3.0
    plain = make("lcnet_035", max_epochs=2, lr=0.01, **TINY).fit(*stripes)
    assert not np.allclose(
        net.predict_proba(stripes[0]), plain.predict_proba(stripes[0])
    )


@pytest.mark.parametrize("attention", ["time", "frequency"])
def test_attention_weighs_the_steps(attention):
    torch.manual_seed(0)
    # In training mode, where features of an untrained network differ by the step.
    module = SED("lcnet_035", 3, attention, drop_rate=0.0).train()
    x = torch.rand(4, 1, 128, 128)
    with torch.no_grad():
        before, even = module.step_maps(x)
        module.attention.weight.mul_(1000)
        after, sharp = module.step_maps(x)
        assert sharp.amax(dim=1).mean() > even.amax(dim=1).mean() + 0.1
        # A step of no weight says what the bias says, whatever its features.
        ignored = sharp < 1e-6
        assert ignored.any()
        said = after.transpose(1, 2)[ignored]
        bias = module.classifier.bias.expand_as(said)
        torch.testing.assert_close(said, bias, atol=1e-3, rtol=0)
        assert not torch.allclose(before, after)


def test_stochastic_depth_reaches_the_backbone(stripes):
    options = {**TINY, "max_epochs": 1, "drop_path_rate": 0.3}
    net = CNNClassifier("mobilenetv3_small_050", **options).fit(*stripes)
    rates = [
        part.drop_prob
        for part in net.module_.modules()
        if isinstance(part, timm.layers.DropPath)
    ]
    assert max(rates) > 0.2


@pytest.mark.slow
@pytest.mark.parametrize("backbone", ["efficientnet_b0", "efficientnet_b3_pruned"])
def test_the_reports_backbones_take_stochastic_depth(backbone):
    torch.manual_seed(0)
    x = torch.rand(2, 1, 64, 64)
    module = CNN(backbone, 3, drop_rate=0.0, drop_path_rate=0.5).train()
    with torch.no_grad():
        assert not torch.allclose(module(x), module(x))
        module = CNN(backbone, 3, drop_rate=0.0, drop_path_rate=0.0).train()
        torch.testing.assert_close(module(x), module(x), rtol=1e-3, atol=1e-3)


# Checkpoints -------------------------------------------------------------------------

RECIPE = {
    "callbacks__average__decay": 0.9,
    "callbacks__validation__fraction": 0.25,
    "callbacks__validation__keep": "soup",
    "callbacks__curriculum__start": 0.5,
    "callbacks__curriculum__by": "loss",
    "callbacks__hard_negatives__boost": 2.0,
}


class Loud(BinaryCrossEntropy):
    """Gradients overflow at the scale with which float16 begins."""

    def forward(self, *args):
        return super().forward(*args) * 1000


@pytest.mark.slow
@pytest.mark.parametrize("recipe", [{}, RECIPE], ids=["defaults", "everything"])
@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_a_killed_training_goes_on_with_the_same_result(
    stripes, tmp_path, recipe, precision
):
    X, Y = stripes
    net = small(criterion=Loud, max_epochs=5, lr=5e-3, precision=precision, **recipe)
    expected = clone(net).fit(X, Y)
    rows = Rows()
    rows.killed_in_ = 4
    killed = clone(net).set_params(checkpoint_dir=tmp_path, callbacks=[rows])
    with pytest.raises(KeyboardInterrupt, match=r"^$"):
        killed.fit(X, Y)
    rows = Rows()
    resumed = clone(net).set_params(checkpoint_dir=tmp_path, callbacks=[rows])
    resumed.fit(X, Y)
    assert len(rows.epochs_) == 2  # the fourth and the fifth
    assert len(resumed.history) == 5
    np.testing.assert_array_equal(resumed.predict_proba(X), expected.predict_proba(X))
    rows.epochs_.clear()
    again = clone(resumed).set_params(callbacks=[rows]).fit(X, Y)
    assert not rows.epochs_  # a finished training is not repeated
    np.testing.assert_array_equal(again.predict_proba(X), expected.predict_proba(X))
    assert again.precision_ == precision
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.slow
def test_other_trainings_do_not_take_the_checkpoint(stripes, tmp_path):
    X, Y = stripes
    small(checkpoint_dir=tmp_path, max_epochs=1).fit(X, Y)
    changed = [
        (small(checkpoint_dir=tmp_path, max_epochs=1, lr=0.1), X, Y),
        (small(checkpoint_dir=tmp_path, max_epochs=1, random_state=1), X, Y),
        (small(checkpoint_dir=tmp_path, max_epochs=1), X[:32], Y.iloc[:32]),
        (small(checkpoint_dir=tmp_path, max_epochs=1), X, 1 - Y),
        (
            small(checkpoint_dir=tmp_path, max_epochs=1).set_params(
                callbacks__mixup__alpha=0.1
            ),
            X,
            Y,
        ),
        (
            small(
                checkpoint_dir=tmp_path,
                max_epochs=1,
                callbacks__mixup=Mixup(alpha=0.05),
            ),
            X,
            Y,
        ),
        (
            small(
                checkpoint_dir=tmp_path,
                max_epochs=1,
                callbacks__augment=SpectrogramAugmentor(
                    {None: [TimeMask(0.9, p=1)]}, dict.fromkeys(Y.columns, "Aves")
                ),
            ),
            X,
            Y,
        ),
        (small(checkpoint_dir=tmp_path, max_epochs=1, callbacks=[Rows()]), X, Y),
        (small(checkpoint_dir=tmp_path, max_epochs=1), make_stripes(seed=5)[0], Y),
        (
            small(checkpoint_dir=tmp_path, max_epochs=1),
            X,
            Y.rename(columns={"a": "other"}),
        ),
    ]
    for number, (net, X_other, Y_other) in enumerate(changed, start=2):
        net.fit(X_other, Y_other)
        assert len(list(tmp_path.glob("*.pt"))) == number


def test_checkpoints_need_a_seed_and_no_warm_start(stripes, tmp_path):
    with pytest.raises(ValueError, match="needs random_state to be an int, got None"):
        small(checkpoint_dir=tmp_path, random_state=None).fit(*stripes)
    with pytest.raises(ValueError, match="warm_start=True exclude each other"):
        small(checkpoint_dir=tmp_path, warm_start=True).fit(*stripes)


class Killed(Callback):
    """Says which epoch has ended, and kills its process at the end of one."""

    epoch = None  # no parameter: those belong to what is resumed

    def on_epoch_end(self, net, **kwargs):
        print(len(net.history))
        if len(net.history) == self.epoch:
            os.kill(os.getpid(), signal.SIGKILL)


def train_until_killed(folder):
    Killed.epoch = 3
    torch.backends.cudnn.deterministic = True
    torch.backends.cudnn.allow_tf32 = False
    small(max_epochs=6, checkpoint_dir=folder, callbacks=[Killed()]).fit(
        *make_stripes()
    )


@pytest.mark.slow
def test_a_process_that_was_killed_is_resumed(tmp_path, capsys):
    """SIGKILL: nothing gets a chance to tidy up. This process goes on."""
    folder = str(tmp_path / "checkpoints")
    process = started(train_until_killed, folder)
    process.join()
    assert process.exitcode == -signal.SIGKILL
    X, Y = make_stripes()
    resumed = small(max_epochs=6, checkpoint_dir=folder, callbacks=[Killed()]).fit(X, Y)
    epochs = [int(line) for line in capsys.readouterr().out.split()]
    assert epochs[0] in (3, 4)
    assert epochs[-1] == 6
    whole = small(max_epochs=6).fit(X, Y).predict_proba(X)
    np.testing.assert_array_equal(resumed.predict_proba(X), whole)


def test_every_ingredient_is_reached_by_set_params(stripes):
    net = small(max_epochs=1)
    params = {
        "criterion": BinaryCrossEntropy,
        "criterion__label_smoothing": 0.05,
        "callbacks__mixup__domain": "power",
        "callbacks__mixup__labels": "union",
        "callbacks__cutmix__p": 0.5,
        "callbacks__time_mask__n_masks": 2,
        "callbacks__frequency_mask__max_share": 0.3,
        "callbacks__erasing__p": 0.5,
        "callbacks__shift__p": 0.5,
        "callbacks__gain__p": 0.5,
        "callbacks__response__p": 0.5,
        "callbacks__noise__p": 0.5,
        "callbacks__pseudo_mix__p": 0.5,
        "callbacks__schedule__cycles": 2,
        "callbacks__clipping__gradient_clip_value": 1.0,
        "callbacks__average__decay": 0.99,
        "callbacks__validation__fraction": 0.2,
        "callbacks__hard_negatives__boost": 2.0,
        "callbacks__curriculum__start": 0.5,
        "callbacks__curriculum__by": "loss",
        "feature_pooling": "gem",
        "backbone_lr_factor": 0.3,
        "precision": "bfloat16",
        "drop_path_rate": 0.1,
        "tta_shifts_s": (0.1,),
    }
    net = clone(net.set_params(**params))
    given = net.get_params()
    assert {name: given[name] for name in params} == params
    X, Y = stripes
    net.fit(X.assign(pseudo=np.arange(64) >= 48), Y)
    callbacks = dict(net.callbacks_)
    for name, value in params.items():
        if name.startswith("callbacks__"):
            _, callback, parameter = name.split("__")
            assert getattr(callbacks[callback], parameter) == value


def test_what_is_on_by_default_is_what_the_ablation_found():
    params = SEDClassifier().get_params()
    shares = {
        name.split("__")[1]: value
        for name, value in params.items()
        if name.startswith("callbacks__") and name.endswith("__p") and value > 0
    }
    assert shares == {
        "mixup": 1.0,
        "shift": 1.0,
        "time_mask": 0.5,
        "frequency_mask": 0.5,
        "erasing": 0.5,
    }
    assert params["step_pooling"] == "lse"
    assert params["criterion"] is BinaryCrossEntropy
    off = {"curriculum__start": 1.0, "hard_negatives__boost": 1.0, "average__decay": 0}
    off |= {
        "validation__fraction": 0,
        "schedule__cycles": 1,
        "head_first__head_share": 0,
        "coarse_first__coarse_share": 0,
    }
    assert {name: params[f"callbacks__{name}"] for name in off} == off


@pytest.mark.parametrize(
    ("variable", "value", "n_calls"),
    [
        (None, None, 2),
        ("SKBIRD_KEEP_FREED_MEMORY", "1", 2),
        ("SKBIRD_KEEP_FREED_MEMORY", "0", 0),
        ("MALLOC_TRIM_THRESHOLD_", "1000000", 0),
    ],
)
def test_the_allocator_is_left_alone_if_wanted(monkeypatch, variable, value, n_calls):
    calls = []
    library = SimpleNamespace(mallopt=lambda *args: calls.append(args))
    monkeypatch.setattr(allocator.ctypes, "CDLL", lambda name: library)
    monkeypatch.setattr(allocator.sys, "platform", "linux")
    for name in (allocator._SWITCH, *allocator._BY_THE_USER):
        monkeypatch.delenv(name, raising=False)
    if variable:
        monkeypatch.setenv(variable, value)
    allocator.keep_freed_memory.__wrapped__()
    assert len(calls) == n_calls


def test_a_training_within_a_pipeline_is_the_same_again(stripes, tmp_path):
    # scikit-learn's Pipeline hands its steps private attributes, new in each fit.
    for _ in range(2):
        net = small(checkpoint_dir=tmp_path, max_epochs=1)
        make_pipeline("passthrough", net).fit(*stripes)
    assert len(list(tmp_path.glob("*.pt"))) == 1
