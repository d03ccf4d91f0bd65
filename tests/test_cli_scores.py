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
    quote, unjudged, few, silent = found.advice
    assert quote.startswith("Quote the macro ROC-AUC, with its interval.")
    assert unjudged.endswith("in all rows or in none: fly.")
    assert few.endswith("species with fewer than 5 positive rows: jay (1).")
    assert "recall 0 at 0.5: predict with a --threshold below" in silent
    assert silent.endswith(": wren (0.350).")
    found.show()
    assert capsys.readouterr().err.splitlines() == found.advice
    assert not any("recall 0" in line for line in scores(10, threshold=0.3).advice)


def test_scores_of_few_recordings_are_not_to_be_quoted():
    first, *others = scores(4).advice
    assert first.startswith("Do not quote these scores: fewer than 5 recordings")
    assert not any("Quote" in line or "trust" in line for line in others)
    assert any("with a --threshold below" in line for line in others)
