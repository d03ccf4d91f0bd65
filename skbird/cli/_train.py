"""``skbird train``."""

import os
import pickle
import tempfile
from pathlib import Path

import click

from skbird.cli import _console
from skbird.cli._encoder_training import groups_of_fit, hear
from skbird.cli._groups import group_rows
from skbird.cli._outputs import (
    OVERWRITE,
    check_file,
    check_new,
    check_spares,
    file_option,
    write_table,
)
from skbird.cli._read_settings import read_settings
from skbird.cli._settings import (
    CONFIG,
    DATA,
    SET,
    setting_flags,
    work_dir_option,
)
from skbird.cli._training_data import check_species, find_readable, load_labelled
from skbird.utils._extras import install_hint
from skbird.utils._text import counted

_OF_THIS_MACHINE = ("__cache_dir", "__checkpoint_dir")
_N_COMPARED = 16  # recordings on which the compiled model is compared


@click.command(
    epilog="""\b
Examples:
  skbird train recordings --out birds.skbird
  skbird train metadata.csv --out birds.skbird --backbone mobilenetv3_small_050
  skbird train recordings --out birds.skbird --encoder birdnet-2.4
\b
A file for --config has the names of the flags, and a table for the rest:
  backbone = "efficientnet_b0"
  epochs = 30
  [set]
  sedclassifier__callbacks__mixup__alpha = 0.2"""
)
@DATA
@file_option(
    "File of the model: .skbird, which predicts fast on CPUs and without torch; or "
    ".pkl, a pickled pipeline.",
    ".skbird",
    ".pkl",
    required=True,
)
@CONFIG
@setting_flags()
@SET
@click.option(
    "--license", help="License under which others may use the model; noted in it."
)
@work_dir_option(
    ", the state of the training (to resume it if it is killed) and the pipeline as a "
    "pickle"
)
@OVERWRITE
def train(data, out, config, assignments, license, work_dir, overwrite, **flags):
    """Train a model on labelled recordings, judge it, and write it to a file.

    The model is a network, or with --encoder a probe on a pretrained model. If nothing
    is said, a probe is trained where recordings are few and birdnet-2.4 is installed.

    DATA is a folder with a folder per species (and one named nocall, for recordings of
    none), a table (.csv, .tsv, .parquet) with the columns path and primary_label, or
    the folder of a BirdCLEF competition. Call the same command again if it was
    interrupted.
    """
    settings = read_settings(config, flags, assignments)
    held_out = out.with_name(f"{out.name}.heldout.csv")
    check_file(held_out)
    check_spares(held_out, data, config)
    work_dir = work_dir or out.with_name(f"{out.name}.work")
    check_work_dir(work_dir, out)
    # Names the model of a training that was broken off behind it, and may go on.
    unjudged, this = work_dir / "unjudged", os.fsencode(out.absolute())
    is_unjudged = unjudged.is_file() and unjudged.read_bytes() == this
    for path in (out, held_out)[: 1 + (settings.hold_out > 0)]:
        check_new(path, overwrite or is_unjudged)
    if settings.groups is not None and settings.hold_out == 0:
        _console.say("Warning: nothing is held out, so that groups has no effect.")
    import pandas as pd

    loaded, settings = load_labelled(data, settings)
    _check_packages(out, settings)
    X, Y, label_weight, is_fixed, errors = find_readable(
        loaded, settings, work_dir, compiles=not _is_pickle(out)
    )
    train_rows, test_rows, by = _split(X, Y, settings)
    pipe = settings.make_pipeline(len(train_rows), work_dir, X.columns)
    work_dir.mkdir(parents=True, exist_ok=True)
    taught = X.iloc[train_rows].reset_index(drop=True)
    taught_Y = Y.iloc[train_rows].reset_index(drop=True)
    # Damage in the middle of a file shows only when it is decoded.
    inputs, decoded, damaged = hear(pipe, taught, taught_Y)
    species = check_species(taught_Y, decoded, is_fixed, damaged)
    Y = Y[species]
    pipe[-1].fit(
        inputs,
        taught_Y[species],
        label_weight=label_weight[species].iloc[train_rows],
        sample_weight=settings.row_weights(taught, taught_Y[species]),
        **groups_of_fit(settings, taught),
    )
    errors = pd.concat([errors, damaged])
    taught = taught[decoded]
    unjudged.write_bytes(this)
    model = _finish(pipe, out, taught[:_N_COMPARED], work_dir)
    _save(model, out, taught, license)
    kept = [work_dir / name for name in ("cache", "checkpoints")]
    there = " and ".join(str(folder) for folder in kept if folder.exists())
    _console.say(f"Wrote {out}" + (f"; {there} may be deleted." if there else "."))
    if len(test_rows) == 0 and held_out.exists():
        _console.say(f"Warning: {held_out} belongs to another training.")
    scores = None
    if len(test_rows):
        n_rows = counted(len(test_rows), "row")
        _console.say(f"Held out: {n_rows}, by {by}; see {held_out}")
        scores, unread = _judge(model, X.iloc[test_rows], Y.iloc[test_rows], held_out)
        errors = pd.concat([errors, unread])
        if scores is not None:
            _save(model, out, taught, license, scores.figures)
    unjudged.unlink()
    if scores is not None:
        scores.show()
    click.get_current_context().exit(_console.say_left_out(errors))


