"""Shape of the result of each operator, and conditions on its inputs.

Each function takes an `Operation` and returns the shape of its result, or a list of
shapes. It raises `ProgramError` where engines could make something else of it.
"""

import math
import re

from skbird.inference._program_operation import (
    MAX_RANK,
    Operation,
    ProgramError,
    Tensor,
)

# The ends of slices may be "as far as it goes", no other size.
MAX_DIM = 2**22


def broadcast(operation):
    """Return the common shape of all inputs."""
    shapes = [tensor.dims for tensor in operation.inputs]
    rank = max(map(len, shapes))
    padded = [(1,) * (rank - len(dims)) + dims for dims in shapes]
    sizes = [{n for n in column if n != 1} for column in zip(*padded, strict=True)]
    operation.check(all(len(found) < 2 for found in sizes), "has shapes that differ")
    return tuple(found.pop() if found else 1 for found in sizes)


def same(operation):
    """Return the shape of the first input, which the others broadcast to."""
    operation.check(broadcast(operation) == operation.dims(), "broadcasts its input")
    return operation.dims()


def clip(operation):
    """Return the shape of the input; the limits are scalars."""
    limits = [tensor for tensor in operation.inputs[1:] if tensor is not None]
    operation.check(all(tensor.dims == () for tensor in limits), "has many limits")
    return operation.dims()


def softmax(operation):
    """Return the shape of the input."""
    operation.axis(-1)
    return operation.dims()


def normalization(operation):
    """Return the shape of the input; the other inputs are constants by channel."""
    operation.check(len(operation.dims()) > 1, "has no channels")
    n = operation.dims()[1]
    for tensor in operation.inputs[1:]:
        operation.check(tensor.dims == (n,), "has not a number for each channel")
    operation.check(not operation.get("training_mode", 0), "trains")
    return operation.dims()


def instance_normalization(operation):
    """Return the shape of the input, which has places to normalize."""
    operation.check(len(operation.dims()) > 2, "has no places")
    return normalization(operation)


def layer_normalization(operation):
    """Return the shape of the input; the others have the axes that are normalized."""
    normalized = operation.dims()[operation.axis(-1) :]
    given = [tensor for tensor in operation.inputs[1:] if tensor is not None]
    for tensor in given:
        operation.check(tensor.dims == normalized, "has weights of another shape")
    operation.check(operation.get("stash_type", 1) == 1, "has another precision")
    return operation.dims()


def convolution(operation):
    """Return (batch, n_filters, *places), of one or two spatial axes."""
    dims, weights = operation.dims(), operation.dims(1)
    groups = operation.get("group", 1)
    operation.check(3 <= len(dims) <= 4 and len(weights) == len(dims), "is no 1-D, 2-D")
    kernel = tuple(operation.get("kernel_shape", weights[2:]))
    operation.check(kernel == weights[2:], "has a kernel of another shape")
    operation.check(
        groups > 0 and dims[1] == weights[1] * groups and weights[0] % groups == 0,
        "has groups that do not fit",
    )
    if operation.has(2):
        operation.check(operation.dims(2) == weights[:1], "has another bias")
    return dims[0], weights[0], *_slide(operation, kernel)


def pooling(operation):
    """Return (batch, n_channels, *places)."""
    dims, kernel = operation.dims(), operation.get("kernel_shape", ())
    operation.check(3 <= len(dims) <= 4, "is no 1-D, 2-D")
    operation.check(len(kernel) == len(dims) - 2, "has a kernel of another shape")
    operation.check(not operation.get("storage_order", 0), "has another order")
    # No network has gaps here, and OpenVINO takes minutes for a thousand of them.
    operation.check(set(operation.get("dilations", ())) <= {1}, "has gaps")
    pads = operation.get("pads", ())
    is_narrow = all(n < kernel[axis % len(kernel)] for axis, n in enumerate(pads))
    operation.check(is_narrow, "has wide pads")
    return *dims[:2], *_slide(operation, kernel)


