"""What ``evaluate`` and ``train`` advise about scores."""

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("click")

from skbird.cli._scores import score


def scores(n_recordings, **options):
    """Return scores of four species: found, found too low, rare, and everywhere."""
    X = pd.DataFrame({"path": np.arange(20) % n_recordings}).astype(str)
    Y = pd.DataFrame(0.0, index=X.index, columns=["owl", "wren", "jay", "fly"])
    Y.loc[:9, "owl"] = Y.loc[5:14, "wren"] = Y.loc[3, "jay"] = Y["fly"] = 1.0
    proba = 0.3 + 0.4 * Y.to_numpy()
    proba[:, 1] *= 0.5
    return score(X, Y, proba, **options)


def test_which_score_to_quote_and_which_species_to_trust(capsys):
    found = scores(10)
    quote, unjudged, few, silent, unpredicted = found.advice
    assert quote.startswith("Quote the macro ROC-AUC, with its interval.")
    assert unjudged.endswith("absent in all rows with a known label: fly.")
    assert few.endswith("species with fewer than 5 positive rows: jay (1).")
    assert "recall 0 at 0.5" in silent
    assert "higher probability than: wren (0.35). Pass a lower --threshold" in silent
    assert unpredicted == (
        "No precision, because no row reaches the threshold 0.5: wren."
    )
    found.show()
    assert capsys.readouterr().err.splitlines() == found.advice
    assert not any("recall 0" in line for line in scores(10, threshold=0.3).advice)


def test_scores_of_few_recordings_are_not_to_be_quoted():
    first, *others = scores(4).advice
    assert first.startswith("Do not quote these scores: fewer than 5 recordings")
    assert not any("Quote" in line or "trust" in line for line in others)
    assert any("Pass a lower --threshold" in line for line in others)


@pytest.mark.parametrize("unknown", [-1, np.nan])
def test_recordings_without_labels_are_not_counted(unknown):
    X = pd.DataFrame({"path": np.arange(64) // 2}).astype(str)
    Y = pd.DataFrame({"owl": np.arange(64) % 2.0})
    Y[8:] = unknown
    found = score(X, Y, np.random.default_rng(0).random((64, 1)))
    assert found.advice[0].startswith("Do not quote these scores: fewer than 5")
    assert found.n_recordings == 4
    assert found.figures["held_out_rows"] == 8
    assert "macro_roc_auc_low" not in found.figures


def test_scores_on_recordings_of_the_training_are_not_to_be_quoted():
    first, *others = scores(10, is_new=False).advice
    assert first.startswith("Do not quote these scores: the model was trained on some")
    assert not any("Quote" in line for line in others)


def test_few_rows_without_a_species_are_as_bad_as_few_with_it():
    X = pd.DataFrame({"path": np.arange(20)}).astype(str)
    Y = pd.DataFrame({"owl": np.arange(20) % 2, "jay": np.arange(20) < 18})
    proba = np.random.default_rng(0).random((20, 2))
    quote, few, *_ = score(X, Y.astype(float), proba).advice
    assert quote.startswith("Quote the macro ROC-AUC")
    assert few.endswith("species with fewer than 5 negative rows: jay (2).")
    first, *others = score(X, Y[["jay"]].astype(float), proba[:, 1:]).advice
    assert first == (
        "Nothing can be quoted yet: no species has 5 rows with it and 5 without. "
        "Collect recordings of other species, or of none."
    )
    assert any("jay (2)" in line for line in others)


def test_where_all_species_are_rare_nothing_can_be_quoted():
    X = pd.DataFrame({"path": np.arange(20)}).astype(str)
    Y = pd.DataFrame(np.eye(20, 3), columns=["owl", "jay", "wren"])
    first, few, *_ = score(X, Y, np.random.default_rng(0).random((20, 3))).advice
    assert first.startswith("Nothing can be quoted yet: no species has 5 rows with it")
    assert first.endswith("Collect more recordings of the species.")
    assert few.endswith("fewer than 5 positive rows: owl (1), jay (1), wren (1).")


def test_both_scores_are_of_the_same_species():
    X = pd.DataFrame({"path": np.arange(20).astype(str)})
    Y = pd.DataFrame({"owl": np.arange(20) % 2, "fly": 1.0})
    proba = np.random.default_rng(0).random((20, 2))
    both, owl = score(X, Y, proba), score(X, Y[["owl"]], proba[:, :1])
    assert both.figures == owl.figures
