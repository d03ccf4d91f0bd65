"""Read tables of recordings and their labels, as many programs write them."""

import csv
import io
import os

import numpy as np
import pandas as pd
from pandas.api.types import is_bool_dtype, is_numeric_dtype

from skbird.audio import AUDIO_SUFFIXES
from skbird.utils._columns import check_columns
from skbird.utils._files import read_bytes
from skbird.utils._names import existing_path
from skbird.utils._parquet import read_parquet
from skbird.utils._text import (
    counted,
    decode_text,
    looks_like_name,
    refuse_binary,
    unguard_formula,
)

_PATH_NAMES = ("path", "filename", "file")
_LABEL_NAMES = ("primary_label", "species", "label")
_SECONDS = ("start", "end")
_NEVER_NAMES = {"NaN", "nan", "-NaN", "-nan", "<NA>", "#N/A", "#NA"}
_MISSING = _NEVER_NAMES | {"NA", "N/A", "n/a", "None", "NULL", "null"}
_SEPARATORS = ",;\t"
_EMPTY = f"{_SEPARATORS} \r\n"  # what lines without content consist of
_NAMES = (*_PATH_NAMES, *_LABEL_NAMES, "secondary_labels")
_TEXT = (*_NAMES, "author", "collection")


def read_label_table(path):
    """Read a table of recordings and labels, .csv, .tsv, .txt or .parquet.

    Parameters
    ----------
    path : Path

    Returns
    -------
    table : DataFrame
        ``path``, ``primary_label`` and the further columns.
    places : list of str
        The file and the line of each row.

    Raises
    ------
    ImportError
        If it is Parquet and pyarrow is not installed.
    ValueError
        If it is damaged, or columns or paths are missing or there twice.
    """
    table, places = read_table(path)
    label = _find(table, _LABEL_NAMES, path, "their labels")
    table = table.rename(columns={label: "primary_label"})
    if not len(table):
        raise ValueError(f"{str(path)!r} has no lines.")
    others = table.columns.difference(["path", "primary_label"], sort=False)
    return table[["path", "primary_label", *others]], places


def read_table(path):
    """Read a table of recordings, of whose columns only the paths are needed.

    Parameters
    ----------
    path : Path

    Returns
    -------
    table : DataFrame
        ``path`` and the further columns.
    places : list of str
        The file and the line of each row.

    Raises
    ------
    ImportError, ValueError
        See `read_label_table`.
    """
    suffix = path.suffix.lower()
    decimal = ","
    if suffix == ".parquet":
        table = read_parquet(path)
        places = [f"row {row}" for row in range(len(table))]
    elif suffix in (".csv", ".tsv", ".txt"):
        table, lines, separator = _read_text(path)
        # "1,000" may be thousand where commas need quotes.
        decimal = "." if separator == "," else ","
        places = [f"line {line}" for line in lines]
    else:
        hint = ""
        if suffix in AUDIO_SUFFIXES:
            hint = " Pass the folder that holds the recording, not the recording."
        raise ValueError(
            f"{str(path)!r} is no table of recordings: its name must end in .csv, .tsv "
            f"or .parquet.{hint}"
        )
    check_columns(table, (*_NAMES, *_SECONDS), repr(str(path)))
    file = _find(table, _PATH_NAMES, path, "the recordings")
    table = table.rename(columns={file: "path"})
    missing = table["path"].isna() | (table["path"] == "")
    if missing.any():
        raise ValueError(
            f"{str(path)!r} names no recording in {places[missing.argmax()]} "
            f"({counted(missing.sum(), 'such line')}). Fill in {file!r}, or delete "
            "them."
        )
    table["path"] = [_resolve(name, path.parent) for name in table["path"].astype(str)]
    for column in table.columns.intersection(_SECONDS):
        table[column] = _as_seconds(table[column], decimal, path, places)
    places = [f"{str(path)!r}, {place}" for place in places]
    return table, places


def read_plain_table(path):
    """Read a table of anything, such as of sites.

    Parameters
    ----------
    path : Path

    Returns
    -------
    DataFrame
        All columns, those of numbers as numbers.

    Raises
    ------
    ImportError, ValueError
        See `read_label_table`.
    """
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        return read_parquet(path)
    if suffix in (".csv", ".tsv", ".txt"):
        return _read_text(path)[0]
    raise ValueError(
        f"{str(path)!r} is no table: its name must end in .csv, .tsv or .parquet."
    )


