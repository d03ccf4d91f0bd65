"""Base of the networks: parameters, their checks, and `fit`."""

import os
from numbers import Integral, Real

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from skorch import NeuralNet
from skorch.callbacks import Callback

from skbird.base import MultilabelMixin
from skbird.data import POOLINGS, as_spectrograms, check_shifts, check_some_rows
from skbird.nn._allocator import keep_freed_memory
from skbird.nn._batches import SegmentDataset
from skbird.nn._heads import CNN
from skbird.nn._losses import BinaryCrossEntropy
from skbird.nn._names import check_names
from skbird.nn._optimizer import fast_options, make_parameter_groups
from skbird.nn._portable_state import PortableState
from skbird.nn._precision import PRECISIONS
from skbird.nn._probe import check_device, check_net, check_takes
from skbird.nn._recipe import default_callbacks
from skbird.nn._row_prediction import RowPrediction
from skbird.nn._targets import check_targets, check_usable, warn_of_unheard
from skbird.nn._training_loop import TrainingLoop
from skbird.utils._optimizers import check_optimizer
from skbird.utils._params import AT_LEAST_ONE, THRESHOLD
from skbird.utils._sklearn_compat import (
    Interval,
    StrOptions,
    validate_parameter_constraints,
)
from skbird.utils._truth import validate_threshold
from skbird.utils._weights import check_label_weight, check_sample_weight


class SegmentNet(
    TrainingLoop, RowPrediction, PortableState, MultilabelMixin, NeuralNet
):
    """Base of the networks: a skorch net that takes `Spectrograms`.

    `CNNClassifier` documents the parameters. A subclass lists in `_module_params` those
    that its module takes.
    """

    _module_params: tuple[str, ...] = (
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
        backbone="efficientnet_b0",
        *,
        backbone_weights="pretrained",
        drop_rate=0.2,
        drop_path_rate=0.0,
        feature_pooling="mean",
        pooling="max",
        tta_shifts_s=(),
        threshold=0.5,
        segments_per_row=1,
        max_epochs=20,
        lr=1e-3,
        batch_size=32,
        weight_decay=0.01,
        backbone_lr_factor=1.0,
        precision="auto",
        checkpoint_dir=None,
        random_state=None,
        device="auto",
        verbose=1,
        module=CNN,
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
        defaults = {  # where skorch has others, or none
            "criterion": BinaryCrossEntropy,
            "optimizer": torch.optim.AdamW,
            "train_split": None,
        }
        super().__init__(
            module,
            max_epochs=max_epochs,
            lr=lr,
            batch_size=batch_size,
            device=device,
            verbose=verbose,
            **(defaults | kwargs),
        )
        check_names(self, kwargs, TypeError)

    @property
    def device(self):
        """The device in use: "auto" means CUDA where there is one, else the CPU."""
        return _device_in_use(self.__dict__["device"])

    @device.setter
    def device(self, value):
        self.__dict__["device"] = value

    # skorch prints every layer.
    __repr__ = BaseEstimator.__repr__

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
        """Set parameters, also of the module, the loss, the optimizer and callbacks.

        Parameters
        ----------
        **params
            ``get_params()`` lists them. A fitted network moves to another `device`.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If there is no such parameter, or a fitted network cannot move.
        """
        check_names(self, params, ValueError)
        moves = "device" in params and hasattr(self, "module_")
        if moves:
            check_device(_device_in_use(params["device"]))
        super().set_params(**params)
        if moves:
            self._move_to_device()
        return self

    @property
    def _default_callbacks(self):
        return default_callbacks()

    def get_params_for_optimizer(self, prefix, named_parameters):
        """Return arguments of the optimizer, grouped unless the user gave groups."""
        named_parameters = list(named_parameters)
        args, kwargs = super().get_params_for_optimizer(prefix, named_parameters)
        kwargs = {"weight_decay": self.weight_decay, **kwargs}
        kwargs |= fast_options(self.optimizer, self.device, kwargs)
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
        """Check parameters and the input shape now, before recordings are decoded.

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
        check_usable(dataset)
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
        check_optimizer(self.optimizer)
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

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = True
        tags.target_tags.required = True
        tags.target_tags.two_d_labels = True
        return tags


def _device_in_use(wanted):
    if isinstance(wanted, str) and wanted == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return wanted
