"""Read the members of a model file, each within bounds that are checked first."""

import base64
import json
import os
import stat
import sys
import zipfile
import zlib
from contextlib import ExitStack, contextmanager

import skbird
from skbird.inference._fields import (
    NOTHING,
    SPECIES,
    Either,
    Keyed,
    Number,
    Table,
    Text,
    read_fields,
)

FORMAT = 2
ABOUT, MODEL, NETWORK = "skbird.json", "model.json", "networks/{}.onnx"
RAISE_IT = (
    "If you trust who made it, raise max_bytes of load_model, or --max-model-mib of "
    "commands."
)
# JSON takes some thirty times its size in memory.
_MAX_JSON = 16 * 2**20
# Lists and objects in it: thirty times their size is what takes the most.
_MAX_LISTS = 250_000
_MAX_MEMBERS = 10_000
# Signatures of a zip archive's end, and of the end of one of more than 4 GB.
_END, _END_64 = b"PK\x05\x06", b"PK\x06\x07"

_LARGEST = sys.float_info.max
_SCALAR = Either(NOTHING, Number(-_LARGEST, _LARGEST), Text(100_000))
ABOUT_FIELDS = {
    "format": Number(FORMAT, FORMAT, whole=True),
    "skbird": Text(),
    "versions": Keyed(Either(NOTHING, Text())),
    "python": Text(),
    "created": Text(),
    "species": SPECIES,
    "model": Text(10_000_000),
    "max_difference": Either(NOTHING, Number(0, _LARGEST)),
    "metrics": Keyed(_SCALAR),
    "data": Either(
        NOTHING,
        Table(
            {
                "n_rows": Number(0, 2**40, whole=True),
                "sha256": Text(),
                "files": Text(_MAX_JSON),
            }
        ),
    ),
    "license": Either(NOTHING, Text(1_000_000)),
    "notes": Either(NOTHING, Text(1_000_000)),
}


# What zipfile, zlib and json raise of damaged archives.
_DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    OSError,
    EOFError,
    KeyError,
    ValueError,
    TypeError,
    RuntimeError,  # encrypted; RecursionError; NotImplementedError
    OverflowError,
    MemoryError,
)


class ModelFileError(ValueError):
    """A file is not a model of skbird, is damaged, or holds unknown content.

    Examples
    --------
    >>> import pandas as pd, tempfile
    >>> from pathlib import Path
    >>> from skbird.inference import ModelFileError, load_model
    >>> path = Path(tempfile.mkdtemp()) / "notes.skbird"
    >>> _ = path.write_text("no model")
    >>> try:
    ...     load_model(path)
    ... except ModelFileError as error:
    ...     print("refused")
    refused
    """


