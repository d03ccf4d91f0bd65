import numpy as np
from sklearn.utils.validation import validate_data

from skbird.data import Recordings
from skbird.encoders._linear_probe import LinearProbe
from skbird.encoders._window_batches import MatrixRows
from skbird.encoders._window_pooling import OneWindow
from skbird.encoders._windows import Windows


class ProbeClassifier(LinearProbe):
    """A linear classifier on embeddings: a logistic regression for each species.

    The usual head on a frozen encoder, and the one that few labels suffice for. What
    scikit-learn's own needs code around, it takes: unknown labels, fractions, weights
    of labels, rows that could not be read. All species are fitted in one go.

    Parameters
    ----------
    C : "auto" or float > 0, default="auto"
        Inverse strength of the regularization of standardized features, as in
        `sklearn.linear_model.LogisticRegression`. "auto" chooses it, one for all
        species, by the cross-entropy of groups of rows that are held out in turn; with
        fewer than 5 groups, or most species in fewer than 3 of them, it is 0.1.
    class_weight : {"balanced"}, default=None
        "balanced": presence and absence of a species weigh the same in all. This lifts
        the probabilities of rare species, and hardly changes their order.
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
    coef_ : ndarray of shape (n_species, n_features)
        Of the features as they are given: the log odds are ``X @ coef_.T +
        intercept_``. 0 for species that are always or never there.
    intercept_ : ndarray of shape (n_species,)
    mean_, scale_ : ndarray of shape (n_features,), float32
        Mean and standard deviation of the features, by which they are standardized.
    C_ : float
        The C that was used.
    C_scores_ : DataFrame
        ``C`` and ``log_loss``, the mean cross-entropy of held-out labels, for each C
        that was tried.
    n_iter_ : int
        Steps that the slowest species took.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features,)
        If X was a DataFrame.

    See Also
    --------
    AttentionProbe : Looks at each window, for calls that are rare in long rows.
    EmbeddingEncoder : Gives the features.

    Notes
    -----
    X is a matrix, a DataFrame, or `Windows`, whose windows are averaged. Rows with NaN
    or infinity are not trained on and predicted as NaN.

    The optimizer is L-BFGS in float32 with a step length for each species. BLAS uses
    as many threads as it is allowed (``threadpoolctl``). 30,000 rows of 1024 features
    and 200 species take some 25 steps of 25 billion multiplications each.

    References
    ----------
    Ghani, Denton, Kahl and Klinck (2023), "Global birdsong embeddings enable superior
    transfer learning for bioacoustic classification", Scientific Reports 13: linear
    probes on frozen encoders.

    Examples
    --------
    >>> import numpy as np
    >>> from skbird.encoders import ProbeClassifier
    >>> X = np.array([[0.0], [0.1], [0.9], [1.0]])
    >>> Y = np.array([[0, 1], [0, np.nan], [1, 0], [1, 0]])
    >>> probe = ProbeClassifier(C=100).fit(X, Y)
    >>> probe.predict([[0.95]])
    array([[1, 0]])
    >>> probe.predict_proba([[np.nan]])
    array([[nan, nan]], dtype=float32)
    """

    def __init__(self, C="auto", *, class_weight=None, max_iter=200, threshold=0.5):
        self.C = C
        self.class_weight = class_weight
        self.max_iter = max_iter
        self.threshold = threshold

    def _windows_of(self, X, reset):
        if isinstance(X, Recordings) or "path" in getattr(X, "columns", ()):
            raise TypeError(
                "X holds recordings, but ProbeClassifier needs their embeddings: put "
                "EmbeddingEncoder before it in a pipeline."
            )
        features = X.pool("mean") if isinstance(X, Windows) else X
        options = {"ensure_all_finite": False, "ensure_min_samples": 0}
        return MatrixRows(
            validate_data(self, features, reset=reset, dtype=np.float32, **options)
        )

    def _pooling(self, bounds, weights):
        return OneWindow()
