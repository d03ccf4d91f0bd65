"""From a compiled model to plain JSON and back, through the closed list of parts.

A description names parts, which are keys of `PARTS` and nothing else, and gives values
that their fields check. No name from a file is imported, and nothing is built before
the whole description has been read.
"""

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from skbird.compose import CallTypeClassifier
from skbird.data import SegmentGrid, SpectrogramFormat
from skbird.ensemble import MultilabelVotingClassifier
from skbird.inference._fields import (
    SPECIES,
    FieldError,
    Number,
    Several,
    Table,
    Text,
    read_fields,
    write_fields,
)
from skbird.inference._fixed_sizes import fix_sizes
from skbird.inference._model_parts import (
    CALL_TYPE,
    FORMAT,
    GRID,
    MODELS,
    PARTS,
    STEPS,
)
from skbird.inference._network import CompiledNetwork
from skbird.inference._pipeline import CompiledPipeline
from skbird.postprocessing import MultilabelCalibrator, SoundscapeReweighterCV
from skbird.preprocessing import LogMel, Resampler

# Spectrograms of one block, in bytes: a front end that makes more is no honest one.
_MAX_BLOCK = 256 * 2**20
# Names of species in all of a model's parts, in bytes: arrays give each of them the
# place of the longest.
_MAX_NAMES = 64 * 2**20
_MAX_DEPTH = 12


def describe(model, networks):
    """Return the description of a compiled model.

    Parameters
    ----------
    model : estimator
        What `compile_pipeline` made.
    networks : list of bytes
        Gets the networks' programs, which the description numbers.

    Returns
    -------
    dict
        For JSON.

    Raises
    ------
    FieldError
        If the model holds what is not in the list.
    """
    part = _part_of(model, MODELS)
    plain = {"part": type(model).__name__} | _write(part, model)
    if isinstance(model, CompiledPipeline):
        plain["front_end"] = [
            {"name": name, "part": type(step).__name__}
            | _write(_part_of(step, STEPS), step)
            for name, step in model.front_end.steps
        ]
        plain["inner"] = [describe(model.network, networks)]
        return plain
    plain["species"] = SPECIES.write(np.asarray(model.species_).tolist())
    if isinstance(model, CompiledNetwork):
        plain["format"] = write_fields(FORMAT, model.format)
        plain["grid"] = write_fields(GRID, model.format.grid)
        plain["network"] = len(networks)
        networks.append(fix_sizes(model.program, model.input_shape))
        return plain
    if isinstance(model, CallTypeClassifier):
        types = model.call_types_.to_dict("records")
        plain["call_types"] = Several(Table(CALL_TYPE)).write(types)
    if part.inner == "estimator":
        plain["inner"] = [describe(model.estimator_, networks)]
    else:
        plain["inner"] = [describe(member, networks) for member in model.estimators_]
    if isinstance(model, MultilabelVotingClassifier):
        plain["names"] = Several(Text()).write(list(dict(model.estimators)))
    return plain


def build(plain, networks):
    """Return the model of a description.

    Parameters
    ----------
    plain : dict
        From JSON.
    networks : function of (int, CompiledNetwork without a program) to bytes
        Gives the program of that number, once it has been found to suit.

    Returns
    -------
    estimator

    Raises
    ------
    FieldError
        If a name, a value or a combination of them is not in the list.
    """
    known = _read_model(plain)
    numbers = list(_numbers_of_networks(known))
    if len(set(numbers)) != len(numbers):
        raise FieldError("several models have the same network")
    if sum(_bytes_of_names(known)) > _MAX_NAMES:
        raise FieldError(f"its names of species are over {_MAX_NAMES >> 20} MiB")
    return _build(known, networks)


def _numbers_of_networks(known):
    if "network" in known:
        yield known["network"]
    for inner in known.get("inner", ()):
        yield from _numbers_of_networks(inner)


def _bytes_of_names(known):
    names = known.get("species", ())
    yield 4 * len(names) * max((len(str(name)) for name in names), default=0)
    for inner in known.get("inner", ()):
        yield from _bytes_of_names(inner)


def _part_of(estimator, parts):
    part = parts.get(type(estimator).__name__)
    if part is None or type(estimator) is not part.type:
        raise FieldError(f"{type(estimator).__name__} is none of {', '.join(parts)}")
    return part


