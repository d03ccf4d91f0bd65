"""The commands, and what becomes of their errors."""

import codecs
import errno
import os
import sys

import click

import skbird
from skbird.cli import _console
from skbird.cli._cross_validate import cross_validate
from skbird.cli._describe import describe
from skbird.cli._distill import distill
from skbird.cli._evaluate import evaluate
from skbird.cli._interrupts import EXIT_CODE, INTERRUPTS
from skbird.cli._models import models
from skbird.cli._predict import predict
from skbird.cli._report import report
from skbird.cli._review import review
from skbird.cli._survey import survey
from skbird.cli._thresholds import thresholds
from skbird.cli._train import train

_EPILOG = """\b
Exit codes: 0 done; 1 error, said in one line; 2 wrong usage;
3 done, but recordings that cannot be read were left out; 130 interrupted.
Results go to standard output, all else to standard error."""


_GOES_ON = {
    "train": " The same command goes on where it was.",
    "cross-validate": " The same command goes on where it was.",
    "distill": " The same command goes on where it was.",
    "predict": " The same command, without --fresh, goes on where it was.",
}


class _Commands(click.Group):
    """Commands whose errors are for people and scripts: a line and an exit code."""

    def invoke(self, ctx):
        with_traceback = ctx.params["traceback"] or "SKBIRD_TRACEBACK" in os.environ

        def note():
            return _GOES_ON.get(ctx.invoked_subcommand, "")

        try:
            _check_surroundings()
            with INTERRUPTS.running(note), _console.plain_warnings():
                return super().invoke(ctx)
        except KeyboardInterrupt:
            if INTERRUPTS.was_raised:
                INTERRUPTS.leave(note())
            _console.say(f"Interrupted.{note()}")
            raise click.exceptions.Exit(EXIT_CODE) from None
        except click.ClickException as exc:
            exc.message = _console.printable(exc.message)
            raise
        except (click.exceptions.Exit, click.Abort):
            raise
        except Exception as exc:
            closed_pipe = isinstance(exc, OSError) and exc.errno == errno.EPIPE
            if with_traceback or closed_pipe:
                raise
            _console.say(f"Error: {_describe_error(exc)}")
            raise click.exceptions.Exit(1) from None


def _check_surroundings():
    """Raise an error if files could not be found in these surroundings."""
    try:
        os.getcwd()
    except OSError:
        raise click.UsageError(
            "The working directory is not there any more. Go to another one (cd)."
        ) from None
    if codecs.lookup(sys.getfilesystemencoding()).name == "ascii":
        raise click.UsageError(
            "Names of files are taken for ASCII here, so that others are not found. "
            "Set the environment variable PYTHONUTF8=1."
        )


def _describe_error(exc):
    # What skbird raises on purpose says all; anything else may be a bug.
    on_purpose = ValueError, TypeError, OSError, ImportError, RuntimeError
    if isinstance(exc, (*on_purpose, FloatingPointError)):  # a network that diverged
        return str(exc) or type(exc).__name__
    return (
        f"{type(exc).__name__}: {exc}. `skbird --traceback ...` shows where, which "
        "helps in a bug report."
    )


@click.group(
    cls=_Commands,
    epilog=_EPILOG,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(skbird.__version__, prog_name="skbird")
@click.option(
    "--traceback",
    is_flag=True,
    help="Show the whole traceback of an error, as SKBIRD_TRACEBACK=1 does.",
)
def app(traceback):
    """Recognise species in wildlife recordings.

    \b
    From a folder per species to detections in Raven:
      skbird describe recordings --out recordings.html
      skbird train recordings --out birds.skbird
      skbird evaluate birds.skbird birds.skbird.heldout.csv
      skbird predict birds.skbird soundscapes --out tables --format raven
    """  # noqa: D301


for _command in (
    describe,
    train,
    distill,
    cross_validate,
    evaluate,
    predict,
    review,
    thresholds,
    report,
    survey,
    models,
):
    app.add_command(_command)
