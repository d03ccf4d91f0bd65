"""Properties that hold for all input: against slow references, and round trips."""

from dataclasses import dataclass
from itertools import permutations, product

import numpy as np
import pandas as pd
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from skbird.annotations import (
    proba_to_events,
    read_audacity,
    read_birdnet,
    read_boxes,
    read_raven,
    read_submission,
    write_audacity,
    write_birdnet,
    write_boxes,
    write_raven,
    write_submission,
)
from skbird.data import (
    SegmentGrid,
    SpectrogramFormat,
    Spectrograms,
    WeightOp,
    check_rows,
    row_weights,
    segment_means,
    segment_table,
)
from skbird.metrics import (
    lrap,
    macro_average_precision,
    macro_roc_auc,
    match_events,
    padded_cmap,
    threshold_curve,
)
from skbird.postprocessing import reweight

quick = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

seconds = st.floats(0.01, 600, allow_nan=False)
grids = st.builds(
    SegmentGrid,
    segment_s=st.floats(0.1, 60),
    overlap=st.floats(0, 0.95),
    pad=st.sampled_from(["cycle", "zero"]),
)
levels = st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0])  # with many ties


def matrices(elements, max_rows=7, max_columns=4):
    shapes = st.tuples(st.integers(1, max_rows), st.integers(1, max_columns))
    return shapes.flatmap(lambda shape: hnp.arrays(float, shape, elements=elements))


@st.composite
def judged(draw):
    """Truth, with unknown entries, and scores."""
    truth = draw(matrices(st.sampled_from([0.0, 1.0, 0.3, 0.5, np.nan])))
    return truth, draw(hnp.arrays(float, truth.shape, elements=levels))


# Segments ---------------------------------------------------------------------------


@pytest.mark.slow
@quick
@given(grids, seconds)
def test_segments_cover_a_row_from_its_start_to_its_end(grid, duration_s):
    starts = grid.starts(duration_s)
    tolerance_s = 0.01 * grid.segment_s + 1e-6
    assert starts[0] == 0
    assert (np.diff(starts) > 0).all()
    if duration_s > grid.segment_s + tolerance_s:
        assert abs(starts[-1] + grid.segment_s - duration_s) <= tolerance_s
        step_s = grid.segment_s * (1 - grid.overlap)
        assert (np.diff(starts) <= step_s + 1e-6).all()
    else:
        assert len(starts) == 1


@quick
@given(
    hnp.arrays(float, st.integers(1, 200), elements=st.floats(0, 10)),
    st.sampled_from([31.25, 100.0, 10.0]),
    grids,
)
def test_segment_means_are_means_of_slices(values, values_per_s, grid):
    starts = grid.starts(len(values) / values_per_s)
    found = segment_means(values, values_per_s, starts, grid.segment_s)
    for mean, start_s in zip(found, starts, strict=True):
        first = min(round(start_s * values_per_s), len(values) - 1)
        stop = int(np.round((start_s + grid.segment_s) * values_per_s))
        assert mean == pytest.approx(values[first : max(stop, first + 1)].mean())


@quick
@given(grids, st.integers(1, 500), st.floats(0.004, 0.1))
def test_segments_of_frames_lie_within_their_row(grid, n_frames, frame_s):
    format = SpectrogramFormat((100.0, 200.0), frame_s, grid)
    first = format.segment_frames(n_frames)
    assert first[0] == 0
    assert (first + format.frames_per_segment <= max(n_frames, first[0] + 1)).all() or (
        n_frames < format.frames_per_segment
    )


@quick
@given(st.lists(st.integers(1, 12), min_size=1, max_size=5), st.data())
def test_segments_of_chosen_rows_are_those_of_all(lengths, data):
    grid = SegmentGrid(0.3, 0.5)
    rng = np.random.default_rng(sum(lengths))
    entries = [rng.random((n, 2)).astype(np.float16) for n in lengths]
    rows = pd.DataFrame({"path": [f"{n}" for n in range(len(lengths))]})
    format = SpectrogramFormat((100.0, 200.0), 0.1, grid)
    whole = Spectrograms(rows, entries, lengths, format)
    chosen = data.draw(st.lists(st.integers(0, len(lengths) - 1), max_size=6))
    part = whole[np.array(chosen, dtype=int)]
    expected = [
        whole.to_numpy(np.flatnonzero(whole.segment_rows == row)) for row in chosen
    ]
    empty = np.empty((0, 2, format.frames_per_segment), np.float32)
    found = part.to_numpy() if chosen else empty
    np.testing.assert_array_equal(found, np.concatenate([*expected, empty]))


