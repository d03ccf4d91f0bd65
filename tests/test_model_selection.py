import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    LeaveOneGroupOut,
    cross_val_predict,
    cross_val_score,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier

from skbird.data import Recordings
from skbird.metrics import macro_roc_auc_scorer
from skbird.model_selection import (
    GroupMultilabelKFold,
    LeaveOneSourceOut,
    fold_report,
)
from skbird.utils._rows import groups_of_rows

SPLITTERS = [GroupMultilabelKFold(4), LeaveOneSourceOut()]


def make_labels(seed, n_rows=400, n_groups=60, n_species=15):
    """A long tail of species and of recordists, each with up to three of them."""
    rng = np.random.default_rng(seed)
    size = rng.lognormal(0, 1, n_groups)
    groups = rng.choice(n_groups, n_rows, p=size / size.sum())
    share = 1 / np.arange(1, n_species + 1)
    heard = rng.choice(n_species, (n_groups, 3), p=share / share.sum())
    Y = np.zeros((n_rows, n_species), dtype=np.float32)
    Y[np.arange(n_rows), heard[groups, rng.integers(3, size=n_rows)]] = 1
    return Y, groups


def split(cv, Y, groups):
    return list(cv.split(np.zeros((len(Y), 1)), Y, groups))


def imbalance(Y, folds):
    """Mean deviation of the species' shares in the test parts from equal ones."""
    counts = np.array([(Y[test] >= 0.5).sum(axis=0) for _, test in folds])
    counts = counts[:, counts.sum(axis=0) > 0]
    return np.abs(counts / counts.sum(axis=0) - 1 / len(folds)).mean()


@pytest.mark.parametrize("cv", SPLITTERS)
def test_splitters_need_no_X(cv):
    Y, groups = make_labels(0)
    for folds in zip(cv.split(None, Y, groups), split(cv, Y, groups), strict=True):
        np.testing.assert_array_equal(*(test for _, test in folds))
    with pytest.raises(ValueError, match=r"groups='site' is not a column of X, None"):
        list(cv.split(None, Y, "site"))
    with pytest.raises(ValueError, match=r"groups has shape \(3,\), but there are 400"):
        list(cv.split(None, Y, groups[:3]))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("n_splits", [2, 5])
@pytest.mark.parametrize("shuffle", [False, True])
def test_groups_stay_whole_and_labelled_rows_are_tested_once(seed, n_splits, shuffle):
    Y, groups = make_labels(seed)
    unlabelled = np.random.default_rng(seed).random(len(Y)) < 0.3
    unlabelled[groups == 7] = True
    Y[unlabelled] = -1
    cv = GroupMultilabelKFold(
        n_splits, shuffle=shuffle, random_state=0 if shuffle else None
    )
    folds = split(cv, Y, groups)
    assert len(folds) == n_splits == cv.get_n_splits()
    tested = np.sort(np.concatenate([test for _, test in folds]))
    np.testing.assert_array_equal(tested, np.flatnonzero(~unlabelled))
    for train, test in folds:
        held_out = np.isin(groups, groups[test])
        np.testing.assert_array_equal(train, np.flatnonzero(~held_out))


def test_a_group_without_labels_is_always_trained_on():
    Y, groups = make_labels(0)
    Y[groups == 7] = -1
    Y[groups == 8] = np.nan
    for train, _ in split(GroupMultilabelKFold(), Y, groups):
        assert np.isin([7, 8], groups[train]).all()


@pytest.mark.parametrize("seed", range(10))
def test_species_of_two_groups_can_be_learned_in_every_fold(seed):
    Y, groups = make_labels(seed, n_rows=120, n_species=40)
    for cv in (
        GroupMultilabelKFold(5),
        GroupMultilabelKFold(5, shuffle=True, random_state=seed),
    ):
        report = fold_report(Y, split(cv, Y, groups))
        missing = report.query("n_train_positive == 0").index.unique("species")
        n_groups = [len(set(groups[Y[:, j] == 1])) for j in missing]
        assert set(n_groups) <= {0, 1}


def test_no_fold_gets_all_groups_of_a_species_for_the_sake_of_balance():
    # By balance alone the last two groups, the only ones of species 2, would go
    # together.
    counts = [[3, 1, 0], [1, 0, 1], [1, 2, 3]]
    Y, groups = [], []
    for group, of_species in enumerate(counts):
        for species, count in enumerate(of_species):
            Y += [np.eye(3)[species]] * count
            groups += [group] * count
        Y.append(np.zeros(3))
        groups.append(group)
    report = fold_report(np.array(Y), split(GroupMultilabelKFold(2), Y, groups))
    assert (report["n_train_positive"] > 0).all()


