"""A pretrained model with its spec: windows in, embeddings and scores out."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import scipy.special

from skbird.encoders._front_ends import FRONT_ENDS, level_windows
from skbird.encoders._function_identity import function_identity
from skbird.utils._params import check_list

_OPENED_FOR = (
    "outputs",
    "input_name",
    "input_shape",
    "input_type",
    "window_samples",
    "labels_file",
    "labels_format",
    "labels_column",
    "labels_sha256",
)
BATCH = 16  # windows that are prepared and run at once


class Encoder:
    """A pretrained model that :func:`load_encoder` has opened.

    It can be shared by threads, pickled (its file is then looked for again, and must be
    the same) and copied (which copies nothing).

    Attributes
    ----------
    spec : EncoderSpec
        What the model wants and gives.
    class_names : tuple of str
        Names of the classes in the order of the scores; empty if nothing is said.
    runtime : str
        What runs it: "onnxruntime", "openvino", "litert" or "callable".

    Examples
    --------
    >>> import numpy as np
    >>> from skbird.encoders import EncoderOutput, EncoderSpec, load_encoder
    >>> spec = EncoderSpec(
    ...     "levels", "1", 8000, 1.0, {"embedding": EncoderOutput("level", [1])}
    ... )
    >>> encoder = load_encoder(
    ...     lambda windows: {"embedding": windows.std(axis=1, keepdims=True)}, spec
    ... )
    >>> encoder
    <Encoder levels 1 (callable): 1 s at 8000 Hz -> embedding (1)>
    >>> encoder.run(np.zeros((3, 8000)))["embedding"].shape
    (3, 1)
    """

    def __init__(self, spec, runtime, class_names=(), source=None, identity=None):
        self.spec = spec
        self.class_names = tuple(class_names)
        self.runtime = runtime.name
        self._runtime = runtime
        self._source = source
        #: Tells caches which file, or function, the numbers are from.
        self.identity = identity

    @property
    def file_name(self):
        """Name of the model's file; None of a function."""
        return None if self._source is None else Path(self._source[0]).name

    @property
    def origin(self):
        """What the model is, as plain data: name, version, SHA-256 and license."""
        spec = self.spec
        return {
            "name": spec.name,
            "version": spec.version,
            "sha256": spec.sha256 if self._source is None else self.identity,
            "license": spec.license,
        }

    def __repr__(self):
        spec = self.spec
        outputs = ", ".join(
            f"{role} ({' x '.join(map(str, o.shape))})"
            for role, o in spec.outputs.items()
        )
        return (
            f"<Encoder {spec.name} {spec.version} ({self.runtime}): "
            f"{spec.window_s:g} s at {spec.sample_rate} Hz -> {outputs}>"
        )

    def run(self, windows, outputs=None):
        """Compute outputs of windows.

        Parameters
        ----------
        windows : ndarray of shape (n, n_samples)
            Sound at the model's sample rate, full scale 1. They are levelled here as
            the spec says.
        outputs : list of str, default=None
            Roles; None: all that the model has.

        Returns
        -------
        dict of str to ndarray of shape (n, ...), float32
            Scores as the model gives them; see `probabilities`.

        Raises
        ------
        ValueError
            If the windows are not as long as the model wants, it has no such output,
            or what it gives is not as its spec says.
        """
        spec = self.spec
        roles = (
            list(spec.outputs) if outputs is None else check_list(outputs, "outputs")
        )
        for role in roles:
            self.check_output(role)
        windows = np.asarray(windows, dtype=np.float32)
        if windows.ndim != 2 or windows.shape[1] != spec.window_samples:
            raise ValueError(
                f"windows has shape {windows.shape}; {spec.name} takes (n, "
                f"{spec.window_samples}): {spec.window_s:g} s at {spec.sample_rate} Hz."
            )
        parts = [
            self._run(windows[first : first + BATCH], roles)
            for first in range(0, len(windows), BATCH)
        ]
        empty = [np.empty((0, *spec.outputs[r].shape), np.float32) for r in roles]
        values = [np.concatenate(v) for v in zip(empty, *parts, strict=True)]
        return dict(zip(roles, values, strict=True))

    def with_spec(self, spec):
        """Return the same opened model under another spec.

        Parameters
        ----------
        spec : EncoderSpec
            Other outputs, or another input, open the file once more.

        Returns
        -------
        Encoder
        """
        from skbird.encoders._load_encoder import open_again

        runtime = self._runtime
        if isinstance(runtime, CallableRuntime):
            runtime = CallableRuntime(runtime.function, spec)
        elif any(getattr(spec, n) != getattr(self.spec, n) for n in _OPENED_FOR):
            return open_again(self._source, spec, self.identity)
        names = spec.class_names or self.class_names
        scores = spec.outputs.get("scores")
        if scores is None or len(names) != scores.shape[-1]:
            names = ()
        return Encoder(spec, runtime, names, self._source, self.identity)

    def check_output(self, role):
        """Raise ValueError if the model has no output of this role."""
        if role not in self.spec.outputs:
            raise ValueError(
                f"output={role!r:.50} is none of {self.spec.name}, which has "
                f"{', '.join(self.spec.outputs)}."
            )

    def probabilities(self, scores):
        """Return the probabilities that scores stand for.

        Parameters
        ----------
        scores : ndarray of shape (n, n_classes)
            As `run` gives them.

        Returns
        -------
        ndarray of shape (n, n_classes), float32
            In [0, 1].
        """
        activation = self.spec.activation
        if activation == "sigmoid":
            return scipy.special.expit(scores)
        if activation == "softmax":
            return scipy.special.softmax(scores, axis=1)
        return scores

    def heard_before(self, X):
        """Say of each row whether the model may have been trained on it.

        Parameters
        ----------
        X : DataFrame, sequence of paths, or Recordings
            The rows.

        Returns
        -------
        Series of shape (n_rows,), categorical
            See :func:`heard_before`.
        """
        from skbird.encoders._heard_before import heard_before

        return heard_before(X, self.spec)

    def _run(self, windows, roles):
        spec = self.spec
        prepared = level_windows(windows, spec.level, spec.level_peak)
        front_end = FRONT_ENDS[spec.front_end]
        if front_end is not None:
            prepared = front_end(prepared)
        else:
            shape = [n for n in spec.input_shape if n not in ("batch", "samples")]
            prepared = prepared.reshape(len(prepared), *shape, -1)
        if spec.input_type == "uint8":
            prepared = np.rint(prepared / spec.input_scale + spec.input_zero_point)
            prepared = np.clip(prepared, 0, 255)
        wanted = [spec.outputs[role] for role in roles]
        given = self._computed(prepared.astype(spec.input_type), wanted)
        return [
            self._checked(values, output, len(windows))
            for values, output in zip(given, wanted, strict=True)
        ]

    def _computed(self, prepared, wanted):
        if self._source is None:
            return self._runtime.run(
                prepared, wanted
            )  # a function's errors are its own
        try:
            return self._runtime.run(prepared, wanted)
        except (ValueError, MemoryError) as exc:
            raise type(exc)(f"{self.spec.name}: {exc!s:.500}") from exc
        except Exception as exc:  # of the runtime's own classes
            raise ValueError(
                f"{self.runtime} cannot run {self.spec.name} on {prepared.dtype} of "
                f"shape {prepared.shape} ({exc!s:.300}). Compare input_name, "
                "input_type, input_shape and window_s of its spec with the model."
            ) from exc

    def _checked(self, values, output, n):
        values = np.asarray(values)
        if values.shape != (n, *output.shape):
            raise ValueError(
                f"Output {output.name!r} of {self.spec.name} has the shape "
                f"{values.shape} for {n} windows; its spec says {(n, *output.shape)}."
            )
        values = values.astype(np.float32)
        if (output.scale, output.zero_point) != (1.0, 0.0):
            values = np.float32(output.scale) * (values - np.float32(output.zero_point))
        return values

    def __reduce__(self):
        from skbird.encoders._load_encoder import open_again

        if self._source is None:
            return _of_callable, (self.spec, self._runtime, self.identity)
        return open_again, (self._source, self.spec, self.identity)

    def __copy__(self):
        return self

    def __deepcopy__(self, memo):
        return self

    def __sklearn_clone__(self):
        return self


class CallableRuntime:
    """A function of windows as a runtime.

    Parameters
    ----------
    function : callable
        Takes windows (n, n_samples), float32; returns arrays by role.
    spec : EncoderSpec
    """

    name = "callable"

    def __init__(self, function, spec):
        self.function = function
        self._spec = spec

    def run(self, windows, outputs):
        """Return the values of some outputs, each (n, ...)."""
        given = self.function(windows)
        if not isinstance(given, Mapping):
            raise ValueError(
                f"The function of {self._spec.name} returned {type(given).__name__}; "
                "it must return a dict of arrays by role, such as "
                '{"embedding": array}.'
            )
        roles = {id(output): role for role, output in self._spec.outputs.items()}
        missing = [roles[id(o)] for o in outputs if roles[id(o)] not in given]
        if missing:
            raise ValueError(
                f"The function of {self._spec.name} returned {sorted(given)}, without "
                f"{missing[0]!r}."
            )
        return [given[roles[id(output)]] for output in outputs]


def _of_callable(spec, runtime, _):
    """Return the encoder of a function, which may be another since it was pickled.

    What it was is in the pickle for those who hash it.
    """
    identity = function_identity(runtime.function)
    return Encoder(spec, runtime, spec.class_names, identity=identity)
