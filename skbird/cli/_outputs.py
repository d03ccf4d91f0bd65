"""Output files of commands: checked before the work, safe for spreadsheets."""

import os
from pathlib import Path

import click


def check_file(out, *endings):
    """Raise an error now if a file cannot be written, not after hours of work.

    Parameters
    ----------
    out : Path
    *endings : str
        Endings that its name may have; none: any.

    Raises
    ------
    click.UsageError
    """
    if out.is_dir():
        raise click.UsageError(f"--out {out} is a folder; name a file.")
    if out.exists() and not out.is_file():
        raise click.UsageError(f"--out {out} is no regular file.")
    if endings and out.suffix.lower() not in endings:
        raise click.UsageError(f"--out {out} must end in {' or '.join(endings)}.")
    _check_parent(out)


def check_folder(out):
    """Raise an error now if a folder cannot be written to, not after hours of work.

    Parameters
    ----------
    out : Path
        May be there, or not yet.

    Raises
    ------
    click.UsageError
    """
    if out.exists() and not out.is_dir():
        raise click.UsageError(f"--out {out} is a file; name a folder.")
    if not out.exists() and out.suffix.lower() in (".csv", ".txt", ".parquet"):
        raise click.UsageError(
            f"--out {out}: in this format it is a folder; name it without an ending."
        )
    _check_parent(out)


def check_new(out, overwrite):
    """Raise an error if a file of another training would be replaced.

    Parameters
    ----------
    out : Path
    overwrite : bool

    Raises
    ------
    click.UsageError
    """
    if out.exists() and not overwrite:
        raise click.UsageError(
            f"{out} is there already, from another training. Pass --overwrite to "
            "replace it, or another --out."
        )


def check_spares(out, *inputs):
    """Raise an error if the output would replace a file that the command reads.

    Parameters
    ----------
    out : Path or None
    *inputs : Path or None

    Raises
    ------
    click.UsageError
    """
    if out is None or not out.is_file():
        return
    from skbird.datasets import BIRDCLEF_TABLES

    for path in inputs:
        if path is None:
            continue
        is_read = path.is_dir() and out.name in BIRDCLEF_TABLES
        if out.samefile(path) or (is_read and out.parent.samefile(path)):
            raise click.UsageError(
                f"{out} is read by this command and would be replaced. Name another "
                "--out."
            )


def _check_parent(out):
    # A link stays one: what counts is the folder of the file that it leads to.
    folder = out if out.is_dir() else Path(os.path.realpath(out)).parent
    if not folder.is_dir():
        shown = folder if out.is_symlink() else out.parent
        raise click.UsageError(f"--out {out}: there is no folder {shown}. Make it.")
    if not os.access(folder, os.W_OK):
        raise click.UsageError(f"--out {out}: you may not write into {folder}.")


OVERWRITE = click.option(
    "--overwrite", is_flag=True, help="Replace what another training has written."
)


def file_option(text, *endings, **options):
    """Return the option ``--out`` of a command that writes one file."""

    def check(ctx, param, value):
        if value is not None:
            check_file(value, *endings)
        return value

    kind = click.Path(path_type=Path)
    return click.option("--out", type=kind, callback=check, help=text, **options)


def write_table(table, path):
    """Write a table as CSV in which no name is a formula to a spreadsheet.

    Parameters
    ----------
    table : DataFrame
    path : Path
    """
    from skbird.annotations import write_csv

    write_csv(dict(table.items()), path)
