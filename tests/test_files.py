"""Files that are read whole are files, and of a reasonable size."""

import json
import os
import stat
from importlib.metadata import PackageNotFoundError

import numpy as np
import pytest

from skbird.utils import _extras
from skbird.utils._array_files import store_array
from skbird.utils._extras import install_hint
from skbird.utils._files import check_regular, open_whole, read_bytes


def test_what_never_ends_is_not_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("/dev/zero")
    for path, kind in (
        (tmp_path / "pipe", "a pipe"),
        (tmp_path / "link", "a device"),
        (tmp_path, "a folder"),
    ):
        with pytest.raises(ValueError, match=f"is {kind}, not a file"):
            read_bytes(path)
        with pytest.raises(ValueError, match=f"is {kind}, not a file"):
            check_regular(path)
    with pytest.raises(FileNotFoundError, match="gone"):
        read_bytes(tmp_path / "gone")


def test_a_file_that_is_too_large_is_not_read(tmp_path):
    path = tmp_path / "table.csv"
    path.write_bytes(b"0123456789")
    assert read_bytes(path, max_bytes=10) == b"0123456789"
    with open(path, "wb") as file:
        file.truncate(10_000_000_000)  # takes no space on the disk
    with pytest.raises(ValueError, match=r"10,000 MB, and at most 100 .* Use Parquet"):
        read_bytes(path, remedy="Use Parquet.")
    check_regular(path)


@pytest.mark.skipif(not os.path.exists("/proc/self/maps"), reason="Linux has /proc")
def test_a_file_that_hides_its_size_is_not_read_beyond_the_limit():
    with pytest.raises(ValueError, match="at most 0 are read"):
        read_bytes("/proc/self/maps", max_bytes=10)


@pytest.mark.parametrize(
    ("origin", "hint"),
    [
        (None, "pip install 'skbird[cpu,train]'"),
        (
            {"url": "{folder}", "dir_info": {"editable": True}},
            "pip install -e '{path}[cpu,train]'",
        ),
        ({"url": "{folder}", "dir_info": {}}, "pip install '{path}[cpu,train]'"),
        (
            {"url": "file:///gone/skbird.whl", "archive_info": {}},
            "pip install 'skbird[cpu,train]'",
        ),
        (
            {
                "url": "https://example.org/skbird.git",
                "vcs_info": {"vcs": "git", "requested_revision": "v1"},
            },
            "pip install 'skbird[cpu,train] @ git+https://example.org/skbird.git@v1'",
        ),
    ],
)
def test_the_hint_installs_from_where_skbird_is_from(
    tmp_path, monkeypatch, origin, hint
):
    folder = tmp_path / "a checkout"
    folder.mkdir()
    text = origin and json.dumps(origin).replace("{folder}", folder.as_uri())

    class Distribution:
        def read_text(self, name):
            return text

    monkeypatch.setattr(_extras, "distribution", lambda name: Distribution())
    _extras._source.cache_clear()
    assert install_hint("cpu", "train") == hint.replace("{path}", str(folder))
    _extras._source.cache_clear()


def test_a_checkout_that_is_not_installed_has_a_hint(monkeypatch):
    def distribution(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr(_extras, "distribution", distribution)
    _extras._source.cache_clear()
    assert install_hint("cpu").startswith("pip install ")
    assert install_hint("cpu").endswith("[cpu]'")
    _extras._source.cache_clear()


@pytest.fixture
def synced(monkeypatch):
    """Whether the file was there under its name each time that one was synced."""
    seen, fsync = [], os.fsync

    def noted(descriptor):
        seen.append(os.path.exists("result"))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    return seen


def test_a_file_is_on_disk_before_it_gets_its_name(tmp_path, monkeypatch, synced):
    monkeypatch.chdir(tmp_path)
    with open_whole("result") as file:
        file.write("whole")
    assert synced == [False]
    assert os.listdir() == ["result"]


def test_what_can_be_made_again_does_not_wait_for_the_disk(tmp_path, synced):
    with open_whole(tmp_path / "result", sync=False) as file:
        file.write("whole")
    store_array(str(tmp_path / "entry"), np.zeros(3))
    assert synced == []


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
def test_what_is_no_file_is_not_replaced_by_one(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match=r"is a pipe, a device or a socket.*Name a file"):
        with open_whole(tmp_path / "pipe") as file:
            file.write("text")
    assert stat.S_ISFIFO(os.stat(tmp_path / "pipe").st_mode)
    assert os.listdir(tmp_path) == ["pipe"]


@pytest.mark.skipif(os.name != "posix", reason="permissions are those of POSIX")
def test_a_private_file_stays_private(tmp_path):
    path = tmp_path / "table.csv"
    path.touch()
    for permissions in (0o600, 0o664):
        path.chmod(permissions)
        with open_whole(path) as file:
            file.write("text")
        assert stat.S_IMODE(path.stat().st_mode) == permissions
