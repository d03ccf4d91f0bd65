"""Wrong arguments of public functions are refused in our words, not in numpy's."""

import importlib
import inspect
import pkgutil
import re
import warnings

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
from validation_cases import EXCUSED, make_cases

import skbird
from skbird.audio import AudioReadError

matplotlib.use("Agg")

WRONG = {
    "None": None,
    "text": "text",
    "bytes": b"bytes",
    "-1": -1,
    "0": 0,
    "1.5": 1.5,
    "huge": 10**30,
    "nan": float("nan"),
    "inf": float("inf"),
    "complex": 1j,
    "[]": [],
    "{}": {},
    "set": {1, 2},
    "object": object(),
    "texts": np.array(["a", "b", "c", "d"]),
    "ragged": [[1], [2, 3]],
    "class": int,
}
# What finds most of what the others find.
FEW = ["None", "text", "-1", "nan", "huge", "[]", "object", "ragged"]
# A file that is not what it should be is named, not the parameter.
PATHS = {"path", "paths", "root", "source"}
# All cores are right, and would start a process for each.
RIGHT = {("n_jobs", "-1")}
# Errors of Python, numpy, pandas and others that do not know our parameters.
RAW = re.compile(
    "not supported between|has no attribute|could not be broadcast|[Cc]annot convert|"
    "is not subscriptable|invalid literal|unhashable|truth value|unsupported operand|"
    "is not iterable|has no len|not callable|must be real number|could not convert|"
    "not JSON serializable|cannot unpack|not enough values|too large to convert|"
    "out of bounds|inhomogeneous|as an integer|must be str|unexpected keyword|"
    "can't multiply|ufunc|Invalid file|takes .* positional|expected str, bytes or|"
    "zero-size array|setting an array element"
)


def public_functions():
    """Yield the public name of each public function, and ``from_...`` of classes."""
    for module in pkgutil.walk_packages(skbird.__path__, "skbird."):
        if "._" in module.name:
            continue
        package = importlib.import_module(module.name)
        for name in getattr(package, "__all__", ()):
            thing = getattr(package, name)
            if inspect.isclass(thing):
                yield from (
                    f"{module.name}.{name}.{made}"
                    for made, value in vars(thing).items()
                    if isinstance(value, classmethod) and made.startswith("from_")
                )
            elif callable(thing):
                yield f"{module.name}.{name}"


def parameters(case):
    """Return the names of what a function takes, in their order."""
    named = inspect.signature(case.function).parameters.values()
    named = [p.name for p in named if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL)]
    names = dict.fromkeys([*named, *case.arguments])
    return [name for name in names if name not in case.handed_on]


def call(case, **arguments):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return case.function(**{**case.arguments, **arguments})
        finally:
            plt.close("all")


def complaint(case, name, label):
    """Return what is wrong with the answer to a wrong argument; None: nothing is."""
    try:
        call(case, **{name: WRONG[label]})
    except (OSError, AudioReadError) as exc:  # of a file, which they name
        return f"{type(exc).__name__}: {exc}" if RAW.search(str(exc)) else None
    except ImportError as exc:
        return None if "install" in str(exc) else f"ImportError: {exc}"
    except (ValueError, TypeError) as exc:
        if case.refused and re.search(case.refused, str(exc)):
            return None
        names_it = re.search(rf"\b{name}\b", str(exc))
        if label == "text" and name in PATHS:
            names_it = "text" in str(exc)
        if RAW.search(str(exc)) or not names_it:
            return f"{type(exc).__name__}: {exc}"
    except Exception as exc:
        return f"{type(exc).__name__}: {exc}"
    return None


@pytest.fixture(scope="module")
def cases(tmp_path_factory):
    return make_cases(tmp_path_factory.mktemp("validation"))


@pytest.mark.slow
def test_every_public_function_has_a_case(cases):
    missing = [
        name for name in public_functions() if name not in cases and name not in EXCUSED
    ]
    assert not missing


@pytest.mark.slow
@pytest.mark.parametrize(
    "labels", [FEW, pytest.param([*WRONG], marks=pytest.mark.thorough)], ids=len
)
@pytest.mark.parametrize("name", sorted(set(public_functions()) - set(EXCUSED)))
def test_wrong_arguments_are_named(cases, name, labels, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # "text" may be a path to write to
    case = cases[name]
    for function in case.without:
        monkeypatch.setattr(function, lambda *args, **kwargs: [])
    if case.refused:
        with pytest.raises((ValueError, TypeError, ImportError), match=case.refused):
            call(case)
    else:
        call(case)
    complaints = {
        f"{parameter}={label}": complaint(case, parameter, label)
        for parameter in parameters(case)
        for label in labels
        if (parameter, label) not in RIGHT
    }
    assert not {wrong: text for wrong, text in complaints.items() if text}
