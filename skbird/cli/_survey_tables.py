"""The tables that ``skbird survey`` reads."""

from typing import NamedTuple

import click

from skbird.cli import _console
from skbird.cli._thresholds import lines_of
from skbird.utils._text import counted

_KEYS = ["path", "start", "end"]
_SHOWN = 10  # names
_SQLITE = b"SQLite format 3"
_NO_SPECIES = ["latitude", "longitude", "week"]


class Predictions(NamedTuple):
    """Probabilities of rows, and the recordings that could not be read."""

    X: object
    proba: object
    errors: object
    thresholds: object  # of the species in `proba`, in their order; None: not known
    n_others: int  # species of the model without a line in the thresholds


def read_sites(path, time_zone):
    """Read the table of sites; names are text.

    Parameters
    ----------
    path : Path
    time_zone : str or None
        Of all sites, if the table has no such column.

    Returns
    -------
    DataFrame
    """
    from skbird.data import read_plain_table
    from skbird.utils._columns import check_table

    table = read_plain_table(path)
    remedy = "a line tells when the recorder of a site was in the field"
    check_table(table, str(path), ("site", "start", "end"), remedy)
    if not len(table):
        raise ValueError(f"{path} has no lines. Write one per site.")
    if "time_zone" not in table.columns:
        if time_zone is None:
            raise click.UsageError(
                f"{path} has no column time_zone. Pass --time-zone, such as "
                "--time-zone Europe/Madrid, or add the column."
            )
        table["time_zone"] = time_zone
    elif time_zone is not None:
        raise click.UsageError(
            f"{path} has a column time_zone: leave out --time-zone, or the column."
        )
    if table["site"].isna().any():
        raise ValueError(f"{path} has a line without a site. Name each site.")
    return table.assign(site=table["site"].astype(str))


def read_judged(path, species):
    """Read reviews of species: the file of a session, or a table."""
    from skbird.data import read_plain_table
    from skbird.review import read_reviews
    from skbird.utils._names import match_names

    with path.open("rb") as file:
        is_session = file.read(len(_SQLITE)) == _SQLITE
    table = read_reviews(path) if is_session else read_plain_table(path)
    if "species" not in table.columns:
        return table  # which is refused
    named = table["species"].astype(str)
    known = match_names(named.unique(), species)
    n_others = (~named.isin(known)).sum()
    if n_others:
        _console.say(
            f"{counted(n_others, 'review is', 'reviews are')} of species that are left "
            "out, or were not predicted."
        )
    return table.assign(species=named.map(known)).dropna(subset="species")


def read_predictions(path, thresholds):
    """Read the probabilities of rows.

    Parameters
    ----------
    path : Path
        A folder of an archive run, or a table of rows.
    thresholds : DataFrame or None
        As `read_threshold_table` returns it: only its species are kept. None: all.

    Returns
    -------
    Predictions
    """
    import numpy as np

    read = _read_run if path.is_dir() else _read_table
    table, errors, others = read(path, thresholds)
    if {"species", "probability"} <= set(table.columns):
        raise ValueError(
            f"{path} was written with --min-proba or --top-species, which leave rows "
            "out: what was listened to is not known. Predict again without them."
        )
    if "species" in table.columns and "score" in table.columns:
        beside = path.with_name(f"{path.name}.parts")
        hint = f" Pass {beside}, which has them." if beside.is_dir() else ""
        raise ValueError(
            f"{path} lists events, and not the probabilities of rows, which say what "
            f"was listened to.{hint or ' Predict with --format parquet.'}"
        )
    species = _species_of(table)
    if thresholds is not None:
        if not species and others:
            raise ValueError(
                f"--thresholds has none of the species of {path}, which has "
                f"{list(map(str, others))[:5]}. Are the names the same?"
            )
        line_of = lines_of(species, thresholds, "--thresholds")
        lines = [line_of[str(name)] for name in species]
        n_unknown = len(thresholds) - len(lines)
        thresholds = thresholds.loc[lines].set_axis(map(str, species))
        _say_without(len(others), thresholds, n_unknown)
    if not species or not len(table):
        raise ValueError(f"{path} has no rows with probabilities of species.")
    proba = table[species].rename(columns=str)
    values = proba.to_numpy(dtype=float)
    if not ((values >= 0) & (values <= 1) | np.isnan(values)).all():
        wrong = proba.columns[
            ~((values >= 0) & (values <= 1) | np.isnan(values)).all(0)
        ]
        raise ValueError(
            f"{path} has values outside 0 and 1 in the column {wrong[0]!r}, which is "
            "no species, or has scores that are no probabilities. Take it out."
        )
    return Predictions(table[_KEYS], proba, errors, thresholds, len(others))


