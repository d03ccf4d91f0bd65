import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score
from sklearn.multiclass import OneVsRestClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.utils import get_tags

from skbird.compose import CallTypeClassifier
from skbird.compose._type_targets import parse_tags
from skbird.metrics import macro_roc_auc_scorer
from skbird.postprocessing import SoundscapeReweighter, reweight

NAN = np.nan


class Spy(ClassifierMixin, BaseEstimator):
    """Keeps what it was fitted with; predicts 0.5, 0.25, ... in its columns."""

    def __init__(self, gain=1.0):
        self.gain = gain

    def fit(self, X, y, sample_weight=None, label_weight=None):
        self.X_, self.y_ = X, y
        self.sample_weight_, self.label_weight_ = sample_weight, label_weight
        self.proba_ = self.gain * 0.5 ** np.arange(1, y.shape[1] + 1)
        return self

    def predict_proba(self, X):
        proba = np.tile(self.proba_, (len(X), 1))
        proba[np.asarray(X["unreadable"], dtype=bool)] = NAN
        return proba


def table(types, primary=None, paths=None):
    """X with these types; one recording per row unless told otherwise."""
    X = pd.DataFrame(
        {"type": types, "unreadable": False}, index=range(7, 7 + len(types))
    )
    X["path"] = [f"{i}.ogg" for i in range(len(X))] if paths is None else paths
    return X if primary is None else X.assign(primary_label=primary)


def targets(X, Y, **parameters):
    """Targets that the wrapped estimator is given."""
    model = CallTypeClassifier(
        Spy(), **{"min_recordings": 2, "siblings": "absent"} | parameters
    )
    return model.fit(X, Y).estimator_.y_


def assert_columns(frame, **expected):
    """Compare all columns; the underscore of a name stands for " | "."""
    expected = pd.DataFrame(expected, dtype=np.float32, index=frame.index)
    expected.columns = [name.replace("_", " | ") for name in expected.columns]
    pd.testing.assert_frame_equal(frame, expected)


@pytest.fixture
def birds():
    """Wrens that sing and call, doves that coo."""
    X = table(["song", "song", "call", "call", "coo", "coo"])
    return X, pd.DataFrame({"wren": [1, 1, 1, 1, 0, 0], "dove": [0, 0, 0, 0, 1, 1]})


def test_siblings_are_unknown_by_default(birds):
    assert_columns(
        targets(*birds, siblings=CallTypeClassifier(Spy()).siblings),
        wren_call=[NAN, NAN, 1, 1, 0, 0],
        wren_song=[1, 1, NAN, NAN, 0, 0],
        dove=[0, 0, 0, 0, 1, 1],
    )


@pytest.mark.parametrize(
    ("cell", "tags"),
    [
        ("song", {"song"}),
        ("['song']", {"song"}),
        ("['Call ', 'male']", {"call", "male"}),
        ("alarm call, song; subsong", {"alarm call", "song", "subsong"}),
        (["Song", "call"], {"song", "call"}),
        (("song", NAN), {"song"}),
        (np.array(["song", "?"]), {"song", "?"}),
        ("['song', 'call", {"song", "call"}),
        ("[__import__('os')]", {"__import__('os')"}),
        ("bird's call", {"bird's call"}),
        (3, {"3"}),
        *((empty, set()) for empty in (NAN, None, pd.NA, "", "['']", "[]", " , ", [])),
    ],
)
def test_cells_are_read_as_tags(cell, tags):
    assert parse_tags(cell) == tags


def test_frequent_types_get_columns_of_their_own(birds):
    assert_columns(
        targets(*birds),
        wren_call=[0, 0, 1, 1, 0, 0],
        wren_song=[1, 1, 0, 0, 0, 0],
        dove=[0, 0, 0, 0, 1, 1],
    )


def test_a_recording_may_have_several_types():
    X = table(["song", "['song', 'call']", "call, SONG, female"])
    Y = pd.DataFrame({"A": [1, 1, 1]})
    assert_columns(targets(X, Y), A_call=[0, 1, 1], A_song=[1, 1, 1])


