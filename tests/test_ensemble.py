"""Estimators that let several classifiers answer as one."""

import pickle

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin, clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, GroupKFold, KFold, cross_val_score
from sklearn.multiclass import OneVsRestClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import (
    check_do_not_raise_errors_in_init_or_set_params,
    check_estimator_cloneable,
    check_estimator_repr,
    check_estimators_unfitted,
    check_mixin_order,
    check_no_attributes_set_in_init,
    check_valid_tag_types,
)

from skbird.ensemble import (
    FoldEnsemble,
    MultilabelVotingClassifier,
    SeedEnsemble,
    combine_proba,
    fit_weights,
)
from skbird.metrics import macro_roc_auc, macro_roc_auc_scorer
from skbird.postprocessing import SoundscapeReweighter
from skbird.preprocessing import LogMel, Resampler, Segmenter, SpectrogramStatistics
from skbird.preprocessing import _front_end as front_end
from skbird.utils._held_out import held_out_proba


class Level(ClassifierMixin, BaseEstimator):
    """Multi-label dummy: one level for all, NaN where X has the column `unread`."""

    n_fits = 0

    def __init__(self, level=0.5, unread=None, random_state=None):
        self.level = level
        self.unread = unread
        self.random_state = random_state

    def fit(self, X, y, label_weight=None, groups=None, **others):
        type(self).n_fits += 1
        self.n_rows_ = len(X)
        self.label_weight_, self.groups_, self.others_ = label_weight, groups, others
        self.classes_ = np.tile([0, 1], (np.shape(y)[1], 1))
        return self

    def predict_proba(self, X):
        proba = np.full((len(X), len(self.classes_)), self.level)
        if self.unread is not None:
            proba[np.asarray(X[self.unread])] = np.nan
        return proba


class Reader(ClassifierMixin, BaseEstimator):
    """Multi-label dummy that reads its probabilities from columns of X."""

    def __init__(self, prefix="a"):
        self.prefix = prefix

    def fit(self, X, y):
        self.classes_ = np.tile([0, 1], (np.shape(y)[1], 1))
        return self

    def predict_proba(self, X):
        return X[[f"{self.prefix}{j}" for j in range(len(self.classes_))]].to_numpy()


class Noise(TransformerMixin, BaseEstimator):
    """A step with a random state of its own."""

    def __init__(self, random_state=None):
        self.random_state = random_state

    def fit(self, X, y=None):
        self.random_ = np.random.RandomState(self.random_state)
        return self

    def transform(self, X):
        return X


class Memory(ClassifierMixin, BaseEstimator):
    """Multi-label dummy that is sure of the rows it was trained on: X holds numbers."""

    def fit(self, X, y):
        self.rows_ = set(np.ravel(X).tolist())
        self.classes_ = np.tile([0, 1], (np.shape(y)[1], 1))
        return self

    def predict_proba(self, X):
        known = [[float(row in self.rows_)] for row in np.ravel(X).tolist()]
        return np.repeat(known, len(self.classes_), axis=1)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def table(rng):
    """Rows whose species are told well by the columns a0, a1, badly by b0, b1."""
    Y = pd.DataFrame(rng.integers(0, 2, (80, 2)), columns=["tit", "owl"]).astype(float)
    X = pd.DataFrame({"path": [f"{row // 4}.ogg" for row in range(80)]})
    X["unread"] = np.arange(80) == 7
    for j in range(2):
        X[f"a{j}"] = 0.4 * Y.iloc[:, j] + 0.6 * rng.random(80)
        X[f"b{j}"] = rng.random(80)
    return X, Y


@pytest.fixture
def plane(rng):
    """Points of which three species hold half-planes, with noise."""
    X = rng.normal(size=(150, 2))
    Y = np.column_stack([X[:, 0] > 0, X[:, 1] > 0, X.sum(axis=1) > 1])
    return X, (Y ^ (rng.random(Y.shape) < 0.1)).astype(int)


def linear():
    return OneVsRestClassifier(LogisticRegression())


def readers(**options):
    return MultilabelVotingClassifier(
        [("good", Reader("a")), ("bad", Reader("b"))], **options
    )


