"""Models in a file that can be opened without trusting who made it."""

import base64
import hashlib
import json
import math
import os
import platform
import warnings
import zipfile
from datetime import UTC, datetime
from hashlib import blake2b
from importlib.metadata import PackageNotFoundError, version
from numbers import Integral, Real
from pathlib import Path

import numpy as np
import pandas as pd

import skbird
from skbird.data import check_rows
from skbird.inference._description import build, describe
from skbird.inference._engines import Limits
from skbird.inference._fields import FieldError, read_fields
from skbird.inference._model_archive import (
    ABOUT,
    ABOUT_FIELDS,
    FORMAT,
    MODEL,
    NETWORK,
    RAISE_IT,
    ModelArchive,
    ModelFileError,
)
from skbird.inference._programs import MAX_OPERATIONS, ProgramError, check_program
from skbird.utils._files import open_whole
from skbird.utils._params import check_params, check_path
from skbird.utils._rows import files_of_rows
from skbird.utils._sklearn_compat import Interval

MAX_BYTES = 128 * 2**20
# How many times the size of its file a model may need for what it computes.
_WORKING_SHARE = 3
# Two cores need up to three times what the sound lasts. ConvNeXt-T needs 3e9, and
# EfficientNet-B0 half of it.
_MAX_WORK_PER_S = 6e10
# A recording of a second needs a whole batch, of each network.
_MAX_WORK = 6e11
# Four times what a network may have, or 20 times EfficientNet-B0.
_MAX_OPERATIONS = 4 * MAX_OPERATIONS
_BYTES = Interval(Integral, 1, None, closed="left")
_PACKAGES = ("scikit-learn", "numpy", "openvino", "onnxruntime")


