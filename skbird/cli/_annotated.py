"""Recordings and their annotations, for ``evaluate`` and ``report``."""

from dataclasses import dataclass
from functools import wraps
from pathlib import Path

import click

from skbird.cli import _console
from skbird.cli._numbers import FloatRange
from skbird.cli._own_boxes import look_like_events, own_boxes, untouched_tables
from skbird.utils._text import counted

_MIN_OVERLAP_S = 0.25
_MIN_SHARE = 0.5
_OPTIONS = (
    click.option(
        "--annotations",
        type=click.Path(exists=True, path_type=Path),
        help="Annotations of the recordings in the folder DATA: a table, or a folder "
        "of tables, of Raven, Audacity, BirdNET, Kaleidoscope, skbird, or in a format "
        "that crowsetta reads. Recordings are matched by the ends of their paths. A "
        "table must list all calls in its recordings. Detections of the model itself "
        "do not count: see --reviewed.",
    ),
    click.option(
        "--annotations-format",
        "format_",
        help="raven, audacity, birdnet, kaleidoscope, boxes, rows (zeros and ones), or "
        "a format of crowsetta.  [default: detected file by file]",
    ),
    click.option(
        "--annotation-column",
        "column",
        help="The column that names the species, if several could.",
    ),
    click.option(
        "--annotated-only",
        is_flag=True,
        help="Leave out recordings that no table or box belongs to. Otherwise they "
        "count as recordings in which nothing calls.",
    ),
    click.option(
        "--min-overlap-s",
        type=FloatRange(0),
        help="Seconds of a box that must lie in a row for its species to count there. "
        "If you set it, boxes shorter than this count nowhere.  [default: 0.25, or "
        "half of a box shorter than 0.5]",
    ),
    click.option(
        "--reviewed",
        is_flag=True,
        help="Say that somebody has checked all tables. Without it, recordings whose "
        "annotations are exactly the detections of the model (or of `skbird predict`) "
        "are left out, and recordings without boxes with them, because a model must "
        "not grade itself. A recording counts as soon as one of its boxes was moved, "
        "renamed or added; if boxes were only deleted, --reviewed is needed.",
    ),
)


@dataclass(frozen=True)
class Annotations:
    """The values of the options on annotations.

    Attributes
    ----------
    path : Path or None
        A file, a folder of files, or nothing.
    format_, column : str or None
        See :func:`skbird.annotations.read_annotations`.
    annotated_only : bool
        Whether to leave out recordings of which nothing is said.
    min_overlap_s : float or None
        See :func:`skbird.annotations.boxes_to_rows`; None: short boxes count, too.
    reviewed : bool
        Whether to count what is as the model has it.
    """

    path: Path | None
    format_: str | None
    column: str | None
    annotated_only: bool
    min_overlap_s: float | None
    reviewed: bool


def annotation_options(command):
    """Add the options on annotations to a command, which gets them as one."""

    @wraps(command)
    def with_annotations(
        annotations,
        format_,
        column,
        annotated_only,
        min_overlap_s,
        reviewed,
        **others,
    ):
        given = Annotations(
            annotations, format_, column, annotated_only, min_overlap_s, reviewed
        )
        return command(annotations=given, **others)

    for option in reversed(_OPTIONS):
        with_annotations = option(with_annotations)
    return with_annotations


