"""Augmentation on a GPU that is only imagined: nothing of it may wait for the device.

torch's fake tensors have a device and a shape, but no numbers, so that no GPU is
needed. To read a number is an error with them; copies that the host waits for are found
here.
"""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

from skbird.data import Spectrograms
from skbird.nn import (
    BackgroundNoise,
    CutMix,
    FrequencyMask,
    FrequencyResponse,
    Gain,
    Mixup,
    RandomErasing,
    SpectrogramAugmentor,
    TimeMask,
    TimeShift,
)

FORMAT = Spectrograms.from_arrays(
    np.zeros((1, 64, 128)), normalize="minmax", top_db=80.0
).format


class NoWaiting(TorchDispatchMode):
    """Refuses copies from one device to another that the host waits for."""

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        result = function(*args, **kwargs)
        if function is torch.ops.aten._to_copy.default:
            moved = args[0].device != result.device
            assert not moved or kwargs.get("non_blocking"), "a copy is waited for"
        return result


@pytest.fixture
def imagined(monkeypatch):
    """Let tensors be imagined; those on the CPU that are drawn choose all segments."""

    def choose_all(drawn):
        assert drawn.device.type == "cpu"
        return torch.arange(len(drawn))[:, None]

    monkeypatch.setattr(torch, "nonzero", choose_all)
    monkeypatch.setattr(torch.distributions.Distribution, "_validate_args", False)
    with FakeTensorMode(allow_non_fake_inputs=True), NoWaiting():
        yield


def augment(step):
    segments = torch.empty(8, 1, 64, 128, device="cuda")
    target, weight = (torch.empty(8, 5, device="cuda") for _ in range(2))
    inputs = {"segments": segments, "rows": torch.arange(8), "label_weight": weight}
    batch = [inputs, target]
    step.on_batch_begin(SimpleNamespace(format_=FORMAT), batch, training=True)
    assert inputs["segments"] is not segments
    assert inputs["segments"].shape == segments.shape
    for tensor in (inputs["segments"], inputs["label_weight"], batch[1]):
        assert tensor.device.type == "cuda"


def test_a_copy_that_is_waited_for_is_found(imagined):
    with pytest.raises(AssertionError, match="a copy is waited for"):
        torch.ones(3).to("cuda")


@pytest.mark.parametrize(
    "step",
    [
        TimeShift(),
        Gain(),
        FrequencyResponse(),
        BackgroundNoise(),
        Mixup(),
        Mixup(domain="power", labels="union"),
        CutMix(),
        CutMix(shape="rectangle"),
        TimeMask(),
        FrequencyMask(n_masks=2),
        RandomErasing(),
    ],
    ids=lambda step: type(step).__name__,
)
def test_augmentation_waits_for_nothing(imagined, step):
    augment(step)


def test_augmentation_by_group_waits_for_nothing(imagined):
    step = SpectrogramAugmentor({None: [TimeMask()]})
    step.by_group_, step.keys_ = step.by_group, [None]
    step.codes_ = torch.zeros(8, dtype=torch.long)
    augment(step)
