"""Check that a network answers with numbers."""

import numpy as np


class NotFiniteError(FloatingPointError):
    """Numbers became NaN or infinite that must not: a network diverged."""


def check_answers(answers, X):
    """Raise an error if a network answers readable segments with NaN or infinity.

    NaN is what rows get that cannot be read: it must not say anything else.

    Parameters
    ----------
    answers : ndarray of shape (n_segments, ...)
        What the network made of each segment.
    X : Spectrograms
        Where the segments are from.

    Raises
    ------
    NotFiniteError
        If something is NaN or infinite; it names a recording and the remedy.
    """
    wrong = ~np.isfinite(answers).all(axis=tuple(range(1, answers.ndim)))
    if not wrong.any():
        return
    path = X.paths[X.segment_rows[np.argmax(wrong)]]
    raise NotFiniteError(
        f"The network answers NaN or infinity for {wrong.sum()} of {len(wrong)} "
        f"segments, such as one of {path}: its weights are NaN or too large, as after "
        "a training that diverged. Train it anew with a lower lr, with gradients "
        "clipped (callbacks__clipping__gradient_clip_value=1.0) or with "
        "precision='float32'."
    )
