from sklearn.pipeline import make_pipeline

from skbird.nn import (
    BCEFocalLoss,
    SEDClassifier,
    SoftAUCLoss,
    SpectrogramAugmentor,
)
from skbird.postprocessing import SoundscapeReweighter
from skbird.preprocessing import (
    BandPass,
    LogMel,
    Resampler,
    RMSFilter,
    Segmenter,
    VADFilter,
)
from skbird.semi_supervised import PseudoLabelSelfTraining


def default(
    backbone="efficientnet_b0",
    *,
    backbone_weights="pretrained",
    cache_dir=None,
    random_state=None,
):
    """Return the pipeline whose parts gained most, or cost least, in our ablation.

    The network pools its attention steps over frequency by log-mean-exp, its loss is
    binary cross-entropy, segments are shifted circularly in time, mixed up and masked,
    and quiet segments count less. There is no voice detection: it takes most of the
    time of the front end and gained nothing that could be told from chance. Where
    people speak in recordings, put a `VADFilter` before the `RMSFilter`.

    Parameters
    ----------
    backbone : str, default="efficientnet_b0"
        A convolutional network of timm.
    backbone_weights : {"pretrained", None} or path, default="pretrained"
        What the backbone starts from; see :class:`skbird.nn.SEDClassifier`.
    cache_dir : str or path, default=None
        Folder in which spectrograms are kept; see :class:`skbird.preprocessing.LogMel`.
    random_state : int, RandomState instance or None, default=None
        Seeds the network.

    Returns
    -------
    Pipeline
        Pass ``sedclassifier__label_weight`` of :func:`skbird.data.encode_labels` to
        ``fit``: secondary labels then count half.

    See Also
    --------
    report : The recipe of the report on BirdCLEF 2025.

    Examples
    --------
    >>> from skbird.recipes import default
    >>> pipe = default(backbone_weights=None).set_params(sedclassifier__max_epochs=5)
    >>> list(pipe.named_steps)[-3:]
    ['rmsfilter', 'logmel', 'sedclassifier']
    """
    return make_pipeline(
        Resampler(32_000),
        BandPass(50.0, 16_000.0),
        Segmenter(5.0, overlap=0.5),
        RMSFilter(),
        LogMel(cache_dir=cache_dir),
        SEDClassifier(
            backbone, backbone_weights=backbone_weights, random_state=random_state
        ),
    )


def report(
    backbone="efficientnet_b0",
    *,
    attention="frequency",
    species_groups="group",
    backbone_weights="pretrained",
    cache_dir=None,
    random_state=None,
):
    """Return the pipeline of the report on BirdCLEF 2025, part by part.

    Sound at 32 kHz is cut into segments of 5 s that overlap by half. Segments with
    speech are left out, by a threshold that is stricter for the collection CSA and
    lighter for Xeno-canto, and so is the quietest quarter of each recording. A
    sound-event-detection network takes the maximum over its attention steps; its loss
    is the sum of binary cross-entropy and focal loss. Masks in time and frequency and
    random erasing are chosen by the group of the species; mixup is Beta(0.4).

    Our ablation (``docs/results/ablation.md``) found several of these parts to cost
    more than they gain: :func:`default` has what it found better.

    Parameters
    ----------
    backbone : str, default="efficientnet_b0"
        A convolutional network of timm. The report also used a pruned B3.
    attention : {"frequency", "time"}, default="frequency"
        The axis that the network keeps. The report's best single model kept frequency.
    species_groups : str, mapping of str to str or None, default="group"
        Column of X with the group (Aves, Amphibia, Insecta, Mammalia) of each row, or
        the group of each species; it chooses the masks. None masks all rows alike.
    backbone_weights, cache_dir, random_state
        See :func:`default`.

    Returns
    -------
    Pipeline
        Pass ``sedclassifier__label_weight`` of :func:`skbird.data.encode_labels`
        (secondary labels count half) and ``sedclassifier__sample_weight`` of
        :func:`skbird.data.recording_weights` to ``fit``. X needs the columns
        ``collection`` and, as `species_groups` has it, ``group``, which
        :func:`skbird.datasets.load_birdclef` gives.

    See Also
    --------
    default : What our ablation found better.
    skbird.semi_supervised.PseudoLabelSelfTraining : The report's pseudo-labels, hard
        from 0.25 and soft from 0.05.
    skbird.ensemble.MultilabelVotingClassifier : Its ensemble, by weighted mean,
        of ``attention="frequency"``, ``attention="time"`` and a CNN.
    skbird.postprocessing.SoundscapeReweighter : Its reweighting of rows by the mean of
        their recording.

    Notes
    -----
    The report gives no threshold of speech, only that CSA's is stricter and
    Xeno-canto's lighter: the numbers are ours. It counts mixup among the augmentations
    of audio, but draws from stored spectrograms, which are what is mixed here;
    ``callbacks__mixup__domain="power"`` comes close to mixing the waveforms.

    Examples
    --------
    >>> from skbird.recipes import report
    >>> pipe = report(backbone_weights=None)
    >>> pipe["vadfilter"].threshold
    {'CSA': 0.3, 'XC': 0.7, 'default': 0.5}
    >>> pipe["sedclassifier"].get_params()["criterion"].__name__
    'BCEFocalLoss'
    """
    if species_groups is None:
        masks = {"callbacks__augment__p": 0.0}
    else:
        masks = {
            "callbacks__augment": SpectrogramAugmentor(species_groups=species_groups),
            "callbacks__time_mask__p": 0.0,
            "callbacks__frequency_mask__p": 0.0,
            "callbacks__erasing__p": 0.0,
        }
    return make_pipeline(
        Resampler(32_000),
        BandPass(50.0, 16_000.0),
        Segmenter(5.0, overlap=0.5, pad="cycle"),
        VADFilter({"CSA": 0.3, "XC": 0.7, "default": 0.5}, mode="drop"),
        RMSFilter(0.25, mode="drop"),
        LogMel(128, 1024, 512, cache_dir=cache_dir),
        SEDClassifier(
            backbone,
            attention,
            step_pooling="max",
            backbone_weights=backbone_weights,
            criterion=BCEFocalLoss,
            criterion__gamma=2.0,
            callbacks__mixup__alpha=0.4,
            callbacks__shift__p=0.0,
            random_state=random_state,
            **masks,
        ),
    )


