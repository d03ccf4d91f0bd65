"""The battery that every encoder must pass."""

import os
import warnings
from collections.abc import Mapping

import pandas as pd

from skbird.encoders import _encoder_checks as checks
from skbird.encoders._encoder import Encoder
from skbird.encoders._known_calls import (
    KnownCalls,
    check_known_calls,
    check_known_spec,
    check_known_variety,
)
from skbird.encoders._load_encoder import load_encoder
from skbird.utils._params import check_params
from skbird.utils._sklearn_compat import StrOptions

_CHECKS = {
    "finite": checks.check_finite,
    "varied": checks.check_varied,
    "pitch": checks.check_pitch,
    "resampled": checks.check_resampled,
    "level": checks.check_level,
    "batch": checks.check_batch,
    "repeatable": checks.check_repeatable,
    "threads": checks.check_threads,
}
_CONSTRAINTS = {
    "encoder": [str, os.PathLike, Encoder],
    "names": [Mapping, None],
    "on_fail": [StrOptions({"raise", "warn"}), None],
}


def check_encoder(encoder, recordings=None, *, names=None, on_fail="raise"):
    """Check that a pretrained model does what its spec says.

    Most wrong specs, and many wrong files, give numbers that look like embeddings. They
    are tried on sounds of which it is known what must come out: different sounds are
    told apart, a tone an octave up is another one, the same sound from a recording of
    another sample rate is not; silence and full scale give numbers; the level matters
    as the spec says; windows do not depend on each other, on their order, or on
    threads; scores are what the activation makes probabilities of. With recordings,
    known calls land on their class, and no better with another sample rate or level.

    Parameters
    ----------
    encoder : str, path or Encoder
        See :func:`load_encoder`.
    recordings : DataFrame or Recordings, default=None
        Rows of known species, with a column ``species`` or ``primary_label``; twenty or
        more of several species are good. One minute of up to 40 rows is heard.
    names : mapping, default=None
        The class name of each species that is called otherwise there; see
        :class:`PretrainedScores`.
    on_fail : {"raise", "warn"} or None, default="raise"
        What is done if a check fails. None: only the table says so.

    Returns
    -------
    DataFrame
        A row for each check: ``check``, ``passed``, and ``detail``, which says what is
        wrong and what to do, or what was found.

    Raises
    ------
    ValueError
        If a check fails, with the details of all that do; or if nothing says which
        species recordings are of, or the model knows none of them.
    AudioReadError
        If recordings cannot be read.

    Examples
    --------
    >>> import numpy as np
    >>> from skbird.encoders import EncoderOutput, EncoderSpec, check_encoder
    >>> from skbird.encoders import load_encoder
    >>> spec = EncoderSpec(
    ...     "bands", "1", 8000, 1.0, {"embedding": EncoderOutput(0, [40])}
    ... )
    >>> def bands(windows):
    ...     spectrum = np.abs(np.fft.rfft(windows))[:, :4000]
    ...     return {"embedding": spectrum.reshape(len(windows), 40, 100).mean(axis=2)}
    >>> found = check_encoder(load_encoder(bands, spec), on_fail=None)
    >>> found["check"][~found["passed"]].tolist()
    ['level']
    """
    check_params(
        "check_encoder", _CONSTRAINTS, encoder=encoder, names=names, on_fail=on_fail
    )
    encoder = load_encoder(encoder)
    rows = [("runs", *_outcome(checks.check_runs, encoder))]
    if rows[0][1]:
        wanted = dict(_CHECKS)
        if "scores" in encoder.spec.outputs:
            wanted["scores"] = checks.check_scores
        rows += [(name, *_outcome(check, encoder)) for name, check in wanted.items()]
        if recordings is not None:
            rows += _on_recordings(encoder, recordings, names)
    table = pd.DataFrame(rows, columns=["check", "passed", "detail"])
    failed = table[~table["passed"]]
    if len(failed) and on_fail is not None:
        text = (
            f"{encoder.spec.name} fails {len(failed)} of {len(table)} checks:"
            + "".join(
                f"\n  {check}: {detail}"
                for check, detail in zip(failed["check"], failed["detail"], strict=True)
            )
        )
        if on_fail == "raise":
            raise ValueError(text)
        warnings.warn(text, stacklevel=2)
    return table


def _on_recordings(encoder, recordings, names):
    if not encoder.class_names:
        raise ValueError(
            f"recordings are of no use for {encoder.spec.name}: nothing says which "
            "classes its scores are of, or it has none. Give class_names or "
            "labels_file in its spec, or leave recordings out."
        )
    known = KnownCalls.read(recordings, encoder, names)
    wanted = {
        "recordings": check_known_variety,
        "known calls": check_known_calls,
        "known spec": check_known_spec,
    }
    return [(name, *_outcome(check, encoder, known)) for name, check in wanted.items()]


def _outcome(check, *args):
    """Return whether a check passes, and why."""
    try:
        passed, detail = check(*args)
    except Exception as exc:  # whatever a function or a runtime raises
        return False, f"{type(exc).__name__}: {exc!s:.500}"
    return bool(passed), detail
