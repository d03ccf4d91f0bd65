"""Linear heads on embeddings, and on their windows."""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skbird.annotations import proba_to_events
from skbird.data import as_recordings
from skbird.encoders import (
    AttentionProbe,
    EmbeddingEncoder,
    EncoderOutput,
    EncoderSpec,
    ProbeClassifier,
    Windows,
    load_encoder,
)
from skbird.encoders import _probe_fit as probe_fit
from skbird.encoders import _window_batches as window_batches
from skbird.encoders._window_pooling import Attention, LogMeanExp, OneWindow, RowLoss
from skbird.ensemble import MultilabelVotingClassifier
from skbird.metrics import macro_roc_auc, macro_roc_auc_scorer

NAN = np.nan
BOTH = pytest.mark.parametrize("cls", [ProbeClassifier, AttentionProbe])


@pytest.fixture(scope="module")
def data():
    """Return features and labels of five species, one of them rare."""
    rng = np.random.default_rng(0)
    X = 3 + 5 * rng.standard_normal((120, 16)).astype(np.float32)
    logits = (X - 3) @ rng.standard_normal((16, 5)) / 5 - [0, 0, 1, 1, 3]
    return X, (logits + rng.logistic(size=logits.shape) > 0).astype(np.float32)


def rare_calls(n_rows, n_windows=30, n_values=12, n_species=2, seed=0):
    """Make rows in which one window of many holds the call of a species."""
    # The calls are the same, whatever the seed.
    calls = 5 * np.linalg.qr(np.random.default_rng(9).normal(size=(n_values,) * 2))[0]
    rng = np.random.default_rng(seed)
    rows = rng.normal(size=(n_rows, n_windows, n_values))
    Y = rng.integers(2, size=(n_rows, n_species))
    place = rng.integers(n_windows, size=Y.shape)
    for row, species in zip(*np.nonzero(Y), strict=True):
        rows[row, place[row, species]] += calls[species]
    return Windows.from_arrays(rows, step_s=3.0), Y, place


def as_windows(X):
    return Windows.from_arrays([row[None] for row in X])


def fitted(cls, X, Y, **options):
    """Fit a probe on a matrix, which `AttentionProbe` sees as rows of one window."""
    weights = {k: options.pop(k) for k in [*options] if k.endswith("_weight")}
    if "class_weight" in weights:
        options["class_weight"] = weights.pop("class_weight")
    X = X if cls is ProbeClassifier else as_windows(X)
    return cls(**{"C": 0.1} | options).fit(X, Y, **weights)


def proba(cls, X, Y, **options):
    rows = X if cls is ProbeClassifier else as_windows(X)
    return fitted(cls, X, Y, **options).predict_proba(rows)


@BOTH
@pytest.mark.parametrize("C", [1e-3, 0.1, 10.0])
def test_it_is_a_logistic_regression_for_each_species(cls, C, data):
    X, Y = data
    expected = [
        make_pipeline(StandardScaler(), LogisticRegression(C=C, tol=1e-8))
        .fit(X, column)
        .predict_proba(X)[:, 1]
        for column in Y.T
    ]
    np.testing.assert_allclose(proba(cls, X, Y, C=C), np.transpose(expected), atol=3e-3)


def test_coefficients_are_those_of_the_features_as_given(data):
    X, Y = data
    probe = fitted(ProbeClassifier, X, Y)
    logits = X @ probe.coef_.T + probe.intercept_
    np.testing.assert_allclose(
        probe.predict_proba(X), 1 / (1 + np.exp(-logits)), atol=1e-5
    )


def test_a_species_does_not_depend_on_the_others(data):
    X, Y = data
    together, alone = (fitted(ProbeClassifier, X, y) for y in (Y, Y[:, 3:4]))
    np.testing.assert_allclose(together.coef_[3], alone.coef_[0], atol=1e-4)


