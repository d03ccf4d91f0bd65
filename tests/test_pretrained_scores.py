"""The classes of a pretrained model as a classifier."""

import pickle

import numpy as np
import pandas as pd
import pytest
import soundfile
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_predict
from sklearn.multioutput import MultiOutputClassifier
from toy_encoder import HZ, NAMES, RATE, Counting, toy

from skbird.encoders import PretrainedScores
from skbird.metrics import macro_roc_auc

UNKNOWN = "Natrix natrix"
CODES = {"moofro": NAMES[0], "comtoa": NAMES[1]}


@pytest.fixture(scope="module")
def frogs(tmp_path_factory):
    """Return (X, Y): three recordings of each species, the last second is silent."""
    folder, rng, rows = tmp_path_factory.mktemp("frogs"), np.random.default_rng(0), []
    for name, hz in HZ.items():
        for number in range(3):
            t = np.arange(int(2.3 * RATE)) / RATE
            samples = 0.2 * np.sin(2 * np.pi * hz * t) * (t < 1)
            samples += 0.01 * rng.standard_normal(len(t))
            path = folder / f"{hz}-{number}.wav"
            soundfile.write(path, samples, RATE)
            rows.append({"path": str(path), "species": name})
    table = pd.DataFrame(rows)
    Y = pd.get_dummies(table.pop("species"), dtype=np.float32)
    return table, Y


def scores(encoder=None, **options):
    return PretrainedScores(toy() if encoder is None else encoder, verbose=0, **options)


def test_nothing_need_be_trained(frogs):
    X, Y = frogs
    model = scores().fit(X, Y)
    proba = model.predict_proba(X)
    assert model.species_.tolist() == list(Y)
    assert model.matched_.all()
    assert macro_roc_auc(Y, proba) == 1
    np.testing.assert_array_equal(model.predict(X), Y)
    model = scores(species=list(Y))
    found = cross_val_predict(model, X, Y, method="predict_proba", cv=3)
    np.testing.assert_array_equal(found, proba)


def test_names_that_were_taken_away_are_said(frogs):
    X, Y = frogs
    with pytest.warns(UserWarning, match=r"no names.*order: Rana.*cross_val_predict"):
        model = scores().fit(X, Y.to_numpy())
    assert model.species_.tolist() == list(NAMES)


def test_columns_come_in_the_order_of_y(frogs):
    X, Y = frogs
    proba = scores().fit(X, Y).predict_proba(X)
    turned = Y[Y.columns[::-1]]
    np.testing.assert_array_equal(
        scores().fit(X, turned).predict_proba(X), proba[:, ::-1]
    )


def test_all_classes_are_predicted_where_nothing_is_asked_for(frogs):
    X, _ = frogs
    for fitted in (scores().fit(X), scores().fit()):
        assert fitted.species_.tolist() == list(NAMES)
        assert fitted.predict_proba(X).shape == (len(X), 4)
    one = scores(species=[NAMES[2]]).fit()
    full = scores().fit().predict_proba(X)
    np.testing.assert_allclose(one.predict_proba(X), full[:, [2]])


def test_names_are_spelled_in_many_ways(frogs):
    X, Y = frogs
    expected = scores().fit(X, Y).predict_proba(X)
    spelled = Y.rename(columns=lambda name: name.upper().replace(" ", "_"))
    np.testing.assert_array_equal(scores().fit(X, spelled).predict_proba(X), expected)
    codes = {name: code for code, name in CODES.items()}
    coded = scores(names=CODES).fit(X, Y.rename(columns=codes))
    np.testing.assert_array_equal(coded.predict_proba(X), expected)
    assert {"moofro", "comtoa"} <= set(coded.species_)


def test_one_class_may_stand_for_two_columns(frogs):
    X, Y = frogs
    both = Y[[NAMES[0]]].assign(adult=Y[NAMES[0]])
    proba = scores(names={"adult": NAMES[0]}).fit(X, both).predict_proba(X)
    np.testing.assert_array_equal(proba[:, 0], proba[:, 1])


def test_the_softmax_is_over_all_classes(frogs):
    X, _ = frogs
    encoder = toy(activation="softmax")
    full = scores(encoder, pooling="mean").fit().predict_proba(X)
    np.testing.assert_allclose(full.sum(axis=1), 1, atol=1e-5)
    few = scores(encoder, species=list(NAMES[1:3]), pooling="mean").fit()
    np.testing.assert_allclose(few.predict_proba(X), full[:, 1:3], atol=1e-6)


def test_poolings(frogs):
    X, Y = frogs
    most = scores(pooling="max").fit(X, Y).predict_proba(X)
    mean = scores(pooling="mean").fit(X, Y).predict_proba(X)
    assert (most >= mean - 1e-6).all()
    assert (most > mean + 0.1).any()


# Species that the model does not know ------------------------------------------------


def with_unknown(frogs):
    """Let a species that the model does not know be heard as the last one is."""
    X, Y = frogs
    return X, Y.rename(columns={NAMES[3]: UNKNOWN})


