"""Cross-validation that says how far its result can be trusted."""

import time
from numbers import Integral
from typing import NamedTuple

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from sklearn.base import clone
from sklearn.model_selection import check_cv
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import _check_method_params, _num_samples

from skbird.metrics import macro_roc_auc
from skbird.model_selection._bootstrap import (
    BOOTSTRAP_CONSTRAINTS,
    bootstrap_macro_auc,
    percentile_interval,
)
from skbird.model_selection._cross_val_result import CrossValReport
from skbird.model_selection._fold_tables import (
    fold_table,
    name_held_out,
    species_table,
    used_folds,
)
from skbird.model_selection._group_kfold import GroupMultilabelKFold
from skbird.model_selection._heard import heard_before, heard_of_folds
from skbird.model_selection._leaks import warn_about_cheap_leaks
from skbird.utils._fit_params import check_lengths, hand_on
from skbird.utils._folds import check_folds, list_folds
from skbird.utils._nested import predict_matrix
from skbird.utils._params import N_JOBS
from skbird.utils._progress import progress_bar
from skbird.utils._rows import groups_of_rows, number_groups, recordings_of_rows
from skbird.utils._sklearn_compat import HasMethods, routing_enabled, validate_params
from skbird.utils._text import counted
from skbird.utils._truth import validate_scores, validate_truth

_N_SPLITS = 5


