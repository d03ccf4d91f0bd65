import json
import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.frozen import FrozenEstimator

from skbird.archive import MANIFEST, places_of_run
from skbird.archive._manifest import _checksum
from skbird.data import Recordings
from skbird.encoders import GeoModelSpec, load_encoder, load_geo_model
from skbird.encoders._geo_spec import known_geo_specs
from skbird.postprocessing import MultilabelCalibrator, PlaceSeasonPrior
from skbird.utils._days import hours, moments, week_of

SPECIES = ["wren", "swift", "bat"]
PLACE = {"prior": "geo", "latitude": 5, "longitude": "x", "date": None}
PLACE |= {"strength_": 0.5, "min_prior": 0.01}
NAMES = {
    "wren": "Troglodytes troglodytes",
    "swift": "Apus apus",
    "bat": "Myotis myotis",
}


def occurs(places):
    """Wrens are north of the equator, swifts there in summer, bats not known."""
    north = places[:, 0] > 0
    summer = north & (places[:, 2] > 17) & (places[:, 2] < 31)
    return np.column_stack([0.8 * north, 0.5 * summer, np.full(len(places), 0.002)])


MODEL = load_geo_model(
    occurs, GeoModelSpec("toy", "1", 3, class_names=list(NAMES.values()))
)


class Predicts:
    """Has the method of a geo model only."""

    def predict(self, X):
        return X


class Given(ClassifierMixin, BaseEstimator):
    """Predicts what the columns p_wren, p_swift, ... say."""

    def __init__(self, species=None):
        self.species = species

    def fit(self, X, y, sample_weight=None):
        self.n_fitted_ = len(X)
        self.sample_weight_ = sample_weight
        if hasattr(y, "columns"):
            self.species_ = np.array(y.columns, dtype=object)
        elif self.species is not None:
            self.species_ = np.array(self.species, dtype=object)
        else:
            self.species_ = np.arange(np.shape(y)[1])
        return self

    def predict_proba(self, X):
        return X[[f"p_{name}" for name in self.species_]].to_numpy()


def make_rows(n=6, seed=0):
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(rng.random((n, 3)), columns=[f"p_{name}" for name in SPECIES])
    X["path"] = [f"{k}.wav" for k in range(n)]
    X["latitude"], X["longitude"] = 52.0, 13.0
    X["date"] = "2024-06-10"
    Y = pd.DataFrame(rng.integers(0, 2, (n, 3)), columns=SPECIES)
    return X, Y


def proba_of(X):
    return X[[f"p_{name}" for name in SPECIES]].to_numpy()


def fit_geo(X, Y, **params):
    params = {"names": NAMES, "strength": 1.0} | params
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The prior knows nothing of bat")
        return PlaceSeasonPrior(Given(), MODEL, **params).fit(X, Y)


def odds(p):
    return p / (1 - p)


def test_odds_are_multiplied_by_the_prior():
    X, Y = make_rows()
    X.loc[3, "date"] = "2024-01-10"  # swifts are in Africa
    X.loc[4, "latitude"] = -20.0
    proba = fit_geo(X, Y, min_prior=0.01).predict_proba(X)
    factor = odds(proba) / odds(proba_of(X))
    np.testing.assert_allclose(factor[[0, 1, 2, 5]], [[0.8, 0.5, 1]] * 4)
    np.testing.assert_allclose(factor[3], [0.8, 0.01, 1])
    np.testing.assert_allclose(factor[4], [0.01, 0.01, 1])


@pytest.mark.parametrize("strength", [0.25, 0.5, 2.0])
def test_strength_is_the_exponent(strength):
    X, Y = make_rows()
    proba = fit_geo(X, Y, strength=strength).predict_proba(X)
    factor = odds(proba) / odds(proba_of(X))
    np.testing.assert_allclose(factor, [np.array([0.8, 0.5, 1]) ** strength] * 6)


def test_strength_zero_changes_no_bit():
    X, Y = make_rows(50)
    np.testing.assert_array_equal(
        fit_geo(X, Y, strength=0).predict_proba(X), proba_of(X)
    )


@pytest.mark.parametrize("reference", [None, 0.1, "fit"])
@pytest.mark.parametrize("strength", [0.5, 3.0])
def test_order_and_range_stay(reference, strength):
    X, Y = make_rows(101)
    X["p_wren"] = np.linspace(0, 1, 101)
    proba = fit_geo(X, Y, reference=reference, strength=strength).predict_proba(X)
    assert (np.diff(proba[:, 0]) >= 0).all()
    assert proba[0, 0] == 0
    assert proba[-1, 0] == 1
    assert ((proba >= 0) & (proba <= 1)).all()


