"""Read tables of text as other programs write them, and say where they are wrong."""

import csv
import io
import os
import re
import warnings
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from skbird.annotations._boxes import BOX_COLUMNS, TEXT
from skbird.utils._files import read_bytes
from skbird.utils._params import check_list, check_path
from skbird.utils._parquet import MOST_COLUMNS
from skbird.utils._text import (
    counted,
    decode_text,
    looks_like_name,
    refuse_binary,
    unguard_formula,
)

_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f]")
_CONTROL_BYTES = bytes(n for n in range(32) if n not in b"\t\n\r")
_LINE_END = re.compile("\r\n|\r|\n")
_MISSING = {"", "na", "nan"}  # R writes NA
_CLOCK = re.compile(r"(\d+):([0-5]\d):([0-5]\d(?:[.,]\d*)?)")


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

        Decimal commas are understood, and so are hours:minutes:seconds. Text that is
        no number is an error, as are infinite ones, and missing ones where `required`.
        """
        if column is None:
            return np.full(len(self.cells), np.nan)
        values = np.empty(len(self.cells))
        for row, cell in enumerate(self.cells[column]):
            try:
                values[row] = _as_number(cell)
            except ValueError:
                raise ValueError(
                    f"{self.place(row)}, column {column!r}: {_shorten(cell)} is not a "
                    "number. Correct it, or delete the line."
                ) from None
        self.check_finite(values, column, required=required)
        return values

    def check_finite(self, values, column, *, required=True):
        """Raise an error for the first line whose value is infinite or missing.

        Parameters
        ----------
        values : ndarray of shape (n_lines,)
        column : str
            What they are from.
        required : bool
        """
        good = np.isfinite(values) if required else ~np.isinf(values)
        if not good.all():
            row = np.argmin(good)
            cell = self.cells[column].iloc[row]
            raise ValueError(
                f"{self.place(row)}, column {column!r}: a number is needed, got "
                f"{_shorten(cell)}. Fill it in, or delete the line."
            )

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
            columns[name] = text
            if not any(looks_like_name(cell) for cell in text.dropna().unique()):
                try:
                    columns[name] = text.astype(np.float64)
                except ValueError:
                    pass  # it stays text
        return pd.DataFrame(columns, index=self.cells.index)

    def check_start(self, start, column):
        """Raise an error for the first line that starts before its recording."""
        wrong = np.flatnonzero(start < 0)
        if len(wrong):
            row = wrong[0]
            raise ValueError(
                f"{self.place(row)}: {column!r} is {start[row]:g} seconds, before the "
                "recording starts. Write 0 or more, or delete the line."
            )

    def check_order(self, first, last, names):
        """Raise an error for the first line where `last` is before `first`."""
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


class TextFile(os.PathLike):
    """A file of text that is read once, however often it is asked for.

    Parameters
    ----------
    path : str
    """

    def __init__(self, path):
        self.path = path

    def __fspath__(self):
        return self.path

    __str__ = __fspath__

    @cached_property
    def text(self):
        """The content of the file; see `read_text`."""
        return read_text(self.path)


def read_text_tables(files, separators, *signs):
    r"""Read tables whose first line names the columns.

    Parameters
    ----------
    files : path-like or sequence of path-like
        The files.
    separators : str
        What may separate the cells, such as ``",;\t"``. Spreadsheets write semicolons
        where commas are decimal.
    *signs : str
        Columns, one of which they all have. It tells by what the cells are separated.

    Returns
    -------
    TextTable
        Lines in the order of the files, without empty ones.
    """
    files = as_path_list(files)
    # Spelled alike in all files, as in the first that has the column.
    spelling, headers, by_header = {}, [], {}
    for number, file in enumerate(files):
        lines = _split(read_text(file), separators, signs, file)
        names = next((names for _, names in lines if any(names)), [])
        _check_names(names, file)
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


def _check_names(names, file):
    """Raise an error if the first line does not name columns."""
    if not any(names):
        raise ValueError(
            f"{file}, line 1: names of columns are needed, and there are none. The "
            "file is damaged, or of another kind."
        )
    if len(names) > MOST_COLUMNS:
        raise ValueError(
            f"{file}, line 1: it names {len(names)} columns, and at most "
            f"{MOST_COLUMNS} are read. The file is damaged, or of another kind."
        )
    alike = [name.casefold() for name in names if name]
    if len(set(alike)) < len(alike):
        twice = next(name for name in alike if alike.count(name) > 1)
        warnings.warn(
            f"{file}, line 1: the column {twice!r} is named twice; the first counts. "
            "Rename the other one to keep it.",
            UserWarning,
            stacklevel=4,
        )


def as_path_list(files) -> list:
    """Return one or several files as a list of text, or of a `TextFile` as it is."""
    if isinstance(files, str | os.PathLike):
        files = [files]
    files = [
        path if isinstance(path, TextFile) else os.fspath(check_path(path, "files"))
        for path in check_list(files, "files", "paths")
    ]
    if not files:
        raise ValueError("files is empty. Does the pattern that lists the files match?")
    return files


def read_text(path):
    """Return the text of a file in whatever encoding programs write it."""
    if isinstance(path, TextFile):
        return path.text
    path = Path(path)
    if path.is_dir():
        raise IsADirectoryError(
            f"{path} is a folder. Pass the files in it: "
            "sorted(pathlib.Path(folder).rglob('*.txt'))."
        )
    raw = read_bytes(path)
    text = decode_text(raw, repr(str(path))).removesuffix("\x1a")
    if len(raw.translate(None, _CONTROL_BYTES)) == len(raw):
        return text  # to look into each character takes far longer
    refuse_binary(text, repr(str(path)))
    if control := _CONTROL.search(text):
        line = len(split_lines(text[: control.start()]))
        raise ValueError(
            f"{path}, line {line}: the control character {control[0]!r} is no text. "
            "The file is damaged; take it out, or write a line break where one was."
        )
    return text


def split_lines(text):
    """Split at line ends of any system, and at nothing else."""
    return _LINE_END.split(text)


def _split(text, separators, signs, file):
    """Yield (line number, cells) of each line of a table."""
    separator = find_separator(first_line(text), separators, signs)
    if separator == "\t":
        for line, content in enumerate(split_lines(text), start=1):
            yield line, [_unquote(cell.strip()) for cell in content.split("\t")]
        return
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        for cells in lines:
            yield lines.line_num, [cell.strip() for cell in cells]
    except csv.Error as exc:
        raise ValueError(
            f"{file}, line {lines.line_num}: {exc}. Is a quotation mark not closed, or "
            "in the middle of a cell? Close it, or double it."
        ) from exc


def first_line(text):
    """Return the first line that is not empty."""
    return next(filter(str.strip, io.StringIO(text, newline=None)), "")


def find_separator(header, separators, signs):
    """Return what separates the cells of a line that names one of the signs."""
    for separator in separators:
        if not column_names(header, separator).isdisjoint(map(str.casefold, signs)):
            return separator
    return max(separators, key=header.count)


def column_names(header, separator):
    """Return the names of columns in a line, as a set without regard to case."""
    return {name.strip(" \n\"'").casefold() for name in header.split(separator)}


def _unquote(cell):
    """Undo the quotes that spreadsheets put around cells with commas and quotes."""
    if len(cell) > 1 and cell[0] == cell[-1] == '"':
        return cell[1:-1].replace('""', '"')
    return cell


def _fit(cells, header, file, line):
    """Bring a line to the length of the header."""
    if any(cells[len(header) :]):
        raise ValueError(
            f"{file}, line {line}: {counted(len(cells), 'cell')}, but "
            f"{counted(len(header), 'column')} are named in line 1. Does a label or a "
            "path hold a separator? Quote it, or take it out."
        )
    return [*cells[: len(header)], *[""] * (len(header) - len(cells))]


def _as_number(cell):
    if not isinstance(cell, str) or cell.casefold() in _MISSING:
        return np.nan
    if "_" in cell:
        raise ValueError  # Python's way of writing a thousand
    try:
        return float(cell)
    except ValueError:
        clock = _CLOCK.fullmatch(cell)
        if clock is None:
            return float(cell.replace(",", "."))
    hours, minutes, seconds = map(_as_number, clock.groups())
    return 3600 * hours + 60 * minutes + seconds


def _shorten(cell):
    return repr(cell if len(str(cell)) <= 80 else f"{cell[:80]}...")