def _read_text(path):
    """Return the table, the number of each row's line, and what separates cells."""
    rows, separator = _split(_decode(path), path)
    if not rows:
        raise ValueError(
            f"{str(path)!r} is empty. Write the table again: a line with the names of "
            "the columns, then a line per recording."
        )
    (_, header), *rows = rows
    for line, cells in rows:
        if any(map(str.strip, cells[len(header) :])):
            raise ValueError(
                f"{str(path)!r}, line {line}: {counted(len(cells), 'cell')}, but "
                f"{len(header)} columns are named in the first line. Does a path or a "
                "label hold a separator? Quote it, or take it out."
            )
    header = [unguard_formula(name.strip()) for name in header]
    width = len(header)
    # Longer lines would make pandas take their first cells for an index.
    lines = [[*cells[:width], *[""] * (width - len(cells))] for _, cells in rows]
    _check_header(header, path)
    columns = [
        _unguard(name, cells, path.parent)
        for name, cells in zip(header, zip(*lines, strict=True), strict=False)
    ]
    table = _tell_numbers(header, columns)
    for position, (name, cells) in enumerate(zip(header, columns, strict=False)):
        if name in _NAMES:  # pandas takes labels such as "NA" for missing
            table.isetitem(position, cells)
    return table, [line for line, _ in rows], separator


def _check_header(header, path):
    twice = [name for name in (*_NAMES, *_SECONDS) if header.count(name) > 1]
    if twice:
        raise ValueError(
            f"{str(path)!r} has more than one column {twice[0]!r}. Rename or delete "
            "the others."
        )


def _unguard(name, cells, folder):
    """Take the quotes away that our own tables have before formulas.

    A file that is really called so keeps its name.
    """
    plain = map(unguard_formula, cells)
    if name not in _PATH_NAMES:
        return list(plain)
    return [
        cell if new != cell and os.path.exists(_resolve(cell, folder)) else new
        for new, cell in zip(plain, cells, strict=True)
    ]


def _tell_numbers(header, columns):
    """Return columns of text as a table, numbers where all cells are numbers."""
    buffer = io.StringIO()
    columns = list(map(_blank_missing, header, columns))
    csv.writer(buffer).writerows([header, *zip(*columns, strict=True)])
    buffer.seek(0)
    ids = [
        name
        for name, cells in zip(header, columns, strict=False)
        if name not in _SECONDS and any(map(looks_like_name, cells))
    ]
    # In parts, pandas would tell the numbers of each part by itself.
    return pd.read_csv(
        buffer,
        dtype=dict.fromkeys([*_TEXT, *ids], str),
        low_memory=False,
        keep_default_na=False,
        na_values=[""],
    )


def _blank_missing(name, cells):
    """Return cells of a column, blank where they say that a value is missing.

    Among numbers, NA is a missing one; elsewhere it may be the code of Namibia.
    """
    distinct = set(cells)
    missing = distinct & _MISSING
    if missing and name not in _SECONDS:
        others = distinct - _MISSING - {""}
        if not others or not all(map(_is_number, others)):
            missing &= _NEVER_NAMES
    return ["" if cell in missing else cell for cell in cells] if missing else cells


def _is_number(cell):
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _decode(path):
    remedy = "Write it as Parquet, or in parts."
    text = decode_text(read_bytes(path, remedy=remedy), repr(str(path)))
    refuse_binary(text, repr(str(path)))
    return text


def _split(text, path):
    """Return (line number, cells) of each line with content, and the separator."""
    lines = io.StringIO(text, newline="")
    header = next((line for line in lines if line.strip(_EMPTY)), "")
    # Spreadsheets separate by semicolons where commas are decimal.
    separator = max(_SEPARATORS, key=header.count)
    lines.seek(0)
    reader = csv.reader(lines, delimiter=separator, strict=True)
    rows = []
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader, None)
        except csv.Error as exc:
            raise ValueError(
                f"{str(path)!r}, line {line}: {exc}. Is a quotation mark not closed, "
                "or in the middle of a cell? Close it, or double it."
            ) from exc
        if cells is None:
            return rows, separator
        if any(map(str.strip, cells)):
            rows.append((line, cells))


def _as_seconds(column, decimal, path, places):
    """Return a column as numbers; text may have this decimal sign, or a point."""
    if is_numeric_dtype(column) and not is_bool_dtype(column):
        return column.to_numpy(dtype=float, na_value=np.nan)
    numbers = np.full(len(column), np.nan)
    for row, value in enumerate(column):
        try:
            if not pd.isna(value):
                numbers[row] = _as_number(value, decimal)
        except (TypeError, ValueError):
            raise ValueError(
                f"{str(path)!r}, {places[row]}, column {column.name!r}: {value!r} is "
                "not a number. Write seconds, such as 12.5, or nothing."
            ) from None
    return numbers


def _as_number(value, decimal):
    if isinstance(value, bool):
        raise TypeError
    return float(value.replace(decimal, ".") if isinstance(value, str) else value)


def _resolve(name, folder):
    """Return a path that counts from a folder, as the file is called on this disk."""
    return existing_path(os.path.expanduser(name), folder)


def _find(table, names, path, what):
    for name in names:
        if name in table:
            return name
    raise ValueError(
        f"{str(path)!r} has no column for {what}: one of {', '.join(names)} is needed, "
        f"and it has {list(table.columns)[:10]}. Rename the one that holds them."
    )
