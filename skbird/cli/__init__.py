"""The command line, ``skbird``: each command is a few calls of the Python API.

``skbird --help`` lists the commands, ``skbird train --help`` describes one. Needs the
extra ``cli``.
"""

import io
import os
import sys

from skbird.cli._interrupts import INTERRUPTS
from skbird.utils._extras import install_hint
from skbird.utils._public import set_public_module

__all__ = ["main"]


def main():
    """Run the command line; the entry point of ``skbird``."""
    _open_closed_streams()
    _spare_the_work()
    INTERRUPTS.install()
    try:
        from skbird.cli._app import app
    except ModuleNotFoundError as exc:
        if exc.name not in ("click", "rich"):
            raise
        sys.exit(
            f"The command line needs {exc.name}; install it with: {install_hint('cli')}"
        )
    app(prog_name="skbird")


def _open_closed_streams():
    """Let what was closed (``2>&-``) go nowhere; else the next file has its number."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))


class _Unfailing(io.FileIO):
    """A file that takes what it cannot write for written."""

    def write(self, data):
        try:
            return super().write(data)
        except OSError:
            return len(data)


def _spare_the_work():
    """Let a log on a full disk (``2>log``) cost messages, and nothing else."""
    old = sys.stderr
    try:
        raw = _Unfailing(old.fileno(), "w", closefd=False)
    except (OSError, ValueError):  # no file
        return
    if raw.isatty():
        return  # which is never full
    sys.stderr = io.TextIOWrapper(
        io.BufferedWriter(raw), old.encoding, old.errors, line_buffering=True
    )


set_public_module(globals())
