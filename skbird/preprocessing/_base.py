"""What the lazy steps of a pipeline share."""

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin, _fit_context

from skbird.data import as_recordings
from skbird.data._rows import check_some_rows
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
    """Base of the steps that append one op to the chain of each row.

    A subclass says in `_make_op` which op its parameters mean. Nothing is computed
    before :class:`LogMel`, or before a row is indexed.
    """

    _parameter_constraints: dict = {}

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None):
        """Check the parameters and the rows.

        Parameters
        ----------
        X : sequence of paths, DataFrame with a column ``path``, or Recordings
            The rows.
        y : array-like of n_rows rows, optional
            Only their number is looked at: a wrong one would else be found after all
            recordings were decoded.

        Returns
        -------
        self
        """
        self._make_op()
        recordings = as_recordings(X)
        check_some_rows(recordings)
        check_y_length(y, len(recordings))
        return self

    def transform(self, X):
        """Append this step to what the rows still have to pass.

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
        return as_recordings(X).then(self._make_op())

    def _make_op(self):
        raise NotImplementedError(f"{type(self).__name__} must define _make_op.")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        tags.input_tags.string = True
        tags.requires_fit = False
        return tags
