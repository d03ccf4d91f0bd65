"""Losses against slow references, and what all of them must do."""

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from skbird.data import Spectrograms
from skbird.nn import (
    BCEFocalLoss,
    BinaryCrossEntropy,
    CNNClassifier,
    FocalLoss,
    SoftAUCLoss,
    SoftmaxCrossEntropy,
)

LOSSES = [
    BinaryCrossEntropy(),
    BinaryCrossEntropy(label_smoothing=0.1),
    FocalLoss(),
    FocalLoss(gamma=0.5, alpha=0.25),
    BCEFocalLoss(bce_weight=0.3, focal_weight=0.7),
    SoftmaxCrossEntropy(),
    SoftmaxCrossEntropy(label_smoothing=0.1),
    SoftAUCLoss(),
]


@pytest.fixture
def batch():
    """Logits, soft targets with two unknown labels, and weights."""
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 3, (6, 4))
    target = rng.uniform(0, 1, (6, 4))
    target[1, 2] = target[3, 0] = np.nan
    return logits, target, rng.uniform(0.1, 1, (6, 4))


def bce(z, y):
    p = 1 / (1 + np.exp(-z))
    return -(y * np.log(p) + (1 - y) * np.log(1 - p))


def mean_over_known(function, logits, target, weight):
    terms = [
        weight[i, j] * function(logits[i, j], target[i, j])
        for i, j in zip(*np.nonzero(~np.isnan(target)), strict=True)
    ]
    return np.sum(terms) / len(terms)


def focal(z, y, gamma=2.0, alpha=None):
    p = 1 / (1 + np.exp(-z))
    scale = 1 if alpha is None else alpha * y + (1 - alpha) * (1 - y)
    return scale * abs(y - p) ** gamma * bce(z, y)


@pytest.mark.parametrize(
    ("loss", "function"),
    [
        (BinaryCrossEntropy(), bce),
        (
            BinaryCrossEntropy(label_smoothing=0.1),
            lambda z, y: bce(z, 0.9 * y + 0.05),
        ),
        (FocalLoss(), focal),
        (FocalLoss(0.0), bce),
        (FocalLoss(1.5, 0.25), lambda z, y: focal(z, y, 1.5, 0.25)),
        (BCEFocalLoss(0.3, 0.7), lambda z, y: 0.3 * bce(z, y) + 0.7 * focal(z, y)),
    ],
)
def test_losses_of_single_labels(loss, function, batch):
    tensors = [torch.tensor(part) for part in batch]
    expected = mean_over_known(function, *batch)
    assert loss(*tensors).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_softmax_cross_entropy(batch, smoothing):
    logits, target, weight = batch
    target[5] = 0  # nothing there: not counted
    total = []
    for z, y, w in zip(logits[:5], target[:5], weight[:5], strict=True):
        known = ~np.isnan(y)
        z, y, w = z[known], y[known], w[known]
        share = w * y / (w * y).sum()
        share = (1 - smoothing) * share + smoothing / known.sum()
        total.append(-(share * (z - np.log(np.exp(z).sum()))).sum())
    loss = SoftmaxCrossEntropy(smoothing)(*[torch.tensor(part) for part in batch])
    assert loss.item() == pytest.approx(np.mean(total), rel=1e-5)


def test_soft_auc(batch):
    logits, target, weight = batch
    per_species = []
    for j in range(4):
        known = np.flatnonzero(~np.isnan(target[:, j]))
        total = pairs = 0.0
        for p in known:
            for n in known:
                if target[p, j] > 0.5 > target[n, j]:
                    pair = weight[p, j] * (2 * target[p, j] - 1)
                    pair *= weight[n, j] * (1 - 2 * target[n, j])
                    total += pair * np.log1p(np.exp(logits[n, j] - logits[p, j]))
                    pairs += pair
        if pairs:
            per_species.append(total / pairs)
    loss = SoftAUCLoss()(*[torch.tensor(part) for part in batch])
    assert loss.item() == pytest.approx(np.mean(per_species), rel=1e-5)


def test_soft_auc_is_the_mean_over_species_with_a_pair():
    target = torch.tensor([[1.0, 0.0, 1.0], [0.0, 0.0, 1.0]])
    assert SoftAUCLoss()(torch.zeros(2, 3), target).item() == pytest.approx(np.log(2))


@pytest.mark.parametrize("alpha", [0, 0.25, 1])
def test_alpha_weighs_positives_against_negatives(alpha):
    focal = FocalLoss(gamma=0, alpha=alpha)
    positive = focal(torch.zeros(1, 1), torch.ones(1, 1)).item()
    negative = focal(torch.zeros(1, 1), torch.zeros(1, 1)).item()
    assert positive == pytest.approx(alpha * np.log(2))
    assert negative == pytest.approx((1 - alpha) * np.log(2))


