import numpy as np
import pandas as pd
import pytest

from skbird.data import recording_weights


@pytest.fixture
def table():
    return pd.DataFrame(
        {
            "path": [f"{n}.ogg" for n in range(10)],
            "collection": ["XC"] * 6 + ["CSA"] * 4,
            "rating": [5, 4, 3, 2, 1, 0, np.nan, 5, 5, 5],
        }
    )


@pytest.fixture
def Y():
    Y = np.zeros((10, 2))
    Y[:8, 0] = 1
    Y[8:, 1] = 1
    return Y


@pytest.mark.parametrize(("power", "ratio"), [(0, 1), (-0.5, 2), (-1, 4)])
def test_class_power_lifts_rare_species(table, Y, power, ratio):
    weight = recording_weights(table, Y, class_power=power)
    assert weight.mean() == pytest.approx(1)
    assert weight[9] / weight[0] == pytest.approx(ratio)


def test_with_power_minus_one_species_are_drawn_equally_often(table, Y):
    weight = recording_weights(table, Y, class_power=-1)
    assert weight[:8].sum() == pytest.approx(weight[8:].sum())


def test_collections_are_weighed(table, Y):
    weight = recording_weights(table, Y, collection={"CSA": 0.25}, class_power=0)
    assert weight[9] / weight[0] == pytest.approx(0.25)


def test_ratings_are_weighed_and_missing_ones_are_middling(table, Y):
    weight = recording_weights(table, Y, class_power=0, rating_power=1)
    np.testing.assert_allclose(weight[:5] / weight[0], [1, 0.8, 0.6, 0.4, 0.2])
    # The median of 5 4 3 2 1 5 5 5 is 4.5.
    np.testing.assert_allclose(weight[5:7] / weight[0], 0.9)
    for missing in (np.inf, -np.inf, -1):
        table["rating"] = table["rating"].fillna(missing)
        again = recording_weights(table, Y, class_power=0, rating_power=1)
        np.testing.assert_array_equal(again, weight)


def test_a_cap_bounds_the_share_of_a_species(table, Y):
    weight = recording_weights(table, Y, class_power=0, max_per_species=2)
    assert weight[:8].sum() == pytest.approx(weight[8:].sum())


def test_the_rarest_species_of_a_recording_decides(table, Y):
    Y[0, 1] = 1
    weight = recording_weights(table, Y)
    assert weight[0] == weight[9] > weight[1]


def test_rows_without_a_species_are_average(table, Y):
    Y[3] = 0
    Y[4] = -1
    weight = recording_weights(table, Y)
    others = np.delete(weight, [3, 4]).mean()
    np.testing.assert_allclose(weight[3:5], others)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"collection": {"CSA": -1}}, r"collection\['CSA'\]=-1 must be"),
        ({"collection": 0.5}, "must map collections to weights"),
        ({"collection": {"XC": 0, "CSA": 0}}, "All recordings have weight 0"),
        ({"max_per_species": 0}, "max_per_species=0 must be at least 1"),
    ],
)
def test_parameters_are_checked(table, Y, params, message):
    with pytest.raises(ValueError, match=message):
        recording_weights(table, Y, **params)


def test_missing_columns_and_rows_are_named(table, Y):
    with pytest.raises(ValueError, match="no column 'rating'"):
        recording_weights(table[["path"]], Y, rating_power=1)
    with pytest.raises(
        ValueError, match="with 10 rows, as many as table has, is needed"
    ):
        recording_weights(table, Y[:4])
