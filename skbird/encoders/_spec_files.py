"""Specs in files: TOML or JSON beside a model, and those that come with skbird."""

import json
import os
import re
import tomllib
from dataclasses import asdict, fields
from functools import cache
from importlib.resources import files
from pathlib import Path

from skbird.encoders._spec import EncoderSpec, spec_from_table
from skbird.utils._files import open_whole, read_bytes
from skbird.utils._json import parse_json
from skbird.utils._params import check_path
from skbird.utils._text import as_utf_8, decode_text

_MOST_BYTES = 10_000_000  # names of a hundred thousand classes
# tomllib takes time that grows with the square of such a key.
_DEEP_KEY = re.compile(
    r"""(?:\.[ \t]*(?:[\w-]{1,200}|"[^"\n]{0,200}"|'[^'\n]{0,200}')[ \t]{0,9}){21}"""
)


def read_spec(path):
    """Read the spec of a pretrained model.

    Parameters
    ----------
    path : path-like
        A .toml or .json file with the fields of :class:`EncoderSpec`.

    Returns
    -------
    EncoderSpec

    Raises
    ------
    FileNotFoundError
        If there is none.
    ValueError, TypeError
        If it is no such file, or has fields or values that a spec has not.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from skbird.encoders import read_spec
    >>> path = Path(tempfile.mkdtemp()) / "toads.toml"
    >>> _ = path.write_text('''
    ... name = "toads"
    ... version = "1"
    ... sample_rate = 32000
    ... window_s = 5.0
    ... outputs.embedding = {name = "embedding", shape = [128]}
    ... ''')
    >>> read_spec(path).outputs["embedding"].shape
    (128,)
    """
    return read_table(path, EncoderSpec)


def read_table(path, cls):
    """Read a spec of some class from a .toml or .json file."""
    path = Path(check_path(path))
    parse = {".toml": _parse_toml, ".json": parse_json}.get(path.suffix.lower())
    if parse is None:
        raise ValueError(f"path={str(path)!r} must end in .toml or .json.")
    text = decode_text(read_bytes(path, max_bytes=_MOST_BYTES), str(path))
    try:
        table = parse(text)
    except (ValueError, RecursionError) as exc:
        kind = path.suffix[1:].upper()
        raise ValueError(f"{path} cannot be read as {kind}: {exc!s:.200}") from exc
    try:
        return spec_from_table(table, cls)
    except (TypeError, ValueError) as exc:
        raise type(exc)(f"{path}: {exc}") from exc


def _parse_toml(text):
    if _DEEP_KEY.search(text):
        raise ValueError("its tables are nested too deep")
    return tomllib.loads(text)


def write_spec(spec, path):
    """Write the spec of a pretrained model as JSON.

    Parameters
    ----------
    spec : EncoderSpec
    path : path-like
        A file that ends in .json. :func:`load_encoder` finds the spec of "toads.onnx"
        as "toads.json" beside it.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from skbird.encoders import EncoderOutput, EncoderSpec, read_spec, write_spec
    >>> outputs = {"embedding": EncoderOutput("embedding", [128])}
    >>> spec = EncoderSpec("toads", "1", 32_000, 5.0, outputs)
    >>> path = Path(tempfile.mkdtemp()) / "toads.json"
    >>> write_spec(spec, path)
    >>> read_spec(path) == spec
    True
    """
    if not isinstance(spec, EncoderSpec):
        raise TypeError(f"spec={spec!r:.100} must be an EncoderSpec.")
    path = Path(check_path(path))
    if path.suffix.lower() != ".json":
        raise ValueError(f"path={str(path)!r} must end in .json.")
    defaults = {f.name: f.default for f in fields(EncoderSpec)}
    table = {k: v for k, v in asdict(spec).items() if v != defaults[k]}
    text = json.dumps(table, indent=1, ensure_ascii=False, default=_plain)
    with open_whole(path) as file:
        file.write(as_utf_8(text))


def _plain(value):
    """Return what numpy's numbers and others are for Python."""
    return value.item() if hasattr(value, "item") else os.fspath(value)


@cache
def known_specs():
    """Return the specs that come with skbird, by name."""
    folder = files("skbird.encoders") / "specs"
    specs = [read_spec(p) for p in sorted(Path(str(folder)).glob("*.toml"))]
    return {spec.name: spec for spec in sorted(specs, key=lambda spec: spec.name)}
