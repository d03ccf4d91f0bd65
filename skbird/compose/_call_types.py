"""Train on the call types of species, predict species."""

from numbers import Integral

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, _fit_context, clone
from sklearn.utils.validation import check_is_fitted

from skbird.base import MultilabelMetaMixin
from skbird.compose._type_targets import split_targets
from skbird.utils._nested import predict_matrix
from skbird.utils._params import THRESHOLD
from skbird.utils._sklearn_compat import HasMethods, Interval, StrOptions

# Who calls, not how. A nestling begs as no adult does, so "nestling" is a call type.
_NO_CALL_TYPES = (
    "male",
    "female",
    "sex uncertain",
    "adult",
    "subadult",
    "juvenile",
    "life stage uncertain",
    "uncertain",
    "unknown",
    "?",
)


class CallTypeClassifier(MultilabelMetaMixin, BaseEstimator):
    r"""Train a classifier on species and call type, and predict species.

    The song, the alarm and the wing beats of a species may be less alike than the
    alarms of two species, yet share one label. This wrapper splits the label: a
    species with enough recordings of a call type gets a column of targets for it, the
    estimator learns these columns, and the probabilities of a species' columns are
    combined into one. Only `fit` looks at the call types.

    For each species the recordings whose call type is known to be its own are counted:
    those that have it as their only ``primary_label``, or, if X has no such column (or
    none of its labels is a column of y), those in which no other species is heard.

    - Types with `min_recordings` recordings get a column, "<species> | <type>".
    - The other recordings, of rare types and without tags, share the column
      "<species> | other" if they are `min_recordings`, else they join the species'
      commonest type, where they would be without this wrapper, too.
    - A species with fewer than two such columns stays one, with its own name.

    A row in which the species has a target v > 0 gets v in the columns of its types
    (there may be several), and in the others what `siblings` says. A row without a tag
    gets v in the column that the rest went to and NaN, unknown, in the others. A row
    whose tags are about another species gets NaN in all. Other targets (0, NaN, -1) are
    repeated.

    Parameters
    ----------
    estimator : estimator object
        A multi-label classifier with ``predict_proba``, usually a whole pipeline. It
        must accept NaN in its targets, as skbird's networks do. Scikit-learn's own
        classifiers refuse NaN: they need ``siblings="absent"`` and rows that each have
        a single species and a tag.
    column : str, default="type"
        Column of X that holds the tags of each recording: a list of them, the text of
        one (``"['call', 'male']"``), or text with commas or semicolons
        (``"call, male"``). Case does not matter. Missing values have no tag.
    min_recordings : int >= 1, default=10
        Recordings, distinct paths, that a column needs. If X has no column ``path``,
        each row is a recording.
    siblings : {"unknown", "absent"}, default="unknown"
        What a row tagged as one type says of the species' other types: nothing, since a
        recording of the song often has calls as well; or that they are not there.
    combine : {"max", "noisy_or"}, default="max"
        How the probabilities of a species' columns become one: the highest, or
        :math:`1 - \prod_t (1 - p_t)`, which adds up evidence and is never lower.
    threshold : float in [0, 1] or array of shape (n_species,), default=0.5
        Probability from which `predict` counts a species as present.
    ignore : collection of str, default=("male", "female", "sex uncertain", ...)
        Tags that are no call types; by default sexes, ages and doubts.

    Attributes
    ----------
    estimator_ : estimator object
        The fitted clone of `estimator`.
    call_types_ : DataFrame
        One row per column that `estimator_` was fitted on: ``species``, ``type`` (None
        for a species in one column), ``column`` (its name) and ``n_recordings``, those
        with a target of at least 0.5 there.
    first_columns_ : ndarray of int, shape (n_species,)
        Where the columns of each species begin in `call_types_`.
    classes_ : ndarray of shape (n_species, 2)
        The two values of each label, [0, 1].
    species_ : ndarray of str or of int
        The species in the order of the columns of ``predict_proba``: names if y was a
        DataFrame, else column numbers.

    Notes
    -----
    A `SoundscapeReweighter` works on either side: inside it weighs each call type by
    its own level in the file, around it the species. What makes pseudo-labels belongs
    inside, where they have a call type.

    Any target above 0 says that a species is heard. Smooth labels in the loss, not in
    y: a species heard faintly everywhere would have no known call type.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn.compose import make_column_transformer
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from sklearn.pipeline import make_pipeline
    >>> from skbird.compose import CallTypeClassifier
    >>> X = pd.DataFrame({"khz": [2, 2.1, 7, 7.2, 6, 6.1],
    ...                   "type": ["song", "['song']", "call, male", "call", "", None]})
    >>> Y = pd.DataFrame({"wren": [1, 1, 1, 1, 0, 0], "dove": [0, 0, 0, 0, 1, 1]})
    >>> pipe = make_pipeline(make_column_transformer(("passthrough", ["khz"])),
    ...                      KNeighborsClassifier(1))
    >>> model = CallTypeClassifier(pipe, min_recordings=2, siblings="absent").fit(X, Y)
    >>> model.call_types_
      species  type       column  n_recordings
    0    wren  call  wren | call             2
    1    wren  song  wren | song             2
    2    dove  None         dove             2
    >>> model.predict_proba(pd.DataFrame({"khz": [2.2, 6.2]}))
    array([[1., 0.],
           [0., 1.]])
    """

    _parameter_constraints: dict = {
        "estimator": [HasMethods(["fit", "predict_proba"])],
        "column": [str],
        "min_recordings": [Interval(Integral, 1, None, closed="left")],
        "siblings": [StrOptions({"unknown", "absent"})],
        "combine": [StrOptions({"max", "noisy_or"})],
        "threshold": THRESHOLD,
        "ignore": [tuple, list, set, frozenset],
    }

    def __init__(
        self,
        estimator,
        *,
        column="type",
        min_recordings=10,
        siblings="unknown",
        combine="max",
        threshold=0.5,
        ignore=_NO_CALL_TYPES,
    ):
        self.estimator = estimator
        self.column = column
        self.min_recordings = min_recordings
        self.siblings = siblings
        self.combine = combine
        self.threshold = threshold
        self.ignore = ignore

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y, *, sample_weight=None, label_weight=None, **fit_params):
        """Split the targets by call type and fit a clone of the estimator on them.

        Parameters
        ----------
        X : DataFrame of n_rows
            The rows, with the column `column`. ``path`` and ``primary_label`` are used
            if they are there. It is passed on as it is.
        y : array-like or DataFrame of shape (n_rows, n_species)
            Their labels: in [0, 1], NaN = unknown, -1 throughout = unlabelled.
        sample_weight : array-like of shape (n_rows,), default=None
            Weights of the rows, for the classifier at the end of `estimator`.
        label_weight : array-like of shape (n_rows, n_species), default=None
            Weights of the labels, likewise: networks multiply the loss by them. Those
            of a species are repeated in its columns.
        **fit_params
            Passed on to ``estimator.fit``; of ``<step>__label_weight``, too, a species'
            weights are repeated.

        Returns
        -------
        self : CallTypeClassifier
        """
        self._check(X, y)
        self.call_types_, targets, owner = split_targets(
            X,
            y,
            column=self.column,
            min_recordings=self.min_recordings,
            siblings=self.siblings,
            ignore=self.ignore,
        )
        fit_params = self._params_of_fit(
            X,
            fit_params,
            sample_weight=sample_weight,
            label_weight=label_weight,
        )
        for name, weight in fit_params.items():
            # Routing may call it my_label_weight.
            if name.endswith("label_weight") and weight is not None:
                _check_label_weight(name, weight, y)
                weight = np.asarray(weight)[:, owner]
                fit_params[name] = pd.DataFrame(weight, X.index, targets.columns)
        self.estimator_ = clone(self.estimator).fit(X, targets, **fit_params)
        self.species_ = np.asarray(getattr(y, "columns", np.arange(np.shape(y)[1])))
        self.classes_ = np.tile([0, 1], (len(self.species_), 1))
        self.first_columns_ = np.unique(owner, return_index=True)[1]
        return self

    def predict_call_type_proba(self, X):
        """Predict the probability of each call type.

        Parameters
        ----------
        X : DataFrame or whatever `estimator` takes
            The rows; their tags are not needed.

        Returns
        -------
        proba : DataFrame of shape (n_rows, n_columns)
            Columns as in ``call_types_["column"]``, the index of X if it is a table.
            NaN for rows that could not be read.
        """
        check_is_fitted(self)
        columns = self.call_types_["column"].to_list()
        proba = predict_matrix(self.estimator_, X, len(columns))
        index = X.index if isinstance(X, pd.DataFrame) else None
        return pd.DataFrame(proba, index, columns)

    def predict_proba(self, X):
        """Predict the probability of each species.

        Parameters
        ----------
        X : DataFrame or whatever `estimator` takes
            The rows; their tags are not needed.

        Returns
        -------
        proba : ndarray of shape (n_rows, n_species)
            NaN for rows that could not be read.
        """
        proba = self.predict_call_type_proba(X).to_numpy()
        if self.combine == "max":
            return np.maximum.reduceat(proba, self.first_columns_, axis=1)
        with np.errstate(divide="ignore"):  # the logarithm of 0, from p = 1, is meant
            absent = np.add.reduceat(np.log1p(-proba), self.first_columns_, axis=1)
        # 1 - prod(1 - p) would round small p to 0, and ties cost ROC-AUC.
        return np.abs(np.expm1(absent))

    def _check(self, X, y):
        if not isinstance(X, pd.DataFrame):
            raise TypeError(
                f"X is of type {type(X).__name__}, but to fit, a DataFrame with a "
                f"column {self.column!r} of call types is needed."
            )
        if self.column not in X.columns:
            raise ValueError(
                f"column={self.column!r} is not in X, whose columns are "
                f"{list(X.columns)}. Pass column= the one that holds the call types."
            )
        if np.ndim(y) != 2 or len(y) != len(X):
            raise ValueError(
                f"y has shape {np.shape(y)}, but (n_rows, n_species) with the {len(X)} "
                "rows of X is needed. For one species pass y.reshape(-1, 1)."
            )


def _check_label_weight(name, weight, y):
    both_named = hasattr(weight, "columns") and hasattr(y, "columns")
    if np.shape(weight) != np.shape(y) or (
        both_named and list(weight.columns) != list(y.columns)
    ):
        raise ValueError(
            f"{name} has shape {np.shape(weight)} and y {np.shape(y)}: one weight for "
            f"each label is needed, in the order of y. Try {name}[y.columns]."
        )
