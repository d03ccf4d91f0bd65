"""Write a page of the API reference for each room, from what the room gives out."""

import importlib
import inspect
import pkgutil
import re
from pathlib import Path

import skbird

HIDDEN = {"skbird.utils"}  # it gives out nothing itself
FOLDER = "api"


def rooms():
    """List the names of the public modules, in the order of ``help(skbird)``."""
    found = [
        module.name for module in pkgutil.walk_packages(skbird.__path__, "skbird.")
    ]
    public = [name for name in found if "._" not in name and name not in HIDDEN]
    listed = re.findall(r":mod:`([\w.]+)`", skbird.__doc__)
    return sorted(public, key=lambda name: listed.index(".".join(name.split(".")[:2])))


def kind_of(member):
    """Return under which title a member of a room stands."""
    if inspect.isclass(member):
        return "Classes"
    return "Functions" if inspect.isroutine(member) else "Objects"


def room_page(name):
    """Return the page of a room as reStructuredText."""
    room = importlib.import_module(name)
    lines = [name, "=" * len(name), "", f".. automodule:: {name}", ""]
    for title in ("Classes", "Functions", "Objects"):
        members = [key for key in room.__all__ if kind_of(getattr(room, key)) == title]
        if members:
            lines += [title, "-" * len(title), "", ".. autosummary::"]
            lines += ["   :toctree: generated", "   :nosignatures:", ""]
            lines += [f"   {member}" for member in sorted(members)] + [""]
    return "\n".join(lines)


def index_page():
    """Return the first page of the reference, with a line for each room."""
    lines = ["API reference", "=============", ""]
    lines += ["By room: a subpackage, which is imported when it is first used.", ""]
    lines += [".. list-table::", "   :widths: 35 65", ""]
    for name in rooms():
        line = importlib.import_module(name).__doc__.splitlines()[0]
        lines += [f"   * - :doc:`{name}`", f"     - {line}"]
    lines += ["", ".. toctree::", "   :hidden:", ""]
    lines += [f"   {name}" for name in rooms()]
    return "\n".join([*lines, ""])


def write_pages(app, config):
    """Write what has changed into the folder of the reference."""
    folder = Path(app.srcdir) / FOLDER
    folder.mkdir(exist_ok=True)
    pages = {"index": index_page(), **{name: room_page(name) for name in rooms()}}
    for name, text in pages.items():
        path = folder / f"{name}.rst"
        if not path.is_file() or path.read_text() != text:
            path.write_text(text)


def skip_foreign_members(app, kind, name, member, skip, options):
    """Leave methods that scikit-learn, skorch or torch define to their own pages."""
    function = getattr(member, "fget", member)
    function = getattr(function, "__func__", function)
    module = getattr(function, "__module__", None)
    if module and not module.startswith("skbird"):
        return True
    return skip


def setup(app):
    """Connect to Sphinx."""
    app.connect("config-inited", write_pages)
    app.connect("autodoc-skip-member", skip_foreign_members)
    return {"parallel_read_safe": True}
