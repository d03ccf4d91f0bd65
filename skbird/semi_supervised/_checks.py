"""Check the parameters of self-training that depend on each other."""

import numpy as np
from sklearn.base import clone

from skbird.semi_supervised._pseudo_labels import check_thresholds
from skbird.utils._nested import takes_fractions


def check_parameters(model):
    """Check what depends on several parameters; return the power of each round."""
    check_thresholds(model.soft_threshold, model.hard_threshold)
    powers = np.asarray(model.proba_power, dtype=float)
    if powers.ndim == 0:
        powers = np.full(model.max_iter, powers)
    if len(powers) < model.max_iter or not (powers > 0).all():
        raise ValueError(
            f"proba_power={model.proba_power!r} must be positive, one number or one "
            f"for each of max_iter={model.max_iter} rounds."
        )
    if model.warm_start and model.cv is not None:
        raise ValueError(
            f"warm_start=True and cv={model.cv} exclude each other: a student that "
            "goes on from one trained on a file's pseudo-labels has seen them."
        )
    names = model.estimator.get_params()
    if model.warm_start and not any(name.endswith("warm_start") for name in names):
        raise ValueError(
            "warm_start=True needs an estimator with a parameter warm_start; "
            f"{type(model.estimator).__name__} has none."
        )
    soft_to = 1 if model.hard_threshold is None else model.hard_threshold
    if soft_to > model.soft_threshold and not takes_fractions(model.estimator):
        raise ValueError(
            f"Probabilities from soft_threshold={model.soft_threshold:g} to "
            f"{soft_to:g} become soft targets, which classifiers of scikit-learn "
            "refuse. Set hard_threshold to soft_threshold, such as both to 0.5."
        )
    try:
        clone(model.estimator).set_params(**model.student_params or {})
    except (TypeError, ValueError) as exc:
        raise ValueError(f"student_params={model.student_params}: {exc}") from exc
    return powers[: model.max_iter].tolist()
