"""What `skbird train` does otherwise with a pretrained model than with a network."""

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


_AUTO = "birdnet-2.4"
_FEW = 100  # recordings of a species


def check_flags(settings):
    """Refuse settings of networks beside a pretrained model.

    Parameters
    ----------
    settings : Settings
    """
    if not settings.has_encoder:
        return
    for name in _given_of_networks(settings):
        raise click.UsageError(
            f"{name} is of networks, and has no effect beside encoder "
            f"({settings.encoder}). Leave one of the two out."
        )


def _given_of_networks(settings):
    return [name for name in _OF_NETWORKS if name in settings.given]


def choose_encoder(settings, X, Y):
    """Return the pretrained model for a probe, or None for a network, and why.

    On the recordings that we have, with up to a hundred of a species, a probe on bird
    sounds was always better than a network (docs/results/encoders.md).

    Parameters
    ----------
    settings : Settings
    X : DataFrame of shape (n_rows, n_columns)
        With a column ``path``.
    Y : DataFrame of shape (n_rows, n_species)

    Returns
    -------
    encoder : str or None
    reason : str
        Empty if the user has chosen.
    """
    if settings.has_encoder:
        return settings.encoder, ""
    from skbird.utils._truth import PRESENT_FROM

    if settings.encoder != "auto" or _given_of_networks(settings) or settings.set:
        return None, ""
    is_in = (Y >= PRESENT_FROM).groupby(X["path"].to_numpy()).any().sum()
    n_recordings = is_in[is_in > 0].median()
    if not n_recordings < _FEW:
        return None, ""
    few = f"There are few recordings of a species (the median is {n_recordings:g})"
    if not _is_here(_AUTO):
        return None, (
            f"{few}: a probe on a pretrained model may do better than the network that "
            "is trained now. See --encoder, and `skbird models list`."
        )
    return _AUTO, (
        f"{few}, and {_AUTO} is here: a probe on it is trained. For a network pass "
        "--encoder none."
    )


def _is_here(name):
    """Return whether a pretrained model can be opened without fetching anything."""
    from skbird.encoders import load_encoder

    try:
        load_encoder(name, download=False)
    except (ImportError, OSError, ValueError):
        return False
    return True


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
    if not settings.has_encoder:
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
