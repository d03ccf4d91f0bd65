"""Read the folder of a BirdCLEF competition, 2021 to 2025, as X, Y and row tables."""

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.utils import Bunch

from skbird.audio import AUDIO_SUFFIXES
from skbird.data import encode_table, say_without, segment_table
from skbird.datasets._birdclef_files import (
    TRAIN_TABLES,
    locate_recordings,
    read_csv,
    read_train,
)
from skbird.datasets._birdclef_truth import (
    labelled_rows,
    read_calls,
    read_row_labels,
    read_truth,
    targets_of_all,
)
from skbird.datasets._label_lines import join_lines
from skbird.utils._names import match_names, one_line
from skbird.utils._params import check_path
from skbird.utils._text import counted

_ROW_S = 5.0
_SOUNDSCAPE_FOLDERS = ("train_soundscapes", "unlabeled_soundscapes")
_EBIRD_TAXONOMY = "eBird_Taxonomy_v2021.csv"
BIRDCLEF_TABLES = frozenset(
    {
        *TRAIN_TABLES,
        "taxonomy.csv",
        _EBIRD_TAXONOMY,
        "sample_submission.csv",
        "train_soundscape_labels.csv",
        "train_soundscape_truth.csv",
        "soundscape_truth.csv",
        "soundscape_calls.csv",
    }
)