@validate_params(
    {
        "estimator": [HasMethods(["fit", "predict_proba"])],
        "cv": ["cv_object"],
        "fit_params": [None, dict],
        "n_jobs": N_JOBS,
        "return_estimators": ["boolean"],
        "verbose": ["verbose"],
        **BOOTSTRAP_CONSTRAINTS,
    },
    prefer_skip_nested_validation=False,
)
def cross_val_report(
    estimator,
    X,
    Y,
    *,
    groups=None,
    cv=None,
    recording_ids=None,
    fit_params=None,
    n_bootstrap=1000,
    confidence=0.95,
    random_state=None,
    n_jobs=None,
    return_estimators=False,
    verbose=0,
):
    r"""Cross-validate a multi-label classifier and judge it species by species.

    Unlike ``cross_val_score`` it accepts soft, unknown and missing truth, leaves a
    species out of the folds that cannot judge it, gives an interval, and keeps the
    predictions.

    The main score compares rows of the same fold only, which one fitted model scored:

    .. math:: AUC_s = \frac{\sum_f n^+_{sf} AUC_{sf}}{\sum_f n^+_{sf}}

    with :math:`n^+_{sf}` positives and the ROC-AUC :math:`AUC_{sf}` of species s in
    fold f, and then the mean over species. Quote this score. The two usual ones are
    there as well, but have flaws. Pooled predictions, in which rows of all folds are
    ranked together, mix models whose scores need not be on one scale, so that the fold
    of a row may count for more than its sound. The mean of the folds gives a rare
    species the weight of a common one in the few folds that have it, and none in the
    others, so that each fold averages other species.

    The interval comes from the percentile bootstrap over recordings: all rows of a
    recording are drawn together, since they are not independent; those that are not
    judged, as they are unlabelled or could not be read, are not drawn. It tells how
    the fitted models would do on other recordings of this kind, not how much training
    on others would change them. A replicate averages the species it can judge. With
    fewer than five recordings that are judged the interval is NaN.

    Parameters
    ----------
    estimator : estimator object
        A multi-label classifier with ``predict_proba``, usually a whole pipeline. It
        is cloned for each fold.
    X : DataFrame, sequence of paths, or whatever `estimator` takes
        The rows.
    Y : array-like or DataFrame of shape (n_rows, n_species)
        Labels in [0, 1], presence from 0.5. NaN = unknown, -1 throughout a row =
        unlabelled, where `estimator` accepts such.
    groups : str or array-like of shape (n_rows,), default=None
        What the folds must keep together, for `cv`; or a column of X. By default, if
        `cv` is a number or None, the recordings.
    cv : int, splitter or iterable of (train, test), default=None
        None means 5; a number n means ``GroupMultilabelKFold(n)``.
    recording_ids : str or array-like of shape (n_rows,), default=None
        What is resampled for the interval; or a column of X. By default the paths that
        X tells, else `groups`, else each row.
    fit_params : dict, default=None
        Passed on to ``estimator.fit``; what has n_rows entries is cut to the training
        rows. ``label_weight`` and ``sample_weight`` reach what is at the end of a
        pipeline, whatever its step is called.
    n_bootstrap : int >= 1, default=1000
        Number of replicates.
    confidence : float in (0, 1), default=0.95
        Confidence level of the interval.
    random_state : int, RandomState instance or None, default=None
        Seed of the bootstrap.
    n_jobs : int, default=None
        Folds fitted at the same time, as in joblib. None means one.
    return_estimators : bool, default=False
        Whether to keep the fitted estimators.
    verbose : int, default=0
        0 shows no progress bar over the folds.

    Returns
    -------
    CrossValReport

    Raises
    ------
    TypeError
        If `cv` is a single split.
    ValueError
        If shapes differ, a group is missing, a fold is empty, has rows that X has not
        or a row in both parts, or a row is tested twice.

    Warns
    -----
    LeakageWarning
        If test rows share their file, or author and day (columns of X), with training
        rows. `check_leaks` looks further.

    See Also
    --------
    paired_bootstrap : Compare two models by their reports' predictions.
    fold_report : What the folds can learn and judge, before any training.

    Notes
    -----
    A pretrained model (`skbird.encoders`) may have been trained on the rows that test
    it. The report says of how many, and what the score is without them.

    The bootstrap with 200 species and 1000 replicates took 1 s on one core for 10,000
    rows, each a recording, and half a minute for 300,000 rows of 30,000 recordings.

    References
    ----------
    Forman and Scholz (2010), "Apples-to-apples in cross-validation studies", SIGKDD
    Explorations 12(1), on pooled scores. Rutter (2000), "Bootstrap estimation of
    diagnostic accuracy with patient-clustered data", Academic Radiology 7.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from skbird.model_selection import cross_val_report
    >>> rng = np.random.default_rng(0)
    >>> Y = rng.integers(0, 2, (60, 2))
    >>> X = Y + rng.normal(0, 0.7, Y.shape)
    >>> report = cross_val_report(
    ...     KNeighborsClassifier(9), X, Y, groups=np.arange(60) // 3, cv=3,
    ...     random_state=0)
    >>> print(str(report).split("\n\n")[0])
    Macro ROC-AUC 0.790 [0.710, 0.876], 95 % interval over 20 recordings
      quote this score: it compares rows of the same fold, scored by one model
      (mean of the folds 0.790; rows of all folds ranked together 0.764)
      2 of 2 species judged, 0 without a positive in any test part
    """
    species = validate_truth(Y, "Y").species
    _check_length(X, len(Y))
    groups = groups_of_rows(X, groups)
    recording_ids = groups_of_rows(X, recording_ids, "recording_ids")
    if recording_ids is None:
        recording_ids = _recordings(X, groups, len(Y))
    recording, _ = number_groups(recording_ids, len(Y), "recording_ids")
    if groups is None and (cv is None or isinstance(cv, Integral)):
        groups = recording_ids
    folds = _make_folds(cv, X, Y, groups)
    test_fold = _test_fold(folds, len(Y))
    warn_about_cheap_leaks(X, folds)

    weights = fit_params = fit_params or {}
    check_lengths(X, fit_params)
    if not routing_enabled():
        fit_params = hand_on(estimator, fit_params)
    fits = Parallel(n_jobs=n_jobs, return_as="generator")(
        delayed(_fit_and_predict)(
            clone(estimator),
            _safe_indexing(X, train),
            _safe_indexing(Y, train),
            _safe_indexing(X, test),
            _check_method_params(X, fit_params, train),
            len(species),
            return_estimators,
        )
        for train, test in folds
    )
    options = {"desc": "folds", "unit": "fold", "verbose": verbose}
    fits = list(progress_bar(fits, total=len(folds), **options))
    proba = np.full((len(Y), len(species)), np.nan)
    for (_, test), fit in zip(folds, fits, strict=True):
        proba[test] = fit.proba

    unread = (test_fold >= 0) & np.isnan(proba).all(axis=1)
    used = used_folds(folds, unread, weights.get("sample_weight"))
    per_species = species_table(Y, proba, folds, used, weights.get("label_weight"))
    index = next((a.index for a in (X, Y) if isinstance(a, pd.DataFrame)), None)
    is_judged = (test_fold >= 0) & ~np.isnan(proba).all(axis=1)
    options = (confidence, n_bootstrap, random_state)
    score, interval, n_recordings = _score(
        Y, proba, test_fold, recording, is_judged, *options
    )
    pooled = np.nan
    if is_judged.any():  # else no recording could be read
        judged = np.flatnonzero(is_judged)
        pooled = macro_roc_auc(_safe_indexing(Y, judged), proba[judged])
    encoders, heard = heard_of_folds(folds, fits, len(Y), index)
    unheard = is_judged & ~heard.isin(["likely", "possible"]).to_numpy()
    score_unheard, interval_unheard = np.nan, (np.nan, np.nan)
    if encoders and unheard.any():
        score_unheard, interval_unheard, _ = _score(
            Y, proba, test_fold, recording, unheard, *options
        )
    return CrossValReport(
        macro_roc_auc=score,
        interval=interval,
        confidence=confidence,
        pooled_macro_roc_auc=pooled,
        folds=fold_table(used, fits, per_species, name_held_out(groups, folds)),
        species=per_species,
        proba=pd.DataFrame(proba, index, species),
        test_fold=pd.Series(test_fold, index, name="test_fold"),
        n_recordings=n_recordings,
        estimators=[fit.estimator for fit in fits] if return_estimators else None,
        encoders=encoders,
        heard_before=heard if encoders else None,
        unheard_macro_roc_auc=score_unheard,
        unheard_interval=interval_unheard,
    )


