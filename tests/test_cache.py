"""The cache of spectrograms: damage, strangers' entries, leftovers, full disks."""

import errno
import os
import pickle
import random
import signal
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from conftest import tone
from sklearn.pipeline import make_pipeline

from skbird.preprocessing import LogMel, RMSFilter
from skbird.utils import _files
from skbird.utils._array_files import DamagedArrayError, map_array, store_array
from skbird.utils._files import (
    explained,
    hold,
    make_folder,
    open_whole,
    remove_dead,
    remove_leftovers,
)


@pytest.fixture
def compute(write_wav, tmp_path):
    """Return a function that computes one short row, or takes it from the cache."""
    path = write_wav("a.wav", tone(500, 0.3))

    def compute(paths=(path,), **options):
        steps = RMSFilter(), LogMel(8, cache_dir=tmp_path / "cache", **options)
        return make_pipeline(*steps).fit_transform(list(paths))

    return compute


def entries(tmp_path):
    """Return the files of the spectrogram and of the levels."""
    files = {len(map_array(str(f)).shape): f for f in tmp_path.rglob("*.npy")}
    return {"mel": files[2], "levels": files[1]}


@pytest.fixture(params=["mel", "levels"])
def entry(request, compute, tmp_path):
    compute()
    return entries(tmp_path)[request.param]


def check_mended(compute, expected):
    """Check that there is one warning, the right numbers, and then none."""
    with pytest.warns(UserWarning, match=r"1 entry of the cache .* made again"):
        again = compute()
    np.testing.assert_array_equal(again.to_numpy(), expected.to_numpy())
    np.testing.assert_array_equal(again.segment_weights, expected.segment_weights)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        compute()


