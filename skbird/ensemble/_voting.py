"""Ensemble of different pipelines that vote on the species of each row."""

from numbers import Integral

import numpy as np
from sklearn.base import _fit_context
from sklearn.utils import Bunch
from sklearn.utils.metadata_routing import process_routing
from sklearn.utils.metaestimators import _BaseComposition
from sklearn.utils.parallel import Parallel, delayed
from sklearn.utils.validation import check_is_fitted

from skbird.ensemble._combine import (
    VOTINGS,
    check_voting,
    check_weights,
    combine_proba,
)
from skbird.ensemble._members import (
    fit_clone,
    share_out,
    unseen_proba,
)
from skbird.ensemble._proba_ensemble import ProbaEnsemble
from skbird.ensemble._weights import METHODS, fit_weights
from skbird.metrics import macro_roc_auc
from skbird.utils._fit_params import check_all_request, check_lengths, given_params
from skbird.utils._nested import check_same_species, species_of
from skbird.utils._params import N_JOBS, THRESHOLD
from skbird.utils._rows import check_targets, file_numbers, groups_of_rows
from skbird.utils._sklearn_compat import StrOptions, routing_enabled


class MultilabelVotingClassifier(ProbaEnsemble, _BaseComposition):
    """Combine the probabilities of different pipelines, also with learned weights.

    What `sklearn.ensemble.VotingClassifier` with ``voting="soft"`` does for one label
    per row. Members are whole pipelines, each with a front end of its own: what X is,
    all of them take.

    Parameters
    ----------
    estimators : list of (str, estimator)
        Names, and multi-label classifiers with ``predict_proba``. A member set to
        "drop" is left out. One in `sklearn.frozen.FrozenEstimator` is not fitted again.
        ``set_params(name=...)`` replaces a member, ``name__parameter`` reaches into it.
    weights : array-like of shape (n_estimators,) or (n_species, n_estimators), \
            "fit", "greedy" or None, default=None
        Weights of the votes, for all species or for each; not negative, and only their
        ratios matter. "fit" and "greedy" learn them from held-out predictions, for a
        high macro ROC-AUC, shrunk towards the worth of each; see `fit_weights`. Members
        of weight 0 are not asked.
    voting : {"mean", "geometric", "min", "rank", "auto"}, default="mean"
        Weighted mean; weighted geometric mean of the odds; minimum, without weights; or
        the weighted mean of the ranks within each species, for members of different
        calibration; see `combine_proba`. Ranks depend on which rows are predicted in
        one call, and are no probabilities. "auto": "mean" or "geometric", whichever has
        the higher macro ROC-AUC on held-out predictions.
    per_species : bool, default=False
        Whether each species gets weights of its own, drawn towards those of all the
        more the fewer files, or groups, have it. Only with learned weights.
    cv : int, splitter or iterable of (train, test), default=None
        The folds for learned weights and ``voting="auto"``. An int, 5 if None, keeps
        rows of a file together, or of a group if `groups` are given. Not used for
        members that are frozen, which predict all that is given to `fit` and must not
        have seen it before, and for those that have out-of-fold predictions themselves,
        as `FoldEnsemble` does. Each of the others is fitted once more per fold.
    threshold : float in [0, 1] or array of shape (n_species,), default=None
        Probability from which `predict` counts a species as present; None is 0.5. For
        ``voting="rank"``, which has no probabilities, it must be given: 0.9 finds a
        species in about the tenth of the rows where it is likeliest.
    n_jobs : int, default=None
        Members fitted at a time. Networks use all cores, or the one GPU, by themselves.

    Attributes
    ----------
    estimators_ : list of estimators
        The fitted members, without those dropped.
    named_estimators_ : Bunch
        The fitted members by name; "drop" for those dropped.
    weights_ : ndarray of shape (n_members,) or (n_species, n_members), or None
        Weights of `estimators_`; they sum to 1, for each species if they are its own.
        None for ``voting="min"``.
    voting_ : str
        `voting`, or what "auto" chose.
    classes_ : ndarray of shape (n_species, 2)
        The two values of each label, [0, 1].
    species_ : ndarray of str or of int
        The species in the order of the columns of ``predict_proba``: names if the
        first member knows them or y was a DataFrame, else column numbers.
    n_features_in_, feature_names_in_
        Those of the first member. Only if it has them.

    See Also
    --------
    combine_proba, fit_weights : The same for matrices of probabilities.
    SeedEnsemble : Clones of one pipeline.

    Notes
    -----
    Give the members' ``LogMel`` steps one ``cache_dir``. Members, folds and seeds whose
    front ends are alike then share the spectrograms; only for a front end that differs
    before or in LogMel's transform the recordings are decoded again.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from skbird.ensemble import MultilabelVotingClassifier
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(200, 3))
    >>> Y = (X + 0.5 * rng.normal(size=(200, 3)) > 0).astype(int)
    >>> model = MultilabelVotingClassifier(
    ...     [("near", KNeighborsClassifier(15)),
    ...      ("one", KNeighborsClassifier(1)),
    ...      ("forest", RandomForestClassifier(30, random_state=0))],
    ...     weights="greedy", cv=3,
    ... ).fit(X, Y)
    >>> model.set_params(one="drop").fit(X, Y).predict_proba(X).shape
    (200, 3)
    """

    _parameter_constraints: dict = {
        "estimators": [list],
        "weights": ["array-like", StrOptions(set(METHODS)), None],
        "voting": [StrOptions({*VOTINGS, "auto"})],
        "per_species": ["boolean"],
        "cv": ["cv_object"],
        "threshold": [*THRESHOLD, None],
        "n_jobs": N_JOBS,
    }

    __metadata_request__fit = {"groups": True}

    def __init__(
        self,
        estimators,
        *,
        weights=None,
        voting="mean",
        per_species=False,
        cv=None,
        threshold=None,
        n_jobs=None,
    ):
        self.estimators = estimators
        self.weights = weights
        self.voting = voting
        self.per_species = per_species
        self.cv = cv
        self.threshold = threshold
        self.n_jobs = n_jobs

    @property
    def named_estimators(self):
        """The members as they were given, by name."""
        return Bunch(**dict(self.estimators))

    def get_params(self, deep=True):
        """Return the parameters, also those of the members.

        Parameters
        ----------
        deep : bool, default=True
            Whether to return the members by name and their parameters too.

        Returns
        -------
        params : dict
        """
        return self._get_params("estimators", deep=deep)

    def set_params(self, **params):
        """Set parameters, members (``name=...``) and their parameters.

        Parameters
        ----------
        **params
            ``name="drop"`` leaves a member out.

        Returns
        -------
        self : MultilabelVotingClassifier
        """
        self._set_params("estimators", **params)
        return self

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(
        self,
        X,
        y,
        *,
        groups=None,
        sample_weight=None,
        label_weight=None,
        **fit_params,
    ):
        """Fit clones of the members, and the weights if they are to be learned.

        Parameters
        ----------
        X : DataFrame, sequence of paths, or whatever all members take
            The rows.
        y : array-like or DataFrame of shape (n_rows, n_species)
            Their labels, as the members take them.
        groups : str or array-like of shape (n_rows,), default=None
            What must not be on both sides of a fold, such as sites or recordists; or
            a column of X. By default the files that X names; if it names none, each
            row is by itself. Members whose ``fit`` has a parameter `groups` get it too.
        sample_weight : array-like of shape (n_rows,), default=None
            Weights of the rows, for what is at the end of each member, whatever its
            step is called. All members must take them.
        label_weight : array-like of shape (n_rows, n_species), default=None
            Weights of the labels, likewise: networks multiply the loss by them.
        **fit_params
            Passed on to the members' ``fit``. ``<member>__<parameter>`` is for one of
            them (``sed__label_weight`` for the network at the end of the pipeline
            ``sed``); what does not begin with the name of a member is for all.

        Returns
        -------
        self : MultilabelVotingClassifier
        """
        members = self._check_members()
        _, n_species = check_targets(X, y)
        self._check_weights(n_species)
        names = [name for name, _ in self.estimators]
        groups = groups_of_rows(X, groups)
        given = given_params(
            fit_params,
            groups=groups,
            sample_weight=sample_weight,
            label_weight=label_weight,
        )
        check_lengths(X, given)
        params = self._params_of_members(members, given)
        self.estimators_ = Parallel(n_jobs=self.n_jobs)(
            delayed(fit_clone)(member, X, y, params[name])
            for name, member in members.items()
        )
        fitted = dict(zip(members, self.estimators_, strict=True))
        self.named_estimators_ = Bunch(
            **{name: fitted.get(name, "drop") for name in names}
        )
        for name, member in fitted.items():
            check_same_species(f"The estimator {name!r}", species_of(member), y)
        self._learn_species(y)
        self.voting_, self.weights_ = self._learn_vote(X, y, params, groups)
        return self

    def _params_of_members(self, members, params):
        """Return the arguments of the ``fit`` of each member, by name."""
        if not routing_enabled():
            return share_out(params, members, [name for name, _ in self.estimators])
        routed = process_routing(self, "fit", **params)
        if "label_weight" in params:
            check_all_request(self, members, "label_weight")
        return {name: dict(routed[name]["fit"]) for name in members}

    def _learn_vote(self, X, y, params, groups):
        """Return how members vote, and their weights, None for the minimum."""
        if self.voting == "min":
            return "min", None
        learns_weights = isinstance(self.weights, str)
        given = None if learns_weights else self._given_weights(len(self.classes_))
        if not learns_weights and self.voting != "auto":
            return self.voting, given
        held_out = self._held_out(X, y, params, groups)
        groups = file_numbers(X) if groups is None else groups
        votings = ("mean", "geometric") if self.voting == "auto" else (self.voting,)
        weights = dict.fromkeys(votings, given)
        if learns_weights:
            weights = {
                voting: fit_weights(
                    held_out,
                    y,
                    method=self.weights,
                    voting=voting,
                    groups=groups,
                    per_species=self.per_species,
                )
                for voting in votings
            }

        def score(voting):
            proba = combine_proba(held_out, weights=weights[voting], voting=voting)
            return macro_roc_auc(y, proba, nan_rows="omit")

        chosen = votings[0] if len(votings) == 1 else max(votings, key=score)
        return chosen, weights[chosen]

    def _given_weights(self, n_species):
        """Return the weights of the members that are not dropped."""
        weights = check_weights(self.weights, len(self.estimators), n_species)
        kept = [member != "drop" for _, member in self.estimators]
        return check_weights(weights[..., kept], sum(kept), n_species)

    def _held_out(self, X, y, params, groups):
        """Return what each member predicts of rows that it was not trained on."""
        # A splitter that draws anew would give each member other folds, which does no
        # harm; but a generator would be empty after the first.
        cv = self.cv
        if not (cv is None or isinstance(cv, Integral) or hasattr(cv, "split")):
            cv = list(cv)
        return Parallel(n_jobs=self.n_jobs)(
            delayed(unseen_proba)(member, X, y, cv, groups, fit_params)
            for member, fit_params in zip(
                self.estimators_, params.values(), strict=True
            )
        )

    def predict_proba(self, X):
        """Predict the combined probabilities.

        Parameters
        ----------
        X : DataFrame, sequence of paths, or whatever all members take
            The rows; for ``voting="rank"`` all that are to be compared.

        Returns
        -------
        proba : ndarray of shape (n_rows, n_species)
            Of the members that could read a row, with their weights scaled up; NaN if
            none could.
        """
        check_is_fitted(self)
        # What is read from a model file has its voting as the parameter.
        voting = self.voting_ if self.voting == "auto" else self.voting
        weights = self.weights_
        if weights is None:
            return combine_proba(self._member_probas(X), voting=voting)
        used = np.atleast_2d(weights).any(axis=0)
        probas = self._member_probas(X, used)
        return combine_proba(probas, weights=weights[..., used], voting=voting)

    @property
    def _threshold(self):
        if self.threshold is None and self.voting == "rank":
            raise ValueError(
                "voting='rank' gives ranks, which do not tell presence from absence. "
                "Set threshold=0.9 for about the top tenth of the rows, or use another "
                "voting."
            )
        return 0.5 if self.threshold is None else self.threshold

    @property
    def _routed(self):
        return {name: member for name, member in self.estimators if member != "drop"}

    @property
    def _inner(self):
        members = (member for _, member in self.estimators if member != "drop")
        return next(members, None)

    def _check_members(self):
        """Return the members that are not dropped, by name."""
        if not self.estimators or not all(
            isinstance(item, list | tuple) and len(item) == 2
            for item in self.estimators
        ):
            raise ValueError(
                f"estimators={self.estimators!r} must be a list of (name, estimator), "
                "with at least one."
            )
        self._validate_names([name for name, _ in self.estimators])
        members = {n: member for n, member in self.estimators if member != "drop"}
        if not members:
            raise ValueError("All estimators are 'drop'. At least one must vote.")
        for name, member in members.items():
            if not all(hasattr(member, method) for method in ("fit", "predict_proba")):
                raise ValueError(
                    f"The estimator {name!r} is {member!r}, which has no fit or no "
                    "predict_proba. Use a multi-label classifier, or 'drop'."
                )
        return members

    def _check_weights(self, n_species):
        if self.voting != "auto":
            check_voting(self.voting, self.weights)
        if isinstance(self.weights, str):
            return
        self._given_weights(n_species)
        if self.per_species:
            raise ValueError(
                f"per_species=True with weights={self.weights!r:.100}, which are not "
                "learned. Set weights='fit' or 'greedy', or per_species=False."
            )
