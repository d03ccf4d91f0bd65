"""Files that appear whole, and the text that may stand in them."""

import csv
import os
import re
from contextlib import contextmanager
from numbers import Real
from pathlib import Path

import numpy as np
import pandas as pd

_BREAKS = re.compile("[\x00-\x1f\x7f\x85\u2028\u2029]+")
_FORMULA = re.compile(r"'*[=+\-@]")
_GUARDED = re.compile(r"'+[=+\-@]")


@contextmanager
def open_whole(path, mode="w"):
    """Open a file that appears whole or not at all.

    It is written beside `path` and then renamed, so that a killed run leaves no half
    file.

    Parameters
    ----------
    path : path-like
        Where to write. An existing file is replaced.
    mode : {"w", "wb"}, default="w"
        "w" writes UTF-8 and leaves line ends as they are.

    Yields
    ------
    file
        To write to.

    Raises
    ------
    FileNotFoundError
        If the folder does not exist.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(
            f"path={str(path)!r}: the folder {path.parent} does not exist. Make it "
            "first."
        )
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    options = {"encoding": "utf-8", "newline": ""} if mode == "w" else {}
    try:
        with part.open(mode, **options) as file:
            yield file
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def one_line(text):
    """Replace tabs, line breaks and other control characters by a space."""
    return _BREAKS.sub(" ", text)


def guard_formula(text):
    """Put a quote before text that a spreadsheet would take for a formula.

    Text that has such a quote already gets another, so that `unguard_formula` gives
    back every text.
    """
    return f"'{text}" if _FORMULA.match(text) else text


def unguard_formula(text):
    """Take away the quote that `guard_formula` put there."""
    return text[1:] if _GUARDED.match(text) else text


def as_cells(column):
    """Write a column as cells of a text table.

    Parameters
    ----------
    column : Series

    Returns
    -------
    list of str
        Numbers with all their digits; text on one line, without formulas; missing
        values empty.
    """
    # Few labels fill many lines: each is made safe once.
    codes, values = pd.factorize(column)
    cells = [*map(_as_cell, values), ""]  # code -1, missing, takes the last
    return np.array(cells, dtype=object)[codes].tolist()


def _as_cell(value):
    if isinstance(value, Real):
        return str(value)
    return guard_formula(one_line(str(value)))


def write_csv(columns, path):
    """Write columns, a dict of Series, as CSV that no label can break."""
    header = as_cells(pd.Series(list(columns), dtype=object))
    with open_whole(path) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(zip(*map(as_cells, columns.values()), strict=True))
