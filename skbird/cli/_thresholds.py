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


def read_thresholds(path):
    """Read a table of thresholds.

    Parameters
    ----------
    path : Path

    Returns
    -------
    DataFrame
        Indexed by species, as text; ``threshold`` is NaN where there is none, and
        infinite of a species that is never to be detected.

    Raises
    ------
    ValueError
        If it is no such table.
    """
    import pandas as pd

    from skbird.data import read_plain_table
    from skbird.utils._rows import check_table

    table = read_plain_table(path)
    remedy = "`skbird thresholds --out` writes such a table"
    check_table(table, str(path), ("species", "threshold"), remedy)
    names = table["species"].fillna("").astype(str)
    if (names == "").any():
        row = (names == "").to_numpy().argmax()
        raise ValueError(f"{path} names no species in row {row}. Fill it in.")
    table = table.assign(species=names).set_index("species")
    if not table.index.is_unique:
        twice = table.index[table.index.duplicated()][0]
        raise ValueError(f"{path} names {twice!r} more than once. Keep one line.")
    values = pd.to_numeric(table["threshold"], errors="coerce")
    wrong = (
        table["threshold"].notna() & ~values.between(0, 1) & (values != float("inf"))
    )
    if wrong.any():
        value = table.loc[wrong, "threshold"].iloc[0]
        raise ValueError(
            f"{path} has threshold={value} for {table.index[wrong][0]}; a number in "
            "[0, 1] is needed, or inf or nothing, so that the species is not detected."
        )
    return table.assign(threshold=values.astype(float))


def thresholds_of(path, species):
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

    table = read_thresholds(path)
    species = [str(name) for name in species]
    line_of = match_names(species, table.index)
    lines = [line_of.get(name) for name in species]
    thresholds = table["threshold"].reindex(lines).fillna(np.inf).to_numpy()
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
