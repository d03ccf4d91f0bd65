"""Which rows are asked for next, and the loop around it."""

import os
import pickle
import re

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from toy_encoder import HZ, RATE, quiet, toy

from skbird.active import (
    ActiveLearner,
    ClusterQuery,
    CoreSetQuery,
    Query,
    RandomQuery,
    RareSpeciesQuery,
    TypiClustQuery,
    UncertaintyQuery,
)
from skbird.active._clusters import cluster_rows
from skbird.active._distances import Distances
from skbird.encoders import ProbeClassifier

QUERIES = [
    RandomQuery(),
    UncertaintyQuery(),
    UncertaintyQuery("entropy", pooling="mean"),
    RareSpeciesQuery(),
    CoreSetQuery(),
    CoreSetQuery(UncertaintyQuery()),
    CoreSetQuery(n_components=2),
    TypiClustQuery(),
    ClusterQuery(RareSpeciesQuery(), n_clusters=3),
]
IDS = [str(query) for query in QUERIES]


def make_blobs(n_rows=60, n_species=3, seed=0):
    """Return rows (n_rows, 4) around a center for each species, and their labels."""
    rng = np.random.default_rng(seed)
    truth = np.eye(n_species)[rng.integers(n_species, size=n_rows)]
    X = truth @ (6 * np.eye(n_species, 4)) + rng.normal(size=(n_rows, 4))
    return X.astype(np.float32), truth


@pytest.fixture
def pool():
    """Return what a query may be given."""
    X, truth = make_blobs()
    rng = np.random.default_rng(1)
    Y = np.where(np.arange(60)[:, None] < 5, truth, -1)
    return {"features": X, "proba": rng.random((60, 3)), "Y": Y}


@pytest.fixture
def learner():
    X, _ = make_blobs()
    return ActiveLearner(ProbeClassifier(C=0.1), X, random_state=0)


# Queries


@pytest.mark.parametrize("query", QUERIES, ids=IDS)
def test_queries_choose_each_row_once_and_none_with_an_answer(query, pool):
    query = clone(query).set_params(random_state=0)
    rows = query.select(12, **pool)
    assert len(set(rows)) == 12
    assert rows.min() >= 5
    assert rows.dtype == np.int64
    np.testing.assert_array_equal(rows, query.select(12, **pool))
    np.testing.assert_array_equal(
        rows, pickle.loads(pickle.dumps(query)).select(12, **pool)
    )
    assert len(query.select(1000, **pool)) == 55
    available = np.arange(60) < 7
    assert set(query.select(9, available=available, **pool)) == set(range(7))
    assert len(query.select(9, available=np.zeros(60, bool), **pool)) == 0


@pytest.mark.parametrize("query", QUERIES, ids=IDS)
def test_rows_that_cannot_be_read_are_not_chosen(query, pool):
    pool["features"][[7, 9]] = np.nan
    pool["proba"][[8, 9]] = np.nan
    pool["proba"][:, 2] = np.nan  # a species that the model does not know
    rows = clone(query).set_params(random_state=0).select(100, **pool)
    assert set(rows) == set(range(5, 60)) - {7, 8, 9}


@pytest.mark.parametrize("query", QUERIES, ids=IDS)
def test_budgets_are_kept_and_visits_shared(query, pool):
    ids = np.arange(60) // 6
    rows = (
        clone(query)
        .set_params(random_state=0)
        .select(budget=20, visit_cost=4, row_cost=0.5, recording_ids=ids, **pool)
    )
    cost = 4 * len(set(ids[rows])) + 0.5 * len(rows)
    assert 15 < cost <= 20
    assert len(rows) > len(set(ids[rows]))


@pytest.mark.parametrize("query", QUERIES, ids=IDS)
def test_queries_say_what_they_need(query, pool):
    for name in query.needs:
        given = {key: value for key, value in pool.items() if key != name}
        with pytest.raises(ValueError, match=f"needs .*{name}"):
            query.select(2, **given)
    with pytest.raises(ValueError, match="how many rows"):
        query.select(**pool)


def test_margin_is_the_distance_from_the_threshold_of_the_species():
    proba = [[0.5, 0.9], [0.1, 0.85], [0.0, 1.0]]
    assert UncertaintyQuery().select(1, proba=proba) == [0]
    high = UncertaintyQuery(threshold=[0.9, 0.85])
    assert high.select(1, proba=proba) == [1]
    mean = UncertaintyQuery("entropy", pooling="mean")
    assert mean.select(3, proba=proba).tolist() == [0, 1, 2]


