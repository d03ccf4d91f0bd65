"""Files of pretrained models: where they are looked for, how they are fetched."""

import email.message
import errno
import hashlib
import io
import sys
import tempfile
import zipfile
from contextlib import suppress
from http.client import IncompleteRead
from pathlib import Path

import pytest
from toy_encoder import toy_spec

from skbird.encoders import _find, load_encoder
from skbird.encoders._find import check_file, find_files, say_license, unzipped

CONTENT = b"weights " * 1000
SHA256 = hashlib.sha256(CONTENT).hexdigest()
URL = "https://toads.example/models"


def fetched_spec(**changes):
    values = {"file": "toads.onnx", "url": URL, "sha256": SHA256}
    return toy_spec(**values | changes)


class Answer(io.BytesIO):
    """What a server says."""

    def __init__(self, content, length=None, error=None):
        super().__init__(content)
        self.headers = email.message.Message()
        self.headers["Content-Length"] = str(len(content) if length is None else length)
        self.error = error

    def read(self, n=-1):
        chunk = super().read(min(n, 1000))
        if not chunk and self.error is not None:
            raise self.error
        return chunk


@pytest.fixture
def server(monkeypatch):
    """Serve what a test puts into the dict, by address; note what is asked for."""
    served, asked = {}, []

    def answer(address):
        asked.append(address)
        if isinstance(served[address], Exception):
            raise served[address]
        content = served[address]
        return Answer(content) if isinstance(content, bytes) else content

    monkeypatch.setattr(_find, "_open_address", answer)
    served["asked"] = asked
    return served


def test_files_come_whole_and_with_their_labels(server, tmp_path):
    spec = fetched_spec(labels_file="labels of toads.csv", class_names=())
    server[f"{URL}/toads.onnx"] = CONTENT
    server[f"{URL}/labels%20of%20toads.csv"] = b"names"
    path = find_files(spec, tmp_path)
    assert path == tmp_path / "toy" / "toads.onnx"
    assert path.read_bytes() == CONTENT
    assert (path.parent / "labels of toads.csv").read_bytes() == b"names"
    assert len(list(path.parent.iterdir())) == 2
    assert find_files(spec, tmp_path) == path
    assert len(server["asked"]) == 2  # once
    (path.parent / "labels of toads.csv").unlink()
    find_files(spec, tmp_path)
    assert (path.parent / "labels of toads.csv").read_bytes() == b"names"


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (Answer(CONTENT, length=9000), "8000 of 9000 bytes came"),
        (Answer(CONTENT[:-1]), "its SHA-256 is .*, not"),
        (Answer(CONTENT, length=10**13), "more than 4 GiB"),
        (Answer(CONTENT, error=ConnectionResetError("reset")), "reset"),
        (Answer(CONTENT, error=OSError(errno.ENOSPC, "full")), "No space is left"),
        (
            Answer(CONTENT, error=IncompleteRead(b"")),
            "0 bytes",
        ),
        (OSError("no network"), r"\(no network\). Fetch toads.onnx in another way"),
    ],
)
def test_what_comes_wrong_leaves_nothing(server, tmp_path, answer, message):
    server[f"{URL}/toads.onnx"] = answer
    with pytest.raises(OSError, match=message) as caught:
        find_files(fetched_spec(), tmp_path)
    assert f"put it into {tmp_path / 'toy'}" in str(caught.value)
    assert list((tmp_path / "toy").iterdir()) == []


