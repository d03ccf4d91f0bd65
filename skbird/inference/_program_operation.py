"""One operation of a program, and the tensors that it takes."""

import math
from dataclasses import dataclass

import numpy as np

MAX_RANK = 6
# Numbers in a list of sizes; inputs and results of an operation.
MAX_LIST = 256
_MAX_ATTRIBUTE = 2**16
_MAX_TEXT = 100


class ProgramError(ValueError):
    """A network's program is not of the kind that skbird writes."""


@dataclass(frozen=True)
class Tensor:
    """A tensor whose shape is known.

    Parameters
    ----------
    dims : tuple of int
    kind : {"float32", "int64", "bool"}
    value : ndarray, default=None
        Values of constants that may be sizes.
    moves : bool, default=False
        Whether it depends on the segments.
    """

    dims: tuple
    kind: str = "float32"
    value: np.ndarray | None = None
    moves: bool = False

    @property
    def dtype(self):
        """The kind, for numpy."""
        return np.dtype(self.kind)


@dataclass(frozen=True)
class Operation:
    """One node of a program.

    Parameters
    ----------
    kind : str
        The operator.
    inputs : list of Tensor or None
    attributes : dict
    """

    kind: str
    inputs: list
    attributes: dict

    def dims(self, number=0):
        """Return the shape of an input."""
        return self.inputs[number].dims

    def has(self, number):
        """Return whether there is an input of that number."""
        return number < len(self.inputs) and self.inputs[number] is not None

    def constant(self, number, kind="int64"):
        """Return a constant input as a flat list."""
        tensor = self.inputs[number]
        if tensor.value is None:
            raise ProgramError(f"{self.kind} computes its sizes")
        if tensor.kind != kind or len(tensor.dims) > 1:
            raise ProgramError(f"{self.kind} has sizes of {tensor.kind}")
        if tensor.value.size > MAX_LIST:
            raise ProgramError(f"{self.kind} has {tensor.value.size} sizes")
        return tensor.value.ravel().tolist()

    def get(self, name, default):
        """Return an attribute."""
        return self.attributes.get(name, default)

    def axis(self, default):
        """Return the attribute ``axis``, counted from the first one."""
        return self.place(self.get("axis", default))

    def place(self, axis, n=None):
        """Return an axis of the first input, or of n, counted from the first one."""
        n = len(self.dims()) if n is None else n
        if not -n <= axis < n:
            raise ProgramError(f"{self.kind} has no axis {axis}")
        return axis % n

    def places(self, axes, n=None):
        """Return several axes, all different."""
        axes = [self.place(axis, n) for axis in axes]
        self.check(len(set(axes)) == len(axes), "has an axis twice")
        return axes

    def check(self, is_right, what):
        """Raise a ProgramError unless a condition holds."""
        if not is_right:
            shapes = [None if t is None else t.dims for t in self.inputs]
            raise ProgramError(f"{self.kind} {what} (inputs of shape {shapes})")


_NUMBERS = "alpha beta cubic_coeff_a epsilon extrapolation_value momentum".split()
_LISTS = "dilations kernel_shape pads perm strides".split()
_FLAGS = """
    allowzero antialias ceil_mode count_include_pad exclude_outside exclusive keepdims
    noop_with_empty_axes reverse storage_order training_mode transA transB
""".split()
_TEXTS = """
    approximate auto_pad coordinate_transformation_mode equation
    keep_aspect_ratio_policy mode nearest_mode
""".split()


def read_attributes(node):
    """Return the attributes of a node: numbers, tuples of integers, and texts.

    Flags are 0 or 1, since engines do not agree on what others mean.

    Parameters
    ----------
    node : onnx.NodeProto

    Returns
    -------
    dict

    Raises
    ------
    ProgramError
    """
    import onnx

    types = onnx.AttributeProto
    found = {}
    for attribute in node.attribute:
        name = attribute.name
        is_right = attribute.type == _type_of(name)
        if attribute.type == types.FLOAT:
            value = attribute.f
            is_right &= math.isfinite(value)
        elif attribute.type == types.STRING:
            is_right &= len(attribute.s) <= _MAX_TEXT and attribute.s.isascii()
            value = attribute.s[:_MAX_TEXT].decode("ascii", "replace")
        elif attribute.type == types.INTS:
            value = tuple(attribute.ints[: 2 * MAX_RANK])
            is_right &= len(attribute.ints) == len(value)
            is_right &= all(abs(number) <= _MAX_ATTRIBUTE for number in value)
        else:
            value = attribute.i
            is_right &= abs(value) <= _MAX_ATTRIBUTE
            is_right &= name not in _FLAGS or value in (0, 1)
        if name in found or not is_right:
            raise ProgramError(f"{node.op_type} has another {name!r:.100} than it may")
        found[name] = value
    return found


def write_attributes(node, attributes):
    """Add attributes to a node that has none.

    Parameters
    ----------
    node : onnx.NodeProto
    attributes : dict
        From `read_attributes`.
    """
    from onnx.helper import make_attribute

    for name, value in attributes.items():
        node.attribute.append(make_attribute(name, value, attr_type=_type_of(name)))


def _type_of(name):
    from onnx import AttributeProto as types

    if name in _NUMBERS:
        return types.FLOAT
    if name in _LISTS:
        return types.INTS
    return types.STRING if name in _TEXTS else types.INT
