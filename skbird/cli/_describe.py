"""``skbird describe``."""

from pathlib import Path

import click

from skbird.cli import _console
from skbird.cli._outputs import file_option


@click.command(
    epilog="""\b
Example:
  skbird describe recordings --out recordings.html"""
)
@click.argument("data", type=click.Path(exists=True, path_type=Path))
@file_option("Write a page with tables, plots and clips to play.", ".html", ".htm")
@click.option(
    "--no-labels",
    is_flag=True,
    help="DATA is any folder of recordings, such as soundscapes: folders in it are no "
    "species.",
)
@click.option(
    "--decode",
    type=click.IntRange(0),
    default=1000,
    show_default=True,
    help="How many recordings, drawn at random, are decoded to measure their sound; of "
    "the others only the header is read.",
)
@click.option("--speech", is_flag=True, help="Look for human voices (silero-vad).")
def describe(data, out, no_labels, decode, speech):
    """Say what recordings hold: labels, levels, noise, copies, broken files.

    DATA is a folder with a folder per species, a table (.csv, .tsv, .parquet) with the
    columns path and primary_label, or the folder of a BirdCLEF competition.
    """
    import pandas as pd

    from skbird.audio import drop_links, find_audio
    from skbird.datasets import is_birdclef, load_recordings
    from skbird.reports import describe_recordings

    if no_labels:
        found, left_out = find_audio(data)
        X, Y = drop_links(found), None
    else:
        try:
            loaded = load_recordings(data)
        except ValueError as exc:
            if not data.is_dir():
                raise
            raise ValueError(
                f"{exc} Pass --no-labels to describe recordings that have none, such "
                "as soundscapes."
            ) from exc
        X, Y, left_out = loaded.X, loaded.Y, loaded.get("errors")
        _console.say_lines(loaded.DESCR)
        if data.is_dir() and not is_birdclef(data):
            _console.say(
                "Each folder is taken for a species; pass --no-labels if they are not."
            )
    title = f"Recordings: {data.resolve().name}"
    clips = {} if out else {"n_clips": 0}  # nobody would hear them
    report = describe_recordings(
        X, Y, max_decoded=decode, speech=speech, title=title, random_state=0, **clips
    )
    if (report.tables["recordings"]["error"] != "").all():
        _console.say_left_out(report.tables["unreadable"])
        raise ValueError(f"None of the recordings of {data} can be read.")
    if out:
        _console.say(f"Wrote {report.to_html(out)}")
    _console.show_table(report.tables["findings"])
    if "species" in report.tables:
        _console.show_table(report.tables["species"])
    unreadable = [report.tables["unreadable"], _console.as_errors(left_out)]
    click.get_current_context().exit(_console.say_left_out(pd.concat(unreadable)))
