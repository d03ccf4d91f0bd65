"""The maths of reweighting: arrays in, arrays out."""

from numbers import Real

import numpy as np

from skbird.postprocessing._smoothing import check_kernel, smooth
from skbird.utils._params import AT_LEAST_ONE, as_floats
from skbird.utils._rows import number_groups
from skbird.utils._sklearn_compat import Interval, validate_parameter_constraints

PARAMETER_CONSTRAINTS = {
    "top_rows": [None, AT_LEAST_ONE],
    "level_power": [Interval(Real, 0, None, closed="left"), "array-like"],
    "level_share": [Interval(Real, 0, 1, closed="both"), "array-like"],
    "kernel": [None, "array-like"],
}


def reweight(
    proba,
    groups,
    *,
    top_rows=None,
    level_power=1.0,
    level_share=0.0,
    kernel=None,
    start=None,
):
    r"""Draw each probability towards the species' level in the whole file.

    .. math:: \hat p_{ij} = (1 - s_j)\, q_{ij}\, L_{ij}^{a_j}
              + s_j\, L_{ij}, \qquad
              L_{ij} = \frac{1}{|T|} \sum_{k \in T} q_{kj}

    where a is `level_power`, s `level_share`, and q are the probabilities, smoothed by
    `kernel` if it is given; T holds the `top_rows` rows of the file of row i with the
    highest q of species j, or all its rows.

    Parameters
    ----------
    proba : array-like of shape (n_rows, n_species)
        Probabilities in [0, 1]. NaN (unreadable rows) stay NaN and count in no mean.
    groups : array-like of shape (n_rows,)
        Which file a row is from: any names or numbers, in any order.
    top_rows : int >= 1, default=None
        How many rows of a file to average. None: all. 1: the file's maximum, which
        does not punish a species for calling only once. Files with fewer rows use
        those they have.
    level_power : float >= 0 or array of shape (n_species,), default=1.0
        How much to multiply by the level. 0: not at all; more than 1 silences doubtful
        files further.
    level_share : float in [0, 1] or array of shape (n_species,), default=0.0
        How much of the level to add. With ``level_power=0``, adding w times the level
        as Kaggle's recipes do ("p + 0.2 x file mean") is the share w / (1 + w), here
        1/6.
    kernel : array-like of odd length, default=None
        Weights of the rows before, at and after a row in its file, such as
        ``(0.1, 0.2, 0.4, 0.2, 0.1)``; ``(1, 2, 1)`` is "p + 0.5 x neighbours". At the
        ends of a file, at gaps and at unreadable rows the other weights are scaled up.
    start : array-like of shape (n_rows,), default=None
        Where each row starts in its file, in seconds: the order for `kernel`. Rows are
        neighbours if their starts differ by the file's usual (median) step. NaN counts
        as 0. None: the rows of a file are in order and without gaps.

    Returns
    -------
    reweighted : ndarray of shape (n_rows, n_species)
        In [0, 1]. With ``level_share=0`` at most q; a row alone in its file gets
        ``p ** (1 + level_power)``.

    Raises
    ------
    ValueError
        If shapes differ, a group is missing or values are out of range.

    References
    ----------
    Write-ups on Kaggle: Sydorskyi et al., second place of BirdCLEF 2025, for
    ``top_rows=1``; Lasseck, second place of 2024, for neighbours; sixth place of 2024,
    for smoothing and 0.2 x file mean.

    Examples
    --------
    >>> from skbird.postprocessing import reweight
    >>> reweight([[0.8], [0.4], [0.5]], ["a.ogg", "a.ogg", "b.ogg"])
    array([[0.48],
           [0.24],
           [0.25]])
    >>> reweight([[0.9], [0.3], [0.0]], list("aaa"), level_power=0, kernel=(1, 2, 1))
    array([[0.7  ],
           [0.375],
           [0.1  ]])
    """
    proba = _check_proba(proba)
    level_power, level_share = check_parameters(
        "reweight",
        proba.shape[1],
        top_rows=top_rows,
        level_power=level_power,
        level_share=level_share,
        kernel=kernel,
    )
    file_of_row, _ = number_groups(groups, len(proba))
    if kernel is not None:
        proba = smooth(proba, file_of_row, kernel, start)
    # Arrays of float64 would make float32 probabilities double their size.
    level_power, level_share = (
        level_power.astype(proba.dtype),
        level_share.astype(proba.dtype),
    )
    result = np.empty_like(proba)
    # Files with as many rows as each other form one block (n_files, n_rows, n_species),
    # so the loop runs over the few distinct lengths, not over files or rows.
    by_file = np.argsort(file_of_row, kind="stable")
    n_rows_of_file = np.bincount(file_of_row)
    first_of_file = np.cumsum(n_rows_of_file) - n_rows_of_file
    for n_rows in np.unique(n_rows_of_file):
        firsts = first_of_file[n_rows_of_file == n_rows]
        rows = by_file[firsts[:, None] + np.arange(n_rows)]
        block = proba[rows]
        level = _top_mean(block, top_rows)[:, None]
        result[rows] = (
            1 - level_share
        ) * block * level**level_power + level_share * level
    return result


