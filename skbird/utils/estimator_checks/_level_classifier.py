"""A classifier that is quick to fit, to check others around and before it."""

import contextlib
from functools import lru_cache

import numpy as np
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from skbird.audio import AudioReadError, read_audio, row_channels
from skbird.data import as_recordings, file_identity
from skbird.metrics import macro_roc_auc
from skbird.utils.estimator_checks._answers import holds_recordings, main_values


class LevelClassifier(ClassifierMixin, BaseEstimator):
    """Tell species by level and hiss: a quick stand-in for a whole pipeline.

    It takes what any step gives (paths, row tables, `Recordings`, `Spectrograms`,
    arrays) and keeps the contract of a classifier, so that meta-estimators can be
    checked around it and transformers before it.

    Parameters
    ----------
    random_state : int, RandomState instance or None, default=None
        Draws a small part of the coefficients.

    Attributes
    ----------
    coef_ : ndarray of shape (4, n_species)
        Of a constant, the mean magnitude, the standard deviation and the mean change
        from value to value.
    species_ : ndarray of str or of int
        The names of Y's columns, else their numbers.
    classes_ : ndarray of shape (n_species, 2)
        The two values of each label, [0, 1].

    Examples
    --------
    >>> import numpy as np
    >>> from skbird.utils.estimator_checks import LevelClassifier
    >>> X, Y = np.array([[0.1, 0.1], [0.9, 0.1]]), np.array([[0], [1]])
    >>> LevelClassifier(random_state=0).fit(X, Y).predict(X)
    array([[0],
           [1]])
    """

    def __init__(self, random_state=None):
        self.random_state = random_state

    def fit(self, X, y, sample_weight=None, label_weight=None):
        """Fit one weighted ridge regression per species.

        Parameters
        ----------
        X : sequence of rows
        y : array or DataFrame of shape (n_rows, n_species)
            In [0, 1]; NaN is unknown, a row of -1 unlabelled.
        sample_weight : array of shape (n_rows,), default=None
        label_weight : array of shape (n_rows, n_species), default=None

        Returns
        -------
        self
        """
        features, target = _features(X), np.array(y, dtype=float)
        if target.ndim != 2 or len(target) != len(features):
            raise ValueError(
                f"y has shape {target.shape}; ({len(features)}, n_species) is needed."
            )
        target[(target == -1).all(axis=1)] = np.nan
        weight = np.isfinite(target) & np.isfinite(features).all(axis=1)[:, None]
        if sample_weight is not None:
            weight = weight * np.asarray(sample_weight, float)[:, None]
        if label_weight is not None:
            weight = weight * np.asarray(label_weight, float)
        rng = check_random_state(self.random_state)
        self.coef_ = 0.02 * rng.standard_normal((features.shape[1], target.shape[1]))
        features, target = np.nan_to_num(features), np.nan_to_num(target)
        for species, w in enumerate(weight.T):
            gram = features.T @ (w[:, None] * features) + 1e-3 * np.eye(len(self.coef_))
            aim = features.T @ (w * (4 * target[:, species] - 2))
            self.coef_[:, species] += np.linalg.solve(gram, aim)
        self.species_ = np.asarray(getattr(y, "columns", np.arange(target.shape[1])))
        self.classes_ = np.tile([0, 1], (target.shape[1], 1))
        return self

    def predict_proba(self, X):
        """Return probabilities (n_rows, n_species); NaN for rows without values."""
        check_is_fitted(self)
        return expit(_features(X) @ self.coef_)

    def predict(self, X):
        """Return 0 or 1 for each row and species."""
        return (self.predict_proba(X) >= 0.5).astype(int)

    def score(self, X, y):
        """Return the macro-averaged ROC-AUC."""
        return macro_roc_auc(np.asarray(y), self.predict_proba(X), nan_rows="omit")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.one_d_array = True
        tags.input_tags.three_d_array = True
        tags.input_tags.string = True
        tags.target_tags.required = True
        tags.target_tags.multi_output = True
        tags.target_tags.single_output = False
        tags.classifier_tags.multi_label = True
        return tags


def _features(X):
    """Return (n_rows, 4) features; NaN for rows that cannot be read."""
    if len(X) and holds_recordings(X):
        recordings = as_recordings(X)
        if not recordings.ops:
            return _features_of_files(recordings)
    features = np.full((len(X), 4), np.nan)
    for row, values in enumerate(main_values(X) if len(X) else ()):
        features[row] = _summary(values)
    return features


def _features_of_files(recordings):
    rows = recordings.rows
    features = np.full((len(rows), 4), np.nan)
    # NaN would be another key each time.
    ends = [None if end != end else end for end in rows["end"].tolist()]
    stretches = zip(rows["path"].tolist(), rows["start"].tolist(), ends, strict=True)
    for row, (path, start, end) in enumerate(stretches):
        channels = "mean"
        if "channels" in rows.columns:
            channels = row_channels(rows.iloc[row])
        with contextlib.suppress(AudioReadError):
            features[row] = _summary_of_stretch(
                file_identity(path), start, end, channels
            )
    return features


# The checks read the same few files a thousand times. What cannot be read is tried
# again; a file that changes without another size or time is not noticed.
@lru_cache(maxsize=4096)
def _summary_of_stretch(identity, start, end, channels):
    return _summary(read_audio(identity[0], start, end, channels=channels)[0])


def _summary(values):
    if values is None or not np.isfinite(values).all():
        return (np.nan,) * 4
    values = np.ravel(values).astype(float)
    change = np.abs(np.diff(values)).mean() if len(values) > 1 else 0.0
    return 1, np.abs(values).mean(), values.std(), change
