"""Time operators of networks, against what programs of strangers are charged.

Usage::

    python benchmarks/operators.py
    python benchmarks/operators.py Softmax Conv --rounds 5

Each operator is repeated in a program, on tensors of usual and of awkward shapes, and
timed in both engines. The table is in multiplications of a plain convolution: what an
operation takes in the slower engine, for each that it is charged now. Above 1, its
weight in ``skbird/inference/_program_work.py`` is too small.
"""

import argparse
import time

import numpy as np
import pandas as pd
from _common import write_results
from _operator_cases import CASES, INPUT, Graph

from skbird.inference._engines import ENGINES
from skbird.inference._programs import ProgramError, check_program

# A quarter million numbers for each of four segments.
_SHAPES = {
    "square": (4, 16, 128, 128),
    "deep": (4, 16384, 4, 4),
    "tall": (4, 64, 4096, 1),
    "thin": (4, 131072, 1, 2),
    "flat": (4, 2, 1, 131072),
}
# The difference between both is what the operations take, without all else.
_LEAST_REPEATS, _MOST_REPEATS = 1, 4
_ENGINES = ("onnxruntime", "openvino")


def write_program(make, dims, n_repeats):
    """Return a program that repeats an operation, or None where it does not fit."""
    graph = Graph()
    x = graph.add("ReduceMean", "segments", graph.sizes(1, 2), keepdims=0)
    x = graph.add("Expand", graph.reshape(x, (4, 1, 1, 1)), graph.sizes(*dims))
    noise = np.random.default_rng(0).normal(0, 1, dims[1:]).astype(np.float32)
    x = graph.add("Add", x, graph.weight(noise))
    for _ in range(n_repeats):
        x = make(graph, x, dims)
        if x is None:
            return None
        if make in (CASES["GlobalAveragePool"], CASES["GlobalMaxPool"]):
            x = graph.add("Expand", x, graph.sizes(*dims))
    return graph.write(x)


def time_program(program, engine, rounds):
    """Return the least seconds that a batch takes."""
    ready = ENGINES[engine](program, "float32", 4, None)
    batch = np.random.default_rng(2).random(INPUT).astype(np.float32)
    ready.run([batch])
    seconds = []
    for _ in range(rounds):
        start = time.perf_counter()
        ready.run([batch])
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def measure(make, dims, rounds):
    """Return work that is charged, and seconds in each engine; {} if it is refused."""
    found = []
    for n_repeats in (_LEAST_REPEATS, _MOST_REPEATS):
        program = write_program(make, dims, n_repeats)
        if program is None:
            return {}
        try:
            checked = check_program(
                program, shape=INPUT, n_species=2, frame_scores=False
            )
        except ProgramError:
            return {}  # no program may do that
        times = {
            engine: time_program(checked.program, engine, rounds) for engine in _ENGINES
        }
        found.append({"work": checked.work} | times)
    few, many = found
    return {name: many[name] - few[name] for name in many}


def main():
    """Parse the command line, measure, print and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kinds", nargs="*", help="operators; all by default")
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    plain = measure(CASES["Conv 15"], _SHAPES["square"], args.rounds)
    n = 3 * np.prod(_SHAPES["square"]) * 16 * 15**2
    rate = n / max(plain[engine] for engine in _ENGINES)
    print(f"a plain convolution: {rate:.1e} multiplications per second")
    rows = []
    for name, make in CASES.items():
        if args.kinds and name.split()[0] not in args.kinds:
            continue
        for shape, dims in _SHAPES.items():
            found = measure(make, dims, args.rounds)
            if not found:
                continue
            ratios = {
                engine: rate * found[engine] / found["work"] for engine in _ENGINES
            }
            rows.append({"operation": name, "shape": shape} | ratios)
            print(
                f"{name:28}{shape:8}"
                + "".join(f"{engine} {n:8.2f}  " for engine, n in ratios.items()),
                flush=True,
            )
    results = {f"{r['operation']}, {r['shape']}": r for r in rows}
    table = pd.DataFrame(rows).sort_values(["onnxruntime", "openvino"])
    print(table.tail(20).to_string(index=False))
    print(f"written to {write_results('operators', vars(args), results)}")


if __name__ == "__main__":
    main()
