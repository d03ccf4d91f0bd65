"""The fuzzers in ``tests/fuzz``, for as long as CI allows."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("resource", reason="limits on memory need POSIX")
FUZZ = Path(__file__).with_name("fuzz")


def fuzz(*options):
    command = [sys.executable, str(FUZZ), *map(str, options)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=1500)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("n", [100, pytest.param(1000, marks=pytest.mark.thorough)])
def test_damaged_files_cost_no_good_row(n):
    code, report = fuzz("--cases", n, "--seed", 0, "--limit-s", 60)
    assert code == 0, report


@pytest.fixture(scope="module")
def selftest():
    return fuzz("--kind", "selftest", "--cases", 8, "--seed", 81, "--limit-s", 1)


@pytest.mark.slow
def test_every_sort_of_failure_is_seen(selftest):
    code, report = selftest
    assert code == 1
    found = set(re.findall(r"^\d+ x selftest: ([^|\n]*)", report, re.MULTILINE))
    heads = {" ".join(line.split()[:4]).rstrip() for line in found}
    assert heads == {
        "crash: exit status -6;",
        "hang: at fuzz_selftest.py:hang",
        "foreign: builtins.MemoryError at the",
        "foreign: builtins.KeyError at the",
        "good rows lost: all",
        "unnamed: AudioReadError names no",
    }
    table = [line.split() for line in report.splitlines()]
    (counts,) = (cells[1:] for cells in table if cells[:1] == ["selftest"])
    cases, right, refused, nan, same, failures = map(int, counts)
    assert (nan, same) == (0, 0)
    assert min(right, refused, failures) > 0
    assert cases == 8 == right + refused + failures


@pytest.mark.slow
def test_a_case_can_be_run_again(selftest):
    code, report = selftest
    command = re.search(r"python tests/fuzz (--kind selftest .*--case \d+)", report)
    again, second = fuzz(*command[1].split(), "--limit-s", 1)
    assert code == again == 1
    number, failure = second.splitlines()[3].split(" ", 1)
    assert number == "1"
    assert failure in report
    assert "1 cases in" in second


@pytest.mark.slow
@pytest.mark.parametrize("n", [50, pytest.param(300, marks=pytest.mark.thorough)])
def test_shapes_of_programs_are_those_that_engines_make(n):
    for name in ("onnx", "onnxruntime", "openvino"):
        pytest.importorskip(name)
    code, report = fuzz("--kind", "programs", "--cases", n, "--seed", 1)
    assert code == 0, report
