"""Fields of a model file: read JSON into checked values, and write it."""

import base64
import binascii
import math
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Integral, Real

import numpy as np

# JSON has no numbers for these.
_NOT_FINITE = {"inf": math.inf, "-inf": -math.inf, "nan": math.nan}


class FieldError(ValueError):
    """A value is not one that its field may hold."""


@dataclass(frozen=True)
class Number:
    """A number of a closed range.

    Parameters
    ----------
    low, high : float
        Infinity belongs to the range if it is one of them.
    whole : bool, default=False
        Whether it must be an integer.
    unknown : bool, default=False
        Whether it may be NaN.
    """

    low: float
    high: float
    whole: bool = False
    unknown: bool = False

    def write(self, value):
        """Return JSON for a value."""
        if isinstance(value, bool | np.bool_) or not isinstance(value, Real):
            raise FieldError(f"{value!r:.100} is no number")
        value = int(value) if isinstance(value, Integral) else float(value)
        self._check(value)
        return value if math.isfinite(value) else str(value)

    def read(self, plain):
        """Return the value that JSON stands for."""
        if isinstance(plain, str):
            plain = _NOT_FINITE.get(plain, plain)
        if isinstance(plain, bool) or not isinstance(plain, int | float):
            raise FieldError(f"{plain!r:.100} is no number")
        self._check(plain)
        return plain

    def _check(self, value):
        if self.whole and not isinstance(value, int):
            raise FieldError(f"{value!r:.100} is no integer")
        if isinstance(value, int) and abs(value) >= 2**1023:
            raise FieldError(f"{value!r:.50}... is beyond what a float can be")
        is_unknown = self.unknown and value != value
        if not is_unknown and not self.low <= value <= self.high:
            raise FieldError(f"{value!r:.100} is not in [{self.low}, {self.high}]")


@dataclass(frozen=True)
class Choice:
    """One of some texts, numbers, True, False or None."""

    options: tuple

    def write(self, value):
        """Return JSON for a value."""
        value = value.item() if isinstance(value, np.generic) else value
        return self.read(value)

    def read(self, plain):
        """Return the value that JSON stands for."""
        for option in self.options:
            # 1 == True, but they are not the same setting.
            if type(plain) is type(option) and plain == option:
                return option
        raise FieldError(f"{plain!r:.100} is none of {self.options}")


@dataclass(frozen=True)
class Text:
    """A text of a bounded number of characters; the least counts no outer spaces."""

    most: int = 1000
    least: int = 0

    def write(self, value):
        """Return JSON for a value."""
        return self.read(str(value) if isinstance(value, str) else value)

    def read(self, plain):
        """Return the value that JSON stands for."""
        if not isinstance(plain, str) or len(plain) > self.most:
            raise FieldError(f"{plain!r:.100} is no text of {self.most} or less")
        if len(plain.strip()) < self.least:
            raise FieldError(f"{plain!r:.100} is an empty text")
        try:
            plain.encode()
        except UnicodeEncodeError:
            # Halves of characters cannot be printed, nor written into tables.
            raise FieldError(f"{plain!r:.100} is no text in UTF-8") from None
        return plain


@dataclass(frozen=True)
class Several:
    """A bounded number of values of one field, as a tuple."""

    field: object
    most: int = 100_000
    least: int = 0

    def write(self, value):
        """Return JSON for a value."""
        if isinstance(value, str | Mapping) or not hasattr(value, "__len__"):
            raise FieldError(f"{value!r:.100} is no list")
        return [self.field.write(item) for item in self._counted(value)]

    def read(self, plain):
        """Return the value that JSON stands for."""
        if not isinstance(plain, list):
            raise FieldError(f"{plain!r:.100} is no list")
        return tuple(self.field.read(item) for item in self._counted(plain))

    def _counted(self, items):
        if not self.least <= len(items) <= self.most:
            raise FieldError(
                f"a list of {len(items)} has not {self.least} to {self.most} entries"
            )
        return items


@dataclass(frozen=True)
class Vector:
    """Numbers of one range, as an array (n,) of float64, or int64 if they are whole."""

    number: Number
    most: int = 100_000

    def write(self, value):
        """Return JSON for a value."""
        return Several(self.number, self.most).write(np.asarray(value).ravel().tolist())

    def read(self, plain):
        """Return the value that JSON stands for."""
        values = Several(self.number, self.most).read(plain)
        return np.array(values, dtype=np.int64 if self.number.whole else np.float64)


