"""Sound, labels and weights on which estimators are checked."""

import copy
import warnings
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.utils import _safe_indexing, get_tags

from skbird.utils._process_folder import process_folder

_RATE = 16_000
# Species of each file: what one of them has makes macro ROC-AUC defined in each half.
_SPECIES = (("dove",), ("wren",), (), ("dove", "wren"), ("wren",), ("dove",))
_SECONDS = (8.0, 7.5, 7.0, 8.0, 6.5, 7.0)
# Not in alphabetical order: who sorts the columns must be found.
_HZ = {"wren": 3000, "dove": 1000}


class CheckData:
    """Synthetic recordings, and what an estimator takes of them.

    Six files of 6 to 8 s hold two species in noise, at different levels, and some
    silence; each has a long and a short row.

    Parameters
    ----------
    make_X : callable, default=None
        Turns the row table of recordings into the X of the estimator, row by row; rows
        of files that cannot be read must come out too. None: X is the table.

    Attributes
    ----------
    table : DataFrame
        The row table: ``path``, ``start``, ``end``, ``collection``, ``type``,
        ``group``, ``site``.
    X : sequence of rows
        What `make_X` makes of it.
    Y : DataFrame of shape (n_rows, n_species), float32
        Targets.

    Examples
    --------
    >>> from skbird.utils.estimator_checks import CheckData
    >>> data = CheckData()
    >>> len(data.X), list(data.Y)
    (12, ['wren', 'dove'])
    """

    def __init__(self, make_X=None):
        self.make_X = make_X
        self.table, self.Y = (table.copy() for table in _tables())
        self.X = self.table if make_X is None else make_X(self.table)

    @classmethod
    def for_estimator(cls, estimator):
        """Make the data that an estimator takes, judging by its tags.

        Input tags with ``string`` are of estimators that take recordings; others with
        ``one_d_array`` or ``three_d_array`` take `Spectrograms`.

        Parameters
        ----------
        estimator : estimator object

        Returns
        -------
        CheckData
        """
        tags = get_tags(estimator).input_tags
        if not tags.string and (tags.one_d_array or tags.three_d_array):
            return _spectrogram_data().copy()
        return cls()

    def copy(self):
        """Return the same data, which a check may spoil."""
        twin = copy.copy(self)
        twin.table, twin.Y = self.table.copy(), self.Y.copy()
        twin.X = copy.deepcopy(self.X)
        return twin

    @property
    def takes_recordings(self):
        """True if X is the row table itself."""
        return self.make_X is None

    def rows(self, numbers):
        """Return some rows of X.

        Parameters
        ----------
        numbers : array-like of int
            Numbers of the rows.

        Returns
        -------
        What X is, with these rows.
        """
        return _safe_indexing(self.X, np.asarray(numbers, dtype=int))

    def beside_unreadable(self):
        """Return X with rows of a missing and a damaged file; and which these are.

        Returns
        -------
        X : sequence of rows
        unreadable : ndarray of bool, shape (n_rows,)
        """
        folder = Path(self.table["path"].iloc[0]).parent
        bad = self.table.iloc[[4, 4]].assign(
            path=[str(folder / "missing.wav"), str(folder / "damaged.wav")]
        )
        parts = [self.table.iloc[:4], bad, self.table.iloc[4:]]
        table = pd.concat(parts, ignore_index=True)
        X = table if self.make_X is None else self.make_X(table)
        return X, table["path"].isin(bad["path"]).to_numpy()


def make_spectrograms(table):
    """Return small `Spectrograms` of a row table; rows may be unreadable."""
    from skbird.preprocessing import LogMel

    logmel = LogMel(32, hop_length=1024, on_error="skip", verbose=0, n_jobs=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return logmel.fit_transform(table)


@lru_cache(maxsize=1)
def _spectrogram_data():
    return CheckData(make_spectrograms)


@lru_cache(maxsize=1)
def _tables():
    """Write the recordings; return their row table and targets."""
    folder = process_folder("skbird-checks-")
    (folder / "damaged.wav").write_bytes(b"RIFF, but no recording")
    rows, targets = [], []
    for number, (species, seconds) in enumerate(zip(_SPECIES, _SECONDS, strict=True)):
        path = folder / f"recording{number}.wav"
        _write(path, number, species, seconds)
        middle = round(0.8 * seconds, 1)  # long enough for two segments, and not
        for part, (start, end) in enumerate([(0.0, middle), (middle, seconds)]):
            rows.append(
                {
                    "path": str(path),
                    "start": start,
                    "end": end,
                    "collection": "XC" if number % 2 else "iNat",
                    "type": ["song", "call"][part],
                    "group": "Aves",
                    "site": f"site {number // 2}",
                }
            )
            targets.append([float(name in species) for name in _HZ])
    return pd.DataFrame(rows), pd.DataFrame(targets, columns=list(_HZ), dtype="float32")


def _write(path, number, species, seconds):
    import soundfile

    rng = np.random.default_rng(number)
    time = np.arange(round(seconds * _RATE)) / _RATE
    samples = 0.01 * (1 + number) * rng.standard_normal(len(time))
    for name in species:
        calls = np.sin(2 * np.pi * (0.4 + 0.1 * number) * time) > 0
        samples += 0.25 * calls * np.sin(2 * np.pi * _HZ[name] * time)
    if not species:
        samples[: len(samples) // 2] = 0.0  # a recorder that slept
    soundfile.write(path, np.clip(samples, -1, 1).astype(np.float32), _RATE)
