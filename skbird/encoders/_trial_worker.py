"""Run models in forks that may be killed: the other end of `_trial`.

It is started as a program of its own, and imports nothing of skbird, to be there soon.
"""

import json
import os
import signal
import sys

try:
    import resource
except ImportError:  # not every system has it
    resource = None

_MOST_S_TO_START = 60


def main():
    """Answer each line, a job, by a line."""
    sys.path[:] = json.loads(sys.stdin.readline())
    for line in sys.stdin:
        answer = json.dumps(try_in_fork(json.loads(line)))
        print(answer, flush=True)


def try_in_fork(job):
    """Return how a job ended.

    Parameters
    ----------
    job : dict
        ``path``, ``runtime``, ``input``; ``n_windows``, and their ``shape`` and
        ``dtype``; ``most_bytes`` and ``most_s``.

    Returns
    -------
    dict
        ``signal``: the number of the one that killed it, or 0; ``step`` in which an
        error came; ``error``.
    """
    # What is imported here serves all forks. OpenVINO starts a thread when imported:
    # a fork could wait for ever for a lock that the thread holds.
    if job["runtime"] != "openvino":
        try:
            LOADERS[job["runtime"]]()
        except ImportError:
            return {"signal": 0, "step": "", "error": ""}
    reader, writer = os.pipe()
    pid = os.fork()
    if not pid:
        signal.alarm(_MOST_S_TO_START)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        found = {"step": "", "error": ""}
        try:
            limit(job)
            run(job, found)
            found["step"] = ""
        except BaseException as exc:
            found["error"] = f"{type(exc).__name__}: {exc!s:.500}"
        os.write(writer, json.dumps(found).encode())
        os._exit(0)
    os.close(writer)
    with open(reader, "rb") as pipe:
        told = pipe.read()
    status = os.waitpid(pid, 0)[1]
    number = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
    found = json.loads(told) if told else {"step": "open", "error": "it crashed"}
    return {"signal": number} | found


def limit(job):
    """Bound memory, time on processors and time on the clock."""
    used = 0
    if os.path.exists("/proc/self/statm"):
        with open("/proc/self/statm") as file:
            used = int(file.read().split()[5]) * resource.getpagesize()
    signal.alarm(20 * job["most_s"])
    if resource is None:
        return
    for kind, most in (
        (resource.RLIMIT_CPU, job["most_s"]),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_DATA, used + job["most_bytes"]),
    ):
        hard = resource.getrlimit(kind)[1]
        fits = hard in (resource.RLIM_INFINITY, -1) or most <= hard
        try:
            resource.setrlimit(kind, (most if fits else hard, hard))
        except (ValueError, OSError):
            pass  # not every system has all of them


def run(job, found):
    """Open a model and run windows of noise, and of silence, as who opens it does."""
    try:
        load = LOADERS[job["runtime"]]()
    except ImportError:
        return
    import numpy as np

    found["step"] = "open"
    compute = load(job)
    found["step"] = "run"
    shape = [job["n_windows"] if n == "batch" else n for n in job["shape"]]
    windows = np.random.default_rng(0).normal(0, 0.1, shape)
    if job["dtype"] == "uint8":
        windows = np.clip(128 + 100 * windows, 0, 255)
    for given in windows, np.zeros_like(windows):
        compute(given.astype(job["dtype"]))


def load_onnx():
    """Return what opens an ONNX model."""
    import onnxruntime

    def load(job):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.log_severity_level = 4
        options.add_session_config_entry("session.load_model_format", "ONNX")
        session = onnxruntime.InferenceSession(
            job["path"], options, providers=["CPUExecutionProvider"]
        )
        inputs = {node.name: node for node in session.get_inputs()}
        name = job["input"] if job["input"] in inputs else next(iter(inputs), None)

        def compute(windows):
            first = (inputs[name].shape or [None])[0]
            if isinstance(first, int):
                windows = windows[:1].repeat(first, axis=0)
            session.run(None, {name: windows})

        return compute

    return load


def load_openvino():
    """Return what opens an ONNX model by OpenVINO, which computes parts of it then."""
    import openvino

    def load(job):
        options = {"NUM_STREAMS": 1, "INFERENCE_NUM_THREADS": 1}
        options["INFERENCE_PRECISION_HINT"] = "f32"
        model = openvino.Core().compile_model(job["path"], "CPU", options)
        names = [name for i in model.inputs for name in i.names]
        name = job["input"] if job["input"] in names else names[0]

        def compute(windows):
            first = model.input(name).partial_shape[0]
            if first.is_static:
                windows = windows[:1].repeat(first.get_length(), axis=0)
            model.create_infer_request().infer({name: windows})

        return compute

    return load


def load_litert():
    """Return what opens a model of TensorFlow Lite."""
    from ai_edge_litert.interpreter import Interpreter

    def load(job):
        interpreter = Interpreter(job["path"], num_threads=1)

        def compute(windows):
            place = interpreter.get_input_details()[0]["index"]
            interpreter.resize_tensor_input(place, windows[:1].shape)
            interpreter.allocate_tensors()
            interpreter.set_tensor(place, windows[:1])
            interpreter.invoke()

        return compute

    return load


LOADERS = {
    "litert": load_litert,
    "onnxruntime": load_onnx,
    "openvino": load_openvino,
}

if __name__ == "__main__":
    main()
