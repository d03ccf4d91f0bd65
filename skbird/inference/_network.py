"""A network compiled for one engine."""

import threading

import numpy as np
from scipy.special import expit
from sklearn.base import BaseEstimator

from skbird.base import MultilabelMixin
from skbird.data import (
    as_spectrograms,
    score_rows,
    score_rows_by_moments,
    with_same_axes,
)
from skbird.inference._engines import (
    BATCH_SIZES,
    ENGINES,
    check_engine,
    engine_failures,
)
from skbird.utils._finite import check_answers

_making = threading.Lock()  # an engine, once for all threads


class Program(bytes):
    """A network's program; its repr is its size alone."""

    def __repr__(self):
        return f"<{len(self)} bytes>"

    def __deepcopy__(self, memo):
        return self  # bytes cannot change


class CompiledNetwork(MultilabelMixin, BaseEstimator):
    """A fitted network as a program that OpenVINO, ONNX Runtime or torch runs.

    :func:`compile_pipeline` makes it. It takes what the network took, `Spectrograms`,
    and answers with the same probabilities. Importing, loading and predicting need
    nothing but its engine. A pickle holds the program, which is compiled again where
    it is loaded.

    Parameters
    ----------
    program : bytes
        An ONNX model, or for torch what `torch.export` saved: segments in dB (batch,
        n_frames, n_mels), float32, to logits (batch, n_species), or (batch, n_species,
        n_steps) if `frame_scores`.
    format : SpectrogramFormat
        Format of the spectrograms that the network was trained on.
    species : array of str
        The species, in the order of the logits.
    pooling : {"max", "mean", "lse"}
        How the logits of a row's segments, or moments, become the row's.
    tta_shifts_s : sequence of float, default=()
        See :class:`skbird.nn.CNNClassifier`.
    frame_scores : bool, default=False
        See :class:`skbird.nn.SEDClassifier`.
    threshold : float in [0, 1] or array of shape (n_species,), default=0.5
        Probability from which `predict` counts a species as present.
    backend : {"openvino", "onnxruntime", "torch"}, default="openvino"
        The first two run the same ONNX models.
    precision : {"float32", "bfloat16"}, default="float32"
        bfloat16 is faster on CPUs that compute in it; ONNX Runtime has none.
    batch_size : int >= 1, default=None
        Segments in a call. None: 4, with torch 32.
    n_threads : int >= 1, default=None
        None: all cores.
    weights_license : str, default=None
        License that holds for the distilled weights, and the teachers, that the network
        was trained from.

    Attributes
    ----------
    species_ : ndarray of str
    classes_ : ndarray of shape (n_species, 2)
        The two values of each label, [0, 1].

    Examples
    --------
    >>> import numpy as np, soundfile, tempfile
    >>> from pathlib import Path
    >>> from sklearn.pipeline import make_pipeline
    >>> from skbird.inference import CompiledNetwork, compile_pipeline
    >>> from skbird.nn import CNNClassifier
    >>> from skbird.preprocessing import LogMel
    >>> folder = Path(tempfile.mkdtemp())
    >>> path = folder / "frog.wav"
    >>> rng = np.random.default_rng(0)
    >>> soundfile.write(path, 0.1 * rng.standard_normal(32_000 * 5), 32_000)
    >>> net = CNNClassifier("test_efficientnet", backbone_weights=None, max_epochs=1,
    ...                     random_state=0, verbose=0)
    >>> pipe = make_pipeline(LogMel(n_mels=32), net).fit([path], [[0, 1]])
    >>> compiled = compile_pipeline(pipe, precision="float32")
    >>> isinstance(compiled.network, CompiledNetwork)
    True
    >>> compiled.network.predict_proba(compiled.front_end.transform([path])).shape
    (1, 2)
    """

    def __init__(
        self,
        program,
        format,
        species,
        pooling,
        *,
        tta_shifts_s=(),
        frame_scores=False,
        threshold=0.5,
        backend="openvino",
        precision="float32",
        batch_size=None,
        n_threads=None,
        weights_license=None,
    ):
        self.program = program
        self.format = format
        self.species = species
        self.pooling = pooling
        self.tta_shifts_s = tta_shifts_s
        self.frame_scores = frame_scores
        self.threshold = threshold
        self.backend = backend
        self.precision = precision
        self.batch_size = batch_size
        self.n_threads = n_threads
        self.weights_license = weights_license

    @property
    def species_(self):
        """The species, in the order of the columns of ``predict_proba``."""
        return np.asarray(self.species)

    @property
    def format_(self):
        """The format of the spectrograms, under the name that networks have for it."""
        return self.format

    @property
    def classes_(self):
        """The two values of each label, [0, 1]."""
        return np.tile([0, 1], (len(self.species), 1))

    @property
    def input_shape(self):
        """The shape of a batch, (batch_size, n_frames, n_mels)."""
        batch_size = self.batch_size or BATCH_SIZES[self.backend]
        return batch_size, self.format.frames_per_segment, self.format.n_mels

    def fit(self, X, y=None):
        """Do nothing: the network is fitted.

        Parameters
        ----------
        X, y : ignored

        Returns
        -------
        self : CompiledNetwork
        """
        return self

    def predict_proba(self, X):
        """Predict the probability of each species in each row.

        Parameters
        ----------
        X : Spectrograms or array of shape (n_rows, n_mels, n_frames)

        Returns
        -------
        ndarray of shape (n_rows, n_species), float32
            NaN for rows that could not be read, and only those.

        Raises
        ------
        FloatingPointError
            If the network answers NaN or infinity, as after a training that diverged.
        RuntimeError
            If the backend cannot run the network.
        """
        X = with_same_axes(as_spectrograms(X), self.format)
        if self.frame_scores:
            logits = score_rows_by_moments(
                X, self._map_segments, len(self.species), self.pooling
            )
        else:
            logits = score_rows(
                X, self._map_segments, pooling=self.pooling, shifts_s=self.tta_shifts_s
            )
        return expit(logits)

    def _map_segments(self, X, read=None):
        read = X.segments if read is None else read
        if X.n_segments == 0:
            return self._run([X.blank_segment()])[:0]
        step = self.input_shape[0]
        logits = self._run(
            read(np.arange(first, min(first + step, X.n_segments)))
            for first in range(0, X.n_segments, step)
        )
        check_answers(logits, X)
        return logits

    def _run(self, batches):
        engine = self._current_engine()
        return engine.run(batch.astype(np.float32) for batch in batches)

    def _current_engine(self):
        key = self.backend, self.precision, self.batch_size, self.n_threads
        with _making:
            if getattr(self, "_engine_key", None) != key:
                check_engine(self.backend, self.precision)
                limits = self._limits_of_file()
                with engine_failures(self.backend):
                    self._engine = ENGINES[self.backend](
                        self.program,
                        self.precision,
                        self.input_shape[0],
                        self.n_threads,
                        limits,
                    )
                self._engine_key = key
            return self._engine

    def _limits_of_file(self):
        """Return the `Limits` that `load_model` set, None of networks of no file."""
        limits = getattr(self, "_limits", None)
        if limits is not None and limits.shapes["segments"] != self.input_shape:
            raise ValueError(
                f"batch_size={self.batch_size} was changed: the file of this model was "
                f"checked for batches of {limits.shapes['segments'][0]} segments. "
                "Compile the fitted pipeline anew, with another batch_size."
            )
        return limits

    def __repr__(self):
        # The parameters would be megabytes of weights.
        return (
            f"CompiledNetwork({len(self.species)} species, {self.backend}, "
            f"{self.precision})"
        )

    def __getstate__(self):
        state = super().__getstate__()
        return {k: v for k, v in state.items() if k not in ("_engine", "_engine_key")}

    def __sklearn_is_fitted__(self):
        return True

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = True
        return tags
