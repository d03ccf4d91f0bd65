"""How many rows have calls in truth, by what was heard in a few of them."""

from numbers import Integral, Real

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.utils import check_random_state

from skbird.utils._bootstrap import FEWEST_RECORDINGS, JEFFREYS
from skbird.utils._columns import check_table
from skbird.utils._params import POSITIVE, as_floats, check_params
from skbird.utils._rows import number_groups
from skbird.utils._sklearn_compat import Interval
from skbird.utils._truth import check_judged

_NEEDED = "species", "judged", "weight"


def call_density(
    reviews: pd.DataFrame,
    effort_s: float | None = None,
    *,
    recording_ids: ArrayLike | None = None,
    n_bootstrap: int = 1000,
    confidence: float = 0.95,
    random_state: int | np.random.RandomState | None = None,
) -> pd.DataFrame:
    r"""Estimate how many rows have a call of each species, from a few reviews.

    No threshold is needed: each review stands for the rows that it was drawn from, so
    that calls with low scores count, too, down to the threshold of
    `skbird.review.choose_for_review`; 0 there counts all.

    Parameters
    ----------
    reviews : DataFrame
        One line per judgement: ``species``, ``judged`` (1 right, 0 wrong, NaN
        uncertain, which is taken for as often right as the others), ``weight``, for
        how many rows it stands, and if wanted ``stratum``, ``path`` and ``start``, as
        `skbird.review.choose_for_review` makes them. What several have judged, by path
        and start, counts once, and is uncertain if they disagree.
    effort_s : float > 0, default=None
        Seconds of the rows that reviews were chosen from, such as the sum of
        ``usable_s`` of `effort`. With it, there are rates.
    recording_ids : array-like of shape (n_reviews,), default=None
        The recording of each review, or its site, to resample these. By default
        ``path``; without it, each review is resampled by itself.
    n_bootstrap : int >= 1, default=1000
        Number of replicates.
    confidence : float in (0, 1), default=0.95
        Confidence level of the intervals.
    random_state : int, RandomState instance or None, default=None
        Seed of the replicates.

    Returns
    -------
    DataFrame
        One line per species, which is the index: ``n_reviews`` and ``n_correct``,
        judgements that are not uncertain, and right ones; ``n_recordings`` of these;
        ``n_rows``, which the reviews stand for; ``share`` of them with a call,
        ``n_present``, their number, and ``rows_per_hour`` (with `effort_s`), each with
        the ends of its interval, ``_low`` and ``_high``. These are NaN where there are
        reviews of fewer than 5 recordings.

    Raises
    ------
    TypeError, ValueError
        If `reviews` is no such table, a weight is NaN (what was chosen as the best or
        as uncertain stands for nothing else), or a parameter is out of range.

    See Also
    --------
    skbird.review.ThresholdFromReviews : A threshold, for which sites and hours compare.

    Notes
    -----
    The share is the stratified mean, as Navine et al. have it ("All thresholds barred:
    direct estimation of call density in bioacoustic data", Frontiers in Bird Science
    2024):

    .. math:: \hat p = \sum_h \frac{N_h}{N} \frac{\sum_i w_i y_i}{\sum_i w_i}

    with sums over the reviews of a stratum. It is unbiased where reviews were drawn by
    chance. Its interval puts together those of the strata (Zou and Donner,
    "Construction of confidence limits about effect measures", Statistics in Medicine
    2008), which are of Bayesian bootstrap by recording (Rubin, Annals of Statistics
    1981), each replicate with half a right and half a wrong review, so that a stratum
    with none right does not count as known to have none. Where one with low scores has
    thousands of rows and a dozen reviews, the interval is wide: review more, or choose
    from a higher threshold on.

    Examples
    --------
    >>> import pandas as pd
    >>> from skbird.survey import call_density
    >>> reviews = pd.DataFrame({"species": "wren", "stratum": [0] * 20 + [1] * 20,
    ...     "judged": [1.0] * 2 + [0.0] * 18 + [1.0] * 19 + [0.0],
    ...     "weight": [50.0] * 20 + [5.0] * 20, "path": range(40)})
    >>> found = call_density(reviews, effort_s=36_000, random_state=0)
    >>> found[["n_rows", "n_present", "rows_per_hour"]]
             n_rows  n_present  rows_per_hour
    species
    wren     1100.0      195.0           19.5
    """
    check_params(
        "call_density",
        {
            "effort_s": [POSITIVE, None],
            "n_bootstrap": [Interval(Integral, 1, 100_000, closed="both")],
            "confidence": [Interval(Real, 0, 1, closed="neither")],
            "random_state": ["random_state"],
        },
        effort_s=effort_s,
        n_bootstrap=n_bootstrap,
        confidence=confidence,
        random_state=random_state,
    )
    table = _check(reviews)
    if recording_ids is None:
        recording_ids = table.get("path", pd.Series(np.arange(len(table))))
    numbers, _ = number_groups(recording_ids, len(table), "recording_ids")
    table = _once(table.assign(recording=numbers))
    rng = check_random_state(random_state)
    ends = [(1 - confidence) / 2, (1 + confidence) / 2]
    lines = {}
    for name, of_species in table.groupby("species"):
        known = of_species[of_species["judged"].notna()]
        n_rows = of_species["weight"].sum()
        line = {
            "n_reviews": len(known),
            "n_correct": int(known["judged"].sum()),
            "n_recordings": known["recording"].nunique(),
            "n_rows": n_rows,
        }
        values = np.full(3, np.nan)
        if len(known):
            values = _share(known, of_species, n_bootstrap, ends, rng)
        if line["n_recordings"] < FEWEST_RECORDINGS:
            values[1:] = np.nan
        hours = np.nan if effort_s is None else effort_s / 3600
        for what, factor in (
            *(("share", 1.0), ("n_present", n_rows)),
            ("rows_per_hour", n_rows / hours),
        ):
            line |= {
                f"{what}{end}": factor * value
                for end, value in zip(("", "_low", "_high"), values, strict=True)
            }
        lines[name] = line
    columns = ["n_reviews", "n_correct", "n_recordings", "n_rows"]
    for what in ("share", "n_present", "rows_per_hour"):
        columns += [what, f"{what}_low", f"{what}_high"]
    result = pd.DataFrame.from_dict(lines, orient="index", columns=columns)
    result.index.name = "species"
    return result if effort_s is not None else result.iloc[:, :-3]


