"""Boxes from the activations of a network over time and over frequency bands."""

from numbers import Real

import numpy as np
import pandas as pd

from skbird.annotations import BOX_COLUMNS, proba_to_events
from skbird.data import as_spectrograms, check_rows
from skbird.utils._nested import steps_of
from skbird.utils._overlaps import overlapping_pairs


def attention_boxes(
    X, *, time=None, frequency=None, threshold=0.5, max_gap_s=0.0, min_band_share=0.5
):
    """Draw boxes around the calls that sound-event-detection networks find.

    Attention over time says when a species calls, attention over frequency hints at
    what frequency. With both, boxes have both extents; with frequency alone, they are
    as long as the segments; with time alone, their frequencies are NaN.

    Parameters
    ----------
    X : what the models predict
        The rows, such as paths or a row table; `Spectrograms` if the models are
        networks.
    time : SEDClassifier with ``attention="time"``, or Pipeline, default=None
        Fitted, or a pipeline that ends with it.
    frequency : SEDClassifier with ``attention="frequency"``, or Pipeline, default=None
        A second model, fitted on the same species if both are given.
    threshold : float or array-like of shape (n_species,), default=0.5
        Probability of a step from which a species counts as calling. Where segments
        overlap, the higher one counts.
    max_gap_s : float >= 0, default=0.0
        Seconds below the threshold that a box may span.
    min_band_share : float in (0, 1], default=0.5
        A box reaches from the lowest to the highest band in which the probability of
        its species is at least this share of that in its likeliest band.

    Returns
    -------
    boxes : DataFrame
        One line per box: ``path``, ``start``, ``end`` (seconds from the start of the
        recording), ``low_hz``, ``high_hz``, ``species`` and ``score``, the highest
        probability of its steps; ordered by recording as in `X`, then by start.
        `write_raven` takes it as it is.

    Raises
    ------
    TypeError
        If a model gives no activations.
    ValueError
        If there is no model, its attention is over the other axis, the models know
        different species, or a parameter is out of range.

    See Also
    --------
    proba_to_events : Joins the rows of any classifier to events.
    skbird.nn.SEDClassifier : The network, with its method ``activations``.

    Notes
    -----
    The feature map of a network has few steps: with EfficientNet, 5 s are ten steps of
    half a second, and 128 mel bands are four. Boxes are no finer than that. Their times
    lie on the calls; their frequencies are a hint at best, and may be wrong: each band
    of a deep feature map hears nearly all frequencies (see
    :func:`skbird.inspection.explanation_report`).

    Examples
    --------
    >>> import numpy as np
    >>> from skbird.inspection import attention_boxes
    >>> from skbird.nn import SEDClassifier
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((8, 32, 64))
    >>> Y = np.tile([[1, 0], [0, 1]], (4, 1))
    >>> net = SEDClassifier(
    ...     "lcnet_035", attention="time", backbone_weights=None, max_epochs=1,
    ...     verbose=0
    ... )
    >>> boxes = attention_boxes(X, time=net.fit(X, Y), threshold=0.0)
    >>> boxes["species"].unique().tolist()
    ['species 0', 'species 1']
    """
    if not isinstance(min_band_share, Real) or not 0 < min_band_share <= 1:
        raise ValueError(f"min_band_share={min_band_share!r} must be in (0, 1].")
    models = {"time": time, "frequency": frequency}
    found = {
        axis: _Segments(model, X, axis)
        for axis, model in models.items()
        if model is not None
    }
    if not found:
        raise ValueError(
            "time and frequency are both None. Pass a fitted SEDClassifier, or a "
            "Pipeline that ends with one, as one of them."
        )
    names = [segments.species for segments in found.values()]
    if names[0] != names[-1]:
        raise ValueError(
            "The models of time and frequency know different species. Train both on "
            "the same Y."
        )
    if time is not None:
        steps, proba = found["time"].moments()
    else:
        steps, proba = found["frequency"].whole()
    boxes = proba_to_events(proba, steps, threshold, max_gap_s, species=names[0])
    boxes["low_hz"] = boxes["high_hz"] = np.nan
    if frequency is not None:
        extents = found["frequency"].extents(boxes, min_band_share)
        boxes[["low_hz", "high_hz"]] = extents
    return boxes[[*BOX_COLUMNS, "score"]]


