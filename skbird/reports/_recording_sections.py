"""The sections of a data report."""

import numpy as np
import pandas as pd

from skbird.inspection import COLOURS, plain_text
from skbird.reports import _plots as plots
from skbird.reports import _recording_tables as tables
from skbird.reports._page_parts import Facts, Plots, Section, SoundClips, Table
from skbird.utils._text import counted
from skbird.utils._truth import PRESENT_FROM

_N_TOGETHER = 30


def recording_sections(rows, files, Y, findings, copies, clips):
    """Return the sections of the page, those without content left out.

    Parameters
    ----------
    rows : DataFrame
        With ``seconds``.
    files : DataFrame
        What was found in each file.
    Y : DataFrame or None
    findings, copies : DataFrame
    clips : list of SoundClip

    Returns
    -------
    list of Section
    """
    species = None if Y is None else tables.count_species(rows, Y)
    made = [
        _overview(rows, files, Y, species, findings, copies),
        None if species is None else _species(rows, species, Y),
        _collections(files),
        _files(files),
        _geography(files),
        None if Y is None or Y.shape[1] < 2 else _together(Y, species),
        _listen(clips),
        _damage(files, copies),
    ]
    return [section for section in made if section is not None]


def _overview(rows, files, Y, species, findings, copies):
    facts = {
        "recordings": len(files),
        "hours": files["duration_s"].sum() / 3600,
        "collections": files["collection"].nunique(),
        "decoded": int(files["level_dbfs"].notna().sum()),
        "unreadable": int((files["error"] != "").sum()),
        "copies": len(copies),
    }
    if len(rows) > len(files):
        facts["rows"] = len(rows)
    if species is not None:
        facts["species"] = len(species)
        n_none = int((~(Y >= PRESENT_FROM).any(axis=1)).sum())
        facts |= {"rows of none": n_none} if n_none else {}
        findings = pd.concat([findings, tables.species_findings(species)])
    lines = [
        (
            "copies of another file",
            len(copies),
            len(files),
            "Keep them on one side of a split, as `skbird train` does and, in Python, "
            "skbird.model_selection.leak_groups.",
        )
    ]
    if "labels_differ" in copies:
        lines.append(
            (
                "copies with other labels",
                int(copies["labels_differ"].sum()),
                len(copies),
                "At least one of the labels is wrong or incomplete.",
            )
        )
    findings = pd.concat([findings, pd.DataFrame(lines, columns=findings.columns)])
    findings = findings.sort_values("number", ascending=False, ignore_index=True)
    note = "What was looked for, in how many, and what it means for training."
    return Section(
        "Overview",
        "",
        [Facts(facts), Table("findings", "Findings", findings, note)],
    )


def _species(rows, species, Y):
    heard = (Y >= PRESENT_FROM).astype(float)
    by_collection = heard.groupby(rows["collection"].to_numpy()).sum().T
    order = by_collection.sum().sort_values(ascending=False).index
    by_collection = by_collection[order[: len(COLOURS)]]
    counts = species.set_index("species")["rows"]
    drawn = [
        plots.rank_plot(
            counts,
            "species_rank",
            "How unequal the species are. The tail decides a macro-averaged score.",
            ylabel="rows",
        ),
        plots.bar_plot(
            by_collection.sum(axis=1),
            "species_collections",
            "Rows of each species, by collection.",
            xlabel="rows",
            stacked=by_collection,
        ),
    ]
    note = "Primary and secondary labels count alike, unless a column says otherwise."
    table = Table("species", "All species", species, note)
    return Section("Species", "", [table, Plots(drawn)])


def _collections(files):
    table = tables.count_collections(files)
    group = files["collection"]
    drawn = [
        plots.box_plot(
            files[name],
            group,
            name,
            f"{what} (boxes: quartiles; whiskers: 5 and 95 %).",
            ylabel=label,
        )
        for name, what, label in (
            ("level_dbfs", "Level of the recordings", "level (dBFS)"),
            ("noise_dbfs", "Noise: the level of the quietest tenth", "noise (dBFS)"),
            ("contrast_db", "How far the loudest 1 % are above it", "contrast (dB)"),
            ("speech", "Share of the time with human speech", "share with speech"),
        )
    ]
    note = (
        "Where collections differ in level or noise, a network can tell them apart, "
        "and with them the species that only one of them has."
    )
    parts = [Table("collections", "All collections", table)]
    return Section("Collections", note, parts + _row_of(drawn))