# Voting ------------------------------------------------------------------------------


@pytest.mark.parametrize("voting", ["mean", "geometric", "min", "rank"])
def test_the_vote_is_that_of_the_members(plane, voting):
    X, Y = plane
    weights = None if voting == "min" else [3, 1, 2]
    members = [
        ("linear", make_pipeline(StandardScaler(), linear())),
        ("forest", RandomForestClassifier(5, random_state=0)),  # answers with lists
        ("near", KNeighborsClassifier(5)),
    ]
    model = MultilabelVotingClassifier(members, weights=weights, voting=voting)
    result = model.fit(X, Y).predict_proba(X)
    probas = [members[0][1].fit(X, Y).predict_proba(X)]
    probas += [
        np.transpose(member.fit(X, Y).predict_proba(X))[1] for _, member in members[1:]
    ]
    expected = combine_proba(probas, weights=weights, voting=voting)
    np.testing.assert_allclose(result, expected)
    assert model.score(X, Y) == macro_roc_auc(Y, result)
    assert list(model.named_estimators_) == ["linear", "forest", "near"]
    assert model.named_estimators_.near is model.estimators_[2]


@pytest.mark.filterwarnings("ignore:A column-vector y was passed")
@pytest.mark.parametrize("n_species", [1, 2])
def test_one_and_two_species(plane, n_species):
    X, Y = plane[0], plane[1][:, :n_species]
    members = [("linear", linear()), ("near", KNeighborsClassifier(5))]
    for weights in (None, "fit"):
        model = MultilabelVotingClassifier(members, weights=weights).fit(X, Y)
        assert model.predict_proba(X).shape == (150, n_species)
        assert model.predict(X).shape == (150, n_species)
        assert model.score(X, Y) > 0.8


def test_species_never_heard_are_never_predicted(plane):
    X, Y = plane[0], plane[1].copy()
    Y[:, 1] = 0
    forest = RandomForestClassifier(5, random_state=0)  # has no column for presence
    folds = FoldEnsemble(forest, cv=3)
    for model in (
        MultilabelVotingClassifier([("one", forest), ("two", folds)], weights="fit"),
        SeedEnsemble(forest),
        folds,
    ):
        proba = model.fit(X, Y).predict_proba(X)
        assert proba.shape == (150, 3)
        np.testing.assert_array_equal(proba[:, 1], 0)
        assert model.score(X, Y) > 0.9


def test_members_can_be_set_and_dropped(table):
    X, Y = table
    model = readers(weights=[1, 3])
    assert model.get_params()["bad__prefix"] == "b"
    model.set_params(bad__prefix="a", good=Reader("b"))
    assert [member.prefix for _, member in model.estimators] == ["b", "a"]
    np.testing.assert_allclose(
        model.fit(X, Y).predict_proba(X),
        combine_proba([X[["b0", "b1"]], X[["a0", "a1"]]], weights=[1, 3]),
    )
    model.set_params(good="drop").fit(X, Y)
    np.testing.assert_array_equal(model.predict_proba(X), X[["a0", "a1"]])
    assert len(model.estimators_) == 1
    assert model.named_estimators_.good == "drop"
    assert model.weights_.tolist() == [1.0]
    assert model.set_params(weights="fit").fit(X, Y).weights_.tolist() == [1.0]
    three = [("a", Level()), ("b", Level()), ("c", Level())]
    model = MultilabelVotingClassifier(three, weights=[5, 1, 3]).set_params(a="drop")
    assert model.fit(X, Y).weights_.tolist() == [0.25, 0.75]


def test_rows_that_one_member_cannot_read_are_left_to_the_others(table):
    X, Y = table
    members = [("eager", Level(0.9)), ("picky", Level(0.1, unread="unread"))]
    proba = MultilabelVotingClassifier(members).fit(X, Y).predict_proba(X)
    np.testing.assert_allclose(proba[7], 0.9)
    np.testing.assert_allclose(np.delete(proba, 7, axis=0), 0.5)
    blind = MultilabelVotingClassifier(members[1:]).fit(X, Y)
    assert np.flatnonzero(np.isnan(blind.predict_proba(X)).any(axis=1)).tolist() == [7]
    assert blind.predict(X)[7].tolist() == [0, 0]
    with pytest.warns(UserWarning, match="1 of 80 rows"):
        assert blind.score(X, Y) == 0.5


