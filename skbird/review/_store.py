"""What reviewers said, entry by entry, in an SQLite file."""

import sqlite3
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd

JUDGEMENTS = ("yes", "no", "uncertain", "other")
_APPLICATION_ID = 0x736B6272  # "skbr"
_VERSION = 1
_WAIT_S = 20.0  # for another process that is just writing
_SCHEMA = """
CREATE TABLE entries (
    entry INTEGER PRIMARY KEY,
    time TEXT NOT NULL,
    reviewer TEXT NOT NULL,
    recording TEXT NOT NULL,
    path TEXT NOT NULL,
    start REAL NOT NULL,
    "end" REAL,
    species TEXT NOT NULL,
    probability REAL NOT NULL,
    stratum INTEGER,
    stratum_size INTEGER,
    judgement TEXT CHECK (judgement IN ('yes', 'no', 'uncertain', 'other')),
    other_species TEXT,
    note TEXT NOT NULL,
    undoes INTEGER UNIQUE REFERENCES entries (entry),
    CHECK ((judgement IS NULL) <> (undoes IS NULL))
);
CREATE TABLE seed (seed INTEGER NOT NULL);
"""
_COLUMNS = [
    "entry",
    "time",
    "reviewer",
    "recording",
    "path",
    "start",
    "end",
    "species",
    "probability",
    "stratum",
    "stratum_size",
    "judgement",
    "other_species",
    "note",
    "undoes",
]
_NUMBERS = {
    "entry": np.int64,
    **dict.fromkeys(["start", "end", "probability"], np.float64),
    **dict.fromkeys(["stratum", "stratum_size", "undoes"], np.float64),
}
_NAMES = ", ".join(f'"{name}"' for name in _COLUMNS)


class ReviewStore:
    """The entries of an SQLite file: added, never changed.

    An entry is on the disk when a method returns: neither a killed process nor a power
    cut takes it back. Several processes may write at once. It is a single file, without
    a write-ahead log, which would not work on network drives.

    Parameters
    ----------
    path : str or path-like
        The file.
    make : bool, default=True
        Whether it is made if it is not there.

    Raises
    ------
    FileNotFoundError
        If it, or its folder, is not there.
    ValueError
        If it is no file of reviews, or of a newer skbird.
    """

    def __init__(self, path, *, make=True):
        self.path = Path(path)
        if not (self.path if not make else self.path.parent).exists():
            raise FileNotFoundError(
                f"There is no {'folder' if make else 'file'} "
                f"{self.path.parent if make else self.path}. "
                + ("Make it first." if make else "`skbird review` writes such a file.")
            )
        with self._opened() as database:
            self._check(database, make)

    def _check(self, database, make):
        def tell(pragma):
            return database.execute(f"PRAGMA {pragma}").fetchone()[0]

        if make and not tell("schema_version"):
            database.execute("BEGIN IMMEDIATE")
            if not tell("schema_version"):  # nor did another process, meanwhile
                for statement in filter(str.strip, _SCHEMA.split(";")):
                    database.execute(statement)
                seed = int(np.random.default_rng().integers(2**31))
                database.execute("INSERT INTO seed VALUES (?)", [seed])
                database.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
                database.execute(f"PRAGMA user_version = {_VERSION}")
            database.execute("COMMIT")
        if tell("application_id") != _APPLICATION_ID:
            raise ValueError(f"{self.path} is no file of reviews. Name another one.")
        if tell("user_version") != _VERSION:
            raise ValueError(
                f"{self.path} was written by a newer skbird, in version "
                f"{tell('user_version')} of the format; this one knows {_VERSION}. "
                "Install that skbird."
            )

    @property
    def seed(self):
        """The seed that was drawn when the file was made."""
        with self._opened() as database:
            return database.execute("SELECT seed FROM seed").fetchone()[0]

    def newest(self):
        """Return the number of the newest entry; 0: there are none."""
        with self._opened() as database:
            newest = database.execute("SELECT max(entry) FROM entries").fetchone()[0]
        return newest or 0

    def add(self, reviewer, detection, judgement, other_species=None, note=""):
        """Write a judgement.

        Parameters
        ----------
        reviewer : str
        detection : dict
            ``recording`` (its name for all sessions), ``path`` (as it was predicted),
            ``start``, ``end``, ``species``, ``probability``, and ``stratum`` and
            ``stratum_size``, which are None if it was not chosen by chance.
        judgement : {"yes", "no", "uncertain", "other"}
        other_species : str, default=None
        note : str, default=""

        Returns
        -------
        int
            The number of the entry.

        Raises
        ------
        OSError
            If it cannot be written; then it is not there.
        """
        said = {"judgement": judgement, "other_species": other_species, "note": note}
        with self._writing() as database:
            return _insert(database, reviewer, detection | said | {"undoes": None})

    def undo(self, reviewer, is_own):
        """Take back the last judgement of a reviewer that is not taken back yet.

        Parameters
        ----------
        reviewer : str
        is_own : callable
            Tells of an entry, a dict, whether it may be taken back.

        Returns
        -------
        dict or None
            The entry that was taken back; None if there is none.

        Raises
        ------
        OSError
            If it cannot be written.
        """
        with self._writing() as database:
            found = database.execute(
                f"SELECT {_NAMES} FROM entries WHERE reviewer = ? AND undoes IS NULL "
                "AND entry NOT IN (SELECT undoes FROM entries WHERE undoes NOT NULL) "
                "ORDER BY entry DESC",
                [reviewer],
            )
            entries = (dict(zip(_COLUMNS, values, strict=True)) for values in found)
            last = next(filter(is_own, entries), None)
            if last is not None:
                taken_back = {"judgement": None, "other_species": None, "note": ""}
                undoing = {"undoes": last["entry"]} | taken_back
                _insert(database, reviewer, last | undoing)
        return last

    def entries(self, after=0):
        """Return entries in the order in which they were written.

        Parameters
        ----------
        after : int, default=0
            Only those with a higher number.

        Returns
        -------
        DataFrame
        """
        with self._opened() as database:
            found = database.execute(
                f"SELECT {_NAMES} FROM entries WHERE entry > ? ORDER BY entry", [after]
            ).fetchall()
        return pd.DataFrame(found, columns=_COLUMNS, dtype=object).astype(_NUMBERS)

    @contextmanager
    def _writing(self):
        with self._opened("this review is not stored") as database:
            database.execute("BEGIN IMMEDIATE")
            yield database
            database.execute("COMMIT")

    @contextmanager
    def _opened(self, harm="nothing was read"):
        try:
            # Closing it takes back what was not committed.
            with closing(
                sqlite3.connect(self.path, timeout=_WAIT_S, isolation_level=None)
            ) as database:
                database.execute("PRAGMA synchronous = EXTRA")
                yield database
        except sqlite3.OperationalError as exc:
            raise OSError(
                f"{self.path}: {exc}; {harm}. See to it that the disk has room, that "
                "you may write there and that no other program holds the file, and "
                "try again."
            ) from exc
        except sqlite3.DatabaseError as exc:
            raise ValueError(
                f"{self.path} is no file of reviews, or damaged: {exc}. Name another "
                "one."
            ) from exc


def _insert(database, reviewer, entry):
    entry = {
        **entry,
        "entry": None,
        "time": datetime.now(UTC).isoformat(timespec="microseconds"),
        "reviewer": reviewer,
    }
    marks = ", ".join("?" * len(_COLUMNS))
    values = [entry[name] for name in _COLUMNS]
    return database.execute(
        f"INSERT INTO entries ({_NAMES}) VALUES ({marks})", values
    ).lastrowid
