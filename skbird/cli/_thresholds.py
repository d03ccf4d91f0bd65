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
    unsure = n_found and (report["threshold_high"] == float("inf")).any()
    _console.say(
        f"{counted(n_found, 'threshold')} for precision {precision:g}, each with its "
        "95 % interval over recordings. Who must be sure takes threshold_high"
        + (", which is inf where more reviews are needed for that." if unsure else ".")
    )


THRESHOLDS = click.option(
    "--thresholds",
    "thresholds_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Instead of --threshold, one for each species: a table with columns species "
    "and threshold, as `skbird thresholds` writes it. Species without one are not "
    "detected.",
)


def read_threshold_table(path):
    """Read a table of thresholds.

    Parameters
    ----------
    path : Path

    Returns
    -------
    DataFrame
        Indexed by species, as text; ``threshold`` is NaN of a species that is never to
        be detected: where the file has nothing, or inf.

    Raises
    ------
    ValueError
        If it is no such table.
    """
    import pandas as pd
    from pandas.api.types import is_bool_dtype, is_numeric_dtype

    from skbird.data import read_plain_table
    from skbird.utils._columns import check_table

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
    given = table["threshold"]
    if is_bool_dtype(given) or not is_numeric_dtype(given):
        given = given.astype(str).where(given.notna())  # dates would become numbers
    values = pd.to_numeric(given, errors="coerce")
    wrong = given.notna() & ~values.between(0, 1) & (values != float("inf"))
    if wrong.any():
        raise ValueError(
            f"{path} has threshold={given[wrong].iloc[0]} for {table.index[wrong][0]}; "
            "a number in [0, 1] is needed, or inf or nothing, so that the species is "
            "not detected."
        )
    values = values.astype(float)
    return table.assign(threshold=values.where(values != float("inf")))


def lines_of(species, table, path):
    """Say which line of a table of thresholds each species has.

    Parameters
    ----------
    species : sequence of str
        Those that were, or are to be, predicted.
    table : DataFrame
        As `read_threshold_table` returns it.
    path : Path
        Of the table, for errors.

    Returns
    -------
    dict of str to str
        Without the species that have none. A line is that of the species of its name,
        else of the only one that is spelled alike.
    """
    from skbird.utils._names import match_names

    species = [str(name) for name in species]
    lines = {}
    for line, name in match_names(table.index, species).items():
        if name not in lines or line == name:
            lines[name] = line
        elif lines[name] != name:
            raise ValueError(
                f"{path} names {lines[name]!r} and {line!r}, which both mean {name!r}. "
                "Keep one line."
            )
    return lines


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

    table = read_threshold_table(path)
    species = [str(name) for name in species]
    line_of = lines_of(species, table, path)
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
