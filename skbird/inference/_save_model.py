"""Write a model to a file that can be opened without trusting who made it."""

import json
import math
import os
import platform
import warnings
import zipfile
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from numbers import Integral, Real

import numpy as np

import skbird
from skbird.inference._description import build, describe
from skbird.inference._fields import FieldError, read_fields
from skbird.inference._model_archive import ABOUT, ABOUT_FIELDS, FORMAT, MODEL, NETWORK
from skbird.inference._program_limits import MAX_BYTES, LimitedPrograms
from skbird.inference._programs import ProgramError
from skbird.inference._trained_on import describe_rows
from skbird.utils._files import open_whole
from skbird.utils._params import check_params, check_path

_PACKAGES = ("scikit-learn", "numpy", "openvino", "onnxruntime")


def save_model(model, path, *, metrics=None, data=None, license=None, notes=None):
    """Write a compiled model to one file.

    Parameters
    ----------
    model : estimator
        A model from `compile_pipeline`, with ``backend="openvino"`` or
        ``"onnxruntime"``.
    path : str or path-like
        The file, by convention ``.skbird``. It appears when it is complete.
    metrics : dict, default=None
        Results on held-out rows, such as ``{"macro_roc_auc": 0.93}``: numbers and
        texts.
    data : DataFrame or sequence of paths, default=None
        The rows it was trained on, of which the number, a fingerprint and hashes of
        the names of files are kept (see `trained_on`).
    license : str, default=None
        License under which others may use the model.
    notes : str, default=None
        Whatever its users should know.

    Raises
    ------
    TypeError
        If the model was not compiled, or holds what cannot be stored safely: steps and
        classifiers that are not skbird's, or networks compiled for torch, whose
        programs can run any code.
    ImportError
        If onnx is not installed.

    See Also
    --------
    load_model : Reads the file again.

    Notes
    -----
    The file is a zip archive: ``skbird.json`` for people and other programs,
    ``model.json``, which describes the parts and their values, and the networks as
    ONNX, ``networks/0.onnx`` and so on. What matters to `fit` alone, such as the
    splitter that chose thresholds, is not kept, nor is what belongs to a machine, such
    as the folder of a cache, ``n_jobs`` and ``n_threads``.

    Examples
    --------
    >>> import numpy as np, soundfile, tempfile
    >>> from pathlib import Path
    >>> from sklearn.pipeline import make_pipeline
    >>> from skbird.inference import compile_pipeline, save_model
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
    >>> save_model(compiled, folder / "frog.skbird", notes="A pond near Ulm.")
    """
    check_path(path)
    if not hasattr(model, "species_"):
        raise TypeError(
            f"model={model!r:.100} is not compiled, or not fitted; pass "
            "compile_pipeline(model)."
        )
    check_params(
        "save_model",
        {"metrics": [dict, None], "license": [str, None], "notes": [str, None]},
        metrics=metrics,
        license=license,
        notes=notes,
    )
    about = {
        "format": FORMAT,
        "skbird": skbird.__version__,
        "versions": {name: _version(name) for name in _PACKAGES},
        "python": platform.python_version(),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "species": np.asarray(model.species_).tolist(),
        "model": "",
        "max_difference": _plain_number(getattr(model, "max_difference_", None)),
        "metrics": _plain_metrics(metrics or {}),
        "data": None if data is None else describe_rows(data),
        "license": license,
        "notes": notes,
    }
    networks = []
    try:
        plain = describe(model, networks)
        # What is written must be readable: found out now, not where it is needed.
        programs = LimitedPrograms(networks.__getitem__)
        # And of the model that is read, nothing tells of this machine.
        about["model"] = repr(build(plain, programs))
        read_fields(ABOUT_FIELDS, about)
    except (FieldError, ProgramError) as exc:
        raise TypeError(
            f"{type(model).__name__} cannot be stored safely: {exc}. Only models of "
            "skbird's own steps, compiled by skbird.inference.compile_pipeline for "
            "'openvino' or 'onnxruntime', can be kept in this kind of file; use pickle "
            "for others, among people you trust."
        ) from exc
    with open_whole(path, "wb") as file, zipfile.ZipFile(file, "w") as archive:
        for name, content in ((ABOUT, about), (MODEL, plain)):
            text = json.dumps(content, indent=1, allow_nan=False)
            archive.writestr(name, text, zipfile.ZIP_DEFLATED)
        for number, program in enumerate(networks):
            archive.writestr(NETWORK.format(number), program)
    needed = max(os.path.getsize(path), programs.needed_bytes)
    if needed > MAX_BYTES:
        warnings.warn(
            f"{os.fspath(path)} is larger, or needs more memory, than what load_model "
            f"takes from strangers: pass max_bytes={needed} to it, or --max-model-mib "
            f"{-(-needed >> 20)} to commands. A smaller batch_size of compile_pipeline "
            "needs less memory.",
            stacklevel=2,
        )


def _plain_number(value):
    """Return a number for JSON, which has no NaN or infinity."""
    if value is None or not math.isfinite(value):
        return None
    return int(value) if isinstance(value, Integral) else float(value)


def _plain_metrics(metrics):
    plain = {}
    for name, value in metrics.items():
        if isinstance(value, Real):
            value = _plain_number(value)
        elif not isinstance(value, str | None):
            raise TypeError(
                f"metrics[{name!r}] is of type {type(value).__name__}; pass a number "
                "or a text."
            )
        plain[str(name)] = value
    return plain


@cache
def _version(package):
    try:
        return version(package)
    except PackageNotFoundError:
        return None
