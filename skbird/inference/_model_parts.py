"""The closed list of classes that a model file may hold, with ranges of values.

`compile_pipeline` makes models of these classes and of no others of skbird's. A class
that is not here, or an argument that is not here, is not in any model file.
"""

from dataclasses import dataclass, field

from skbird.audio import WORDS
from skbird.compose import CallTypeClassifier
from skbird.encoders import (
    POOLINGS,
    AttentionProbe,
    EmbeddingEncoder,
    PretrainedScores,
)
from skbird.ensemble import FoldEnsemble, MultilabelVotingClassifier, SeedEnsemble
from skbird.inference._encoder_field import EncoderField
from skbird.inference._engines import PRECISIONS
from skbird.inference._fields import (
    FLAG,
    NOTHING,
    Choice,
    Either,
    Keyed,
    Matrix,
    Number,
    Several,
    Table,
    Text,
    Vector,
    Vectors,
)
from skbird.inference._network import CompiledNetwork
from skbird.inference._pipeline import CompiledPipeline
from skbird.inference._probe import CompiledProbe
from skbird.postprocessing import (
    ConformalClassifier,
    MultilabelCalibrator,
    PlaceSeasonPrior,
    SoundscapeReweighter,
    SoundscapeReweighterCV,
    ThresholdTuner,
)
from skbird.preprocessing import (
    BandPass,
    LogMel,
    Resampler,
    RMSFilter,
    Segmenter,
    VADFilter,
)
from skbird.semi_supervised import PseudoLabelSelfTraining

_INF = float("inf")
_SHARE = Number(0, 1)
_COUNT = Number(0, 2**40, whole=True)
_HZ = Number(0, 10_000_000)
_PROBABILITIES = Vector(_SHARE)
_LIMITS = Vector(Number(-_INF, _INF))  # infinite: never, or always
_MODES = Choice(("drop", "weight"))
_MAYBE_COUNT = Either(NOTHING, _COUNT)
_POSITIVE = Number(0, _INF)
_VERBOSE = Either(FLAG, _COUNT)
_THRESHOLD = Either(_SHARE, _PROBABILITIES)
_NUMBERS = Vector(Number(-1e30, 1e30))
_MAYBE_STEP = Either(NOTHING, _POSITIVE)


@dataclass(frozen=True)
class Part:
    """One class that a model file may hold.

    Parameters
    ----------
    type : class
    params : dict of str to field
        Arguments of its ``__init__``.
    state : dict of str to field
        Fitted attributes that prediction needs.
    left_out : tuple of str
        Arguments that matter to `fit` alone; they have their defaults when read.
    inner : {None, "estimator", "estimators"}
        Whether it holds one fitted estimator, or several.
    """

    type: type
    params: dict
    state: dict = field(default_factory=dict)
    left_out: tuple = ()
    inner: str | None = None


