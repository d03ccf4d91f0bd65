"""Checkpoints: files from which a killed training goes on."""

import io
import pickle
import warnings
from hashlib import blake2b
from pathlib import Path

import joblib
import torch
from skorch.callbacks import Callback
from skorch.history import History

import skbird
from skbird.data import in_one_layout
from skbird.encoders import sha256_of
from skbird.nn._plain import NotPlainError, State, from_plain, to_plain
from skbird.nn._precision import PRECISIONS
from skbird.nn._weights import not_finite
from skbird.nn._weights_origin import is_file
from skbird.utils._files import make_folder, open_whole

# What may differ between the killed training and the one that goes on.
_FREE = ("checkpoint_dir", "device", "threshold", "verbose")

# A file begins with this and a checksum of what follows.
_MARK = b"skbird checkpoint 1\n"
_DIGEST = 32


def _are_tensors(value):
    kinds = map(type, value.values()) if isinstance(value, dict) else [None]
    return all(kind is torch.Tensor for kind in kinds)


def _are_epochs(value):
    return isinstance(value, list) and all(
        isinstance(epoch, dict) and {"epoch", "batches"} <= epoch.keys()
        for epoch in value
    )


# What every checkpoint has, and how it is told.
_PARTS = {
    "module": _are_tensors,
    "history": _are_epochs,
    "precision": lambda value: isinstance(value, str) and value in PRECISIONS,
    "teachers": lambda value: isinstance(value, list),
    "weights_license": lambda value: isinstance(value, str | None),
    "finished": lambda value: isinstance(value, bool),
}

# What reading or restoring the state of a stranger can raise.
_OF_STRANGERS = (
    pickle.UnpicklingError,
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
)


class DamagedCheckpointError(ValueError):
    """A file is damaged, or is not the checkpoint of this training."""


