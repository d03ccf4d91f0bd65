"""A model of places and seasons: coordinates and a week in, probabilities out."""

from functools import cached_property

import numpy as np

from skbird.utils._params import as_floats

WEEKS = 48  # of a year: four of each month
_BATCH = 512  # places that are computed at once
_GRID_DEGREES = 7.5
_SEASONS = (1, 13, 25, 37)


class GeoModel:
    """A model of where and when species occur, opened by :func:`load_geo_model`.

    It can be shared by threads, pickled (its file is then looked for again, and must be
    the same) and copied (which copies nothing).

    Attributes
    ----------
    spec : GeoModelSpec
        What the model wants and gives.
    class_names : tuple of str
        Scientific names of the species in the order of the probabilities.

    See Also
    --------
    skbird.postprocessing.PlaceSeasonPrior : Corrects the predictions of a classifier.

    Examples
    --------
    >>> import numpy as np
    >>> from skbird.encoders import GeoModelSpec, load_geo_model
    >>> spec = GeoModelSpec("toads", "1", 2, class_names=["Bufo bufo", "Rana arvalis"])
    >>> def occurs(places):
    ...     north = places[:, 0] / 90
    ...     return np.column_stack([north, 1 - north])
    >>> model = load_geo_model(occurs, spec)
    >>> model.predict(latitude=[45, 90], longitude=6.5, week=20)
    array([[0.5, 0.5],
           [1. , 0. ]], dtype=float32)
    """

    def __init__(self, spec, run, class_names, source=None, identity=None):
        self.spec = spec
        self.class_names = tuple(class_names)
        self._run = run
        self._source = source
        #: Tells which file, or function, the probabilities are from.
        self.identity = identity

    def __repr__(self):
        return (
            f"<GeoModel {self.spec.name} {self.spec.version}: latitude, longitude, "
            f"week -> {self.spec.n_classes} species>"
        )

    def predict(self, latitude, longitude, week=None):
        """Return the probability that each species occurs at a place in a week.

        It is not the probability of hearing it in a recording, but its order is.

        Parameters
        ----------
        latitude, longitude : float or array-like of shape (n,)
            In degrees, within [-90, 90] and [-180, 180].
        week : int or array-like of shape (n,), default=None
            In [1, 48], four per month. None: the whole year.

        Returns
        -------
        ndarray of shape (n, n_classes), float32
            In [0, 1]; NaN where a coordinate or the week is.

        Raises
        ------
        ValueError
            If a value is out of range.
        """
        whole_year = week is None
        given = (latitude, longitude, 1 if whole_year else week)
        names = ("latitude", "longitude", "week")
        columns = [
            np.atleast_1d(as_floats(v, name, np.float64))
            for v, name in zip(given, names, strict=True)
        ]
        places = np.column_stack(np.broadcast_arrays(*columns))
        for values, name, limits in zip(
            places.T, names, ((-90, 90), (-180, 180), (1, WEEKS)), strict=True
        ):
            _check_range(values, name, *limits)
        known = ~np.isnan(places).any(axis=1)
        result = np.full((len(places), self.spec.n_classes), np.nan, np.float32)
        predict = self._whole_year if whole_year else self._predict
        result[known] = predict(places[known].astype(np.float32))
        return result

    @cached_property
    def highest(self):
        """The highest probability of each species on a coarse grid of the world.

        Species that the model was not trained on, such as bats, have about 0
        everywhere: there it says nothing.

        ndarray of shape (n_classes,), float32
        """
        grid = np.meshgrid(
            np.arange(-55, 80, _GRID_DEGREES), np.arange(-180, 180, _GRID_DEGREES)
        )
        places = np.column_stack([axis.ravel() for axis in grid])
        if self.spec.whole_year is not None:
            weeks = [self.spec.whole_year]
        else:
            weeks = _SEASONS
        highest = np.zeros(self.spec.n_classes, dtype=np.float32)
        for week in weeks:
            for first in range(0, len(places), _BATCH):
                part = places[first : first + _BATCH]
                values = self._predict(
                    np.column_stack([part, np.full(len(part), week)])
                )
                np.maximum(highest, values.max(axis=0), out=highest)
        return highest

    def _whole_year(self, places):
        if self.spec.whole_year is not None:
            places[:, 2] = self.spec.whole_year
            return self._predict(places)
        highest = np.zeros((len(places), self.spec.n_classes), dtype=np.float32)
        for week in range(1, WEEKS + 1):
            places[:, 2] = week
            np.maximum(highest, self._predict(places), out=highest)
        return highest

    def _predict(self, places):
        parts = [np.empty((0, self.spec.n_classes), dtype=np.float32)]
        for first in range(0, len(places), _BATCH):
            part = np.asarray(places[first : first + _BATCH], dtype=np.float32)
            values = np.asarray(self._run(part))
            if values.shape != (len(part), self.spec.n_classes):
                raise ValueError(
                    f"{self.spec.name} gave values of shape {values.shape} for "
                    f"{len(part)} places; its spec says {self.spec.n_classes} species."
                )
            parts.append(np.clip(values.astype(np.float32), 0, 1))
        return np.concatenate(parts)

    def __reduce__(self):
        from skbird.encoders._load_geo_model import open_geo_again

        if self._source is None:
            return GeoModel, (
                self.spec,
                self._run,
                self.class_names,
                None,
                self.identity,
            )
        return open_geo_again, (self._source, self.spec, self.identity)

    def __copy__(self):
        return self

    def __deepcopy__(self, memo):
        return self

    def __sklearn_clone__(self):
        return self


def _check_range(values, name, low, high):
    wrong = np.flatnonzero((values < low) | (values > high))
    if len(wrong):
        raise ValueError(
            f"{name} is {values[wrong[0]]:g} in row {wrong[0]}; it must be in "
            f"[{low}, {high}]."
        )
