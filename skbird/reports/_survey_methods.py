"""What a reader of a survey's results asks: how they were made, in sentences."""

import platform
from importlib.metadata import PackageNotFoundError, version

import pandas as pd

import skbird
from skbird.utils._text import counted

_PACKAGES = "numpy", "pandas", "scipy", "scikit-learn", "astral", "torch", "onnxruntime"
_MOST_NAMES = 10
_CURVE = (
    ". It is the mean of P(correct | score), a logistic curve on the logit score; its "
    "interval is of a bootstrap over recordings"
)


def methods(survey):
    """Return the paragraphs of the methods of a survey.

    Parameters
    ----------
    survey : Survey

    Returns
    -------
    list of str
    """
    paragraphs = [
        _recordings(survey),
        _model(survey),
        _thresholds(survey),
        _rates(survey),
        _histories(survey),
    ]
    if survey.sun is not None:
        paragraphs.append(
            f"Sunrise and sunset were computed by astral {_version('astral')} for the "
            "place of each site, at a level horizon."
        )
    return paragraphs


def versions():
    """Return the versions of what made the results."""
    found = {"skbird": skbird.__version__, "Python": platform.python_version()}
    found |= {name: text for name in _PACKAGES if (text := _version(name))}
    return pd.DataFrame(found.items(), columns=["package", "version"])


def _version(name):
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def _recordings(survey):
    effort, sites = survey.effort, survey.sites
    first, last = survey.days
    made = f"Recordings were made at {counted(sites['site'].nunique(), 'site')}"
    if "device" in sites.columns and sites["device"].notna().any():
        made += f" with {counted(sites['device'].nunique(), 'recorder')}"
    n_unusable = int(effort["n_unusable"].sum())
    n_timeless = int(survey.recordings["start_time"].isna().sum())
    problems = survey.problems["problem"]
    n_outside = int(problems.isin(["outside", "wrong year"]).sum())
    left_out = "" if n_unusable or n_timeless or n_outside else "All could be used."
    if n_unusable:
        why = survey.reasons
        why = f" ({', '.join(f'{n} {name}' for name, n in why.items())})" if why else ""
        left_out = (
            f"{counted(n_unusable, 'recording')}{why} could not be used and "
            f"{'is' if n_unusable == 1 else 'are'} in no effort, nor are detections in "
            "them."
        )
    if n_timeless:
        left_out += (
            f" {counted(n_timeless, 'more does', 'more do')} not tell when "
            f"{'it' if n_timeless == 1 else 'they'} began and "
            f"{'is' if n_timeless == 1 else 'are'} in no result."
        )
    if n_outside:
        left_out += (
            f" {n_outside} more, outside the deployments, "
            f"{'was' if n_outside == 1 else 'were'} left out."
        )
    zones = ", ".join(sorted(survey.recordings["time_zone"].unique()))
    return (
        f"{made}, from {first:%Y-%m-%d} to {last:%Y-%m-%d}: "
        f"{counted(int(effort['n_recordings'].sum()), 'recording')} of "
        f"{effort['recorded_s'].sum() / 3600:.1f} hours. {left_out.strip()} "
        f"{survey.listened_s / 3600:.1f} hours were analysed, in rows of "
        f"{survey.row_s:g} s. Days and hours are of the time zone {zones}."
        f"{_clocks(survey.recordings)}"
    )


def _clocks(recordings):
    """Say which clocks were used that neither names nor headers tell."""
    if not {"assumed_clock", "header_unread"} <= set(recordings.columns):
        return ""
    timed = recordings[recordings["start_time"].notna()]
    assumed = timed[timed["assumed_clock"].notna() & timed["assumed_clock"].ne("")]
    if not len(assumed):
        return " Names or headers tell the zones of all clocks."
    clocks = ", ".join(sorted(assumed["assumed_clock"].unique()))
    text = (
        f" The clock of {counted(len(assumed), 'recording')} was taken to be in the "
        f"zone {clocks}: neither name nor header tells it"
    )
    n_unread = int(assumed["header_unread"].sum())
    if n_unread:
        text += f", and the headers of {n_unread} of them could not be read"
    return f"{text}."


