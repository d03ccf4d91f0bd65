"""Votes on matrices of probabilities, and the weights of the voters."""

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import expit, logit
from scipy.stats import rankdata

from skbird.ensemble import _weights as weights_module
from skbird.ensemble import combine_proba, fit_weights
from skbird.metrics import macro_roc_auc

VOTINGS = ["mean", "geometric", "min", "rank"]


@pytest.fixture
def rng():
    return np.random.default_rng(0)


@pytest.fixture
def probas(rng):
    return list(rng.random((3, 20, 4)))


def vote_of(skills, n_rows=300, n_species=5, rate=0.1, seed=0, scale=None):
    """Truth, and voters whose logits are `skill` higher where a species is."""
    rng = np.random.default_rng(seed)
    Y = (rng.random((n_rows, n_species)) < rate).astype(float)
    common = rng.normal(size=Y.shape)
    scale = np.ones(len(skills)) if scale is None else scale
    probas = [
        expit(s * (skill * Y + 0.6 * common + 0.8 * rng.normal(size=Y.shape)) - 3 / s)
        for skill, s in zip(skills, scale, strict=True)
    ]
    return probas, Y


# Votes -------------------------------------------------------------------------------


def test_the_mean_is_weighted(probas):
    np.testing.assert_allclose(combine_proba(probas), np.mean(probas, axis=0))
    result = combine_proba(probas, weights=[6, 3, 1])
    expected = np.average(probas, axis=0, weights=[0.6, 0.3, 0.1])
    np.testing.assert_allclose(result, expected)


def test_the_geometric_mean_is_the_mean_of_the_logits(probas):
    result = combine_proba(probas, weights=[2, 1, 1], voting="geometric")
    expected = expit(np.average(logit(probas), axis=0, weights=[2, 1, 1]))
    np.testing.assert_allclose(result, expected, atol=1e-4)
    # Absence is averaged as presence is.
    absent = combine_proba(
        [1 - p for p in probas], weights=[2, 1, 1], voting="geometric"
    )
    np.testing.assert_allclose(absent, 1 - result)


def test_certainty_is_no_veto_and_small_probabilities_stay_apart():
    result = combine_proba([[[0.0, 1.0]], [[0.9, 0.1]]], voting="geometric")
    assert 0 < result[0, 0] < 0.01
    assert 0.99 < result[0, 1] < 1
    tiny = np.array([[1e-9], [2e-9], [0.0], [1.0]])
    np.testing.assert_allclose(
        combine_proba([tiny, tiny], voting="geometric"), tiny, atol=1e-15
    )


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("voting", ["mean", "geometric", "rank"])
def test_what_nobody_could_read_is_nan_in_silence(voting):
    unread = [[np.nan], [0.5]]
    voted = combine_proba([unread, unread], voting=voting)
    np.testing.assert_allclose(voted, [[np.nan], [1.0 if voting == "rank" else 0.5]])


@pytest.mark.parametrize(
    ("voting", "expected"),
    [("mean", 0.5), ("geometric", 0.5), ("min", 0.0), ("rank", 0.75)],
)
def test_votes_may_be_whole_numbers(voting, expected):
    voted = combine_proba([[[1], [0]], [[0], [1]]], voting=voting)
    np.testing.assert_allclose(voted, [[expected], [expected]])


def test_one_value_out_of_range_is_enough_to_be_refused():
    with pytest.raises(ValueError, match=r"proba\[1\] is 1.1 at row 1, column 0"):
        combine_proba([[[0.5], [0.5]], [[0.5], [1.1]]])


def test_certainty_counts_for_odds_of_one_in_a_million():
    voted = combine_proba([[[0.0]], [[0.5]]], voting="geometric").item()
    assert voted == pytest.approx(1 / (1 + np.sqrt(1e6 - 1)), rel=2e-3)


def test_the_minimum_takes_the_lowest(probas):
    result = combine_proba(probas, voting="min")
    np.testing.assert_array_equal(result, np.min(probas, axis=0))
    alone = combine_proba(probas[:1], voting="min")
    np.testing.assert_array_equal(alone, probas[0])
    assert alone is not probas[0]