def test_fit_parameters_go_to_all_members_or_to_one(table):
    X, Y = table
    weight, other = np.ones((80, 2)), np.zeros((80, 2))
    members = [
        ("first", Level()),
        ("second", make_pipeline(Level())),
        ("third", Level()),
    ]
    model = MultilabelVotingClassifier([*members[::2], ("gone", "drop")])
    model.fit(X, Y, label_weight=weight, third__label_weight=other, gone__x=1)
    first, third = model.estimators_
    assert first.label_weight_ is weight
    assert third.label_weight_ is other
    assert first.others_ == third.others_ == {}
    # Before or after makes no difference; a step's parameter passes the name of its
    # member first.
    model = MultilabelVotingClassifier(members)
    model.fit(X, Y, second__level__label_weight=other, first__label_weight=weight)
    assert model.estimators_[0].label_weight_ is weight
    assert model.estimators_[1][-1].label_weight_ is other
    assert model.estimators_[2].label_weight_ is None
    pipes = MultilabelVotingClassifier([("one", members[1][1]), ("two", members[1][1])])
    pipes.fit(X, Y, level__label_weight=weight)
    assert all(pipe[-1].label_weight_ is weight for pipe in pipes.estimators_)


def test_groups_go_to_members_that_know_them(table):
    X, Y = table
    groups = np.arange(80) // 20
    members = [("knows", Level()), ("not", Reader())]
    model = MultilabelVotingClassifier(members).fit(X, Y, groups=groups)
    assert model.estimators_[0].groups_ is groups
    own = groups + 1
    model.fit(X, Y, groups=groups, knows__groups=own)
    assert model.estimators_[0].groups_ is own


