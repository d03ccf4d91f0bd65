"""Models that earlier versions have stored are read, and predict what they did."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from stored_models import NETWORKS, STORED, make_rows

import skbird
from skbird.inference import load_model

VERSIONS = sorted(path.name for path in STORED.iterdir())


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    return make_rows(tmp_path_factory.mktemp("sounds"))[0]


def expected(version, name):
    table = pd.read_csv(STORED / version / "expected.csv")
    return table[table["model"] == name].drop(columns=["model", "row"]).to_numpy()


def test_this_release_is_stored():
    if "dev" not in skbird.__version__:
        assert skbird.__version__ in VERSIONS


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", NETWORKS)
def test_a_stored_file_predicts_what_it_did(rows, version, name):
    model = load_model(STORED / version / f"{name}.skbird")
    found = model.predict_proba(rows)
    assert model.about_["skbird"] == version
    np.testing.assert_allclose(found, expected(version, name), atol=2e-3)


@pytest.mark.slow
@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", [*NETWORKS, "probe"])
def test_a_stored_pickle_predicts_what_it_did(rows, version, name):
    with warnings.catch_warnings():
        # scikit-learn and skorch may be others by now, which they say.
        warnings.simplefilter("ignore")
        model = pickle.loads((STORED / version / f"{name}.pkl").read_bytes())
    np.testing.assert_allclose(
        model.predict_proba(rows), expected(version, name), atol=2e-3
    )
