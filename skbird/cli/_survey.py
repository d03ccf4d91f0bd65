"""``skbird survey``."""

from pathlib import Path

import click

from skbird.cli import _console
from skbird.cli._numbers import FloatRange
from skbird.cli._outputs import check_folder, check_spares, file_option, write_table
from skbird.cli._survey_tables import (
    read_judged,
    read_predictions,
    read_sites,
    recordings_of,
)
from skbird.cli._thresholds import read_threshold_table
from skbird.utils._text import counted

_TABLES = (
    *("activity", "history", "history_wide", "effort", "species"),
    *("first_detections", "problems"),
)
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


class _Occasion(click.ParamType):
    """A name of occasions, or a number of days."""

    name = "occasion"
    names = ("day", "night", "hour", "hour_from_sunrise")

    def get_metavar(self, param, ctx):
        """Return what stands for the value in the help."""
        return f"[{'|'.join(self.names)}|DAYS]"

    def convert(self, value, param, ctx):
        """Return the name, or the number."""
        if isinstance(value, int) or value in self.names:
            return value
        if value.isdecimal() and 1 <= int(value) <= 10_000:
            return int(value)
        self.fail(
            f"{value!r} is none of {', '.join(self.names)}, and no number of days from "
            "1 to 10000.",
            param,
            ctx,
        )


def _check_tables(ctx, param, value):
    if value is not None:
        check_folder(value)
    return value


@click.command(
    epilog="""\b
Examples:
  skbird survey proba --sites sites.csv --thresholds thresholds.csv --out survey.html
  skbird survey proba --sites sites.csv --threshold 0.9 --by 7 --out survey.html \\
      --tables results --model birdnet-2.4"""
)
@click.argument("predictions", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--sites",
    required=True,
    type=_FILE,
    help="A table with the columns site, start and end (days); if wanted latitude, "
    "longitude, time_zone (such as Europe/Madrid) and device.",
)
@click.option(
    "--thresholds",
    type=_FILE,
    help="A table with the columns species and threshold, as `skbird thresholds` "
    "writes it, with precision, precision_low and precision_high if they are known. "
    "Species without a threshold are left out.",
)
@click.option(
    "--threshold",
    type=FloatRange(0, 1),
    help="Instead of --thresholds: the same for all species.",
)
@file_option("The page.", ".html", ".htm", required=True)
@click.option(
    "--tables",
    type=click.Path(path_type=Path),
    callback=_check_tables,
    help="A folder to write activity.csv, history.csv, history_wide.csv, effort.csv, "
    "species.csv, first_detections.csv and problems.csv into.",
)
@click.option(
    "--recordings",
    "folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder of the recordings that were predicted; their headers tell times and "
    "zones.  [default: where PREDICTIONS says that they lie]",
)
@click.option(
    "--reviews",
    type=_FILE,
    help="What was heard: the file of `skbird review`, or a table with the columns "
    "path, start, species and judged (1 right, 0 wrong, empty uncertain). Histories "
    "then say which are certain.",
)
@click.option(
    "--by",
    type=_Occasion(),
    default="day",
    show_default=True,
    help="What an occasion of the histories is.",
)
@click.option(
    "--site-from",
    type=click.Choice(["folder", "prefix"]),
    default="folder",
    show_default=True,
    help="What names the site of a recording: its folder, or what stands before the "
    "date in its name.",
)
@click.option(
    "--time-zone",
    help="Zone of all sites, such as Europe/Madrid, if the table of sites has no "
    "column time_zone.",
)
@click.option(
    "--clock",
    help="Zone that the clocks of the recorders were set to, such as UTC, where "
    "neither names nor headers tell it.  [default: that of the site]",
)
@click.option(
    "--check-sound",
    is_flag=True,
    help="Decode a minute of each recording, and leave out those that are silent, "
    "clipped or too noisy.",
)
@click.option("--model", help="What made the predictions, for the methods.")
@click.option(
    "--license",
    help="Of the model, for the methods.  [default: that of a pretrained model]",
)
@click.option("--title", help="Of the page.  [default: the name of PREDICTIONS]")
def survey(
    predictions,
    sites,
    thresholds,
    threshold,
    out,
    tables,
    folder,
    reviews,
    by,
    site_from,
    time_zone,
    clock,
    check_sound,
    model,
    license,
    title,
):
    """Write a page about a survey: effort, what called when and where, methods.

    PREDICTIONS is the folder that `skbird predict --format parquet` wrote, or the
    folder .parts that other formats leave; or a table (.csv, .parquet) with path,
    start, end and a column per species.

    Recordings tell by their names or headers when they began (AudioMoth, Song Meter,
    BAR-LT and others); they are read in the folder --recordings.
    """
    from skbird.reports import describe_survey
    from skbird.survey import detection_history
    from skbird.utils._sklearn_compat import check_matplotlib_support

    if (thresholds is None) == (threshold is None):
        raise click.UsageError("Pass either --thresholds or --threshold.")
    written = [] if tables is None else [tables / f"{name}.csv" for name in _TABLES]
    for path in (out, *written):
        check_spares(path, sites, thresholds, reviews, predictions)
    check_matplotlib_support("skbird survey")
    site_table = read_sites(sites, time_zone)
    wanted = None if thresholds is None else read_threshold_table(thresholds)
    found = read_predictions(predictions, wanted)
    heard = None if reviews is None else read_judged(reviews, found.proba.columns)
    recordings = recordings_of(found, site_table, site_from, clock, folder, check_sound)
    page = describe_survey(
        found.proba,
        found.X,
        recordings,
        threshold if found.thresholds is None else found.thresholds,
        site_table,
        by=by,
        reviews=heard,
        model=model,
        license=license or _license_of(model),
        prior=_prior_of(predictions),
        n_others=found.n_others,
        title=title or f"Survey: {predictions.resolve().name}",
    )
    if tables is not None:
        tables.mkdir(exist_ok=True)
        wide = detection_history(page.tables["activity"], form="wide")
        found_tables = {**page.tables, "history_wide": wide}
        for path in written:
            write_table(_with_plain_dates(found_tables[path.stem]), path)
        _console.say(f"Wrote the tables into {tables}")
    n_problems = len(page.tables["problems"])
    problems = f"; {counted(n_problems, 'problem')} of deployments" * bool(n_problems)
    _console.say(f"Wrote {page.to_html(out)}{problems}")
    table = page.tables["species"]
    detected = table[table["detections"] > 0]
    n_silent = found.n_others + len(found.proba.columns) - len(detected)
    _console.show_table(detected)
    if n_silent:
        _console.say(
            f"{n_silent} other species of the predictions were not detected, or have "
            "no threshold."
        )
    click.get_current_context().exit(_console.say_left_out(found.errors))