class TrainingCheckpoint:
    """Checkpoint of one training, written after each epoch.

    The file is named by everything that the training depends on: the parameters and
    the content of the files that they name, the rows, their spectrograms and targets.
    So a folder can be shared by all folds of a cross-validation and all trials of a
    search, and a finished training is not repeated. It holds plain data, so that
    reading it runs no program; a file that is damaged, or of another training, is left
    aside.

    Parameters
    ----------
    folder : str or path
        Made if it is not there.
    net : SegmentNet
        Initialised.
    dataset : SegmentDataset
        The rows that it is trained on.
    """

    def __init__(self, folder, net, dataset):
        self._fingerprint = _fingerprint(net, dataset)
        self.path = make_folder(Path(folder)) / f"{self._fingerprint}.pt"
        self._warned = set()

    def save(self, net, dataset, finished):
        """Write the state after an epoch, or that of the finished training."""
        state = {
            "module": net.module_.state_dict(),
            "history": list(net.history),
            "precision": net.precision_,
            "teachers": net.teachers_,
            "weights_license": net.weights_license_,
        }
        if not finished:
            state |= {
                "optimizer": net.optimizer_.state_dict(),
                "scaler": net.scaler_.state_dict(),
                "stop": net.stop_training_,
                "callbacks": {n: self._fitted(n, cb) for n, cb in net.callbacks_},
                "row_factors": dataset.row_factors,
                "draws": net.rng_.get_state(),
                "torch_draws": torch.get_rng_state(),
                "cuda_draws": torch.cuda.get_rng_state_all(),
            }
        state |= {"finished": finished, "fingerprint": self._fingerprint}
        buffer = io.BytesIO()  # torch does not say so if the disk is full
        torch.save(to_plain(state), buffer)
        # Written beside and renamed: a kill in between leaves the state before.
        with open_whole(self.path, "wb") as file:
            file.write(_MARK)
            file.write(blake2b(buffer.getbuffer(), digest_size=_DIGEST).digest())
            file.write(buffer.getbuffer())

    def _fitted(self, name, callback):
        """Return the fitted state of a callback: its attributes that end with "_".

        A class may list as `transient` those that `on_train_begin` makes anew.
        """
        transient = getattr(callback, "transient", ())
        fitted = {}
        for key, value in vars(callback).items():
            is_function = callable(value) and not isinstance(value, torch.nn.Module)
            if not key.endswith("_") or key in transient or is_function:
                continue
            try:
                to_plain(value)
            except NotPlainError as exc:
                self._warn_once(f"{name}.{key} ({exc})")
            else:
                fitted[key] = value
        return fitted

    def _warn_once(self, what):
        if what not in self._warned:
            self._warned.add(what)
            warnings.warn(
                f"The checkpoint leaves out what the callback keeps in {what}: after a "
                "kill it begins anew. Keep numbers, arrays or tensors there, or list "
                "it in the callback's `transient`.",
                stacklevel=5,
            )

    def load(self):
        """Return the state on disk, or None if there is none of this training.

        Warns
        -----
        UserWarning
            If there is a file of that name that is damaged, of a network that
            diverged, or something else.
        """
        if not self.path.is_file():
            return None
        try:
            return self._read()
        except DamagedCheckpointError as exc:
            self.put_aside(exc)
            return None

    def put_aside(self, reason):
        """Rename the file, and warn of it."""
        aside = self.path.with_suffix(".damaged")
        self.path.replace(aside)
        warnings.warn(
            f"{self.path} is not a checkpoint of this training, or no longer: "
            f"{reason}. It is now called {aside.name}, and the training begins anew.",
            stacklevel=5,
        )

    def _read(self):
        data = memoryview(self.path.read_bytes())
        start = len(_MARK) + _DIGEST
        if data[: len(_MARK)] != _MARK:
            raise DamagedCheckpointError("it does not begin like one")
        digest = blake2b(data[start:], digest_size=_DIGEST).digest()
        if data[len(_MARK) : start] != digest:
            raise DamagedCheckpointError("its content does not match its checksum")
        try:
            # The draws of random numbers must stay on the CPU; the rest goes to the
            # device that it came from, by `restore`.
            plain = torch.load(
                io.BytesIO(data[start:]), map_location="cpu", weights_only=True
            )
            state = from_plain(plain)
        except _OF_STRANGERS as exc:
            raise DamagedCheckpointError(
                f"it holds other things than data ({type(exc).__name__})"
            ) from exc
        if not isinstance(state, dict) or state.get("fingerprint") != self._fingerprint:
            raise DamagedCheckpointError("it is of another training")
        for part, is_whole in _PARTS.items():
            if not is_whole(state.get(part)):
                raise DamagedCheckpointError(f"its part {part!r} is missing or wrong")
        name = not_finite(state["module"])
        if name is not None:
            raise DamagedCheckpointError(
                f"it holds weights that are NaN or infinite ({name})"
            )
        return state

    def restore(self, state, net, dataset):
        """Put a state that `load` returned into a net whose training has begun.

        Raises
        ------
        DamagedCheckpointError
            If it does not fit. The file was then put aside, and the net is spoilt.
        """
        try:
            self._restore(state, net, dataset)
        except torch.OutOfMemoryError:
            raise
        except _OF_STRANGERS as exc:
            reason = f"it does not fit ({type(exc).__name__})"
            self.put_aside(reason)
            raise DamagedCheckpointError(reason) from exc

    @staticmethod
    def _restore(state, net, dataset):
        net.module_.load_state_dict(state["module"])
        net.history = History(state["history"])
        net.precision_ = state["precision"]
        net.teachers_ = state["teachers"]
        net.weights_license_ = state["weights_license"]
        if state["finished"]:
            return
        net.optimizer_.load_state_dict(state["optimizer"])
        net.scaler_.load_state_dict(state["scaler"])
        net.stop_training_ = state["stop"]
        for name, callback in net.callbacks_:
            fitted = _to_device(state["callbacks"].get(name, {}), net.device)
            for key, value in fitted.items():
                if isinstance(value, State):
                    getattr(callback, key).load_state_dict(value.state_dict)
                else:
                    setattr(callback, key, value)
        dataset.row_factors = state["row_factors"]
        net.rng_.set_state(state["draws"])
        torch.set_rng_state(state["torch_draws"])
        if len(state["cuda_draws"]) == torch.cuda.device_count():
            torch.cuda.set_rng_state_all(state["cuda_draws"])


def check_can_be_told(net):
    """Raise a ValueError now if no fingerprint of a net's parameters can be made."""
    for name, value in _told_by(net).items():
        try:
            joblib.hash(value)
        except Exception as exc:  # of whatever an object forbids to pickle
            raise ValueError(
                f"checkpoint_dir={str(net.checkpoint_dir)!r} needs parameters that can "
                "be pickled, to tell this training from others, which "
                f"{name}={value!r:.100} cannot ({type(exc).__name__}). Take functions "
                "and classes of a module, no lambda, or set checkpoint_dir=None."
            ) from exc


def _told_by(net):
    """Return the parameters that tell a training from others."""
    return {
        name: _without_state(value)
        for name, value in net.get_params(deep=True).items()
        if name not in _FREE
    }


def _fingerprint(net, dataset):
    params = _told_by(net)
    if is_file(net.initial_weights):
        params["backbone_weights"] = sha256_of(Path(net.initial_weights).expanduser())
    data = dataset.spectrograms
    return joblib.hash(
        [
            skbird.__version__,
            type(net).__qualname__,
            params,
            [callback.learnt_from() for callback in net.recipe],
            net.teachers_,
            getattr(net, net.learnt_in),
            in_one_layout(data.rows),
            data.format,
            list(data.entries),
            data.n_frames,
            data.segment_weights,
            *dataset.learnt,
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
