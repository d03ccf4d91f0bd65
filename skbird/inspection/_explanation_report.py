"""A report on how much of a network's maps lies on the calls, against a control."""

from numbers import Integral, Real

import numpy as np
import pandas as pd
from scipy.special import expit
from sklearn.utils import check_random_state

from skbird.annotations import check_boxes
from skbird.inspection._examples import example_regions, find_examples
from skbird.inspection._grad_cam import block_names, evaluating, grad_cam, resize
from skbird.inspection._localization import (
    energy_share,
    others_inside,
    place_peaks,
    share_inside,
)
from skbird.inspection._row_views import split_network, transform
from skbird.model_selection import percentile_interval, resample_counts
from skbird.utils._params import NOT_NEGATIVE, check_params
from skbird.utils._sklearn_compat import Interval

# What is left of (n, frequency, time) if the other axis is added up.
_SUMMED = {"time": 1, "frequency": 2, "both": None}

_CONSTRAINTS = {
    "min_overlap_s": [NOT_NEGATIVE],
    "n_bootstrap": [Interval(Integral, 1, 1_000_000, closed="both")],
    "confidence": [Interval(Real, 0, 1, closed="neither")],
    "random_state": ["random_state"],
}


def explanation_report(
    estimator,
    X,
    boxes,
    *,
    layers="all",
    min_overlap_s=0.3,
    max_examples=1000,
    n_bootstrap=1000,
    confidence=0.95,
    random_state=None,
):
    """Measure how much of a network's attention and Grad-CAM maps lies on the calls.

    An example is a segment and a species that calls in it. Its Grad-CAM maps, and the
    attention of a SED network, are compared with the boxes of these calls: does the
    centre of the highest cell lie inside (pointing game), and what share of the map,
    interpolated to the spectrogram, does (energy)?
    The control measures the same with the maps of all other examples, laid over these
    boxes. So a map that always lies in the middle, or in the band of most species, has
    no gain over the control.

    Parameters
    ----------
    estimator : CNNClassifier, SEDClassifier, or Pipeline that ends with one
        Fitted. It stays as it is.
    X : what the estimator predicts
        Rows with a known truth, such as ``make_birdclef(...).test``.
    boxes : DataFrame
        One line per call in these recordings: ``path``, ``species``, ``start``, ``end``
        (seconds of the recording), and if known ``low_hz``, ``high_hz``, such as
        ``make_birdclef(...).calls``. Species that the network does not know, and other
        recordings, are left out.
    layers : "all", str or sequence of str, default="all"
        Layers for Grad-CAM: all blocks of the backbone, or those of these names. An
        empty sequence leaves Grad-CAM out.
    min_overlap_s : float > 0, default=0.3
        Seconds of calls that a segment must hold to be an example.
    max_examples : int >= 2, default=1000
        Largest number of examples; if there are more, some are drawn. Each layer takes
        a forward and a backward pass for each example.
    n_bootstrap : int >= 1, default=1000
        Resamples of the recordings for the intervals.
    confidence : float in (0, 1), default=0.95
        Confidence level of the intervals.
    random_state : int, RandomState instance or None, default=None
        Seed for drawing examples and resamples.

    Returns
    -------
    report : DataFrame indexed by ``map``, ``axis``, ``measure``
        Maps are the names of layers, for SED networks "attention" and "steps" (the
        probability of the species in each step). Attention knows no species: its
        examples are segments, its boxes all calls of the examples in them. Axis is
        "both", or "time" or "frequency" alone, with the other one added up; attention
        has its own axis only. Measure is "pointing" or "energy". Columns: ``value``
        and ``control``, means over the examples in [0, 1]; ``gain``, their difference,
        with ``low`` and ``high``, its interval, NaN of fewer than five recordings;
        ``n_examples``. A map looks at the calls if `low` is above 0.

    Raises
    ------
    ImportError
        If captum is not installed.
    TypeError
        If there is no network of skbird, or boxes is no DataFrame.
    ValueError
        If boxes lacks columns, there are fewer than 2 examples, or a layer is not
        there.

    See Also
    --------
    GradCAMDisplay, AttentionDisplay : The maps of one segment as pictures.

    Notes
    -----
    Deep blocks have few cells in frequency, one for 32 mel bands where timm's networks
    end, and each of them hears nearly all bands: on synthetic recordings, a cell
    changed hardly more when the bands that it covers were removed than when others were
    (64 and 128 mel bands). Attention over frequency stays nearly even there and does
    not clearly beat its control, with 64, 128 or 256 bands. What the steps say of a
    species lies on its calls to some extent from 128 bands on, but not in each data
    set. Compare blocks by `gain`, and along time.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from skbird.inspection import explanation_report
    >>> from skbird.nn import SEDClassifier
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((8, 32, 64))
    >>> Y = pd.DataFrame(np.tile([[1, 0], [0, 1]], (4, 1)), columns=["owl", "frog"])
    >>> net = SEDClassifier(
    ...     "lcnet_035", attention="time", backbone_weights=None, max_epochs=1,
    ...     verbose=0
    ... ).fit(X, Y)
    >>> boxes = pd.DataFrame(
    ...     {
    ...         "path": [f"row {row}" for row in range(8)],
    ...         "species": ["owl", "frog"] * 4,
    ...         **{"start": 0.1, "end": 0.6, "low_hz": 5, "high_hz": 9},
    ...     }
    ... )
    >>> report = explanation_report(net, X, boxes, layers=[])
    >>> report.index.tolist()[:2]
    [('attention', 'time', 'pointing'), ('attention', 'time', 'energy')]
    """
    check_params(
        "explanation_report",
        _CONSTRAINTS,
        min_overlap_s=min_overlap_s,
        n_bootstrap=n_bootstrap,
        confidence=confidence,
        random_state=random_state,
    )
    rng = check_random_state(random_state)
    scores = example_scores(
        estimator, X, boxes, layers, min_overlap_s, max_examples, rng
    )
    return summarize_scores(scores, n_bootstrap, confidence, rng)


