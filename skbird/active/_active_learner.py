import time
import warnings

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.utils import _safe_indexing, check_random_state
from sklearn.utils.validation import _num_samples

from skbird.active._checks import (
    as_queries,
    check_estimator,
    check_fractions,
    check_held_out,
    check_held_out_species,
    check_numbers,
    features_of,
    joined_groups,
)
from skbird.active._labels import (
    check_answers,
    check_labels,
    check_row_numbers,
    is_answered,
    is_labeled,
)
from skbird.active._pool import is_readable, row_named
from skbird.active._progress import (
    HISTORY,
    agreement,
    judge,
    predict_held_out,
    stop_rows,
    untrained,
    why_stop,
)
from skbird.utils._nested import predict_matrix
from skbird.utils._rows import (
    check_same_order,
    file_numbers,
    groups_of_rows,
    number_groups,
)
from skbird.utils._sklearn_compat import set_random_states
from skbird.utils._text import counted


class ActiveLearner:
    """A loop of questions and answers: which rows to label next, and what came of it.

    ``query(n)`` says which rows of the pool to label, ``teach(rows, Y)`` takes the
    labels and trains again. It can be pickled between the two, or begun again from
    the labels that `labels_` holds.

    Parameters
    ----------
    estimator : estimator object
        A multi-label classifier with ``predict_proba``, usually a whole pipeline. It
        is cloned. With ``on_error="skip"`` in its steps, rows that cannot be read are
        passed over.
    X : DataFrame, sequence of paths, array, or whatever `estimator` takes
        The pool.
    Y : array-like or DataFrame of shape (n_rows, n_species), default=None
        Labels that are there already: -1 throughout in rows without, NaN = uncertain.
    query : Query, default=None
        None: `CoreSetQuery` if there are features, else `UncertaintyQuery`.
    first_query : Query, default=None
        Chooses while there is no model. None: `query` if it needs none, else
        `CoreSetQuery` if there are features, else `RandomQuery`.
    features : array-like of shape (n_rows, n_features) or transformer, default=None
        For queries that look for unlike rows, such as embeddings. A transformer, such
        as ``EmbeddingEncoder(cache_dir="cache", on_error="skip")``, makes them of X
        when they are first needed. None: X itself, if it is a matrix of numbers.
    recording_ids : str or array-like of shape (n_rows,), default=None
        Which recording a row is from, or the column of X that says so. None: the
        files of X; if it has none, each row is from a recording of its own.
    visit_cost, row_cost : float, default=0.0, 1.0
        A row costs `row_cost`; the first of a recording in a batch `visit_cost` more.
    X_test, Y_test : rows and their labels, default=None
        Held-out rows to score each model by, of other recordings than the pool; in one
        order, and the species in that of the answers.
    groups : str or array-like of shape (n_rows,), default=None
        Without `X_test`: score by 5-fold cross-validation of the labelled rows, groups
        whole, such as recordists; a column of X, or a group per row. Rows of the same
        recording are always kept together.
    metric : callable, default=None
        ``metric(y_true, proba)``, the higher the better. None:
        :func:`skbird.metrics.macro_roc_auc`.
    patience : int >= 1, default=3
        How many batches decide that nothing is gained.
    tol : float >= 0, default=0.002
        What counts as a gain of the score.
    min_agreement : float in [0, 1], default=0.99
        From which agreement on predictions count as stable.
    random_state : int, RandomState instance or None, default=None
        Of the queries, in place of their own. None: they keep these.

    Attributes
    ----------
    estimator_ : estimator object
        Fitted on all labelled rows; None while there are none.
    species_ : ndarray of shape (n_species,)
        The columns of Y; None while there are none.
    labels_ : DataFrame of shape (n_rows, n_species)
        All answers; -1 throughout in rows without, NaN = uncertain. As `Y` it begins
        another learner where this one stopped.
    unreadable_ : ndarray of int
        Rows found that cannot be read. They are never asked for.
    history_ : DataFrame
        A line per batch that was taught: ``n_labeled`` rows so far that the estimator
        can read, and ``n_uncertain``, whose answer was NaN throughout; ``n_recordings``
        asked for; ``n_species`` with a label of 0.5 or more; ``cost`` so far; ``score``
        of held-out rows; ``agreement`` of predictions with those of the model before,
        as Cohen's kappa of presence on up to 2000 rows; ``seconds`` of the training.
    termination_condition_ : str or None
        None: go on. "no_rows_left"; "no_gain", if no score of the last `patience`
        batches was more than `tol` above all before; "stable_predictions", if in
        these the agreement was `min_agreement` or more.

    See Also
    --------
    Query.select : Choose rows once, without a loop.
    skbird.semi_supervised.PseudoLabelSelfTraining : Learns from rows without labels.

    Notes
    -----
    The score of labelled rows is of rows that were chosen: they are harder than
    others if the query looks for doubtful ones, and more varied. It says whether there
    is a gain, not how good the model is elsewhere; that takes `X_test`.

    References
    ----------
    Bloodgood and Vijay-Shanker (2009), "A method for stopping active learning based on
    stabilizing predictions and the need for user-adjustable stopping", CoNLL.

    Examples
    --------
    >>> import numpy as np
    >>> from skbird.active import ActiveLearner
    >>> from skbird.encoders import ProbeClassifier
    >>> rng = np.random.default_rng(0)
    >>> truth = np.eye(2)[rng.integers(2, size=60)]
    >>> X = truth @ [[4, 0, 0], [0, 4, 0]] + rng.normal(size=(60, 3))
    >>> learner = ActiveLearner(ProbeClassifier(), X[:40], X_test=X[40:],
    ...                         Y_test=truth[40:], random_state=0)
    >>> while learner.termination_condition_ is None:
    ...     rows = learner.query(4)
    ...     _ = learner.teach(rows, truth[rows])  # here somebody listens
    >>> learner.termination_condition_
    'no_gain'
    >>> learner.history_["n_labeled"].tolist()
    [4, 8, 12, 16]
    """

    def __init__(
        self,
        estimator,
        X,
        Y=None,
        *,
        query=None,
        first_query=None,
        features=None,
        recording_ids=None,
        visit_cost=0.0,
        row_cost=1.0,
        X_test=None,
        Y_test=None,
        groups=None,
        metric=None,
        patience=3,
        tol=0.002,
        min_agreement=0.99,
        random_state=None,
    ):
        check_numbers(
            visit_cost=visit_cost,
            row_cost=row_cost,
            patience=patience,
            tol=tol,
            min_agreement=min_agreement,
        )
        n_rows = _num_samples(X)
        self.estimator = check_estimator(estimator)
        self.X = X
        self.features = features_of(X, features)
        self.queries = as_queries(query, first_query, self.features is not None)
        self.visit_cost, self.row_cost = visit_cost, row_cost
        ids = groups_of_rows(X, recording_ids, "recording_ids")
        self.recordings = (
            file_numbers(X) if ids is None else number_groups(ids, n_rows)[0]
        )
        check_held_out(X, X_test, Y_test, recording_ids)
        self.X_test, self.Y_test = X_test, Y_test
        self.groups = groups_of_rows(X, groups)
        self.metric = metric
        self.patience, self.tol, self.min_agreement = patience, tol, min_agreement
        self.random_state = random_state
        if random_state is not None:
            self.random_state = check_random_state(random_state)
        self.estimator_ = self.species_ = self._labels = None
        self._unreadable = np.zeros(n_rows, bool)
        self._proba = self._stop_proba = None
        self._lines, self._cost = [], 0.0
        if Y is not None:
            self._begin(Y)

    def _begin(self, Y):
        """Take the labels that are there already."""
        table = check_labels(Y)
        if len(table) != len(self.recordings):
            raise ValueError(
                f"Y has shape {table.shape}, but the pool has "
                f"{counted(len(self.recordings), 'row')}: pass a row for each, -1 "
                "throughout where there is no label."
            )
        check_same_order(self.X, Y, ("X", "Y"))
        rows = np.flatnonzero(is_answered(table))
        if len(rows):
            self.teach(rows, _safe_indexing(Y, rows))

    def query(self, n=None, *, budget=None, ask_again=False):
        """Choose the rows to label next.

        Parameters
        ----------
        n : int >= 1, default=None
            How many at most.
        budget : float > 0, default=None
            What they may cost; see `visit_cost` and `row_cost`. One of the two at
            least is needed.
        ask_again : bool, default=False
            Whether rows whose answer was NaN throughout may be chosen again.

        Returns
        -------
        ndarray of int
            Numbers of rows of the pool; fewer if there are no more. The same until
            `teach` is called is not promised.

        Warns
        -----
        UserWarning
            If rows are found that cannot be read.
        """
        query = clone(self.queries[self.estimator_ is None])
        if self.random_state is not None:
            set_random_states(query, self.random_state)
        proba = self._predict_pool() if "proba" in query.needs else None
        features = self._features() if "features" in query.needs else None
        self._note_unreadable(is_readable(proba, features), features)
        return query.select(
            n,
            proba=proba,
            features=features,
            Y=self._labels,
            available=self._available(ask_again),
            recording_ids=self.recordings,
            budget=budget,
            visit_cost=self.visit_cost,
            row_cost=self.row_cost,
        )

    def teach(self, rows, Y):
        """Take answers, and train on all that there are.

        Parameters
        ----------
        rows : array-like of int
            Numbers of rows of the pool, as `query` gave them, or others. Answers to
            rows that have one replace it.
        Y : array-like or DataFrame of shape (n_answers, n_species)
            Labels in [0, 1]; NaN = uncertain or unknown. Rows that are NaN throughout
            are not trained on, nor asked for again.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If answers are not as said, or such as the estimator cannot learn from;
            nothing is kept of them then. If the training fails, they are kept.

        Warns
        -----
        UserWarning
            If rows with labels are found that the estimator cannot read.
        """
        rows = check_row_numbers(rows, len(self.recordings))
        labels, species = check_answers(Y, len(rows), self.species_)
        check_fractions(self.estimator, labels)
        if isinstance(self.X, pd.DataFrame):
            check_same_order(self.X.iloc[rows], Y, ("X.iloc[rows]", "Y"))
        check_held_out_species(self.Y_test, species)
        if self._labels is None:
            shape = len(self.recordings), len(species)
            self._labels = np.full(shape, -1, np.float32)
            self.species_ = species
        self._labels[rows] = labels
        visits = len(np.unique(self.recordings[rows]))
        self._cost += visits * self.visit_cost + len(rows) * self.row_cost
        start = time.perf_counter()
        line = self._train() | {"cost": self._cost}
        line["seconds"] = time.perf_counter() - start
        self._lines.append(line)
        return self

    def _train(self):
        """Fit the estimator on the labelled rows; return what to note of it."""
        answered, labeled = is_answered(self._labels), is_labeled(self._labels)
        rows = np.flatnonzero(labeled)
        line = untrained(answered, labeled, self.recordings)
        self._proba = None
        if len(rows) == 0:
            self.estimator_ = self._stop_proba = None
            return line
        X, Y = _safe_indexing(self.X, rows), self.labels_.iloc[rows]
        if not isinstance(self.X, pd.DataFrame):
            Y = Y.reset_index(drop=True)
        self.estimator_ = clone(self.estimator).fit(X, Y)
        proba = predict_matrix(self.estimator_, X, len(self.species_))
        readable = ~labeled
        readable[rows] = is_readable(proba)
        self._note_unreadable(readable, depth=4)
        read = self._labels[labeled & readable]
        n_species = int((read >= 0.5).any(axis=0).sum())
        line |= {"n_labeled": len(read), "n_species": n_species}
        line["score"] = self._score(X, Y, rows)
        stop_X, before = stop_rows(self.X, self._unreadable), self._stop_proba
        self._stop_proba = predict_matrix(self.estimator_, stop_X, len(self.species_))
        line["agreement"] = agreement(before, self._stop_proba)
        return line

    def _score(self, X, Y, rows):
        if self.X_test is not None:
            proba = predict_matrix(self.estimator_, self.X_test, len(self.species_))
            return judge(self.metric, self.Y_test, proba)
        if self.groups is None:
            return np.nan
        groups = joined_groups(self.groups, self.recordings)[rows]
        proba = predict_held_out(self.estimator, X, Y, groups)
        return np.nan if proba is None else judge(self.metric, Y, proba)

    def _predict_pool(self):
        if self._proba is None:
            self._proba = predict_matrix(self.estimator_, self.X, len(self.species_))
        return self._proba

    def _features(self):
        if hasattr(self.features, "fit_transform"):
            table = clone(self.features).fit_transform(self.X)
            self.features = np.ascontiguousarray(table, dtype=np.float32)
        return self.features

    def _available(self, ask_again):
        available = ~self._unreadable
        if self._labels is None:
            return available
        asked = is_labeled(self._labels) if ask_again else is_answered(self._labels)
        return available & ~asked

    def _note_unreadable(self, readable, features=None, depth=3):
        new = np.flatnonzero(~self._unreadable & ~np.asarray(readable))
        if not len(new):
            return
        self._unreadable[new] = True
        warnings.warn(
            f"{counted(len(new), 'row')} of the pool cannot be read and will not be "
            f"asked for, the first: {row_named(self.X, new[0], features)}. All are in "
            "unreadable_.",
            stacklevel=depth,
        )

    @property
    def labels_(self):
        """All answers, (n_rows, n_species); -1 throughout in rows without."""
        if self._labels is None:
            return None
        index = self.X.index if isinstance(self.X, pd.DataFrame) else None
        return pd.DataFrame(self._labels, index, self.species_)

    @property
    def unreadable_(self):
        """Numbers of the rows found that cannot be read."""
        return np.flatnonzero(self._unreadable)

    @property
    def history_(self):
        """A line per batch."""
        batches = pd.RangeIndex(1, len(self._lines) + 1, name="batch")
        return pd.DataFrame(self._lines, batches, HISTORY)

    @property
    def termination_condition_(self):
        """Why there is no need to go on, or None."""
        if not self._available(ask_again=False).any():
            return "no_rows_left"
        return why_stop(self.history_, self.patience, self.tol, self.min_agreement)
