"""One instance of each public estimator, as the battery checks it."""

import pandas as pd
from hearing_probes import (
    HearingAttentionProbe,
    HearingProbeClassifier,
    tiny_encoder,
)
from sklearn.pipeline import Pipeline
from tiny_cnn import TinyCNN, TinySED
from tiny_network import MEL, NETWORK

from skbird.compose import CallTypeClassifier
from skbird.encoders import EmbeddingEncoder, PretrainedScores
from skbird.ensemble import FoldEnsemble, MultilabelVotingClassifier, SeedEnsemble
from skbird.inference import CompiledPipeline
from skbird.nn import CNNClassifier, EmbeddingDistillation, SEDClassifier
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
    SpectrogramStatistics,
    VADFilter,
)
from skbird.semi_supervised import PseudoLabelSelfTraining
from skbird.utils.estimator_checks import LevelClassifier

NET = {
    "backbone": "test_efficientnet",
    "backbone_weights": None,
    "max_epochs": 1,
    "batch_size": 16,
}
NET |= {"verbose": 0, "random_state": 0}
LEVELS = LevelClassifier(random_state=0)
ENCODER = tiny_encoder()
PRIORS = pd.DataFrame({"species": ["dove", "wren"], "prior": [0.9, 0.2]})

ESTIMATORS = [
    LevelClassifier(),
    Resampler(8000),
    BandPass(300, 3000),
    Segmenter(2.0),
    VADFilter(),
    RMSFilter(scope="train", use_at_predict=True),
    LogMel(n_mels=16, verbose=0),
    SpectrogramStatistics(),
    EmbeddingEncoder(ENCODER, n_jobs=1, verbose=0),
    PretrainedScores(ENCODER, n_jobs=1, verbose=0),
    HearingProbeClassifier(),
    HearingAttentionProbe(),
    CNNClassifier(module=TinyCNN, **NET),
    SEDClassifier(module=TinySED, **NET),
    EmbeddingDistillation(ENCODER, module=TinyCNN, lr=1e-4, **NET),
    CallTypeClassifier(LEVELS, min_recordings=2),
    SoundscapeReweighter(LEVELS),
    SoundscapeReweighterCV(LEVELS, cv=2),
    MultilabelCalibrator(LEVELS, cv=2),
    ThresholdTuner(LEVELS, cv=2),
    PlaceSeasonPrior(LEVELS, PRIORS),
    ConformalClassifier(LEVELS, cv=2),
    MultilabelVotingClassifier([("a", LEVELS), ("b", LevelClassifier(1))]),
    SeedEnsemble(LEVELS, n_estimators=2),
    FoldEnsemble(LEVELS, cv=2),
    PseudoLabelSelfTraining(LEVELS, verbose=0),
    NETWORK,
    CompiledPipeline(Pipeline([("logmel", MEL)]), NETWORK, verbose=0),
]
