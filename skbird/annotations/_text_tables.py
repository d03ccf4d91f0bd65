"""Read tables of text as other programs write them, and say where they are wrong."""

import csv
import io
import os
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from skbird.annotations._boxes import BOX_COLUMNS, TEXT
from skbird.utils._text import decode_text, unguard_formula

_LINE_END = re.compile("\r\n|\r|\n")
_MISSING = {"", "na", "nan"}  # R writes NA


@dataclass(frozen=True)
class TextTable:
    """The lines of one or many files.

    Parameters
    ----------
    files : list of str
        The files, also those without lines.
    headers : list of tuple of str
        The column names of each file.
    cells : DataFrame of str
        A line each; NaN where its file has no such column.
    file, line : ndarray of shape (n_lines,), int
        Position in `files`, and number of the line, from 1.
    """

    files: list
    headers: list
    cells: pd.DataFrame
    file: np.ndarray
    line: np.ndarray

    @cached_property
    def _names(self):
        return {column.casefold(): column for column in self.cells.columns}

    def find(self, *names):
        """Return the first of these columns that there is, whatever its case."""
        found = (self._names.get(name.casefold()) for name in names)
        return next((column for column in found if column is not None), None)

    def require(self, name, remedy):
        """Return a column's name, or complain about the first file without it."""
        for file, header in zip(self.files, self.headers, strict=True):
            if name.casefold() not in map(str.casefold, header):
                raise ValueError(
                    f"{file}, line 1: there is no column {name!r}, but "
                    f"{', '.join(map(repr, header[:15]))}. {remedy}"
                )
        return self._names[name.casefold()]

    def numbers(self, column, *, required=False):
        """Return a column as numbers, NaN where it is empty or not there.

        Decimal commas are understood. Text that is no number is an error, as is a
        missing or infinite one where `required`.
        """
        if column is None:
            return np.full(len(self.cells), np.nan)
        values = np.empty(len(self.cells))
        for row, cell in enumerate(self.cells[column]):
            try:
                values[row] = _as_number(cell)
            except ValueError:
                raise ValueError(
                    f"{self.place(row)}, column {column!r}: {cell!r} is not a number. "
                    "Correct it, or delete the line."
                ) from None
        if required and not np.isfinite(values).all():
            row = np.argmin(np.isfinite(values))
            raise ValueError(
                f"{self.place(row)}, column {column!r}: a number is needed, got "
                f"{self.cells[column].iloc[row]!r}. Fill it in, or delete the line."
            )
        return values

    def text(self, column):
        """Return a column as text, NaN where it is empty or not there."""
        if column is None:
            return pd.Series(np.nan, index=self.cells.index, dtype=TEXT)
        codes, values = pd.factorize(self.cells[column])
        texts = [unguard_formula(text.strip()) or np.nan for text in values]
        return pd.Series(
            np.array([*texts, np.nan], dtype=object)[codes],
            index=self.cells.index,
            dtype=TEXT,
        )

    def others(self, used):
        """Return the columns that are not in `used`, numbers where all are numbers.

        Those called like a column of boxes get an underscore.
        """
        columns = {}
        for column in self.cells.columns.difference(list(used), sort=False):
            name = f"{column}_" if column in (*BOX_COLUMNS, "score") else column
            text = self.text(column)
            try:
                columns[name] = text.astype(np.float64)
            except ValueError:
                columns[name] = text
        return pd.DataFrame(columns, index=self.cells.index)

    def check_order(self, first, last, names):
        """Complain about the first line where `last` is before `first`."""
        wrong = np.flatnonzero(last < first)
        if len(wrong):
            row = wrong[0]
            raise ValueError(
                f"{self.place(row)}: {names[0]!r} is {first[row]:g} and {names[1]!r} "
                f"is {last[row]:g}. Exchange them, or delete the line."
            )

    def place(self, row):
        """Say where a row stands."""
        return f"{self.files[self.file[row]]}, line {self.line[row]}"


