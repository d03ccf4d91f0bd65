"""Networks whose numbers are no numbers any more: NaN never passes for unreadable."""

import io
import pickle
from hashlib import blake2b

import numpy as np
import pytest
import torch
from conftest import livened
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.pipeline import make_pipeline
from skorch.callbacks import Callback
from tiny_cnn import TinyCNN, TinySED

from skbird.data import Spectrograms
from skbird.nn import BinaryCrossEntropy, CNNClassifier, SEDClassifier, soup
from skbird.nn._checkpoint import _DIGEST, _MARK
from skbird.nn._heads import CNN, SED
from skbird.nn._plain import from_plain, to_plain

NAN, INF = float("nan"), float("inf")


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    X = Spectrograms.from_arrays(rng.normal(-60, 5, (16, 32, 64)), normalize="minmax")
    return X, np.tile([[1, 0], [0, 1]], (8, 1))


def small(make=CNNClassifier, **options):
    module = TinyCNN if make is CNNClassifier else TinySED
    tiny = {"module": module, "max_epochs": 3, "batch_size": 8, "random_state": 0}
    return make("lcnet_035", backbone_weights=None, verbose=0, **tiny | options)


class LossOf(BinaryCrossEntropy):
    """Multiplies the loss by `factor` from a call on."""

    def __init__(self, call=1, factor=INF):
        super().__init__()
        self.call, self.factor, self.n_calls = call, factor, 0

    def forward(self, *args):
        self.n_calls += 1
        loss = super().forward(*args)
        return loss * self.factor if self.n_calls >= self.call else loss


class SpoilWeights(Callback):
    """Writes a number into a weight after a batch, as an overflowing step does."""

    def __init__(self, batch, value=NAN, name="classifier.weight"):
        self.batch, self.value, self.name = batch, value, name

    def on_train_begin(self, net, **kwargs):
        self.n_batches_ = 0

    def on_batch_end(self, net, training=False, **kwargs):
        self.n_batches_ += training
        if self.n_batches_ == self.batch:
            net.module_.state_dict()[self.name].view(-1)[0] = self.value


class NanGradient(BinaryCrossEntropy):
    """A loss that is finite, with a gradient that is not."""

    def forward(self, logits, *args):
        return super().forward(logits, *args) + 0 * torch.sqrt(0 * logits.sum())


def weights_of(net):
    return {k: v.clone() for k, v in net.module_.state_dict().items()}


def assert_same_weights(first, second):
    assert all(torch.equal(first[name], second[name]) for name in first)


def spoiled(net, value=NAN, name="classifier.weight"):
    """Return a copy of a fitted network with a number in one of its weights."""
    net = pickle.loads(pickle.dumps(net))
    net.module_.state_dict()[name].view(-1)[0] = value
    return net


# Training -----------------------------------------------------------------------------


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
@pytest.mark.parametrize("factor", [NAN, INF, -INF])
def test_a_first_epoch_without_a_finite_loss_is_an_error(rows, precision, factor):
    net = small(criterion=LossOf, criterion__factor=factor, precision=precision)
    net.set_params(callbacks__progress=None, callbacks__train_loss=None)
    with pytest.raises(FloatingPointError, match=r"epoch 1 of 3.*Lower lr=0\.001"):
        net.fit(*rows)
    with pytest.raises(NotFittedError, match="not"):
        net.predict_proba(rows[0])


def test_the_error_names_what_would_help(rows):
    net = small(criterion=LossOf, precision="bfloat16")
    with pytest.raises(FloatingPointError, match=r"gradient_clip_value.*'bfloat16'"):
        net.fit(*rows)
    net.set_params(callbacks__clipping__gradient_clip_value=1.0, precision="float32")
    with pytest.raises(FloatingPointError, match=r"0\.001, or look for extreme values"):
        net.fit(*rows)