def _write(part, estimator):
    fitted = {name: getattr(estimator, name, None) for name in part.state}
    return {
        "params": write_fields(part.params, estimator),
        "state": {name: _write_state(part, name, v) for name, v in fitted.items()},
    }


def _write_state(part, name, value):
    try:
        return part.state[name].write(value)
    except FieldError as exc:
        raise FieldError(f"{part.type.__name__}.{name}: {exc}") from None


def _read_model(plain, depth=0):
    """Check a description from the outside inwards; nothing is built here."""
    name, part = _read_name(plain, MODELS)
    if depth > _MAX_DEPTH:
        raise FieldError(f"models are nested deeper than {_MAX_DEPTH} levels")
    keys = {"part", "params", "state"}
    if part.type is CompiledPipeline:
        keys |= {"front_end", "inner"}
    elif part.type is CompiledNetwork:
        keys |= {"species", "format", "grid", "network"}
    else:
        keys |= {"species", "inner"}
    if part.type is CallTypeClassifier:
        keys.add("call_types")
    if part.type is MultilabelVotingClassifier:
        keys.add("names")
    _check_keys(plain, keys)
    known = {"part": part} | _read(name, part, plain)
    if "species" in keys:
        known["species"] = SPECIES.read(plain["species"])
    if "front_end" in keys:
        steps = Several(_AnyStep(), most=100, least=1).read(plain["front_end"])
        known["front_end"] = steps
    if "inner" in keys:
        inner = plain["inner"]
        most = 1000 if part.inner == "estimators" else 1
        if not isinstance(inner, list) or not 1 <= len(inner) <= most:
            raise FieldError(f"{name} needs 1 to {most} inner models")
        known["inner"] = [_read_model(item, depth + 1) for item in inner]
    if "network" in keys:
        known["network"] = Number(0, 9999, whole=True).read(plain["network"])
        known["format"] = read_fields(FORMAT, plain["format"])
        known["grid"] = read_fields(GRID, plain["grid"])
    if "call_types" in keys:
        known["call_types"] = Several(Table(CALL_TYPE)).read(plain["call_types"])
    if "names" in keys:
        known["names"] = Several(Text(), most=1000).read(plain["names"])
    return known


class _AnyStep:
    """A field: a named step of a front end."""

    def read(self, plain):
        name, part = _read_name(plain, STEPS)
        _check_keys(plain, {"name", "part", "params", "state"})
        step = {"part": part, "name": Text(200).read(plain["name"])}
        return step | _read(name, part, plain)


def _read_name(plain, parts):
    name = plain.get("part") if isinstance(plain, dict) else plain
    if not isinstance(name, str) or name not in parts:
        raise FieldError(f"{name!r:.100} is none of {', '.join(parts)}")
    return name, parts[name]


def _check_keys(plain, keys):
    if plain.keys() != keys:
        raise FieldError(f"{plain['part']} has {sorted(plain)}, not {sorted(keys)}")


def _read(name, part, plain):
    try:
        return {
            "params": read_fields(part.params, plain["params"]),
            "state": read_fields(part.state, plain["state"]),
        }
    except FieldError as exc:
        raise FieldError(f"{name}: {exc}") from None


def _build(known, networks):
    """Build what `_read_model` has checked, from the inside outwards."""
    part, params = known["part"], known["params"]
    if part.type is CompiledNetwork:
        format = SpectrogramFormat(grid=SegmentGrid(**known["grid"]), **known["format"])
        species = np.array(known["species"])
        network = CompiledNetwork(None, format, species, **params)
        network.program = networks(known["network"], network)
        return network
    inner = [_build(item, networks) for item in known["inner"]]
    if part.type is CompiledPipeline:
        front_end = Pipeline([(s["name"], _build_step(s)) for s in known["front_end"]])
        model = CompiledPipeline(front_end, inner[0], **params)
        _check_front_end(model)
        return model
    model = wrap(part.type, inner, known.get("names"), params)
    for name, value in known["state"].items():
        setattr(model, name, value)
    model.species_ = np.array(known["species"])
    model.classes_ = np.tile([0, 1], (len(model.species_), 1))
    if part.type is CallTypeClassifier:
        model.call_types_ = pd.DataFrame(known["call_types"], columns=[*CALL_TYPE])
    if part.type is MultilabelVotingClassifier:
        model.weights = model.weights_
    _check_counts(model, inner)
    return model


