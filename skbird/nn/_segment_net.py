"""What the networks share: training on segments, predicting rows."""

import copy
import os
import warnings
from numbers import Integral, Real

import numpy as np
import pandas as pd
import torch
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from skorch import NeuralNet
from skorch.callbacks import Callback
from skorch.history import History
from skorch.utils import TeeGenerator

from skbird.base import MultilabelMixin
from skbird.data import (
    POOLINGS,
    as_spectrograms,
    check_shifts,
    check_some_rows,
    pool_rows,
    score_rows,
    with_same_axes,
)
from skbird.nn._allocator import keep_freed_memory
from skbird.nn._batches import SegmentDataset, TrainingBatches, normalize_batch
from skbird.nn._checkpoint import TrainingCheckpoint
from skbird.nn._divergence import LastSound, check_epoch, check_step
from skbird.nn._losses import BinaryCrossEntropy
from skbird.nn._names import check_names
from skbird.nn._optimizer import make_parameter_groups
from skbird.nn._precision import (
    PRECISIONS,
    autocast,
    choose_precision,
    depthwise_in_float32,
)
from skbird.nn._prediction import map_segments
from skbird.nn._probe import check_net, check_takes
from skbird.nn._recipe import default_callbacks
from skbird.nn._targets import (
    check_label_weight,
    check_sample_weight,
    check_targets,
    warn_of_unheard,
)
from skbird.utils._finite import NotFiniteError
from skbird.utils._params import AT_LEAST_ONE, THRESHOLD
from skbird.utils._sklearn_compat import (
    Interval,
    StrOptions,
    validate_parameter_constraints,
)
from skbird.utils._truth import validate_threshold


