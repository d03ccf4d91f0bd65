"""``skbird models``, and how all commands open models."""

import json
import os
import pickle
from contextlib import contextmanager
from pathlib import Path

import click

from skbird.cli import _console
from skbird.utils._files import check_regular

MODEL = click.argument(
    "model", type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
TRUST = click.option(
    "--trust-pickle",
    is_flag=True,
    help="MODEL is a pickle, and I trust who made it: a pickle can run any program.",
)
_PICKLES = (".pkl", ".pickle", ".joblib")


def open_model(path, trust_pickle):
    """Load a model, set so that unreadable recordings cost nothing but themselves.

    Of models that are no networks, a recording with damage in the middle is lost whole.

    Parameters
    ----------
    path : Path
    trust_pickle : bool

    Returns
    -------
    estimator
    """
    check_regular(path)
    if path.suffix.lower() not in _PICKLES:
        from skbird.inference import load_model

        model = load_model(path)
    elif not trust_pickle:
        raise click.UsageError(
            f"{path} is a pickle, which can run any program when it is opened. Pass "
            "--trust-pickle if it is from somebody you trust."
        )
    elif path.suffix.lower() == ".joblib":
        import joblib

        model = joblib.load(path)
    else:
        model = pickle.loads(path.read_bytes())
    params = model.get_params() | {"": model}
    changed = {}
    for name, value in params.items():
        *_, last = name.split("__")
        if last == "on_error":
            skips = _knows_missing_rows(params, name)
            changed[name] = "skip" if skips else "raise"
        elif last == "cache_dir" and value is not None and not os.path.isabs(value):
            # Of the folder that it was trained in: here it would become a new one.
            changed[name] = None
    return model.set_params(**changed)


def _knows_missing_rows(params, on_error):
    """Whether what follows a LogMel, of this parameter, takes rows without sound.

    skbird's networks do. Other classifiers get an error, and then file by file.
    """
    from sklearn.pipeline import Pipeline

    logmel, _, _ = on_error.rpartition("__")
    pipeline, _, _ = logmel.rpartition("__")
    if not isinstance(params[pipeline], Pipeline):
        return False
    last = params[pipeline][-1]
    return last is params[logmel] or hasattr(last, "format_")


@contextmanager
def progress_shown(model):
    """Let a compiled model show progress for a while; others have bars of their own."""
    from skbird.inference import CompiledPipeline

    parts = [model, *model.get_params().values()]
    compiled = [part for part in parts if isinstance(part, CompiledPipeline)]
    before = [part.verbose for part in compiled]
    for part in compiled:
        part.verbose = True
    try:
        yield
    finally:
        for part, verbose in zip(compiled, before, strict=True):
            part.verbose = verbose


def species_names(model):
    """Return the names of the species that a model predicts."""
    from skbird.inference._manifest import species_names

    names = species_names(model)
    if names is None:
        raise ValueError(
            f"The model, {type(model).__name__}, has no species_ that name its columns."
        )
    return names


def row_length(model):
    """Return the seconds of a row to predict that suit a model."""
    params = model.get_params()
    if any(v is True for n, v in params.items() if n.endswith("frame_scores")):
        return 5.0  # of a longer context
    lengths = [v for n, v in params.items() if n.split("__")[-1] == "segment_s"]
    return float(lengths[0]) if lengths else 5.0


@click.group()
def models():
    """Look into models."""


@models.command(
    epilog="""\b
Example:
  skbird models info birds.skbird"""
)
@MODEL
@click.option("--json", "as_json", is_flag=True, help="All of it, as JSON.")
def info(model, as_json):
    """Show what a model file says of itself: species, metrics, data, licence."""
    from skbird.inference import load_model

    if model.suffix.lower() in _PICKLES:
        raise click.UsageError(f"{model} is a pickle: only .skbird files say more.")
    about = load_model(model).about_
    if as_json:
        _console.show(json.dumps(about, indent=2))
        return
    species, data = about["species"], about["data"]
    lines = {
        "species": f"{len(species)}: {', '.join(species[:10])}"
        + (", ..." if len(species) > 10 else ""),
        **about["metrics"],
        "trained on": "unknown" if data is None else f"{data['n_rows']} rows",
        "licence": about["licence"] or "unknown",
        "notes": about["notes"],
        "written": f"{about['created']} by skbird {about['skbird']}",
    }
    for name, value in lines.items():
        if value is not None:
            _console.show(f"{name}: {value}")
