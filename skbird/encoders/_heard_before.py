"""Which recordings a pretrained model may have been trained on."""

import os
import re
from datetime import date as Day
from functools import partial

import numpy as np
import pandas as pd

from skbird.encoders._spec import EncoderSpec
from skbird.encoders._spec_files import known_specs
from skbird.utils._columns import check_columns
from skbird.utils._days import moments, moments_of_names
from skbird.utils._params import check_params
from skbird.utils._rows import row_table

ANSWERS = ("likely", "possible", "no", "unknown")
# Catalogue numbers of xeno-canto, and the day on which they were given, as ``uploaded``
# of its API says; of the last but one the recording is of the day before. Numbers grow
# with time: since 2015 any of these days is told by its neighbours to 64 days.
_XENO_CANTO = (
    (1, "2005-05-30"),
    (103961, "2012-06-19"),
    (142657, "2013-07-15"),
    (229053, "2015-03-23"),
    (254462, "2015-06-29"),
    (302613, "2016-02-07"),
    (393488, "2017-11-18"),
    (429263, "2018-08-05"),
    (494231, "2019-08-26"),
    (567435, "2020-06-11"),
    (616438, "2021-01-21"),
    (658540, "2021-06-23"),
    (737917, "2022-07-17"),
    (826446, "2023-08-22"),
    (1060773, "2025-11-30"),
)
_DOUBT_DAYS = 60
# Of recorders that stand at a place called so, the day and the time follow.
_NUMBER = re.compile(
    r"(?<![A-Z0-9])(XC|ML|iNat)[-_ ]?(?!\d{8}[-_T]?\d{6}(?!\d))(\d{2,12})(?!\d)",
    re.IGNORECASE,
)
_ALIASES = {"xenocanto": "xc", "macaulay": "ml", "inaturalist": "inat"}
_NOTHING = {"", "unknown", "unspecified", "nan", "none", "null", "na"}
_CONSTRAINTS = {
    "collection": [str],
    "date": [str],
    "uploaded": [str],
}


def heard_before(X, spec, *, collection="collection", date="date", uploaded="uploaded"):
    """Say of each row whether a pretrained model may have been trained on it.

    A score on recordings that a model has heard in training says little of others.
    Nobody lists what models were trained on, but mostly the collections are known, and
    until when recordings were taken.

    Parameters
    ----------
    X : DataFrame, sequence of paths, or Recordings
        The rows. Columns that are missing say nothing.
    spec : EncoderSpec, Encoder or str
        Of the model, or its known name.
    collection : str, default="collection"
        Column of X, such as "XC". Where it says nothing, or names what the spec does
        not, such as a competition, the name of the file counts if it has a catalogue
        number: XC, ML or iNat, and digits.
    date : str, default="date"
        Column with the day of recording, which names of files such as
        "AM1_20230510_073000.wav" tell, too: what was recorded later than the model's
        training is new to it.
    uploaded : str, default="uploaded"
        Column with the day of publication. Without it, numbers of xeno-canto tell it to
        two months.

    Returns
    -------
    Series of shape (n_rows,), categorical
        - "likely": it was in a collection that the model was trained on. (Models were
          not trained on all of these.)
        - "possible": it is in such a collection, but may have come too late; or the
          end of the model's training is not known.
        - "no": it came too late, or is of a collection that the spec does not name.
        - "unknown": neither X nor the spec tells.

        ``value_counts()`` counts them.

    Examples
    --------
    >>> from skbird.encoders import heard_before
    >>> X = ["XC202020.mp3", "XC808080.mp3", "XC999999.mp3", "AM1_20230510_073000.wav"]
    >>> heard_before(X, "birdnet-2.4").tolist()
    ['likely', 'possible', 'no', 'unknown']
    """
    check_params(
        "heard_before",
        _CONSTRAINTS,
        collection=collection,
        date=date,
        uploaded=uploaded,
    )
    table = row_table(X)
    if table is None:
        raise ValueError(
            f"X ({type(X).__name__}) has no row table: pass paths, or a DataFrame."
        )
    check_columns(table, ("path", collection, date, uploaded))
    training = _spec_of(spec).training
    column = partial(_column, table)
    numbers = _catalogue_numbers(column("path"))
    trained_on = {_plain(source.collection) for source in training}
    collections = _collections(column(collection), numbers, trained_on)
    published = _first_and_last_day(moments(column(uploaded)))
    from_number = published.isna().all(axis=1) & (numbers["collection"] == "xc")
    published[from_number] = _xeno_canto_days(numbers.loc[from_number, "number"])
    # What was recorded on a day cannot have been published before.
    told = moments(column(date))
    told = told.where(told["year"].notna(), moments_of_names(column("path")))
    recorded = _first_and_last_day(told)
    first = np.fmax(published["first"], recorded["first"]).to_numpy()
    last = published["last"].to_numpy()
    answers = _answers(training, collections, first, last)
    return pd.Series(
        pd.Categorical(answers, categories=ANSWERS),
        index=table.index,
        name="heard_before",
    )


