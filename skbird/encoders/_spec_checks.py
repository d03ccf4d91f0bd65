"""What a spec of a pretrained model may say; it may be a stranger's."""

import re
from numbers import Integral, Real
from pathlib import PurePosixPath, PureWindowsPath

from skbird.utils._sklearn_compat import Interval
from skbird.utils._text import one_line

FINITE = Interval(Real, None, None, closed="neither")
SCALE = Interval(Real, 1e-9, 1e9, closed="both")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_MOST_SAMPLES = 10_000_000  # of a window
_MOST_STEPS = 1000  # of a window
_MOST_CHARACTERS = 1000
_TEXTS = (
    "version",
    "input_name",
    "labels_column",
    "taxonomy",
    "license",
    "package",
    "package_folder",
    "url",
    "homepage",
)


def check_name(name):
    """Raise ValueError if a model may not be called so: a folder is."""
    if not re.fullmatch(r"\w[\w.+-]{0,79}", name):
        raise ValueError(
            f"name={name!r:.100} must be letters, digits and any of . + - _, and begin "
            "with a letter or digit."
        )


def is_plain(name):
    """Return whether a name is that of a file, in any system, and nothing else."""
    return re.fullmatch(r"\w[\w.+ -]{0,199}", name) is not None


def check_text(name, value):
    """Raise ValueError if a text is no short line: it is printed."""
    if value is None:
        return
    if len(value) > _MOST_CHARACTERS or one_line(value) != value:
        raise ValueError(
            f"{name}={value!r:.60} must be one line of at most {_MOST_CHARACTERS} "
            "characters."
        )


def check_together(spec):
    """Raise an error if what a spec says does not go together.

    Parameters
    ----------
    spec : EncoderSpec
        Each value is of the right type.
    """
    _check_times(spec)
    _check_input(spec)
    check_places(spec)
    names = spec.class_names
    if not all(isinstance(name, str) for name in names):
        raise TypeError("class_names must be texts.")
    if names and "scores" not in spec.outputs:
        raise ValueError("class_names are given, but outputs has no 'scores'.")
    if names and len(names) != spec.outputs["scores"].shape[-1]:
        raise ValueError(
            f"{len(names)} class_names are given for "
            f"{spec.outputs['scores'].shape[-1]} scores."
        )


def _check_times(spec):
    n_samples = spec.window_s * spec.sample_rate
    if not 0.5 < n_samples <= _MOST_SAMPLES:
        raise ValueError(
            f"window_s={spec.window_s:g} at sample_rate={spec.sample_rate} are "
            f"{n_samples:,.0f} samples; a window has 1 to {_MOST_SAMPLES:,}."
        )
    if spec.step_s is not None:
        check_step(spec.step_s, spec.window_s)


def check_step(step_s, window_s):
    """Raise ValueError if windows would be too many to compute."""
    if step_s < window_s / _MOST_STEPS:
        raise ValueError(
            f"step_s={step_s:g} must be {window_s / _MOST_STEPS:g} or more, a part in "
            f"{_MOST_STEPS} of window_s={window_s:g}."
        )


def _check_input(spec):
    shape = spec.input_shape
    sizes = shape[1:]
    if spec.front_end == "samples":
        fits = sizes.count("samples") == 1 and all(n in ("samples", 1) for n in sizes)
    else:
        fits = all(isinstance(n, Integral) and 1 <= n <= 10_000 for n in sizes)
    if shape[:1] != ("batch",) or not 2 <= len(shape) <= 6 or not fits:
        raise ValueError(
            f"input_shape={list(shape)!r:.100} must be such as ['batch', 'samples'] or "
            "['batch', 1, 'samples'], and with another front_end than 'samples' "
            "'batch' and whole numbers."
        )


def check_places(spec):
    """Raise ValueError if a spec, of any kind, names what is no file of its own.

    Parameters
    ----------
    spec : EncoderSpec or GeoModelSpec
    """
    check_name(spec.name)
    for name in _TEXTS:
        check_text(name, getattr(spec, name, None))
    for name in ("sha256", "labels_sha256"):
        value = getattr(spec, name)
        if value is not None and not _SHA256.fullmatch(value):
            raise ValueError(
                f"{name}={value!r:.80} must be 64 of the digits 0-9 and a-f."
            )
    for name in ("file", "labels_file"):
        value = getattr(spec, name)
        if value is not None and not is_plain(value):
            raise ValueError(
                f"{name}={value!r:.100} must be the name of a file beside the spec, "
                "without a folder."
            )
    if spec.package is not None and not re.fullmatch(r"[A-Za-z]\w*", spec.package):
        raise ValueError(f"package={spec.package!r:.100} must be the name of one.")
    folder = spec.package_folder
    outside = any(
        kind(folder).anchor or ".." in kind(folder).parts
        for kind in (PurePosixPath, PureWindowsPath)
    )
    if outside:
        raise ValueError(
            f"package_folder={folder!r:.100} must be a folder within the package."
        )