def _score(Y, proba, test_fold, recording, used, confidence, n_bootstrap, random_state):
    """Score some rows; return score, interval and the number of recordings."""
    used = np.flatnonzero(used)
    if not len(used):
        return np.nan, (np.nan, np.nan), 0
    truth, score = validate_scores(_safe_indexing(Y, used), proba[used])
    (replicates,), n_recordings = bootstrap_macro_auc(
        truth, [score], test_fold[used], recording[used], n_bootstrap, random_state
    )
    interval = percentile_interval(replicates[1:], confidence, n_recordings)
    return float(replicates[0]), interval, n_recordings


def _check_length(X, n_rows):
    try:
        n_found = _num_samples(X)
    except TypeError as exc:
        raise TypeError(
            f"X is of type {type(X).__name__}, which has no rows; {n_rows} are needed, "
            "as in Y."
        ) from exc
    if n_found != n_rows:
        raise ValueError(
            f"X has {counted(n_found, 'row')} and Y {n_rows}; pass the same rows."
        )


def _recordings(X, groups, n_rows):
    """Return what recording a row is of: X's path, else its group, else its number."""
    try:
        return recordings_of_rows(X)
    except (TypeError, ValueError):
        return np.arange(n_rows) if groups is None else np.asarray(groups)


class _Fit(NamedTuple):
    """The result of one fold."""

    proba: np.ndarray  # (n_test, n_species)
    fit_s: float
    predict_s: float
    estimator: object  # None if it is not to be kept
    encoders: tuple  # names of pretrained models in it
    heard: np.ndarray  # what they may have heard of the test rows


def _fit_and_predict(estimator, X, Y, X_test, fit_params, n_species, keep):
    started = time.perf_counter()
    estimator.fit(X, Y, **fit_params)
    fitted = time.perf_counter()
    proba = predict_matrix(estimator, X_test, n_species)
    predicted = time.perf_counter()
    return _Fit(
        proba,
        fitted - started,
        predicted - fitted,
        estimator if keep else None,
        *heard_before(estimator, X_test),
    )


def _make_folds(cv, X, Y, groups):
    if cv is None or isinstance(cv, Integral):
        splitter = GroupMultilabelKFold(_N_SPLITS if cv is None else cv)
        try:
            folds = list(splitter.split(X, Y, groups))
        except ValueError as exc:  # it knows the number as n_splits
            raise ValueError(f"cv={cv!r}: {exc}") from exc
    elif isinstance(cv, bytes) or not hasattr(cv, "split"):
        folds = list(check_cv(list_folds(cv, "cv")).split(X, Y, groups))
    else:
        folds = list(check_cv(cv).split(X, Y, groups))
    folds = check_folds(folds, len(Y))
    for number, (train, test) in enumerate(folds):
        if len(train) == 0 or len(test) == 0:
            raise ValueError(
                f"Fold {number} of cv={cv!r} has {counted(len(train), 'training row')} "
                f"and {counted(len(test), 'test row')}; both need some. Use fewer "
                "folds."
            )
    return folds


def _test_fold(folds, n_rows):
    """Return the fold that tests each row, -1 for none."""
    test_fold = np.full(n_rows, -1)
    for number, (_, test) in enumerate(folds):
        if (test_fold[test] >= 0).any():
            row = test[test_fold[test] >= 0][0]
            raise ValueError(
                f"cv tests row {row} in fold {test_fold[row]} and in fold {number}, so "
                "that it has no single prediction. Use a splitter without repetition, "
                "and one report per repetition."
            )
        test_fold[test] = number
    return test_fold