def test_unknown_species_get_an_estimate_of_a_probe(frogs):
    X, Y = with_unknown(frogs)
    with pytest.warns(
        UserWarning, match=f"toy does not know {UNKNOWN}: they get an est"
    ):
        model = scores().fit(X, Y)
    assert model.matched_.tolist() == [name != UNKNOWN for name in Y]
    proba = model.predict_proba(X)
    assert macro_roc_auc(Y, proba) == 1
    again = pickle.loads(pickle.dumps(model)).predict_proba(X)
    np.testing.assert_allclose(again, proba, atol=1e-6)


def test_unknown_species_get_nan_if_wanted(frogs):
    X, Y = with_unknown(frogs)
    for options, y in (({"unmatched": "nan"}, Y), ({"species": list(Y)}, None)):
        with pytest.warns(UserWarning, match="NaN. Pass names="):
            model = scores(**options).fit(X, y)
        proba = model.predict_proba(X)
        place = list(Y).index(UNKNOWN)
        assert np.isnan(proba[:, place]).all()
        assert np.isfinite(np.delete(proba, place, axis=1)).all()


def test_another_probe_may_be_given(frogs):
    X, Y = with_unknown(frogs)
    probe = MultiOutputClassifier(LogisticRegression(C=100))
    with pytest.warns(UserWarning, match="does not know"):
        model = clone(scores(unmatched=probe)).fit(X, Y)
    place = list(Y).index(UNKNOWN)
    found = model.predict_proba(X)[:, place] > 0.5
    np.testing.assert_array_equal(found, Y[UNKNOWN] == 1)


def test_a_model_that_knows_nothing_is_refused(frogs):
    X, Y = frogs
    others = Y.rename(columns=lambda name: f"code {name[:3]}")
    with pytest.raises(ValueError, match=r"knows none of the species .*Pass names="):
        scores(unmatched="nan").fit(X, others)
    with pytest.raises(ValueError, match="knows none of the species amerob"):
        scores(species=["amerob"]).fit()


def test_many_unknown_species_are_counted(frogs):
    X, Y = frogs
    more = pd.DataFrame({f"Unknown {k}": Y.iloc[:, 0] for k in range(8)})
    with pytest.warns(UserWarning, match=r"Unknown 4 and 3 more"):
        scores(unmatched="nan").fit(X, Y.join(more))


# Rows and parameters ------------------------------------------------------------------


def test_unreadable_rows_are_nan(frogs, tmp_path):
    X, Y = frogs
    (tmp_path / "bad.wav").write_bytes(b"RIFF")
    rows = pd.DataFrame({"path": [X["path"][0], str(tmp_path / "bad.wav")]})
    model = scores(on_error="skip").fit(X, Y)
    with pytest.warns(UserWarning, match="1 of 2 rows"):
        proba = model.predict_proba(rows)
    assert np.isfinite(proba[0]).all()
    assert np.isnan(proba[1]).all()
    with pytest.warns(UserWarning, match="1 of 1 row"):
        assert np.isnan(model.predict_proba(rows[1:])).all()


def test_arrays_need_names_of_their_columns(frogs):
    X, Y = frogs
    with pytest.raises(ValueError, match=r"y has 2 columns without names for 4"):
        scores().fit(X, Y.to_numpy()[:, :2])
    named = scores(species=list(Y)).fit(X, Y.to_numpy())
    np.testing.assert_array_equal(
        named.predict_proba(X), scores().fit(X, Y).predict_proba(X)
    )


def test_labels_of_another_shape_are_refused(frogs):
    X, Y = frogs
    with pytest.raises(ValueError, match=r"y has shape \(\d+,\)"):
        scores().fit(X, Y.iloc[:, 0])
    twice = pd.concat([Y, Y.iloc[:, :1]], axis=1)
    with pytest.raises(ValueError, match="y has several columns"):
        scores().fit(X, twice)


def test_labels_have_rows_and_columns(frogs):
    X, Y = frogs
    with pytest.raises(ValueError, match=r"y has shape .* For one species pass"):
        scores().fit(X, Y[NAMES[0]])


def test_scores_need_names():
    with pytest.raises(ValueError, match="Give class_names or labels_file"):
        scores(toy(class_names=())).fit()
    only = {"embedding": toy().spec.outputs["embedding"]}
    with pytest.raises(ValueError, match="output='scores' is none of toy"):
        scores(toy(outputs=only, class_names=())).fit()


def test_what_is_cached_is_not_computed_again(frogs, tmp_path):
    X, Y = frogs
    heard = Counting()
    options = {"cache_dir": tmp_path / "cache"}
    first = scores(toy(heard), **options).fit(X, Y).predict_proba(X)
    n = heard.n
    again = scores(toy(heard), pooling="max", **options).fit(X, Y)
    np.testing.assert_array_equal(again.predict_proba(X), first)
    assert heard.n == n > 0
