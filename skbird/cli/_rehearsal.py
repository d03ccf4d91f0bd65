"""A training of a second, to see what would fail after hours."""

import contextlib
import io
import tempfile
import warnings
from numbers import Real
from pathlib import Path

_N_ROWS = 8
_NET = "sedclassifier"
_FRACTION = f"{_NET}__callbacks__validation__fraction"
_GROUPS = f"{_NET}__callbacks__validation__groups"


def rehearse(settings, X, species):
    """Train on a few seconds of noise, and complain of settings that cannot work.

    Parameters
    ----------
    settings : Settings
    X : DataFrame
        The recordings: settings may name their columns.
    species : sequence of str

    Raises
    ------
    ValueError
        If the training fails, with the reason.
    """
    with (
        tempfile.TemporaryDirectory() as folder,
        warnings.catch_warnings(),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        warnings.simplefilter("ignore")
        pipe = settings.make_pipeline(_N_ROWS, Path(folder))
        params = pipe.get_params()
        pipe.set_params(**_short(params))
        rows = _noisy_rows(X, Path(folder), settings.segment_s, params)
        try:
            pipe.fit(rows, _labels(species))
        except Exception as exc:  # whatever it is, it would come again after hours
            raise ValueError(
                "A training of a second, on noise, fails with these settings: "
                f"{str(exc) or type(exc).__name__}"
            ) from exc


def _short(params):
    """Return the parameters that make a training short, and change nothing else."""
    changed = {
        "logmel__verbose": False,
        f"{_NET}__verbose": 0,
        f"{_NET}__checkpoint_dir": None,
    }
    for name, most in (("max_epochs", 1), ("batch_size", 4), ("segments_per_row", 1)):
        value = params[f"{_NET}__{name}"]
        if isinstance(value, int) and value > most:
            changed[f"{_NET}__{name}"] = most
    if params[f"{_NET}__precision"] == "auto":
        changed[f"{_NET}__precision"] = "float32"  # choosing takes time
    lr = params[f"{_NET}__lr"]
    if isinstance(lr, Real) and lr > 1e-3:
        changed[f"{_NET}__lr"] = 1e-3  # noise may diverge where sound does not
    fraction = params.get(_FRACTION)
    if isinstance(fraction, Real) and 0 < fraction < 1:
        changed[_FRACTION] = 0.5  # of few rows, a smaller one is none
    return changed


def _noisy_rows(X, folder, segment_s, params):
    """Return rows of noise with the columns of X."""
    import numpy as np
    import soundfile

    rate = 44_100
    noise = np.random.default_rng(0).normal(0, 0.1, round(segment_s * rate))
    soundfile.write(folder / "noise.wav", noise, rate)
    rows = X.iloc[np.arange(_N_ROWS) % len(X)].reset_index(drop=True)
    rows = rows.drop(columns=["start", "end"], errors="ignore")
    names = [folder / f"{number}.wav" for number in range(_N_ROWS)]
    for name in names:
        name.hardlink_to(folder / "noise.wav")
    rows["path"] = list(map(str, names))
    groups = params.get(_GROUPS)
    if groups in rows and groups != "path":
        rows[groups] = [str(number) for number in range(_N_ROWS)]
    return rows


def _labels(species):
    """Return labels of two species in turn, or of one that is there or not."""
    import numpy as np
    import pandas as pd

    Y = np.zeros((_N_ROWS, len(species)), np.float32)
    Y[::2, 0] = 1
    Y[1::2, 1:2] = 1
    return pd.DataFrame(Y, columns=species)
