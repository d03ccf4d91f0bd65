"""Write the parts of an archive run as files of other programs."""

import os

import click

from skbird.cli import _console
from skbird.cli._outputs import check_file, check_folder
from skbird.utils._text import counted

_KEYS = ["path", "start", "end"]


def find_events(result, threshold, max_gap_s, columns=()):
    """Join the rows of an archive run to events, part by part.

    Parameters
    ----------
    result : ArchiveResult
        With a column per species.
    threshold, max_gap_s : float
        See :func:`skbird.annotations.proba_to_events`.
    columns : sequence of str
        Further columns of the rows. An event has those of the row it begins in.

    Returns
    -------
    events : DataFrame
    paths : list of str
        All recordings that could be read.
    """
    import pandas as pd

    from skbird.annotations import proba_to_events
    from skbird.archive import read_part
    from skbird.utils._parquet import to_frame

    events, paths = [], []
    for part in result.parts:
        table = to_frame(read_part(part))
        if not len(table):
            continue  # none of its files could be read
        keys = [*_KEYS, *columns]
        rows, proba = table[keys], table.drop(columns=keys)
        # Whole files are in a part, so that no event is cut.
        found = proba_to_events(proba, rows[_KEYS], threshold, max_gap_s)
        if len(columns):
            first = rows.drop(columns="end").drop_duplicates(["path", "start"])
            found = found.merge(first, on=["path", "start"], how="left")
        events.append(found)
        paths += rows["path"].unique().tolist()
    if not paths:
        texts = dict.fromkeys(["path", "species", *columns], object)
        numbers = {"start": float, "end": float, "score": float}
        events = [pd.DataFrame(columns=[*texts, *numbers]).astype(texts | numbers)]
    events = pd.concat(events, ignore_index=True)
    return events.assign(score=events["score"].round(4)), paths


def find_highest(result, columns=()):
    """Find the most likely row of an archive run.

    Parameters
    ----------
    result : ArchiveResult
        With a column per species.
    columns : sequence of str
        Further columns of the rows.

    Returns
    -------
    probability : float
        -1 if there are no rows.
    species : str or None
    """
    from skbird.archive import read_part

    highest = -1.0, None
    for part in result.parts:
        table = read_part(part).drop_columns([*_KEYS, *columns]).to_pandas()
        of_species = table.max()
        if len(table) and of_species.notna().any():
            highest = max(highest, (of_species.max(), of_species.idxmax()))
    return highest


def _csv(events, out, names, model):
    from skbird.annotations import write_boxes

    write_boxes(events, out)


def _birdnet(events, out, names, model):
    from skbird.annotations import write_birdnet

    write_birdnet(events, out)


def _raven(events, out, names, model):
    from skbird.annotations import write_raven
    from skbird.utils._nested import parts_of

    parts = parts_of(model)
    rates = [part.sample_rate for part in parts if hasattr(part, "sample_rate")]
    # Raven wants frequencies: those that the model hears.
    full_band_hz = rates[0] / 2 if rates else None
    write_raven(events, out, recordings=names, full_band_hz=full_band_hz)


def _audacity(events, out, names, model):
    from skbird.annotations import write_audacity

    write_audacity(events, out, recordings=names)


EVENTS = {"csv": _csv, "raven": _raven, "audacity": _audacity, "birdnet": _birdnet}
_ENDINGS = {"csv": (".csv", ".parquet"), "birdnet": (".csv",), "kaggle": (".csv",)}
TABLES = {"raven": ".Table.1.selections.txt", "audacity": ".txt"}
_LONGEST = 255  # bytes of a file's name, nearly everywhere


def check_out(out, format_):
    """Raise an error now if ``--out`` does not suit the format."""
    if format_ in _ENDINGS:
        check_file(out, *_ENDINGS[format_])
    else:
        check_folder(out)


def name_tables(format_, paths):
    """Say what to call the table of each recording.

    Parameters
    ----------
    format_ : str
    paths : list of str
        All recordings, so that no name depends on which of them can be read.

    Returns
    -------
    dict of str to str
        As :func:`skbird.annotations.write_raven` takes it; empty for formats of one
        file.
    """
    from skbird.annotations import annotation_names

    if format_ not in TABLES:
        return {}
    names = annotation_names(paths)
    for name in names.values():
        if len(os.fsencode(name + TABLES[format_])) > _LONGEST:
            raise click.UsageError(
                f"The name {name}{TABLES[format_]} of a table would have more than "
                f"{_LONGEST} bytes. Rename its recording, or choose another --format."
            )
    return names