def check_parameters(caller, n_species, *, top_rows, level_power, level_share, kernel):
    """Check the parameters of `reweight`, of which arrays must fit the species.

    Parameters
    ----------
    caller : str
        Whom messages name.
    n_species : int or None
        None: no arrays.
    top_rows, level_power, level_share, kernel
        See `reweight`.

    Returns
    -------
    level_power, level_share : ndarray of float, shape () or (n_species,)

    Raises
    ------
    ValueError
        If a parameter is out of range or has another shape.
    """
    parameters = {
        "top_rows": top_rows,
        "level_power": level_power,
        "level_share": level_share,
        "kernel": kernel,
    }
    validate_parameter_constraints(PARAMETER_CONSTRAINTS, parameters, caller)
    if kernel is not None:
        check_kernel(kernel)
    return (
        _per_species("level_power", level_power, np.inf, n_species),
        _per_species("level_share", level_share, 1, n_species),
    )


def neutral_probability(level_power, level_share):
    """Return the result of `reweight` for a row of 0.5 in a file whose level is 0.5."""
    level_power, level_share = np.asarray(level_power), np.asarray(level_share)
    return (1 - level_share) * 0.5 ** (1 + level_power) + level_share * 0.5


def _per_species(name, value, highest, n_species):
    values = as_floats(value, name, np.float64)
    if values.shape not in ((), (n_species,)):
        array = "" if n_species is None else f", or an array of shape ({n_species},)"
        raise ValueError(f"{name} has shape {values.shape}; pass one number{array}.")
    if not ((values >= 0) & (values <= highest)).all():
        raise ValueError(f"{name}={value!r} must be in [0, {highest}] throughout.")
    return values


def _top_mean(block, top_rows):
    """Mean of the `top_rows` highest values along axis 1 that are not NaN."""
    # Sorting puts NaN last, and makes the sum independent of the order of rows.
    top = -np.sort(-block, axis=1)[:, :top_rows]
    n_heard = np.count_nonzero(~np.isnan(top), axis=1)
    total = np.nansum(top, axis=1, dtype=np.float64)
    mean = np.divide(
        total, n_heard, out=np.full(total.shape, np.nan), where=n_heard > 0
    )
    return mean.astype(block.dtype)


def _check_proba(proba):
    proba = as_floats(proba, "proba")
    if proba.ndim != 2:
        raise ValueError(
            f"proba has shape {proba.shape}, but (n_rows, n_species) is needed."
        )
    outside = (proba < 0) | (proba > 1)
    if outside.any():
        row, column = np.argwhere(outside)[0]
        raise ValueError(
            f"proba is {proba[row, column]:g} at row {row}, column {column}; "
            "probabilities must be in [0, 1]. Apply a sigmoid to logits first."
        )
    return proba
