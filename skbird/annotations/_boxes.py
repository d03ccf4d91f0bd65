"""The table of boxes: the one form of annotations in skbird."""

import os
from numbers import Real

import numpy as np
import pandas as pd

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
    boxes = boxes.reset_index(drop=True)
    checked = {"path": as_text(boxes["path"])}
    for column in SECONDS + HERTZ:
        checked[column] = _as_numbers(boxes, column, name)
    checked["species"] = as_text(boxes["species"])
    if "score" in boxes:
        checked["score"] = _as_numbers(boxes, "score", name)
    others = boxes.drop(columns=list(checked), errors="ignore")
    boxes = pd.concat([pd.DataFrame(checked, index=boxes.index), others], axis=1)
    _check_values(boxes, name)
    return boxes


def as_text(column):
    """Write the values of a column as text; what is missing stays so."""
    codes, values = pd.factorize(column)
    texts = [*map(_name, values), np.nan]  # code -1, missing, takes the last
    texts = np.array(texts, dtype=object)[codes]
    return pd.Series(texts, index=column.index, dtype=TEXT)


def _name(value):
    if isinstance(value, Real) and float(value).is_integer():
        return str(int(value))  # 41970.0 is the species number 41970
    return str(os.fspath(value)) if isinstance(value, os.PathLike) else str(value)


def _as_numbers(boxes, column, name):
    if column not in boxes:
        return pd.Series(np.nan, index=boxes.index)
    try:
        return boxes[column].astype(np.float64)
    except (TypeError, ValueError) as exc:
        raise ValueError(
            f"{name}[{column!r}] must hold numbers: {exc}. Convert it with "
            "pandas.to_numeric, or read the file with a function of skbird.annotations."
        ) from exc


def _check_values(boxes, name):
    for column in ["path", *SECONDS]:
        wrong = boxes[column].isin([np.nan, np.inf, -np.inf])
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
                f"{first} <= {last} is needed ({wrong.sum()} such rows)."
            )
