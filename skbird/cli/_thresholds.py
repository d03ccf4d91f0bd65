"""``skbird thresholds``, and thresholds that other commands take."""

from pathlib import Path

import click

from skbird.cli import _console
from skbird.cli._numbers import FloatRange
from skbird.cli._outputs import check_spares, file_option, write_table
from skbird.utils._text import counted


@click.command(
    epilog="""\b
Example:
  skbird thresholds reviews.sqlite --precision 0.9 --out thresholds.csv"""
)
@click.argument("reviews", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--precision",
    type=FloatRange(0, 1, min_open=True, max_open=True),
    default=0.9,
    show_default=True,
    help="Share of right ones among all detections from the threshold on.",
)
@click.option(
    "--min-reviews",
    type=click.IntRange(2),
    default=20,
    show_default=True,
    help="A species with fewer judgements gets no threshold.",
)
@file_option("Write a line per species, as CSV.", ".csv")
def thresholds(reviews, precision, min_reviews, out):
    """Find a threshold for each species, with a known precision, from reviews.

    REVIEWS is the file that `skbird review` wrote. Where nothing can be said, there is
    a reason instead of a threshold. `skbird predict --thresholds` takes the table.
    """
    check_spares(out, reviews)
    from skbird.review import ThresholdFromReviews, read_reviews

    judged = read_reviews(reviews)
    if not len(judged):
        raise ValueError(
            f"{reviews} has no reviews yet. Listen first: `skbird review`."
        )
    found = ThresholdFromReviews(
        precision, min_reviews=min_reviews, random_state=0
    ).fit(judged)
    report = found.report_.reset_index()
    if out is not None:
        write_table(report, out)
        _console.say(f"Wrote {out}")
    shown = ["n_reviews", "threshold", "threshold_low", "threshold_high"]
    shown += ["precision", "precision_low", "precision_high", "n_more_reviews"]
    _console.show_table(report[["species", *shown]])
    refused = report[report["threshold"].isna()]
    for species, reason in refused[["species", "reason"]].itertuples(index=False):
        _console.say(f"No threshold for {species}: {reason}.")
    n_found = len(report) - len(refused)
    _console.say(
        f"{counted(n_found, 'threshold')} for precision {precision:g}, each with its "
        "95 % interval over recordings. Who must be sure takes threshold_high."
    )


THRESHOLDS = click.option(
    "--thresholds",
    "thresholds_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Instead of --threshold, one for each species: a table with columns species "
    "and threshold, as `skbird thresholds` writes it. Species without one are not "
    "detected.",
)


def read_thresholds(path, species):
    """Read thresholds of species.

    Parameters
    ----------
    path : Path
    species : sequence of str
        Those of the model.

    Returns
    -------
    ndarray of shape (n_species,)
        Infinite for species that have none.

    Raises
    ------
    ValueError
        If it is no such table, or has a threshold for none of the species.
    """
    import numpy as np

    from skbird.utils._names import match_names

    names, values = _read_table(path)
    species = [str(name) for name in species]
    meant = match_names(names, species)
    found = dict.fromkeys(species, np.inf)
    for name, value in zip(names, values, strict=True):
        if name in meant and not np.isnan(value):
            found[meant[name]] = value
    thresholds = np.array([*found.values()])
    without = np.isinf(thresholds).sum()
    if without == len(species):
        raise ValueError(
            f"{path} has a threshold for none of the {len(species)} species of the "
            f"model, such as {', '.join(species[:3])}. Are the names the same?"
        )
    if without:
        _console.say(
            f"{without} of {len(species)} species have no threshold in {path}, and are "
            "not detected."
        )
    return thresholds


def _read_table(path):
    """Return the names of species, and their thresholds: NaN where there is none."""
    import io

    import pandas as pd

    from skbird.utils._files import read_bytes
    from skbird.utils._text import decode_text, unguard_formula

    text = decode_text(read_bytes(path), str(path))
    try:
        table = pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False)
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as exc:
        raise ValueError(f"{path} is no table: {exc}") from exc
    missing = {"species", "threshold"} - set(table.columns)
    if missing:
        raise ValueError(
            f"{path} has no column {min(missing)!r}, but {list(table.columns)[:10]}. "
            "Pass what `skbird thresholds --out` wrote."
        )
    twice = table.loc[table["species"].duplicated(), "species"]
    if len(twice):
        raise ValueError(
            f"{path} names {twice.iloc[0]!r} more than once. Keep one line."
        )
    values = pd.to_numeric(table["threshold"], errors="coerce")
    wrong = (table["threshold"] != "") & ~values.between(0, 1)
    if wrong.any():
        species, text = table.loc[wrong, ["species", "threshold"]].iloc[0]
        raise ValueError(
            f"{path} has threshold={text!r} for {species}; a number in [0, 1] is "
            "needed, or nothing, so that the species is not detected."
        )
    return [unguard_formula(name) for name in table["species"]], values