@BOTH
def test_classes_species_and_labels_are_as_everywhere(cls, data):
    X, Y = data
    Y = pd.DataFrame(Y, columns=list("vwxyz"))
    probe = fitted(cls, X, Y, threshold=[0.1, 0.5, 0.5, 0.5, 2.0])
    assert list(probe.species_) == list("vwxyz")
    assert probe.classes_.tolist() == [[0, 1]] * 5
    rows = X if cls is ProbeClassifier else as_windows(X)
    found, labels = probe.predict_proba(rows), probe.predict(rows)
    assert found.dtype == np.float32
    assert (labels[:, 0] == (found[:, 0] >= 0.1)).all()
    assert not labels[:, 4].any()
    assert probe.score(rows, Y) == macro_roc_auc(Y, found)
    assert clone(probe).get_params() == probe.get_params()


@BOTH
def test_unknown_labels_and_unlabeled_rows_are_as_if_they_were_not_there(cls, data):
    X, Y = data
    full = proba(cls, X[:100], Y[:100])
    Y = Y.copy()
    Y[100:] = -1
    found = proba(cls, X, Y)
    np.testing.assert_allclose(found[:100], full, atol=1e-4)
    Y[100:] = NAN
    np.testing.assert_allclose(proba(cls, X, Y)[:100], full, atol=1e-4)
    Y[:50, 2] = NAN  # of one species only: of the others nothing changes
    some = proba(cls, X, Y)
    same = [0, 1, 3, 4]
    np.testing.assert_allclose(some[:100, same], full[:, same], atol=1e-4)
    assert np.abs(some[:100, 2] - full[:, 2]).max() > 0.05


@BOTH
def test_soft_labels_are_both_outcomes_by_their_share(cls, data):
    X, Y = data
    soft = np.where(Y[:60] == 1, 0.7, 0.2)
    twice = np.vstack([X[:60], X[:60]])
    hard = np.vstack([np.ones_like(soft), np.zeros_like(soft)])
    weight = np.vstack([soft, 1 - soft])
    np.testing.assert_allclose(
        proba(cls, X[:60], soft),
        proba(cls, twice, hard, label_weight=weight)[:60],
        atol=1e-3,
    )


@BOTH
def test_weights_are_of_rows_and_of_labels(cls, data):
    X, Y = data
    rng = np.random.default_rng(0)
    rows = rng.integers(1, 4, len(X)).astype(float)
    weighted = proba(cls, X, Y, sample_weight=rows)
    # Only their relations count: who draws rows by them needs no scale.
    scaled = proba(cls, X, Y, sample_weight=rows / rows.sum())
    np.testing.assert_allclose(weighted, scaled, atol=1e-4)
    assert np.abs(weighted - proba(cls, X, Y)).max() > 0.01
    labels = np.ones_like(Y)
    labels[:40, 1] = 0
    unknown = np.where(labels == 0, NAN, Y)
    np.testing.assert_allclose(
        proba(cls, X, Y, label_weight=labels), proba(cls, X, unknown), atol=1e-4
    )


@BOTH
def test_rows_of_weight_0_are_not_there(cls, data):
    X, Y = data
    X, weight = X.copy(), np.ones(len(X))
    weight[100:] = 0
    full = proba(cls, X[:100], Y[:100])
    X[100:] = 1e6
    some = proba(cls, X, Y, sample_weight=weight)[:100]
    np.testing.assert_allclose(some, full, atol=1e-4)


@BOTH
def test_balanced_classes_weigh_the_same(cls, data):
    X, Y = data
    plain, balanced = (
        proba(cls, X, Y, C=1e-4, class_weight=w) for w in (None, "balanced")
    )
    np.testing.assert_allclose(plain[0], Y.mean(axis=0), atol=0.02)
    np.testing.assert_allclose(balanced[0], 0.5, atol=0.02)


@pytest.mark.parametrize("value", [NAN, np.inf, -np.inf])
@BOTH
def test_rows_that_could_not_be_read_get_nan_and_teach_nothing(cls, data, value):
    X, Y = data
    full = proba(cls, X[1:], Y[1:])
    X = X.copy()
    X[0, 3] = value
    found = proba(cls, X, Y)
    assert np.isnan(found[0]).all()
    np.testing.assert_allclose(found[1:], full, atol=1e-4)


@BOTH
def test_absurd_values_teach_nothing(cls, data):
    X, Y = data
    full = proba(cls, X[1:], Y[1:])
    X = X.copy()
    X[0, 3] = 1e30  # its square is infinite, and so would be the scale of all
    np.testing.assert_allclose(proba(cls, X, Y)[1:], full, atol=1e-4)


