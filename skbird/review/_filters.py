"""Which detections are asked for."""

import re
from numbers import Integral, Real

import numpy as np
import pandas as pd

from skbird.review._choose_for_review import STRATEGIES
from skbird.utils._params import AT_LEAST_ONE, check_params
from skbird.utils._sklearn_compat import Interval, StrOptions

HALF_CHARACTERS = re.compile("[\ud800-\udfff]")  # which no file can hold
_CONSTRAINTS = {
    "n": [AT_LEAST_ONE],
    "species": [str, None],
    "site": [str, None],
    "min_proba": [Interval(Real, 0, 1, closed="both")],
    "max_proba": [Interval(Real, 0, 1, closed="both")],
    "strategy": [StrOptions(set(STRATEGIES)), None],
    "after": [Integral, None],
    "reviewer": [str, None],
}


def check_filters(**filters):
    """Refuse filters that are none, see `ReviewSession.next`."""
    check_params("next", _CONSTRAINTS, **filters)


def matching(detections, *, species, site, first_date, last_date, min_proba, max_proba):
    """Return which detections are asked for, as an array of bool."""
    proba = detections["probability"].to_numpy()
    fits = (proba >= min_proba) & (proba <= max_proba)
    for name, value in {"species": species, "site": site}.items():
        if value is not None:
            fits &= detections[name].to_numpy() == value
    times = detections["time"].to_numpy()
    if first_date is not None:
        fits &= times >= _day(first_date, "first_date")
    if last_date is not None:
        fits &= times < _day(last_date, "last_date") + np.timedelta64(1, "D")
    return fits


def _day(date, name):
    try:
        return np.datetime64(pd.Timestamp(date).date(), "D")
    except (TypeError, ValueError) as exc:
        raise ValueError(
            f"{name}={date!r:.60} is no date; write it as 2024-05-01."
        ) from exc


def check_text(text, name, longest, least=1):
    """Return a text without blanks around it, if it is as long as it may be."""
    if (
        not isinstance(text, str)
        or not least <= len(text.strip()) <= longest
        or HALF_CHARACTERS.search(text)
    ):
        raise ValueError(
            f"{name}={text!r:.60} must be a text of {least} to {longest} characters."
        )
    return text.strip()


def check_number(number, n_detections):
    """Refuse what is not the number of a detection."""
    is_number = isinstance(number, Integral) and not isinstance(number, bool)
    if not is_number or not 0 <= number < n_detections:
        raise ValueError(
            f"number={number!r:.60} is no detection; there are those from 0 to "
            f"{n_detections - 1}."
        )
