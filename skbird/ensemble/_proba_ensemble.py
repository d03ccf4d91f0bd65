"""Base of the ensembles: predictions of their members."""

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skbird.base import MultilabelMetaMixin
from skbird.ensemble._combine import combine_proba
from skbird.utils._nested import predict_matrix


class ProbaEnsemble(MultilabelMetaMixin):
    """Base of ensembles whose fitted members are `estimators_`."""

    @property
    def _fitted_inner(self):
        return self.estimators_[0]

    def _member_probas(self, X, used=None):
        """Return the probabilities of all members, or of those `used`."""
        check_is_fitted(self)
        numbers = range(len(self.estimators_)) if used is None else np.flatnonzero(used)
        members = [self.estimators_[number] for number in numbers]
        return [predict_matrix(member, X, len(self.classes_)) for member in members]

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
