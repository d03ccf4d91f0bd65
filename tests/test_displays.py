import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.neighbors import KNeighborsClassifier

from skbird.inspection import AttentionDisplay, SelfTrainingDisplay
from skbird.semi_supervised import PseudoLabelSelfTraining


@pytest.fixture
def rounds():
    history = pd.DataFrame(
        {"n_hard": [3, 5], "n_soft": [4, 1], "n_zero": [9, 7]}, index=[1, 2]
    )
    coverage = pd.DataFrame([[3, 4], [6, 0]], index=[1, 2], columns=["wren", "dove"])
    yield history, coverage
    plt.close("all")


def test_bars_say_what_the_rounds_were(rounds):
    display = SelfTrainingDisplay(*rounds).plot()
    labels, coverage = display.axes_
    heights = [bar.get_height() for bar in labels.patches]
    assert heights == [3, 5, 4, 1]
    assert [bar.get_y() for bar in labels.patches] == [0, 0, 3, 5]
    assert labels.lines[0].get_ydata().tolist() == [9, 7]
    assert [bar.get_height() for bar in coverage.patches] == [3, 4, 6, 0]
    names = [text.get_text() for text in coverage.get_xticklabels()]
    assert names == ["wren", "dove"]
    display.figure_.canvas.draw()


def test_legends_cover_no_bar(rounds):
    display = SelfTrainingDisplay(*rounds).plot()
    display.figure_.canvas.draw()
    for axis in display.axes_:
        legend = axis.get_legend().get_window_extent()
        assert not legend.overlaps(axis.get_window_extent())
        assert legend.y1 <= display.figure_.bbox.y1


def test_given_axes_are_used(rounds):
    _, axes = plt.subplots(1, 2)
    display = SelfTrainingDisplay(*rounds).plot(axes=axes)
    assert display.figure_ is axes[0].figure


@pytest.mark.parametrize("n_axes", [0, 1])
def test_axes_that_are_too_few_are_counted(rounds, n_axes):
    axes = [plt.figure().add_subplot() for _ in range(n_axes)]
    message = f"axes has {n_axes} ax[ei]s, but 2 are needed"
    with pytest.raises(ValueError, match=message):
        SelfTrainingDisplay(*rounds).plot(axes=axes)
    curve = np.ones(4)
    attention = AttentionDisplay(
        np.zeros((8, 4)), np.arange(10.0), 0.1, 0.0, curve, curve, "time", "wren"
    )
    with pytest.raises(ValueError, match=message.replace("2", "3")):
        attention.plot(axes=axes)


def test_it_needs_rounds(rounds):
    with pytest.raises(ValueError, match="history has no rounds"):
        SelfTrainingDisplay(rounds[0][:0], rounds[1][:0]).plot()
    model = PseudoLabelSelfTraining(KNeighborsClassifier())
    with pytest.raises(NotFittedError, match="PseudoLabelSelfTraining"):
        SelfTrainingDisplay.from_estimator(model)
    assert np.shape(SelfTrainingDisplay(*rounds).plot().axes_) == (2,)
