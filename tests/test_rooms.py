"""Rooms import from those below them, and only what these give out."""

import ast
import importlib
import inspect
import re
from pathlib import Path

import pytest
from sklearn.base import BaseEstimator

import skbird

PACKAGE = Path(skbird.__file__).parent
# What each room may import from; all may import from utils. DESIGN: arrows point one
# way, metrics know nothing but arrays, meta-estimators nothing but the contract.
ARROWS = {
    "audio": set(),
    "metrics": set(),
    "base": {"metrics"},
    "data": {"audio"},
    "datasets": {"audio", "data"},
    "preprocessing": {"audio", "data"},
    "encoders": {"audio", "base", "data", "metrics", "preprocessing"},
    "nn": {"audio", "base", "data", "encoders", "metrics", "preprocessing"},
    "compose": {"base", "data"},
    "semi_supervised": {"base"},
    "active": {"metrics"},
    "ensemble": {"base", "metrics"},
    "postprocessing": {"base", "encoders", "metrics"},
    "recipes": {"encoders", "nn", "postprocessing", "preprocessing", "semi_supervised"},
    "annotations": {"audio", "data"},
    "model_selection": {"audio", "data", "metrics"},
    "archive": {"audio", "data", "ensemble"},
    "survey": {"annotations", "audio", "data", "inspection"},
    "inspection": {
        "annotations",
        "audio",
        "data",
        "encoders",
        "metrics",
        "model_selection",
        "nn",
        "preprocessing",
    },
    "reports": {
        "audio",
        "compose",
        "data",
        "inspection",
        "metrics",
        "model_selection",
        "preprocessing",
        "survey",
    },
    "review": {"annotations", "archive", "audio", "data", "preprocessing"},
    "inference": {
        "audio",
        "base",
        "compose",
        "data",
        "encoders",
        "ensemble",
        "nn",
        "postprocessing",
        "preprocessing",
        "semi_supervised",
    },
    "cli": {
        "annotations",
        "archive",
        "audio",
        "data",
        "datasets",
        "encoders",
        "inference",
        "inspection",
        "metrics",
        "model_selection",
        "nn",
        "postprocessing",
        "preprocessing",
        "recipes",
        "reports",
        "review",
        "survey",
    },
    "utils": set(),
    "estimator_checks": {"audio", "base", "data", "metrics", "preprocessing"},
}
MOST_SHARE = 0.12  # of all lines
MOST_LINES = 400  # of a file
COMPAT = "_sklearn_compat.py"


def room_of(path):
    """Return the room that a file lies in; the checks are one by themselves."""
    parts = path.relative_to(PACKAGE).parts[:-1]
    return "estimator_checks" if "estimator_checks" in parts else (*parts, "")[0]


FILES = [path for path in sorted(PACKAGE.rglob("*.py")) if room_of(path)]


def imports_of(path):
    """Yield (line, room, module, name) of each import of another room."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            found = [(node.module or "", alias.name) for alias in node.names]
        elif isinstance(node, ast.Import):
            found = [(alias.name, "") for alias in node.names]
        else:
            continue
        for module, name in found:
            package, *inside = module.split(".")
            if package != "skbird" or not inside:
                continue
            room = "estimator_checks" if "estimator_checks" in inside else inside[0]
            if room != room_of(path):
                yield node.lineno, room, inside[1:], name


def test_every_room_has_its_arrows():
    rooms = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert rooms | {"estimator_checks"} == set(ARROWS)


def test_arrows_point_down():
    below = dict(ARROWS)
    while below:
        lowest = [room for room, others in below.items() if not others & set(below)]
        assert lowest, f"a circle among {sorted(below)}"
        for room in lowest:
            del below[room]


@pytest.mark.slow
@pytest.mark.parametrize("room", ARROWS)
def test_a_room_imports_what_is_below_it_from_its_door(room):
    wrong = []
    for path in FILES:
        if room_of(path) != room:
            continue
        for line, other, inside, name in imports_of(path):
            is_allowed = other == "utils" or other in ARROWS[room]
            is_private = other not in {"utils", "estimator_checks"} and any(
                part.startswith("_") for part in [*inside, name]
            )
            if not is_allowed or is_private:
                wrong.append(f"{path.name}:{line} {other} {name}")
    assert not wrong


def is_private(name):
    return name.startswith("_") and not name.startswith("__")


def is_own(node):
    """Return whether an expression is the object that a method is of, or its class."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return node.func.id in ("super", "type")
    return isinstance(node, ast.Name) and node.id in ("self", "cls")