def test_neighbours_are_worth_less():
    proba, ids = [[0.5], [0.49], [0.35]], ["a", "a", "b"]
    assert UncertaintyQuery().select(2, proba=proba, recording_ids=ids).tolist() == [
        0,
        2,
    ]
    alike = UncertaintyQuery(recording_discount=1.0)
    assert alike.select(2, proba=proba, recording_ids=ids).tolist() == [0, 1]


def test_rare_species_come_first_but_not_all_of_one():
    proba = [[0.5, 0.1, 0.1]] * 3 + [[0.1, 0.5, 0.1]] * 3 + [[0.1, 0.1, 0.5]] * 3
    Y = np.full((20, 3), -1.0)
    Y[9:] = [[1, 0, 0]] * 9 + [[0, 1, 0], [0, 0, 1]]
    proba = np.array(proba + [[0.5, 0.5, 0.5]] * 11)
    rows = RareSpeciesQuery(random_state=0).select(4, proba=proba, Y=Y)
    assert np.bincount(rows // 3, minlength=3).tolist() == [0, 2, 2]


def test_distances_are_those_of_standardized_rows_of_length_one():
    X = make_blobs()[0] + np.float32(3)
    X[3] = np.nan
    known = np.delete(X, 3, axis=0)
    standard = (X - known.mean(axis=0)) / known.std(axis=0)
    standard /= np.linalg.norm(standard, axis=1, keepdims=True)
    distances = Distances(X)
    expected = ((standard[:, None] - standard[[5, 6]]) ** 2).sum(axis=2).min(axis=1)
    expected[3] = 4
    found = distances.to_nearest(distances.points([5, 6]))
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_many_points_are_compared_part_by_part(monkeypatch):
    X, _ = make_blobs(300)
    X[3] = np.nan
    whole = Distances(X)
    rows, points = np.arange(10, 110), whole.points(np.arange(10, 110))
    squared = np.concatenate([block for block, _ in whole.blocks_to(points)])
    monkeypatch.setattr("skbird.active._distances._POINTS", 7)
    monkeypatch.setattr("skbird.active._distances._PRODUCTS", 40)
    sizes = [block.size for block, _ in whole.blocks_to(points[:20])]
    assert max(sizes) == 40
    assert sum(sizes) == 300 * 20
    expected = squared.min(axis=1)
    expected[3] = 4
    found = whole.to_nearest_row(rows)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    np.testing.assert_allclose(whole.to_nearest(points), expected, atol=1e-6)


def test_components_count_alike_however_many_features_say_them():
    rng = np.random.default_rng(0)
    hidden = rng.normal(size=(50, 3))
    X = np.repeat(hidden, [20, 2, 1], axis=1) + 5
    X[4] = np.nan
    found = Distances(X.astype(np.float32)).whitened(3, np.random.RandomState(0))
    assert found.features.shape == (50, 3)
    assert not found.is_finite[4]
    known = np.delete(hidden, 4, axis=0)
    whitening = np.linalg.cholesky(np.linalg.inv(np.cov(known.T)))
    white = (known - known.mean(axis=0)) @ whitening
    white /= np.linalg.norm(white, axis=1, keepdims=True)
    expected = ((white - white[7]) ** 2).sum(axis=1)
    squared = found.to_nearest(found.points([8]))  # the fifth row is not there
    np.testing.assert_allclose(np.delete(squared, 4), expected, atol=1e-3)


def test_core_set_takes_the_farthest(pool):
    del pool["proba"]
    rows = CoreSetQuery().select(6, **pool)
    distances, known = Distances(pool["features"]), list(range(5))
    for row in rows:
        nearest = distances.to_nearest(distances.points(known))
        assert nearest[row] == pytest.approx(nearest.max(), abs=1e-5)
        known.append(row)


@pytest.mark.parametrize("query", [TypiClustQuery(), ClusterQuery(UncertaintyQuery())])
def test_clusters_are_asked_in_turn(query, pool):
    _, truth = make_blobs()
    pool["Y"] = np.full((60, 3), -1)
    rows = query.set_params(random_state=0).select(3, **pool)
    assert truth[rows].sum(axis=0).tolist() == [1, 1, 1]


def test_large_pools_are_clustered_by_a_part(monkeypatch):
    monkeypatch.setattr("skbird.active._clusters._MOST_SAMPLED", 100)
    monkeypatch.setattr("skbird.active._clusters._FEW", 50)
    monkeypatch.setattr("skbird.active._typiclust_query._MOST_COMPARED", 20)
    monkeypatch.setattr("skbird.active._distances._BLOCK", 64)
    X, truth = make_blobs(300)
    X[7] = np.nan
    numbers = cluster_rows(Distances(X), 3, np.random.RandomState(0))
    assert numbers[7] == -1
    table = pd.crosstab(np.delete(numbers, 7), np.delete(truth.argmax(axis=1), 7))
    assert (table.max(axis=1) > 90 / 100 * table.sum(axis=1)).all()
    rows = TypiClustQuery(random_state=0).select(3, features=X)
    assert truth[rows].sum(axis=0).tolist() == [1, 1, 1]


def test_pools_must_agree():
    with pytest.raises(ValueError, match="several numbers: proba 2 rows, Y 3 rows"):
        UncertaintyQuery().select(1, proba=[[0.5]] * 2, Y=[[-1]] * 3)
    with pytest.raises(ValueError, match="nothing to choose from"):
        RandomQuery().select(1)
    with pytest.raises(TypeError, match="mask of all rows"):
        RandomQuery().select(1, available=[3, 4])
    with pytest.raises(ValueError, match="outside"):
        UncertaintyQuery().select(1, proba=[[1.5]])
    with pytest.raises(ValueError, match="measure"):
        UncertaintyQuery("doubt").select(1, proba=[[0.5]])
    with pytest.raises(ValueError, match="budget"):
        RandomQuery().select(budget=-1, available=[True])
    with pytest.raises(ValueError, match=r"'visit_cost' .* Got inf"):
        RandomQuery().select(1, visit_cost=np.inf, available=[True])


class LongestQuery(Query):
    """A query of somebody else: rows with the largest first feature."""

    needs = frozenset({"features"})

    def _gains(self, pool, n, random_state):
        self.first = pool.features[:, 0]
        return self

    def values(self, candidates):
        return self.first

    def take(self, row):
        pass


def test_queries_of_others_work():
    assert LongestQuery().select(2, features=[[1], [3], [2]]).tolist() == [1, 2]


# The loop


def test_a_batch_is_asked_and_taught(learner):
    X, truth = make_blobs()
    assert learner.estimator_ is None
    assert learner.labels_ is None
    for _ in range(3):
        rows = learner.query(4)
        assert learner.teach(rows, truth[rows]) is learner
    history = learner.history_
    assert history["n_labeled"].tolist() == [4, 8, 12]
    assert history["cost"].tolist() == [4, 8, 12]
    assert history.index.name == "batch"
    assert history["score"].isna().all()
    assert np.isnan(history["agreement"].iloc[0])
    assert 0 < history["agreement"].iloc[-1] <= 1
    answered = (learner.labels_ >= 0).any(axis=1)
    np.testing.assert_array_equal(learner.labels_[answered], truth[answered])
    assert learner.estimator_.predict_proba(X).shape == (60, 3)


def test_queries_keep_their_seeds_unless_the_loop_has_one():
    X, _ = make_blobs()

    def drawn(seed, **options):
        query = RandomQuery(random_state=seed)
        return ActiveLearner(ProbeClassifier(), X, query=query, **options).query(9)

    np.testing.assert_array_equal(drawn(0), drawn(0))
    assert drawn(0).tolist() != drawn(1).tolist()
    np.testing.assert_array_equal(drawn(0, random_state=2), drawn(1, random_state=2))


def test_uncertain_rows_are_not_asked_again_unless_told(learner):
    _, truth = make_blobs()
    learner.teach(range(50), truth[:50])
    rows = learner.query(4)
    learner.teach(rows, np.full((4, 3), np.nan))
    assert not set(learner.query(100)) & set(rows)
    assert set(rows) <= set(learner.query(100, ask_again=True))
    assert learner.history_["n_uncertain"].tolist() == [0, 4]
    assert learner.history_["n_labeled"].tolist() == [50, 50]
    learner.teach(rows, truth[rows])  # on second thoughts
    assert learner.history_["n_uncertain"].iloc[-1] == 0
    rest = learner.query(100)
    learner.teach(rest, truth[rest])
    assert learner.termination_condition_ == "no_rows_left"
    assert len(learner.query(5)) == 0


def test_no_model_is_left_of_answers_that_are_withdrawn():
    X, truth = make_blobs()
    learner = ActiveLearner(ProbeClassifier(C=0.1), X, query=UncertaintyQuery())
    learner.teach([0, 1, 2], truth[:3]).teach([0, 1, 2], np.full((3, 3), np.nan))
    assert learner.estimator_ is None
    assert learner.history_["n_labeled"].tolist() == [3, 0]
    assert not {0, 1, 2} & set(learner.query(60))
    learner.teach([0, 1, 2], truth[:3])
    assert learner.estimator_ is not None
    assert np.isnan(learner.history_["agreement"].iloc[-1])


def test_answers_may_be_uncertain_from_the_first(learner):
    learner.teach([0, 1], np.full((2, 3), np.nan))
    assert learner.estimator_ is None
    assert learner.history_["n_uncertain"].tolist() == [2]
    assert not {0, 1} & set(learner.query(58))


def test_labels_may_be_partly_unknown_and_soft(learner):
    learner.teach([0, 1, 2], [[1, np.nan, 0], [0, 0.7, np.nan], [0, 0, 1]])
    assert learner.history_["n_labeled"].tolist() == [3]
    assert learner.history_["n_species"].tolist() == [3]


def test_what_scikit_learn_cannot_learn_is_refused_before_it_is_kept():
    X, truth = make_blobs()
    model = OneVsRestClassifier(LogisticRegression())
    learner = ActiveLearner(model, X).teach(range(9), truth[:9])
    with pytest.raises(ValueError, match="cannot learn from"):
        learner.teach([10], [[1, np.nan, 0]])
    learner.teach([11], [[np.nan] * 3])
    assert (learner.labels_.iloc[10] == -1).all()
    assert len(learner.history_) == 2


@pytest.mark.parametrize("query", QUERIES[-3:], ids=IDS[-3:])
def test_a_pickled_loop_goes_on_as_the_other_would(query):
    X, truth = make_blobs()
    first = ActiveLearner(ProbeClassifier(C=0.1), X, query=query, random_state=3)
    rows = first.query(5)
    first.teach(rows, truth[rows])
    second = pickle.loads(pickle.dumps(first))
    for learner in (first, second):
        rows = learner.query(5)
        learner.teach(rows, truth[rows])
    pd.testing.assert_frame_equal(first.labels_, second.labels_)
    columns = ["n_labeled", "agreement"]
    pd.testing.assert_frame_equal(first.history_[columns], second.history_[columns])


def test_labels_begin_another_loop(learner):
    X, truth = make_blobs()
    Y = pd.DataFrame(truth, columns=["dove", "owl", "wren"])
    learner.teach([1, 4, 7], Y.iloc[[1, 4, 7]]).teach([8], Y.iloc[[8]] * np.nan)
    other = ActiveLearner(ProbeClassifier(C=0.1), X, learner.labels_)
    assert other.species_.tolist() == ["dove", "owl", "wren"]
    pd.testing.assert_frame_equal(other.labels_, learner.labels_)
    proba = learner.estimator_.predict_proba(X)
    np.testing.assert_allclose(other.estimator_.predict_proba(X), proba, atol=1e-6)
    assert ActiveLearner(ProbeClassifier(), X, np.full((60, 3), -1)).species_ is None


def as_table(n_rows=60):
    """Return rows of 6 to a recording, and the transformer that reads them."""
    X, truth = make_blobs(n_rows)
    table = pd.DataFrame(X, columns=list("abcd"))
    table["path"] = [f"{k // 6}.ogg" for k in range(n_rows)]
    table["start"] = np.arange(n_rows) % 6 * 5.0
    table["recordist"] = [f"r{k // 12}" for k in range(n_rows)]
    return table, truth


class Reader(ClassifierMixin, BaseEstimator):
    """A probe of the columns of a row table."""

    def fit(self, X, y):
        self.probe_ = ProbeClassifier(C=0.1).fit(X[list("abcd")].to_numpy(), y)
        return self

    def predict_proba(self, X):
        return self.probe_.predict_proba(X[list("abcd")].to_numpy())


class Blind(ClassifierMixin, BaseEstimator):
    """Cannot read the eighth row of a pool."""

    def fit(self, X, y):
        return self

    def predict_proba(self, X):
        return np.where(np.arange(len(X))[:, None] == 7, np.nan, 0.5)


def columns(X):
    return X[list("abcd")].to_numpy()


def test_recordings_cost_and_are_counted():
    X, truth = as_table()
    learner = ActiveLearner(Reader(), X, visit_cost=3, row_cost=0.5, random_state=0)
    rows = learner.query(budget=10)
    visits = X["path"].iloc[rows].nunique()
    learner.teach(rows, truth[rows])
    line = learner.history_.iloc[-1]
    assert line["n_recordings"] == visits
    assert line["cost"] == 3 * visits + 0.5 * len(rows) <= 10
    with pytest.raises(ValueError, match="same rows in another order"):
        learner.teach([3, 1], pd.DataFrame(truth).iloc[[1, 3]])
    by_site = ActiveLearner(Reader(), X, recording_ids="recordist", visit_cost=3)
    by_site.teach(range(12), truth[:12])
    assert by_site.history_["cost"].tolist() == [15]
    assert by_site.labels_.index.equals(X.index)


def test_rows_that_cannot_be_read_are_named_once():
    X, truth = as_table()
    X.loc[[8, 30], "a"] = np.nan
    features = FunctionTransformer(columns)
    learner = ActiveLearner(Reader(), X, features=features, random_state=0)
    with pytest.warns(UserWarning, match="2 rows .* row 8, 1.ogg"):
        rows = learner.query(6)
    assert learner.unreadable_.tolist() == [8, 30]
    learner.teach(rows, truth[rows])
    assert not {8, 30} & set(learner.query(60))
    doubtful = ActiveLearner(Reader(), X, query=UncertaintyQuery())
    doubtful.teach(range(8), truth[:8])
    with pytest.warns(UserWarning, match="cannot be read"):
        assert not {8, 30} & set(doubtful.query(60))


def test_features_that_are_missing_in_all_rows_are_named():
    X, _ = make_blobs()
    features = X.copy()
    features[:, 1], features[::2, 3] = np.nan, np.inf
    learner = ActiveLearner(ProbeClassifier(), X, features=features)
    for query in (learner.query, lambda n: CoreSetQuery().select(n, features=features)):
        with pytest.raises(ValueError, match=r"no finite .* 1 of 4 columns \(1\), so"):
            query(3)
    assert len(learner.unreadable_) == 0
    with pytest.raises(ValueError, match=r"4 of 4 columns \(0, .*beyond 3.4e38"):
        CoreSetQuery().select(3, features=features * np.inf)
    learner = ActiveLearner(ProbeClassifier(), X, features=features[:, [0, 3]])
    with pytest.warns(UserWarning, match=r"30 rows .* row 0, .* 1 of 2 columns \(1\)"):
        learner.query(3)
    learner = ActiveLearner(Blind(), X, query=CoreSetQuery(UncertaintyQuery()))
    learner.teach([0], [[1]])
    with pytest.warns(UserWarning, match="1 row .* row 7. All are in unreadable_"):
        learner.query(3)
    nothing = np.full((60, 2), np.nan)
    assert len(CoreSetQuery().select(3, features=nothing)) == 0


def test_labels_of_rows_that_cannot_be_read_are_not_counted():
    X, _ = as_table()
    X.loc[8, "a"] = np.nan
    learner = ActiveLearner(Reader(), X, query=UncertaintyQuery())
    with pytest.warns(UserWarning, match=r"1 row .* row 8, 1\.ogg"):
        learner.teach([1, 2, 8], np.eye(3))
    learner.teach([3], [[1, 0, 0]])
    assert learner.history_["n_labeled"].tolist() == [2, 3]
    assert learner.history_["n_species"].tolist() == [2, 2]
    assert learner.unreadable_.tolist() == [8]


def test_a_broken_file_costs_nothing_but_itself(write_wav, tmp_path):
    seconds = np.arange(2 * RATE) / RATE
    hz = [*HZ.values()] * 3
    paths = [
        write_wav(f"{k}.wav", np.sin(2 * np.pi * tone * (1 + k / 200) * seconds))
        for k, tone in enumerate(hz)
    ]
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"no sound")
    paths.insert(5, str(broken))
    truth = np.insert(np.eye(4)[[0, 1, 2, 3] * 3], 5, 0, axis=0)
    encoder = quiet(toy(), on_error="skip", cache_dir=tmp_path / "cache", n_jobs=1)
    learner = ActiveLearner(
        make_pipeline(encoder, ProbeClassifier(C=0.1)),
        paths,
        query=ClusterQuery(UncertaintyQuery(), n_clusters=4),
        features=encoder,
        random_state=0,
    )
    with pytest.warns(UserWarning, match="1 row of the pool .* row 5, .*broken.wav"):
        rows = learner.query(4)
    assert truth[rows].sum(axis=0).tolist() == [1, 1, 1, 1]
    learner.teach(rows, truth[rows])
    assert set(learner.query(20)) == set(range(13)) - set(rows) - {5}
    hit = learner.estimator_.predict_proba(paths).argmax(axis=1) == truth.argmax(axis=1)
    assert hit[np.arange(13) != 5].all()


