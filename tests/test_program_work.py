"""What is slow in an engine costs a stranger's program more than a convolution."""

import math

import numpy as np
import pytest

pytest.importorskip("onnx")

from skbird.inference._program_operation import Operation, Tensor
from skbird.inference._program_rules import RULES, results_of
from skbird.inference._program_work import _ROWS, _WEIGHT_OF, work_of


def work(kind, *shapes, **attributes):
    """Return what an operation counts, and how many results it has."""
    inputs = [
        Tensor(shape.shape, "int64", shape)
        if isinstance(shape, np.ndarray)
        else Tensor(shape, moves=True)
        for shape in shapes
    ]
    operation = Operation(kind, inputs, attributes)
    results = results_of(operation)
    return work_of(operation, results), math.prod(results[0].dims)


def window(*kernel):
    return {"kernel_shape": kernel, "pads": tuple(n // 2 for n in kernel) * 2}


SQUARE, TALL, FLAT = (4, 16, 128, 128), (4, 64, 4096, 1), (4, 2, 1, 131_072)
ROWS = (4, 65_536, 1, 4)
# How many multiplications of a plain convolution take as long as a result of the slower
# engine: benchmarks/operators.py, on two cores.
MEASURED = [
    ("Softmax", [SQUARE], {"axis": 1}, 1100),
    ("Softmax", [TALL], {"axis": 3}, 2400),
    ("LogSoftmax", [SQUARE], {"axis": 1}, 1000),
    ("LayerNormalization", [TALL, (1,)], {"axis": 3}, 650),
    ("Mish", [SQUARE], {}, 900),
    ("Softplus", [TALL], {}, 900),
    ("Cos", [TALL], {}, 900),
    ("Pow", [SQUARE, (16, 1, 1)], {}, 700),
    ("CumSum", [SQUARE, np.array(2)], {}, 550),
    ("Max", [TALL, (64, 1, 1), TALL, (1,)], {}, 700),
    ("MaxPool", [FLAT], window(1, 31), 1100),
    ("AveragePool", [FLAT], window(1, 3), 250),
    ("AveragePool", [TALL], window(3, 1), 120),
    ("AveragePool", [(4, 16, 16_384)], window(301), 120 * 301),
    ("Conv", [FLAT, (2, 2, 1, 31)], {"pads": (0, 15, 0, 15)}, 700),
    ("Conv", [TALL, (64, 2, 15, 1)], {"pads": (7, 0, 7, 0), "group": 32}, 1100),
    ("Conv", [SQUARE, (16, 1, 15, 15)], {"pads": (7,) * 4, "group": 16}, 450),
    ("MatMul", [(4, 65_536, 1, 1), (4, 65_536, 1, 1)], {}, 5000),
    ("MatMul", [ROWS, (4, 65_536, 4, 1)], {}, 5000),
    ("Einsum", [(4, 16, 128, 128), (128, 128)], {"equation": "abcd,ed->abce"}, 2000),
]


@pytest.mark.parametrize("case", MEASURED, ids=lambda case: f"{case[0]} {case[1][0]}")
def test_slow_operations_count_as_long_as_they_take(case):
    kind, shapes, attributes, least = case
    found, n = work(kind, *shapes, **attributes)
    assert found >= least * n


def test_what_is_in_no_table_counts_as_slow():
    assert _WEIGHT_OF.keys() <= RULES.keys()
    assert _ROWS.keys() <= RULES.keys()
    slow, n = work("Cos", SQUARE)
    assert "Cos" not in _WEIGHT_OF
    assert slow == 2 * n * 800
    assert all(weight <= 800 for weight in _WEIGHT_OF.values())


def test_plain_convolutions_and_products_count_little_more_than_they_multiply():
    shape, n_filters = (4, 64, 64, 64), 64
    found, n = work("Conv", shape, (n_filters, 64, 3, 3), pads=(1,) * 4)
    assert found < 3 * n * 64 * 9
    found, n = work("MatMul", (4, 512, 1024), (1024, 512))
    assert found < 3 * n * 1024
    found, n = work("Gemm", (512, 1024), (512, 1024), transB=1)
    assert found < 3 * n * 1024


def test_long_rows_count_by_their_numbers():
    found, n = work("Softmax", (4, 64, 1024), axis=-1)
    assert found < 2.1 * n * 110