def test_windows_without_windows_get_nan():
    X, Y, _ = rare_calls(20)
    rows = [X[row] for row in range(20)]
    rows[3] = np.empty((0, X.n_values))
    X = Windows.from_arrays(rows)
    for probe in (ProbeClassifier(0.1), AttentionProbe(0.1)):
        isnan = np.isnan(probe.fit(X, Y).predict_proba(X))
        assert isnan[3].all()
        assert isnan.sum() == 2
    windows, found = probe.predict_windows(X)
    assert len(windows) == len(found) == 19 * 30
    assert 3 not in set(windows["row"])


@BOTH
def test_species_without_both_outcomes_get_a_constant_and_a_warning(cls, data):
    X, Y = data
    Y = pd.DataFrame(Y, columns=["a", "never", "always", "unknown", "e"])
    Y["never"], Y["always"], Y["unknown"] = 0, 1, NAN
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = proba(cls, X, Y)
    messages = [str(warning.message) for warning in caught]
    for reason, name in (
        ("no positive", "never"),
        ("no negative", "always"),
        ("no known label", "unknown"),
    ):
        assert any(f"1 of 5 species have {reason}" in m and name in m for m in messages)
    np.testing.assert_allclose(found[:, 1], 0.5 / 121, rtol=1e-5)
    np.testing.assert_allclose(found[:, 2], 120.5 / 121, rtol=1e-5)
    np.testing.assert_allclose(found[:, 3], 0.5)
    assert np.ptp(found[:, 0]) > 0.1


@pytest.mark.filterwarnings("ignore:.* species have no:UserWarning")
@BOTH
def test_nothing_to_learn_is_all_constant(cls, data):
    X, _ = data
    found = proba(cls, X, np.zeros((len(X), 2)), C="auto")
    assert np.ptp(found) == 0


def test_c_is_chosen_by_groups_that_are_held_out():
    # Each group has a noise of its own, which tells its label: within a group it
    # can be learned by heart.
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(30), 4)
    Y = rng.integers(2, size=(30, 2))[groups]
    X = rng.normal(size=(30, 20))[groups] + 0.1 * rng.normal(size=(120, 20))
    X[:, :2] += 1.0 * Y
    by_row = ProbeClassifier().fit(X, Y)
    by_group = ProbeClassifier().fit(X, Y, groups=groups)
    assert by_group.C_ < by_row.C_
    scores = by_group.C_scores_
    assert list(scores) == ["C", "log_loss"]
    assert by_group.C_ == scores["C"][scores["log_loss"].idxmin()]
    X = pd.DataFrame(X).add_prefix("f")
    assert ProbeClassifier().fit(X, Y, groups=groups.astype(str)).C_ == by_group.C_


def test_the_file_is_the_group_of_windows_by_default():
    X, Y, _ = rare_calls(40)
    X.rows["path"] = [f"{row // 4}.wav" for row in range(40)]
    X.rows["site"] = X.rows["path"]
    given = AttentionProbe().fit(X, Y, groups="site")
    default = AttentionProbe().fit(X, Y)
    assert default.C_scores_.equals(given.C_scores_)
    X.rows["path"] = "one.wav"
    assert AttentionProbe().fit(X, Y).C_scores_.empty


def test_few_labels_take_the_default():
    X, Y = np.eye(8), np.eye(4)[[0, 1, 2, 3] * 2]
    probe = ProbeClassifier().fit(X, Y)
    assert probe.C_ == 0.1
    assert probe.C_scores_.empty


def test_folds_hold_groups_and_share_out_species():
    rng = np.random.default_rng(0)
    groups = rng.integers(40, size=200)
    present = np.zeros((200, 3), np.float32)
    for species, n in enumerate([5, 10, 20]):
        present[np.isin(groups, rng.permutation(40)[:n]), species] = 1
    one = np.ones(200)
    folds = probe_fit._inner_folds(present, np.ones((200, 3)), groups, one)
    tests = np.hstack([fold.is_test for fold in folds])
    assert (tests.sum(axis=1) == 1).all()
    for group in range(40):
        assert len(np.unique(tests[groups == group], axis=0)) <= 1
    assert (tests.T.astype(float) @ present > 0)[:, 0].all()
    many = probe_fit._inner_folds(present, np.ones((200, 3)), groups, 1000 * one)
    assert len(many) == 1  # enough to judge by


