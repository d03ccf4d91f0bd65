"""Metadata routing of scikit-learn goes through all meta-estimators."""

import numpy as np
import pandas as pd
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.exceptions import UnsetMetadataPassedError
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold, cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.utils.metadata_routing import get_routing_for_object
from test_label_weight import CALLS, METAS, Recorder, inner, make_rows, nest

from skbird.compose import CallTypeClassifier
from skbird.ensemble import FoldEnsemble, MultilabelVotingClassifier, SeedEnsemble
from skbird.metrics import macro_roc_auc_scorer
from skbird.model_selection import GroupMultilabelKFold, cross_val_report
from skbird.nn import CNNClassifier, SEDClassifier
from skbird.postprocessing import (
    MultilabelCalibrator,
    SoundscapeReweighter,
    SoundscapeReweighterCV,
    ThresholdTuner,
)
from skbird.utils._fit_params import check_lengths


@pytest.fixture
def calls():
    CALLS.clear()
    with config_context(enable_metadata_routing=True):
        yield CALLS


@pytest.mark.parametrize("wrap", METAS.values(), ids=METAS)
@pytest.mark.parametrize("estimator", [inner(), nest("x"), Recorder()], ids=str)
def test_weights_are_routed_through_every_meta_estimator(calls, wrap, estimator):
    X, Y, weight = make_rows()
    model = wrap(estimator)
    assert get_routing_for_object(model).consumes("fit", ["label_weight"])
    model.fit(X, Y, label_weight=weight)
    assert calls
    for _, numbers, sample_weight, label_weight in calls:
        assert sample_weight is None
        np.testing.assert_allclose(np.asarray(label_weight)[:, 0], numbers / 100)
        np.testing.assert_allclose(np.asarray(label_weight)[:, -1], numbers / 200)


def test_weights_of_rows_must_be_requested_as_ever(calls):
    X, Y, _ = make_rows()
    with pytest.raises(UnsetMetadataPassedError, match="sample_weight"):
        SoundscapeReweighter(inner()).fit(X, Y, sample_weight=X["number"] + 1)
    asking = make_pipeline("passthrough", Recorder().set_fit_request(sample_weight="w"))
    model = MultilabelCalibrator(MultilabelVotingClassifier([("a", asking)]), cv=2)
    model.fit(X, Y, w=X["number"] + 1)
    assert len(calls) == 3
    for _, numbers, sample_weight, _ in calls:
        np.testing.assert_array_equal(sample_weight, numbers + 1)


def test_call_types_repeat_weights_of_another_name(calls):
    X, Y, weight = make_rows()
    net = Recorder().set_fit_request(label_weight="my_label_weight")
    model = CallTypeClassifier(net, min_recordings=1)
    model.fit(X, Y, my_label_weight=weight)
    (_, _, _, label_weight) = calls[-1]
    np.testing.assert_allclose(label_weight["dove | song"], weight["dove"])


def test_cross_validation_and_searches_cut_routed_weights(calls):
    X, Y, weight = make_rows()
    scoring = macro_roc_auc_scorer
    for model in (inner(), SoundscapeReweighter(inner())):
        cross_val_score(
            model, X, Y, cv=KFold(3), scoring=scoring, params={"label_weight": weight}
        )
        search = GridSearchCV(model, {}, cv=KFold(3), scoring=scoring)
        search.fit(X, Y, label_weight=weight)
        cross_val_report(
            model, X, Y, cv=3, n_bootstrap=10, fit_params={"label_weight": weight}
        )
    assert [len(numbers) for _, numbers, _, _ in calls] == (
        [16] * 6 + [24, *[16] * 3]
    ) * 2
    for _, numbers, _, label_weight in calls:
        np.testing.assert_allclose(label_weight["dove"], numbers / 100)


def test_a_member_that_does_not_ask_is_named(calls):
    X, Y, weight = make_rows()
    deaf = inner("x", "deaf")
    deaf[-1].set_fit_request(label_weight=False)
    model = MultilabelVotingClassifier([("a", inner()), ("b", deaf)])
    with pytest.warns(UserWarning, match="label_weight does not reach 'b' of Multil"):
        model.fit(X, Y, label_weight=weight)
    assert [label_weight is None for *_, label_weight in calls] == [False, True]
    with pytest.raises(TypeError, match="label_weight"):
        SoundscapeReweighter(KNeighborsClassifier()).fit(X, Y, label_weight=weight)


@pytest.mark.parametrize("network", [CNNClassifier, SEDClassifier])
def test_networks_ask_for_weights_of_labels(calls, network):
    net = network()
    wanted = {"sample_weight", "label_weight"}
    routing = get_routing_for_object(SeedEnsemble(make_pipeline(net)))
    assert routing.consumes("fit", wanted) == {"label_weight"}
    asking = make_pipeline(clone(net).set_fit_request(sample_weight=True))
    routing = get_routing_for_object(SeedEnsemble(clone(asking)))
    assert routing.consumes("fit", wanted) == wanted


class Splitter(GroupKFold):
    """Notes the groups that it gets."""

    seen = ()

    def split(self, X, y=None, groups=None):
        Splitter.seen = (*Splitter.seen, np.asarray(groups))
        return super().split(X, y, groups)


