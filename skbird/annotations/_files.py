"""Text that may stand in files for spreadsheets and other programs."""

import csv
import warnings
from numbers import Real

import numpy as np
import pandas as pd

from skbird.utils._files import open_whole
from skbird.utils._text import as_utf_8, counted, guard_formula, one_line


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
    return guard_formula(plain_text(value))


def plain_text(value):
    """Write a value as text that every text table can hold, and gives back."""
    return as_utf_8(one_line(str(value))).strip()


def warn_of_changes(columns, plain=plain_text, stacklevel=3):
    """Warn of text that will not be read back as it is, once for all.

    Parameters
    ----------
    columns : DataFrame
        What is written.
    plain : callable
        From a text to what is read back.
    stacklevel : int
    """
    texts = [name for name in columns if isinstance(name, str)]
    for _, column in columns.items():
        # No number changes; numbers are most of a table.
        if not pd.api.types.is_numeric_dtype(column):
            texts += [text for text in pd.unique(column) if isinstance(text, str)]
    changed = [text for text in texts if plain(text) != text]
    if "" in columns:
        warnings.warn(
            "A column has no name and will not be read back. Name it to keep it.",
            UserWarning,
            stacklevel=stacklevel,
        )
    if changed:
        warnings.warn(
            f"{counted(len(changed), 'text is', 'texts are')} changed in the file, "
            f"such as {changed[0]!r} to {plain(changed[0])!r}: a line of text holds no "
            "tabs, line breaks or other control characters, nor blanks at its ends, "
            "and UTF-8 not every name of a file. Rename them if the difference "
            "matters.",
            UserWarning,
            stacklevel=stacklevel,
        )


def write_csv(columns, path):
    """Write columns, a dict of Series, as CSV that no label can break."""
    header = as_cells(pd.Series(list(columns), dtype=object))
    with open_whole(path) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(zip(*map(as_cells, columns.values()), strict=True))
