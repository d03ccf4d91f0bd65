"""``set_output`` names the columns of matrices, and leaves all else alone."""

import inspect
import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn import config_context
from sklearn.base import BaseEstimator
from sklearn.compose import make_column_transformer
from sklearn.exceptions import NotFittedError
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import StandardScaler

import skbird.preprocessing
from skbird.data import Recordings, Spectrograms, as_recordings
from skbird.preprocessing import (
    BandPass,
    LogMel,
    RMSFilter,
    Segmenter,
    SpectrogramStatistics,
)
from skbird.preprocessing._clip_transformer import ClipTransformer, NoMatrixMixin

NAMES = [f"{name}_mel{band}" for name in ("mean", "std", "contrast") for band in (0, 1)]
FRONT = (BandPass(100, 7000), Segmenter(1.0), RMSFilter(random_state=0), LogMel(2))


@pytest.fixture
def X(bird_folder):
    return bird_folder[["path"]].iloc[:4]


@pytest.mark.parametrize("transform", ["pandas", "polars", "default", None])
def test_a_whole_pipeline_takes_set_output(X, transform):
    pipe = make_pipeline(*FRONT).set_output(transform=transform)
    assert isinstance(pipe.fit_transform(X), Spectrograms)
    assert isinstance(pipe.transform(X), Spectrograms)
    assert isinstance(pipe[:-1].transform(X), Recordings)


def test_statistics_become_a_named_table(X):
    pipe = make_pipeline(*FRONT, SpectrogramStatistics())
    expected = pipe.fit_transform(X)
    table = pipe.set_output(transform="pandas").fit_transform(X)
    assert list(table) == NAMES
    np.testing.assert_array_equal(table, expected)
    assert pipe.get_feature_names_out().tolist() == NAMES
    assert list(pipe.transform(X)) == NAMES
    assert (table.filter(like="std") >= 0).all(axis=None)


def test_names_travel_on(X):
    pipe = make_pipeline(*FRONT, SpectrogramStatistics(), StandardScaler())
    assert list(pipe.set_output(transform="pandas").fit_transform(X)) == NAMES
    union = make_union(make_pipeline(*FRONT, SpectrogramStatistics()))
    table = union.set_output(transform="pandas").fit_transform(X)
    assert list(table) == [f"pipeline__{name}" for name in NAMES]
    columns = make_column_transformer(
        (make_pipeline(*FRONT, SpectrogramStatistics()), "path")
    )
    table = columns.set_output(transform="pandas").fit_transform(X)
    assert list(table) == [f"pipeline__{name}" for name in NAMES]
    assert columns.get_feature_names_out().tolist() == list(table)


@pytest.mark.parametrize("give", [lambda X: X, lambda X: X["path"], as_recordings])
def test_tables_have_the_labels_of_the_rows(X, give):
    # A table beside it, joined by labels, would otherwise be put to other rows.
    X = X.set_axis([3, 2, 1, 0])
    pipe = make_pipeline(*FRONT, SpectrogramStatistics())
    expected = pipe.fit(X).transform(X)
    table = pipe.set_output(transform="pandas").transform(give(X))
    assert table.index.tolist() == [3, 2, 1, 0]
    np.testing.assert_array_equal(table, expected)
    made = pipe[:-1].transform(give(X))
    assert pickle.loads(pickle.dumps(made))[[1, 3]].index.tolist() == [2, 0]
    lazy = pipe[:-2].transform(give(X))
    assert pickle.loads(pickle.dumps(lazy))[1:].index.tolist() == [2, 1, 0]
    assert lazy.assign(site="a").index.tolist() == [3, 2, 1, 0]


def test_paths_without_labels_are_numbered(X):
    pipe = make_pipeline(*FRONT, SpectrogramStatistics()).set_output(transform="pandas")
    assert pipe.fit_transform(X["path"].tolist()).index.tolist() == [0, 1, 2, 3]
    arrays = Spectrograms.from_arrays(np.zeros((3, 2, 20)))
    table = SpectrogramStatistics().set_output(transform="pandas").fit_transform(arrays)
    assert table.index.tolist() == [0, 1, 2]


def test_the_global_setting_does_the_same(X):
    Y = np.eye(2)[[0, 1, 0, 1]]
    pipe = make_pipeline(*FRONT, SpectrogramStatistics(), KNeighborsClassifier(1))
    with config_context(transform_output="pandas"):
        assert isinstance(make_pipeline(*FRONT).fit_transform(X), Spectrograms)
        assert pipe.fit(X, Y).predict(X).tolist() == Y.tolist()
    assert pipe[-1].feature_names_in_.tolist() == NAMES


def test_names_are_known_after_fit():
    with pytest.raises(NotFittedError, match="not fitted yet"):
        SpectrogramStatistics().get_feature_names_out()


def public_transformers():
    found = [getattr(skbird.preprocessing, n) for n in skbird.preprocessing.__all__]
    return [c for c in found if inspect.isclass(c) and hasattr(c, "transform")]


@pytest.mark.parametrize("transformer", public_transformers())
def test_all_transformers_take_set_output(transformer):
    step = transformer() if transformer is not BandPass else BandPass(50, 7000)
    assert step.set_output(transform="pandas") is step
    assert hasattr(step, "get_feature_names_out")


def test_a_filter_of_ones_own_takes_it_too(X):
    class Nothing(ClipTransformer):
        def fit(self, X, y=None):
            return self

        def transform(self, X):
            return as_recordings(X)

    class Rows(NoMatrixMixin, BaseEstimator):
        def fit(self, X, y=None):
            return self

        def transform(self, X):
            return pd.Series(X["path"])

    for step in (Nothing(), Rows()):
        plain = step.fit_transform(X)
        step.set_output(transform="pandas")
        assert type(step.fit_transform(X)) is type(plain)
        assert type(step.transform(X)) is type(plain)
    assert Rows().get_feature_names_out(["path"]).tolist() == ["path"]
