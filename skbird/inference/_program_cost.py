"""What a program of known sizes needs: memory, and multiplications."""

import math

import numpy as np

# Engines keep channels in blocks of so many.
_CHANNELS = 16


def count_bytes(dims, kind):
    """Return the bytes that engines take for a tensor, whatever they convert it to.

    Parameters
    ----------
    dims : list of int
    kind : int
        A type of ``onnx.TensorProto``.

    Returns
    -------
    int
    """
    import onnx

    if len(dims) > 3:
        dims = [dims[0], -(-dims[1] // _CHANNELS) * _CHANNELS, *dims[2:]]
    dtype = onnx.helper.tensor_dtype_to_np_dtype(kind)
    return math.prod(dims) * max(4, np.dtype(dtype).itemsize)


def count_work(graph, shapes):
    """Return about how many multiplications and copies one run needs.

    Parameters
    ----------
    graph : onnx.GraphProto
    shapes : dict of str to list of int
        Of all tensors, weights too.

    Returns
    -------
    int
    """
    return sum(_work_of(node, shapes) for node in graph.node)


def _work_of(node, shapes):
    out = sum(math.prod(shapes[name]) for name in node.output if name)
    attributes = {a.name: a for a in node.attribute}
    if node.op_type == "Conv":
        return out * math.prod(shapes[node.input[1]][1:])
    if node.op_type in ("MatMul", "Gemm"):
        return out * max(shapes[node.input[0]], default=1)
    if node.op_type == "Einsum":
        sizes = {}
        terms = attributes["equation"].s.decode().split("->")[0].split(",")
        for term, name in zip(terms, node.input, strict=True):
            sizes |= dict(zip(term.replace(" ", ""), shapes[name], strict=True))
        return math.prod(sizes.values())
    if "kernel_shape" in attributes:
        return out * math.prod(attributes["kernel_shape"].ints)
    return out + sum(math.prod(shapes[name]) for name in node.input if name)


def most_alive(graph, n_bytes):
    """Return the most bytes of results that are needed at the same time.

    Engines choose the order of the operations: the file's own, or depth first from the
    last one, taking first inputs first or last ones first.

    Parameters
    ----------
    graph : onnx.GraphProto
        With one input.
    n_bytes : dict of str to int
        Of the input and all results.

    Returns
    -------
    int
    """
    nodes = list(graph.node)
    orders = [nodes, _depth_first(nodes, 1), _depth_first(nodes, -1)]
    return max(_most_alive_in(order, graph, n_bytes) for order in orders)


def _depth_first(nodes, step):
    """Return nodes in the order in which depth-first search finishes them."""
    makers = {name: n for n, node in enumerate(nodes) for name in node.output if name}
    order, entered, done = [], set(), set()
    stack = list(range(len(nodes)))
    while stack:
        number = stack[-1]
        if number in entered:
            stack.pop()
            if number not in done:
                done.add(number)
                order.append(nodes[number])
            continue
        entered.add(number)
        needed = [makers[name] for name in nodes[number].input if name in makers]
        stack += [n for n in needed[::-step] if n not in entered]
    return order


def _most_alive_in(nodes, graph, n_bytes):
    last_use = {}
    for number, node in enumerate(nodes):
        for name in (*node.input, *node.output):
            last_use[name] = number
    # What does not depend on the segments is computed beforehand, and kept.
    moving = {graph.input[0].name}
    for node in nodes:
        if node.op_type != "Shape" and moving.intersection(node.input):
            moving.update(node.output)
    dying = {}
    for name, number in last_use.items():
        if name in n_bytes and name in moving:
            dying.setdefault(number, []).append(name)
    alive = most = n_bytes[graph.input[0].name]
    for number, node in enumerate(nodes):
        alive += sum(n_bytes[name] for name in node.output if name)
        most = max(most, alive)
        alive -= sum(n_bytes[name] for name in dying.get(number, ()))
    return most
