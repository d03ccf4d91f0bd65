"""What skbird gives out: each public class, method and function, by its full name."""

import importlib
import inspect
import pkgutil

import skbird


def rooms():
    """Return the names of the public modules."""
    found = pkgutil.walk_packages(skbird.__path__, "skbird.")
    names = [module.name for module in found]
    return [name for name in names if "._" not in name]


def public_callables():
    """Return a dict of name to class, method of a public class, or function."""
    found = {}
    for room in rooms():
        module = importlib.import_module(room)
        for name in getattr(module, "__all__", []):
            member = getattr(module, name)
            if not callable(member):
                continue
            found[f"{room}.{name}"] = member
            if inspect.isclass(member):
                found |= {
                    f"{room}.{name}.{key}": method
                    for key, method in inspect.getmembers(member, callable)
                    if not key.startswith("_") and _is_ours(method)
                }
    return found


def signature_of(member):
    """Return the signature, or None of what Python itself defines."""
    try:
        return inspect.signature(member)
    except ValueError:
        return None


def _is_ours(method):
    return (getattr(method, "__module__", None) or "").startswith("skbird")
