"""Entries of the cache of spectrograms: damaged, exchanged, of another kind."""

import pickle
import shutil

import fuzz_audio
import numpy as np
import soundfile
from fuzz_worker import Failure, Refused, mutate, refusals

from skbird.preprocessing import LogMel, RMSFilter


def prepare(folder):
    """Fill a cache; return it and what comes out of it."""
    folder.mkdir()
    paths = []
    for seed in range(3):
        paths.append(str(folder / f"{seed}.wav"))
        soundfile.write(paths[-1], fuzz_audio.sound(seed), fuzz_audio.RATE)
    cache = folder / "cache"
    return cache, paths, transform(cache, paths)


def transform(cache, paths):
    logmel = LogMel(
        8, hop_length=1024, cache_dir=cache, n_jobs=1, verbose=0, on_error="skip"
    )
    X = RMSFilter(use_at_predict=True).transform(paths)
    found = logmel.fit_transform(X)
    frames = [np.array(found[row]) for row in range(len(found))]
    return frames, found.segment_weights.copy(), len(found.errors)


def run(prepared, rng, place, story):
    good, paths, (frames, weights, _) = prepared
    cache = place / "cache"
    shutil.copytree(good, cache)
    entries = sorted(path for path in cache.rglob("*") if path.is_file())
    for _ in range(int(rng.integers(1, 3))):
        entry = entries[rng.integers(len(entries))]
        if not entry.is_file():
            continue
        way = WAYS[rng.integers(len(WAYS))]
        story.append(way.__name__)
        way(entry, entries, rng, story)
    try:
        with refusals(str(cache)):
            found, found_weights, n_errors = transform(cache, paths)
    except Refused:
        return "refused"
    if n_errors:
        raise Failure("good rows lost", "because of the cache")
    for row, (one, other) in enumerate(zip(frames, found, strict=True)):
        if not np.array_equal(one, other):
            raise Failure("wrong", f"other spectrograms from the cache | row {row}")
    if not np.array_equal(weights, found_weights):
        raise Failure("wrong", "other weights from the cache")
    again = transform(cache, paths)[0]
    if not all(map(np.array_equal, frames, again)):
        raise Failure("wrong", "other spectrograms the second time")
    return "same"


def bytes_of(entry, entries, rng, story):
    entry.write_bytes(mutate(entry.read_bytes(), rng, story))


def exchanged(entry, entries, rng, story):
    other = entries[rng.integers(len(entries))]
    if other.is_file():
        one, two = entry.read_bytes(), other.read_bytes()
        entry.write_bytes(two), other.write_bytes(one)


def another_array(entry, entries, rng, story):
    try:
        old = np.load(entry)
    except Exception:  # was damaged just before
        return
    arrays = [
        old.astype(np.float64),
        old.astype(np.int16),
        old[..., :-1],
        old.T,
        np.zeros((0, *old.shape[1:]), old.dtype),
        np.full_like(old, np.nan),
        old.astype(">f2"),
        old.reshape(-1),
        np.asfortranarray(old),
        np.zeros(3, dtype=[("a", "f4")]),
        np.array(0.0),
    ]
    number = int(rng.integers(len(arrays)))
    story.append(str(number))
    np.save(entry, arrays[number])


def pickled(entry, entries, rng, story):
    if rng.random() < 0.5:
        np.save(entry, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    else:
        entry.write_bytes(pickle.dumps({"a": 1}))


def folder(entry, entries, rng, story):
    entry.unlink()
    entry.mkdir()


def emptied(entry, entries, rng, story):
    entry.write_bytes(b"")


def gone(entry, entries, rng, story):
    entry.unlink()


def dangling(entry, entries, rng, story):
    entry.unlink()
    entry.symlink_to("nowhere")


def leftover(entry, entries, rng, story):
    entry.with_name(entry.name + ".0123.part").write_bytes(b"half")


WAYS = (
    *(bytes_of,) * 6,
    *(exchanged, another_array, another_array, pickled, folder, emptied, gone),
    *(dangling, leftover),
)
