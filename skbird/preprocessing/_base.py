"""What the lazy steps of a pipeline share."""

from sklearn.base import BaseEstimator, TransformerMixin, _fit_context

from skbird.data import as_recordings
from skbird.data._rows import check_some_rows


class ClipTransformer(TransformerMixin, BaseEstimator):
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
        y : ignored

        Returns
        -------
        self
        """
        self._make_op()
        check_some_rows(as_recordings(X))
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