@BOTH
def test_order_of_rows_and_blocks_of_species_change_nothing(cls, data, monkeypatch):
    X, Y = data
    full = proba(cls, X, Y)
    order = np.random.default_rng(1).permutation(len(X))
    monkeypatch.setattr(probe_fit, "_SCORES", 1)  # one species at a time
    monkeypatch.setattr(window_batches, "_BATCH", 1)  # one row at a time
    rows = X if cls is ProbeClassifier else as_windows(X)
    found = fitted(cls, X[order], Y[order], C=0.1).predict_proba(rows)
    np.testing.assert_allclose(found, full, atol=1e-3)


def test_windows_that_do_not_fit_into_memory_are_read_again(monkeypatch, tmp_path):
    X, Y, _ = rare_calls(40)
    probe = AttentionProbe(0.1).fit(X, Y)
    for row in range(len(X)):  # as a cache has them
        path = str(tmp_path / f"{row}.npy")
        np.save(path, X.table(row).T)
        X.entries[row] = path
    reads = []
    table = Windows.table
    monkeypatch.setattr(
        Windows, "table", lambda X, row: reads.append(row) or table(X, row)
    )
    monkeypatch.setattr(window_batches, "_IN_MEMORY", 0)
    monkeypatch.setattr(window_batches, "_BATCH", 1 << 13)
    streamed = AttentionProbe(0.1).fit(X, Y)
    assert len(reads) > 10 * len(X)
    np.testing.assert_allclose(streamed.coef_, probe.coef_, atol=1e-4)
    monkeypatch.setattr(window_batches, "_IN_MEMORY", 1 << 30)
    reads.clear()
    AttentionProbe(0.1).fit(X, Y)
    assert len(reads) == len(X)


@pytest.mark.parametrize("pooling", ["one", "lse", "attention"])
def test_gradients_are_those_of_the_loss(pooling):
    rng = np.random.default_rng(0)
    bounds, n_parts = np.array([0, 3, 4, 9]), 1
    weights = rng.random(9).astype(np.float32)
    weights /= np.repeat(np.add.reduceat(weights, bounds[:-1]), np.diff(bounds))
    pool = LogMeanExp(bounds, weights, 2.0)
    if pooling == "attention":
        pool, n_parts = Attention(bounds, weights), 2
    elif pooling == "one":
        pool, bounds = OneWindow(), np.arange(10)
    total = rng.random((len(bounds) - 1, 2)).astype(np.float32)
    loss = RowLoss(0.3 * total, total, pool)
    scores = rng.normal(size=(n_parts, 9, 2)).astype(np.float32)
    expected = np.zeros_like(scores)
    for place in np.ndindex(scores.shape):
        change = np.zeros_like(scores)
        change[place] = 1e-2
        both = [loss.value(scores + sign * change).sum() for sign in (1, -1)]
        expected[place] = (both[0] - both[1]) / 2e-2
    np.testing.assert_allclose(loss.gradient(scores), expected, atol=1e-4)


@pytest.mark.parametrize("sharpness", [1e-4, 1.0, 1e4])
def test_log_mean_exp_lies_between_mean_and_maximum(sharpness):
    scores = np.float32([[[1000.0], [0.0], [-1000.0], [2.0]]])
    pool = LogMeanExp(np.array([0, 3, 4]), np.float32([1 / 3] * 3 + [1]), sharpness)
    high, single = pool.logits(scores).ravel()
    assert single == pytest.approx(2, abs=1e-3)
    assert -1e-3 <= high <= 1000
    if sharpness == 1e4:
        assert high == pytest.approx(1000, rel=1e-4)
    elif sharpness == 1.0:
        assert high == pytest.approx(1000 - np.log(3), rel=1e-5)