def _slide(operation, kernel):
    """Return how many places a kernel has on each spatial axis."""
    sizes = operation.dims()[2:]
    ones = (1,) * len(sizes)
    strides = operation.get("strides", ones)
    dilations = operation.get("dilations", ones)
    pads = operation.get("pads", (0,) * 2 * len(sizes))
    operation.check(operation.get("auto_pad", "NOTSET") == "NOTSET", "pads by itself")
    operation.check(
        len(strides) == len(dilations) == len(pads) / 2 == len(sizes)
        and min(*kernel, *strides, *dilations) > 0
        and min(pads) >= 0,
        "has strides, dilations or pads that do not fit",
    )
    places = []
    for axis, size in enumerate(sizes):
        reach = dilations[axis] * (kernel[axis] - 1) + 1
        before, after = pads[axis], pads[axis + len(sizes)]
        operation.check(max(before, after) < reach, "has wide pads")
        room = size + before + after - reach
        operation.check(room >= 0, "has a kernel larger than its input")
        n = room // strides[axis] + 1
        if operation.get("ceil_mode", 0) and room % strides[axis]:
            # One that begins behind the input is a place to some engines only.
            is_within = n * strides[axis] < size + before
            operation.check(is_within, "has a place behind its input")
            n += 1
        places.append(n)
    return places


def global_pooling(operation):
    """Return (batch, n_channels, 1, ...)."""
    operation.check(len(operation.dims()) > 2, "has nothing to pool")
    return *operation.dims()[:2], *(1,) * (len(operation.dims()) - 2)


def matmul(operation):
    """Return the product of matrices, whose further axes are broadcast."""
    left, right = operation.dims(0), operation.dims(1)
    operation.check(min(len(left), len(right)) >= 2, "has no matrices")
    operation.check(left[-1] == right[-2], "has matrices that do not fit")
    batches = [Tensor(left[:-2]), Tensor(right[:-2])]
    return *broadcast(Operation(operation.kind, batches, {})), left[-2], right[-1]


def gemm(operation):
    """Return (n, m): the product of two matrices, perhaps transposed, and a sum."""
    left, right = operation.dims(0), operation.dims(1)
    operation.check(len(left) == len(right) == 2, "has no matrices")
    left = left[::-1] if operation.get("transA", 0) else left
    right = right[::-1] if operation.get("transB", 0) else right
    operation.check(left[1] == right[0], "has matrices that do not fit")
    result = left[0], right[1]
    if operation.has(2):
        both = [Tensor(result), operation.inputs[2]]
        same(Operation(operation.kind, both, {}))
    return result


def einsum(operation):
    """Return the axes that the equation names."""
    equation = operation.get("equation", "")
    operation.check(
        re.fullmatch(r"[a-zA-Z]+,[a-zA-Z]+->[a-zA-Z]+", equation), "has no equation"
    )
    *terms, result = re.split(",|->", equation)
    sizes = einsum_sizes(operation)
    operation.check(
        all(len(set(term)) == len(term) for term in (*terms, result))
        and set(result) <= set(sizes),
        "has letters twice, or unknown ones",
    )
    return tuple(sizes[letter] for letter in result)


def einsum_sizes(operation):
    """Return the size of each letter of an equation."""
    terms = operation.attributes["equation"].split("->")[0].split(",")
    sizes = {}
    for term, tensor in zip(terms, operation.inputs, strict=True):
        operation.check(len(term) == len(tensor.dims), "has an equation of other axes")
        for letter, n in zip(term, tensor.dims, strict=True):
            operation.check(sizes.setdefault(letter, n) == n, "has sizes that differ")
    return sizes


