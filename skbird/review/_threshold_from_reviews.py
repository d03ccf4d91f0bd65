from functools import partial
from numbers import Integral, Real

import numpy as np
import pandas as pd
from scipy.special import expit
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from skbird.review._curve import (
    bin_detections,
    fit_curves,
    isotonic_values,
    logistic_values,
    logit_score,
    lowest_reaching,
    precision_above,
)
from skbird.review._heard import (
    Heard,
    as_report,
    columns_of,
    lack_of_support,
    more_reviews,
)
from skbird.review._recall import recall_report
from skbird.review._tables import (
    check_names,
    check_reviews,
    check_scores,
    decided_weights,
)
from skbird.utils._bootstrap import JEFFREYS
from skbird.utils._params import POSITIVE
from skbird.utils._rows import check_same_order, number_groups
from skbird.utils._sklearn_compat import Interval, StrOptions, validate_params_of
from skbird.utils._truth import validate_truth

_MUCH = 300  # judgements, from which on a curve without a form is sure enough


class ThresholdFromReviews(BaseEstimator):
    r"""Find a threshold for each species, with a known precision, from reviews.

    Parameters
    ----------
    min_precision : float in (0, 1), default=0.9
        Share of right ones among all detections from the threshold on.
    species : sequence of str, default=None
        Names in the order of `thresholds_`, such as ``species_`` of a model. By default
        those that have reviews, sorted.
    min_reviews : int >= 2, default=20
        A species with fewer judgements, uncertain ones not counted, gets no threshold.
    interval_width : float > 0, default=0.1
        How wide the interval of the precision may be: says how many more reviews are
        needed.
    n_bootstrap : int >= 1, default=1000
        Number of replicates.
    confidence : float in (0, 1), default=0.95
        Confidence level of the intervals.
    curve : {"auto", "logistic", "isotonic"}, default="auto"
        What P(correct | score) is like: a logistic curve on the logit score, or one
        that only never falls. "auto": isotonic from 300 judgements on.
    random_state : int, RandomState instance or None, default=None
        Seed of the replicates.

    Attributes
    ----------
    thresholds_ : ndarray of shape (n_species,)
        Probabilities from which on species count as present, as `ThresholdTuner` has
        them: infinite where there is no threshold.
    species_ : ndarray of str
        The species in the order of `thresholds_`.
    curves_ : ndarray of shape (n_species, 2)
        Intercept and slope of P(correct | score) on the logit score. NaN where support
        is too small, or the curve is isotonic.
    knots_ : list of (ndarray, ndarray) or None, of length n_species
        Logit scores that were judged and P(correct | score) there, where the curve is
        isotonic.
    report_ : DataFrame
        One line per species, which is the index.

        - ``n_reviews``, ``n_correct``, ``n_uncertain``, ``n_recordings``: judgements
          that count, right ones, uncertain ones, and recordings of those that count
        - ``threshold``, ``threshold_low``, ``threshold_high``: with its interval, up to
          infinity: perhaps no threshold reaches `min_precision`
        - ``precision``, ``precision_low``, ``precision_high``: of all detections from
          ``threshold`` on, with its interval
        - ``n_detections``: how many these are, of `proba`, or as the weights say
        - ``n_more_reviews``: roughly, until the interval of the precision is no wider
          than `interval_width`, or there are `min_reviews`; no more than are left
        - ``reason``: why there is no threshold; NaN in its columns

    See Also
    --------
    choose_for_review : Which detections to listen to, and their weights.
    skbird.postprocessing.ThresholdTuner : From rows whose species are all known.

    Notes
    -----
    P(correct | score) is a logistic regression on the logit score, as Wood and Kahl
    advise ("Guidelines for appropriate use of BirdNET scores and other detector
    outputs", Journal of Ornithology 2024). Half a right and half a wrong review are
    added at the lowest and at the highest score (in the way of Clogg et al., "Multiple
    imputation of industry and occupation codes in census public-use samples using
    Bayesian logistic regression", JASA 1991), so that curves stay finite where all
    reviews are right. Those above a threshold are more often right than those at it:
    precision is the mean of the curve over all of them.

    Weights are in this mean, and not in the curve: reviews were chosen by their score
    alone, given which the choice says nothing of right and wrong (Winship and Radbill,
    "Sampling weights and regression analysis", Sociological Methods & Research 1994).
    With weights, the many low scores would decide on the curve, and the few high ones,
    where thresholds are, hardly count. A logistic curve must be such a curve: where
    wrong detections stay as common at all low scores, thresholds are too high. The
    isotonic one (Zadrozny and Elkan, "Transforming classifier scores into accurate
    multiclass probability estimates", KDD 2002) need only rise, but needs many reviews.

    Intervals are of Bayesian bootstrap (Rubin, "The Bayesian bootstrap", Annals of
    Statistics 1981): each recording gets an exponential weight, each half review a
    gamma one. With one score, it is the interval of Jeffreys for a share.
    A width shrinks as :math:`1 / \sqrt{n}`, which says how many reviews are missing.

    Nothing is said below the lowest score that was judged, and of other sites and
    seasons than those of the reviews.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from skbird.review import ThresholdFromReviews
    >>> probability = np.linspace(0.1, 0.95, 60)
    >>> reviews = pd.DataFrame(
    ...     {"species": "wren", "probability": probability, "judged": probability > 0.4,
    ...      "path": [f"{number % 20}.wav" for number in range(60)]}
    ... )
    >>> found = ThresholdFromReviews(random_state=0).fit(reviews)
    >>> found.thresholds_.round(2)
    array([0.4])
    >>> found.report_[["precision_low", "precision_high"]].round(2).to_numpy()
    array([[0.79, 0.99]])
    """

    _parameter_constraints: dict = {
        "min_precision": [Interval(Real, 0, 1, closed="neither")],
        "species": ["array-like", None],
        "min_reviews": [Interval(Integral, 2, None, closed="left")],
        "interval_width": [POSITIVE],
        "n_bootstrap": [Interval(Integral, 1, 100_000, closed="both")],
        "confidence": [Interval(Real, 0, 1, closed="neither")],
        "curve": [StrOptions({"auto", "logistic", "isotonic"})],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        min_precision=0.9,
        *,
        species=None,
        min_reviews=20,
        interval_width=0.1,
        n_bootstrap=1000,
        confidence=0.95,
        curve="auto",
        random_state=None,
    ):
        self.min_precision = min_precision
        self.species = species
        self.min_reviews = min_reviews
        self.interval_width = interval_width
        self.n_bootstrap = n_bootstrap
        self.confidence = confidence
        self.curve = curve
        self.random_state = random_state

    def fit(self, reviews, proba=None, *, recording_ids=None):
        """Learn the thresholds.

        Parameters
        ----------
        reviews : DataFrame
            One line per judgement: ``species``, ``probability`` as predicted,
            ``judged`` (1 right, 0 wrong, NaN uncertain, which does not count), and if
            wanted ``weight``, for how many detections it stands (NaN: not chosen by
            chance, does not count; no column: all alike), and ``path``. What is judged
            must have been chosen by nothing but chance and score.
        proba : array-like or DataFrame of shape (n_rows, n_species), default=None
            All predictions, of which precision is wanted; the columns of a DataFrame
            are found by name. By default the reviews stand for them, as their weights
            say.
        recording_ids : array-like of shape (n_reviews,), default=None
            The recording of each review; or its recordist or site, to resample these.
            By default ``path``; without it, each review is resampled by itself.

        Returns
        -------
        self

        Raises
        ------
        TypeError, ValueError
            If a table is no such table, or a parameter is out of range.
        """
        validate_params_of(self)
        reviews = check_reviews(reviews, ["probability"])
        probability, weight = check_scores(reviews)
        decided = decided_weights(reviews, weight)
        if recording_ids is None:
            recording_ids = reviews.get("path", np.arange(len(reviews)))
        recording, _ = number_groups(recording_ids, len(reviews), "recording_ids")
        names = self._names(reviews)
        columns = [None] * len(names) if proba is None else columns_of(proba, names)
        rng = check_random_state(self.random_state)
        judged = reviews["judged"].to_numpy()
        self.curves_ = np.full((len(names), 2), np.nan)
        self.knots_ = [None] * len(names)
        lines = []
        for j, (name, everything) in enumerate(zip(names, columns, strict=True)):
            named = (reviews["species"] == name).to_numpy()
            own = named & ~np.isnan(weight)
            counts = own & ~np.isnan(judged)
            heard = Heard(
                probability[counts], judged[counts], decided[counts], recording[counts]
            )
            line = heard.counts() | {"n_uncertain": (own & ~counts).sum()}
            line["reason"] = lack_of_support(
                line, self.min_reviews, (named & ~own).sum()
            )
            is_known = "weight" in reviews and own.any()
            left = round(weight[own].sum()) - own.sum() if is_known else None
            if line["reason"]:
                line |= more_reviews(line, self.min_reviews, left)
            else:
                line |= self._find(self._fit_curve(j, heard, rng), heard, everything)
            if is_known and line.get("n_more_reviews"):
                line["n_more_reviews"] = min(line["n_more_reviews"], max(left, 0))
            lines.append(line)
        self.species_ = np.array(names)
        self.report_ = as_report(lines, names)
        self.thresholds_ = self.report_["threshold"].fillna(np.inf).to_numpy()
        return self

    def _names(self, reviews):
        reviewed = reviews["species"].unique()
        if self.species is None:
            if not len(reviewed):
                raise ValueError(
                    "reviews has no rows, and species=None: there is nothing to learn. "
                    "Listen first, or name the species."
                )
            return sorted(reviewed)
        names = check_names(self.species)
        others = [name for name in reviewed if name not in set(names)]
        if others:
            raise ValueError(
                f"reviews has judgements of {others[0]!r}, which species has not. Add "
                "it, or leave these reviews out."
            )
        return names

    def _fit_curve(self, j, heard, rng):
        """Fit the curve, and once more for each replicate.

        Returns
        -------
        callable
            Takes scores, and returns P(correct) of shape (1 + n_bootstrap, n_scores).
        """
        numbers = np.unique(heard.recording, return_inverse=True)[1]
        of_recordings = rng.exponential(size=(self.n_bootstrap, numbers.max() + 1))
        of_prior = rng.gamma(JEFFREYS, size=(self.n_bootstrap, 4))
        of_reviews = np.vstack([np.ones(len(numbers)), of_recordings[:, numbers]])
        of_prior = np.vstack([np.full(4, JEFFREYS), of_prior])
        score = logit_score(heard.proba)
        known = score, heard.judged, of_reviews, of_prior
        is_much = len(score) >= _MUCH
        if self.curve == "isotonic" or (self.curve == "auto" and is_much):
            knots = np.unique(score)
            first = score, heard.judged, of_reviews[:1], of_prior[:1]
            self.knots_[j] = knots, isotonic_values(*first, knots)[0]
            return partial(isotonic_values, *known)
        curves = fit_curves(*known)
        self.curves_[j] = curves[0]
        return partial(logistic_values, curves)

    def _find(self, correct_at, heard, everything):
        """Return what the report says of a species that has enough reviews."""
        lowest = heard.proba.min()
        if everything is None:
            detections = bin_detections(heard.proba, heard.weight)
        else:
            above = everything[everything >= lowest]
            if not len(above):
                why = f"proba has no detection from {lowest:.3g} on, the lowest judged"
                return {"reason": why}
            detections = bin_detections(above, np.ones(len(above)))
        precision = precision_above(correct_at(detections.score), detections)
        bins = lowest_reaching(precision, self.min_precision)
        place = bins[0]
        if place == len(detections.lowest):
            best = precision[0].max()
            why = f"precision {self.min_precision:g} is not reached: at most {best:.3g}"
            return {"reason": why}
        thresholds = np.append(detections.lowest, np.inf)[bins[1:]]
        ends = [(1 - self.confidence) / 2, (1 + self.confidence) / 2]
        # Between a number and infinity there is no middle.
        threshold_ends = np.quantile(thresholds, ends, method="inverted_cdf")
        low, high = np.quantile(precision[1:, place], ends)
        n_reviews = len(heard.proba)
        needed = n_reviews * ((high - low) / self.interval_width) ** 2
        return {
            "threshold": detections.lowest[place],
            "threshold_low": threshold_ends[0],
            "threshold_high": threshold_ends[1],
            "precision": precision[0, place],
            "precision_low": low,
            "precision_high": high,
            "n_detections": round(detections.count[place:].sum()),
            "n_more_reviews": max(int(np.ceil(needed)) - n_reviews, 0),
        }

    def proba_correct(self, proba):
        """Return how probably each detection is right, P(correct | score).

        Parameters
        ----------
        proba : array-like or DataFrame of shape (n_rows, n_species)
            Predictions, in the order of `species_`; the columns of a DataFrame are
            found by name.

        Returns
        -------
        ndarray of shape (n_rows, n_species)
            NaN for species whose support is too small.
        """
        check_is_fitted(self)
        columns = np.column_stack(columns_of(proba, list(self.species_)))
        score = logit_score(columns)
        found = expit(self.curves_[:, 0] + self.curves_[:, 1] * score)
        for j, knots in enumerate(self.knots_):
            if knots is not None:
                found[:, j] = np.interp(score[:, j], *knots)
        return found

    def recall(self, Y, proba, *, recording_ids=None):
        """Return which share of the calls that are known the thresholds find.

        Reviews of detections tell nothing of the calls that were not detected: rows
        are needed in which all calls are known, such as annotated ones.

        Parameters
        ----------
        Y : array-like or DataFrame of shape (n_rows, n_species)
            1 present, 0 absent, NaN unknown, in the order of `species_`; the columns of
            a DataFrame are found by name.
        proba : array-like or DataFrame of shape (n_rows, n_species)
            Predictions of these rows. NaN, which could not be read, does not count.
        recording_ids : array-like of shape (n_rows,), default=None
            The recording of each row. By default each row is resampled by itself.

        Returns
        -------
        DataFrame
            One line per species, which is the index: ``n_present``, ``n_found``,
            ``recall``, ``recall_low`` and ``recall_high``, NaN where there is no
            threshold or no call.

        Raises
        ------
        ValueError
            If shapes or names differ.
        """
        check_is_fitted(self)
        names = list(self.species_)
        check_same_order(Y, proba, ("Y", "proba"), axes=["index"])  # names tell columns
        proba = np.column_stack(columns_of(proba, names))
        if isinstance(Y, pd.DataFrame):
            Y = Y.reindex(columns=names)
        present = validate_truth(Y, "Y").positive
        if present.shape != proba.shape:
            raise ValueError(
                f"Y has shape {present.shape}, but proba has {proba.shape}. Pass the "
                "labels of the rows that were predicted, in their order."
            )
        if recording_ids is None:
            recording_ids = np.arange(len(proba))
        recording, _ = number_groups(recording_ids, len(proba), "recording_ids")
        table = recall_report(
            present & ~np.isnan(proba),
            proba,
            self.thresholds_,
            recording,
            check_random_state(self.random_state),
            self.n_bootstrap,
            self.confidence,
        )
        return table.set_index(pd.Index(names, name="species"))
