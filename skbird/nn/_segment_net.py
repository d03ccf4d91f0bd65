"""Base of the networks that recognise species: their parameters, and `fit`."""

import numpy as np

from skbird.base import MultilabelMixin
from skbird.data import POOLINGS, as_spectrograms, check_shifts, check_some_rows
from skbird.nn._batches import SegmentDataset
from skbird.nn._heads import CNN
from skbird.nn._losses import BinaryCrossEntropy
from skbird.nn._names import check_names
from skbird.nn._probe import check_net
from skbird.nn._row_prediction import RowPrediction
from skbird.nn._targets import check_targets, check_usable, warn_of_unheard
from skbird.nn._trained_net import TrainedNet
from skbird.utils._params import THRESHOLD
from skbird.utils._sklearn_compat import StrOptions
from skbird.utils._truth import validate_threshold
from skbird.utils._weights import check_label_weight, check_sample_weight


class SegmentNet(RowPrediction, MultilabelMixin, TrainedNet):
    """Base of the networks: a skorch net that learns species of `Spectrograms`.

    `CNNClassifier` documents the parameters.
    """

    _parameter_constraints: dict = {
        **TrainedNet._parameter_constraints,
        "pooling": [StrOptions(set(POOLINGS))],
        "tta_shifts_s": ["array-like"],
        "threshold": THRESHOLD,
    }
    learnt_in = "species_"

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
        self.pooling = pooling
        self.tta_shifts_s = tta_shifts_s
        self.threshold = threshold
        super().__init__(
            backbone,
            backbone_weights=backbone_weights,
            drop_rate=drop_rate,
            drop_path_rate=drop_path_rate,
            feature_pooling=feature_pooling,
            segments_per_row=segments_per_row,
            max_epochs=max_epochs,
            lr=lr,
            batch_size=batch_size,
            weight_decay=weight_decay,
            backbone_lr_factor=backbone_lr_factor,
            precision=precision,
            checkpoint_dir=checkpoint_dir,
            random_state=random_state,
            device=device,
            verbose=verbose,
            module=module,
            **({"criterion": BinaryCrossEntropy} | kwargs),
        )
        check_names(self, kwargs, TypeError)

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
        return self._train(dataset)

    @property
    def _n_outputs(self):
        return len(self.species_)

    def _check_parameters(self):
        super()._check_parameters()
        check_shifts(self.tta_shifts_s)

    def _check_warm_start(self, species):
        continues = self.warm_start and self.initialized_
        if continues and list(species) != list(self.species_):
            raise ValueError(
                f"warm_start=True continues with the {len(self.species_)} species of "
                f"the last fit, but Y has {len(species)}, or others. Set it to False."
            )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.target_tags.two_d_labels = True
        return tags
