"""Write the CSV file that BirdCLEF competitions on Kaggle score."""

import warnings
from numbers import Real
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from skbird.annotations._row_tables import ROW_ID, read_row_table, some
from skbird.utils._files import open_whole
from skbird.utils._names import match_names, same_text, settle_names
from skbird.utils._params import as_floats, check_list, check_path
from skbird.utils._rows import check_same_order
from skbird.utils._text import as_utf_8, counted
from skbird.utils._typing import Names, PathLike


def write_submission(
    proba: ArrayLike,
    X: pd.DataFrame,
    path: PathLike,
    *,
    like: pd.DataFrame | PathLike | None = None,
    species: Names | None = None,
    fill_nan: float | None = None,
) -> pd.DataFrame:
    """Write one line per row: its ``row_id`` and a probability per species.

    The file appears whole or not at all: it is written beside `path` and then renamed.

    Parameters
    ----------
    proba : array-like or DataFrame of shape (n_rows, n_species)
        Probabilities in [0, 1], as ``predict_proba`` gives them. The columns of a
        DataFrame name the species; its index is ignored.
    X : DataFrame
        What was predicted, in the order of `proba`: ``row_id``, or ``path`` and ``end``
        (seconds), from which the row id is made as
        ``<file name without suffix>_<end, rounded to whole seconds>``.
    path : path-like
        Where to write. An existing file is replaced.
    like : DataFrame or path-like, default=None
        ``sample_submission.csv`` of the competition. Lines and species then have its
        order and spelling, and must be the same as its. Its numbers are not used. If
        there are no rows at all, since the folder of test recordings is empty until
        the competition fills it, its lines are written with `fill_nan`, or 0.
    species : sequence of str, default=None
        Names of the columns of `proba`, such as ``model.species_``. Needed unless
        `proba` is a DataFrame, also with `like`: an order of species must not be
        guessed.
    fill_nan : float in [0, 1], default=None
        Probability for NaN, which means rows that could not be read. None: such rows
        are an error, because Kaggle refuses files with empty cells.

    Returns
    -------
    submission : DataFrame
        What was written, before rounding to 8 significant digits.

    Raises
    ------
    ValueError
        If shapes, row ids or species do not fit, or probabilities are NaN or outside
        [0, 1].

    Warns
    -----
    UserWarning
        If there are no rows.

    See Also
    --------
    read_submission : Reads it back.

    Notes
    -----
    Kaggle compares row ids and species exactly, so they are written as they are (only
    line breaks are refused). In files that others gave you they are untrusted text:
    a spreadsheet takes a name that starts with ``=``, ``+``, ``-`` or ``@`` for a
    formula.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import pandas as pd
    >>> from skbird.annotations import write_submission
    >>> X = pd.DataFrame(
    ...     {"path": ["a/H1.ogg"] * 2, "start": [0.0, 5.0], "end": [5.0, 10.0]}
    ... )
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "submission.csv")
    ...     _ = write_submission([[0.1], [0.9]], X, path, species=["amerob"])
    ...     print(path.read_text())
    row_id,amerob
    H1_5,0.1
    H1_10,0.9
    """
    check_path(path)
    if fill_nan is not None and not (isinstance(fill_nan, Real) and 0 <= fill_nan <= 1):
        raise ValueError(f"fill_nan={fill_nan!r} must be in [0, 1], or None.")
    table = arrange(proba, X, like=like, species=species)
    if len(X) == 0:
        fill_nan = 0.0 if fill_nan is None else fill_nan
        warnings.warn(_describe_nothing(table, fill_nan), stacklevel=2)
    submission = _checked_values(table, fill_nan).reset_index()
    # Opened here: pandas would choose a compression by the name's suffix.
    with open_whole(path) as file:
        options = {"float_format": "%.8g", "lineterminator": "\n"}
        submission.to_csv(file, index=False, **options)
    return submission


def _describe_nothing(table, value):
    if len(table) == 0:
        return "There are no rows: the submission has a header and nothing else."
    return (
        "There are no rows: the submission has those of like, "
        f"{len(table)} in number, with {value:g} for every species."
    )


def arrange(proba, X, *, like=None, species=None):
    """Return the table of a submission, indexed by row id; see `write_submission`.

    Without rows, those of `like` are NaN.
    """
    table = as_species_table(proba, species)
    check_same_order(X, proba, ("X", "proba"))
    table.index = pd.Index(row_ids(X, len(table)), name=ROW_ID)
    _check_names(
        table.index,
        "row_id",
        "Row ids made from path and end need different file names and whole seconds; "
        "otherwise give X a column 'row_id'.",
    )
    _check_names(table.columns, "species", "Give each species one column.")
    return table if like is None else _ordered_like(table, like)


def as_species_table(proba, species):
    """Probabilities as a new float DataFrame whose columns are the species' names."""
    if species is not None:
        species = [str(name) for name in check_list(species, "species")]
    if isinstance(proba, pd.DataFrame):
        columns = [str(name) for name in proba.columns]
        if species not in (None, columns):
            raise ValueError(
                "species differs from the columns of proba. Leave species out: the "
                "columns name the species."
            )
        species = columns
    values = as_floats(proba, "proba", np.float64).copy()
    if values.shape == (0,):  # an empty list
        values = values.reshape(0, len(species or []))
    if species is None:
        raise ValueError(
            "species is needed to name the columns of proba. Pass "
            "species=model.species_, or proba as a DataFrame with named columns."
        )
    if values.ndim != 2 or values.shape[1] != len(species):
        raise ValueError(
            f"proba has shape {values.shape}, but (n_rows, {len(species)}) is needed: "
            f"species has {counted(len(species), 'name')}."
        )
    return pd.DataFrame(values, columns=species)


