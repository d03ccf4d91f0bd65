import os
from numbers import Real

import numpy as np
import torch

from skbird.data import as_spectrograms, check_some_rows
from skbird.encoders import Encoder
from skbird.nn._backbone import make_backbone
from skbird.nn._compiled import uncompiled
from skbird.nn._heads import CNN
from skbird.nn._lessons import LessonDataset, given_lessons
from skbird.nn._losses import BinaryCrossEntropy, CosineLoss
from skbird.nn._names import check_names
from skbird.nn._prediction import map_segments, spectrograms_for
from skbird.nn._raw_rows import is_made, make_spectrograms
from skbird.nn._recipe import distillation_callbacks
from skbird.nn._row_prediction import embed_rows
from skbird.nn._targets import check_usable
from skbird.nn._teacher import about_teacher, as_one, check_teacher, hear_all
from skbird.nn._trained_net import TrainedNet
from skbird.nn._weights_origin import (
    WeightsOrigin,
    mel_of,
    split_licenses,
    terms_of,
    write_weights,
)
from skbird.utils._sklearn_compat import HasMethods, Interval, StrOptions
from skbird.utils._weights import check_sample_weight


def _refuse_to_predict(net):
    raise AttributeError(
        "EmbeddingDistillation learns no species. Train a CNNClassifier from the file "
        "that save_weights writes."
    )


