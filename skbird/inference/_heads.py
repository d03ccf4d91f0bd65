"""The parts of model files that have to do with encoders."""

import numpy as np

from skbird.encoders import AttentionProbe, PretrainedScores
from skbird.inference._encoder_field import NamedEncoder
from skbird.inference._fields import FieldError
from skbird.inference._probe import CompiledProbe
from skbird.utils._nested import parts_of

HEADS = CompiledProbe, AttentionProbe, PretrainedScores
# Of the windows of a block of sound, in bytes.
_MAX_BLOCK = 512 * 2**20


def opened(params):
    """Return parameters in which encoders that are only named are opened."""
    return {
        name: value.open() if isinstance(value, NamedEncoder) else value
        for name, value in params.items()
    }


def build_head(kind, params, known):
    """Return the head, or the scores, that a description has.

    Parameters
    ----------
    kind : class
        One of `HEADS`.
    params : dict
    known : dict
        The description, whose values are checked.
    """
    species = np.array(known["species"])
    n = len(species)
    if kind is CompiledProbe:
        n_found = len(params["coef"]), len(params["intercept"])
        if n_found != (n, n):
            raise FieldError(f"coef and intercept have {n_found} rows for {n} species")
        return CompiledProbe(species=species, **params)
    if kind is AttentionProbe:
        return _attention_probe(params, known["state"], species)
    model = PretrainedScores(**params)
    columns = known["state"]["columns_"]
    n_classes = _n_scores(model.encoder)
    if len(columns) != n or (columns >= n_classes).any():
        raise FieldError(f"columns_ are not {n} of {n_classes} classes")
    model.encoder_ = model.encoder
    model.species_, model.classes_ = species, np.tile([0, 1], (n, 1))
    model.columns_, model.matched_ = columns, columns >= 0
    model.probe_ = None
    _check_threshold(model, n)
    return model


def _attention_probe(params, state, species):
    model, shape = AttentionProbe(**params), state["coef_"].shape
    shapes = {
        "coef_": (len(species), shape[1]),
        "intercept_": (len(species),),
        "attention_coef_": shape if model.pooling == "attention" else (),
        "mean_": (shape[1],),
        "scale_": (shape[1],),
    }
    for name, wanted in shapes.items():
        if np.shape(state[name]) != wanted:
            raise FieldError(f"{name} has shape {np.shape(state[name])}, not {wanted}")
        setattr(model, name, state[name])
    model.species_, model.classes_ = species, np.tile([0, 1], (len(species), 1))
    model.n_features_in_ = shape[1]
    _check_threshold(model, len(species))
    return model


def _n_scores(encoder):
    if "scores" not in encoder.spec.outputs:
        raise FieldError(f"{encoder.spec.name} has no scores")
    return encoder.spec.outputs["scores"].shape[-1]


def _check_threshold(model, n):
    if np.shape(model.threshold) not in ((), (n,)):
        raise FieldError(f"threshold has {len(model.threshold)} entries, not {n}")


def check_head(model, step):
    """Refuse heads that do not suit the embeddings, or would fill the memory.

    Parameters
    ----------
    model : CompiledPipeline
    step : EmbeddingEncoder
    """
    encoder = step.encoder
    if "embedding" not in encoder.spec.outputs:
        raise FieldError(f"{encoder.spec.name} has no embeddings")
    n_values = encoder.spec.outputs["embedding"].shape[-1]
    step_s = step.step_s or encoder.spec.step_s or encoder.spec.window_s
    if model.chunk_s / step_s * n_values * 4 > _MAX_BLOCK:
        raise FieldError(
            f"{model.chunk_s:g} s of sound every {step_s:g} s are over "
            f"{_MAX_BLOCK >> 20} MiB of embeddings"
        )
    for head in parts_of(model.network):
        if getattr(head, "voting", None) == "rank":
            raise FieldError("voting='rank' would rank the rows of a block alone")
        if isinstance(head, CompiledProbe):
            wanted = n_values * (2 if head.pooling == "meanmax" else 1)
            if head.coef.shape[1] != wanted:
                raise FieldError(
                    f"a probe of {head.coef.shape[1]} features has {wanted} to look at"
                )
            _check_threshold(head, len(head.species))
        elif isinstance(head, AttentionProbe):
            if head.n_features_in_ != n_values:
                raise FieldError(
                    f"a probe of {head.n_features_in_} values has {n_values} to look at"
                )
        elif hasattr(head, "format") and hasattr(head, "program"):
            raise FieldError(f"{type(head).__name__} takes no embeddings")
