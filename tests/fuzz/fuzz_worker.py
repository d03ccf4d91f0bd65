"""Run the cases of one kind, within limits, and say of each what came out."""

import contextlib
import faulthandler
import importlib
import json
import os
import resource
import shutil
import tempfile
import traceback
import warnings
from pathlib import Path

import numpy as np

MEMORY = 1_500_000_000  # bytes beyond what the worker has after its preparation


class Failure(Exception):
    """What must not happen did."""

    def __init__(self, outcome, detail):
        super().__init__(detail)
        self.outcome = outcome


def main(says, warns, kind, seed, first, stop, limit_s):
    """Say on one connection what came out, and write errors to the other."""
    os.dup2(warns.fileno(), 2)
    say = speaker(says)
    module = importlib.import_module(f"fuzz_{kind}")
    warnings.simplefilter("ignore")
    folder = Path(tempfile.mkdtemp(prefix=f"fuzz-{kind}-"))
    try:
        os.chdir(folder)
        prepared = module.prepare(folder / "good")
        limit_memory()
        say("ready")
        for case in range(first, stop):
            place = folder / "case"
            place.mkdir()
            rng = np.random.default_rng([seed, sum(map(ord, kind)), case])
            # Where a case hangs: the parent, which ends it, reads this.
            faulthandler.dump_traceback_later(0.5 * limit_s, exit=False)
            outcome, detail = attempt(module, prepared, rng, place)
            faulthandler.cancel_dump_traceback_later()
            result = {"kind": kind, "case": case}
            say(json.dumps(result | {"outcome": outcome, "detail": detail}))
            shutil.rmtree(place)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def speaker(says):
    """Return a function that says a line; standard output is for decoders, unheard."""
    own = os.fdopen(os.dup(says.fileno()), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)

    def say(line):
        own.write(line + "\n")
        own.flush()

    return say


def limit_memory():
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    now = pages * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (now + MEMORY, now + MEMORY))


def attempt(module, prepared, rng, place):
    """Return the outcome of a case and, of failures, the detail."""
    story = []
    try:
        outcome = module.run(prepared, rng, place, story)
        return outcome, " ".join(story)
    except Failure as exc:
        return exc.outcome, f"{exc} | {' '.join(story)}"
    except Exception as exc:
        where = traceback.extract_tb(exc.__traceback__)
        own = [f for f in where if "skbird" in f.filename and "fuzz" not in f.filename]
        at = f"{Path(own[-1].filename).name}:{own[-1].name}" if own else "the fuzzer"
        name = f"{type(exc).__module__}.{type(exc).__name__}"
        first_line = (str(exc).splitlines() or [""])[0]
        detail = f"{name} at {at} | {first_line[:200]} | {' '.join(story)}"
        return "foreign", detail


# skbird's own errors are of these types exactly: pandas, pyarrow and codecs raise
# subclasses of ValueError.
OWN_TYPES = (ValueError, TypeError, FileNotFoundError, ImportError)


def is_own(exc):
    """Return whether an error is one that skbird promises."""
    # What the operating system refuses has the name of the file, or is explained.
    explained = isinstance(exc.__cause__, OSError)
    of_system = isinstance(exc, OSError) and (exc.filename is not None or explained)
    ours = type(exc).__module__.startswith("skbird")
    return type(exc) in OWN_TYPES or ours or of_system


@contextlib.contextmanager
def refusals(*names):
    """Let errors of skbird's pass as `Refused` if they name what is wrong."""
    try:
        yield
    except Exception as exc:
        frames = traceback.extract_tb(exc.__traceback__)
        raised_by_us = "skbird" in frames[-1].filename or isinstance(exc, OSError)
        if not is_own(exc) or not raised_by_us:
            raise
        says = getattr(exc, "filename", None) or any(name in str(exc) for name in names)
        if names and not says:
            detail = f"{type(exc).__name__} names no file | {str(exc)[:150]}"
            raise Failure("unnamed", detail) from exc
        raise Refused(str(exc)) from exc


class Refused(Exception):
    """skbird said, in its own words, that it does not take this."""


# Mutations of bytes -----------------------------------------------------------------

_EXTREMES = (0, 1, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)


def mutate(data, rng, story):
    """Damage bytes in one of the ways that copying and programs have."""
    ways = (flip, flip_head, cut, drop_piece, double_piece, blank, number, append)
    way = ways[rng.integers(len(ways))]
    story.append(way.__name__)
    return bytes(way(bytearray(data or b"\0"), rng))


def _place(data, rng, width=1):
    return int(rng.integers(max(1, len(data) - width)))


def flip(data, rng):
    for _ in range(int(rng.integers(1, 30))):
        data[_place(data, rng)] ^= 1 << int(rng.integers(8))
    return data


def flip_head(data, rng):
    for _ in range(int(rng.integers(1, 6))):
        data[int(rng.integers(min(64, len(data))))] = int(rng.integers(256))
    return data


def cut(data, rng):
    return data[: _place(data, rng)]


def drop_piece(data, rng):
    first = _place(data, rng)
    return data[:first] + data[first + int(rng.integers(1, 200)) :]


def double_piece(data, rng):
    first = _place(data, rng)
    piece = data[first : first + int(rng.integers(1, 200))]
    return data[:first] + piece + data[first:]


def blank(data, rng):
    first = _place(data, rng)
    n = int(rng.integers(1, 400))
    data[first : first + n] = bytes(len(data[first : first + n]))
    return data


def number(data, rng):
    """Write an extreme number, of 2 to 8 bytes, near the beginning."""
    width = int(rng.choice([2, 4, 8]))
    value = int(rng.choice(_EXTREMES)) % (1 << 8 * width)
    first = int(rng.integers(min(80, max(1, len(data) - width))))
    order = ["little", "big"][int(rng.integers(2))]
    data[first : first + width] = value.to_bytes(width, order)
    return data


def append(data, rng):
    return data + rng.bytes(int(rng.integers(1, 5000)))
