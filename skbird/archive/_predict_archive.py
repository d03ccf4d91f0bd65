"""Predict archives of any size: in blocks, resumable, over several machines."""

import time
from dataclasses import replace
from numbers import Integral, Real
from pathlib import Path
from typing import Any

import numpy as np
from joblib import Parallel, delayed, parallel_config
from joblib.parallel import get_active_backend

from skbird.archive._block_work import BlockWork, SharedModel
from skbird.archive._blocks import (
    Blocks,
    assign_blocks,
    check_text,
    hash_rows,
    list_recordings,
    stat_files,
)
from skbird.archive._columns import check_names, further_columns, import_pyarrow
from skbird.archive._manifest import (
    check_model,
    make_plan,
    places_of,
    store_plan,
)
from skbird.archive._nothing import predict_nothing
from skbird.archive._part_files import (
    remove_run,
    remove_temporary,
)
from skbird.archive._probe import probe_model
from skbird.archive._result import ArchiveResult, summarize
from skbird.archive._time_budget import TimeBudget
from skbird.utils._files import hold, making_folder
from skbird.utils._nested import species_of
from skbird.utils._params import N_JOBS, check_params, check_path
from skbird.utils._progress import progress_bar
from skbird.utils._typing import PathLike, Rows

_CONSTRAINTS = {"n_jobs": N_JOBS, "verbose": ["verbose"]}