def test_rare_types_share_a_column_if_there_are_enough_of_them():
    X, Y = table(["song"] * 5), pd.DataFrame({"A": np.ones(5)})
    expected = {"A_song": [1, 1, 0, 0, 1], "A_other": [0, 0, 1, 1, 0]}
    X["type"] = ["song", "song", "alarm", "wings", "song"]
    assert_columns(targets(X, Y), **expected)
    X["type"] = ["song", "song", "other", "other", "song"]  # a tag called "other"
    assert_columns(targets(X, Y), **expected)


def test_too_few_of_the_rest_join_the_commonest_type():
    X = table(["song", "song", "song", "call", "call", "alarm", None])
    Y = pd.DataFrame({"A": np.ones(7)})
    assert_columns(
        targets(X.iloc[:6], Y.iloc[:6]),
        A_call=[0, 0, 0, 1, 1, 0],
        A_song=[1, 1, 1, 0, 0, 1],
    )
    X.loc[X["type"] == "alarm", "type"] = "call, song"
    assert_columns(
        targets(X, Y), A_call=[0, 0, 0, 1, 1, 1, NAN], A_song=[1, 1, 1, 0, 0, 1, 1]
    )


def test_recordings_without_a_tag_say_nothing_about_the_types():
    X = table(["song", "song", "call", "call", None, "male, uncertain"])
    Y = pd.DataFrame({"A": np.ones(6)})
    assert_columns(
        targets(X, Y),
        A_call=[0, 0, 1, 1, NAN, NAN],
        A_song=[1, 1, 0, 0, NAN, NAN],
        A_other=[0, 0, 0, 0, 1, 1],
    )


@pytest.mark.parametrize(
    "types",
    [
        ["song", "song", "song", "song"],
        ["song", "song", "song", "alarm"],
        ["song", "wings", "alarm", "call"],
        ["male", "male", "female", "female"],
        [None] * 4,
    ],
)
def test_a_species_that_would_have_one_column_stays_whole(types):
    Y = pd.DataFrame({"A": [1, 1, 1, 1]})
    assert_columns(targets(table(types), Y), A=[1, 1, 1, 1])


def test_ignored_tags_can_be_chosen(birds):
    X = table(["male", "male", "female", "female"])
    Y = pd.DataFrame({"A": np.ones(4)})
    assert_columns(targets(X, Y, ignore=()), A_female=[0, 0, 1, 1], A_male=[1, 1, 0, 0])
    frame = targets(*birds, ignore=["Song "])
    assert list(frame) == ["wren | call", "wren | other", "dove"]


def test_recordings_are_counted_not_rows():
    Y = pd.DataFrame({"A": np.ones(4)})
    types = ["song", "song", "call", "call"]
    X = table(types, paths=list("aabc"))
    assert list(targets(X, Y)) == ["A"]
    model = CallTypeClassifier(Spy(), min_recordings=1).fit(X, Y)
    assert model.call_types_["n_recordings"].tolist() == [2, 1]
    assert list(targets(table(types, paths=list("abcd")), Y)) == [
        "A | call",
        "A | song",
    ]
    no_path = table(types).drop(columns="path")
    assert list(targets(no_path, Y)) == ["A | call", "A | song"]


@pytest.mark.parametrize(
    ("primary", "expected"),
    [
        (["A"] * 5, [0, 0, 1, 1, 1]),
        ([*"AAAA", "B"], [0, 0, 1, 1, NAN]),
        ([*"AAAA", "A;B"], [0, 0, 1, 1, NAN]),
        ([*"AAAA", ""], [0, 0, 1, 1, NAN]),
        (None, [0, 0, 1, 1, NAN]),
        (["Anser"] * 5, [0, 0, 1, 1, NAN]),
    ],
    ids=["primary", "secondary", "two", "none", "no column", "other names"],
)
def test_tags_are_about_the_primary_species(primary, expected):
    X = table(["song", "song", "call", "call", "call"], primary)
    Y = pd.DataFrame({"A": [1, 1, 1, 1, 1], "B": [0, 0, 0, 0, 1]})
    song = [1, 1, 0, 0, NAN if np.isnan(expected[-1]) else 0]
    assert_columns(targets(X, Y), A_call=expected, A_song=song, B=[0, 0, 0, 0, 1])


