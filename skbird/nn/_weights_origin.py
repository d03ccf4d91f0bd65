"""Where the weights in a file come from, as the file itself says."""

import json
import warnings
from dataclasses import asdict, dataclass, field
from numbers import Real
from pathlib import Path

import numpy as np

import skbird
from skbird.utils._files import open_whole
from skbird.utils._names import one_line
from skbird.utils._say_once import say_once

# Fields of the format that must agree; segments may be of different lengths.
AXES = ("mel_hz", "frame_s", "normalize", "top_db")
_KEY = "skbird"  # of the metadata of a safetensors file
_UNKNOWN = "none stated"
_NOUNS = {list: "list", dict: "table", int: "whole number", Real: "number", str: "text"}


@dataclass(frozen=True)
class WeightsOrigin:
    """What a file of distilled weights says of itself.

    Parameters
    ----------
    backbone : str
        The network that they are of.
    teacher : dict
        ``name``, ``version`` and ``sha256`` of the teacher, as far as known.
    licenses : list of str
        Those of the weights that these are derived from.
    mel : dict
        Axes of the spectrograms that the network heard.
    n_rows : int
    hours : float
        What it was distilled on.
    skbird_version : str
    """

    backbone: str
    teacher: dict
    licenses: list
    mel: dict
    n_rows: int = 0
    hours: float = 0.0
    skbird_version: str = field(default=skbird.__version__)

    @property
    def license(self):
        """The terms that hold for the weights, as text."""
        return " and ".join(self.licenses) or _UNKNOWN

    def say(self, name):
        """Say once in a process under which terms the weights are."""
        text = (
            f"{name}: distilled from {self.teacher.get('name')}; license of the "
            f"weights that it is derived from: {self.license}"
        )
        say_once(one_line(text))

    def check_format(self, name, format):
        """Warn if a network is to hear other spectrograms than these weights did."""
        axes = _axes(format)
        differing = [key for key in axes if not _is_same(self.mel.get(key), axes[key])]
        if differing:
            warnings.warn(
                f"{name} was distilled on other spectrograms: they differ in "
                f"{', '.join(differing)}. Take the Resampler and LogMel that it was "
                "distilled with, or distil it anew.",
                stacklevel=5,
            )


def write_weights(path, state, origin):
    """Write the state dict of a backbone, and where it comes from.

    Parameters
    ----------
    path : path-like
    state : dict of str to tensor
    origin : WeightsOrigin
    """
    from safetensors.torch import save

    state = {name: value.contiguous().cpu() for name, value in state.items()}
    notes = {"format": "pt", _KEY: json.dumps(asdict(origin))}
    with open_whole(path, "wb") as file:
        file.write(save(state, metadata=notes))


def origin_of(path):
    """Return what a file of weights says of itself.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    WeightsOrigin or None
        None if it is of something else than `EmbeddingDistillation`.

    Raises
    ------
    ValueError
        If it was written by skbird, and what it says cannot be read.
    """
    from safetensors import SafetensorError, safe_open

    path = Path(path).expanduser()
    if path.suffix != ".safetensors" or not path.is_file():
        return None
    try:
        with safe_open(path, framework="numpy") as file:
            notes = (file.metadata() or {}).get(_KEY)
    except (SafetensorError, OSError):
        return None  # who reads the weights says what is wrong
    if notes is None:
        return None
    try:
        return _checked(WeightsOrigin(**json.loads(notes)))
    except (TypeError, ValueError, RecursionError) as exc:
        raise ValueError(
            f"What {str(path)!r} says of its origin cannot be read ({exc!s:.100}): it "
            "was changed, or is of another version of skbird."
        ) from exc


def is_file(weights):
    """Return whether `backbone_weights` names a file."""
    return weights not in (None, "pretrained")


def join_licenses(texts):
    """Return the terms that hold together as one text, each once.

    Parameters
    ----------
    texts : iterable of str or None

    Returns
    -------
    str or None
        None if there are none.
    """
    return " and ".join(split_licenses(texts)) or None


def split_licenses(texts):
    """List the terms that hold together, each once; see `join_licenses`."""
    parts = [part for text in texts if text is not None for part in text.split(" and ")]
    return list(dict.fromkeys(parts))


def terms_of(teachers):
    """List under which terms teachers are, those that `about_teacher` describes."""
    return [about["license"] or _UNKNOWN for about in teachers]


def say_origin(weights, format):
    """Say under which terms a file of distilled weights is, and if it does not fit.

    Parameters
    ----------
    weights : {"pretrained", None} or path
        What a network starts from.
    format : SpectrogramFormat
        What it will hear.

    Returns
    -------
    str or None
        The license of the weights that they are derived from; None if the file is not
        of distilled weights.
    """
    if not is_file(weights):
        return None
    origin = origin_of(weights)
    if origin is None:
        return None
    name = Path(weights).name
    origin.say(name)
    origin.check_format(name, format)
    return origin.license


def mel_of(format):
    """Return what tells spectrograms from others, as plain data."""
    return {**_axes(format), "segment_s": format.grid.segment_s}


def _axes(format):
    axes = {name: getattr(format, name) for name in AXES}
    return axes | {"mel_hz": [float(hz) for hz in format.mel_hz]}


def _is_same(said, value):
    if said is None or value is None or isinstance(value, str):
        return said == value
    try:
        said = np.asarray(said, float)
    except (TypeError, ValueError, OverflowError):  # the file of a stranger
        return False
    same_shape = said.shape == np.shape(value)
    return same_shape and bool(np.allclose(said, value, rtol=1e-4))


def _checked(origin):
    kinds = {"licenses": list, "teacher": dict, "mel": dict}
    kinds |= {"n_rows": int, "hours": Real, "backbone": str, "skbird_version": str}
    for name, kind in kinds.items():
        if not isinstance(getattr(origin, name), kind):
            raise TypeError(f"{name} is no {_NOUNS[kind]}")
    if not all(isinstance(text, str) for text in origin.licenses):
        raise TypeError("licenses is no list of texts")
    if not isinstance(origin.teacher.get("name"), str):
        raise TypeError("teacher has no name")
    return origin
