"""What tells a function from another of the same name, for caches."""

import sys
import warnings
from functools import cache, lru_cache
from inspect import ismodule
from pathlib import Path
from types import CodeType, FunctionType, MethodType
from uuid import uuid4

from joblib.hashing import NumpyHasher

_CACHED = type(lru_cache(len))
_INSTALLED = {"site-packages", "dist-packages"}
_OF_ABC = "_abc_impl"  # which remembers what it was asked


def function_identity(function):
    """Return a text that changes with what a function computes.

    Its code counts, and what it uses, however it comes to it: defaults, variables
    around it, functions, classes and objects of its module and of others. Of installed
    packages only the code of what it names does. Names of files and numbers of lines
    do not.

    Parameters
    ----------
    function : callable

    Returns
    -------
    str
        Random if it cannot be told: then nothing cached is taken for its own.
    """
    try:
        return _Hasher().hash(function)
    except Exception:  # of whatever an object forbids to pickle
        return uuid4().hex


class _Hasher(NumpyHasher):
    """Hash functions and classes by what is in them, where pickle would by name."""

    def __init__(self):
        super().__init__()
        self._seen = {}

    def save(self, obj):
        """Write an object, or what stands for it."""
        if isinstance(obj, MethodType):  # of an object, whose state counts
            obj = ("method", obj.__func__, obj.__self__)
        elif isinstance(obj, frozenset):  # has another order in each process
            obj = ("frozenset", set(obj))
        elif isinstance(obj, _CACHED):
            obj = ("cached", obj.__wrapped__)
        elif isinstance(obj, FunctionType | type):
            obj = self._parts(obj)
        super().save(obj)

    def _parts(self, value):
        if id(value) in self._seen:
            return self._seen[id(value)][0]
        # It is kept, so that its id stays its own.
        self._seen[id(value)] = len(self._seen), value
        if isinstance(value, type):
            return [f"{value.__module__}.{value.__qualname__}", *_members(value)]
        if _is_installed(value.__module__):
            return _plain(value.__code__)
        used = [item for item in _used(value) if not ismodule(item)]
        return [_plain(value.__code__), value.__defaults__, value.__kwdefaults__, used]


def _used(function):
    """Return what a function finds around itself, and in modules."""
    names = _names(function.__code__)
    used = [cell.cell_contents for cell in function.__closure__ or ()]
    around = function.__globals__
    used += [around[name] for name in names if name in around]
    reached = [_look_up(module, n) for module in filter(ismodule, used) for n in names]
    return used + [item for item in reached if isinstance(item, FunctionType | type)]


def _look_up(module, name):
    """Return what a module has under a name, which may be that of something else."""
    try:
        with warnings.catch_warnings(action="ignore"):
            return getattr(module, name, None)
    except Exception:  # of what is loaded when it is asked for
        return None


def _members(kind):
    """Return what a class has: methods and values; of installed ones their code."""
    parts = []
    for base in kind.__mro__:
        installed = _is_installed(base.__module__)
        members = {name: m for name, m in vars(base).items() if name != _OF_ABC}
        for name, member in sorted(members.items()):
            method = _function_of(member)
            if method is not None:
                parts.append((name, _plain(method.__code__) if installed else method))
            elif not installed and not name.startswith("__") and _has_state(member):
                parts.append((name, member))
    return parts


def _function_of(member):
    for name in ("__func__", "fget", "func"):  # of methods of classes, of properties
        member = getattr(member, name, member)
    return member if isinstance(member, FunctionType) else None


def _has_state(member):
    # Those of C are slots and the like.
    return not hasattr(member, "__get__") or hasattr(member, "__dict__")


@cache
def _is_installed(module):
    """Return whether a module comes with Python, skbird or an installed package."""
    top = str(module).partition(".")[0]
    if top in sys.stdlib_module_names or top == __name__.partition(".")[0]:
        return True
    file = getattr(sys.modules.get(module), "__file__", None)
    if file is None or module == "__main__":  # whatever program runs it
        return False
    return not _INSTALLED.isdisjoint(Path(file).parts)


def _inner(code):
    return [c for c in code.co_consts if isinstance(c, CodeType)]


def _names(code):
    """Return the names that code looks up, also within functions in it."""
    return sorted({*code.co_names, *(n for c in _inner(code) for n in _names(c))})


def _plain(code):
    constants = [c for c in code.co_consts if not isinstance(c, CodeType)]
    return [code.co_code, code.co_names, constants, [_plain(c) for c in _inner(code)]]