def predict_archive(
    model: Any,
    recordings: PathLike | Rows,
    out: PathLike,
    *,
    segment_s: float = 5.0,
    step_s: float | None = None,
    min_proba: float | None = None,
    top_species: int | None = None,
    block_s: float = 3600.0,
    n_jobs: int | None = None,
    time_budget_s: float | None = None,
    fresh: bool = False,
    verbose: int = 1,
) -> ArchiveResult:
    """Predict any number of recordings into a folder of Parquet files.

    The archive is cut into blocks of whole files. Each is predicted by one call of
    ``predict_proba`` and becomes one part, ``part-000000.parquet`` and so on, which
    appears whole or not at all. Call it again to resume a run that was killed, or to
    predict recordings that are new or have changed.
    Files that cannot be read are skipped and listed. Memory does not grow with the
    archive.

    Parameters
    ----------
    model : estimator object
        A fitted multi-label classifier whose ``predict_proba`` takes a row table: a
        pipeline, an ensemble, a reweighter around one. The species have the names that
        its ``species_`` says, else their column numbers.
    recordings : path-like, sequence of paths or DataFrame
        A folder, in which all audio files are found, at any depth; or files; or a row
        table (see `skbird.data.check_rows`, or the path of one for
        `skbird.data.read_rows`), whose rows are predicted as they are and whose further
        columns, such as a site, go into the results after ``end``.
    out : path-like
        The folder of the results, made if it is not there. Only one run at a time may
        write to it.
    segment_s : float > 0, default=5.0
        Length of a row in seconds; not used for a row table.
    step_s : float > 0, default=None
        Seconds from the start of a row to that of the next. None means `segment_s`.
    min_proba : float in [0, 1], default=None
        Write only species with at least this probability.
    top_species : int >= 1, default=None
        Write only this many species of each row, those with the highest probabilities.
        With neither this nor `min_proba`, parts have a column per species; with either,
        they have a line per row and species, with columns ``species`` and
        ``probability``.
    block_s : float > 0, default=3600.0
        Seconds of audio in a block. Memory and what a kill loses grow with it. A longer
        file is a block by itself.
    n_jobs : int, default=None
        Blocks predicted at a time, each in a process with a model of its own. None
        means 1 here, or what an active :func:`joblib.parallel_config` says.
    time_budget_s : float > 0, default=None
        Seconds that the call may take. Where the speed measured so far does not
        suffice, the remaining blocks are predicted without test-time augmentation, then
        with fewer members of ensembles. Only with blocks one at a time in this process.
    fresh : bool, default=False
        Whether to delete the results of an earlier run in `out`, and nothing else, as
        soon as the model has predicted the first rows.
    verbose : int, default=1
        0 shows no progress, and does not print what is dropped or how many files are
        new.

    Returns
    -------
    ArchiveResult
        ``read()`` gives all rows as a DataFrame, ``errors`` the files left out.

    Raises
    ------
    ValueError
        If a parameter is out of its range; if a column of the row table has the name of
        a species (or ``species`` or ``probability``, with lines per species); or if
        `out` holds a run of other settings, another model or recordings that are
        missing now, or a damaged one. `n_jobs`, `time_budget_s` and `verbose` may
        change.
    TypeError
        If `fresh` is no truth value.
    AudioReadError
        If there are recordings and none can be read.
    RuntimeError
        If the model fails for another reason than unreadable recordings. Finished parts
        are kept.
    OSError
        If the disk is full, or `out` cannot be written to. Finished parts are kept.

    Warns
    -----
    UserWarning
        If there are no recordings or rows: there are no parts then, and ``read()``
        gives a table without rows. (A folder without recordings is an error.)

    See Also
    --------
    skbird.data.segment_table : The rows of soundscapes.

    Notes
    -----
    ``pandas.read_parquet(out)`` and other readers of Parquet folders read the parts,
    too.

    *Bad files.* If the model raises AudioReadError, as ``LogMel(on_error="raise")``
    does, its block is predicted again, file by file. With ``on_error="skip"`` that is
    not needed, and a file with damage in the middle keeps its good rows. Files whose
    paths are not UTF-8 are left out: Parquet cannot hold such names.

    *The same model.* At each start the first rows of the first recording are predicted.
    If they differ from those at the beginning of the run by more than 0.1 in the logit,
    the model is taken for another one. Changes of a model that leave these rows as they
    are go unnoticed.

    *Faults that pass.* What could not be opened or read, on a share that was away for a
    while, say, is tried at each call again, and predicted if it can be read now.

    *Damage.* Parts, and what defines the run, hold checksums of themselves. A damaged
    part is predicted again, with a warning, and ``read()`` refuses it.

    *New and changed recordings.* They come after the others, in blocks of their own;
    what is left of the blocks of those that have changed, such as those that were half
    copied, is predicted again. A row table stays as it was. Recordings that could not
    be opened may be missing later.

    *Context.* All rows of a file are predicted in one call, so that a
    `SoundscapeReweighter` sees them. Votes by rank compare the rows of a block.

    *More machines.* Under ``joblib.parallel_config(backend="dask")``, or another
    backend of joblib's, the same call sends the blocks to a cluster. The workers need
    `out` and the recordings under the same (absolute) paths and write their parts
    themselves. A block whose worker dies is predicted by another; on Ray, only where
    its workers may come back: ``parallel_config(backend="ray", n_jobs=-1,
    ray_remote_args={"max_restarts": -1, "max_task_retries": 3})``. Give each worker
    one thread: models bring their own.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> import soundfile
    >>> from sklearn.base import BaseEstimator
    >>> from skbird.data import Recordings
    >>> from skbird.archive import predict_archive
    >>> class Loudness(BaseEstimator):
    ...     species_ = ["cricket", "frog"]
    ...
    ...     def predict_proba(self, X):
    ...         level = [np.abs(clip.samples).mean() for clip in Recordings(X)]
    ...         return np.column_stack([level, np.full(len(level), 0.01)])
    >>> folder = Path(tempfile.mkdtemp())
    >>> for night in range(3):
    ...     samples = np.full(12 * 8000, 0.25 * night)
    ...     soundfile.write(folder / f"night{night}.wav", samples, 8000)
    >>> result = predict_archive(
    ...     Loudness(), folder, folder / "out", min_proba=0.2, verbose=0
    ... )
    >>> result.read()[["start", "end", "species", "probability"]]
       start   end  species  probability
    0    0.0   5.0  cricket         0.25
    1    5.0  10.0  cricket         0.25
    2   10.0  12.0  cricket         0.25
    3    0.0   5.0  cricket         0.50
    4    5.0  10.0  cricket         0.50
    5   10.0  12.0  cricket         0.50
    """
    began = time.monotonic()
    if not hasattr(model, "predict_proba"):
        raise TypeError(
            f"model={model!r:.100} must be a fitted classifier with predict_proba."
        )
    check_path(out, "out")
    check_params("predict_archive", _CONSTRAINTS, n_jobs=n_jobs, verbose=verbose)
    _check_parameters(segment_s, step_s, min_proba, top_species, block_s, time_budget_s)
    if not isinstance(fresh, bool | np.bool_):
        raise TypeError(
            f"fresh={fresh!r} must be True, which deletes the run in out, or False."
        )
    n_jobs = _check_jobs(n_jobs, time_budget_s)
    import_pyarrow()
    step_s = segment_s if step_s is None else step_s
    files, rows = list_recordings(recordings)
    is_long = min_proba is not None or top_species is not None
    names = species_of(model)
    if len(files) == 0:
        return predict_nothing(names, rows, out, fresh=fresh, is_long=is_long)
    check_names([] if names is None else names, rows, is_long=is_long)
    columns = further_columns(rows)
    settings = {
        "segment_s": float(segment_s),
        "step_s": float(step_s),
        "min_proba": None if min_proba is None else float(min_proba),
        "top_species": None if top_species is None else int(top_species),
        "block_s": float(block_s),
        "row_table": hash_rows(rows, columns),
        **places_of(model),
    }
    folder = Path(out).expanduser().absolute()
    check_text("out", folder)
    with making_folder(folder):
        remove_temporary(folder)
        # A cluster is for blocks, not for the threads of what happens here.
        with parallel_config(backend="threading"):
            plan = make_plan(
                folder, stat_files(files), settings, fresh=fresh, verbose=verbose
            )
            plan = replace(plan, files=assign_blocks(plan.files, rows, block_s))
            blocks = Blocks(plan.files, rows)
            probe = probe_model(model, blocks, segment_s, step_s, plan)
        check_names(probe.species, rows, is_long=is_long)
        if plan.manifest is not None:
            check_model(folder, plan, probe)
        if fresh:
            remove_run(folder)
        store_plan(folder, plan, settings, probe)
    numbers = np.flatnonzero(blocks.n_files).tolist()
    todo = [number for number in numbers if number not in plan.infos]
    todo_s = blocks.audio_s[todo].sum()

    work = BlockWork(
        str(folder), probe.species, segment_s, step_s, min_proba, top_species, columns
    )
    if time_budget_s is not None:
        left_s = time_budget_s - (time.monotonic() - began)
        budget = TimeBudget(model, left_s, todo_s)
        done = _run_in_time(work, budget, blocks, todo, verbose)
    elif n_jobs == 1:
        done = (work(model, blocks[number]) for number in todo)
    else:
        done = _run_parallel(work, model, blocks, todo, n_jobs, folder)
    infos = plan.infos | _watched(done, blocks, todo, verbose)
    infos = {number: infos[number] for number in numbers}
    return summarize(folder, blocks, infos, todo_s, time.monotonic() - began)