@pytest.mark.parametrize("weights", ["fit", "greedy"])
@pytest.mark.parametrize("groups", [None, np.arange(80) // 16])
def test_weights_are_learned_from_held_out_predictions(table, weights, groups):
    X, Y = table
    members = [("near", KNeighborsClassifier(1)), ("far", KNeighborsClassifier(20))]
    pipes = [
        (name, make_pipeline(FunctionTransformer(numbers), member))
        for name, member in members
    ]
    model = MultilabelVotingClassifier(pipes, weights=weights, voting="rank", cv=4)
    model.fit(X, Y, groups=groups)
    held_out = [held_out_proba(pipe, X, Y, cv=4, groups=groups)[0] for _, pipe in pipes]
    expected = fit_weights(
        held_out,
        Y,
        method=weights,
        voting="rank",
        groups=X["path"] if groups is None else groups,
    )
    np.testing.assert_array_equal(model.weights_, expected)
    # In the rows that it was trained on, the nearest neighbour is always right.
    assert model.weights_[0] < 0.5


@pytest.fixture
def specialists():
    """Rows, labels, and two fitted voters of which each knows one of two species."""
    rng = np.random.default_rng(0)
    Y = pd.DataFrame(rng.integers(0, 2, (120, 2)), columns=["tit", "owl"])
    told = 0.2 + 0.6 * Y + rng.uniform(-0.2, 0.2, (120, 2))
    guessed = pd.DataFrame(rng.random((120, 2)), columns=Y.columns)
    X = pd.DataFrame({"path": [f"{k // 2}.wav" for k in range(120)]})
    X[["a0", "a1"]] = np.c_[told["tit"], guessed["owl"]]
    X[["b0", "b1"]] = np.c_[guessed["tit"], told["owl"]]
    members = [(m, FrozenEstimator(Reader(m).fit(X, Y))) for m in ("a", "b")]
    return X, Y, members


@pytest.mark.parametrize("weights", ["fit", "greedy"])
def test_each_species_has_weights_of_its_own(specialists, weights):
    X, Y, members = specialists
    model = MultilabelVotingClassifier(members, weights=weights, per_species=True)
    model.fit(X, Y)
    probas = [X[["a0", "a1"]].to_numpy(), X[["b0", "b1"]].to_numpy()]
    expected = fit_weights(
        probas, Y, method=weights, groups=X["path"], per_species=True
    )
    np.testing.assert_array_equal(model.weights_, expected)
    assert model.weights_[0, 0] > 0.6 < model.weights_[1, 1]
    proba = combine_proba(probas, weights=expected)
    np.testing.assert_array_equal(model.predict_proba(X), proba)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict_proba(X), proba)
    # As they were learned they may be given.
    given = MultilabelVotingClassifier(members, weights=model.weights_).fit(X, Y)
    np.testing.assert_array_equal(given.predict_proba(X), proba)
    X = X.assign(b0=np.nan, b1=np.nan)
    np.testing.assert_allclose(model.predict_proba(X), probas[0])


def test_own_weights_are_learned_from_the_folds_of_members(specialists):
    X, Y, _ = specialists
    members = [(m, FoldEnsemble(Reader(m), cv=3)) for m in ("a", "b")]
    model = MultilabelVotingClassifier(members, weights="fit", per_species=True)
    model.set_params(voting="auto").fit(X, Y)
    assert model.weights_.shape == (2, 2)
    assert model.weights_[0, 0] > 0.6 < model.weights_[1, 1]


def test_members_without_weight_for_any_species_are_not_asked(specialists):
    X, Y, members = specialists
    members = [*members, ("c", members[1][1])]
    model = MultilabelVotingClassifier(members, weights=[[1, 0, 0], [1, 0, 2]])
    proba = model.fit(X, Y).predict_proba(X)
    expected = combine_proba(
        [X[["a0", "a1"]], X[["b0", "b1"]]], weights=[[1, 0], [1, 2]]
    )
    np.testing.assert_allclose(proba, expected)
    model.set_params(b="drop").fit(X, Y)
    assert model.weights_.shape == (2, 2)
    model.set_params(b=members[1][1], a="drop")
    with pytest.raises(ValueError, match="not all 0"):
        model.fit(X, Y)


def test_weights_for_each_species_must_be_learned_or_given(specialists):
    X, Y, members = specialists
    for weights in (None, [1, 2]):
        model = MultilabelVotingClassifier(members, weights=weights, per_species=True)
        with pytest.raises(ValueError, match=r"per_species=True with weights=.*'fit'"):
            model.fit(X, Y)
    model.set_params(weights=np.ones((3, 2)), per_species=False)
    with pytest.raises(ValueError, match=r"\(3, 2\).*each of the 2 species"):
        model.fit(X, Y)


def numbers(X):
    return X[["a0", "a1", "b0", "b1"]]


class Says(BaseEstimator, ClassifierMixin):
    """Predicts a column of X for each of two species."""

    def __init__(self, column):
        self.column = column

    def fit(self, X, y):
        self.classes_ = np.tile([0, 1], (2, 1))
        return self

    def predict_proba(self, X):
        return X[[self.column] * 2].to_numpy()


@pytest.mark.parametrize(("low", "chosen"), [(1e-4, "geometric"), (0.4, "mean")])
def test_the_space_of_the_vote_is_chosen_on_held_out_rows(low, chosen):
    # One member is doubtful of all, but sure of absence where it says so: its logit
    # outvotes the other, which is right of presence by chance.
    rng = np.random.default_rng(0)
    y = np.arange(60) % 2
    X = pd.DataFrame({"path": [f"{k}.wav" for k in range(60)]})
    X["sure"] = np.where(y, 0.5, np.where(rng.random(60) < 0.9, low, 0.5))
    X["loud"] = rng.uniform(0.05, 0.95, 60) if low < 0.1 else 0.05 + 0.9 * y
    Y = np.column_stack([y, y])
    members = [("sure", Says("sure")), ("loud", Says("loud"))]
    model = MultilabelVotingClassifier(members, voting="auto", cv=3).fit(X, Y)
    probas = X[["sure"] * 2].to_numpy(), X[["loud"] * 2].to_numpy()
    scores = {
        voting: macro_roc_auc(Y, combine_proba(probas, voting=voting))
        for voting in ("mean", "geometric")
    }
    assert model.voting_ == chosen == max(scores, key=scores.get)
    expected = combine_proba(probas, voting=chosen)
    np.testing.assert_allclose(model.predict_proba(X), expected)
    assert model.weights_.tolist() == [0.5, 0.5]


def test_members_without_weight_are_not_asked(table):
    X, Y = table
    model = readers(weights="greedy").fit(X, Y)
    assert model.weights_[0] > 0.75
    model = readers(weights=[1, 0]).fit(X, Y)
    np.testing.assert_array_equal(model.predict_proba(X[["a0", "a1"]]), X[["a0", "a1"]])


def test_folds_may_come_from_a_generator(table):
    X, Y = table
    folds = GroupKFold(4).split(X, Y, X["path"])
    model = readers(weights="fit", cv=folds).fit(X, Y)
    same = readers(weights="fit", cv=4).fit(X, Y)
    np.testing.assert_array_equal(model.weights_, same.weights_)


def test_frozen_members_predict_all_that_fit_is_given(table):
    X, Y = table
    fitted = [Reader("a").fit(X, Y), Reader("b").fit(X, Y)]
    members = [(m.prefix, FrozenEstimator(m)) for m in fitted]
    model = MultilabelVotingClassifier(members, weights="fit", cv=2).fit(X, Y)
    assert model.estimators_[0].estimator is fitted[0]
    expected = fit_weights([m.predict_proba(X) for m in fitted], Y, groups=X["path"])
    np.testing.assert_array_equal(model.weights_, expected)


def test_frozen_members_must_have_the_species_in_order(table):
    X, Y = table
    fitted = Reader().fit(X, Y)
    fitted.species_ = np.array(["owl", "tit"])
    model = MultilabelVotingClassifier([("old", FrozenEstimator(fitted))])
    with pytest.raises(ValueError, match=r"'old' was fitted on the 2 species \['owl'"):
        model.fit(X, Y)
    assert model.fit(X, Y[["owl", "tit"]]).species_.tolist() == ["owl", "tit"]
    fitted.species_ = np.array(["species 0", "species 1"])  # made up for an array
    model.fit(X, Y)


def test_out_of_fold_predictions_of_members_are_used(table):
    X, Y = table
    members = [
        ("a", FoldEnsemble(Level(0.2), cv=4)),
        ("b", FoldEnsemble(Level(), cv=4)),
    ]
    Level.n_fits = 0
    model = MultilabelVotingClassifier(members, weights="fit").fit(X, Y)
    assert Level.n_fits == 8
    np.testing.assert_allclose(model.weights_, 0.5)
    # Those of frozen ones are of other rows.
    frozen = [(name, FrozenEstimator(m.fit(X, Y))) for name, m in members]
    model = MultilabelVotingClassifier(frozen, weights="fit").fit(X[:40], Y[:40])
    assert len(model.predict_proba(X)) == 80


def test_unlabelled_and_unknown_rows_do_not_move_the_weights(table):
    X, Y = table
    expected = readers(weights="greedy").fit(X[:60], Y[:60]).weights_
    Y.iloc[60:70] = -1
    Y.iloc[70:] = np.nan
    members = [("a", FrozenEstimator(Reader("a").fit(X, Y)))]
    members += [("b", FrozenEstimator(Reader("b").fit(X, Y)))]
    model = MultilabelVotingClassifier(members, weights="greedy").fit(X, Y)
    np.testing.assert_array_equal(model.weights_, expected)


def test_predict_thresholds_probabilities_but_not_ranks(table):
    X, Y = table
    model = readers().fit(X, Y)
    proba = model.predict_proba(X)
    np.testing.assert_array_equal(model.predict(X), proba >= 0.5)
    model.set_params(threshold=[0.2, 0.7])
    np.testing.assert_array_equal(model.predict(X), proba >= [0.2, 0.7])
    model.set_params(voting="rank", threshold=None).fit(X, Y)
    with pytest.raises(ValueError, match=r"voting='rank' gives ranks.*threshold=0.9"):
        model.predict(X)
    assert 0 < model.set_params(threshold=0.9).predict(X).mean() < 0.15


def test_fitting_in_parallel_changes_nothing(plane):
    X, Y = plane
    members = [("linear", linear()), ("near", KNeighborsClassifier(5))]
    one = MultilabelVotingClassifier(members, weights="fit").fit(X, Y)
    with joblib.parallel_backend("threading"):
        two = clone(one).set_params(n_jobs=2).fit(X, Y)
    np.testing.assert_array_equal(one.predict_proba(X), two.predict_proba(X))


def test_species_and_features_are_named(plane):
    X, Y = pd.DataFrame(plane[0], columns=["x", "y"]), pd.DataFrame(plane[1])
    Y.columns = ["tit", "owl", "wren"]
    for model in (
        MultilabelVotingClassifier([("near", KNeighborsClassifier())]),
        SeedEnsemble(RandomForestClassifier(2)),
        FoldEnsemble(KNeighborsClassifier()),
    ):
        assert not hasattr(model, "n_features_in_")
        model.fit(X, Y)
        assert model.species_.tolist() == ["tit", "owl", "wren"]
        assert model.classes_.tolist() == [[0, 1]] * 3
        assert model.n_features_in_ == 2
        assert model.feature_names_in_.tolist() == ["x", "y"]
        assert model.fit(X, plane[1]).species_.tolist() == [0, 1, 2]


@pytest.mark.slow
def test_grid_search_over_votes_and_members(plane):
    X, Y = plane
    model = MultilabelVotingClassifier(
        [("linear", linear()), ("near", KNeighborsClassifier(5))]
    )
    search = GridSearchCV(
        model,
        {
            "voting": ["mean", "rank"],
            "weights": [None, "fit", [1, 2]],
            "near__n_neighbors": [1, 15],
            "linear": ["drop", linear()],
        },
        scoring=macro_roc_auc_scorer,
        cv=KFold(2, shuffle=True, random_state=0),
        error_score="raise",
    ).fit(X, Y)
    assert search.best_params_["near__n_neighbors"] == 15
    assert search.best_params_["linear"] != "drop"
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_an_ensemble_can_be_a_member_and_be_reweighted(table):
    X, Y = table
    inner = MultilabelVotingClassifier([("a", Reader("a")), ("b", Reader("b"))])
    model = MultilabelVotingClassifier([("two", inner), ("one", Reader("a"))])
    reweighted = SoundscapeReweighter(model).fit(X, Y)
    expected = (0.75 * X[["a0", "a1"]].to_numpy()) + 0.25 * X[["b0", "b1"]].to_numpy()
    np.testing.assert_allclose(reweighted.estimator_.predict_proba(X), expected)
    assert reweighted.predict_proba(X).shape == (80, 2)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"estimators": []}, "at least one"),
        ({"estimators": [Level()]}, r"list of \(name, estimator\)"),
        ({"estimators": "pipelines"}, "'estimators' parameter of Multilabel"),
        ({"estimators": [("a", "drop")]}, "All estimators are 'drop'"),
        ({"estimators": [("a", "passthrough")]}, "'a' is 'passthrough'.*or 'drop'"),
        ({"estimators": [("a", StandardScaler())]}, "has no fit or no predict_proba"),
        ({"estimators": [("a", Level()), ("a", Level())]}, "not unique"),
        ({"estimators": [("cv", Level())]}, "conflict with constructor"),
        ({"estimators": [("a__b", Level())]}, "must not contain __"),
        ({"weights": [1, 2, 3]}, r"weights has shape \(3,\), but there are 2"),
        ({"weights": [1, -1]}, "not negative"),
        ({"weights": "best"}, "'weights' parameter of MultilabelVotingClassifier"),
        ({"weights": [1, 2], "voting": "min"}, "cannot be used with voting='min'"),
        ({"weights": "fit", "voting": "min"}, "cannot be used with voting='min'"),
        ({"voting": "soft"}, "'voting' parameter of MultilabelVotingClassifier"),
        ({"cv": 1}, "'cv' parameter of MultilabelVotingClassifier"),
    ],
)
def test_voting_refuses_bad_parameters_before_it_fits(table, parameters, message):
    Level.n_fits = 0
    default = {"estimators": [("a", Level()), ("b", Level())]}
    with pytest.raises(ValueError, match=message):
        MultilabelVotingClassifier(**default | parameters).fit(*table)
    assert Level.n_fits == 0