@pytest.mark.parametrize("call", [5, 6], ids=["first batch", "last batch"])
@pytest.mark.parametrize("precision", ["float32", "float16"])
def test_what_was_learnt_before_is_kept(rows, call, precision):
    whole = small(max_epochs=3, precision=precision)
    whole.set_params(callbacks__schedule=None)
    two = whole.set_params(max_epochs=2).fit(*rows)
    kept = weights_of(two)
    net = whole.set_params(max_epochs=3, criterion=LossOf, criterion__call=call)
    with pytest.warns(ConvergenceWarning, match="epoch 3 of 3.*until epoch 2"):
        net.fit(*rows)
    assert_same_weights(weights_of(net), kept)
    assert len(net.history) == 2
    assert np.isfinite(net.predict_proba(rows[0])).all()


@pytest.mark.parametrize("name", ["classifier.weight", "backbone.bn1.running_var"])
@pytest.mark.parametrize("value", [NAN, INF])
def test_weights_that_the_last_step_spoiled_are_noticed(rows, name, value):
    net = small(callbacks=[SpoilWeights(6, value, name)])
    with pytest.warns(ConvergenceWarning, match=f"epoch 3 .*first of all {name}"):
        net.fit(*rows)
    assert np.isfinite(net.predict_proba(rows[0])).all()
    net = small(max_epochs=1, callbacks=[SpoilWeights(2, value, name)])
    with pytest.raises(FloatingPointError, match=f"epoch 1 .*first of all {name}"):
        net.fit(*rows)


def test_gradients_that_are_not_finite_are_noticed(rows):
    net = small(criterion=NanGradient)
    with pytest.raises(FloatingPointError, match="the loss of a batch is nan"):
        net.fit(*rows)


@pytest.mark.slow
def test_float16_that_never_takes_a_step_is_no_training(rows):
    net = small(precision="float16", max_epochs=1, segments_per_row=20)
    net.set_params(criterion=NanGradient)
    with pytest.raises(FloatingPointError, match="gradients overflow in float16"):
        net.fit(*rows)


def test_the_average_of_weights_is_kept_too(rows):
    net = small(criterion=LossOf, criterion__call=5, callbacks__average__decay=0.5)
    with pytest.warns(ConvergenceWarning, match="until epoch 2"):
        net.fit(*rows)
    assert np.isfinite(net.predict_proba(rows[0])).all()


@pytest.mark.parametrize("keep", ["best", "soup", "last"])
def test_no_epoch_is_chosen_that_diverged(rows, keep):
    options = {"fraction": 0.5, "keep": keep, "patience": 5}
    net = small(callbacks=[("spoil", SpoilWeights(3))])
    net.set_params(**{f"callbacks__validation__{k}": v for k, v in options.items()})
    with pytest.warns(ConvergenceWarning, match="until epoch 2"):
        net.fit(*rows)
    assert np.isfinite(net.history[:, "valid_score"]).all()
    assert np.isfinite(net.predict_proba(rows[0])).all()


@pytest.mark.slow
def test_a_network_that_only_fails_to_predict_is_noticed_in_validation(rows):
    # Half of the largest number: finite, but the sum of two such features is not.
    spoil = SpoilWeights(2, 1.7e38, "classifier.bias")
    net = small(module=CNN, callbacks=[("spoil", spoil)])
    net.set_params(callbacks__validation__fraction=0.5, max_epochs=2)
    net.set_params(callbacks__spoil__name="backbone.bn1.weight")
    net.set_params(callbacks__spoil__value=3e38)
    with pytest.warns(ConvergenceWarning, match="rows held out"):
        net.fit(*rows)
    assert np.isfinite(net.predict_proba(rows[0])).all()


