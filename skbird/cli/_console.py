"""Print results to standard output, and all else to standard error."""

import math
import re
import sys
import warnings
from contextlib import contextmanager

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from skbird.cli._advice import for_commands
from skbird.utils._names import one_line

LEFT_OUT = 3  # exit code: done, but not all recordings could be read
_SHOWN = 10
# Messages of several lines list what is wrong, and end with what remains.
_OWN_BREAK = re.compile(r"\n(?=  |Mend or leave |The parts that )")


def say(text):
    r"""Print a line, or a message of several, for the person at the keyboard.

    A line break in a name breaks no line: it is printed as ``\n``.
    """
    for line in _OWN_BREAK.split(for_commands(str(text))):
        click.echo(printable(line), err=True)


def say_lines(text):
    """Print a text of several lines for the person at the keyboard."""
    for line in text.split("\n"):
        say(line)


def show(*lines):
    """Print lines of results."""
    for line in lines:
        _write(printable(line))


def _write(text, nl=True):
    try:
        click.echo(text, nl=nl)
    except OSError as exc:  # it does not say what is full
        raise OSError(exc.errno, exc.strerror, "standard output") from exc


def printable(text, spared="\t"):
    r"""Replace what is no visible text by spaces, and line breaks by ``\n``.

    Names in files may come from strangers: they are no commands to the terminal, and
    must not look like lines of ours.
    """
    text = one_line(text)
    return "".join(c if c.isprintable() or c in spared else " " for c in text)


def show_table(frame):
    """Print a table: drawn in a terminal, separated by tabs for other programs.

    What is not known is a dash in a terminal, and empty for other programs.

    Parameters
    ----------
    frame : DataFrame
        Without index.
    """
    if not sys.stdout.isatty():
        texts = frame.select_dtypes(exclude="number").columns
        frame = frame.assign(**{name: frame[name].map(_one_line) for name in texts})
        _write(frame.to_csv(sep="\t", index=False, float_format="%.6g"), nl=False)
        return
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name, column in frame.items():
        is_number = column.dtype.kind in "iuf"
        table.add_column(_text(name), justify="right" if is_number else "left")
    for row in frame.itertuples(index=False):
        table.add_row(*map(_cell, row))
    Console().print(table)


def say_left_out(errors):
    """Name the recordings that could not be read; return the exit code.

    Parameters
    ----------
    errors : DataFrame
        ``path`` and ``error``.

    Returns
    -------
    int
        0 if there are none.
    """
    errors = errors.drop_duplicates("path")
    if not len(errors):
        return 0
    were = "recording was" if len(errors) == 1 else "recordings were"
    say(f"{len(errors)} {were} left out:")
    for path, error in errors[["path", "error"]].head(_SHOWN).itertuples(index=False):
        say(f"  {error}" if str(path) in str(error) else f"  {path}: {error}")
    if len(errors) > _SHOWN:
        say(f"  and {len(errors) - _SHOWN} more")
    return LEFT_OUT


def as_errors(left_out):
    """Return pairs of path and error, or None, as a table for `say_left_out`."""
    import pandas as pd

    return pd.DataFrame([] if left_out is None else left_out, columns=["path", "error"])


@contextmanager
def plain_warnings():
    """Print each warning once, on a line, without the line of code it is from."""
    said = set()

    def say_once(message, *_, **__):
        text = str(message)
        if text not in said:
            said.add(text)
            say(f"Warning: {text}")

    with warnings.catch_warnings():
        # `say_left_out` names them in the end.
        left_out = (
            r"\d+ (file names? (is|are) not UTF-8|folders? or links? cannot)",
            r"\d+ of \d+ rows? cannot be used",
        )
        for start in left_out:
            warnings.filterwarnings("ignore", start)
        warnings.showwarning = say_once
        yield


def _cell(value):
    if isinstance(value, float):
        return _text("-" if math.isnan(value) else f"{value:.3f}")
    return _text(value)


def _text(value):
    return Text(_one_line(value), overflow="fold")  # no markup


def _one_line(value):
    return printable(value, spared="")
