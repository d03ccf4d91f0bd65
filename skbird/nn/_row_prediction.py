"""Prediction of rows: the scores of their segments, pooled."""

import torch

from skbird.data import check_shifts, pool_rows, score_rows
from skbird.nn._prediction import map_segments, spectrograms_for


class RowPrediction:
    """Part of `SegmentNet`: predicts and embeds rows from their segments."""

    def predict_proba(self, X):
        """Predict the probability of each species in each row.

        Parameters
        ----------
        X : Spectrograms or array of shape (n_rows, n_mels, n_frames)

        Returns
        -------
        ndarray of shape (n_rows, n_species), float32
            Rows of several segments are pooled as `pooling` says; rows that could not
            be read, and only those, are NaN.

        Raises
        ------
        FloatingPointError
            If the network answers NaN or infinity, as after a training that diverged.
        """
        logits = self._row_logits(spectrograms_for(self, X))
        return torch.sigmoid(torch.from_numpy(logits)).numpy()

    def _row_logits(self, X):
        check_shifts(self.tta_shifts_s)  # set_params may have come after fit
        return score_rows(
            X,
            lambda X, read: map_segments(self, X, self.module_, read),
            pooling=self.pooling,
            shifts_s=self.tta_shifts_s,
        )

    def embed(self, X):
        """Return the embedding of each row, the features below the layer of species.

        Parameters
        ----------
        X : Spectrograms or array of shape (n_rows, n_mels, n_frames)

        Returns
        -------
        ndarray of shape (n_rows, n_features), float32
            The mean over the row's segments; NaN for rows that could not be read.
        """
        return embed_rows(self, X)


def embed_rows(net, X):
    """Return the features of rows: see `RowPrediction.embed`."""
    X = spectrograms_for(net, X)
    embedded = map_segments(net, X, net.module_.embed)
    used = X.segment_predict_weights > 0
    return pool_rows(embedded[used], X.segment_rows[used], len(X), "mean")
