"""Colours, axes and safe names for figures."""

import unicodedata
from collections.abc import Iterable

from skbird.utils._sklearn_compat import check_matplotlib_support
from skbird.utils._text import counted

# Okabe and Ito's, which the colour-blind tell apart; black is for lines.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#999999")
_LONGEST = 28
_FEW_DAYS = 7
_NOT_SHOWN = frozenset({"Cc", "Cs", "Cn"})  # control, surrogate, no character at all


def clean_text(value):
    """Return what can be shown of a value, without characters that cannot be.

    Names of files may hold bytes that are no text (surrogates), line breaks, or control
    characters that no HTML or SVG may have.
    """
    text = str(value)
    if text.isprintable():  # megabytes of sound, mostly
        return text
    return "".join(
        "\ufffd" if unicodedata.category(c) in _NOT_SHOWN else c for c in text
    )


def plain_text(value):
    """Return a name for a figure: short, and never taken for a formula."""
    text = clean_text(value)
    text = text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
    return text.replace("$", r"\$")


def axes_for(display, ax, figsize=(6.0, 4.5)):
    """Return axes to draw on, in a new figure of pyplot unless they are given."""
    check_matplotlib_support(f"{type(display).__name__}.plot")
    if ax is not None:
        check_axes([ax], 1, "ax")
        return ax
    import matplotlib.pyplot as plt

    return plt.subplots(figsize=figsize, layout="constrained")[1]


def check_axes(axes, n_axes, name="axes"):
    """Refuse what is not a list of `n_axes` axes of matplotlib; None passes."""
    if axes is None:
        return
    found = list(axes) if isinstance(axes, Iterable) else None
    if found is None or not all(hasattr(axis, "get_figure") for axis in found):
        raise TypeError(f"{name}={axes!r:.100} must be axes of matplotlib, or None.")
    if len(found) != n_axes:
        raise ValueError(
            f"{name} has {counted(len(found), 'axis', 'axes')}, but {n_axes} are "
            "needed."
        )


def name_points(axis, x, y, names):
    """Write names beside points, apart from each other; limits must be set before.

    Parameters
    ----------
    axis : matplotlib.axes.Axes
    x, y : sequence of float
    names : sequence
    """
    points = axis.transData.transform(list(zip(x, y, strict=True)))
    middle = axis.transAxes.transform((0.5, 0.5))[0]
    # Names stand towards the middle, each side a column of its own.
    is_right = [pixel > middle for pixel, _ in points]
    for side in (False, True):
        chosen = [n for n, right in enumerate(is_right) if right == side]
        # The leftmost of those as high gets the lowest name: lines do not cross.
        chosen.sort(key=lambda n: (y[n], -x[n] if side else x[n]))
        heights = _spread([y[n] for n in chosen], *axis.get_ylim())
        for n, height in zip(chosen, heights, strict=True):
            axis.annotate(
                plain_text(names[n]),
                (x[n], y[n]),
                xytext=(-12 if side else 12, height),
                textcoords=("offset points", "data"),
                ha="right" if side else "left",
                va="center",
                fontsize=8,
                arrowprops={"arrowstyle": "-", "color": "0.6", "linewidth": 0.6},
            )


def _spread(heights, bottom, top):
    """Find a line of text below each height, sorted, within the axes if they fit."""
    gap = (top - bottom) / 18
    spread, limit = [], top
    # Below: what is worth a name lies low, and neighbours are often as high.
    for height in reversed(heights):
        limit = min(height, limit) - gap
        spread.append(limit)
    spread.reverse()
    limit = bottom + gap / 2
    for n, height in enumerate(spread):
        spread[n] = max(height, limit)
        limit = spread[n] + gap
    return spread


def mark_days(axis, days):
    """Mark days below an axis of dates, never hours, and name the period with its year.

    Parameters
    ----------
    axis : matplotlib.axes.Axes
    days : DatetimeIndex
        All that are drawn.
    """
    from matplotlib import dates

    first, last = days[0], days[-1]
    if len(days) <= _FEW_DAYS:
        axis.xaxis.set_major_locator(dates.DayLocator())
        axis.xaxis.set_major_formatter(dates.DateFormatter("%d %b"))
    else:
        locator = dates.AutoDateLocator(minticks=3, maxticks=8)
        axis.xaxis.set_major_locator(locator)
        axis.xaxis.set_major_formatter(
            dates.ConciseDateFormatter(locator, show_offset=False)
        )
    axis.set_xlabel(f"{first:%d %b %Y} to {last:%d %b %Y}", fontsize=9)
