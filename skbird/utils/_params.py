"""Check the arguments of public functions, so that errors name them."""

import os
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from skbird.utils._sklearn_compat import Interval, validate_parameter_constraints

# More of anything would not end, or overflow numpy's counts.
MOST = 1_000_000_000

WHOLE = Interval(Integral, 0, MOST, closed="both")
THRESHOLD = [Interval(Real, 0, 1, closed="both"), "array-like"]
AT_LEAST_ONE = Interval(Integral, 1, MOST, closed="both")
POSITIVE = Interval(Real, 0, None, closed="neither")
NOT_NEGATIVE = Interval(Real, 0, np.inf, closed="both")
SHARE = Interval(Real, 0, 1, closed="right")
N_JOBS = [None, Interval(Integral, -10_000, 10_000, closed="both")]


def check_params(caller, constraints, **params):
    """Refuse arguments that are not as constraints of scikit-learn say.

    Functions that warn call it in place of ``validate_params``, whose frame would make
    their warnings point at scikit-learn.

    Parameters
    ----------
    caller : str
        Name of the function.
    constraints : dict
        For each parameter a list of constraints, as in ``_parameter_constraints``.
    **params
        The arguments.

    Raises
    ------
    sklearn.utils._param_validation.InvalidParameterError
        A ValueError that names the parameter, what it must be and what it is.
    """
    validate_parameter_constraints(constraints, params, caller_name=caller)


def check_path(path, name="path"):
    """Return a path as it is, if it is one.

    Numbers would be taken for files that are open already.

    Parameters
    ----------
    path : str or path-like
    name : str
        How the error calls it.

    Raises
    ------
    TypeError
        If it is something else.
    """
    if not isinstance(path, str | os.PathLike):
        raise TypeError(
            f"{name}={path!r:.100} is of type {type(path).__name__}; a path is needed, "
            "as a text or a pathlib.Path."
        )
    return path


def check_list(values, name, what="names"):
    """Return a list of what is one sequence.

    Parameters
    ----------
    values : iterable
    name, what : str
        How the error calls it, and what it should hold.

    Raises
    ------
    TypeError
        If it is a single text, or nothing that can be listed.
    """
    if isinstance(values, str | bytes):
        raise TypeError(
            f"{name}={values!r:.100} must be a list of {what}, not one text."
        )
    try:
        return list(values)
    except TypeError:
        pass
    raise TypeError(
        f"{name}={values!r:.100} is of type {type(values).__name__}; a list of {what} "
        "is needed."
    )


def as_floats(values: Any, name: str, dtype: DTypeLike | None = None) -> np.ndarray:
    """Return numbers as an array of floats.

    Parameters
    ----------
    values : array-like
    name : str
        How the error calls it.
    dtype : dtype, default=None
        None: as it is if it holds floats, else float64.

    Returns
    -------
    ndarray

    Raises
    ------
    ValueError
        If it holds what is no real number, or rows of several lengths.
    """
    try:
        array = np.asarray(values)
        if array.dtype == object and hasattr(values, "to_numpy"):
            # Of nullable columns of pandas numpy makes objects, with NA in them.
            array = values.to_numpy(dtype=dtype or np.float64, na_value=np.nan)
        if array.dtype.kind not in "fiubOSU":  # complex numbers and dates would become
            raise TypeError
        if dtype is None and array.dtype.kind != "f":
            dtype = np.float64
        return array if dtype is None else array.astype(dtype, copy=False)
    except (TypeError, ValueError, OverflowError):
        pass
    raise ValueError(
        f"{name} must hold real numbers in rows of one length; got "
        f"{_kind(values)} {values!r:.60}."
    )


def _kind(values):
    return getattr(values, "dtype", type(values).__name__)