def _files(files):
    group = files["collection"]
    seconds = files["duration_s"].clip(lower=0.1)
    rates = files["sample_rate"].dropna().astype(int)
    drawn = [
        plots.box_plot(
            seconds,
            group,
            "duration",
            "Length of the recordings.",
            ylabel="length (s)",
            log=True,
        )
    ]
    if "rating" in files:
        drawn.append(
            plots.histogram(
                files["rating"],
                group,
                "rating",
                "Ratings of the recordings.",
                xlabel="rating",
                bins=np.arange(-0.25, 5.5, 0.5),
            )
        )
    counts = rates.groupby([rates, group[rates.index]]).size().rename("recordings")
    counts.index.names = ["sample_rate", "collection"]
    worst = files.assign(_none=files["problems"] == "").sort_values(
        "_none", kind="stable"
    )
    parts = [
        *_row_of(drawn),
        Table("sample_rates", "Sample rates", counts.reset_index()),
        Table(
            "recordings",
            "All recordings",
            worst.drop(columns="_none"),
            "Those with problems first.",
        ),
    ]
    return Section("Recordings", "", parts)


def _geography(files):
    if not {"latitude", "longitude"} <= set(files):
        return None
    known = files.dropna(subset=["latitude", "longitude"])
    if len(known) == 0:
        return None
    axis = plots.new_axes(7.0, 4.0)
    names = list(known["collection"].value_counts().index[: len(COLOURS)])
    for colour, name in zip(COLOURS, names, strict=False):
        part = known[known["collection"] == name]
        # Thousands of dots as a picture: as shapes they would fill the page's memory.
        axis.plot(
            part["longitude"],
            part["latitude"],
            ".",
            markersize=4,
            alpha=0.5,
            color=colour,
            label=plain_text(name),
            rasterized=True,
        )
    axis.set(xlabel="longitude (°)", ylabel="latitude (°)")
    axis.grid(alpha=0.3)
    if len(names) > 1:
        axis.legend(fontsize=8)
    alt = (
        f"Map of {counted(len(known), 'recording')}, latitude "
        f"{known['latitude'].min():.1f} to {known['latitude'].max():.1f}, longitude "
        f"{known['longitude'].min():.1f} to {known['longitude'].max():.1f}."
    )
    caption = f"Where {len(known)} of {counted(len(files), 'recording')} were made."
    return Section("Places", "", [plots.finish(axis, "places", caption, alt)])


def _together(Y, species):
    pairs = tables.count_together(Y)
    if len(pairs) == 0:
        return None
    commonest = species["species"].head(_N_TOGETHER)
    part = (Y[list(commonest)] >= PRESENT_FROM).astype(float)
    counts = part.sum()
    share = part.T @ part / np.maximum(counts.to_numpy(), 1)[:, None]
    share.index.name, share.columns.name = "of the rows with", "have also"
    heat = plots.heat_map(
        share,
        "together_map",
        f"The {len(share)} commonest species.",
        label="share of the rows",
        vmax=1,
    )
    note = "Species that are hardly ever heard apart cannot be told apart by training."
    table = Table("together", "Pairs", pairs, max_rows=300)
    return Section("Heard together", note, [heat, table])


def _listen(clips):
    note = (
        "Examples of each problem, and recordings drawn at random. The loudest stretch "
        "of the first minute; all clips are equally loud here."
    )
    return Section("Listen", note, [SoundClips(clips)]) if clips else None


def _damage(files, copies):
    unreadable = files.loc[files["error"] != "", ["path", "collection", "error"]]
    note = "By their bytes, among all files; by their sound, among those decoded."
    return Section(
        "Copies and damage",
        "",
        [
            Table("duplicates", "Copies", copies, note),
            Table("unreadable", "Unreadable files", unreadable.reset_index(drop=True)),
        ],
    )


def _row_of(drawn):
    drawn = [plot for plot in drawn if plot is not None]
    return [Plots(drawn)] if drawn else []
