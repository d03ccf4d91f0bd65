"""Memory and multiplications that a program of known sizes needs."""

import math

from skbird.inference._program_work import round_up, work_of

_BYTES = {"float32": 4, "bool": 4, "int64": 8}  # engines compute bool as a float
# What the input takes on its way to the engine.
_INPUT_COPIES = 4
# Operations whose engines need results of their size besides, and how many.
_SCRATCH = {"LogSoftmax": 2, "Max": 2, "Mean": 2, "Min": 2, "Softmax": 2, "Sum": 2}
_SCRATCH["Where"] = 2
# What takes engines as long to prepare as so many other operations.
_PREPARATION = {"Einsum": 16, "Gelu": 8, "InstanceNormalization": 5}
_PREPARATION["LayerNormalization"] = 5
# What engines compute of two inputs after the other.
_PAIRED = ("Concat", "Max", "Mean", "Min", "Sum")


class Cost:
    """Adds up the memory and the work of the operations of a program.

    Parameters
    ----------
    tensors : dict of str to Tensor
        All that are known, by name: the input, weights, and results as they come.

    Attributes
    ----------
    work : int
        Multiplications of a convolution that take as long as one batch, about.
    """

    def __init__(self, tensors):
        self._tensors = tensors
        self._nodes = []
        self._n_packed = 0
        self._scratch = {}
        self.work = 0

    def add(self, operation, node, results):
        """Add an operation, its node, and its results."""
        self._nodes.append(node)
        self.work += work_of(operation, results)
        self._n_packed += sum(_packed_bytes(operation))
        scratch = _SCRATCH.get(operation.kind, 0) * sum(map(_count_bytes, results))
        self._scratch[node.output[0]] = scratch

    def n_bytes(self):
        """Return the most bytes that are needed at one time, beside the weights.

        Engines choose the order of the operations: the program's own, or depth first
        from the last one, taking first inputs first or last ones first.
        """
        n_bytes = {
            name: _count_bytes(tensor)
            for name, tensor in self._tensors.items()
            if tensor.moves or tensor.value is None
        }
        orders = [self._nodes, _depth_first(self._nodes, 1)]
        orders.append(_depth_first(self._nodes, -1))
        most = max(self._most_alive(order, n_bytes) for order in orders)
        return most + self._n_packed + (_INPUT_COPIES - 1) * n_bytes["segments"]

    def _most_alive(self, nodes, n_bytes):
        """Return the most bytes of results that are needed at the same time."""
        last_use = {}
        for number, node in enumerate(nodes):
            for name in (*node.input, *node.output):
                last_use[name] = number
        # What does not depend on the segments is computed beforehand, and kept.
        dying = {}
        for name, number in last_use.items():
            if name and self._tensors[name].moves:
                dying.setdefault(number, []).append(name)
        alive = most = n_bytes["segments"]
        for number, node in enumerate(nodes):
            alive += sum(n_bytes.get(name, 0) for name in node.output)
            most = max(most, alive + self._scratch[node.output[0]])
            alive -= sum(n_bytes[name] for name in dying.get(number, ()))
        return most


def preparation(node):
    """Return how many simple operations take an engine as long to prepare.

    Parameters
    ----------
    node : onnx.NodeProto

    Returns
    -------
    int
    """
    n_pairs = len(node.input) - 1 if node.op_type in _PAIRED else 1
    return max(n_pairs, len(node.output), _PREPARATION.get(node.op_type, 1))


def _packed_bytes(operation):
    """Yield the bytes of the copies that engines make of weights, one for each use."""
    for number, tensor in enumerate(operation.inputs):
        if tensor is None or tensor.moves or number == 0 or len(tensor.dims) < 2:
            continue
        dims = list(tensor.dims)
        first = {"MatMul": len(dims) - 2, "Gemm": 0, "Conv": 0}.get(operation.kind)
        if first is None:
            continue
        is_grouped = operation.get("group", 1) > 1
        for axis in range(first, first + 1 if is_grouped else first + 2):
            dims[axis] = round_up(dims[axis])
        yield 4 * math.prod(dims)


def _count_bytes(tensor):
    dims = list(tensor.dims)
    if len(dims) > 2:
        dims[1] = round_up(dims[1])
    return math.prod(dims) * _BYTES[tensor.kind]


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
