"""Text that may stand in files for spreadsheets and other programs."""

import csv
from numbers import Real

import numpy as np
import pandas as pd

from skbird.utils._files import open_whole
from skbird.utils._text import guard_formula, one_line


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