def say_left_out_columns(format_, columns):
    """Say which further columns of a row table the format has no room for."""
    room = {"kaggle": ["row_id"], "audacity": []}.get(format_, columns)
    lost = [name for name in columns if name not in room]
    if lost:
        _console.say(
            f"Warning: --format {format_} has no room for the columns "
            f"{', '.join(lost)} of the table; csv, parquet, raven and birdnet keep "
            "them."
        )


def rehearse(format_, species, columns, model):
    """Write an event of each species now, to see what would fail after hours."""
    import tempfile
    from pathlib import Path

    import pandas as pd

    if format_ not in EVENTS:
        return
    keys = {"path": "a.wav", "start": 0.0, "end": 1.0, "score": 0.5}
    events = pd.DataFrame({"species": [str(name) for name in species]})
    events = events.assign(**keys, **dict.fromkeys(columns, "text"))
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) if format_ in TABLES else Path(folder, "events.csv")
        EVENTS[format_](events, place, {"a.wav": "a"}, model)


def write_nothing(submission, results, work_dir, out):
    """Write a submission of no recordings; what a competition may have at first."""
    work_dir.mkdir(parents=True, exist_ok=True)
    with results.folder() as folder:
        submission.write_nothing(folder / out.name)
    _console.say(f"No recordings to predict; wrote {out}")


class Submission:
    """A Kaggle submission, checked before the work.

    Parameters
    ----------
    rows : list of str or DataFrame
        The recordings, or the row table. Its column ``row_id`` names the lines, if
        there is one.
    species : sequence of str
        Those of the model.
    segment_s, step_s : float
        See :func:`skbird.data.segment_table`.
    like : Path or None
        ``sample_submission.csv``.

    Raises
    ------
    ValueError
        If rows or species are not those of `like`, or names of rows are not unique.
    """

    def __init__(self, rows, species, segment_s, step_s, like):
        import numpy as np
        import pandas as pd

        from skbird.annotations import ROW_ID, arrange, read_like, row_ids
        from skbird.data import segment_table

        if isinstance(rows, list):
            rows = segment_table(rows, segment_s, step_s, on_error="skip")
        named = ROW_ID in rows
        unread = rows["end"].isna() & (not named)
        names = row_ids(rows[~unread], (~unread).sum())
        self._like = None if like is None else read_like(like)
        if self._like is not None and len(rows):
            # How long an unreadable recording is, only the sample knows.
            names += _rows_of(
                rows["path"][unread], set(self._like[ROW_ID]) - set(names)
            )
        elif unread.any():
            _console.say(
                f"Warning: {counted(unread.sum(), 'recording')} cannot be opened: no "
                "rows in the submission. With --like they get probabilities of 0."
            )
        self._rows = pd.DataFrame({ROW_ID: names})
        self._species = [str(name) for name in species]
        empty = np.zeros((len(names), len(species)))
        arrange(empty, self._rows, like=self._like, species=species)

    def write(self, result, out):
        """Write the probabilities of an archive run; rows without any get 0."""
        from skbird.annotations import ROW_ID, row_ids, write_submission

        table = result.read()
        table.index = row_ids(table, len(table))
        proba = table[self._species].reindex(self._rows[ROW_ID])
        write_submission(proba, self._rows, out, like=self._like, fill_nan=0.0)

    def write_nothing(self, out):
        """Write a submission without predictions, as the sample has it."""
        import pandas as pd

        from skbird.annotations import write_submission

        proba = pd.DataFrame(columns=self._species, dtype=float)
        write_submission(proba, self._rows, out, like=self._like, fill_nan=0.0)


def _rows_of(paths, names):
    """Return the names of rows that are of these recordings."""
    from pathlib import Path

    stems = {Path(path).stem for path in paths}
    return sorted(name for name in names if name.rpartition("_")[0] in stems)
