"""Tell whether one model is better than another, or was lucky with its recordings."""

from dataclasses import dataclass

import numpy as np
from sklearn.utils import _safe_indexing

from skbird.model_selection._bootstrap import (
    BOOTSTRAP_CONSTRAINTS,
    bootstrap_macro_auc,
    percentile_interval,
)
from skbird.model_selection._cross_val_result import CrossValReport
from skbird.utils._bootstrap import FEWEST_RECORDINGS
from skbird.utils._params import as_floats
from skbird.utils._rows import check_same_orders, number_groups
from skbird.utils._sklearn_compat import validate_params
from skbird.utils._text import counted
from skbird.utils._truth import check_same_species, validate_scores, validate_truth


@dataclass(frozen=True)
class PairedBootstrapResult:
    """Result of `paired_bootstrap`: the difference of two scores and its interval.

    Attributes
    ----------
    difference : float in [-1, 1]
        Macro ROC-AUC of a minus that of b.
    interval : tuple of float
        Its confidence interval (low, high). NaN if fewer than five recordings can be
        compared, which tell nothing of others.
    share_positive : float in [0, 1]
        Share of replicates in which a is better than b.
    p_value : float in (0, 1]
        Two-sided p-value: how often replicates contradict the sign of the difference.
        NaN where `interval` is.
    macro_roc_auc_a, macro_roc_auc_b : float in [0, 1]
        Macro ROC-AUC of each model.

    Examples
    --------
    >>> import numpy as np
    >>> from skbird.model_selection import paired_bootstrap
    >>> rng = np.random.default_rng(0)
    >>> Y = rng.integers(0, 2, (200, 3))
    >>> good, poor = Y + rng.normal(0, 1, Y.shape), Y + rng.normal(0, 3, Y.shape)
    >>> result = paired_bootstrap(
    ...     Y, good, poor, recording_ids=np.arange(200), random_state=0
    ... )
    >>> result.interval[0] > 0
    True
    """

    difference: float
    interval: tuple
    share_positive: float
    p_value: float
    macro_roc_auc_a: float
    macro_roc_auc_b: float