def save_model(model, path, *, metrics=None, data=None, license=None, notes=None):
    """Write a compiled model to one file.

    Parameters
    ----------
    model : estimator
        What `compile_pipeline` made with ``backend="openvino"`` or ``"onnxruntime"``.
    path : str or path-like
        The file, by convention ``.skbird``. It appears when it is complete.
    metrics : dict, default=None
        How good it is, such as ``{"macro_roc_auc": 0.93}``: numbers and texts.
    data : DataFrame or sequence of paths, default=None
        The rows it was trained on, of which the number, a fingerprint and hashes of
        the names of files are kept (see `trained_on`).
    license : str, default=None
        Under which others may use it.
    notes : str, default=None
        Whatever they should know.

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
    load_model : The way back.

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
    >>> net = CNNClassifier("lcnet_035", backbone_weights=None, max_epochs=1, verbose=0)
    >>> pipe = make_pipeline(LogMel(n_mels=32), net).fit([path], [[0, 1]])
    >>> compiled = compile_pipeline(pipe, precision="float32")
    >>> save_model(compiled, folder / "frog.skbird", notes="A pond near Ulm.")
    """
    check_path(path)
    if not hasattr(model, "species_"):
        raise TypeError(
            f"model={model!r:.100} is no fitted model; pass what compile_pipeline made."
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
        "data": None if data is None else _fingerprint(data),
        "license": license,
        "notes": notes,
    }
    networks = []
    try:
        plain = describe(model, networks)
        # What is written must be readable: found out now, not where it is needed.
        programs = _Programs(networks.__getitem__)
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
    needed = max(os.path.getsize(path), -(-programs.n_bytes // _WORKING_SHARE))
    if needed > MAX_BYTES:
        warnings.warn(
            f"{os.fspath(path)} is larger, or needs more memory, than what load_model "
            f"takes from strangers: pass max_bytes={needed} to it, or --max-model-mib "
            f"{-(-needed >> 20)} to commands. A smaller batch_size of compile_pipeline "
            "needs less memory.",
            stacklevel=2,
        )


def load_model(path, *, max_bytes=MAX_BYTES):
    """Read a model that `save_model` wrote. Nothing in the file can run code.

    The file is data: what is built from it is on a closed list of skbird's own classes,
    each value is checked against the range of its parameter before anything is built,
    and networks are ONNX programs of plain arithmetic, whose memory is bounded before
    they run. That keeps a model of a stranger from doing anything but predict, perhaps
    badly.

    Parameters
    ----------
    path : str or path-like
    max_bytes : int, default=134_217_728
        Size of the file, 128 MiB, from which on it is refused. Its networks may need
        three times as much for what they compute from a batch of segments.

    Returns
    -------
    model : estimator
        With the attribute ``about_``: a dict of what `save_model` noted.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ImportError
        If onnx is not installed.
    ModelFileError
        If the file is no model, is damaged, is of another format, is too large, or
        holds what is not on the list.

    Examples
    --------
    >>> import numpy as np, soundfile, tempfile
    >>> from pathlib import Path
    >>> from sklearn.pipeline import make_pipeline
    >>> from skbird.inference import compile_pipeline, load_model, save_model
    >>> from skbird.nn import CNNClassifier
    >>> from skbird.preprocessing import LogMel
    >>> folder = Path(tempfile.mkdtemp())
    >>> path = folder / "frog.wav"
    >>> rng = np.random.default_rng(0)
    >>> soundfile.write(path, 0.1 * rng.standard_normal(32_000 * 5), 32_000)
    >>> net = CNNClassifier("lcnet_035", backbone_weights=None, max_epochs=1, verbose=0)
    >>> pipe = make_pipeline(LogMel(n_mels=32), net).fit([path], [[0, 1]])
    >>> compiled = compile_pipeline(pipe, precision="float32")
    >>> save_model(compiled, folder / "frog.skbird", license="CC0")
    >>> model = load_model(folder / "frog.skbird")
    >>> model.about_["license"]
    'CC0'
    >>> bool((model.predict_proba([path]) == compiled.predict_proba([path])).all())
    True
    """
    path = os.fspath(check_path(path))
    check_params("load_model", {"max_bytes": [_BYTES]}, max_bytes=max_bytes)
    with ModelArchive(path, max_bytes) as archive:
        about = archive.read_about()
        plain = archive.read_json(MODEL)
        try:
            programs = _Programs(archive.read_network, path, max_bytes)
            model = build(plain, programs)
            programs.limit_streams()
            if about["species"] != model.species_.tolist():
                raise FieldError("its species are not those of its description")
        except ModelFileError:
            raise
        except (ValueError, TypeError, ArithmeticError, LookupError) as exc:
            raise ModelFileError(
                f"{path} is not loaded: it holds what skbird {skbird.__version__} does "
                f"not write into a model ({exc}). It was written by skbird "
                f"{about['skbird']!r:.50}; ask whoever made it to save it anew with "
                "your version."
            ) from exc
    if about["max_difference"] is not None:
        model.max_difference_ = about["max_difference"]
    model.about_ = about
    return model


def trained_on(model, X):
    """Tell which rows are of recordings that a model was trained on, by their names.

    Parameters
    ----------
    model : estimator
        From `load_model`. Of any other model, and if `save_model` was given no
        ``data``, nothing is known.
    X : DataFrame with a column ``path``, or sequence of paths
        The rows. What counts are the names of the file and of the folder that it is
        in, so that a copy of the whole set elsewhere is found.

    Returns
    -------
    ndarray of bool, shape (n_rows,)
        False where nothing is known. A name is mistaken for another in one of 100,000
        cases, given 30,000 recordings.

    Examples
    --------
    >>> import numpy as np, soundfile, tempfile
    >>> from pathlib import Path
    >>> from sklearn.pipeline import make_pipeline
    >>> from skbird.inference import compile_pipeline, load_model
    >>> from skbird.inference import save_model, trained_on
    >>> from skbird.nn import CNNClassifier
    >>> from skbird.preprocessing import LogMel
    >>> folder = Path(tempfile.mkdtemp())
    >>> path = folder / "frog.wav"
    >>> rng = np.random.default_rng(0)
    >>> soundfile.write(path, 0.1 * rng.standard_normal(32_000 * 5), 32_000)
    >>> net = CNNClassifier("lcnet_035", backbone_weights=None, max_epochs=1, verbose=0)
    >>> pipe = make_pipeline(LogMel(n_mels=32), net).fit([path], [[0, 1]])
    >>> compiled = compile_pipeline(pipe, precision="float32")
    >>> save_model(compiled, folder / "frog.skbird", data=[path])
    >>> model = load_model(folder / "frog.skbird")
    >>> trained_on(model, [path, "elsewhere/toad.wav"])
    array([ True, False])
    """
    data = getattr(model, "about_", {}).get("data") or {}
    files = np.frombuffer(base64.b64decode(data.get("files", "")), dtype="<u4")
    return np.isin(_hash_names(files_of_rows(X)), files)


class _Programs:
    """Gives networks their programs once they are checked, and adds up what they need.

    Parameters
    ----------
    read : function of int to bytes
        Gives the program of that number.
    path : str, default=None
        Of the model file, for messages.
    max_bytes : int, default=None
        See `load_model`. None: without limit.
    """

    def __init__(self, read, path=None, max_bytes=None):
        self._read = read
        self._path = path
        self._max_bytes = max_bytes
        self._work = self._work_per_s = self._n_operations = 0
        self._limits = []
        self.n_bytes = 0

    def __call__(self, number, network):
        """Return the program of a network that is otherwise complete."""
        checked = check_program(
            self._read(number),
            shape=network.input_shape,
            n_species=len(network.species),
            frame_scores=network.frame_scores,
        )
        grid, passes = network.format.grid, 1 + len(network.tta_shifts_s)
        step_s = grid.segment_s * (1 - grid.overlap) * network.input_shape[0]
        self.n_bytes += checked.n_bytes
        needed = -(-self.n_bytes // _WORKING_SHARE)
        if self._max_bytes is not None and needed > self._max_bytes:
            raise ModelFileError(
                f"{self._path} is not loaded: batches of {network.input_shape[0]} "
                f"segments need {self.n_bytes >> 20} MiB of memory, more than "
                f"{_WORKING_SHARE} times max_bytes={self._max_bytes}. {RAISE_IT}"
            )
        self._work += checked.work * passes
        self._work_per_s += checked.work * passes / step_s
        for what, work, most in (
            ("second of sound", self._work_per_s, _MAX_WORK_PER_S),
            ("batch", self._work, _MAX_WORK),
        ):
            if work > most:
                raise ProgramError(
                    f"a {what} needs {work:.0e} multiplications, more than {most:.0e}"
                )
        self._n_operations += checked.n_operations
        if self._n_operations > _MAX_OPERATIONS:
            raise ProgramError(
                f"its networks have more than {_MAX_OPERATIONS} operations together"
            )
        network._limits = Limits(checked.shapes, most_streams=1)
        self._limits.append(network._limits)
        return checked.program

    def limit_streams(self):
        """Let engines compute as many batches at a time as there may be memory for."""
        most = _WORKING_SHARE * self._max_bytes // max(self.n_bytes, 1)
        for limits in self._limits:
            limits.most_streams = max(most, 1)


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


def _fingerprint(data):
    """Return the number of rows and a hash that tells the same rows by."""
    table = data
    if not isinstance(data, pd.DataFrame):
        table = check_rows(data, input_name="data")[["path"]]
    text = table.astype(str).assign(path=[Path(p).name for p in table["path"]])
    hashes = pd.util.hash_pandas_object(text, index=False).to_numpy()
    digest = hashlib.sha256(np.sort(hashes).tobytes()).hexdigest()
    files = base64.b64encode(np.unique(_hash_names(table["path"])).tobytes())
    return {"n_rows": len(table), "sha256": digest, "files": files.decode()}


def _hash_names(paths):
    """Hash the names of files, with that of their folder, to 32 bits each."""
    # Recordings of each species are often numbered from 1.
    names = ["/".join(Path(path).absolute().parts[-2:]) for path in paths]
    digests = [blake2b(os.fsencode(name), digest_size=4) for name in names]
    return np.frombuffer(b"".join(d.digest() for d in digests), dtype="<u4")


def _version(package):
    try:
        return version(package)
    except PackageNotFoundError:
        return None