def test_nothing_is_raised_by_default():
    X, Y = make_rows(40)
    assert (fit_geo(X, Y).predict_proba(X) <= proba_of(X)).all()


def test_unreadable_rows_and_their_type_stay():
    X, Y = make_rows()
    columns = [f"p_{name}" for name in SPECIES]
    X[columns] = X[columns].astype(np.float32)
    X.loc[2, columns] = np.nan
    proba = fit_geo(X, Y).predict_proba(X)
    assert np.isnan(proba).any(axis=1).tolist() == [k == 2 for k in range(6)]
    assert proba.dtype == np.float32
    assert fit_geo(X, Y).predict(X)[2].tolist() == [0, 0, 0]


def test_reference_is_the_prior_at_which_nothing_changes():
    X, Y = make_rows()
    same = fit_geo(X, Y, reference="fit")
    np.testing.assert_allclose(same.predict_proba(X), proba_of(X))
    X["date"] = "2024-01-10"
    factor = odds(same.predict_proba(X)) / odds(proba_of(X))
    np.testing.assert_allclose(factor, [[1, 0.01 / 0.5, 1]] * 6)
    half = fit_geo(X, Y, reference=0.4).predict_proba(X)
    np.testing.assert_allclose(odds(half[:, 0]), 2 * odds(X["p_wren"]))


def test_rows_without_place_or_date_stay_and_are_counted():
    X, Y = make_rows()
    X.loc[0, "latitude"] = np.nan
    X.loc[1, "date"] = None
    X.loc[2, "longitude"] = 999.0
    with pytest.warns(UserWarning, match="knows nothing of 3 of 6 rows, such as row 0"):
        model = fit_geo(X, Y)
    with pytest.warns(UserWarning, match="3 of 6 rows"):
        proba = model.predict_proba(X)
    np.testing.assert_array_equal(proba[:3], proba_of(X)[:3])
    assert (proba[3:, 0] < proba_of(X)[3:, 0]).all()


def test_species_that_the_model_was_not_trained_on_stay():
    X, Y = make_rows()
    with pytest.warns(UserWarning, match=r"knows nothing of bat \(1 of 3 species\)"):
        model = PlaceSeasonPrior(Given(), MODEL, names=NAMES).fit(X, Y)
    assert model.species_prior_["known"].tolist() == [True, True, False]
    assert model.species_prior_["mean_prior"].round(3).tolist()[:2] == [0.8, 0.5]
    np.testing.assert_array_equal(model.predict_proba(X)[:, 2], X["p_bat"])


def test_species_that_are_nowhere_near_are_not_taken_for_unknown():
    X, Y = make_rows()
    X["date"] = "2024-01-10"
    assert fit_geo(X, Y).species_prior_["known"].tolist() == [True, True, False]


def test_names_are_matched_without_case_and_underscores():
    X, Y = make_rows()
    names = {name: given.lower().replace(" ", "_") for name, given in NAMES.items()}
    np.testing.assert_array_equal(
        fit_geo(X, Y, names=names).predict_proba(X), fit_geo(X, Y).predict_proba(X)
    )
    with pytest.warns(UserWarning, match="wren, swift, bat .3 of 3 species."):
        model = PlaceSeasonPrior(Given(), MODEL).fit(X, Y)
    np.testing.assert_array_equal(model.predict_proba(X), proba_of(X))


def test_the_species_of_the_classifier_count_if_y_names_none():
    X, Y = make_rows()
    model = PlaceSeasonPrior(Given(SPECIES), MODEL, names=NAMES, strength=1.0)
    with pytest.warns(UserWarning, match="bat"):
        model.fit(X, Y.to_numpy())
    np.testing.assert_array_equal(
        model.predict_proba(X), fit_geo(X, Y).predict_proba(X)
    )


def test_the_whole_year_needs_no_date():
    X, Y = make_rows()
    proba = fit_geo(X.drop(columns="date"), Y, date=None).predict_proba(X)
    np.testing.assert_allclose(odds(proba[:, 1]), 0.5 * odds(X["p_swift"]))


