"""``skbird models``, and how all commands open models."""

import json
import os
import pickle
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import NamedTuple

import click

from skbird.cli import _console
from skbird.utils._files import check_regular
from skbird.utils._text import counted


class _Model(click.Path):
    """A model file, or the name or file of a pretrained model."""

    def convert(self, value, param, ctx):
        """Return a path, which is that of no file if it is a name."""
        if _is_known_name(Path(value)):
            return Path(value)
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter as exc:
            raise click.BadParameter(
                f"{exc.message} Nor is it a pretrained model: `skbird models list` "
                "names them.",
                ctx,
                param,
            ) from None


def _is_known_name(path):
    """Return whether it is the name of a pretrained model, and not of a file here."""
    from skbird.encoders import known_specs

    return str(path) in known_specs() and not path.is_file()


def _is_pretrained(path):
    return path.suffix.lower() in _ENCODERS or _is_known_name(path)


MODEL = click.argument(
    "model", type=_Model(exists=True, dir_okay=False, path_type=Path)
)
_MAX_MIB = click.option(
    "--max-model-mib",
    type=click.IntRange(1),
    default=128,
    show_default=True,
    help="Refuse larger model files: a stranger's could fill the memory.",
)
_PICKLE = click.option(
    "--trust-pickle",
    is_flag=True,
    help="MODEL is a pickle, and I trust who made it: a pickle can run any program.",
)
# To Unicode no spaces, but as empty: Hangul fillers, and the blank of Braille.
_BLANK = "\u115f\u1160\u2800\u3164\uffa0"
_ENCODERS = (".onnx", ".tflite")
_PICKLES = (".pkl", ".pickle", ".joblib")
_WIDEST = 40  # characters of a name that others are aligned with


class Trust(NamedTuple):
    """The user's trust in the maker of a model."""

    pickle: bool
    max_bytes: int


def trust_options(command):
    """Add the options on models of others to a command, which gets them as one."""

    @wraps(command)
    def with_trust(trust_pickle, max_model_mib, **others):
        return command(trust=Trust(trust_pickle, max_model_mib * 2**20), **others)

    return _PICKLE(_MAX_MIB(with_trust))


def open_model(path, trust):
    """Load a model, set so that unreadable recordings cost nothing but themselves.

    Parameters
    ----------
    path : Path
        Of a file; or the name of a pretrained model, or its file with a spec beside it.
    trust : Trust

    Returns
    -------
    estimator
    """
    if _is_pretrained(path):
        from skbird.encoders import PretrainedScores

        return PretrainedScores(str(path), on_error="skip", verbose=0).fit()
    check_regular(path)
    if path.suffix.lower() not in _PICKLES:
        from skbird.inference import load_model

        model = load_model(path, max_bytes=trust.max_bytes)
    elif not trust.pickle:
        raise click.UsageError(
            f"{path} is a pickle, which can run any program when it is opened. Pass "
            "--trust-pickle if it is from somebody you trust."
        )
    elif path.suffix.lower() == ".joblib":
        import joblib

        model = joblib.load(path)
    else:
        model = pickle.loads(path.read_bytes())
    make_lenient(model)
    return model


def at_place(model, **place_and_time):
    """Let a model believe less in species that are not to be expected at a place.

    Parameters
    ----------
    model : fitted estimator
    **place_and_time
        Parameters of `PlaceSeasonPrior`.

    Returns
    -------
    PlaceSeasonPrior
    """
    import pandas as pd
    from sklearn.frozen import FrozenEstimator

    from skbird.postprocessing import PlaceSeasonPrior

    prior = PlaceSeasonPrior(FrozenEstimator(model), **place_and_time)
    # Nothing is learnt from rows, but that the geo model knows a species at all.
    # A name tells the date: recordings without one are then left as they are.
    row = {"path": "S_20240615_000000.wav", "latitude": 0.0, "longitude": 0.0}
    return prior.fit(pd.DataFrame([row]), pd.DataFrame(0.0, [0], species_names(model)))


