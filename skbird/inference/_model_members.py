"""Check that the parts of a model file agree: species, members, parameters."""

from collections import Counter

import numpy as np

from skbird.compose import CallTypeClassifier
from skbird.ensemble import MultilabelVotingClassifier, SeedEnsemble
from skbird.inference._fields import FieldError
from skbird.postprocessing import (
    MultilabelCalibrator,
    SoundscapeReweighter,
    SoundscapeReweighterCV,
    reweight,
)

# Columns of every table of probabilities, beside those of the species.
_KEYS = ("path", "start", "end")


def check_species(species):
    """Refuse names that two columns of a table would have.

    Parameters
    ----------
    species : sequence of str or of int
    """
    [(name, n)] = Counter([*_KEYS, *map(str, species)]).most_common(1)
    if n > 1:
        raise FieldError(
            f"the species {name!r:.100} is there twice, or named like a column"
        )


def check_members(model, inner):
    """Refuse models whose parts speak of other species, or of other members.

    Parameters
    ----------
    model : estimator
        An ensemble or a meta-estimator.
    inner : list of estimators
        The models that it holds.
    """
    _check_species_of(model, inner)
    n = len(model.species_)
    lengths = {
        "chosen_": n,
        "curves_": n,
        "thresholds_": n,
        "n_positives_": n,
        "n_files_": n,
        "known_": n,
        "reference_": n,
    }
    for name, expected in lengths.items():
        value = getattr(model, name, None)
        if value is not None and len(value) != expected:
            raise FieldError(f"{name} has {len(value)} entries, not {expected}")
    threshold = getattr(model, "threshold", None)
    if np.shape(threshold) not in ((), (n,)):
        raise FieldError(f"threshold has {len(threshold)} entries, not {n}")
    for kind, check in _CHECKS.items():
        if isinstance(model, kind):
            check(model)


def _check_species_of(model, inner):
    """Refuse members that name other species, or the same in another order."""
    columns = model.species_.tolist()
    if isinstance(model, CallTypeClassifier):
        first = model.first_columns_
        owner = model.call_types_["species"].tolist()
        n_columns = np.diff([*first, len(owner)])
        if len(first) != len(columns) or first[0] != 0 or (n_columns <= 0).any():
            raise FieldError(f"first_columns_ are not ascending within {len(owner)}")
        if owner != np.repeat(model.species_, n_columns).tolist():
            raise FieldError("call_types are not those of the species, in their order")
        columns = model.call_types_["column"].tolist()
    for member in inner:
        own = member.species_.tolist()
        if own == columns:
            continue
        name = type(model).__name__
        if len(own) != len(columns):
            raise FieldError(
                f"{name} of {len(columns)} columns holds a model of {len(own)}"
            )
        pairs = zip(columns, own, strict=True)
        here, there = next((a, b) for a, b in pairs if a != b)
        raise FieldError(
            f"{name} has the column {here!r:.100} where a model that it holds has "
            f"{there!r:.100}"
        )


def _check_level(level, n_species):
    try:
        reweight(np.zeros((1, n_species)), [0], **level)
    except ValueError as exc:
        raise FieldError(str(exc)) from None


def _check_reweighter(model):
    names = ("top_rows", "level_power", "level_share", "kernel")
    _check_level({name: getattr(model, name) for name in names}, len(model.species_))


def _check_candidates(model):
    candidates = model.candidates_
    chosen, counts = np.unique(model.chosen_, return_counts=True)
    if chosen[-1] >= len(candidates):
        raise FieldError("chosen_ names candidates that are not there")
    for number, n_species in zip(chosen, counts, strict=True):
        _check_level(candidates[number], n_species)
    if not model.per_species:
        if len(chosen) > 1:
            raise FieldError("chosen_ differs by species, with per_species=False")
        candidates = [candidates[chosen[0]]]
    if not any(_are_equal(model.best_params_, found) for found in candidates):
        raise FieldError("best_params_ are not those of a chosen candidate")


def _are_equal(params, others):
    return all(np.array_equal(value, others[name]) for name, value in params.items())


def _check_seeds(model):
    if model.n_estimators != len(model.estimators_):
        raise FieldError(
            f"n_estimators={model.n_estimators} with {len(model.estimators_)} members"
        )


def _check_weights(model):
    if (model.weights_ is None) != (model.voting == "min"):
        raise FieldError(f"voting={model.voting!r} with weights_={model.weights_}")
    if model.weights_ is None:
        return
    shape, n = model.weights_.shape, len(model.estimators)
    if shape not in ((n,), (len(model.species_), n)):
        raise FieldError(f"weights_ has shape {shape} with {n} members")
    for total in np.atleast_1d(model.weights_.sum(axis=-1)):
        if not np.isclose(total, 1):
            raise FieldError(f"weights_ sum to {total:g}, not to 1")


def _check_curves(model):
    if model.method != model.method_:
        raise FieldError(
            f"method={model.method!r} with curves of method {model.method_!r}"
        )
    for x, y in model.curves_:
        if len(x) != len(y) or len(x) == 0:
            raise FieldError("a curve has not as many x as y")
        is_curve = model.method_ == "isotonic"
        if (is_curve and (np.diff(x) < 0).any()) or (not is_curve and len(x) != 1):
            raise FieldError(f"a curve is none of method {model.method_!r}")
        if is_curve and not (0 <= y[0] and y[-1] <= 1 and (np.diff(y) >= 0).all()):
            raise FieldError("an isotonic curve falls, or leaves [0, 1]")
        if not is_curve and x[0] <= 0:
            raise FieldError(f"a sigmoid of slope {x[0]:g} falls")


_CHECKS = {
    MultilabelVotingClassifier: _check_weights,
    SeedEnsemble: _check_seeds,
    SoundscapeReweighter: _check_reweighter,
    SoundscapeReweighterCV: _check_candidates,
    MultilabelCalibrator: _check_curves,
}