def test_easy_labels_count_for_a_quarter_unless_gamma_says_otherwise():
    logits, target = torch.zeros(1, 1), torch.ones(1, 1)  # p = 1 / 2
    assert FocalLoss()(logits, target).item() == pytest.approx(np.log(2) / 4)
    assert BCEFocalLoss()(logits, target).item() == pytest.approx(np.log(2) * 5 / 4)


def test_soft_auc_raises_the_auc():
    torch.manual_seed(0)
    target = (torch.rand(64, 3) < 0.2).float()
    logits = torch.randn(64, 3, requires_grad=True)
    before = roc_auc_score(target, logits.detach(), average="macro")
    optimizer = torch.optim.SGD([logits], lr=10.0)
    for _ in range(20):
        optimizer.zero_grad()
        SoftAUCLoss()(logits, target).backward()
        optimizer.step()
    assert roc_auc_score(target, logits.detach(), average="macro") > before + 0.1


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_unknown_and_weightless_labels_have_no_gradient(loss, batch):
    logits, target, weight = (torch.tensor(part) for part in batch)
    weight[0, 1] = 0
    logits.requires_grad_()
    loss(logits, target, weight).backward()
    assert torch.isfinite(logits.grad).all()
    assert logits.grad[1, 2] == logits.grad[3, 0] == 0
    if not isinstance(loss, SoftmaxCrossEntropy):  # there it is a rival all the same
        assert logits.grad[0, 1] == 0
    assert (logits.grad != 0).any()


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_extreme_logits_are_safe_in_half_precision(loss, dtype):
    logits = torch.tensor([[6e4, -6e4, 6e4], [-6e4, 6e4, 0]], dtype=dtype)
    logits.requires_grad_()
    target = torch.tensor([[1.0, 0.0, 0.0], [1.0, 0.0, torch.nan]])
    value = loss(logits, target)
    value.backward()
    assert value.dtype == torch.float32
    assert torch.isfinite(value)
    assert torch.isfinite(logits.grad).all()


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_losses_are_float32_whatever_they_are_given(loss, batch):
    expected = loss(*[torch.tensor(part).float() for part in batch])
    value = loss(*[torch.tensor(part) for part in batch])  # float64
    assert value.dtype == torch.float32
    assert value.item() == pytest.approx(expected.item(), rel=1e-6)


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_nothing_known_is_no_loss(loss):
    logits = torch.randn(3, 2, requires_grad=True)
    value = loss(logits, torch.full((3, 2), torch.nan))
    value.backward()
    assert value == 0
    assert (logits.grad == 0).all()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: FocalLoss(gamma=-1), "gamma=-1 must not be negative"),
        (lambda: FocalLoss(gamma=np.nan), "gamma=nan must not be negative"),
        (lambda: FocalLoss(gamma="2"), "gamma='2' must not be negative"),
        (lambda: FocalLoss(alpha="a"), "alpha=a must be in"),
        (lambda: BCEFocalLoss(bce_weight=-1), "bce_weight=-1 must not be negative"),
        (lambda: BCEFocalLoss(focal_weight=np.inf), "focal_weight=inf must not be"),
        (lambda: BCEFocalLoss(0, 0), "must not both be 0"),
        (lambda: BCEFocalLoss(gamma=-1), "gamma=-1 must not be negative"),
        (lambda: BinaryCrossEntropy(label_smoothing="x"), "label_smoothing=x must be"),
        (lambda: FocalLoss(alpha=2), "alpha=2 must be in"),
        (lambda: BinaryCrossEntropy(label_smoothing=1), "label_smoothing=1 must be in"),
    ],
)
def test_parameters_are_checked(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_soft_auc_has_no_labels_to_smooth():
    net = CNNClassifier("test_efficientnet", criterion=SoftAUCLoss)
    with pytest.raises(ValueError, match="no parameter 'criterion__label_smoothing'"):
        net.set_params(criterion__label_smoothing=0.1)


def test_a_loss_is_chosen_by_set_params():
    X = Spectrograms.from_arrays(np.random.default_rng(0).random((8, 32, 64)))
    Y = np.tile([[1, 0], [0, 1]], (4, 1))
    net = CNNClassifier(
        "test_efficientnet", backbone_weights=None, max_epochs=1, verbose=0
    )
    net.set_params(criterion=FocalLoss, criterion__gamma=3.0).fit(X, Y)
    assert isinstance(net.criterion_, FocalLoss)
    assert net.criterion_.gamma == 3.0
