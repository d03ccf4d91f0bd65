"""Learn a teacher's embeddings beside labels."""

import os
from numbers import Real

import numpy as np
from torch import nn

from skbird.encoders import Encoder, Windows
from skbird.nn._compiled import uncompiled
from skbird.nn._lessons import given_lessons
from skbird.nn._losses import CosineLoss
from skbird.nn._reader import send
from skbird.nn._recipe_callback import RecipeCallback
from skbird.nn._teacher import about_teacher, check_teacher, hear, is_given
from skbird.utils._sklearn_compat import HasMethods, Interval


class DistillationLoss(RecipeCallback):
    """Let a network that learns labels also learn what a pretrained model hears.

    To the loss of each batch comes `weight` times one minus the cosine between a linear
    map of the network's features and the teacher's embedding of the segment, less the
    mean of all (see :class:`EmbeddingDistillation`): augmented, mixed or not, the
    network is to hear the sound that the segment is most of. The linear map lives as
    long as the training: the fitted network is as small and fast as without. Its
    ``weights_license_`` has the license of the teacher's weights.

    Parameters
    ----------
    weight : float >= 0, default=1.0
        0 switches it off, and no teacher is looked for.
    teacher : str, path, Encoder, transformer, Windows or array, default="birdnet-2.4"
        See :class:`EmbeddingDistillation`, which also says how windows and segments
        come together. Or embeddings of the rows that the network is fitted on, in their
        order: `Windows`, or an array (n_rows, n_values); rows of NaN learn labels only.
        A parameter goes into pickles of the network: one of a name or a path needs the
        teacher to train again only, one of an open `Encoder` also to be loaded.
    cache_dir : str, path or None, default=None
        Folder that keeps the teacher's windows, so that folds and trials need no
        teacher.

    See Also
    --------
    EmbeddingDistillation : Distils first, on any recordings, without labels.

    Examples
    --------
    >>> import numpy as np
    >>> from skbird.nn import CNNClassifier
    >>> rng = np.random.default_rng(0)
    >>> X, Y = rng.normal(size=(8, 32, 64)), np.tile([[1, 0], [0, 1]], (4, 1))
    >>> net = CNNClassifier(
    ...     "lcnet_035",
    ...     backbone_weights=None,
    ...     max_epochs=1,
    ...     callbacks__distill__weight=0.5,
    ...     callbacks__distill__teacher=rng.normal(size=(8, 16)),
    ...     verbose=0,
    ... )
    >>> net.fit(X, Y).predict_proba(X).shape
    (8, 2)
    """

    _parameter_constraints: dict = {
        "weight": [Interval(Real, 0, np.inf, closed="left")],
        "teacher": [
            str,
            os.PathLike,
            Encoder,
            Windows,
            "array-like",
            HasMethods("transform"),
        ],
        "cache_dir": [str, os.PathLike, None],
    }
    transient = ("lessons_", "criterion_", "features_", "segment_s_")

    def __init__(self, weight=1.0, teacher="birdnet-2.4", cache_dir=None):
        self.weight = weight
        self.teacher = teacher
        self.cache_dir = cache_dir

    def on_train_begin(self, net, X=None, y=None, **kwargs):
        """Let the teacher hear the rows, and listen to the network's features."""
        super().on_train_begin(net, X=X, y=y)
        self.head_ = self.features_ = self.lessons_ = None
        if self.weight == 0:
            return
        module = uncompiled(net.module_)
        if not hasattr(module, "features") or not hasattr(module, "backbone"):
            raise ValueError(
                f"module={type(module).__name__} has no method features and no "
                "backbone, from which an embedding could be learnt. Set "
                "callbacks__distill__weight=0."
            )
        self.lessons_ = self._hear(X, net.verbose)
        self.lessons_.centre = self.lessons_.mean()
        net._note_teachers(about_teacher(self.teacher))
        self.segment_s_ = X.spectrograms.format.grid.segment_s
        self.criterion_ = CosineLoss()
        n_features = module.backbone.num_features
        self.head_ = nn.Linear(n_features, self.lessons_.n_values).to(net.device)
        group = {"lr": net.lr, "weight_decay": net.weight_decay}
        net.optimizer_.add_param_group(group | {"params": self.head_.parameters()})
        self._listen(module)

    def learnt_from(self):
        """Return which teacher it is: a parameter may name a file."""
        return None if self.weight == 0 else about_teacher(self.teacher)

    def _hear(self, dataset, verbose):
        data = dataset.spectrograms
        if is_given(self.teacher):
            return given_lessons(self.teacher, len(data), "teacher")
        check_teacher(self.teacher, scores=False)
        options = {"cache_dir": self.cache_dir, "verbose": verbose}
        return hear(self.teacher, data.rows, dataset.usable, **options)

    def _listen(self, module):
        """Keep the feature map of each training batch."""
        compute = module.features

        def features(x):
            found = compute(x)
            if module.training:
                self.features_ = found
            return found

        module.features = features

    def add_to_loss(self, loss, net, inputs):
        """Return the loss with that of the embeddings."""
        if self.head_ is None:
            return loss
        features, self.features_ = self.features_, None
        rows, starts = inputs["rows"].numpy(), inputs["starts"].numpy()
        target = send(self.lessons_.at(rows, starts, self.segment_s_), loss.device)
        said = self.head_(features.float().mean(dim=(2, 3)))
        return loss + self.weight * self.criterion_(said, target)

    def on_train_end(self, net, **kwargs):
        """Leave the network as it would be without."""
        if self.head_ is None:
            return
        vars(uncompiled(net.module_)).pop("features", None)
        optimizer = net.optimizer_
        own = {id(parameter) for parameter in self.head_.parameters()}
        optimizer.param_groups[:] = [
            group
            for group in optimizer.param_groups
            if not own & {id(parameter) for parameter in group["params"]}
        ]
        for parameter in self.head_.parameters():
            optimizer.state.pop(parameter, None)
        self.head_ = self.features_ = self.lessons_ = self.criterion_ = None
