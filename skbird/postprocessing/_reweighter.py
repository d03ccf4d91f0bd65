"""Trust a detection more if the same species is heard elsewhere in its recording."""

from sklearn.base import _fit_context

from skbird.postprocessing._post_processor import FilePostProcessor
from skbird.postprocessing._reweight import (
    PARAMETER_CONSTRAINTS,
    check_parameters,
    neutral_probability,
    reweight,
)
from skbird.utils._rows import check_targets
from skbird.utils._sklearn_compat import HasMethods


class SoundscapeReweighter(FilePostProcessor):
    r"""Draw a classifier's probabilities towards the species' level in the whole file.

    A species that is heard all over a soundscape is more likely to be in each of its
    rows, and one that shows up nowhere else is more likely to be an error:

    .. math:: \hat p_{ij} = (1 - s_j)\, q_{ij}\, L_{ij}^{a_j}
              + s_j\, L_{ij}, \qquad
              L_{ij} = \frac{1}{|T|} \sum_{k \in T} q_{kj}

    where a is `level_power`, s `level_share`, and q are the probabilities, smoothed
    over the neighbouring rows by `kernel` if it is given; T holds the `top_rows` rows
    of the file of row i with the highest q of species j, or all its rows. It helps the
    ranking of rows across files, which the macro ROC-AUC measures. The results are no
    longer calibrated. By default, which is ``p * file mean``, they are never higher
    than before.

    All rows of a file must be predicted in one call. Their order does not matter if X
    has a column ``start``. X says which rows share a file: its column ``path``, its
    attribute ``paths`` (skbird's `Recordings` and `Spectrograms`), or the paths
    themselves if X is a sequence of paths. For other X, pass `groups` to the methods
    that predict.

    Parameters
    ----------
    estimator : estimator object
        A multi-label classifier with ``predict_proba``, usually a whole pipeline. Wrap
        a fitted one in `sklearn.frozen.FrozenEstimator` to keep it as it is.
    top_rows : int >= 1, default=None
        How many rows of a file to average. None: all of them, the file mean. 1: the
        file's maximum, which does not punish a species for calling only once.
    level_power : float >= 0 or array of shape (n_species,), default=1.0
        How much to multiply by the level: 0 not at all; more than 1 silences doubtful
        files further.
    level_share : float in [0, 1] or array of shape (n_species,), default=0.0
        How much of the level to add. With ``level_power=0``, adding w times the level
        is the share w / (1 + w): "p + 0.2 x file mean" is 1/6.
    kernel : array-like of odd length, default=None
        Weights of the rows before, at and after a row in its file, the earliest first,
        such as ``(0.1, 0.2, 0.4, 0.2, 0.1)``; ``(1, 2, 1)`` is "p + 0.5 x neighbours".
        At the ends of a file, at gaps and at unreadable rows the other weights are
        scaled up. The rows of a file are in the order of X's column ``start`` (or of
        ``X.rows``), and neighbours if their starts differ by the file's usual (median)
        step; without that column they are in the order of X and without gaps.

    Attributes
    ----------
    estimator_ : estimator object
        The fitted clone of `estimator`.
    classes_ : ndarray of shape (n_species, 2)
        The two values of each label, [0, 1].
    species_ : ndarray of str or of int
        The species in the order of the columns of ``predict_proba``: names if
        `estimator_` knows them or y was a DataFrame, else column numbers.
    n_features_in_, feature_names_in_
        Those of `estimator_`. Only if it has them.

    See Also
    --------
    SoundscapeReweighterCV : Chooses the parameters on held-out predictions.
    reweight : The same on arrays.

    References
    ----------
    Write-ups on Kaggle: Sydorskyi et al., second place of BirdCLEF 2025, for
    ``top_rows=1``; Lasseck, second place of 2024, for neighbours; sixth place of 2024,
    for smoothing and 0.2 x file mean.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from skbird.postprocessing import SoundscapeReweighter
    >>> X, Y = np.array([[0.0], [1.0], [2.0], [3.0]]), np.eye(4)[:, :2]
    >>> model = SoundscapeReweighter(KNeighborsClassifier(2)).fit(X, Y)
    >>> model.predict_proba([[0.1], [2.9]], groups=["a.ogg", "a.ogg"])
    array([[0.125, 0.125],
           [0.   , 0.   ]])
    """

    _parameter_constraints: dict = {
        "estimator": [HasMethods(["fit", "predict_proba"])],
        **PARAMETER_CONSTRAINTS,
    }

    def __init__(
        self, estimator, *, top_rows=None, level_power=1.0, level_share=0.0, kernel=None
    ):
        self.estimator = estimator
        self.top_rows = top_rows
        self.level_power = level_power
        self.level_share = level_share
        self.kernel = kernel

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y, *, sample_weight=None, label_weight=None, **fit_params):
        """Fit a clone of the estimator; nothing else is learned.

        Parameters
        ----------
        X : DataFrame, sequence of paths, or whatever `estimator` takes
            The rows.
        y : array-like or DataFrame of shape (n_rows, n_species)
            Their labels, as `estimator` takes them.
        sample_weight : array-like of shape (n_rows,), default=None
            Weights of the rows, for the classifier at the end of `estimator`.
        label_weight : array-like of shape (n_rows, n_species), default=None
            Weights of the labels, likewise: networks multiply the loss by them.
        **fit_params
            Passed on to ``estimator.fit``.

        Returns
        -------
        self : SoundscapeReweighter
        """
        _, n_species = check_targets(X, y)
        fit_params = self._params_of_fit(
            X,
            fit_params,
            sample_weight=sample_weight,
            label_weight=label_weight,
        )
        check_parameters(type(self).__name__, n_species, **self._parameters())
        self._fit_estimator(X, y, fit_params)
        return self

    def _parameters(self):
        return {name: getattr(self, name) for name in PARAMETER_CONSTRAINTS}

    def _reweight(self, proba, groups, start):
        return reweight(proba, groups, start=start, **self._parameters())

    def _neutral(self):
        return neutral_probability(self.level_power, self.level_share)