def test_columns_may_have_other_names():
    X, Y = make_rows()
    renamed = X.rename(columns={"latitude": "lat", "longitude": "lon", "date": "day"})
    columns = {"latitude": "lat", "longitude": "lon", "date": "day"}
    np.testing.assert_array_equal(
        fit_geo(renamed, Y, **columns).predict_proba(renamed),
        fit_geo(X, Y).predict_proba(X),
    )


def test_one_place_for_all_rows_and_dates_of_file_names():
    X, Y = make_rows()
    X["path"] = [f"a/AM1_2024{month:02d}10_073000.WAV" for month in [1, 1, 1, 6, 6, 6]]
    dated = X.assign(date=["2024-01-10"] * 3 + ["2024-06-10"] * 3)
    expected = fit_geo(dated, Y).predict_proba(dated)
    rows = X.drop(columns=["latitude", "longitude", "date"])
    model = fit_geo(rows, Y, latitude=52.0, longitude=13)
    np.testing.assert_array_equal(model.predict_proba(rows), expected)
    rows.loc[0, "path"] = "a/XC20240610.mp3"
    with pytest.warns(UserWarning, match="1 of 6 rows, such as row 0"):
        proba = model.predict_proba(rows)
    np.testing.assert_array_equal(proba[0], proba_of(rows)[0])


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ("latitude", "needs the columns latitude='latitude' and longitude='longitude'"),
        ("longitude", "needs the columns latitude='latitude'"),
        (
            "date",
            "needs the column 'week' of X.*nor date='date' or times in",
        ),
    ],
)
def test_missing_columns_are_named_before_the_fit(column, message):
    X, Y = make_rows()
    with pytest.raises(ValueError, match=message):
        fit_geo(X.drop(columns=column), Y)
    model = fit_geo(X, Y)
    with pytest.raises(ValueError, match=message):
        model.predict_proba(X.drop(columns=column))


def test_rows_whose_names_tell_no_date_stay_as_they_are_where_names_told_it():
    X, Y = make_rows()
    days = pd.to_datetime(X["date"])
    dated = X.drop(columns="date").assign(path=days.dt.strftime("S_%Y%m%d_050000.wav"))
    model = fit_geo(dated, Y)
    assert model.dates_from_names_
    assert not fit_geo(X, Y).dates_from_names_
    np.testing.assert_array_equal(
        model.predict_proba(dated), fit_geo(X, Y).predict_proba(X)
    )
    with pytest.warns(UserWarning, match="6 of 6 rows"):
        proba = model.predict_proba(dated.assign(path="S.wav"))
    np.testing.assert_array_equal(proba, proba_of(X))
    fitted_on_weeks = fit_geo(dated.assign(week=1), Y)
    with pytest.raises(ValueError, match="needs the column 'week'"):
        fitted_on_weeks.predict_proba(dated.assign(path="S.wav"))


def test_arrays_have_no_places():
    X, Y = make_rows()
    with pytest.raises(ValueError, match="has no row table"):
        fit_geo(proba_of(X), Y)


def test_no_rows_are_predicted():
    X, Y = make_rows()
    assert fit_geo(X, Y).predict_proba(X.iloc[:0]).shape == (0, 3)


def test_recordings_carry_the_columns():
    X, Y = make_rows()

    class Rows(Given):
        def predict_proba(self, X):
            return super().predict_proba(X.rows)

    with pytest.warns(UserWarning, match="bat"):
        model = PlaceSeasonPrior(Rows(), MODEL, names=NAMES, strength=1.0).fit(X, Y)
    np.testing.assert_array_equal(
        model.predict_proba(Recordings(X)), fit_geo(X, Y).predict_proba(X)
    )


MONTHS = pd.DataFrame(
    {
        "species": ["wren", "wren", "Swift"],
        "month": [1, 6, 6],
        "prior": [0.5, 1.0, 0.25],
    }
)


@pytest.mark.parametrize("kind", ["table", "csv", "tsv"])
def test_tables_tell_priors(kind, tmp_path):
    X, Y = make_rows()
    X.loc[:2, "date"] = "2024-01-03"
    prior = MONTHS
    if kind != "table":
        prior = tmp_path / f"priors.{kind}"
        MONTHS.to_csv(prior, sep="," if kind == "csv" else "\t", index=False)
    with pytest.warns(UserWarning, match="bat"):
        model = PlaceSeasonPrior(Given(), prior, strength=1.0).fit(X, Y)
    proba = model.predict_proba(X)
    factor = odds(proba) / odds(proba_of(X))
    np.testing.assert_allclose(factor[:3], [[0.5, 1, 1]] * 3)  # swifts: not said
    np.testing.assert_allclose(factor[3:], [[1, 0.25, 1]] * 3)
    if kind != "table":
        prior.unlink()  # the model needs it no more
        np.testing.assert_array_equal(
            pickle.loads(pickle.dumps(model)).predict_proba(X), proba
        )


