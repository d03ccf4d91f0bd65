"""Read the tables of a BirdCLEF folder, and find its recordings."""

import csv
import io
import os
import re
from collections import Counter

import numpy as np
import pandas as pd

from skbird.utils._files import read_bytes
from skbird.utils._names import match_names, plain_path
from skbird.utils._text import counted, decode_text

_SEPARATORS = ",;\t"  # spreadsheets write semicolons where commas are decimal
_DECIMAL_COMMA = re.compile(r"(?:^|[;\t])-?\d+,\d+(?=[;\t\r\n]|$)", re.MULTILINE)
TRAIN_TABLES = ("train.csv", "train_metadata.csv")
_TRAIN_FOLDERS = ("train_audio", "train_short_audio")
_LABEL_COLUMNS = (
    "primary_label",
    "secondary_labels",
    "inat_taxon_id",
    "row_id",
    "species",
)


def read_csv(path, needed=()):
    """Return a table of the competition, or None if there is no such file.

    Parameters
    ----------
    path : Path
    needed : sequence of str
        Columns that it must have.

    Returns
    -------
    DataFrame or None
        Without lines that are blank; indexed 0 to n - 1.

    Raises
    ------
    ValueError
        If it is no file, damaged, or lacks a column. The message names it.
    """
    if not os.path.lexists(path):
        return None
    text = decode_text(read_bytes(path), repr(str(path)))
    # As pandas has it, lone carriage returns end lines, too.
    lines = io.StringIO(text, newline=None)
    line = next((line for line in lines if line.strip()), "")
    separator = max(_SEPARATORS, key=line.count)

    def parse(**options):
        # Without index_col, a comma at the end of the lines would shift all columns.
        # In parts, pandas would tell the numbers of each part by itself.
        options |= {"index_col": False, "low_memory": False, "sep": separator}
        if separator != "," and _DECIMAL_COMMA.search(text):
            options["decimal"] = ","
        return pd.read_csv(io.StringIO(text), **options)

    try:
        _check_header(next(csv.reader([line], delimiter=separator), []), path)
        # Taxon ids are names, not numbers; an empty label is empty, not missing.
        names = parse(nrows=0).columns.intersection(_LABEL_COLUMNS)
        table = parse(dtype=dict.fromkeys(names, str))
        # Read once more: a species may be called NA.
        texts = parse(usecols=list(names), dtype=str, keep_default_na=False)
    except (pd.errors.ParserError, pd.errors.EmptyDataError, csv.Error) as exc:
        raise ValueError(
            f"{str(path)!r} is no table that can be read: {str(exc).strip()}. Unpack "
            "or download it again."
        ) from exc
    missing = sorted(set(needed) - set(table.columns))
    if missing:
        raise ValueError(
            f"{path} lacks the columns {missing}; it has {list(table.columns)[:10]}. "
            "Rename the ones that hold them."
        )
    # Of no such column, pandas reads no rows either.
    texts = texts.reindex(table.index)
    blank = table.drop(columns=names).isna().all(axis=1) & (texts == "").all(axis=1)
    return table.assign(**texts)[~blank].reset_index(drop=True)


def _check_header(header, path):
    # Of tables with row_id, the columns are species.
    names = header if "row_id" in header else (*_LABEL_COLUMNS, "filename")
    counts = Counter(header)
    twice = [name for name in names if name.strip() and counts[name] > 1]
    if twice:  # pandas would take the first, and call the others otherwise
        raise ValueError(
            f"{str(path)!r} has more than one column {twice[0]!r}. Rename or delete "
            "the others."
        )


def check_filled(table, column, path):
    """Refuse a table of which a cell that must say something is blank."""
    blank = table[column].isna() | (table[column] == "")
    if blank.any():
        raise ValueError(
            f"{path} has no {column} in row {blank.argmax()} ("
            f"{counted(blank.sum(), 'such row')}). Fill it in, or delete the row."
        )


def as_numbers(table, path):
    """Return a table of numbers, NaN where cells are blank."""
    numbers = table.apply(pd.to_numeric, errors="coerce").astype(float)
    wrong = ((numbers.isna() & table.notna()) | np.isinf(numbers)).to_numpy()
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        raise ValueError(
            f"{path}, row {row}, column {table.columns[column]!r}: "
            f"{table.iat[row, column]!r} is not a number. Write one, or nothing."
        )
    return numbers


def _not_found(root, names, remedy):
    found = sorted(os.listdir(root)) if root.is_dir() else "no such folder"
    return FileNotFoundError(
        f"root={str(root)!r} has no {' or '.join(names)}; found: {found}. {remedy}"
    )


def read_train(root):
    """Return the table of the recordings, and the file that it is from."""
    for name in TRAIN_TABLES:
        train = read_csv(root / name, ("primary_label", "filename"))
        if train is not None:
            break
    else:
        raise _not_found(root, TRAIN_TABLES, "Pass the competition's unpacked folder.")
    check_filled(train, "filename", root / name)
    return train, root / name


def locate_recordings(root, train):
    """Return the path of each recording in the table."""
    for name in _TRAIN_FOLDERS:
        folder = root / name
        if folder.is_dir():
            break
    else:
        remedy = "The recordings of the table must lie there, by species."
        raise _not_found(root, [f"{name}/" for name in _TRAIN_FOLDERS], remedy)
    # In 2021 the file names come without the species' folder.
    names = [
        name if "/" in name else f"{label}/{name}"
        for name, label in zip(
            train["filename"].str.replace("\\", "/"),
            train["primary_label"],
            strict=True,
        )
    ]
    # One walk instead of a stat per file: a tenth of the time on network disks.
    there = {
        os.path.relpath(os.path.join(parent, file), folder).replace(os.sep, "/")
        for parent, _, files in os.walk(folder)
        for file in files
    }
    found = match_names(names, there, plain_path)
    # What is behind links, the walk does not see.
    missing = [
        name for name in names if name not in found and not (folder / name).exists()
    ]
    if missing:
        raise FileNotFoundError(
            f"Not in {folder}: {counted(len(missing), 'recording')} of {len(names)}, "
            f"the first: {missing[:3]}. It holds {counted(len(there), 'file')}. "
            "Complete the download, or delete the rows of missing files from the table."
        )
    return [str(folder / found.get(name, name)) for name in names]