def private_definitions(tree):
    """Yield private names of functions and classes, and of what objects have."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names = [node.name]
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            names = [node.attr] if is_own(node.value) else []
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names = [node.id]
        else:
            continue
        yield from filter(is_private, names)


def private_uses(tree):
    """Yield (line, name) of each private attribute of another object."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            owner, name = node.value, node.attr
        elif (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in ("getattr", "hasattr", "setattr", "delattr")
            and isinstance(node.args[1], ast.Constant)
        ):
            owner, name = node.args[0], node.args[1].value
        else:
            continue
        if is_private(name) and not is_own(owner):
            yield node.lineno, name


def test_private_attributes_are_told_from_ones_own():
    source = """
net._map(X)
getattr(net, "_map", None)
net.module_._steps = 1
self._own(), super()._own(), type(self)._own, net.__class__, net.public
hasattr(self, "_own")
"""
    assert sorted(private_uses(ast.parse(source))) == [
        (2, "_map"),
        (3, "_map"),
        (4, "_steps"),
    ]
    source = """
class Net:
    _constant = 1

    def _map(self):
        self._state = 2
        other._state_of_another = 3
"""
    assert set(private_definitions(ast.parse(source))) == {
        "_constant",
        "_map",
        "_state",
    }


# A private name that two rooms have passes: what an object is, the source does not say.
@pytest.mark.slow
def test_private_attributes_are_used_in_their_room():
    trees = {path: ast.parse(path.read_text()) for path in FILES}
    owners = {}
    for path, tree in trees.items():
        for name in private_definitions(tree):
            owners.setdefault(name, set()).add(room_of(path))
    # scikit-learn's own come through _sklearn_compat, in utils.
    for name in filter(is_private, dir(BaseEstimator)):
        owners.setdefault(name, {"scikit-learn"})
    wrong = []
    for path, tree in trees.items():
        for line, name in private_uses(tree):
            rooms = owners.get(name, {room_of(path)})
            if not rooms & {room_of(path), "utils"} and path.name != COMPAT:
                wrong.append(f"{path.name}:{line} {name} of {', '.join(rooms)}")
    assert not wrong


def test_no_room_is_a_house():
    lines = dict.fromkeys(ARROWS, 0)
    for path in FILES:
        lines[room_of(path)] += len(path.read_text().splitlines())
    whole = sum(lines.values())
    too_large = {room for room, n in lines.items() if n > MOST_SHARE * whole}
    assert not too_large, {room: lines[room] / whole for room in too_large}


def test_every_file_is_read_in_one_sitting():
    lines = {path.name: len(path.read_text().splitlines()) for path in FILES}
    assert {name: n for name, n in lines.items() if n > MOST_LINES} == {}


def test_private_names_of_scikit_learn_come_through_one_file():
    private = re.compile(r"^\s*(from|import) sklearn(\.[a-z_]+)*\._", re.MULTILINE)
    files = [path for path in PACKAGE.rglob("*.py") if private.search(path.read_text())]
    assert [path.name for path in files] == [COMPAT]


def without_examples():
    for room in sorted(ARROWS.keys() - {"estimator_checks"}):
        module = importlib.import_module(f"skbird.{room}")
        for name in getattr(module, "__all__", ()):
            thing = getattr(module, name)
            if not (inspect.isclass(thing) or inspect.isfunction(thing)):
                continue  # scorers are objects
            if ">>>" not in (thing.__doc__ or ""):
                yield f"{room}.{name}"


# Of the checks for estimators, the example stands in their module's docstring.
def test_everything_public_has_an_example():
    # `main` is the command line, whose examples are in docs/command_line.md.
    assert set(without_examples()) <= {"cli.main"}
