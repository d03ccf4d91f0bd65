from numbers import Integral

import numpy as np
import pandas as pd
from sklearn.utils import check_random_state

from skbird.review._curve import logit_score
from skbird.review._tables import check_predictions, sites_of
from skbird.utils._params import AT_LEAST_ONE, THRESHOLD, check_params
from skbird.utils._sklearn_compat import Interval, StrOptions
from skbird.utils._truth import validate_threshold

STRATEGIES = "stratified", "top", "uncertain", "diverse", "random"
_CONSTRAINTS = {
    "n_per_species": [AT_LEAST_ONE],
    "strategy": [StrOptions(set(STRATEGIES))],
    "n_strata": [Interval(Integral, 1, 1000, closed="both")],
    "threshold": THRESHOLD,
    "random_state": ["random_state"],
}


def choose_for_review(
    proba,
    X,
    n_per_species=100,
    *,
    strategy="stratified",
    n_strata=5,
    threshold=0.1,
    species=None,
    random_state=None,
):
    """Choose which detections to listen to.

    A detection is a row in which a species reaches `threshold`.

    Parameters
    ----------
    proba : array-like or DataFrame of shape (n_rows, n_species)
        What was predicted, in [0, 1]. NaN, which could not be read, is not chosen.
    X : DataFrame or sequence of paths
        The rows.
    n_per_species : int >= 1, default=100
        How many detections of each species; all, where there are fewer.
    strategy : {"stratified", "top", "uncertain", "diverse", "random"}
        What is chosen of each species, by default "stratified".

        - "stratified": equally many of each band of the logit score, which has as many
          bands as `n_strata`, all as wide. Where a band has fewer, the others give
          more. For thresholds.
        - "random": any, with the same chance.
        - "top": those with the highest probability.
        - "uncertain": those with a probability nearest to 0.5.
        - "diverse": one of each recording, the sites by turns, before a second of any.
    n_strata : int >= 1, default=5
        Only with "stratified": not more than `n_per_species`, so that no band is left
        out.
    threshold : float or array-like of shape (n_species,), default=0.1
        Probability from which on a row is a detection.
    species : sequence of str, default=None
        Names of the columns of `proba`. By default those of the DataFrame, or numbers.
    random_state : int, RandomState instance or None, default=None
        With the same seed, the detections for a larger `n_per_species` have among them
        those for a smaller one. To listen to more, ask for more, and take the new
        weights.

    Returns
    -------
    DataFrame
        One line per detection, species by species; within a species at random and the
        bands by turns, or the best first: ``path``, ``start``, ``end``, ``species``,
        ``probability``, ``stratum`` (the number of the band, from 0 for the lowest on)
        and ``weight``, for how many detections one stands: 1 / its chance to be chosen.
        Means with these weights are, but for chance, those of all detections. NaN with
        "top", "uncertain" and "diverse", which say nothing of the others.

    Raises
    ------
    TypeError, ValueError
        If shapes differ or a parameter is out of range.

    See Also
    --------
    ThresholdFromReviews : What is learnt by listening.
    skbird.active.ActiveLearner : Chooses what teaches a model most.

    Notes
    -----
    Each band is a simple random sample without replacement; the weights are those of
    Horvitz and Thompson ("A generalization of sampling without replacement from a
    finite universe", JASA 1952). Scores crowd near `threshold`: bands of the logit
    score see to it that high ones are heard, too, as call density needs them (Navine
    et al., "All thresholds barred", Frontiers in Bird Science 2024).

    Examples
    --------
    >>> import numpy as np
    >>> from skbird.review import choose_for_review
    >>> proba = np.r_[np.linspace(0.1, 0.3, 8), 0.8, 0.9].reshape(-1, 1)
    >>> X = [f"{number}.wav" for number in range(10)]
    >>> chosen = choose_for_review(
    ...     proba, X, 4, n_strata=2, species=["wren"], random_state=0
    ... )
    >>> chosen.groupby("stratum")["weight"].agg(["count", "mean"])
             count  mean
    stratum
    0            2   4.0
    1            2   1.0
    """
    check_params(
        "choose_for_review",
        _CONSTRAINTS,
        n_per_species=n_per_species,
        strategy=strategy,
        n_strata=n_strata,
        threshold=threshold,
        random_state=random_state,
    )
    if strategy == "stratified" and n_strata > n_per_species:
        raise ValueError(
            f"n_strata={n_strata} must be at most n_per_species={n_per_species}, so "
            "that each band is heard. Listen to more, or take fewer bands."
        )
    names, proba, rows = check_predictions(proba, X, species)
    threshold = np.broadcast_to(
        validate_threshold(threshold, len(names)), (len(names),)
    )
    rng = check_random_state(random_state)
    place = (
        number_places(rows["path"], sites_of(rows)) if strategy == "diverse" else None
    )
    parts = []
    for name, column, lowest in zip(names, proba.T, threshold, strict=True):
        drawn = rng.random_sample(len(rows))
        found = np.flatnonzero(column >= lowest)
        chosen, stratum, weight = choose_of_species(
            *(column[found], drawn[found], n_per_species, strategy, n_strata),
            None if place is None else place[found],
        )
        chosen = found[chosen]
        part = {"species": name, "probability": column[chosen]}
        part |= {"stratum": stratum, "weight": weight}
        parts.append(rows[["path", "start", "end"]].iloc[chosen].assign(**part))
    return pd.concat(parts, ignore_index=True)


