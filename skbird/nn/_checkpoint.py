"""Trainings that go on after they were killed."""

import warnings
from pathlib import Path

import joblib
import numpy as np
import torch
from skorch.callbacks import Callback

import skbird
from skbird.nn._weights import not_finite
from skbird.utils._files import open_whole

# What may differ between the killed training and the one that goes on.
_FREE = ("checkpoint_dir", "device", "verbose")


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
        state = {
            "module": net.module_.state_dict(),
            "history": net.history,
            "precision": net.precision_,
        }
        if not finished:
            state |= {
                "optimizer": net.optimizer_.state_dict(),
                "scaler": net.scaler_.state_dict(),
                "stop": net.stop_training_,
                "callbacks": {name: _fitted(cb) for name, cb in net.callbacks_},
                "row_factors": dataset.row_factors,
                "draws": net.rng_.get_state(),
                "torch_draws": torch.get_rng_state(),
                "cuda_draws": torch.cuda.get_rng_state_all(),
            }
        # Written beside and renamed: a kill in between leaves the state before.
        with open_whole(self.path, "wb") as file:
            torch.save({"finished": finished, **state}, file)

    def load(self):
        """Return the state on disk, or None if there is none to go on from.

        Warns
        -----
        UserWarning
            If its weights are NaN or infinite: the training then begins anew.
        """
        if not self.path.is_file():
            return None
        # The draws of random numbers must stay on the CPU; the rest goes to the device
        # that it came from, by `restore`.
        state = torch.load(self.path, map_location="cpu", weights_only=False)
        name = not_finite(state["module"])
        if name is None:
            return state
        warnings.warn(
            f"The checkpoint {self.path} holds weights that are NaN or infinite "
            f"({name}): the training begins anew.",
            UserWarning,
            stacklevel=4,
        )
        return None

    @staticmethod
    def restore(state, net, dataset):
        """Put a state that `load` returned into a net whose training has begun."""
        net.module_.load_state_dict(state["module"])
        net.history_ = state["history"]
        net.precision_ = state["precision"]
        if state["finished"]:
            return
        net.optimizer_.load_state_dict(state["optimizer"])
        net.scaler_.load_state_dict(state["scaler"])
        net.stop_training_ = state["stop"]
        for name, callback in net.callbacks_:
            fitted = _to_device(state["callbacks"].get(name, {}), net.device)
            vars(callback).update(fitted)
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
        name: _without_state(value)
        for name, value in net.get_params(deep=True).items()
        if name not in _FREE
    }
    data = dataset.spectrograms
    return joblib.hash(
        [
            skbird.__version__,
            type(net).__qualname__,
            params,
            net.species_,
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


def _without_state(value):
    """Replace callbacks, which hold state of a training, by class and parameters."""
    if isinstance(value, Callback):
        params = {k: _without_state(v) for k, v in value.get_params().items()}
        return type(value).__qualname__, params
    if isinstance(value, list | tuple):
        return [_without_state(part) for part in value]
    if isinstance(value, dict):
        return {key: _without_state(part) for key, part in value.items()}
    return value


def _to_device(value, device):
    """Move the tensors in nested dicts, lists and tuples."""
    if isinstance(value, torch.Tensor):
        return value.to(device)
    if isinstance(value, dict):
        return {key: _to_device(part, device) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(_to_device(part, device) for part in value)
    return value
