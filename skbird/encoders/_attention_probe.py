import numpy as np
from skbird.encoders._linear_probe import LinearProbe
from skbird.encoders._window_pooling import Attention, LogMeanExp
from skbird.encoders._windows import Windows


class AttentionProbe(LinearProbe):
    """x."""
    _default_C = 0.1

    def __init__(self, C="auto", *, pooling="lse", sharpness=1.0, class_weight=None, max_iter=200, threshold=0.5):
        self.C = C
        self.pooling=pooling
        self.sharpness=sharpness
        self.class_weight = class_weight
        self.max_iter = max_iter
        self.threshold = threshold

    def _windows_of(self, X, reset):
        return X

    def _pooling(self, bounds, weights):
        if self.pooling=="attention": return Attention(bounds, weights)
        return LogMeanExp(bounds, weights, self.sharpness)
