"""Self-training, around classifiers that cost nothing."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score
from sklearn.multioutput import MultiOutputClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skbird.metrics import macro_roc_auc_scorer
from skbird.semi_supervised import PseudoLabelSelfTraining, make_pseudo_labels


class KernelMean(ClassifierMixin, BaseEstimator):
    """Mean of the targets around a row: takes soft targets, weights, any X."""

    def __init__(self, width=0.5, offset=0.0, warm_start=False):
        self.width = width
        self.offset = offset
        self.warm_start = warm_start

    def fit(self, X, y, sample_weight=None, note=None):
        self.n_fits_ = getattr(self, "n_fits_", 0) + 1 if self.warm_start else 1
        self.X_, self.y_ = self._numbers(X), np.asarray(y, dtype=float)
        assert (self.y_ >= 0).all()  # what is unlabelled must not arrive here
        n = len(self.X_)
        self.weight_ = np.ones(n) if sample_weight is None else sample_weight
        assert len(self.weight_) == n == len(y)
        self.note_, self.index_ = note, getattr(y, "index", None)
        return self

    def predict_proba(self, X):
        distance = self._numbers(X)[:, None] - self.X_
        kernel = self.weight_ * np.exp(-((distance / self.width) ** 2))
        proba = kernel @ self.y_ / (kernel.sum(axis=1, keepdims=True) + 1e-9)
        proba = np.clip(proba + self.offset, 0, 1)
        proba[np.isnan(distance).any(axis=1)] = np.nan
        return proba

    def predict(self, X):
        return (self.predict_proba(X) >= 0.5).astype(int)

    @staticmethod
    def _numbers(X):
        X = X["value"] if isinstance(X, pd.DataFrame) else X
        return np.asarray(X, dtype=float).reshape(-1)


@pytest.fixture
def chain():
    """Labels at the ends only; between them a chain of rows, gap in the middle."""
    value = np.r_[0.0, 10.0, np.arange(0.4, 4, 0.4), np.arange(6.4, 10, 0.4)]
    Y = np.full((len(value), 2), -1.0)
    Y[:2] = np.eye(2)
    return value.reshape(-1, 1), Y


def self_training(estimator=None, **options):
    options = {"verbose": 0, **options}
    return PseudoLabelSelfTraining(estimator or KernelMean(), **options)


# Pseudo-labels -----------------------------------------------------------------------


def test_thresholds_make_hard_soft_and_no_labels():
    proba = np.array([[0.3, 0.1, 0.01], [0.25, 0.05, 0.049], [0.04, 0.0, 0.02]])
    labels = make_pseudo_labels(proba)
    np.testing.assert_allclose(
        labels, [[1, 0.1, 0], [1, 0.05, 0], [-1, -1, -1]], rtol=1e-6
    )
    soft = make_pseudo_labels(proba, hard_threshold=None)
    np.testing.assert_allclose(soft[0], [0.3, 0.1, 0], rtol=1e-6)


def test_power_comes_before_the_thresholds():
    labels = make_pseudo_labels([[0.4, 0.3, 0.2]], proba_power=2.0, hard_threshold=0.15)
    np.testing.assert_allclose(labels, [[1, 0.09, 0]], rtol=1e-6)


def test_unreadable_rows_get_no_labels():
    labels = make_pseudo_labels([[np.nan, np.nan], [0.9, 0.0]])
    assert labels.tolist() == [[-1, -1], [1, 0]]


def test_a_species_has_at_most_so_many_rows_the_most_certain_ones():
    proba = np.array([[0.9, 0.5], [0.8, 0.0], [0.7, 0.0], [0.1, 0.3], [0.95, 0.96]])
    labels = make_pseudo_labels(proba, max_per_species=2)
    assert (labels >= 0).all(axis=1).tolist() == [True, True, False, True, True]


def test_mass_is_limited():
    proba = np.array([[0.9, 0.0], [0.0, 0.8], [0.2, 0.1], [0.5, 0.0]])
    labels = make_pseudo_labels(proba, max_mass=3.0)
    assert (labels >= 0).all(axis=1).tolist() == [True, True, False, True]
    labels = make_pseudo_labels(proba, hard_threshold=None, max_mass=1.75)
    assert (labels >= 0).all(axis=1).tolist() == [True, True, False, False]


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"soft_threshold": 0.5}, r"soft_threshold=0.5 is above hard_threshold=0.25"),
        ({"soft_threshold": -1}, "'soft_threshold' parameter of make_pseudo_labels"),
        ({"proba_power": 0}, "'proba_power' parameter of make_pseudo_labels"),
        ({"max_per_species": 0}, "'max_per_species' parameter"),
    ],
)
def test_bad_parameters_are_named(params, message):
    with pytest.raises(ValueError, match=message):
        make_pseudo_labels([[0.5]], **params)


def test_logits_are_refused():
    with pytest.raises(ValueError, match=r"outside \[0, 1\], such as -2"):
        make_pseudo_labels([[-2.0]])
    with pytest.raises(ValueError, match=r"shape \(2,\)"):
        make_pseudo_labels([0.5, 0.5])


# Rounds ------------------------------------------------------------------------------


def test_labels_travel_along_the_chain(chain):
    X, Y = chain
    supervised = KernelMean().fit(X[:2], Y[:2])
    assert supervised.predict_proba(X)[8, 0] < 0.01
    model = self_training(max_iter=8, soft_threshold=0.2, hard_threshold=0.5)
    model.fit(X, Y)
    assert model.predict_proba(X)[8, 0] > 0.95
    labels = model.pseudo_labels_
    left, right = X[:, 0] < 4, X[:, 0] > 6
    assert (labels[left, 0] == 1).all()
    assert (labels[right, 1] == 1).all()
    assert (labels[left, 1] == 0).all()
    # Further away, later.
    assert (np.diff(model.labeled_iter_[2:11]) >= 0).all()
    assert model.labeled_iter_[:2].tolist() == [0, 0]
    assert model.labeled_iter_.max() == 2
    assert model.termination_condition_ == "no_change"
    assert model.n_iter_ < 8
    assert (labels[:2] == Y[:2]).all()


def test_history_counts(chain):
    X, Y = chain
    model = self_training(max_iter=2, soft_threshold=0.2, hard_threshold=0.5)
    model.fit(X, Y)
    assert model.termination_condition_ == "max_iter"
    assert model.history_.index.tolist() == [1, 2]
    first = model.history_.loc[1]
    hidden = X[2:]
    proba = KernelMean().fit(X[:2], Y[:2]).predict_proba(hidden)
    assert first["n_hard"] == (proba >= 0.5).sum()
    assert first["n_soft"] == ((proba >= 0.2) & (proba < 0.5)).sum()
    assert first["n_zero"] == (proba < 0.2).all(axis=1).sum()
    assert first["n_rows"] == len(hidden) - first["n_zero"]
    assert first["n_left_out"] == 0
    assert first["labels_per_row"] == (proba >= 0.2).sum() / first["n_rows"]
    assert np.isnan(first["change"])
    assert 0 < model.history_.loc[2, "change"] < 1
    assert model.coverage_.loc[1].tolist() == (proba >= 0.2).sum(axis=0).tolist()
    limited = self_training(max_iter=1, max_per_species=1).fit(X, Y)
    assert limited.history_.loc[1, "n_rows"] == 2
    assert limited.history_.loc[1, "n_left_out"] > 0


def test_mass_is_relative_to_the_true_labels(chain):
    X, Y = chain
    for max_mass in (1.0, 2.5):
        model = self_training(max_iter=1, max_mass=max_mass).fit(X, Y)
        assert model.history_.loc[1, "mass"] <= 2 * max_mass
        assert model.history_.loc[1, "mass"] > 2 * max_mass - 1.01


def test_each_round_has_its_power(chain):
    X, Y = chain
    estimator = KernelMean(width=3.0)
    model = self_training(
        estimator, max_iter=2, proba_power=(1.0, 2.0), hard_threshold=None
    )
    model.fit(X, Y)
    student = estimator.fit(
        X[model.labeled_iter_ < 2],
        self_training(estimator, max_iter=1, hard_threshold=None)
        .fit(X, Y)
        .pseudo_labels_,
    )
    expected = make_pseudo_labels(
        student.predict_proba(X[2:]), proba_power=2.0, hard_threshold=None
    )
    np.testing.assert_allclose(model.pseudo_labels_[2:], expected, atol=1e-6)
    with pytest.raises(ValueError, match=r"proba_power=\(1.0,\) must be positive, one"):
        self_training(max_iter=2, proba_power=(1.0,)).fit(X, Y)


def test_students_may_have_other_parameters(chain):
    X, Y = chain
    model = self_training(max_iter=1, student_params={"width": 0.123}).fit(X, Y)
    assert model.estimator_.width == 0.123
    assert model.estimator.width == 0.5
    proba = KernelMean().fit(X[:2], Y[:2]).predict_proba(X[2:])
    np.testing.assert_array_equal(model.pseudo_labels_[2:], make_pseudo_labels(proba))


def test_a_given_teacher_predicts_first(chain):
    X, Y = chain
    truth = np.c_[X < 5, X > 5].astype(float)
    teacher = KernelMean(width=0.1).fit(X, truth)
    model = self_training(max_iter=1, teacher=teacher).fit(X, Y)
    np.testing.assert_array_equal(model.pseudo_labels_, truth)
    assert isinstance(model.estimator_, KernelMean)
    silent = KernelMean().fit(X, np.zeros_like(Y))
    model = self_training(teacher=silent).fit(X, Y)
    assert model.termination_condition_ == "no_pseudo_labels"
    np.testing.assert_array_equal(model.estimator_.y_, Y[:2])


def test_out_of_fold_students_have_not_seen_what_they_predict(chain):
    """A student that sees its own labels only, at its own place, repeats them."""
    X, Y = chain
    teacher = KernelMean(width=0.1, offset=0.5).fit(X, np.zeros_like(Y))
    options = {"teacher": teacher, "max_iter": 2, "hard_threshold": None}
    narrow = KernelMean(width=0.01)
    inside = self_training(narrow, **options).fit(X, Y)
    assert (inside.pseudo_labels_[2:] == 0.5).all()
    outside = self_training(narrow, cv=3, **options).fit(X, Y)
    assert outside.termination_condition_ == "no_pseudo_labels"
    assert (outside.pseudo_labels_[2:] == 0.5).all()  # those of round 1
    assert (outside.estimator_.y_[2:] == 0.5).all()


def test_out_of_fold_keeps_files_whole(chain):
    X, Y = chain
    table = pd.DataFrame({"path": np.arange(len(X)) // 4, "value": X[:, 0]})
    table["path"] = table["path"].map("file{}".format)
    seen = []

    class Spy(KernelMean):
        def fit(self, X, y):
            seen.append(set(X["path"].iloc[2:]))
            return super().fit(X, y)

    self_training(Spy(width=2.0), cv=3, max_iter=2).fit(table, Y)
    folds = seen[2:-1] if len(seen) == 6 else seen[1:-1]
    assert len(folds) == 3
    everything = set(table["path"])
    left_out = [everything - fold for fold in folds]
    assert all(left_out)
    assert set.union(*left_out) >= set(table["path"].iloc[4:])


def test_warm_start_goes_on(chain):
    X, Y = chain
    options = {"max_iter": 3, "tol": 0.0}
    model = self_training(warm_start=True, **options).fit(X, Y)
    assert model.estimator_.n_fits_ == 4  # the first teacher, three students
    assert self_training(**options).fit(X, Y).estimator_.n_fits_ == 1
    assert model.estimator.warm_start is False
    with pytest.raises(ValueError, match="warm_start=True and cv=2 exclude"):
        self_training(warm_start=True, cv=2).fit(X, Y)
    with pytest.raises(ValueError, match="needs an estimator with a parameter warm"):
        self_training(KNeighborsClassifier(), warm_start=True).fit(X, Y)


# Rows, targets, parameters -----------------------------------------------------------


def test_fit_parameters_are_cut_to_the_rows(chain):
    X, Y = chain
    weight = np.linspace(1, 2, len(X))
    model = self_training(max_iter=1).fit(X, Y, sample_weight=weight, note="same")
    used = model.labeled_iter_ >= 0
    assert 2 < used.sum() < len(X)
    np.testing.assert_array_equal(model.estimator_.weight_, weight[used])
    assert model.estimator_.note_ == "same"


def test_tables_stay_tables(chain):
    X, Y = chain
    index = np.arange(100, 100 + len(Y))
    Y = pd.DataFrame(Y, index, columns=["a", "b"])
    model = self_training(max_iter=1).fit(X, Y)
    assert model.pseudo_labels_.columns.tolist() == ["a", "b"]
    assert model.pseudo_labels_.index.equals(Y.index)
    used = model.labeled_iter_ >= 0
    assert model.estimator_.index_.equals(Y.index[used])
    assert model.species_.tolist() == ["a", "b"]
    assert model.coverage_.columns.tolist() == ["a", "b"]
    assert (Y.iloc[2:] == -1).all(axis=None)


def test_unreadable_rows_are_left_out(chain):
    X, Y = chain
    X[5] = np.nan
    model = self_training(max_iter=1, soft_threshold=0.0, hard_threshold=None)
    model.fit(X, Y)
    assert model.labeled_iter_[5] == -1
    assert model.history_.loc[1, "n_left_out"] == 1
    assert np.isnan(model.predict_proba(X)[5]).all()


@pytest.mark.parametrize("n_species", [1, 2])
def test_classifiers_of_scikit_learn_take_hard_labels(chain, n_species):
    X, Y = chain
    X, Y = np.r_[X[:2], X], np.r_[Y[:2], Y][:, :n_species]
    options = {"soft_threshold": 0.9, "hard_threshold": 0.9}
    model = self_training(KNeighborsClassifier(2), **options).fit(X, Y)
    assert model.predict_proba(X).shape == (len(X), n_species)
    assert model.predict_proba([[0.5]])[0, 0] == 1
    assert 0.5 < model.score(X, np.c_[X < 5, X > 5][:, :n_species].astype(int)) <= 1


def test_nothing_or_everything_unlabelled(chain):
    X, Y = chain
    with pytest.raises(ValueError, match="All 20 rows of y are -1"):
        self_training().fit(X, np.full((20, 2), -1))
    with pytest.warns(UserWarning, match="No row of y is -1"):
        model = self_training().fit(X[:2], Y[:2])
    assert model.termination_condition_ == "no_unlabeled_rows"
    assert model.n_iter_ == 0
    assert len(model.history_) == 0
    np.testing.assert_array_equal(
        model.predict_proba(X), KernelMean().fit(X[:2], Y[:2]).predict_proba(X)
    )


def test_a_species_without_positives_stays_absent(chain):
    X, Y = chain
    Y = np.c_[Y, np.where(Y[:, 0] == -1, -1, 0)]
    model = self_training(max_iter=2).fit(X, Y)
    assert (model.predict_proba(X)[:, 2] == 0).all()
    assert (model.coverage_[2] == 0).all()


def test_mix_needs_a_network(chain):
    with pytest.raises(ValueError, match=r"mix=1 needs a network.*\(KernelMean\)"):
        self_training(mix=1.0).fit(*chain)
    with pytest.raises(ValueError, match="'mix' parameter of PseudoLabelSelfTraining"):
        self_training(mix="all").fit(*chain)
    model = self_training(mix="auto").fit(*chain)
    assert model.mix_ is None
    expected = self_training().fit(*chain).pseudo_labels_
    np.testing.assert_array_equal(model.pseudo_labels_, expected)


def test_y_of_one_dimension_is_refused(chain):
    with pytest.raises(ValueError, match=r"y has shape \(20,\).*reshape"):
        self_training().fit(chain[0], chain[1][:, 0])


def test_rounds_are_printed(chain, capsys):
    X, Y = chain
    X, Y = np.r_[X, [[np.nan], [1e3]]], np.r_[Y, -np.ones((2, 2))]
    model = self_training(verbose=1, max_iter=9, soft_threshold=0.25).fit(X, Y)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == [
        f"round {number}" for number in model.history_.index
    ]
    assert "; 1 rows below the soft threshold, 1 beyond a limit" in lines[-1]
    assert lines[-1].endswith(" s; no_change")
    assert lines[-2].endswith(" s")


def test_labels_of_everything_everywhere_are_announced(chain):
    X, Y = chain
    for teacher, message in (
        (KernelMean(width=100), "Round 1: 100% .*raise soft_threshold and hard"),
        (KernelMean(offset=0.1), "Round 1: 100% of the pseudo-labels are positive"),
    ):
        model = self_training(teacher, max_iter=1)
        with pytest.warns(UserWarning, match=message) as caught:
            model.fit(X, Y)
        assert caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        self_training(max_iter=1).fit(X, Y)
        self_training(KernelMean(width=100), max_iter=1).fit(X, Y[:, :1])
        all_soft = {"soft_threshold": 0, "hard_threshold": None, "max_iter": 1}
        self_training(KernelMean(width=100), **all_soft).fit(X, Y)


def test_species_that_lose_their_pseudo_labels_are_named(capsys):
    X = np.array([[0.0], [10.0], [0.4], [9.6]])
    Y = pd.DataFrame([[1, 0, 0], [0, 0.4, 0], [-1] * 3, [-1] * 3], columns=list("abc"))
    options = {"hard_threshold": None, "verbose": 1}
    message = r"^Round 2: no pseudo-label of b, which .* here 9, stop .*max_iter=1"
    with pytest.warns(UserWarning, match=message) as caught:
        self_training(proba_power=(1, 9, 9), max_iter=3, **options).fit(X, Y)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    first, second, _ = capsys.readouterr().out.splitlines()
    assert "of 2 species, none of c; " in first
    assert "of 1 species, none of b, c; " in second

    many = np.c_[Y, np.where(Y[["c"]] < 0, -1, 0).repeat(5, axis=1)]
    self_training(max_iter=1, **options).fit(X, many)
    assert "species, none of 2, 3, 4, 5, 6 and 1 more; " in capsys.readouterr().out


def test_what_students_refuse_is_said_before_the_teacher_is_fitted(chain):
    X, Y = chain

    class Unfit(KernelMean):
        def fit(self, X, y):
            raise AssertionError("fitted")

    with pytest.raises(ValueError, match=r"student_params=\{'widht'.*Invalid param"):
        self_training(Unfit(), student_params={"widht": 1}).fit(X, Y)
    with pytest.raises(ValueError, match=r"student_params=\{'lr__x': 1\}: .*'lr'"):
        self_training(make_pipeline(Unfit()), student_params={"lr__x": 1}).fit(X, Y)
    message = "from soft_threshold=0.05 to {} become soft targets, .*hard_threshold to"
    knn = KNeighborsClassifier(1)
    for estimator in (knn, make_pipeline(knn), MultiOutputClassifier(knn)):
        with pytest.raises(ValueError, match=message.format("0.25")):
            self_training(estimator).fit(X, Y)
    with pytest.raises(ValueError, match=message.format(1)):
        self_training(knn, hard_threshold=None).fit(X, Y)


def test_in_pipelines_searches_pickles_and_clones(chain):
    X, Y = chain
    X, Y = np.r_[X[:2] + 0.1, X[:2] - 0.1, X], np.r_[Y[:2], Y[:2], Y]
    model = self_training(make_pipeline(StandardScaler(), KernelMean(0.1)))
    search = GridSearchCV(
        model,
        {"hard_threshold": [0.25, 0.5], "estimator__kernelmean__width": [0.1, 0.2]},
        cv=[(np.r_[0:2, 4 : len(X)], np.arange(2, 4))],
        scoring=macro_roc_auc_scorer,
        error_score="raise",
    ).fit(X, Y)
    assert search.best_score_ == 1
    cv = KFold(2, shuffle=True, random_state=0)
    labelled = np.arange(6)
    scores = cross_val_score(model, X[labelled], Y[labelled], cv=cv)
    assert len(scores) == 2
    fitted = clone(model).fit(X, Y)
    loaded = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(loaded.predict_proba(X), fitted.predict_proba(X))
    assert loaded.__class__.__module__ == "skbird.semi_supervised"


class Named(KernelMean):
    """Knows its species, as networks do."""

    def fit(self, X, y):
        self.species_ = np.asarray(y.columns)
        return super().fit(X, y)


@pytest.mark.parametrize("as_teacher", [True, False])
def test_fitted_models_know_the_species_of_y_in_its_order(chain, as_teacher):
    X, Y = chain
    truth = pd.DataFrame(np.c_[X < 5, X > 5].astype(float), columns=["b", "a"])
    fitted = Named().fit(X, truth)
    Y = pd.DataFrame(Y, columns=["a", "b"])
    if as_teacher:
        model, name = self_training(Named(), teacher=fitted), "teacher"
    else:
        model, name = self_training(FrozenEstimator(fitted)), "estimator"
    with pytest.raises(ValueError, match=rf"The {name} was fitted on .*\['b', 'a'\]"):
        model.fit(X, Y)
    model.fit(X, Y[["b", "a"]])