GROUPED = {
    "calibrator": lambda cv: MultilabelCalibrator(inner(), cv=cv),
    "tuner": lambda cv: ThresholdTuner(inner(), cv=cv),
    "reweighter cv": lambda cv: SoundscapeReweighterCV(inner(), cv=cv),
    "folds": lambda cv: FoldEnsemble(inner(), cv=cv),
    "voting": lambda cv: MultilabelVotingClassifier(
        [("a", inner()), ("b", inner())], weights="greedy", cv=cv
    ),
    "inside": lambda cv: SeedEnsemble(
        make_pipeline("passthrough", FoldEnsemble(inner(), cv=cv)), 1
    ),
    "inside another": lambda cv: MultilabelCalibrator(
        FoldEnsemble(inner(), cv=cv), cv=2
    ),
}


@pytest.mark.parametrize("routing", [False, True])
@pytest.mark.parametrize("make", GROUPED.values(), ids=GROUPED)
def test_groups_reach_every_splitter(make, routing):
    X, Y, _ = make_rows()
    Splitter.seen = ()
    with config_context(enable_metadata_routing=routing):
        make(Splitter(2)).fit(X, Y, groups=X["site"].to_numpy())
    assert Splitter.seen
    for groups in Splitter.seen:
        assert set(groups) <= set(range(6))


@pytest.mark.parametrize("name", ["calibrator", "tuner", "reweighter cv", "folds"])
def test_groups_may_be_a_column(name):
    X, Y, _ = make_rows()
    Splitter.seen = ()
    model = GROUPED[name](Splitter(2)).fit(X, Y, groups="site")
    np.testing.assert_array_equal(Splitter.seen[0], X["site"])
    if name == "reweighter cv":
        expected = model.predict_proba(X, groups=X["site"])
        np.testing.assert_array_equal(model.predict_proba(X, groups="site"), expected)
    with pytest.raises(
        ValueError, match=r"groups='sites' is not a column of X.*'site'"
    ):
        GROUPED[name](None).fit(X, Y, groups="sites")


def _use_groups(name, X, Y, groups):
    if name == "report":
        cross_val_report(inner(), X, Y, cv=GroupKFold(2), groups=groups)
    elif name == "splitter":
        list(GroupMultilabelKFold(2).split(X, Y, groups))
    elif name == "predict":
        SoundscapeReweighter(inner()).fit(X, Y).predict(X, groups=groups)
    else:
        GROUPED[name](None).fit(X, Y, groups=groups)


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA, pd.NaT])
@pytest.mark.parametrize("name", [*GROUPED, "report", "splitter", "predict"])
def test_missing_groups_are_an_error(name, missing):
    X, Y, _ = make_rows()
    groups = X["site"].astype(object)
    groups[3] = missing
    with pytest.raises(ValueError, match=r"groups is missing \(None or NaN\) at row 3"):
        _use_groups(name, X, Y, groups)
    with pytest.raises(ValueError, match=r"groups is missing \(None or NaN\) at row 3"):
        _use_groups(name, X.assign(site=groups), Y, "site")


def test_a_report_takes_columns():
    X, Y, _ = make_rows()
    by_name, by_values = (
        cross_val_report(
            inner(),
            X,
            Y,
            cv=3,
            groups=g,
            recording_ids=r,
            n_bootstrap=10,
            random_state=0,
        )
        for g, r in (("site", "path"), (X["site"], X["path"]))
    )
    assert by_name.interval == by_values.interval
    assert by_name.folds["held_out"].tolist() == by_values.folds["held_out"].tolist()


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ("author", r"groups is missing \(None or NaN\) at row 0"),
        ("recordist", "groups='recordist' is not a column of X"),
        ([1, 2], "groups has 2 rows, but X has 12"),
        ([None] * 12, "groups is missing"),
    ],
)
def test_validation_in_training_checks_its_groups(groups, message):
    net, X, Y = _validated(groups)
    with pytest.raises(ValueError, match=message):
        net.fit(X, Y)


def test_validation_in_training_takes_groups_of_rows():
    net, X, Y = _validated(np.arange(12) // 2)
    assert "valid_score" in net.fit(X, Y).history[0]


def _validated(groups):
    from skbird.data import Spectrograms

    arrays = np.random.default_rng(0).normal(-60, 10, (12, 32, 60))
    X = Spectrograms.from_arrays(arrays).assign(author=[None] * 12)
    net = CNNClassifier(
        "test_efficientnet", backbone_weights=None, max_epochs=1, verbose=0
    )
    net.set_params(
        random_state=0,
        callbacks__validation__groups=groups,
        callbacks__validation__fraction=0.34,
    )
    return net, X, np.tile([[1.0, 0.0], [0.0, 1.0]], (6, 1))


def test_only_weights_of_rows_are_counted():
    check_lengths([1, 2, 3], {"net__class_weight": {0: 1.0, 1: 2.0}})
    with pytest.raises(ValueError, match="net__sample_weight has 2 rows"):
        check_lengths([1, 2, 3], {"net__sample_weight": [1.0, 2.0]})
