"""The labelled recordings that `skbird train` and `cross-validate` learn from."""

import warnings
from dataclasses import replace

import click

from skbird.cli import _console
from skbird.cli._encoder_training import choose_encoder
from skbird.cli._rehearsal import rehearse
from skbird.utils._text import none_of


def load_labelled(data, settings):
    """Load labelled recordings, and say which model they are for.

    Parameters
    ----------
    data : Path
    settings : Settings

    Returns
    -------
    loaded : Bunch
        See :func:`skbird.datasets.load_recordings`.
    settings : Settings
        With `encoder` chosen, see `choose_encoder`.
    """
    from skbird.datasets import load_recordings

    with warnings.catch_warnings():
        # Said again of those that can be read.
        warnings.filterwarnings("ignore", "All recordings of .* are of")
        loaded = load_recordings(data, secondary_weight=settings.secondary_weight)
    _console.say_lines(loaded.DESCR)
    if not len(loaded.X):
        raise ValueError(f"{data} has no recordings to train on.")
    if settings.groups is not None and settings.groups not in loaded.X:
        raise click.UsageError(
            f"--groups {settings.groups}: the recordings have no such column, but "
            f"{', '.join(map(str, loaded.X.columns))}."
        )
    encoder, reason = choose_encoder(settings, loaded.X, loaded.Y)
    if reason:
        _console.say(reason)
    return loaded, replace(settings, encoder=encoder)


def find_readable(loaded, settings, work_dir, compiles):
    """Find what can be read of recordings; refuse settings that cannot work.

    Parameters
    ----------
    loaded : Bunch
        Of `load_labelled`.
    settings : Settings
    work_dir : Path
    compiles : bool
        Whether the network is to be compiled after the training.

    Returns
    -------
    X : DataFrame
    Y, label_weight : DataFrame of shape (n_rows, n_species)
    is_fixed : bool
        Whether species without recordings stay columns.
    left_out : DataFrame
        ``path`` and ``error`` of what cannot be read.
    """
    import pandas as pd

    for text in settings.assumptions(loaded.X.columns):
        _console.say(text)
    pipe = settings.make_pipeline(len(loaded.X), work_dir, loaded.X.columns)
    settings.check_network(pipe)
    if not settings.has_encoder:
        rehearse(settings, loaded.X, loaded.species, compiles)
    channels = getattr(pipe[0], "channels", "mean")
    readable, errors = _readable_rows(loaded.X, channels)
    # Those of a competition are asked for, whether they were heard or not.
    is_fixed = loaded.get("sample_submission") is not None
    species = check_species(loaded.Y, readable, is_fixed, errors)
    X = loaded.X[readable].reset_index(drop=True)
    Y, label_weight = (
        table.loc[readable, species].reset_index(drop=True)
        for table in (loaded.Y, loaded.label_weight)
    )
    left_out = pd.concat([_console.as_errors(loaded.get("errors")), errors])
    return X, Y, label_weight, is_fixed, left_out


def _readable_rows(X, channels="mean"):
    """Return which rows are of sound that a file has, and the others' errors.

    Parameters
    ----------
    X : DataFrame
    channels : str or int
        Channels to use where a column ``channels`` does not say otherwise.
    """
    import numpy as np

    from skbird.audio import (
        AudioReadError,
        check_channels,
        check_column,
        missing_channel,
        read_headers,
    )

    paths = X["path"].unique()
    headers = dict(zip(paths, read_headers(paths, verbose=1), strict=True))
    wanted = [channels] * len(X)
    if "channels" in X:
        wanted = check_column(X["channels"], "Row {}".format).fillna(channels)

    def problem(path, channels):
        header = headers[path]
        if isinstance(header, AudioReadError):
            return str(header)
        return missing_channel(path, check_channels(channels), header.n_channels)

    problems = [*map(problem, X["path"], wanted)]
    readable = np.array([text is None for text in problems])
    errors = X[["path"]].assign(error=problems)[~readable].drop_duplicates()
    if not readable.any():
        raise AudioReadError(
            f"{none_of(len(paths), 'recording')} can be read. The first: {problems[0]}"
        )
    return readable, errors.reset_index(drop=True)


def check_species(Y, readable, is_fixed=False, errors=None):
    """Return the species that are left of the recordings that can be read.

    Parameters
    ----------
    Y : DataFrame of shape (n_rows, n_species)
    readable : ndarray of bool, shape (n_rows,)
    is_fixed : bool
        Whether lost species are kept all the same.
    errors : DataFrame or None
        ``path`` and ``error`` of recordings that cannot be read.

    Returns
    -------
    list of str
        Also species of which there were no recordings.

    Raises
    ------
    ValueError
        If one is left that is in all recordings, or none.
    """
    present = Y[readable] == 1
    left = present.columns[present.any()]
    lost = present.columns[(Y == 1).any() & ~present.any()]
    shown = ", ".join([*lost[:5], "..."][: len(lost)])
    lack = f"No recording of {shown} can be read."
    if errors is not None and len(errors):
        lack += f" The first error: {errors['error'].iloc[0]}"
    if not len(left):
        raise ValueError(lack)
    if len(left) == 1 and present[left[0]].all():
        remedy = "Add other species, or recordings without it in a folder 'nocall'."
        if len(lost):
            remedy = lack
        raise ValueError(
            f"All recordings that can be read are of {list(left)}: there is nothing to "
            f"tell it from. {remedy}"
        )
    if len(lost):
        _console.say(
            f"Warning: the model will not know {shown}: none of the recordings of "
            f"{'this' if len(lost) == 1 else f'these {len(lost)}'} species can be read."
            f"{' They stay columns of the competition.' if is_fixed else ''}"
        )
    return list(Y.columns if is_fixed else Y.columns.drop(lost))
