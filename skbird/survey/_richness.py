"""How many species were found by when, and when each was first heard."""

from typing import Literal

import numpy as np
import pandas as pd
from scipy.special import gammaln

from skbird.utils._columns import check_table
from skbird.utils._params import check_params
from skbird.utils._sklearn_compat import StrOptions

_NEEDED = "species", "site", "occasion", "y", "effort_s"


def accumulation(
    history: pd.DataFrame,
    *,
    unit: Literal["occasion", "site"] = "occasion",
    certain: bool = False,
) -> pd.DataFrame:
    r"""Say how the number of species grows with the occasions, or with the sites.

    Parameters
    ----------
    history : DataFrame
        As `detection_history` makes it, in the long form.
    unit : {"occasion", "site"}, default="occasion"
        What is counted: occasions, of all sites together; or sites, each with all its
        occasions.
    certain : bool, default=False
        Count confirmed detections only, for which the history needs ``state``. False
        positives of a threshold add species that are not there.

    Returns
    -------
    DataFrame
        One line per number of units that were listened to, from 1 on: ``n``;
        ``observed``, the species found by then, in the order of time or of the sites'
        names; ``species``, those expected in so many units drawn at random, with
        ``species_low`` and ``species_high``, two standard errors away; and ``chao2``,
        an estimate of how many there are, the same in each line.

    Raises
    ------
    TypeError, ValueError
        If `history` is no such table, or has no ``state`` for ``certain=True``.

    Notes
    -----
    The expectation over all orders is exact (Mao Tau), and so is its standard error,
    but for the number of species, which is Chao's second estimate (Colwell et al.,
    "Models and estimators linking individual-based and sample-based rarefaction,
    extrapolation and comparison of assemblages", Journal of Plant Ecology 2012):

    .. math:: S + \frac{n - 1}{n} \frac{q_1 (q_1 - 1)}{2 (q_2 + 1)}

    with q_1 and q_2 species of one and of two units only.

    Examples
    --------
    >>> import pandas as pd
    >>> from skbird.survey import accumulation
    >>> history = pd.DataFrame({"species": ["owl", "wren"] * 3, "site": "marsh",
    ...     "occasion": [1, 1, 2, 2, 3, 3], "y": [1, 0, 1, 1, 0, 1], "effort_s": 60.0})
    >>> accumulation(history)[["n", "observed", "species"]].round(2)
       n  observed  species
    0  1         1     1.33
    1  2         2     2.00
    2  3         2     2.00
    """
    check_params(
        "accumulation",
        {"unit": [StrOptions({"occasion", "site"})], "certain": ["boolean"]},
        unit=unit,
        certain=certain,
    )
    table = _detected(history, certain)
    found = table.groupby([unit, "species"])["detected"].any().unstack(fill_value=False)
    found = found.to_numpy(dtype=bool)
    n = np.arange(1, len(found) + 1)
    if not len(found):
        whole = dict.fromkeys(["n", "observed"], pd.Series(dtype=np.int64))
        part = ["species", "species_low", "species_high", "chao2"]
        return pd.DataFrame(whole | dict.fromkeys(part, pd.Series(dtype=float)))
    incidence = found.sum(axis=0)
    incidence = incidence[incidence > 0]
    once, twice = ((incidence == number).sum() for number in (1, 2))
    # Of thousands of species many are found alike: one column for all of them.
    kinds, n_alike = np.unique(incidence, return_counts=True)
    absent = _share_without(len(found), n[:, None], kinds[None, :])
    expected = (1 - absent) @ n_alike
    unseen = (len(found) - 1) / len(found) * once * (once - 1) / (2 * (twice + 1))
    chao2 = len(incidence) + unseen
    variance = np.square(1 - absent) @ n_alike - expected**2 / max(chao2, 1e-9)
    half = 2 * np.sqrt(np.maximum(variance, 0))
    return pd.DataFrame(
        {
            "n": n,
            "observed": np.logical_or.accumulate(found).sum(axis=1),
            "species": expected,
            "species_low": np.maximum(expected - half, 0),
            "species_high": expected + half,
            "chao2": chao2,
        }
    )


def first_detections(history: pd.DataFrame, *, certain: bool = False) -> pd.DataFrame:
    """Say when each species was first detected at each site, and after what effort.

    Parameters
    ----------
    history : DataFrame
        As `detection_history` makes it, in the long form.
    certain : bool, default=False
        Count confirmed detections only, for which the history needs ``state``.

    Returns
    -------
    DataFrame
        A line per species and site, by site and then in the order in which species
        were found: ``site``, ``species``, ``date`` (NaT: never; no column if `history`
        has none), ``occasion`` (NA: never), ``n_occasions`` and ``effort_s``, how many
        were listened to and how many seconds, up to then, or in all.

    Raises
    ------
    TypeError, ValueError
        If `history` is no such table, or has no ``state`` for ``certain=True``.

    Examples
    --------
    >>> import pandas as pd
    >>> from skbird.survey import first_detections
    >>> history = pd.DataFrame({"species": ["owl"] * 2 + ["wren"] * 2, "site": "marsh",
    ...     "occasion": [1, 2] * 2, "y": [0.0, 1, 1, 0], "effort_s": 60.0})
    >>> first_detections(history)
        site species  occasion  n_occasions  effort_s
    0  marsh    wren         1            1      60.0
    1  marsh     owl         2            2     120.0
    """
    check_params("first_detections", {"certain": ["boolean"]}, certain=certain)
    table = _detected(history, certain)
    keys = ["site", "species"]
    table = table.sort_values([*keys, "occasion"], kind="stable")
    n_so_far = table.groupby(keys)["detected"].cumsum()
    until = table[n_so_far - table["detected"] == 0]
    of_pair = until.groupby(keys)
    found = of_pair.agg(n_occasions=("occasion", "size"), effort_s=("effort_s", "sum"))
    first = until[until["detected"]].set_index(keys)
    found.insert(0, "occasion", first["occasion"].astype("Int64"))
    if "date" in table:
        found.insert(0, "date", first["date"])
    found = found.reset_index()
    return found.sort_values(["site", "occasion", "species"], ignore_index=True)


def _share_without(n_units, n_drawn, incidence):
    """Return how probably units drawn are all without a species; 0 if they cannot be.

    It is C(n_units - incidence, n_drawn) / C(n_units, n_drawn).
    """
    rest = n_units - incidence - n_drawn
    is_possible = rest >= 0
    rest = np.maximum(rest, 0)
    logs = gammaln(n_units - incidence + 1) - gammaln(rest + 1)
    logs = logs - gammaln(n_units + 1) + gammaln(n_units - n_drawn + 1)
    return np.where(is_possible, np.exp(logs), 0.0)


def _detected(history, certain):
    """Return the lines that were listened to, with ``detected``."""
    remedy = "skbird.survey.detection_history makes such a table with form='long'"
    check_table(history, "history", _NEEDED, remedy, ["state", "date"])
    if certain and "state" not in history.columns:
        raise ValueError(
            "certain=True needs a column 'state', which history does not have. Pass "
            "reviews to skbird.survey.activity."
        )
    table = history[history["y"].notna()]
    detected = table["state"] == 2 if certain else table["y"] > 0
    return table.assign(detected=detected)
