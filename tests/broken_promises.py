"""Ways to break one promise in any estimator: each is a mutation of its class."""

import functools
import importlib
import os
import sys
from dataclasses import dataclass, field, replace

import numpy as np
from sklearn.base import clone, is_classifier
from sklearn.exceptions import NotFittedError
from sklearn.utils import get_tags
from threadpoolctl import threadpool_info

from skbird.data import (
    Clip,
    ClipOp,
    Recordings,
    Spectrograms,
    WeightOp,
    segment_means,
)

ANSWERS = ("transform", "fit_transform", "predict_proba")


@dataclass(frozen=True)
class Mutation:
    """A promise that is broken, and how."""

    check: str  # that must find it
    match: str  # what that must say
    before: object = None  # (self, X): runs before each answer
    answer: object = None  # (self, output, X) -> output
    fit: object = None  # (self, X, y) -> what fit returns, runs after the fit
    before_fit: object = None  # (self, X, y)
    targets: object = None  # y -> what is learnt in its place
    members: dict = field(default_factory=dict)
    applies: object = lambda estimator: True


# What can be done to any output ----------------------------------------------------


@dataclass(frozen=True)
class FactorOp(ClipOp):
    def __call__(self, clip):
        return replace(clip, samples=clip.samples * np.float32(clip.row["factor"]))


