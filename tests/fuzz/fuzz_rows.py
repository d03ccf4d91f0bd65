"""Row tables: columns, cells and paths of all sorts, beside good rows."""

import os

import fuzz_audio
import numpy as np
import pandas as pd
import soundfile
from fuzz_worker import Failure, Refused, refusals

from skbird.data import check_rows, recording_weights, segment_table
from skbird.preprocessing import LogMel

VALUES = (
    *(np.nan, np.inf, -np.inf, -1.0, 0.0, 1e-9, 1e300, -1e300, 2.5, 3.0001, 10**30),
    *("1", "1,5", "abc", "", None, True, pd.NA, pd.NaT, pd.Timestamp("2024-01-01")),
    *((1, 2), [0.5], {"a": 1}, np.array([1.0, 2.0]), b"1", 1j, pd.Timedelta("1s")),
)
LOGMEL = LogMel(8, hop_length=1024, on_error="skip", n_jobs=1, verbose=0)


def prepare(folder):
    """Write a good file and say what a clean run makes of its rows."""
    folder.mkdir()
    path = folder / "good.wav"
    soundfile.write(path, fuzz_audio.sound(1), fuzz_audio.RATE)
    rows = pd.DataFrame({"path": [str(path)] * 3, "start": [0.0, 1.0, 2.0]})
    rows["end"] = rows["start"] + 1
    rows["collection"] = ["XC", "iNat", "XC"]
    return rows, [np.array(frames) for frames in LOGMEL.transform(rows)]


def bad_paths(place):
    (place / "folder").mkdir()
    (place / "text.wav").write_text("no sound")
    (place / "empty.wav").write_bytes(b"")
    os.mkfifo(place / "pipe.wav")
    return [
        *("", ".", "/", "missing.wav", "a\0b.wav", "x" * 5000, "a" * 300 + ".wav"),
        *("\udcff.wav", "~/x.wav", "http://a.b/c.wav", "a\nb.wav", "..\\c.wav", "-"),
        *(str(place / name) for name in ("folder", "text.wav", "empty.wav")),
        *(place, None, 3, 2.5, np.nan, b"bytes.wav", ("a.wav",), True),
        *("/dev/null", str(place / "text.wav") + "/"),
    ]


def run(prepared, rng, place, story):
    rows, clean = prepared
    table = rows.copy()
    change = CHANGES[rng.integers(len(CHANGES))]
    story.append(change.__name__)
    table, n_good = change(table, rng, place, story)
    try:
        with refusals():
            call = rng.integers(4)
            if call == 1 and isinstance(getattr(table, "path", None), pd.Series):
                return segments(table, story)
            if call == 2:
                check_rows(table)
            if call == 3:
                weigh(table, rng)
            found = LOGMEL.transform(table)
    except Refused:
        return "refused"
    if len(found) != len(table):
        raise Failure("rows lost", f"{len(found)} of {len(table)}")
    for row in range(n_good):
        if not np.array_equal(np.array(found[row]), clean[row]):
            raise Failure("good rows lost", "beside bad rows")
    return "nan" if len(found.errors) else "right"


def segments(table, story):
    story.append("segment_table")
    paths = table["path"]
    found = segment_table(list(paths.unique()), on_error="skip")
    if not (found["start"] >= 0).all():
        raise Failure("wrong", "rows start before 0")
    return "right"


def weigh(table, rng):
    labels = pd.DataFrame({"wren": np.ones(len(table)), "dove": 0.0})
    power = float(rng.choice([0, -0.5, -1, -50]))
    collection = {"XC": 0.5} if rng.random() < 0.5 else None
    weights = recording_weights(table, labels, class_power=power, collection=collection)
    if not np.isfinite(weights).all():
        raise Failure("wrong", "weights are not finite")


def another_value(table, rng, place, story):
    """One more row, with a strange start or end."""
    column = str(rng.choice(["start", "end", "collection"]))
    value = VALUES[rng.integers(len(VALUES))]
    story.append(f"{column}={value!r}")
    table = pd.concat([table, table.iloc[[1]]], ignore_index=True)
    table[column] = table[column].astype(object)
    table.at[3, column] = value
    return table, 3


def another_path(table, rng, place, story):
    paths = bad_paths(place)
    path = paths[rng.integers(len(paths))]
    if rng.random() < 0.005:
        path = [str(place / "pipe.wav"), "/dev/zero"][rng.integers(2)]
    story.append(f"path={str(path)[:40]!r}")
    table = pd.concat([table, table.iloc[[1]]], ignore_index=True)
    table["path"] = table["path"].astype(object)
    table.at[3, "path"] = path
    return table, 3


def another_type(table, rng, place, story):
    column = str(rng.choice(["path", "start", "end"]))
    types = ["object", "string", "category", "bool", "complex", "int64", "Float64"]
    kind = str(rng.choice(types))
    story.append(f"{column} as {kind}")
    try:
        table[column] = table[column].astype(kind)
    except (TypeError, ValueError):
        return table, 3
    return table, 0


def other_columns(table, rng, place, story):
    """Columns twice, of several levels, missing, not text."""
    way = int(rng.integers(6))
    story.append(str(way))
    if way == 0:
        name = str(rng.choice(["path", "start", "end"]))
        table.insert(1, name, table[name], allow_duplicates=True)
    elif way == 1:
        table.columns = pd.MultiIndex.from_product([["a"], table.columns])
    elif way == 2:
        table.columns = [str(c).upper() for c in table]
    elif way == 3:
        table = table.drop(columns=[str(rng.choice(["path", "start", "end"]))])
    elif way == 4:
        table.columns = [0, *table.columns[1:]]
    else:
        table[("a", "b")] = 1
    return table, 0


def another_index(table, rng, place, story):
    way = int(rng.integers(4))
    indexes = [
        [5, 5, 5],
        [np.nan, None, "a"],
        pd.MultiIndex.from_tuples([(1, 2), (1, 2), (3, 4)]),
        pd.to_datetime(["2024-01-01"] * 3),
    ]
    story.append(str(way))
    return table.set_axis(indexes[way], axis=0), 3


def another_container(table, rng, place, story):
    """What is no table."""
    path = table["path"].iloc[0]
    things = [
        *(path, [path], {path: 1}, iter([path]), np.array([[path]]), 5, None, [[path]]),
        *(pd.Series([path]), pd.Index([path]), table.to_dict(), table.to_numpy()),
        *([], {}, "", np.array([]), [None], [np.nan], {path}, pd.DataFrame()),
    ]
    number = int(rng.integers(len(things)))
    story.append(type(things[number]).__name__)
    thing = things[number]
    if not hasattr(thing, "__len__"):
        return Sized(thing), 0
    return thing, 0


class Sized:
    """Something without rows that has a length, for the comparison."""

    def __init__(self, thing):
        self.thing = thing

    def __len__(self):
        return 0


def no_rows(table, rng, place, story):
    return table.iloc[:0], 0


CHANGES = (
    *(another_value,) * 6,
    *(another_path,) * 6,
    *(another_type,) * 2,
    *(other_columns, another_index, another_container, no_rows),
)
