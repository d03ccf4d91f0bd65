from skbird.nn._segment_net import SegmentNet


class CNNClassifier(SegmentNet):
    """Recognise species with a convolutional network on log-mel segments.

    Any convolutional network of timm, global average pooling, dropout, one logistic
    output per species. Trained on segments drawn from the rows by their weights, with
    AdamW, warm-up and cosine, mixup, time shifts and masks; predicts rows.

    A skorch net: ``module__...``, ``criterion__...``, ``optimizer__...`` and
    ``callbacks__...`` reach its parts, as in ``callbacks__mixup__alpha=0.2`` or
    ``callbacks__time_mask=None``. Of its many methods, `fit`, `predict_proba`,
    `predict`, `embed`, `score`, `check_input`, `get_params` and `set_params` are for
    use; the others, skorch's, are for those who change the training.

    Parameters
    ----------
    backbone : str, default="efficientnet_b0"
        A model of timm.
    backbone_weights : {"pretrained", None} or path, default="pretrained"
        Initial weights of the backbone: those of ImageNet, which are downloaded the
        first time; random ones; or a file (safetensors or a torch state dict).
    drop_rate : float in [0, 1), default=0.2
        Dropout before the last layer.
    drop_path_rate : float in [0, 1), default=0.0
        Stochastic depth of the backbone.
    feature_pooling : {"mean", "gem"}, default="mean"
        How the feature map is pooled: by the mean, or by the generalised
        mean with a learnt exponent.
    pooling : {"max", "mean", "lse"}, default="max"
        How the logits of a row's segments become the row's. "lse" is the logarithm of
        the mean of the exponentials, between the other two.
    tta_shifts_s : sequence of at most 20 floats in [-600, 600], default=()
        Test-time augmentation: logits are averaged with those of segments shifted by
        each of these, in seconds, such as ``(-1.25, 1.25)``. Shifted segments reach
        into neighbouring rows of the recording, as far as X has them.
    threshold : float in [0, 1] or array of shape (n_species,), default=0.5
        Probability from which `predict` counts a species as present.
    segments_per_row : int in [1, 10000], default=1
        Segments drawn of each row in each epoch.
    max_epochs : int >= 1, default=20
        Times that all rows are drawn.
    lr : float > 0, default=1e-3
        Highest learning rate.
    batch_size : int >= 1, default=32
        Segments per step.
    weight_decay : float >= 0, default=0.01
        Weight decay of AdamW; norms and biases have none.
    backbone_lr_factor : float >= 0, default=1.0
        Learning rate of the backbone, as a share of `lr`.
    precision : {"auto", "float32", "bfloat16", "float16"}, default="auto"
        Number format of the training; predictions are in float32. "auto" is bfloat16,
        else float16, on CUDA; on a CPU it tries whether bfloat16 is clearly faster,
        unless the training is short. `precision_` says which it became.
    checkpoint_dir : str or path, default=None
        Folder in which the training is saved after each epoch: called again after a
        kill, fit goes on from there, with the same result. Finished trainings are kept
        too and not repeated, so that a cross-validation goes on with the fold at which
        it was killed. Needs `random_state` to be an int. What is damaged or of another
        training there is left aside, with a warning. Callbacks of one's own go on if
        what they keep (attributes that end with ``_``) is plain data.
    random_state : int, RandomState instance or None, default=None
        Seeds weights, draws, augmentation and dropout. The same int gives the same
        model on the same CPU, if `precision` is not "auto" or the training is short:
        two formats that are about as fast may change places.
    device : str, default="auto"
        As torch names it; "auto" is CUDA where there is one, else the CPU.
    verbose : int, default=1
        0 shows no progress.
    module : class, default=CNN
        The network: called with the parameters of the backbone and ``n_species``.
    **kwargs
        Further parameters of :class:`skorch.NeuralNet`, such as ``compile=True``
        (torch.compile), ``criterion=FocalLoss``, or ``callbacks__cutmix__p=0.5``:
        ``get_params()`` lists all that the recipe has.

    Attributes
    ----------
    classes_ : ndarray of shape (n_species, 2)
        The two values of each label, [0, 1].
    species_ : ndarray of shape (n_species,), object
        Names, from the columns of Y.
    module_ : torch.nn.Module
        The network.
    precision_ : str
        Number format of the training.
    weights_license_ : str or None
        Licenses that hold for the distilled weights that the training began with, and
        for its teachers; "none stated" where they are not known. None for weights of
        ImageNet, random ones, and without a teacher.
    teachers_ : list of dict
        Teachers that ``callbacks__distill__weight`` let it learn from.
    history_ : DataFrame indexed by epoch
        Loss, seconds and size of each epoch, and what callbacks record.

    See Also
    --------
    SEDClassifier : Says also when, or at what frequency.

    Examples
    --------
    >>> import numpy as np
    >>> from skbird.nn import CNNClassifier
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((8, 32, 64))
    >>> Y = np.tile([[1, 0], [0, 1]], (4, 1))
    >>> net = CNNClassifier("lcnet_035", backbone_weights=None, max_epochs=1, verbose=0)
    >>> net.fit(X, Y).predict_proba(X).shape
    (8, 2)
    """
