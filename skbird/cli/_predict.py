"""``skbird predict``."""

from pathlib import Path

import click

from skbird.cli import _console, _formats
from skbird.cli._inputs import read_inputs
from skbird.cli._models import (
    MODEL,
    at_place,
    open_model,
    row_length,
    species_names,
    trust_options,
)
from skbird.cli._numbers import FloatRange
from skbird.cli._outputs import check_spares, write_table
from skbird.cli._thresholds import THRESHOLDS, thresholds_of
from skbird.utils._text import counted


@click.command(
    epilog="""\b
Examples:
  skbird predict birds.skbird soundscapes --out detections.csv
  skbird predict birds.skbird soundscapes --out tables --format raven
  skbird predict birdnet-2.4 soundscapes --out a.csv --latitude 48.1 --longitude 11.6
  skbird predict birds.skbird archive --out proba --format parquet --min-proba 0.1"""
)
@MODEL
@click.argument(
    "recordings",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, path_type=Path),
)
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    help="A .csv file for csv (or .parquet), birdnet, kaggle; a folder for raven, "
    "audacity, parquet.",
)
@click.option(
    "--format",
    "format_",
    type=click.Choice([*_formats.EVENTS, "kaggle", "parquet"]),
    default="csv",
    show_default=True,
    help="csv, raven, audacity and birdnet list events; kaggle and parquet hold the "
    "probabilities of every row.",
)
@click.option(
    "--threshold",
    type=FloatRange(0, 1),
    default=0.5,
    show_default=True,
    help="A species is detected in a row from this probability on; rows with "
    "detections are joined to events.",
)
@THRESHOLDS
@click.option(
    "--max-gap-s",
    type=FloatRange(0),
    default=0.0,
    show_default=True,
    help="Longest gap, in seconds, between detections of one event.",
)
@click.option(
    "--segment-s",
    type=FloatRange(0, min_open=True),
    help="Length of a row in seconds.  [default: as the model was trained]",
)
@click.option(
    "--step-s",
    type=FloatRange(0, min_open=True),
    help="Seconds from the start of a row to the next.  [default: their length]",
)
@click.option(
    "--min-proba",
    type=FloatRange(0, 1),
    help="With --format parquet: leave out probabilities below this.",
)
@click.option(
    "--top-species",
    type=click.IntRange(1),
    help="With --format parquet: write only this many species of each row, those with "
    "the highest probabilities.",
)
@click.option(
    "--like",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="With --format kaggle: sample_submission.csv, which gives the order of rows "
    "and species. Rows of recordings that cannot be read get 0.",
)
@click.option(
    "--latitude",
    type=FloatRange(-90, 90),
    help="Of the recordings, in degrees, with --longitude: the less a species is to be "
    "expected there at that time, the lower its probability becomes.",
)
@click.option("--longitude", type=FloatRange(-180, 180), help="See --latitude.")
@click.option(
    "--geo-model",
    help="What tells which species are to be expected: birdnet-2.4, geomodel-3, or the "
    "file of such a model with its spec beside it. Without --latitude, the columns "
    "latitude and longitude of a table say where.  [default with --latitude: "
    "birdnet-2.4]",
)
@click.option(
    "--whole-year",
    is_flag=True,
    help="With --latitude or --geo-model: expect the species of all seasons. Otherwise "
    "a column date tells the season, or the name of the file, as in "
    "SITE_20240501_053000.wav; recordings that do not tell it stay as they are.",
)
@click.option(
    "--time-budget-s",
    type=FloatRange(0, min_open=True),
    help="Seconds that the prediction may take. If it is too slow, it leaves out "
    "test-time shifts, then members of ensembles.",
)
@click.option(
    "--work-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder that keeps the probabilities of every row, to resume a killed run and "
    "to write other formats without predicting again. It may be deleted.  [default: "
    "<out>.parts; for parquet it is <out>]",
)
@click.option(
    "--overwrite",
    is_flag=True,
    help="Also replace tables that somebody else has written or changed.",
)
@click.option(
    "--fresh",
    is_flag=True,
    help="Predict all recordings anew: delete the probabilities that an earlier run "
    "left in --work-dir, and nothing else. Otherwise they are kept, and only new and "
    "changed recordings are predicted.",
)
@trust_options
def predict(
    model,
    recordings,
    out,
    format_,
    threshold,
    thresholds_file,
    max_gap_s,
    segment_s,
    step_s,
    min_proba,
    top_species,
    like,
    latitude,
    longitude,
    geo_model,
    whole_year,
    time_budget_s,
    work_dir,
    overwrite,
    fresh,
    trust,
):
    """Predict recordings: a folder, at any depth, or files; or a table of rows.

    MODEL is what `skbird train` wrote, the name of a pretrained model, which `skbird
    models list` shows, or the .onnx or .tflite file of one with its spec beside it.

    Recordings are cut into rows of a few seconds, and the model gives each row a
    probability per species. Rows that reach --threshold are joined to events; kaggle
    and parquet hold the probabilities themselves.

    Files that cannot be read are named, and listed in _errors.csv of the work folder.

    A table (.csv, .tsv, .parquet) has a column path, if wanted start and end in
    seconds, and further columns such as site. These go into csv, parquet, raven and
    birdnet: an event has those of the row it begins in. audacity and kaggle have no
    room for them, but kaggle takes row_id.
    """
    _check_together(format_, min_proba, top_species, like, work_dir)
    _check_thresholds(format_, thresholds_file)
    where_and_when = {
        "--latitude": latitude,
        "--longitude": longitude,
        "--geo-model": geo_model,
        "--whole-year": whole_year or None,
    }
    _check_place(where_and_when)
    _formats.check_out(out, format_)
    check_spares(out, model, like, thresholds_file, *recordings)
    import pandas as pd

    from skbird.archive import OtherRunError, predict_archive
    from skbird.cli._results import Results

    place = "--out" if work_dir is None else "--work-dir"
    if format_ == "parquet":
        work_dir = out
    elif work_dir is None:
        work_dir = out.absolute().with_name(f"{out.absolute().name}.parts")
    _check_work_dir(work_dir, out, format_)
    inputs = read_inputs(recordings, may_be_empty=format_ == "kaggle")
    if inputs.is_cut and (segment_s or step_s):
        raise click.UsageError(
            f"--segment-s and --step-s cut recordings, but {recordings[0]} has rows "
            "with start and end. Leave them out."
        )
    names = _formats.name_tables(format_, inputs.paths)
    if format_ != "parquet":
        ending = _formats.TABLES.get(format_, "")
        results = Results(work_dir, out, names, ending, overwrite)
    model = open_model(model, trust)
    segment_s = segment_s or row_length(model)
    species = species_names(model)
    if thresholds_file is not None:
        threshold = thresholds_of(thresholds_file, species)
    rows = inputs.rows(species, segment_s, step_s or segment_s)
    _formats.say_left_out_columns(format_, inputs.columns)
    if format_ == "kaggle":
        submission = _formats.Submission(
            rows, species, segment_s, step_s or segment_s, like
        )
        if not len(inputs.paths):
            _formats.write_nothing(submission, results, work_dir, out)
            return
    else:
        _formats.rehearse(format_, species, inputs.columns, model)
    model = _at_place(model, inputs, where_and_when)
    try:
        result = predict_archive(
            model,
            rows,
            work_dir,
            segment_s=segment_s,
            step_s=step_s,
            min_proba=min_proba,
            top_species=top_species,
            time_budget_s=time_budget_s,
            fresh=fresh,
        )
    except OtherRunError as exc:
        raise ValueError(
            f"{exc.reason} Pass --fresh, which deletes that run, or another {place}."
        ) from exc
    errors = pd.concat([result.errors, inputs.left_out], ignore_index=True)
    write_table(errors, work_dir / "_errors.csv")
    if format_ in _formats.EVENTS:
        events, read = _formats.find_events(
            result, threshold, max_gap_s, inputs.columns
        )
        read_names = {path: results.names[path] for path in read if names}
        with results.folder() as folder:
            place = folder if names else folder / out.name
            _formats.EVENTS[format_](events, place, read_names, model)
        _console.say(
            f"{counted(len(events), 'event')} of {events['species'].nunique()} species "
            f"in {counted(len(read), 'recording')}, from {_lowest(threshold)} on"
        )
        if read and not len(events) and thresholds_file is None:
            _say_highest(*_formats.find_highest(result, inputs.columns))
    elif format_ == "parquet":
        _say_if_nothing_is_left(result, min_proba)
    elif format_ == "kaggle":
        with results.folder() as folder:
            submission.write(result, folder / out.name)
    _console.say(f"{result.hours:.3g} hours{_duration(result, work_dir)}; wrote {out}")
    click.get_current_context().exit(_console.say_left_out(errors))


