import sys
from types import SimpleNamespace

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import calibration_curve

from skbird.inspection._co_activation_display import CoActivationDisplay
from skbird.inspection._curriculum_display import CurriculumDisplay
from skbird.inspection._embedding_map_display import EmbeddingMapDisplay
from skbird.inspection._reliability_display import ReliabilityDisplay
from skbird.inspection._support_display import SupportDisplay
from skbird.inspection._threshold_curve_display import ThresholdCurveDisplay
from skbird.metrics import co_activation, species_report, threshold_curve

EVIL = "$\\frac{$ <b>"


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


@pytest.fixture
def predictions():
    rng = np.random.default_rng(0)
    proba = rng.random((200, 4))
    Y = (rng.random((200, 4)) < proba).astype(float)
    Y[:3, 0], proba[4], Y[5] = np.nan, np.nan, -1
    Y[:, 3] = np.where(Y[:, 3] == -1, -1, 0)  # a species without positives
    names = ["wren", "dove", EVIL, "owl"]
    return pd.DataFrame(Y, columns=names), pd.DataFrame(proba, columns=names)


@pytest.mark.parametrize(
    "display",
    [ThresholdCurveDisplay, ReliabilityDisplay, SupportDisplay, CoActivationDisplay],
)
def test_displays_take_given_axes_and_any_name(display, predictions):
    _, ax = plt.subplots()
    with pytest.warns(UserWarning, match="1 of 200 rows of proba is NaN"):
        made = display.from_predictions(*predictions, nan_rows="omit", ax=ax)
    assert made.ax_ is ax
    assert made.figure_ is ax.figure
    made.figure_.canvas.draw()
    with pytest.raises(ValueError, match="nan_rows"):
        display.from_predictions(*predictions)


@pytest.mark.parametrize("species", [None, EVIL])
def test_threshold_curves_are_those_of_the_metric(predictions, species):
    Y, proba = (table.drop(index=4) for table in predictions)
    display = ThresholdCurveDisplay.from_predictions(Y, proba, species=species)
    curve = threshold_curve(Y, proba, average=None if species else "macro")
    if species:
        curve = curve[curve["species"] == species].reset_index()
    for line, name in zip(
        display.ax_.lines, ("precision", "recall", "f_beta"), strict=False
    ):
        np.testing.assert_allclose(line.get_ydata(), curve[name])
    best = curve["threshold"][curve["f_beta"].idxmax()]
    assert display.best_threshold_ == best
    with pytest.raises(ValueError, match="species='robin' is not among the 4"):
        ThresholdCurveDisplay.from_predictions(Y, proba, species="robin")


def test_threshold_curve_without_positives():
    display = ThresholdCurveDisplay.from_predictions(np.zeros((3, 1)), np.ones((3, 1)))
    assert np.isnan(display.best_threshold_)


def test_reliability_is_that_of_scikit_learn(predictions):
    Y, proba = (table.drop(index=[4, 5]) for table in predictions)
    display = ReliabilityDisplay.from_predictions(
        Y, proba, species=["dove"], n_bins=5, strategy="uniform"
    )
    known = Y.notna().to_numpy()
    expected = {
        "all species": (Y.to_numpy()[known], proba.to_numpy()[known]),
        "dove": (Y["dove"], proba["dove"]),
    }
    for name, values in expected.items():
        curve = display.curves[display.curves["species"] == name]
        present, predicted = calibration_curve(*values, n_bins=5)
        np.testing.assert_allclose(curve["share_present"], present)
        np.testing.assert_allclose(curve["mean_predicted"], predicted)
    assert "owl" not in set(display.curves["species"])  # no positives
    labels = {text.get_text() for text in display.ax_.get_legend().get_texts()}
    assert labels == {"calibrated", "all species", "dove", "one species each"}
    with pytest.raises(ValueError, match=r"\['owl'\] are not"):
        ReliabilityDisplay.from_predictions(Y, proba, species=["owl"])
    with pytest.raises(ValueError, match="no known entry"):
        ReliabilityDisplay.from_predictions(Y * np.nan, proba)


