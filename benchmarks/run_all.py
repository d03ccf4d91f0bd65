"""Run the benchmarks of speed and memory, and write their figures into the docs.

Usage::

    python benchmarks/run_all.py                  # all, about 40 minutes on two cores
    python benchmarks/run_all.py archive cache    # some
    python benchmarks/run_all.py --quick          # small, to see whether they work
    python benchmarks/run_all.py --table-only     # from the results that are there

Each benchmark is a script of its own that leaves a JSON file in ``benchmarks/results``.
The table of ``docs/results/speed.md``, between two marker comments, is made of these
files alone. With ``--quick`` results go to a temporary folder, and the table is
printed.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from _common import ROOT, results_folder

BEGIN = "<!-- benchmarks:begin -->"
END = "<!-- benchmarks:end -->"
_HEADER = """\
| what | figure | goal | command |
| --- | --- | --- | --- |
"""


@dataclass(frozen=True)
class Benchmark:
    """A script with its arguments.

    Attributes
    ----------
    command : str
        File in this folder, and options.
    quick : str
        Further options for a quick run.
    result : str
        Name of the JSON file without suffix.
    """

    command: str
    quick: str
    result: str


BENCHMARKS = {
    "front_end": Benchmark(
        "front_end.py --rows 2000", "--rows 40 --pairs 2", "front_end_none"
    ),
    "vad": Benchmark(
        "front_end.py --rows 400 --filters vad", "--rows 16 --pairs 1", "front_end_vad"
    ),
    "memory": Benchmark("memory.py", "--rows 200 --hours 0.1", "memory"),
    "cache": Benchmark("cache.py", "--rows 24 --rounds 2", "cache"),
    "inference": Benchmark(
        "inference.py", "--backbone mobilenetv3_small_050 --rounds 2", "inference"
    ),
    "training": Benchmark(
        "training_speed.py",
        "--backbone mobilenetv3_small_050 --batches 1 --rounds 2",
        "training_speed",
    ),
    "archive": Benchmark("archive.py", "--files 60", "archive"),
}


def _speed(ratio):
    return f"{ratio:.1f} times as fast"


_ALONE = "times Silero's default and librosa, file by file"
_PER_CORE = "times Silero's default and librosa, a process per core"

# Benchmark, what is measured, the goal, and the figure as a function of the results.
ROWS = [
    (
        "front_end",
        "file to log-mel, against decoding alone in as many threads",
        "at most 1.7 times the time",
        lambda r: (
            f"{r['time / soundfile.read alone (same threads)']:.1f} times the time"
        ),
    ),
    (
        "vad",
        "file to log-mel with voice detection, against Silero's default and librosa, "
        "file by file (in a process per core)",
        "at least 4 times as fast",
        lambda r: f"{_speed(r[_ALONE])} ({r[_PER_CORE]:.1f})",
    ),
    (
        "memory",
        "peak memory of file to log-mel, with a recording of hours among the rows, "
        "without and with voice detection",
        "below 1500 MB",
        lambda r: (
            f"{r['none']['peak memory, MB']:.0f} MB and "
            f"{r['vad']['peak memory, MB']:.0f} MB for {r['vad']['rows']} rows"
        ),
    ),
    (
        "cache",
        "file to log-mel again, cache warm, against the first pass",
        "below 5 %",
        lambda r: f"{100 * r['second / first']:.1f} % of the time",
    ),
    (
        "cache",
        "cross-validation of three folds, mel statistics and logistic regression: no "
        "cache, empty cache, warm cache",
        "",
        lambda r: ", ".join(
            f"{r[f'three folds, {which} cache, s']:.1f} s"
            for which in ("no", "empty", "warm")
        ),
    ),
    (
        "cache",
        "cache on disk, per hour of audio",
        "",
        lambda r: f"{r['MB on disk per hour of audio']:.0f} MB",
    ),
    (
        "inference",
        "file to probabilities, EfficientNet-B0, 206 species, fp32, against the usual "
        "notebook (librosa, eager torch)",
        "at least 4 times as fast",
        lambda r: _speed(r["openvino fp32"]["times the notebook"]),
    ),
    (
        "inference",
        "file to probabilities, bf16, against the same notebook",
        "at least 5 times as fast",
        lambda r: _speed(r["openvino bf16"]["times the notebook"]),
    ),
    (
        "training",
        "training EfficientNet-B0, against a plain loop",
        "at least 3 times as fast",
        lambda r: _speed(r["skbird"]["plain"]),
    ),
    (
        "training",
        "training EfficientNet-B0, against a loop by hand with the same settings",
        "within 5 %",
        lambda r: f"{r['skbird']['by hand']:.2f} times as fast",
    ),
    (
        "archive",
        "archive run, killed at random moments, against an undisturbed one",
        "the same rows",
        lambda r: (
            f"{r['rows that differ']} of {r['rows']} rows differ after {r['kills']} "
            f"kills, {r['seconds lost per kill']:.0f} s lost by each"
        ),
    ),
    (
        "archive",
        "peak memory of an archive run, a tenth of the files and all",
        "the same",
        lambda r: (
            f"{r['peak memory, a tenth of the files, MB']:.0f} MB and "
            f"{r['peak memory, all files, MB']:.0f} MB for {r['files']} files"
        ),
    ),
]


def render(folder):
    """Make the table of the results that are there.

    Parameters
    ----------
    folder : Path
        That of the JSON files.

    Returns
    -------
    table : str
        In Markdown. A figure without results, or with results from before it was
        measured, has no line.
    missing : list of str
        What has no line, and what to run for it.
    """
    lines, missing = [_HEADER], []
    for name, what, goal, figure in ROWS:
        benchmark = BENCHMARKS[name]
        try:
            record = json.loads((folder / f"{benchmark.result}.json").read_text())
            # What made the figure, which may have had other options.
            command = record.get("command", benchmark.command)
            lines.append(
                f"| {what} | **{figure(record['results'])}** | {goal} | "
                f"`python benchmarks/{command}` |\n"
            )
        except (FileNotFoundError, KeyError):
            missing.append(f"{what}: run_all.py {name}")
    return "".join(lines), missing


def write_table(page, table):
    """Put the table between the two markers of a page.

    Parameters
    ----------
    page : Path
    table : str

    Raises
    ------
    ValueError
        If the markers are not there, once each and in order.
    """
    text = page.read_text()
    before, *rest = text.split(BEGIN)
    if len(rest) != 1 or rest[0].count(END) != 1 or END in before:
        raise ValueError(
            f"{page} needs the lines {BEGIN} and {END}, once each and in this order; "
            "the table goes between them."
        )
    after = rest[0].split(END)[1]
    page.write_text(f"{before}{BEGIN}\n{table}{END}{after}")


def run(names, quick):
    """Run benchmarks one after the other; return the names of those that failed."""
    failed = []
    for name in names:
        script, *options = BENCHMARKS[name].command.split()
        options += BENCHMARKS[name].quick.split() if quick else []
        print(f"== {script} {' '.join(options)}", flush=True)
        command = [sys.executable, ROOT / "benchmarks" / script, *options]
        if subprocess.run(command, check=False).returncode:
            failed.append(name)
    return failed


def main():
    """Parse the command line, run the benchmarks and write or print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="name", help=", ".join(BENCHMARKS))
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--table-only", action="store_true")
    parser.add_argument("--page", type=Path, default=ROOT / "docs/results/speed.md")
    args = parser.parse_args()
    unknown = set(args.names) - set(BENCHMARKS)
    if unknown:
        parser.error(f"no benchmark {sorted(unknown)}; there are {list(BENCHMARKS)}")
    with tempfile.TemporaryDirectory() as temporary:
        if args.quick:
            os.environ["SKBIRD_RESULTS"] = temporary
        failed = [] if args.table_only else run(args.names or BENCHMARKS, args.quick)
        table, missing = render(results_folder())
    for line in missing:
        print(f"not in the table: {line}")
    if args.quick:
        print(table)
    else:
        write_table(args.page, table)
        print(f"written to {args.page}")
    if failed:
        raise SystemExit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