def check_work_dir(work_dir, out):
    """Raise an error now if the folder cannot be written to."""
    if work_dir.absolute() == out.absolute():
        raise click.UsageError(f"--work-dir {work_dir} is --out. Name another folder.")
    new = [folder for folder in (work_dir, *work_dir.parents) if not folder.exists()]
    try:
        work_dir.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=work_dir):
            pass
        for folder in new:
            folder.rmdir()  # what else may be wrong leaves no traces
    except OSError as exc:
        raise click.UsageError(
            f"--work-dir {work_dir} cannot be written to: {exc.strerror}. Name another."
        ) from exc


def _is_pickle(out):
    return out.suffix.lower() == ".pkl"


def _check_packages(out, settings):
    """Raise an error now if a package is missing that is needed after the training."""
    if _is_pickle(out):
        return
    extras = ["cpu"] if settings.has_encoder else ["cpu", "train"]
    try:
        import onnx  # noqa: F401
        import openvino  # noqa: F401

        if "train" in extras:
            import onnxscript  # noqa: F401
    except ImportError as exc:
        raise ImportError(
            f"Model files need {exc.name}: {install_hint(*extras)}. Or write a pickle: "
            "--out ending in .pkl."
        ) from None


def _split(X, Y, settings):
    """Return the rows to train on, those to judge by, and what is kept apart."""
    import numpy as np

    from skbird.model_selection import group_train_test_split

    if settings.hold_out == 0:
        return np.arange(len(X)), np.arange(0), ""
    groups, by = group_rows(X, settings, settings.hold_out)
    options = {"test_size": settings.hold_out, "random_state": settings.seed}
    try:
        return *group_train_test_split(Y, groups, **options), by
    except ValueError as exc:
        raise ValueError(
            f"{exc} (--groups path splits by recording, --hold-out 0 trains on all.)"
        ) from None


def _finish(pipe, out, X, work_dir):
    """Return what predicts, after the training has been made safe."""
    from skbird.utils._files import open_whole

    path = work_dir / f"{out.stem}.pipeline.pkl"
    if _is_pickle(out):
        places = [n for n in pipe.get_params() if n.endswith(_OF_THIS_MACHINE)]
        pipe.set_params(**dict.fromkeys(places))
        path = out
    with open_whole(path, "wb") as file:
        pickle.dump(pipe, file)
    if path == out:
        return pipe
    from skbird.inference import compile_pipeline

    try:
        return compile_pipeline(pipe, X)
    except ValueError as exc:  # bfloat16 changes too much
        _console.say(f"{exc} Compiling in float32 instead.")
        return compile_pipeline(pipe, X, precision="float32")


def _save(model, out, X, license, metrics=None):
    """Write a compiled model; a pickle is there already, and says nothing of itself."""
    if not _is_pickle(out):
        from skbird.inference import save_model

        save_model(model, out, metrics=metrics, data=X, license=license)


def _judge(model, X, Y, table):
    """Say how good a model is on rows it was not trained on, and list them in a table.

    Returns
    -------
    scores : Scores or None
        None if there is nothing to judge, which costs nobody the model.
    errors : DataFrame
        ``path`` and ``error`` of recordings that could not be read.
    """
    from skbird.cli._labelled import predict_rows
    from skbird.cli._scores import say_heard, score

    paths = [str(Path(path).absolute()) for path in X["path"]]
    write_table(X.assign(path=paths), table)
    proba, errors = predict_rows(model, X)
    try:
        return score(X, Y, proba, heard=say_heard(model, X)), errors
    except ValueError as exc:
        _console.say(f"Warning: not judged. {exc}")
        return None, errors