def test_the_number_of_folds_allowed_is_said_once(table):
    for model in (readers(cv=1), FoldEnsemble(Level(), cv=1)):
        with pytest.raises(ValueError, match=r"\[2, inf\)") as caught:
            model.fit(*table)
        assert str(caught.value).count("[2, inf)") == 1


def test_parameters_of_fit_for_nobody_are_named(table):
    model = readers()
    with pytest.raises(ValueError, match=r"'nett__sample_weight', but .* named 'nett'"):
        model.fit(*table, nett__sample_weight=np.ones(len(table[1])))


def test_learned_weights_raise_the_score_of_new_rows(table):
    X, Y = table
    scores = {
        weights: cross_val_score(
            readers(weights=weights),
            X,
            Y,
            groups=X["path"],
            cv=GroupKFold(4),
            scoring=macro_roc_auc_scorer,
        ).mean()
        for weights in (None, "fit", "greedy")
    }
    assert min(scores["fit"], scores["greedy"]) > scores[None] + 0.03


# Seeds -------------------------------------------------------------------------------


def test_every_seed_of_every_clone_differs(plane):
    X, Y = plane
    pipe = make_pipeline(
        Noise(random_state=5), RandomForestClassifier(3, random_state=5)
    )
    model = SeedEnsemble(pipe, n_estimators=4, random_state=0).fit(X, Y)
    seeds = [
        step.random_state for member in model.estimators_ for _, step in member.steps
    ]
    assert len(set(seeds)) == 8
    assert all(isinstance(seed, int) for seed in seeds)
    assert [step.random_state for _, step in pipe.steps] == [5, 5]
    probas = [np.transpose(m.predict_proba(X))[1] for m in model.estimators_]
    np.testing.assert_allclose(model.predict_proba(X), np.mean(probas, axis=0))
    again = clone(model).fit(X, Y)
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))
    other = clone(model).set_params(random_state=1).fit(X, Y)
    assert not np.array_equal(other.predict_proba(X), model.predict_proba(X))


