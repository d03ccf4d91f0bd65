from sklearn.pipeline import make_pipeline

from skbird.encoders import EmbeddingEncoder, PretrainedScores, ProbeClassifier
from skbird.utils._params import check_params


def few_labels(encoder="birdnet-2.4", *, scores=False, cache_dir=None):
    """Return what does best with few labelled recordings: a pretrained model does.

    With one recording of each of ten birds, a probe got 0.92 of the others right, with
    four 0.98, where a network from ImageNet weights got 0.80 with all (BirdNET was
    probably trained on them, too; `docs/results/encoders.md`).

    Parameters
    ----------
    encoder : str, path or Encoder, default="birdnet-2.4"
        See :func:`skbird.encoders.load_encoder`.
    scores : bool, default=False
        Whether species that the model knows by their scientific names get its own
        scores instead of those of a probe. In soundscapes, whose recordings are far
        from the labelled ones, these were better by far (0.96 against 0.68).
    cache_dir : str or path, default=None
        Folder in which embeddings are kept.

    Returns
    -------
    Pipeline or PretrainedScores
        Where species have three recordists or more, pass
        ``probeclassifier__groups=recordists`` to the ``fit`` of the pipeline: the
        strength of the probe is then chosen between them. Probabilities are low after
        few recordings, and many true species below 0.5: see
        :class:`skbird.postprocessing.ThresholdTuner`, or take ``scores=True``.

    See Also
    --------
    default : A network, for hundreds of recordings of each species.

    Examples
    --------
    >>> from skbird.recipes import few_labels
    >>> list(few_labels().named_steps)
    ['embeddingencoder', 'probeclassifier']
    >>> few_labels(scores=True).unmatched
    'probe'
    """
    check_params("few_labels", {"scores": ["boolean"]}, scores=scores)
    if scores:
        return PretrainedScores(encoder, cache_dir=cache_dir)
    return make_pipeline(
        EmbeddingEncoder(encoder, cache_dir=cache_dir), ProbeClassifier()
    )