def test_held_out_rows_score_and_are_of_other_recordings():
    X, truth = as_table(120)
    Y = pd.DataFrame(truth)
    parts = {"X_test": X[60:], "Y_test": Y[60:]}
    learner = ActiveLearner(Reader(), X[:60], query=RandomQuery(), **parts)
    rows = learner.query(20)
    learner.teach(rows, Y.iloc[rows])
    assert 0.9 < learner.history_["score"].iloc[0] <= 1
    with pytest.raises(ValueError, match=r"1 recording .* '10\.ogg'.*never by row"):
        ActiveLearner(Reader(), X[:63], **parts)
    with pytest.raises(ValueError, match="'r5'"):
        ActiveLearner(Reader(), X[:66], recording_ids="recordist", **parts)
    with pytest.raises(ValueError, match="belong together"):
        ActiveLearner(Reader(), X[:60], X_test=X[60:])
    with pytest.raises(ValueError, match="X_test has 60 rows, but Y_test has 2"):
        ActiveLearner(Reader(), X[:60], X_test=X[60:], Y_test=Y[:2])


def test_recordings_of_the_pool_are_known_in_any_spelling():
    pool = pd.DataFrame({"path": [f"{k}.wav" for k in range(6)], "rec": list("abcdef")})
    held_out = pd.DataFrame({"path": ["7.wav", "./1.wav"], "rec": ["y", "z"]})

    def learner(X, **options):
        return ActiveLearner(
            ProbeClassifier(), X, query=RandomQuery(), Y_test=np.eye(2), **options
        )

    for ids in (None, "rec", np.arange(6)):
        for path in ("./1.wav", os.path.abspath("1.wav"), "1.wav"):
            X_test = held_out.assign(path=["7.wav", path])
            message = f"1 recording of X_test .* such as {re.escape(repr(path))}: the"
            with pytest.raises(ValueError, match=message):
                learner(pool, X_test=X_test, recording_ids=ids)
    spelled = ["0.wav", "./0.wav", os.path.abspath("0.wav"), "1.wav"]
    both = learner(pd.DataFrame({"path": spelled}), X_test=["7.wav", "8.wav"])
    assert both.recordings.tolist() == [0, 0, 0, 1]


