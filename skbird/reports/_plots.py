"""Small figures for reports, outside pyplot, from names that nobody has checked."""

import warnings

import numpy as np

from skbird.inspection import COLOURS, plain_text
from skbird.reports._page_parts import Plot

_N_SHOWN = 40


def new_axes(width=6.0, height=3.6, layout="constrained", **options):
    """Return axes in a new figure that pyplot knows nothing of."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout=layout)
    return figure.subplots(**options)


def finish(axis, name, caption, alt):
    """Return the figure of an axis as a part of a report.

    Its SVG is made now, so that a name that fonts lack warns nobody later.
    """
    plot = Plot(name, axis.figure, caption, alt)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        plot.svg  # noqa: B018
    return plot


def bar_plot(counts, name, caption, *, xlabel, stacked=None):
    """Draw numbers by name, the largest above.

    Parameters
    ----------
    counts : Series
        Only the largest 40 are drawn.
    name, caption, xlabel : str
    stacked : DataFrame, default=None
        Rows as in `counts`, which is their sum; each column gets a colour.

    Returns
    -------
    Plot
    """
    counts = counts.sort_values(ascending=False, kind="stable")
    shown = counts.head(_N_SHOWN)
    axis = new_axes(height=1 + 0.2 * max(len(shown), 4))
    places = np.arange(len(shown))
    if stacked is None:
        axis.barh(places, shown, color=COLOURS[0])
    else:
        left = np.zeros(len(shown))
        for number, column in enumerate(stacked.columns):
            part = stacked[column].loc[shown.index].to_numpy(dtype=float)
            colour = COLOURS[number % len(COLOURS)]
            axis.barh(places, part, left=left, color=colour, label=plain_text(column))
            left += part
        axis.legend(fontsize=8)
    axis.set_yticks(places, [plain_text(label) for label in shown.index], fontsize=8)
    axis.set(xlabel=xlabel, ylim=(len(shown) - 0.4, -0.6))
    if len(shown) < len(counts):
        caption += f" The largest {len(shown)} of {len(counts)}."
    largest = ", ".join(f"{label}: {value:.3g}" for label, value in shown[:3].items())
    return finish(axis, name, caption, f"Bars, {xlabel}. The largest: {largest}.")


def rank_plot(counts, name, caption, *, ylabel):
    """Draw sorted numbers on a logarithmic scale: how long the tail is."""
    counts = np.sort(np.asarray(counts))[::-1]
    axis = new_axes()
    axis.plot(np.arange(1, len(counts) + 1), counts, ".-", color=COLOURS[0])
    axis.set(xlabel="species, commonest first", ylabel=ylabel)
    axis.set_yscale("symlog", linthresh=1, linscale=0.3, subs=[2, 5])
    axis.set_ylim(bottom=0)
    axis.xaxis.get_major_locator().set_params(integer=True)
    axis.yaxis.set_major_formatter("{x:g}")
    axis.yaxis.set_minor_formatter("{x:g}")
    alt = (
        f"Curve of {ylabel} over the rank of the species, from {counts[0]:.0f} down to "
        f"{counts[-1]:.0f}; half of the species have {np.median(counts):.0f} or fewer."
    )
    return finish(axis, name, caption, alt)


def box_plot(values, groups, name, caption, *, ylabel, log=False):
    """Draw how values are spread in each group: quartiles, 5 and 95 %.

    Parameters
    ----------
    values : Series of float
        NaN is left out.
    groups : Series
        The 12 commonest are drawn.
    name, caption, ylabel : str
    log : bool

    Returns
    -------
    Plot or None
        None if nothing is known.
    """
    known = values.notna() & groups.notna()
    values, groups = values[known], groups[known]
    if len(values) == 0:
        return None
    names = list(groups.value_counts().index[:12])
    parts = [values[groups == group].to_numpy(dtype=float) for group in names]
    axis = new_axes()
    boxes = axis.boxplot(
        parts,
        whis=(5, 95),
        patch_artist=True,
        showfliers=False,
        widths=0.6,
        medianprops={"color": "black"},
    )
    for number, box in enumerate(boxes["boxes"]):
        box.set_facecolor(COLOURS[number % len(COLOURS)])
    labels = [
        f"{plain_text(group)}\n({len(part)})"
        for group, part in zip(names, parts, strict=True)
    ]
    axis.set_xticks(np.arange(1, len(names) + 1), labels, fontsize=8)
    axis.set_ylabel(ylabel)
    if log:
        from matplotlib.ticker import LogFormatter

        axis.set_yscale("log")
        low, high = axis.get_ylim()
        if high < 1.5 * low:  # all about the same: its ticks would read the same, too
            axis.set_ylim(low / 1.5, high * 1.5)
        axis.yaxis.set_major_formatter("{x:g}")
        # Labelled only where there are few powers of ten, and never as one.
        axis.yaxis.set_minor_formatter(LogFormatter())
    medians = ", ".join(
        f"{group} {np.median(part):.3g}"
        for group, part in zip(names, parts, strict=True)
    )
    return finish(axis, name, caption, f"Box plot of {ylabel}. Medians: {medians}.")


def histogram(values, groups, name, caption, *, xlabel, bins):
    """Draw stacked bars of how many values of each group lie in each bin."""
    known = values.notna() & groups.notna()
    values, groups = values[known], groups[known]
    if len(values) == 0:
        return None
    names = list(groups.value_counts().index[: len(COLOURS)])
    axis = new_axes()
    axis.hist(
        [values[groups == group].to_numpy(dtype=float) for group in names],
        bins=bins,
        stacked=True,
        color=COLOURS[: len(names)],
        label=[plain_text(group) for group in names],
    )
    axis.set(xlabel=xlabel, ylabel="recordings")
    if len(names) > 1:
        axis.legend(fontsize=8)
    alt = (
        f"Histogram of {xlabel}: from {values.min():.3g} to {values.max():.3g}, median "
        f"{values.median():.3g}."
    )
    return finish(axis, name, caption, alt)


def heat_map(matrix, name, caption, *, label, cmap="viridis", vmax=None):
    """Draw a square table of species against species.

    Parameters
    ----------
    matrix : DataFrame of shape (n, n)
        Names in index and columns; NaN stays empty.
    name, caption, label, cmap : str
    vmax : float

    Returns
    -------
    Plot
    """
    axis = new_axes(7.0, 6.2)
    values = matrix.to_numpy(dtype=float)
    image = axis.imshow(values, cmap=cmap, vmin=0, vmax=vmax, interpolation="nearest")
    axis.figure.colorbar(image, ax=axis, label=label)
    places = np.arange(len(matrix))
    names = [plain_text(column) for column in matrix.columns]
    axis.set_xticks(places, names, rotation=90, fontsize=7)
    axis.set_yticks(places, [plain_text(row) for row in matrix.index], fontsize=7)
    axis.set(xlabel=matrix.columns.name, ylabel=matrix.index.name)
    alt = f"Heat map of {len(matrix)} by {len(matrix)} species: {label}."
    return finish(axis, name, caption, alt)
