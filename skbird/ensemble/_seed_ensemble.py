"""Ensemble of clones of one pipeline with different random states."""

from numbers import Integral

from sklearn.base import BaseEstimator, _fit_context, clone
from sklearn.utils import check_random_state
from sklearn.utils.parallel import Parallel, delayed

from skbird.ensemble._members import fit_clone
from skbird.ensemble._proba_ensemble import ProbaEnsemble
from skbird.utils._params import N_JOBS, THRESHOLD
from skbird.utils._rows import check_targets
from skbird.utils._sklearn_compat import HasMethods, Interval, set_random_states


class SeedEnsemble(ProbaEnsemble, BaseEstimator):
    """Mean of clones of one pipeline that differ in their random state only.

    Two trainings of a network from the same data differ, and their mean ranks better
    than either. The clones get numbers for every parameter named ``random_state``, also
    of steps.

    Parameters
    ----------
    estimator : estimator object
        A multi-label classifier with ``predict_proba``, usually a whole pipeline. A
        parameter ``random_state`` must be somewhere in it.
    n_estimators : int in [1, 1000], default=3
        Clones.
    threshold : float in [0, 1] or array of shape (n_species,), default=0.5
        Probability from which `predict` counts a species as present.
    random_state : int, RandomState instance or None, default=None
        What their random states are drawn with.
    n_jobs : int, default=None
        Clones fitted at a time. Networks use all cores, or the one GPU, by themselves.

    Attributes
    ----------
    estimators_ : list of estimators
        The fitted clones.
    classes_ : ndarray of shape (n_species, 2)
        The two values of each label, [0, 1].
    species_ : ndarray of str or of int
        The species in the order of the columns of ``predict_proba``: names if the
        members know them or y was a DataFrame, else column numbers.
    n_features_in_, feature_names_in_
        Those of the first member. Only if it has them.

    See Also
    --------
    FoldEnsemble : Clones that differ in what they were trained on.
    MultilabelVotingClassifier : Different pipelines.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from skbird.ensemble import SeedEnsemble
    >>> X, Y = np.arange(8.0).reshape(-1, 1), np.eye(2)[[0, 0, 0, 0, 1, 1, 1, 1]]
    >>> model = SeedEnsemble(RandomForestClassifier(2), random_state=0).fit(X, Y)
    >>> len({member.random_state for member in model.estimators_})
    3
    >>> model.predict([[0.5], [6.5]])
    array([[1, 0],
           [0, 1]])
    """

    _parameter_constraints: dict = {
        "estimator": [HasMethods(["fit", "predict_proba"])],
        "n_estimators": [Interval(Integral, 1, 1000, closed="both")],
        "threshold": THRESHOLD,
        "random_state": ["random_state"],
        "n_jobs": N_JOBS,
    }

    def __init__(
        self,
        estimator,
        n_estimators=3,
        *,
        threshold=0.5,
        random_state=None,
        n_jobs=None,
    ):
        self.estimator = estimator
        self.n_estimators = n_estimators
        self.threshold = threshold
        self.random_state = random_state
        self.n_jobs = n_jobs

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y, *, sample_weight=None, label_weight=None, **fit_params):
        """Fit the clones.

        Parameters
        ----------
        X : DataFrame, sequence of paths, or whatever `estimator` takes
            The rows.
        y : array-like or DataFrame of shape (n_rows, n_species)
            Their labels, as `estimator` takes them.
        sample_weight : array-like of shape (n_rows,), default=None
            Weights of the rows, for what is at the end of `estimator`, whatever its
            step is called.
        label_weight : array-like of shape (n_rows, n_species), default=None
            Weights of the labels, likewise: networks multiply the loss by them.
        **fit_params
            Passed on to ``estimator.fit``.

        Returns
        -------
        self : SeedEnsemble
        """
        check_targets(X, y)
        fit_params = self._params_of_fit(
            X,
            fit_params,
            sample_weight=sample_weight,
            label_weight=label_weight,
        )
        names = self.estimator.get_params()
        if not any(name.rpartition("__")[2] == "random_state" for name in names):
            raise ValueError(
                f"estimator ({type(self.estimator).__name__}) has no parameter "
                "random_state, so that all clones would be alike. Use it by itself."
            )
        rng = check_random_state(self.random_state)
        clones = [clone(self.estimator) for _ in range(self.n_estimators)]
        for member in clones:
            set_random_states(member, rng)
        self.estimators_ = Parallel(n_jobs=self.n_jobs)(
            delayed(fit_clone)(member, X, y, fit_params) for member in clones
        )
        self._learn_species(y)
        return self