@dataclass(frozen=True)
class Vectors:
    """Vectors of one length and range, as an array (n, m)."""

    vector: Vector

    def write(self, value):
        """Return JSON for a value."""
        if np.ndim(value) != 2:
            raise FieldError(f"{value!r:.100} is no table")
        return Several(self.vector).write(value)

    def read(self, plain):
        """Return the value that JSON stands for."""
        rows = Several(self.vector, least=1).read(plain)
        if len({len(row) for row in rows}) > 1:
            raise FieldError(f"{plain!r:.100} has rows of several lengths")
        return np.array(rows)


@dataclass(frozen=True)
class Matrix:
    """Finite numbers, as an array (n, m) of float32; in JSON its bytes in base64."""

    most: int = 64 * 2**20  # bytes

    def write(self, value):
        """Return JSON for a value."""
        array = np.atleast_2d(np.asarray(value, dtype="<f4"))
        self._check(array)
        content = base64.b64encode(np.ascontiguousarray(array).tobytes()).decode()
        return {"shape": list(array.shape), "float32": content}

    def read(self, plain):
        """Return the value that JSON stands for."""
        known = {"shape": Several(Number(0, 2**31, whole=True), 2, 2), "float32": _TEXT}
        values = read_fields(known, plain)
        shape, text = values["shape"], values["float32"]
        if shape[0] * shape[1] * 4 > self.most:
            raise FieldError(f"a table of {shape} numbers is too large")
        try:
            content = base64.b64decode(text, validate=True)
        except (ValueError, binascii.Error):
            raise FieldError(f"{text!r:.50} is no base64") from None
        if len(content) != 4 * shape[0] * shape[1]:
            raise FieldError(f"{len(content)} bytes are no table of {shape} numbers")
        array = np.frombuffer(content, dtype="<f4").reshape(shape).astype(np.float32)
        self._check(array)
        return array

    def _check(self, array):
        if array.ndim != 2 or array.nbytes > self.most:
            raise FieldError(f"a table of {array.shape} numbers is too large")
        if not np.isfinite(array).all():
            raise FieldError("a table holds what is not finite")


@dataclass(frozen=True)
class Table:
    """A dict of given keys, each with a field of its own."""

    fields: Mapping

    def write(self, value):
        """Return JSON for a value."""
        return {key: field.write(value[key]) for key, field in self.fields.items()}

    def read(self, plain):
        """Return the value that JSON stands for."""
        return read_fields(self.fields, plain)


@dataclass(frozen=True)
class Keyed:
    """A dict from any texts to values of one field."""

    field: object
    most: int = 10_000

    def write(self, value):
        """Return JSON for a value."""
        if not isinstance(value, Mapping):
            raise FieldError(f"{value!r:.100} is no dict")
        return self.read({str(k): self.field.write(v) for k, v in value.items()})

    def read(self, plain):
        """Return the value that JSON stands for."""
        if not isinstance(plain, dict) or len(plain) > self.most:
            raise FieldError(f"{plain!r:.100} is no dict of {self.most} or less")
        return {Text().read(k): self.field.read(v) for k, v in plain.items()}


class Either:
    """The first of several fields that takes the value."""

    def __init__(self, *fields):
        self.fields = fields

    def write(self, value):
        """Return JSON for a value."""
        return self._first("write", value)

    def read(self, plain):
        """Return the value that JSON stands for."""
        return self._first("read", plain)

    def _first(self, method, value):
        wrong = []
        for field in self.fields:
            try:
                return getattr(field, method)(value)
            except FieldError as exc:
                wrong.append(str(exc))
        raise FieldError("; ".join(wrong))


_TEXT = Text(most=96 * 2**20)
FLAG = Choice((False, True))
NOTHING = Choice((None,))
#: The species of a model: names, or numbers where y was an array.
SPECIES = Either(
    Several(Text(200, least=1), most=50_000, least=1),
    Several(Number(0, 2**31, whole=True), most=50_000, least=1),
)


def read_fields(fields, plain):
    """Return a dict of the fields' values: all of them, and nothing else.

    Parameters
    ----------
    fields : dict of str to field
    plain : dict
        From JSON.

    Raises
    ------
    FieldError
        If a field is missing, unknown or has another value; it is named.
    """
    if not isinstance(plain, dict) or plain.keys() != fields.keys():
        found = sorted(plain) if isinstance(plain, dict) else plain
        raise FieldError(f"{found!r:.200} where {sorted(fields)} are expected")
    values = {}
    for name, field in fields.items():
        try:
            values[name] = field.read(plain[name])
        except FieldError as exc:
            raise FieldError(f"{name}: {exc}") from None
    return values


def write_fields(fields, source):
    """Return JSON of the attributes of an object that the fields name."""
    plain = {}
    for name, field in fields.items():
        try:
            plain[name] = field.write(getattr(source, name))
        except FieldError as exc:
            raise FieldError(f"{type(source).__name__}.{name}: {exc}") from None
    return plain
