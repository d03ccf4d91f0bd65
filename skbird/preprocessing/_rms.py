import os
from dataclasses import dataclass
from numbers import Integral, Real

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from skbird.data import (
    Recordings,
    WeightOp,
    as_recordings,
    check_some_rows,
    segment_means,
)
from skbird.preprocessing import _dsp
from skbird.preprocessing._clip_transformer import ClipTransformer
from skbird.preprocessing._front_end import FrontEnd
from skbird.utils._rows import check_y_length
from skbird.utils._sklearn_compat import Interval, StrOptions
from skbird.utils._text import none_of


@dataclass(frozen=True)
class RMSOp(WeightOp):
    """Judge segments by their root mean square."""

    quantile: float
    mode: str
    use_at_predict: bool
    limit: float | None  # RMS below which a segment is quiet; None: within the row

    values_per_s = 100.0
    measure_key = "mean_square_100"

    def measure(self, samples, sample_rate):
        """Return the mean square of each 10 ms."""
        return _dsp.mean_square(samples, sample_rate, self.values_per_s)

    def levels(self, values, starts, segment_s):
        """Return the RMS of each segment, full scale = 1."""
        return np.sqrt(segment_means(values, self.values_per_s, starts, segment_s))

    def judge(self, values, starts, segment_s, row):
        """Weigh each segment by its level."""
        rms = self.levels(values, starts, segment_s)
        quality = rms / max(rms.max(), 1e-12)
        limit = self.limit_of(rms)
        if self.mode == "weight":
            return np.minimum(rms / max(limit, 1e-12), 1.0), quality
        return (rms >= limit).astype(np.float32), quality

    def limit_of(self, rms):
        """Return the RMS that the segments of a row are compared with."""
        return np.quantile(rms, self.quantile) if self.limit is None else self.limit


class RMSFilter(ClipTransformer):
    """Keep quiet segments out of training.

    A weak label says that a species is somewhere in a recording; its quiet segments
    often do not hold it. Segments stay in place; only their weights change, and a row
    always keeps its best segment.

    Parameters
    ----------
    quantile : float in [0, 1], default=None
        Segments whose root mean square is below this quantile are quiet; 0 changes
        nothing. None means 1, the loudest segment of the row, with scope "row" and mode
        "weight", and else 0.25.
    scope : {"row", "train"}, default="row"
        Segments whose quantile is taken: those of the same row, or those of the
        training set, of which `fit` measures up to `max_rows` rows.
    mode : {"weight", "drop"}, default="weight"
        "weight" keeps all segments: the weight is the level of the segment relative to
        the quantile, at most 1. "drop", used by the report on BirdCLEF 2025, sets the
        weight of quiet segments to 0: see ``docs/results/ablation.md``.
    max_rows : int >= 1, default=1000
        Rows that `fit` measures with scope "train", drawn at random.
    random_state : int, RandomState instance or None, default=None
        Seed for drawing these rows.
    cache_dir : str, path or None, default=None
        Folder that keeps the measurements of `fit` with scope "train". Use that of
        `LogMel`, and no row is measured twice, in any fold or session.
    use_at_predict : bool, default=False
        Whether prediction ignores these segments too. By default it looks at every
        segment.

    Attributes
    ----------
    limit_ : float
        Only with scope "train": the level below which a segment is quiet, as root mean
        square, full scale = 1.

    See Also
    --------
    VADFilter : Weighs segments by the human speech they hold.

    Examples
    --------
    >>> import numpy as np, soundfile, tempfile
    >>> from pathlib import Path
    >>> from skbird.preprocessing import RMSFilter
    >>> path = Path(tempfile.mkdtemp()) / "owl.wav"
    >>> level = np.repeat([0.1, 0.01, 0.2], 5 * 8000)
    >>> soundfile.write(path, level * np.sin(np.arange(15 * 8000)), 8000)
    >>> RMSFilter().transform([path])[0].weights.round(2)
    array([0.5 , 0.36, 0.05, 0.71, 1.  ], dtype=float32)
    >>> RMSFilter(quantile=0.5).transform([path])[0].weights.round(2)
    array([1.  , 0.71, 0.1 , 1.  , 1.  ], dtype=float32)
    >>> RMSFilter(quantile=0.25, mode="drop").transform([path])[0].weights
    array([1., 1., 0., 1., 1.], dtype=float32)
    """

    _parameter_constraints: dict = {
        "quantile": [Interval(Real, 0, 1, closed="both"), None],
        "scope": [StrOptions({"row", "train"})],
        "mode": [StrOptions({"drop", "weight"})],
        "max_rows": [Interval(Integral, 1, None, closed="left")],
        "random_state": ["random_state"],
        "cache_dir": [str, os.PathLike, None],
        "use_at_predict": ["boolean"],
    }

    def __init__(
        self,
        quantile=None,
        *,
        scope="row",
        mode="weight",
        max_rows=1000,
        random_state=None,
        cache_dir=None,
        use_at_predict=False,
    ):
        self.quantile = quantile
        self.scope = scope
        self.mode = mode
        self.max_rows = max_rows
        self.random_state = random_state
        self.cache_dir = cache_dir
        self.use_at_predict = use_at_predict

    def fit(self, X, y=None):
        """Check the parameters and, with scope "train", learn the limit.

        Parameters
        ----------
        X : sequence of paths, DataFrame with a column ``path``, or Recordings
            The rows. Those that cannot be read are left out here: LogMel names them.
        y : array-like of n_rows rows, default=None
            Only their number is checked.

        Returns
        -------
        self
        """
        self._validate_params()
        recordings = as_recordings(X)
        check_some_rows(recordings)
        check_y_length(y, len(recordings))
        if self.scope == "train":
            self.limit_ = self._learn_limit(recordings)
        return self

    def _learn_limit(self, recordings):
        rng = check_random_state(self.random_state)
        n_rows = min(self.max_rows, len(recordings))
        chosen = np.sort(rng.choice(len(recordings), n_rows, replace=False))
        op = RMSOp(self._quantile, self.mode, self.use_at_predict, None)
        # What other filters find does not matter here.
        ops = [o for o in recordings.ops if not isinstance(o, WeightOp)]
        rows = Recordings(recordings.rows.iloc[chosen], [*ops, op])
        grid, levels = rows.grid, {}

        def keep(row, series):
            starts = grid.starts(len(series[0]) / op.values_per_s)
            levels[row] = op.levels(series[0], starts, grid.segment_s)

        FrontEnd(rows, None, self.cache_dir, on_error="skip").run(keep)
        if not levels:
            raise ValueError(
                f"{none_of(n_rows, 'row')} that RMSFilter(scope='train') "
                "drew from X can be read. Check the paths."
            )
        return float(np.quantile(np.concatenate(list(levels.values())), self._quantile))

    def make_op(self):
        """Return the op that measures the level of a clip."""
        limit = None
        if self.scope == "train":
            check_is_fitted(
                self, msg="RMSFilter(scope='train') learns its limit in fit; call it."
            )
            limit = self.limit_
        return RMSOp(self._quantile, self.mode, bool(self.use_at_predict), limit)

    @property
    def _quantile(self):
        if self.quantile is not None:
            return float(self.quantile)
        return 1.0 if (self.scope, self.mode) == ("row", "weight") else 0.25

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = self.scope == "train"
        return tags