def test_ids_of_several_types_can_be_shared():
    X = pd.DataFrame({"id": [1, "a", 2], "x": 0.0})
    with pytest.raises(ValueError, match=r"2 recordings of X_test .* such as 1: the"):
        ActiveLearner(Reader(), X, recording_ids="id", X_test=X[:2], Y_test=np.eye(2))


def test_tables_in_another_order_are_refused():
    X, truth = as_table(80)
    Y = pd.DataFrame(truth, columns=["dove", "owl", "wren"])
    pool, test, backwards = X[:60], X[60:], slice(None, None, -1)
    with pytest.raises(ValueError, match="X_test and Y_test have the same rows in ano"):
        ActiveLearner(Reader(), pool, X_test=test, Y_test=Y[60:].iloc[backwards])
    with pytest.raises(ValueError, match="X and features have the same rows in anot"):
        ActiveLearner(Reader(), pool, features=pool[list("abcd")].iloc[backwards])
    partly = Y[:60].copy()
    partly[9:] = -1
    with pytest.raises(ValueError, match="X and Y have the same rows in another order"):
        ActiveLearner(Reader(), pool, partly.iloc[backwards])
    with pytest.raises(ValueError, match="proba and Y have the same rows in another"):
        UncertaintyQuery().select(1, proba=Y, Y=Y.iloc[backwards])
    with pytest.raises(ValueError, match="proba and Y have the same columns in anot"):
        RareSpeciesQuery().select(1, proba=Y, Y=Y[["owl", "dove", "wren"]])