@pytest.mark.parametrize("pooling", ["lse", "attention"])
def test_rare_calls_are_found_where_a_mean_loses_them(pooling):
    (X, Y, _), (X_test, Y_test, place) = rare_calls(80), rare_calls(80, seed=1)
    probe = AttentionProbe(pooling=pooling).fit(X, Y)
    mean = ProbeClassifier().fit(X, Y)
    score = probe.score(X_test, Y_test)
    assert score > 0.97
    assert score > mean.score(X_test, Y_test) + 0.1
    windows, found = probe.predict_windows(X_test)
    assert list(windows) == ["row", "path", "start", "end"]
    assert (windows["end"] - windows["start"]).eq(3.0).all()
    for species in range(2):
        rows = np.flatnonzero(Y_test[:, species])
        table = found[species].to_numpy().reshape(80, 30)[rows]
        assert (table.argmax(axis=1) == place[rows, species]).mean() > 0.9
    again = AttentionProbe(pooling=pooling).fit(X, Y)
    assert (again.predict_proba(X_test) == probe.predict_proba(X_test)).all()


def test_scores_of_windows_are_those_of_rows_of_one_window():
    X, Y, _ = rare_calls(30)
    for pooling in ("lse", "attention"):
        probe = AttentionProbe(0.1, pooling=pooling).fit(X, Y)
        _, found = probe.predict_windows(X[:2])
        single = as_windows(np.concatenate([X[0], X[1]]))
        np.testing.assert_allclose(found, probe.predict_proba(single), atol=1e-5)


def test_weights_of_windows_count_in_the_pooling():
    X, Y, place = rare_calls(60, n_species=1)
    weights = [np.ones(30, np.float32) for _ in range(60)]
    for row in range(60):
        weights[row][place[row, 0]] = 0  # a filter left the call out
    deaf = Windows(X.rows, X.entries, weights, window_s=3.0)
    for pooling in ("lse", "attention"):
        probe = AttentionProbe(0.1, pooling=pooling).fit(X, Y)
        assert probe.score(X, Y) > 0.95
        assert probe.score(deaf, Y) < 0.75
        assert len(probe.predict_windows(deaf)[0]) == 60 * 29
        light = Windows(X.rows, X.entries, [0.5 * np.ones(30, np.float32)] * 60)
        np.testing.assert_allclose(
            probe.predict_proba(light), probe.predict_proba(X), atol=1e-5
        )


def test_windows_lie_in_their_file_and_become_events():
    X, Y, place = rare_calls(60, n_species=1)
    probe = AttentionProbe().fit(X, pd.DataFrame(Y, columns=["wren"]))
    row = int(np.flatnonzero(Y[:, 0])[0])
    one = X[[row]]
    one.rows = pd.DataFrame({"path": ["a.wav"], "start": [600.0], "end": [688.5]})
    windows, found = probe.predict_windows(one)
    assert windows["start"].iloc[0] == 600
    assert windows["end"].iloc[-1] == 688.5  # the last window would end later
    events = proba_to_events(found, windows, threshold=found.to_numpy().max())
    assert events["start"].tolist() == [600 + 3.0 * place[row, 0]]
    assert events["species"].tolist() == ["wren"]
    one.rows["start"] = NAN
    assert probe.predict_windows(one)[0]["start"].iloc[0] == 0
    one.window_s = None
    assert probe.predict_windows(one)[0]["end"].iloc[0] == 688.5


def test_no_rows_give_no_rows(data):
    X, Y = data
    assert fitted(ProbeClassifier, X, Y).predict_proba(X[:0]).shape == (0, 5)
    X, Y, _ = rare_calls(20)
    probe = AttentionProbe(0.1).fit(X, Y)
    assert probe.predict_proba(X[:0]).shape == (0, 2)
    windows, found = probe.predict_windows(X[:0])
    assert windows.shape == (0, 4)
    assert found.shape == (0, 2)


def encoder():
    """Return a model that hears level and change of a window."""
    spec = EncoderSpec("levels", "1", 8000, 1.0, {"embedding": EncoderOutput("e", [2])})

    def levels(windows):
        changes = np.abs(np.diff(windows, axis=1)).mean(axis=1)
        return {"embedding": np.column_stack([windows.std(axis=1), changes])}

    return load_encoder(levels, spec)


