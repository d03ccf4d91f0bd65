"""Make probabilities mean what they say."""

from numbers import Real

import numpy as np
import pandas as pd

from skbird.postprocessing._calibration import EVALUATE, fit_curves
from skbird.postprocessing._held_out_post_processor import HeldOutPostProcessor
from skbird.utils._params import THRESHOLD
from skbird.utils._sklearn_compat import HasMethods, Interval, StrOptions


class MultilabelCalibrator(HeldOutPostProcessor):
    r"""Calibrate the probabilities of each species, sharing data between rare species.

    If a calibrated classifier gives 100 rows a probability of 0.8, about 80 of them
    have the species. Networks trained with soft labels, focal losses or mixup are far
    from that, and so are reweighted probabilities. On held-out predictions p, a curve
    is fitted for all species together, :math:`g`, and one for each species,
    :math:`g_j`. The targets of the latter are drawn towards :math:`g`:

    .. math:: w_j\, y_{ij} + (1 - w_j)\, g(p_{ij}), \qquad
              w_j = \frac{n_j}{n_j + shrinkage}

    where :math:`n_j` is the number of rows in which the species is present, or the
    number that :math:`g` expects if that is larger (absence where it was expected is
    evidence, too). So a species without known labels gets :math:`g`, and a common one
    a curve of its own.

    Curves never fall: within a species, the ranking of rows stays. Isotonic curves have
    flat parts, which tie rows and so can change the ROC-AUC; the others do not, but for
    probabilities within 1e-12 of 0 or 1.

    Parameters
    ----------
    estimator : estimator object
        A multi-label classifier with ``predict_proba``, usually a whole pipeline. A
        fitted one in `sklearn.frozen.FrozenEstimator` is kept as it is: then the rows
        given to `fit` must be new to it.
    method : {"platt", "temperature", "isotonic"}, default="platt"
        Form of the curves. "platt": sigmoid(slope * logit(p) + intercept).
        "temperature": the same without intercept. "isotonic": any that do not fall; it
        needs many rows, and suits classifiers that often say 0 or 1, such as forests
        and neighbours.
    shrinkage : float >= 0, default=5.0
        Number of positive rows from which a species' own rows count more than the curve
        of all species. 0 fits each species by itself.
    threshold : float in [0, 1] or array of shape (n_species,), default=0.5
        Probability from which `predict` counts a species as present.
    cv : int, splitter or iterable of (train, test), default=None
        The folds, which must keep files whole. With an int (None means 5) they do.

    Attributes
    ----------
    estimator_ : estimator object
        The clone of `estimator` fitted on all rows.
    calibration_ : DataFrame indexed by species
        ``n_present``, the sum of the species' targets; ``weight``, :math:`w_j`;
        ``slope`` and ``intercept``, NaN if isotonic.
    curves_ : list of (ndarray, ndarray)
        One per species: slope and intercept, or the corners of the isotonic curve.
    method_ : str
        The `method` of `curves_`.
    classes_ : ndarray of shape (n_species, 2)
        The two values of each label, [0, 1].
    species_ : ndarray of str or of int
        The species in the order of the columns of ``predict_proba``.
    n_features_in_, feature_names_in_
        Those of `estimator_`. Only if it has them.

    See Also
    --------
    sklearn.calibration.CalibratedClassifierCV : For one label per row.

    Notes
    -----
    The curves hold where the shares of species are those of the rows given to `fit`.
    Focal recordings have each species far more often than soundscapes: calibrate on
    labelled soundscapes if there are any.

    References
    ----------
    Platt (1999), "Probabilistic outputs for support vector machines". Zadrozny, Elkan
    (2002), "Transforming classifier scores into accurate multiclass probability
    estimates", for isotonic curves. Guo et al. (2017), "On calibration of modern neural
    networks", for the temperature.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.frozen import FrozenEstimator
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from skbird.postprocessing import MultilabelCalibrator
    >>> X, Y = np.arange(20.0).reshape(-1, 1), np.repeat([[1, 0], [0, 1]], 10, axis=0)
    >>> sure = FrozenEstimator(KNeighborsClassifier(1).fit(X, Y))
    >>> Y_new = np.where(X % 5 == 0, 1 - Y, Y)  # one in five is another species
    >>> model = MultilabelCalibrator(sure, method="isotonic").fit(X, Y_new)
    >>> model.predict_proba([[1], [11]]).round(2)
    array([[0.8, 0.2],
           [0.2, 0.8]])
    """

    _parameter_constraints: dict = {
        "estimator": [HasMethods(["fit", "predict_proba"])],
        "method": [StrOptions(set(EVALUATE))],
        "shrinkage": [Interval(Real, 0, None, closed="left")],
        "threshold": THRESHOLD,
        "cv": ["cv_object"],
    }

    def __init__(
        self, estimator, *, method="platt", shrinkage=5.0, threshold=0.5, cv=None
    ):
        self.estimator = estimator
        self.method = method
        self.shrinkage = shrinkage
        self.threshold = threshold
        self.cv = cv

    def _learn(self, proba, target, prepared):
        self.curves_, weight = fit_curves(
            proba, target, method=self.method, shrinkage=self.shrinkage
        )
        # set_params may change `method` before the next fit.
        self.method_ = self.method
        slope, intercept = np.nan, np.nan
        if self.method != "isotonic":
            slope, intercept = np.transpose(self.curves_)
        self.calibration_ = pd.DataFrame(
            {
                "n_present": np.nansum(target, axis=0),
                "weight": weight,
                "slope": slope,
                "intercept": intercept,
            }
        )

    def _learn_species(self, y):
        super()._learn_species(y)
        self.calibration_.index = pd.Index(self.species_, name="species")

    def predict_proba(self, X):
        """Predict calibrated probabilities.

        Parameters
        ----------
        X : DataFrame, sequence of paths, or whatever `estimator` takes
            The rows.

        Returns
        -------
        proba : ndarray of shape (n_rows, n_species)
            NaN for rows that could not be read.
        """
        proba = super().predict_proba(X)
        evaluate = EVALUATE[self.method_]
        curves = zip(proba.T, self.curves_, strict=True)
        return np.column_stack([evaluate(p, *curve) for p, curve in curves])
