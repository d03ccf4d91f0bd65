"""Read recordings with labels, however they lie on disk."""

import csv
import os
from pathlib import Path

import pandas as pd
from sklearn.utils import Bunch

from skbird.data._birdclef import is_birdclef, load_birdclef
from skbird.data._labels import encode_labels
from skbird.data._listing import AUDIO_SUFFIXES, list_audio

# Folders of BirdNET-Analyzer's training sets that are no species.
_NO_SPECIES = frozenset({"nocall", "noise", "background", "silence", "other"})
_PATH_NAMES = ("path", "filename", "file")
_LABEL_NAMES = ("primary_label", "species", "label")
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
          BirdNET-Analyzer has it);
        - a table, ``.csv``, ``.tsv`` or ``.parquet``: a line per recording, or stretch
          of one. ``path`` (or ``filename``, ``file``) counts from the folder of the
          table; ``primary_label`` (or ``species``, ``label``) and, if wanted,
          ``secondary_labels``, as `encode_labels` reads them; ``start`` and ``end`` in
          seconds; further columns travel along;
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
            ``path``, ``primary_label``, and what the table has.
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
    ValueError
        If it is neither of these, or no recording has a label.

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
        table = pd.read_parquet(path)
    elif suffix in (".csv", ".tsv", ".txt"):
        table = _read_text(path)
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
            f"{str(path)!r} names no recording in line {missing.argmax() + 2} "
            f"({missing.sum()} such lines). Fill in {file!r}, or delete them."
        )
    names = [os.path.expanduser(name) for name in table["path"].astype(str)]
    # An absolute path stays as it is.
    table["path"] = [os.path.join(path.parent, name) for name in names]
    others = table.columns.difference(["path", "primary_label"], sort=False)
    return table[["path", "primary_label", *others]]


def _read_text(path):
    # What Excel writes begins with a mark and may be separated by semicolons.
    options = {"encoding": "utf-8-sig"}
    with path.open(newline="", **options) as file:
        header = file.readline().rstrip("\r\n")
    separator = max(",;\t", key=header.count)
    columns = next(csv.reader([header], delimiter=separator), [])
    # Taxon ids are names, not numbers; an empty label is empty, not missing.
    converters = {name: str for name in columns if name in _TEXT}
    return pd.read_csv(path, sep=separator, converters=converters, **options)


def _find(table, names, path, what):
    for name in names:
        if name in table:
            return name
    raise ValueError(
        f"{str(path)!r} has no column for {what}: one of {', '.join(names)} is needed, "
        f"and it has {list(table.columns)[:10]}. Rename the one that holds them."
    )