def test_ranks_are_averaged_within_each_species(probas):
    probas[0][:10] = 0.5  # ties
    probas[1][3] = np.nan
    weights = np.array([0.5, 0.3, 0.2])
    result = combine_proba(probas, weights=weights, voting="rank")
    for j in range(4):
        for i in range(20):
            ranks = []
            for proba in probas:
                column = proba[~np.isnan(proba[:, j]), j]
                place = np.flatnonzero(column == proba[i, j])
                rank = np.nan if len(place) == 0 else rankdata(column)[place[0]]
                ranks.append(rank / len(column))
            known = ~np.isnan(ranks)
            expected = np.average(np.array(ranks)[known], weights=weights[known])
            assert result[i, j] == pytest.approx(expected)
    assert result.min() > 0
    assert combine_proba([[[0.3]]], voting="rank") == 1


def test_ranks_ignore_calibration(probas):
    shrunk = [probas[0] ** 7, 0.01 * probas[1], probas[2]]
    np.testing.assert_allclose(
        combine_proba(shrunk, voting="rank"), combine_proba(probas, voting="rank")
    )


@pytest.mark.parametrize("voting", VOTINGS)
def test_unread_rows_are_left_to_the_others(probas, voting):
    weights = None if voting == "min" else [1, 2, 1]
    probas[0][[2, 5]] = np.nan
    probas[1][5] = np.nan
    probas[2][5] = np.nan
    result = combine_proba(probas, weights=weights, voting=voting)
    assert np.flatnonzero(np.isnan(result).any(axis=1)).tolist() == [5]
    if voting != "rank":
        others = [p[[2]] for p in probas[1:]]
        rest = combine_proba(others, weights=weights and weights[1:], voting=voting)
        np.testing.assert_allclose(result[[2]], rest)
    if voting != "min":
        only_first = combine_proba(probas, weights=[1, 0, 0], voting=voting)
        assert np.isnan(only_first[2]).all()


@pytest.mark.parametrize("voting", ["mean", "geometric", "rank"])
def test_each_species_may_have_weights_of_its_own(probas, voting):
    probas[0][[2, 5]] = np.nan
    weights = np.array([[1, 2, 3], [1, 0, 0], [0, 4, 4], [2, 2, 2]])
    result = combine_proba(probas, weights=weights, voting=voting)
    for j, of_species in enumerate(weights):
        columns = [p[:, [j]] for p in probas]
        alone = combine_proba(columns, weights=of_species, voting=voting)
        if j == 1:  # the only voter could not read two rows: the others vote
            assert np.isnan(alone[[2, 5]]).all()
            alone[[2, 5]] = combine_proba(columns[1:], voting=voting)[[2, 5]]
        np.testing.assert_allclose(result[:, [j]], alone)


@pytest.mark.parametrize("voting", VOTINGS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_votes_stay_in_range_and_in_their_precision(voting, dtype):
    ones = [np.ones((2, 1), dtype)] * 10
    weights = None if voting == "min" else np.linspace(0.1, 0.7, 10)
    for probas in (ones, [0 * p for p in ones]):
        before = probas[0].copy()
        result = combine_proba(probas, weights=weights, voting=voting)
        assert 0 <= result.min() <= result.max() <= 1
        assert result.dtype == (np.float64 if voting == "rank" else dtype)
        if weights is not None:
            own = combine_proba(probas, weights=weights[None], voting=voting)
            assert own.dtype == result.dtype
        np.testing.assert_array_equal(probas[0], before)
        if voting != "rank":
            np.testing.assert_allclose(result, before, atol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"voting": "max"}, "voting='max' must be one of mean"),
        ({"voting": "min", "weights": [1, 1, 1]}, "cannot be used with voting='min'"),
        ({"weights": [1, 1]}, r"weights has shape \(2,\), but there are 3"),
        ({"weights": [1, -1, 1]}, "not negative and not all 0"),
        ({"weights": [0, 0, 0]}, "not all 0"),
        ({"weights": [[1, 0, 1]] * 3 + [[0, 0, 0]]}, "not all 0"),
        ({"weights": np.ones((3, 3))}, r"shape \(3, 3\).*each of the 4 species"),
        ({"weights": [1, np.nan, 1]}, "must be finite"),
        ({"weights": "fit"}, "weights='fit' must be numbers"),
        (
            {"proba": [[[0.1]], [[0.1, 0.2]]]},
            r"proba has shapes \[\(1, 1\), \(1, 2\)",
        ),
        ({"proba": [[0.1], [0.2]]}, r"one shape is needed, \(n_rows, n_species\)"),
        ({"proba": []}, r"proba has shapes \[\]"),
        (
            {"proba": [[[0.5]], [[3.0]]]},
            r"proba\[1\] is 3 at row 0, column 0.*sigmoid",
        ),
    ],
)
def test_combine_proba_refuses_bad_arguments(probas, arguments, message):
    with pytest.raises(ValueError, match=message):
        combine_proba(**{"proba": probas} | arguments)


