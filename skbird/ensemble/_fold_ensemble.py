"""Ensemble of the models of a cross-validation."""

from sklearn.base import BaseEstimator, _fit_context, clone

from skbird.ensemble._proba_ensemble import ProbaEnsemble
from skbird.utils._held_out import held_out_proba
from skbird.utils._params import THRESHOLD
from skbird.utils._rows import check_targets, groups_of_rows
from skbird.utils._sklearn_compat import HasMethods


class FoldEnsemble(ProbaEnsemble, BaseEstimator):
    """Mean of the models that a cross-validation trains.

    A clone of the pipeline is fitted for each fold, without the fold's rows, and
    predicts them; all clones together predict what is new. The out-of-fold predictions
    of the training rows, `held_out_proba_`, judge the pipeline, and weights, thresholds
    and calibration can be learned from them without any further training.

    Parameters
    ----------
    estimator : estimator object
        A multi-label classifier with ``predict_proba``, usually a whole pipeline.
    cv : int, splitter or iterable of (train, test), default=None
        The folds. An int, 5 if None, keeps rows of a file together, or of a group if
        `groups` are given. Each row may be tested once, and no file may have rows in
        training and test. Folds without labelled rows to test are left out.
    threshold : float in [0, 1] or array of shape (n_species,), default=0.5
        Probability from which `predict` counts a species as present.

    Attributes
    ----------
    estimators_ : list of estimators
        The fitted clones, one per fold.
    held_out_proba_ : ndarray of shape (n_rows, n_species)
        Out-of-fold predictions of the rows that were given to `fit`: NaN in rows that
        were never tested or could not be read.
    classes_ : ndarray of shape (n_species, 2)
        The two values of each label, [0, 1].
    species_ : ndarray of str or of int
        The species in the order of the columns of ``predict_proba``: names if the
        members know them or y was a DataFrame, else column numbers.
    n_features_in_, feature_names_in_
        Those of the first member. Only if it has them.

    See Also
    --------
    MultilabelVotingClassifier : Learns weights from `held_out_proba_` of its members.
    fit_weights : The same for matrices of probabilities.
    SeedEnsemble : Clones that are all trained on everything.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from skbird.ensemble import FoldEnsemble
    >>> from skbird.metrics import macro_roc_auc
    >>> X = np.array([0, 1, 2, 3, 10, 11, 12, 13]).reshape(-1, 1)
    >>> Y = (X < 5) == [True, False]
    >>> model = FoldEnsemble(KNeighborsClassifier(1), cv=4).fit(X, Y)
    >>> len(model.estimators_)
    4
    >>> float(macro_roc_auc(Y, model.held_out_proba_))
    1.0
    """

    _parameter_constraints: dict = {
        "estimator": [HasMethods(["fit", "predict_proba"])],
        "cv": ["cv_object"],
        "threshold": THRESHOLD,
    }

    __metadata_request__fit = {"groups": True}

    def __init__(self, estimator, *, cv=None, threshold=0.5):
        self.estimator = estimator
        self.cv = cv
        self.threshold = threshold

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
        """Fit a clone per fold.

        Parameters
        ----------
        X : DataFrame, sequence of paths, or whatever `estimator` takes
            The rows.
        y : array-like or DataFrame of shape (n_rows, n_species)
            Their labels, as `estimator` takes them.
        groups : str or array-like of shape (n_rows,), default=None
            What must not be on both sides of a fold, such as sites or recordists; or
            a column of X. By default the files that X names; if it names none, each
            row is by itself.
        sample_weight : array-like of shape (n_rows,), default=None
            Weights of the rows, for what is at the end of `estimator`, whatever its
            step is called.
        label_weight : array-like of shape (n_rows, n_species), default=None
            Weights of the labels, likewise: networks multiply the loss by them.
        **fit_params
            Passed on to ``estimator.fit``. What has n_rows entries is cut to the fold.

        Returns
        -------
        self : FoldEnsemble
        """
        check_targets(X, y)
        groups = groups_of_rows(X, groups)
        fit_params = self._params_of_fit(
            X,
            fit_params,
            groups=groups,
            sample_weight=sample_weight,
            label_weight=label_weight,
        )
        fitted = []
        self.held_out_proba_, _ = held_out_proba(
            _Kept(self.estimator, fitted),
            X,
            y,
            cv=self.cv,
            groups=groups,
            fit_params=fit_params,
        )
        self.estimators_ = fitted
        self._learn_species(y)
        return self


class _Kept(BaseEstimator):
    """Stand-in for an estimator that keeps each fitted clone in a shared list."""

    def __init__(self, estimator, fitted):
        self.estimator = estimator
        self.fitted = fitted

    def __sklearn_clone__(self):
        return _Kept(clone(self.estimator), self.fitted)

    def fit(self, X, y, **fit_params):
        self.estimator.fit(X, y, **fit_params)
        self.fitted.append(self.estimator)
        return self

    def predict_proba(self, X):
        return self.estimator.predict_proba(X)

    @property
    def classes_(self):
        return self.estimator.classes_
