"""What tells a function from another of the same name, for caches."""

from functools import partial
from inspect import ismodule
from types import CodeType, MethodType
from uuid import uuid4

import joblib


def function_identity(function):
    """Return a text that changes with what a function computes.

    Its code counts, and all that it uses: defaults, variables around it, functions and
    objects of its module. Names of files and numbers of lines do not.

    Parameters
    ----------
    function : callable

    Returns
    -------
    str
        Random if it cannot be told: then nothing cached is taken for its own.
    """
    try:
        return joblib.hash(_parts(function, set()))
    except Exception:  # of whatever an object forbids to pickle
        return uuid4().hex


def _parts(value, seen):
    if isinstance(value, MethodType):  # of an object, whose state counts
        return [_parts(value.__func__, seen), value.__self__]
    if isinstance(value, partial):
        return [_parts(value.func, seen), value.args, value.keywords]
    code = getattr(value, "__code__", None)
    if not isinstance(code, CodeType):
        calls = [
            vars(c)["__call__"] for c in type(value).__mro__ if "__call__" in vars(c)
        ]
        called = getattr(calls[0], "__code__", None) if calls else None
        return [_plain(called), value] if isinstance(called, CodeType) else value
    if id(value) in seen:
        return value.__qualname__
    seen.add(id(value))
    cells = [cell.cell_contents for cell in value.__closure__ or ()]
    used = [value.__globals__[n] for n in _names(code) if n in value.__globals__]
    around = [_parts(v, seen) for v in (*cells, *used) if not ismodule(v)]
    return [_plain(code), value.__defaults__, value.__kwdefaults__, around]


def _inner(code):
    return [c for c in code.co_consts if isinstance(c, CodeType)]


def _names(code):
    """Return the names that code looks up, also within functions in it."""
    return sorted({*code.co_names, *(n for c in _inner(code) for n in _names(c))})


def _plain(code):
    constants = [repr(c) for c in code.co_consts if not isinstance(c, CodeType)]
    return [code.co_code, code.co_names, constants, [_plain(c) for c in _inner(code)]]