def _once(table):
    """Return one line of each row that was judged, which else would stand for two."""
    keys = ["species", "path", "start"]
    if not set(keys) <= set(table.columns):
        return table
    judged = table.groupby(keys, dropna=False)["judged"]
    agreed = judged.transform("min") == judged.transform("max")
    # Of who was sure and who was not, who was sure has judged.
    table = table.assign(judged=judged.transform("max").where(agreed))
    return table.drop_duplicates(keys)


def _share(known, whole, n_bootstrap, ends, rng):
    """Return the share with a call, and the ends of its interval."""
    recordings, number = np.unique(known["recording"], return_inverse=True)
    drawn = rng.exponential(size=(n_bootstrap, len(recordings)))
    drawn = np.vstack([np.ones(len(recordings)), drawn])[:, number]
    n_rows = whole.groupby("stratum")["weight"].sum()
    stratum = known["stratum"].to_numpy()
    # A stratum of which all is uncertain is taken for one like the others.
    parts = n_rows[np.unique(stratum)] / n_rows[np.unique(stratum)].sum()
    total, below, above = np.zeros(3)
    for name, part in parts.items():
        own = stratum == name
        weight = known["weight"].to_numpy()[own]
        weight = drawn[:, own] * (weight / weight.mean())
        prior = rng.gamma(JEFFREYS, size=(n_bootstrap + 1, 2))
        prior[0] = 0.0  # the estimate is that of the reviews alone
        right = weight @ known["judged"].to_numpy()[own] + prior[:, 0]
        shares = right / (weight.sum(axis=1) + prior.sum(axis=1))
        low, high = np.quantile(shares[1:], ends)
        total += part * shares[0]
        below += (part * max(shares[0] - low, 0)) ** 2
        above += (part * max(high - shares[0], 0)) ** 2
    return np.array([total, total - np.sqrt(below), total + np.sqrt(above)])


def _check(reviews):
    remedy = "skbird.review.read_reviews makes such a table"
    check_table(reviews, "reviews", _NEEDED, remedy, ["stratum", "path", "start"])
    table = reviews.reset_index(drop=True)
    judged = check_judged(table["judged"])
    weight = as_floats(table["weight"], "weight of reviews", np.float64)
    wrong = ~((weight > 0) & np.isfinite(weight))
    if wrong.any():
        raise ValueError(
            f"weight={weight[wrong.argmax()]:g} of reviews must be above 0: for how "
            "many rows a review stands. Leave out what was not chosen by chance."
        )
    stratum = table.get("stratum", pd.Series(0, index=table.index))
    for name, values in (("species", table["species"]), ("stratum", stratum)):
        if values.isna().any():
            row = values.isna().to_numpy().argmax()
            raise ValueError(
                f"{name} of reviews is missing in row {row}. Fill it in; leave out "
                "what was not chosen by chance."
            )
    return table.assign(judged=judged, weight=weight, stratum=stratum)