def test_held_out_labels_are_of_the_species_of_the_answers():
    X, truth = make_blobs(80)
    Y = pd.DataFrame(truth, columns=["dove", "owl", "wren"])

    def learner(Y_test):
        model = ProbeClassifier(C=0.1)
        return ActiveLearner(model, X[:60], X_test=X[60:], Y_test=Y_test)

    swapped = learner(Y[60:][["owl", "dove", "wren"]])
    with pytest.raises(ValueError, match=r"Y_test has 3 .*'owl'.*same species in the"):
        swapped.teach(range(20), Y[:20])
    assert swapped.labels_ is None
    with pytest.raises(ValueError, match="Y_test has 2 columns"):
        learner(truth[60:, :2]).teach(range(20), Y[:20])
    with pytest.raises(ValueError, match="Y_test holds 7 at row 0"):
        learner(truth[60:] + 7)
    numbered = learner(pd.DataFrame(truth[60:])[[1, 0, 2]])
    with pytest.raises(ValueError, match=r"Y_test has 3 .*\[1, 0, 2\], but"):
        numbered.teach(range(20), truth[:20])
    for answers, Y_test in ((Y, Y), (truth, Y), (Y, truth)):
        taught = learner(Y_test[60:]).teach(range(20), answers[:20])
        assert taught.history_["score"].iloc[0] > 0.9