def recordings_of(predictions, sites, site_from, clock, folder, check_sound):
    """Say where and when the recordings of predictions were made.

    Parameters
    ----------
    predictions : Predictions
    sites : DataFrame
        As `read_sites` returns it.
    site_from : str
    clock : str or None
    folder : Path or None
        Where the recordings are looked for. None: where the predictions say.
    check_sound : bool
        Say which are usable.

    Returns
    -------
    DataFrame
        As `recording_times` makes it, with the paths of the predictions.
    """
    import pandas as pd

    from skbird.survey import mark_unusable, recording_times

    paths = list(dict.fromkeys([*predictions.X["path"], *predictions.errors["path"]]))
    zones = sites.drop_duplicates("site").set_index("site")["time_zone"]
    by_name = recording_times(
        pd.DataFrame({"path": paths, "duration_s": 0.0}), "UTC", site_from=site_from
    )
    unknown = by_name[~by_name["site"].isin(zones.index)]
    if len(unknown):
        other = "prefix" if site_from == "folder" else "folder"
        raise ValueError(
            f"{counted(len(unknown), 'recording is', 'recordings are')} of no site of "
            f"--sites, such as {unknown['path'].iloc[0]}, whose site would be "
            f"{unknown['site'].iloc[0]!r}. Its sites are {list(zones.index)[:5]}. "
            f"Correct the table, or pass --site-from {other}."
        )
    zone = by_name["site"].map(zones)
    files = paths if folder is None else _find(paths, folder, site_from)
    table = pd.DataFrame({"path": files, "site": by_name["site"], "time_zone": zone})
    times = recording_times(table, clock=clock, on_error="skip")
    ends = predictions.X.groupby("path")["end"].max().reindex(paths).to_numpy()
    is_gone = times["duration_s"].isna() & pd.notna(ends)
    if is_gone.any():
        assumed = sorted({*times.loc[is_gone, "assumed_clock"]} - {""})
        taken = (
            f" Their clocks are taken to be {', '.join(assumed)}." if assumed else ""
        )
        _console.say(
            f"{counted(is_gone.sum(), 'recording')} cannot be read now, such as "
            f"{times['path'][is_gone.idxmax()]}: how long they are is taken from their "
            f"rows, and headers tell no time and no zone.{taken} --recordings says "
            "where they lie."
        )
        times.loc[is_gone, "duration_s"] = ends[is_gone]
        times.loc[is_gone, "note"] = ""
    doubtful = times[(times["note"] != "") & times["duration_s"].notna()]
    if len(doubtful):
        _console.say(
            f"{counted(len(doubtful), 'recording has', 'recordings have')} a doubtful "
            f"time, such as {doubtful['path'].iloc[0]}: {doubtful['note'].iloc[0]}"
        )
    is_assumed = times["assumed_clock"].ne("") & times["duration_s"].notna() & ~is_gone
    if clock is None and is_assumed.any():
        zones = ", ".join(sorted(times.loc[is_assumed, "assumed_clock"].unique()))
        _console.say(
            f"Neither names nor headers of {counted(is_assumed.sum(), 'recording')} "
            "tell the zone of the clock, which is taken to be that of the site, "
            f"{zones}. If clocks were set to UTC, pass --clock UTC: hours are wrong "
            "otherwise."
        )
    if times["start_time"].isna().all():
        raise ValueError(
            f"No recording tells when it began, such as {paths[0]}. Names such as "
            "20240501_053000.WAV or SITE_20240501_053000.wav do, and headers of "
            "AudioMoths."
        )
    if check_sound:
        times = mark_unusable(times)
    return times.assign(path=paths)


def _find(paths, folder, site_from):
    """Return the files of a folder that paths stand for; of those without, the path."""
    from skbird.annotations import AudioFinder
    from skbird.audio import find_audio

    finder = AudioFinder(find_audio(folder)[0])
    files = []
    for path in paths:
        found, n_parts = finder.alike(path)
        has_folder = "/" in path.replace("\\", "/")
        # Recorders of all sites call their files alike.
        if not found or (site_from == "folder" and has_folder and n_parts < 2):
            files.append(path)
        else:
            files.append(finder.only(found, path, "--recordings"))
    return files


def _species_of(table):
    from pandas.api.types import is_bool_dtype, is_numeric_dtype

    return [
        name
        for name, column in table.items()
        if name not in (*_KEYS, *_NO_SPECIES)
        and is_numeric_dtype(column)
        and not is_bool_dtype(column)
    ]


def _without_line(table, thresholds):
    """Return the species of a table that have no line in the thresholds."""
    if thresholds is None or "species" in table.columns:  # which is refused
        return []
    species = _species_of(table)
    line_of = lines_of(species, thresholds, "--thresholds")
    return [name for name in species if str(name) not in line_of]


def _read_run(path, thresholds):
    import pandas as pd

    from skbird.archive import part_paths, read_part
    from skbird.data import read_plain_table
    from skbird.utils._parquet import to_frame

    parts = part_paths(path)
    if not parts:
        raise ValueError(
            f"{path} holds no probabilities. Pass the folder that `skbird predict "
            "--format parquet` wrote, or the folder .parts of another format."
        )
    # A pretrained model has thousands of species, which would not fit into memory.
    others = _without_line(to_frame(read_part(parts[0])), thresholds)
    tables = [to_frame(read_part(part).drop_columns(others)) for part in parts]
    table = pd.concat([t for t in tables if len(t)] or tables[:1], ignore_index=True)
    errors = path / "_errors.csv"
    left_out = None
    if errors.is_file():
        listed = read_plain_table(errors)
        left_out = listed[["path", "error"]].to_numpy().tolist()
    return table, _console.as_errors(left_out), others


def _read_table(path, thresholds):
    from skbird.data import read_rows

    table = read_rows(path)
    others = _without_line(table, thresholds)
    return table.drop(columns=others), _console.as_errors(None), others


def _say_without(n_without, thresholds, n_unknown):
    if n_without:
        _console.say(
            f"{n_without} species of the predictions have no line in --thresholds and "
            "are left out."
        )
    empty = list(thresholds.index[thresholds["threshold"].isna()])
    if empty:
        more = f" and {len(empty) - _SHOWN} more" if len(empty) > _SHOWN else ""
        _console.say(
            f"{len(empty)} species of --thresholds have an empty threshold, or inf, "
            f"and are left out: {', '.join(empty[:_SHOWN])}{more}."
        )
    if n_unknown:
        _console.say(f"{n_unknown} species of --thresholds were not predicted.")
