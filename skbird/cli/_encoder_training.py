"""What `skbird train` does otherwise with a pretrained model than with a network."""

from dataclasses import fields

import click

from skbird.cli._parameters import from_text, spread, unknown_name

# What a probe on a pretrained model has no use for.
_OF_NETWORKS = (
    "recipe",
    "backbone",
    "backbone_weights",
    "epochs",
    "segments_per_row",
    "batch_size",
    "lr",
    "sample_rate",
    "channels",
    "segment_s",
    "n_mels",
)


def check_flags(settings):
    """Refuse settings of networks beside a pretrained model.

    Parameters
    ----------
    settings : Settings
    """
    if settings.encoder is None:
        return
    for setting in fields(settings):
        given = getattr(settings, setting.name) != setting.default
        if setting.name in _OF_NETWORKS and given:
            raise click.UsageError(
                f"{setting.name} is of networks, and has no effect beside encoder "
                f"({settings.encoder}). Leave one of the two out."
            )


def encoder_pipeline(settings, work_dir):
    """Return the pipeline of a pretrained model and a probe, to be fitted.

    Parameters
    ----------
    settings : Settings
    work_dir : Path

    Returns
    -------
    Pipeline
    """
    from sklearn.pipeline import make_pipeline

    from skbird.encoders import EmbeddingEncoder, ProbeClassifier

    pipe = make_pipeline(
        EmbeddingEncoder(
            settings.encoder, cache_dir=work_dir / "cache", on_error="skip"
        ),
        ProbeClassifier(),
    )
    known = pipe.get_params()
    given = spread(settings.set, known)
    for name in given:
        if name not in known:
            raise click.UsageError(f"set: {unknown_name(name, known)}")
    pipe.set_params(**from_text(given, known))
    if pipe[0].output != "embedding":
        raise click.UsageError(
            f"set: embeddingencoder__output={pipe[0].output!r} does not go with a "
            "probe of `skbird train`. Leave it out."
        )
    return pipe


def check_encoder_here(settings):
    """Raise an error now if the pretrained model is not here, or has no embeddings."""
    from skbird.encoders import load_encoder

    load_encoder(settings.encoder).check_output("embedding")


def groups_of_fit(settings, X):
    """Return the groups by which a probe chooses its C, as arguments of `fit`.

    Parameters
    ----------
    settings : Settings
    X : DataFrame
        The rows to train on.

    Returns
    -------
    dict
        Empty for networks.
    """
    if settings.encoder is None:
        return {}
    return {"groups": X[settings.groups or "path"].astype(str).to_numpy()}


def hear(pipe, X, Y):
    """Compute what the last step of a pipeline is fitted on.

    Parameters
    ----------
    pipe : Pipeline
    X, Y : DataFrame

    Returns
    -------
    inputs : Spectrograms or ndarray
    is_decoded : ndarray of bool, shape (n_rows,)
        Which rows could be read.
    damaged : DataFrame
        ``path`` and ``error`` of the others.
    """
    from sklearn.base import clone

    from skbird.encoders import EmbeddingEncoder

    encoder = pipe[-2]
    if not isinstance(encoder, EmbeddingEncoder):
        spectrograms = pipe[:-1].fit_transform(X, Y)
        errors = spectrograms.errors[["path", "error"]]
        return spectrograms, spectrograms.n_frames > 0, errors
    # The pipeline that predicts has its encoder fitted, too.
    windows = clone(encoder).set_params(output="windows").fit_transform(X, Y)
    encoder.fit(X, Y)
    errors = windows.errors[["path", "error"]]
    return windows.pool(encoder.pooling), windows.n_windows > 0, errors
