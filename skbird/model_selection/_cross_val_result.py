"""The result of a cross-validation."""

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from skbird.utils._text import counted

# With fewer rows with a species, or without it, one changes its score by a quarter.
_FEWEST_ROWS = 5


@dataclass(frozen=True, eq=False, repr=False)
class CrossValReport:
    """Result of `cross_val_report`; printing it gives a summary.

    Attributes
    ----------
    macro_roc_auc : float in [0, 1]
        The score to quote. For each species, the probability that a row with it scores
        higher than a row without it *of the same fold*, averaged over its positives;
        then the mean over species. NaN if no species can be judged.
    interval : tuple of float
        Confidence interval (low, high) of `macro_roc_auc`. NaN if fewer than five
        recordings are judged, which tell nothing of others.
    confidence : float in (0, 1)
        Confidence level of the interval.
    pooled_macro_roc_auc : float in [0, 1]
        Macro ROC-AUC of the pooled held-out predictions: rows of all folds are ranked
        together, though different models scored them.
    folds : DataFrame indexed by fold
        ``held_out`` (the group tested, or how many; only if groups are known),
        ``n_train`` and ``n_test``, the rows trained on and judged, ``n_species``
        judged, ``macro_roc_auc``, ``macro_average_precision``, ``fit_s`` and
        ``predict_s`` in seconds. Rows that could not be read, which no fold could
        predict, and training rows of ``sample_weight`` 0 do not count.
    species : DataFrame indexed by fold and species
        ``n_train_positive``, of the rows trained on, without labels of
        ``label_weight`` 0; among the test rows with known truth ``n_rows`` and
        ``n_positive``; ``roc_auc`` and ``average_precision``, NaN where undefined.
    proba : DataFrame of shape (n_rows, n_species)
        Held-out predictions; NaN for rows never tested or unreadable.
    test_fold : Series of int, shape (n_rows,)
        The fold that tested each row, -1 for none. `paired_bootstrap` takes it.
    n_recordings : int
        Recordings that were judged, and resampled for the interval.
    estimators : list or None
        The fitted estimators, one per fold, if they were asked for.
    encoders : tuple of str
        Pretrained models in the estimator.
    heard_before : Series of shape (n_rows,) or None
        Whether they may have been trained on each row, "likely", "possible", "unknown"
        or "no" (`skbird.encoders.heard_before`); NaN for rows never tested. None
        without such models.
    unheard_macro_roc_auc : float in [0, 1]
        `macro_roc_auc` without the rows that are "likely" or "possible"; NaN if no
        species can be judged by the others.
    unheard_interval : tuple of float
        Confidence interval of it.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from skbird.model_selection import cross_val_report
    >>> rng = np.random.default_rng(0)
    >>> Y = rng.integers(0, 2, (60, 2))
    >>> X = Y + rng.normal(0, 0.7, Y.shape)
    >>> report = cross_val_report(KNeighborsClassifier(9), X, Y, cv=3, verbose=False)
    >>> report.folds["n_test"].tolist()
    [20, 20, 20]
    >>> report.proba.shape
    (60, 2)
    """

    macro_roc_auc: float
    interval: tuple
    confidence: float
    pooled_macro_roc_auc: float
    folds: pd.DataFrame
    species: pd.DataFrame
    proba: pd.DataFrame
    test_fold: pd.Series
    n_recordings: int
    estimators: list | None = None
    encoders: tuple = ()
    heard_before: pd.Series | None = None
    unheard_macro_roc_auc: float = math.nan
    unheard_interval: tuple = (math.nan, math.nan)

    def __str__(self):
        interval = ", no interval:"
        if not math.isnan(self.interval[0]):
            interval = (
                f" {_brackets(self.interval)}, {100 * self.confidence:g} % interval "
                "over"
            )
        positives = self.species["n_positive"].groupby("species", sort=False).sum()
        judged = self.species["roc_auc"].groupby("species", sort=False).count() > 0
        untaught = self.species.query("n_train_positive == 0 and n_positive > 0")
        was_read = self.proba.notna().any(axis=1)[self.test_fold >= 0]
        part = "test part" if was_read.all() else "test row that could be read"
        unjudged = f"{(positives == 0).sum()} without a positive in any {part}"
        if not was_read.any():
            unjudged = "no row could be read"
        lines = [
            f"Macro ROC-AUC {self.macro_roc_auc:.3f}{interval} "
            f"{counted(self.n_recordings, 'recording')}",
            f"  {self._how_to_quote()}",
            f"  (mean of the folds {self.folds['macro_roc_auc'].mean():.3f}; rows of "
            f"all folds ranked together {self.pooled_macro_roc_auc:.3f})",
            f"  {judged.sum()} of {len(judged)} species judged, {unjudged}",
        ]
        if was_read.any() and not was_read.all():
            lines.append(
                f"  {counted((~was_read).sum(), 'row')} of {len(was_read)} could not "
                "be read: neither trained on nor judged"
            )
        if self.encoders:
            lines.append(f"  {self._how_new()}")
        if len(untaught):
            names = untaught.index.unique("species")
            lines.append(f"  species tested but never trained on: {_enumerate(names)}")
        n_empty = self.folds["macro_roc_auc"].isna().sum()
        if n_empty:
            lines.append(
                f"  {counted(n_empty, 'fold')} without a score (-): no species is both "
                "present and absent in the test rows"
            )
        table = self.folds.to_string(float_format="{:.3f}".format, na_rep="-")
        return "\n".join([*lines, "", table])

    __repr__ = __str__

    def _how_new(self):
        """Say on how much of the rows pretrained models may have been trained."""
        models = " or ".join(self.encoders)
        counts = self.heard_before.value_counts()
        n_heard, n_unknown = counts["likely"] + counts["possible"], counts["unknown"]
        doubt = f" (of {n_unknown} nothing is known)" if n_unknown else ""
        if n_unknown == counts.sum():
            return f"whether {models} was trained on these rows is not known"
        if not n_heard:
            return f"{models} was not trained on these rows{doubt}"
        if n_heard == counts.sum():
            return (
                f"{models} may have been trained on all of these rows: on others the "
                "score may be lower"
            )
        score = "nothing can be judged"
        if not math.isnan(self.unheard_macro_roc_auc):
            score = f"{self.unheard_macro_roc_auc:.3f}"
        few = ""
        if not math.isnan(self.unheard_interval[0]):
            score += f" {_brackets(self.unheard_interval)}"
        elif not math.isnan(self.unheard_macro_roc_auc):
            few = ", of too few recordings for an interval"
        n_rows = counts.sum()
        return (
            f"without the {n_heard} of {n_rows} rows that {models} may have been "
            f"trained on: {score} over {counted(n_rows - n_heard, 'row')}{few}{doubt}"
        )

    def _how_to_quote(self):
        if math.isnan(self.macro_roc_auc):
            return "nothing to quote: no fold tests rows with and without a species"
        if math.isnan(self.interval[0]):
            return "do not quote this score: too few recordings tell nothing of others"
        if not self._has_trusted_species():
            return (
                "do not quote this score: no species was tested on "
                f"{_FEWEST_ROWS} rows with it and {_FEWEST_ROWS} without"
            )
        return (
            "quote this score: it compares rows of the same fold, scored by one model"
        )

    def _has_trusted_species(self):
        """Return whether the score of a species is more than the luck of a few rows."""
        judged = self.species[self.species["roc_auc"].notna()]
        n_rows = judged[["n_positive", "n_rows"]].groupby("species").sum()
        n_negative = n_rows["n_rows"] - n_rows["n_positive"]
        return (np.minimum(n_rows["n_positive"], n_negative) >= _FEWEST_ROWS).any()


def _brackets(interval):
    low, high = interval
    return f"[{low:.3f}, {high:.3f}]"


def _enumerate(names, shown=5):
    # Names of strangers stay on their line.
    text = ", ".join(" ".join(str(name).split()) for name in names[:shown])
    return f"{text} and {len(names) - shown} more" if len(names) > shown else text
