import numpy as np
from sklearn.utils.validation import validate_data

from skbird.encoders._linear_probe import LinearProbe
from skbird.encoders._window_batches import MatrixRows
from skbird.encoders._window_pooling import OneWindow
from skbird.encoders._windows import Windows


class ProbeClassifier(LinearProbe):
    """x."""
    _default_C = 0.1

    def __init__(self, C="auto", *, class_weight=None, max_iter=200, threshold=0.5):
        self.C = C
        self.class_weight = class_weight
        self.max_iter = max_iter
        self.threshold = threshold

    def _windows_of(self, X, reset):
        if isinstance(X, Windows):
            X = X.pool("mean")
        X = validate_data(
            self, X, reset=reset, dtype=np.float32, ensure_all_finite=False
        )
        return MatrixRows(X)

    def _pooling(self, bounds, weights):
        return OneWindow()
