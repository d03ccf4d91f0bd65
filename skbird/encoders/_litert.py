"""Models of TensorFlow Lite by LiteRT, with inner tensors as outputs."""

import os
import queue
import struct

import numpy as np

from skbird.encoders._find import missing_runtime

_SUBGRAPH_OUTPUTS = 8  # place of the field in the table of the flatbuffer
_MOST_TENSORS = 100_000
_MOST_CHARACTERS = 10_000_000  # of all names


class LiteRtRuntime:
    """Run windows, one by one, through a .tflite model.

    An interpreter serves one thread at a time, so there are several, made when they are
    needed. Each packs the weights for itself, which takes 90 MB for BirdNET 2.4.

    Parameters
    ----------
    path : Path
    spec : EncoderSpec
    most : int, default=None
        Interpreters at most; further threads wait. None: as many as processors, and at
        most 16.
    """

    name = "litert"

    def __init__(self, path, spec, most=None):
        try:
            from ai_edge_litert.interpreter import Interpreter
        except ImportError as exc:
            raise missing_runtime("ai-edge-litert") from exc
        self._interpreter = Interpreter
        self._content = with_outputs(
            path.read_bytes(),
            [o.name for o in spec.outputs.values() if isinstance(o.name, str)],
        )
        self._spec = spec
        self._free = queue.LifoQueue()
        for _ in range(most or min(16, os.cpu_count() or 1)):
            self._free.put(None)

    def run(self, windows, outputs):
        """Return the values of some outputs, each (n, ...).

        Parameters
        ----------
        windows : ndarray of shape (n, ...)
            As the model takes them.
        outputs : list of EncoderOutput
        """
        interpreter = self._free.get()
        try:
            if interpreter is None:
                interpreter = self._make(windows.shape[1:])
            chosen = self._chosen(interpreter, outputs)
            values = [[] for _ in outputs]
            place = interpreter.get_input_details()[0]["index"]
            for window in windows:
                interpreter.set_tensor(place, window[None])
                interpreter.invoke()
                for out, detail in zip(values, chosen, strict=True):
                    out.append(interpreter.get_tensor(detail["index"])[0])
            return [np.stack(out) for out in values]
        finally:
            self._free.put(interpreter)

    def _chosen(self, interpreter, outputs):
        listed = interpreter.get_output_details()
        named = {detail["name"]: detail for detail in listed}
        for output in outputs:
            if isinstance(output.name, int) and output.name >= len(listed):
                raise ValueError(
                    f"The model has {len(listed)} outputs, not {output.name}."
                )
        return [
            named[o.name] if isinstance(o.name, str) else listed[o.name]
            for o in outputs
        ]

    def _make(self, shape):
        interpreter = self._interpreter(model_content=self._content, num_threads=1)
        inputs = interpreter.get_input_details()
        names = [detail["name"] for detail in inputs]
        wanted = self._spec.input_name
        if len(inputs) != 1 or wanted not in (None, *names):
            raise ValueError(
                f"The model has the inputs {names!s:.300}; one is needed"
                + (f", input_name={wanted!r}." if wanted else ".")
            )
        place = inputs[0]["index"]
        interpreter.resize_tensor_input(place, [1, *shape])
        interpreter.allocate_tensors()
        return interpreter


def with_outputs(content, names):
    """Return a .tflite model of which further tensors are outputs.

    LiteRT does not keep inner tensors to be read. The list of outputs is written anew
    at the end of the flatbuffer, and the one reference to it turned there.

    Parameters
    ----------
    content : bytes
    names : list of str

    Returns
    -------
    bytes

    Raises
    ------
    ValueError
        If there is no such tensor, or it is no such model.
    """
    from ai_edge_litert.schema_py_generated import Model

    try:
        graph = Model.GetRootAs(content).Subgraphs(0)
        n_tensors, n_outputs = graph.TensorsLength(), graph.OutputsLength()
        if max(n_tensors, n_outputs) > _MOST_TENSORS:  # they may overlap in the file
            raise ValueError(f"{n_tensors:,} tensors")
        outputs = [int(graph.Outputs(k)) for k in range(n_outputs)]
        tensors, n_characters = {}, 0
        for k in range(n_tensors):
            name = graph.Tensors(k).Name() or b""
            tensors.setdefault(name.decode(errors="replace"), k)
            n_characters += len(name)
            if n_characters > _MOST_CHARACTERS:
                raise ValueError("names without end")
    except (struct.error, TypeError, AttributeError, IndexError, ValueError) as exc:
        raise ValueError(f"This is no model of TensorFlow Lite ({exc}).") from exc
    missing = [name for name in names if name not in tensors]
    if missing:
        have = [name for name, k in tensors.items() if k in outputs]
        raise ValueError(
            f"The model has no tensor {missing[0]!r}. Its outputs are {have!s:.300}."
        )
    wanted = [tensors[name] for name in names if tensors[name] not in outputs]
    if not wanted:
        return content
    table = graph._tab
    field = table.Pos + table.Offset(_SUBGRAPH_OUTPUTS)
    changed = bytearray(content)
    changed += bytes(-len(changed) % 4)
    place = len(changed)
    outputs += wanted
    changed += struct.pack(f"<I{len(outputs)}i", len(outputs), *outputs)
    struct.pack_into("<I", changed, field, place - field)  # references are relative
    return bytes(changed)
