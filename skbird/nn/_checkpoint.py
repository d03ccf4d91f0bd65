"""Trainings that go on after they were killed."""

import os
import tempfile
from pathlib import Path

import joblib
import numpy as np
import torch
from skorch.callbacks import Callback

import skbird

# What may differ between the killed training and the one that goes on.
_FREE = ("callbacks", "checkpoint_dir", "device", "verbose")


class TrainingCheckpoint:
    """The state of one training on disk, written after each epoch.

    The file is named by everything that the training depends on: the parameters, the
    rows, their spectrograms and targets. So a folder can be shared by all folds of a
    cross-validation and all trials of a search, and a finished training is not
    repeated. It is read with pickle: do not use a folder that strangers write to.

    Parameters
    ----------
    folder : str or path
        Made if it is not there.
    net : SegmentNet
        Initialised.
    dataset : SegmentDataset
        What it is trained on.
    """

    def __init__(self, folder, net, dataset):
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / f"{_fingerprint(net, dataset)}.pt"

    def save(self, net, dataset, finished):
        """Write the state after an epoch, or that of the finished training."""
        state = {"module": net.module_.state_dict(), "history": net.history}
        if not finished:
            state |= {
                "optimizer": net.optimizer_.state_dict(),
                "scaler": net.scaler_.state_dict(),
                "precision": net.precision_,
                "stop": net.stop_training_,
                "callbacks": {name: _fitted(cb) for name, cb in net.callbacks_},
                "row_factors": dataset.row_factors,
                "draws": net.rng_.get_state(),
                "torch_draws": torch.get_rng_state(),
                "cuda_draws": torch.cuda.get_rng_state_all(),
            }
        # Written beside and renamed: a kill in between leaves the state before.
        handle, scratch = tempfile.mkstemp(suffix=".part", dir=self.path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                torch.save({"finished": finished, **state}, file)
            os.replace(scratch, self.path)
        except BaseException:
            os.unlink(scratch)
            raise

    def load(self):
        """Return the state on disk, or None if there is none."""
        if not self.path.is_file():
            return None
        return torch.load(self.path, map_location="cpu", weights_only=False)

    @staticmethod
    def restore(state, net, dataset):
        """Put a state that `load` returned into a net whose training has begun."""
        net.module_.load_state_dict(state["module"])
        net.history_ = state["history"]
        if state["finished"]:
            return
        net.optimizer_.load_state_dict(state["optimizer"])
        net.scaler_.load_state_dict(state["scaler"])
        net.stop_training_ = state["stop"]
        for name, callback in net.callbacks_:
            vars(callback).update(state["callbacks"].get(name, {}))
        dataset.row_factors = state["row_factors"]
        net.rng_.set_state(state["draws"])
        torch.set_rng_state(state["torch_draws"])
        if len(state["cuda_draws"]) == torch.cuda.device_count():
            torch.cuda.set_rng_state_all(state["cuda_draws"])


def _fitted(callback):
    """Return what a callback has learnt: its attributes that end with "_".

    A class may list as `transient` those that `on_train_begin` makes anew.
    """
    transient = getattr(callback, "transient", ())
    return {
        name: value
        for name, value in vars(callback).items()
        if name.endswith("_") and name not in transient
    }


def _fingerprint(net, dataset):
    params = {
        name: value
        for name, value in net.get_params(deep=True).items()
        # Callbacks hold state; their parameters have entries of their own.
        if name not in _FREE and not isinstance(value, Callback)
    }
    data = dataset.spectrograms
    return joblib.hash(
        [
            skbird.__version__,
            type(net).__qualname__,
            params,
            data.rows,
            data.format,
            list(data.entries),
            data.n_frames,
            data.segment_weights,
            np.nan_to_num(dataset.target, nan=-1.0),
            dataset.sample_weight,
            dataset.label_weight,
        ]
    )
