"""A classifier on features, of which rows that could not be read have none."""

import numpy as np
import pandas as pd

from skbird.utils._nested import predict_matrix


class HeardRows:
    """Fit and predict a classifier on the rows that could be read; others get NaN.

    Parameters
    ----------
    encoder : EmbeddingEncoder
    head : classifier
        Which need not know NaN.
    """

    def __init__(self, encoder, head):
        self.encoder = encoder
        self.head = head

    def fit(self, X, y, **weights):
        """Fit the classifier.

        Parameters
        ----------
        X : Recordings
        y : DataFrame or ndarray of shape (n_rows, n_species)
        **weights : array of n_rows rows

        Returns
        -------
        self
        """
        features = self.encoder.fit_transform(X)
        heard = np.isfinite(features).all(axis=1)
        weights = {name: np.asarray(weight)[heard] for name, weight in weights.items()}
        self.n_species_ = y.shape[1]
        y = y[heard] if isinstance(y, pd.DataFrame) else np.asarray(y)[heard]
        self.head.fit(features[heard], y, **weights)
        return self

    def predict_proba(self, X):
        """Return the probabilities of the classifier.

        Parameters
        ----------
        X : Recordings

        Returns
        -------
        ndarray of shape (n_rows, n_species)
        """
        features = self.encoder.transform(X)
        heard = np.isfinite(features).all(axis=1)
        proba = np.full((len(features), self.n_species_), np.nan, np.float32)
        if heard.any():
            found = predict_matrix(self.head, features[heard], self.n_species_)
            proba[heard] = found
        return proba