class SegmentNet(MultilabelMixin, NeuralNet):
    """Base of the networks: a skorch net that takes `Spectrograms`.

    A subclass passes its module to ``__init__`` and lists in `_module_params` the
    parameters of its own that the module takes.
    """

    _module_params = (
        "backbone",
        "backbone_weights",
        "drop_rate",
        "drop_path_rate",
        "feature_pooling",
    )

    _parameter_constraints: dict = {
        "backbone": [str],
        "drop_rate": [Interval(Real, 0, 1, closed="left")],
        "drop_path_rate": [Interval(Real, 0, 1, closed="left")],
        "feature_pooling": [StrOptions({"mean", "gem"})],
        "pooling": [StrOptions(set(POOLINGS))],
        "tta_shifts_s": ["array-like"],
        "threshold": THRESHOLD,
        "segments_per_row": [Interval(Integral, 1, 10_000, closed="both")],
        "max_epochs": [AT_LEAST_ONE],
        "batch_size": [AT_LEAST_ONE],
        "lr": [Interval(Real, 0, np.inf, closed="neither")],
        "weight_decay": [Interval(Real, 0, np.inf, closed="left")],
        "backbone_lr_factor": [Interval(Real, 0, np.inf, closed="left")],
        "precision": [StrOptions({"auto", *PRECISIONS})],
        "checkpoint_dir": [str, os.PathLike, None],
        "random_state": ["random_state"],
    }

    # Nobody else has weights of labels, so that nobody need ask for them to be routed.
    __metadata_request__fit = {"label_weight": True}

    def __init__(
        self,
        module,
        backbone,
        *,
        backbone_weights,
        drop_rate,
        drop_path_rate,
        feature_pooling,
        pooling,
        tta_shifts_s,
        threshold,
        segments_per_row,
        weight_decay,
        backbone_lr_factor,
        precision,
        checkpoint_dir,
        random_state,
        criterion=BinaryCrossEntropy,
        optimizer=torch.optim.AdamW,
        **kwargs,
    ):
        self.backbone = backbone
        self.backbone_weights = backbone_weights
        self.drop_rate = drop_rate
        self.drop_path_rate = drop_path_rate
        self.feature_pooling = feature_pooling
        self.pooling = pooling
        self.tta_shifts_s = tta_shifts_s
        self.threshold = threshold
        self.segments_per_row = segments_per_row
        self.weight_decay = weight_decay
        self.backbone_lr_factor = backbone_lr_factor
        self.precision = precision
        self.checkpoint_dir = checkpoint_dir
        self.random_state = random_state
        kwargs.setdefault("train_split", None)
        super().__init__(module, criterion, optimizer=optimizer, **kwargs)
        check_names(self, kwargs, TypeError)

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
        # Attributes of skorch's and, during its fit, of scikit-learn's Pipeline.
        params = {k: v for k, v in params.items() if not k.startswith("_")}
        params["device"] = self.__dict__["device"]  # "auto" stays "auto"
        if deep:
            # skorch answers with the defaults of the default callbacks.
            given = {k: v for k, v in vars(self).items() if k.startswith("callbacks__")}
            for name, value in given.items():
                if isinstance(value, Callback):
                    nested = value.get_params().items()
                    params |= {f"{name}__{key}": own for key, own in nested}
            params |= given
        return params

    def set_params(self, **params):
        """Set parameters, also of the callbacks and of what the network is made of.

        Parameters
        ----------
        **params
            ``get_params()`` lists them.

        Returns
        -------
        self
        """
        check_names(self, params, ValueError)
        return super().set_params(**params)

    @property
    def _default_callbacks(self):
        return default_callbacks()

    def get_params_for_optimizer(self, prefix, named_parameters):
        """Return arguments of the optimizer, grouped unless the user gave groups."""
        named_parameters = list(named_parameters)
        args, kwargs = super().get_params_for_optimizer(prefix, named_parameters)
        kwargs = {"weight_decay": self.weight_decay, **kwargs}
        if "param_groups" not in self.get_params_for(prefix):
            groups = make_parameter_groups(
                named_parameters,
                kwargs.get("lr", self.lr),
                kwargs["weight_decay"],
                self.backbone_lr_factor,
            )
            args = (groups,)
        return args, kwargs

    def initialize_module(self):
        """Build the network for the species seen in fit."""
        params = {name: getattr(self, name) for name in self._module_params}
        params |= {"n_species": len(self.species_)}
        params |= self.get_params_for("module")
        module = self.module(**params)
        check_takes(
            module,
            self.backbone,
            self.format_.n_mels,
            self.format_.frames_per_segment,
        )
        # The layout in which convolutions are fastest, on CPUs and GPUs alike.
        self.module_ = module.to(memory_format=torch.channels_last)
        return self

    def check_input(self, n_mels, n_frames, n_species=2):
        """Complain now of what `fit` would refuse once all recordings are decoded.

        In a pipeline nothing but `fit` itself sees the segments, hours after it was
        called. Call this before: all parameters are checked, also those of the loss and
        the callbacks, weights are loaded, and the network is tried once.

        Parameters
        ----------
        n_mels, n_frames : int
            Shape of the segments. There are ``1 + segment_s * sample_rate /
            hop_length`` frames: 313 with the defaults.
        n_species : int, default=2

        Raises
        ------
        ValueError
            If a parameter, the backbone or its weights are refused.

        Examples
        --------
        >>> from skbird.nn import CNNClassifier
        >>> CNNClassifier("lcnet_035", backbone_weights=None).check_input(128, 313)
        """
        check_net(self, n_mels, n_frames, n_species)

    # History --------------------------------------------------------------------

    @property
    def history(self):
        """The record that skorch and its callbacks keep of epochs and batches."""
        return self._history

    @history.setter
    def history(self, value):
        self._history = value

    @property
    def history_(self):
        """The epochs of the training as a DataFrame: loss, seconds and size."""
        if not self._history:
            raise AttributeError(f"{type(self).__name__} has no history_ before fit.")
        table = pd.DataFrame(self._history.to_list()).set_index("epoch")
        return table.drop(columns="batches")

    @history_.setter
    def history_(self, value):
        self._history = value  # skorch's own name for its record

    def initialize_history(self):
        """Begin the record of a training anew."""
        self.history = History()
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
        sample_weight : array of shape (n_rows,), default=None
            How often a row is drawn, relative to the others; >= 0.
        label_weight : array of shape (n_rows, n_species), default=None
            Factor of the loss of each label; >= 0.

        Returns
        -------
        self

        Raises
        ------
        FloatingPointError
            If the training diverges in its first epoch: the loss or weights are NaN.

        Warns
        -----
        ConvergenceWarning
            If it diverges later. It then ends with what it had learnt until the last
            epoch whose numbers were finite.
        """
        self._check_parameters()
        X = as_spectrograms(X)
        check_some_rows(X)
        species, target = check_targets(y, len(X))
        self._check_warm_start(species)
        validate_threshold(self.threshold, len(species))
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
        warn_of_unheard(species, target, X.n_frames > 0)
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

    def _check_parameters(self):
        validate_parameter_constraints(
            self._parameter_constraints,
            {name: getattr(self, name) for name in self._parameter_constraints},
            caller_name=type(self).__name__,
        )
        check_shifts(self.tta_shifts_s)
        if self.train_split is not None:
            raise ValueError(
                f"train_split={self.train_split!r} is not supported: segments of one "
                "recording would fall on both sides. Validate with cross_val_score, or "
                "within the training with callbacks__validation__fraction."
            )
        if self.checkpoint_dir is None:
            return
        if not isinstance(self.random_state, Integral):
            raise ValueError(
                "checkpoint_dir needs random_state to be an int, got "
                f"{self.random_state!r}: a training that goes on must begin with the "
                "draws of the one that was killed."
            )
        if self.warm_start:
            raise ValueError(
                "checkpoint_dir and warm_start=True exclude each other: a training "
                "that continues another one cannot be told from its beginning."
            )

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
        state, checkpoint = None, None
        if self.checkpoint_dir is not None:
            checkpoint = TrainingCheckpoint(self.checkpoint_dir, self, X)
            state = checkpoint.load()
        if state is not None and state["finished"]:
            checkpoint.restore(state, self, X)
            return self
        self.precision_ = state["precision"] if state else self._choose_precision(X)
        self.scaler_ = torch.amp.GradScaler(
            torch.device(self.device).type, enabled=self.precision_ == "float16"
        )
        self.stop_training_ = False
        n_before = len(self.history)
        self.notify("on_train_begin", X=X, y=y)
        try:
            if state is not None:
                checkpoint.restore(state, self, X)
            with self._fast_layers():
                finished = self._run_epochs(X, y, checkpoint, n_before)
        finally:
            self.notify("on_train_end", X=X, y=y)
        # One that diverged stays unfinished: called again, it says so again.
        if checkpoint is not None and finished:
            checkpoint.save(self, X, finished=True)
        return self

    def _run_epochs(self, X, y, checkpoint, n_before):
        """Train; return False if that ended early because the network diverged."""
        sound = LastSound(self)
        while len(self.history) - n_before < self.max_epochs:
            if self.stop_training_:
                break
            try:
                self.fit_loop(X, y, epochs=1)
            except NotFiniteError as exc:
                sound.go_back(self, n_before, exc)
                return False
            sound.note(self)
            if checkpoint is not None:
                checkpoint.save(self, X, finished=False)
        return True

    def on_batch_end(self, net, batch=None, training=False, **kwargs):
        """Stop where the loss is not finite, before any callback takes note of it."""
        if training:
            check_step(self)

    def on_epoch_end(self, net, **kwargs):
        """Stop where weights are not finite, before any callback judges them."""
        check_epoch(self)

    def _fast_layers(self):
        on_cpu = torch.device(self.device).type == "cpu"
        return depthwise_in_float32(
            self.module_, on_cpu and self.precision_ != "float32"
        )

    def _choose_precision(self, dataset):
        if self.precision == "auto":
            return choose_precision(self, dataset)
        return self.precision

    def steps_per_epoch(self, dataset):
        """Return the number of batches that an epoch of a `SegmentDataset` has.

        Parameters
        ----------
        dataset : SegmentDataset
            What the network is trained on.

        Returns
        -------
        int
        """
        return len(self.get_iterator(dataset, training=True))

    def get_iterator(self, dataset, training=False):
        """Return the batches of a `SegmentDataset`."""
        return TrainingBatches(
            dataset, self.batch_size, self.segments_per_row, self.rng_, self.device
        )

    def train_step(self, batch, **fit_params):
        """Take one step of the optimizer: skorch's, with losses scaled for float16."""
        self._zero_grad_optimizer()
        step = self.train_step_single(batch)
        self.scaler_.unscale_(self.optimizer_)
        self.notify(
            "on_grad_computed",
            named_parameters=TeeGenerator(self.get_all_learnable_params()),
            batch=batch,
            training=True,
        )
        self.scaler_.step(self.optimizer_)
        self.scaler_.update()
        return step

    def train_step_single(self, batch, **fit_params):
        """Compute the gradients of a batch."""
        self._set_training(True)
        inputs, target = batch
        device_type = target.device.type
        with autocast(device_type, PRECISIONS[self.precision_]):
            logits = self.infer(inputs).float()
        loss = self.get_loss(logits, target, X=inputs, training=True)
        self.scaler_.scale(loss).backward()
        return {"loss": loss, "y_pred": logits}

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
            be read, and only those, are NaN.

        Raises
        ------
        FloatingPointError
            If the network answers NaN or infinity, as after a training that diverged.
        """
        logits = self._row_logits(self._check_predict(X))
        return torch.sigmoid(torch.from_numpy(logits)).numpy()

    def _row_logits(self, X):
        check_shifts(self.tta_shifts_s)  # set_params may have come after fit
        return score_rows(
            X,
            lambda X, read: self._map_segments(X, self.module_, read),
            pooling=self.pooling,
            shifts_s=self.tta_shifts_s,
        )

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
        embedded = self._map_segments(X, self.module_.embed)
        used = X.segment_predict_weights > 0
        return pool_rows(embedded[used], X.segment_rows[used], len(X), "mean")

    def _check_predict(self, X):
        self.check_is_fitted(["species_"])
        return with_same_axes(as_spectrograms(X), self.format_)

    def _map_segments(self, X, function, read=None):
        self._set_training(False)
        return map_segments(self, X, function, read)

    # Pickling -------------------------------------------------------------------

    # skorch prints every layer.
    __repr__ = BaseEstimator.__repr__

    def __getstate__(self):
        # The optimizer is two to three times as large as the weights, and prediction
        # does not need it; tensors go as CPU tensors, so that any machine can load.
        state = self.__dict__.copy()
        for name in ("optimizer_", "criterion_", "rng_", "scaler_"):
            state.pop(name, None)
        if "module_" in state:
            # What torch.compile made is left out too: it is of this machine.
            module = getattr(self.module_, "_orig_mod", self.module_)
            state["module_"] = copy.deepcopy(module).cpu()
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
        tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = True
        tags.target_tags.required = True
        tags.target_tags.two_d_labels = True
        return tags