class EmbeddingDistillation(TrainedNet):
    """Teach a network what a pretrained model hears, on recordings without labels.

    The network learns to give the teacher's embeddings of its segments, less the mean
    of all: embeddings that are never negative have a high cosine to their mean
    (BirdNET's: 0.7), which tells nothing of a sound. `save_weights` then writes its
    backbone as a file that `backbone_weights` of `CNNClassifier` and `SEDClassifier`
    takes in place of ImageNet weights. Any recordings that sound like those to be
    predicted will do, but it takes hours: from minutes the network learns these alone.

    The teacher hears the rows as they were recorded, at its own sample rate and in its
    own windows, whatever steps the network's spectrograms went through; it runs once,
    and with a `cache_dir` never again. A segment's target is the mean of the windows
    that overlap it, by how long they do, so that segments and windows may be of any
    length. Augmentation changes what the network hears, not what it is to answer:
    shifts, masks and, if switched on (``callbacks__noise__p``,
    ``callbacks__mixup__p``), noise and mixtures, whose targets mix as the sounds do. A
    linear layer maps the features to the embedding; it is in no file.

    It is a skorch net: all that `CNNClassifier` has for the training works here, too,
    but for what looks at labels.

    Parameters
    ----------
    teacher : str, path, Encoder or transformer, default="birdnet-2.4"
        What :func:`skbird.encoders.load_encoder` takes; an
        :class:`skbird.encoders.EmbeddingEncoder`, which may have another step; or a
        fitted transformer that turns a row table into `Windows` or an array
        (n_rows, n_values). It is not used where `fit` is given embeddings.
    backbone : str, default="efficientnet_b0"
        A model of timm.
    backbone_weights : {"pretrained", None} or path, default="pretrained"
        What it starts from; see :class:`CNNClassifier`.
    score_weight : float >= 0, default=0.0
        Weight of a second loss: binary cross-entropy to the teacher's probabilities of
        those of its classes that it hears anywhere with 0.1 or more. The teacher then
        runs twice.
    cache_dir : str, path or None, default=None
        Folder that keeps the teacher's windows, and the spectrograms if they are made
        here.
    on_error : {"raise", "skip"}, default="raise"
        What to do about rows that cannot be read, if spectrograms are made here; see
        :class:`skbird.preprocessing.LogMel`.
    drop_rate : float in [0, 1), default=0.0
        Dropout before the layer that gives the embedding.
    drop_path_rate, feature_pooling, segments_per_row : float, str, int
        See :class:`CNNClassifier`; so do the next ones.
    max_epochs, lr, batch_size, weight_decay : int, float, int, float
    backbone_lr_factor, precision : float, str
    checkpoint_dir : str or path, default=None
        Folder from which a killed fit goes on; see :class:`CNNClassifier`.
    random_state : int, RandomState instance or None, default=None
        Seeds weights, draws and augmentation.
    device : str, default="auto"
        As torch names it; "auto" is CUDA where there is one, else the CPU.
    verbose : int, default=1
        0 shows no progress.
    module : class, default=CNN
        The network.
    **kwargs
        Further parameters of :class:`skorch.NeuralNet`, such as
        ``criterion=torch.nn.MSELoss`` or ``callbacks__noise__p=0.5``.

    Attributes
    ----------
    n_values_ : int
        Values of the teacher's embedding.
    embedding_mean_ : ndarray of shape (n_values,)
        What is taken off all of them.
    history_ : DataFrame
        A row for each epoch: ``train_loss``, ``dur`` in seconds and more.
    format_ : SpectrogramFormat
        Axes, segments and normalisation of the spectrograms.
    teachers_ : list of dict
        ``name``, ``version``, ``sha256`` and ``license`` of all, as far as known.
    initial_license_ : str or None
        License that holds for the distilled weights that the training began with.
    n_rows_, hours_, precision_, weights_license_
        What it has learnt from; see :class:`CNNClassifier`.

    See Also
    --------
    DistillationLoss : Learns embeddings beside labels, in one training.
    skbird.encoders.EmbeddingEncoder : The teacher itself as a step of a pipeline.

    References
    ----------
    Hinton et al., "Distilling the Knowledge in a Neural Network", 2015; of embeddings
    by their cosine, as the first place of BirdCLEF 2026 did (Kaggle).

    Examples
    --------
    >>> import numpy as np, tempfile
    >>> from pathlib import Path
    >>> from skbird.nn import CNNClassifier, EmbeddingDistillation
    >>> rng = np.random.default_rng(0)
    >>> X, embeddings = rng.normal(size=(8, 32, 64)), rng.normal(size=(8, 16))
    >>> student = EmbeddingDistillation(
    ...     backbone="lcnet_035",
    ...     backbone_weights=None,
    ...     max_epochs=1,
    ...     random_state=0,
    ...     verbose=0,
    ... )
    >>> path = Path(tempfile.mkdtemp()) / "distilled.safetensors"
    >>> student.fit(X, embeddings).save_weights(path, license="CC0")
    >>> net = CNNClassifier("lcnet_035", backbone_weights=path, max_epochs=1, verbose=0)
    >>> net.fit(X, np.tile([[1, 0], [0, 1]], (4, 1))).embed(X).shape
    (8, 176)
    """

    _parameter_constraints: dict = {
        **TrainedNet._parameter_constraints,
        "teacher": [str, os.PathLike, Encoder, HasMethods("transform")],
        "score_weight": [Interval(Real, 0, np.inf, closed="left")],
        "cache_dir": [str, os.PathLike, None],
        "on_error": [StrOptions({"raise", "skip"})],
    }
    learnt_in = "n_values_"

    def __init__(
        self,
        teacher="birdnet-2.4",
        backbone="efficientnet_b0",
        *,
        backbone_weights="pretrained",
        score_weight=0.0,
        cache_dir=None,
        on_error="raise",
        drop_rate=0.0,
        drop_path_rate=0.0,
        feature_pooling="mean",
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
        self.teacher = teacher
        self.score_weight = score_weight
        self.cache_dir = cache_dir
        self.on_error = on_error
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
            **({"criterion": CosineLoss} | kwargs),
        )
        check_names(self, kwargs, TypeError)

    def fit(self, X, y=None, sample_weight=None):
        """Learn the teacher's embeddings.

        Parameters
        ----------
        X : Spectrograms, Recordings, DataFrame with a column ``path``, or paths
            The rows; labels are not needed. Recordings get a `LogMel`; tables and paths
            the front end of the recipes, 5-s segments at 32 kHz. Or an array (n_rows,
            n_mels, n_frames), which no teacher can hear: it needs `y`.
        y : Windows or array of shape (n_rows, n_values), default=None
            The teacher's embeddings of windows, or of rows, where you have computed
            them; NaN where they are unknown. None: the teacher hears the rows.
        sample_weight : array of shape (n_rows,), default=None
            How often a row is drawn, relative to the others; >= 0.

        Returns
        -------
        self

        Raises
        ------
        FloatingPointError
            If the training diverges in its first epoch.
        """
        if y is None and not is_made(X):  # not to find out after hours
            self.check_early()
        self._check_parameters()
        X = self._spectrograms(X, fit=True)
        check_some_rows(X)
        lessons = self._lessons(X, y)
        self.embedding_mean_ = lessons[0].centre = lessons[0].mean()
        dataset = LessonDataset(X, lessons, check_sample_weight(sample_weight, len(X)))
        check_usable(dataset)
        n_outputs = [part.n_values for part in lessons]
        self._check_warm_start(n_outputs)
        self.n_values_, self._n_scores = n_outputs[0], sum(n_outputs[1:])
        self.format_ = X.format
        self.n_rows_ = len(dataset)
        n_frames = X.n_frames[dataset.usable].sum()
        self.hours_ = float(n_frames * X.format.frame_s / 3600)
        return self._train(dataset, about_teacher(self.teacher if y is None else y))

    def check_early(self):
        """Check parameters, teacher and weights, as `fit` does before all is decoded.

        Raises
        ------
        ValueError
            If a parameter, the teacher, the backbone or its weights are refused.
        """
        self._check_parameters()
        check_teacher(self.teacher, self.score_weight > 0)
        make_backbone(self.backbone, self.backbone_weights, self.drop_path_rate)

    def embed(self, X):
        """Return the features of each row, those below the layer of the embedding.

        Parameters
        ----------
        X : as `fit` takes it

        Returns
        -------
        ndarray of shape (n_rows, n_features), float32
            The mean over the row's segments; NaN for rows that could not be read.
        """
        self.check_is_fitted([self.learnt_in])
        return embed_rows(self, self._spectrograms(X))

    def score(self, X, y=None):
        """Return the mean cosine to the teacher; about 0 if all sounds are the same.

        Parameters
        ----------
        X, y : as `fit` takes them

        Returns
        -------
        float in [-1, 1]
            Over all segments of which the teacher says something.
        """
        self.check_is_fitted([self.learnt_in])
        X = spectrograms_for(self, self._spectrograms(X))
        taught = self._lessons(X, y)[0]
        if taught.n_values != self.n_values_:
            raise ValueError(
                f"The teacher gives {taught.n_values} values; the network has learnt "
                f"{self.n_values_}."
            )
        taught.centre = self.embedding_mean_
        said = taught.at(X.segment_rows, X.segment_starts, X.format.grid.segment_s)
        if not np.isfinite(said).all(axis=1).any():
            raise ValueError("The teacher says nothing of any segment.")
        own = map_segments(self, X, self.module_)[:, : self.n_values_]
        loss = CosineLoss()(torch.from_numpy(own), torch.from_numpy(said))
        return 1 - float(loss)

    def save_weights(self, path, *, license=None):
        """Write the backbone to a file that ``backbone_weights=`` takes.

        The file says what it is: the teacher, its license, the spectrograms, what was
        learnt from. What is derived from weights under a license like CC BY-NC-SA stays
        under it, and so does what is trained from it: that is said here, and where the
        file is read.

        Parameters
        ----------
        path : path-like
            Its name must end in ``.safetensors``. An existing file is replaced.
        license : str, default=None
            Of the teacher's weights; None: what the spec of the encoder said in `fit`.
        """
        self.check_is_fitted([self.learnt_in])
        path = os.fspath(path)
        if not path.endswith(".safetensors"):
            raise ValueError(f"path={path!r} must end in .safetensors.")
        if license is not None and not isinstance(license, str):
            raise TypeError(f"license={license!r} must be a text.")
        terms = terms_of(self.teachers_) if license is None else [license]
        origin = WeightsOrigin(
            backbone=self.backbone_,
            teacher=as_one(self.teachers_),
            licenses=split_licenses([*terms, self.initial_license_]),
            mel=mel_of(self.format_),
            n_rows=self.n_rows_,
            hours=round(self.hours_, 3),
        )
        write_weights(path, uncompiled(self.module_).backbone.state_dict(), origin)
        origin.say(os.path.basename(path))

    # skorch's would call embeddings predictions.
    predict = predict_proba = property(_refuse_to_predict)

    def get_loss(self, y_pred, y_true, X=None, training=False):
        """Return the loss of a batch."""
        n = self.n_values_
        loss = self.criterion_(y_pred[:, :n], y_true[:, :n])
        if self._n_scores:
            of_scores = BinaryCrossEntropy()(y_pred[:, n:], y_true[:, n:])
            loss = loss + self.score_weight * of_scores
        return loss

    @property
    def _default_callbacks(self):
        return distillation_callbacks()

    @property
    def _n_outputs(self):
        return self.n_values_ + self._n_scores

    def _spectrograms(self, X, fit=False):
        if is_made(X):
            return as_spectrograms(X)
        options = {"cache_dir": self.cache_dir, "on_error": self.on_error}
        return make_spectrograms(X, fit, verbose=self.verbose, **options)

    def _lessons(self, X, y):
        if y is None:
            options = {"cache_dir": self.cache_dir, "verbose": self.verbose}
            with_scores = self.score_weight > 0
            return hear_all(self.teacher, X, with_scores, **options)
        if self.score_weight:
            raise ValueError(
                f"score_weight={self.score_weight:g} needs a teacher that hears the "
                "rows, but y gives its embeddings. Set it to 0."
            )
        return [given_lessons(y, len(X))]

    def _check_parameters(self):
        super()._check_parameters()
        if self.warm_start and self.score_weight:
            raise ValueError(
                "warm_start=True goes on with the same outputs, but classes of "
                "score_weight > 0 are chosen anew. Set one of them off."
            )

    def _check_warm_start(self, n_outputs):
        continues = self.warm_start and self.initialized_
        if continues and sum(n_outputs) != self._n_outputs:
            raise ValueError(
                f"warm_start=True continues with {self._n_outputs} values of the "
                f"teacher, but it gives {sum(n_outputs)} now. Set it to False."
            )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.target_tags.required = False
        return tags
