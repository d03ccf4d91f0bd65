"""Read recordings with labels, however they lie on disk."""

import csv
import io
import os
import re
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from pandas.api.types import is_bool_dtype, is_numeric_dtype
from sklearn.utils import Bunch

from skbird.data._birdclef import is_birdclef, load_birdclef
from skbird.data._labels import encode_labels, parse_primary_label
from skbird.data._listing import AUDIO_SUFFIXES, find_audio, warn_left_out
from skbird.utils._extras import install_hint
from skbird.utils._text import decode_text, unguard_formula

# Folders of BirdNET-Analyzer's training sets that are no species.
_NO_SPECIES = frozenset({"nocall", "noise", "background", "silence", "other"})
_PATH_NAMES = ("path", "filename", "file")
_LABEL_NAMES = ("primary_label", "species", "label")
_SECONDS = ("start", "end")
_SEPARATORS = ",;\t"
_EMPTY = f"{_SEPARATORS} \r\n"  # what lines without content consist of
_NAMES = (*_PATH_NAMES, *_LABEL_NAMES, "secondary_labels")
_TEXT = (*_NAMES, "author", "collection")
# Hardly a number is written so, but names of sites and recorders are.
_NO_NUMBER = re.compile(r"\s*(0\d|\d+[eE]\d+\s*$)")


def load_recordings(source, *, species=None, secondary_weight=0.5):
    """Load recordings with labels: a folder per species, a table, a BirdCLEF folder.

    No audio is decoded.

    Parameters
    ----------
    source : str or path-like
        One of

        - a folder with a folder per species, in which audio files lie at any depth.
          Folders named ``nocall``, ``noise``, ``background``, ``silence`` or ``other``
          hold recordings of no species; one named ``"a,b"``, recordings of both (as
          BirdNET-Analyzer has it). ``"Owl, Barn"``, with a space, is two species only
          if both have folders of their own. Links are followed; hidden folders and the
          bins of systems are left out;
        - a table, ``.csv``, ``.tsv`` or ``.parquet``: a line per recording, or stretch
          of one. ``path`` (or ``filename``, ``file``) counts from the folder of the
          table; ``primary_label`` (or ``species``, ``label``) and, if wanted,
          ``secondary_labels``, as `encode_labels` reads them; ``start`` and ``end`` in
          seconds; further columns travel along. A ``.csv`` or ``.tsv`` may be in UTF-8,
          UTF-16 or Windows-1252 (what else a spreadsheet may write, it can save as
          UTF-8, too), its cells separated by commas, or by semicolons or tabs, where
          seconds may have decimal commas. Paths, labels, ``author``, ``collection`` and
          columns with numbers such as 007 or 1E1 stay text. A named index of pandas' is
          a column;
        - the folder of a BirdCLEF competition, see `load_birdclef`.
    species : sequence of str, default=None
        Columns of Y. None: all primary labels, sorted (of a BirdCLEF folder, those of
        the competition).
    secondary_weight : float in [0, 1], default=0.5
        Label weight of secondary labels, see `encode_labels`.

    Returns
    -------
    data : sklearn.utils.Bunch
        X : DataFrame
            ``path``, ``primary_label``, and what the table has; indexed 0 to n - 1.
        Y, label_weight : DataFrame of shape (n_rows, n_species), float32
            See `encode_labels`.
        species : list of str
        errors : DataFrame
            ``path`` and ``error`` of what is left out of a folder per species; of other
            sources empty.
        DESCR : str
            A line on what was found.

        Of a BirdCLEF folder, also all that `load_birdclef` gives.

    Raises
    ------
    FileNotFoundError
        If there is no `source`.
    ImportError
        If it is Parquet and pyarrow is not installed.
    ValueError
        If it is neither of these, a table is damaged, or no recording has a label.

    Warns
    -----
    UserWarning
        If files or folders are left out, as their names are not UTF-8 or they cannot be
        read, or some bytes of a table are not UTF-8 and the others are. If all
        recordings are of the same single species.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from skbird.data import load_recordings
    >>> root = Path(tempfile.mkdtemp())
    >>> for name in ("Pica pica/1.wav", "Parus major/2.wav", "noise/3.wav"):
    ...     (root / name).parent.mkdir()
    ...     (root / name).touch()
    >>> data = load_recordings(root)
    >>> data.Y.assign(file=[Path(path).name for path in data.X["path"]])
       Parus major  Pica pica   file
    0          1.0        0.0  2.wav
    1          0.0        1.0  1.wav
    2          0.0        0.0  3.wav
    """
    source = Path(source).expanduser()
    if not source.exists():
        raise FileNotFoundError(
            f"{str(source)!r} does not exist. Pass a folder with a folder per species, "
            "a table of recordings, or the folder of a BirdCLEF competition."
        )
    if source.is_dir() and is_birdclef(source):
        data = load_birdclef(source, species=species, secondary_weight=secondary_weight)
        return Bunch(**data, errors=_as_errors([]))
    left_out = []
    if source.is_dir():
        X, left_out = _read_folders(source)
        warn_left_out(left_out, stacklevel=3)
    else:
        X = _read_table(source)
    if species is None and not any(map(parse_primary_label, X["primary_label"])):
        raise ValueError(
            f"{str(source)!r} names no species: all labels are empty or 'nocall'. Fill "
            "them in, or pass species=[...]."
        )
    Y, label_weight = encode_labels(X, species, secondary_weight)
    if species is None and Y.shape[1] < 2 and bool((Y == 1).to_numpy().all()):
        warnings.warn(
            f"All recordings of {str(source)!r} are of {list(Y.columns)}: there is "
            "nothing to tell it from. Add other species, or recordings without it in a "
            "folder 'nocall' (in a table, with that label).",
            UserWarning,
            stacklevel=2,
        )
    data = Bunch(X=X, Y=Y, label_weight=label_weight, species=list(Y.columns))
    data.errors = _as_errors(left_out)
    names = ", ".join([*data.species[:5], "..."][: len(data.species)])
    data.DESCR = (
        f"{source}: {len(X)} rows of {X['path'].nunique()} recordings, "
        f"{len(data.species)} species ({names})"
    )
    return data


