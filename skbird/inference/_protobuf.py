"""Bound what parsing an ONNX program would take, before it is parsed."""

# A field takes some hundred bytes, a message in a list up to 600.
_MAX_FIELDS = 300_000
# What is not weights, in bytes: texts, and lists of numbers.
_MAX_NOTES = 4 * 2**20
# ModelProto.graph; GraphProto.node and initializer; NodeProto.attribute;
# TensorProto.raw_data: by the names of messages, the fields that are messages.
_MESSAGES = {
    "model": {7: "graph"},
    "graph": {1: "node", 5: "tensor"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor"},
    "tensor": {},
}
_RAW_DATA = 9


def check_message(program):
    """Refuse messages that would take much more memory than they have bytes.

    Parameters
    ----------
    program : bytes
        The bytes of an ONNX program.

    Raises
    ------
    ValueError, LookupError
        If it is no protobuf message, has too many fields, or holds much that is not
        weights.
    """
    n_fields, n_weights = 0, 0
    places = [("model", 0, len(program))]
    while places:
        kind, first, end = places.pop()
        for number, begin, stop in _fields(program, first, end):
            n_fields += 1
            if n_fields > _MAX_FIELDS:
                raise ValueError(f"it has more than {_MAX_FIELDS} fields")
            if number in _MESSAGES[kind]:
                places.append((_MESSAGES[kind][number], begin, stop))
            elif kind == "tensor" and number == _RAW_DATA:
                n_weights += stop - begin
    if len(program) - n_weights > _MAX_NOTES:
        raise ValueError(f"{len(program) - n_weights} bytes of it are no weights")


def _fields(program, first, end):
    """Yield (number, first byte, end) of the fields of a message."""
    while first < end:
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
