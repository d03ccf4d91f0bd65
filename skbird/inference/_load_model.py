"""Read a model from a file without trusting who made it."""

import os
from numbers import Integral

import skbird
from skbird.inference._description import build
from skbird.inference._fields import FieldError
from skbird.inference._model_archive import MODEL, ModelArchive, ModelFileError
from skbird.inference._program_limits import MAX_BYTES, LimitedPrograms
from skbird.utils._params import check_params, check_path
from skbird.utils._sklearn_compat import Interval

_BYTES = Interval(Integral, 1, None, closed="left")


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
        It has an attribute ``about_``: a dict of metadata, such as ``metrics``,
        ``license``, ``versions`` and ``created``.

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
    >>> net = CNNClassifier("test_efficientnet", backbone_weights=None, max_epochs=1,
    ...                     random_state=0, verbose=0)
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
            programs = LimitedPrograms(archive.read_network, path, max_bytes)
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