def _as_errors(left_out):
    return pd.DataFrame(left_out, columns=["path", "error"], dtype=str)


def _read_folders(root):
    """Return the recordings with their labels, and what was left out."""
    paths, left_out = find_audio(root)
    parts = [os.path.relpath(path, root).split(os.sep) for path in paths]
    stray = [path for path, names in zip(paths, parts, strict=True) if len(names) == 1]
    if stray:
        raise ValueError(
            f"{str(root)!r} holds {len(stray)} recordings that are in no folder of a "
            f"species, the first: {stray[0]}. Put each into a folder named after its "
            "species ('nocall' for none), or pass a table with path and primary_label."
        )
    folders = {names[0] for names in parts}
    labels = {name: _labels_of(name, folders) for name in folders}
    table = {"path": paths, "primary_label": [labels[names[0]] for names in parts]}
    return pd.DataFrame(table), left_out


def _labels_of(folder, folders):
    """Return the species of a folder, as a cell of ``primary_label``."""
    names = [name.strip() for name in folder.split(",")]
    if ", " in folder and not folders.issuperset(names):
        names = [folder]
    return ";".join(name for name in names if name.lower() not in _NO_SPECIES)


def _read_table(path):
    suffix = path.suffix.lower()
    decimal = ","
    if suffix == ".parquet":
        table = _read_parquet(path)
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
    file = _find(table, _PATH_NAMES, path, "the recordings")
    label = _find(table, _LABEL_NAMES, path, "their labels")
    table = table.rename(columns={file: "path", label: "primary_label"})
    if not len(table):
        raise ValueError(f"{str(path)!r} has no lines.")
    missing = table["path"].isna() | (table["path"] == "")
    if missing.any():
        raise ValueError(
            f"{str(path)!r} names no recording in {places[missing.argmax()]} "
            f"({missing.sum()} such lines). Fill in {file!r}, or delete them."
        )
    table["path"] = [_resolve(name, path.parent) for name in table["path"].astype(str)]
    for column in table.columns.intersection(_SECONDS):
        table[column] = _as_seconds(table[column], decimal, path, places)
    others = table.columns.difference(["path", "primary_label"], sort=False)
    return table[["path", "primary_label", *others]]


def _read_parquet(path):
    try:
        import pyarrow.parquet
    except ImportError as exc:
        raise ImportError(
            f"{str(path)!r} is Parquet, which pyarrow reads; install it with: "
            f"{install_hint('archive')}."
        ) from exc
    with path.open("rb") as file:
        try:
            table = pyarrow.parquet.read_table(file)
            table.validate(full=True)  # is its text UTF-8?
            table = table.to_pandas()
        # Each kind of damage has its own; KeyError and TypeError are of pandas' notes.
        except (
            OSError,
            ValueError,
            KeyError,
            TypeError,
            pyarrow.ArrowException,
        ) as exc:
            raise ValueError(
                f"{str(path)!r} is no Parquet that can be read, or not all of it: "
                f"{str(exc).rstrip('.')}. Write or copy it again."
            ) from exc
    # pandas writes an index, too. Paths may be in it, but it does not number the rows.
    useless = [
        level
        for level, name in enumerate(table.index.names)
        if name is None or name in table.columns
    ]
    if len(useless) == table.index.nlevels:
        return table.reset_index(drop=True)
    return table.droplevel(useless).reset_index()


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
                f"{str(path)!r}, line {line}: {len(cells)} cells, but {len(header)} "
                "columns are named in the first line. Does a path or a label hold a "
                "separator? Quote it, or take it out."
            )
    header = [unguard_formula(name.strip()) for name in header]
    width = len(header)
    # Longer lines would make pandas take their first cells for an index.
    lines = [[*cells[:width], *[""] * (width - len(cells))] for _, cells in rows]
    columns = [
        _unguard(name, cells, path.parent)
        for name, cells in zip(header, zip(*lines, strict=True), strict=False)
    ]
    table = _tell_numbers(header, columns)
    for position, (name, cells) in enumerate(zip(header, columns, strict=False)):
        if name in _NAMES:  # pandas takes labels such as "NA" for missing
            table.isetitem(position, cells)
    return table, [line for line, _ in rows], separator


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
    csv.writer(buffer).writerows([header, *zip(*columns, strict=True)])
    buffer.seek(0)
    ids = [
        name
        for name, cells in zip(header, columns, strict=False)
        if name not in _SECONDS and any(map(_NO_NUMBER.match, cells))
    ]
    return pd.read_csv(buffer, dtype=dict.fromkeys([*_TEXT, *ids], str))


def _decode(path):
    text = decode_text(path.read_bytes(), repr(str(path)))
    if "\0" in text:
        raise ValueError(
            f"{str(path)!r} is no text. If it is a spreadsheet, open it there and save "
            "it as CSV."
        )
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
    """Return a path that counts from a folder; an absolute one stays as it is."""
    return os.path.join(folder, os.path.expanduser(name))


def _find(table, names, path, what):
    for name in names:
        if name in table:
            return name
    raise ValueError(
        f"{str(path)!r} has no column for {what}: one of {', '.join(names)} is needed, "
        f"and it has {list(table.columns)[:10]}. Rename the one that holds them."
    )