def competition(
    backbone="efficientnet_b0",
    *,
    backbone_weights="pretrained",
    cache_dir=None,
    random_state=None,
):
    """Return what won competitions: long context, unlabelled soundscapes, the file.

    Rows of 5 s are scored within 20 s of context from the scores of moments. A teacher
    labels the soundscapes among the rows (those of Y that are -1 throughout), students
    learn from labelled segments mixed with them, and the soft AUC loss ranks species
    against each other. At last each row is reweighted by its recording.

    Parameters
    ----------
    backbone, backbone_weights, cache_dir, random_state
        See :func:`default`.

    Returns
    -------
    SoundscapeReweighter
        Around self-training of a pipeline. Pass ``label_weight`` of
        :func:`skbird.data.encode_labels` to ``fit``.

    See Also
    --------
    skbird.postprocessing.SoundscapeReweighterCV : Chooses how a recording reweights
        its rows: in some places that helps and in others it harms.

    References
    ----------
    .. [1] N. Babych, "Multi-iterative noisy student is all you need", 1st place
       solution of BirdCLEF 2025.

    Examples
    --------
    >>> from skbird.recipes import competition
    >>> model = competition(backbone_weights=None)
    >>> model.estimator.proba_power
    2.0
    >>> model.estimator.estimator["segmenter"].segment_s
    20.0
    """
    pipe = make_pipeline(
        Resampler(32_000),
        BandPass(50.0, 16_000.0),
        Segmenter(20.0, overlap=0.5),
        LogMel(cache_dir=cache_dir),
        SEDClassifier(
            backbone,
            "time",
            frame_scores=True,
            backbone_weights=backbone_weights,
            criterion=SoftAUCLoss,
            random_state=random_state,
        ),
    )
    students = PseudoLabelSelfTraining(
        pipe, mix=1.0, hard_threshold=None, proba_power=2.0
    )
    return SoundscapeReweighter(students)


def fast(
    backbone="mobilenetv3_small_050",
    *,
    backbone_weights="pretrained",
    cache_dir=None,
    random_state=None,
):
    """Return a pipeline that a laptop without a GPU trains in minutes.

    A small network of 64 mel bands, without filters, that draws several segments of
    each recording in an epoch.

    Parameters
    ----------
    backbone : str, default="mobilenetv3_small_050"
    backbone_weights, cache_dir, random_state
        See :func:`default`.

    Returns
    -------
    Pipeline
        Pass ``sedclassifier__label_weight`` of :func:`skbird.data.encode_labels` to
        ``fit``.

    Examples
    --------
    >>> from skbird.recipes import fast
    >>> list(fast(backbone_weights=None).named_steps)
    ['resampler', 'bandpass', 'segmenter', 'logmel', 'sedclassifier']
    """
    return make_pipeline(
        Resampler(32_000),
        BandPass(50.0, 16_000.0),
        Segmenter(5.0, overlap=0.5),
        LogMel(64, cache_dir=cache_dir),
        SEDClassifier(
            backbone,
            backbone_weights=backbone_weights,
            lr=8e-3,
            segments_per_row=3,
            random_state=random_state,
        ),
    )
