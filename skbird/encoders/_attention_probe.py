from numbers import Real

import numpy as np
import pandas as pd
from scipy.special import expit
from sklearn.utils.validation import check_is_fitted

from skbird.encoders._linear_probe import LinearProbe
from skbird.encoders._window_pooling import Attention, LogMeanExp
from skbird.encoders._windows import Windows
from skbird.utils._sklearn_compat import Interval, StrOptions


class AttentionProbe(LinearProbe):
    """A linear classifier of windows, trained on labels of rows.

    The label of a recording holds for some of its windows: a call of a second in a
    minute of wind. Where embeddings are averaged first, such a call is diluted. This
    probe scores each window and pools the scores, and finds out by itself which
    windows the label is about (multiple-instance learning). Long rows with rare calls
    gain most; where a sound fills its row, `ProbeClassifier` is as good and quicker.

    Parameters
    ----------
    C : "auto" or float > 0, default="auto"
        Inverse strength of the regularization of standardized embeddings. "auto"
        chooses it, one for all species, by the cross-entropy of groups of rows that
        are held out; with fewer than 5 groups, or most species in fewer than 3 of
        them, it is 0.1.
    pooling : {"lse", "attention"}, default="lse"
        How the scores of windows become the log odds of their row. "lse" is their
        log-mean-exp. "attention" is their mean, weighted by a softmax of further
        linear scores, which are learned for each species: twice the coefficients, for
        which there should be hundreds of rows.
    sharpness : float > 0, default=1.0
        Of "lse", ``log(mean(exp(sharpness * score))) / sharpness``: towards 0 the mean
        of the windows, the larger the more their maximum.
    class_weight : {"balanced"}, default=None
        "balanced": presence and absence of a species weigh the same in all.
    max_iter : int >= 1, default=200
        Steps of the optimization at most.
    threshold : float or array-like of shape (n_species,), default=0.5
        Probability from which `predict` says that a species is present.

    Attributes
    ----------
    species_ : ndarray of shape (n_species,)
        The columns of Y, or their numbers.
    classes_ : ndarray of shape (n_species, 2)
        [0, 1] for each species.
    coef_ : ndarray of shape (n_species, n_values)
        Of the values of a window: its score is ``values @ coef_.T + intercept_``. 0
        for species that are always or never there.
    intercept_ : ndarray of shape (n_species,)
    attention_coef_ : ndarray of shape (n_species, n_values)
        Of attention; None with ``pooling="lse"``.
    mean_, scale_ : ndarray of shape (n_values,), float32
        Mean and standard deviation of the windows, by which they are standardized;
        each row counts the same.
    C_ : float
        The C that was used.
    C_scores_ : DataFrame
        ``C`` and ``log_loss``, the mean cross-entropy of held-out labels, for each C
        that was tried.
    n_iter_ : int
        Steps that the slowest species took.
    n_features_in_ : int
        Values of a window.

    See Also
    --------
    ProbeClassifier : On the mean of the windows.
    EmbeddingEncoder : With ``output="windows"`` it gives X.

    Notes
    -----
    X is `Windows`. The weights that filters before the encoder gave the windows weigh
    them in the pooling; those of weight 0 are left out. Rows with NaN or infinity in a
    window are not trained on and predicted as NaN.

    With "lse", a call in one of n windows counts for log(n) / `sharpness` less than one
    that fills the row: rows to predict should be about as long as those of training.

    Up to 1 GiB of windows is kept in memory; of more, batches are read from the cache
    anew in each step. There is nothing random in it.

    References
    ----------
    Pinheiro and Collobert (2015), "From image-level to pixel-level labeling with
    convolutional networks", CVPR, for log-mean-exp. Ilse, Tomczak and Welling (2018),
    "Attention-based deep multiple instance learning", ICML, for attention, which is
    linear here and one for each species.

    Examples
    --------
    A call in one of 30 windows:

    >>> import numpy as np
    >>> from skbird.encoders import AttentionProbe, Windows
    >>> rng = np.random.default_rng(0)
    >>> rows = list(rng.normal(size=(60, 30, 4)))
    >>> Y = np.arange(60)[:, None] % 2
    >>> for row in rows[1::2]:
    ...     row[rng.integers(30)] += 6
    >>> X = Windows.from_arrays(rows, step_s=3.0)
    >>> probe = AttentionProbe().fit(X[:40], Y[:40])
    >>> probe.score(X[40:], Y[40:])
    1.0
    >>> windows, proba = probe.predict_windows(X[[41]])
    >>> int(proba[0].argmax()) == int(rows[41].sum(axis=1).argmax())
    True
    """

    _parameter_constraints: dict = {
        **LinearProbe._parameter_constraints,
        "pooling": [StrOptions({"lse", "attention"})],
        "sharpness": [Interval(Real, 0, 1e6, closed="neither")],
    }

    def __init__(
        self,
        C="auto",
        *,
        pooling="lse",
        sharpness=1.0,
        class_weight=None,
        max_iter=200,
        threshold=0.5,
    ):
        self.C = C
        self.pooling = pooling
        self.sharpness = sharpness
        self.class_weight = class_weight
        self.max_iter = max_iter
        self.threshold = threshold

    def predict_windows(self, X):
        """Predict the probability of each species in each window: when it calls.

        It is what `predict_proba` gives a row of this window alone.

        Parameters
        ----------
        X : Windows
            The rows.

        Returns
        -------
        windows : DataFrame of shape (n_windows, 4)
            ``row``, the number of its row in X, ``path``, and ``start`` and ``end`` in
            seconds after the start of the file; ``end`` is NaN if X does not tell how
            long windows are. Windows of weight 0 are left out.
        proba : DataFrame of shape (n_windows, n_species), float32
            :func:`skbird.annotations.proba_to_events` makes events of both.
        """
        check_is_fitted(self, "coef_")
        X = self._windows_of(X, reset=False)
        tables = [_window_table(X, [])]
        scores = [np.empty((0, len(self.species_)), np.float32)]
        for rows, _, (own, *_) in self._scored(X):
            tables.append(_window_table(X, rows))
            scores.append(own)
        proba = expit(np.concatenate(scores))
        windows = pd.concat(tables, ignore_index=True) if tables[1:] else tables[0]
        return windows, pd.DataFrame(proba, columns=self.species_)

    @property
    def _attends(self):
        return self.pooling == "attention"

    def _windows_of(self, X, reset):
        if not isinstance(X, Windows):
            raise TypeError(
                f"X is of type {type(X).__name__}, but AttentionProbe needs Windows: "
                "EmbeddingEncoder(output='windows') before it gives them, and "
                "Windows.from_arrays wraps arrays."
            )
        if reset:
            self.n_features_in_ = X.n_values
        elif X.n_values != self.n_features_in_:
            raise ValueError(
                f"The windows of X have {X.n_values} values, but AttentionProbe was "
                f"fitted on windows of {self.n_features_in_}. Use the same encoder."
            )
        return X

    def _pooling(self, bounds, weights):
        if self._attends:
            return Attention(bounds, weights)
        return LogMeanExp(bounds, weights, self.sharpness)


def _window_table(X, rows):
    """Return where the windows of rows lie in their files."""
    used = [X.weights_of(row) > 0 for row in rows]
    starts_s = [X.table(row)[own, 0] for row, own in zip(rows, used, strict=True)]
    row = np.repeat(np.asarray(rows, np.int64), [own.sum() for own in used])
    place = X.rows.iloc[row].reset_index(drop=True)
    table = pd.DataFrame({"row": row, "path": place["path"]})
    table["start"] = np.concatenate([*starts_s, np.empty(0)])
    if "start" in place:
        table["start"] += place["start"].fillna(0.0)
    table["end"] = table["start"] + (np.nan if X.window_s is None else X.window_s)
    if "end" in place:
        table["end"] = np.fmin(table["end"], place["end"])
    return table