# Weights -----------------------------------------------------------------------------


def standard_error(probas, Y):
    """The formula of the docstring, species by species."""
    variances = []
    for j in np.flatnonzero(Y.any(axis=0) & (1 - Y).any(axis=0)):
        n = min(Y[:, j].sum(), (1 - Y[:, j]).sum())
        auc = macro_roc_auc(Y[:, [j]], np.mean(probas, axis=0)[:, [j]])
        auc = (n * auc + 1) / (n + 2)
        variances.append(auc * (1 - auc) / n)
    return np.sqrt(np.sum(variances)) / len(variances)


def worth(probas, Y):
    """What weights are drawn to: squares of how far each AUC is above 1/2."""
    judged = Y[:, Y.any(axis=0)]
    aucs = np.array([macro_roc_auc(judged, p[:, Y.any(axis=0)]) for p in probas])
    error = standard_error(probas, Y) / 2
    kept = aucs.var() / (aucs.var() + error**2)
    skill = np.maximum(aucs.mean() + kept * (aucs - aucs.mean()) - 0.5, 0) ** 2
    return skill / skill.sum()


def shrinkage(weights, centre):
    n = len(weights)
    return n / (n - 1) * np.sum((np.asarray(weights) - centre) ** 2)


def test_with_few_groups_weights_are_what_each_is_worth():
    probas, Y = vote_of([2.0, 0.5, 0.0], n_rows=400, n_species=3)
    far, two = worth(probas, Y), np.arange(400) % 2
    assert far[0] > 0.8
    found = fit_weights(probas, Y, groups=two)
    many = fit_weights(probas, Y)
    assert shrinkage(found, far) < min(shrinkage(many, far), shrinkage(found, 1 / 3))


def test_where_none_is_better_than_chance_weights_are_equal():
    Y = np.tile([[0.0], [1.0]], (10, 1))
    np.testing.assert_array_equal(fit_weights([1 - Y, 1 - 0.5 * Y], Y), [0.5, 0.5])


def test_greedy_is_forward_selection_on_the_shrunk_auc():
    # So many rows that no two bags are as good as each other.
    probas, Y = vote_of([0.5, 1.5, 1.0], n_rows=400, n_species=3)
    Y[:, 2] = 0  # never there: left out
    probas[0] = probas[0].round(1)  # ties
    error = standard_error(probas, Y)

    def value(weights):
        auc = macro_roc_auc(Y, np.average(probas, axis=0, weights=weights))
        return auc - error * shrinkage(weights, worth(probas, Y))

    best, chosen = worth(probas, Y), []
    for _ in range(50):
        bags = [np.bincount([*chosen, m], minlength=3) for m in range(3)]
        values = [value(bag / bag.sum()) for bag in bags]
        chosen.append(int(np.argmax(values)))
        if max(values) > value(best):
            best = bags[chosen[-1]] / len(chosen)
    np.testing.assert_allclose(fit_weights(probas, Y, method="greedy"), best)
    assert best.max() > 0.5


def test_fit_finds_the_minimum_of_the_shrunk_loss(rng):
    probas, Y = vote_of([0.5, 1.5, 1.0], n_rows=80, n_species=3, scale=[1, 0.7, 2])
    error = standard_error(probas, Y)

    def loss(weights):
        margins = []
        for j in range(3):
            here = Y[:, j] == 1
            scores = np.array([p[:, j] for p in probas])
            pairs = scores[:, here, None] - scores[:, None, ~here]
            pairs = pairs / np.sqrt(np.mean(pairs.mean(axis=0) ** 2))
            margins.append(np.tensordot(weights, pairs, 1).ravel())
        at_scale = minimize_scalar(
            lambda b: np.mean([np.logaddexp(0, -b * m).mean() for m in margins]),
            bounds=(0, 100),
            method="bounded",
        )
        return at_scale.fun + error * shrinkage(weights, worth(probas, Y))

    found = fit_weights(probas, Y, method="fit")
    assert found.sum() == pytest.approx(1)
    others = [*rng.dirichlet([1, 1, 1], 20), *(0.97 * found + 0.03 * np.eye(3))]
    assert loss(found) < min(loss(w) for w in others) + 1e-7