def reduction(operation):
    """Return the shape without some axes, or with axes of length 1."""
    n = len(operation.dims())
    axes = operation.places(operation.constant(1)) if operation.has(1) else range(n)
    operation.check(not operation.get("noop_with_empty_axes", 0), "may do nothing")
    if not len(axes):
        axes = range(n)
    if operation.get("keepdims", 1):
        return tuple(1 if a in axes else m for a, m in enumerate(operation.dims()))
    return tuple(m for a, m in enumerate(operation.dims()) if a not in axes)


def reshape(operation):
    """Return the constant shape; -1 is what is left, and 0 what the axis has."""
    dims, asked = operation.dims(), operation.constant(1)
    operation.check(not (operation.get("allowzero", 0) and 0 in asked), "is empty")
    operation.check(len(asked) <= MAX_RANK and asked.count(-1) < 2, "is not clear")
    result = []
    for axis, n in enumerate(asked):
        operation.check(n >= -1 and (n != 0 or axis < len(dims)), "is not clear")
        result.append(dims[axis] if n == 0 else n)
    if -1 in result:
        others = math.prod(n for n in result if n != -1)
        result[result.index(-1)] = math.prod(dims) // max(others, 1)
    operation.check(math.prod(result) == math.prod(dims), "changes how many there are")
    return tuple(result)


def flatten(operation):
    """Return (n, m): what is before an axis, and what is after."""
    dims, axis = operation.dims(), operation.get("axis", 1)
    if axis != len(dims):  # behind the last one, too
        axis = operation.place(axis)
    return math.prod(dims[:axis]), math.prod(dims[axis:])


def transpose(operation):
    """Return the axes in another order."""
    order = operation.get("perm", tuple(range(len(operation.dims())))[::-1])
    operation.check(
        sorted(order) == list(range(len(operation.dims()))), "has no such axes"
    )
    return tuple(operation.dims()[axis] for axis in order)


def squeeze(operation):
    """Return the shape without some axes of length 1."""
    dims, axes = operation.dims(), operation.places(operation.constant(1))
    operation.check(len(axes) > 0, "is not clear")  # to engines, that is all of them
    operation.check(all(dims[axis] == 1 for axis in axes), "drops more than one")
    return tuple(n for axis, n in enumerate(dims) if axis not in axes)


def unsqueeze(operation):
    """Return the shape with some more axes of length 1."""
    asked = operation.constant(1)
    n = len(operation.dims()) + len(asked)
    axes, rest = operation.places(asked, n), iter(operation.dims())
    return tuple(1 if axis in axes else next(rest) for axis in range(n))


def concat(operation):
    """Return the shapes one after another on an axis."""
    operation.check("axis" in operation.attributes, "has no axis")
    axis = operation.axis(0)
    shapes = [[*tensor.dims] for tensor in operation.inputs]
    operation.check(len({len(dims) for dims in shapes}) == 1, "has shapes that differ")
    total = sum(dims.pop(axis) for dims in shapes)
    operation.check(all(d == shapes[0] for d in shapes), "has shapes that differ")
    return *shapes[0][:axis], total, *shapes[0][axis:]


