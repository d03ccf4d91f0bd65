"""Turn a metadata table into targets and label weights."""

import ast
import warnings
from collections import Counter
from numbers import Integral, Real

import numpy as np
import pandas as pd

from skbird.utils._columns import check_columns
from skbird.utils._names import commonest_names, names_species, plain_name, settle_names
from skbird.utils._params import check_list
from skbird.utils._text import counted
from skbird.utils._typing import Names

_SHOWN_LABELS = 10
_LONGEST_CELL = 100_000  # characters
_LARGEST = 2**64  # what tables hold as whole numbers


def encode_labels(
    table: pd.DataFrame, species: Names | None = None, secondary_weight: float = 0.5
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Encode primary and secondary labels as targets and label weights.

    A species heard in the background *is* present, so its target is 1 like that of the
    primary species; what differs is how much the loss trusts it.

    Parameters
    ----------
    table : pandas.DataFrame of n_rows rows
        Has a column ``primary_label`` and, if wanted, ``secondary_labels``.

        - ``primary_label``: one name, or several separated by semicolons. Spaces belong
          to the name. ``"-Pica pica"`` says that this species is *not* there, as
          folders of BirdNET-Analyzer do: its target is 0, and if the row has no other
          label, nothing is known of the other species (NaN).
        - ``secondary_labels``: a list of names, Kaggle's text of one
          (``"['amerob', 'norcar']"``, ``"[]"``, ``"['']"``), names separated by
          semicolons (``"Parus major;Pica pica"``), or codes separated by spaces
          (``"amerob norcar"``).

        Empty, missing and ``"nocall"`` mean no species. Labels are compared as text,
        whole numbers (iNaturalist taxon ids) included. A label
        that equals no species is taken, with a warning, for the species that differs
        from it in case, blanks, underscores or the form of accents only
        ("Pica_pica", "pica pica"), if there is just one.
    species : sequence of str, default=None
        The columns, in this order. ``None`` takes the sorted primary labels; of several
        spellings of a name, the commonest. To keep such apart, name both. Labels
        that are not among them get no target; a warning lists them.
    secondary_weight : float in [0, 1], default=0.5
        Label weight of species that are in ``secondary_labels`` only. 0 leaves these
        entries out of the loss, so that they count neither as present nor as absent.

    Returns
    -------
    Y : pandas.DataFrame of shape (n_rows, n_species), float32
        1 where the species is present (primary or secondary), else 0. NaN (unknown)
        in rows that only say that other species are absent. Indexed as `table`.
    label_weight : pandas.DataFrame of shape (n_rows, n_species), float32
        `secondary_weight` at secondary labels, 1 everywhere else.

    Raises
    ------
    TypeError
        If `table` is not a DataFrame, or a label is neither text, number nor list.
    ValueError
        If ``primary_label`` is missing or there twice, a list in ``secondary_labels``
        cannot be parsed (names the row), `species` is empty or has duplicates, or
        `secondary_weight` is out of range.

    Warns
    -----
    UserWarning
        If labels are not among the species: names them and how often each occurs. If
        labels are spelled otherwise than the species, or species alike. If a row says
        that a species is both absent and present.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"primary_label": ["amerob", "norcar", "nocall"],
    ...                       "secondary_labels": ["['norcar']", "[]", None]})
    >>> Y, label_weight = encode_labels(table)
    >>> Y
       amerob  norcar
    0     1.0     1.0
    1     0.0     1.0
    2     0.0     0.0
    >>> label_weight
       amerob  norcar
    0     1.0     0.5
    1     1.0     1.0
    2     1.0     1.0
    """
    _check_table(table)
    index = table.index
    return encode_table(
        table, species, secondary_weight, lambda row: f"row {index[row]!r}"
    )


def encode_table(table, species, secondary_weight, place):
    """Encode labels as `encode_labels` does; errors say where bad cells are.

    Parameters
    ----------
    table, species, secondary_weight
        See `encode_labels`.
    place : callable
        Makes a text of the position of a row: where to find it.
    """
    _check_table(table)
    if not isinstance(secondary_weight, Real) or not 0 <= secondary_weight <= 1:
        raise ValueError(
            f"secondary_weight={secondary_weight!r} must be a number in [0, 1]: 0 "
            "leaves secondary labels out of the loss, 1 trusts them like primary ones."
        )
    species, primary, secondary, absent = read_pairs(table, species, place)
    labels = [*primary.labels, *secondary.labels, *absent.labels]
    meant = settle_names(labels, species, stacklevel=3)
    _warn_about_unknown(species, meant, primary, secondary, absent)

    shape = len(table), len(species)
    columns = {name: column for column, name in enumerate(species)}
    columns = {label: columns[name] for label, name in meant.items()}
    Y = np.zeros(shape, dtype=np.float32)
    label_weight = np.ones(shape, dtype=np.float32)
    label_weight[secondary.positions(columns)] = secondary_weight
    # Primary comes last: a species named in both columns is known for certain.
    label_weight[primary.positions(columns)] = 1
    # Who says only that a species is absent, says nothing of the others.
    Y[np.setdiff1d(absent.rows, [*primary.rows, *secondary.rows])] = np.nan
    Y[absent.positions(columns)] = 0
    Y[secondary.positions(columns)] = 1
    Y[primary.positions(columns)] = 1
    _warn_of_contradictions(Y, absent.positions(columns), species)
    return (
        pd.DataFrame(Y, index=table.index, columns=species),
        pd.DataFrame(label_weight, index=table.index, columns=species),
    )


def read_pairs(table, species, place):
    """Return the species, and the primary, secondary and absent labels of the rows."""
    _check_table(table)
    primary = _Pairs.from_column(table["primary_label"], parse_primary_label, place)
    primary, absent = primary.split_absent(() if species is None else species)
    rows = f"from {place(0)} on" if len(table) else "of no rows"
    species = _check_species(species, primary, rows)
    known = frozenset(map(plain_name, species))
    secondary = _Pairs.from_column(
        table.get("secondary_labels", pd.Series(dtype=object)),
        lambda cell: parse_secondary_labels(cell, known),
        place,
    )
    return species, primary, secondary, absent


def say_without(Y):
    """Say how many rows have none of the species, as those of ``"nocall"``; or ""."""
    n_rows = int((~(Y > 0).any(axis=1)).sum())
    return f", {counted(n_rows, 'row')} with none of them" if n_rows else ""


def parse_primary_label(cell):
    """Split a cell of ``primary_label`` into species names.

    Parameters
    ----------
    cell : str, number, None or NaN
        One name or several separated by semicolons. Spaces belong to the name.

    Returns
    -------
    list of str
        The names in order, without empty ones and ``"nocall"``. One that begins with a
        minus sign is of a species that is absent.
    """
    return _clean(_as_text(cell, "primary_label").split(";"))


def says_absent(label):
    """Return whether a primary label is of a species that is not there."""
    return len(label) > 1 and label[0] == "-"


def parse_secondary_labels(cell, species=frozenset()):
    """Split a cell of ``secondary_labels`` into species names.

    Parameters
    ----------
    cell : str, list-like, number, None or NaN
        A list of names, the text of one, or names separated by semicolons or spaces.
    species : set of str
        Known names, as `plain_name` spells them: a cell that is one of them as a whole
        is not split at its spaces.

    Returns
    -------
    list of str
        The names in order, without empty ones and ``"nocall"``.
    """
    if isinstance(cell, list | tuple | set | np.ndarray):
        return _clean(_as_text(name, "secondary_labels") for name in cell)
    text = _as_text(cell, "secondary_labels")
    if text.startswith("["):
        return _clean(_as_text(name, "secondary_labels") for name in _read_list(text))
    if plain_name(text) in species:  # "Pica pica"
        return [text]
    return _clean(text.split(";") if ";" in text else text.split())


def _read_list(text):
    """Read a list of texts and numbers as Python writes it."""
    try:
        if len(text) > _LONGEST_CELL:
            raise ValueError(f"more than {_LONGEST_CELL} characters")
        names = ast.literal_eval(text)
        if not isinstance(names, list):
            raise ValueError("it goes on after the list")
        return names
    # Of what is nested too deeply; TypeError: of sets of lists.
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError) as exc:
        raise ValueError(
            f"secondary_labels={_shortened(text)} looks like a list but cannot be read "
            "as one. Write ['a', 'b'], or the names separated by semicolons: a;b."
        ) from exc


def _shortened(cell):
    try:
        text = repr(cell)
    except (ValueError, RecursionError):  # numbers of thousands of digits
        return f"a {type(cell).__name__}"
    return text if len(text) <= 200 else f"{text[:200]}..."


def _as_text(cell, column):
    """Label as text; missing becomes empty, a whole float loses its '.0'."""
    if isinstance(cell, str):
        return cell.strip()
    if pd.api.types.is_scalar(cell) and pd.isna(cell):
        return ""
    if isinstance(cell, Integral) and abs(cell) < _LARGEST:
        return str(int(cell))
    if isinstance(cell, Real) and abs(cell) < _LARGEST:
        # pandas reads a column of taxon ids with gaps as float: 41970.0 is "41970".
        return str(int(cell)) if float(cell).is_integer() else str(cell)
    if isinstance(cell, Real):
        raise ValueError(
            f"{column} holds {_shortened(cell)}, a number too large to name a species. "
            "Write it as text."
        )
    lists = ", a list of names" if column == "secondary_labels" else ""
    raise TypeError(
        f"{column} holds {_shortened(cell)} of type {type(cell).__name__}; expected "
        f"text{lists} or a number."
    )


def _clean(names):
    names = (name.strip() for name in names)
    return [name for name in names if names_species(name)]


class _Pairs:
    """The (row, label) pairs of one column."""

    def __init__(self, rows, labels):
        self.rows = np.asarray(rows, dtype=np.intp)
        self.labels = labels

    @classmethod
    def from_column(cls, column, parse, place):
        rows, labels, known = [], [], {}
        for row, cell in enumerate(column):
            # A few thousand distinct cells fill a table of any length.
            names = known.get(cell) if isinstance(cell, str) else None
            if names is None:
                try:
                    names = parse(cell)
                except (TypeError, ValueError) as exc:
                    raise type(exc)(f"{place(row)}: {exc}") from exc
                if isinstance(cell, str):
                    known[cell] = names
            rows.extend([row] * len(names))
            labels.extend(names)
        return cls(rows, labels)

    def split_absent(self, species):
        """Return the pairs of labels, and those of labels with a minus before them.

        A species of that very name is none that is absent.
        """
        is_absent = np.array(
            [says_absent(label) and label not in species for label in self.labels],
            dtype=bool,
        )
        labels = np.array(self.labels, dtype=object)
        absent = [label[1:].strip() for label in labels[is_absent]]
        return (
            _Pairs(self.rows[~is_absent], labels[~is_absent].tolist()),
            _Pairs(self.rows[is_absent], absent),
        )

    def positions(self, columns):
        """Index (rows, columns) of the pairs whose label has a column."""
        column = np.array([columns.get(label, -1) for label in self.labels], np.intp)
        return self.rows[column >= 0], column[column >= 0]


def _check_table(table):
    if not isinstance(table, pd.DataFrame):
        raise TypeError(
            f"table must be a pandas DataFrame with a column primary_label, "
            f"got {type(table).__name__}."
        )
    check_columns(table, ("primary_label", "secondary_labels"), "table")
    if "primary_label" not in table.columns:
        raise ValueError(
            "table has no column 'primary_label'; its columns are "
            f"{list(table.columns)}. Rename the column that names the species."
        )


def _check_species(species, primary, rows):
    if species is None:
        species = commonest_names(primary.labels)
        if not species:
            raise ValueError(
                f"table names no species in primary_label, {rows}, so that Y would "
                "have no columns. Pass species=[...]."
            )
        return species
    if isinstance(species, str):
        raise ValueError(f"species={species!r} must be a list of names, not one text.")
    species = [_as_text(name, "species") for name in check_list(species, "species")]
    if not species:
        raise ValueError("species=[] must name at least one species.")
    duplicates = [name for name, count in Counter(species).items() if count > 1]
    if duplicates:
        raise ValueError(
            f"species has duplicates: {duplicates}. Each species is one column of Y; "
            "name it once."
        )
    return species


def _warn_of_contradictions(Y, absent, species):
    """Warn of species that the same row says are absent and present."""
    wrong = Y[absent] == 1
    if wrong.any():
        names = sorted({species[column] for column in absent[1][wrong]})
        shown = ", ".join([*map(repr, names[:5]), "..."][: len(names)])
        n_rows = np.unique(absent[0][wrong]).size
        warnings.warn(
            f"{counted(n_rows, 'row says', 'rows say')} of species both that they are "
            f"absent ('-') and that they are present; present counts: {shown}. Correct "
            "the labels.",
            UserWarning,
            stacklevel=4,
        )


def _warn_about_unknown(species, meant, primary, secondary, absent):
    labels = [*primary.labels, *secondary.labels, *absent.labels]
    unknown = Counter(label for label in labels if label not in meant)
    if not unknown:
        return
    shown = ", ".join(f"{k!r} ({n}x)" for k, n in unknown.most_common(_SHOWN_LABELS))
    more = len(unknown) - _SHOWN_LABELS
    warnings.warn(
        f"{counted(len(unknown), 'label is', 'labels are')} not among the "
        f"{len(species)} species and without a target "
        f"({counted(unknown.total(), 'entry', 'entries')}): "
        f"{shown}{f' and {more} more' if more > 0 else ''}. Add them to species to "
        "keep them.",
        UserWarning,
        stacklevel=4,
    )