def places(data):
    """Return a sample of the places in some bytes, ends and middle; all if asked."""
    if "SKBIRD_ALL_BYTES" in os.environ:
        return range(len(data))
    return sorted({*range(0, len(data), len(data) // 8), len(data) - 1})


@pytest.mark.slow
def test_no_flipped_bit_changes_numbers(entry, compute):
    expected, data = compute(), entry.read_bytes()
    rng = random.Random(0)
    for place in places(data):
        damaged = bytearray(data)
        damaged[place] ^= 1 << rng.randrange(8)
        entry.write_bytes(damaged)
        check_mended(compute, expected)
        assert entry.read_bytes() == data


class Trap:
    """Makes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


DAMAGES = {
    "empty": lambda path: path.write_bytes(b""),
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-1]),
    "longer": lambda path: path.write_bytes(path.read_bytes() + b"x"),
    "text": lambda path: path.write_text("not an array"),
    "unmarked": lambda path: np.save(path, np.array(map_array(str(path)))),
    "other dtype": lambda path: store_array(str(path), np.zeros((8, 10))),
    "other bands": lambda path: store_array(str(path), np.zeros((4, 9), np.float16)),
    "integers": lambda path: store_array(str(path), np.zeros(9, int)),
    "scalar": lambda path: store_array(str(path), np.float16(1)),
    "folder": lambda path: (path.unlink(), path.mkdir(), (path / "x").touch()),
    "link": lambda path: path.symlink_to(path.rename(path.with_suffix(".moved"))),
    "broken link": lambda path: (path.unlink(), path.symlink_to("nowhere")),
    "pipe": lambda path: (path.unlink(), os.mkfifo(path)),
}


@pytest.mark.slow
@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_what_is_no_entry_is_made_again(entry, compute, damage):
    expected = compute()
    damage(entry)
    check_mended(compute, expected)
    assert entry.is_file()
    assert not entry.is_symlink()


def test_an_entry_is_never_unpickled(entry, compute, tmp_path):
    expected, trap = compute(), np.array([Trap(tmp_path / "sprung")], dtype=object)
    np.save(entry, trap, allow_pickle=True)
    check_mended(compute, expected)
    entry.write_bytes(pickle.dumps(trap))
    check_mended(compute, expected)
    assert not (tmp_path / "sprung").exists()


def test_an_entry_under_the_name_of_another_is_none(write_wav, compute, tmp_path):
    first = entries(tmp_path)["mel"] if compute() else None
    other = write_wav("b.wav", tone(2000, 0.3))
    expected = compute([other])
    second = next(
        file
        for file in tmp_path.rglob("*.npy")
        if file.stat().st_size == first.stat().st_size and file != first
    )
    second.write_bytes(first.read_bytes())
    with pytest.warns(UserWarning, match="1 entry of the cache"):
        again = compute([other])
    np.testing.assert_array_equal(again.to_numpy(), expected.to_numpy())


def test_damage_to_spectrograms_in_use_is_said(compute, tmp_path):
    spectrograms = compute()
    entry = entries(tmp_path)["mel"]
    data = entry.read_bytes()
    entry.write_bytes(data[:200] + b"xxxx" + data[204:])
    with pytest.raises(ValueError, match=r"content has changed.* Transform the rows"):
        spectrograms.to_numpy()
    np.save(entry, np.zeros((8, 3), np.float16))
    with pytest.raises(ValueError, match="holds another spectrogram now"):
        spectrograms.to_numpy()
    np.save(entry, np.zeros((8, spectrograms.n_frames[0]), np.float16))
    assert not spectrograms.to_numpy().any()  # whoever wants it so


@pytest.mark.parametrize("seconds", [12 * 10**9, -(2**31)])
def test_times_that_are_far_from_now_are_told_apart(
    write_wav, compute, tmp_path, seconds
):
    path = write_wav("old.wav", tone(500, 0.3))
    os.utime(path, (seconds, seconds))
    if os.stat(path).st_mtime != seconds:
        pytest.skip("this file system has no such times")
    compute([path])
    n_entries = len(list(tmp_path.rglob("*.npy")))
    compute([path])
    assert len(list(tmp_path.rglob("*.npy"))) == n_entries
    os.utime(path, (seconds + 1, seconds + 1))
    compute([path])
    assert len(list(tmp_path.rglob("*.npy"))) == 2 * n_entries


def test_an_array_is_checked_once(tmp_path, monkeypatch):
    path = str(tmp_path / "a.npy")
    store_array(path, np.arange(1000.0).reshape(10, 100))
    os.utime(path, (1e9, 1e9))
    np.testing.assert_array_equal(map_array(path)[3], np.arange(300.0, 400.0))
    monkeypatch.setattr("skbird.utils._array_files._crc", None)
    np.testing.assert_array_equal(map_array(path)[3], np.arange(300.0, 400.0))
    os.utime(path, (1e9, 1e9 + 1))
    with pytest.raises(TypeError, match="not callable"):
        map_array(path)


@pytest.mark.skipif(os.name == "nt", reason="no times of changes here")
def test_a_damaged_array_is_found_though_its_time_is_put_back(tmp_path):
    path = tmp_path / "a.npy"
    store_array(str(path), np.arange(1000.0).reshape(10, 100))
    os.utime(path, (1e9, 1e9))
    map_array(str(path))
    before = path.stat()
    with path.open("r+b") as file:
        file.seek(-100, os.SEEK_END)
        file.write(b"\x55")
    while path.stat().st_ctime_ns == before.st_ctime_ns:  # clocks may be coarse
        os.utime(path, (1e9, 1e9))
    os.utime(path, (1e9, 1e9))
    assert path.stat().st_mtime_ns == before.st_mtime_ns
    with pytest.raises(DamagedArrayError, match="its content has changed"):
        map_array(str(path))


@pytest.mark.parametrize("shape", [(0,), (3, 0), (2, 3), (), (2, 3, 4)])
def test_arrays_of_any_shape_and_order_come_back(tmp_path, shape):
    for order, dtype in (("C", "float16"), ("F", ">i4"), ("C", bool)):
        array = np.asarray(np.random.default_rng(0).random(shape) * 9, dtype, order)
        path = str(tmp_path / f"{order}.npy")
        store_array(path, array)
        if array.size:
            np.testing.assert_array_equal(map_array(path), array)
            np.testing.assert_array_equal(np.load(path), array)


# Leftovers -------------------------------------------------------------------------


def test_leftovers_of_dead_processes_go_and_those_of_living_stay(tmp_path, compute):
    compute()
    entry = entries(tmp_path)["mel"]
    dead, alive, other = (
        entry.with_name(f"{entry.name}.{tag}.part") for tag in ("0" * 32, "1" * 32, "2")
    )
    for path in (dead, other):
        path.write_bytes(b"half")
    code = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parents[1])!r})
from skbird.utils._files import replacing
with replacing({str(entry)!r}, {str(alive)!r}) as file:
    print("open", flush=True)
    sys.stdin.read()
"""
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout.readline() == b"open\n"
    _files._tidied.clear()
    compute()
    assert not dead.exists()
    assert alive.exists()
    assert other.exists()  # not ours
    process.send_signal(signal.SIGKILL)
    process.communicate()
    compute()
    assert alive.exists()  # a process looks once
    _files._tidied.clear()
    compute()
    assert not alive.exists()


def test_leftovers_beside_results_go(tmp_path):
    (tmp_path / f".{'a' * 32}.part").write_text("half")
    (tmp_path / ".notes.part").write_text("mine")
    with open_whole(tmp_path / "table.csv") as file:
        file.write("x")
    assert {path.name for path in tmp_path.iterdir()} == {"table.csv", ".notes.part"}


def test_where_nothing_can_be_locked_only_old_leftovers_go(tmp_path, monkeypatch):
    def refuse(*args):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(_files.fcntl, "flock", refuse)
    new, old = tmp_path / f".{'a' * 32}.part", tmp_path / f".{'b' * 32}.part"
    for path in (new, old):
        path.touch()
    os.utime(old, (1e9, 1e9))
    remove_leftovers(tmp_path)
    assert new.exists()
    assert not old.exists()
    with open_whole(tmp_path / "table.csv") as file:
        file.write("x")
    assert (tmp_path / "table.csv").read_text() == "x"


def test_a_file_taken_for_dead_before_it_is_held_is_made_again(tmp_path, monkeypatch):
    def steal(file):
        if not taken:
            taken.append(file.name)
            remove_dead(file.name)
        hold(file)

    taken = []
    monkeypatch.setattr(_files, "hold", steal)
    with open_whole(tmp_path / "table.csv") as file:
        file.write("x")
    assert taken
    assert (tmp_path / "table.csv").read_text() == "x"


def test_a_whole_file_is_not_taken_for_dead_before_it_has_its_name(
    tmp_path, monkeypatch
):
    def tidy_first(part, path):
        remove_dead(part)
        rename(part, path)
        remove_dead(part)

    rename = os.replace
    monkeypatch.setattr(_files.os, "replace", tidy_first)
    with open_whole(tmp_path / "table.csv") as file:
        file.write("x")
    assert (tmp_path / "table.csv").read_text() == "x"


# Full disks ------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "message"),
    [
        (errno.ENOSPC, r"No space is left for .*\.npy in .*cache.* another cache_dir"),
        (errno.EDQUOT, r"No space is left for .*\.npy in .*cache.* another cache_dir"),
        (errno.EROFS, r"cannot be written in .*cache.*\(Read-only file system\)"),
        (errno.EACCES, r"cannot be written in .*cache.*\(Permission denied\). Change"),
    ],
)
def test_a_full_or_forbidden_cache_is_named(
    compute, tmp_path, monkeypatch, number, message
):
    def refuse(*args):
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", refuse)
        with pytest.raises(OSError, match=message) as caught:
            compute()
    assert caught.value.errno == number
    assert not list(tmp_path.rglob("*.part"))
    assert len(compute()) == 1


def test_a_file_larger_than_allowed_is_named(tmp_path):
    resource = pytest.importorskip("resource")
    code = f"""
import resource, sys
sys.path.insert(0, {str(Path(__file__).parents[1])!r})
import numpy as np
from skbird.utils._array_files import store_array
resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, {resource.RLIM_INFINITY}))
try:
    store_array({str(tmp_path / "a.npy")!r}, np.zeros(9_000))
except OSError as exc:
    print(exc)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "a.npy gets larger than a file in" in run.stdout, run.stderr
    assert not list(tmp_path.iterdir())


def test_only_what_is_written_is_explained(tmp_path):
    with (
        pytest.raises(PermissionError, match=r"Permission denied: 'elsewhere'"),
        open_whole(tmp_path / "table.csv"),
    ):
        raise PermissionError(errno.EACCES, "Permission denied", "elsewhere")
    with (
        pytest.raises(OSError, match=r"No space is left for inner in "),
        explained("outer"),
        explained("inner"),
    ):
        raise OSError(errno.ENOSPC, "full")


def test_a_folder_that_cannot_be_made_is_named(tmp_path, compute):
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(OSError, match=r"cache cannot be made: a file is in its place"):
        compute()
    with pytest.raises(OSError, match=r"deep cannot be made: a file is in its place"):
        make_folder(tmp_path / "cache" / "deep")


def test_the_cache_serves_where_nothing_may_be_written(compute, tmp_path, monkeypatch):
    expected = compute()
    monkeypatch.setattr("skbird.preprocessing._cache.store_array", None)
    np.testing.assert_array_equal(compute().to_numpy(), expected.to_numpy())
