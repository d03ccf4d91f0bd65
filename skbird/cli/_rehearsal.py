"""A training of a second, to see what would fail after hours."""

import contextlib
import io
import shutil
import tempfile
import warnings
from numbers import Real
from pathlib import Path

_N_ROWS = 8
_LONG_S = 20.0  # of longer segments, fewer will do, and so much of each
_N_LONG_ROWS = 4
_NET = "sedclassifier"
_FRACTION = f"{_NET}__callbacks__validation__fraction"
_GROUPS = f"{_NET}__callbacks__validation__groups"


def rehearse(settings, X, species, compiles):
    """Train on a few seconds of noise, predict, and complain of what cannot work.

    Parameters
    ----------
    settings : Settings
    X : DataFrame
        The recordings: settings may name their columns.
    species : sequence of str
    compiles : bool
        Whether the network is to be compiled after the training.

    Raises
    ------
    ValueError
        If the training, or what comes after it, fails, with the reason.
    """
    with (
        tempfile.TemporaryDirectory() as folder,
        warnings.catch_warnings(),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        warnings.simplefilter("ignore")
        is_long = settings.segment_s > _LONG_S
        n_rows = _N_LONG_ROWS if is_long else _N_ROWS
        pipe = settings.make_pipeline(n_rows, Path(folder), X.columns)
        params = pipe.get_params()
        pipe.set_params(**_short(params, batch_size=2 if is_long else 4))
        rows = _choose_rows(X, n_rows, params)
        _write_noise(rows, Path(folder), settings)
        try:
            pipe.fit(rows, _labels(species, n_rows))
            _predict(pipe, rows[:2], compiles)
        except Exception as exc:  # whatever it is, it would come again after hours
            raise ValueError(
                "A training of a second, on noise, fails with these settings: "
                f"{str(exc) or type(exc).__name__}"
            ) from exc


def _predict(pipe, rows, compiles):
    """Do what comes after the training; how exact that is, noise does not tell."""
    if compiles:
        from skbird.inference import compile_pipeline

        pipe = compile_pipeline(pipe, precision="float32")
    pipe.predict_proba(rows)


def _short(params, batch_size):
    """Return the parameters that make a training short, and change nothing else."""
    changed = {
        "logmel__verbose": 0,
        f"{_NET}__verbose": 0,
        f"{_NET}__checkpoint_dir": None,
    }
    most_of = {"max_epochs": 1, "batch_size": batch_size, "segments_per_row": 1}
    for name, most in most_of.items():
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


def _choose_rows(X, n_rows, params):
    """Return rows with the columns of X, as if they were of whole recordings."""
    import numpy as np

    rows = X.iloc[np.arange(n_rows) % len(X)].reset_index(drop=True)
    rows = rows.drop(columns=["start", "end"], errors="ignore")
    groups = params.get(_GROUPS)
    if groups in rows and groups != "path":
        rows[groups] = [str(number) for number in range(n_rows)]
    return rows


def _write_noise(rows, folder, settings):
    """Write a recording of noise for each row, with all channels that are wanted."""
    import numpy as np
    import soundfile

    rate = 44_100
    # Of a longer segment the rest is padding, whatever its shape; many channels of it
    # would fill the memory.
    seconds = min(settings.segment_s, _LONG_S)
    shape = round(seconds * rate), _n_channels(rows, settings.channels)
    noise = np.float32(0.1) * np.random.default_rng(0).standard_normal(shape, "float32")
    soundfile.write(folder / "noise.wav", noise, rate)
    names = [folder / f"{number}.wav" for number in range(len(rows))]
    for name in names:
        try:
            name.hardlink_to(folder / "noise.wav")
        except OSError:  # some file systems have no links
            shutil.copyfile(folder / "noise.wav", name)
    rows["path"] = list(map(str, names))


def _n_channels(rows, channels):
    """Return how many channels a recording needs to have all that are asked for."""
    from skbird.audio import check_channels, check_column

    wanted = [check_channels(channels)]
    if "channels" in rows:
        column = check_column(rows["channels"], "Row {}".format)
        wanted += map(check_channels, column.dropna())
    return 1 + max((value for value in wanted if isinstance(value, int)), default=0)


def _labels(species, n_rows):
    """Return labels of two species in turn, or of one that is there or not."""
    import numpy as np
    import pandas as pd

    Y = np.zeros((n_rows, len(species)), np.float32)
    Y[::2, 0] = 1
    Y[1::2, 1:2] = 1
    return pd.DataFrame(Y, columns=species)
