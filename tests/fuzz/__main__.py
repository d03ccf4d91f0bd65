"""Feed skbird files that are damaged, or lie, and see what becomes of the good ones.

    python tests/fuzz --cases 20000 --seed 0              # all kinds, some minutes
    python tests/fuzz --kind audio --seed 0 --case 123    # one case again

A case is allowed to give right rows, an error of skbird's that names the file, or NaN
rows for the bad file with good rows beside it bit-identical to a clean run. Whatever
else happens is a failure: a crash, a hang, 1.5 GB of memory, an error of another
library, a good row lost, a length or a number that is wrong without a word. Workers run
the cases; a worker that dies or hangs costs the case that it was at.
"""

import argparse
import json
import multiprocessing
import os
import queue
import re
import sys
import threading
import time
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import fuzz_worker

# Kinds, and how many of 100 cases are of each.
SHARES = {
    "audio": 25,
    "rows": 15,
    "annotations": 25,
    "models": 10,
    "programs": 5,
    "cache": 10,
    "archive": 10,
}
# And the kind "selftest", of cases that fail in all ways: is each of them seen?
START_S = 120  # a worker may take so long to import and to prepare
BATCH = 250
WORKERS = multiprocessing.get_context("forkserver")


def main():
    options = parse()
    start = time.monotonic()
    share_imports([options.kind] if options.kind else SHARES)
    if options.case is not None:
        batches = [(options.kind, range(options.case, options.case + 1))]
    else:
        batches = list(plan(options.cases, options.kind))
    with ThreadPoolExecutor(options.jobs) as pool:
        results = [
            result
            for batch in pool.map(lambda b: run_batch(*b, options), batches)
            for result in batch
        ]
    failures = report(results, options.seed)
    print(f"{len(results)} cases in {time.monotonic() - start:.0f} s.")
    return 1 if failures else 0


def parse():
    parser = argparse.ArgumentParser(prog="python tests/fuzz")
    parser.add_argument("--cases", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kind", choices=[*SHARES, "selftest"])
    parser.add_argument("--case", type=int, help="only this one; needs --kind")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--limit-s", type=float, default=10.0, help="for one case")
    options = parser.parse_args()
    if options.case is not None and options.kind is None:
        parser.error("--case needs --kind")
    return options


def share_imports(kinds):
    """Import once, in a process that workers are forked from, what they need."""
    os.environ |= dict.fromkeys(
        ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"], "1"
    )
    os.environ["MALLOC_ARENA_MAX"] = "2"
    os.environ["CUDA_VISIBLE_DEVICES"] = ""  # which a forked process cannot use
    # Older Pythons tell that process nothing of `sys.path`. Behind it is the network
    # that the battery has.
    paths = [*sys.path, str(Path(__file__).resolve().parent.parent)]
    os.environ["PYTHONPATH"] = os.pathsep.join(paths)
    WORKERS.set_forkserver_preload([f"fuzz_{kind}" for kind in kinds])


def plan(n_cases, kind):
    """Yield batches: a kind and the numbers of its cases."""
    shares = {kind: 100} if kind else SHARES
    for name, share in shares.items():
        n = -(-n_cases * share // 100)
        for first in range(0, n, BATCH):
            yield name, range(first, min(first + BATCH, n))


def run_batch(kind, cases, options):
    """Run cases in workers, one after the other; a new one where the last is lost."""
    results, todo = [], list(cases)
    while todo:
        done = run_worker(kind, todo, options)
        results += done
        todo = todo[len(done) :]
    return results


def run_worker(kind, cases, options):
    """Return the results of the cases up to the one that ended the worker."""
    said, says = WORKERS.Pipe(duplex=False)
    warned, warns = WORKERS.Pipe(duplex=False)
    numbers = [options.seed, cases[0], cases[-1] + 1, options.limit_s]
    worker = WORKERS.Process(
        target=fuzz_worker.main, args=(says, warns, kind, *numbers)
    )
    worker.start()
    says.close(), warns.close()  # so that these streams end with the worker
    lines, errors = queue.Queue(), []
    reader = threading.Thread(target=pump, args=(said, lines.put))
    watcher = threading.Thread(target=pump, args=(warned, errors.append))
    reader.start(), watcher.start()
    results, limit_s = [], START_S
    while True:
        try:
            line = lines.get(timeout=limit_s)
        except queue.Empty:
            worker.kill()
            watcher.join()
            results.append(lost(kind, cases[len(results)], "hang", place_of(errors)))
            break
        if line is None:
            break
        limit_s = options.limit_s
        if line.startswith("{"):
            results.append(json.loads(line))
    worker.join()
    reader.join(), watcher.join()
    hung = bool(results) and results[-1]["outcome"] == "hang"
    if len(results) < len(cases) and not hung:
        written = "".join(filter(None, errors))[-300:]
        detail = f"exit status {worker.exitcode}; {written}"
        results.append(lost(kind, cases[len(results)], "crash", detail))
    return results


def place_of(errors):
    """Say where a worker hung, by the stack that it wrote in time."""
    frames = [line for line in filter(None, errors) if line.startswith("  File")]
    ours = [frame for frame in frames if "skbird" in frame and "fuzz" not in frame]
    match = re.search(r'([^/"]+)", line \d+ in (\S+)', (ours or frames or [""])[0])
    return f"at {match[1]}:{match[2]}" if match else "somewhere"


def pump(connection, put):
    with open(os.dup(connection.fileno()), errors="replace") as stream:
        for line in stream:
            put(line)
    put(None)


def lost(kind, case, outcome, detail):
    return {"kind": kind, "case": case, "outcome": outcome, "detail": detail}


ALLOWED = ("right", "refused", "nan", "same")


def report(results, seed):
    """Print what came out by kind, and each sort of failure with its command."""
    outcomes = defaultdict(Counter)
    sorts = defaultdict(list)
    for result in results:
        kind, outcome = result["kind"], result["outcome"]
        failed = outcome not in ALLOWED
        outcomes[kind][outcome if not failed else "failures"] += 1
        if failed:
            sorts[kind, outcome, result["detail"].split(" | ")[0]].append(result)
    columns = ["cases", *ALLOWED, "failures"]
    print("".join(f"{name:>12}" for name in ["", *columns]))
    for kind, counts in outcomes.items():
        cells = [counts.total(), *(counts[name] for name in columns[1:])]
        print(f"{kind:>12}" + "".join(f"{cell:>12}" for cell in cells))
    for (kind, outcome, detail), found in sorted(sorts.items()):
        first = found[0]
        print(f"\n{len(found)} x {kind}: {outcome}: {first['detail'][:400] or detail}")
        print(f"  python tests/fuzz --kind {kind} --seed {seed} --case {first['case']}")
    return sum(map(len, sorts.values()))


if __name__ == "__main__":
    sys.exit(main())