def read_text_tables(paths, delimiter):
    r"""Read tables whose first line names the columns.

    Parameters
    ----------
    paths : path-like or sequence of path-like
        The files.
    delimiter : {"\t", ","}
        What separates the cells. In tables with commas it may be a semicolon, as
        spreadsheets write them where commas are decimal.

    Returns
    -------
    TextTable
        Lines in the order of the files, without empty ones.
    """
    files = as_path_list(paths)
    # Spelled alike in all files, as in the first that has the column.
    spelling, headers, by_header = {}, [], {}
    for number, file in enumerate(files):
        lines = _split(read_text(file), delimiter, file)
        _, names = next(lines, (1, []))
        if not any(names):
            raise ValueError(
                f"{file}, line 1: names of columns are needed, and there are none. The "
                "file is damaged, or of another kind."
            )
        names = map(unguard_formula, names)
        header = tuple(spelling.setdefault(name.casefold(), name) for name in names)
        headers.append(header)
        rows = by_header.setdefault(header, [])
        for line, cells in lines:
            if any(cells):
                rows.append((number, line, *_fit(cells, header, file, line)))
    parts = [
        pd.DataFrame(rows, columns=["/file", "/line", *header], dtype=object)
        for header, rows in by_header.items()
    ]
    parts = [
        part.loc[:, (part.columns != "") & ~part.columns.duplicated()] for part in parts
    ]
    table = pd.concat(parts, ignore_index=True)
    table = table.sort_values(["/file", "/line"], ignore_index=True, kind="stable")
    file, line = (table.pop(name).to_numpy(dtype=int) for name in ("/file", "/line"))
    return TextTable(files, headers, table, file, line)


def as_path_list(paths):
    """Return one or several paths as a list of text."""
    if isinstance(paths, str | os.PathLike):
        paths = [paths]
    paths = [os.fspath(path) for path in paths]
    if not paths:
        raise ValueError("paths is empty. Does the pattern that lists the files match?")
    return paths


def read_text(path):
    """Return the text of a file in whatever encoding programs write it."""
    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(
            f"{path} is a folder. Pass the files in it: "
            "sorted(pathlib.Path(folder).rglob('*.txt'))."
        )
    return decode_text(path.read_bytes(), repr(str(path)))


def split_lines(text):
    """Split at line ends of any system, and at nothing else."""
    return _LINE_END.split(text)


def _split(text, delimiter, file):
    """Yield (line number, cells) of each line of a table."""
    if delimiter == "\t":
        for line, content in enumerate(split_lines(text), start=1):
            yield line, [_unquote(cell.strip()) for cell in content.split("\t")]
        return
    first = text[: text.find("\n")]
    if first.count(";") > first.count(","):
        delimiter = ";"
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        for cells in lines:
            yield lines.line_num, [cell.strip() for cell in cells]
    except csv.Error as exc:
        raise ValueError(
            f"{file}, line {lines.line_num}: {exc}. Is a quotation mark not closed?"
        ) from exc


def _unquote(cell):
    """Undo the quotes that spreadsheets put around cells with commas and quotes."""
    if len(cell) > 1 and cell[0] == cell[-1] == '"':
        return cell[1:-1].replace('""', '"')
    return cell


def _fit(cells, header, file, line):
    """Bring a line to the length of the header."""
    if any(cells[len(header) :]):
        raise ValueError(
            f"{file}, line {line}: {len(cells)} cells, but {len(header)} columns are "
            "named in line 1. Does a label or a path hold a separator? Quote it, or "
            "take it out."
        )
    return [*cells[: len(header)], *[""] * (len(header) - len(cells))]


def _as_number(cell):
    if not isinstance(cell, str) or cell.casefold() in _MISSING:
        return np.nan
    try:
        return float(cell)
    except ValueError:
        return float(cell.replace(",", "."))
