"""Networks that go to another machine, in a pickle, or to another device."""

import copy
import warnings

import torch

from skbird.nn._compiled import uncompiled


class PortableState:
    """Part of `SegmentNet`: its pickles are small, and load on any machine."""

    def __getstate__(self):
        # The optimizer is two to three times as large as the weights, and prediction
        # does not need it; tensors go as CPU tensors, so that any machine can load.
        state = self.__dict__.copy()
        for name in ("optimizer_", "criterion_", "rng_", "scaler_"):
            state.pop(name, None)
        if "module_" in state:
            state["module_"] = copy.deepcopy(uncompiled(self.module_)).cpu()
        state["virtual_params_"] = {}  # they would reach for the optimizer
        return state

    def __setstate__(self, state):
        self.__dict__.update(state)
        if str(self.device).startswith("cuda") and not torch.cuda.is_available():
            warnings.warn(
                f"device={self.device!r} is not there; the network uses the CPU.",
                stacklevel=2,
            )
            self.device = "cpu"
        if "module_" in state:
            self._move_to_device()

    def _move_to_device(self):
        """Bring what is trained to `device`."""
        before = next(self.module_.parameters()).device
        self.module_ = self.module_.to(self.device)
        self._initialize_criterion()
        if next(self.module_.parameters()).device != before:
            # Its state stays behind, and it may be of a kind that one device alone has.
            vars(self).pop("optimizer_", None)
            self.virtual_params_ = {}  # they would reach for it
