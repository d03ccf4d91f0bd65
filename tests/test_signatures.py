"""Public signatures say what they take and what they return."""

import importlib
import inspect

import pytest

ROOMS = ["annotations", "archive", "audio", "data", "metrics"]


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
