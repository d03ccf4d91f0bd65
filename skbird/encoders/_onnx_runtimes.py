"""ONNX models by ONNX Runtime and by OpenVINO."""

import os
import queue
import warnings
from contextlib import suppress

import numpy as np

from skbird.encoders._find import missing_runtime
from skbird.encoders._onnx_files import onnx_source, weights_beside

# How much a value of OpenVINO may differ from ONNX Runtime's, of the largest one.
_TOLERANCE = 2e-3


class OnnxRuntime:
    """Run windows through ONNX Runtime; one session serves all threads.

    Parameters
    ----------
    path : Path
        An .onnx model, or a zip archive with one.
    spec : EncoderSpec
    """

    name = "onnxruntime"

    def __init__(self, path, spec):
        try:
            import onnxruntime
        except ImportError as exc:
            raise missing_runtime("onnxruntime") from exc
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # each row has a thread of its own
        options.log_severity_level = 3
        options.add_session_config_entry("session.load_model_format", "ONNX")

        def open_session(*inner):
            return onnxruntime.InferenceSession(
                onnx_source(path, inner), options, providers=["CPUExecutionProvider"]
            )

        self._session = open_session()
        inner = _names(spec) - {node.name for node in self._session.get_outputs()}
        if inner:
            self._session = open_session(*inner)
        inputs = {node.name: node for node in self._session.get_inputs()}
        self._input = input_name(spec, list(inputs), path)
        self._outputs = [node.name for node in self._session.get_outputs()]
        check_outputs(spec, self._outputs, path)
        first = (inputs[self._input].shape or [None])[0]
        self.batch = first if isinstance(first, int) and first > 0 else None

    def run(self, windows, outputs):
        """Return the values of some outputs, each (n, ...).

        Parameters
        ----------
        windows : ndarray of shape (n, ...)
            As the model takes them.
        outputs : list of EncoderOutput
        """
        names = output_names(outputs, self._outputs)
        return run_in_batches(
            lambda batch: self._session.run(names, {self._input: batch}),
            windows,
            self.batch,
        )


class OpenVinoRuntime:
    """Run windows through OpenVINO; see `OnnxRuntime`."""

    name = "openvino"

    def __init__(self, path, spec):
        try:
            import openvino
        except ImportError as exc:
            raise missing_runtime("openvino", "cpu") from exc
        if path.suffix.lower() == ".zip":
            raise ValueError(
                f"OpenVINO reads no models in archives. Unpack {path}, or pass "
                "runtime='onnxruntime'."
            )
        weights_beside(path)  # complains of others
        core = openvino.Core()
        model = core.read_model(path)
        threads = os.cpu_count() or 1
        self._compiled = core.compile_model(
            model,
            "CPU",
            {
                "PERFORMANCE_HINT": "THROUGHPUT",
                "INFERENCE_PRECISION_HINT": "f32",
                "NUM_STREAMS": threads,
            },
        )
        inputs = [name for i in self._compiled.inputs for name in i.names]
        self._input = input_name(spec, inputs, path)
        check_outputs(spec, [n for o in self._compiled.outputs for n in o.names], path)
        self._outputs = [o.any_name for o in self._compiled.outputs]
        first = self._compiled.input(self._input).partial_shape[0]
        self.batch = None if first.is_dynamic else first.get_length()
        self._free = queue.LifoQueue()
        for _ in range(threads):
            self._free.put(self._compiled.create_infer_request())

    def run(self, windows, outputs):
        """Return the values of some outputs; see `OnnxRuntime.run`."""
        names = output_names(outputs, self._outputs)
        request = self._free.get()
        try:

            def run(batch):
                request.infer({self._input: batch})
                return [request.get_tensor(name).data.copy() for name in names]

            return run_in_batches(run, windows, self.batch)
        finally:
            self._free.put(request)


def input_name(spec, known, path):
    """Return which input takes the windows.

    Raises
    ------
    ValueError
        If there is no such one.
    """
    if not known or spec.input_name not in (None, *known):
        raise ValueError(
            f"{path} has the inputs {known!s:.300}, not input_name={spec.input_name!r}."
        )
    return spec.input_name or known[0]


def check_outputs(spec, known, path):
    """Raise ValueError if a model lacks an output that its spec names."""
    for name in _names(spec) - set(known):
        raise ValueError(f"{path} has no output {name!r}; it has {known!s:.300}.")


def _names(spec):
    return {o.name for o in spec.outputs.values() if isinstance(o.name, str)}


def output_names(outputs, known):
    """Return the names of outputs, of which specs may give the place.

    Raises
    ------
    ValueError
        If the model has not so many.
    """
    names = []
    for output in outputs:
        if isinstance(output.name, int) and output.name >= len(known):
            raise ValueError(f"The model has {len(known)} outputs, not {output.name}.")
        names.append(
            known[output.name] if isinstance(output.name, int) else output.name
        )
    return names


def run_in_batches(run, windows, batch):
    """Call a model that takes a fixed number of windows, or any.

    Parameters
    ----------
    run : callable
        Takes windows, returns a list of arrays.
    windows : ndarray of shape (n, ...)
    batch : int or None
        None: any number.

    Returns
    -------
    list of ndarray of shape (n, ...)
    """
    if batch is None:
        return run(windows)
    done = []
    for first in range(0, len(windows), batch):
        part = windows[first : first + batch]
        missing = batch - len(part)
        if missing:
            part = np.concatenate([part, np.repeat(part[-1:], missing, axis=0)])
        done.append([values[: batch - missing] for values in run(part)])
    return [np.concatenate(values) for values in zip(*done, strict=True)]


def fastest_runtime(path, spec):
    """Return OpenVINO's runtime where it computes the same as ONNX Runtime, else that.

    Parameters
    ----------
    path : Path
    spec : EncoderSpec
    """
    exact = OnnxRuntime(path, spec)
    if path.suffix.lower() == ".zip":
        return exact
    with suppress(ImportError):
        import openvino  # noqa: F401

        try:
            fast = OpenVinoRuntime(path, spec)
            same = _same(exact, fast, spec)
        except Exception:  # of OpenVINO's own classes: it knows not all operations
            return exact
        if same:
            return fast
        warnings.warn(
            f"OpenVINO computes other values of {spec.name} than ONNX Runtime, which "
            "is used.",
            stacklevel=4,
        )
    return exact


def _same(exact, fast, spec):
    shape = tuple(
        {"batch": 2, "samples": spec.window_samples}.get(n, n) for n in spec.input_shape
    )
    probe = np.random.default_rng(0).normal(0, 0.1, shape)
    probe = (128 + 100 * probe if spec.input_type == "uint8" else probe).astype(
        spec.input_type
    )
    outputs = list(spec.outputs.values())
    pairs = zip(exact.run(probe, outputs), fast.run(probe, outputs), strict=True)
    return all(
        np.allclose(a, b, rtol=0, atol=_TOLERANCE * max(np.abs(a).max(), 1e-9))
        for a, b in pairs
    )