@pytest.mark.parametrize("n_samples", [1, 799, 800, 801, 8000, 12_345])
@pytest.mark.parametrize(("segment_s", "step_s"), [(0.7, 0.5), (1.0, 1.0), (0.3, 2.0)])
def test_rows_of_a_soundscape_reach_its_end(tmp_path, n_samples, segment_s, step_s):
    path, duration_s = tmp_path / "night.wav", n_samples / 800
    soundfile.write(path, np.zeros(n_samples), 800)
    table = segment_table([path], segment_s, step_s)
    n_rows = max(1, int(np.ceil(duration_s / step_s - 1e-9)))
    starts = step_s * np.arange(n_rows)
    np.testing.assert_allclose(table["start"], starts)
    ends = np.minimum(starts + segment_s, duration_s)
    np.testing.assert_allclose(table["end"], ends)


@dataclass(frozen=True)
class Judge(WeightOp):
    """Weighs segments by what was measured, and those below `lowest` by 0."""

    lowest: float
    values_per_s = 100.0

    def judge(self, values, starts, segment_s, row):
        quality = segment_means(values, self.values_per_s, starts, segment_s)
        return np.where(quality < self.lowest, 0, quality), quality


@quick
@given(
    st.lists(
        st.tuples(hnp.arrays(float, 20, elements=st.floats(0, 1)), st.floats(0, 1.2)),
        max_size=3,
    ),
    st.floats(0.02, 0.3),
)
def test_weights_are_products_and_never_empty_a_row(filters, segment_s):
    starts = SegmentGrid(segment_s, 0.5).starts(0.2)
    measured = [(Judge(lowest), values) for values, lowest in filters]
    found = row_weights(measured, starts, segment_s, {})
    assert found.shape == starts.shape
    assert ((found >= 0) & (found <= 1)).all()
    expected, quality = np.ones(len(starts), np.float32), np.ones(len(starts))
    for op, values in measured:
        weight, own = op.judge(values, starts, segment_s, {})
        expected, quality = (expected * weight).astype(np.float32), quality * own
    if not expected.any():
        expected[quality.argmax()] = 1
    np.testing.assert_allclose(found, expected, atol=1e-6)


# Metrics ----------------------------------------------------------------------------


def mean_of_known(values):
    values = [value for value in values if not np.isnan(value)]
    return np.mean(values) if values else np.nan


def known_pairs(truth, score):
    """Yield presence and scores of the known rows of each species."""
    for column in range(truth.shape[1]):
        known = ~np.isnan(truth[:, column])
        yield truth[known, column] >= 0.5, score[known, column]


@quick
@given(judged())
def test_roc_auc_counts_pairs(pair):
    truth, score = pair
    areas = []
    for present, s in known_pairs(truth, score):
        pairs = [(a > b) + (a == b) / 2 for a, b in product(s[present], s[~present])]
        areas.append(np.mean(pairs) if pairs else np.nan)
    found = macro_roc_auc(truth, score)
    assert found == pytest.approx(mean_of_known(areas), nan_ok=True)


def slow_average_precision(present, s):
    if not present.any():
        return np.nan
    total, recall = 0.0, 0.0
    for level in sorted(set(s), reverse=True):
        hits = present[s >= level]
        total += (hits.sum() / present.sum() - recall) * hits.mean()
        recall = hits.sum() / present.sum()
    return total


@quick
@given(judged())
def test_average_precision_sums_steps_of_recall(pair):
    truth, score = pair
    slow = [slow_average_precision(*p) for p in known_pairs(truth, score)]
    found = macro_average_precision(truth, score)
    assert found == pytest.approx(mean_of_known(slow), nan_ok=True)


@quick
@given(judged(), st.integers(1, 6))
def test_padded_cmap_is_average_precision_of_padded_rows(pair, padding):
    truth, score = pair
    slow = [
        slow_average_precision(
            np.append(present, [True] * padding), np.append(s, [1.0] * padding)
        )
        if len(s)
        else np.nan
        for present, s in known_pairs(truth, score)
    ]
    found = padded_cmap(truth, score, padding=padding)
    assert found == pytest.approx(mean_of_known(slow), nan_ok=True)


@quick
@given(judged())
def test_lrap_ranks_labels_within_rows(pair):
    truth, score = pair
    rows = []
    for known_truth, s in known_pairs(truth.T, score.T):
        shares = [
            (known_truth & (s >= own)).sum() / (s >= own).sum()
            for own in s[known_truth]
        ]
        rows += [np.mean(shares)] if shares else []
    expected = np.mean(rows) if rows else np.nan
    assert lrap(truth, score) == pytest.approx(expected, nan_ok=True)


