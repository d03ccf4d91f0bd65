import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier

from skbird.postprocessing import ConformalClassifier
from skbird.postprocessing._conformal import conformal_threshold


class Scores(ClassifierMixin, BaseEstimator):
    """Multi-label dummy: the columns p0, p1, ... of X hold the probabilities."""

    def fit(self, X, y):
        self.classes_ = [np.array([0, 1])] * np.shape(y)[1]
        return self

    def predict_proba(self, X):
        return X[[f"p{j}" for j in range(len(self.classes_))]].to_numpy()


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def table(proba, files=None):
    X = pd.DataFrame(proba, columns=[f"p{j}" for j in range(proba.shape[1])])
    return X if files is None else X.assign(path=[f"{file}.ogg" for file in files])


def conformal(X, Y, **parameters):
    frozen = FrozenEstimator(Scores().fit(X, Y))
    return ConformalClassifier(frozen, **parameters).fit(X, Y)


@pytest.mark.parametrize("n", [1, 8, 9, 10, 19, 57])
@pytest.mark.parametrize("alpha", [0.05, 0.1, 0.5])
def test_with_a_row_per_file_it_is_the_usual_order_statistic(rng, n, alpha):
    proba = rng.random(n).round(1)  # with ties
    rank = int(alpha * (n + 1) + 1e-9)
    expected = np.sort(proba)[rank - 1] if rank else -np.inf
    assert conformal_threshold(proba, np.arange(n), alpha) == expected


def test_rows_of_a_file_count_as_one():
    proba = np.array([0.4, 0.9, 0.1, 0.8, 0.3, 0.7, 0.2])
    files = np.array([5, 1, 5, 2, 5, 3, 5])
    # Four files: below t there may be 5 * alpha - 1 of them.
    assert conformal_threshold(proba, files, alpha=0.19) == -np.inf
    assert conformal_threshold(proba, files, alpha=0.2) == 0.1
    assert conformal_threshold(proba, files, alpha=0.3) == 0.3
    assert conformal_threshold(proba, files, alpha=0.4) == 0.7
    assert conformal_threshold(proba, files, alpha=0.6) == 0.8
    # In floating point, 1 - 0.8 is less than 0.2.
    assert conformal_threshold(proba, files, alpha=1 - 0.8) == 0.1


@pytest.mark.parametrize("alpha", [0.1, 0.3])
def test_present_species_are_in_the_set_as_often_as_promised(rng, alpha):
    """Files differ in level and in length; coverage is the mean over many trials."""

    def draw(n_files):
        files = np.repeat(np.arange(n_files), rng.integers(1, 9, n_files))
        level = rng.normal(size=n_files)[files] + 0.5 * rng.normal(size=len(files))
        return 1 / (1 + np.exp(-level)), files

    covered, size = [], []
    for _ in range(400):
        threshold = conformal_threshold(*draw(24), alpha)
        new, files = draw(20)
        covered.append(pd.Series(new >= threshold).groupby(files).mean().mean())
        size.append(threshold)
    assert 1 - alpha - 0.01 < np.mean(covered) < 1 - alpha + 0.06
    assert np.isfinite(size).all()


def test_sets_hold_the_species_that_reach_their_thresholds(rng):
    proba = rng.random((60, 3))
    truth = (rng.random((60, 3)) < [0.7, 0.5, 0.05]).astype(float)
    X, Y = table(proba), pd.DataFrame(truth, columns=["a", "b", "c"])
    model = conformal(X, Y, alpha=0.2)
    for j in (0, 1):
        own = proba[truth[:, j] > 0, j]
        assert model.thresholds_[j] == conformal_threshold(
            own, np.arange(len(own)), 0.2
        )
        assert np.mean(own >= model.thresholds_[j]) >= 0.8
    assert model.thresholds_[2] == -np.inf
    assert model.n_files_.tolist() == truth.sum(axis=0).tolist()
    members = model.predict_set(X)
    assert members.dtype == bool
    np.testing.assert_array_equal(members, proba >= model.thresholds_)
    assert members[:, 2].all()
    np.testing.assert_array_equal(model.predict(X), proba >= 0.5)


@pytest.mark.parametrize("named", ["X", "groups"])
def test_files_come_from_x_or_groups(rng, named):
    proba, files = rng.random((60, 2)), np.arange(60) // 4
    Y = np.ones((60, 2))
    frozen = FrozenEstimator(Scores().fit(None, Y))
    model = ConformalClassifier(frozen)
    if named == "X":
        model.fit(table(proba, files), Y)
    else:
        model.fit(table(proba), Y, groups=files)
    assert model.n_files_.tolist() == [15, 15]
    expected = [conformal_threshold(p, files, 0.1) for p in proba.T]
    np.testing.assert_array_equal(model.thresholds_, expected)


def test_unknown_unlabelled_soft_and_unread(rng):
    proba = rng.random((60, 2))
    truth = (rng.random((60, 2)) < 0.6).astype(float)
    expected = conformal(table(proba[15:]), truth[15:]).thresholds_
    truth[:5] = -1
    truth[5:10] = np.nan
    proba[10:15] = np.nan
    soft = np.where(truth == 1, 0.5, np.where(truth == 0, 0.49, truth))
    model = conformal(table(proba), soft)
    np.testing.assert_array_equal(model.thresholds_, expected)
    # Nothing is ruled out in a recording that could not be read.
    assert model.predict_set(table(proba))[10:15].all()
    assert not model.predict(table(proba))[10:15].any()


@pytest.mark.parametrize("n_species", [1, 2])
def test_held_out_predictions_clone_and_pickle(rng, n_species):
    X = rng.normal(size=(200, 2))
    Y = (X[:, :n_species] + 0.5 * rng.normal(size=(200, n_species)) > 0).astype(int)
    model = ConformalClassifier(OneVsRestClassifier(LogisticRegression()), alpha=0.2)
    copy = clone(model).fit(X[:100], Y[:100])
    members = copy.predict_set(X[100:])
    assert members[Y[100:] == 1].mean() > 0.7
    assert members[Y[100:] == 0].mean() < 0.5
    again = pickle.loads(pickle.dumps(copy))
    np.testing.assert_array_equal(again.predict_set(X), copy.predict_set(X))
    assert b"postprocessing._" not in pickle.dumps(copy)


def test_sets_of_everything_are_announced(rng):
    X, Y = table(rng.random((10, 2))), np.ones((10, 2))
    frozen = FrozenEstimator(Scores().fit(X, Y))
    Y[:4, 1] = 0
    with pytest.warns(
        UserWarning, match=r"alpha=0.05 needs 19 files .*none has more than 10"
    ) as caught:
        model = ConformalClassifier(frozen, alpha=0.05).fit(X, Y)
    assert caught[0].filename == __file__
    assert np.isneginf(model.thresholds_).all()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.set_params(alpha=0.1).fit(X, Y)
    assert np.isneginf(model.thresholds_).tolist() == [False, True]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"alpha": 0}, "'alpha' parameter of ConformalClassifier"),
        ({"alpha": 1}, "'alpha' parameter of ConformalClassifier"),
        ({"cv": 1}, "'cv' parameter of ConformalClassifier"),
        ({"estimator": 3}, "'estimator' parameter of ConformalClassifier"),
    ],
)
def test_fit_refuses_bad_parameters(rng, parameters, message):
    X = table(rng.random((6, 1)))
    with pytest.raises(ValueError, match=message):
        ConformalClassifier(**{"estimator": Scores()} | parameters).fit(
            X, np.ones((6, 1))
        )
