from itertools import pairwise

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from skbird.data import Spectrograms, check_some_rows
from skbird.utils._sklearn_compat import output_config

_NAMES = "mean", "std", "contrast"


class SpectrogramStatistics(TransformerMixin, BaseEstimator):
    """Summarise each row by statistics of its mel bands: a baseline without networks.

    The statistics are mean, standard deviation and contrast (the 95th minus the 50th
    percentile) of each band over the frames of a segment, averaged over the segments of
    a row by their weights. Any scikit-learn estimator can follow.

    Attributes
    ----------
    n_mels_ : int
        Bands seen in `fit`.

    See Also
    --------
    skbird.nn.CNNClassifier : Sees the shape of the sounds, not only their spectrum.

    Examples
    --------
    >>> import numpy as np
    >>> from skbird.data import Spectrograms
    >>> from skbird.preprocessing import SpectrogramStatistics
    >>> spectrograms = Spectrograms.from_arrays(np.zeros((4, 64, 313)))
    >>> SpectrogramStatistics().fit_transform(spectrograms).shape
    (4, 192)
    """

    def fit(self, X, y=None):
        """Check X; nothing is learnt.

        Parameters
        ----------
        X : Spectrograms
            As :class:`LogMel` gives them.
        y : ignored

        Returns
        -------
        self
        """
        self._check(X)
        check_some_rows(X)
        self.n_mels_ = X.format.n_mels
        return self

    def get_feature_names_out(self, input_features=None):
        """Return the names of the columns, such as ``mean_mel0``.

        Parameters
        ----------
        input_features : ignored

        Returns
        -------
        ndarray of str, object, shape (3 * n_mels,)
            The bands are numbered from the lowest.
        """
        check_is_fitted(self, "n_mels_")
        names = [f"{name}_mel{band}" for name in _NAMES for band in range(self.n_mels_)]
        return np.array(names, dtype=object)

    def transform(self, X):
        """Compute the statistics.

        Parameters
        ----------
        X : Spectrograms
            As :class:`LogMel` gives them.

        Returns
        -------
        ndarray of shape (n_rows, 3 * n_mels), float32
            Or what ``set_output`` asks for, with the index of the rows' table.
            NaN in rows that could not be read.
        """
        self._check(X)
        features = np.full((len(X), 3 * X.format.n_mels), np.nan, np.float32)
        bounds = np.searchsorted(X.segment_rows, np.arange(len(X) + 1))
        for row, (first, stop) in enumerate(pairwise(bounds)):
            if stop > first:
                weights = X.segment_weights[first:stop]
                used = np.flatnonzero(weights) + first
                values = _statistics(X.to_numpy(used))
                features[row] = np.average(values, axis=0, weights=weights[weights > 0])
        if output_config("transform", self)["dense"] == "pandas":
            # scikit-learn names the columns, but would number the rows anew.
            return pd.DataFrame(features, index=X.index)
        return features

    def _check(self, X):
        if not isinstance(X, Spectrograms):
            raise TypeError(
                f"SpectrogramStatistics needs Spectrograms, got {type(X).__name__}. "
                "Put a LogMel before it."
            )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        tags.requires_fit = False
        return tags


def _statistics(segments):
    """Statistics of each segment; segments (n, n_mels, n_frames) -> (n, 3 * n_mels)."""
    middle, high = np.quantile(segments, [0.5, 0.95], axis=2)
    return np.concatenate(
        [segments.mean(axis=2), segments.std(axis=2), high - middle], axis=1
    )