def example_scores(estimator, X, boxes, layers, min_overlap_s, max_examples, rng):
    """Score each map of each example, and its control.

    Parameters
    ----------
    estimator, X, boxes, layers, min_overlap_s, max_examples
        See :func:`explanation_report`.
    rng : numpy.random.RandomState
        Draws examples.

    Returns
    -------
    DataFrame
        Columns ``map``, ``axis``, ``measure``, ``path``, ``value``, ``control``.
    """
    steps, net = split_network(estimator)
    from skbird.nn import spectrograms_for

    boxes = check_boxes(boxes)
    X = spectrograms_for(net, transform(steps, X))
    segment, column = find_examples(X, boxes, net.species_, min_overlap_s)
    if not isinstance(max_examples, Integral) or max_examples < 2:
        raise ValueError(f"max_examples={max_examples!r} must be a whole number >= 2.")
    if len(segment) > max_examples:
        kept = np.sort(rng.choice(len(segment), max_examples, replace=False))
        segment, column = segment[kept], column[kept]
    region = example_regions(X, boxes, net.species_, segment, column)
    paths = X.paths[X.segment_rows[segment]]
    if isinstance(layers, str):
        layers = block_names(net) if layers == "all" else [layers]
    tables = []
    for name in layers:
        maps = grad_cam(net, X, segment, column, name)
        for axis, summed in _SUMMED.items():
            of_axis = maps if summed is None else maps.sum(axis=summed)
            tables += _score(name, axis, of_axis, region, paths)
    if hasattr(net, "activations"):
        tables += _score_steps(net, X, segment, column, region, paths)
    return pd.concat(tables, ignore_index=True)


def summarize_scores(scores, n_bootstrap, confidence, rng):
    """Summarise what `example_scores` returned; see :func:`explanation_report`."""
    files = pd.Series(pd.factorize(scores["path"])[0], index=scores.index)
    n_files = files.max() + 1
    # The same resamples for all maps. Recordings are drawn, not examples: those of
    # one recording are alike.
    counts = resample_counts(n_files, n_bootstrap, rng)
    report = {}
    for key, table in scores.groupby(["map", "axis", "measure"], sort=False):
        gain = table["value"] - table["control"]
        of_file = files[table.index]
        total = np.bincount(of_file, gain, n_files) @ counts
        replicates = total / (np.bincount(of_file, minlength=n_files) @ counts)
        low, high = percentile_interval(replicates[1:], confidence, n_files)
        report[key] = {
            "value": table["value"].mean(),
            "control": table["control"].mean(),
            "gain": gain.mean(),
            "low": low,
            "high": high,
            "n_examples": len(table),
        }
    index = pd.MultiIndex.from_tuples(report, names=["map", "axis", "measure"])
    return pd.DataFrame(list(report.values()), index=index)


def _score_steps(net, X, segment, column, region, paths):
    """Score what the steps of a SED network say; see `_score`."""
    from skbird.nn import map_segments

    axis = net.attention
    with evaluating(net.module_):
        step_logits, attention = map_segments(net, X, net.module_.step_maps)
    steps = expit(step_logits[segment, column])
    # Attention is the same for all species: once for each segment, with all calls.
    segment, first = np.unique(segment, return_index=True)
    calls = np.logical_or.reduceat(region, first)
    return [
        *_score("attention", axis, attention[segment], calls, paths[first]),
        *_score("steps", axis, steps, region, paths),
    ]


def _score(name, axis, maps, region, paths):
    """Return a table for each measure, with a line per example.

    `maps` have a resolution of their own, and no other axis than `axis`.
    """
    summed = _SUMMED[axis]
    region = (region if summed is None else region.any(axis=summed)).astype(np.float32)
    shape = region.shape[1:]
    shares = {
        "pointing": place_peaks(maps, shape),
        "energy": energy_share(resize(maps, shape)),
    }
    tables = []
    for measure, share in shares.items():
        key = {"map": name, "axis": axis, "measure": measure, "path": paths}
        value, control = share_inside(share, region), others_inside(share, region)
        tables.append(pd.DataFrame({**key, "value": value, "control": control}))
    return tables