STEPS = {
    part.type.__name__: part
    for part in (
        Part(
            Resampler,
            {
                "sample_rate": Number(1000, 1_000_000, whole=True),
                "channels": Either(Choice(WORDS), Number(0, 65_535, whole=True)),
            },
        ),
        Part(
            BandPass,
            {
                "low_hz": _HZ,
                "high_hz": Either(NOTHING, _HZ),
                "order": Number(1, 12, whole=True),
            },
        ),
        Part(
            Segmenter,
            {
                "segment_s": Number(0.1, 600),
                "overlap": Number(0, 0.95),
                "pad": Choice(("cycle", "zero")),
            },
        ),
        Part(
            VADFilter,
            {
                "threshold": Either(_SHARE, Keyed(_SHARE)),
                "max_speech": _SHARE,
                "mode": _MODES,
                "use_at_predict": FLAG,
            },
        ),
        Part(
            RMSFilter,
            {
                "quantile": Either(NOTHING, _SHARE),
                "scope": Choice(("row", "train")),
                "mode": _MODES,
                "use_at_predict": FLAG,
            },
            state={"limit_": Either(NOTHING, Number(0, 1e9))},
            left_out=("max_rows", "random_state", "cache_dir"),
        ),
        Part(
            LogMel,
            {
                "n_mels": Number(1, 4096, whole=True),
                "n_fft": Number(16, 65_536, whole=True),
                "hop_length": Number(1, 65_536, whole=True),
                "low_hz": _HZ,
                "high_hz": Either(NOTHING, _HZ),
                "mel_scale": Choice(("slaney", "htk")),
                "normalize": Choice(("minmax", "standard", None)),
                "top_db": Either(NOTHING, _POSITIVE),
                "on_error": Choice(("raise", "skip")),
                "verbose": _VERBOSE,
            },
            left_out=("cache_dir", "n_jobs"),  # of the machine it was trained on
        ),
        Part(
            EmbeddingEncoder,
            {
                "encoder": EncoderField(),
                "output": Choice(("windows",)),
                "step_s": _MAYBE_STEP,
                "on_error": Choice(("raise", "skip")),
                "verbose": _VERBOSE,
            },
            left_out=("pooling", "cache_dir", "n_jobs"),  # the first is the head's
        ),
    )
}
_LEVEL = {
    "top_rows": _MAYBE_COUNT,
    "level_power": Either(_POSITIVE, Vector(_POSITIVE)),
    "level_share": Either(_SHARE, _PROBABILITIES),
    "kernel": Either(NOTHING, Several(Number(-1e9, 1e9), most=1001)),
}
MODELS = {
    part.type.__name__: part
    for part in (
        Part(
            CompiledNetwork,
            {
                "pooling": Choice(("max", "mean", "lse")),
                "tta_shifts_s": Several(Number(-600, 600), most=20),  # each a pass
                "frame_scores": FLAG,
                "threshold": _THRESHOLD,
                "backend": Choice(("openvino", "onnxruntime")),
                "precision": Choice(PRECISIONS),
                "batch_size": Either(NOTHING, Number(1, 4096, whole=True)),
                "weights_license": Either(NOTHING, Text(1_000_000)),
            },
            # The first three are in keys of their own, the last is the machine's.
            left_out=("program", "format", "species", "n_threads"),
        ),
        Part(
            CompiledProbe,
            {
                "coef": Matrix(),
                "intercept": _NUMBERS,
                "pooling": Choice(POOLINGS),
                "threshold": _THRESHOLD,
            },
            left_out=("species",),  # in a key of its own
        ),
        Part(
            AttentionProbe,
            {
                "pooling": Choice(("lse", "attention")),
                "sharpness": Number(0, 1e6),
                "threshold": _THRESHOLD,
            },
            state={
                "coef_": Matrix(),
                "intercept_": _NUMBERS,
                "attention_coef_": Either(NOTHING, Matrix()),
                "mean_": _NUMBERS,
                "scale_": Vector(Number(1e-30, 1e30)),
            },
            left_out=("C", "class_weight", "max_iter"),
        ),
        Part(
            PretrainedScores,
            {
                "encoder": EncoderField(),
                "pooling": Choice(("max", "mean")),
                "step_s": _MAYBE_STEP,
                "on_error": Choice(("raise", "skip")),
                "verbose": _VERBOSE,
                "threshold": _THRESHOLD,
            },
            state={
                "columns_": Vector(Number(-1, 10_000_000, whole=True)),
                "probe_": NOTHING,
            },
            left_out=("species", "names", "unmatched", "cache_dir", "n_jobs"),
        ),
        Part(
            CompiledPipeline,
            {"chunk_s": Number(0.1, 100_000), "verbose": _VERBOSE},
            left_out=("front_end", "network"),  # in keys of their own
        ),
        Part(
            MultilabelVotingClassifier,
            {
                "voting": Choice(("mean", "geometric", "min", "rank")),
                "threshold": Either(NOTHING, _THRESHOLD),
            },
            state={
                "weights_": Either(NOTHING, Vectors(_PROBABILITIES), _PROBABILITIES)
            },
            left_out=("weights", "per_species", "cv", "n_jobs"),
            inner="estimators",
        ),
        Part(
            SeedEnsemble,
            {"n_estimators": Number(1, 1000, whole=True), "threshold": _THRESHOLD},
            left_out=("random_state", "n_jobs"),
            inner="estimators",
        ),
        Part(
            FoldEnsemble,
            {"threshold": _THRESHOLD},
            left_out=("cv",),
            inner="estimators",
        ),
        Part(SoundscapeReweighter, _LEVEL, inner="estimator"),
        Part(
            SoundscapeReweighterCV,
            {
                "per_species": FLAG,
                "shrinkage": _POSITIVE,
                "scoring": Choice(("roc_auc", "average_precision")),
            },
            state={
                "candidates_": Several(Table(_LEVEL), most=10_000, least=1),
                "chosen_": Vector(_COUNT),
                "best_params_": Table(_LEVEL),
                "best_score_": _SHARE,
            },
            left_out=("param_grid", "cv"),
            inner="estimator",
        ),
        Part(
            MultilabelCalibrator,
            {
                "method": Choice(("platt", "temperature", "isotonic")),
                "shrinkage": _POSITIVE,
                "threshold": _THRESHOLD,
            },
            state={
                "method_": Choice(("platt", "temperature", "isotonic")),
                "curves_": Several(Several(Vector(Number(-1e9, 1e9)), 2, 2), least=1),
            },
            left_out=("cv",),
            inner="estimator",
        ),
        Part(
            ThresholdTuner,
            {
                "objective": Choice(("f_beta", "precision", "prevalence")),
                "beta": _POSITIVE,
                "min_precision": _SHARE,
                "min_positives": _COUNT,
            },
            state={
                "thresholds_": _LIMITS,
                "pooled_threshold_": Number(-_INF, _INF),
                "n_positives_": Vector(_COUNT),
            },
            left_out=("cv",),
            inner="estimator",
        ),
        Part(
            PlaceSeasonPrior,
            {
                # Models whose SHA-256 is known; tables and functions stay in pickles.
                "prior": Choice(("birdnet-2.4", "geomodel-3")),
                "strength": Either(_POSITIVE, Choice(("cv",))),
                "reference": Either(NOTHING, _SHARE, Choice(("fit",))),
                "min_prior": Number(0, 1),
                "names": Either(NOTHING, Keyed(Text(200))),
                "latitude": Either(Text(), Number(-90, 90)),
                "longitude": Either(Text(), Number(-180, 180)),
                "date": Either(NOTHING, Text()),
                "threshold": _THRESHOLD,
            },
            state={
                "strength_": Number(0, 100),
                "known_": Several(FLAG),
                "reference_": Vector(Number(1e-9, 1)),
                "dates_from_names_": FLAG,
                "prior_": NOTHING,
            },
            left_out=("by", "shrinkage", "scoring", "cv"),
            inner="estimator",
        ),
        Part(
            ConformalClassifier,
            {"alpha": _SHARE, "threshold": _THRESHOLD},
            state={"thresholds_": _LIMITS, "n_files_": Vector(_COUNT)},
            left_out=("cv",),
            inner="estimator",
        ),
        Part(
            CallTypeClassifier,
            {
                "column": Text(),
                "min_recordings": _COUNT,
                "siblings": Choice(("unknown", "absent")),
                "combine": Choice(("max", "noisy_or")),
                "threshold": _THRESHOLD,
            },
            state={"first_columns_": Vector(_COUNT)},
            left_out=("ignore",),
            inner="estimator",
        ),
        Part(
            PseudoLabelSelfTraining,
            {
                "soft_threshold": _SHARE,
                "hard_threshold": Either(NOTHING, _SHARE),
                "proba_power": Either(_POSITIVE, Vector(_POSITIVE)),
                "max_iter": _COUNT,
                "tol": _POSITIVE,
                "max_per_species": _MAYBE_COUNT,
                "max_mass": Either(NOTHING, _POSITIVE),
                "mix": Either(NOTHING, _SHARE, Choice(("auto",))),
                "cv": _MAYBE_COUNT,
                "warm_start": FLAG,
            },
            state={
                "n_iter_": _COUNT,
                "termination_condition_": Choice(
                    (
                        "max_iter",
                        "no_change",
                        "no_pseudo_labels",
                        "no_unlabeled_rows",
                    )
                ),
            },
            left_out=("student_params", "teacher", "verbose"),
            inner="estimator",
        ),
    )
}
PARTS = STEPS | MODELS

FORMAT = {
    "mel_hz": Several(_HZ, most=4096, least=1),
    "frame_s": Number(1e-7, 100),
    "normalize": Choice(("minmax", "standard", None)),
    "top_db": Either(NOTHING, _POSITIVE),
}
GRID = STEPS["Segmenter"].params
CALL_TYPE = {
    "species": Either(Text(), _COUNT),
    "type": Either(NOTHING, Text()),
    "column": Text(),
    "n_recordings": _COUNT,
}
