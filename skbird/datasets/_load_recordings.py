"""Read recordings with labels, however they lie on disk."""

import os
import warnings
from pathlib import Path

import pandas as pd
from sklearn.utils import Bunch

from skbird.audio import find_audio, list_folders, warn_left_out
from skbird.data import encode_table, parse_primary_label, read_label_table, say_without
from skbird.datasets._birdclef import is_birdclef, load_birdclef
from skbird.datasets._label_lines import join_lines
from skbird.utils._names import one_line, plain_name, printable_path
from skbird.utils._params import check_path
from skbird.utils._text import counted

# Folders of BirdNET-Analyzer's training sets that are no species.
_NO_SPECIES = frozenset({"nocall", "noise", "background", "silence", "other"})
_LONG_LINE = 2**16


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
          BirdNET-Analyzer has it); one named ``"-a"``, recordings in which this species
          is known to be absent, and nothing is known of others (Y is 0 and NaN).
          ``"Owl, Barn"``, with a space, is two species only if both also have folders
          of their own. Links are followed; hidden folders and the bins of systems are
          left out;
        - a table, ``.csv``, ``.tsv`` or ``.parquet``: a line per recording, or stretch
          of one; lines of the same stretch become one row with all their labels.
          ``path`` (or ``filename``, ``file``) counts from the folder of the
          table, and may have Windows' backslashes; ``primary_label`` (or ``species``,
          ``label``) and, if wanted, ``secondary_labels``, as `encode_labels` reads
          them; ``start`` and ``end`` in seconds; further columns travel along. A
          ``.csv`` or ``.tsv`` may be in UTF-8, UTF-16 or Windows-1252 (what else a
          spreadsheet may write, it can save as UTF-8, too), its cells separated by
          commas, or by semicolons or tabs, where seconds may have decimal
          commas. Paths, labels, ``author``, ``collection`` and columns with numbers
          such as 007 or 1E1 stay text. A named index of pandas' is a column;
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
            The columns of Y.
        errors : DataFrame
            ``path`` and ``error`` of files left out of a folder per species; empty for
            other sources.
        DESCR : str
            A description of the data.

        For a BirdCLEF folder, also everything that `load_birdclef` returns.

    Raises
    ------
    FileNotFoundError
        If there is no `source`.
    ImportError
        If it is Parquet and pyarrow is not installed.
    ValueError
        If it is none of these, a table is damaged, or no recording has a label.

    Warns
    -----
    UserWarning
        If files or folders are left out because their names are not UTF-8 or they
        cannot be read. If a table is UTF-8 except for some bytes. If folders of
        species hold no recordings, names of species are spelled in several ways, or all
        recordings are of the same single species. If several lines of a table name the
        same stretch of a recording.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from skbird.datasets import load_recordings
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
    source = Path(check_path(source, "source")).expanduser()
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
        _warn_of_empty(source, X, left_out, stacklevel=3)
        _warn_of_tables(source, stacklevel=3)
        places = [f"{path!r}" for path in X["path"]]
    else:
        X, places = read_label_table(source)
    if species is None and not any(map(parse_primary_label, X["primary_label"])):
        raise ValueError(
            f"{str(source)!r} names no species: all labels are empty or 'nocall'. Fill "
            "them in, or pass species=[...]."
        )
    if not source.is_dir():
        X, places = join_lines(X, places, species, repr(str(source)), stacklevel=2)
    Y, label_weight = encode_table(X, species, secondary_weight, places.__getitem__)
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
    names = ", ".join([*map(one_line, data.species[:5]), "..."][: len(data.species)])
    data.DESCR = (
        f"{one_line(source)}: {counted(len(X), 'row')} of "
        f"{counted(X['path'].nunique(), 'recording')}, {len(data.species)} species "
        f"({names}){say_without(Y)}"
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
            f"{str(root)!r} holds {counted(len(stray), 'recording')} in no folder of a "
            f"species, the first: {stray[0]}. Put each into a folder named after its "
            "species ('nocall' for none), or pass a table with path and primary_label."
        )
    folders = {names[0] for names in parts}
    known = frozenset(map(plain_name, folders))
    labels = {name: _labels_of(name, known) for name in folders}
    table = {"path": paths, "primary_label": [labels[names[0]] for names in parts]}
    return pd.DataFrame(table), left_out


def _labels_of(folder, known):
    """Return the species of a folder, as a cell of ``primary_label``."""
    names = [name.strip() for name in folder.split(",")]
    if ", " in folder and not known.issuperset(map(plain_name, names)):
        names = [folder]
    return ";".join(name for name in names if plain_name(name) not in _NO_SPECIES)


def _warn_of_empty(root, X, left_out, stacklevel):
    """Warn of folders of species in which nothing was found, not even a bad name."""
    found = [*X["path"], *(path for path, _ in left_out)]
    full = {os.path.relpath(path, root).split(os.sep)[0] for path in found}
    empty = sorted(set(map(printable_path, list_folders(root))) - full)
    if empty:
        shown = ", ".join([*map(repr, empty[:5]), "..."][: len(empty)])
        warnings.warn(
            f"{counted(len(empty), 'folder')} of {str(root)!r} "
            f"{'holds' if len(empty) == 1 else 'hold'} no recordings, and "
            f"{'gives' if len(empty) == 1 else 'give'} no species: {shown}. Are their "
            "files of another format, or elsewhere?",
            UserWarning,
            stacklevel=stacklevel,
        )


def _warn_of_tables(root, stacklevel):
    """Warn of tables with labels, which nobody reads where folders are species."""
    for path in sorted(root.glob("*")):
        if path.suffix.lower() not in (".csv", ".tsv", ".txt") or not path.is_file():
            continue
        try:
            with open(path, "rb") as file:
                header = file.readline(_LONG_LINE)
        except OSError:  # nobody asked for it
            continue
        if b"primary_label" in header:
            warnings.warn(
                f"{str(path)!r} has a column primary_label, but is not read: the "
                f"folders in {str(root)!r} are taken for species. Pass the table in "
                "place of the folder if its labels are what you want.",
                UserWarning,
                stacklevel=stacklevel,
            )