def _duration(result, work_dir):
    """Say how long the prediction took, and what it found done already."""
    predicted_h = result.times_real_time * result.seconds / 3600
    if predicted_h == 0:
        return f", predicted before ({work_dir})"
    duration = f", predicted in {result.seconds:.3g} s"
    before_h = result.hours - predicted_h
    if before_h < 0.001 * result.hours:
        return duration
    return f"{duration}, {before_h:.3g} of them before"


def _say_if_nothing_is_left(result, min_proba):
    """Say so if all probabilities are below the least that is to be written."""
    if min_proba and not result.n_rows and len(result.errors) < result.n_files:
        _console.say(
            f"0 rows: no probability reaches --min-proba {min_proba:g}. Lower it, with "
            "--fresh or another --out."
        )


def _say_highest(probability, species):
    """Say which threshold would find something, where nothing was found."""
    _console.say(
        f"The highest probability is {probability:.3g}, of {species}. With a "
        "--threshold below, the same command finds events, and predicts nothing again."
    )


def _check_together(format_, min_proba, top_species, like, work_dir):
    """Refuse options that have no effect in this format."""
    for flag, value in {"--min-proba": min_proba, "--top-species": top_species}.items():
        if value is not None and format_ != "parquet":
            raise click.UsageError(f"{flag} goes with --format parquet only.")
    if like is not None and format_ != "kaggle":
        raise click.UsageError("--like goes with --format kaggle only.")
    if work_dir is not None and format_ == "parquet":
        raise click.UsageError(
            "--work-dir does not go with --format parquet: --out is that folder."
        )