@pytest.mark.parametrize("method", ["fit", "greedy"])
@pytest.mark.parametrize("voting", ["mean", "geometric", "rank"])
def test_learned_weights_help_on_new_rows(method, voting):
    probas, Y = vote_of([1.5, 0.0, 1.5])
    weights = fit_weights(probas, Y, method=method, voting=voting)
    assert weights[1] < 0.15
    assert weights[[0, 2]].min() > 0.25
    new, truth = vote_of([1.5, 0.0, 1.5], n_rows=2000, seed=1)
    learned = combine_proba(new, weights=weights, voting=voting)
    equal = combine_proba(new, voting=voting)
    assert macro_roc_auc(truth, learned) > macro_roc_auc(truth, equal) + 0.02


@pytest.mark.parametrize("method", ["fit", "greedy"])
def test_weights_follow_the_kind_of_vote(method):
    """The best voter is a hundred times less sure than the others."""
    probas, Y = vote_of([2.0, 0.7, 0.7], scale=[0.6, 1.5, 1.5])
    mean = fit_weights(probas, Y, method=method)
    rank = fit_weights(probas, Y, method=method, voting="rank")
    assert mean[0] > 0.99
    assert rank[0] < 0.97
    auc = macro_roc_auc(Y, combine_proba(probas, weights=mean))
    assert auc > macro_roc_auc(Y, combine_proba(probas)) + 0.1


@pytest.mark.parametrize("method", ["fit", "greedy"])
def test_voters_that_differ_by_chance_get_no_worse_than_equal_weights(method):
    losses = []
    for seed in range(10):
        probas, Y = vote_of([1.0] * 5, n_rows=60, n_species=3, rate=0.2, seed=seed)
        weights = fit_weights(probas, Y, method=method)
        new, truth = vote_of([1.0] * 5, n_rows=2000, n_species=3, seed=100 + seed)
        equal = macro_roc_auc(truth, combine_proba(new))
        losses.append(equal - macro_roc_auc(truth, combine_proba(new, weights=weights)))
    # The standard error of the 60 rows is 0.03.
    assert np.mean(losses) < 0.01
    assert np.max(losses) < 0.03


@pytest.mark.parametrize("method", ["fit", "greedy"])
def test_rows_of_a_group_count_as_one(method):
    probas, Y = vote_of([1.4, 1.8], n_rows=60, n_species=2, rate=0.3, seed=6)
    expected = fit_weights(probas, Y, method=method)
    copies = [np.repeat(p, 12, axis=0) for p in probas]
    files = np.repeat([f"{row}.ogg" for row in range(60)], 12)
    grouped = fit_weights(copies, np.repeat(Y, 12, axis=0), method=method, groups=files)
    np.testing.assert_allclose(grouped, expected, atol=1e-4)
    bold = fit_weights(copies, np.repeat(Y, 12, axis=0), method=method)
    far = worth(probas, Y)
    assert shrinkage(bold, far) > 1.02 * shrinkage(expected, far)


@pytest.mark.parametrize("method", ["fit", "greedy"])
@pytest.mark.parametrize(("n_pairs", "tol"), [(30_000, 0.003), (3000, 0.02)])
def test_pairs_taken_at_even_steps_stand_for_all(monkeypatch, method, n_pairs, tol):
    for rate in (0.05, 0.95):  # pairs are many, whichever side has more rows
        probas, Y = vote_of([1.5, 0.2, 1.0], 1500, n_species=3, rate=rate)
        exact = fit_weights(probas, Y, method=method)
        with monkeypatch.context() as patch:
            patch.setattr(weights_module, "_N_PAIRS", n_pairs)
            sampled = fit_weights(probas, Y, method=method)
        assert not np.array_equal(sampled, exact)
        best, near = (
            macro_roc_auc(Y, combine_proba(probas, weights=weights))
            for weights in (exact, sampled)
        )
        assert near > best - tol


