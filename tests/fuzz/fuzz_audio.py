"""Audio files: bytes of real encoders, damaged, and headers that lie about length."""

import struct

import numpy as np
import soundfile
from fuzz_worker import Failure, Refused, mutate, refusals

from skbird.data import read_audio, segment_table
from skbird.preprocessing import LogMel, Resampler

RATE, SECONDS = 16_000, 3.0
LOGMEL = LogMel(8, hop_length=1024, on_error="skip", n_jobs=1, verbose=False)
FORMATS = {
    "wav": {"subtype": "PCM_16"},
    "float.wav": {"subtype": "FLOAT"},
    "24.wav": {"subtype": "PCM_24"},
    "flac": {},
    "ogg": {},
    "opus": {"format": "OGG", "subtype": "OPUS"},
    "mp3": {},
    "aiff": {},
    "au": {},
    "w64": {},
    "rf64": {"format": "RF64"},
    "caf": {},
}


def sound(seed):
    rng = np.random.default_rng(seed)
    time = np.arange(round(SECONDS * RATE)) / RATE
    return 0.3 * np.sin(2 * np.pi * 900 * time) + 0.05 * rng.standard_normal(len(time))


def prepare(folder):
    """Write the good files; return their bytes and what a clean run makes of two."""
    folder.mkdir()
    encoded = {}
    for name, options in FORMATS.items():
        path = folder / f"base.{name.split('.')[-1]}"
        soundfile.write(path, sound(0), RATE, **options)
        encoded[name] = path.read_bytes()
    good = [folder / "before.wav", folder / "behind.flac"]
    for seed, path in enumerate(good, 1):
        soundfile.write(path, sound(seed), RATE)
    return encoded, [str(path) for path in good], frames_of(list(map(str, good)))


def frames_of(paths):
    """Return the spectrograms of each file's rows, and the files said to be bad."""
    rows = segment_table(paths, 1.0, 1.0, on_error="skip")
    found = LOGMEL.transform(Resampler(RATE).transform(rows))
    of_file = {path: [] for path in paths}
    for row, path in enumerate(rows["path"]):
        of_file[path].append((found.n_frames[row], np.array(found[row])))
    return of_file, set(LOGMEL.errors_["path"]), rows


def run(prepared, rng, place, story):
    encoded, good, (clean, _, _) = prepared
    name = str(rng.choice(list(FORMATS)))
    data, true_s = encoded[name], None
    story.append(name)
    lie = LIES.get(name)
    if lie is not None and rng.random() < 0.3:
        data = lie(data, rng, story)
        true_s = SECONDS
    elif rng.random() < 0.01:
        data = b""
    else:
        data = mutate(data, rng, story)
    bad = place / f"bad.{name.split('.')[-1]}"
    bad.write_bytes(data)
    paths = [good[0], str(bad), good[1]]
    found, errors, rows = frames_of(paths)
    check_good(clean, found, good)
    return check_bad(found[str(bad)], str(bad), errors, rows, true_s)


def check_good(clean, found, good):
    for path in good:
        same = len(clean[path]) == len(found[path]) and all(
            np.array_equal(a, b)
            for (_, a), (_, b) in zip(clean[path], found[path], strict=True)
        )
        if not same:
            raise Failure("good rows lost", f"of {path.rsplit('/', 1)[-1]}")


def check_bad(parts, path, errors, rows, true_s):
    if not all(np.isfinite(frames).all() for _, frames in parts):
        raise Failure("wrong", "frames of a file are not finite")
    seconds = rows[rows["path"] == path]["end"].max()
    heard = sum(n for n, _ in parts) * 1024 / RATE
    try:
        with refusals(path.rsplit("/", 1)[-1]):
            samples, _ = read_audio(path)
    except Refused:
        samples = None
    if true_s is not None and path not in errors:
        length = np.nan if samples is None else len(samples) / RATE
        # Rows of 1 s have a frame more each than their sum.
        if not abs(np.nan_to_num(seconds) - true_s) < 0.2 or heard < true_s - 0.2:
            raise Failure(
                "wrong length",
                f"silently, of {path.rsplit('.', 1)[-1]} | rows to {seconds} s, read "
                f"{length:g} s of {true_s:g} s",
            )
    return "nan" if path in errors else "right"


# Headers that lie about the length of sound that is there -------------------------


def lie_wav(data, rng, story):
    """Sizes as a recorder leaves them that dies, or that streams."""
    value = int(rng.choice([0, 0xFFFFFFFF, 0x7FFFFFFF, 0x7FFFF000]))
    story.append(f"lie {value:#x}")
    data = bytearray(data)
    data[4:8] = struct.pack("<I", value)
    place = bytes(data).index(b"data") + 4
    data[place : place + 4] = struct.pack("<I", value)
    return bytes(data)


def lie_flac(data, rng, story):
    """36 bits of STREAMINFO: 0 is unknown; or twice what there is."""
    total = round(SECONDS * RATE)
    value = int(rng.choice([0, 2 * total, 10 * total, 2**36 - 1]))
    story.append(f"lie {value}")
    data = bytearray(data)
    data[21] = (data[21] & 0xF0) | (value >> 32)
    data[22:26] = struct.pack(">I", value & 0xFFFFFFFF)
    return bytes(data)


def lie_aiff(data, rng, story):
    value = int(rng.choice([0, 0xFFFFFFFF, 2 * round(SECONDS * RATE)]))
    story.append(f"lie {value}")
    data = bytearray(data)
    place = bytes(data).index(b"COMM") + 10
    data[place : place + 4] = struct.pack(">I", value)
    return bytes(data)


LIES = {"wav": lie_wav, "24.wav": lie_wav, "flac": lie_flac, "aiff": lie_aiff}
