"""Pseudo-labelled segments behind labelled ones, in the network and around it."""

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from skorch.callbacks import Callback
from test_training import make_stripes, small

from skbird.data import Spectrograms
from skbird.ensemble import SeedEnsemble
from skbird.nn import PseudoLabelMix
from skbird.semi_supervised import PseudoLabelSelfTraining
from skbird.semi_supervised._students import choose_mix


class Look(Callback):
    """Keeps what the network is trained on, after all other callbacks."""

    def __init__(self):
        self.rows, self.segments, self.targets, self.weights = [], [], [], []

    def on_batch_begin(self, net, batch=None, training=False, **kwargs):
        inputs, target = batch
        weight = inputs.get("label_weight", torch.ones(len(target), 1))
        self.rows.append(inputs["rows"])
        self.segments.append(inputs["segments"].cpu())
        self.targets.append(target.cpu())
        self.weights.append(weight.cpu())

    def joined(self):
        return [
            torch.cat(kept)
            for kept in (self.rows, self.segments, self.targets, self.weights)
        ]


@pytest.fixture
def marked():
    """48 labelled rows of species a or b, 16 pseudo-labelled ones of c."""
    X, _ = make_stripes(64)
    pseudo = np.arange(64) >= 48
    Y = pd.DataFrame(np.zeros((64, 3)), columns=["a", "b", "c"])
    Y.iloc[:48] = np.tile(np.eye(3)[:2], (24, 1))
    Y.loc[pseudo, "c"] = np.linspace(0.1, 1, 16)
    return X.assign(pseudo=pseudo), Y


def train(X, Y, look=None, **mix):
    look = Look() if look is None else look
    net = small(max_epochs=6, callbacks=[look])
    for name in ("mixup", "shift", "time_mask", "frequency_mask", "erasing"):
        net.set_params(**{f"callbacks__{name}": None})
    net.set_params(**{f"callbacks__pseudo_mix__{k}": v for k, v in mix.items()})
    return net, look


@pytest.mark.slow
def test_pseudo_labelled_rows_come_behind_labelled_ones_only(marked):
    net, look = train(*marked, p=1.0)
    net.fit(*marked)
    rows, _, target, _ = look.joined()
    assert sorted(set(rows.tolist())) == list(range(48))
    assert len(rows) == 6 * 48  # epochs are as long as without
    assert torch.equal(target[:, :2], torch.eye(3)[rows % 2][:, :2])  # united
    heard = target[:, 2]
    assert (heard > 0).all()
    # In proportion to their labels: the mean of y, weighted by y.
    labels = np.linspace(0.1, 1, 16)
    expected = (labels**2).sum() / labels.sum()
    assert heard.mean().item() == pytest.approx(expected, abs=0.04)


@pytest.mark.slow
def test_sound_is_mixed_as_labels_are(marked):
    X, Y = marked
    levels = np.full((64, 32, 64), -90.0)
    levels[:48, 5] = -10.0
    levels[48:, 20] = -30.0
    X = Spectrograms.from_arrays(levels).assign(pseudo=X.rows["pseudo"])
    net, look = train(X, Y, p=0.5, labeled_share=0.5)
    net.fit(X, Y)
    _, segments, target, _ = look.joined()
    mixed = target[:, 2] > 0
    assert 0.4 < mixed.float().mean() < 0.6
    own, other = segments[:, 0, 5].mean(1), segments[:, 0, 20].mean(1)
    assert own[~mixed].allclose(torch.tensor(-10.0), atol=0.1)
    assert other[~mixed].allclose(torch.tensor(-90.0), atol=0.1)
    # Half the amplitude each, the other brought to the level of the first.
    assert own[mixed].allclose(torch.tensor(-16.02), atol=0.1)
    assert other[mixed].allclose(torch.tensor(-16.02), atol=0.1)


@pytest.mark.slow
def test_label_weights_come_along(marked):
    X, Y = marked
    weight = np.ones(Y.shape)
    weight[48:, 2] = 0.25
    net, look = train(X, Y, p=1.0)
    net.fit(X, Y, label_weight=weight)
    _, _, _, mixed = look.joined()
    assert mixed.unique().tolist() == [0.25, 1.0]
    assert (mixed[:, 2] == 0.25).all()


