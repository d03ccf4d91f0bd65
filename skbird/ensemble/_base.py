"""What the ensembles share: members that answer, rows and species."""

import numpy as np
from sklearn.base import ClassifierMixin, MetaEstimatorMixin
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted

from skbird.ensemble._combine import combine_proba
from skbird.ensemble._members import member_proba
from skbird.metrics import macro_roc_auc


class ProbaEnsemble(ClassifierMixin, MetaEstimatorMixin):
    """Base of ensembles whose fitted members are `estimators_`.

    Subclasses define ``_templates()``, the estimators that the members are made of, and
    call ``_learn_species`` in `fit`.
    """

    def _learn_species(self, y):
        names = getattr(y, "columns", np.arange(np.shape(y)[1]))
        self.species_ = np.asarray(getattr(self.estimators_[0], "species_", names))
        self.classes_ = np.tile([0, 1], (len(self.species_), 1))

    def _member_probas(self, X, used=None):
        """Matrices (n_rows, n_species) of the members, or of those `used`."""
        check_is_fitted(self)
        numbers = range(len(self.estimators_)) if used is None else np.flatnonzero(used)
        members = [self.estimators_[number] for number in numbers]
        return [member_proba(member, X, len(self.classes_)) for member in members]

    def predict_proba(self, X):
        """Predict the mean of the members' probabilities.

        Parameters
        ----------
        X : DataFrame, sequence of paths, or whatever the members take
            The rows.

        Returns
        -------
        proba : ndarray of shape (n_rows, n_species)
            The mean over the members that could read a row; NaN if none could.
        """
        return combine_proba(self._member_probas(X))

    def predict(self, X, threshold=0.5):
        """Predict which species are present.

        Parameters
        ----------
        X : DataFrame, sequence of paths, or whatever the members take
            The rows.
        threshold : float or array of shape (n_species,), default=0.5
            Probability from which a species counts as present.

        Returns
        -------
        labels : ndarray of int, shape (n_rows, n_species)
            0 or 1; 0 throughout for rows that could not be read.
        """
        return (self.predict_proba(X) >= threshold).astype(np.int64)

    def score(self, X, y):
        """Macro ROC-AUC of the ensemble, over the readable rows.

        Parameters
        ----------
        X : DataFrame, sequence of paths, or whatever the members take
            The rows.
        y : array-like or DataFrame of shape (n_rows, n_species)
            Their labels; see `skbird.metrics.macro_roc_auc`.

        Returns
        -------
        score : float in [0, 1]
        """
        return macro_roc_auc(np.asarray(y), self.predict_proba(X), nan_rows="omit")

    @property
    def n_features_in_(self):
        """Number of features that the first member was fitted on."""
        return self._of_first_member("n_features_in_")

    @property
    def feature_names_in_(self):
        """Names of the features that the first member was fitted on."""
        return self._of_first_member("feature_names_in_")

    def _of_first_member(self, name):
        # AttributeError, also before fit, is how scikit-learn learns of its absence.
        if "estimators_" not in vars(self):
            raise AttributeError(f"{type(self).__name__} is not fitted: no {name}.")
        return getattr(self.estimators_[0], name)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        templates = self._templates()
        if templates:
            tags.input_tags = get_tags(templates[0]).input_tags
        tags.input_tags.one_d_array = True
        tags.input_tags.string = True
        tags.target_tags.multi_output = True
        tags.target_tags.single_output = False
        tags.classifier_tags.multi_label = True
        return tags


def check_shape(y):
    """Refuse targets that are not (n_rows, n_species)."""
    if np.ndim(y) != 2:
        raise ValueError(
            f"y has shape {np.shape(y)}, but (n_rows, n_species) is needed. For one "
            "species pass y.reshape(-1, 1)."
        )
