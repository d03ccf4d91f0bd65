"""Model files: flipped bytes, and members of the archive renamed, changed, inflated."""

import hashlib
import io
import os
import sys
import zipfile

import numpy as np
from fuzz_worker import Failure, Refused, mutate, refusals
from sklearn.pipeline import Pipeline
from tiny_network import MEL, NETWORK

from skbird.inference import CompiledPipeline, load_model, save_model
from skbird.utils.estimator_checks import CheckData

# What no file may bring about. Names of Python's audit events.
FORBIDDEN = (
    *("os.system", "os.exec", "os.posix_spawn", "os.fork", "subprocess.Popen"),
    *("socket.connect", "os.remove", "os.rename", "os.rmdir", "shutil.rmtree"),
    *("os.mkdir", "os.chmod", "os.symlink", "os.link", "os.truncate", "os.putenv"),
)
seen = []


def prepare(folder):
    folder.mkdir()
    table = CheckData().table.iloc[:2]
    model = CompiledPipeline(Pipeline([("logmel", MEL)]), NETWORK, verbose=0)
    path = folder / "birds.skbird"
    expected = model.predict_proba(table)
    save_model(model, path)
    np.testing.assert_array_equal(load_model(path).predict_proba(table), expected)
    sys.addaudithook(watch)
    return path.read_bytes(), table, expected


def watch(event, arguments):
    if event in FORBIDDEN:
        seen.append(f"{event}{arguments[:1]}")
    elif event == "open" and isinstance(arguments[2], int):
        if arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            seen.append(f"opened {arguments[0]!r} for writing")


def run(prepared, rng, place, story):
    data, table, expected = prepared
    data, resealed = spoil(data, rng, story)
    path = place / "stranger.skbird"
    path.write_bytes(data)
    seen.clear()
    try:
        with refusals(path.name):
            model = load_model(path)
        with refusals():
            proba = np.asarray(model.predict_proba(table))
    except Refused:
        return "refused"
    finally:
        if seen:
            raise Failure("acted", f"a file made {seen[0]}")
    if proba.shape[0] != len(table) or not ((proba >= 0) & (proba <= 1)).all():
        raise Failure("wrong", f"predictions {proba.shape}, not all in [0, 1]")
    if not resealed and not np.allclose(proba, expected, atol=1e-5):
        raise Failure("wrong", "other predictions from a damaged file")
    return "same" if np.array_equal(proba, expected) else "right"


def spoil(data, rng, story):
    """Return other bytes, and whether its maker knew to seal them anew."""
    if rng.random() < 0.3:
        return mutate(data, rng, story), False
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = str(rng.choice(list(members)))
    way = WAYS[rng.integers(len(WAYS))]
    story.append(f"{way.__name__} {name}")
    before = dict(members)
    options = way(members, name, rng, story) or {}
    reseal(before, members)
    return pack(members, **options), True


def reseal(before, members):
    """Replace hashes of members that changed by those of what they are now."""
    for name, old in before.items():
        new = members.get(name)
        if new is None or new == old:
            continue
        seals = [hashlib.sha256(data).hexdigest().encode() for data in (old, new)]
        for other, text in members.items():
            if other != name:
                members[other] = text.replace(*seals)


def pack(members, compression=zipfile.ZIP_STORED, twice=None):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
            if name == twice:
                archive.writestr(name, b"{}")
    return out.getvalue()


def bytes_of(members, name, rng, story):
    members[name] = mutate(members[name], rng, story)


def nested(members, name, rng, story):
    """Change a member of a member that is an archive itself."""
    try:
        with zipfile.ZipFile(io.BytesIO(members[name])) as archive:
            inner = {n: archive.read(n) for n in archive.namelist()}
    except zipfile.BadZipFile:
        return values(members, name, rng, story)
    chosen = str(rng.choice(list(inner)))
    story.append(chosen)
    way = [bytes_of, values, dropped, renamed][rng.integers(4)]
    way(inner, chosen, rng, story)
    members[name] = pack(inner)
    return None


def values(members, name, rng, story):
    """Put other values and names into a JSON text."""
    text = members[name]
    pairs = [
        (b"skbird", b"os"),
        (b"CompiledPipeline", b"Popen"),
        (b"CompiledNetwork", b"LogMel"),
        (b"sklearn", b"builtins"),
        (b"numpy", b"subprocess"),
        (b"1024", b"1" + b"0" * 300),
        (b"32", b"-1"),
        (b"1", b"NaN"),
        (b"2", b"null"),
        (b"true", b'"yes"'),
        (b"[", b"[" * 100_000),
        (b'"max"', b'"' + b"x" * 10_000_000 + b'"'),
        (b'"dove"', b'"\\ud800"'),
        (b'"dove"', b'{"a": 1}'),
        (b"openvino", b"torch"),
        (b"null", b'"/tmp/fuzz-written"'),
    ]
    old, new = pairs[rng.integers(len(pairs))]
    story.append(f"{old.decode()} -> {new[:20].decode()}")
    members[name] = text.replace(old, new, int(rng.integers(1, 4)))


def dropped(members, name, rng, story):
    del members[name]


def renamed(members, name, rng, story):
    names = ["../" + name, "/tmp/" + name, name.upper(), name + "/", "a\\" + name]
    members[names[rng.integers(len(names))]] = members.pop(name)


def swapped(members, name, rng, story):
    other = str(rng.choice(list(members)))
    members[name], members[other] = members[other], members[name]


def inflated(members, name, rng, story):
    """Hold up to 400 MB of zeros in 400 kB, whatever the member is."""
    members[name] = bytes(400_000_000 if rng.random() < 0.05 else 20_000_000)
    return {"compression": zipfile.ZIP_DEFLATED}


def compressed(members, name, rng, story):
    kinds = [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA, zipfile.ZIP_DEFLATED]
    return {"compression": kinds[rng.integers(3)]}


def doubled(members, name, rng, story):
    return {"twice": name}


def added(members, name, rng, story):
    members["more.bin"] = rng.bytes(100)


WAYS = (
    *(bytes_of, bytes_of, nested, nested, nested, values, values, values),
    *(dropped, renamed, swapped, inflated, compressed, doubled, added),
)
