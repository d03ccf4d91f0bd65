"""What is asked of a model does not depend on what it is wrapped in."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import get_tags
from tiny_cnn import TinyCNN

from skbird.archive import predict_archive
from skbird.cli import _models
from skbird.ensemble import (
    FoldEnsemble,
    MultilabelVotingClassifier,
    SeedEnsemble,
)
from skbird.inference import compile_pipeline
from skbird.inspection._row_views import split_front_end
from skbird.metrics import macro_roc_auc, macro_roc_auc_scorer
from skbird.nn import CNNClassifier
from skbird.postprocessing import (
    MultilabelCalibrator,
    SoundscapeReweighter,
    ThresholdTuner,
)
from skbird.preprocessing import LogMel, Segmenter, SpectrogramStatistics
from skbird.semi_supervised import PseudoLabelSelfTraining
from skbird.utils._nested import (
    final_network,
    parts_of,
    predict_matrix,
    species_of,
    steps_of,
    takes_fractions,
)

SPECIES = ["dove", "wren"]


@pytest.fixture(scope="module")
def rows(bird_folder):
    Y = pd.get_dummies(bird_folder["species"], dtype=float)[SPECIES]
    return bird_folder, Y


@pytest.fixture(scope="module")
def pipe(rows):
    """A fitted pipeline, its front end a pipeline of its own."""
    front = make_pipeline(Segmenter(1.0), "passthrough", LogMel(32))
    net = CNNClassifier(
        module=TinyCNN,
        backbone_weights=None,
        max_epochs=1,
        segments_per_row=1,
        callbacks__validation__fraction=0,
        verbose=0,
        random_state=0,
    )
    return Pipeline([("front", front), ("net", net)]).fit(*rows)


WRAPPINGS = {
    "pipeline": lambda frozen: frozen.estimator,
    "frozen": lambda frozen: frozen,
    "twice frozen": FrozenEstimator,
    "search": lambda frozen: GridSearchCV(
        make_pipeline(frozen), {}, cv=2, scoring=macro_roc_auc_scorer
    ),
    "reweighter": SoundscapeReweighter,
    "calibrator": lambda frozen: MultilabelCalibrator(SoundscapeReweighter(frozen)),
    "voting": lambda frozen: MultilabelVotingClassifier([("a", frozen), ("b", "drop")]),
    "folds": lambda frozen: FoldEnsemble(frozen, cv=2),
}


@pytest.fixture(scope="module")
def wrapped(pipe, rows):
    """The fitted pipeline in each wrapping, fitted."""
    models = {name: wrap(FrozenEstimator(pipe)) for name, wrap in WRAPPINGS.items()}
    fitted = ("pipeline", "frozen", "twice frozen")
    return {n: m if n in fitted else m.fit(*rows) for n, m in models.items()}


@pytest.mark.slow
@pytest.mark.parametrize("name", WRAPPINGS)
def test_the_walker_finds_what_is_inside(wrapped, pipe, name):
    model = wrapped[name]
    assert species_of(model).tolist() == SPECIES
    assert final_network(model) is pipe[-1]
    steps, logmel = split_front_end(model)
    assert isinstance(logmel, LogMel)
    assert isinstance(steps[0], Segmenter)
    assert takes_fractions(model)


@pytest.mark.parametrize("name", WRAPPINGS)
def test_an_archive_names_the_species_whatever_the_model_is_wrapped_in(
    wrapped, rows, tmp_path, name
):
    X, _ = rows
    result = predict_archive(wrapped[name], X["path"][:2], tmp_path / "out")
    assert [c for c in result.read() if c in SPECIES] == SPECIES


@pytest.mark.parametrize("name", WRAPPINGS)
def test_commands_name_species_and_set_what_predicts(wrapped, name):
    model = pickle.loads(pickle.dumps(wrapped[name]))
    assert _models.species_names(model).tolist() == SPECIES
    assert _models.row_length(model) == 1.0
    _models.make_lenient(model)
    assert split_front_end(model)[1].on_error == "skip"


def test_classifiers_that_refuse_rows_without_sound_are_told_of_them():
    pipe = make_pipeline(LogMel(), SpectrogramStatistics(), KNeighborsClassifier())
    _models.make_lenient(pipe)
    assert pipe[0].on_error == "raise"


def test_a_search_is_asked_for_what_it_fitted_not_for_what_it_was_given(rows):
    knn = make_pipeline(Segmenter(1.0), LogMel(16), SpectrogramStatistics(), _Names())
    search = GridSearchCV(
        knn, {"segmenter__segment_s": [2.0]}, cv=2, scoring=macro_roc_auc_scorer
    ).fit(*rows)
    assert _models.row_length(search) == 2.0
    assert species_of(search).tolist() == SPECIES
    assert [type(step).__name__ for step in steps_of(search)] == [
        "Segmenter",
        "LogMel",
        "SpectrogramStatistics",
        "_Names",
    ]
    assert knn not in parts_of(search)
    assert parts_of(search)[1] is search.best_estimator_


class _Names(KNeighborsClassifier):
    """A classifier of somebody else that remembers names."""

    def fit(self, X, y):
        self.species_ = list(y.columns)
        return super().fit(X, y)


def test_candidates_of_a_search_do_not_work_in_it():
    X, y = [[0.0], [1.0], [0.1], [0.9]], [0, 1, 0, 1]
    candidates = [KNeighborsClassifier(1), KNeighborsClassifier(2)]
    grid = {"knn": candidates}
    search = GridSearchCV(Pipeline([("knn", candidates[0])]), grid, cv=2)
    assert parts_of(search)[1:] == [search.estimator, candidates[0]]
    search.fit(X, y)
    best = search.best_estimator_
    assert [id(part) for part in parts_of(search)] == [
        id(part) for part in (search, best, best[-1])
    ]


def test_who_takes_fractions():
    knn, net = KNeighborsClassifier(), CNNClassifier()
    assert takes_fractions(make_pipeline(FunctionTransformer(), net))
    assert takes_fractions(GridSearchCV(make_pipeline(net), {}))
    assert takes_fractions(MultilabelVotingClassifier([("a", net), ("b", "drop")]))
    assert not takes_fractions(MultilabelVotingClassifier([("a", net), ("b", knn)]))
    assert not takes_fractions(SeedEnsemble(make_pipeline(knn)))
    assert not takes_fractions(GridSearchCV(knn, {}))
    # It makes indicators of y, whatever it holds.
    assert not takes_fractions(OneVsRestClassifier(net))


def test_models_that_know_no_species_tell_none():
    knn = make_pipeline(KNeighborsClassifier(1)).fit([[0], [1]], [[1, 0], [0, 1]])
    assert species_of(knn) is None
    assert final_network(knn) is None
    assert species_of(GridSearchCV(knn, {})) is None
    assert predict_matrix(knn, [[0]]).tolist() == [[1.0, 0.0]]


def test_one_species_is_one_column():
    Y = pd.DataFrame({"wren": [0, 1, 0, 1]})
    model = ThresholdTuner(KNeighborsClassifier(1), cv=2, min_positives=1)
    model.fit(np.array([[0], [1], [0.1], [1.1]]), Y)
    assert predict_matrix(model.estimator_, [[1]], 1).tolist() == [[1.0]]
    assert predict_matrix(model, [[1]]).tolist() == [[1.0]]


@pytest.mark.slow
@pytest.mark.parametrize("name", WRAPPINGS)
def test_a_compiled_model_scores_and_decides_as_the_model_does(wrapped, rows, name):
    X, Y = rows
    model = wrapped[name]
    compiled = compile_pipeline(model, backend="torch", precision="float32")
    assert compiled.species_.tolist() == SPECIES
    assert compiled.classes_.tolist() == [[0, 1], [0, 1]]
    assert compiled.score(X, Y) == pytest.approx(
        macro_roc_auc(Y, model.predict_proba(X)), abs=1e-6
    )
    if name != "search":  # it takes another scoring along
        assert compiled.score(X, Y) == pytest.approx(model.score(X, Y), abs=1e-6)
    np.testing.assert_array_equal(compiled.predict(X), model.predict(X))
    assert get_tags(compiled).classifier_tags.multi_label


@pytest.mark.slow
def test_a_compiled_self_training_keeps_its_species(pipe, rows):
    X, Y = rows
    frozen = FrozenEstimator(pipe)
    with pytest.warns(UserWarning, match="No row of y is -1"):
        model = PseudoLabelSelfTraining(frozen, verbose=0).fit(X, Y)
    compiled = compile_pipeline(model, backend="torch", precision="float32")
    assert compiled.species_.tolist() == SPECIES
    assert compiled.classes_.tolist() == model.classes_.tolist()
    assert compiled.score(X, Y) == pytest.approx(pipe.score(X, Y), abs=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("name", [*WRAPPINGS, "compiled"])
def test_scores_want_the_species_in_the_order_of_the_model(wrapped, rows, name):
    X, Y = rows
    if name == "compiled":
        model = compile_pipeline(
            wrapped["pipeline"], backend="torch", precision="float32"
        )
    else:
        model = wrapped[name]
    with pytest.raises(ValueError, match="Order y as its species_"):
        macro_roc_auc_scorer(model, X, Y[SPECIES[::-1]])
    with pytest.raises(ValueError, match="Order y as its species_"):
        model.score(X, Y[SPECIES[::-1]])
    assert model.score(X, Y) == model.score(X, Y.to_numpy())