def test_groups_score_labelled_rows_by_models_of_other_groups():
    X, truth = as_table()
    learner = ActiveLearner(Reader(), X, groups="recordist")
    learner.teach(range(5), truth[:5])
    assert np.isnan(learner.history_["score"].iloc[0])  # one recordist
    learner.teach(range(5, 60), truth[5:])
    assert learner.history_["score"].iloc[1] > 0.9
    # Random labels of recordings cannot be known by models of others.
    rng = np.random.default_rng(0)
    labels = rng.integers(2, size=(10, 3))[np.arange(60) // 6]
    by_row = ActiveLearner(Reader(), X, groups=np.arange(60), metric=group_metric)
    by_row.teach(range(60), labels)
    assert by_row.history_["score"].iloc[0] == 60


def group_metric(y_true, proba):
    return np.isfinite(proba).all(axis=1).sum()


def scripted(scores, agreements, **options):
    X, _ = make_blobs(20)
    learner = ActiveLearner(ProbeClassifier(), X, **options)
    for score, kappa in zip(scores, agreements, strict=True):
        learner._lines.append({"score": score, "agreement": kappa})
    return learner.termination_condition_


@pytest.mark.parametrize(
    ("scores", "agreements", "reason"),
    [
        ([], [], None),
        ([0.6, 0.7, 0.8, 0.9], [np.nan] * 4, None),
        ([0.6, 0.9, 0.89, 0.9, 0.901], [np.nan] * 5, "no_gain"),
        ([0.9, 0.89, 0.9], [np.nan] * 3, None),
        ([np.nan] * 3 + [0.8] * 3, [np.nan] * 6, None),
        ([np.nan] * 4, [np.nan, 0.995, 0.99, 1.0], "stable_predictions"),
        ([np.nan] * 4, [0.995, 0.98, 0.99, 1.0], None),
        ([0.1, 0.2, 0.3, 0.4], [0.995, 0.991, 0.99, 1.0], "stable_predictions"),
    ],
)
def test_loops_end_when_nothing_is_gained(scores, agreements, reason):
    assert scripted(scores, agreements) == reason


def test_answers_that_make_no_sense_are_refused(learner):
    _, truth = make_blobs()
    with pytest.raises(ValueError, match="60 rows, 0 to 59"):
        learner.teach([60], truth[:1])
    with pytest.raises(ValueError, match="row 3 more than once"):
        learner.teach([3, 3], truth[:2])
    with pytest.raises(TypeError, match="numbers of rows"):
        learner.teach([0.5], truth[:1])
    with pytest.raises(ValueError, match="holds -1 at row 0, column 0"):
        learner.teach([1], [[-1, -1, -1]])
    with pytest.raises(ValueError, match="shape"):
        learner.teach([1, 2], truth[:1])
    learner.teach([1], pd.DataFrame(truth[:1], columns=["a", "b", "c"]))
    with pytest.raises(ValueError, match="same columns"):
        learner.teach([2], pd.DataFrame(truth[:1], columns=["b", "a", "c"]))
    with pytest.raises(ValueError, match="same columns"):
        learner.teach([2], truth[:1, :2])
    assert len(learner.history_) == 1


def test_answers_may_be_missing_in_all_ways_of_pandas():
    X, _ = make_blobs()
    nullable = pd.DataFrame({"a": [1, pd.NA], "b": [0, 1]})
    expected = [[1, 0], [np.nan, 1]]
    for answers in (
        nullable,
        nullable.astype("Int64"),
        nullable.astype("Float64"),
        nullable.astype("boolean"),
        [[1, 0], [pd.NA, 1]],
        [[1, 0], [None, 1]],
    ):
        learner = ActiveLearner(ProbeClassifier(C=0.1), X).teach([4, 5], answers)
        np.testing.assert_array_equal(learner.labels_.iloc[[4, 5]], expected)
        begun = pd.DataFrame(answers)
        if (begun.dtypes == "boolean").all():
            continue  # it holds no -1
        begun = begun.reindex(range(60), fill_value=-1)
        begun = ActiveLearner(ProbeClassifier(C=0.1), X, begun)
        np.testing.assert_array_equal(begun.labels_.iloc[[0, 1]], expected)


@pytest.mark.parametrize(
    ("answers", "error", "message"),
    [
        ([["yes", "no"]] * 2, ValueError, "'yes' at row 0, column 0.*1 for yes"),
        ([[1, 0], [pd.NA, "?"]], ValueError, r"'\?' at row 1, column 1"),
        ([[1, 0], [1]], ValueError, "2 answers in row 0, but 1 in row 1"),
        ([[1, 0], [1, 7]], ValueError, "holds 7 at row 1, column 1"),
        (csr_matrix([[1, 0], [0, 1]]), TypeError, r"sparse.*Y\.toarray\(\)"),
        (np.zeros((2, 0)), ValueError, "column.* for each species"),
        ([1, 0], ValueError, "Y has shape"),
        ("yes", ValueError, "Y holds 'yes'; an answer"),
    ],
)
def test_answers_of_other_kinds_are_named(answers, error, message):
    X, _ = make_blobs(2)
    with pytest.raises(error, match=message):
        ActiveLearner(ProbeClassifier(), X).teach([0, 1], answers)
    with pytest.raises(error, match=message):
        ActiveLearner(ProbeClassifier(), X, answers)
    with pytest.raises(error, match=message):
        RandomQuery().select(1, Y=answers)


def test_labels_of_queries_are_checked():
    proba, query = np.full((3, 2), 0.4), RareSpeciesQuery()
    with pytest.raises(ValueError, match="Y has 3 columns, but proba has 2"):
        query.select(1, proba=proba, Y=np.full((3, 3), -1))
    with pytest.raises(ValueError, match=r"-1 at row 1, column 0.*-1 through"):
        query.select(1, proba=proba, Y=[[1, 0], [-1, 1], [-1, -1]])
    with pytest.raises(ValueError, match=r"-1 at row 1, column 0.*-1 through"):
        ActiveLearner(ProbeClassifier(), proba, [[-1, -1], [-1, 1], [-1, -1]])


def test_loops_are_checked_before_anybody_listens():
    X, _ = make_blobs()
    probe, table = ProbeClassifier(), as_table()[0]
    with pytest.raises(TypeError, match="predict_proba"):
        ActiveLearner(FunctionTransformer(), X)
    with pytest.raises(TypeError, match="no query"):
        ActiveLearner(probe, X, query="margin")
    with pytest.raises(ValueError, match="needs features"):
        ActiveLearner(probe, table, query=CoreSetQuery())
    with pytest.raises(ValueError, match="needs a model"):
        ActiveLearner(probe, X, first_query=UncertaintyQuery())
    with pytest.raises(ValueError, match="features has shape"):
        ActiveLearner(probe, table, features=X[:3])
    with pytest.raises(ValueError, match="patience"):
        ActiveLearner(probe, X, patience=0)
    for name in ("visit_cost", "row_cost"):
        with pytest.raises(ValueError, match=rf"'{name}' .* Got inf"):
            ActiveLearner(probe, X, **{name: np.inf})
    with pytest.raises(ValueError, match="Y has shape"):
        ActiveLearner(probe, X, [[1, 0, 0]])
    with pytest.raises(ValueError, match="not a column"):
        ActiveLearner(probe, table, groups="site")


def test_answers_outlive_a_training_that_fails():
    X, truth = make_blobs()

    class Moody(Reader):
        def fit(self, X, y):
            raise RuntimeError("out of memory")

    learner = ActiveLearner(Moody(), X)
    with pytest.raises(RuntimeError, match="memory"):
        learner.teach([1, 2], truth[:2])
    assert (learner.labels_ >= 0).any(axis=1).sum() == 2


def test_unlike_rows_teach_more_than_chance():
    rng = np.random.default_rng(0)
    species = rng.choice(6, p=[0.5, 0.3, 0.08, 0.06, 0.03, 0.03], size=400)
    truth = np.eye(6)[species]
    X = (truth @ (9 * np.eye(6)) + rng.normal(size=(400, 6))).astype(np.float32)
    parts = {"X_test": X[200:], "Y_test": truth[200:]}
    found = {}
    for query in (RandomQuery(), CoreSetQuery()):
        model = ProbeClassifier(C=0.1)
        learner = ActiveLearner(model, X[:200], query=query, random_state=0, **parts)
        for _ in range(4):
            rows = learner.query(3)
            learner.teach(rows, truth[rows])
        found[type(query)] = learner.history_[["n_species", "score"]].iloc[-1]
    assert found[CoreSetQuery]["n_species"] == 6 > found[RandomQuery]["n_species"]
    assert found[CoreSetQuery]["score"] > found[RandomQuery]["score"] + 0.02