def wrap(kind, inner, names, params):
    """Return an ensemble or a meta-estimator that holds fitted models.

    Parameters
    ----------
    kind : class
        Of `MODELS`.
    inner : list of estimators
    names : sequence of str or None
        Of the members, where they have names.
    params : dict

    Returns
    -------
    estimator
        Of which nothing is set but its parameters and what it holds.
    """
    if PARTS[kind.__name__].inner == "estimator":
        model = kind(inner[0], **params)
        model.estimator_ = inner[0]
        return model
    if names is None:
        model = kind(inner[0], **params)
    else:
        if len(set(names)) != len(inner):
            raise FieldError(f"{len(set(names))} names for {len(inner)} members")
        model = kind(list(zip(names, inner, strict=True)), **params)
        model.named_estimators_ = dict(model.estimators)
    model.estimators_ = inner
    return model


def _build_step(known):
    step = known["part"].type(**known["params"])
    for name, value in known["state"].items():
        if value is not None:
            setattr(step, name, value)
    try:
        step._validate_params()
        step._make_op()
    except ValueError as exc:
        raise FieldError(str(exc)) from None
    return step


def _check_front_end(model):
    """Refuse front ends that cannot run, or that would fill the memory."""
    names, steps = zip(*model.front_end.steps, strict=True)
    if len(set(names)) != len(names) or any("__" in name for name in names):
        raise FieldError(f"the steps of the front end are named {names}")
    types = [type(step) for step in steps]
    if types[-1] is not LogMel or LogMel in types[:-1]:
        raise FieldError("a front end has one LogMel, at its end")
    rates = [step.sample_rate for step in steps if isinstance(step, Resampler)]
    logmel = steps[-1]
    frames = model.block_s * max([48_000, *rates]) / logmel.hop_length
    if frames * logmel.n_mels * 2 > _MAX_BLOCK:
        raise FieldError(
            f"a block of {model.block_s:g} s at hop_length={logmel.hop_length} and "
            f"n_mels={logmel.n_mels} is over {_MAX_BLOCK >> 20} MiB of spectrograms"
        )


def _check_counts(model, inner):
    """Refuse models whose numbers of species or members contradict each other."""
    n = len(model.species_)
    columns = len(model.call_types_) if isinstance(model, CallTypeClassifier) else n
    for member in inner:
        if len(member.species_) != columns:
            raise FieldError(
                f"{type(model).__name__} of {columns} columns holds a model of "
                f"{len(member.species_)}"
            )
    lengths = {
        "weights_": len(inner),
        "_chosen": n,
        "_curves": n,
        "thresholds_": n,
        "n_positives_": n,
        "n_files_": n,
        "_first_columns": n,
    }
    for name, expected in lengths.items():
        value = getattr(model, name, None)
        if value is not None and len(value) != expected:
            raise FieldError(f"{name} has {len(value)} entries, not {expected}")
    if isinstance(model, MultilabelVotingClassifier):
        _check_weights(model)
    elif isinstance(model, SoundscapeReweighterCV):
        if model._chosen.max() >= len(model._candidates):
            raise FieldError("_chosen names candidates that are not there")
    elif isinstance(model, MultilabelCalibrator):
        _check_curves(model)
    elif isinstance(model, CallTypeClassifier):
        first = model._first_columns
        if first[0] != 0 or first[-1] >= columns or (np.diff(first) <= 0).any():
            raise FieldError(f"_first_columns are not ascending within {columns}")


def _check_weights(model):
    if (model.weights_ is None) != (model.voting == "min"):
        raise FieldError(f"voting={model.voting!r} with weights_={model.weights_}")
    if model.weights_ is not None and not np.isclose(model.weights_.sum(), 1):
        raise FieldError(f"weights_ sum to {model.weights_.sum():g}, not to 1")


def _check_curves(model):
    for x, y in model._curves:
        if len(x) != len(y) or len(x) == 0:
            raise FieldError("a curve has not as many x as y")
        is_curve = model._method == "isotonic"
        if (is_curve and (np.diff(x) < 0).any()) or (not is_curve and len(x) != 1):
            raise FieldError(f"a curve is none of method {model._method!r}")