def test_a_species_only_heard_behind_others_keeps_its_positives():
    X = table(["song"] * 3 + ["call"] * 3, primary=["A"] * 6)
    Y = pd.DataFrame({"A": np.ones(6), "B": np.ones(6)})
    frame = targets(X, Y)
    assert_columns(frame[["B"]], B=np.ones(6))


@pytest.mark.parametrize("primary", [None, ["A"] * 8])
def test_soft_unknown_and_unlabelled_targets(primary):
    types = ["song", "song", "call", "call", "song", "call", "song", "song"]
    X = table(types, primary)
    Y = pd.DataFrame({"A": [1, 0.8, 1, 0.5, 0.3, 0, NAN, -1], "B": [0] * 7 + [-1]})
    assert_columns(
        targets(X, Y),
        A_call=[0, 0, 1, 0.5, 0, 0, NAN, -1],
        A_song=[1, 0.8, 0, 0, 0.3, 0, NAN, -1],
        B=[0, 0, 0, 0, 0, 0, 0, -1],
    )
    Y.loc[3, "A"] = 0.4  # too little to count as a recording of a call
    assert list(targets(X, Y)) == ["A", "B"]


def test_arrays_of_targets_name_species_by_number(birds):
    X, Y = birds
    model = CallTypeClassifier(Spy(), min_recordings=2).fit(X, Y.to_numpy())
    assert list(model.estimator_.y_) == ["0 | call", "0 | song", "1"]
    assert model.species_.tolist() == [0, 1]


def test_call_types_lists_the_columns(birds):
    model = CallTypeClassifier(Spy(), min_recordings=2).fit(*birds)
    expected = pd.DataFrame(
        {
            "species": ["wren", "wren", "dove"],
            "type": pd.Series(["call", "song", None], dtype=object),
            "column": ["wren | call", "wren | song", "dove"],
            "n_recordings": [2, 2, 2],
        }
    )
    pd.testing.assert_frame_equal(model.call_types_, expected)
    assert model.classes_.tolist() == [[0, 1], [0, 1]]
    assert model.species_.tolist() == ["wren", "dove"]


@pytest.mark.parametrize(
    ("combine", "wren"), [("max", 0.5), ("noisy_or", 1 - 0.5 * 0.75)]
)
def test_types_combine_to_species(birds, combine, wren):
    X, Y = birds
    X["unreadable"] = [False] * 5 + [True]
    model = CallTypeClassifier(Spy(), min_recordings=2, combine=combine).fit(X, Y)
    proba = model.predict_proba(X.drop(columns=["type", "path"]))
    np.testing.assert_allclose(proba[:5], [[wren, 0.125]] * 5)
    assert np.isnan(proba[5]).all()
    by_type = model.predict_call_type_proba(X)
    assert list(by_type) == ["wren | call", "wren | song", "dove"]
    assert by_type.index.equals(X.index)
    assert by_type.iloc[0].tolist() == [0.5, 0.25, 0.125]
    np.testing.assert_array_equal(model.predict(X)[[0, 5]], [[1, 0], [0, 0]])
    model.set_params(threshold=[0.7, 0.1])
    assert model.predict(X)[0].tolist() == [0, 1]


def test_noisy_or_keeps_small_probabilities_apart_and_takes_one(birds):
    X, Y = birds
    model = CallTypeClassifier(Spy(), min_recordings=2, combine="noisy_or").fit(X, Y)
    model.estimator_.proba_ = np.array([1e-20, 2e-20, 0])
    np.testing.assert_allclose(model.predict_proba(X)[0], [3e-20, 0])
    model.estimator_.proba_ = np.array([1.0, 0.5, 1.0])
    assert model.predict_proba(X)[0].tolist() == [1, 1]


