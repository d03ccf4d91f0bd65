"""
From predictions to a survey's result
=====================================

Recorders stood at some sites for weeks, a model has predicted every five seconds, and
now somebody asks: which species live where, and when do they call? This example goes
from the probabilities to thresholds, activity, detection histories and a page, on a
synthetic survey, whose truth is known, so that each answer can be compared with it.

Usage::

    python examples/survey.py
"""  # noqa: D205, D400

# %%
# The survey
# ----------
# Tables alone, no sound: recordings as AudioMoths name them, the probabilities of their
# rows, and the table of sites that every deployment should have.
import argparse
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd

from skbird.datasets import make_survey
from skbird.reports import describe_survey
from skbird.review import ThresholdFromReviews, choose_for_review
from skbird.survey import (
    ActivityDisplay,
    activity,
    call_density,
    check_deployments,
    detection_history,
    effort,
    recording_times,
)

# sphinx_gallery_thumbnail_path = "images/gallery/survey.png"
parser = argparse.ArgumentParser(description="Make results of a synthetic survey.")
parser.add_argument("--output", type=Path, default=Path("survey_output"))
parser.add_argument("--weeks", type=int, default=4)
parser.add_argument("--reviews", type=int, default=120, help="of each species")
args, _ = parser.parse_known_args()
args.output.mkdir(parents=True, exist_ok=True)
pd.set_option("display.width", 120, "display.max_columns", 20)

data = make_survey(n_sites=6, n_weeks=args.weeks, n_species=4)
print(data.DESCR)

# %%
# When it was recorded, and how long
# ----------------------------------
# Clocks were set to UTC; days and hours of results are those of the place. Look at what
# does not fit the table of sites before anything is counted.
recordings = recording_times(data.recordings, clock="UTC")
print(check_deployments(recordings, data.sites).to_string(index=False))
days = effort(recordings, sites=data.sites)
print(
    f"{days['usable_s'].sum() / 3600:.0f} usable hours at {data.sites.shape[0]} sites"
)

# %%
# Thresholds from listening
# -------------------------
# Detections are drawn over the whole range of scores and listened to. Here the truth
# answers in place of a person; ``skbird review`` is for people.
reviews = choose_for_review(data.proba, data.X, args.reviews, random_state=0)
truth = data.present.set_index(pd.MultiIndex.from_frame(data.X[["path", "start"]]))
truth = truth.rename_axis(columns="species").stack()
keys = reviews[["path", "start", "species"]].itertuples(index=False, name=None)
reviews["judged"] = truth.loc[list(keys)].to_numpy(float)
thresholds = ThresholdFromReviews(0.9, random_state=0).fit(reviews, data.proba).report_
columns = ["n_reviews", "threshold", "precision", "precision_low", "precision_high"]
print(thresholds[columns].round(3))

# %%
# How much they called
# --------------------
# Detections may be wrong, and calls below the threshold are not among them. The
# precision says how many are right, in the whole survey; the reviews, with their
# weights, say how many of the rows that they were drawn from have calls, here those
# with a probability of 0.1 and more.
by_day = activity(
    *(data.proba, data.X, recordings, thresholds),
    by="day",
    sites=data.sites,
    reviews=reviews,
)
counts = by_day.groupby("species")[["n_calling", "n_correct"]].sum()
counts["rows with calls"] = call_density(reviews, random_state=0)["n_present"]
counts["in truth"] = data.present.sum()
print(counts.round().astype(int))

# %%
# When they called
# ----------------
# Grey hours were not listened to, which is not the same as silence.
by_hour = activity(data.proba, data.X, recordings, thresholds, sites=data.sites)
display = ActivityDisplay.from_activity(by_hour, data.species[0], sites=data.sites)
display.figure_.savefig(args.output / "activity.png", dpi=100)
plt.close(display.figure_)

# %%
# Where they live
# ---------------
# A threshold with precision 0.9 still leaves wrong detections, and in weeks there are
# some at every site: taken for presence, they put all species everywhere. What was
# confirmed by ear is certain. Models of occupancy with false positives, such as
# ``occuFP`` of unmarked, take both from the history.
history = detection_history(by_day)
at_site = history.groupby(["species", "site"])[["y", "state"]].max()
places = at_site.assign(certain=at_site["state"] == 2).groupby("species")
sites = places.agg(detected=("y", "sum"), confirmed=("certain", "sum")).astype(int)
sites["in truth"] = data.occupied.sum()
print(sites)
wide = detection_history(by_day, form="wide")
wide.to_csv(args.output / "history_wide.csv", index=False)

# %%
# The page
# --------
# All of this, with methods that a reader can check.
report = describe_survey(
    *(data.proba, data.X, recordings, thresholds, data.sites),
    reviews=reviews,
    n_drawn=2,
    model="scores of make_survey",
    license="none needed",
)
page = report.to_html(args.output / "survey.html")
print(f"Wrote {page}")
