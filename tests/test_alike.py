"""Rows that a pretrained model finds alike are leaks."""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import GroupKFold, KFold

from skbird.encoders import Windows
from skbird.model_selection import (
    LeakageWarning,
    _alike,
    check_leaks,
    find_leaks,
    leak_groups,
)

OPTIONS = {"author": None, "identical": False}


def some_rows(n_rows=8, n_windows=6, n_values=32, seed=0):
    """Windows of rows that have nothing to do with each other."""
    rng = np.random.default_rng(seed)
    return [rng.standard_normal((n_windows, n_values)) for _ in range(n_rows)]


def noisy(array, share=0.2):
    return array + share * np.random.default_rng(1).standard_normal(array.shape)


def paths(n):
    return [f"{number}.wav" for number in range(n)]


def test_a_clip_cut_from_a_longer_row_is_found():
    rows = some_rows()
    rows[5] = noisy(rows[2][1:3])
    windows = Windows.from_arrays(rows)
    leaks = find_leaks(paths(8), [0, 1, 2], [3, 4, 5], embeddings=windows, **OPTIONS)
    assert leaks.drop(columns="similarity").to_dict("records") == [
        {
            "kind": "alike",
            "test_row": 5,
            "train_row": 2,
            "n_train_rows": 1,
            "shared": "2.wav",
        }
    ]
    assert 0.9 < leaks["similarity"][0] < 1
    # Neither is it found by less than its own windows, nor by the means of rows.
    options = {"embeddings": windows, "min_similarity": 0.999, **OPTIONS}
    assert find_leaks(paths(8), [2], [5], **options).empty
    assert find_leaks(paths(8), [2], [5], embeddings=windows.pool(), **OPTIONS).empty


def test_a_window_in_common_is_no_copy():
    rows = some_rows()
    rows[5][0] = rows[2][0]  # such as silence
    windows = Windows.from_arrays(rows)
    assert find_leaks(paths(8), [2], [5], embeddings=windows, **OPTIONS).empty


def test_the_most_similar_row_is_named_and_others_counted():
    matrix = np.vstack([row[0] for row in some_rows()])
    matrix[1], matrix[2], matrix[5] = noisy(matrix[0], 0.2), matrix[0], 3 * matrix[0]
    leaks = find_leaks(paths(8), [1, 2, 3], [5, 6], embeddings=matrix, **OPTIONS)
    assert leaks["train_row"].tolist() == [2]
    assert leaks["n_train_rows"].tolist() == [2]
    assert leaks["similarity"].tolist() == pytest.approx([1])
    groups = leak_groups(paths(8), embeddings=matrix, **OPTIONS)
    assert groups.tolist() == [0, 0, 0, 1, 2, 0, 3, 4]


def test_rows_that_share_a_file_are_listed_as_that():
    matrix = np.ones((4, 3))
    leaks = find_leaks(list("abac"), [0, 1], [2, 3], embeddings=matrix, **OPTIONS)
    pairs = leaks[["kind", "test_row", "train_row"]].to_numpy().tolist()
    assert pairs == [["file", 2, 0], ["alike", 2, 1], ["alike", 3, 0]]
    assert leaks["similarity"].isna().tolist() == [True, False, False]


def test_rows_that_could_not_be_read_are_like_nothing():
    rows = [row[:0] if number == 3 else row for number, row in enumerate(some_rows())]
    matrix = np.ones((8, 3))
    matrix[3:6] = np.nan
    matrix[6] = 0
    for embeddings in (Windows.from_arrays(rows), matrix):
        groups = leak_groups(paths(8), embeddings=embeddings, **OPTIONS)
        assert list(groups).count(groups[3]) == 1
    assert list(groups).count(groups[6]) == 1
    nothing = Windows.from_arrays([np.empty((0, 2))] * 2)
    assert leak_groups(list("ab"), embeddings=nothing, **OPTIONS).tolist() == [0, 1]


def test_blocks_give_what_one_product_would(monkeypatch):
    lengths = np.random.default_rng(0).integers(1, 7, 40)
    rows = [some_rows(1, n, 3, seed)[0] for seed, n in enumerate(lengths)]
    windows = Windows.from_arrays(rows)

    def table():
        found = _alike.alike(windows, 0.8)
        assert (found.first < found.second).all()
        table = pd.DataFrame(found._asdict())
        return table.sort_values(["first", "second"], ignore_index=True)

    whole = table()
    assert len(whole) > 20
    monkeypatch.setattr(_alike, "_BLOCK", 10)
    pd.testing.assert_frame_equal(
        table().reset_index(drop=True), whole.reset_index(drop=True)
    )
    monkeypatch.setattr(_alike, "_BLOCK", 3)  # less than the windows of a row
    pd.testing.assert_frame_equal(table(), whole)


def test_many_copies_make_few_pairs(monkeypatch):
    monkeypatch.setattr(_alike, "_MOST", 3)
    found = _alike.alike(np.ones((100, 4), np.float32), 0.9)
    assert len(found.first) <= 2 * 3 * 100
    groups = leak_groups(paths(100), embeddings=np.ones((100, 4)), **OPTIONS)
    assert set(groups) == {0}


def test_folds_are_checked_with_embeddings():
    rows = some_rows()
    rows[7] = noisy(rows[0])
    X = pd.DataFrame({"path": paths(8)})
    options = {"embeddings": Windows.from_arrays(rows), **OPTIONS}
    with pytest.warns(
        LeakageWarning,
        match=r"an encoder finds alike \(2 rows in 2 folds.*embeddings=embeddings\)",
    ):
        leaks = check_leaks(X, KFold(4).split(X), **options)
    assert leaks["fold"].tolist() == [0, 3]
    groups = leak_groups(X, **options)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        folds = GroupKFold(4).split(X, groups=groups)
        leaks = check_leaks(X, folds, **options)
    assert list(leaks) == [
        *("fold", "kind", "test_row", "train_row"),
        *("n_train_rows", "shared", "similarity"),
    ]


def test_a_table_without_paths_is_enough():
    X = pd.DataFrame({"site": list("aabb")})
    matrix = np.eye(4)[[0, 1, 2, 0]]
    leaks = find_leaks(X, [0, 1], [2, 3], author=None, embeddings=matrix)
    assert leaks["shared"].tolist() == ["row 0"]


@pytest.mark.parametrize(
    ("embeddings", "message"),
    [
        (np.eye(3), r"embeddings has shape \(3, 3\).*n_rows=4 as X has"),
        (np.ones(4), r"embeddings has shape \(4,\)"),
        (Windows.from_arrays(some_rows(3)), "the windows of 3 rows, and X has 4"),
    ],
)
def test_embeddings_of_other_rows_are_refused(embeddings, message):
    with pytest.raises(ValueError, match=message):
        find_leaks(list("abcd"), [0], [1], embeddings=embeddings, **OPTIONS)


@pytest.mark.parametrize("value", [0, 1.5, "high"])
def test_the_similarity_is_checked(value):
    with pytest.raises(ValueError, match="'min_similarity' parameter"):
        find_leaks(list("ab"), [0], [1], min_similarity=value, **OPTIONS)
