"""The losses of the steps of an epoch."""

import math

import torch

from skbird.utils._finite import NotFiniteError

_AT_ONCE = 50  # steps


class StepLosses:
    """Puts the losses of steps into the history, and complains if one is not finite.

    To read a number waits for the device, which is idle then until it is given more. So
    only those on the CPU are read at once; others many at a time, and until then the
    history has tensors.

    Parameters
    ----------
    history : skorch.history.History
        Its latest epoch is trained.
    """

    def __init__(self, history):
        self._history = history
        self._unread = []

    def note(self, loss):
        """Take the loss of the latest batch, a tensor without axes."""
        self._history.record_batch("train_loss", loss.detach())
        self._unread.append(self._history[-1]["batches"][-1])
        if loss.device.type == "cpu" or len(self._unread) == _AT_ONCE:
            self.read()

    def read(self):
        """Put numbers into the history.

        Raises
        ------
        NotFiniteError
            If one of them is NaN or infinite.
        """
        batches, self._unread = self._unread, []
        if not batches:
            return
        losses = torch.stack([batch["train_loss"] for batch in batches]).tolist()
        for batch, loss in zip(batches, losses, strict=True):
            batch["train_loss"] = loss
        wrong = [loss for loss in losses if not math.isfinite(loss)]
        if wrong:
            raise NotFiniteError(f"the loss of a batch is {wrong[0]}")