def test_support_shows_each_judged_species(predictions):
    Y, proba = (table.drop(index=4) for table in predictions)
    report = species_report(Y, proba)
    display = SupportDisplay(report, "recall", support=pd.Series({"wren": 7})).plot()
    points = display.ax_.collections[0].get_offsets()
    np.testing.assert_allclose(points[:, 0], [7, 0, 0])  # owl has no recall
    np.testing.assert_allclose(points[:, 1], report["recall"].dropna())
    with pytest.raises(ValueError, match="metric='auc' is no column"):
        SupportDisplay(report, "auc").plot()


def test_confused_species_are_chosen():
    rng = np.random.default_rng(0)
    Y = np.repeat(np.eye(20), 10, axis=0)
    proba = 0.4 * rng.random(Y.shape)
    proba[Y == 1] = 1
    proba[30:40, 17] = 0.9  # 3 sounds like 17
    display = CoActivationDisplay.from_predictions(Y, proba, max_species=2)
    assert list(display.shown_.columns) == [3, 17]
    assert display.shown_.loc[3, 17] == 1
    rates = co_activation(Y, proba)
    assert CoActivationDisplay(rates).plot().shown_.equals(rates)
    assert rates.loc[3, 17] == 1  # not written to


def test_curriculum_shows_what_the_history_has():
    history = pd.DataFrame(
        {
            "curriculum_rows": [3, 6, 9],
            "train_loss": [0.9, 0.8, 0.7],
            "hard_negatives": [{"wren": 3, EVIL: 1}, {"wren": 2}, {"wren": 0}],
        },
        index=[1, 2, 3],
    )
    display = CurriculumDisplay(history).plot()
    rows, losses, negatives = display.axes_
    assert rows.lines[0].get_ydata().tolist() == [3, 6, 9]
    assert len(losses.lines) == 1
    assert negatives.images[0].get_array().tolist() == [[3, 2, 0], [1, 0, 0]]
    display.figure_.canvas.draw()
    assert len(CurriculumDisplay(history[["train_loss"]]).plot().axes_) == 1
    with pytest.raises(ValueError, match="history has no curriculum_rows"):
        CurriculumDisplay(history[[]]).plot()


def test_embeddings_apart_are_told_apart():
    rng = np.random.default_rng(0)
    train, same = rng.standard_normal((2, 300, 8))
    train[7] = np.nan
    display = EmbeddingMapDisplay.from_embeddings(train, same)
    assert display.train_points.shape == (299, 2)
    assert 0.35 < display.separability < 0.65
    far = EmbeddingMapDisplay.from_embeddings(train, same + 1, max_points=100)
    assert far.separability > 0.9
    assert len(far.soundscape_points) == 100
    with pytest.raises(
        ValueError, match=r"train_embeddings has 8 .*soundscape_embeddings 4"
    ):
        EmbeddingMapDisplay.from_embeddings(train, same[:, :4])
    with pytest.raises(
        ValueError, match="soundscape_embeddings has 5 rows without NaN"
    ):
        EmbeddingMapDisplay.from_embeddings(train, same[:5])
    with pytest.raises(ValueError, match="method='tsne' must be one of"):
        EmbeddingMapDisplay.from_embeddings(train, same, method="tsne")


def test_umap_is_asked_for_by_name(monkeypatch):
    points = np.random.default_rng(0).standard_normal((20, 4))
    monkeypatch.setitem(sys.modules, "umap", None)
    with pytest.raises(ImportError, match="pip install umap-learn"):
        EmbeddingMapDisplay.from_embeddings(points, points, method="umap")

    class UMAP:
        def __init__(self, n_components, random_state):
            assert n_components == 2

        def fit_transform(self, X):
            return X[:, :2]

    monkeypatch.setitem(sys.modules, "umap", SimpleNamespace(UMAP=UMAP))
    display = EmbeddingMapDisplay.from_embeddings(points, points, method="umap")
    assert display.ax_.get_xlabel() == "UMAP 1"