@pytest.mark.parametrize("seed", range(5))
def test_a_species_is_tested_in_as_many_folds_as_it_has_groups_for(seed):
    Y, groups = make_labels(seed, n_rows=2000, n_groups=200, n_species=80)
    report = fold_report(Y, split(GroupMultilabelKFold(5), Y, groups))
    n_tested = (report["n_test_positive"] > 0).groupby("species").sum()
    n_groups = [len(set(groups[Y[:, j] == 1])) for j in n_tested.index]
    np.testing.assert_array_equal(n_tested, np.minimum(n_groups, 5))


@pytest.mark.parametrize("seed", range(3))
def test_species_and_rows_are_balanced(seed):
    Y, groups = make_labels(seed, n_rows=900, n_groups=150)
    folds = split(GroupMultilabelKFold(5), Y, groups)
    plain = list(GroupKFold(5).split(Y, groups=groups))
    assert imbalance(Y, folds) < 0.6 * imbalance(Y, plain)
    sizes = [len(test) for _, test in folds]
    assert max(sizes) < 1.25 * min(sizes)


def test_equal_groups_are_shared_out_exactly():
    Y = np.repeat(np.eye(4), 10, axis=0)  # ten groups of one species each
    folds = split(GroupMultilabelKFold(5), np.repeat(Y, 3, axis=0), np.arange(120) // 3)
    report = fold_report(np.repeat(Y, 3, axis=0), folds)
    assert (report["n_test_positive"] == 6).all()


def test_groups_without_a_species_even_out_the_sizes():
    sizes = [9, 1, 4, 4, 5, 3, 2]
    groups = np.repeat(np.arange(7), sizes)
    folds = split(GroupMultilabelKFold(2), np.zeros((28, 2)), groups)
    assert [len(test) for _, test in folds] == [14, 14]


def test_folds_ignore_the_order_of_rows():
    Y, groups = make_labels(1)
    order = np.random.default_rng(0).permutation(len(Y))
    a = split(GroupMultilabelKFold(), Y, groups)
    b = split(GroupMultilabelKFold(), Y[order], groups[order])
    for (_, test_a), (_, test_b) in zip(a, b, strict=True):
        np.testing.assert_array_equal(test_a, np.sort(order[test_b]))


def test_groups_have_any_names():
    Y, groups = make_labels(2)
    expected = [test.tolist() for _, test in split(GroupMultilabelKFold(), Y, groups)]
    names = [f"{group:03d}" for group in groups]
    for same in (names, np.array(names, dtype=object), pd.Series(names), -groups[::1]):
        folds = split(GroupMultilabelKFold(), Y, same)
        if same is not names and np.issubdtype(np.asarray(same).dtype, np.number):
            continue
        assert [test.tolist() for _, test in folds] == expected
    mixed = [group if group % 2 else f"{group}" for group in groups]
    for _, test in split(GroupMultilabelKFold(), Y, mixed):
        assert set(groups[test]).isdisjoint(np.delete(groups, test))


def test_shuffling_depends_on_the_seed_only():
    Y, groups = make_labels(3)
    a, b, c = (
        [
            test.tolist()
            for _, test in split(
                GroupMultilabelKFold(shuffle=True, random_state=s), Y, groups
            )
        ]
        for s in (0, 0, 1)
    )
    assert a == b
    # Other rows are tested together, not the same in another order.
    assert {*map(tuple, a)}.isdisjoint(map(tuple, c))


def test_presence_begins_at_one_half_and_unknown_is_not_presence():
    soft = np.array([[0.5], [0.49], [np.nan], [0.9], [0.2], [0.0]])
    folds = split(GroupMultilabelKFold(2), soft, np.arange(6))
    assert sorted((soft[test] >= 0.5).sum() for _, test in folds) == [1, 1]
    report = fold_report(soft, folds)
    assert report["n_test_positive"].tolist() == [1, 1]
    assert report["n_train_positive"].tolist() == [1, 1]


@pytest.mark.parametrize("n_species", [1, 2])
def test_one_or_two_species_will_do(n_species):
    Y, groups = make_labels(4, n_species=n_species)
    Y[:, 0] = 0  # without a positive
    assert len(split(GroupMultilabelKFold(3), Y, groups)) == 3
    assert len(split(GroupMultilabelKFold(3), pd.DataFrame(Y), groups)) == 3
    assert len(split(GroupMultilabelKFold(3), Y.tolist(), groups)) == 3


def data_with_two_sources(n_species=3):
    rng = np.random.default_rng(0)
    Y = (rng.random((80, n_species)) < 0.4).astype(int)
    return Y + rng.normal(0, 0.5, Y.shape), Y, np.arange(80) % 8


@pytest.mark.filterwarnings("ignore:A column-vector y was passed")
@pytest.mark.parametrize("cv", SPLITTERS, ids=repr)
@pytest.mark.parametrize("n_species", [1, 2, 3])
def test_splitters_work_in_scikit_learns_cross_validation(cv, n_species):
    X, Y, groups = data_with_two_sources(n_species)
    model = OneVsRestClassifier(GaussianNB())
    scores = cross_val_score(
        model, X, Y, groups=groups, cv=cv, scoring=macro_roc_auc_scorer
    )
    assert len(scores) == cv.get_n_splits(X, Y, groups)
    assert scores.mean() > 0.8
    predicted = cross_val_predict(model, X, Y, groups=groups, cv=cv)
    assert predicted.shape[0] == len(Y)
    search = GridSearchCV(
        KNeighborsClassifier(),
        {"n_neighbors": [1, 9]},
        cv=cv,
        scoring=macro_roc_auc_scorer,
    ).fit(X, Y, groups=groups)
    assert search.best_params_ == {"n_neighbors": 9}


@pytest.mark.parametrize("cv", SPLITTERS, ids=repr)
def test_splitters_ask_for_groups_by_metadata_routing(cv):
    X, Y, groups = data_with_two_sources()
    with sklearn.config_context(enable_metadata_routing=True):
        scores = cross_val_score(
            OneVsRestClassifier(GaussianNB()),
            X,
            Y,
            params={"groups": groups},
            cv=cv,
            scoring=macro_roc_auc_scorer,
        )
    assert np.isfinite(scores).all()


@pytest.mark.parametrize("cv", SPLITTERS, ids=repr)
def test_splitters_pickle_and_show_their_parameters(cv):
    again = pickle.loads(pickle.dumps(cv))
    assert repr(again) == repr(cv)
    assert b"model_selection._" not in pickle.dumps(cv)
    assert "n_splits=3" in repr(GroupMultilabelKFold(3))


@pytest.mark.parametrize("cv", SPLITTERS, ids=repr)
def test_cross_val_predict_refuses_unlabelled_rows(cv):
    X, Y, groups = data_with_two_sources()
    Y[0] = -1
    with pytest.raises(ValueError, match="partitions"):
        cross_val_predict(KNeighborsClassifier(), X, Y, groups=groups, cv=cv)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_splits": 1}, "'n_splits' parameter of GroupMultilabelKFold"),
        ({"shuffle": "yes"}, "'shuffle' parameter of GroupMultilabelKFold"),
        ({"random_state": 0}, "random_state=0 has no effect without shuffle"),
    ],
)
def test_kfold_refuses_bad_parameters(arguments, message):
    with pytest.raises(ValueError, match=message):
        GroupMultilabelKFold(**arguments)


