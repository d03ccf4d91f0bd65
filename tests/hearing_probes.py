"""Probes that take recordings, as the battery has them, and the encoder they hear with.

In a file of their own: a process that unpickles one makes no other estimators.
"""

import tempfile
from functools import cache
from pathlib import Path

from tiny_encoder import write_encoder

from skbird.encoders import (
    AttentionProbe,
    EmbeddingEncoder,
    ProbeClassifier,
    load_encoder,
)


@cache
def folder():
    """Return a folder that is gone with this process."""
    return tempfile.TemporaryDirectory()


@cache
def tiny_encoder():
    """Return an encoder that knows a dove and a wren."""
    path = write_encoder(
        Path(folder().name), species=("dove", "wren"), tones=(1000.0, 3000.0)
    )
    return load_encoder(path, runtime="onnxruntime")


class Hearing:
    """Turns a probe into one that takes recordings."""

    output = "embedding"

    def _windows_of(self, X, reset):
        if reset:
            encoder = EmbeddingEncoder(
                tiny_encoder(),
                output=self.output,
                cache_dir=Path(folder().name, "cache"),
                on_error="skip",
                n_jobs=1,
                verbose=0,
            )
            self.encoder_ = encoder.fit(X)
        return super()._windows_of(self.encoder_.transform(X), reset)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        return tags


class HearingProbeClassifier(Hearing, ProbeClassifier):
    """A `ProbeClassifier` of recordings."""


class HearingAttentionProbe(Hearing, AttentionProbe):
    """An `AttentionProbe` of recordings."""

    output = "windows"
