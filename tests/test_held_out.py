"""Held-out predictions, which all that is learned from predictions rests on."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    LeaveOneGroupOut,
    PredefinedSplit,
    RepeatedKFold,
)
from sklearn.neighbors import KNeighborsClassifier

from skbird.data import Recordings, Spectrograms
from skbird.ensemble import FoldEnsemble
from skbird.model_selection import cross_val_report
from skbird.postprocessing import MultilabelCalibrator, SoundscapeReweighterCV
from skbird.utils._held_out import held_out_proba
from skbird.utils._rows import file_numbers, groups_of_rows, recordings_of_rows


class Memory(ClassifierMixin, BaseEstimator):
    """Says 1 for the rows that it was fitted on, and 0.25 for others."""

    def fit(self, X, y, label_weight=None, scale=None):
        self.rows_, self.y_, self.label_weight_, self.scale_ = X, y, label_weight, scale
        self.seen_ = {str(row) for row in as_list(X)}
        self.classes_ = [np.array([0, 1])] * np.shape(y)[1]
        return self

    def predict_proba(self, X):
        seen = np.array([str(row) in self.seen_ for row in as_list(X)])
        return np.repeat(np.where(seen, 1.0, 0.25)[:, None], len(self.classes_), axis=1)


def as_list(X):
    if isinstance(X, Recordings | Spectrograms):
        X = X.rows
    return X.to_numpy().tolist() if hasattr(X, "to_numpy") else list(X)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


PATHS = [f"{row // 3}.wav" for row in range(30)]
Y30 = np.tile([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0]], (10, 1))


def rows_of(form):
    table = pd.DataFrame({"path": PATHS, "start": np.tile([0.0, 5.0, 10.0], 10)})
    if form == "frame":
        return table.set_index(np.arange(30) + 100)
    if form == "list":
        return PATHS
    if form == "recordings":
        return Recordings(table)
    if form == "spectrograms":
        spectrograms = Spectrograms.from_arrays(np.zeros((30, 2, 3)))
        spectrograms.rows = table
        return spectrograms
    return np.arange(60.0).reshape(30, 2)


@pytest.mark.parametrize("form", ["frame", "list", "recordings", "spectrograms"])
@pytest.mark.parametrize("cv", [None, 3, GroupKFold(5)])
@pytest.mark.parametrize("as_frame", [False, True])
def test_no_row_is_predicted_by_a_model_that_saw_its_file(form, cv, as_frame):
    Y = pd.DataFrame(Y30, columns=["a", "b"], index=PATHS) if as_frame else Y30
    proba, tested = held_out_proba(Memory(), rows_of(form), Y, cv=cv)
    assert tested.all()
    np.testing.assert_array_equal(proba, np.full((30, 2), 0.25))


def spelled(path, row):
    """Spell a path in one of three ways."""
    return [path, f"./{path}", os.path.abspath(path)][row % 3]


@pytest.mark.parametrize("cv", [None, KFold(10)])
def test_a_file_of_several_spellings_is_one(cv):
    X = pd.DataFrame({"path": [spelled(path, row) for row, path in enumerate(PATHS)]})
    trained = []

    class Spy(Memory):
        def fit(self, X, y):
            trained.append({os.path.basename(path) for path in X["path"]})
            return super().fit(X, y)

        def predict_proba(self, X):
            assert trained[-1].isdisjoint(map(os.path.basename, X["path"]))
            return super().predict_proba(X)

    _, tested = held_out_proba(Spy(), X, Y30, cv=cv)
    assert tested.all()
    with pytest.raises(ValueError, match="cv trains fold 0 on rows of the file"):
        held_out_proba(Spy(), X, Y30, cv=PredefinedSplit(np.arange(30) % 3))


def test_files_are_called_as_they_were():
    paths = ["b.wav", "sub/../a.wav", "b.wav", "./c.wav"]
    assert file_numbers(paths).tolist() == [1, 2, 1, 0]
    assert recordings_of_rows(paths).tolist() == paths
    mixed = ["./a.wav", Path("a.wav"), os.path.abspath("a.wav"), "A.wav"]
    assert len(set(recordings_of_rows(mixed))) == 2
    assert set(recordings_of_rows(mixed)) == set(recordings_of_rows(mixed[::-1]))
    X = pd.DataFrame({"path": mixed})
    assert len(set(groups_of_rows(X, "path"))) == 2
    with pytest.raises(ValueError, match=r"groups is missing .* at row 1"):
        groups_of_rows(pd.DataFrame({"path": ["a.wav", None]}), "path")


@pytest.mark.parametrize("groups", [None, np.arange(30) // 6])
def test_rows_of_arrays_are_kept_together_by_groups(groups):
    class Nearest(Memory):
        """Says 1 also for rows next to those it was fitted on."""

        def predict_proba(self, X):
            seen = np.array([row[0] for row in self.rows_])
            near = np.abs(X[:, :1] - seen).min(axis=1) <= 2
            return np.repeat(near[:, None] * 1.0, 2, axis=1)

    proba, tested = held_out_proba(Nearest(), rows_of("array"), Y30, groups=groups)
    assert tested.all()
    n_inside = 0 if groups is None else 4
    assert (proba[:6, 0] == 0).sum() >= n_inside
    assert groups is not None or proba[:, 0].mean() > 0.9


def test_groups_join_files():
    seen = []

    class Spy(Memory):
        def fit(self, X, y):
            seen.append(set(X["path"]))
            return super().fit(X, y)

    site = np.arange(30) // 15
    held_out_proba(Spy(), rows_of("frame"), Y30, cv=LeaveOneGroupOut(), groups=site)
    assert seen == [set(PATHS[15:]), set(PATHS[:15])]


def test_splitters_that_ignore_given_groups_warn(recwarn):
    X = rows_of("array")
    held_out_proba(KNeighborsClassifier(1), X, Y30, cv=KFold(3))
    held_out_proba(KNeighborsClassifier(1), X, Y30, groups=np.arange(30))
    assert not recwarn
    with pytest.warns(UserWarning, match="groups parameter is ignored"):
        held_out_proba(
            KNeighborsClassifier(1), X, Y30, cv=KFold(3), groups=np.arange(30) // 10
        )


def test_unlabelled_rows_are_trained_on_and_never_tested():
    Y = Y30.copy()
    Y[:6] = -1  # two files as a whole
    Y[7] = -1
    Y[10, 0] = np.nan
    Y[13] = np.nan
    sizes = []

    class Spy(Memory):
        def fit(self, X, y):
            sizes.append(len(X))
            return super().fit(X, y)

    proba, tested = held_out_proba(Spy(), rows_of("frame"), Y, cv=5)
    np.testing.assert_array_equal(np.flatnonzero(~tested), [0, 1, 2, 3, 4, 5, 7, 13])
    # They are predicted where their file has labels: others may need them as context.
    assert np.isnan(proba[:6]).all()
    np.testing.assert_array_equal(proba[6:], np.full((24, 2), 0.25))
    assert sizes == [24] * 5
    test_fold = np.where(np.arange(30) < 6, 0, -1)
    with pytest.raises(ValueError, match="tests no row that has labels"):
        held_out_proba(Spy(), rows_of("frame"), Y, cv=PredefinedSplit(test_fold))


@pytest.mark.parametrize("unlabelled", [-1.0, np.nan])
def test_nothing_but_unlabelled_rows_is_said(unlabelled):
    Y, X = np.full((30, 2), unlabelled), rows_of("frame")
    for estimator in (Memory(), FrozenEstimator(Memory().fit(X, Y30))):
        for model in (
            FoldEnsemble(estimator),
            MultilabelCalibrator(estimator),
            SoundscapeReweighterCV(estimator),
        ):
            with pytest.raises(ValueError, match="None of the 30 rows of y has"):
                model.fit(X, Y)


def test_folds_may_leave_rows_untested():
    test_fold = np.where(np.arange(30) < 6, 0, -1)
    X = rows_of("frame")
    proba, tested = held_out_proba(Memory(), X, Y30, cv=PredefinedSplit(test_fold))
    np.testing.assert_array_equal(tested, test_fold == 0)
    np.testing.assert_array_equal(np.isnan(proba).all(axis=1), ~tested)


def test_frozen_estimators_predict_all_rows():
    X = rows_of("frame")
    Y = Y30.copy()
    Y[0] = -1
    frozen = FrozenEstimator(Memory().fit(X[:15], Y30[:15]))
    proba, tested = held_out_proba(frozen, X, Y)
    np.testing.assert_array_equal(proba[:, 0], np.repeat([1.0, 0.25], 15))
    np.testing.assert_array_equal(tested, np.arange(30) > 0)


def test_fit_params_of_rows_are_cut_to_the_fold():
    fits = []

    class Spy(Memory):
        def fit(self, X, y, **fit_params):
            fits.append(super().fit(X, y, **fit_params))
            return self

    X = rows_of("frame").reset_index(drop=True)
    weight = pd.DataFrame(np.arange(60).reshape(30, 2), columns=["a", "b"])
    params = {"label_weight": weight, "scale": 3}
    held_out_proba(Spy(), X, Y30, fit_params=params)
    assert len(fits) == 5
    for fold in fits:
        assert fold.scale_ == 3
        pd.testing.assert_frame_equal(fold.label_weight_, weight.loc[fold.rows_.index])
        np.testing.assert_array_equal(fold.y_, Y30[fold.rows_.index])


def test_species_without_presences_in_a_fold_get_zero(rng):
    X = rng.normal(size=(30, 2))
    Y = np.column_stack([X[:, 0] > 0, np.arange(30) == 4]).astype(int)
    proba, _ = held_out_proba(KNeighborsClassifier(3), X, Y, cv=3)
    assert proba[4, 1] == 0
    assert proba[:, 0].max() == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"y": Y30[:, 0]}, r"y has shape \(30,\).*reshape"),
        ({"y": Y30[:20]}, r"y has shape \(20, 2\).*30 rows"),
        ({"cv": KFold(5, shuffle=True)}, r"fold 0 on rows of the file .* held out"),
        ({"cv": 40}, "n_splits=40"),
        ({"X": rows_of("array"), "cv": RepeatedKFold()}, "tests row 0 10 times"),
        ({"X": rows_of("array"), "groups": [1, 2]}, r"groups has shape \(2,\)"),
        ({"X": rows_of("array"), "groups": [None] * 30}, "groups is missing"),
    ],
)
def test_folds_that_do_not_hold_out_are_refused(arguments, message):
    given = {"X": rows_of("frame"), "y": Y30} | arguments
    with pytest.raises(ValueError, match=message):
        held_out_proba(Memory(), **given)


def test_a_frozen_estimator_knows_the_species_of_y_in_its_order():
    Y = pd.DataFrame(Y30, columns=["a", "b"])
    fitted = Memory().fit(PATHS, Y)
    fitted.species_ = np.array(["b", "a"])
    with pytest.raises(ValueError, match=r"frozen estimator was fitted .*\['b', 'a'\]"):
        held_out_proba(FrozenEstimator(fitted), PATHS, Y)


ROWS = np.arange(30)
BAD_FOLDS = [
    ((ROWS, ROWS[20:]), "row 20 in both parts of fold 0"),
    ((ROWS[:20], [20, 21, 20]), "tests row 20 2 times in fold 0"),
    ((ROWS[:20], [99]), "row 99 in fold 0, but there are only rows 0 to 29"),
    ((ROWS[:20], [-1]), "row -1 in fold 0, but there are only rows 0 to 29"),
    ((ROWS[:20], [20.0]), "20.0.* in fold 0 where row numbers are needed"),
    ((ROWS[:20], ["x"]), "'x'.* in fold 0 where row numbers are needed"),
    ((ROWS[:20], [True, False]), "in fold 0 where row numbers are needed"),
]


@pytest.mark.parametrize(("fold", "message"), BAD_FOLDS)
def test_folds_have_rows_of_x_and_test_what_they_do_not_train_on(fold, message):
    X = np.arange(60.0).reshape(30, 2)
    for judge in (held_out_proba, cross_val_report):
        with pytest.raises(ValueError, match=message):
            judge(Memory(), X, Y30, cv=[fold])


def test_folds_may_be_masks():
    X, first = np.arange(60.0).reshape(30, 2), ROWS < 15
    folds = [(first, ~first), (~first, first)]
    report = cross_val_report(Memory(), X, Y30, cv=folds, n_bootstrap=2)
    assert report.folds["n_test"].tolist() == [15, 15]
    assert (report.proba == 0.25).all(axis=None)
