"""Look into a protobuf message without parsing it."""

import itertools

# A message of more is none of skbird's: each field takes a hundred bytes when parsed.
_MAX_FIELDS = 100_000
# Numbers of fields in ONNX: ModelProto.graph, GraphProto.initializer,
# TensorProto.raw_data.
_GRAPH, _INITIALIZER, _RAW_DATA = 7, 5, 9


def count_weights(program):
    """Return how many bytes of an ONNX program are weights.

    Parameters
    ----------
    program : bytes

    Returns
    -------
    int

    Raises
    ------
    ValueError, LookupError
        If it is no protobuf message.
    """
    places = [(0, len(program))]
    for wanted in (_GRAPH, _INITIALIZER, _RAW_DATA):
        places = [
            inner
            for place in places
            for number, *inner in _fields(program, *place)
            if number == wanted
        ]
    return sum(end - first for first, end in places)


def _fields(program, first, end):
    """Yield (number, first byte, end) of the fields of a message."""
    for n_fields in itertools.count():
        if first >= end:
            return
        if n_fields > _MAX_FIELDS:
            raise ValueError(f"a message has more than {_MAX_FIELDS} fields")
        key, first = _varint(program, first)
        if key & 7 == 2:
            n_bytes, first = _varint(program, first)
        elif key & 7 == 0:
            n_bytes = _varint(program, first)[1] - first
        else:
            n_bytes = {1: 8, 5: 4}[key & 7]
        if first + n_bytes > end:
            raise ValueError("a field is longer than what it is in")
        yield key >> 3, first, first + n_bytes
        first += n_bytes


def _varint(program, first):
    value = shift = 0
    while shift < 64:
        byte = program[first]
        value |= (byte & 127) << shift
        first, shift = first + 1, shift + 7
        if byte < 128:
            return value, first
    raise ValueError("a number has too many bytes")