def test_seeds_pass_fit_parameters_on_and_need_something_random(table):
    X, Y = table
    model = SeedEnsemble(Level(), 2).fit(X, Y, label_weight=Y, groups=X["path"])
    assert all(m.label_weight_ is Y for m in model.estimators_)
    assert len({m.random_state for m in model.estimators_}) == 2
    with pytest.raises(
        ValueError, match=r"estimator \(Reader\) has no parameter random"
    ):
        SeedEnsemble(Reader()).fit(X, Y)
    for n_estimators in (0, 10**12):
        with pytest.raises(ValueError, match="'n_estimators' parameter of SeedEns"):
            SeedEnsemble(Level(), n_estimators).fit(X, Y)


# Folds -------------------------------------------------------------------------------


def test_folds_predict_rows_that_they_were_not_trained_on():
    X, Y = np.arange(20).reshape(-1, 1), np.tile([[0, 1], [1, 0]], (10, 1))
    model = FoldEnsemble(Memory(), cv=4).fit(X, Y)
    np.testing.assert_array_equal(model.held_out_proba_, np.zeros((20, 2)))
    assert len(model.estimators_) == 4
    np.testing.assert_allclose(model.predict_proba(X), 0.75)
    assert sorted(len(m.rows_) for m in model.estimators_) == [15] * 4
    files = np.arange(20) // 2
    model.fit(X, Y, groups=files)
    for member in model.estimators_:
        half = {row // 2 for row in member.rows_}
        assert len(member.rows_) == 2 * len(half)


def test_out_of_fold_predictions_are_the_held_out_ones(plane):
    X, Y = plane
    model = FoldEnsemble(linear(), cv=3).fit(X, Y)
    expected, _ = held_out_proba(linear(), X, Y, cv=3)
    np.testing.assert_array_equal(model.held_out_proba_, expected)
    probas = [member.predict_proba(X) for member in model.estimators_]
    np.testing.assert_allclose(model.predict_proba(X), np.mean(probas, axis=0))
    assert model.score(X, Y) > macro_roc_auc(Y, model.held_out_proba_) > 0.8


def test_folds_cut_fit_parameters_and_leave_untested_rows_nan(table):
    X, Y = table
    folds = [(np.arange(40), np.arange(40, 60)), (np.arange(40), np.arange(60, 70))]
    model = FoldEnsemble(Level(0.3, unread="unread"), cv=folds)
    model.fit(X, Y, label_weight=Y)
    for member in model.estimators_:
        pd.testing.assert_frame_equal(member.label_weight_, Y[:40])
    read = ~np.isnan(model.held_out_proba_).any(axis=1)
    assert np.flatnonzero(read).tolist() == list(range(40, 70))
    assert np.isnan(model.predict_proba(X)[7]).all()


def test_folds_refuse_bad_parameters(table):
    X, Y = table
    with pytest.raises(ValueError, match="'cv' parameter of FoldEnsemble"):
        FoldEnsemble(Level(), cv=1).fit(X, Y)
    with pytest.raises(ValueError, match="cv trains fold"):
        FoldEnsemble(Level(), cv=KFold(4, shuffle=True, random_state=0)).fit(X, Y)


# All ---------------------------------------------------------------------------------

ENSEMBLES = [
    MultilabelVotingClassifier([("one", Level()), ("two", Level())], weights="fit"),
    SeedEnsemble(Level(), random_state=0),
    FoldEnsemble(Level(), cv=2),
]


@pytest.mark.parametrize("model", ENSEMBLES)
def test_clone_and_pickle(model, table):
    X, Y = table
    fitted = clone(model).fit(X, Y)
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.predict_proba(X), fitted.predict_proba(X))
    assert b"ensemble._" not in pickle.dumps(fitted)
    assert not hasattr(model, "estimators_")