@dataclass(frozen=True)
class CutOp(ClipOp):
    def __call__(self, clip):
        return replace(clip, samples=clip.samples[: len(clip.samples) // 2])


@dataclass(frozen=True)
class WeightsOp(ClipOp):
    value: float

    def __call__(self, clip):
        made = {k: getattr(clip, k) for k in Clip.__dataclass_fields__}
        return WeighedClip(**made, value=self.value)


@dataclass(frozen=True)
class WeighedClip(Clip):
    value: float = 0.0

    @property
    def weights(self):
        return np.full(len(self.starts), self.value, np.float32)


@dataclass(frozen=True)
class PowerOp(WeightOp):
    """Keeps its promises; those derived from it break one each."""

    factor: float = 1.0

    values_per_s = 1.0
    use_at_predict = False

    def measure(self, samples, sample_rate):
        starts = np.arange(0, len(samples), sample_rate)
        power = np.add.reduceat(np.square(samples), starts)
        return self.factor * power / np.diff(starts, append=len(samples))

    def judge(self, values, starts, segment_s, row):
        power = segment_means(values, self.values_per_s, starts, segment_s)
        quality = np.minimum(power, 1)
        return quality, quality


@dataclass
class ThawedOp(ClipOp):
    def __call__(self, clip):
        return clip


class PlainOp(ClipOp):
    __call__ = ThawedOp.__call__


@dataclass(frozen=True)
class RatelessOp(WeightOp):
    measure = PowerOp.measure
    judge = PowerOp.judge


@dataclass(frozen=True)
class UnevenOp(PowerOp):
    values_per_s = 0.3


@dataclass(frozen=True)
class TwoValuesOp(PowerOp):
    def measure(self, samples, sample_rate):
        return super().measure(samples, sample_rate)[:2]


@dataclass(frozen=True)
class OneSegmentOp(PowerOp):
    def judge(self, values, starts, segment_s, row):
        return np.ones(1), np.ones(1)


@dataclass(frozen=True)
class SilenceOp(PowerOp):
    def judge(self, values, starts, segment_s, row):
        quality, _ = super().judge(values, starts, segment_s, row)
        with np.errstate(invalid="ignore"):
            return quality / quality.max(), quality


@dataclass(frozen=True)
class HeavyOp(PowerOp):
    def judge(self, values, starts, segment_s, row):
        return np.full(len(starts), 1.5), np.ones(len(starts))


@dataclass(frozen=True)
class StaleOp(PowerOp):
    measure_key = "power"


@dataclass(frozen=True)
class NeverTheSameOp(PowerOp):
    @property
    def measure_key(self):
        return f"power {draws()}"


@dataclass(frozen=True)
class WholeRowOp(PowerOp):
    def measure(self, samples, sample_rate):
        values = super().measure(samples, sample_rate)
        return np.full(len(values), np.square(samples).mean())


@dataclass(frozen=True)
class PeakOp(ClipOp):
    def __call__(self, clip):
        peak = np.abs(clip.samples).max(initial=1e-6)
        return replace(clip, samples=clip.samples / peak)


def adding(make_op):
    """Return what adds an op to recordings."""
    return lambda self, output, X: output.then(make_op())


def respectrogram(output, change, **given):
    """Return `Spectrograms` with other frames."""
    entries = [
        None if n == 0 else change(output.frames(row), row)
        for row, n in enumerate(output.n_frames)
    ]
    n_frames = [0 if entry is None else len(entry) for entry in entries]
    made = Spectrograms(output.rows, entries, n_frames, output.format)
    if len(made.segment_weights) == len(output.segment_weights):
        made.segment_weights = output.segment_weights
        made.segment_predict_weights = output.segment_predict_weights
    made.errors = output.errors
    return made


def scaled(output, factor):
    """Return an output whose rows are multiplied by factors."""
    factor = np.broadcast_to(factor, len(output))
    if isinstance(output, Recordings):
        return output.assign(factor=factor).then(FactorOp())
    if isinstance(output, Spectrograms):
        return respectrogram(output, lambda x, row: x * np.float16(factor[row]))
    return np.asarray(output) * factor[:, None]


def readable(output):
    """Return which rows of an output can be read."""
    if isinstance(output, Recordings):
        damaged = [str(p).endswith("damaged.wav") for p in output.paths]
        return np.array([os.path.exists(p) for p in output.paths]) & ~np.array(damaged)
    if isinstance(output, Spectrograms):
        return output.n_frames > 0
    return ~np.isnan(output).all(axis=1)


def hide_unreadable(self, output, X):
    """Say something of rows that cannot be read."""
    good = readable(output)
    rows = np.where(good, np.arange(len(output)), np.flatnonzero(good)[0])
    return output[rows]


def nan_for_a_good_row(self, output, X):
    if isinstance(output, Recordings):
        rows = output.rows.copy()
        rows.loc[0, "path"] = "missing.wav"
        return Recordings(rows, output.ops)
    if isinstance(output, Spectrograms):
        return respectrogram(output, lambda x, row: x if row else None)
    output = np.array(output)
    output[:1] = np.nan
    return output


def cut(self, output, X):
    if isinstance(output, Recordings):
        return output.then(CutOp())
    return respectrogram(output, lambda x, row: x[: len(x) // 2])


def weighing(value):
    def weigh(self, output, X):
        if isinstance(output, Recordings):
            return output.then(WeightsOp(value))
        output.segment_weights = np.full_like(output.segment_weights, value)
        return output

    return weigh


# What can be done in fit -------------------------------------------------------------


def change_X(self, X, y=None):
    if isinstance(X, Spectrograms):
        X.segment_weights[0] = 0.5
    elif hasattr(X, "loc"):
        X["seen"] = True


def change_y(self, X, y):
    if y is not None:
        y.iloc[0, 0] = 0.25


def change_param(self, X, y):
    setattr(self, list(self.get_params(deep=False))[-1], "changed")


def fit_what_was_given(self, X, y):
    self.estimator.fit(X, y)


def count_fits(self, X, y):
    self.n_fits_ = getattr(self, "n_fits_", 0) + 1


def draw_factor(self, X, y):
    self.factor_ = 0.5 + np.random.RandomState(draws()).rand() / 2


def draws():
    """Return another number each time: what neither seeds nor generators know."""
    draws.n = getattr(draws, "n", 0) + 1
    return draws.n


def remember_in_class(self, X, y):
    type(self).factor = 0.5


def refuse_nan(self, X, y):
    if y is not None and np.isnan(np.asarray(y)).any():
        raise ValueError("Input y contains NaN.")


def refuse_no_rows(self, X):
    if len(X) == 0:
        raise ValueError("Found array with 0 samples.")


def called_from(*names):
    """Return whether a file of scikit-learn is among the callers."""
    frame = sys._getframe(1)
    while frame is not None:
        if frame.f_code.co_filename.replace(os.sep, "/").endswith(names):
            return True
        frame = frame.f_back
    return False


def refuse_in_search(self, X, y):
    if called_from("model_selection/_search.py"):
        raise ValueError("not in a search")


def number_of_threads():
    return max([pool["num_threads"] for pool in threadpool_info()], default=1)


def answer_unfitted(self, X):
    """Answer zeros before fit, as some classes do."""
    base = type(self).__mro__[1]
    try:
        return base.predict_proba(self, X)
    except NotFittedError:
        return np.zeros((len(X), 2))


def takes_recordings(estimator):
    return get_tags(estimator).input_tags.string


def gives_segments(estimator):
    transforms = hasattr(estimator, "transform")
    matrices = "SpectrogramStatistics", "EmbeddingEncoder"
    return transforms and type(estimator).__name__ not in matrices


def gives_recordings(estimator):
    steps = "Resampler", "BandPass", "Segmenter", "VADFilter", "RMSFilter"
    return type(estimator).__name__ in steps


def wraps(estimator):
    return hasattr(estimator, "estimator")


def learns(estimator):
    is_fitted = hasattr(estimator, "__sklearn_is_fitted__")
    is_taught = is_classifier(estimator) and get_tags(estimator).target_tags.required
    return is_taught and not is_fitted


# Some of their probabilities of the few rows are between 0.5 and 0.9.
_SPREAD = ("LevelClassifier", "SoundscapeReweighter", "ThresholdTuner", "SeedEnsemble")

MUTATIONS = {
    "fit returns None": Mutation(
        "check_fit_returns_self", "fit returned NoneType", fit=lambda *_: None
    ),
    "set_params does nothing": Mutation(
        "check_set_params",
        "raised nothing",
        members={"set_params": lambda self, **params: self},
    ),
    "answers without a fit": Mutation(
        "check_unfitted",
        "predict_proba answered without a fit",
        members={"predict_proba": answer_unfitted},
        applies=lambda e: learns(e) and get_tags(e).requires_fit,
    ),
    "drops the last row": Mutation(
        "check_keeps_rows",
        r"of 12 rows returned 11",
        answer=lambda self, output, X: output[:-1],
    ),
    "depends on the place of a row": Mutation(
        "check_row_order",
        "if rows come in another order",
        answer=lambda self, output, X: scaled(output, np.linspace(1, 0.5, len(X))),
    ),
    "depends on other rows": Mutation(
        "check_subset_of_rows",
        "among fewer rows",
        answer=lambda self, output, X: scaled(output, 1 - 1 / len(X)),
        applies=lambda e: type(e).__name__ != "SoundscapeReweighter",  # by design
    ),
    "depends on other files": Mutation(
        "check_subset_of_files",
        "among fewer files",
        answer=lambda self, output, X: scaled(output, 1 - 1 / len(X)),
    ),
    "depends on the container": Mutation(
        "check_containers",
        "from an array in place of a list",
        answer=lambda self, output, X: scaled(
            output, 0.5 if isinstance(X, np.ndarray) else 1
        ),
        applies=takes_recordings,
    ),
    "refuses no rows": Mutation(
        "check_no_rows", "Found array with 0 samples", before=refuse_no_rows
    ),
    "makes up unreadable rows": Mutation(
        "check_unreadable_rows", "which cannot be read, is", answer=hide_unreadable
    ),
    "loses good rows": Mutation(
        "check_unreadable_rows",
        "of row 0, a good one, is NaN",
        answer=nan_for_a_good_row,
    ),
    "spoils rows beside unreadable ones": Mutation(
        "check_unreadable_rows",
        "beside rows that cannot be read",
        answer=lambda self, output, X: scaled(
            output, 1 if readable(output).all() else 0.99
        ),
    ),
    "removes sound": Mutation(
        "check_keeps_duration",
        r"s long and is",
        answer=cut,
        applies=gives_segments,
    ),
    "empties the weights": Mutation(
        "check_segment_weights",
        "none is left",
        answer=weighing(0.0),
        applies=gives_segments,
    ),
    "weighs more than 1": Mutation(
        "check_segment_weights",
        r"weights \[1\.5",
        answer=weighing(1.5),
        applies=gives_segments,
    ),
    "thaws an op": Mutation(
        "check_frozen_ops",
        "ThawedOp is a dataclass that is not frozen",
        answer=adding(ThawedOp),
        applies=gives_recordings,
    ),
    "has an op that is no dataclass": Mutation(
        "check_frozen_ops",
        "PlainOp is no dataclass",
        answer=adding(PlainOp),
        applies=gives_recordings,
    ),
    "says no rate of a series": Mutation(
        "check_measured_series",
        "RatelessOp has no values_per_s and no use_at_predict",
        answer=adding(RatelessOp),
        applies=gives_recordings,
    ),
    "measures at a rate that blocks cut": Mutation(
        "check_measured_series",
        r"values_per_s=0\.3 of UnevenOp puts 1\.2 values",
        answer=adding(UnevenOp),
        applies=gives_recordings,
    ),
    "measures two values": Mutation(
        "check_measured_series",
        r"measure of TwoValuesOp returned shape \(2,\) for .* must be \(",
        answer=adding(TwoValuesOp),
        applies=gives_recordings,
    ),
    "judges one segment": Mutation(
        "check_measured_series",
        r"judge of OneSegmentOp returned weights of shape \(1,\)",
        answer=adding(OneSegmentOp),
        applies=gives_recordings,
    ),
    "judges above 1": Mutation(
        "check_measured_series",
        r"segments of 20\.0 s weigh .*1\.5",
        answer=adding(HeavyOp),
        applies=gives_recordings,
    ),
    "judges silence as NaN": Mutation(
        "check_measured_series",
        "judge of SilenceOp returned NaN among the weights",
        answer=adding(SilenceOp),
        applies=gives_recordings,
    ),
    "forgets a parameter in the key": Mutation(
        "check_measure_key",
        r"StaleOp measures otherwise with factor=.* under the same",
        answer=adding(StaleOp),
        applies=gives_recordings,
    ),
    "has a key of its own each time": Mutation(
        "check_measure_key",
        "with the same parameters: nothing would be found",
        answer=adding(NeverTheSameOp),
        applies=gives_recordings,
    ),
    "measures the whole row": Mutation(
        "check_blocks",
        "of WholeRowOp, at .* if the row is worked on in blocks",
        answer=adding(WholeRowOp),
        applies=gives_recordings,
    ),
    "changes sound by the whole row": Mutation(
        "check_blocks",
        "sound at .* if the row is worked on in blocks",
        answer=adding(PeakOp),
        applies=gives_recordings,
    ),
    "changes X in fit": Mutation(
        "check_input_stays", "fit changed X", before_fit=change_X
    ),
    "changes Y in fit": Mutation(
        "check_input_stays", "fit changed Y", before_fit=change_y
    ),
    "changes X in an answer": Mutation(
        "check_input_stays", "an answer changed X", before=change_X
    ),
    "changes a parameter": Mutation(
        "check_params_stay",
        "fit changed .* to 'changed'",
        fit=change_param,
        applies=lambda e: e.get_params(),
    ),
    "fits what it was given": Mutation(
        "check_params_stay",
        r"fit changed estimator .* \(inside\)",
        before_fit=fit_what_was_given,
        applies=wraps,
    ),
    "remembers earlier fits": Mutation(
        "check_fit_forgets",
        "after a second fit",
        fit=count_fits,
        answer=lambda self, output, X: scaled(output, 1 / getattr(self, "n_fits_", 1)),
    ),
    "ignores the seed": Mutation(
        "check_same_seed",
        "with the same seed",
        fit=draw_factor,
        answer=lambda self, output, X: scaled(output, getattr(self, "factor_", 1)),
    ),
    "draws from the global generator": Mutation(
        "check_global_random_state",
        "the generator of numpy.random is in another state",
        before_fit=lambda self, X, y: np.random.random(),
    ),
    "clones with what was learnt": Mutation(
        "check_clone",
        r"has \['learnt_'\]",
        fit=lambda self, X, y: setattr(self, "learnt_", 1),
        members={
            "__sklearn_clone__": lambda self: learnt_too(self),
        },
    ),
    "keeps state in the class": Mutation(
        "check_pickle",
        "in a fresh process",
        fit=remember_in_class,
        answer=lambda self, output, X: scaled(output, type(self).factor),
        members={"factor": 1.0},
    ),
    "depends on the threads": Mutation(
        "check_threads",
        "with two threads",
        answer=lambda self, output, X: scaled(output, 1 / number_of_threads()),
    ),
    "answers more than 1": Mutation(
        "check_probabilities",
        "predict_proba reaches from",
        answer=lambda self, output, X: 2 + np.asarray(output),
        applies=is_classifier,
    ),
    "answers in another shape": Mutation(
        "check_probabilities",
        r"predict_proba has shape \(12, 1\)",
        answer=lambda self, output, X: output[:, :1],
        applies=is_classifier,
    ),
    "forgets the species": Mutation(
        "check_probabilities",
        "species_ is .*nobody",
        fit=lambda self, X, y: setattr(self, "species_", ["nobody", "no one"]),
        applies=learns,
    ),
    "sorts the species": Mutation(
        "check_probabilities",
        r"species_ is \['dove', 'wren'\]",
        targets=lambda y: y[sorted(y)],
        applies=learns,
    ),
    "sorts the species unseen": Mutation(
        "check_species_columns",
        "is present in more rows, the means",
        targets=lambda y: y[sorted(y)].set_axis(list(y), axis=1),
        applies=learns,
    ),
    "swaps columns": Mutation(
        "check_species_columns",
        "is present in more rows, the means",
        answer=lambda self, output, X: np.asarray(output)[:, ::-1].copy(),
        applies=learns,
    ),
    "turns probabilities round": Mutation(
        "check_species_columns",
        "is present in more rows, the means",
        answer=lambda self, output, X: 1 - np.asarray(output),
        applies=learns,
    ),
    "learns nothing": Mutation(
        "check_species_columns",
        "is present in more rows, the means",
        answer=lambda self, output, X: 0 * np.asarray(output) + 0.5,
        applies=learns,
    ),
    "predicts from another threshold": Mutation(
        "check_probabilities",
        "predict is not predict_proba from",
        members={"predict": lambda self, X: (self.predict_proba(X) >= 0.9).astype(int)},
        applies=lambda e: type(e).__name__ in _SPREAD,
    ),
    "predicts the contrary": Mutation(
        "check_probabilities",
        "predict is not predict_proba from",
        members={"predict": lambda self, X: (self.predict_proba(X) < 0.5).astype(int)},
        applies=is_classifier,
    ),
    "flatters itself": Mutation(
        "check_score",
        r"score is 1.0, and macro_roc_auc",
        members={"score": lambda self, X, y: 1.0},
        applies=is_classifier,
    ),
    "rounds targets": Mutation(
        "check_soft_targets",
        "a target of 0.7 counts as 1",
        targets=lambda y: y.round(),
        applies=learns,
    ),
    "counts all but certain targets as absent": Mutation(
        "check_soft_targets",
        "a target of 0.7 counts as 0",
        targets=lambda y: y.where(y.isna() | (y == 1), 0),
        applies=learns,
    ),
    "counts unknown targets as absent": Mutation(
        "check_unknown_targets",
        "if a target that is NaN weighs more: it is learnt",
        targets=lambda y: y.fillna(0),
        applies=learns,
    ),
    "fills unknown targets": Mutation(
        "check_unknown_targets",
        "if a target that is NaN weighs more: it is learnt",
        targets=lambda y: y.fillna(y.mean()),
        applies=learns,
    ),
    "counts unlabelled rows as absent": Mutation(
        "check_unlabeled_rows",
        "a row of -1 counts as absent",
        targets=lambda y: y.clip(0, 1),
        applies=learns,
    ),
    "counts unlabelled rows as half": Mutation(
        "check_unlabeled_rows",
        "if a row of -1 weighs more: it is learnt",
        targets=lambda y: y.replace(-1, 0.5),
        applies=learns,
    ),
    "refuses unknown targets": Mutation(
        "check_unknown_targets",
        "Input y contains NaN",
        before_fit=refuse_nan,
        applies=is_classifier,
    ),
    "answers otherwise in a Pipeline": Mutation(
        "check_pipeline",
        "inside a Pipeline",
        answer=lambda self, output, X: scaled(
            output, 0.5 if called_from("sklearn/pipeline.py") else 1
        ),
    ),
    "fails in a search": Mutation(
        "check_search", "not in a search", before_fit=refuse_in_search
    ),
    "set_output fails": Mutation(
        "check_set_output",
        "no pandas here",
        members={"set_output": lambda self, **_: no_pandas()},
        applies=lambda e: hasattr(e, "transform"),
    ),
    "drops weights": Mutation(
        "check_metadata_routing",
        "changes nothing: it does not arrive",
        members={"drops_weights": True},
        applies=learns,
    ),
}


def no_pandas():
    raise ValueError("no pandas here")


def learnt_too(estimator):
    """Return a clone that has what its original learnt."""
    params = {k: clone(v, safe=False) for k, v in estimator.get_params(False).items()}
    twin = type(estimator)(**params)
    if hasattr(estimator, "learnt_"):
        twin.learnt_ = estimator.learnt_
    return twin


def break_promise(name, estimator):
    """Return the estimator as one of a subclass that breaks a promise."""
    twin = clone(estimator)
    twin.__class__ = broken_class(name, type(estimator))
    return twin


@functools.cache
def broken_class(name, base):
    """Make a subclass of an estimator's class that breaks a promise."""
    mutation = MUTATIONS[name]
    namespace = dict(mutation.members)
    for method in ANSWERS:
        if (mutation.answer or mutation.before) and hasattr(base, method):
            namespace[method] = _through(mutation, getattr(base, method))
    namespace["fit"] = _fit_through(mutation, base.fit)
    title = "".join(word.title() for word in name.split()) + base.__name__
    cls = type(title, (base,), namespace | {"__module__": __name__})
    cls.__qualname__ = "|".join(
        [name, base.__module__.replace(".", "/"), base.__name__]
    )
    globals()[cls.__qualname__] = cls  # pickles look for it here
    return cls


def __getattr__(path):
    """Make the class that a pickle names in a fresh process, and no other."""
    name, _, base = path.partition("|")
    if name not in MUTATIONS:
        raise AttributeError(path)
    module, base = base.replace("/", ".").split("|")
    return broken_class(name, getattr(importlib.import_module(module), base))


def _through(mutation, method):
    @functools.wraps(method)
    def answer(self, X, *args, **kwargs):
        if mutation.before is not None:
            mutation.before(self, X)
        output = method(self, X, *args, **kwargs)
        if mutation.answer is None or _is_nested(self):
            return output
        return mutation.answer(self, output, X)

    return answer


def _is_nested(self):
    # TransformerMixin.fit_transform calls transform, which has been changed already.
    frame, n_answers = sys._getframe(1), 0
    while frame is not None:
        own = frame.f_code.co_name == "answer" and frame.f_locals.get("self") is self
        n_answers += own
        frame = frame.f_back
    return n_answers > 1


def _fit_through(mutation, method):
    @functools.wraps(method)
    def fit(self, X, y=None, **params):
        if mutation.before_fit is not None:
            mutation.before_fit(self, X, y)
        if mutation.targets is not None and y is not None:
            y = mutation.targets(y)
        params = {} if mutation.members.get("drops_weights") else params
        method(self, X, y, **params)
        if mutation.fit is not None and mutation.fit(self, X, y) is None:
            return None if mutation.check == "check_fit_returns_self" else self
        return self

    return fit