def make_lenient(model):
    """Set a model so that unreadable recordings cost nothing but themselves.

    Parameters
    ----------
    model : estimator
        Changed in place.
    """
    from skbird.utils._nested import parts_of

    parts = parts_of(model)
    skipping = [id(step) for part in parts for step in _may_skip(part)]
    for part in parts:
        if hasattr(part, "on_error"):
            part.on_error = "skip" if id(part) in skipping else "raise"
        cache_dir = getattr(part, "cache_dir", None)
        if cache_dir is not None and not os.path.isabs(cache_dir):
            # Of the folder that it was trained in: here it would become a new one.
            part.cache_dir = None


def _may_skip(model):
    """List the steps of a pipeline whose rows without sound the next ones take.

    skbird's networks and probes do. Others get an error, and then file by file.
    """
    from sklearn.pipeline import Pipeline

    from skbird.encoders import AttentionProbe, PretrainedScores, ProbeClassifier
    from skbird.inference import CompiledProbe
    from skbird.utils._nested import final_network, steps_of

    if isinstance(model, PretrainedScores):
        return [model]
    if not isinstance(model, Pipeline) and not hasattr(model, "front_end"):
        return []
    *steps, last = steps_of(model)
    if isinstance(last, PretrainedScores):
        return [last]
    is_probe = isinstance(last, ProbeClassifier | AttentionProbe | CompiledProbe)
    return steps if is_probe or final_network(last) is not None else []


@contextmanager
def progress_shown(model):
    """Let a compiled model show progress for a while; others have bars of their own."""
    from skbird.inference import CompiledPipeline
    from skbird.utils._nested import parts_of

    compiled = [p for p in parts_of(model) if isinstance(p, CompiledPipeline)]
    before = [part.verbose for part in compiled]
    for part in compiled:
        part.verbose = 1
    try:
        yield
    finally:
        for part, verbose in zip(compiled, before, strict=True):
            part.verbose = verbose


def species_names(model):
    """Return the names of the species that a model predicts."""
    from skbird.utils._nested import species_of

    names = species_of(model)
    if names is None:
        raise ValueError(
            f"The model, {type(model).__name__}, has no species_, which name its "
            "columns. Fit it on a Y with named columns."
        )
    return names


def encoders_in(model):
    """List the pretrained models, opened, that are at work in a model."""
    from skbird.encoders import EmbeddingEncoder, PretrainedScores, load_encoder
    from skbird.utils._nested import parts_of

    kinds = EmbeddingEncoder | PretrainedScores
    given = [part.encoder for part in parts_of(model) if isinstance(part, kinds)]
    return list({id(e): e for e in map(load_encoder, given)}.values())


def row_length(model):
    """Return the seconds of a row to predict that suit a model."""
    from skbird.utils._nested import parts_of

    parts = parts_of(model)
    if any(getattr(part, "frame_scores", False) for part in parts):
        return 5.0  # of a longer context
    encoders = encoders_in(model)
    if encoders:
        return max(1.0, encoders[0].spec.window_s)
    lengths = [part.segment_s for part in parts if hasattr(part, "segment_s")]
    return float(lengths[0]) if lengths else 5.0


@click.group()
def models():
    """Show what is in model files, and which pretrained models there are."""


@models.command(
    "list",
    epilog="""\b
Example:
  skbird models list""",
)
def list_():
    """List the pretrained models, of which `skbird predict` takes the names."""
    from skbird.encoders import known_geo_specs, known_specs

    for spec in known_specs().values():
        gives = ", ".join(f"{o.shape[-1]} {role}" for role, o in spec.outputs.items())
        _show_spec(spec, f"{spec.window_s:g} s at {spec.sample_rate} Hz: {gives}")
    _console.show("")
    _console.show("Of places and seasons, for PlaceSeasonPrior:")
    for spec in known_geo_specs().values():
        _show_spec(spec, f"{spec.n_classes} species by latitude, longitude, week")