@pytest.mark.parametrize(
    ("Y", "groups", "message"),
    [
        (np.eye(4), None, r"groups is None. .*X\['path'\]"),
        (np.eye(4), ["a", None, "b", "c"], r"groups is missing \(.*\) at row 1"),
        (np.eye(4), [1, 1, 2, 2], "n_splits=3 exceeds the 2 groups"),
        (-np.ones((4, 2)), [1, 2, 3, 4], "exceeds the 0 groups"),
        (np.eye(4)[0], [1, 2, 3, 4], r"shape \(4,\)"),
        (2 * np.eye(4), [1, 2, 3, 4], r"holds 2 at row 0"),
        (np.eye(4), [[1], [2], [3], [4]], r"groups has shape \(4, 1\)"),
        (np.eye(4), [1, 2, 3], r"groups has shape \(3,\), but there are 4 rows"),
        (np.array(list("abab")), [1, 2, 3, 4], "y must be a numeric .*encode_labels"),
    ],
)
def test_kfold_refuses_bad_rows(Y, groups, message):
    with pytest.raises(ValueError, match=message):
        split(GroupMultilabelKFold(3), Y, groups)


@pytest.mark.parametrize("cv", [GroupMultilabelKFold(2), LeaveOneSourceOut()])
def test_groups_may_be_the_name_of_a_column(cv):
    X = pd.DataFrame({"path": list("abcd"), "author": list("xxyy")})
    named = list(cv.split(X, np.eye(4), "author"))
    for one, other in zip(named, cv.split(X, np.eye(4), X["author"]), strict=True):
        np.testing.assert_array_equal(np.concatenate(one), np.concatenate(other))
    assert cv.get_n_splits(X, np.eye(4), "author") == 2
    with pytest.raises(ValueError, match=r"groups='site' is not a column of X"):
        list(cv.split(X, np.eye(4), "site"))


def test_fully_labelled_sources_are_left_out_one_by_one():
    Y, groups = make_labels(5, n_groups=6)
    for (train, test), (train_as, test_as) in zip(
        split(LeaveOneSourceOut(), Y, groups),
        LeaveOneGroupOut().split(Y, groups=groups),
        strict=True,
    ):
        np.testing.assert_array_equal(train, train_as)
        np.testing.assert_array_equal(test, test_as)