@pytest.mark.parametrize("as_type", [pd.DataFrame, np.asarray])
def test_label_weight_follows_the_columns(birds, as_type):
    X, Y = birds
    weight = as_type(pd.DataFrame({"wren": np.arange(6), "dove": 10 + np.arange(6)}))
    model = CallTypeClassifier(Spy(), min_recordings=2)
    model.fit(X, Y, label_weight=weight, sample_weight=np.arange(6))
    given = model.estimator_.label_weight_
    assert list(given) == ["wren | call", "wren | song", "dove"]
    assert given.iloc[3].tolist() == [3, 3, 13]
    assert model.estimator_.sample_weight_.tolist() == [0, 1, 2, 3, 4, 5]
    pipe = CallTypeClassifier(make_pipeline(Spy()), min_recordings=2)
    pipe.fit(X, Y, spy__label_weight=weight)
    pd.testing.assert_frame_equal(pipe.estimator_[-1].label_weight_, given)
    assert model.fit(X, Y, label_weight=None).estimator_.label_weight_ is None


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        (np.ones((6, 3)), r"label_weight has shape \(6, 3\) and y \(6, 2\)"),
        (np.ones(6), r"label_weight has shape \(6,\)"),
        (pd.DataFrame(np.ones((6, 2)), columns=["dove", "wren"]), r"\[y.columns\]"),
    ],
)
def test_label_weight_that_does_not_fit_is_refused(birds, weight, message):
    with pytest.raises(ValueError, match=message):
        CallTypeClassifier(Spy()).fit(*birds, label_weight=weight)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"estimator": "pipeline"}, "'estimator' parameter of CallTypeClassifier"),
        ({"min_recordings": 0}, "'min_recordings' parameter of CallTypeClassifier"),
        ({"combine": "mean"}, "'combine' parameter of CallTypeClassifier"),
        ({"ignore": "male"}, "'ignore' parameter of CallTypeClassifier"),
        ({"column": "kind"}, r"column='kind' is not in X.*'type'.*Pass column="),
    ],
)
def test_fit_refuses_bad_parameters(birds, parameters, message):
    with pytest.raises(ValueError, match=message):
        CallTypeClassifier(**{"estimator": Spy()} | parameters).fit(*birds)


def test_fit_refuses_other_tables_and_targets(birds):
    X, Y = birds
    model = CallTypeClassifier(Spy())
    with pytest.raises(TypeError, match=r"X is of type list.*DataFrame.*'type'"):
        model.fit(X["path"].tolist(), Y)
    with pytest.raises(ValueError, match=r"y has shape \(6,\).*reshape"):
        model.fit(X, Y["wren"])
    with pytest.raises(ValueError, match=r"y has shape \(5, 2\).*6 rows"):
        model.fit(X, Y[:5])


def test_inner_estimators_that_refuse_nan_say_so(scene):
    X, Y = scene
    X.loc[::5, "type"] = None
    with pytest.raises(ValueError, match="y contains NaN"):
        CallTypeClassifier(linear(), siblings="absent").fit(X, Y)


def test_fit_leaves_its_input_and_the_estimator_alone(birds):
    X, Y = birds
    X_before, Y_before, inner = X.copy(), Y.copy(), Spy()
    model = CallTypeClassifier(inner, min_recordings=2, siblings="absent").fit(X, Y)
    assert model.estimator_.X_ is X
    assert not hasattr(inner, "y_")
    pd.testing.assert_frame_equal(X, X_before)
    pd.testing.assert_frame_equal(Y, Y_before)


def linear():
    """One straight border per column of Y, in the plane of x and y."""
    return make_pipeline(
        make_column_transformer(("passthrough", ["x", "y"])),
        OneVsRestClassifier(LogisticRegression()),
    )


