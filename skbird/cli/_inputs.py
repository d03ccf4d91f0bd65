"""The input of ``predict``: recordings, or the rows of a table."""

from dataclasses import dataclass, field

import click

from skbird.cli import _console
from skbird.utils._text import counted

# Columns that results have of their own.
_OWN = ("species", "probability", "score", "low_hz", "high_hz", "Common name")
_KEYS = ("path", "start", "end")


@dataclass
class Inputs:
    """Recordings, and their rows if a table names them.

    Attributes
    ----------
    paths : list of str
        The recordings, each once.
    left_out : DataFrame
        ``path`` and ``error`` of what cannot be listed.
    table : DataFrame or None
        The row table.
    """

    paths: list
    left_out: object = field(default_factory=lambda: _console.as_errors(None))
    table: object = None

    @property
    def is_cut(self):
        """True if the table lists rows; False if recordings are to be cut."""
        return (
            self.table is not None
            and (self.table["end"].notna() | (self.table["start"] > 0)).any()
        )

    @property
    def columns(self):
        """The further columns of the table."""
        columns = [] if self.table is None else self.table.columns
        return [name for name in columns if name not in _KEYS]

    def rows(self, species, segment_s, step_s):
        """Return what `predict_archive` takes: paths, or rows with further columns.

        Parameters
        ----------
        species : sequence of str
            Names of the model's species. Further columns with the same names are
            renamed, with a warning.
        segment_s, step_s : float
            For recordings that the table has whole.

        Returns
        -------
        list of str or DataFrame
        """
        if self.table is None:
            return self.paths
        self._rename({*_OWN, *map(str, species)})
        if self.is_cut:
            return _with_ends(self.table)
        if not len(self.table):
            return self.table
        from skbird.data import segment_table

        cut = segment_table(self.paths, segment_s, step_s, on_error="skip")
        return cut.merge(self.table.drop(columns=["start", "end"]), on="path")

    def _rename(self, taken):
        taken = {*taken, *_KEYS}
        free = {str(name) for name in self.columns} - taken
        names = {}
        for name in self.columns:
            new = str(name)
            while new in taken or (new != str(name) and new in free):
                new = f"row_{new}"
            taken.add(new)
            names[name] = new
            if new != str(name):
                _console.say(
                    f"Warning: the column {name!r} of the table is {new!r} in the "
                    "results, where species or scores are called so."
                )
        self.table = self.table.rename(columns=names)


def _with_ends(rows):
    """Return rows that all have an end: that of the recording where none is given."""
    from skbird.audio import AudioReadError, read_headers

    paths = rows["path"][rows["end"].isna()].unique()
    headers = zip(paths, read_headers(paths), strict=True)
    duration_s = {
        path: header.duration_s
        for path, header in headers
        if not isinstance(header, AudioReadError)
    }
    end = rows["end"].fillna(rows["path"].map(duration_s).astype(float))
    # What begins behind the end of its recording is an error, which the run lists.
    return rows.assign(end=end.where(end > rows["start"]))


def read_inputs(arguments, *, may_be_empty=False):
    """Return what the arguments of ``predict`` name.

    Parameters
    ----------
    arguments : sequence of Path
        Folders and files; or a single row table.
    may_be_empty : bool
        Whether a folder may hold no recordings.

    Returns
    -------
    Inputs
    """
    from skbird.data import TABLE_SUFFIXES

    is_table = [
        path.suffix.lower() in TABLE_SUFFIXES and not path.is_dir()
        for path in arguments
    ]
    if not any(is_table):
        return _list_files(arguments, may_be_empty)
    if len(arguments) > 1:
        raise click.UsageError(
            f"{arguments[is_table.index(True)]} is a table of rows, which goes alone: "
            "name its recordings there, or join the tables."
        )
    return _read_table(arguments[0], may_be_empty)


def _read_table(path, may_be_empty):
    from skbird.data import read_rows

    table = read_rows(path)
    if not len(table) and not may_be_empty:
        raise ValueError(f"{path} has no rows.")
    inputs = Inputs(table["path"].unique().tolist(), table=table)
    if not inputs.is_cut and len(inputs.paths) < len(table):
        twice = table["path"][table["path"].duplicated()].iloc[0]
        raise ValueError(
            f"{path} names {twice} more than once. Without start and end, a line is of "
            "a whole recording: keep one of each, or fill in start and end."
        )
    return inputs


def _list_files(arguments, may_be_empty):
    """Return the files that are named and those of folders, and what is left out."""
    from skbird.audio import drop_links, find_audio

    paths, left_out = [], []
    for path in arguments:
        if not path.is_dir():
            paths.append(str(path))
            continue
        try:
            found, missing = find_audio(path)
        except ValueError as exc:
            if not may_be_empty:
                raise
            _console.say(f"Warning: {exc}")
            continue
        paths += found
        left_out += missing
    once = drop_links(paths)
    if len(once) < len(paths):
        _console.say(
            f"{counted(len(paths) - len(once), 'recording is', 'recordings are')} "
            "named twice, perhaps through links, and predicted once."
        )
    return Inputs(once, _console.as_errors(left_out))
