import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline

from skbird.encoders import (
    EncoderOutput,
    EncoderSpec,
    TrainingSource,
    heard_before,
    load_encoder,
)
from skbird.ensemble import MultilabelVotingClassifier
from skbird.metrics import macro_roc_auc
from skbird.model_selection import cross_val_report
from skbird.postprocessing import ThresholdTuner

OUTPUTS = {"embedding": EncoderOutput("level", [1])}


def make_spec(*training, name="toads"):
    sources = [TrainingSource(*source) for source in training]
    return EncoderSpec(name, "1", 8000, 1.0, OUTPUTS, training=sources)


UNTIL_2023 = make_spec(("XC", "2023-06-01"), ("ML", "2023-06-01"))


def answers(rows, spec=UNTIL_2023, **columns):
    return heard_before(pd.DataFrame(rows), spec, **columns).tolist()


def test_collection_and_upload_tell():
    rows = {
        "collection": ["XC", "XC", "xeno-canto", "ML", "AudioMoth"],
        "uploaded": ["2020-01-01", "2023-06-01", "2023-05-31", None, "2020-01-01"],
    }
    assert answers(rows) == ["likely", "no", "likely", "possible", "no"]


@pytest.mark.parametrize(
    ("date", "answer"),
    [
        ("2023-07-01", "no"),
        (20230701, "no"),
        ("2023-07-00", "no"),
        ("2024", "no"),
        ("2023", "possible"),  # in part before the end
        ("2019-03-01", "possible"),  # it may have been published later
        ("01/07/2023", "possible"),  # no date that can be told
    ],
)
def test_recordings_made_later_are_new(date, answer):
    assert answers({"collection": ["XC"], "date": [date]}) == [answer]


def test_the_day_of_recording_tells_whatever_the_collection():
    rows = {"date": ["2024-05-01", "2020-05-01"]}
    assert answers(rows) == ["no", "unknown"]


def test_names_of_recorders_tell_the_day():
    paths = ["AM1_20240510_073000.wav", "AM1_20220510_073000.wav"]
    assert answers({"path": paths}) == ["no", "unknown"]
    assert answers({"path": paths, "date": ["2020-01-01", None]}) == ["unknown"] * 2


def test_numbers_of_xeno_canto_tell_the_day_to_two_months():
    numbers = [100, 500_000, 790_000, 808_000, 830_000, 1_060_773, 5_000_000]
    found = answers({"path": [f"a/XC{number} - wren.mp3" for number in numbers]})
    assert found == ["likely", "likely", "likely", "possible", "no", "no", "no"]


def test_a_number_beyond_all_known_is_not_dated_to_an_end():
    spec = make_spec(("XC", "2040-01-01"))
    assert answers({"path": ["XC5000000.mp3", "XC202020.mp3"]}, spec) == [
        "possible",
        "likely",
    ]


@pytest.mark.parametrize(
    "path",
    ["FXC123456.wav", "AXC12.wav", "XC.mp3", "AM1_20230510_073000.WAV", "2ML345.wav"],
)
def test_other_names_are_no_numbers(path):
    assert answers({"path": [path]}) == ["unknown"]


def test_the_column_counts_more_than_the_name_of_the_file():
    rows = {"path": ["XC100.mp3"] * 3, "collection": ["unknown", None, "ML"]}
    rows["date"] = ["2024-01-01"] * 3
    spec = make_spec(("XC", "2025-01-01"), ("ML", "2023-01-01"))
    assert answers(rows, spec) == ["likely", "likely", "no"]


def test_a_number_tells_what_a_collection_of_another_name_is_made_of():
    paths = ["BirdCLEF/wren/XC100.mp3", "own/wren.mp3"]
    rows = {"path": paths, "collection": ["BirdCLEF 2024", "own"]}
    assert answers(rows) == ["likely", "no"]


def test_days_of_publication_are_not_taken_of_the_number_if_they_are_given():
    rows = {"path": ["XC500000.mp3"], "uploaded": ["2024-01-01"]}
    assert answers(rows) == ["no"]


def test_what_was_recorded_late_was_published_late():
    rows = {"path": ["XC500000.mp3"], "date": ["2024-01-01"]}
    assert answers(rows) == ["no"]


def test_without_an_end_nothing_is_sure():
    spec = make_spec(("XC",), ("ML", "2020-01-01"))
    rows = {"collection": ["XC", "ML", "own"], "uploaded": ["2024-01-01"] * 3}
    assert answers(rows, spec) == ["possible", "no", "no"]


def test_a_spec_that_says_nothing_leaves_all_unknown():
    assert answers({"collection": ["XC"], "date": ["2030-01-01"]}, make_spec()) == [
        "unknown"
    ]


def test_counts_and_index():
    X = pd.DataFrame({"path": ["XC123.mp3", "own.mp3"]}, index=["a", "b"])
    heard = heard_before(X, "birdnet-2.4")
    assert heard.index.tolist() == ["a", "b"]
    counts = {"likely": 1, "unknown": 1, "possible": 0, "no": 0}
    assert heard.value_counts().to_dict() == counts
    assert heard_before([], "birdnet-2.4").tolist() == []


def test_columns_of_other_names():
    rows = {"source": ["XC"], "put_up": ["2020-01-01"]}
    assert answers(rows, collection="source", uploaded="put_up") == ["likely"]


def test_what_cannot_be_asked():
    with pytest.raises(ValueError, match="'parrot-9' is no known model"):
        heard_before(["a.mp3"], "parrot-9")
    with pytest.raises(TypeError, match="must be an EncoderSpec"):
        heard_before(["a.mp3"], 3)
    with pytest.raises(ValueError, match="has no row table"):
        heard_before(np.zeros((3, 2)), UNTIL_2023)


