"""Make a model cheaper while it works, so that a run ends in time."""

import time
import warnings
from copy import deepcopy

import numpy as np

from skbird.ensemble import ProbaEnsemble
from skbird.utils._nested import parts_of


class TimeBudget:
    """Watches the speed of a run and drops parts of the model until the rest fits.

    First all test-time augmentation goes, then one member of an ensemble after the
    other, the one of least weight first. After each step a block is measured anew.

    Parameters
    ----------
    model : estimator object
        The fitted model. It is never changed: cheaper ones are copies.
    budget_s : float
        Seconds from now.
    audio_s : float
        Seconds of audio to be predicted.
    clock : callable, default=time.monotonic
        Returns seconds.

    Attributes
    ----------
    model : estimator object
        What the next block is to be predicted with.
    dropped : list of str
        What was dropped so far.
    """

    def __init__(self, model, budget_s, audio_s, *, clock=time.monotonic):
        self.model = model
        self.dropped = []
        self._clock = clock
        self._since = clock()
        self._deadline = self._since + budget_s
        self._left_s = audio_s
        self._measured_s = 0.0
        self._can_drop = True

    def note(self, audio_s):
        """Take note of a predicted block, and make the model cheaper if need be.

        Parameters
        ----------
        audio_s : float
            Seconds of audio in the block.

        Returns
        -------
        dropped : str or None
            What was dropped now.
        """
        self._left_s -= audio_s
        self._measured_s += audio_s
        now = self._clock()
        if not self._can_drop or self._measured_s <= 0:
            return None
        needed_s = (now - self._since) * self._left_s / self._measured_s
        late_s = now + needed_s - self._deadline
        if self._left_s <= 0 or late_s <= 0:
            return None
        cheaper, what = cheaper_model(self.model)
        if what is None:
            self._can_drop = False
            warnings.warn(
                "The run does not fit into time_budget_s: at the speed so far it "
                f"takes {late_s:.0f} s longer. Nothing is left to be dropped; it goes "
                "on.",
                stacklevel=5,  # the caller of predict_archive
            )
            return None
        self.model = cheaper
        self.dropped.append(what)
        self._since, self._measured_s = now, 0.0
        return what


def cheaper_model(model):
    """Copy a model without what matters least.

    Parameters
    ----------
    model : estimator object
        Fitted. It stays as it is.

    Returns
    -------
    copy : estimator object
    dropped : str or None
        What the copy lacks; None if there was nothing to drop.
    """
    copy = deepcopy(model)
    estimators = parts_of(copy)
    shifted = [e for e in estimators if len(getattr(e, "tta_shifts_s", ()))]
    for estimator in shifted:
        estimator.tta_shifts_s = ()
    if shifted:
        return copy, "test-time augmentation"
    for estimator in estimators:
        if isinstance(estimator, ProbaEnsemble) and hasattr(estimator, "estimators_"):
            dropped = _drop_member(estimator)
            if dropped:
                return copy, dropped
    return copy, None


def _drop_member(ensemble):
    """Take the member of least weight, the last of these, out of a fitted ensemble."""
    n_members = len(ensemble.estimators_)
    weights = getattr(ensemble, "weights_", None)
    weights = np.full(n_members, 1 / n_members) if weights is None else weights
    mean = np.atleast_2d(weights).mean(axis=0)  # over the species
    used = np.flatnonzero(mean > 0)  # the others cost nothing
    if len(used) < 2:
        return None
    least = used[::-1][np.argmin(mean[used][::-1])]
    kept = used[used != least]
    ensemble.estimators_ = [ensemble.estimators_[number] for number in kept]
    if getattr(ensemble, "weights_", None) is not None:
        left = weights[..., kept]
        # A species that only the dropped member voted on gets the others' mean.
        left = np.where(left.any(axis=-1, keepdims=True), left, mean[kept])
        ensemble.weights_ = left / left.sum(axis=-1, keepdims=True)
    return (
        f"a member of {type(ensemble).__name__} (weight {mean[least]:.2g}; "
        f"{len(kept)} left)"
    )
