"""encode_labels: every shape of label column that BirdCLEF and its users write."""

import numpy as np
import pandas as pd
import pytest

from skbird.data import encode_labels
from skbird.data._labels import parse_primary_label, parse_secondary_labels


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("['a', 'b']", ["a", "b"]),
        ("[]", []),
        ("['']", []),
        ("", []),
        ("  ", []),
        (None, []),
        (np.nan, []),
        (pd.NA, []),
        (["a", "b"], ["a", "b"]),
        (("a",), ["a"]),
        (np.array(["a", "b"]), ["a", "b"]),
        ([41970, None], ["41970"]),
        ("a b", ["a", "b"]),
        ("a;b", ["a", "b"]),
        ("Parus major; Pica pica", ["Parus major", "Pica pica"]),
        ("['Parus major']", ["Parus major"]),
        ('["Anna\'s Hummingbird"]', ["Anna's Hummingbird"]),
        ("[41970]", ["41970"]),
        (41970.0, ["41970"]),
        ("nocall", []),
    ],
)
def test_secondary_cell(cell, expected):
    assert parse_secondary_labels(cell) == expected


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("amerob", ["amerob"]),
        ("Parus major", ["Parus major"]),
        ("Parus major;Pica pica", ["Parus major", "Pica pica"]),
        (41970, ["41970"]),
        (np.float64(41970.0), ["41970"]),
        ("nocall", []),
        (np.nan, []),
        ("", []),
    ],
)
def test_primary_cell(cell, expected):
    assert parse_primary_label(cell) == expected


def test_targets_and_weights():
    table = pd.DataFrame(
        {
            "primary_label": ["a", "b", "a;c", "nocall"],
            "secondary_labels": ["['b']", "['b', 'c']", "[]", None],
        },
        index=["w", "x", "y", "z"],
    )
    Y, label_weight = encode_labels(table, secondary_weight=0.25)
    assert list(Y.columns) == list(label_weight.columns) == ["a", "b", "c"]
    assert list(Y.index) == list(label_weight.index) == ["w", "x", "y", "z"]
    assert set(Y.dtypes) == set(label_weight.dtypes) == {np.dtype("float32")}
    np.testing.assert_array_equal(Y, [[1, 1, 0], [0, 1, 1], [1, 0, 1], [0, 0, 0]])
    # Row x names b twice: as primary it is certain.
    np.testing.assert_array_equal(
        label_weight, [[1, 0.25, 1], [1, 1, 0.25], [1, 1, 1], [1, 1, 1]]
    )


def test_secondary_column_is_optional_and_the_index_may_repeat():
    table = pd.DataFrame({"primary_label": ["b", "a"]}, index=[0, 0])
    Y, label_weight = encode_labels(table, species=("b", "a"))
    np.testing.assert_array_equal(Y, [[1, 0], [0, 1]])
    assert (label_weight == 1).all(axis=None)


def test_numbers_and_text_name_the_same_species():
    table = pd.DataFrame({"primary_label": [41970, 22333]})
    Y, _ = encode_labels(table, species=["22333", 41970])
    assert list(Y.columns) == ["22333", "41970"]
    np.testing.assert_array_equal(Y, [[0, 1], [1, 0]])


def test_empty_table_with_species():
    Y, label_weight = encode_labels(
        pd.DataFrame({"primary_label": [], "secondary_labels": []}), species=["a"]
    )
    assert Y.shape == label_weight.shape == (0, 1)


def test_table_is_not_changed():
    table = pd.DataFrame({"primary_label": ["a"], "secondary_labels": [["a"]]})
    before = table.copy(deep=True)
    encode_labels(table)
    pd.testing.assert_frame_equal(table, before)


def test_unknown_labels_are_reported_with_counts():
    table = pd.DataFrame(
        {"primary_label": ["a", "x", "x"], "secondary_labels": ["['y']", "x", None]}
    )
    with pytest.warns(
        UserWarning, match=r"2 labels .*4 entries.*'x' \(3x\), 'y' \(1x\)"
    ):
        Y, _ = encode_labels(table, species=["a"])
    np.testing.assert_array_equal(Y, [[1], [0], [0]])


def test_unknown_secondary_labels_are_reported_without_species_too():
    table = pd.DataFrame({"primary_label": ["a"], "secondary_labels": ["['z']"]})
    with pytest.warns(UserWarning, match="'z' .1x."):
        encode_labels(table)


def test_long_lists_of_unknown_labels_are_cut():
    table = pd.DataFrame({"primary_label": [f"s{i}" for i in range(12)]})
    with pytest.warns(UserWarning, match="and 1 more"):
        encode_labels(table, species=["s0"])


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"table": ["a"]}, TypeError, "table must be a pandas DataFrame.*got list"),
        ({"table": pd.DataFrame({"label": ["a"]})}, ValueError, "no column 'primary_"),
        ({"species": ["a", "b", "a"]}, ValueError, r"duplicates: \['a'\]"),
        ({"species": []}, ValueError, "at least one species"),
        ({"species": "a"}, ValueError, "must be a list of names"),
        ({"secondary_weight": 1.5}, ValueError, r"secondary_weight=1.5 .*\[0, 1\]"),
        ({"secondary_weight": None}, ValueError, "secondary_weight=None"),
        (
            {"table": pd.DataFrame({"primary_label": ["nocall"]})},
            ValueError,
            "names no species",
        ),
        (
            {"table": pd.DataFrame({"primary_label": [{"a": 1}]})},
            TypeError,
            "primary_label holds .* of type dict",
        ),
        (
            {"table": pd.DataFrame({"primary_label": ["a"], "secondary_labels": "[a"})},
            ValueError,
            r"secondary_labels='\[a' looks like a list",
        ),
    ],
)
def test_mistakes(change, error, message):
    arguments = {"table": pd.DataFrame({"primary_label": ["a", "b"]}), **change}
    with pytest.raises(error, match=message):
        encode_labels(**arguments)


def test_a_scientific_name_is_one_species():
    table = pd.DataFrame(
        {
            "primary_label": ["Pica pica", "Parus major"],
            "secondary_labels": ["", "Pica pica"],
        }
    )
    Y, _ = encode_labels(table)
    assert Y["Pica pica"].tolist() == [1, 1]
