"""The sections of an error report."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from skbird.inspection import (
    COLOURS,
    CoActivationDisplay,
    ReliabilityDisplay,
    SupportDisplay,
    ThresholdCurveDisplay,
    name_points,
)
from skbird.metrics import FALSE_NEGATIVE, FALSE_POSITIVE, threshold_curve
from skbird.reports import _error_tables as tables
from skbird.reports import _plots as plots
from skbird.reports._page_parts import Facts, Plots, Section, SoundClips, Table
from skbird.reports._row_sounds import mel_khz, recall_by_level


@dataclass(frozen=True)
class Findings:
    """All that the sections look at."""

    y_true: object
    proba: object
    truth: object
    score: np.ndarray
    threshold: np.ndarray
    report: pd.DataFrame
    errors: pd.DataFrame
    rows: pd.DataFrame | None
    call_type: str
    memory: pd.DataFrame | None
    outcomes: dict
    measured: pd.DataFrame | None
    spectra: np.ndarray | None
    clips: list

    @property
    def judgement(self):
        """The arguments that functions of the metrics take."""
        return self.truth, self.score, self.threshold


def error_sections(found):
    """Return the sections of the page, those without content left out.

    Parameters
    ----------
    found : Findings

    Returns
    -------
    list of Section
    """
    made = [
        _overview(found),
        _species(found),
        _listen(found),
        _confusions(found),
        _behaviour(found),
        _call_types(found),
        _memory(found),
        _all_errors(found),
    ]
    return [section for section in made if section is not None]


def _overview(found):
    kinds = found.errors["error"].value_counts()
    unread = np.isnan(np.asarray(found.proba, dtype=float)).all(axis=1)
    report = found.report
    # Of the same species as the ROC-AUC: in others precision says nothing.
    judged = report["roc_auc"].notna()
    facts = {
        "rows": len(found.score),
        "species": len(report),
        "judged (ROC-AUC)": int(judged.sum()),
        "macro ROC-AUC": report["roc_auc"].mean(),
        "macro average precision": report["average_precision"][judged].mean(),
        "false positives": int(kinds.get(FALSE_POSITIVE, 0)),
        "false negatives": int(kinds.get(FALSE_NEGATIVE, 0)),
    }
    if unread.any():
        facts["rows not read"] = int(unread.sum())
    if found.memory is not None:
        facts["mean gap to training (ROC-AUC)"] = found.memory["roc_auc_gap"].mean()
    return Section("Overview", "", [Facts(facts)])


def _species(found):
    table = found.report.reset_index()
    drawn = []
    if found.report["roc_auc"].notna().any():
        display = SupportDisplay(found.report).plot(ax=plots.new_axes())
        lowest = ", ".join(map(str, found.report["roc_auc"].nsmallest(3).index))
        caption = (
            "ROC-AUC against the number of positives. A species at the lower right has "
            "many positives, and is badly recognised all the same."
        )
        alt = f"Scatter plot of ROC-AUC against positives. The lowest: {lowest}."
        drawn.append(plots.finish(display.ax_, "auc_support", caption, alt))
    if found.truth.positive.any():
        drawn += [_threshold_plot(found), _reliability_plot(found)]
    note = (
        "precision, recall, f1 and accuracy are at the threshold of the report. "
        "Without a row that reaches it there is no precision (–)."
    )
    if len(table) > Table.max_rows:  # a pretrained model knows thousands
        concerned = (table[["n_positive", "n_predicted"]] > 0).any(axis=1)
        table = pd.concat([table[concerned], table[~concerned]])
        note += " Species that are neither there nor predicted come last."
    return Section(
        "Species", "", [Table("species", "All species", table, note), Plots(drawn)]
    )


def _threshold_plot(found):
    known = tables.known_values(found.truth, found.score)
    curve = threshold_curve(*known, average="macro")
    display = ThresholdCurveDisplay(curve).plot(ax=plots.new_axes())
    caption = "Precision, recall and F score if all species had the same threshold."
    best = (
        "The F score (the harmonic mean of precision and recall) is highest at a "
        f"threshold of {display.best_threshold_:.2f}."
    )
    return plots.finish(display.ax_, "thresholds", f"{caption} {best}", best)


def _reliability_plot(found):
    known = tables.known_values(found.truth, found.score)
    display = ReliabilityDisplay.from_predictions(*known, ax=plots.new_axes(5.0, 4.6))
    caption = (
        "On the diagonal, as many rows hold the species as the probability says; "
        "below it, fewer: the probabilities are too high."
    )
    highest = display.curves[display.curves["species"] == "all species"].iloc[-1]
    alt = (
        "Reliability curve. In the highest bin the mean probability is "
        f"{highest['mean_predicted']:.2f}, and {highest['share_present']:.2f} of the "
        "rows have the species."
    )
    return plots.finish(display.ax_, "reliability", caption, alt)


def _listen(found):
    if not found.clips:
        return None
    note = (
        "The most confident errors of each species. Among false positives are calls "
        "that nobody has labelled, among false negatives labels of species that cannot "
        "be heard: listen before blaming the model. All clips are equally loud."
    )
    return Section("Worst errors", note, [SoundClips(found.clips)])


def _confusions(found):
    if found.score.shape[1] < 2:
        return None
    names = list(found.report.index)
    rates, table = tables.confusions(*found.judgement, names)
    display = CoActivationDisplay(rates).plot(ax=plots.new_axes(7.0, 6.0))
    caption = (
        "How often one species is predicted where another calls; the diagonal is the "
        "recall."
    )
    alt = f"Heat map of the confusions of {len(display.shown_)} species; table below."
    heat = plots.finish(display.ax_, "confusion_map", caption, alt)
    note = (
        "share: of the rows with the species and without the other, those that are "
        "taken for the other; usual: of all rows without the other."
    )
    pairs = Table("confusions", "Pairs", table, note, max_rows=300)
    return Section("Confusions", "", [heat, pairs])


def _behaviour(found):
    parts = []
    table = tables.over_time(found.rows, *found.judgement)
    if table is not None:
        parts.append(Plots([_time_plot(table)]))
        parts.append(Table("over_time", "Over time", table))
    if found.measured is not None and len(found.measured):
        parts += _sound_parts(found)
    note = "Where in the recordings, and in which sound, the model goes wrong."
    return Section("Time and frequency", note, parts) if parts else None


def _time_plot(table):
    axis = plots.new_axes(7.0, 3.4)
    axis.plot(table["from_s"], table["recall"], "o-", color=COLOURS[0], label="recall")
    axis.plot(
        table["from_s"],
        table["false_alarms_per_row"],
        "s--",
        color=COLOURS[4],
        label="false alarms per row",
    )
    axis.set(xlabel="start of the row in its recording (s)")
    axis.set_ylim(bottom=0)
    axis.legend(fontsize=9)
    alt = (
        f"Recall over time, from {table['recall'].min():.2f} to "
        f"{table['recall'].max():.2f}; the table below has all figures."
    )
    return plots.finish(axis, "over_time", "Errors by the start of the row.", alt)


def _sound_parts(found):
    axis = plots.new_axes(7.0, 3.4)
    lines = []
    rows = found.measured.index.to_numpy()
    # What is loud against the rest of its own spectrum: levels differ by recorder.
    shape = found.spectra - found.spectra.mean(axis=1, keepdims=True)
    styles = ("-", "--", "-.", ":")
    for (name, mask), colour, style in zip(
        found.outcomes.items(), COLOURS, styles, strict=False
    ):
        here = mask[rows]
        if not here.any():
            continue
        label = f"{name} ({here.sum()})"
        axis.plot(mel_khz(), shape[here].mean(axis=0), style, color=colour, label=label)
        medians = found.measured[here][["level_dbfs", "noise_dbfs", "contrast_db"]]
        lines.append({"outcome": name, "rows": int(here.sum()), **medians.median()})
    axis.set(xscale="log", xlabel="frequency (kHz)", ylabel="dB above the row's mean")
    axis.xaxis.set_major_formatter("{x:g}")
    axis.legend(fontsize=9)
    caption = (
        "Mean spectrum of rows, by outcome. Where the lines differ, what sounds there "
        "goes with the errors: wind and engines lie below 1 kHz, insects above 4 kHz."
    )
    alt = "Mean spectra of rows with and without errors, 0.05 to 16 kHz."
    parts = [Plots([plots.finish(axis, "spectra", caption, alt)])]
    note = "Medians over the rows that were measured."
    parts.append(
        Table("sound", "Sound of right and wrong rows", pd.DataFrame(lines), note)
    )
    levels = recall_by_level(found.measured, *found.judgement)
    if len(levels):
        note = "A quarter of the measured rows in each line."
        parts.append(Table("by_level", "Recall in quiet and loud rows", levels, note))
    return parts


def _call_types(found):
    names = list(found.report.index)
    table = tables.call_type_table(found.rows, found.call_type, *found.judgement, names)
    if table is None:
        return None
    note = (
        "A species that is found by its song and missed by its alarm needs more of the "
        "latter, or a column of its own: skbird.compose.CallTypeClassifier."
    )
    return Section("Call types", note, [Table("call_types", "All call types", table)])


def _memory(found):
    if found.memory is None:
        return None
    table = found.memory
    known = table.dropna(subset=["roc_auc_gap"])
    parts = [Table("memory", "In training and held out", table)]
    if len(known):
        axis = plots.new_axes(5.4, 4.6)
        x, y = known["roc_auc_in_training"], known["roc_auc_held_out"]
        low = min(x.min(), y.min(), 0.5) - 0.03
        axis.plot([low, 1], [low, 1], ":", color="0.4")
        axis.scatter(x, y, s=22, color=COLOURS[0], alpha=0.6)
        axis.set(xlim=(low, 1.02), ylim=(low, 1.02))
        name_points(axis, x.tolist()[:6], y.tolist()[:6], known["species"].tolist()[:6])
        axis.set(xlabel="ROC-AUC in training", ylabel="ROC-AUC held out")
        caption = "Species far below the diagonal were memorised."
        gaps = zip(known["species"], known["roc_auc_gap"], strict=True)
        worst = ", ".join(f"{name} {gap:.2f}" for name, gap in list(gaps)[:3])
        alt = (
            f"Scatter plot of ROC-AUC held out against training. Largest gaps: {worst}."
        )
        parts.insert(0, Plots([plots.finish(axis, "memory", caption, alt)]))
    note = (
        "A species that is perfect in training and poor on other recordings was "
        "memorised, not learnt: by its microphone, its place, or a few individuals."
    )
    return Section("Memorised", note, parts)


def _all_errors(found):
    note = (
        "The most confident first. The margin is the distance of the score from the "
        "threshold: the larger, the more confident the model was."
    )
    table = Table("errors", "All errors", found.errors, note, max_rows=500)
    return Section("All errors", "", [table])
