"""Base class of the lazy steps of a pipeline."""

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin, _fit_context

from skbird.data import as_recordings, check_some_rows
from skbird.utils._rows import check_y_length


class NoMatrixMixin(TransformerMixin):
    """Mixin of transformers whose output is no matrix, and has no columns.

    ``set_output`` changes nothing, so that a Pipeline of which a later step makes a
    matrix can have it as a DataFrame.
    """

    def __init_subclass__(cls, **kwargs):
        # scikit-learn would make a DataFrame of what has names of features.
        super().__init_subclass__(auto_wrap_output_keys=None, **kwargs)

    def set_output(self, *, transform=None):
        """Do nothing: the output is no matrix, whatever is asked for.

        Parameters
        ----------
        transform : ignored

        Returns
        -------
        self
        """
        return self

    def get_feature_names_out(self, input_features=None):
        """Return the names that go in: a later step may have names of its own.

        Parameters
        ----------
        input_features : array-like of str, default=None

        Returns
        -------
        ndarray of str, object
            Empty for None.
        """
        names = () if input_features is None else input_features
        return np.asarray(names, dtype=object)


class ClipTransformer(NoMatrixMixin, BaseEstimator):
    """Base class of steps that change clips; derive filters of your own from it.

    A subclass returns from `make_op` the operation that its parameters describe. Steps
    are lazy: nothing is computed before :class:`LogMel`, or before a row is indexed.

    See Also
    --------
    skbird.utils.estimator_checks.check_audio_estimator : Checks a filter of your own.

    Examples
    --------
    A step that scales the sound. Its op is a frozen dataclass, so that rows that were
    transformed before a parameter changed stay as they were:

    >>> from dataclasses import dataclass, replace
    >>> from skbird.data import ClipOp
    >>> from skbird.preprocessing import ClipTransformer
    >>> @dataclass(frozen=True)
    ... class AmplifyOp(ClipOp):
    ...     factor: float
    ...
    ...     def __call__(self, clip):
    ...         return replace(clip, samples=clip.samples * self.factor)
    >>> class Amplify(ClipTransformer):
    ...     def __init__(self, factor=2.0):
    ...         self.factor = factor
    ...
    ...     def make_op(self):
    ...         return AmplifyOp(self.factor)
    >>> import numpy as np, soundfile, tempfile
    >>> from pathlib import Path
    >>> path = Path(tempfile.mkdtemp()) / "a.wav"
    >>> soundfile.write(path, np.full(100, 0.25), 100)
    >>> float(Amplify(3.0).transform([path])[0].samples[0])
    0.75
    """

    _parameter_constraints: dict = {}

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Check the parameters and the rows.

        Parameters
        ----------
        X : sequence of paths, DataFrame with a column ``path``, or Recordings
            The rows.
        y : array-like of n_rows rows, default=None
            Only their number is checked, so that a wrong number is found before all
            recordings are decoded.

        Returns
        -------
        self
        """
        self.make_op()
        recordings = as_recordings(X)
        check_some_rows(recordings)
        check_y_length(y, len(recordings))
        return self

    def transform(self, X):
        """Append the operation of this step to those of the rows.

        Parameters
        ----------
        X : sequence of paths, DataFrame with a column ``path``, or Recordings
            The rows.

        Returns
        -------
        Recordings
            As many rows as X, in the same order. Nothing is decoded yet.
        """
        # Stateless steps may be used without fit, by themselves or in a Pipeline.
        self._validate_params()
        return as_recordings(X).then(self.make_op())

    def make_op(self):
        """Return the operation of these parameters; raise ValueError if one is bad.

        Returns
        -------
        op : skbird.data.ClipOp
            A frozen dataclass. If it changes the weights of segments only, a
            :class:`skbird.data.WeightOp`.
        """
        raise NotImplementedError(f"{type(self).__name__} must define make_op.")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        tags.input_tags.string = True
        tags.requires_fit = False
        return tags