def test_tables_may_have_sites_hours_and_no_columns():
    X, Y = make_rows()
    X["site"] = ["a", "a", "b", "b", "c", "c"]
    X["time"] = [700, "07:10", "073000", 2200, 7, None]
    table = pd.DataFrame(
        {"species": "wren", "site": ["a", "b"], "hour": [7, 7], "prior": [0.5, 0.2]}
    )
    with (
        pytest.warns(UserWarning, match="swift, bat"),
        pytest.warns(UserWarning, match="3 of 6 rows, such as row 3"),
    ):
        model = PlaceSeasonPrior(Given(), table, strength=1.0).fit(X, Y)
    with pytest.warns(UserWarning, match="3 of 6 rows, such as row 3"):
        proba = model.predict_proba(X)
    factor = odds(proba) / odds(proba_of(X))
    np.testing.assert_allclose(factor[:, 0], [0.5, 0.5, 0.2, 1, 1, 1])
    table = pd.DataFrame({"species": SPECIES, "prior": [1.0, 0.5, 0.25]})
    proba = PlaceSeasonPrior(Given(), table, strength=1.0).fit(X, Y).predict_proba(X)
    factor = odds(proba) / odds(proba_of(X))
    np.testing.assert_allclose(factor, [[1, 0.5, 0.25]] * 6)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (MONTHS.rename(columns={"prior": "rate"}), "without 'prior'"),
        (MONTHS.assign(prior=2.0), r"prior=2; it must be in \[0, 1\]"),
        (MONTHS.assign(month=1), "more than one row for"),
        (MONTHS.rename(columns={"month": "marsh"}), "needs the column 'marsh' of X"),
    ],
)
def test_tables_are_checked(table, message):
    X, Y = make_rows()
    with pytest.raises(ValueError, match=message):
        PlaceSeasonPrior(Given(), table).fit(X, Y)


BAR_CHART = """
Frequency of observations in the selected location(s).:

Number of taxa: \t2

\tJan\t\t\t\tFeb\t\t\t\t
Sample Size:\t{samples}\t

Eurasian Wren (<em class="sci">Troglodytes troglodytes</em>)\t{wren}\t
Common Swift\t{swift}\t
"""


def write_bar_chart(path, n_weeks=48):
    def cells(values):
        return "\t".join(map(str, values))

    week = np.arange(n_weeks)
    summer = np.where((week > 16) & (week < 30), 0.5, 0.0)
    wren = np.full(n_weeks, 0.25)
    text = BAR_CHART.format(samples=cells(week), wren=cells(wren), swift=cells(summer))
    path.write_text(text, newline="\r\n")
    return path


def test_bar_charts_of_ebird_are_read(tmp_path):
    X, Y = make_rows()
    X.loc[:2, "date"] = "2024-01-03"
    path = write_bar_chart(tmp_path / "bar_chart.txt")
    names = NAMES | {"swift": "Common Swift"}
    model = PlaceSeasonPrior(Given(), path, names=names, strength=1.0)
    with pytest.warns(UserWarning, match="bat"):
        proba = model.fit(X, Y).predict_proba(X)
    factor = odds(proba) / odds(proba_of(X))
    np.testing.assert_allclose(factor[:3], [[0.25, 0.01, 1]] * 3)
    np.testing.assert_allclose(factor[3:], [[0.25, 0.5, 1]] * 3)


def test_damaged_bar_charts_are_refused(tmp_path):
    X, Y = make_rows()
    path = write_bar_chart(tmp_path / "bar_chart.txt", n_weeks=47)
    with pytest.raises(ValueError, match="not 48 shares for Troglodytes troglodytes"):
        PlaceSeasonPrior(Given(), path).fit(X, Y)
    path.write_text("Sample Size:\t1\nWren\tmany\n")
    with pytest.raises(ValueError, match="no numbers in the line"):
        PlaceSeasonPrior(Given(), path).fit(X, Y)
    with pytest.raises(FileNotFoundError, match=r"none\.csv"):
        PlaceSeasonPrior(Given(), tmp_path / "none.csv").fit(X, Y)