@pytest.fixture
def scene():
    """The tit stands between two sounds of the finch, and close to its call."""
    rng = np.random.default_rng(0)
    sound = np.arange(240) % 4
    place = np.array([[-4, 0], [2, 0], [0, 0], [0, 4]])[sound]
    X = pd.DataFrame(place + rng.normal(0, 0.7, (240, 2)), columns=["x", "y"])
    X["type"] = np.array(["['song']", "['call', 'male']", "['song']", "['call']"])[
        sound
    ]
    X["path"] = [f"{row // 8}.ogg" for row in range(240)]
    Y = np.column_stack([sound < 2, sound == 2, sound == 3])
    return X, pd.DataFrame(Y.astype(np.float32), columns=["finch", "tit", "wren"])


FOLDS = KFold(4, shuffle=True, random_state=0)


@pytest.mark.slow
def test_species_with_different_calls_are_recognised_better(scene):
    plain, split = (
        cross_val_score(model, *scene, cv=FOLDS, scoring=macro_roc_auc_scorer)
        for model in (linear(), CallTypeClassifier(linear(), siblings="absent"))
    )
    assert split.min() > plain.max() + 0.02
    whole = CallTypeClassifier(linear(), siblings="absent", min_recordings=10_000)
    same = cross_val_score(whole, *scene, cv=FOLDS, scoring=macro_roc_auc_scorer)
    np.testing.assert_allclose(same, plain)


@pytest.mark.slow
def test_score_and_search(scene):
    X, Y = scene
    search = GridSearchCV(
        CallTypeClassifier(linear(), siblings="absent"),
        {"min_recordings": [5, 1000], "combine": ["max", "noisy_or"]},
        scoring=macro_roc_auc_scorer,
        cv=FOLDS,
    ).fit(X, Y)
    assert search.best_params_["min_recordings"] == 5
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    model = search.best_estimator_
    assert model.score(X, Y) == macro_roc_auc_scorer(model, X, Y)


def test_lists_of_probabilities_are_understood(scene):
    X, Y = scene
    neighbours = make_pipeline(linear()[0], KNeighborsClassifier(3))
    model = CallTypeClassifier(neighbours, siblings="absent").fit(X, Y)
    inner = np.array(model.estimator_.predict_proba(X))[:, :, 1].T
    np.testing.assert_array_equal(model.predict_call_type_proba(X), inner)


def test_a_reweighter_works_inside_and_around(scene):
    X, Y = scene
    plain = CallTypeClassifier(linear(), siblings="absent").fit(X, Y)
    by_type = reweight(plain.predict_call_type_proba(X), X["path"])
    inside = CallTypeClassifier(SoundscapeReweighter(linear()), siblings="absent").fit(
        X, Y
    )
    np.testing.assert_allclose(inside.predict_call_type_proba(X), by_type)
    around = SoundscapeReweighter(CallTypeClassifier(linear(), siblings="absent")).fit(
        X, Y
    )
    expected = reweight(plain.predict_proba(X), X["path"])
    np.testing.assert_allclose(around.predict_proba(X), expected)
    assert around.species_.tolist() == ["finch", "tit", "wren"]


def test_one_species(scene):
    X, Y = scene
    for min_recordings, n_columns in ((5, 2), (1000, 1)):
        model = CallTypeClassifier(
            linear(), siblings="absent", min_recordings=min_recordings
        )
        assert model.fit(X, Y[["finch"]]).predict_proba(X).shape == (len(X), 1)
        assert model.predict_call_type_proba(X).shape == (len(X), n_columns)


def test_clone_set_params_and_pickle(birds):
    X, Y = birds
    model = CallTypeClassifier(make_pipeline(Spy()), min_recordings=2)
    model.set_params(combine="noisy_or", estimator__spy__gain=0.5)
    copy = clone(model)
    assert (copy.min_recordings, copy.combine) == (2, "noisy_or")
    assert copy.estimator[-1].gain == 0.5
    copy.fit(X, Y)
    again = pickle.loads(pickle.dumps(copy))
    np.testing.assert_array_equal(again.predict_proba(X), copy.predict_proba(X))
    assert b"compose._" not in pickle.dumps(model)


def test_tags_say_multilabel():
    tags = get_tags(CallTypeClassifier(Spy()))
    assert tags.classifier_tags.multi_label
    assert tags.target_tags.multi_output
