"""The table of boxes: the one form of annotations in skbird."""

import os
from decimal import Decimal
from numbers import Integral, Real

import numpy as np
import pandas as pd

from skbird.utils._arrow import with_rows
from skbird.utils._text import counted

TEXT = pd.Series([""]).dtype  # what pandas makes of text: object, or str since 3.0
SECONDS = ["start", "end"]
HERTZ = ["low_hz", "high_hz"]
BOX_COLUMNS = ["path", *SECONDS, *HERTZ, "species"]


def check_boxes(boxes, name="boxes"):
    """Bring a table of boxes into one form.

    Parameters
    ----------
    boxes : DataFrame
        One line per annotated call: ``path``, ``start`` and ``end`` (seconds, the same
        for a point in time), ``species`` (missing: not named), and if wanted ``low_hz``
        and ``high_hz`` (NaN: unknown), ``score`` and further columns.
    name : str
        What to call it in errors.

    Returns
    -------
    DataFrame
        A copy with the columns ``path``, ``start``, ``end``, ``low_hz``, ``high_hz``,
        ``species``, ``score`` if there, then the others, indexed 0 to n - 1.

    Raises
    ------
    TypeError
        If `boxes` is not a DataFrame.
    ValueError
        If columns or values are missing, or a box ends before it starts.
    """
    if not isinstance(boxes, pd.DataFrame):
        raise TypeError(
            f"{name} must be a DataFrame with 'path', 'start', 'end' and 'species'; "
            f"got {type(boxes).__name__}."
        )
    needed = ["path", *SECONDS, "species"]
    missing = [column for column in needed if column not in boxes.columns]
    if missing:
        raise ValueError(
            f"{name} has no columns {missing}; its columns are "
            f"{list(boxes.columns)[:10]}. Rename those that hold them."
        )
    twice = boxes.columns[boxes.columns.duplicated()]
    if len(twice) or boxes.columns.nlevels > 1:
        wrong = (
            f"has the column {twice[0]!r} twice" if len(twice) else "has a MultiIndex"
        )
        raise ValueError(
            f"{name} {wrong} as columns: each needs one name of its own. Rename or "
            "drop some."
        )
    boxes = boxes.reset_index(drop=True)
    checked = {"path": as_text(boxes["path"], name)}
    for column in SECONDS + HERTZ:
        checked[column] = _as_numbers(boxes, column, name)
    checked["species"] = as_text(boxes["species"], name)
    if "score" in boxes:
        checked["score"] = _as_numbers(boxes, "score", name)
    others = with_rows(boxes.drop(columns=list(checked), errors="ignore"))
    boxes = pd.concat([pd.DataFrame(checked, index=boxes.index), others], axis=1)
    _check_values(boxes, name)
    return boxes


def as_text(column, table="boxes"):
    """Write the values of a column as text; what is missing stays so.

    Parameters
    ----------
    column : Series
    table : str
        What errors call its table.

    Returns
    -------
    Series

    Raises
    ------
    ValueError
        If a value is neither text nor a number.
    """
    try:
        codes, values = pd.factorize(column)
        texts = [*map(_name, values), np.nan]  # code -1, missing, takes the last
    # Lists and dicts cannot even be compared.
    except (TypeError, ValueError, NotImplementedError) as exc:
        raise ValueError(
            f"{table}[{column.name!r}] must hold text: {_shorten(exc, str)}. "
            "Convert it, or name the column that holds it so."
        ) from exc
    texts = np.array(texts, dtype=object)[codes]
    try:
        return pd.Series(texts, index=column.index, dtype=TEXT)
    except UnicodeEncodeError:  # the name of a file that is not UTF-8
        return pd.Series(texts, index=column.index, dtype=object)


def _name(value):
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bytes):  # Parquet of programs that do not mark text as text
        return value.decode()
    if isinstance(value, os.PathLike):
        return os.fsdecode(value)
    if isinstance(value, bool | np.bool_) or not isinstance(value, Real | Decimal):
        raise TypeError(f"{_shorten(value)} is {type(value).__name__}")
    if isinstance(value, Integral) or float(value).is_integer():
        return str(int(value))  # 41970.0 is the species number 41970
    return str(value)


def _as_numbers(boxes, column, name):
    if column not in boxes:
        return pd.Series(np.nan, index=boxes.index)
    values = boxes[column]
    try:
        if values.dtype.kind in "bmMcV":
            raise TypeError(f"it holds {values.dtype}")
        if values.dtype == object:
            values = values.where(values.notna(), np.nan)  # float() knows no pandas.NA
        numbers = values.astype(np.float64)
    except (TypeError, ValueError, OverflowError) as exc:
        raise ValueError(
            f"{name}[{column!r}] must hold numbers: {_shorten(exc, str)}. Convert it "
            "with pandas.to_numeric, or read the file with a function of "
            "skbird.annotations."
        ) from exc
    wrong = np.isinf(numbers)
    if wrong.any():
        raise ValueError(
            f"{name}[{column!r}] is {numbers[wrong.argmax()]} at row {wrong.argmax()} "
            f"({counted(wrong.sum(), 'such row')}). Write a number, or leave it out."
        )
    return numbers


def _shorten(value, as_text=repr):
    text = as_text(value)
    return text if len(text) <= 100 else f"{text[:100]}..."


def _is_blank(text):
    return isinstance(text, str) and not text.strip()


def _check_values(boxes, name):
    for column in ["path", *SECONDS]:
        wrong = boxes[column].isna()
        if column == "path":
            wrong |= boxes[column].isin(
                [p for p in boxes[column].unique() if _is_blank(p)]
            )
        if wrong.any():
            raise ValueError(
                f"{name} has no {column} at row {wrong.argmax()} ({wrong.sum()} such "
                "rows). Fill it in, or drop the box."
            )
    for first, last, unit in ((*SECONDS, "s"), (*HERTZ, "Hz")):
        wrong = boxes[last] < boxes[first]
        if wrong.any():
            row = wrong.argmax()
            raise ValueError(
                f"{name} has {first}={boxes[first][row]:g} and {last}="
                f"{boxes[last][row]:g} {unit} at row {row} ({boxes['path'][row]}): "
                f"{first} <= {last} is needed ({counted(wrong.sum(), 'such row')})."
            )
