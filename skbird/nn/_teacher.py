"""Let a teacher hear rows, once."""

import warnings

import numpy as np
from sklearn.base import clone

from skbird.data import as_recordings
from skbird.encoders import (
    EmbeddingEncoder,
    PretrainedScores,
    Windows,
    compute_windows,
    load_encoder,
)
from skbird.nn._lessons import Lessons
from skbird.utils._nested import parts_of
from skbird.utils._params import as_floats
from skbird.utils._text import counted

# A class that never gets so probable in the rows has nothing to teach.
_HEARD_FROM = 0.1


def hear(teacher, table, heard, *, scores=False, cache_dir=None, verbose=1):
    """Let a teacher hear rows, as they were recorded.

    Parameters
    ----------
    teacher : str, path, Encoder, or transformer
        See :class:`EmbeddingDistillation`.
    table : DataFrame
        The row table.
    heard : ndarray of int
        Numbers of the rows that it hears.
    scores : bool, default=False
        Its scores, as probabilities, in place of its embeddings.
    cache_dir : str or path, default=None
    verbose : int, default=1

    Returns
    -------
    Lessons
    """
    rows = table.iloc[heard].reset_index(drop=True)
    if _encoder_of(teacher) is not None:
        said = _windows(teacher, rows, scores, cache_dir, verbose)
    else:
        said = teacher.transform(rows)
        if not isinstance(said, Windows):
            said = as_floats(said, "what the teacher gives", np.float32)
        if len(said) != len(rows) or (isinstance(said, np.ndarray) and said.ndim != 2):
            raise ValueError(
                f"teacher={teacher!r:.100} gives {np.shape(said)} for {len(rows)} rows "
                "where (n_rows, n_values), or Windows, are needed."
            )
    columns = _heard_classes(said) if scores else None
    lessons = Lessons(said, heard, len(table), columns)
    _say_what_is_missing(lessons, table, heard, said)
    return lessons


def hear_all(teacher, X, with_scores, **options):
    """Let a teacher hear all rows of `Spectrograms` that can be read.

    Parameters
    ----------
    teacher : as `hear` takes it
    X : Spectrograms
    with_scores : bool
    **options
        Of `hear`.

    Returns
    -------
    list of Lessons
        Embeddings and, if wanted, scores.
    """
    check_teacher(teacher, with_scores)
    heard = np.flatnonzero(X.n_frames > 0)
    if not len(heard):
        raise ValueError(
            f"None of {counted(len(X), 'row')} can be read; the first error: "
            f"{X.errors['error'].iloc[0]}"
        )
    kinds = [False, True] if with_scores else [False]
    return [hear(teacher, X.rows, heard, scores=kind, **options) for kind in kinds]


def about_teacher(teacher):
    """Return what a teacher is, as plain data.

    Parameters
    ----------
    teacher : as `hear` takes it, Windows or array-like

    Returns
    -------
    list of dict
        Of each model in it its ``name``, ``version``, ``sha256`` and ``license``, as
        far as known.
    """
    if isinstance(teacher, Windows) and teacher.origin is not None:
        return [teacher.origin]
    if is_given(teacher):
        return [_about_named("embeddings that were given")]
    encoder = _encoder_of(teacher)
    if encoder is not None:
        return [encoder.origin]
    found = [about for part in parts_of(teacher) for about in _about_part(part)]
    return found or [_about_named(type(teacher).__name__)]


def _about_named(name, license=None):
    """Return what is known of a teacher that has nothing but a name."""
    return {"name": name, "version": None, "sha256": None, "license": license}


def _about_part(part):
    """Return what the model in a step of a pipeline is, if it has one."""
    if isinstance(part, EmbeddingEncoder | PretrainedScores):
        opened = getattr(part, "encoder_", None)
        return [(load_encoder(part.encoder) if opened is None else opened).origin]
    license = getattr(part, "weights_license_", getattr(part, "weights_license", None))
    return [] if license is None else [_about_named(type(part).__name__, license)]


def as_one(teachers):
    """Return what the teachers of a network are, of which a warm start makes several.

    Parameters
    ----------
    teachers : list of dict
        See `about_teacher`.

    Returns
    -------
    dict
        For the file of its weights.
    """
    if len(teachers) == 1:
        return {key: teachers[0][key] for key in ("name", "version", "sha256")}
    return {"name": " and ".join(about["name"] for about in teachers)}


def is_given(teacher):
    """Return whether a teacher is what one has said: windows, an array, a table."""
    is_array = isinstance(teacher, Windows | list | tuple)
    return is_array or hasattr(teacher, "__array__")


def check_teacher(teacher, scores):
    """Raise an error now if a teacher is not here or has no such outputs."""
    if is_given(teacher):  # tables have a method transform, too
        raise ValueError(
            f"teacher is a {type(teacher).__name__}, which hears nothing. Pass "
            "embeddings that you have as y of fit."
        )
    encoder = _encoder_of(teacher)
    if encoder is None and scores:
        raise ValueError(
            f"score_weight needs a teacher that has scores: a name, a path or an "
            f"Encoder, not {teacher!r:.100}. Set it to 0."
        )
    if encoder is not None:
        for role in ("embedding", "scores") if scores else ("embedding",):
            encoder.check_output(role)


def _encoder_of(teacher):
    """Return the encoder that a teacher is, or has; None of another transformer."""
    if isinstance(teacher, EmbeddingEncoder):
        teacher = teacher.encoder
    elif hasattr(teacher, "transform"):
        return None
    return load_encoder(teacher)


def _windows(teacher, rows, scores, cache_dir, verbose):
    if not isinstance(teacher, EmbeddingEncoder):
        teacher = EmbeddingEncoder(teacher, verbose=verbose)
    teacher = clone(teacher)
    return compute_windows(
        as_recordings(rows),
        load_encoder(teacher.encoder),
        "scores" if scores else "embedding",
        step_s=teacher.step_s,
        probabilities=scores,
        step="the teacher",
        at_predict=True,
        cache_dir=teacher.cache_dir or cache_dir,
        n_jobs=teacher.n_jobs,
        on_error="skip",
        verbose=teacher.verbose,
    )


def _heard_classes(windows):
    highest = np.zeros(windows.n_values)
    for row in range(len(windows)):
        if windows.n_windows[row]:
            highest = np.fmax(highest, windows.table(row)[:, 1:].max(axis=0))
    heard = np.flatnonzero(highest >= _HEARD_FROM)
    if not len(heard):
        warnings.warn(
            f"The teacher hears none of its {windows.n_values} classes with a "
            f"probability of {_HEARD_FROM:g} or more: its scores teach nothing.",
            stacklevel=5,
        )
    return heard


def _say_what_is_missing(lessons, table, heard, said):
    missing = heard[~lessons.known[heard]]
    if len(missing):
        errors = getattr(said, "errors", ())
        reason = f": {errors['error'].iloc[0]}" if len(errors) else ""
        warnings.warn(
            f"The teacher says nothing of {len(missing)} of "
            f"{counted(len(heard), 'row')}, of which nothing is learnt. The first is "
            f"row {missing[0]}, {table['path'].iloc[missing[0]]}{reason}",
            stacklevel=4,
        )