SOURCES = ["a", "a", "a", "b", "b", "c", "c", "d"]
LABELS = np.array(
    [[1, 0], [0, 1], [-1, -1], [1, 1], [np.nan, np.nan], [-1, -1], [-1, -1], [0, 0]]
)


def test_unlabelled_rows_are_trained_on_unless_their_source_is_held_out():
    with pytest.warns(UserWarning, match=r"not tested: \['d'\]"):
        folds = split(LeaveOneSourceOut(), LABELS, SOURCES)
    assert [(train.tolist(), test.tolist()) for train, test in folds] == [
        ([3, 4, 5, 6, 7], [0, 1]),
        ([0, 1, 2, 5, 6, 7], [3]),
    ]


def test_a_source_without_labels_is_no_cause_for_a_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        folds = split(LeaveOneSourceOut(), LABELS[:7], SOURCES[:7])
    assert len(folds) == 2


def test_sources_with_few_positives_are_only_trained_on():
    cv = LeaveOneSourceOut(min_positives=2)
    with pytest.warns(UserWarning, match=r"min_positives=2 .*\['b', 'd'\]"):
        folds = split(cv, LABELS, SOURCES)
    assert [test.tolist() for _, test in folds] == [[0, 1]]
    assert cv.get_n_splits(None, LABELS, SOURCES) == 1
    assert LeaveOneSourceOut().get_n_splits(None, LABELS, SOURCES) == 2


@pytest.mark.parametrize("as_recordings", [False, True])
def test_purging_keeps_shared_authors_out_of_training(as_recordings):
    X = pd.DataFrame(
        {
            "path": [f"{i}.ogg" for i in range(8)],
            "author": ["ann", "ben", "", "ann", None, "ben ", "", None],
        }
    )
    X = Recordings(X) if as_recordings else X
    Y = np.eye(2)[[0, 1] * 4]
    groups = [1, 1, 1, 2, 2, 3, 3, 3]
    folds = list(LeaveOneSourceOut(purge="author").split(X, Y, groups))
    assert [train.tolist() for train, _ in folds] == [
        [4, 6, 7],
        [1, 2, 5, 6, 7],
        [0, 2, 3, 4],
    ]
    assert [test.tolist() for _, test in folds] == [[0, 1, 2], [3, 4], [5, 6, 7]]


@pytest.mark.parametrize(
    ("parameters", "arguments", "message"),
    [
        ({}, {"groups": None}, "groups is None"),
        ({}, {"y": None}, "y is None"),
        ({"min_positives": 9}, {}, "None of the 2 sources has min_positives=9"),
        ({}, {"groups": [1, 1, 1, 1]}, "Without source '1' nothing is left"),
        ({"purge": "by"}, {}, r"purge='by' is not a column of X, .*\['path'\]"),
        ({"purge": "by"}, {"X": np.eye(4)}, "has no row table"),
        ({"purge": "path"}, {"X": list("aaaa")}, r"nothing is left.*purge='path'"),
    ],
)
def test_leave_one_source_out_refuses_what_it_cannot_split(
    parameters, arguments, message
):
    given = {
        "X": pd.DataFrame({"path": list("abcd")}),
        "y": np.eye(4),
        "groups": [1, 1, 2, 2],
    }
    with pytest.raises(ValueError, match=message):
        list(LeaveOneSourceOut(**parameters).split(**given | arguments))


@pytest.mark.parametrize("parameters", [{"min_positives": 0}, {"purge": 1}])
def test_leave_one_source_out_refuses_bad_parameters(parameters):
    with pytest.raises(ValueError, match="parameter of LeaveOneSourceOut"):
        LeaveOneSourceOut(**parameters)


def test_fold_report_counts_positives_and_names_species():
    Y = pd.DataFrame({"wren": [1, 0.5, 0, -1], "owl": [np.nan, 0.4, 1, -1]})
    report = fold_report(Y, iter([([0, 3], [1, 2]), ([1, 2], [0])]))
    assert report.index.names == ["fold", "species"]
    assert report["n_train_positive"].unstack().loc[
        :, ["wren", "owl"]
    ].to_numpy().tolist() == [[1, 0], [1, 1]]
    assert report["n_test_positive"].unstack().loc[
        :, ["wren", "owl"]
    ].to_numpy().tolist() == [[1, 1], [1, 0]]
    with pytest.raises(ValueError, match="folds is empty"):
        fold_report(Y, [])


def test_groups_that_are_lists_are_refused():
    groups = [["a"], ["b", "c"], ["a"], ["d"]]
    with pytest.raises(TypeError, match=r"groups holds \[.*\], a list, where one name"):
        groups_of_rows(np.eye(4), groups)