def split(operation):
    """Return several shapes: stretches of an axis."""
    axis, dims = operation.axis(0), operation.dims()
    if operation.has(1):
        operation.check("num_outputs" not in operation.attributes, "is not clear")
        sizes = operation.constant(1)
    else:
        n = operation.get("num_outputs", 1)
        operation.check(0 < n <= dims[axis] and dims[axis] % n == 0, "has other sizes")
        sizes = [dims[axis] // n] * n
    operation.check(min(sizes) > 0 and sum(sizes) == dims[axis], "has other sizes")
    return [(*dims[:axis], n, *dims[axis + 1 :]) for n in sizes]


def cut(operation):
    """Return the shape of stretches of some axes, perhaps in steps."""
    starts, ends = operation.constant(1), operation.constant(2)
    axes = operation.constant(3) if operation.has(3) else range(len(starts))
    steps = operation.constant(4) if operation.has(4) else [1] * len(starts)
    operation.check(len(starts) == len(ends) == len(axes) == len(steps), "is not clear")
    operation.check(all(0 < step <= MAX_DIM for step in steps), "goes backwards")
    result = list(operation.dims())
    places = operation.places(axes)
    for start, end, axis, step in zip(starts, ends, places, steps, strict=True):
        result[axis] = len(range(*slice(start, end, step).indices(result[axis])))
    operation.check(min(result, default=1) > 0, "is empty")
    return tuple(result)


def gather(operation):
    """Return the shape of entries of an axis; which ones is constant."""
    axis, indices = operation.axis(0), operation.inputs[1]
    if indices.value is None or indices.kind != "int64":
        raise ProgramError("Gather computes its indices")
    dims = operation.dims()
    if ((indices.value < -dims[axis]) | (indices.value >= dims[axis])).any():
        raise ProgramError(f"Gather reads beyond the {dims[axis]} entries of an axis")
    return *dims[:axis], *indices.dims, *dims[axis + 1 :]


def expand(operation):
    """Return the constant shape, which the input is broadcast to."""
    asked = operation.constant(1)
    operation.check(len(asked) <= MAX_RANK and min(asked, default=1) > 0, "is empty")
    both = [operation.inputs[0], Tensor(tuple(asked))]
    return broadcast(Operation(operation.kind, both, {}))


def tile(operation):
    """Return the shape, repeated."""
    times, dims = operation.constant(1), operation.dims()
    operation.check(len(times) == len(dims) and min(times) > 0, "has other axes")
    return tuple(n * m for n, m in zip(dims, times, strict=True))


def pad(operation):
    """Return the shape with zeros, or another number, around it."""
    dims, pads = operation.dims(), operation.constant(1)
    operation.check(
        operation.get("mode", "constant") == "constant", "repeats its input"
    )
    operation.check(len(pads) == 2 * len(dims) and min(pads) >= 0, "has other pads")
    if operation.has(2):
        operation.check(operation.dims(2) == (), "has several numbers")
    return tuple(n + pads[a] + pads[a + len(dims)] for a, n in enumerate(dims))


def resize(operation):
    """Return the constant sizes, or the shape times constant scales."""
    dims = operation.dims()
    operation.check(
        len(dims) == 4
        and operation.get("mode", "nearest") in ("nearest", "linear")
        and operation.get("coordinate_transformation_mode", "half_pixel")
        in ("half_pixel", "pytorch_half_pixel", "asymmetric", "align_corners")
        and not operation.get("antialias", 0)
        and not operation.get("exclude_outside", 0)
        and operation.get("keep_aspect_ratio_policy", "stretch") == "stretch",
        "is of another kind",
    )
    if operation.has(1):
        operation.check(operation.dims(1) == (0,), "has a region")
    operation.check(operation.has(2) != operation.has(3), "is not clear")
    if operation.has(3):
        result = tuple(operation.constant(3))
    else:
        scales = operation.constant(2, "float32")
        operation.check(all(0 < scale <= 64 for scale in scales), "has other scales")
        operation.check(len(scales) == 4, "has other scales")
        result = tuple(
            _scaled(operation, n, scale) for n, scale in zip(dims, scales, strict=True)
        )
    operation.check(len(result) == 4 and result[:2] == dims[:2], "resizes channels")
    operation.check(min(result) > 0, "is empty")
    return result


def _scaled(operation, n, scale):
    size = n * scale
    # Engines compute in float32, and some add a little before they cut off.
    is_clear = math.floor(size) == math.floor(size * (1 + 1e-6) + 1e-5)
    operation.check(is_clear, "has a scale that gives no clear size")
    return math.floor(size)


def cumulation(operation):
    """Return the shape of the input; the axis is constant."""
    operation.check(len(operation.constant(1)) == 1, "has not one axis")
    operation.places(operation.constant(1))
    return operation.dims()
