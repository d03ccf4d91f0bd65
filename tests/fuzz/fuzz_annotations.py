"""Tables of annotations and labels: bytes, cells and structure of all sorts."""

from pathlib import Path

import numpy as np
import pandas as pd
import soundfile
from fuzz_worker import Failure, Refused, mutate, refusals

from skbird.annotations import (
    boxes_to_rows,
    read_audacity,
    read_birdnet,
    read_boxes,
    read_raven,
    read_submission,
    write_audacity,
    write_birdnet,
    write_boxes,
    write_raven,
    write_submission,
)
from skbird.datasets import load_birdclef, load_recordings

CELLS = (
    *("", " ", "nan", "NaN", "inf", "-inf", "1e400", "-1", "0", "1e-400", "1,5"),
    *("9" * 400, "1" + "0" * 5000, "٣", "１", "½", "1_000", "1.2.3", "--1", "=1+1"),
    *("@cmd", "a\0b", "\ufeff", "\u200b", "é", "e\u0301", "🐦", "'", '"', '""', "`"),
    *("[" * 3000, "['a'", "[1, 2]", "{'a': 1}", "__import__('os')", "None", "True"),
    *("../../etc/passwd", "C:\\x\\y.wav", "a" * 9000, "\u2028", "\x85", "\x1c", "<b>"),
)
SEPARATORS = ("\t", ",", ";", "|", " ")
ENCODINGS = ("utf-16", "utf-16-le", "latin-1", "cp1252", "utf-8-sig", "utf-32", "utf-7")


def prepare(folder):
    """Write a table in each format; return its bytes, name and reader."""
    folder.mkdir()
    audio = folder / "a.wav"
    soundfile.write(audio, np.zeros(16_000 * 10), 16_000)
    boxes = pd.DataFrame(
        {
            "path": [str(audio)] * 3,
            "start": [0.5, 2.0, 7.25],
            "end": [1.0, 4.0, 7.5],
            "low_hz": [500.0, 800.0, 1000.0],
            "high_hz": [1500.0, 2800.0, 3000.0],
            "species": ["wren", "dove", "Pica pica"],
            "score": [0.5, 0.25, 1.0],
        }
    )
    write_raven(boxes, folder / "raven")
    write_audacity(boxes, folder / "audacity")
    write_birdnet(boxes, folder / "birdnet.csv")
    write_boxes(boxes, folder / "boxes.csv")
    write_boxes(boxes, folder / "boxes.parquet")
    rows = pd.DataFrame({"path": [str(audio)] * 2, "end": [5.0, 10.0]})
    proba = [[0.1, 0.2], [0.9, 1.0]]
    write_submission(proba, rows, folder / "submission.csv", species=["wren", "dove"])
    labels = pd.DataFrame(
        {
            "path": ["a.wav", "a.wav"],
            "primary_label": ["wren", "dove"],
            "secondary_labels": ["['dove']", "[]"],
            "start": [0.0, 5.0],
            "end": [5.0, 10.0],
        }
    )
    labels.to_csv(folder / "labels.csv", index=False)
    labels.to_parquet(folder / "labels.parquet", index=False)
    birdclef = labels.rename(columns={"path": "filename"})
    birdclef[["filename", "primary_label", "secondary_labels"]].to_csv(
        folder / "train.csv", index=False
    )
    made = {
        "raven": (next((folder / "raven").iterdir()), read_raven),
        "audacity": (next((folder / "audacity").iterdir()), read_audacity),
        "birdnet": (folder / "birdnet.csv", read_birdnet),
        "boxes": (folder / "boxes.csv", read_boxes),
        "parquet": (folder / "boxes.parquet", read_boxes),
        "submission": (folder / "submission.csv", read_submission),
        "labels": (folder / "labels.csv", load_recordings),
        "labels parquet": (folder / "labels.parquet", load_recordings),
        "birdclef": (folder / "train.csv", read_train),
    }
    formats = {k: (path.name, path.read_bytes(), r) for k, (path, r) in made.items()}
    return formats, audio


def read_train(path):
    return load_birdclef(Path(path).parent)


def run(prepared, rng, place, story):
    formats, audio = prepared
    kind = str(rng.choice(list(formats)))
    name, data, reader = formats[kind]
    story.append(kind)
    data = spoil(data, rng, story, is_text=not name.endswith("parquet"))
    path = place / name
    path.write_bytes(data)
    (place / "a.wav").symlink_to(audio)
    if kind == "birdclef":
        (place / "train_audio").mkdir()
        (place / "train_audio" / "a.wav").symlink_to(audio)
    try:
        with refusals(name, str(place)):
            found = reader(path)
        check(kind, found)
        if "boxes" in kind or kind in ("raven", "audacity", "birdnet", "parquet"):
            with refusals():
                use(found)
    except Refused:
        return "refused"
    return "right"