@quick
@given(judged(), st.floats(0.25, 4))
def test_threshold_curve_counts_hits(pair, beta):
    truth, score = pair
    thresholds = [0.0, 0.25, 0.5, 0.95]
    curve = threshold_curve(truth, score, thresholds=thresholds, beta=beta)
    for species, (present, s) in enumerate(known_pairs(truth, score)):
        own = curve[curve["species"] == species].set_index("threshold")
        for threshold in thresholds:
            predicted = s >= threshold
            hits = (predicted & present).sum()
            for name, whole in (("precision", predicted), ("recall", present)):
                expected = hits / whole.sum() if whole.any() else np.nan
                found = own.loc[threshold, name]
                assert found == pytest.approx(expected, nan_ok=True)


@pytest.mark.slow
@quick
@given(judged(), st.randoms(use_true_random=False))
def test_metrics_do_not_depend_on_the_order_of_rows_nor_species(pair, random):
    truth, score = pair
    rows, species = (list(range(n)) for n in truth.shape)
    random.shuffle(rows), random.shuffle(species)
    shuffled = np.ix_(rows, species)
    for metric in (macro_roc_auc, macro_average_precision, padded_cmap, lrap):
        whole = metric(truth, score)
        assert metric(truth[shuffled], score[shuffled]) == pytest.approx(
            whole, nan_ok=True
        )


@st.composite
def event_tables(draw, max_size=4):
    n = draw(st.integers(0, max_size))
    start = [draw(st.integers(0, 8)) / 2 for _ in range(n)]
    length = [draw(st.integers(1, 6)) / 2 for _ in range(n)]
    return pd.DataFrame(
        {
            "path": pd.Series(
                [draw(st.sampled_from("ab")) for _ in range(n)], dtype=str
            ),
            "start": np.array(start, float),
            "end": np.add(start, length).astype(float),
            "species": pd.Series(["owl"] * n, dtype=str),
        }
    )


def slow_iou(one, other):
    shared = min(one.end, other.end) - max(one.start, other.start)
    if one.path != other.path or shared <= 0:
        return 0.0
    return shared / (one.end - one.start + other.end - other.start - shared)


def best_by_trial(true, predicted, min_iou):
    """Return the number of pairs and their IoU of the best of all pairings."""
    few, many = sorted([list(true.itertuples()), list(predicted.itertuples())], key=len)
    best = (0, 0.0)
    for order in permutations([*many, *[None] * len(few)], len(few)):
        ious = [
            slow_iou(a, b) for a, b in zip(few, order, strict=True) if b is not None
        ]
        ious = [iou for iou in ious if iou > 0 and iou >= min_iou - 1e-9]
        best = max(best, (len(ious), round(sum(ious), 9)))
    return best


@settings(quick, max_examples=40)
@given(event_tables(3), event_tables(3), st.sampled_from([0.0, 0.3, 0.5, 1.0]))
def test_events_are_paired_as_well_as_any_trial_finds(true, predicted, min_iou):
    pairs = match_events(true, predicted, min_iou=min_iou)
    assert not pairs["true"].duplicated().any()
    assert not pairs["predicted"].duplicated().any()
    for pair in pairs.itertuples():
        iou = slow_iou(true.iloc[pair.true], predicted.iloc[pair.predicted])
        assert pair.iou == pytest.approx(iou)
    n_pairs, total = best_by_trial(true, predicted, min_iou)
    assert (len(pairs), pairs["iou"].sum()) == (n_pairs, pytest.approx(total, abs=1e-6))


# Reweighting and events -------------------------------------------------------------


@quick
@given(
    matrices(st.one_of(levels, st.just(np.nan))),
    st.data(),
    st.sampled_from([None, 1, 2, 3]),
    st.floats(0, 3),
    st.floats(0, 1),
)
def test_reweighting_follows_its_formula(proba, data, top_rows, power, share):
    groups = [data.draw(st.integers(0, 2)) for _ in proba]
    found = reweight(
        proba, groups, top_rows=top_rows, level_power=power, level_share=share
    )
    for row, column in np.ndindex(proba.shape):
        q = proba[row, column]
        in_file = [
            p
            for p, g in zip(proba[:, column], groups, strict=True)
            if g == groups[row] and not np.isnan(p)
        ]
        level = np.mean(sorted(in_file, reverse=True)[:top_rows]) if in_file else np.nan
        expected = (1 - share) * q * level**power + share * level
        assert found[row, column] == pytest.approx(expected, nan_ok=True)