class _Segments:
    """The activations of one network for the segments of all rows.

    Attributes
    ----------
    table : DataFrame
        ``path``, ``start``, ``end`` of each segment, in seconds of the recording; what
        fills up a short row is not part of it.
    probability : ndarray of shape (n_segments, n_steps, n_species)
    """

    def __init__(self, model, X, axis):
        *steps, model = steps_of(model)
        for step in steps:
            X = step.transform(X)
        if not hasattr(model, "activations"):
            raise TypeError(
                f"{axis} is a {type(model).__name__}, which has no activations. Pass a "
                "fitted SEDClassifier, or a Pipeline that ends with one."
            )
        if model.attention != axis:
            raise ValueError(
                f"{axis} is a {type(model).__name__} with attention="
                f"{model.attention!r}. Pass it as {model.attention}."
            )
        X = as_spectrograms(X)
        activations = model.activations(X)
        self.species = [str(name) for name in model.species_]
        self.probability = np.concatenate([a.probability for a in activations])
        self.segment_s = X.format.grid.segment_s
        self.mel_hz = X.format.mel_hz
        rows = check_rows(X.rows)
        duration = (X.n_frames - 1) * X.format.frame_s
        row_end = rows["end"].fillna(rows["start"] + duration)
        row_end = row_end.to_numpy()[X.segment_rows]
        start = rows["start"].to_numpy()[X.segment_rows] + X.segment_starts
        self.table = pd.DataFrame(
            {
                "path": rows["path"].to_numpy()[X.segment_rows],
                "start": start,
                "end": np.minimum(start + self.segment_s, row_end),
            }
        )

    def whole(self):
        """Return the segments and, of each, the highest probability of its bands."""
        return self.table, self.probability.max(axis=1)

    def moments(self):
        """Return the steps of all segments as rows, and their probabilities."""
        n_segments, n_steps, n_species = self.probability.shape
        step_s = self.segment_s / n_steps
        steps = self.table.loc[self.table.index.repeat(n_steps)].reset_index(drop=True)
        steps["start"] += np.tile(np.arange(n_steps) * step_s, n_segments)
        steps["end"] = np.minimum(steps["end"], steps["start"] + step_s)
        inside = steps["end"] > steps["start"]
        proba = self.probability.reshape(-1, n_species)
        return steps[inside].reset_index(drop=True), proba[inside]

    def extents(self, boxes, min_band_share):
        """Return the lowest and the highest frequency of boxes, (n_boxes, 2) in Hz."""
        box, segment, shared_s = overlapping_pairs(boxes, self.table)
        box, segment = box[shared_s > 0], segment[shared_s > 0]
        extents = np.full((len(boxes), 2), np.nan)
        if len(box) == 0:
            return extents
        column = pd.Index(self.species).get_indexer(boxes["species"])[box]
        first = np.flatnonzero(np.diff(box, prepend=-1))
        bands = np.maximum.reduceat(self.probability[segment, :, column], first)
        is_high = bands >= min_band_share * bands.max(axis=1, keepdims=True)
        n_bands = bands.shape[1]
        edges = np.arange(n_bands + 1) / n_bands * len(self.mel_hz) - 0.5
        edges_hz = np.interp(edges, np.arange(len(self.mel_hz)), self.mel_hz)
        extents[box[first], 0] = edges_hz[is_high.argmax(axis=1)]
        extents[box[first], 1] = edges_hz[n_bands - is_high[:, ::-1].argmax(axis=1)]
        return extents
