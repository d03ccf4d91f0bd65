"""Ctrl-C: one line and exit code 130, whatever the program is doing."""

import os
import signal
import sys
import threading
import time
from contextlib import contextmanager

EXIT_CODE = 130
_GRACE_S = 5.0  # for what is written to be tidied away


class Interrupts:
    """Handle Ctrl-C from the start of the command line to its end.

    Before a command and after it, and while modules are imported, which takes seconds
    and where libraries swallow a KeyboardInterrupt or print it, the process ends at
    once. Else a KeyboardInterrupt is raised, so that files and folders are tidied away.
    If it is swallowed, or nothing of Python gets to run, a thread ends the process
    after some seconds; the second Ctrl-C ends it at once. Nothing is lost by that:
    files appear whole or not at all.

    Attributes
    ----------
    was_raised : bool
        Whether a KeyboardInterrupt was raised.
    """

    def __init__(self):
        self.was_raised = False
        self._note = None

    def install(self):
        """Take over from Python, unless a parent process has Ctrl-C ignored."""
        if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
            return
        read, write = os.pipe()
        if hasattr(os, "set_blocking"):  # not before Python 3.12 on Windows
            os.set_blocking(write, False)
        signal.signal(signal.SIGINT, self._handle)
        signal.set_wakeup_fd(write, warn_on_full_buffer=False)
        threading.Thread(target=self._watch, args=[read], daemon=True).start()
        sys.unraisablehook = self._handle_swallowed

    @contextmanager
    def running(self, note):
        """While a command runs, tidy away; ``note()`` is said after "Interrupted."."""
        self._note = note
        try:
            yield
        finally:
            self._note = None

    def leave(self, note=""):
        """Say so, and end the process without waiting for threads."""
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except (OSError, ValueError, RuntimeError, AttributeError):
                pass  # closed, or in the middle of writing
        try:
            os.write(2, f"Interrupted.{note}\n".encode())
        finally:
            os._exit(EXIT_CODE)

    def _handle(self, number, frame):
        if self.was_raised or self._note is None or _is_importing(frame):
            self.leave(self._note() if self._note else "")
        self.was_raised = True
        raise KeyboardInterrupt

    def _watch(self, pipe):
        while os.read(pipe, 1) != bytes([signal.SIGINT]):
            pass
        time.sleep(_GRACE_S)
        self.leave(self._note() if self._note else "")

    def _handle_swallowed(self, unraisable):
        if isinstance(unraisable.exc_value, KeyboardInterrupt):
            self.leave(self._note() if self._note else "")
        sys.__unraisablehook__(unraisable)


def _is_importing(frame):
    """Return whether a frame is of a module that is being imported."""
    while frame is not None:
        if frame.f_globals.get("__name__") == "importlib._bootstrap":
            return True
        frame = frame.f_back
    return False


INTERRUPTS = Interrupts()
