"""Answers of an estimator that another process unpickled."""

import multiprocessing
import pickle
import sys
import warnings
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import lru_cache
from importlib.util import find_spec

from skbird.utils.estimator_checks._answers import answers

# What takes seconds to import and is not ours, and the room that asks for the answers.
HEAVY = (
    "librosa",
    "onnxruntime",
    "pandas",
    "scipy.signal",
    "scipy.stats",
    "skbird.utils.estimator_checks",
    "sklearn.ensemble",
    "sklearn.model_selection",
    "sklearn.multiclass",
    "sklearn.utils.estimator_checks",
    "skorch",
    "soundfile",
    "soxr",
    "timm",
    "torch",
)


def _start_method():
    """Return how fresh processes begin.

    Where the system allows, they are forked off a server that has imported other
    packages, and of skbird what any answer asks for. Not for networks on a GPU: what is
    imported may ask for the GPU, and no process forked after that can use it.
    """
    torch = sys.modules.get("torch")
    has_gpu = torch is not None and torch.cuda.is_available()
    if has_gpu or "forkserver" not in multiprocessing.get_all_start_methods():
        return "spawn"
    return "forkserver"


@lru_cache(maxsize=2)
def _processes(start_method):
    """Make fresh processes: each does one task."""
    context = multiprocessing.get_context(start_method)
    if start_method == "forkserver":
        context.set_forkserver_preload([n for n in HEAVY if find_spec(n.split(".")[0])])
    return ProcessPoolExecutor(1, mp_context=context, max_tasks_per_child=1)


def answers_in_fresh_process(estimator, X):
    """Return what a pickled estimator answers in a process that knows its pickle alone.

    Of the caller's it has nothing but the pickle.

    Parameters
    ----------
    estimator : fitted estimator
    X : sequence of rows

    Returns
    -------
    dict of list
        See `answers`.
    """
    # Pickled here: what cannot be pickled shall fail here.
    packed = pickle.dumps((estimator, X))
    processes = _processes(_start_method())
    try:
        return processes.submit(_answer, packed, list(sys.path)).result(timeout=300)
    except (BrokenProcessPool, TimeoutError):
        _processes.cache_clear()  # the next estimator gets other processes
        raise


def _answer(packed, path):
    sys.path[:] = path
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return answers(*pickle.loads(packed))