def _check_thresholds(format_, path):
    """Refuse thresholds of species that would have no effect."""
    if path is None:
        return
    source = click.get_current_context().get_parameter_source("threshold")
    if source is not click.core.ParameterSource.DEFAULT:
        raise click.UsageError("--threshold and --thresholds do not go together.")
    if format_ not in _formats.EVENTS:
        raise click.UsageError(
            "--thresholds goes with formats that list events only: "
            f"{', '.join(_formats.EVENTS)}."
        )


def _lowest(threshold):
    """Say from what on species are detected."""
    if isinstance(threshold, float):
        return f"probability {threshold:g}"
    return "the thresholds of the species"


def _check_place(place):
    """Refuse half a place."""
    if (place["--latitude"] is None) != (place["--longitude"] is None):
        raise click.UsageError("--latitude and --longitude go together: pass both.")


def _at_place(model, inputs, place):
    """Let a model believe less in what is not to be expected where and when it is."""
    given = {flag: value for flag, value in place.items() if value is not None}
    if not given:
        return model
    columns = [name for name in ("latitude", "longitude") if name in inputs.columns]
    if "--latitude" in given and columns:
        raise click.UsageError(
            f"--latitude is for all rows, but the table has a column {columns[0]}. "
            "Leave out --latitude and --longitude, and pass --geo-model birdnet-2.4 to "
            "take the columns; or leave out the column."
        )
    if "--latitude" not in given and len(columns) < 2:
        raise click.UsageError(
            f"{next(iter(given))} needs to know where: pass --latitude and "
            "--longitude, or a table with columns latitude and longitude."
        )
    if not place["--whole-year"] and not _tell_seasons(inputs):
        raise click.UsageError(
            "No recording tells its date, in a column date or in its name, as "
            "SITE_20240501_053000.wav does. Pass --whole-year."
        )
    return at_place(
        model,
        prior=place["--geo-model"] or "birdnet-2.4",
        latitude=given.get("--latitude", "latitude"),
        longitude=given.get("--longitude", "longitude"),
        date=None if place["--whole-year"] else "date",
    )


def _tell_seasons(inputs):
    """Tell whether the table or a name of a recording says what season it is of."""
    from skbird.utils._days import moments_of_names

    if {"date", "week"} & set(inputs.columns) or not inputs.paths:
        return True
    return moments_of_names(inputs.paths)["month"].notna().any()


def _check_work_dir(work_dir, out, format_):
    """Raise an error now if something would be lost in the work folder."""
    from skbird.archive import MANIFEST, part_paths

    if format_ != "parquet" and work_dir.absolute() == out.absolute():
        raise click.UsageError(f"--work-dir {work_dir} is --out. Name another folder.")
    errors = work_dir / "_errors.csv"
    is_run = (work_dir / MANIFEST).exists() or part_paths(work_dir)
    if errors.exists() and not is_run:
        raise click.UsageError(
            f"{errors} would be replaced, and is not of a run. Rename it."
        )