@pytest.mark.slow
def test_switched_off_they_are_rows_as_all_others(marked):
    net, look = train(*marked, p=0.0)
    net.fit(*marked)
    assert sorted(set(look.joined()[0].tolist())) == list(range(64))


@pytest.mark.slow
def test_without_pseudo_labels_nothing_is_mixed(marked):
    X, Y = marked
    X = X.assign(pseudo=np.zeros(64, bool))
    net, look = train(X, Y, p=1.0)
    net.fit(X, Y)
    rows, _, target, _ = look.joined()
    assert set(rows.tolist()) == set(range(64))
    assert torch.equal(target, torch.tensor(Y.to_numpy(np.float32))[rows])


@pytest.mark.slow
def test_rows_to_mix_in_are_not_validated_on(marked):
    X, Y = marked
    Y = Y.assign(c=np.where(X.rows["pseudo"], Y["c"], np.tile([0, 0, 0, 1], 16)))
    net, look = train(X, Y, p=1.0)
    net.set_params(callbacks__validation__fraction=0.25).fit(X, Y)
    assert len(look.joined()[0]) == 6 * 36


@pytest.mark.parametrize(
    ("mix", "message"),
    [
        ({"p": 2.0}, "'p' parameter of PseudoLabelMix"),
        ({"labeled_share": 0.3}, "'labeled_share' parameter of PseudoLabelMix"),
        ({"column": "soft"}, "no column='soft' that says which rows"),
    ],
)
def test_bad_parameters_are_named(marked, mix, message):
    net, _ = train(*marked, **{"p": 1.0, **mix})
    with pytest.raises(ValueError, match=message):
        net.fit(*marked)


def test_something_must_be_left_to_mix_into(marked):
    X, Y = marked
    net, _ = train(X, Y, p=1.0)
    with pytest.raises(ValueError, match="All rows are pseudo-labelled"):
        net.fit(X.assign(pseudo=np.ones(64, bool)), Y)


@pytest.mark.slow
@pytest.mark.parametrize(("mix", "share"), [(0.7, 0.7), ("auto", 1.0)])
def test_self_training_marks_the_rows_and_mixes_for_students_only(marked, mix, share):
    X, Y = marked
    seen = []

    class Spy(PseudoLabelMix):
        def on_train_begin(self, net, X=None, y=None, **kwargs):
            super().on_train_begin(net, X=X, y=y)
            seen.append((self.p, len(self.rows_), len(X)))

    net = small(callbacks__pseudo_mix=Spy(p=0.0))
    model = PseudoLabelSelfTraining(
        net, mix=mix, max_iter=2, soft_threshold=0.0, hard_threshold=None, verbose=0
    )
    Y = Y.copy()
    Y.iloc[40:] = -1
    model.fit(X.assign(pseudo=False), Y)
    assert seen[0] == (0.0, 0, 40)
    assert seen[1:] == [(share, 24, 40)] * 2
    assert model.mix_ == share
    assert model.history_["n_rows"].tolist() == [24, 24]


def test_the_share_is_chosen_by_whether_the_estimator_mixes():
    chosen = {
        1.0: [small(), SeedEnsemble(make_pipeline("passthrough", small()))],
        None: [small(callbacks__pseudo_mix=None), KNeighborsClassifier()],
    }
    for share, estimators in chosen.items():
        for estimator in estimators:
            assert choose_mix(estimator, "auto") == share
            assert choose_mix(estimator, None) is None


def test_a_column_of_the_user_is_not_written_over():
    X = pd.DataFrame({"path": list("abcd"), "pseudo": 1})
    Y = np.array([[1, 0], [0, 1], [-1, -1], [-1, -1]])
    for mix in (1.0, "auto"):
        model = PseudoLabelSelfTraining(small(), mix=mix)
        with pytest.raises(ValueError, match=f"'pseudo', in which mix={mix!r} would"):
            model.fit(X, Y)
