"""Tables of an error report: species, confusions, call types, memory."""

import numpy as np
import pandas as pd

from skbird.compose import has_own_tags, parse_tags
from skbird.metrics import co_activation, ratio, species_report, threshold_curve


def species_table(y_true, proba, threshold):
    """Return the scores of each species, and the threshold with its highest F score."""
    report = species_report(y_true, proba, threshold=threshold, nan_rows="omit")
    curve = threshold_curve(y_true, proba, nan_rows="omit").dropna(subset="f_beta")
    best = curve.loc[curve.groupby("species", sort=False)["f_beta"].idxmax()]
    best = best.set_index("species").reindex(report.index)
    report["best_threshold"], report["best_f1"] = best["threshold"], best["f_beta"]
    return report


def known_values(truth, score):
    """Return Y and scores as metrics take them: NaN in Y where nothing is known."""
    Y = np.where(truth.known, truth.positive, np.nan)
    return Y, np.where(truth.known, score, 0.0)


def confusions(truth, score, threshold, names, min_rows=3):
    """List pairs of species of which one sets off the other, the clearest first.

    Parameters
    ----------
    truth : Truth
    score : ndarray of shape (n_rows, n_species)
        NaN where the truth is not known.
    threshold : ndarray
    names : list
    min_rows : int
        Pairs with fewer rows are left out.

    Returns
    -------
    DataFrame
        ``species`` is there and ``taken_for`` is not; ``share`` of these ``rows`` in
        which the latter is predicted; ``usual``: its share in all rows without it;
        ``excess``: the difference.
    """
    Y, scores = known_values(truth, score)
    rates, support = co_activation(
        Y, scores, threshold, species=names, return_support=True
    )
    absent = truth.known & ~truth.positive
    usual = ratio((absent & (score >= threshold)).sum(axis=0), absent.sum(axis=0))
    first, second = np.nonzero(
        (rates.to_numpy() > 0) & (support.to_numpy() >= min_rows)
    )
    apart = first != second
    first, second = first[apart], second[apart]
    share = rates.to_numpy()[first, second]
    table = pd.DataFrame(
        {
            "species": pd.Index(names).take(first),
            "taken_for": pd.Index(names).take(second),
            "share": share,
            "rows": support.to_numpy()[first, second],
            "usual": usual[second],
            "excess": share - usual[second],
        }
    )
    return rates, table.sort_values("excess", ascending=False, ignore_index=True)


def call_type_table(rows, column, truth, score, threshold, names):
    """Say how often each call type of each species is recognised.

    Only recordings whose call type is known to be the species' own count: see
    :class:`skbird.compose.CallTypeClassifier`.

    Returns
    -------
    DataFrame or None
        ``species``, ``call_type``, ``rows``, ``recall``, ``mean_score``. None if no
        call type is known.
    """
    if rows is None or column not in rows:
        return None
    Y = pd.DataFrame(truth.positive, columns=names)
    own = has_own_tags(rows, Y, truth.positive)
    tags = [parse_tags(cell) for cell in rows[column]]
    limits = np.broadcast_to(threshold, score.shape)
    lines = [
        (
            names[column],
            tag,
            score[row, column],
            score[row, column] >= limits[row, column],
        )
        for row, column in zip(*np.nonzero(own), strict=True)
        for tag in tags[row]
    ]
    if not lines:
        return None
    table = pd.DataFrame(lines, columns=["species", "call_type", "score", "hit"])
    table = table.groupby(["species", "call_type"], sort=False).agg(
        rows=("score", "size"), recall=("hit", "mean"), mean_score=("score", "mean")
    )
    return table.sort_values(
        ["species", "rows"], ascending=[True, False], kind="stable"
    ).reset_index()


def memory_table(report, train_report):
    """Compare each species in training and held out, the largest gap first.

    Parameters
    ----------
    report, train_report : DataFrame
        Tables of :func:`skbird.metrics.species_report`.

    Returns
    -------
    DataFrame
    """
    both = pd.DataFrame(
        {
            "positives_in_training": train_report["n_positive"],
            "positives_held_out": report["n_positive"],
            "roc_auc_in_training": train_report["roc_auc"],
            "roc_auc_held_out": report["roc_auc"],
            "roc_auc_gap": train_report["roc_auc"] - report["roc_auc"],
            "recall_in_training": train_report["recall"],
            "recall_held_out": report["recall"],
            "recall_gap": train_report["recall"] - report["recall"],
        }
    )
    return both.sort_values("roc_auc_gap", ascending=False).reset_index(names="species")


def outcomes(truth, score, threshold):
    """Return which rows have which outcome, by name: masks of shape (n_rows,)."""
    predicted = score >= threshold  # false where unknown
    missed = (truth.positive & ~predicted).any(axis=1)
    alarms = (predicted & ~truth.positive).any(axis=1)
    hits = (predicted & truth.positive).any(axis=1)
    clean = truth.known.any(axis=1) & ~missed & ~alarms
    return {
        "all found": clean & hits,
        "something missed": missed,
        "false alarm": alarms,
        "rightly silent": clean & ~hits,
    }


def over_time(rows, truth, score, threshold, n_bins=24):
    """Count hits, misses and false alarms by the second at which rows start.

    Returns
    -------
    DataFrame or None
        None if all rows start at the same second.
    """
    if rows is None or rows["start"].nunique() < 2:
        return None
    start = rows["start"].to_numpy()
    edges = np.unique(start)
    if len(edges) > n_bins:
        edges = np.linspace(edges[0], edges[-1], n_bins + 1)[:-1]
    where = np.searchsorted(edges, start, side="right") - 1
    predicted = score >= threshold
    judged = truth.known.any(axis=1)
    table = pd.DataFrame(
        {
            "n_rows": judged.astype(int),
            "present": truth.positive.sum(axis=1),
            "found": (predicted & truth.positive).sum(axis=1),
            "false_alarms": (predicted & ~truth.positive).sum(axis=1),
        }
    )
    table = table.groupby(where).sum()
    table.insert(0, "from_s", edges[table.index])
    table["recall"] = ratio(table["found"], table["present"])
    table["false_alarms_per_row"] = ratio(table["false_alarms"], table["n_rows"])
    return table.reset_index(drop=True)