def load_birdclef(root, *, species=None, secondary_weight=0.5):
    """Load a BirdCLEF folder: paths, targets, and the rows of its soundscapes.

    No audio is decoded; of soundscapes, the headers are read. The years differ, and
    what a year does not have is ``None`` or an empty table:

    ===================== ======================================================
    looked for            in
    ===================== ======================================================
    recordings' table     ``train.csv`` (2025), ``train_metadata.csv``; needed
    recordings            ``train_audio/``, ``train_short_audio/`` (2021); needed
    taxonomy              ``taxonomy.csv`` (2025), ``eBird_Taxonomy_v2021.csv``
    soundscapes           ``train_soundscapes/``, ``unlabeled_soundscapes/`` (2024)
    their labels          ``train_soundscape_labels.csv`` (2021), or
                          ``train_soundscape_truth.csv`` (:func:`make_birdclef`)
    test soundscapes      ``test_soundscapes/``, empty in Kaggle's download
    their truth           ``soundscape_truth.csv`` (:func:`make_birdclef`)
    calls in soundscapes  ``soundscape_calls.csv`` (:func:`make_birdclef`)
    form of a submission  ``sample_submission.csv``
    ===================== ======================================================

    Parameters
    ----------
    root : str or path-like
        The unpacked folder.
    species : sequence of str, default=None
        Columns of Y. ``None`` takes the species columns of ``sample_submission.csv``
        if it has some (2023 to 2025), else the species of ``taxonomy.csv``, else the
        sorted primary labels.
    secondary_weight : float in [0, 1], default=0.5
        Label weight of secondary labels, see :func:`encode_labels`.

    Returns
    -------
    data : sklearn.utils.Bunch
        X : DataFrame, one row per recording
            ``path``, ``collection`` ("XC", "iNat", "CSA" or "unknown": from the column
            of that name, else from the address or the file name), ``group`` (class of
            the primary species, "unknown" without a taxonomy), then all columns of the
            recordings' table, such as ``author`` and ``rating``.
        Y, label_weight : DataFrame of shape (n_recordings, n_species), float32
            See :func:`encode_labels`.
        species : list of str
            The columns of Y.
        species_table : DataFrame, indexed by species
            ``group``, ``scientific_name``, ``common_name`` where known.
        groups : ndarray of shape (n_recordings,)
            For splitters that keep sources apart: the collection, because test
            recordings come from sources that training has not heard. Where there is
            only one (2021 to 2024), the author, so that no recordist and microphone is
            on both sides. Both are columns of X.
        unlabeled : DataFrame
            Rows of 5 s of the soundscapes without labels: ``path``, ``start``,
            ``end``, ``collection`` ("soundscape") and ``row_id`` ("<stem>_<end
            second>", as in a submission).
        soundscapes, soundscapes_Y : DataFrame or None
            Rows of labelled soundscapes and their targets.
        test, test_Y : DataFrame, DataFrame or None
            Rows of test soundscapes and, if the truth is there, their targets.
        calls : DataFrame or None
            Extent of each call in soundscapes with a truth: ``path``, ``species``,
            ``start``, ``end`` (seconds), ``low_hz``, ``high_hz``.
        sample_submission : DataFrame or None
            As it lies in the folder.
        DESCR : str
            A description of the data.

    Raises
    ------
    FileNotFoundError
        If the folder, the recordings' table or recordings are missing.
    ValueError
        If columns or cells that are needed are missing, a truth contradicts itself or
        names stretches that no soundscape has, or something that is no file has the
        name of a table. The message names it.

    Warns
    -----
    UserWarning
        If labels are not among the species (secondary labels often are not), or
        several lines of the recordings' table name the same recording.

    Examples
    --------
    >>> from skbird.datasets import load_birdclef
    >>> data = load_birdclef("birdclef-2025")  # doctest: +SKIP
    >>> pipe.fit(data.X, data.Y)  # doctest: +SKIP
    """
    root = Path(check_path(root, "root"))
    train, file = read_train(root)
    if species is None and len(train) == 0:
        raise ValueError(f"{str(file)!r} has no rows, so no species. Unpack it anew.")
    submission = read_csv(root / "sample_submission.csv", ("row_id",))
    taxonomy = _read_taxonomy(root, train)
    species = _choose_species(species, root, train, submission)
    places = [f"{str(file)!r}, row {row}" for row in range(len(train))]
    train = train.assign(path=locate_recordings(root, train))
    train, places = join_lines(train, places, species, repr(str(file)), stacklevel=2)
    Y, label_weight = encode_table(train, species, secondary_weight, places.__getitem__)
    species = list(Y.columns)
    X = pd.DataFrame(
        {
            "path": train["path"],
            "collection": _find_collection(train),
            "group": _groups_of(train["primary_label"].str.split(";").str[0], taxonomy),
        }
    )
    n_unknown = (X["group"] == "unknown").sum()
    if 0 < n_unknown < len(X):
        warnings.warn(
            f"{str(root)!r}: the taxonomy has no group of {n_unknown} of {len(X)} "
            "recordings' species; it is 'unknown'. Is the taxonomy whole?",
            UserWarning,
            stacklevel=2,
        )
    X = X.join(train.drop(columns=X.columns, errors="ignore"))
    data = Bunch(
        X=X,
        Y=Y,
        label_weight=label_weight,
        species=species,
        species_table=taxonomy.reindex(species).assign(
            group=_groups_of(species, taxonomy)
        ),
        groups=_choose_groups(X),
        sample_submission=submission,
        **_load_soundscapes(root, species, submission),
    )
    data.DESCR = _describe(root, data)
    return data


def is_birdclef(root):
    """Return whether a folder has BirdCLEF's table of recordings in its place."""
    tables = [root / name for name in TRAIN_TABLES]
    return any(table.exists() and not table.is_dir() for table in tables)


def _find_collection(train):
    if "collection" in train.columns:
        return train["collection"].fillna("unknown")
    file = train["filename"].str.rsplit("/").str[-1]
    url = train.get("url", pd.Series("", index=train.index)).fillna("").str.lower()
    sources = {
        "XC": url.str.contains("xeno-canto") | file.str.match(r"XC\d"),
        "iNat": url.str.contains("inaturalist") | file.str.match(r"iNat\d"),
        "CSA": file.str.match(r"CSA\d"),
    }
    return np.select(list(sources.values()), list(sources), default="unknown")


def _choose_groups(X):
    by = "collection"
    if X["collection"].nunique() < 2 and "author" in X.columns:
        by = "author"
    return X[by].fillna("unknown").to_numpy(dtype=str)


