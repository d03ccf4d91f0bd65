"""What reviewers said, entry by entry, in an SQLite file."""

import math
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
_STATEMENTS = [sql.strip() for sql in _SCHEMA.split(";") if sql.strip()]
_NOTHING = type(None)
_KINDS = {
    "entry": int,
    "time": str,
    "reviewer": str,
    "recording": str,
    "path": str,
    "start": float,
    "end": (float, _NOTHING),
    "species": str,
    "probability": float,
    "stratum": (int, _NOTHING),
    "stratum_size": (int, _NOTHING),
    "judgement": (str, _NOTHING),
    "other_species": (str, _NOTHING),
    "note": str,
    "undoes": (int, _NOTHING),
}
_COLUMNS = [*_KINDS]
_NUMBERS = {
    "entry": np.int64,
    **dict.fromkeys(["start", "end", "probability"], np.float64),
    **dict.fromkeys(["stratum", "stratum_size", "undoes"], np.float64),
}
_NAMES = ", ".join(f'"{name}"' for name in _COLUMNS)
_LONGEST = 1_000_000  # bytes of a row
_AT_ONCE = 1000  # entries
_MOST_ENTRIES = 2**53  # that a float can number


class ReviewStore:
    """The entries of an SQLite file: added, never changed but for their bands.

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
        with self._opened(make=make):
            pass

    def _make(self, database):
        if _tell(database, "schema_version"):
            return
        database.execute("BEGIN IMMEDIATE")
        if not _tell(database, "schema_version"):  # nor did another process, meanwhile
            for statement in _STATEMENTS:
                database.execute(statement)
            seed = int(np.random.default_rng().integers(2**31))
            database.execute("INSERT INTO seed VALUES (?)", [seed])
            database.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
            database.execute(f"PRAGMA user_version = {_VERSION}")
        database.execute("COMMIT")

    def _check(self, database):
        if _tell(database, "application_id") != _APPLICATION_ID:
            raise ValueError(f"{self.path} is no file of reviews. Name another one.")
        version = _tell(database, "user_version")
        if version != _VERSION:
            raise ValueError(
                f"{self.path} was written by a newer skbird, in version {version} of "
                f"the format; this one knows {_VERSION}. Install that skbird."
            )
        # Triggers and views would run what somebody else wrote.
        held = database.execute(
            "SELECT sql FROM sqlite_master WHERE sql NOT NULL "
            "AND NOT (type = 'table' AND name LIKE 'sqlite!_stat%' ESCAPE '!')"
        )
        if {sql for (sql,) in held} != set(_STATEMENTS):
            raise ValueError(
                f"{self.path} has other tables, views, indexes or triggers than a file "
                "of reviews. Take them out, or name another one."
            )

    @property
    def seed(self):
        """The seed that was drawn when the file was made."""
        with self._opened() as database:
            seed = database.execute("SELECT seed FROM seed").fetchone()
        if seed is None or not isinstance(seed[0], int):
            raise self._damaged("it has no seed")
        return seed[0]

    def newest(self):
        """Return the number and the time of the newest entry; (0, ""): none."""
        with self._opened() as database:
            newest = database.execute(
                "SELECT entry, time FROM entries ORDER BY entry DESC LIMIT 1"
            ).fetchone()
        return newest or (0, "")

    def has(self, entry, time):
        """Return whether there is an entry with this number and time."""
        with self._opened() as database:
            found = database.execute(
                "SELECT 1 FROM entries WHERE entry = ? AND time = ?", [entry, time]
            )
            return found.fetchone() is not None

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

    def place_in_bands(self, bands):
        """Say anew in which bands detections are, as there are other detections now.

        Parameters
        ----------
        bands : list of (stratum, stratum_size, entry)

        Raises
        ------
        OSError
            If it cannot be written; then all stay as they were.
        """
        with self._writing() as database:
            database.executemany(
                "UPDATE entries SET stratum = ?, stratum_size = ? WHERE entry = ?",
                bands,
            )

    def undo(self, reviewer, is_own):
        """Take back the last judgement of a reviewer that is not taken back yet.

        Parameters
        ----------
        reviewer : str
        is_own : callable
            Tells of entries, a DataFrame, whether they may be taken back.

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
            while some := found.fetchmany(_AT_ONCE):
                own = np.flatnonzero(is_own(self._as_frame(some)))
                if len(own):
                    last = dict(zip(_COLUMNS, some[own[0]], strict=True))
                    taken_back = {"judgement": None, "other_species": None, "note": ""}
                    undoing = {"undoes": last["entry"]} | taken_back
                    _insert(database, reviewer, last | undoing)
                    return last
        return None

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
        return self._as_frame(found)

    def _as_frame(self, found):
        for values in found:
            if not _is_entry(dict(zip(_COLUMNS, values, strict=True))):
                raise self._damaged(f"entry {values[0]!r:.60} is none that was written")
        return pd.DataFrame(found, columns=_COLUMNS, dtype=object).astype(_NUMBERS)

    @contextmanager
    def _writing(self):
        with self._opened("this review is not stored") as database:
            database.execute("BEGIN IMMEDIATE")
            yield database
            database.execute("COMMIT")

    @contextmanager
    def _opened(self, harm="nothing was read", *, make=False):
        if not make and not self.path.exists():  # SQLite would make an empty one
            raise FileNotFoundError(
                f"{self.path} is not there any more; {harm}. Put it back, or begin "
                "anew."
            )
        try:
            # Closing it takes back what was not committed.
            with closing(
                sqlite3.connect(self.path, timeout=_WAIT_S, isolation_level=None)
            ) as database:
                database.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _LONGEST)
                database.execute("PRAGMA synchronous = EXTRA")
                database.execute("PRAGMA trusted_schema = OFF")
                if make:
                    self._make(database)
                self._check(database)
                yield database
        except sqlite3.OperationalError as exc:
            raise OSError(
                f"{self.path}: {exc}; {harm}. See to it that the disk has room, that "
                "you may write there and that no other program holds the file, and "
                "try again."
            ) from exc
        except sqlite3.DatabaseError as exc:
            raise self._damaged(exc) from exc

    def _damaged(self, why):
        return ValueError(
            f"{self.path} is no file of reviews, or damaged: {why}. Name another one."
        )


def _tell(database, pragma):
    return database.execute(f"PRAGMA {pragma}").fetchone()[0]


def _is_entry(entry):
    """Return whether a method of `ReviewStore` can have written an entry."""
    if not all(isinstance(entry[name], kind) for name, kind in _KINDS.items()):
        return False
    try:
        datetime.fromisoformat(entry["time"])
    except ValueError:
        return False
    judged = entry["judgement"] in JUDGEMENTS
    undone = entry["judgement"] is None and entry["undoes"] is not None
    size = entry["stratum_size"]
    return (
        ((judged and entry["undoes"] is None) or undone)
        and 0 < entry["entry"] < _MOST_ENTRIES
        and 0 <= entry["probability"] <= 1
        and 0 <= entry["start"] < math.inf
        and (size is None) == (entry["stratum"] is None)
        and (size is None or size >= 1)
    )


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
