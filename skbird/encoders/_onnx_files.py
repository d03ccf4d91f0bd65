"""Files of ONNX models: with inner tensors as outputs, and without ways out."""

import mmap
import os

from skbird.encoders._find import missing_runtime, unzipped
from skbird.encoders._spec_checks import is_plain


def onnx_source(path, names=()):
    """Return what a session is made of: a path, or the bytes of a changed model.

    Parameters
    ----------
    path : Path
        An .onnx model, or a zip archive with one.
    names : sequence of str
        Inner tensors that become outputs.

    Returns
    -------
    str or bytes

    Raises
    ------
    ValueError
        If the model wants data from outside its folder, or it is no model.
    """
    if path.suffix.lower() == ".zip":
        with unzipped(path) as model:
            weights_beside(model)  # complains of others
            return _with_outputs(model, names)
    weights_beside(path)  # complains of others
    return _with_outputs(path, names) if names else str(path)


def weights_beside(path):
    """Return the files of weights that a model names; all must lie beside it.

    Runtimes read what the model names. Whoever made it could have any file read, or
    wait for ever for a pipe.

    Parameters
    ----------
    path : Path

    Returns
    -------
    list of Path
        Sorted. Most models have none.

    Raises
    ------
    ValueError
        If one lies elsewhere, or the file is no model.
    """
    with open(path, "rb") as file:
        if os.fstat(file.fileno()).st_size == 0:
            raise ValueError(f"{path} is empty.")
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            # The key of each reference; few models have one, and all are large.
            if content.find(b"location") < 0:
                return []
    entries = [e for tensor in _tensors(_parse(path)) for e in tensor.external_data]
    names = sorted({e.value for e in entries if e.key == "location"})
    return [_beside(path, name) for name in names]


def _beside(path, name):
    data = path.with_name(name) if is_plain(name) else None
    # Both may be links to a store of files, as Hugging Face keeps them.
    homes = path.resolve().parent, path.parent.resolve()
    if data is None or not data.is_file() or data.resolve().parent not in homes:
        raise ValueError(
            f"{path} has weights in {name!r:.200}. They must lie in a file beside it, "
            "whose name is letters, digits and any of . + - _"
        )
    return data


def _tensors(message):
    """Yield the tensors of a model, of its functions and branches too."""
    import onnx

    if isinstance(message, onnx.TensorProto):
        yield message
        return
    for field, value in message.ListFields():
        if field.message_type is not None:
            for item in value if field.is_repeated else [value]:
                yield from _tensors(item)


def _parse(path, *, with_data=False):
    try:
        import onnx
    except ImportError as exc:
        raise missing_runtime("onnx") from exc
    try:
        return onnx.load(path, format="protobuf", load_external_data=with_data)
    except Exception as exc:  # of protobuf's own classes
        raise ValueError(f"{path} is no ONNX model: {exc!s:.200}") from exc


def _with_outputs(path, names):
    """Return the bytes of a model of which further tensors are outputs."""
    model = _parse(path, with_data=True)
    import onnx

    made = {name for node in model.graph.node for name in node.output}
    given = {o.name for o in model.graph.output}
    for name in names:
        if name not in given and name in made:
            model.graph.output.append(onnx.helper.make_empty_tensor_value_info(name))
    try:
        return model.SerializeToString()
    except ValueError as exc:
        raise ValueError(
            f"{path} has more than 2 GB. Unpack it, and name outputs that it gives."
        ) from exc
