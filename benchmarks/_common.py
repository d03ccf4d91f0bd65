"""Helpers of the benchmarks: find the data, write down the results."""

import hashlib
import json
import os
import platform
import resource
import shlex
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import PackageNotFoundError, version
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parent.parent
_PACKAGES = ("skbird", "scikit-learn", "torch", "timm", "skorch", "numpy", "scipy")


def data_folder(name):
    """Return a folder of the real audio, which ``SKBIRD_DATA`` locates."""
    root = Path(os.environ.get("SKBIRD_DATA", ROOT.parent / "shared" / "data"))
    folder = root / name
    if not folder.is_dir():
        raise SystemExit(
            f"{folder} is not there. Set SKBIRD_DATA to the folder that holds {name}/."
        )
    return folder


def weights_path(weights):
    """Resolve --weights: None, "pretrained", a path, or a name in SKBIRD_WEIGHTS."""
    if weights in (None, "none"):
        return None
    if weights == "pretrained" or Path(weights).is_file():
        return weights
    root = os.environ.get("SKBIRD_WEIGHTS", ROOT.parent / "shared" / "weights")
    candidate = Path(root) / weights
    if candidate.is_file():
        return str(candidate)
    raise SystemExit(f"--weights {weights}: no such file, nor {candidate}.")


def weights_key(weights):
    """Return what stands for weights in a cache: of a file, its content."""
    path = weights_path(weights)
    if path is None or not Path(path).is_file():
        return path
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def kept(folder, name, settings, compute):
    """Return arrays that are computed once, and then read from a cache.

    Parameters
    ----------
    folder : Path
        The cache.
    name : str
    settings : dict
        What the arrays depend on, beside the name and the code.
    compute : callable
        Returns a dict of arrays.

    Returns
    -------
    dict of str to ndarray
    """
    facts = json.dumps(settings, sort_keys=True, default=str)
    key = hashlib.sha256(facts.encode()).hexdigest()[:12]
    path = folder / f"{name}, {key}.npz"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(f".{os.getpid()}.part.npz")
        np.savez(part, **compute())
        part.replace(path)
    with np.load(path) as found:
        return dict(found)


#: Half as many frames as by default.
COARSE = {"n_fft": 2048, "hop_length": 1024}


def front_end(cache, **options):
    """Return the steps from files to spectrograms; the options are those of LogMel."""
    from skbird.preprocessing import BandPass, LogMel, Resampler, Segmenter

    return (
        Resampler(32_000),
        BandPass(50, 16_000),
        Segmenter(5.0, overlap=0.5),
        LogMel(**{"n_mels": 128, "cache_dir": cache, "verbose": 0, **options}),
    )


def read_metadata(name):
    """Read the metadata of a folder of real audio, with paths that can be opened."""
    folder = data_folder(name)
    table = pd.read_csv(folder / "metadata.csv")
    table["path"] = [str(folder / path) for path in table["path"]]
    return table


def environment():
    """Describe what a figure depends on besides the code."""
    versions = {}
    for package in _PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = None
    return {
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "versions": versions,
        "date": time.strftime("%Y-%m-%d"),
    }


def take_turns(systems, n_rounds):
    """Time systems in turns, so that a slow moment meets all of them.

    Parameters
    ----------
    systems : dict of str to object
        Their methods ``time`` return the seconds of a run, and ``close`` ends them.
    n_rounds : int

    Returns
    -------
    dict of str to list of float
    """
    seconds = {name: [] for name in systems}
    try:
        for _ in range(n_rounds):
            for name, system in systems.items():
                seconds[name].append(system.time())
    finally:
        for system in systems.values():
            system.close()
    return seconds


def run_alone(function, *args):
    """Call a function in a fresh process, so that its peak memory is that of the call.

    Returns
    -------
    result : object
        What the function returned.
    base_mb, peak_mb : float
        Most memory that the process held before the call, and until its end.
    """
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_with_memory, function, args).result()


def _with_memory(function, args):
    base_mb = _peak_mb()
    result = function(*args)
    return result, base_mb, _peak_mb()


def _peak_mb():
    status = Path("/proc/self/status")
    if status.exists():
        # What getrusage says begins with the memory of the process that started this.
        return int(status.read_text().split("VmHWM:")[1].split()[0]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def results_folder():
    """Return where results are kept: beside the benchmarks, or in SKBIRD_RESULTS."""
    return Path(os.environ.get("SKBIRD_RESULTS", ROOT / "benchmarks" / "results"))


def write_results(name, settings, results):
    """Write a JSON file with command, environment and results; return its path."""
    folder = results_folder()
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}.json"
    record = {
        "command": shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        "settings": settings,
        "environment": environment(),
        "results": results,
    }
    path.write_text(json.dumps(record, indent=2, default=str))
    return path