def test_callbacks_that_look_at_losses_never_see_nan(rows):
    seen = []

    class Look(Callback):
        def on_batch_end(self, net, training=False, loss=None, **kwargs):
            seen.append(loss.item())

    # A GPU is not waited for at each step, so that they may see it there.
    net = small(criterion=LossOf, criterion__call=4, criterion__factor=NAN)
    net.set_params(
        device="cpu", callbacks=[Look()], callbacks__hard_negatives__boost=3.0
    )
    net.set_params(callbacks__curriculum__start=0.5, callbacks__curriculum__by="loss")
    with pytest.warns(ConvergenceWarning, match="until epoch 1"):
        net.fit(*rows)
    assert len(seen) == 3
    assert np.isfinite(seen).all()


class Far(torch.Tensor):
    """A tensor of the CPU that says it is on a GPU."""

    @property
    def device(self):
        return torch.device("cuda")


class FarLossOf(LossOf):
    def forward(self, *args):
        return super().forward(*args).as_subclass(Far)


def test_losses_of_a_gpu_are_read_together(rows):
    kinds = []

    class Look(Callback):
        def on_batch_end(self, net, **kwargs):
            kinds.append(type(net.history[-1, "batches", -1, "train_loss"]))

    options = {"device": "cpu", "criterion__factor": 1.0, "callbacks": [Look()]}
    near = small(criterion=LossOf, **options).fit(*rows)
    assert set(kinds) == {float}
    kinds.clear()
    far = small(criterion=FarLossOf, **options).fit(*rows)
    assert set(kinds) == {Far}
    path = slice(None), "batches", slice(None), "train_loss"
    assert far.history[path] == near.history[path]
    kinds.clear()
    small(criterion=FarLossOf, segments_per_row=60, max_epochs=1, **options).fit(*rows)
    assert len(kinds) > 50
    assert [k for k, kind in enumerate(kinds) if kind is float] == [49, 99]


@pytest.mark.parametrize("call", [3, 4])
def test_losses_of_a_gpu_end_a_training_that_diverges(rows, call):
    net = small(criterion=FarLossOf, criterion__call=call, device="cpu")
    with pytest.warns(ConvergenceWarning, match="epoch 2 .*the loss of a batch is inf"):
        net.fit(*rows)
    assert len(net.history) == 1
    assert np.isfinite(net.predict_proba(rows[0])).all()


def test_warm_start_gives_back_what_it_had(rows):
    net = small(warm_start=True, max_epochs=1).fit(*rows)
    before = weights_of(net)
    net.set_params(criterion=LossOf)
    with pytest.raises(FloatingPointError, match="epoch 2"):
        net.fit(*rows)
    assert_same_weights(weights_of(net), before)
    assert len(net.history) == 1


def test_no_training_begins_with_weights_that_are_nan(rows, tmp_path):
    net = spoiled(small(module=CNN, warm_start=True, max_epochs=1).fit(*rows))
    with pytest.raises(FloatingPointError, match=r"begin with.*classifier\.weight"):
        net.fit(*rows)
    torch.save(net.module_.backbone.state_dict(), tmp_path / "sound.pt")
    fresh = small(module=CNN, max_epochs=1)
    fresh.set_params(backbone_weights=tmp_path / "sound.pt").fit(*rows)
    spoilt = spoiled(net, name="backbone.bn1.weight").module_.backbone.state_dict()
    torch.save(spoilt, tmp_path / "nan.pt")
    net = small(module=CNN).set_params(backbone_weights=tmp_path / "nan.pt")
    with pytest.raises(ValueError, match=r"nan.pt.*bn1\.weight holds NaN"):
        net.fit(*rows)


def read_checkpoint(path):
    data = path.read_bytes()[len(_MARK) + _DIGEST :]
    return from_plain(torch.load(io.BytesIO(data), weights_only=True))


def write_checkpoint(path, state):
    buffer = io.BytesIO()
    torch.save(to_plain(state), buffer)
    data = buffer.getvalue()
    path.write_bytes(_MARK + blake2b(data, digest_size=_DIGEST).digest() + data)


