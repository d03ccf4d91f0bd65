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
from skbird.inference._heads import HEADS, build_head, opened
from skbird.inference._model_checks import (
    check_front_end,
    check_suits,
    takes_files,
)
from skbird.inference._model_members import check_members, check_species
from skbird.inference._model_parts import (
    CALL_TYPE,
    FORMAT,
    GRID,
    MODELS,
    PARTS,
    STEPS,
)
from skbird.inference._network import CompiledNetwork, Program
from skbird.inference._pipeline import CompiledPipeline
from skbird.utils._sklearn_compat import validate_params_of

# Names of species in all of a model's parts, in bytes: arrays give each of them the
# place of the longest.
_MAX_NAMES = 64 * 2**20
_MAX_DEPTH = 12
# Each takes threads and, to be made ready, time.
_MAX_NETWORKS = 64
# Candidates that some species chose: each is a pass over the rows.
_MAX_RULES = 1_000


def describe(model, networks):
    """Return the description of a compiled model.

    Parameters
    ----------
    model : estimator
        A model from `compile_pipeline`.
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
    if part.type in HEADS:
        return plain
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
    parts = list(_parts_within(known))
    numbers = [part["network"] for part in parts if "network" in part]
    if len(set(numbers)) != len(numbers):
        raise FieldError("several models have the same network")
    names = [part["species"] for part in parts if "species" in part]
    chosen = [part["state"].get("chosen_", ()) for part in parts]
    for what, n, most in (
        ("networks", len(numbers), _MAX_NETWORKS),
        ("reweighting rules", sum(len(np.unique(c)) for c in chosen), _MAX_RULES),
    ):
        if n > most:
            raise FieldError(f"it has {n} {what}, more than {most}")
    if sum(map(_bytes_of, names)) > _MAX_NAMES:
        raise FieldError(f"its names of species are over {_MAX_NAMES >> 20} MiB")
    for species in names:
        check_species(species)
    takes_files(known)
    return _build(known, networks)


def _parts_within(known):
    yield known
    for inner in known.get("inner", ()):
        yield from _parts_within(inner)


def _bytes_of(names):
    return 4 * len(names) * max(len(str(name)) for name in names)


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
    elif part.type in HEADS:
        keys |= {"species"}
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
        known["names"] = Several(Text(least=1), most=1000).read(plain["names"])
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
    part, params = known["part"], opened(known["params"])
    if part.type in HEADS:
        return build_head(part.type, params, known)
    if part.type is CompiledNetwork:
        format = SpectrogramFormat(grid=SegmentGrid(**known["grid"]), **known["format"])
        species = np.array(known["species"])
        network = CompiledNetwork(None, format, species, **params)
        network.program = Program(networks(known["network"], network))
        return network
    if part.type is CompiledPipeline:
        front_end = Pipeline([(s["name"], _build_step(s)) for s in known["front_end"]])
        check_front_end(front_end)
        network = _build(known["inner"][0], networks)
        model = CompiledPipeline(front_end, network, **params)
        check_suits(model)
        return model
    inner = [_build(item, networks) for item in known["inner"]]
    model = wrap(part.type, inner, known.get("names"), params)
    for name, value in known["state"].items():
        setattr(model, name, value)
    model.species_ = np.array(known["species"])
    model.classes_ = np.tile([0, 1], (len(model.species_), 1))
    if part.type is CallTypeClassifier:
        model.call_types_ = pd.DataFrame(known["call_types"], columns=list(CALL_TYPE))
    if part.type is MultilabelVotingClassifier:
        model.weights = model.weights_
    check_members(model, inner)
    return model


def wrap(kind, inner, names, params):
    """Return an ensemble or a meta-estimator that holds fitted models.

    Parameters
    ----------
    kind : class
        One of `MODELS`.
    inner : list of estimators
    names : sequence of str or None
        Names of the members, where they have names.
    params : dict

    Returns
    -------
    estimator
        Only its parameters and its members are set.
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
    step = known["part"].type(**opened(known["params"]))
    for name, value in known["state"].items():
        if value is not None:
            setattr(step, name, value)
    try:
        validate_params_of(step)
        if hasattr(step, "make_op"):
            step.make_op()
    except ValueError as exc:
        raise FieldError(str(exc)) from None
    return step