def choose_of_species(proba, drawn, n, strategy, n_strata, place=None):
    """Choose from the detections of one species.

    Parameters
    ----------
    proba : ndarray of shape (n_detections,)
    drawn : ndarray of shape (n_detections,)
        Random numbers. Those with the lowest are taken, so that more have among them
        fewer.
    n : int
    strategy : str
    n_strata : int
    place : ndarray of int, shape (n_detections, 2), default=None
        Numbers of the recording and of the site; for "diverse".

    Returns
    -------
    chosen : ndarray of int, shape (n_chosen,)
        In the order in which to listen.
    stratum : ndarray of int, or 0
    weight : ndarray of float, or NaN
    """
    if strategy in ("top", "uncertain"):
        score = logit_score(proba)
        best = -score if strategy == "top" else np.abs(score)
        return np.lexsort([drawn, best])[:n], 0, np.nan
    if strategy == "diverse":
        recording, site = place.T
        nth = _count_before(drawn, recording)
        turn = _count_before(drawn, nth * (site.max(initial=0) + 1) + site)
        return np.lexsort([drawn, turn, nth])[:n], 0, np.nan
    bands = n_strata if strategy == "stratified" else 1
    stratum = number_bands(proba, bands)
    available = np.bincount(stratum, minlength=bands)
    taken = _share_out(n, available)
    order = np.lexsort([drawn, stratum])
    first = available.cumsum() - available
    place = np.empty(len(proba), np.int64)
    place[order] = np.arange(len(proba)) - first[stratum[order]]
    chosen = np.flatnonzero(place < taken[stratum])
    # By turns, so that who stops early has heard of all bands.
    turn = place[chosen] / taken[stratum[chosen]]
    chosen = chosen[np.lexsort([drawn[chosen], turn])]
    band = stratum[chosen]
    return chosen, band, available[band] / taken[band]


def number_places(paths, sites):
    """Return the numbers of recordings and sites, as `choose_of_species` takes them."""
    return np.column_stack([pd.factorize(names)[0] for names in (paths, sites)])


def _count_before(drawn, group):
    """Count the members of its group that were drawn before each.

    >>> _count_before(np.array([0.2, 0.1, 0.3]), np.array([7, 7, 8])).tolist()
    [1, 0, 0]
    """
    order = np.lexsort([drawn, group])
    begins = np.r_[True, np.diff(group[order]) != 0][: len(order)]
    first = np.maximum.accumulate(np.where(begins, np.arange(len(order)), 0))
    count = np.empty(len(order), np.int64)
    count[order] = np.arange(len(order)) - first
    return count


def number_bands(proba, n_strata):
    """Return the band of the logit score of each detection, from 0 on."""
    if not len(proba):
        return np.empty(0, np.int64)
    score = logit_score(proba)
    edges = np.linspace(score.min(), score.max(), n_strata + 1)[1:-1]
    return np.searchsorted(edges, score, side="right")


def _share_out(n, available):
    """Share n out among bands, equally as far as each has enough.

    >>> _share_out(10, np.array([100, 2, 0, 100])).tolist()
    [4, 2, 0, 4]
    """
    n = min(n, available.sum())
    taken = np.zeros_like(available)
    while left := n - taken.sum():
        hungry = np.flatnonzero(taken < available)
        each = left // len(hungry)
        if each == 0:  # what is left over goes to the highest bands
            taken[hungry[-left:]] += 1
            break
        taken[hungry] = np.minimum(taken[hungry] + each, available[hungry])
    return taken