def test_checkpoints_stay_usable(rows, tmp_path):
    kept = []
    for _ in range(2):  # called again it goes on, and says it again
        net = small(checkpoint_dir=tmp_path, callbacks=[SpoilWeights(5)])
        with pytest.warns(ConvergenceWarning, match="until epoch 2"):
            net.fit(*rows)
        (path,) = tmp_path.iterdir()
        state = read_checkpoint(path)
        assert not state["finished"]
        assert_same_weights(state["module"], weights_of(net))
        kept.append(weights_of(net))
    assert_same_weights(*kept)


@pytest.mark.slow
def test_a_checkpoint_of_nan_is_not_gone_on_from(rows, tmp_path):
    net = small(checkpoint_dir=tmp_path).fit(*rows)
    (path,) = tmp_path.iterdir()
    state = read_checkpoint(path)
    state["module"]["classifier.weight"][0, 0] = NAN
    write_checkpoint(path, state)
    with pytest.warns(UserWarning, match="holds weights that are NaN.*begins anew"):
        again = small(checkpoint_dir=tmp_path).fit(*rows)
    assert_same_weights(weights_of(again), weights_of(net))


# Prediction ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sed(rows):
    options = {"module": SED, "attention": "time", "max_epochs": 1}
    return small(SEDClassifier, **options).fit(*rows)


@pytest.mark.parametrize("value", [NAN, INF, -INF])
def test_nothing_that_a_network_says_is_nan(rows, sed, value):
    X, Y = rows
    net = spoiled(sed, value, "backbone.conv_stem.weight")
    for ask in (net.predict_proba, net.predict, net.embed, net.activations):
        with pytest.raises(FloatingPointError, match=r"row 0: .*Train it anew"):
            ask(X)
    with pytest.raises(FloatingPointError, match="NaN or infinity for 16 of 16"):
        net.score(X, Y)
    for options in ({"frame_scores": True}, {"tta_shifts_s": (0.1,)}):
        with pytest.raises(FloatingPointError, match="NaN or infinity"):
            pickle.loads(pickle.dumps(net)).set_params(**options).predict_proba(X)


def test_one_species_of_nan_is_enough(rows, sed):
    net = spoiled(sed, NAN, "classifier.bias")
    with pytest.raises(FloatingPointError, match="NaN or infinity"):
        net.predict_proba(rows[0])


def test_rows_that_cannot_be_read_are_no_divergence(rows, sed):
    X, _ = rows
    some = Spectrograms(X.rows[:2], [X.entries[0], None], [64, 0], X.format)
    assert np.isnan(sed.predict_proba(some)).all(axis=1).tolist() == [False, True]
    nothing = Spectrograms(X.rows[:1], [None], [0], X.format)
    assert np.isnan(spoiled(sed).predict_proba(nothing)).all()


def test_soups_leave_no_network_of_nan_in(rows, sed):
    with pytest.raises(ValueError, match=r"nets\[1\] has weights that are NaN"):
        soup([sed, spoiled(sed)])


def test_members_of_an_ensemble_raise(rows, sed):
    from sklearn.frozen import FrozenEstimator

    from skbird.ensemble import MultilabelVotingClassifier

    X, Y = rows
    members = [("a", FrozenEstimator(sed)), ("b", FrozenEstimator(spoiled(sed)))]
    model = MultilabelVotingClassifier(members).fit(X, Y)
    with pytest.raises(FloatingPointError, match="NaN or infinity"):
        model.predict_proba(X)


@pytest.mark.slow
@pytest.mark.parametrize("frame_scores", [False, True])
def test_compiled_networks_raise_too(birds, frame_scores):
    from skbird.inference import compile_pipeline
    from skbird.preprocessing import LogMel

    net = small(SEDClassifier, attention="time", max_epochs=1)
    net.set_params(frame_scores=frame_scores)
    pipe = livened(make_pipeline(LogMel(16), net).fit(*birds))
    pipe.steps[-1] = ("sedclassifier", spoiled(pipe[-1]))
    with pytest.raises(FloatingPointError, match="NaN or infinity"):
        compile_pipeline(pipe, backend="torch").predict_proba(birds[0])
