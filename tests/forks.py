"""Processes without the modules, threads and patches of this one: they start at once.

They are not forked where a GPU is: what was forked cannot use it.
"""

import multiprocessing
import pickle
from concurrent.futures import ProcessPoolExecutor

from skbird.utils.estimator_checks._fresh_process import HEAVY, _start_method

# The server is one for all tests: those of estimators use it, too.
if "forkserver" in multiprocessing.get_all_start_methods():
    multiprocessing.get_context("forkserver").set_forkserver_preload(
        [*HEAVY, "pytest", "skbird.archive"]
    )


def started(call, *args, **options):
    """Return a process of its own that calls."""
    context = multiprocessing.get_context(_start_method())
    process = context.Process(target=call, args=args, kwargs=options)
    process.start()
    return process


def elsewhere(call, *args):
    """Return what a call returns in a process of its own."""
    context = multiprocessing.get_context(_start_method())
    with ProcessPoolExecutor(1, mp_context=context) as processes:
        return processes.submit(call, *args).result()


def answer_elsewhere(thing, method, *args):
    """Return what a pickled thing answers in a process that knows its pickle alone."""
    return elsewhere(_answer, pickle.dumps((thing, args)), method)


def _answer(packed, method):
    import torch

    torch.backends.cudnn.allow_tf32 = False
    thing, args = pickle.loads(packed)
    return getattr(thing, method)(*args)
