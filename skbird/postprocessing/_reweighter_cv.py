"""Choose how to reweight soundscapes on predictions that are held out."""

from collections.abc import Mapping
from numbers import Real

import numpy as np
import pandas as pd
from sklearn.model_selection import ParameterGrid

from skbird.metrics import average_precision_per_species, roc_auc_per_species
from skbird.postprocessing._held_out_post_processor import HeldOutPostProcessor
from skbird.postprocessing._post_processor import FilePostProcessor, starts_of_rows
from skbird.postprocessing._reweight import (
    check_parameters,
    neutral_probability,
    reweight,
)
from skbird.utils._held_out import labelled_rows
from skbird.utils._rows import check_targets, file_numbers
from skbird.utils._sklearn_compat import HasMethods, Interval, StrOptions
from skbird.utils._text import counted
from skbird.utils._truth import validate_truth

_NOTHING = {"top_rows": None, "level_power": 0.0, "level_share": 0.0, "kernel": None}
_KERNELS = [None, (1, 2, 1), (1, 2, 4, 2, 1)]
_DEFAULT_GRID = [
    {"level_power": [0.0], "kernel": _KERNELS},
    {"level_power": [0.5, 1.0], "top_rows": [None, 1], "kernel": _KERNELS},
    {
        "level_power": [0.0],
        "level_share": [1 / 6, 1 / 3],
        "top_rows": [None, 1],
        "kernel": _KERNELS,
    },
]
_METRICS = {
    "roc_auc": roc_auc_per_species,
    "average_precision": average_precision_per_species,
}


class SoundscapeReweighterCV(HeldOutPostProcessor, FilePostProcessor):
    r"""Reweight soundscapes with the parameters that are best on held-out predictions.

    The estimator is fitted once per fold, and predicts the fold's rows; all candidates
    are tried on these predictions, which costs no further fit. Then the estimator is
    fitted on all rows. If no candidate scores more than the predictions as they are,
    they stay as they are. The files need several rows each, as soundscapes have.

    With `per_species` each species gets the candidate c that gains it most over doing
    nothing, where the gain :math:`g_{cj}` is shrunk towards the mean gain of all
    species, the more the fewer files :math:`n_j` the species is known to be in:

    .. math:: \frac{n_j \, g_{cj} + shrinkage \cdot \bar g_c}{n_j + shrinkage}

    Parameters
    ----------
    estimator : estimator object
        A multi-label classifier with ``predict_proba``, usually a whole pipeline. A
        fitted one in `sklearn.frozen.FrozenEstimator` is kept as it is: then the rows
        given to `fit` must be new to it.
    param_grid : dict or list of dict, default=None
        Lists of values of `SoundscapeReweighter`'s ``top_rows``, ``level_power``,
        ``level_share`` and ``kernel``, as for `sklearn.model_selection.ParameterGrid`;
        what is not given has its default there. None: 27 candidates, with powers of 0.5
        and 1 or shares of 1/6 and 1/3 of the file's mean or maximum, and three kernels.
        If several score the same, the first one is chosen.
    per_species : bool, default=False
        Whether each species gets parameters of its own.
    shrinkage : float >= 0, default=20.0
        Files that a species must be in for its own gain to count as much as that of
        all. Only with `per_species`.
    scoring : {"roc_auc", "average_precision"}, default="roc_auc"
        What to maximise, averaged over the species that can be judged.
    cv : int, splitter or iterable of (train, test), default=None
        The folds, which must keep files whole. With an int (None means 5) they do.

    Attributes
    ----------
    estimator_ : estimator object
        The clone of `estimator` fitted on all rows.
    best_params_ : dict
        The candidate that is best for all species together.
    best_score_ : float
        Score of `best_params_` on the held-out predictions. As the best of many, it is
        somewhat higher than the score on new files.
    search_results_ : DataFrame
        A row per candidate, the first of which does nothing: ``top_rows``,
        ``level_power``, ``level_share``, ``kernel``, ``score`` and ``gain``, the score
        minus that of doing nothing.
    candidates_ : list of dict
        The parameters of each candidate.
    chosen_ : ndarray of int, shape (n_species,)
        Number of the candidate that each species gets.
    species_params_ : DataFrame indexed by species
        The parameters that are used, ``n_files`` (files with the species) and ``gain``,
        which is shrunk if `per_species`, else that of `best_params_`.
    classes_ : ndarray of shape (n_species, 2)
        The two values of each label, [0, 1].
    species_ : ndarray of str or of int
        The species in the order of the columns of ``predict_proba``.
    n_features_in_, feature_names_in_
        Those of `estimator_`. Only if it has them.

    See Also
    --------
    SoundscapeReweighter : With given parameters.

    Notes
    -----
    Rows of all folds are ranked together, though each fold has a model of its own.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.multiclass import OneVsRestClassifier
    >>> from skbird.postprocessing import SoundscapeReweighterCV
    >>> rng = np.random.default_rng(0)
    >>> files = np.repeat(np.arange(40), 6)
    >>> lives_here = rng.random((40, 2)) < 0.5
    >>> Y = (lives_here[files] & (rng.random((240, 2)) < 0.7)).astype(int)
    >>> X = Y + rng.normal(size=(240, 2))
    >>> pipe = OneVsRestClassifier(LogisticRegression())
    >>> grid = {"level_power": [0.5, 1.0, 2.0]}
    >>> model = SoundscapeReweighterCV(pipe, param_grid=grid)
    >>> model = model.fit(X, Y, groups=files)
    >>> model.search_results_[["level_power", "score"]].round(3)
      level_power  score
    0   0.0  0.778
    1   0.5  0.805
    2   1.0  0.819
    3   2.0  0.834
    >>> model.best_params_["level_power"]
    2.0
    """

    _parameter_constraints: dict = {
        "estimator": [HasMethods(["fit", "predict_proba"])],
        "param_grid": [Mapping, list, tuple, None],
        "per_species": ["boolean"],
        "shrinkage": [Interval(Real, 0, None, closed="left")],
        "scoring": [StrOptions(set(_METRICS))],
        "cv": ["cv_object"],
    }

    def __init__(
        self,
        estimator,
        *,
        param_grid=None,
        per_species=False,
        shrinkage=20.0,
        scoring="roc_auc",
        cv=None,
    ):
        self.estimator = estimator
        self.param_grid = param_grid
        self.per_species = per_species
        self.shrinkage = shrinkage
        self.scoring = scoring
        self.cv = cv

    def _prepare(self, X, y, groups):
        check_targets(X, y)
        candidates = _list_candidates(self.param_grid)
        files = file_numbers(X, groups)
        # Whole files, since the rows that cannot be judged have their places, too.
        used = np.isin(files, files[labelled_rows(y)])
        _check_files(files[used])
        start = starts_of_rows(X)
        start = None if start is None else start[used]
        return candidates, used, files[used], start

    def _learn(self, proba, target, prepared):
        candidates, used, files, start = prepared
        truth = validate_truth(target[used])
        _check_truth(truth)
        scores = _score_candidates(
            candidates, truth, proba[used], files, start, _METRICS[self.scoring]
        )
        # The first candidate does nothing.
        gains = scores - scores[0]
        pooled = np.nanmean(gains, axis=1)
        best = int(pooled.argmax())
        n_files = _count_files(truth, files)
        if self.per_species:
            gains = _shrink(gains, pooled, n_files, self.shrinkage)
            self.chosen_ = gains.argmax(axis=0)
        else:
            gains = np.repeat(pooled[:, None], len(n_files), axis=1)
            self.chosen_ = np.full(len(n_files), best)
        self.candidates_ = candidates
        self.best_params_ = candidates[best]
        self.best_score_ = float(np.nanmean(scores[best]))
        self.search_results_ = pd.DataFrame(candidates, dtype=object).assign(
            score=np.nanmean(scores, axis=1), gain=pooled
        )
        self.species_params_ = pd.DataFrame(
            [candidates[c] for c in self.chosen_], dtype=object
        ).assign(n_files=n_files, gain=gains.max(axis=0))

    def _learn_species(self, y):
        super()._learn_species(y)
        self.species_params_.index = pd.Index(self.species_, name="species")

    def _reweight(self, proba, groups, start):
        result = np.empty_like(proba)
        for candidate in np.unique(self.chosen_):
            columns = self.chosen_ == candidate
            result[:, columns] = reweight(
                proba[:, columns], groups, start=start, **self.candidates_[candidate]
            )
        return result

    def _neutral(self):
        params = [self.candidates_[candidate] for candidate in self.chosen_]
        return neutral_probability(
            [p["level_power"] for p in params], [p["level_share"] for p in params]
        )


