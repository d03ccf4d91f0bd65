"""Read recordings with labels, however they lie on disk."""

import csv
import io
import os
from pathlib import Path

import numpy as np
import pandas as pd
from pandas.api.types import is_bool_dtype, is_numeric_dtype
from sklearn.utils import Bunch

from skbird.data._birdclef import is_birdclef, load_birdclef
from skbird.data._labels import encode_labels, parse_primary_label
from skbird.data._listing import AUDIO_SUFFIXES, list_audio
from skbird.utils._text import decode_text, unguard_formula

# Folders of BirdNET-Analyzer's training sets that are no species.
_NO_SPECIES = frozenset({"nocall", "noise", "background", "silence", "other"})
_PATH_NAMES = ("path", "filename", "file")
_LABEL_NAMES = ("primary_label", "species", "label")
_SECONDS = ("start", "end")
_SEPARATORS = ",;\t"
_EMPTY = f"{_SEPARATORS} \r\n"  # what lines without content consist of
_TEXT = (*_LABEL_NAMES, "secondary_labels", "author", "collection")


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
          BirdNET-Analyzer has it). Links are followed; hidden folders and the bins of
          systems are left out;
        - a table, ``.csv``, ``.tsv`` or ``.parquet``: a line per recording, or stretch
          of one. ``path`` (or ``filename``, ``file``) counts from the folder of the
          table; ``primary_label`` (or ``species``, ``label``) and, if wanted,
          ``secondary_labels``, as `encode_labels` reads them; ``start`` and ``end`` in
          seconds; further columns travel along. Text may be separated by commas,
          semicolons or tabs, in the encodings of spreadsheets. A named index of
          pandas' is a column;
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
        read.

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
        return load_birdclef(source, species=species, secondary_weight=secondary_weight)
    X = _read_folders(source) if source.is_dir() else _read_table(source)
    if species is None and not any(map(parse_primary_label, X["primary_label"])):
        raise ValueError(
            f"{str(source)!r} names no species: all labels are empty or 'nocall'. Fill "
            "them in, or pass species=[...]."
        )
    Y, label_weight = encode_labels(X, species, secondary_weight)
    if species is None and Y.shape[1] < 2 and bool((Y == 1).to_numpy().all()):
        raise ValueError(
            f"All recordings of {str(source)!r} are of {list(Y.columns)}: there is "
            "nothing to tell it from. Add other species, or recordings without it in a "
            "folder 'nocall' (in a table, with that label)."
        )
    data = Bunch(X=X, Y=Y, label_weight=label_weight, species=list(Y.columns))
    names = ", ".join([*data.species[:5], "..."][: len(data.species)])
    data.DESCR = (
        f"{source}: {len(X)} rows of {X['path'].nunique()} recordings, "
        f"{len(data.species)} species ({names})"
    )
    return data


def _read_folders(root):
    paths = list_audio(root)
    parts = [os.path.relpath(path, root).split(os.sep) for path in paths]
    stray = [path for path, names in zip(paths, parts, strict=True) if len(names) == 1]
    if stray:
        raise ValueError(
            f"{str(root)!r} holds {len(stray)} recordings that are in no folder of a "
            f"species, the first: {stray[0]}. Put each into a folder named after its "
            "species ('nocall' for none), or pass a table with path and primary_label."
        )
    labels = {name: _labels_of(name) for name in {names[0] for names in parts}}
    table = {"path": paths, "primary_label": [labels[names[0]] for names in parts]}
    return pd.DataFrame(table)


def _labels_of(folder):
    """Return the species of a folder, as a cell of ``primary_label``."""
    names = [name.strip() for name in folder.split(",")]
    return ";".join(name for name in names if name.lower() not in _NO_SPECIES)


def _read_table(path):
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        table = _read_parquet(path)
        places = [f"row {row}" for row in range(len(table))]
    elif suffix in (".csv", ".tsv", ".txt"):
        table, lines = _read_text(path)
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
    names = [os.path.expanduser(name) for name in table["path"].astype(str)]
    folder = str(path.parent)
    # An absolute path stays as it is.
    table["path"] = [os.path.join(folder, name) for name in names]
    for column in table.columns.intersection(_SECONDS):
        table[column] = _as_seconds(table[column], path, places)
    others = table.columns.difference(["path", "primary_label"], sort=False)
    return table[["path", "primary_label", *others]]


def _read_parquet(path):
    try:
        import pyarrow.parquet
    except ImportError as exc:
        raise ImportError(
            f"{str(path)!r} is Parquet, which pyarrow reads; install it with: "
            "pip install 'skbird[archive]'."
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
    """Return the table, and the number of each row's line."""
    rows = _split(_decode(path), path)
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
    # pandas tells numbers from text. Lines longer than the header are cut before: it
    # would take their first cells for an index. Held-out tables of the command line
    # have quotes before what a spreadsheet would take for a formula.
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    lines = (map(unguard_formula, cells[: len(header)]) for _, cells in rows)
    writer.writerows([header, *lines])
    buffer.seek(0)
    # Taxon ids are names, not numbers; an empty label is empty, not missing.
    converters = {name: str for name in header if name in _TEXT}
    return pd.read_csv(buffer, converters=converters), [line for line, _ in rows]


def _decode(path):
    text = decode_text(path.read_bytes())
    if "\0" in text:
        raise ValueError(
            f"{str(path)!r} is no text. If it is a spreadsheet, open it there and save "
            "it as CSV."
        )
    return text


def _split(text, path):
    """Return (line number, cells) of each line that is not empty."""
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
            return rows
        if any(map(str.strip, cells)):
            rows.append((line, cells))


def _as_seconds(column, path, places):
    """Return a column as numbers; text may have decimal commas."""
    if is_numeric_dtype(column) and not is_bool_dtype(column):
        return column.to_numpy(dtype=float, na_value=np.nan)
    numbers = np.full(len(column), np.nan)
    for row, value in enumerate(column):
        try:
            if not pd.isna(value):
                numbers[row] = _as_number(value)
        except (TypeError, ValueError):
            raise ValueError(
                f"{str(path)!r}, {places[row]}, column {column.name!r}: {value!r} is "
                "not a number. Write seconds, such as 12.5, or nothing."
            ) from None
    return numbers


def _as_number(value):
    if isinstance(value, bool):
        raise TypeError
    return float(value.replace(",", ".") if isinstance(value, str) else value)


def _find(table, names, path, what):
    for name in names:
        if name in table:
            return name
    raise ValueError(
        f"{str(path)!r} has no column for {what}: one of {', '.join(names)} is needed, "
        f"and it has {list(table.columns)[:10]}. Rename the one that holds them."
    )