@pytest.mark.parametrize("model", ENSEMBLES)
def test_fit_refuses_single_label_targets(model, table):
    X, Y = table
    with pytest.raises(ValueError, match=r"y has shape \(80,\).*reshape"):
        clone(model).fit(X, Y["tit"])


@pytest.mark.parametrize("model", ENSEMBLES)
def test_tags_say_multilabel(model):
    tags = get_tags(model)
    assert tags.classifier_tags.multi_label
    assert tags.target_tags.multi_output
    assert not tags.classifier_tags.multi_class


@pytest.mark.parametrize("model", ENSEMBLES)
@pytest.mark.parametrize(
    "check",
    [
        check_do_not_raise_errors_in_init_or_set_params,
        check_estimator_cloneable,
        check_estimator_repr,
        check_estimators_unfitted,
        check_mixin_order,
        check_no_attributes_set_in_init,
        check_valid_tag_types,
    ],
)
def test_estimator_conventions(model, check):
    check(type(model).__name__, clone(model))


@pytest.mark.slow
def test_members_share_a_cache(birds, tmp_path, monkeypatch):
    X, Y = birds
    n_rows = []
    original = front_end.process_row

    def counted(*args, **kwargs):
        n_rows.append(1)
        return original(*args, **kwargs)

    monkeypatch.setattr(front_end, "process_row", counted)

    def pipeline(segment_s, n_mels=16):
        return make_pipeline(
            Resampler(8000),
            Segmenter(segment_s),
            LogMel(n_mels=n_mels, cache_dir=tmp_path, verbose=0),
            SpectrogramStatistics(),
            StandardScaler(),
            linear(),
        )

    model = MultilabelVotingClassifier(
        [("short", pipeline(1.0)), ("long", pipeline(3.0))], weights="fit", cv=3
    )
    proba = model.fit(X, Y).predict_proba(X)
    assert len(n_rows) == len(X)  # for two members, three folds and a prediction
    assert macro_roc_auc(Y, proba) == 1
    model.set_params(long=pipeline(3.0, n_mels=32)).fit(X, Y)
    assert len(n_rows) == 2 * len(X)
    n_rows.clear()
    model.fit(X, Y)
    assert not n_rows