def test_functions_tell_priors():
    X, Y = make_rows()

    def prior(rows, species):
        assert species == SPECIES
        values = np.full((len(rows), 3), np.nan)
        values[rows["date"] > "2024", 0] = 0.5
        return values

    with pytest.warns(UserWarning, match="swift, bat"):
        model = PlaceSeasonPrior(Given(), prior, strength=1.0).fit(X, Y)
    factor = odds(model.predict_proba(X)) / odds(proba_of(X))
    np.testing.assert_allclose(factor, [[0.5, 1, 1]] * 6)


@pytest.mark.parametrize(
    ("prior", "error", "message"),
    [
        (lambda rows, species: np.ones((2, 2)), ValueError, r"shape \(2, 2\)"),
        (lambda rows, species: np.full((6, 3), 2.0), ValueError, r"not in \[0, 1\]"),
        (Predicts(), TypeError, "is no geo model"),
        (3, ValueError, "The 'prior' parameter"),
        ("parrots", ValueError, "is no known geo model"),
    ],
)
def test_other_priors_are_refused(prior, error, message):
    X, Y = make_rows()
    with pytest.raises(error, match=message):
        PlaceSeasonPrior(Given(), prior).fit(X, Y)


def make_sites(n_per_site=60, n_sites=6, seed=0):
    """Return rows of sites where species live or not, and call in the morning."""
    rng = np.random.default_rng(seed)
    site = np.repeat(np.arange(n_sites), n_per_site)
    hour = rng.integers(0, 24, len(site))
    lives = rng.random((n_sites, 3)) < 0.5
    lives[0], lives[1] = True, False
    morning = np.where((hour > 4) & (hour < 10), 0.8, 0.2)[:, None]
    Y = (lives[site] & (rng.random((len(site), 3)) < morning)).astype(float)
    logits = 1.2 * (2 * Y - 1) + rng.normal(0, 2, Y.shape)
    X = pd.DataFrame(1 / (1 + np.exp(-logits)), columns=[f"p_{s}" for s in SPECIES])
    X["site"] = [f"site {k}" for k in site]
    X["date"] = [f"2024-06-{1 + k % 30:02d} {h:02d}:30" for k, h in enumerate(hour)]
    X["path"] = [f"{k}.wav" for k in range(len(X))]
    return X, pd.DataFrame(Y, columns=SPECIES)


def test_learned_priors_know_sites_and_hours():
    X, Y = make_sites()
    train = np.arange(len(X)) % 2 == 0
    model = PlaceSeasonPrior(Given(), "learned", strength=1.0).fit(X[train], Y[train])
    plain = PlaceSeasonPrior(Given(), "learned", strength=0).fit(X[train], Y[train])
    assert model.score(X[~train], Y[~train]) > plain.score(X[~train], Y[~train]) + 0.05
    prior = model.prior_.of_rows(
        pd.DataFrame({"site": ["site 0", "site 1", "new"], "hour": [7.0, 7.0, 7.0]}),
        SPECIES,
    )
    assert (prior[0] > prior[2]).all()
    assert (prior[2] > prior[1]).all()
    assert (prior[2] > model.prior_.overall).all()  # it is morning there, too


def test_a_level_without_rows_changes_nothing():
    X, Y = make_sites()
    model = PlaceSeasonPrior(Given(), "learned", strength=1.0, by=["site"]).fit(X, Y)
    new = X.assign(site="elsewhere")
    np.testing.assert_allclose(model.predict_proba(new), proba_of(new))


def test_shrinkage_draws_towards_what_all_rows_tell():
    X, Y = make_sites()
    spread = [
        np.ptp(
            PlaceSeasonPrior(Given(), "learned", by=["site"], shrinkage=shrinkage)
            .fit(X, Y)
            .prior_.of_rows(X, SPECIES)[:, 0]
        )
        for shrinkage in (0, 20, 1e6)
    ]
    assert spread[0] > spread[1] > 10 * spread[2]


