"""``skbird review``."""

import getpass
from pathlib import Path

import click

from skbird.cli import _console
from skbird.cli._numbers import FloatRange
from skbird.cli._outputs import check_file, check_spares
from skbird.utils._text import counted


@click.command(
    epilog="""\b
Examples:
  skbird review proba --recordings soundscapes --out reviews.sqlite
  skbird review detections.csv --recordings soundscapes --strategy top"""
)
@click.argument("predictions", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--recordings",
    required=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder of the recordings that were predicted. Nothing else is played.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default="reviews.sqlite",
    show_default=True,
    help="The file of the reviews, which is made if it is not there. Several reviewers "
    "may write into it at once.",
)
@click.option(
    "--threshold",
    type=FloatRange(0, 1),
    default=0.1,
    show_default=True,
    help="A species is detected in a row from this probability on.",
)
@click.option(
    "--per-species",
    type=click.IntRange(5),
    default=100,
    show_default=True,
    help="How many detections of each species are chosen.",
)
@click.option(
    "--strategy",
    type=click.Choice(["stratified", "top", "uncertain", "diverse", "random"]),
    default="stratified",
    show_default=True,
    help="Which are chosen: equally many of all probabilities, for thresholds; those "
    "with the highest, or nearest to 0.5; of many recordings and sites; any. The page "
    "can choose anew.",
)
@click.option(
    "--seed",
    type=click.IntRange(0),
    help="Seed of the choice.  [default: one that the file of reviews holds]",
)
@click.option("--reviewer", help="Who judges.  [default: the name of the user]")
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    default=0,
    help="Port of the page.  [default: any that is free]",
)
@click.option(
    "--no-browser", is_flag=True, help="Print the address only; open no browser."
)
def review(
    predictions,
    recordings,
    out,
    threshold,
    per_species,
    strategy,
    seed,
    reviewer,
    port,
    no_browser,
):
    """Judge predictions by ear, on a page that only this machine can open.

    PREDICTIONS is what `skbird predict` wrote: a folder of --format parquet, or tables
    of events. For thresholds take parquet: events lack what is below their threshold.

    What is judged is stored before the next clip is shown. Call it again to go on.
    """
    check_file(out)
    check_spares(out, predictions)
    from skbird.review import ReviewSession, read_detections

    session = ReviewSession(
        read_detections(predictions, recordings, threshold),
        out,
        folder=recordings,
        n_per_species=per_species,
        strategy=strategy,
        random_state=seed,
    )
    _console.say(
        f"{counted(len(session.detections), 'detection')} of {len(session.species)} "
        f"species, {session.progress()['n_reviews'].sum()} of them judged"
    )
    session.serve(port=port, reviewer=reviewer or _user(), open_browser=not no_browser)
    _console.say(f"{session.progress()['n_reviews'].sum()} judged: {out}")


def _user():
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # nobody whom the system knows
        return ""
