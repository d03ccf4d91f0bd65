"""Believe a detection less where and when the species is not to be expected."""

import os
from numbers import Real

import numpy as np
import pandas as pd
from sklearn.base import _fit_context
from sklearn.utils.validation import check_is_fitted

from skbird.postprocessing._held_out_post_processor import HeldOutPostProcessor
from skbird.postprocessing._learned_prior import LearnedPrior, held_out_priors
from skbird.postprocessing._prior_odds import (
    SCORINGS,
    change_odds,
    mean_of_known,
    score_predictions,
)
from skbird.postprocessing._prior_rows import (
    dates_from_names,
    key_columns,
    place_columns,
    say_rows,
    say_species,
)
from skbird.postprocessing._priors import GeoPrior, make_prior
from skbird.utils._params import SHARE, THRESHOLD, as_floats, check_list
from skbird.utils._rows import check_targets, file_numbers, groups_of_rows, row_table
from skbird.utils._sklearn_compat import HasMethods, Interval, StrOptions
from skbird.utils._truth import validate_truth

_STRENGTHS = (0.0, 0.125, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0)


class PlaceSeasonPrior(HeldOutPostProcessor):
    r"""Lower the probabilities of species that are not to be expected where and when.

    A network hears a song, but not whether the bird lives there. The prior
    :math:`\pi`, how likely a species is at the place and date of a row, changes the
    odds of its probability p:

    .. math:: \frac{\hat p}{1 - \hat p} = \frac{p}{1 - p}
              \left(\frac{\max(\pi, \pi_{min})}{\pi_{ref}}\right)^{s}

    with s the `strength`, :math:`\pi_{min}` `min_prior` and :math:`\pi_{ref}` the
    `reference`, at which nothing changes. By default that is 1: what is sure to be
    there stays as it is, all else is lowered, and nothing raised. Rows of the same
    prior keep their ranking, and no probability leaves [0, 1].

    What the prior does not know stays as it is: species of another name, species that
    a geo model was not trained on (it gives them about 0 all over the world, as it does
    bats), and rows without place or date. Warnings count them.

    Parameters
    ----------
    estimator : estimator object
        A multi-label classifier with ``predict_proba``, usually a whole pipeline. A
        fitted one in `sklearn.frozen.FrozenEstimator` is kept as it is.
    prior : str, path, DataFrame, callable or geo model, default="birdnet-2.4"
        What tells how likely species are.

        - "birdnet-2.4", "geomodel-3", the path of a model, or what
          :func:`skbird.encoders.load_geo_model` returns: a geo model, which needs
          `latitude`, `longitude` and `date`.
        - A table, or the path of a .csv, .tsv or .txt file with it: the columns
          ``species`` and ``prior`` (in [0, 1], such as the share of eBird's
          checklists), and any of ``month`` (1 to 12), ``week`` (1 to 48, four per
          month), ``hour`` (0 to 23) and of the columns of X, such as ``site``. Or a
          bar chart of eBird (.txt), as it is downloaded.
        - A function of the row table and the list of species that returns an array
          (n_rows, n_species), NaN where it knows nothing.
        - "learned": the share of the labelled rows of `fit` with the species, by the
          columns `by`, smoothed by `shrinkage`.
    strength : float >= 0 or "cv", default=0.5
        0 changes nothing; 1 takes the prior for as sure as the sound. "cv" chooses one
        of eight from 0 to 2 on held-out predictions; at best there are several sites,
        which `groups` names.
    reference : float in (0, 1], "fit" or None, default=None
        Prior at which nothing changes. "fit": each species' mean over the rows of
        `fit`, for classifiers that learned there how common species are. None: 1; for
        a learned prior the species' share of all labelled rows.
    min_prior : float in (0, 1), default=0.01
        Lower priors count as this one.
    names : mapping, default=None
        The name in the prior, mostly scientific, of each species that y calls
        otherwise. Case, blanks and underscores do not matter.
    latitude, longitude : str or float, default="latitude", "longitude"
        Columns of X, in degrees, or numbers where all rows are of one place.
    date : str or None, default="date"
        Column of X, such as "2023-05-10" or "20230510_073000"; if it is not there,
        the names of files tell, as those of recorders do. None: the whole year.
    by : sequence of str, default=("site", "hour")
        Columns of X by which priors are learned; "month", "week" and "hour" may also be
        told by `date`, or by a column ``time``. Only with "learned".
    shrinkage : float >= 0, default=20.0
        Number of rows at a level of `by` from which its own share counts more than what
        the others tell. Only with "learned".
    scoring : {"roc_auc", "average_precision", "log_loss"}, default="roc_auc"
        By what "cv" chooses, averaged over the species that can be judged. Only
        "log_loss" sees species that are nowhere.
    threshold : float in [0, 1] or array of shape (n_species,), default=0.5
        Probability from which `predict` counts a species as present.
    cv : int, splitter or iterable of (train, test), default=None
        The folds, which must keep files whole. With an int (None means 5) they do.

    Attributes
    ----------
    estimator_ : estimator object
        The clone of `estimator` fitted on all rows.
    strength_ : float
    search_results_ : DataFrame or None
        ``strength``, ``score`` and ``gain`` over 0. Only with "cv".
    known_ : ndarray of bool, shape (n_species,)
        Which species the prior knows.
    reference_ : ndarray of shape (n_species,)
        Priors at which nothing changes.
    species_prior_ : DataFrame indexed by species
        ``known``, ``mean_prior`` over the rows of `fit`, and ``reference``.
    dates_from_names_ : bool
        Whether the names of files told the dates at `fit`. Then rows whose names tell
        none stay as they are; else it is an error if no row tells its date.
    prior_ : object or None
        The table, the function, or what "learned" has learned.
    classes_ : ndarray of shape (n_species, 2)
        The two values of each label, [0, 1].
    species_ : ndarray of str or of int
        The species in the order of the columns of ``predict_proba``.
    n_features_in_, feature_names_in_
        Those of `estimator_`. Only if it has them.

    See Also
    --------
    SoundscapeReweighter : Draws rows towards the rest of their recording.
    skbird.encoders.load_geo_model : The geo models.

    Notes
    -----
    A classifier that was trained on rows of the same places has learned the prior
    already: then `reference` "fit" or a low strength is right, which "cv" finds.

    References
    ----------
    Mac Aodha, Cole and Perona (2019), "Presence-only geographical priors for
    fine-grained image classification", ICCV, multiply by such a prior, and divide by
    the share of species in training where it is uneven, as Saerens, Latinne and
    Decaestecker (2002), "Adjusting the outputs of a classifier to new a priori
    probabilities", Neural Computation 14. The exponent is the weight of a logarithmic
    opinion pool: Genest and Zidek (1986), "Combining probability distributions",
    Statistical Science 1.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import FunctionTransformer
    >>> from skbird.postprocessing import PlaceSeasonPrior
    >>> X = pd.DataFrame({"level": [0.0, 1.0], "date": ["2024-01-08", "2024-06-08"]})
    >>> Y = pd.DataFrame({"Parus major": [0, 1], "Apus apus": [0, 1]})
    >>> priors = pd.DataFrame({
    ...     "species": ["Parus major", "Apus apus", "Apus apus"],
    ...     "month": [1, 1, 6],
    ...     "prior": [1.0, 0.01, 1.0],
    ... })
    >>> level = FunctionTransformer(lambda table: table[["level"]])
    >>> knn = make_pipeline(level, KNeighborsClassifier(2))
    >>> model = PlaceSeasonPrior(knn, prior=priors, strength=1.0).fit(X, Y)
    >>> model.predict_proba(X).round(2)
    array([[0.5 , 0.01],
           [0.5 , 0.5 ]])
    """

    _parameter_constraints: dict = {
        "estimator": [HasMethods(["fit", "predict_proba"])],
        "prior": [str, os.PathLike, pd.DataFrame, callable, HasMethods(["predict"])],
        "strength": [Interval(Real, 0, 100, closed="both"), StrOptions({"cv"})],
        "reference": [SHARE, StrOptions({"fit"}), None],
        "min_prior": [Interval(Real, 0, 1, closed="neither")],
        "names": [HasMethods(["get", "keys"]), None],
        "latitude": [str, Interval(Real, -90, 90, closed="both")],
        "longitude": [str, Interval(Real, -180, 180, closed="both")],
        "date": [str, None],
        "by": ["array-like"],
        "shrinkage": [Interval(Real, 0, None, closed="left")],
        "scoring": [StrOptions(set(SCORINGS))],
        "threshold": THRESHOLD,
        "cv": ["cv_object"],
    }

    def __init__(
        self,
        estimator,
        prior="birdnet-2.4",
        *,
        strength=0.5,
        reference=None,
        min_prior=0.01,
        names=None,
        latitude="latitude",
        longitude="longitude",
        date="date",
        by=("site", "hour"),
        shrinkage=20.0,
        scoring="roc_auc",
        threshold=0.5,
        cv=None,
    ):
        self.estimator = estimator
        self.prior = prior
        self.strength = strength
        self.reference = reference
        self.min_prior = min_prior
        self.names = names
        self.latitude = latitude
        self.longitude = longitude
        self.date = date
        self.by = by
        self.shrinkage = shrinkage
        self.scoring = scoring
        self.threshold = threshold
        self.cv = cv

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(
        self,
        X,
        y,
        *,
        groups=None,
        sample_weight=None,
        label_weight=None,
        **fit_params,
    ):
        """Fit the estimator; learn the prior, or its strength, if that is asked for.

        Parameters
        ----------
        X : DataFrame, or Recordings or Spectrograms with such rows
            The rows, with the columns that the prior needs.
        y : array-like or DataFrame of shape (n_rows, n_species)
            Their labels: in [0, 1], present from 0.5 on, NaN = unknown, -1 throughout =
            unlabelled. A DataFrame names the species.
        groups : str or array-like of shape (n_rows,), default=None
            What must stay together in a fold, such as sites; or a column of X. By
            default files do. Only with ``strength="cv"``.
        sample_weight : array-like of shape (n_rows,), default=None
            Weights of the rows, for the classifier at the end of `estimator`.
        label_weight : array-like of shape (n_rows, n_species), default=None
            Weights of the labels, likewise: networks multiply the loss by them.
        **fit_params
            Passed on to ``estimator.fit``.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If X lacks columns that the prior needs.
        """
        check_targets(X, y)
        source = self._source()
        rows = self._rows(X, source)  # before the fit: it may take hours
        self.search_results_ = None
        weights = {"sample_weight": sample_weight, "label_weight": label_weight}
        if self.strength == "cv":
            super().fit(X, y, groups=groups, **weights, **fit_params)
        else:
            self.strength_ = float(self.strength)
            groups = groups_of_rows(X, groups)
            params = self._params_of_fit(X, fit_params, groups=groups, **weights)
            self._fit_estimator(X, y, params)
        if self._learns:
            source = LearnedPrior(rows, _targets(y), self.shrinkage)
        # Geo models are opened once for a process, and are not in pickles.
        self.prior_ = None if isinstance(source, GeoPrior) else source
        keys = self._keys(source) or ()
        self.dates_from_names_ = dates_from_names(row_table(X), keys, self.date)
        self._look_at_rows(source, rows)
        return self

    @property
    def _learns(self):
        return isinstance(self.prior, str) and self.prior == "learned"

    def _source(self):
        return None if self._learns else make_prior(self.prior)

    def _prepare(self, X, y, groups):
        """Return the priors of all rows, and the references, for `_learn`."""
        source = self._source()
        rows = self._rows(X, source)
        if self._learns:
            numbers = file_numbers(X, groups) if groups is None else groups
            priors, reference = held_out_priors(
                rows, _targets(y), self.shrinkage, numbers
            )
            if self.reference is not None:
                reference = self._references(None, priors)
            return priors, reference
        species = getattr(y, "columns", np.arange(np.shape(y)[1]))
        priors, _ = self._known_priors(source, rows, species)
        return priors, self._references(source, priors)

    def _learn(self, proba, target, prepared):
        truth = validate_truth(target)
        changed = (self._change(proba, *prepared, strength) for strength in _STRENGTHS)
        scores = np.array([score_predictions(truth, p, self.scoring) for p in changed])
        self.strength_ = _STRENGTHS[int(scores.argmax())]
        self.search_results_ = pd.DataFrame(
            {"strength": _STRENGTHS, "score": scores, "gain": scores - scores[0]}
        )

    def predict_proba(self, X):
        """Predict probabilities that the prior has changed.

        Parameters
        ----------
        X : DataFrame, or Recordings or Spectrograms with such rows
            The rows.

        Returns
        -------
        proba : ndarray of shape (n_rows, n_species)
            NaN for rows that could not be read.
        """
        check_is_fitted(self)
        source = make_prior(self.prior) if self.prior_ is None else self.prior_
        rows = self._rows(X, source, must_tell=not self.dates_from_names_)
        proba = super().predict_proba(X)
        if not len(proba) or self.strength_ == 0:
            return proba
        known = np.asarray(self.known_)
        priors = source.of_rows(rows, self._meant(self.species_))
        priors = np.where(known, priors, np.nan)
        say_rows(priors[:, known], stacklevel=3)
        return self._change(proba, priors, self.reference_, self.strength_)

    def _rows(self, X, source, must_tell=True):
        """Return the columns of X that the prior looks at."""
        name = type(self).__name__
        table = row_table(X)
        if table is None:
            raise ValueError(
                f"X ({type(X).__name__}) has no row table, of which {name} needs "
                "columns. Pass a DataFrame."
            )
        keys = self._keys(source)
        if keys is None:
            return table
        if isinstance(source, GeoPrior):
            place = self.latitude, self.longitude, self.date
            return place_columns(table, *place, name, must_tell=must_tell)
        return key_columns(table, keys, self.date, name, must_tell=must_tell)

    def _keys(self, source):
        """Return the columns that `source` looks up; None: any."""
        if source is None:
            return check_list(self.by, "by")
        return source.keys

    def _meant(self, species):
        given = self.names or {}
        return [str(given.get(name, name)) for name in species]

    def _known_priors(self, source, rows, species):
        """Return priors, NaN where unknown, and which species the prior knows."""
        meant = self._meant(species)
        priors = source.of_rows(rows, meant)
        known = source.knows(meant, priors, self.min_prior)
        return np.where(known, priors, np.nan), known

    def _references(self, source, priors):
        if self.reference is None:
            return getattr(source, "overall", np.ones(priors.shape[1]))
        if self.reference == "fit":
            return np.fmax(mean_of_known(priors), self.min_prior)
        return np.full(priors.shape[1], float(self.reference))

    def _look_at_rows(self, source, rows):
        priors, known = self._known_priors(source, rows, self.species_)
        self.known_ = known
        self.reference_ = self._references(source, priors)
        table = {"known": known, "mean_prior": mean_of_known(priors)}
        self.species_prior_ = pd.DataFrame(
            table | {"reference": self.reference_},
            index=pd.Index(self.species_, name="species"),
        )
        say_species(self.species_[~known], len(known), stacklevel=5)
        say_rows(priors[:, known], stacklevel=5)

    def _change(self, proba, priors, reference, strength):
        limits = {"reference": reference, "min_prior": self.min_prior}
        return change_odds(proba, priors, strength=strength, **limits)


def _targets(y):
    return np.where(validate_truth(y).known, as_floats(y, "y", np.float64), np.nan)