def _answers(training, collections, first, last):
    """Answer by the collection of rows, and the days on which they came."""
    answers = np.full(len(collections), "unknown", dtype=object)
    if not training:
        return answers
    ends = {}
    for source in training:
        end = np.inf if source.until is None else _ordinal(source.until)
        name = _plain(source.collection)
        ends[name] = max(end, ends.get(name, -np.inf))
    answers[first >= max(ends.values())] = "no"  # whatever its collection
    for name in set(collections) - {""}:
        own = collections == name
        if name not in ends:
            answers[own] = "no"
            continue
        end = ends[name]
        answers[own] = "possible"
        if np.isfinite(end):
            answers[own & (last < end)] = "likely"
        answers[own & (first >= end)] = "no"
    return answers


def _spec_of(spec):
    spec = getattr(spec, "spec", spec)
    if isinstance(spec, str | os.PathLike):
        known = known_specs()
        if os.fspath(spec) not in known:
            raise ValueError(
                f"spec={spec!r} is no known model ({', '.join(known)}). Pass "
                "load_encoder(path), or an EncoderSpec."
            )
        spec = known[os.fspath(spec)]
    if not isinstance(spec, EncoderSpec):
        raise TypeError(
            f"spec={spec!r:.100} must be an EncoderSpec, an Encoder, or a known name."
        )
    return spec


def _column(table, name):
    if name in table.columns:
        return table[name].reset_index(drop=True)
    return pd.Series(np.nan, index=range(len(table)), dtype=object)


def _catalogue_numbers(paths):
    found = [_NUMBER.search(os.path.basename(str(path))) for path in paths]
    return pd.DataFrame(
        {
            "collection": [m[1].lower() if m else "" for m in found],
            "number": [float(m[2]) if m else np.nan for m in found],
        }
    )


def _collections(given, numbers, trained_on):
    """Return the collection of each row: as given, if a number does not tell better."""
    names, distinct = pd.factorize(given.astype("string"))
    plain = np.array([*map(_plain, distinct), ""], dtype=object)[names]
    unclear = ~np.isin(plain.astype(str), list(trained_on))
    numbered = (numbers["collection"] != "").to_numpy()
    nothing = np.isin(plain.astype(str), list(_NOTHING))
    return np.where(nothing | (unclear & numbered), numbers["collection"], plain)


def _plain(name):
    plain = re.sub(r"[\W_]", "", str(name)).lower()
    return next((short for long, short in _ALIASES.items() if long in plain), plain)


def _first_and_last_day(told):
    """Return the first and the last day that moments can mean, as ordinals."""
    days = pd.MultiIndex.from_frame(told[["year", "month", "day"]])
    numbers, distinct = pd.factorize(days)
    days = np.array([*map(_days_of, distinct), (np.nan, np.nan)])
    return pd.DataFrame(days[numbers], columns=["first", "last"])


def _days_of(moment):
    year, month, day = moment
    if np.isnan(year):
        return np.nan, np.nan
    first = last = (year, month, day)
    if np.isnan(day):
        first, last = (year, month, 1), (year, month, 31)
    if np.isnan(month):
        first, last = (year, 1, 1), (year, 12, 31)
    return _ordinal_of(*first), _ordinal_of(*last)


def _ordinal_of(year, month, day):
    # A 31st of June is the 1st of July.
    return Day(int(year), int(month), 1).toordinal() + int(day) - 1


def _ordinal(text):
    return Day.fromisoformat(text).toordinal()


def _xeno_canto_days(numbers):
    known = [number for number, _ in _XENO_CANTO]
    days = [_ordinal(day) for _, day in _XENO_CANTO]
    guess = np.interp(numbers, known, days)
    last = np.where(numbers > known[-1], np.inf, guess + _DOUBT_DAYS)
    return np.column_stack([guess - _DOUBT_DAYS, last])