def _show_spec(spec, gives):
    from skbird.encoders import find_files

    try:
        find_files(spec, download=False)
        where = "here"
    except FileNotFoundError:
        where = "to be fetched" if spec.url else f"in the package {spec.package}"
    except ValueError as exc:  # another file than it should be
        where = f"damaged: {exc}"
    _console.show(
        f"{spec.name:20} {gives}; license of the weights: "
        f"{spec.license or 'none stated'}; {where}"
    )


@models.command(
    epilog="""\b
Example:
  skbird models info birds.skbird"""
)
@MODEL
@click.option("--json", "as_json", is_flag=True, help="Print everything, as JSON.")
@_MAX_MIB
def info(model, as_json, max_model_mib):
    """Show the species, metrics, training data and license noted in a model file."""
    from skbird.inference import load_model

    for is_other, kind in (
        (model.suffix.lower() in _PICKLES, "a pickle"),
        (_is_pretrained(model), "a pretrained model (`skbird models list`)"),
    ):
        if is_other:
            raise click.UsageError(
                f"{model} is {kind}, which has no such notes. Pass a .skbird file."
            )
    loaded = load_model(model, max_bytes=max_model_mib * 2**20)
    about = loaded.about_
    if as_json:
        about = about | {
            "weights_licenses": _weights_licenses(loaded),
            "encoders": [
                {"name": encoder.spec.name, "license": encoder.spec.license}
                for encoder in encoders_in(loaded)
            ],
        }
        _console.show(*json.dumps(about, indent=2).split("\n"))
        return
    species, data = about["species"], about["data"]
    first = ", ".join(map(_console.printable, species[:10])) + (
        ", ..." if len(species) > 10 else ""
    )
    metrics = about["metrics"].items()
    lines = [("species", f"{len(species)}: {first}")]
    lines += [(f"metric {_one_line(name)}", _rounded(value)) for name, value in metrics]
    lines += [
        ("trained on", "unknown" if data is None else counted(data["n_rows"], "row")),
        ("license", about["license"] or "unknown"),
        *(("derived from", _of_weights(text)) for text in _weights_licenses(loaded)),
        *(("needs", _of_encoder(encoder)) for encoder in encoders_in(loaded)),
        ("notes", about["notes"]),
        ("written", f"{about['created']} by skbird {about['skbird']}"),
    ]
    lines = [(f"{name}:", value) for name, value in lines if value is not None]
    width = min(max(len(name) for name, _ in lines), _WIDEST)
    for name, value in lines:
        # Its author's words must not look like other lines.
        first, *others = map(_one_line, _lines(value))
        _console.show(f"{name:{width}} {first}", *(f"  {line}" for line in others))


def _weights_licenses(model):
    """List the licenses of the distilled weights that networks were trained from."""
    from skbird.utils._nested import parts_of

    found = (getattr(part, "weights_license", None) for part in parts_of(model))
    return list(dict.fromkeys(text for text in found if text is not None))


def _of_weights(license):
    return f"distilled weights; license that holds for them: {license}"


def _of_encoder(encoder):
    license = encoder.spec.license or "none stated"
    return f"encoder {encoder.spec.name}; license of its weights: {license}"


def _rounded(value):
    """Return a metric with three digits; what is no float stays."""
    if not isinstance(value, float):
        return value
    is_small = value == 0 or 0.001 <= abs(value) < 1000
    return f"{value:.3f}" if is_small else f"{value:.3g}"


def _lines(text):
    return str(text).splitlines() or [""]


def _one_line(text):
    """Return a text on one line, where no run of spaces wraps to begin a new one."""
    text = "".join(" " if c in _BLANK or c.isspace() else c for c in str(text))
    return " ".join(_console.printable(text, spared="").split())
