"""Engines that run networks on CPUs: OpenVINO, ONNX Runtime, torch; imported late."""

import io
import os
import threading
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from skbird.utils._extras import install_hint

PRECISIONS = ("float32", "bfloat16")


# Segments in a call, the fastest for EfficientNet-B0 on two cores.
BATCH_SIZES = {"openvino": 4, "onnxruntime": 4, "torch": 32}


@dataclass
class Limits:
    """Limits of a program from a model file, which engines enforce.

    Parameters
    ----------
    shapes : dict of str to tuple of int
        Shapes of its results, by name.
    most_streams : int >= 1
        Batches that may be computed at the same time, each with memory of its own.
    """

    shapes: dict
    most_streams: int


@contextmanager
def engine_failures(backend):
    """Turn the exceptions of an engine, of its own classes, into a RuntimeError."""
    try:
        yield
    except MemoryError:
        raise
    except Exception as exc:
        raise RuntimeError(
            f"{backend} cannot run the network of this model ({exc!s:.300}). Compile "
            "the fitted pipeline anew, for this backend or another."
        ) from exc


class OpenVinoEngine:
    """Run segments through OpenVINO.

    Parameters
    ----------
    program : bytes
        An ONNX model from segments (batch, n_frames, n_mels), float32, to logits.
    precision : {"float32", "bfloat16"}
    batch_size : int
        Segments in a call.
    n_threads : int or None
        None: all cores.
    limits : Limits, default=None
        Limits of programs from model files.
    """

    def __init__(self, program, precision, batch_size, n_threads, limits=None):
        import openvino

        core = openvino.Core()
        model = core.read_model(program)
        _, n_frames, n_mels = model.input(0).partial_shape
        # A fixed shape lets it plan memory and kernels once.
        model.reshape([batch_size, n_frames, n_mels])
        options = {
            "PERFORMANCE_HINT": "THROUGHPUT",
            "INFERENCE_PRECISION_HINT": {"float32": "f32", "bfloat16": "bf16"}[
                precision
            ],
        }
        if n_threads is not None:
            options["INFERENCE_NUM_THREADS"] = n_threads
        if limits is not None:
            _check_shapes(model, limits.shapes)
            if limits.most_streams < (n_threads or os.cpu_count()):
                options["NUM_STREAMS"] = limits.most_streams
        self.batch_size = batch_size
        self._compiled = core.compile_model(model, "CPU", options)
        self._queue = openvino.AsyncInferQueue(self._compiled)
        self._lock = threading.Lock()  # the queue has one callback for all who use it

    def run(self, batches):
        """Return the logits of batches of at most `batch_size` segments, in order."""
        outputs = {}

        def keep(request, place):
            number, n = place
            outputs[number] = request.get_output_tensor(0).data[:n].copy()

        with self._lock:
            self._queue.set_callback(keep)
            try:
                for number, batch in enumerate(batches):
                    place = number, len(batch)
                    with engine_failures("openvino"):
                        self._queue.start_async([_fill(batch, self.batch_size)], place)
            finally:
                # Also if a batch could not be read: what is late is not the next run's.
                with engine_failures("openvino"):
                    self._queue.wait_all()
        return np.concatenate([outputs[number] for number in sorted(outputs)])


class OnnxRuntimeEngine:
    """Run segments through ONNX Runtime; the parameters are those of OpenVINO's."""

    def __init__(self, program, precision, batch_size, n_threads, limits=None):
        import onnxruntime

        options = onnxruntime.SessionOptions()
        if limits is not None:
            # The program says of all results what shape they have.
            options.add_session_config_entry("session.strict_shape_type_inference", "1")
        options.intra_op_num_threads = n_threads or 0
        options.log_severity_level = 3
        # Not ONNX Runtime's own format, which `check_program` knows nothing of.
        options.add_session_config_entry("session.load_model_format", "ONNX")
        self._session = onnxruntime.InferenceSession(
            program, options, providers=["CPUExecutionProvider"]
        )
        self.batch_size = batch_size

    def run(self, batches):
        """Return the logits of batches of at most `batch_size` segments, in order."""
        return np.concatenate([self._run_batch(batch) for batch in batches])

    def _run_batch(self, batch):
        # `check_program` found what full batches need; others could need more.
        full = _fill(batch, self.batch_size)
        with engine_failures("onnxruntime"):
            return self._session.run(None, {"segments": full})[0][: len(batch)]


def _check_shapes(model, shapes):
    """Raise if a result does not have the shape that it should have."""
    for operation in model.get_ordered_ops():
        for output in operation.outputs():
            for name in output.get_names() & shapes.keys():
                found = output.partial_shape
                if found.is_dynamic or tuple(found.to_shape()) != shapes[name]:
                    raise ValueError(
                        f"{name} has the shape {found}, not {shapes[name]}"
                    )


def _fill(batch, batch_size):
    """Return a batch, its last segment repeated until the batch is full."""
    missing = batch_size - len(batch)
    if not missing:
        return batch
    return np.concatenate([batch, np.repeat(batch[-1:], missing, axis=0)])


class TorchEngine:
    """Run segments through torch; the parameters are those of OpenVINO's.

    Parameters
    ----------
    program : bytes
        The program, as `torch.export` saves it.
    precision, batch_size, n_threads
        See `OpenVinoEngine`; the threads are those of the whole process.
    limits : None
        Programs of strangers are none of torch's.
    """

    def __init__(self, program, precision, batch_size, n_threads, limits=None):
        import torch

        from skbird.nn import keep_freed_memory

        keep_freed_memory()
        if n_threads is not None:
            torch.set_num_threads(n_threads)
        self._module = torch.export.load(io.BytesIO(program)).module()
        self._bf16 = precision == "bfloat16"

    def run(self, batches):
        """Return the logits of batches of segments, in order."""
        import torch

        with torch.inference_mode(), torch.autocast("cpu", enabled=self._bf16):
            outputs = [self._module(torch.from_numpy(b)).float() for b in batches]
            return torch.cat(outputs).numpy()


ENGINES = {
    "openvino": OpenVinoEngine,
    "onnxruntime": OnnxRuntimeEngine,
    "torch": TorchEngine,
}


def check_engine(backend, precision):
    """Check that an engine exists, is installed and has a precision.

    Parameters
    ----------
    backend : str
    precision : str

    Raises
    ------
    ValueError
        If there is no such backend or precision.
    ImportError
        If the backend is not installed.
    """
    if precision == "float16":
        raise ValueError(
            "precision='float16' is for training on CUDA: CPUs do not compute in it. "
            "Use 'bfloat16', 'float32' or 'auto'."
        )
    for name, value, known in (
        ("backend", backend, ENGINES),
        ("precision", precision, PRECISIONS),
    ):
        if value not in known:
            raise ValueError(f"{name}={value!r} must be one of {', '.join(known)}.")
    if backend == "onnxruntime" and precision == "bfloat16":
        raise ValueError(
            "backend='onnxruntime' has no precision='bfloat16' on CPUs. Use "
            "'openvino', or precision='float32'."
        )
    try:
        __import__(backend)
    except ImportError as exc:
        extra = "train" if backend == "torch" else "cpu"
        raise ImportError(
            f"backend={backend!r} is not installed: {install_hint(extra)}"
        ) from exc


def has_fast_bf16():
    """Return whether this CPU computes in bfloat16 itself."""
    import openvino

    return "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
