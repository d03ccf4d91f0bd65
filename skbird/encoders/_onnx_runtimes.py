"""ONNX models by ONNX Runtime and by OpenVINO."""

import os
import queue
import warnings
from contextlib import suppress

import numpy as np

from skbird.encoders._find import missing_runtime, unzipped

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
            raise missing_runtime("onnxruntime", "cpu") from exc
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # each row has a thread of its own
        options.log_severity_level = 3
        options.add_session_config_entry("session.load_model_format", "ONNX")
        self._session = onnxruntime.InferenceSession(
            _source(path, spec), options, providers=["CPUExecutionProvider"]
        )
        inputs = self._session.get_inputs()
        self._input = spec.input_name or inputs[0].name
        named = {node.name: node for node in inputs}
        if self._input not in named:
            raise ValueError(
                f"{path} has the inputs {list(named)}, not input_name={self._input!r}."
            )
        self._outputs = [node.name for node in self._session.get_outputs()]
        missing = [
            o.name
            for o in spec.outputs.values()
            if isinstance(o.name, str) and o.name not in self._outputs
        ]
        if missing:
            raise ValueError(
                f"{path} has no output {missing[0]!r}; it has {self._outputs}."
            )
        first = named[self._input].shape[0]
        self.batch = first if isinstance(first, int) else None

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
        if path.suffix == ".zip":
            raise ValueError("OpenVINO reads no models in archives.")
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
        self._input = spec.input_name or self._compiled.input(0).any_name
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
    if path.suffix == ".zip":
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


def _source(path, spec):
    """Return what a session is made of: a path, or the bytes of a changed model."""
    inner = [o.name for o in spec.outputs.values() if isinstance(o.name, str)]
    if path.suffix == ".zip":
        with unzipped(path) as model:
            return _with_outputs(model, inner)
    return str(path) if not _lacks(path, inner) else _with_outputs(path, inner)


def _lacks(path, names):
    """Return whether a model does not give out some of its tensors."""
    try:
        import onnx
    except ImportError:
        return False  # the session says which are missing
    model = onnx.load(path, load_external_data=False)
    return bool(set(names) - {o.name for o in model.graph.output})


def _with_outputs(model, names):
    """Return the bytes of a model of which further tensors are outputs."""
    try:
        import onnx
    except ImportError as exc:
        raise missing_runtime("onnx", "cpu") from exc
    model = onnx.load(model)
    made = {name for node in model.graph.node for name in node.output}
    given = {o.name for o in model.graph.output}
    for name in names:
        if name not in given and name in made:
            model.graph.output.append(onnx.helper.make_empty_tensor_value_info(name))
    return model.SerializeToString()
