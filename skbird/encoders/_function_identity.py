"""What tells a function from another of the same name, for caches."""

from functools import partial
from inspect import ismodule
from types import CodeType, MethodType
from uuid import uuid4

import joblib


def function_identity(function):
    """Return a text that changes with what a function computes.

    Its code counts, and what it uses: defaults, variables around it, functions and
    objects of its module, methods of its object. Of functions in other modules only
    their own code does. Names of files and numbers of lines do not.

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
        holder = value.__self__
        kind = holder if isinstance(holder, type) else type(holder)
        return [_parts(value.__func__, seen), _methods(kind, seen), holder]
    if isinstance(value, partial):
        return [_parts(value.func, seen), value.args, value.keywords]
    code = _code(value)
    if code is None:
        return [_methods(type(value), seen), value] if callable(value) else value
    if id(value) in seen:
        return value.__qualname__
    seen.add(id(value))
    names = _names(code)
    cells = [cell.cell_contents for cell in value.__closure__ or ()]
    used = [value.__globals__[n] for n in names if n in value.__globals__]
    around = [_parts(v, seen) for v in (*cells, *used) if not ismodule(v)]
    reached = [getattr(m, n, None) for m in filter(ismodule, used) for n in names]
    away = [_plain(code) for code in map(_code, reached) if code is not None]
    return [_plain(code), value.__defaults__, value.__kwdefaults__, around, away]


def _methods(kind, seen):
    """Return what a class has: methods and values; of bases elsewhere methods' code."""
    parts = []
    for base in kind.__mro__:
        own = base.__module__ == kind.__module__
        for name, member in sorted(vars(base).items()):
            method = getattr(member, "__func__", getattr(member, "fget", member))
            if _code(method) is not None:
                found = _parts(method, seen) if own else _plain(_code(method))
                parts.append((name, found))
            elif own and not name.startswith("__") and not hasattr(member, "__get__"):
                parts.append((name, member))
    return parts


def _code(value):
    code = getattr(value, "__code__", None)
    return code if isinstance(code, CodeType) else None


def _inner(code):
    return [c for c in code.co_consts if isinstance(c, CodeType)]


def _names(code):
    """Return the names that code looks up, also within functions in it."""
    return sorted({*code.co_names, *(n for c in _inner(code) for n in _names(c))})


def _plain(code):
    constants = [repr(c) for c in code.co_consts if not isinstance(c, CodeType)]
    return [code.co_code, code.co_names, constants, [_plain(c) for c in _inner(code)]]