def _run_in_time(work, budget, blocks, todo, verbose):
    for number in todo:
        yield work(budget.model, blocks[number], budget.dropped)
        dropped = budget.note(blocks.audio_s[number])
        if dropped and verbose:
            print(f"To fit time_budget_s, the rest is predicted without {dropped}.")


def _run_parallel(work, model, blocks, todo, n_jobs, folder):
    backend, _ = get_active_backend()
    # Ray's backend, as multiprocessing, hands over results only in the end; the parts
    # are written as they come all the same.
    as_they_come = backend.supports_return_generator
    shared = SharedModel.store(model, folder)
    try:
        with open(shared.path, "rb") as file:
            hold(file)  # it looks like what a kill leaves
            yield from Parallel(
                n_jobs,
                batch_size=1,
                return_as="generator_unordered" if as_they_come else "list",
            )(delayed(work)(shared, blocks[number]) for number in todo)
    finally:
        shared.unload()
        remove_temporary(folder)


def _watched(done, blocks, todo, verbose):
    """Show the progress of a run, and return the parts it made, by number."""
    infos, n_files, audio_s = {}, 0, 0.0
    missing_s = blocks.audio_s[todo].sum()
    with progress_bar(
        total=blocks.audio_s.sum(),
        initial=blocks.audio_s.sum() - missing_s,
        desc="archive",
        bar_format="{desc}: {percentage:3.0f}%|{bar}| {elapsed}<{remaining}{postfix}",
        verbose=verbose,
    ) as bar:
        began = time.monotonic()
        for number, info in done:
            infos[number] = info
            n_files += blocks.n_files[number]
            audio_s += blocks.audio_s[number]
            seconds = max(time.monotonic() - began, 1e-9)
            bar.set_postfix_str(
                f"{n_files / seconds:.1f} files/s, {audio_s / seconds:.0f} x real time",
                refresh=False,
            )
            bar.update(blocks.audio_s[number])
    return infos


def _check_jobs(n_jobs, time_budget_s):
    if n_jobs is None:
        backend, n_jobs = get_active_backend()
        n_jobs = backend.default_n_jobs if n_jobs is None else n_jobs
    if time_budget_s is not None and n_jobs != 1:
        raise ValueError(
            f"time_budget_s={time_budget_s} goes with n_jobs=1 only, got {n_jobs} "
            "(passed, or from joblib.parallel_config): blocks are made cheaper in "
            "turn. Pass n_jobs=1, or no budget."
        )
    return n_jobs


def _check_parameters(
    segment_s, step_s, min_proba, top_species, block_s, time_budget_s
):
    for name, value in {
        "segment_s": segment_s,
        "step_s": step_s,
        "block_s": block_s,
        "time_budget_s": time_budget_s,
    }.items():
        optional = name in ("step_s", "time_budget_s")
        if value is None and optional:
            continue
        if not isinstance(value, Real) or not 0 < value < np.inf:
            raise ValueError(f"{name}={value!r} must be above 0 seconds, and finite.")
    if min_proba is not None and not (
        isinstance(min_proba, Real) and 0 <= min_proba <= 1
    ):
        raise ValueError(f"min_proba={min_proba!r} must be in [0, 1], or None.")
    if top_species is not None and (
        not isinstance(top_species, Integral) or top_species < 1
    ):
        raise ValueError(
            f"top_species={top_species!r} must be a whole number from 1 on, or None."
        )
