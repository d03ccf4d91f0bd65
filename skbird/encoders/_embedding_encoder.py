import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.metaestimators import available_if

from skbird.data import as_recordings
from skbird.encoders._encoder_step import EncoderStepMixin, warn_of_errors
from skbird.encoders._load_encoder import load_encoder
from skbird.encoders._windows import POOLINGS, compute_windows
from skbird.utils._sklearn_compat import StrOptions, output_config

_OUTPUTS = ("embedding", "scores", "frames", "spatial", "windows")


def _gives_columns(encoder):
    # scikit-learn makes tables of what has names.
    return encoder.output != "windows"


class EmbeddingEncoder(EncoderStepMixin, TransformerMixin, BaseEstimator):
    """Turn each row into features by a pretrained model; any classifier can follow.

    It stands where :class:`skbird.preprocessing.LogMel` stands: after steps such as
    `BandPass`, `VADFilter` or `RMSFilter`, or as the first. Resampling, levels and
    windows are what the model's spec says; leave out `Resampler` and `Segmenter`. With
    a `cache_dir` the windows of a row are computed once: folds, trials, poolings and
    classifiers then decode nothing and run no model.

    Parameters
    ----------
    encoder : str, path or Encoder, default="birdnet-2.4"
        See :func:`load_encoder`.
    output : str, default="embedding"
        Which output of the model: "embedding", "scores", "frames" or "spatial"; those
        over time or frequency are averaged within a window. "windows" gives the
        embeddings of all windows, for heads such as :class:`AttentionProbe`.
    pooling : {"mean", "max", "meanmax"}, default="mean"
        How the windows of a row become one vector. The mean is weighted by the filters
        before, in training.
    step_s : float > 0, default=None
        From one window to the next in seconds, a thousandth of a window or more. The
        last window ends with the row. None: as the model's spec says.
    cache_dir : str, path or None, default=None
        Folder that keeps the values of windows.
    n_jobs : int in [-1000, 1000] or None, default=-1
        Threads; -1 means all processors.
    on_error : {"raise", "skip"}, default="raise"
        What to do about a row that cannot be read: raise an error that names it; or
        give it NaN, and list it in a warning.
    verbose : int, default=1
        0 shows no progress bar; 1 shows one if the work takes longer than a second.

    Attributes
    ----------
    encoder_ : Encoder
        The model.

    See Also
    --------
    PretrainedScores : The model's own classes as a classifier.

    Examples
    --------
    >>> import numpy as np, soundfile, tempfile
    >>> from pathlib import Path
    >>> from skbird.encoders import EmbeddingEncoder, EncoderOutput, EncoderSpec
    >>> from skbird.encoders import load_encoder
    >>> path = Path(tempfile.mkdtemp()) / "toad.wav"
    >>> rng = np.random.default_rng(0)
    >>> soundfile.write(path, 0.1 * rng.standard_normal(8000 * 5), 8000)
    >>> outputs = {"embedding": EncoderOutput("quantiles", [3])}
    >>> spec = EncoderSpec("quantiles", "1", 8000, 2.0, outputs)
    >>> def quantiles(windows):
    ...     return {"embedding": np.quantile(windows, [0.1, 0.5, 0.9], axis=1).T}
    >>> encoder = load_encoder(quantiles, spec)
    >>> EmbeddingEncoder(encoder).fit_transform([path]).shape
    (1, 3)
    """

    _parameter_constraints: dict = {
        **EncoderStepMixin._parameter_constraints,
        "output": [StrOptions(set(_OUTPUTS))],
        "pooling": [StrOptions(set(POOLINGS))],
    }

    def __init__(
        self,
        encoder="birdnet-2.4",
        *,
        output="embedding",
        pooling="mean",
        step_s=None,
        cache_dir=None,
        n_jobs=-1,
        on_error="raise",
        verbose=1,
    ):
        self.encoder = encoder
        self.output = output
        self.pooling = pooling
        self.step_s = step_s
        self.cache_dir = cache_dir
        self.n_jobs = n_jobs
        self.on_error = on_error
        self.verbose = verbose

    def fit(self, X, y=None):
        """Open the model, and check the parameters and the rows.

        Parameters
        ----------
        X : sequence of paths, DataFrame with a column ``path``, or Recordings
            The rows.
        y : array-like of n_rows rows, default=None
            Only their number is checked.

        Returns
        -------
        self
        """
        self._open_for(X, y, self._role)
        return self

    def fit_transform(self, X, y=None):
        """Compute features for training, weighted by all filters.

        Parameters
        ----------
        X : sequence of paths, DataFrame with a column ``path``, or Recordings
            The rows.
        y : array-like of n_rows rows, default=None
            Only their number is checked.

        Returns
        -------
        ndarray of shape (n_rows, n_features), float32, or Windows
            See `transform`.
        """
        self.fit(X, y)
        return self._compute(as_recordings(X), at_predict=False)

    def transform(self, X):
        """Compute features for prediction.

        Parameters
        ----------
        X : sequence of paths, DataFrame with a column ``path``, or Recordings
            The rows.

        Returns
        -------
        ndarray of shape (n_rows, n_features), float32, or Windows
            Or what ``set_output`` asks for, with the index of the rows' table. NaN in
            rows that could not be read. Filters with ``use_at_predict=False`` are left
            out. ``output="windows"`` gives `Windows`.

        Raises
        ------
        AudioReadError
            If rows cannot be read and `on_error` is "raise".
        """
        # It learns nothing, so that it may be used without fit.
        self._validate_params()
        return self._compute(as_recordings(X), at_predict=True)

    def row_errors(self, X):
        """Say which rows cannot be used, and why.

        Parameters
        ----------
        X : sequence of paths, DataFrame with a column ``path``, or Recordings
            The rows, such as those that `transform` gives NaN.

        Returns
        -------
        DataFrame
            Columns ``row``, ``path``, ``error``: those of `on_error` "skip".
        """
        self._validate_params()
        return self._windows(as_recordings(X), at_predict=True, on_error="skip").errors

    def set_output(self, *, transform=None):
        """Set what `transform` returns; windows stay `Windows`.

        Parameters
        ----------
        transform : {"default", "pandas", "polars"}, default=None
            None changes nothing.

        Returns
        -------
        self
        """
        if self.output != "windows":
            super().set_output(transform=transform)
        return self

    @available_if(_gives_columns)
    def get_feature_names_out(self, input_features=None):
        """Return the names of the columns, such as ``mean_embedding0``.

        Parameters
        ----------
        input_features : ignored

        Returns
        -------
        ndarray of str, object, shape (n_features,)
        """
        encoder = self._opened
        n = encoder.spec.outputs[self._role].shape[-1]
        names = [f"{self._role}{k}" for k in range(n)]
        if self._role == "scores" and encoder.class_names:
            names = list(encoder.class_names)
        parts = {"meanmax": ["mean", "max"]}.get(self.pooling, [self.pooling])
        return np.array([f"{p}_{name}" for p in parts for name in names], dtype=object)

    @property
    def _opened(self):
        """The model that `fit` has opened, whatever `encoder` has become since."""
        opened = getattr(self, "encoder_", None)
        encoder = load_encoder(self.encoder) if opened is None else opened
        encoder.check_output(self._role)
        return encoder

    @property
    def _role(self):
        return "embedding" if self.output == "windows" else self.output

    def _windows(self, recordings, at_predict, on_error):
        return compute_windows(
            recordings,
            self._opened,
            self._role,
            at_predict=at_predict,
            **{**self._options, "on_error": on_error},
        )

    def _compute(self, recordings, at_predict):
        windows = self._windows(recordings, at_predict, self.on_error)
        warn_of_errors(windows)
        if self.output == "windows":
            return windows
        features = windows.pool(self.pooling)
        if output_config("transform", self)["dense"] == "pandas":
            # scikit-learn names the columns, but would number the rows anew.
            return pd.DataFrame(features, index=windows.index)
        return features

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        return tags
