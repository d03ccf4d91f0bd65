"""Folders of `predict_archive`: parts and notes damaged between two runs."""

import shutil

import fuzz_audio
import numpy as np
import pandas as pd
import soundfile
from fuzz_worker import Failure, Refused, mutate, refusals

from skbird.archive import predict_archive
from skbird.utils.estimator_checks import LevelClassifier


def prepare(folder):
    """Predict an archive of four blocks."""
    folder.mkdir()
    audio = folder / "audio"
    audio.mkdir()
    for seed in range(4):
        soundfile.write(audio / f"{seed}.wav", fuzz_audio.sound(seed), fuzz_audio.RATE)
    paths = sorted(str(path) for path in audio.iterdir())
    Y = pd.DataFrame(np.eye(2)[[0, 1, 0, 1]], columns=["wren", "dove"])
    model = LevelClassifier(random_state=0).fit(paths, Y)
    return folder / "out", paths, model, predict(model, paths, folder / "out")


def predict(model, paths, out):
    options = {"segment_s": 1.0, "block_s": 3.0, "verbose": 0}
    table = predict_archive(model, paths, out, **options).read()
    return table.sort_values(["path", "start"], ignore_index=True)


def run(prepared, rng, place, story):
    good, paths, model, clean = prepared
    out = place / "out"
    shutil.copytree(good, out)
    files = sorted(path for path in out.rglob("*") if path.is_file())
    for _ in range(int(rng.integers(1, 3))):
        path = files[rng.integers(len(files))]
        if path.is_file():
            way = WAYS[rng.integers(len(WAYS))]
            story.append(f"{way.__name__} {path.name}")
            way(path, files, rng, story)
    try:
        with refusals(str(out), *(path.name for path in files)):
            found = predict(model, paths, out)
    except Refused:
        return "refused"
    try:
        pd.testing.assert_frame_equal(found, clean)
    except AssertionError as exc:
        reason = str(exc).splitlines()[0]
        raise Failure("wrong", f"another table | {reason}") from exc
    return "same"


def bytes_of(path, files, rng, story):
    path.write_bytes(mutate(path.read_bytes(), rng, story))


def exchanged(path, files, rng, story):
    other = files[rng.integers(len(files))]
    if other.is_file():
        one, two = path.read_bytes(), other.read_bytes()
        path.write_bytes(two), other.write_bytes(one)


def text(path, files, rng, story):
    """Change numbers and words of notes."""
    data = path.read_bytes()
    pairs = [
        *((b"0", b"1"), (b"1", b"999999999999999999999"), (b":", b"="), (b"{", b"[")),
        *((b"true", b"false"), (b"null", b"NaN"), (b'"', b""), (b"wren", b"\\ud800")),
        *((b"[", b"[" * 50_000), (b"wav", b"xyz"), (b"}", b"")),
    ]
    old, new = pairs[rng.integers(len(pairs))]
    path.write_bytes(data.replace(old, new, int(rng.integers(1, 3))))


def emptied(path, files, rng, story):
    path.write_bytes(b"")


def gone(path, files, rng, story):
    path.unlink()


def folder(path, files, rng, story):
    path.unlink()
    path.mkdir()


def another_part(path, files, rng, story):
    if path.suffix == ".parquet":
        try:
            table = pd.read_parquet(path)
        except (OSError, ValueError):  # damaged before
            return
        table.iloc[0], table.iloc[-1] = table.iloc[-1].copy(), table.iloc[0].copy()
        table.to_parquet(path)


def added(path, files, rng, story):
    path.with_name("part-000009.parquet").write_bytes(path.read_bytes())


def leftover(path, files, rng, story):
    path.with_name(path.name + ".0123.part").write_bytes(b"half")


WAYS = (
    *(bytes_of,) * 6,
    *(exchanged, text, text, emptied, gone, folder, another_part, added, leftover),
)