def test_the_pairs_taken_reach_all_rows():
    for n_first, n_second in ((7, 5000), (5000, 7), (500, 400)):
        first, second = weights_module._choose_pairs(n_first, n_second, 1000)
        assert len(first) == len(second) == 1000
        for rows, n_rows in ((first, n_first), (second, n_second)):
            assert 0 <= rows.min() <= rows.max() < n_rows
            counts = np.bincount(rows * 7 // n_rows, minlength=7)
            assert counts.max() < 1.1 * counts.min()
        # Neither side is tied to the other.
        assert abs(np.corrcoef(first, second)[0, 1]) < 0.1


@pytest.mark.parametrize("method", ["fit", "greedy"])
def test_what_is_unknown_is_left_out(method, rng):
    probas, Y = vote_of([1.5, 0.5], n_rows=200)
    expected = fit_weights([p[:150] for p in probas], Y[:150], method=method)
    probas[1][150:160] = np.nan  # not read by one
    probas[0][150:170] = np.nan
    Y[170:180] = -1  # unlabelled
    Y[180:] = np.nan  # unknown
    np.testing.assert_array_equal(fit_weights(probas, Y, method=method), expected)
    frame = pd.DataFrame(Y, columns=list("abcde"))
    np.testing.assert_array_equal(fit_weights(probas, frame, method=method), expected)
    soft = np.where(Y == 1, 0.6, np.where(Y == 0, 0.4, Y))
    np.testing.assert_array_equal(fit_weights(probas, soft, method=method), expected)


@pytest.mark.parametrize("method", ["fit", "greedy"])
def test_species_without_both_kinds_of_rows_cannot_judge(method):
    probas, Y = vote_of([1.0, 0.5], n_rows=100)
    expected = fit_weights([p[:, 2:] for p in probas], Y[:, 2:], method=method)
    Y[:, 0], Y[:, 1] = 0, 1
    result = fit_weights(probas, Y, method=method)
    np.testing.assert_allclose(result, expected, atol=1e-6)
    with pytest.warns(UserWarning, match="No species has both rows with and rows"):
        none = fit_weights(probas, np.zeros_like(Y), method=method)
    np.testing.assert_array_equal(none, [0.5, 0.5])


@pytest.mark.parametrize("method", ["fit", "greedy"])
def test_odd_voters_are_survived(method):
    probas, Y = vote_of([1.5, 1.5], n_rows=100)
    constant = np.full_like(Y, 0.5)
    for others in ([constant], [1 - probas[0]], [probas[0]]):
        weights = fit_weights([probas[0], *others], Y, method=method)
        assert np.isfinite(weights).all()
        assert weights.sum() == pytest.approx(1)
    assert fit_weights([constant, constant], Y, method=method).tolist() == [0.5, 0.5]
    for seed in range(10):  # worse than chance
        probas, Y = vote_of([-1, -2], 40, 2, rate=0.3, seed=seed, scale=[0.5, 2])
        weights = fit_weights(probas, Y, method=method)
        assert weights.sum() == pytest.approx(1)
    if method == "greedy":  # which counts ties as half
        assert fit_weights([constant[:40, :2], probas[1]], Y, method=method)[0] > 0.9
    assert fit_weights(probas[:1], Y, method=method).tolist() == [1.0]


@pytest.mark.parametrize("n_species", [1, 2])
def test_one_and_two_species(n_species):
    probas, Y = vote_of([1.5, 0.0], n_species=n_species)
    for method in ("fit", "greedy"):
        weights = fit_weights(probas, Y, method=method)
        assert weights[0] > 0.7


def votes_of_specialists(n_positives, n_rows, seed, skills):
    """As `vote_of`, with skills (n_species, n_voters) and as many positives of each."""
    rng = np.random.default_rng(seed)
    rows = rng.permuted(np.tile(np.arange(n_rows), (len(skills), 1)), axis=1)
    Y = (rows.T < n_positives).astype(float)
    common = rng.normal(size=Y.shape)
    probas = [
        expit(skill * Y + 0.6 * common + 0.8 * rng.normal(size=Y.shape) - 3)
        for skill in skills.T
    ]
    return probas, Y


def gain_of_own_weights(method, n_positives, skills, seed):
    """Macro AUC on new rows with weights per species, less that with common ones."""
    probas, Y = votes_of_specialists(n_positives, 300, seed, skills)
    new, truth = votes_of_specialists(200, 2000, 100 + seed, skills)
    common, own = (
        combine_proba(
            new, weights=fit_weights(probas, Y, method=method, per_species=per_species)
        )
        for per_species in (False, True)
    )
    return macro_roc_auc(truth, own) - macro_roc_auc(truth, common)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["fit", "greedy"])
