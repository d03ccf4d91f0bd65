import numpy as np
from sklearn.base import ClassifierMixin, MetaEstimatorMixin
from sklearn.utils import get_tags
from sklearn.utils.metadata_routing import (
    UNUSED,
    MetadataRouter,
    MethodMapping,
    process_routing,
)

from skbird.metrics import macro_roc_auc
from skbird.utils._fit_params import check_lengths, fit_key, given_params, hand_on
from skbird.utils._nested import check_same_species, species_of
from skbird.utils._sklearn_compat import routing_enabled
from skbird.utils._truth import validate_threshold


class MultilabelMixin(ClassifierMixin):
    """Mixin that gives multi-label classifiers `predict` and `score`.

    A class that uses it defines `predict_proba`, and has ``species_`` once it is
    fitted. It may have a parameter ``threshold``. Networks, compiled networks and
    meta-estimators share this mixin, so that a decision or a score means the same
    before and after a network is wrapped or compiled.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.base import BaseEstimator
    >>> from skbird.base import MultilabelMixin
    >>> class Given(MultilabelMixin, BaseEstimator):
    ...     def fit(self, X, y):
    ...         self.species_ = np.arange(np.shape(y)[1])
    ...         return self
    ...
    ...     def predict_proba(self, X):
    ...         return np.asarray(X)
    >>> X, Y = [[0.9, 0.2], [0.1, 0.6]], np.array([[1, 0], [0, 1]])
    >>> Given().fit(X, Y).predict(X)
    array([[1, 0],
           [0, 1]])
    >>> Given().fit(X, Y).score(X, Y)
    1.0
    """

    def predict(self, X):
        """Predict which species are present.

        A species counts as present if its probability reaches `threshold`, a parameter
        of the estimator, or 0.5 if it has no such parameter. Thresholds of an estimator
        inside are not used: put `ThresholdTuner` outside.

        Parameters
        ----------
        X : what ``predict_proba`` takes
            The rows.

        Returns
        -------
        labels : ndarray of int, shape (n_rows, n_species)
            0 or 1; 0 throughout for rows that could not be read.

        Raises
        ------
        ValueError
            If `threshold` is NaN, or not one for each species.
        """
        threshold = self._threshold
        if hasattr(self, "species_"):  # else `predict_proba` says what is missing
            threshold = validate_threshold(threshold, len(self.species_))
        return (self.predict_proba(X) >= threshold).astype(np.int64)

    @property
    def _threshold(self):
        return getattr(self, "threshold", 0.5)

    def score(self, X, y):
        """Return the macro-averaged ROC-AUC of the probabilities of readable rows.

        Parameters
        ----------
        X : what ``predict_proba`` takes
            The rows.
        y : array-like or DataFrame of shape (n_rows, n_species)
            Their labels, in the order of ``species_``; see
            :func:`skbird.metrics.macro_roc_auc`.

        Returns
        -------
        score : float in [0, 1]

        Raises
        ------
        ValueError
            If y has other species, or in another order.
        """
        check_same_species(type(self).__name__, getattr(self, "species_", None), y)
        return macro_roc_auc(y, self.predict_proba(X), nan_rows="omit")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


class MultilabelMetaMixin(MultilabelMixin, MetaEstimatorMixin):
    """Mixin of meta-estimators that predict a probability per row and species.

    A class that uses it defines `predict_proba`, calls `_learn_species` in `fit`, and
    says with `_inner` and `_fitted_inner` what it wraps, if that is not `estimator` and
    `estimator_`.

    See Also
    --------
    skbird.postprocessing.PostProcessor : Has `fit` of the estimator inside, too.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.base import BaseEstimator, clone
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from skbird.base import MultilabelMetaMixin
    >>> from skbird.utils._nested import predict_matrix
    >>> class Mirror(MultilabelMetaMixin, BaseEstimator):
    ...     def __init__(self, estimator):
    ...         self.estimator = estimator
    ...
    ...     def fit(self, X, y):
    ...         self.estimator_ = clone(self.estimator).fit(X, y)
    ...         self._learn_species(y)
    ...         return self
    ...
    ...     def predict_proba(self, X):
    ...         return 1 - predict_matrix(self.estimator_, X)
    >>> X, Y = np.array([[0.0], [1.0]]), np.array([[1, 0], [0, 1]])
    >>> Mirror(KNeighborsClassifier(1)).fit(X, Y).predict(X)
    array([[0, 1],
           [1, 0]])
    """

    @property
    def _inner(self):
        """The wrapped estimator, not fitted."""
        return self.estimator

    @property
    def _fitted_inner(self):
        """The wrapped estimator, fitted; AttributeError before `fit`."""
        return self.estimator_

    def _learn_species(self, y):
        self.classes_ = np.tile([0, 1], (np.asarray(y).shape[1], 1))
        names = getattr(y, "columns", np.arange(len(self.classes_)))
        own = species_of(self._fitted_inner)
        self.species_ = np.asarray(names if own is None else own)
        check_same_species(type(self._fitted_inner).__name__, own, y)

    def get_metadata_routing(self):
        """Return what the estimators inside request, for scikit-learn's routing.

        Returns
        -------
        routing : MetadataRouter
        """
        own = self._get_metadata_request()
        for name in {"sample_weight", "label_weight"} & own.fit.requests.keys():
            own.fit.add_request(param=name, alias=UNUSED)  # of what is fitted
        router = MetadataRouter(owner=self).add_self_request(own)
        mapping = MethodMapping().add(caller="fit", callee="fit")
        return router.add(**self._routed, method_mapping=mapping)

    @property
    def _routed(self):
        """The estimators, by name, that parameters of fit may be for."""
        return {"estimator": self.estimator}

    def _params_of_fit(self, X, fit_params, *, groups=None, **weights):
        """Return the arguments of ``estimator.fit``; None is nothing given.

        Parameters
        ----------
        X : the rows
        fit_params : dict
        groups : array of shape (n_rows,), default=None
            For estimators inside that take them, too.
        **weights
            ``sample_weight`` and ``label_weight``.
        """
        params = given_params(fit_params, **weights)
        check_lengths(X, params)
        if routing_enabled():
            params = given_params(params, groups=groups)
            return dict(process_routing(self, "fit", **params)["estimator"]["fit"])
        if fit_key(self.estimator, "groups") is not None:
            params = given_params(params, groups=groups)
        return hand_on(self.estimator, params)

    @property
    def n_features_in_(self):
        """Number of features that the inner estimator was fitted on."""
        return self._of_fitted("n_features_in_")

    @property
    def feature_names_in_(self):
        """Names of the features that the inner estimator was fitted on."""
        return self._of_fitted("feature_names_in_")

    def _of_fitted(self, name):
        # AttributeError, also before fit, is how scikit-learn learns of its absence.
        try:
            fitted = self._fitted_inner
        except AttributeError:
            message = f"{type(self).__name__} is not fitted: no {name}."
            raise AttributeError(message) from None
        return getattr(fitted, name)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        if self._inner is not None:
            tags.input_tags = get_tags(self._inner).input_tags
        tags.target_tags.multi_output = True
        tags.target_tags.single_output = False
        tags.classifier_tags.multi_class = False
        return tags
