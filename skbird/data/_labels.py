"""From a metadata table to the two arrays that training needs: targets and weights."""

import ast
import warnings
from collections import Counter
from numbers import Real

import numpy as np
import pandas as pd

# "nocall" is BirdCLEF's word for a stretch without a target species.
_NO_SPECIES = frozenset({"", "nocall"})
_SHOWN_LABELS = 10


def encode_labels(table, species=None, secondary_weight=0.5):
    """Encode primary and secondary labels as targets and label weights.

    A species heard in the background *is* present, so its target is 1 like that of the
    primary species; what differs is how much the loss trusts it.

    Parameters
    ----------
    table : pandas.DataFrame of n_rows rows
        Has a column ``primary_label`` and, if wanted, ``secondary_labels``.

        - ``primary_label``: one name, or several separated by semicolons. Spaces belong
          to the name.
        - ``secondary_labels``: a list of names, Kaggle's text of one
          (``"['amerob', 'norcar']"``, ``"[]"``, ``"['']"``), names separated by
          semicolons (``"Parus major;Pica pica"``), or codes separated by spaces
          (``"amerob norcar"``).

        Empty, missing and ``"nocall"`` mean no species. Labels are compared as text,
        whole numbers (iNaturalist taxon ids) included.
    species : sequence of str, default=None
        The columns, in this order. ``None`` takes the sorted primary labels. Labels
        that are no column are reported by a warning and get no target.
    secondary_weight : float in [0, 1], default=0.5
        Label weight of species that are in ``secondary_labels`` only. 0 leaves these
        entries out of the loss, so that they count neither as present nor as absent.

    Returns
    -------
    Y : pandas.DataFrame of shape (n_rows, n_species), float32
        1 where the species is present (primary or secondary), else 0. The index is the
        one of `table`.
    label_weight : pandas.DataFrame of shape (n_rows, n_species), float32
        `secondary_weight` at secondary labels, 1 everywhere else.

    Raises
    ------
    TypeError
        If `table` is not a DataFrame, or a label is neither text, number nor list.
    ValueError
        If ``primary_label`` is missing, a list in ``secondary_labels`` cannot be
        parsed, `species` is empty or has duplicates, or `secondary_weight` is out of
        range.

    Warns
    -----
    UserWarning
        If labels are not among the species: names them and how often each occurs.

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
    if not isinstance(secondary_weight, Real) or not 0 <= secondary_weight <= 1:
        raise ValueError(
            f"secondary_weight={secondary_weight!r} must be a number in [0, 1]: 0 "
            "leaves secondary labels out of the loss, 1 trusts them like primary ones."
        )
    primary = _Pairs.from_column(table["primary_label"], parse_primary_label)
    species = _check_species(species, primary)
    names = frozenset(species)
    secondary = _Pairs.from_column(
        table.get("secondary_labels", pd.Series(dtype=object)),
        lambda cell: parse_secondary_labels(cell, names),
    )
    _warn_about_unknown(species, primary, secondary)

    shape = len(table), len(species)
    Y = np.zeros(shape, dtype=np.float32)
    label_weight = np.ones(shape, dtype=np.float32)
    label_weight[secondary.positions(species)] = secondary_weight
    # Primary comes last: a species named in both columns is known for certain.
    label_weight[primary.positions(species)] = 1
    Y[secondary.positions(species)] = 1
    Y[primary.positions(species)] = 1
    return (
        pd.DataFrame(Y, index=table.index, columns=species),
        pd.DataFrame(label_weight, index=table.index, columns=species),
    )


def parse_primary_label(cell):
    """Split a cell of ``primary_label`` into species names.

    Parameters
    ----------
    cell : str, number, None or NaN
        One name or several separated by semicolons. Spaces belong to the name.

    Returns
    -------
    list of str
        The names in order, without empty ones and ``"nocall"``.
    """
    return _clean(_as_text(cell, "primary_label").split(";"))


def parse_secondary_labels(cell, species=frozenset()):
    """Split a cell of ``secondary_labels`` into species names.

    Parameters
    ----------
    cell : str, list-like, number, None or NaN
        A list of names, the text of one, or names separated by semicolons or spaces.
    species : set of str
        Known names: a cell that is one of them as a whole is not split at its spaces.

    Returns
    -------
    list of str
        The names in order, without empty ones and ``"nocall"``.
    """
    if isinstance(cell, list | tuple | set | np.ndarray):
        return _clean(_as_text(name, "secondary_labels") for name in cell)
    text = _as_text(cell, "secondary_labels")
    if text.startswith("["):
        try:
            names = ast.literal_eval(text)
        except (ValueError, SyntaxError) as exc:
            raise ValueError(
                f"secondary_labels={text!r} looks like a list but cannot be read as "
                "one. Write ['a', 'b'], or the names separated by semicolons: a;b."
            ) from exc
        return parse_secondary_labels(names)
    if text in species:  # "Pica pica"
        return [text]
    return _clean(text.split(";") if ";" in text else text.split())


def _as_text(cell, column):
    """Label as text; missing becomes empty, a whole float loses its '.0'."""
    if isinstance(cell, str):
        return cell.strip()
    if pd.api.types.is_scalar(cell) and pd.isna(cell):
        return ""
    if isinstance(cell, Real):
        # pandas reads a column of taxon ids with gaps as float: 41970.0 is "41970".
        return str(int(cell)) if float(cell).is_integer() else str(cell)
    raise TypeError(
        f"{column} holds {cell!r} of type {type(cell).__name__}; expected text"
        f"{', a list of names' if column == 'secondary_labels' else ''} or a number."
    )


def _clean(names):
    names = (name.strip() for name in names)
    return [name for name in names if name not in _NO_SPECIES]


class _Pairs:
    """The (row, label) pairs of one column."""

    def __init__(self, rows, labels):
        self.rows = np.asarray(rows, dtype=np.intp)
        self.labels = labels

    @classmethod
    def from_column(cls, column, parse):
        rows, labels, known = [], [], {}
        for row, cell in enumerate(column):
            # A few thousand distinct cells fill a table of any length.
            names = known.get(cell) if isinstance(cell, str) else parse(cell)
            if names is None:
                names = known[cell] = parse(cell)
            rows.extend([row] * len(names))
            labels.extend(names)
        return cls(rows, labels)

    def positions(self, species):
        """Index (rows, columns) of the pairs whose label is among `species`."""
        columns = pd.Index(species).get_indexer(self.labels)
        return self.rows[columns >= 0], columns[columns >= 0]


def _check_table(table):
    if not isinstance(table, pd.DataFrame):
        raise TypeError(
            f"table must be a pandas DataFrame with a column primary_label, "
            f"got {type(table).__name__}."
        )
    if "primary_label" not in table.columns:
        raise ValueError(
            "table has no column 'primary_label'; its columns are "
            f"{list(table.columns)}. Rename the column that names the species."
        )


def _check_species(species, primary):
    if species is None:
        species = sorted(set(primary.labels))
        if not species:
            raise ValueError(
                "table names no species in primary_label, so that Y would have no "
                "columns. Pass species=[...]."
            )
        return species
    if isinstance(species, str):
        raise ValueError(f"species={species!r} must be a list of names, not one text.")
    species = [_as_text(name, "species") for name in species]
    if not species:
        raise ValueError("species=[] must name at least one species.")
    duplicates = [name for name, count in Counter(species).items() if count > 1]
    if duplicates:
        raise ValueError(
            f"species has duplicates: {duplicates}. Each species is one column of Y; "
            "name it once."
        )
    return species


def _warn_about_unknown(species, primary, secondary):
    known = set(species)
    unknown = Counter(
        label for label in [*primary.labels, *secondary.labels] if label not in known
    )
    if not unknown:
        return
    shown = ", ".join(f"{k!r} ({n}x)" for k, n in unknown.most_common(_SHOWN_LABELS))
    more = len(unknown) - _SHOWN_LABELS
    warnings.warn(
        f"{len(unknown)} labels, {unknown.total()} entries, are not among the "
        f"{len(species)} species and get no target: {shown}"
        f"{f' and {more} more' if more > 0 else ''}. Add them to species to keep them.",
        UserWarning,
        stacklevel=3,
    )