def test_own_weights_help_where_voters_are_good_at_different_species(method):
    rng = np.random.default_rng(0)
    skills = rng.permuted(np.tile([0.0, 1.0, 2.0], (12, 1)), axis=1)
    gains = {
        n: np.mean([gain_of_own_weights(method, n, skills, seed) for seed in range(3)])
        for n in (3, 60)
    }
    assert gains[60] > 0.03
    assert 0.005 < gains[3] < gains[60] - 0.01


@pytest.mark.slow
@pytest.mark.parametrize("method", ["fit", "greedy"])
@pytest.mark.parametrize("skills", [[1.0, 1.0, 1.0], [2.0, 0.5, 0.5]])
def test_own_weights_of_three_positives_lose_little_by_chance(method, skills):
    skills = np.tile(skills, (12, 1))
    gains = [gain_of_own_weights(method, 3, skills, seed) for seed in range(6)]
    # The standard error of the AUC of one species with three positives is 0.2.
    assert np.mean(gains) > -0.005
    assert np.min(gains) > -0.01


@pytest.mark.parametrize("method", ["fit", "greedy"])
def test_species_of_less_than_three_groups_keep_the_common_weights(method):
    skills = np.tile([[0.0, 2.0], [2.0, 0.0]], (3, 1))
    probas, Y = votes_of_specialists(40, 120, 0, skills)
    Y[:, 0] = np.arange(120) < 40  # in two files
    Y[:, 1] = np.arange(120) >= 40  # not in two files
    Y[:, 2] = np.arange(120) < 60  # in three files
    Y[:, 3] = 0  # in none
    files = np.arange(120) // 20
    common = fit_weights(probas, Y, method=method, groups=files)
    weights = fit_weights(probas, Y, method=method, groups=files, per_species=True)
    np.testing.assert_array_equal(weights[[0, 1, 3]], [common] * 3)
    assert (weights[[2, 4, 5]] != common).all()
    np.testing.assert_allclose(weights.sum(axis=1), 1)


@pytest.mark.parametrize("method", ["fit", "greedy"])
def test_own_weights_move_as_far_as_the_groups_allow(method):
    skills = np.tile([[0.5, 1.5], [1.5, 0.5]], (2, 1))
    probas, Y = votes_of_specialists(60, 200, 0, skills)
    distances = []
    for n_groups in (200, 20):
        weights = fit_weights(
            probas, Y, method=method, groups=np.arange(200) % n_groups, per_species=True
        )
        assert weights[[0, 2], 1].min() > 0.5 > weights[[1, 3], 1].max()
        distances.append(np.abs(weights - 0.5).sum())
    assert distances[0] > 1.2 * distances[1]


@pytest.mark.parametrize("method", ["fit", "greedy"])
def test_own_weights_where_nothing_can_be_learned(method, probas):
    Y = np.zeros((20, 4))
    with pytest.warns(UserWarning, match="the weights are equal"):
        weights = fit_weights(probas, Y, method=method, per_species=True)
    np.testing.assert_array_equal(weights, np.full((4, 3), 1 / 3))
    alone = fit_weights(probas[:1], Y, method=method, per_species=True)
    np.testing.assert_array_equal(alone, np.ones((4, 1)))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"method": "best"}, "method='best' must be one of fit, greedy"),
        ({"voting": "min"}, "cannot be used with voting='min'"),
        ({"voting": "max"}, "voting='max'"),
        ({"per_species": "yes"}, "'per_species' parameter of fit_weights"),
        ({"Y": np.zeros((3, 4))}, r"Y has shape \(3, 4\) and proba \(20, 4\)"),
        ({"Y": np.full((20, 4), 2.0)}, "Y holds 2"),
        (
            {"Y": np.zeros((9, 0)), "proba": [np.zeros((9, 0))] * 2},
            r"Y has shape \(9, 0\), without a species",
        ),
        ({"groups": [1, 2]}, r"groups has shape \(2,\)"),
        ({"proba": [np.full((20, 4), 2.0)]}, r"proba\[0\] is 2"),
    ],
)
def test_fit_weights_refuses_bad_arguments(probas, arguments, message):
    Y = np.tile([[0.0], [1.0]], (10, 4))
    with pytest.raises(ValueError, match=message):
        fit_weights(**{"proba": probas, "Y": Y} | arguments)


def test_a_row_that_only_members_without_weight_know_is_theirs():
    known, other = np.array([[0.2, 0.4]]), np.full((1, 2), np.nan)
    found = combine_proba([known, known + 0.2, other], weights=[[0, 0, 1], [1, 0, 1]])
    np.testing.assert_allclose(found, [[0.3, 0.4]])
