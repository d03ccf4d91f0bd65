"""Try a model that is not known where it can do no harm, before it is opened here.

A file of some bytes can ask for all memory, compute for ever, or crash a runtime.
"""

import atexit
import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path

from skbird.encoders._find import unzipped
from skbird.encoders._geo_spec import known_geo_specs
from skbird.encoders._onnx_files import weights_beside
from skbird.encoders._spec_files import known_specs

_MOST_BYTES = 1_500_000_000  # besides 4 times the size of the file
_MOST_S = 30  # of a processor, to open the model and to run a few windows
_WORKER = Path(__file__).with_name("_trial_worker.py")
_TOO_LONG = ("SIGXCPU", "SIGALRM", "SIGKILL")

_passed: set[tuple] = set()
_running: dict[int, subprocess.Popen] = {}  # by the process that has started it


def try_model(path, spec, identity, shape, dtype, runtime=None):
    """Run a few windows through a model in a process that may be killed.

    Parameters
    ----------
    path : Path
    spec : EncoderSpec or GeoModelSpec
    identity : str
        See `identity_of`. The models that skbird knows are not tried.
    shape : sequence of "batch" and int
        Of the input.
    dtype : str
    runtime : {"onnxruntime", "openvino", "litert"}, default=None
        None: the one for files of its kind. Nothing is tried if it is not installed.

    Raises
    ------
    ValueError
        If it takes too much memory or time, crashes, or does not run.
    """
    is_onnx = path.suffix.lower() != ".tflite"
    runtime = runtime or ("onnxruntime" if is_onnx else "litert")
    key = identity, spec.input_name, tuple(shape), dtype, runtime
    known = {s.sha256 for s in (*known_specs().values(), *known_geo_specs().values())}
    # A program that is frozen has no Python to start.
    cannot = not hasattr(os, "fork") or getattr(sys, "frozen", False)
    if key in _passed or identity in known or cannot:
        return
    if not _has(runtime):
        return  # opening it names what is missing
    with _unpacked(path) as model:
        others = weights_beside(model) if is_onnx else []
        size = sum(file.stat().st_size for file in (model, *others))
        job = {
            "path": str(model),
            "runtime": runtime,
            "input": spec.input_name,
            "shape": list(shape),
            "dtype": dtype,
            # As many as run together; large files are hardly made to surprise.
            "n_windows": 16 if size < 20_000_000 else 2,
            "most_bytes": _MOST_BYTES + 4 * size,
            "most_s": _MOST_S + size // 10_000_000,
        }
        _judge(_ask(job), job, path, spec)
    _passed.add(key)


def _has(runtime):
    with suppress(ImportError):
        import_module({"litert": "ai_edge_litert.interpreter"}.get(runtime, runtime))
        return True
    return False


@contextmanager
def _unpacked(path):
    if path.suffix.lower() != ".zip":
        yield path
        return
    with unzipped(path) as model:
        yield model


def _judge(answer, job, path, spec):
    if answer["signal"]:
        name = signal.Signals(answer["signal"]).name
        if name in _TOO_LONG:
            raise ValueError(
                f"{path} computes a few windows for more than {job['most_s']} s, and "
                "was stopped. It is no usable model."
            )
        raise ValueError(f"{path} crashes its runtime ({name}). It is no usable model.")
    error = answer["error"]
    if "MemoryError" in error or "bad_alloc" in error or "memory" in error.lower():
        raise ValueError(
            f"{path} takes more than {job['most_bytes'] / 1e9:.1f} GB for a few "
            f"windows. It is no usable model ({error:.100})."
        )
    if answer["step"] == "open":
        raise ValueError(f"{path} cannot be opened: {error}")
    if answer["step"] == "run":
        raise ValueError(
            f"{path} cannot run {spec.name} on {job['dtype']} of shape {job['shape']} "
            f"({error:.300}). Compare input_name, input_type, input_shape and window_s "
            "of its spec with the model."
        )


def _ask(job):
    """Let the worker do a job; a worker that died is replaced once."""
    for _ in range(2):
        worker = _worker()
        with suppress(OSError):
            worker.stdin.write(json.dumps(job) + "\n")
            worker.stdin.flush()
            if line := worker.stdout.readline():
                return json.loads(line)
        _stop()
    raise ValueError(f"{job['path']} could not be tried: the process for it ended.")


def _worker():
    """Return the worker of this process: a fork must not share that of its parent."""
    if os.getpid() not in _running:
        _running.clear()
        _running[os.getpid()] = subprocess.Popen(
            [sys.executable, "-I", str(_WORKER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
        )
        atexit.register(_stop)
        _running[os.getpid()].stdin.write(json.dumps(sys.path) + "\n")
    return _running[os.getpid()]


def _stop():
    worker = _running.pop(os.getpid(), None)
    if worker is not None:
        with suppress(OSError):
            worker.stdin.close()
        worker.kill()
        worker.wait()
        worker.stdout.close()
