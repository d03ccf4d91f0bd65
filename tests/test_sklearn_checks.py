"""The battery of scikit-learn over the meta-estimators, around one of arrays."""

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.multioutput import MultiOutputClassifier
from sklearn.utils.estimator_checks import check_estimator
from sklearn.utils.validation import _num_samples

from skbird.ensemble import FoldEnsemble, MultilabelVotingClassifier, SeedEnsemble
from skbird.postprocessing import (
    ConformalClassifier,
    MultilabelCalibrator,
    SoundscapeReweighter,
    SoundscapeReweighterCV,
    ThresholdTuner,
)
from skbird.semi_supervised import PseudoLabelSelfTraining

LOGISTIC = MultiOutputClassifier(LogisticRegression(C=10))
FOREST = RandomForestClassifier(5, random_state=0)

_ONE_D = "passes y with one dimension, for which the remedy is named"
_SHAPES = "wants one column of predictions, or of probabilities per class, for its y"
_LABELS = "labels other than 0 and 1, in which held-out predictions cannot be judged"
EXPECTED = {
    "check_classifiers_classes": _ONE_D,
    "check_classifiers_one_label": _ONE_D,
    "check_classifiers_one_label_sample_weights": _ONE_D,
    "check_classifier_not_supporting_multiclass": _ONE_D,
    "check_complex_data": _ONE_D,
    "check_classifiers_regression_target": "fractions are soft targets",
    "check_classifiers_train": _SHAPES,
    "check_estimator_sparse_array": _SHAPES,
    "check_estimator_sparse_matrix": _SHAPES,
}
JUDGED = {
    "check_estimators_dtypes": _LABELS,
    "check_fit2d_1feature": _LABELS,
    "check_classifier_data_not_an_array": _LABELS,
    "check_sample_weights_pandas_series": _LABELS,
    "check_sample_weights_not_an_array": _LABELS,
    "check_sample_weights_shape": _LABELS,
    "check_sample_weights_not_overwritten": _LABELS,
}
_BOOTSTRAP = "forests draw rows, each time others"
DRAWN = {
    "check_sample_weight_equivalence_on_dense_data": _BOOTSTRAP,
    "check_sample_weight_equivalence_on_sparse_data": _BOOTSTRAP,
}


class OneFilePerRow(SoundscapeReweighter):
    """Takes arrays, which do not name files: each row is one."""

    def predict_proba(self, X, *, groups=None):
        return super().predict_proba(X, groups=np.arange(_num_samples(X)))


class ThreeRowsPerFile(SoundscapeReweighterCV):
    """Learns from files of three rows; predicts, as the above, one."""

    def fit(self, X, y):
        return super().fit(X, y, groups=np.arange(_num_samples(X)) // 3)

    def predict_proba(self, X, *, groups=None):
        return super().predict_proba(X, groups=np.arange(_num_samples(X)))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("estimator", "also_expected"),
    [
        (OneFilePerRow(LOGISTIC), {}),
        (
            ThreeRowsPerFile(LOGISTIC, cv=2),
            {
                **JUDGED,
                "check_fit2d_1sample": "says that files of several rows are needed",
            },
        ),
        (MultilabelCalibrator(LOGISTIC, cv=2), JUDGED),
        (ThresholdTuner(LOGISTIC, cv=2), JUDGED),
        (ConformalClassifier(LOGISTIC, cv=2), JUDGED),
        (MultilabelVotingClassifier([("a", LOGISTIC), ("b", FOREST)]), DRAWN),
        (
            SeedEnsemble(FOREST),
            {
                **DRAWN,
                "check_classifiers_multilabel_output_format_predict_proba": "wants "
                "probabilities below 1, which those of trees are not",
            },
        ),
        (FoldEnsemble(LOGISTIC, cv=3), JUDGED),
        (
            PseudoLabelSelfTraining(LOGISTIC, hard_threshold=0.05),
            {
                "check_non_transformer_estimators_n_iter": "no round without "
                "unlabelled rows",
                "check_classifier_data_not_an_array": "takes rows out of y",
                "check_sample_weights_not_an_array": "takes rows out of y",
                "check_sample_weight_equivalence_on_dense_data": "sets cv to folds",
                "check_sample_weight_equivalence_on_sparse_data": "sets cv to folds",
            },
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_passes_the_battery_of_scikit_learn(estimator, also_expected):
    expected = EXPECTED | also_expected
    results = check_estimator(estimator, expected_failed_checks=expected, on_skip=None)
    passed = [result for result in results if result["status"] == "passed"]
    assert len(passed) >= len(results) - len(expected) - 4
