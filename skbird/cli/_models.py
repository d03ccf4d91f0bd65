"""``skbird models``, and how all commands open models."""

import json
import pickle
from pathlib import Path

import click

from skbird.cli import _console

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

    Parameters
    ----------
    path : Path
    trust_pickle : bool

    Returns
    -------
    estimator
    """
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
    skip = {n: "skip" for n in model.get_params() if n.split("__")[-1] == "on_error"}
    return model.set_params(**skip)


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
        _console.show(json.dumps(about, indent=2, ensure_ascii=False))
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