def test_unknown_labels_are_not_counted():
    X, Y = make_sites()
    unknown = Y.copy()
    unknown.loc[X["site"] == "site 1"] = np.nan
    model = PlaceSeasonPrior(Given(), "learned", by=["site"], shrinkage=0)
    there = model.fit(X, unknown).prior_.of_rows(X[X["site"] == "site 1"], SPECIES)
    np.testing.assert_allclose(there, [model.prior_.overall] * len(there))
    unknown.loc[X["site"] == "site 1"] = -1
    again = clone(model).fit(X, unknown)
    np.testing.assert_allclose(again.prior_.overall, model.prior_.overall)


def test_rows_do_not_learn_from_their_own_label():
    X, Y = make_sites(n_per_site=4)
    X["site"] = [f"site {k}" for k in range(len(X))]  # the label itself, as a site
    model = PlaceSeasonPrior(
        Given(), "learned", strength="cv", by=["site"], shrinkage=0
    ).fit(X, Y)
    assert model.strength_ == 0  # who looked at their labels would choose 2
    assert (model.search_results_["gain"] == 0).all()


def test_strength_is_chosen_on_held_out_rows():
    X, Y = make_sites()
    model = PlaceSeasonPrior(Given(), "learned", strength="cv").fit(X, Y)
    table = model.search_results_
    assert model.strength_ > 0
    assert table["score"].max() == table.set_index("strength")["score"][model.strength_]
    assert table["gain"].iloc[0] == 0
    by_site = clone(model).fit(X, Y, groups="site")  # a new site tells hours only
    assert by_site.search_results_["gain"].max() < table["gain"].max()


def test_a_prior_that_misleads_is_given_no_strength():
    X, Y = make_sites()

    def prior(rows, species):
        return 1 - Y.loc[rows.index]

    model = PlaceSeasonPrior(Given(), prior, strength="cv").fit(X, Y)
    assert model.strength_ == 0
    np.testing.assert_array_equal(model.predict_proba(X), proba_of(X))


@pytest.mark.parametrize("scoring", ["average_precision", "log_loss"])
def test_strength_by_other_scores(scoring):
    X, Y = make_sites()
    model = PlaceSeasonPrior(Given(), "learned", strength="cv", scoring=scoring)
    model = model.fit(X, Y)
    assert model.strength_ > 0
    assert (model.search_results_["score"] < 0).all() == (scoring == "log_loss")


def test_strength_of_what_cannot_be_judged():
    X, Y = make_sites()
    with pytest.raises(ValueError, match="no strength can be judged"):
        PlaceSeasonPrior(Given(), "learned", strength="cv").fit(X, 0 * Y)
    model = PlaceSeasonPrior(Given(), "learned", strength="cv", scoring="log_loss")
    assert model.fit(X, 0 * Y).strength_ >= 0


def test_strength_with_a_geo_model():
    X, Y = make_rows(200)
    X.loc[::2, "date"] = "2024-01-10"
    Y["swift"] = np.where(np.arange(200) % 2, Y["swift"], 0)
    model = fit_geo(X, Y, strength="cv")
    assert model.strength_ == 2.0  # in winter there are none
    np.testing.assert_array_equal(
        fit_geo(X, Y, strength=2.0).predict_proba(X), model.predict_proba(X)
    )


def test_weights_go_to_the_classifier():
    X, Y = make_rows()
    for strength in (1.0, "cv"):
        model = PlaceSeasonPrior(Given(), MODEL, names=NAMES, strength=strength, cv=2)
        with pytest.warns(UserWarning, match="bat"):
            model.fit(X, Y.assign(wren=[0, 1, 0, 1, 0, 1]), sample_weight=np.arange(6))
        assert model.estimator_.sample_weight_.tolist() == list(range(6))


def test_it_stands_inside_others_and_around_frozen_ones():
    X, Y = make_rows(40)
    frozen = FrozenEstimator(Given().fit(X, Y))
    table = pd.DataFrame({"species": SPECIES, "prior": [1.0, 0.5, 0.25]})
    inner = PlaceSeasonPrior(frozen, table)
    outer = MultilabelCalibrator(inner, cv=2).fit(X, Y)
    assert outer.predict_proba(X).shape == (40, 3)
    assert outer.species_.tolist() == SPECIES


def test_a_second_fit_forgets_the_first():
    X, Y = make_sites()
    model = PlaceSeasonPrior(Given(), "learned", strength="cv").fit(X, Y)
    table = pd.DataFrame({"species": SPECIES, "prior": [1.0, 0.5, 0.25]})
    again = model.set_params(prior=table, strength=1.0).fit(X, Y)
    fresh = PlaceSeasonPrior(Given(), table, strength=1.0).fit(X, Y)
    assert again.search_results_ is None
    np.testing.assert_array_equal(again.predict_proba(X), fresh.predict_proba(X))