@pytest.mark.slow
@quick
@given(hnp.arrays(float, (8, 2), elements=st.one_of(levels, st.just(np.nan))), levels)
def test_events_are_runs_of_predicted_rows(proba, threshold):
    starts = np.arange(8.0)
    rows = pd.DataFrame({"path": "a.wav", "start": starts, "end": starts + 1})
    events = proba_to_events(proba, rows, threshold, species=["owl", "wren"])
    for species, column in zip(["owl", "wren"], proba.T, strict=True):
        heard = np.zeros(8, bool)
        for event in events[events["species"] == species].itertuples():
            inside = slice(int(event.start), int(event.end))
            assert not heard[max(0, inside.start - 1) : inside.stop + 1].any()
            heard[inside] = True
            assert event.score == column[inside].max()
        np.testing.assert_array_equal(heard, column >= threshold)


# Row tables and annotations ---------------------------------------------------------

names = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]),
    min_size=1,
    max_size=12,
).filter(lambda text: text.strip() == text and text.strip("'"))
labels = st.one_of(
    names,
    st.sampled_from(["Pica pica", "=SUM(A1)", "007", "1E1", "NA", "a,b", 'a "b"']),
)


@st.composite
def box_tables(draw):
    n = draw(st.integers(1, 4))
    start = [draw(st.integers(0, 5000)) / 100 for _ in range(n)]
    low = [draw(st.integers(0, 400)) * 10.0 for _ in range(n)]
    return pd.DataFrame(
        {
            "path": [draw(st.sampled_from(["a.wav", "b c.wav"])) for _ in range(n)],
            "start": start,
            "end": [s + draw(st.integers(1, 500)) / 100 for s in start],
            "low_hz": low,
            "high_hz": [f + draw(st.integers(1, 400)) * 10.0 for f in low],
            "species": [draw(labels) for _ in range(n)],
            "score": [draw(st.integers(0, 100)) / 100 for _ in range(n)],
        }
    )


COLUMNS = ["path", "start", "end", "low_hz", "high_hz", "species", "score"]


def assert_same_boxes(found, boxes, columns=COLUMNS):
    order = ["path", "start", "end", "species", "low_hz", "high_hz", "score"]
    by = [name for name in order if name in columns]
    found, boxes = (
        table[columns].sort_values(by, ignore_index=True) for table in (found, boxes)
    )
    pd.testing.assert_frame_equal(found, boxes, check_dtype=False, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["csv", "parquet"])
@quick
@given(boxes=box_tables())
def test_tables_of_boxes_come_back_as_they_were(tmp_path, ending, boxes):
    path = tmp_path / f"boxes.{ending}"
    write_boxes(boxes, path)
    assert_same_boxes(read_boxes(path), boxes)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["raven", "audacity"])
@quick
@given(boxes=box_tables())
def test_files_per_recording_come_back_as_they_were(tmp_path_factory, kind, boxes):
    write, read = {
        "raven": (write_raven, read_raven),
        "audacity": (write_audacity, read_audacity),
    }[kind]
    folder = tmp_path_factory.mktemp("boxes")
    write(boxes, folder)
    found = read(sorted(folder.iterdir()), recordings=["a.wav", "b c.wav"])
    columns = [name for name in COLUMNS if name in found]
    assert {"path", "start", "end", "species"} <= set(columns)
    assert_same_boxes(found, boxes, columns)


@pytest.mark.slow
@quick
@given(boxes=box_tables())
def test_birdnet_tables_come_back_as_they_were(tmp_path, boxes):
    path = tmp_path / "birdnet.csv"
    write_birdnet(boxes, path)
    columns = ["path", "start", "end", "species", "score"]
    assert_same_boxes(read_birdnet(path), boxes, columns)


@quick
@given(
    proba=hnp.arrays(float, (3, 2), elements=st.floats(0, 1)),
    species=st.lists(labels, min_size=2, max_size=2, unique=True),
)
def test_submissions_come_back_as_they_were(tmp_path, proba, species):
    rows = pd.DataFrame({"path": ["n1.ogg"] * 3, "end": [5.0, 10.0, 15.0]})
    path = tmp_path / "submission.csv"
    write_submission(proba, rows, path, species=species)
    found = read_submission(path, rows)
    assert list(found) == species
    np.testing.assert_allclose(found, proba, rtol=1e-6, atol=1e-9)


@pytest.mark.slow
@quick
@given(
    st.lists(
        st.tuples(
            # By default hypothesis tries to encode each character that there is.
            st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8),
            st.floats(0, 1e6),
            st.floats(1e-3, 1e6),
        ),
        min_size=1,
        max_size=5,
    )
)
def test_row_tables_stay_as_they_are(rows):
    table = pd.DataFrame(rows, columns=["path", "start", "length"])
    table["end"] = table["start"] + table["length"]
    once = check_rows(table.set_axis(range(7, 7 + len(table)), axis=0))
    pd.testing.assert_frame_equal(
        once[["path", "start", "end", "length"]],
        table[["path", "start", "end", "length"]],
        check_dtype=False,
    )
    pd.testing.assert_frame_equal(check_rows(once), once)
