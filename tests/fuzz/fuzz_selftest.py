"""Cases that must be reported as failures: tests of the fuzzer itself."""

import os
import time

from fuzz_worker import Failure, Refused, refusals

from skbird.audio import read_header


def prepare(folder):
    return [fine, refuse, crash, hang, allocate, foreign, lose, name_nothing]


def run(ways, rng, place, story):
    way = ways[rng.integers(len(ways))]
    story.append(way.__name__)
    return way(place)


def fine(place):
    return "right"


def refuse(place):
    try:
        with refusals("missing.wav"):
            read_header(place / "missing.wav")
    except Refused:
        return "refused"


def crash(place):
    os.abort()


def hang(place):
    time.sleep(1000)


def allocate(place):
    return len(bytes(2_000_000_000)) and "right"


def foreign(place):
    with refusals():
        return {}["right"]


def lose(place):
    raise Failure("good rows lost", "all of them")


def name_nothing(place):
    with refusals("another.wav"):
        read_header(place / "missing.wav")
