"""Measure whether what a survey's reviews promise is true, where the truth is known.

Usage::

    python benchmarks/survey.py --surveys 200

Each survey of `make_survey` (8 sites, 4 weeks, 6 species) has scores, of which 120 a
species are reviewed by who is never wrong. Printed are, over all species of all
surveys: how often the 95 % interval of the precision at the threshold for 0.9 holds the
true one, how often that of the threshold holds the lowest from which on the true
precision is 0.9, how far the true precision is from 0.9 on average; how often intervals
of right detections (`activity`) and of rows with calls (`call_density`, from 0.1 on)
hold the truth, and how far both are from it on average, all species together.
"""

import argparse
import warnings

import numpy as np
import pandas as pd
from _common import write_results

from skbird.datasets import make_survey
from skbird.review import ThresholdFromReviews, choose_for_review
from skbird.survey import activity, call_density, recording_times


def judge(data, chosen):
    """Return choices judged by who is never wrong."""
    at = pd.MultiIndex.from_frame(data.X[["path", "start"]])
    row = at.get_indexer(pd.MultiIndex.from_frame(chosen[["path", "start"]]))
    column = data.present.columns.get_indexer(chosen["species"])
    return chosen.assign(judged=data.present.to_numpy()[row, column].astype(float))


def lowest_reaching(score, right, wanted):
    """Return the lowest score from which on the precision is as wanted."""
    order = np.argsort(-score)
    precision = np.cumsum(right[order]) / np.arange(1, len(score) + 1)
    reached = np.flatnonzero(precision >= wanted)
    return score[order][reached[-1]] if len(reached) else np.inf


def try_survey(seed, n_reviews):
    """Return a line per species of one survey."""
    data = make_survey(random_state=seed)
    times = recording_times(data.recordings, clock="UTC")
    chosen = choose_for_review(data.proba, data.X, n_reviews, random_state=seed)
    reviews = judge(data, chosen)
    finder = ThresholdFromReviews(0.9, random_state=seed).fit(reviews, data.proba)
    report = finder.report_
    with warnings.catch_warnings():  # of species without a threshold
        warnings.simplefilter("ignore", UserWarning)
        found = activity(data.proba, data.X, times, report, by="day")
    ends = ["n_correct", "n_correct_low", "n_correct_high"]
    sums = found.groupby("species")[ends].sum()
    density = call_density(reviews, random_state=seed)
    usable = data.recordings.set_index("path")["usable"]
    usable = usable[data.X["path"]].to_numpy()
    lines = []
    for name, line in report.iterrows():
        score = data.proba[name].to_numpy()
        right = data.present[name].to_numpy()
        detected = score >= line["threshold"]
        n_calls = right[score >= 0.1].sum()
        part = {"survey": seed, "species": name, "has_threshold": detected.any()}
        low, high = density.loc[name, ["n_present_low", "n_present_high"]]
        part |= {"density_holds": low <= n_calls <= high, "n_calls": n_calls}
        part["density"] = density.loc[name, "n_present"]
        if detected.any():
            precision = right[detected].mean()
            best = lowest_reaching(score, right, 0.9)
            low, high = line[["precision_low", "precision_high"]]
            part |= {"precision_holds": low <= precision <= high}
            low, high = line[["threshold_low", "threshold_high"]]
            part |= {"threshold_holds": low <= best <= high, "precision": precision}
            n_right = right[detected & usable].sum()
            correct, low, high = sums.loc[name]
            part |= {"correct_holds": low <= n_right <= high, "n_right": n_right}
            part["n_correct"] = correct
        lines.append(part)
    return lines


def main():
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--surveys", type=int, default=200)
    parser.add_argument("--reviews", type=int, default=120)
    args = parser.parse_args()
    lines = [
        line for seed in range(args.surveys) for line in try_survey(seed, args.reviews)
    ]
    table = pd.DataFrame(lines)
    known = table[table["has_threshold"]]
    right = known["n_correct"].sum() / known["n_right"].sum() - 1
    calls = table["density"].sum() / table["n_calls"].sum() - 1
    figures = {
        "species, of all surveys": len(table),
        "part that has a threshold": table["has_threshold"].mean(),
        "interval of the precision holds it": known["precision_holds"].mean(),
        "interval of the threshold holds it": known["threshold_holds"].mean(),
        "interval of right detections holds them": known["correct_holds"].mean(),
        "interval of rows with calls holds them": table["density_holds"].mean(),
        "true precision, mean": known["precision"].mean(),
        "right detections, estimate / truth - 1": right,
        "rows with calls, estimate / truth - 1": calls,
    }
    for name, value in figures.items():
        print(f"{name:42} {value:.3f}")
    write_results("survey", vars(args), figures)


if __name__ == "__main__":
    main()