def _with_plain_dates(table):
    """Return a table with days as 2024-05-01, and moments in UTC with a Z."""
    dates = table.select_dtypes(["datetime", "datetimetz"])
    return table.assign(
        **{
            name: column.dt.strftime(
                "%Y-%m-%d" if column.dt.tz is None else "%Y-%m-%dT%H:%M:%SZ"
            )
            for name, column in dates.items()
        }
    )


def _prior_of(predictions):
    """Say which prior of place and season probabilities were put through, or None."""
    from skbird.archive import places_of_run

    places = places_of_run(predictions) if predictions.is_dir() else []
    if places is None:
        _console.say(
            f"{predictions} does not tell whether a prior of place and season was used."
        )
        return None
    told = []
    for place in places:
        season = "of the whole year" if place["date"] is None else "and season"
        name = Path(place["prior"]).name
        where = (place["latitude"], place["longitude"])
        if name == "learned":
            where = "of what was labelled"
        elif any(isinstance(value, str) for value in where):
            where = "at each recording's place"
        else:
            where = f"at latitude {where[0]:g}, longitude {where[1]:g}"
        strength = f"strength {place['strength_']:.3g}"
        told.append(f"a prior of place {season} ({name}, {where}; {strength})")
    return " and ".join(told) or None


def _license_of(model):
    from skbird.encoders import known_specs

    spec = known_specs().get(model)
    return None if spec is None else spec.license