@validate_params(BOOTSTRAP_CONSTRAINTS, prefer_skip_nested_validation=True)
def paired_bootstrap(
    y_true,
    proba_a,
    proba_b,
    *,
    recording_ids=None,
    folds=None,
    n_bootstrap=1000,
    confidence=0.95,
    random_state=None,
):
    r"""Compare the macro ROC-AUC of two models on the same rows.

    Recordings are drawn with replacement, and both models are scored on the same draw,
    so that what makes a draw easy or hard cancels out in the difference
    :math:`d = AUC_a - AUC_b`. The rows of a recording stay together: they resemble
    each other, and drawing rows would make the interval far too narrow. Recordings that
    are not judged, as they are unlabelled or one model could not read them, are not
    drawn. With B replicates the p-value is

    .. math:: p = \min\Big(1, 2 \, \frac{1 + \min(\#\{d \le 0\}, \#\{d \ge 0\})}
                                        {1 + B}\Big)

    It says what to expect of new recordings, not of new training runs: neither model is
    fitted again.

    Parameters
    ----------
    y_true : array-like or DataFrame of shape (n_rows, n_species)
        Truth in [0, 1], presence from 0.5. NaN = unknown, -1 throughout a row =
        unlabelled.
    proba_a, proba_b : array-like or DataFrame of shape (n_rows, n_species)
        Predictions of the two models. A row that is NaN throughout in either of them,
        not tested or unreadable, is left out of both.
    recording_ids : array-like of shape (n_rows,), default=None
        The recording of each row. By default each row is one.
    folds : array-like of int, shape (n_rows,), default=None
        The fold in which each row was tested, such as ``report.test_fold`` of
        `cross_val_report`: only rows of the same fold are compared, since they were
        scored by the same fitted model. Rows with -1 are left out. By default all rows
        are compared.
    n_bootstrap : int >= 1, default=1000
        Number of replicates.
    confidence : float in (0, 1), default=0.95
        Confidence level of the interval, whose ends are percentiles of the replicates.
    random_state : int, RandomState instance or None, default=None
        Seed of the resampling.

    Returns
    -------
    PairedBootstrapResult

    Raises
    ------
    ValueError
        If shapes or species differ, or no species can be judged in any fold.

    References
    ----------
    Koehn (2004), "Statistical significance tests for machine translation evaluation",
    for the paired bootstrap; Davison and Hinkley (1997), "Bootstrap methods and their
    application", for the p-value (section 4.4 for the ones); Rutter (2000), "Bootstrap
    estimation of diagnostic accuracy with patient-clustered data", for clusters.

    Examples
    --------
    >>> import numpy as np
    >>> from skbird.model_selection import paired_bootstrap
    >>> rng = np.random.default_rng(0)
    >>> Y = rng.integers(0, 2, (200, 3))
    >>> good, poor = Y + rng.normal(0, 1, Y.shape), Y + rng.normal(0, 3, Y.shape)
    >>> recording_ids = np.arange(200) // 5
    >>> result = paired_bootstrap(
    ...     Y, good, poor, recording_ids=recording_ids, random_state=0)
    >>> round(result.difference, 2), round(result.p_value, 3)
    (0.24, 0.002)
    """
    _refuse_reports(proba_a=proba_a, proba_b=proba_b)
    validate_truth(y_true)
    check_same_orders({"y_true": y_true, "proba_a": proba_a, "proba_b": proba_b})
    check_same_species(proba_a, proba_b, ("proba_a", "proba_b"))
    if folds is not None:
        folds = _check_test_fold(folds, len(y_true))
    rows = _comparable_rows(y_true, proba_a, proba_b, folds)
    if not np.any(rows):
        raise ValueError("No row was predicted by both: there is nothing to compare.")
    recording, _ = number_groups(
        np.arange(len(y_true)) if recording_ids is None else recording_ids,
        len(y_true),
        "recording_ids",
    )
    fold = np.zeros(len(y_true)) if folds is None else folds
    (truth, score_a), (_, score_b) = (
        validate_scores(_safe_indexing(y_true, rows), _safe_indexing(proba, rows))
        for proba in (proba_a, proba_b)
    )
    (auc_a, auc_b), n_recordings = bootstrap_macro_auc(
        truth,
        [score_a, score_b],
        fold[rows],
        recording[rows],
        n_bootstrap,
        random_state,
    )
    if np.isnan(auc_a[0]):
        raise ValueError(
            "No species has a positive and a negative in the same fold among the rows "
            "that both models predicted: there is nothing to compare."
        )
    differences = (auc_a - auc_b)[1:]
    differences = differences[~np.isnan(differences)]
    contradicting = min((differences <= 0).sum(), (differences >= 0).sum())
    p_value = min(1.0, 2 * (1 + contradicting) / (1 + len(differences)))
    if n_recordings < FEWEST_RECORDINGS:
        p_value = np.nan
    return PairedBootstrapResult(
        difference=float(auc_a[0] - auc_b[0]),
        interval=percentile_interval(differences, confidence, n_recordings),
        share_positive=float((differences > 0).mean()),
        p_value=float(p_value),
        macro_roc_auc_a=float(auc_a[0]),
        macro_roc_auc_b=float(auc_b[0]),
    )


def _refuse_reports(**probas):
    for name, proba in probas.items():
        if isinstance(proba, CrossValReport):
            raise TypeError(
                f"{name} is a CrossValReport. Pass its predictions, {name}=report.proba"
                ", and for both models folds=report.test_fold."
            )


def _check_test_fold(folds, n_rows):
    try:
        test_fold = np.asarray(folds, dtype=np.float64)
    except (TypeError, ValueError):  # a splitter, or pairs of rows
        test_fold = None
    if test_fold is None or test_fold.shape != (n_rows,):
        raise ValueError(
            f"folds ({type(folds).__name__}) must have the number of the fold that "
            f"tested each of the {counted(n_rows, 'row')}, such as report.test_fold."
        )
    return test_fold


def _comparable_rows(y_true, proba_a, proba_b, folds):
    """Return the numbers of the rows that both models predicted."""
    predicted = []
    for name, proba in {"proba_a": proba_a, "proba_b": proba_b}.items():
        values = as_floats(proba, name, np.float64)
        if values.ndim != 2:
            raise ValueError(
                f"{name} has shape {values.shape}, but (n_rows, n_species) is needed."
            )
        predicted.append(~np.isnan(values).all(axis=1))
    if folds is not None:
        predicted.append(folds >= 0)
    lengths = [len(part) for part in (y_true, *predicted)]
    if len(set(lengths)) > 1:
        raise ValueError(
            f"y_true, proba_a, proba_b and folds have {lengths} rows. All need the "
            "same rows."
        )
    return np.flatnonzero(np.all(predicted, axis=0))
