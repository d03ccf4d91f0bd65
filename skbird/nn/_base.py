"""What the networks share: training on segments, predicting rows."""

import copy
import warnings
from numbers import Integral, Real

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import (
    Interval,
    StrOptions,
    validate_parameter_constraints,
)
from skorch import NeuralNet
from skorch.callbacks import EpochTimer, PassthroughScoring

from skbird.metrics import macro_roc_auc
from skbird.nn._allocator import keep_freed_memory
from skbird.nn._augmentation import Mixup, TimeFrequencyMask
from skbird.nn._batches import (
    SegmentDataset,
    TrainingBatches,
    normalize_batch,
    to_segment_tensor,
)
from skbird.nn._inputs import as_spectrograms, check_same_axes
from skbird.nn._losses import BinaryCrossEntropy
from skbird.nn._pooling import POOLINGS, pool_rows
from skbird.nn._progress import EpochProgress
from skbird.nn._schedule import WarmupCosine
from skbird.nn._targets import check_label_weight, check_sample_weight, check_targets
from skbird.utils._progress import progress_bar


class SegmentNet(ClassifierMixin, NeuralNet):
    """Base of the networks: a skorch net that takes `Spectrograms`.

    A subclass passes its module to ``__init__`` and lists in `_module_params` the
    parameters of its own that the module takes.
    """

    _module_params = ("backbone", "weights", "drop_rate", "drop_path_rate")

    _parameter_constraints: dict = {
        "backbone": [str],
        "drop_rate": [Interval(Real, 0, 1, closed="left")],
        "drop_path_rate": [Interval(Real, 0, 1, closed="left")],
        "pooling": [StrOptions(set(POOLINGS))],
        "segments_per_row": [Interval(Integral, 1, None, closed="left")],
        "max_epochs": [Interval(Integral, 1, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "lr": [Interval(Real, 0, None, closed="neither")],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        module,
        backbone,
        *,
        weights,
        drop_rate,
        drop_path_rate,
        pooling,
        segments_per_row,
        weight_decay,
        random_state,
        criterion=BinaryCrossEntropy,
        optimizer=torch.optim.AdamW,
        **kwargs,
    ):
        self.backbone = backbone
        self.weights = weights
        self.drop_rate = drop_rate
        self.drop_path_rate = drop_path_rate
        self.pooling = pooling
        self.segments_per_row = segments_per_row
        self.weight_decay = weight_decay
        self.random_state = random_state
        kwargs.setdefault("train_split", None)
        super().__init__(module, criterion, optimizer=optimizer, **kwargs)

    # Parameters -----------------------------------------------------------------

    @property
    def device(self):
        """The device in use: "auto" means CUDA where there is one, else the CPU."""
        wanted = self.__dict__["device"]
        if isinstance(wanted, str) and wanted == "auto":
            return "cuda" if torch.cuda.is_available() else "cpu"
        return wanted

    @device.setter
    def device(self, value):
        self.__dict__["device"] = value

    def get_params(self, deep=True, **kwargs):
        """Return the parameters as they were given."""
        params = super().get_params(deep=deep, **kwargs)
        params["device"] = self.__dict__["device"]  # "auto" stays "auto"
        params.pop("_params_to_validate", None)  # skorch's own bookkeeping
        return params

    @property
    def _default_callbacks(self):
        return [
            ("epoch_timer", EpochTimer()),
            ("train_loss", PassthroughScoring("train_loss", on_train=True)),
            ("schedule", WarmupCosine()),
            ("mixup", Mixup()),
            ("mask", TimeFrequencyMask()),
            ("progress", EpochProgress()),
        ]

    def get_params_for_optimizer(self, prefix, named_parameters):
        """Return arguments of the optimizer, with the weight decay among them."""
        args, kwargs = super().get_params_for_optimizer(prefix, named_parameters)
        return args, {"weight_decay": self.weight_decay, **kwargs}

    def initialize_module(self):
        """Build the network for the species seen in fit."""
        params = {name: getattr(self, name) for name in self._module_params}
        params |= {"n_species": len(self.species_)}
        params |= self.get_params_for("module")
        module = self.module(**params)
        # The layout in which convolutions are fastest, on CPUs and GPUs alike.
        self.module_ = module.to(memory_format=torch.channels_last)
        return self

    # Training -------------------------------------------------------------------

    def fit(self, X, y, sample_weight=None, label_weight=None):
        """Train the network.

        Parameters
        ----------
        X : Spectrograms or array of shape (n_rows, n_mels, n_frames)
            As :class:`skbird.preprocessing.LogMel` gives them, or features of one's
            own, one segment a row.
        y : array or DataFrame of shape (n_rows, n_species)
            In [0, 1]; fractions are soft targets, NaN is unknown. A row that is -1
            throughout is unlabelled and not used. Columns name the species; rows match
            those of X by position, whatever their index.
        sample_weight : array of shape (n_rows,), optional
            How often a row is drawn, relative to the others; >= 0.
        label_weight : array of shape (n_rows, n_species), optional
            Factor of the loss of each label; >= 0.

        Returns
        -------
        self
        """
        validate_parameter_constraints(
            self._parameter_constraints,
            {name: getattr(self, name) for name in self._parameter_constraints},
            caller_name=type(self).__name__,
        )
        if self.train_split is not None:
            raise ValueError(
                f"train_split={self.train_split!r} is not supported: segments of one "
                "recording would fall on both sides. Validate with cross_val_score."
            )
        X = as_spectrograms(X)
        species, target = check_targets(y, len(X))
        self._check_warm_start(species)
        self.species_ = species
        # As one array, not a list: cross_val_predict asks for its shape.
        self.classes_ = np.tile([0, 1], (len(species), 1))
        self.format_ = X.format
        label_weight = check_label_weight(label_weight, target.shape, species)
        if label_weight is not None:
            # Mixing with another segment must not bring a hidden label back.
            target[label_weight == 0] = np.nan
        dataset = SegmentDataset(
            X, target, check_sample_weight(sample_weight, len(X)), label_weight
        )
        if len(dataset) == 0:
            raise ValueError(
                f"None of the {len(X)} rows can be trained on: each is unlabelled, "
                "unreadable or has sample_weight 0."
            )
        keep_freed_memory()
        if not self.warm_start:
            self.initialized_ = False  # or skorch would print that it starts anew
        rng = check_random_state(self.random_state)
        with torch.random.fork_rng():
            torch.manual_seed(rng.randint(2**31))
            self.rng_ = np.random.RandomState(rng.randint(2**31))
            if not self.initialized_:
                self.initialize()
            elif not hasattr(self, "optimizer_"):
                self._initialize_optimizer()  # a pickle leaves it out
            return self.partial_fit(dataset)

    def _check_warm_start(self, species):
        continues = self.warm_start and self.initialized_
        if continues and list(species) != list(self.species_):
            raise ValueError(
                f"warm_start=True continues with the {len(self.species_)} species of "
                f"the last fit, but Y has {len(species)}, or others. Set it to False."
            )

    def partial_fit(self, X, y=None, classes=None, **fit_params):
        """Run the training loop; `fit` calls it.

        Unlike skorch's, it lets a KeyboardInterrupt through: a net whose training was
        broken off must not pass for a fitted one.
        """
        if not isinstance(X, SegmentDataset):
            raise TypeError(
                f"{type(self).__name__} has no partial_fit for data of one's own. To "
                "go on training, use fit with warm_start=True."
            )
        self.notify("on_train_begin", X=X, y=y)
        try:
            self.fit_loop(X, y)
        finally:
            self.notify("on_train_end", X=X, y=y)
        return self

    def steps_per_epoch(self, dataset):
        """Return the number of batches that an epoch of a `SegmentDataset` has."""
        return len(self.get_iterator(dataset, training=True))

    def get_iterator(self, dataset, training=False):
        """Return the batches of a `SegmentDataset`."""
        return TrainingBatches(
            dataset, self.batch_size, self.segments_per_row, self.rng_, self.device
        )

    def infer(self, x, **fit_params):
        """Return the logits of a batch."""
        segments = normalize_batch(
            x["segments"], self.format_.normalize, self.format_.top_db
        )
        return self.module_(segments.contiguous(memory_format=torch.channels_last))

    def get_loss(self, y_pred, y_true, X=None, training=False):
        """Return the loss of a batch."""
        return self.criterion_(y_pred, y_true, X.get("label_weight"))

    # Prediction -----------------------------------------------------------------

    def predict_proba(self, X):
        """Predict the probability of each species in each row.

        Parameters
        ----------
        X : Spectrograms or array of shape (n_rows, n_mels, n_frames)

        Returns
        -------
        ndarray of shape (n_rows, n_species), float32
            Rows of several segments are pooled as `pooling` says; rows that could not
            be read are NaN.
        """
        X = self._check_predict(X)
        segment_logits = self._over_segments(X, self.module_)
        used = X.segment_predict_weights > 0
        logits = pool_rows(
            segment_logits[used], X.segment_rows[used], len(X), self.pooling
        )
        return torch.sigmoid(torch.from_numpy(logits)).numpy()

    def predict(self, X, threshold=0.5):
        """Predict which species are in each row.

        Parameters
        ----------
        X : Spectrograms or array of shape (n_rows, n_mels, n_frames)
        threshold : float or array of shape (n_species,), default=0.5
            Probability from which a species counts as present.

        Returns
        -------
        ndarray of shape (n_rows, n_species), int
            0 throughout for rows that could not be read.
        """
        return (self.predict_proba(X) >= threshold).astype(int)

    def embed(self, X):
        """Return what the network makes of each row before it names species.

        Parameters
        ----------
        X : Spectrograms or array of shape (n_rows, n_mels, n_frames)

        Returns
        -------
        ndarray of shape (n_rows, n_features), float32
            The mean over the row's segments; NaN for rows that could not be read.
        """
        X = self._check_predict(X)
        embedded = self._over_segments(X, self.module_.embed)
        used = X.segment_predict_weights > 0
        return pool_rows(embedded[used], X.segment_rows[used], len(X), "mean")

    def score(self, X, y, sample_weight=None):
        """Return the macro-averaged ROC-AUC of the predictions.

        Parameters
        ----------
        X : Spectrograms or array of shape (n_rows, n_mels, n_frames)
        y : array or DataFrame of shape (n_rows, n_species)
        sample_weight : ignored

        Returns
        -------
        float
        """
        return macro_roc_auc(y, self.predict_proba(X), nan_rows="omit")

    def _check_predict(self, X):
        self.check_is_fitted(["species_"])
        X = as_spectrograms(X)
        check_same_axes(X.format, self.format_)
        return X

    def _over_segments(self, X, function):
        """Apply a function of the module to all segments: array or tuple of arrays."""
        keep_freed_memory()
        self._set_training(False)
        # With nothing to predict, one blank segment tells the shape of nothing.
        n_segments = max(X.n_segments, 1)
        batches = np.arange(0, n_segments, self.batch_size)
        outputs = []
        with torch.inference_mode():
            for first in progress_bar(
                batches, desc="predict", unit="batch", delay=2, verbose=self.verbose
            ):
                stop = min(first + self.batch_size, X.n_segments)
                segments = to_segment_tensor(
                    X.segments(np.arange(first, stop)) if stop else X.blank_segment()
                )
                segments = normalize_batch(
                    segments.to(self.device), X.format.normalize, X.format.top_db
                )
                output = function(
                    segments.contiguous(memory_format=torch.channels_last)
                )
                outputs.append(_to_numpy(output))
        if isinstance(outputs[0], tuple):
            joined = [np.concatenate(part) for part in zip(*outputs, strict=True)]
            return tuple(part[: X.n_segments] for part in joined)
        return np.concatenate(outputs)[: X.n_segments]

    # Pickling -------------------------------------------------------------------

    # skorch prints every layer.
    __repr__ = BaseEstimator.__repr__

    def __getstate__(self):
        # The optimizer is two to three times as large as the weights, and prediction
        # does not need it; tensors go as CPU tensors, so that any machine can load.
        state = self.__dict__.copy()
        for name in ("optimizer_", "criterion_", "rng_"):
            state.pop(name, None)
        if "module_" in state:
            state["module_"] = copy.deepcopy(self.module_).cpu()
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
            self.module_ = self.module_.to(self.device)
            self._initialize_criterion()

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = True
        tags.target_tags.required = True
        tags.target_tags.two_d_labels = True
        return tags


def _to_numpy(output):
    if isinstance(output, tuple):
        return tuple(_to_numpy(part) for part in output)
    return output.float().cpu().numpy()
