"""The interval of the score of one set of predictions."""

import numpy as np

from skbird.model_selection._bootstrap import (
    BOOTSTRAP_CONSTRAINTS,
    bootstrap_macro_auc,
    percentile_interval,
)
from skbird.utils._rows import number_groups
from skbird.utils._sklearn_compat import validate_params
from skbird.utils._truth import validate_scores


@validate_params(BOOTSTRAP_CONSTRAINTS, prefer_skip_nested_validation=True)
def macro_roc_auc_interval(
    y_true,
    proba,
    *,
    recording_ids=None,
    n_bootstrap=1000,
    confidence=0.95,
    random_state=None,
):
    """Compute the macro ROC-AUC of one model's predictions, with its interval.

    Recordings are drawn with replacement, all rows of one together: they resemble each
    other, and drawing rows would make the interval far too narrow. Recordings that are
    not judged, as they are unlabelled or could not be read, are not drawn.

    Parameters
    ----------
    y_true : array-like or DataFrame of shape (n_rows, n_species)
        Truth in [0, 1], presence from 0.5, NaN = unknown, -1 throughout = unlabelled.
    proba : array-like or DataFrame of shape (n_rows, n_species)
        Probabilities of rows that training has not seen. Rows that are NaN throughout,
        which could not be read, are left out.
    recording_ids : array-like of shape (n_rows,), default=None
        The recording of each row; or its recordist or site, to resample these. By
        default each row is resampled by itself.
    n_bootstrap : int >= 1, default=1000
        Number of replicates.
    confidence : float in (0, 1), default=0.95
        Confidence level of the interval.
    random_state : int, RandomState instance or None, default=None
        Seed for drawing the recordings.

    Returns
    -------
    score : float
        NaN if no species is both present and absent.
    interval : tuple of float
        Low and high end. NaN if fewer than five recordings are judged, which tell
        nothing of others.

    Raises
    ------
    ValueError
        If shapes or species differ, or values are out of range.

    See Also
    --------
    cross_val_report : The same for a model that is fitted fold by fold.
    paired_bootstrap : Compares two models.

    Examples
    --------
    >>> import numpy as np
    >>> from skbird.model_selection import macro_roc_auc_interval
    >>> rng = np.random.default_rng(0)
    >>> y = np.eye(2)[rng.integers(2, size=200)]
    >>> score, (low, high) = macro_roc_auc_interval(
    ...     y, 0.3 * y + rng.random((200, 2)), random_state=0
    ... )
    >>> print(f"{score:.2f} [{low:.2f}, {high:.2f}]")
    0.72 [0.67, 0.77]
    """
    truth, score = validate_scores(y_true, proba, nan_rows="omit")
    if recording_ids is None:
        recording_ids = np.arange(len(score))
    recording, _ = number_groups(recording_ids, len(score), "recording_ids")
    one_fold = np.zeros(len(score), dtype=np.int64)
    (replicates,), n_recordings = bootstrap_macro_auc(
        truth, [score], one_fold, recording, n_bootstrap, random_state
    )
    interval = percentile_interval(replicates[1:], confidence, n_recordings)
    return float(replicates[0]), interval