class Embedding(TransformerMixin, BaseEstimator):
    """Column ``level`` of the rows; holds an encoder, as EmbeddingEncoder does."""

    def __init__(self, spec=UNTIL_2023):
        self.spec = spec

    def fit(self, X, y=None):
        self.encoder_ = load_encoder(lambda windows: {}, self.spec)
        return self

    def transform(self, X):
        return X[["level"]].to_numpy()


class Level(Embedding):
    """The same without an encoder."""

    def fit(self, X, y=None):
        return self


def make_rows(n_heard, n=60):
    rng = np.random.default_rng(0)
    Y = rng.integers(0, 2, (n, 2))
    # Numbers from before the end of training, and after; the latter are hard.
    new = np.arange(n) >= n_heard
    X = pd.DataFrame(
        {
            "path": [f"XC{(900_000 if new[k] else 300_000) + k}.mp3" for k in range(n)],
            "level": Y[:, 0] + np.where(new, 3.0, 0.1) * rng.normal(size=n),
        }
    )
    return X, pd.DataFrame(Y, columns=["wren", "dove"])


LOGISTIC = OneVsRestClassifier(LogisticRegression())
PROBE = make_pipeline(Embedding(), LOGISTIC)


def report_of(model, n_heard, **options):
    return cross_val_report(
        model, *make_rows(n_heard), cv=3, n_bootstrap=20, random_state=0, **options
    )


def test_the_score_stands_beside_that_of_new_rows():
    report = report_of(PROBE, n_heard=36)
    assert report.encoders == ("toads",)
    assert report.heard_before.value_counts()[["likely", "no"]].tolist() == [36, 24]
    low, high = report.unheard_interval
    assert low <= report.unheard_macro_roc_auc <= high
    assert report.unheard_macro_roc_auc < report.macro_roc_auc
    assert (
        "without the 36 of 60 rows that toads may have been trained on: "
        f"{report.unheard_macro_roc_auc:.3f} [{low:.3f}, {high:.3f}] over 24 rows"
    ) in str(report)


def test_a_score_of_few_new_recordings_has_no_interval():
    report = report_of(PROBE, n_heard=56)
    assert np.isnan(report.unheard_interval).all()
    assert "over 4 rows, of too few recordings for an interval" in str(report)


def test_the_score_without_them_is_that_of_the_same_rows():
    X, Y = make_rows(36)
    report = cross_val_report(PROBE, X, Y, cv=3, n_bootstrap=5, random_state=0)
    new = (report.heard_before == "no").to_numpy()
    folds = report.test_fold[new]
    proba, truth = report.proba[new], Y[new]
    scores = []
    for species in truth:
        judged = [(truth[folds == f][[species]], proba[folds == f]) for f in range(3)]
        of_folds = [macro_roc_auc(y, p[[species]]) for y, p in judged]
        positives = [int(y.sum().iloc[0]) for y, _ in judged]
        scores.append(np.average(of_folds, weights=positives))
    assert report.unheard_macro_roc_auc == pytest.approx(np.mean(scores))


@pytest.mark.parametrize(
    ("n_heard", "words"),
    [
        (0, "toads was not trained on these rows"),
        (60, "toads may have been trained on all of these rows"),
        (59, "without the 59 of 60 rows that toads may have been trained on: nothing"),
    ],
)
def test_nothing_or_all_may_have_been_heard(n_heard, words):
    report = report_of(PROBE, n_heard)
    assert words in str(report)
    assert np.isnan(report.unheard_macro_roc_auc) == (n_heard > 0)


def test_it_is_said_if_nothing_is_known():
    model = make_pipeline(Embedding(make_spec()), LOGISTIC)
    assert "whether toads was trained on these rows is not known" in str(
        report_of(model, 36)
    )


def test_models_are_found_wherever_they_are():
    voting = MultilabelVotingClassifier(
        [
            ("old", PROBE),
            (
                "new",
                make_pipeline(Embedding(make_spec(("XC",), name="frogs")), LOGISTIC),
            ),
        ]
    )
    report = report_of(ThresholdTuner(voting, cv=2), 36)
    assert set(report.encoders) == {"toads", "frogs"}
    assert set(report.heard_before) == {"likely", "possible"}  # the worse of both
    X, Y = make_rows(36)
    frozen = FrozenEstimator(PROBE.fit(X, Y))
    assert report_of(frozen, 36).encoders == ("toads",)


def test_without_a_pretrained_model_nothing_is_said():
    model = make_pipeline(Level(), LOGISTIC)
    report = report_of(model, 36)
    assert report.heard_before is None
    assert "trained on:" not in str(report)


def test_collections_are_found_however_they_are_spelled():
    names = ["xeno-canto.org", "Xeno-Canto Foundation", "Macaulay Library (ML)", "N/A"]
    spec = make_spec(("XC", None), ("ML", None))
    assert answers({"collection": names}, spec) == ["possible"] * 3 + ["unknown"]
    assert answers({"path": ["xc202020.mp3"], "collection": ["BirdCLEF"]}) == ["likely"]


def test_days_after_a_place_are_no_catalogue_numbers():
    names = [
        "XC_20200510_073000.wav",
        "ML20200510T073000.wav",
        "ml-20200510-073000.wav",
    ]
    assert answers({"path": names}) == ["unknown"] * 3
    assert answers({"path": ["ML20200510.wav"]}) == ["possible"]


@pytest.mark.parametrize("name", ["collection", "date", "uploaded"])
def test_columns_that_are_there_twice_are_named(name):
    rows = pd.DataFrame([["a.wav", "XC", "ML"]], columns=["path", name, name])
    with pytest.raises(ValueError, match=rf"X has more than one column '{name}"):
        heard_before(rows, UNTIL_2023)