@pytest.fixture
def toy_by_name(monkeypatch, tmp_path):
    """Have the name of a known model stand for a small one."""
    pytest.importorskip("onnxruntime")
    from test_geo_model import write_onnx

    folder = tmp_path / "geomodel-3"
    folder.mkdir()
    write_onnx(folder / "toy.onnx", n_classes=3)
    (folder / "labels.txt").write_text("\n".join(["Bufo bufo", "Rana arvalis", "Hyla"]))
    spec = GeoModelSpec(
        "geomodel-3", "3", 3, file="toy.onnx", labels_file="labels.txt", license="CC0"
    )
    monkeypatch.setenv("SKBIRD_ENCODERS", str(tmp_path))
    monkeypatch.setitem(known_geo_specs(), spec.name, spec)


def test_model_files_name_the_geo_model(toy_by_name, tmp_path):
    import soundfile
    from tiny_encoder import RATE, write_encoder

    from skbird.encoders import PretrainedScores
    from skbird.inference import (
        compile_pipeline,
        load_model,
        save_model,
    )

    soundfile.write(tmp_path / "a.wav", 0.1 * np.ones(RATE), RATE)
    X = pd.DataFrame({"path": [str(tmp_path / "a.wav")] * 3, "date": "2024-06-10"})
    X = X.assign(start=[0.0, 0.1, 0.2], end=1.0)
    X["latitude"], X["longitude"] = [-40.0, 0.0, 40.0], 5.0
    Y = pd.DataFrame(np.eye(3), columns=["Bufo bufo", "Rana arvalis", "Hyla arborea"])
    (tmp_path / "toads").mkdir()
    scores = PretrainedScores(
        load_encoder(write_encoder(tmp_path / "toads")), unmatched="nan", verbose=0
    )
    model = PlaceSeasonPrior(scores, "geomodel-3", strength=1.0)
    with pytest.warns(UserWarning, match="knows nothing of Hyla arborea"):
        model.fit(X, Y)
    compiled = compile_pipeline(model)
    save_model(compiled, tmp_path / "toads.skbird")
    loaded = load_model(tmp_path / "toads.skbird")
    proba = loaded.predict_proba(X)
    np.testing.assert_allclose(proba, model.predict_proba(X), rtol=1e-6)
    assert (np.diff(proba[:, 0]) > 0).all()  # the toy has toads in the north
    learned = PlaceSeasonPrior(scores, "learned", by=["latitude"]).fit(X, Y)
    with pytest.raises(TypeError, match="'learned' is none of"):
        save_model(compile_pipeline(learned), tmp_path / "learned.skbird")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2023-05-10", (2023, 5, 10, None)),
        ("2023-05-10 07:30", (2023, 5, 10, 7)),
        ("20230510_073000", (2023, 5, 10, 7)),
        (20230510, (2023, 5, 10, None)),
        (20230510.0, (2023, 5, 10, None)),
        ("2023-05-10T07:30:00.5+02:00", (2023, 5, 10, 7)),
        ("2023/05/10", (2023, 5, 10, None)),
        ("2023-05-00", (2023, 5, None, None)),
        ("2023-00-00", (2023, None, None, None)),
        ("2023", (2023, None, None, None)),
        ("2023-13-10", (2023, None, None, None)),
        ("0000-00-00", (None, None, None, None)),
        ("10/05/2023", (None, None, None, None)),
        ("spring", (None, None, None, None)),
        (None, (None, None, None, None)),
        (pd.Timestamp("2023-05-10 07:30"), (2023, 5, 10, 7)),
    ],
)
def test_dates_are_told_however_they_are_written(text, expected):
    found = moments(pd.Series([text])).iloc[0]
    assert [None if np.isnan(v) else v for v in found] == list(expected)


def test_four_weeks_per_month():
    day = np.array([1, 7, 8, 21, 22, 31, np.nan])
    assert week_of(np.full(7, 3.0), day).tolist() == [9, 9, 10, 11, 12, 12, 11]


def test_hours():
    given = ["07:30", 730, 73000, "0:15", "9.45pm", "12:05am", "24:00", "dawn", None]
    assert hours(given)[:6].tolist() == [7, 7, 7, 0, 21, 0]
    assert np.isnan(hours(given)[6:]).all()