def _read_taxonomy(root, train):
    """Group and names of every species that any table knows, indexed by species."""
    columns = ["group", "scientific_name", "common_name"]
    table = read_csv(root / "taxonomy.csv", ("primary_label",))
    if table is not None:
        table = table.rename(columns={"class_name": "group"})
    elif (ebird := read_csv(root / _EBIRD_TAXONOMY, ("SPECIES_CODE",))) is not None:
        table = ebird.rename(
            columns={
                "SPECIES_CODE": "primary_label",
                "SCI_NAME": "scientific_name",
                "PRIMARY_COM_NAME": "common_name",
            }
        ).assign(group="Aves")
    else:
        table = train
    table = table.drop_duplicates("primary_label").set_index("primary_label")
    table.index.name = "species"
    return table.reindex(columns=columns)


def _groups_of(labels, taxonomy):
    groups = taxonomy["group"].dropna().to_dict()
    known = match_names(labels, groups)
    return [groups.get(known.get(label), "unknown") for label in labels]


def _choose_species(species, root, train, submission):
    if species is not None:
        return species
    if submission is not None:
        columns = [str(c) for c in submission.columns if c != "row_id"]
        # In 2021 and 2022 the columns are "birds" and "target".
        if match_names(train["primary_label"], columns):
            return columns
    taxonomy = read_csv(root / "taxonomy.csv", ("primary_label",))
    return None if taxonomy is None else taxonomy["primary_label"].unique().tolist()


def _load_soundscapes(root, species, submission):
    # 2021 wrote <audio id>_<site>_<second>, of files <audio id>_<site>_<date>.
    stem_parts = 2 if submission is not None and "birds" in submission else None
    train = [
        path for folder in _SOUNDSCAPE_FOLDERS for path in _list_audio(root / folder)
    ]
    rows = _soundscape_rows(train, stem_parts)
    file = root / "train_soundscape_truth.csv"
    truth = read_truth(file, species)
    if truth is None:
        file = root / "train_soundscape_labels.csv"
        truth = read_row_labels(file, species)
    test = _soundscape_rows(_list_audio(root / "test_soundscapes"), stem_parts)
    soundscapes, soundscapes_Y = labelled_rows(rows, truth, file)
    if soundscapes is not None:
        rows = rows[~rows["path"].isin(soundscapes["path"])].reset_index(drop=True)
    file = root / "soundscape_truth.csv"
    test_Y = targets_of_all(test, read_truth(file, species), file)
    return {
        "unlabeled": rows,
        "soundscapes": soundscapes,
        "soundscapes_Y": soundscapes_Y,
        "test": test,
        "test_Y": test_Y,
        "calls": read_calls(root),
    }


def _list_audio(folder):
    if not folder.is_dir():
        return []
    return sorted(
        str(path)
        for path in folder.iterdir()
        # macOS leaves "._name.ogg" beside each file on cards and sticks.
        if path.suffix.lower() in AUDIO_SUFFIXES and not path.name.startswith(".")
    )


def _soundscape_rows(paths, stem_parts):
    rows = segment_table(paths, segment_s=_ROW_S, step_s=_ROW_S, on_error="skip")
    stems = ["_".join(Path(path).stem.split("_")[:stem_parts]) for path in rows["path"]]
    # A last row may be short; its name counts full rows all the same.
    ends = (rows["start"] + _ROW_S).round().astype(int)
    row_id = [f"{stem}_{end}" for stem, end in zip(stems, ends, strict=True)]
    return rows.assign(collection="soundscape", row_id=row_id)


def _describe(root, data):
    collections = data.X["collection"].value_counts().to_dict()
    counts = data.Y.sum()
    labelled = 0 if data.soundscapes is None else len(data.soundscapes)
    return (
        f"BirdCLEF folder {one_line(root)}\n"
        f"{counted(len(data.X), 'recording')} of {len(data.species)} species "
        f"({int(counts.min())} to {int(counts.max())} of each, secondary included)"
        f"{say_without(data.Y)}, by collection: {collections}.\n"
        f"Rows of 5 s: {len(data.unlabeled)} unlabelled, {labelled} labelled, "
        f"{len(data.test)} to be predicted.\n"
    )
