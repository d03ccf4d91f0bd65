"""Models in a file that can be opened without trusting who made it."""

import base64
import hashlib
import json
import os
import platform
import zipfile
from datetime import UTC, datetime
from hashlib import blake2b
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
import pandas as pd

import skbird
from skbird.utils._files import open_whole
from skbird.utils._rows import files_of_rows

_FORMAT = 1
_ABOUT, _MODEL = "skbird.json", "model.skops"
_PACKAGES = ("scikit-learn", "numpy", "openvino", "onnxruntime", "skops")


class ModelFileError(ValueError):
    """A file is no model of skbird, is damaged, or is from a version that differs."""


def save_model(model, path, *, metrics=None, data=None, licence=None, notes=None):
    """Write a compiled model to one file.

    Parameters
    ----------
    model : estimator
        What `compile_pipeline` made.
    path : str or path-like
        The file, by convention ``.skbird``. It appears when it is complete.
    metrics : dict, default=None
        How good it is, such as ``{"macro_roc_auc": 0.93}``.
    data : DataFrame or sequence of paths, default=None
        The rows it was trained on, of which the number, a fingerprint and hashes of
        the names of files are kept (see `trained_on`).
    licence : str, default=None
        Under which others may use it.
    notes : str, default=None
        Whatever they should know.

    Raises
    ------
    TypeError
        If the model was not compiled, or holds what cannot be stored safely.

    See Also
    --------
    load_model : The way back.

    Notes
    -----
    The file is a zip archive: ``skbird.json`` for people and other programs, and
    ``model.skops``, in which skops keeps parameters as JSON and the networks as ONNX.
    """
    import skops.io

    payload = skops.io.dumps(model)
    _check_types(payload, TypeError, f"{type(model).__name__} cannot be stored safely")
    about = {
        "format": _FORMAT,
        "skbird": skbird.__version__,
        "versions": {name: _version(name) for name in _PACKAGES},
        "python": platform.python_version(),
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "species": np.asarray(model.species_).tolist(),
        "model": repr(model),
        "max_difference": getattr(model, "max_difference_", None),
        "metrics": metrics or {},
        "data": None if data is None else _fingerprint(data),
        "licence": licence,
        "notes": notes,
        "sha256": hashlib.sha256(payload).hexdigest(),
    }
    text = json.dumps(about, indent=2, ensure_ascii=False)
    with open_whole(path, "wb") as file, zipfile.ZipFile(file, "w") as archive:
        archive.writestr(_ABOUT, text)
        archive.writestr(_MODEL, payload)


def load_model(path):
    """Read a model that `save_model` wrote, without running code from the file.

    Only classes of skbird, scikit-learn and numpy are made from it. That keeps a model
    of a stranger from doing anything but predict, perhaps badly.

    Parameters
    ----------
    path : str or path-like

    Returns
    -------
    model : estimator
        With the attribute ``about_``: a dict of what `save_model` noted.

    Raises
    ------
    ModelFileError
        If the file is no model, is damaged, is of a later format, or holds other
        classes.
    """
    import skops.io

    about, payload = _read(path)
    _check_types(payload, ModelFileError, f"{path} is not loaded")
    try:
        model = skops.io.loads(payload, trusted=_types(payload))
    except Exception as exc:
        raise ModelFileError(
            f"{path} was written by skbird {about['skbird']} with {about['versions']} "
            f"and does not load with skbird {skbird.__version__}: {exc}. Install those "
            "versions, or compile and save the model anew."
        ) from exc
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
    """
    data = getattr(model, "about_", {}).get("data") or {}
    files = np.frombuffer(base64.b64decode(data.get("files", "")), dtype="<u4")
    return np.isin(_hash_names(files_of_rows(X)), files)


def _read(path):
    """Return what is said of the model, and its bytes, once they have been checked."""
    try:
        with zipfile.ZipFile(path) as archive:
            about = json.loads(archive.read(_ABOUT))
            payload = archive.read(_MODEL)
            found, written = about["format"], about["sha256"]
    except FileNotFoundError:
        raise
    except (zipfile.BadZipFile, KeyError, TypeError, ValueError) as exc:
        raise ModelFileError(
            f"{path} is no model file of skbird, or it is damaged ({exc}). Files of "
            "save_model have the members skbird.json and model.skops."
        ) from exc
    if found != _FORMAT:
        raise ModelFileError(
            f"{path} has format {found}, written by skbird {about.get('skbird')}; this "
            f"is skbird {skbird.__version__}, which reads format {_FORMAT}. Install "
            "that version, or save the model anew."
        )
    if hashlib.sha256(payload).hexdigest() != written:
        raise ModelFileError(
            f"{path}: model.skops is not what save_model wrote (its SHA-256 differs). "
            "Get the file anew from where it came from."
        )
    return about, payload


def _types(payload):
    import skops.io

    return skops.io.get_untrusted_types(data=payload)


def _check_types(payload, error, message):
    """Complain of classes that are neither skbird's nor known to be harmless."""
    foreign = [name for name in _types(payload) if not name.startswith("skbird.")]
    if foreign:
        raise error(
            f"{message}: it holds {', '.join(foreign)}. Only compiled models "
            "(skbird.inference.compile_pipeline) of skbird's own steps can be kept in "
            "this kind of file; use pickle for others, among people you trust."
        )


def _fingerprint(data):
    """Return the number of rows and a hash that tells the same rows by."""
    table = data if isinstance(data, pd.DataFrame) else pd.DataFrame({"path": data})
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
