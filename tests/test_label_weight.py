"""Weights of labels and rows reach every network, whatever is around it."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.ensemble import BaggingClassifier, RandomForestClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer

from skbird.compose import CallTypeClassifier
from skbird.ensemble import FoldEnsemble, MultilabelVotingClassifier, SeedEnsemble
from skbird.metrics import macro_roc_auc_scorer
from skbird.model_selection import cross_val_report
from skbird.nn import CNNClassifier
from skbird.postprocessing import (
    ConformalClassifier,
    MultilabelCalibrator,
    SoundscapeReweighter,
    SoundscapeReweighterCV,
    ThresholdTuner,
)
from skbird.semi_supervised import PseudoLabelSelfTraining

N = 24
CALLS = []


class Recorder(ClassifierMixin, BaseEstimator):
    """Stands for a network: notes the weights that it gets with the rows."""

    __metadata_request__fit = {"label_weight": True}

    def __init__(self, random_state=None, tag=""):
        self.random_state = random_state
        self.tag = tag

    def fit(self, X, y, sample_weight=None, label_weight=None):
        CALLS.append((self.tag, np.asarray(X["number"]), sample_weight, label_weight))
        self.classes_ = np.tile([0, 1], (np.shape(y)[1], 1))
        return self

    def predict_proba(self, X):
        number = np.asarray(X["number"])[:, None]
        return (number * [3, 5, 7, 9][: len(self.classes_)] % 11) / 11


@pytest.fixture
def calls():
    CALLS.clear()
    return CALLS


def make_rows():
    """Rows that know their numbers, of files of two; weights that tell the row."""
    number = np.arange(N)
    X = pd.DataFrame({"path": [f"{n // 2}.wav" for n in number], "number": number})
    X["site"], X["type"] = number // 4, np.where(number % 8 < 4, "song", "call")
    Y = pd.DataFrame({"dove": number % 2, "wren": number // 2 % 2}, dtype=float)
    weight = pd.DataFrame({"dove": number / 100, "wren": number / 200})
    return X, Y, weight


def inner(step="net", tag=""):
    return Pipeline([("f", FunctionTransformer()), (step, Recorder(tag=tag))])


def nest(step):
    return Pipeline([("f", FunctionTransformer()), ("in", inner(step))])


METAS = {
    "reweighter": SoundscapeReweighter,
    "reweighter cv": lambda e: SoundscapeReweighterCV(e, cv=2),
    "calibrator": lambda e: MultilabelCalibrator(e, cv=2),
    "tuner": lambda e: ThresholdTuner(e, cv=2),
    "conformal": lambda e: ConformalClassifier(e, cv=2, alpha=0.4),
    "seeds": lambda e: SeedEnsemble(e, 2, random_state=0),
    "folds": lambda e: FoldEnsemble(e, cv=2),
    "self-training": lambda e: PseudoLabelSelfTraining(e, verbose=0, tol=0),
    "voting": lambda e: MultilabelVotingClassifier([("a", e)]),
    "learned voting": lambda e: MultilabelVotingClassifier(
        [("a", e), ("b", inner("other"))], weights="greedy", cv=2
    ),
    "call types": CallTypeClassifier,
    "search": lambda e: SoundscapeReweighter(
        GridSearchCV(e, {}, cv=2, scoring=macro_roc_auc_scorer)
    ),
    "two levels": lambda e: MultilabelCalibrator(
        MultilabelVotingClassifier([("a", SoundscapeReweighter(e)), ("b", inner("o"))]),
        cv=2,
    ),
}


@pytest.mark.parametrize("wrap", METAS.values(), ids=METAS)
@pytest.mark.parametrize("estimator", [inner(), nest("x"), Recorder()], ids=str)
def test_every_meta_estimator_hands_weights_on(calls, wrap, estimator):
    X, Y, weight = make_rows()
    rows = X["number"].to_numpy() + 1.0
    wrap(estimator).fit(X, Y, label_weight=weight, sample_weight=rows)
    assert calls
    for _, numbers, sample_weight, label_weight in calls:
        np.testing.assert_array_equal(sample_weight, numbers + 1)
        np.testing.assert_allclose(np.asarray(label_weight)[:, 0], numbers / 100)
        np.testing.assert_allclose(np.asarray(label_weight)[:, -1], numbers / 200)


def test_students_are_given_the_weights_of_unlabelled_rows_too(calls):
    X, Y, weight = make_rows()
    Y.iloc[N // 2 :] = -1
    model = PseudoLabelSelfTraining(inner(), verbose=0, tol=0, max_iter=1, cv=2)
    model.fit(X, Y, label_weight=weight)
    assert len(calls[0][1]) == N // 2
    assert any(len(numbers) > N // 2 for _, numbers, _, _ in calls)
    for _, numbers, _, label_weight in calls:
        np.testing.assert_allclose(label_weight["dove"], numbers / 100)


def test_call_types_repeat_the_weights_of_their_species(calls):
    X, Y, weight = make_rows()
    CallTypeClassifier(inner(), min_recordings=1).fit(X, Y, label_weight=weight)
    (_, _, _, label_weight) = calls[-1]
    assert list(label_weight)[:2] == ["dove | call", "dove | song"]
    np.testing.assert_allclose(label_weight["dove | song"], weight["dove"])


@pytest.mark.parametrize("wrap", [SoundscapeReweighter, METAS["voting"]])
def test_cross_validation_and_searches_cut_the_weights_to_the_fold(calls, wrap):
    X, Y, weight = make_rows()
    given = {"params": {"label_weight": weight}}
    model, scoring = wrap(inner()), macro_roc_auc_scorer
    cross_val_score(model, X, Y, cv=KFold(3), scoring=scoring, **given)
    GridSearchCV(model, {}, cv=KFold(3), scoring=scoring).fit(X, Y, label_weight=weight)
    assert [len(numbers) for _, numbers, _, _ in calls] == [16] * 6 + [24]
    for _, numbers, _, label_weight in calls:
        np.testing.assert_allclose(label_weight["dove"], numbers / 100)


def test_a_report_of_a_pipeline_needs_no_name_of_a_step(calls):
    X, Y, weight = make_rows()
    cross_val_report(
        inner(), X, Y, cv=3, fit_params={"label_weight": weight}, n_bootstrap=10
    )
    assert len(calls) == 3
    for _, numbers, _, label_weight in calls:
        np.testing.assert_allclose(label_weight["dove"], numbers / 100)


def test_a_weight_of_one_member_counts_more(calls):
    X, Y, weight = make_rows()
    model = MultilabelVotingClassifier(
        [("a", inner("x", "a")), ("b", inner("y", "b")), ("c", inner("z", "c"))]
    )
    model.fit(
        X, Y, label_weight=weight, a__label_weight=2 * weight, b__y__label_weight=None
    )
    seen = {tag: label_weight for tag, _, _, label_weight in calls}
    assert seen["a"].equals(2 * weight)
    assert seen["b"] is None
    assert seen["c"].equals(weight)


NUMBERS = FunctionTransformer(lambda X: X[["number"]])
KNN = make_pipeline(NUMBERS, KNeighborsClassifier())


@pytest.mark.parametrize(
    ("model", "name"),
    [
        (KNN, "KNeighborsClassifier"),
        (GridSearchCV(KNN, {}, scoring=macro_roc_auc_scorer), "KNeighborsClassifier"),
        (RandomForestClassifier(), "RandomForestClassifier"),
        (BaggingClassifier(), "BaggingClassifier"),
    ],
)
@pytest.mark.parametrize("wrap", [METAS["reweighter"], METAS["two levels"]])
def test_a_weight_that_nobody_takes_is_an_error(wrap, model, name):
    X, Y, weight = make_rows()
    with pytest.raises(TypeError, match=f"label_weight reaches nobody: fit of {name}"):
        SoundscapeReweighter(model).fit(X, Y, label_weight=weight)
    mixed = MultilabelVotingClassifier([("net", inner()), ("other", model)])
    with pytest.raises(TypeError, match="'<member>__label_weight' is for one member"):
        wrap(mixed).fit(X, Y, label_weight=weight)


def test_rows_have_weights_for_classifiers_that_take_them():
    X, Y, _ = make_rows()
    forest = make_pipeline(NUMBERS, RandomForestClassifier(5, random_state=0))
    weight = (X["number"] < 12).astype(float)
    model = SoundscapeReweighter(forest).fit(X, Y, sample_weight=weight)
    expected = clone(forest).fit(X, Y, randomforestclassifier__sample_weight=weight)
    np.testing.assert_array_equal(
        model.estimator_.predict_proba(X), expected.predict_proba(X)
    )
    with pytest.raises(TypeError, match="sample_weight reaches nobody: fit of KNeigh"):
        SoundscapeReweighter(KNN).fit(X, Y, sample_weight=weight)


def test_what_is_frozen_says_that_weights_have_no_effect(calls):
    X, Y, weight = make_rows()
    frozen = FrozenEstimator(inner().fit(X, Y))
    with pytest.warns(UserWarning, match="label_weight has no effect: .* frozen"):
        ThresholdTuner(frozen).fit(X, Y, label_weight=weight)
    calls.clear()
    # Beside members that learn, the frozen one loses nothing.
    model = MultilabelVotingClassifier([("old", frozen), ("new", inner())])
    model.fit(X, Y, label_weight=weight)
    assert [label_weight is weight for *_, label_weight in calls] == [True]


def test_ensembles_refuse_groups_that_nobody_takes():
    X, Y, _ = make_rows()
    with pytest.raises(TypeError, match="groups reaches nobody: fit of Recorder"):
        SeedEnsemble(inner()).fit(X, Y, groups=X["site"])


def test_a_network_trains_with_the_weights():
    rng = np.random.default_rng(0)
    X = rng.normal(-60, 10, (8, 32, 60)).astype("float32")
    Y = np.tile([[1.0, 0.0], [0.0, 1.0]], (4, 1))
    net = CNNClassifier(
        "test_efficientnet",
        backbone_weights=None,
        max_epochs=1,
        verbose=0,
        random_state=0,
    ).set_params(callbacks__validation__fraction=0)
    weight = np.where(Y == 1, 3.0, 0.1)
    expected = clone(net).fit(X, Y, label_weight=weight).predict_proba(X)
    model = MultilabelVotingClassifier(
        [("any_name", make_pipeline("passthrough", net))]
    )
    found = model.fit(X, Y, label_weight=weight).predict_proba(X)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert not np.allclose(expected, clone(net).fit(X, Y).predict_proba(X), atol=1e-4)


@pytest.mark.parametrize("name", ["label_weight", "net__label_weight", "sample_weight"])
@pytest.mark.parametrize("wrap", METAS.values(), ids=METAS)
def test_weights_of_some_rows_only_are_refused_before_anything_is_fitted(
    calls, wrap, name
):
    X, Y, weight = make_rows()
    weight = weight.iloc[: N // 2, 0 if name == "sample_weight" else slice(None)]
    message = f"{name} has 12 rows, but X has 24. .* also of those that are unlabelled"
    with pytest.raises(ValueError, match=message):
        wrap(inner()).fit(X, Y, **{name: weight})
    with pytest.raises(ValueError, match=message):
        cross_val_report(wrap(inner()), X, Y, cv=3, fit_params={name: weight})
    assert not calls
