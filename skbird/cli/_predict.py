"""``skbird predict``."""

import shutil
from pathlib import Path

import click

from skbird.cli import _console, _formats
from skbird.cli._models import MODEL, TRUST, open_model, row_length


@click.command(
    epilog="""\b
Examples:
  skbird predict birds.skbird soundscapes --out detections.csv
  skbird predict birds.skbird soundscapes --out tables --format raven
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
    help="A file for csv, birdnet, kaggle; a folder for raven, audacity, parquet.",
)
@click.option(
    "--format",
    "format_",
    type=click.Choice([*_formats.EVENTS, "kaggle", "parquet"]),
    default="csv",
    show_default=True,
    help="Events (the first four), or the probabilities of every row.",
)
@click.option(
    "--threshold",
    type=click.FloatRange(0, 1),
    default=0.5,
    show_default=True,
    help="Probability from which a row is part of an event.",
)
@click.option(
    "--max-gap-s",
    type=click.FloatRange(0),
    default=0.0,
    show_default=True,
    help="Seconds without a detection that an event may span.",
)
@click.option(
    "--segment-s",
    type=click.FloatRange(0, min_open=True),
    help="Length of a row in seconds.  [default: as the model was trained]",
)
@click.option(
    "--step-s",
    type=click.FloatRange(0, min_open=True),
    help="Seconds from row to row.  [default: their length]",
)
@click.option(
    "--min-proba", type=click.FloatRange(0, 1), help="parquet: leave out what is below."
)
@click.option(
    "--top-k", type=click.IntRange(1), help="parquet: so many species of each row."
)
@click.option(
    "--like",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="kaggle: sample_submission.csv, for the order of rows and species.",
)
@click.option(
    "--time-budget-s",
    type=click.FloatRange(0, min_open=True),
    help="Seconds; drops test-time shifts, then members of ensembles, to keep to it.",
)
@click.option(
    "--work-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="Probabilities of every row, from which a killed run goes on and other "
    "formats are made in no time. May be deleted.  [default: <out>.parts]",
)
@click.option("--fresh", is_flag=True, help="Delete what a run before left there.")
@TRUST
def predict(
    model,
    recordings,
    out,
    format_,
    threshold,
    max_gap_s,
    segment_s,
    step_s,
    min_proba,
    top_k,
    like,
    time_budget_s,
    work_dir,
    fresh,
    trust_pickle,
):
    """Predict recordings: a folder, at any depth, or files.

    Files that cannot be read are named, and listed in _errors.csv of the work folder.
    """
    sparse = {"--min-proba": min_proba, "--top-k": top_k}
    for flag, value in sparse.items():
        if value is not None and format_ != "parquet":
            raise click.UsageError(f"{flag} goes with --format parquet only.")
    if like is not None and format_ != "kaggle":
        raise click.UsageError("--like goes with --format kaggle only.")
    if not out.absolute().parent.is_dir():
        raise click.UsageError(f"--out {out}: there is no folder {out.parent}.")
    from skbird.inference import predict_archive

    if format_ == "parquet":
        work_dir = out
    elif work_dir is None:
        work_dir = out.with_name(f"{out.name}.parts")
    if fresh and (work_dir / "_manifest.json").exists():
        shutil.rmtree(work_dir)
    model = open_model(model, trust_pickle)
    result = predict_archive(
        model,
        recordings[0] if recordings[0].is_dir() else list(recordings),
        work_dir,
        segment_s=segment_s or row_length(model),
        step_s=step_s,
        min_proba=min_proba,
        top_k=top_k,
        time_budget_s=time_budget_s,
    )
    if format_ in _formats.EVENTS:
        events, paths = _formats.find_events(result, threshold, max_gap_s)
        _formats.EVENTS[format_](events, out, paths, model)
        _console.say(
            f"{len(events)} events of {events['species'].nunique()} species in "
            f"{len(paths)} recordings, from probability {threshold:g} on"
        )
    elif format_ == "kaggle":
        _formats.write_kaggle(result, out, like)
    result.errors.to_csv(work_dir / "_errors.csv", index=False)
    speed = f" at {result.times_real_time:.0f} x real time"
    if result.times_real_time == 0:
        speed = f", predicted before ({work_dir})"
    _console.say(f"{result.hours:.3g} hours{speed}; wrote {out}")
    click.get_current_context().exit(_console.say_left_out(result.errors))