def _model(survey):
    model = survey.model or "a model that was not named here"
    license = survey.license or "not stated"
    prior = f" Probabilities are those after {survey.prior}." if survey.prior else ""
    return (
        f"Species were recognised by {model}; license of the model: {license}.{prior} "
        f"Results were made with skbird {skbird.__version__}."
    )


def _thresholds(survey):
    table, lacking = survey.thresholds, survey.without_threshold
    text = "A species counts as calling in a row from its threshold on"
    lowest, highest = table["threshold"].min(), table["threshold"].max()
    if len(table):
        text += f": {lowest:.6g}"
        text += f" to {highest:.6g}, see the table. " if highest > lowest else ". "
    else:
        text += ". "
    if "precision" in table.columns and table["precision"].notna().any():
        known = table.dropna(subset="precision")
        ends = [f"{known['precision'].agg(end):.2f}" for end in ("min", "max")]
        ends = " to ".join(dict.fromkeys(ends))
        text += f"The precision of all detections from the threshold on is {ends}"
        ends_of = known.reindex(columns=["precision_low", "precision_high"]).dropna()
        if len(ends_of):
            low, high = ends_of["precision_low"].min(), ends_of["precision_high"].max()
            each = "its interval is" if len(ends_of) == 1 else "intervals reach"
            text += f" ({each} from {low:.2f} to {high:.2f})"
        if "n_reviews" in table.columns:
            n_reviews = int(known["n_reviews"].sum())
            text += f", by {counted(n_reviews, 'review')} by ear"
        text += (
            _CURVE * ("n_reviews" in table.columns) + ". It holds for the survey as a "
            "whole, and not for each site."
        )
    else:
        text += (
            "How precise detections are was not stated: an unknown part of them is "
            "wrong."
        )
    if not survey.has_own:
        return text + f" {survey.n_others} other species were not detected."
    n_named = len(table) + len(lacking)
    reviewed = "reviewed " * ("n_reviews" in table.columns)
    text += f" Of {n_named} {reviewed}species {len(table)} have a threshold"
    if lacking:
        names = ", ".join(map(str, lacking[:_MOST_NAMES]))
        more = f" and {len(lacking) - _MOST_NAMES} more" * (len(lacking) > _MOST_NAMES)
        text += f"; the others are left out: {names}{more}"
    if survey.n_others:
        were = "were not reviewed" if reviewed else "are not in the table of thresholds"
        text += f"; {survey.n_others} more of the model {were}"
    return f"{text}."


def _rates(survey):
    text = (
        "Rates are rows with a detection per hour that was listened to, and are not "
        "given where nothing was. Calls below the threshold are not in them, and wrong "
        "detections are"
    )
    if "n_correct" in survey.activity and survey.activity["n_correct"].notna().any():
        text += "; the number of right ones is estimated from the precision"
    return f"{text}."


def _histories(survey):
    what = {"day": "a day", "night": "a night, from noon to noon"}
    what |= {"hour": "an hour", "hour_from_sunrise": "an hour from sunrise"}
    occasion = what.get(survey.by, f"{survey.by} days")
    text = (
        f"An occasion is {occasion}. A species is detected on it (1) if a row reaches "
        "its threshold, not detected (0) if none does, and NaN if nothing was listened "
        "to. "
    )
    if survey.n_reviewed:
        reviewed = counted(survey.n_reviewed, "detection was", "detections were")
        return text + (
            f"{reviewed} reviewed by ear; what was found wrong does not count as "
            "detected. State 2 is certain: a detection was "
            "confirmed; 1 is uncertain. Models of occupancy with false positives take "
            "states, or the counts of detections, reviews and confirmations."
        )
    return text + (
        "No detection was confirmed by ear in these tables: histories hold false "
        "positives, which occupancy models take for presence unless they are told."
    )