class ModelArchive:
    """An open model file, whose members are read with bounds on what they may take.

    Parameters
    ----------
    path : str
    max_bytes : int
        Size of the file from which on it is refused.

    Raises
    ------
    FileNotFoundError
    ModelFileError
        Of everything else that is wrong, here and in the methods.
    """

    def __init__(self, path, max_bytes):
        self.path = path
        self.max_bytes = max_bytes
        self._n_bytes = 0  # of networks read; members could overlap
        with ExitStack() as stack:
            with self._failures():
                self._check_kind(os.stat(path))
                # What is checked is what is read, whatever the path names by then.
                file = stack.enter_context(open(path, "rb"))
                self._check_file(file)
                self._archive = stack.enter_context(zipfile.ZipFile(file))
            self._opened = stack.pop_all()
        self._members = {info.filename: info for info in self._archive.infolist()}

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self._opened.close()

    def read_about(self):
        """Return the metadata of the file, a dict with the keys of ABOUT_FIELDS."""
        about = self.read_json(ABOUT)
        self._check_format(about)
        with self._failures():
            data = read_fields(ABOUT_FIELDS, about)["data"] or {"files": ""}
            if len(base64.b64decode(data["files"], validate=True)) % 4:
                raise ValueError("the hashes of its recordings are cut off")
        return about

    def read_json(self, name):
        """Return the content of a JSON member."""
        with self._failures():
            info = self._find(name)
            if info.file_size > _MAX_JSON:
                raise ValueError(f"{name} unpacks to over {_MAX_JSON >> 20} MiB")
            with self._archive.open(info) as file:
                text = file.read(_MAX_JSON + 1)
            if len(text) != info.file_size:
                raise ValueError(f"{name} has another size than it says")
            if text.count(b"[") + text.count(b"{") > _MAX_LISTS:
                raise ValueError(f"{name} has over {_MAX_LISTS} lists and objects")
            return json.loads(text, parse_constant=_refuse_constant)

    def read_network(self, number):
        """Return the program of a network, which is no larger than the file."""
        name = NETWORK.format(number)
        with self._failures():
            info = self._find(name)
            if info.compress_type != zipfile.ZIP_STORED:
                raise ValueError(f"{name} is packed")
            if not info.file_size == info.compress_size <= self.max_bytes:
                raise ValueError(f"{name} has another size than it says")
            self._n_bytes += info.file_size
            if self._n_bytes > self.max_bytes:
                raise ValueError("its networks are larger than the file may be")
            return self._archive.read(info)

    @contextmanager
    def _failures(self):
        """Turn exceptions into a ModelFileError that names the file."""
        try:
            yield
        except (FileNotFoundError, ModelFileError):
            raise
        except _DAMAGE as exc:
            raise ModelFileError(
                f"{self.path} is no model file of skbird, or it is damaged "
                f"({type(exc).__name__}: {exc!s:.300}). Files of save_model have the "
                f"members {ABOUT}, {MODEL} and {NETWORK.format(0)}."
            ) from exc

    def _check_kind(self, info):
        if not stat.S_ISREG(info.st_mode):
            raise ModelFileError(f"{self.path} is no regular file, so no model file.")

    def _check_file(self, file):
        """Refuse what is no regular file, too large, or lists too many members."""
        info = os.fstat(file.fileno())
        self._check_kind(info)
        if info.st_size > self.max_bytes:
            raise ModelFileError(
                f"{self.path} has {info.st_size} bytes, more than max_bytes="
                f"{self.max_bytes}. {RAISE_IT}"
            )
        # The list of members alone could fill the memory. save_model writes no comment
        # behind the 22 bytes that end an archive, and no archive of over 4 GB.
        file.seek(max(info.st_size - 42, 0))
        tail = file.read(42)
        end = tail[-22:]
        n_members, n_bytes = _number(end[10:12]), _number(end[12:16])
        if end[:4] != _END or tail[:4] == _END_64:
            raise ValueError("it is no zip archive, or is cut off")
        if n_members > _MAX_MEMBERS or n_bytes > 200 * _MAX_MEMBERS:
            raise ValueError("it has too many members")

    def _find(self, name):
        info = self._members.get(name)
        if info is None:
            raise ValueError(f"{name} is missing")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ValueError(f"{name} is packed in another way than deflate")
        return info

    def _check_format(self, about):
        found = about.get("format") if isinstance(about, dict) else None
        if found == FORMAT:
            return
        remedy = "Install that version, or save the model anew."
        if found == 1:
            remedy = (
                "Files of that format could run code when they were opened and are not "
                "read any more: compile the fitted pipeline and save it anew."
            )
        wrote = about.get("skbird") if isinstance(about, dict) else None
        raise ModelFileError(
            f"{self.path} has format {found!r:.20}, written by skbird {wrote!s:.50}; "
            f"this is skbird {skbird.__version__}, which reads format {FORMAT}. "
            f"{remedy}"
        )


def _number(data):
    return int.from_bytes(data, "little")


def _refuse_constant(name):
    raise ValueError(f"{name} is no JSON")