class AnnotatedRows:
    """Rows of annotated recordings, before and after the model has predicted them.

    Parameters
    ----------
    data : Path
        Folder of recordings.
    annotations : Annotations
    species : list of str
        Names of the species that the model predicts.
    segment_s : float
        Length of its rows in seconds.

    Attributes
    ----------
    X : DataFrame
    Y : DataFrame of shape (n_rows, n_species)
    left_out : list of (str, str)
        Path and what is wrong.

    Raises
    ------
    ValueError
        If there are no annotations, or none but what ``predict`` wrote.
    """

    def __init__(self, data, annotations, species, segment_s):
        from skbird.annotations import (
            NameFinder,
            boxes_to_rows,
            place_boxes,
            read_annotations,
        )
        from skbird.audio import drop_links, find_audio
        from skbird.data import segment_table

        self._annotations, self._species = annotations, species
        audio, self.left_out = find_audio(data)
        audio = drop_links(audio)
        tables, self._n_untouched = self._find_tables()
        boxes = read_annotations(
            tables,
            NameFinder(audio),
            format=annotations.format_,
            annotation_column=annotations.column,
        )
        if self._n_untouched and not len(boxes):
            raise ValueError(NONE_LEFT.format(path=annotations.path))
        boxes = place_boxes(boxes, annotations.path, data, audio, _console.say)
        self._boxes = boxes.reset_index(drop=True)
        audio = self._choose(audio, tables)
        _say_unknown(boxes, species)
        rows = segment_table(audio, segment_s, segment_s, on_error="skip")
        overlap = {"min_overlap_s": annotations.min_overlap_s}
        if annotations.min_overlap_s is None:
            # Rows may be shorter than a quarter of a second, too.
            overlap["min_overlap_s"] = min(_MIN_OVERLAP_S, _MIN_SHARE * segment_s)
            overlap["min_overlap_fraction"] = _MIN_SHARE
        self.X, self.Y = boxes_to_rows(boxes, rows, species=species, **overlap)
        n_boxes = boxes["species"].notna().sum()
        _console.say(
            f"{data}: {counted(len(audio), 'recording')}, "
            f"{counted(n_boxes, 'box', 'boxes')}, {counted(len(self.X), 'row')} of "
            f"{segment_s:g} s"
        )

    def _find_tables(self):
        """Return the tables to read, and how many ``predict`` wrote that are not."""
        from skbird.annotations import annotation_files

        path = self._annotations.path
        tables = annotation_files(path) if path.is_dir() else [path]
        if not tables:
            raise ValueError(
                f"{str(path)!r} holds no tables of annotations (*.txt, *.csv, ...)."
            )
        if self._annotations.reviewed:
            return tables, 0
        untouched = untouched_tables(tables, path)
        if untouched:
            _console.say(
                f"{len(untouched)} of {counted(len(tables), 'table')} "
                f"{'is' if len(untouched) == 1 else 'are'} as written by `skbird "
                "predict`: left out, because a model must not grade itself. "
                "(--reviewed, if somebody has gone through all tables.)"
            )
        if len(untouched) == len(tables):
            raise ValueError(NONE_LEFT.format(path=path))
        known = set(untouched)
        return [table for table in tables if table not in known], len(untouched)

    def _choose(self, audio, tables):
        """Return the recordings to judge; say how many of them have no annotations."""
        from skbird.annotations import AudioFinder

        annotated, finder = set(self._boxes["path"]), AudioFinder(audio)
        for table in tables:
            try:
                annotated.add(finder.by_file(table))  # also of a table without boxes
            except ValueError:
                pass  # of the recordings that it names, not of one it is named after
        chosen = [path for path in audio if path in annotated]
        n_without = len(audio) - len(chosen)
        if n_without and (self._annotations.annotated_only or self._n_untouched):
            _console.say(
                f"Left out: {counted(n_without, 'recording')} without annotations."
            )
            return chosen
        if n_without:
            _console.say(
                f"Warning: {n_without} of {counted(len(audio), 'recording')} without "
                "annotations: nothing seems to call there. --annotated-only leaves "
                "them out."
            )
        return audio

    def judged(self, proba):
        """Return which rows to judge the model by, knowing what it says of them.

        Parameters
        ----------
        proba : ndarray of shape (n_rows, n_species)

        Returns
        -------
        ndarray of shape (n_rows,), bool

        Raises
        ------
        ValueError
            If there are none.
        """
        import numpy as np

        own = own_boxes(self._boxes, self.X, proba, self._species)
        paths = self._boxes["path"]
        untouched = set(paths[own]) - set(paths[~own])
        if self._annotations.reviewed:
            if untouched:
                _console.say(
                    "Warning: "
                    f"{counted(len(untouched), 'recording has', 'recordings have')} "
                    "exactly the annotations that the model predicts: if nobody has "
                    "checked them, the figures flatter it."
                )
            return np.ones(len(self.X), dtype=bool)
        if not own.any() and not self._n_untouched:
            say_if_scored(self._boxes)
            self._say_if_events(proba)
            return np.ones(len(self.X), dtype=bool)
        judged = self.X["path"].isin(set(paths) - untouched).to_numpy()
        empty = set(self.X["path"]) - set(paths)
        if untouched or empty:
            _console.say(
                "Left out, because a model must not grade itself: "
                f"{counted(len(untouched), 'recording')} with exactly the annotations "
                f"that the model predicts, and {len(empty)} without boxes beside them. "
                "(--reviewed counts them, if somebody has checked them all.)"
            )
        if not judged.any():
            raise ValueError(NONE_LEFT.format(path=self._annotations.path))
        # Who cuts rows otherwise than `predict` did sees other scores in most places.
        say_if_scored(self._boxes[~paths.isin(untouched)])
        return judged

    def _say_if_events(self, proba):
        boxes = self._boxes
        scored = "score" in boxes and boxes["score"].notna().any()
        if not scored and look_like_events(boxes, self.X, proba, self._species):
            _console.say(
                "Warning: all boxes are exactly where the model itself finds events, "
                "but have no scores: if `skbird predict` wrote them, the figures "
                "flatter it, as a model must not grade itself."
            )


NONE_LEFT = (
    "{path} holds nothing but detections of the model itself, or of `skbird predict`: "
    "there is nothing to judge it by. Correct the tables, annotate recordings, or pass "
    "--reviewed if somebody has gone through all of them."
)


def say_if_scored(boxes):
    """Warn of boxes, or rows, that look like what a program has found."""
    scores = boxes.get("score", boxes.get("probability"))
    if scores is not None and scores.notna().all():
        _console.say(
            "Warning: all boxes have scores, like detections of a program. If nobody "
            "has checked them, the figures say how far two programs agree, not what "
            "is true."
        )


def _say_unknown(boxes, species):
    """Warn of labels that the model does not know, however they are spelled."""
    from skbird.utils._names import match_names, names_species

    names = boxes["species"].dropna()
    names = names[[names_species(name) for name in names]]
    known = match_names(names.unique(), species)
    unknown = names[~names.isin(known)].value_counts()
    if len(unknown):
        _console.say(
            "Warning: the model does not know the labels of "
            f"{counted(unknown.sum(), 'box', 'boxes')} "
            f"({counted(len(unknown), 'label')}, such as {unknown.index[0]!r}). They "
            "are not counted."
        )
