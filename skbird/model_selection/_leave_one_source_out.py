"""Folds that each test on a source that training has not heard."""

import warnings
from numbers import Integral

import numpy as np
import pandas as pd
from sklearn.model_selection import BaseCrossValidator
from sklearn.utils import check_consistent_length

from skbird.utils._rows import groups_of_rows, number_groups, row_table
from skbird.utils._sklearn_compat import Interval, validate_parameter_constraints
from skbird.utils._text import none_of
from skbird.utils._truth import validate_truth

_PARAMETER_CONSTRAINTS = {
    "min_positives": [Interval(Integral, 1, None, closed="left")],
    "purge": [None, str],
}


class LeaveOneSourceOut(BaseCrossValidator):
    """Test each source (collection, site, year, ...) on a model of all the others.

    Recordings of one source share microphones, habits and places, so a score within it
    says little about the next one. It differs from scikit-learn's `LeaveOneGroupOut`
    in four ways:

    - Rows without any known label (-1 or NaN throughout) are never tested. Those of
      the held-out source are not trained on either, those of the others are.
    - A source without labelled rows, such as unlabelled soundscapes, is always trained
      on.
    - So is a source with too few positives to be tested, with a warning.
    - `purge` leaves rows out of training that share something, such as the recordist,
      with the held-out source.

    Parameters
    ----------
    min_positives : int >= 1, default=1
        Number of rows with at least one species that a source needs to be tested.
    purge : str, default=None
        Column of X, such as "author": rows of other sources that have a value in
        common with the held-out source are left out of training. Missing and empty
        values have nothing in common. X must be a row table, or a `Recordings` or
        `Spectrograms` made from one.

    See Also
    --------
    GroupMultilabelKFold : Several groups per fold, with the species shared out.
    sklearn.model_selection.LeaveOneGroupOut : The same for labelled rows only.

    Notes
    -----
    ``cross_val_predict`` needs every row to be tested once, so it refuses data with
    unlabelled rows or small sources; `cross_val_report` has NaN for these.

    References
    ----------
    Leinonen et al. (2024), "Empirical investigation of multi-source cross-validation in
    clinical ECG classification": leave-source-out is nearly unbiased for new sources
    where K-fold is far too optimistic. Lopez de Prado (2018), "Advances in Financial
    Machine Learning", for the word purging.

    Examples
    --------
    >>> import pandas as pd
    >>> from skbird.model_selection import LeaveOneSourceOut
    >>> X = pd.DataFrame({"path": ["1.ogg", "2.ogg", "3.ogg", "4.ogg"],
    ...                   "collection": ["XC", "XC", "iNat", "iNat"],
    ...                   "author": ["ann", "ben", "ann", "cat"]})
    >>> Y = [[1, 0], [0, 1], [1, 1], [-1, -1]]
    >>> cv = LeaveOneSourceOut(purge="author")
    >>> for train, test in cv.split(X, Y, groups=X["collection"]):
    ...     print(train, test)
    [3] [0 1]
    [1] [2]
    """

    __metadata_request__split = {"groups": True}  # as LeaveOneGroupOut has it

    def __init__(self, *, min_positives=1, purge=None):
        self.min_positives = min_positives
        self.purge = purge
        validate_parameter_constraints(
            _PARAMETER_CONSTRAINTS, vars(self), caller_name=type(self).__name__
        )

    def split(self, X, y, groups=None):
        """Generate the rows of each fold, sources in sorted order.

        Parameters
        ----------
        X : DataFrame, or anything with a length of n_rows
            Used for `purge` only.
        y : array-like or DataFrame of shape (n_rows, n_species)
            Labels in [0, 1], presence from 0.5. NaN = unknown, -1 throughout a row =
            unlabelled.
        groups : str or array-like of shape (n_rows,), default=None
            The source of each row, or the column of X that tells. It must be given.

        Yields
        ------
        train, test : ndarray of int
            Row numbers.

        Raises
        ------
        ValueError
            If `groups` is missing, no source can be tested, nothing is left to train
            on, or X has no column `purge`.

        Warns
        -----
        UserWarning
            If labelled sources have fewer than `min_positives`: names them.
        """
        truth, source, names = _read_sources(X, y, groups)
        positives = _count(truth.positive.any(axis=1), source, names)
        labelled = truth.known.any(axis=1)
        too_small = _count(labelled, source, names) > 0
        too_small &= positives < self.min_positives
        if too_small.any():
            warnings.warn(
                f"Sources with fewer than min_positives={self.min_positives} rows that "
                f"have a species are trained on, not tested: "
                f"{list(map(str, names[too_small]))}.",
                UserWarning,
                stacklevel=2,
            )
        tested = np.flatnonzero(positives >= self.min_positives)
        if len(tested) == 0:
            raise ValueError(
                f"{none_of(len(names), 'source')} has min_positives="
                f"{self.min_positives} rows with a species. Lower it, or label more."
            )
        shared = self._shared_with(X, len(source))
        for number in tested:
            held_out = source == number
            train = np.flatnonzero(~held_out & ~shared(held_out))
            if len(train) == 0:
                raise ValueError(
                    f"Without source {str(names[number])!r} nothing is left to train on"
                    f"{'' if self.purge is None else f' (purge={self.purge!r})'}. At "
                    "least two sources are needed."
                )
            yield train, np.flatnonzero(held_out & labelled)

    def get_n_splits(self, X=None, y=None, groups=None):
        """Return the number of sources that are tested.

        Parameters
        ----------
        X : object, default=None
            Looked at only if `groups` names a column.
        y : array-like or DataFrame of shape (n_rows, n_species), default=None
            Labels. They must be given.
        groups : str or array-like of shape (n_rows,), default=None
            The source of each row, or the column of X that tells. It must be given.

        Returns
        -------
        int
        """
        truth, source, names = _read_sources(X, y, groups)
        positives = _count(truth.positive.any(axis=1), source, names)
        return int(np.count_nonzero(positives >= self.min_positives))

    def _shared_with(self, X, n_rows):
        """Return a function of held-out rows: the rows that have `purge` in common."""
        if self.purge is None:
            return lambda held_out: np.zeros(n_rows, dtype=bool)
        table = row_table(X)
        if table is None or self.purge not in table.columns:
            found = "no row table" if table is None else f"columns {list(table)}"
            raise ValueError(
                f"purge={self.purge!r} is not a column of X, which has {found}. Pass "
                "a DataFrame with this column, or purge=None."
            )
        values = table[self.purge].astype("string").str.strip().replace("", pd.NA)
        known = values.notna().to_numpy()
        return lambda held_out: known & values.isin(values[held_out]).to_numpy()


def _read_sources(X, y, groups):
    if y is None or groups is None:
        raise ValueError(
            f"{'y' if y is None else 'groups'} is None. LeaveOneSourceOut needs the "
            "labels y and the source of each row as groups=, such as X['collection']."
        )
    check_consistent_length(X, y)
    truth = validate_truth(y, "y")
    groups = groups_of_rows(X, groups, n_rows=len(truth.known))
    source, names = number_groups(groups, len(truth.known))
    return truth, source, names


def _count(chosen, source, names):
    return np.bincount(source[chosen], minlength=len(names))
