"""Public signatures say what they take and what they return."""

import importlib
import inspect
import re

import pytest

from skbird.nn import CNNClassifier, SEDClassifier
from skbird.nn._shared_parameters import with_parameters_of

ROOMS = ["annotations", "archive", "audio", "data", "metrics", "survey"]


def functions_of(name, thing):
    """Yield the functions of something public, and what to call them."""
    if inspect.isfunction(thing):
        yield name, thing
    elif inspect.isclass(thing):
        for attribute, member in vars(thing).items():
            if isinstance(member, property):
                member = member.fget
            member = inspect.unwrap(getattr(member, "__func__", member))
            is_own = getattr(member, "__module__", "").startswith("skbird.")
            is_public = attribute[0] != "_" or attribute in ("__init__", "__call__")
            if inspect.isfunction(member) and is_own and is_public:
                yield f"{name}.{attribute}", member


def without_hints(name, function):
    signature = inspect.signature(function)
    for parameter in signature.parameters.values():
        is_bare = parameter.annotation is inspect.Parameter.empty
        if is_bare and parameter.name not in ("self", "cls"):
            yield f"{name}: {parameter.name}"
    if signature.return_annotation is inspect.Signature.empty:
        yield f"{name}: its result"


@pytest.mark.parametrize("room", ROOMS)
def test_everything_public_has_hints(room):
    module = importlib.import_module(f"skbird.{room}")
    things = [(name, getattr(module, name)) for name in module.__all__]
    functions = [pair for thing in things for pair in functions_of(*thing)]
    assert functions
    assert [bare for pair in functions for bare in without_hints(*pair)] == []


def documented(cls, title):
    """Return the names that a section of a docstring lists, in order."""
    text = inspect.getdoc(cls).partition(f"\n{title}\n{'-' * len(title)}\n")[2]
    entries = re.split(r"\n\n|\Z", text)[0]
    return re.findall(r"^\**(\w+)", entries, re.MULTILINE)


@pytest.mark.parametrize("network", [CNNClassifier, SEDClassifier])
def test_networks_document_all_that_their_signature_has(network):
    names = list(inspect.signature(network).parameters)
    assert documented(network, "Parameters") == names
    assert "history_" in documented(network, "Attributes")


def test_networks_share_parameters_and_defaults():
    cnn, sed = (inspect.signature(n).parameters for n in (CNNClassifier, SEDClassifier))
    alone = {"attention", "step_pooling", "frame_scores"}
    assert sed.keys() - cnn.keys() == alone
    differing = {name for name in cnn if cnn[name] != sed[name]}
    assert differing == {"module"}
    assert list(sed)[:2] == ["backbone", "attention"]  # both may be positional


class Base:
    """Take a and b.

    Parameters
    ----------
    a : int
        The first.

        It is positional.
    b : int, default=1
        The second.
    **kwargs
        All others.

    Attributes
    ----------
    c_ : int
    """

    def __init__(self, a, *, b=1, **kwargs):
        self.given = a, b, kwargs


@with_parameters_of(Base)
class Own(Base):
    """Take d, too.

    Parameters
    ----------
    d : int, default=3
        The third.
    b : int, default=2
        Another second.

    Examples
    --------
    >>> 1
    1
    >>> 2
    2
    """

    def __init__(self, a, *, d=3, b=2, **kwargs):
        super().__init__(a, b=b, **kwargs)


def test_parameters_are_completed_and_not_replaced():
    assert str(inspect.signature(Own)) == "(a, *, d=3, b=2, **kwargs)"
    assert Own(0, e=4).given == (0, 2, {"e": 4})
    assert (
        Own.__doc__
        == """Take d, too.

Parameters
----------
a : int
    The first.

    It is positional.
d : int, default=3
    The third.
b : int, default=2
    Another second.
**kwargs
    All others.

Attributes
----------
c_ : int

Examples
--------
>>> 1
1
>>> 2
2"""
    )