def use(boxes):
    rows = pd.DataFrame({"path": boxes["path"].iloc[:1]})
    rows = pd.concat([rows, rows], ignore_index=True)
    rows["start"], rows["end"] = [0.0, 5.0], [5.0, 10.0]
    if len(boxes):
        _, Y = boxes_to_rows(boxes, rows)
        if not ((Y >= 0) & (Y <= 1)).to_numpy().all():
            raise Failure("wrong", "targets outside [0, 1]")


def check(kind, found):
    if kind == "submission":
        values = found.to_numpy(float)
        if np.isinf(values).any():
            raise Failure("wrong", "infinite probabilities")
        return
    if not isinstance(found, pd.DataFrame):
        return
    for column in ("start", "end"):
        values = found[column].to_numpy(float)
        if not (np.isfinite(values).all() and (values >= 0).all()):
            raise Failure("wrong", f"{column} is negative, infinite or NaN")
    if not (found["end"] >= found["start"]).all():
        raise Failure("wrong", "boxes end before they start")


def spoil(data, rng, story, is_text):
    if not is_text or rng.random() < 0.35:
        return mutate(data, rng, story)
    way = TEXT_WAYS[rng.integers(len(TEXT_WAYS))]
    story.append(way.__name__)
    return way(data, rng)


def _lines(data):
    text = data.decode()
    separator = "\t" if "\t" in text else ","
    return [line.split(separator) for line in text.splitlines()], separator


def _text(lines, separator, ending="\n"):
    return (ending.join(separator.join(line) for line in lines) + ending).encode(
        "utf-8", "surrogatepass"
    )


def cells(data, rng):
    """Put strange values into cells, the header included, now and then quoted."""
    lines, separator = _lines(data)
    for _ in range(int(rng.integers(1, 4))):
        line = lines[rng.integers(len(lines))]
        value = CELLS[rng.integers(len(CELLS))]
        if rng.random() < 0.3:
            value = '"' + value + '"'
        line[rng.integers(len(line))] = value
    return _text(lines, separator)


def columns(data, rng):
    """Drop, double or swap columns, or cut a line short."""
    lines, separator = _lines(data)
    way, column = int(rng.integers(4)), int(rng.integers(len(lines[0])))
    for line in lines:
        if way == 0 and len(line) > column:
            del line[column]
        elif way == 1:
            line.append(line[min(column, len(line) - 1)])
        elif way == 2:
            line[0], line[-1] = line[-1], line[0]
    if way == 3:
        short = lines[rng.integers(len(lines))]
        del short[column:]
    return _text(lines, separator)


def separators(data, rng):
    lines, _ = _lines(data)
    return _text(lines, str(rng.choice(SEPARATORS)))


def endings(data, rng):
    lines, separator = _lines(data)
    ending = ("\r", "\r\n", "\n\n", "\x0b", "\0")[rng.integers(5)]
    return _text(lines, separator, ending)


def encoding(data, rng):
    text = data.decode().replace("wren", "Mönchsgrasmücke")
    return text.encode(str(rng.choice(ENCODINGS)), "replace")


def many_lines(data, rng):
    lines, separator = _lines(data)
    return _text(lines[:1] + lines[1:] * 300, separator)


def header_only(data, rng):
    lines, separator = _lines(data)
    return _text(lines[:1], separator)


def header_missing(data, rng):
    lines, separator = _lines(data)
    return _text(lines[1:], separator)


def header_twice(data, rng):
    lines, separator = _lines(data)
    return _text([lines[0], *lines], separator)


def other_file(data, rng):
    """Something else altogether."""
    things = [
        *(b"", b"\n", b"\0" * 100, rng.bytes(1000), b"PAR1", b"PK\x03\x04"),
        *(b"\xff\xfe", b'{"a": [1, 2]}', b"<html></html>", b'"' * 99, b"," * 9999),
    ]
    return things[rng.integers(len(things))]


TEXT_WAYS = (
    *(cells,) * 8,
    *(columns, columns, separators, endings, encoding, encoding, many_lines),
    *(header_only, header_missing, header_twice, other_file),
)
