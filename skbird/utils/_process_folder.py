"""A temporary folder that goes with its process, however that ends."""

import os
import shutil
import tempfile
from functools import cache
from multiprocessing.util import Finalize
from pathlib import Path

from skbird.utils._files import hold, remove_dead

_HELD = "held"


def process_folder(prefix):
    """Return the folder of this process for some purpose.

    It goes when the process ends; after a kill, the next process that asks for one
    removes it. What tells is a lock, which the system takes from the dead: numbers of
    processes mean nothing to other computers and containers with the same folder.

    Parameters
    ----------
    prefix : str
        What the names of such folders begin with.

    Returns
    -------
    Path
    """
    # A forked process must not write into its parent's.
    return _make_folder(prefix, tempfile.gettempdir(), os.getpid())


@cache
def _make_folder(prefix, parent, process):
    for path in Path(parent).glob(f"{prefix}*/{_HELD}"):
        remove_dead(path)
        if not path.exists():
            shutil.rmtree(path.parent, ignore_errors=True)
    while True:
        folder = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
        held = open(folder / _HELD, "xb")
        hold(held)
        if os.path.exists(held.name):  # else one took it for dead before it was held
            break
    # As `atexit`, but also in children of multiprocessing, and not for the parent.
    Finalize(None, _remove, args=(folder, held), exitpriority=0)
    return folder


def _remove(folder, held):
    held.close()
    shutil.rmtree(folder, ignore_errors=True)
