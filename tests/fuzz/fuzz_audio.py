"""Audio files: bytes of real encoders, damaged, and headers that lie about length."""

import struct

import numpy as np
import soundfile
from fuzz_worker import Failure, Refused, mutate, refusals

from skbird.audio import read_audio
from skbird.audio._decode._crc import crc
from skbird.data import segment_table
from skbird.preprocessing import LogMel, Resampler

RATE, SECONDS = 16_000, 3.0
LOGMEL = LogMel(8, hop_length=1024, on_error="skip", n_jobs=1, verbose=0)
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
    return of_file, set(found.errors["path"]), rows


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


TOO_LITTLE = 0.1, 0.5, 0.8


def lie_wav(data, rng, story):
    """Sizes as a recorder leaves them that dies, or that streams; or too little."""
    place = data.index(b"data") + 4
    size = struct.unpack_from("<I", data, place)[0]
    parts = [int(size * share) for share in TOO_LITTLE]
    value = int(rng.choice([0, 0xFFFFFFFF, 0x7FFFFFFF, 0x7FFFF000, *parts]))
    story.append(f"lie {value:#x}")
    data = bytearray(data)
    struct.pack_into("<I", data, 4, value)
    struct.pack_into("<I", data, place, value)
    return bytes(data)


def lie_flac(data, rng, story):
    """36 bits of STREAMINFO: 0 is unknown; some blocks; or twice what there is."""
    total = round(SECONDS * RATE)
    blocks = 4096 * rng.integers(1, total // 4096)
    value = int(rng.choice([0, blocks, total // 2, 2 * total, 10 * total, 2**36 - 1]))
    story.append(f"lie {value}")
    fields = int.from_bytes(data[18:26], "big") >> 36 << 36 | value
    return data[:18] + fields.to_bytes(8, "big") + data[26:]


def lie_aiff(data, rng, story):
    """The frames of COMM, or the size of the samples."""
    name, inside = ((b"COMM", 10), (b"SSND", 4))[rng.integers(2)]
    place = data.index(name) + inside
    true = struct.unpack_from(">I", data, place)[0]
    parts = [int(true * share) for share in TOO_LITTLE]
    value = int(rng.choice([0, 0xFFFFFFFF, 2 * true, *parts]))
    return _packed(data, place, ">I", value, story)


def lie_caf(data, rng, story):
    place = data.index(b"data") + 4
    true = struct.unpack_from(">Q", data, place)[0]
    parts = [int(true * share) for share in TOO_LITTLE]
    value = [0, 2 * true, 2**63, 2**64 - 1, *parts][rng.integers(7)]
    return _packed(data, place, ">Q", value, story)


def lie_mp3(data, rng, story):
    """The number of frames of the Xing header."""
    place = max(data.find(b"Xing"), data.find(b"Info")) + 8
    true = struct.unpack_from(">I", data, place)[0]
    value = int(true * rng.choice([*TOO_LITTLE, 2, 1000]))
    return _packed(data, place, ">I", value, story)


def lie_ogg(data, rng, story):
    """How many samples end with the last page; its checksum is right."""
    at = data.rindex(b"OggS")
    value = int(rng.choice([-1, 1, RATE // 2, 10**6, 2**50]))
    story.append(f"lie {value}")
    page = bytearray(data[at:])
    struct.pack_into("<q", page, 6, value)
    struct.pack_into("<I", page, 22, 0)
    struct.pack_into("<I", page, 22, crc(page, 32, 0x04C11DB7))
    return data[:at] + bytes(page)


def _packed(data, place, form, value, story):
    story.append(f"lie {value}")
    data = bytearray(data)
    struct.pack_into(form, data, place, value)
    return bytes(data)


LIES = {
    "wav": lie_wav,
    "24.wav": lie_wav,
    "flac": lie_flac,
    "aiff": lie_aiff,
    "caf": lie_caf,
    "mp3": lie_mp3,
    "ogg": lie_ogg,
    "opus": lie_ogg,
}