def row_ids(X, n_rows=None):
    """Return the row id of each row, of which there are to be `n_rows`."""
    if not isinstance(X, pd.DataFrame):
        raise TypeError(
            f"X must be a DataFrame with 'row_id', or 'path' and 'end'; got "
            f"{type(X).__name__}. skbird.data.segment_table makes one."
        )
    if n_rows is not None and len(X) != n_rows:
        raise ValueError(
            f"proba has {counted(n_rows, 'row')} and X has {len(X)}; pass the very "
            "table that was predicted."
        )
    if len(X) == 0:
        return []
    if ROW_ID in X:
        return [str(row_id) for row_id in X[ROW_ID]]
    if not {"path", "end"} <= set(X.columns):
        raise ValueError(
            f"X has the columns {list(X.columns)}, but 'row_id', or 'path' and "
            "'end', are needed to name the lines. skbird.data.segment_table makes them."
        )
    end = X["end"].to_numpy(dtype=np.float64, na_value=np.nan)
    if not np.isfinite(end).all():
        raise ValueError(
            f"X['end'] is {end[~np.isfinite(end)][0]} at row "
            f"{np.argmin(np.isfinite(end))}; give each row its end in seconds, or a "
            "'row_id'."
        )
    ends = np.rint(end).astype(np.int64)
    return [f"{Path(path).stem}_{s}" for path, s in zip(X["path"], ends, strict=True)]


def _check_names(names, what, remedy):
    if names.has_duplicates:
        twice = names[names.duplicated()].unique()
        raise ValueError(f"{what} must be unique; repeated: {some(twice)}. {remedy}")
    broken = [name for name in names if as_utf_8(name).splitlines() != [name]]
    if broken:
        raise ValueError(
            f"{what} must not hold line breaks, nor what UTF-8 cannot hold; got "
            f"{some(broken)}. Rename them."
        )


def _ordered_like(table, like):
    """Put rows and columns of `table` in the order of the sample submission."""
    like = read_like(like)
    expected = like[ROW_ID]
    species = [str(name) for name in like.columns if name != ROW_ID]
    table = table.rename(columns=settle_names(table.columns, species, stacklevel=4))
    table = table.rename(index=match_names(table.index, expected, same_text))
    _check_same(
        table.columns, species, "species", "Train on the species that it lists."
    )
    if len(table) == 0:
        return table.reindex(pd.Index(expected, name=ROW_ID))[species]
    _check_same(
        table.index, expected, "row ids", "Predict the recordings that it lists."
    )
    return table.loc[expected, species]


def read_like(like):
    """Return a sample submission as a table with ``row_id``."""
    if not isinstance(like, pd.DataFrame):
        like = read_row_table(check_path(like, "like"))
    if ROW_ID not in like:
        raise ValueError(
            f"like has no column 'row_id', but {some(like.columns)}. Pass the "
            "competition's sample_submission.csv."
        )
    twice = like.columns[like.columns.duplicated()]
    if len(twice):
        raise ValueError(f"like has columns twice: {some(twice)}. Keep one of each.")
    if like[ROW_ID].isna().any():
        raise ValueError(
            f"row_id of like is empty in {like[ROW_ID].isna().sum()} of {len(like)} "
            "rows. Pass the sample submission as it was downloaded."
        )
    like = like.assign(**{ROW_ID: like[ROW_ID].astype(str)})
    twice = like[ROW_ID][like[ROW_ID].duplicated()]
    if len(twice):
        raise ValueError(
            f"row_id of like must be unique; {len(twice)} are there again "
            f"({some(twice)}). Pass the sample submission as it was downloaded."
        )
    return like


def _check_same(ours, expected, what, remedy):
    missing = sorted(set(expected) - set(ours))
    extra = sorted(set(ours) - set(expected))
    if missing or extra:
        raise ValueError(
            f"The {what} differ from those of like: {len(missing)} missing "
            f"({some(missing)}), {len(extra)} too many ({some(extra)}). {remedy}"
        )


def _checked_values(table, fill_nan):
    """Replace NaN by `fill_nan`, and check that all values are probabilities."""
    if fill_nan is not None:
        table = table.fillna(fill_nan)
    values = table.to_numpy()
    unread = np.isnan(values).any(axis=1)
    if unread.any():
        raise ValueError(
            f"proba is NaN in {unread.sum()} of {counted(len(table), 'row')} "
            f"({some(table.index[unread])}): recordings that could not be read. Mend "
            "them, or pass fill_nan, for example fill_nan=0.0."
        )
    outside = ((values < 0) | (values > 1)).any(axis=1)
    if outside.any():
        raise ValueError(
            f"proba is outside [0, 1] in {outside.sum()} of "
            f"{counted(len(table), 'row')} ({some(table.index[outside])}); its range "
            f"is {values.min():g} to {values.max():g}. Apply a sigmoid to logits first."
        )
    return table
