"""What all networks share: parameters of the training, their checks, the optimizer."""

import os
from numbers import Integral, Real

import numpy as np
import torch
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from skorch import NeuralNet
from skorch.callbacks import Callback

from skbird.nn._allocator import keep_freed_memory
from skbird.nn._checkpoint import DamagedCheckpointError, check_can_be_told
from skbird.nn._names import check_names
from skbird.nn._optimizer import fast_options, make_parameter_groups
from skbird.nn._portable_state import PortableState
from skbird.nn._precision import PRECISIONS
from skbird.nn._probe import check_device, check_takes
from skbird.nn._recipe import default_callbacks
from skbird.nn._training_loop import TrainingLoop
from skbird.nn._weights_origin import join_licenses, say_origin, terms_of
from skbird.utils._optimizers import check_optimizer
from skbird.utils._params import AT_LEAST_ONE
from skbird.utils._sklearn_compat import (
    Interval,
    StrOptions,
    validate_parameter_constraints,
)


class TrainedNet(TrainingLoop, PortableState, NeuralNet):
    """Base of what is trained on `Spectrograms`: a skorch net.

    `CNNClassifier` documents the parameters. A subclass lists in `_module_params` those
    that its module takes, has a property `_n_outputs`, and names in `learnt_in` the
    attribute that its fit begins with.
    """

    learnt_in: str

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

    def __init__(
        self,
        backbone,
        *,
        backbone_weights,
        drop_rate,
        drop_path_rate,
        feature_pooling,
        segments_per_row,
        max_epochs,
        lr,
        batch_size,
        weight_decay,
        backbone_lr_factor,
        precision,
        checkpoint_dir,
        random_state,
        device,
        verbose,
        module,
        **kwargs,
    ):
        self.backbone = backbone
        self.backbone_weights = backbone_weights
        self.drop_rate = drop_rate
        self.drop_path_rate = drop_path_rate
        self.feature_pooling = feature_pooling
        self.segments_per_row = segments_per_row
        self.weight_decay = weight_decay
        self.backbone_lr_factor = backbone_lr_factor
        self.precision = precision
        self.checkpoint_dir = checkpoint_dir
        self.random_state = random_state
        # Where skorch has others, or none.
        defaults = {"optimizer": torch.optim.AdamW, "train_split": None}
        super().__init__(
            module,
            max_epochs=max_epochs,
            lr=lr,
            batch_size=batch_size,
            device=device,
            verbose=verbose,
            **(defaults | kwargs),
        )

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

    @property
    def initial_weights(self):
        """What the backbone starts from, whichever parameter says so."""
        params = self.get_params_for("module")
        return params.get("backbone_weights", self.backbone_weights)

    def initialize_module(self):
        """Build the network with the outputs that fit has found."""
        params = {name: getattr(self, name) for name in self._module_params}
        params |= {"n_species": self._n_outputs}
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

    def _train(self, dataset, teachers=()):
        """Train on a `SegmentDataset`; what is random is seeded by `random_state`.

        Parameters
        ----------
        dataset : SegmentDataset
        teachers : list of dict
            Whose answers are its targets; see `_note_teachers`.
        """
        try:
            return self._train_once(dataset.copy(), teachers)
        except DamagedCheckpointError:  # it is put aside, so that there is none now
            self.initialized_ = False
            return self._train_once(dataset, teachers)

    def _train_once(self, dataset, teachers):
        keep_freed_memory()
        if not self.warm_start:
            self.initialized_ = False  # or skorch would print that it starts anew
        if not self.initialized_:
            license = say_origin(self.initial_weights, self.format_)
            self.initial_license_ = self.weights_license_ = license
            self.backbone_, self.teachers_ = self.backbone, []
        self._note_teachers(teachers)
        rng = check_random_state(self.random_state)
        with torch.random.fork_rng():
            torch.manual_seed(rng.randint(2**31))
            self.rng_ = np.random.RandomState(rng.randint(2**31))
            if not self.initialized_:
                self.initialize()
            elif not hasattr(self, "optimizer_"):
                self._initialize_optimizer()  # a pickle leaves it out
            return self.partial_fit(dataset)

    def _note_teachers(self, teachers):
        """Keep whose answers are learnt, and under which terms these are.

        Parameters
        ----------
        teachers : list of dict
            What `about_teacher` returns.
        """
        new = [about for about in teachers if about not in self.teachers_]
        self.teachers_ = self.teachers_ + new
        terms = [*terms_of(teachers), self.weights_license_]
        self.weights_license_ = join_licenses(terms)

    def _check_parameters(self):
        validate_parameter_constraints(
            self._parameter_constraints,
            {name: getattr(self, name) for name in self._parameter_constraints},
            caller_name=type(self).__name__,
        )
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
        check_can_be_told(self)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = True
        return tags


def _device_in_use(wanted):
    if isinstance(wanted, str) and wanted == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return wanted
