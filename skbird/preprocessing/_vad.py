import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from numbers import Real
from threading import Lock

import numpy as np

from skbird.data import WeightOp, as_recordings, segment_means
from skbird.preprocessing import _dsp
from skbird.preprocessing._clip_transformer import ClipTransformer
from skbird.utils._extras import install_hint
from skbird.utils._sklearn_compat import Interval, StrOptions

_SILERO_HZ = 16_000


_load_lock = Lock()


def _silero():
    """Return the sequence model of silero-vad, loaded once for all threads."""
    # lru_cache alone lets several threads load at once; the second would then find, and
    # put back, the one torch thread that the import of the first has left.
    with _load_lock:
        return _load_silero()


@lru_cache(maxsize=1)
def _load_silero():
    try:
        import torch

        # Importing silero_vad sets torch to one thread for the whole process.
        n_threads = torch.get_num_threads()
        try:
            from silero_vad import load_silero_vad

            return load_silero_vad(sequence=True)
        finally:
            torch.set_num_threads(n_threads)
    except (ModuleNotFoundError, TypeError) as exc:
        raise ImportError(
            "VADFilter needs silero-vad >= 6.2.2 and onnxruntime; install them with: "
            f"{install_hint('train')}"
        ) from exc


@lru_cache(maxsize=1)
def _silero_version():
    try:
        return version("silero-vad")
    except PackageNotFoundError:
        return None


def speech_probability(samples, sample_rate):
    """Probability of human speech in each 32 ms, by Silero VAD.

    Parameters
    ----------
    samples : ndarray of shape (n_samples,), float32
        Full scale is 1.
    sample_rate : int
        In Hz; resampled to 16 kHz inside, on the same time axis.

    Returns
    -------
    ndarray of shape (n_values,), float32
        31.25 values per second, at least one.

    References
    ----------
    Silero Team, "Silero VAD: pre-trained enterprise-grade Voice Activity Detector",
    https://github.com/snakers4/silero-vad
    """
    return _silero().audio_forward(_dsp.resample(samples, sample_rate, _SILERO_HZ))


@dataclass(frozen=True)
class VADOp(WeightOp):
    """Judge segments by the human speech they hold."""

    threshold: tuple
    max_speech: float
    mode: str
    use_at_predict: bool

    values_per_s = 31.25

    @property
    def measure_key(self):
        """Name the model: another version finds other probabilities."""
        return f"silero-vad {_silero_version()}"

    def measure(self, samples, sample_rate):
        """Return the probability of speech in each 32 ms."""
        return speech_probability(samples, sample_rate)

    def threshold_of(self, row):
        """Return the probability from which a stretch of a row is speech."""
        thresholds = dict(self.threshold)
        return thresholds.get(str(row.get("collection")), thresholds["default"])

    def judge(self, values, starts, segment_s, row):
        """Weigh each segment by the share of it that is not speech."""
        speech = values >= self.threshold_of(row)
        quality = 1 - segment_means(speech, self.values_per_s, starts, segment_s)
        if self.mode == "weight":
            return quality, quality
        return (1 - quality <= self.max_speech).astype(np.float32), quality


class VADFilter(ClipTransformer):
    """Keep human speech out of training.

    Recordists announce the species by name, and a network learns the voice instead of
    the bird. Speech is found by Silero VAD (its sequence model: the same probabilities
    as the streaming one, several times faster). Segments stay in place; only their
    weights change, and a row always keeps its best segment.

    Parameters
    ----------
    threshold : float in [0, 1] or mapping, default=0.5
        Probability from which a stretch of 32 ms counts as speech: the lower, the
        stricter. A mapping gives one per collection, as in
        ``{"CSA": 0.3, "XC": 0.7, "default": 0.5}``; collections without an entry use
        ``"default"``, and 0.5 if there is none.
    max_speech : float in [0, 1], default=0.2
        Share of a segment that may be speech before mode "drop" gives it weight 0.
    mode : {"weight", "drop"}, default="weight"
        "weight" multiplies the weight of a segment by its share that is not speech.
        "drop", used by the report on BirdCLEF 2025, sets it to 0 if there is too much
        speech: see ``docs/results/ablation.md``.
    use_at_predict : bool, default=False
        Whether prediction ignores these segments too. By default it looks at every
        segment, and the detector is not run at all.

    See Also
    --------
    RMSFilter : Weighs segments by their level.

    Examples
    --------
    >>> import numpy as np, soundfile, tempfile
    >>> from pathlib import Path
    >>> from skbird.preprocessing import VADFilter
    >>> path = Path(tempfile.mkdtemp()) / "silence.wav"
    >>> soundfile.write(path, np.zeros(16_000 * 5), 16_000)
    >>> VADFilter(threshold=0.5).transform([path])[0].weights
    array([1.], dtype=float32)
    """

    _parameter_constraints: dict = {
        "threshold": [Interval(Real, 0, 1, closed="both"), Mapping],
        "max_speech": [Interval(Real, 0, 1, closed="both")],
        "mode": [StrOptions({"drop", "weight"})],
        "use_at_predict": ["boolean"],
    }

    def __init__(
        self, threshold=0.5, *, max_speech=0.2, mode="weight", use_at_predict=False
    ):
        self.threshold = threshold
        self.max_speech = max_speech
        self.mode = mode
        self.use_at_predict = use_at_predict

    def fit(self, X, y=None):
        """Check the parameters and the rows.

        Parameters
        ----------
        X : sequence of paths, DataFrame with a column ``path``, or Recordings
            With thresholds by collection, a table with a column ``collection``.
        y : array-like of n_rows rows, default=None
            Only their number is checked.

        Returns
        -------
        self
        """
        super().fit(X, y)
        if isinstance(self.threshold, Mapping):
            self._check_collections(as_recordings(X).rows)
        return self

    def _check_collections(self, rows):
        if "collection" not in rows:
            raise ValueError(
                f"threshold={dict(self.threshold)} is by collection, but X has no "
                "column 'collection'. Pass a DataFrame with one, or a single number."
            )
        present = set(rows["collection"].astype(str))
        if not present & {str(name) for name in self.threshold}:
            warnings.warn(
                f"threshold={dict(self.threshold)} names none of the collections of X "
                f"({sorted(present)[:5]}): the default threshold holds for all.",
                stacklevel=3,
            )

    def make_op(self):
        """Return the op that measures speech in a clip."""
        thresholds = self.threshold
        if not isinstance(thresholds, Mapping):
            thresholds = {"default": thresholds}
        for collection, value in thresholds.items():
            if not (isinstance(value, Real) and 0 <= value <= 1):
                raise ValueError(
                    f"threshold[{collection!r}]={value!r} must be a number in [0, 1]."
                )
        thresholds = {"default": 0.5, **thresholds}
        return VADOp(
            tuple(sorted((str(name), float(p)) for name, p in thresholds.items())),
            float(self.max_speech),
            self.mode,
            bool(self.use_at_predict),
        )
