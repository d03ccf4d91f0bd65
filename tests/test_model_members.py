"""Model files whose parts contradict each other: species, members, parameters."""

import numpy as np
import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
from test_model_limits import (
    NO_LEVEL,
    SPECIES,
    around,
    network,
    pipeline,
    refused,
    write,
)

from skbird.inference import load_model

__all__ = ["refused", "write"]  # fixtures


def calibrator(method, curve, fitted=None):
    params = {"method": method, "shrinkage": 1, "threshold": 0.5}
    state = {"method_": fitted or method, "curves_": [curve] * 2}
    return around("MultilabelCalibrator", network(), params, state)


def chosen(candidates, numbers, best, inner=None, **params):
    params = {"per_species": False, "shrinkage": 1, "scoring": "roc_auc"} | params
    state = {"candidates_": candidates, "chosen_": numbers}
    state |= {"best_params_": best, "best_score_": 0.5}
    return around("SoundscapeReweighterCV", inner or network(), params, state)


def call_types(owners, columns, inner_columns):
    types = [
        {"species": owner, "type": "song", "column": column, "n_recordings": 5}
        for owner, column in zip(owners, columns, strict=True)
    ]
    params = {"column": "type", "min_recordings": 1, "siblings": "unknown"}
    return around(
        "CallTypeClassifier",
        network(species=inner_columns),
        params | {"combine": "max", "threshold": 0.5},
        {"first_columns_": [0, 1]},
        call_types=types,
    )


def vote(*members, weights=(0.5, 0.5)):
    return around(
        "MultilabelVotingClassifier",
        list(members),
        {"voting": "mean", "threshold": None},
        {"weights_": list(weights)},
        names=["a", "b"],
    )


HALF = {"threshold": 0.5}
TURNED = network(1, species=SPECIES[::-1])


@pytest.mark.parametrize(
    "model",
    [
        pipeline(vote(network(), TURNED)),
        around("FoldEnsemble", [network(), TURNED], HALF, {}),
        around(
            "SeedEnsemble",
            [TURNED, network()],
            HALF | {"n_estimators": 2},
            {},
        ),
        around("SoundscapeReweighter", pipeline(TURNED), NO_LEVEL, {}),
        vote(network(), around("FoldEnsemble", [TURNED], HALF, {})),
    ],
)
def test_members_have_the_same_species_in_the_same_order(refused, model):
    refused(model, "has the column 'dove' where a model that it holds has 'wren'")


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1.0], r"weights_ has shape \(1,\) with 2 members"),
        ([[0.5, 0.5]] * 3, r"weights_ has shape \(3, 2\) with 2 members"),
        ([[1.0], [1.0]], r"weights_ has shape \(2, 1\) with 2 members"),
        ([0.5, 0.6], "weights_ sum to 1.1, not to 1"),
        ([[0.5, 0.5], [0, 0]], "weights_ sum to 0, not to 1"),
        ([[0.5, 0.5], [1]], "rows of several lengths"),
        ([[1.5, -0.5]] * 2, r"1.5 is not in \[0, 1\]"),
        ([], r"weights_ has shape \(0,\)"),
    ],
)
def test_weights_are_of_the_members(refused, write, weights, message):
    members = network(), network(1)
    for known in ([0.5, 0.5], [[0.5, 0.5], [1, 0]]):
        model = load_model(write(pipeline(vote(*members, weights=known))))
        np.testing.assert_array_equal(model.network.weights_, known)
    refused(pipeline(vote(*members, weights=weights)), message)


def test_columns_of_call_types_are_those_of_the_network(refused, write):
    names = ["dove | song", "wren | song"]
    assert load_model(write(call_types(SPECIES, names, names), species=SPECIES))
    turned = call_types(SPECIES, names, names[::-1])
    refused(turned, "has the column 'dove . song' where", species=SPECIES)
    others = call_types(SPECIES[::-1], names, names)
    refused(others, "call_types are not those of the species", species=SPECIES)


@pytest.mark.parametrize("species", [["wren", "wren"], ["dove", "path"], ["end", "x"]])
def test_names_of_species_are_names_of_one_column(refused, species):
    model = pipeline(network(species=species))
    refused(model, "is there twice, or named like a column", species=species)


def test_the_best_parameters_are_those_of_a_candidate(refused, write):
    candidates = [NO_LEVEL, NO_LEVEL | {"level_power": 50}]
    for best, numbers in enumerate(([0, 0], [1, 1])):
        assert load_model(write(chosen(candidates, numbers, candidates[best])))
        message = "best_params_ are not those of a chosen candidate"
        refused(chosen(candidates, numbers, candidates[1 - best]), message)
    differing = [candidates, [0, 1], candidates[0]]
    assert load_model(write(chosen(*differing, per_species=True)))
    refused(chosen(*differing), "chosen_ differs by species, with per_species=False")


def test_curves_are_of_the_method(refused, write):
    isotonic, platt = [[0, 1], [0.1, 0.9]], [[2.0], [0.5]]
    assert load_model(write(calibrator("platt", platt)))
    message = "method='platt' with curves of method 'isotonic'"
    refused(calibrator("platt", isotonic, fitted="isotonic"), message)


def test_calibration_keeps_the_order_of_rows(refused):
    refused(calibrator("platt", [[-50.0], [0.0]]), "sigmoid of slope -50 falls")


def test_seeds_are_counted(refused):
    params = HALF | {"n_estimators": 3}
    model = around("SeedEnsemble", [network(), network(1)], params, {})
    refused(model, "n_estimators=3 with 2 members")


def test_rules_of_reweighters_are_counted_over_the_model(monkeypatch, refused, write):
    # Each is tried out when a model is loaded, and is a pass over the rows later.
    candidates = [NO_LEVEL, NO_LEVEL | {"level_power": 2}]
    model = network()
    for _ in range(3):
        model = chosen(candidates, [0, 1], NO_LEVEL, model, per_species=True)
    assert load_model(write(model))
    monkeypatch.setattr("skbird.inference._description._MAX_RULES", 5)
    refused(model, "it has 6 reweighting rules, more than 5")