@pytest.mark.parametrize("name", ["latitude", "date", "path"])
def test_columns_that_are_there_twice_are_named(name):
    X = pd.DataFrame({"path": ["a.wav"], "latitude": 5.0, "longitude": 5.0, "date": ""})
    X = pd.concat([X, X[[name]]], axis=1)
    Y = pd.DataFrame({"wren": [1], "swift": [0]})
    with pytest.raises(ValueError, match=f"X has more than one column '{name}'"):
        PlaceSeasonPrior(Given(), MODEL).fit(X, Y)


def test_predict_at_a_place(toy_by_name, tmp_path):
    import soundfile
    from click.testing import CliRunner
    from tiny_encoder import RATE, write_encoder

    from skbird.cli._app import app

    sound = 0.1 * np.random.default_rng(0).normal(size=RATE)
    (tmp_path / "sounds").mkdir()
    soundfile.write(tmp_path / "sounds" / "S1_20240610_050000.wav", sound, RATE)
    (tmp_path / "toads").mkdir()
    model = write_encoder(tmp_path / "toads")

    def predict(name, *options):
        command = ["predict", model, tmp_path / "sounds", "--out", tmp_path / name]
        command += ["--format", "parquet", *options]
        found = CliRunner().invoke(app, [str(part) for part in command])
        if found.exit_code:
            return found.output
        return pd.read_parquet(next((tmp_path / name).glob("*.parquet")))

    heard = predict("nowhere")
    place = ["--latitude", "-40", "--longitude", "5", "--geo-model", "geomodel-3"]
    south = predict("south", *place)
    assert (south["Bufo bufo"] < heard["Bufo bufo"]).all()
    year = predict("year", *place, "--whole-year")
    assert (year["Bufo bufo"] != heard["Bufo bufo"]).all()
    north = [place[0], "-39.9", *place[2:]]  # the first rows hardly differ
    for other in ([], north, [*place, "--whole-year"]):
        assert "place was" in predict("south", *other)
    assert predict("south", *place).equals(south)
    assert "--latitude and --longitude go together" in predict("x", "--latitude", "3")
    for option in (["--geo-model", "geomodel-3"], ["--whole-year"]):
        assert f"{option[0]} needs to know where" in predict("x", *option)

    undated = tmp_path / "sounds" / "A.wav"
    soundfile.write(undated, sound, RATE)
    mixed = predict("mixed", *place)
    assert mixed["Bufo bufo"].tolist() == [heard["Bufo bufo"][0], south["Bufo bufo"][0]]
    (tmp_path / "sounds" / "S1_20240610_050000.wav").unlink()
    assert "No recording tells its date" in predict("x", *place)
    assert predict("later", *place, "--whole-year").shape == year.shape
    pytest.importorskip("matplotlib")
    (tmp_path / "sites.csv").write_text("site,start,end\nS1,2024-06-10,2024-06-10\n")
    command = ["survey", tmp_path / "year", "--sites", tmp_path / "sites.csv"]
    command += ["--site-from", "prefix", "--time-zone", "UTC", "--threshold", 1]
    command += ["--out", tmp_path / "survey.html"]
    found = CliRunner().invoke(app, [str(part) for part in command])
    assert found.exit_code == 0, found.output
    page = (tmp_path / "survey.html").read_text()
    told = "a prior of place of the whole year (geomodel-3, at latitude -40, longitude "
    assert told + "5; strength 0.5)" in page


@pytest.mark.parametrize(
    ("edit", "places"),
    [
        (lambda settings: settings, []),
        (lambda settings: settings | {"place": [PLACE]}, [PLACE]),
        (lambda settings: [], None),
        (lambda settings: settings | {"place": None}, None),
        (lambda settings: settings | {"place": "<b>"}, None),
        (lambda settings: settings | {"place": [PLACE | {"strength_": "x"}]}, None),
        (lambda settings: settings | {"place": [{"prior": "x"}]}, None),
    ],
)
def test_runs_tell_their_places_or_nothing(tmp_path, edit, places):
    manifest = {"settings": edit({"block_s": 60}), "probe": []}
    manifest["checksum"] = _checksum(manifest)
    (tmp_path / MANIFEST).write_text(json.dumps(manifest))
    assert places_of_run(tmp_path) == places
    (tmp_path / MANIFEST).write_text("[")
    assert places_of_run(tmp_path) is None
