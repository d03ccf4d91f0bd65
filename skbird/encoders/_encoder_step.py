"""What the estimators have in common that run a pretrained model over rows."""

import os
import warnings
from numbers import Integral

from skbird.data import as_recordings, check_some_rows
from skbird.encoders._encoder import Encoder
from skbird.encoders._load_encoder import load_encoder
from skbird.encoders._spec_checks import check_step
from skbird.utils._params import POSITIVE
from skbird.utils._rows import check_y_length
from skbird.utils._sklearn_compat import Interval, StrOptions
from skbird.utils._text import counted


class EncoderStepMixin:
    """Mixin of estimators with a parameter `encoder`, whose rows are recordings."""

    _parameter_constraints: dict = {
        "encoder": [str, os.PathLike, Encoder],
        "step_s": [POSITIVE, None],
        "cache_dir": [str, os.PathLike, None],
        "n_jobs": [Interval(Integral, -1000, 1000, closed="both"), None],
        "on_error": [StrOptions({"raise", "skip"})],
        "verbose": ["verbose"],
    }

    @property
    def _options(self):
        """How windows are computed, whatever is made of them."""
        names = ("step_s", "cache_dir", "n_jobs", "on_error", "verbose")
        return {name: getattr(self, name) for name in names}

    def _open_for(self, X, y, role):
        """Open the model in `encoder_`, and check that it can hear the rows.

        Returns
        -------
        Recordings or None
            None if there is no X.
        """
        self._validate_params()
        recordings = None if X is None and y is None else as_recordings(X)
        if recordings is not None:
            check_some_rows(recordings)
            check_y_length(y, len(recordings))
        self.encoder_ = load_encoder(self.encoder)
        self.encoder_.check_output(role)
        if self.step_s is not None:
            check_step(self.step_s, self.encoder_.spec.window_s)
        if recordings is not None:
            _check_rate(recordings, self.encoder_.spec)
        return recordings

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        tags.input_tags.string = True
        return tags


def _check_rate(recordings, spec):
    """Warn of steps that remove what the model listens to."""
    rate = recordings.sample_rate_after(None)
    if rate is not None and rate < spec.sample_rate:
        warnings.warn(
            f"A Resampler brings the recordings to {rate} Hz, but {spec.name} hears up "
            f"to {spec.sample_rate / 2:g} Hz at {spec.sample_rate} Hz. Leave the "
            "Resampler out.",
            stacklevel=5,
        )


def warn_of_errors(windows):
    """Say which rows could not be read."""
    if len(windows.errors):
        first = windows.errors.iloc[0]
        warnings.warn(
            f"{len(windows.errors)} of {counted(len(windows), 'row')} cannot be used "
            f"and will be left out. The first is row {first['row']}: {first['error']}",
            stacklevel=4,
        )