def test_an_interrupt_leaves_nothing(server, tmp_path):
    server[f"{URL}/toads.onnx"] = Answer(CONTENT, error=KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        find_files(fetched_spec(), tmp_path)
    assert list((tmp_path / "toy").iterdir()) == []


def test_lengths_that_are_no_numbers_are_not_believed(server, tmp_path):
    server[f"{URL}/toads.onnx"] = Answer(CONTENT, length="many")
    assert find_files(fetched_spec(), tmp_path).read_bytes() == CONTENT


def test_what_has_no_sum_is_said(server, tmp_path):
    server[f"{URL}/toads.onnx"] = CONTENT
    with pytest.warns(UserWarning, match=f"SHA-256 of what came is {SHA256}"):
        find_files(fetched_spec(sha256=None), tmp_path)


@pytest.mark.parametrize(
    "url", ["http://toads.example", "file:///etc", "ftp://a.example", "HTTPS:/x"]
)
def test_nothing_is_fetched_but_by_https(tmp_path, url):
    with pytest.raises(ValueError, match="must begin with https://"):
        find_files(fetched_spec(url=url), tmp_path)


def test_https_leads_to_https_only():
    handler = _find._OnlyHttps()
    request = _find.urllib.request.Request(URL)
    for leads_to in ("http://toads.example", "file:///etc/passwd", "ftp://a.example"):
        with pytest.raises(OSError, match="not https"):
            handler.redirect_request(request, None, 302, "", {}, leads_to)
    assert handler.redirect_request(request, None, 302, "", {}, "https://a.example/b")


def test_another_file_of_that_name_is_refused(tmp_path):
    folder = tmp_path / "toy"
    folder.mkdir()
    (folder / "toads.onnx").write_bytes(b"other")
    with pytest.raises(ValueError, match=r"is not the file of toy.*Remove it"):
        find_files(fetched_spec(), tmp_path)


def test_a_file_that_changes_is_summed_again(tmp_path):
    path = tmp_path / "toads.onnx"
    path.write_bytes(CONTENT)
    assert check_file(fetched_spec(), path) == path
    path.write_bytes(CONTENT + b"!")
    with pytest.raises(ValueError, match="is not the file"):
        check_file(fetched_spec(), path)


# Packages -------------------------------------------------------------------------


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Make a package that carries a model, and says if it is imported."""
    folder = tmp_path / "toadpackage"
    (folder / "data").mkdir(parents=True)
    (folder / "__init__.py").write_text("raise SystemExit('imported')")
    (folder / "data" / "toads.onnx").write_bytes(CONTENT)
    (tmp_path / "toadmodule.py").write_text("raise SystemExit('imported')")
    (tmp_path / "toads.onnx").write_bytes(CONTENT)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    return {"url": None, "package": "toadpackage", "package_folder": "data"}


def test_packages_that_carry_the_file_are_not_imported(package, tmp_path):
    spec = fetched_spec(**package)
    assert find_files(spec, tmp_path / "no") == (
        tmp_path / "toadpackage" / "data" / "toads.onnx"
    )
    assert "toadpackage" not in sys.modules


@pytest.mark.parametrize("name", ["toadmodule", "os", "sys", "__main__", "absent"])
def test_modules_carry_no_files(package, tmp_path, name):
    with pytest.raises((FileNotFoundError, ValueError)) as caught:
        find_files(
            fetched_spec(**package | {"package": name, "package_folder": ""}),
            tmp_path / "no",
        )
    assert name in str(caught.value)
    assert "toadmodule" not in sys.modules


def test_what_is_nowhere_says_all_ways(tmp_path):
    spec = fetched_spec(package="toadpackage", homepage="https://toads.example")
    with pytest.raises(FileNotFoundError) as caught:
        find_files(spec, tmp_path, download=False)
    text = str(caught.value)
    assert "pip install --no-deps toadpackage" in text
    assert f"put toads.onnx into {tmp_path / 'toy'}" in text
    assert "pass download=True" in text
    assert "described at https://toads.example" in text
    with pytest.raises(FileNotFoundError, match="there is no such file"):
        load_encoder(tmp_path / "no.onnx")
    with pytest.raises(ValueError, match=r"is no known model.*birdnet-2\.4"):
        load_encoder("birdnett")


def test_the_folder_can_be_named(monkeypatch, tmp_path):
    (tmp_path / "toy").mkdir()
    (tmp_path / "toy" / "toads.onnx").write_bytes(CONTENT)
    monkeypatch.setenv("SKBIRD_ENCODERS", str(tmp_path))
    assert find_files(fetched_spec()) == tmp_path / "toy" / "toads.onnx"
    monkeypatch.delenv("SKBIRD_ENCODERS")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert _find.default_folder() == tmp_path / "cache" / "skbird" / "encoders"


def test_licenses_are_said_once(capsys):
    say_license(toy_spec(license="CC0"))
    say_license(toy_spec(license="CC0"))
    say_license(toy_spec(name="other", homepage="https://a.example"))
    text = capsys.readouterr().err
    assert text.count("toy: license of the weights: CC0") == 1
    assert "other: license of the weights: none stated; see https://a.example" in text


# Archives -------------------------------------------------------------------------


def zipped(path, members, **options):
    with zipfile.ZipFile(path, "w", **options) as archive:
        for name, content in members:
            archive.writestr(zipfile.ZipInfo(name), content)
    return path


def test_archives_give_their_model_and_what_lies_beside_it(tmp_path):
    members = [("a/model.onnx", b"model"), ("a/model.data", b"data"), ("b/x", b"x")]
    with unzipped(zipped(tmp_path / "a.zip", members)) as model:
        assert model.read_bytes() == b"model"
        assert sorted(p.name for p in model.parent.iterdir()) == [
            "model.data",
            "model.onnx",
        ]
    assert not model.exists()


@pytest.mark.parametrize(
    "name", ["/tmp/x.onnx", "../../x.onnx", "a/../../x.onnx", "..\\x.onnx", "C:x.onnx"]
)
def test_archives_name_no_other_place(tmp_path, name):
    inside = tmp_path / "in"
    inside.mkdir()
    path = zipped(inside / "a.zip", [(name, b"model")])
    before = set(tmp_path.rglob("*"))
    with suppress(ValueError), unzipped(path) as model:
        assert model.read_bytes() == b"model"
        assert model.parent.parent == Path(tempfile.gettempdir())
    assert set(tmp_path.rglob("*")) == before
    assert not Path("/tmp/x.onnx").exists()


def test_links_in_archives_are_not_followed(tmp_path):
    info = zipfile.ZipInfo("model.onnx")
    info.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(info, "/etc/passwd")
    with unzipped(tmp_path / "a.zip") as model:
        assert model.read_bytes() == b"/etc/passwd"
        assert not model.is_symlink()


def damaged(path):
    content = bytearray(path.read_bytes())
    content[45] ^= 255
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda p: zipped(p, [("a.txt", b"")]), "holds 0 models"),
        (lambda p: zipped(p, [("a.onnx", b""), ("b.onnx", b"")]), "holds 2 models"),
        (lambda p: zipped(p, [(f"{k}.onnx", b"") for k in range(2)]), "2 models"),
        (
            lambda p: zipped(
                p, [("a.onnx", b""), *((f"{k}", b"") for k in range(200))]
            ),
            "201 files",
        ),
        (lambda p: p.write_bytes(b"PK\3\4 no"), "cannot be unpacked"),
        (lambda p: damaged(zipped(p, [("a.onnx", b"0123456789")])), "cannot be unpa"),
    ],
)
@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")
def test_other_archives_are_refused(tmp_path, make, message):
    path = tmp_path / "a.zip"
    make(path)
    with pytest.raises(ValueError, match=message), unzipped(path):
        pass


def test_bombs_are_refused_before_they_unpack(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.onnx", bytes(50_000_000))
    with (
        pytest.raises(ValueError, match=r"would unpack from 0\.0 to 50 MB"),
        unzipped(path),
    ):
        pass


def test_errors_of_who_uses_an_archive_stay_his(tmp_path):
    path = zipped(tmp_path / "a.zip", [("a.onnx", b"model")])
    with pytest.raises(RuntimeError, match="mine"), unzipped(path):
        raise RuntimeError("mine")


def test_models_end_as_such(tmp_path):
    path = tmp_path / "toads.wav"
    path.write_bytes(b"RIFF")
    with pytest.raises(ValueError, match=r"must end in \.onnx or \.tflite"):
        load_encoder(path)