def _list_candidates(grid):
    """Return the candidate that does nothing, and those of the grid."""
    candidates = [_NOTHING]
    for given in ParameterGrid(_DEFAULT_GRID if grid is None else grid):
        unknown = sorted(given.keys() - _NOTHING.keys())
        if unknown:
            raise ValueError(f"param_grid has {unknown}; it can have {list(_NOTHING)}.")
        params = _NOTHING | {"level_power": 1.0} | given
        check_parameters("param_grid", None, **params)
        candidates.append(params)
    return candidates


def _score_candidates(candidates, truth, proba, files, start, metric):
    """Score each candidate and species; NaN for species that cannot be judged."""
    scores = np.full((len(candidates), proba.shape[1]), np.nan)
    for candidate, params in enumerate(candidates):
        reweighted = reweight(proba, files, start=start, **params)
        scores[candidate] = metric(truth, np.where(truth.known, reweighted, np.nan))
    return scores


def _check_files(files):
    if len(np.unique(files)) == len(files):
        raise ValueError(
            f"X has {counted(len(files), 'row')}, each alone in its file, so that "
            "there is nothing to learn about files. Fit on soundscapes of several rows "
            "(skbird.data.segment_table); X or groups must say which share a file."
        )


def _check_truth(truth):
    absent = truth.known & ~truth.positive
    if not (truth.positive.any(axis=0) & absent.any(axis=0)).any():
        raise ValueError(
            "No species is present in some of the held-out rows and absent in others, "
            "so that no candidate can be judged. Use more files."
        )


def _count_files(truth, files):
    """Count the files that each species is known to be in, (n_species,)."""
    rows, species = np.nonzero(truth.positive)
    pairs = np.unique(np.column_stack([files[rows], species]), axis=0)
    return np.bincount(pairs[:, 1], minlength=truth.positive.shape[1])


def _shrink(gains, pooled, n_files, shrinkage):
    """Draw gains (n_candidates, n_species) towards those of all species."""
    pooled = pooled[:, None]
    with np.errstate(invalid="ignore"):  # 0 / 0 is a species of which nothing is known
        shrunk = (n_files * gains + shrinkage * pooled) / (n_files + shrinkage)
    return np.where(np.isnan(shrunk), pooled, shrunk)
