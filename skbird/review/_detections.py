"""The table of what is to be judged: read, checked, and placed in time and space."""

import os

import numpy as np
import pandas as pd

from skbird.annotations import AudioFinder, annotation_files, read_annotations
from skbird.archive import part_paths, read_part
from skbird.audio import find_audio
from skbird.data import check_rows
from skbird.review._filters import HALF_CHARACTERS
from skbird.review._tables import refuse_rows, sites_of
from skbird.utils._columns import check_table
from skbird.utils._days import times_of_names
from skbird.utils._params import as_floats
from skbird.utils._parquet import to_frame

_KEYS = ["path", "start", "end"]
_HERTZ = ["low_hz", "high_hz"]
_ZONE = r"(:\d\d(?:\.\d+)?) *(?:Z|[+-]\d\d:?\d\d)$"  # what counts is the clock there
_PRECISION_S = 1e-6  # less than a sample


def check_detections(detections, folder=None):
    """Bring a table of detections into one form.

    Parameters
    ----------
    detections : DataFrame
        See `ReviewSession`.
    folder : path-like or None
        Where the recordings are looked for; None: where the table says.

    Returns
    -------
    DataFrame
        ``path``, ``start``, ``end``, ``species``, ``probability``, ``low_hz``,
        ``high_hz``, ``site``, ``time`` (NaT: unknown), ``file``, the recording as it
        is found, and ``recording``, its path from the folder on, with which reviews
        are found again wherever the folder lies; ordered by recording and start, each
        detection once.

    Raises
    ------
    TypeError, ValueError
        If it is no such table, or a recording is not in the folder.
    """
    if isinstance(detections, pd.DataFrame) and "probability" not in detections:
        detections = detections.rename(columns={"score": "probability"})
    remedy = "ReviewSession.from_proba takes what predict_proba gives"
    check_table(detections, "detections", ["species", "probability"], remedy)
    rows = check_rows(detections, input_name="detections")
    proba = as_floats(rows["probability"], "detections['probability']", np.float64)
    refuse_rows(
        ~((proba >= 0) & (proba <= 1)),
        proba,
        "probability",
        "a number in [0, 1]",
        "detections",
    )
    named = rows["species"]
    refuse_rows(named.isna(), named, "species", "the name of a species", "detections")
    for name in {"species", "site"} & set(rows):
        refuse_rows(
            _are_no_text(rows[name]), rows[name], name, "a name in UTF-8", "detections"
        )
    hertz = {
        name: as_floats(rows[name], f"detections[{name!r}]", np.float64)
        if name in rows
        else np.nan
        for name in _HERTZ
    }
    table = rows[_KEYS].assign(
        species=named.astype(str), probability=proba, **hertz, site=sites_of(rows)
    )
    table["time"] = _times(rows)
    table["file"], table["recording"] = _find(rows["path"], folder)
    table = table.sort_values("probability", ascending=False, kind="stable")
    table = table[~keys_of(table).duplicated()]
    keys = ["recording", "start", "end", "species"]
    return table.sort_values(keys, ignore_index=True)


def keys_of(table):
    """Return numbers of 64 bits that tell detections from each other, as an Index."""
    seconds = table[["start", "end"]].astype(np.float64).fillna(-1)
    parts = table[["recording", "species"]].astype(object)
    parts = parts.assign(**(seconds / _PRECISION_S).round().astype(np.int64))
    return pd.Index(pd.util.hash_pandas_object(parts, index=False))


def read_detections(path, folder, threshold):
    """Read what ``skbird predict`` wrote, in any of its formats.

    Parameters
    ----------
    path : Path
        A table of events, a folder of tables, or a folder of probabilities.
    folder : path-like
        The folder of the recordings.
    threshold : float
        From which probability on a row is a detection.

    Returns
    -------
    DataFrame
        As `ReviewSession` takes it.

    Raises
    ------
    FileNotFoundError, ValueError
        If it is nothing of the kind, or holds no detections.
    """
    parts = part_paths(path) if path.is_dir() else []
    if parts:
        tables = [_detections_of(read_part(part), threshold) for part in parts]
        detections = pd.concat(tables, ignore_index=True)
    else:
        files = annotation_files(path) if path.is_dir() else [path]
        detections = read_annotations(files, AudioFinder(find_audio(folder)[0]))
        if "score" not in detections:
            raise ValueError(
                f"{path} has no scores: it is no prediction. Pass what `skbird "
                "predict` wrote."
            )
        told = detections["species"].notna() & (detections["score"] >= threshold)
        detections = detections[told]
    if not len(detections):
        raise ValueError(
            f"{path} has no detection with a probability of at least {threshold:g}. "
            "Lower the threshold, or predict other recordings."
        )
    return detections


def _detections_of(part, threshold):
    """Return a part of an archive run as a line per row and species."""
    is_long = {"species", "probability"} <= set(part.column_names)
    if is_long:
        table = to_frame(part)
        return table[table["probability"] >= threshold]
    named = [
        field.name
        for field in part.schema
        if str(field.type) == "float" and field.name not in _KEYS
    ]
    table = to_frame(part)
    return stack(table[named], table.drop(columns=named), threshold)


def stack(proba, rows, threshold):
    """Return rows in which species reach a threshold, a line per row and species.

    Parameters
    ----------
    proba : DataFrame of shape (n_rows, n_species)
    rows : DataFrame
    threshold : float or ndarray of shape (n_species,)

    Returns
    -------
    DataFrame
    """
    values = proba.to_numpy()
    row, column = np.nonzero(values >= threshold)
    names = np.array([str(name) for name in proba.columns], dtype=object)
    found = rows.drop(columns=["species", "probability"], errors="ignore").iloc[row]
    return found.reset_index(drop=True).assign(
        species=names[column], probability=values[row, column].astype(np.float64)
    )


def _are_no_text(names):
    numbers, named = pd.factorize(names)
    wrong = [HALF_CHARACTERS.search(str(name)) is not None for name in named]
    return np.array([*wrong, False], dtype=bool)[numbers]  # the last is of NaN, -1


def _times(rows):
    """Return when each row begins, by the name of its recording, or by the table."""
    numbers, paths = pd.factorize(rows["path"])
    begins = times_of_names(paths)["time"].to_numpy()[numbers]
    times = begins + (rows["start"].to_numpy() * 1e6).astype("timedelta64[us]")
    column = next((name for name in ("time", "date") if name in rows), None)
    if column is None or not np.isnat(times).any():
        return times
    texts = rows[column].astype("string").str.replace(_ZONE, r"\1", regex=True)
    told = pd.to_datetime(texts, errors="coerce", format="ISO8601")
    told = told.to_numpy().astype("datetime64[us]")
    return np.where(np.isnat(times), told, times)


def _find(paths, folder):
    """Return the file of each path, and its path from the folder on."""
    if folder is None:
        return paths, paths
    finder = AudioFinder(find_audio(folder)[0])
    numbers, named = pd.factorize(paths)
    files = [finder.by_path(path, "detections") for path in named]
    inside = [os.path.relpath(file, folder).replace(os.sep, "/") for file in files]
    return [np.array(names, dtype=object)[numbers] for names in (files, inside)]