def test_probes_end_pipelines(tmp_path):
    import soundfile

    rng, rows = np.random.default_rng(0), []
    for number in range(16):
        path = tmp_path / f"{number}.wav"
        sound = rng.normal(size=8000 * 4)
        if number % 2:
            sound[8000:16000] = np.repeat(sound[8000:12000], 2)  # a second of rumble
        soundfile.write(path, 0.1 * sound, 8000)
        rows.append(str(path))
    X, Y = pd.DataFrame({"path": rows}), np.arange(16)[:, None] % 2
    groups = np.arange(16) // 2
    levels = EmbeddingEncoder(encoder(), verbose=0, n_jobs=1)
    for step, probe in (
        (levels, ProbeClassifier(1)),
        (clone(levels).set_params(output="windows"), AttentionProbe(1)),
    ):
        pipe = make_pipeline(step, probe)
        cv = GroupKFold(2)
        scores = cross_val_score(
            pipe, X, Y, groups=groups, cv=cv, scoring=macro_roc_auc_scorer
        )
        assert scores.min() > 0.9
        name = type(probe).__name__.lower()
        search = GridSearchCV(
            pipe, {f"{name}__C": [0.1, 1]}, cv=2, scoring=macro_roc_auc_scorer
        )
        assert search.fit(X, Y).best_score_ > 0.9
        vote = MultilabelVotingClassifier([("a", pipe), ("b", clone(pipe))])
        weight = np.ones((16, 1))
        proba = vote.fit(X, Y, label_weight=weight).predict_proba(X)
        np.testing.assert_allclose(proba, pipe.fit(X, Y).predict_proba(X), atol=1e-5)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"C": 0}, "'C' parameter of ProbeClassifier must be"),
        ({"C": "best"}, "'C' parameter of ProbeClassifier must be"),
        ({"class_weight": "equal"}, "'class_weight' parameter"),
        ({"max_iter": 0}, "'max_iter' parameter"),
        ({"threshold": [0.5, 0.5]}, r"threshold has shape \(2,\)"),
    ],
)
def test_parameters_are_checked(params, message, data):
    with pytest.raises(ValueError, match=message):
        ProbeClassifier(**params).fit(*data)


def test_what_fit_gets_is_checked(data):
    X, Y = data
    for arguments, message in [
        ((X, None), "requires y to be passed"),
        ((X, Y[:5]), r"y has shape \(5, 5\)"),
        ((X, Y[:, 0]), r"y has shape \(120,\)"),
        ((X, 2 * Y), "y holds 2 at row"),
        ((X, np.full_like(Y, -1)), "nothing to train on in 120 rows"),
        ((np.full_like(X, NAN), Y), "nothing to train on in 120 rows"),
        ((X[:0], Y[:0]), "X has no rows"),
        ((X, Y, np.ones(5)), "sample_weight has 5 rows, but X has 120"),
        ((X, Y, -np.ones(120)), "sample_weight must be finite, not negative"),
        ((X, Y, None, np.ones((5, 5))), r"label_weight has shape \(5, 5\)"),
        ((X, Y, None, None, np.ones(3)), r"groups has shape \(3,\)"),
        ((X, Y, None, None, "site"), "groups='site' is not a column"),
    ]:
        with pytest.raises(ValueError, match=message):
            ProbeClassifier().fit(*arguments)
    probe = ProbeClassifier(0.1).fit(X, Y)
    with pytest.raises(ValueError, match="X has 15 features"):
        probe.predict_proba(X[:, 1:])


def test_windows_are_asked_for(data):
    X, Y = data
    with pytest.raises(TypeError, match="ndarray, but AttentionProbe needs Windows"):
        AttentionProbe().fit(X, Y)
    probe = AttentionProbe(0.1).fit(as_windows(X), Y)
    with pytest.raises(ValueError, match="have 15 values, but AttentionProbe was"):
        probe.predict_proba(as_windows(X[:, 1:]))
    with pytest.raises(ValueError, match="'pooling' parameter of AttentionProbe"):
        AttentionProbe(pooling="max").fit(as_windows(X), Y)


def test_too_few_steps_are_said(data):
    with pytest.warns(ConvergenceWarning, match="max_iter=2 steps"):
        ProbeClassifier(10, max_iter=2).fit(*data)


def test_recordings_are_no_embeddings():
    X = pd.DataFrame({"path": ["a.wav", "b.wav"]})
    for rows in (X, as_recordings(X)):
        with pytest.raises(TypeError, match="put EmbeddingEncoder before it"):
            ProbeClassifier().fit(rows, [[0], [1]])
