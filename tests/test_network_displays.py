import pickle
import subprocess
import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch
from conftest import livened
from sklearn.frozen import FrozenEstimator
from sklearn.pipeline import make_pipeline
from torch import nn

from skbird.data import Spectrograms, segment_table
from skbird.datasets._synthetic_scenes import synthesize_soundscape
from skbird.inspection._attention import AttentionDisplay
from skbird.inspection._axes import draw_spectrogram
from skbird.inspection._explanation_report import explanation_report
from skbird.inspection._filter_trace import trace
from skbird.inspection._grad_cam import block_names, grad_cam, resize
from skbird.inspection._grad_cam_display import GradCAMDisplay
from skbird.inspection._localization import (
    boxes_to_region,
    energy_inside,
    energy_share,
    others_inside,
    place_peaks,
    pointing_game,
    share_inside,
)
from skbird.inspection._prediction import PredictionDisplay, choose_species
from skbird.inspection._spectrogram import SpectrogramDisplay, stack_lanes
from skbird.nn import CNNClassifier, SEDClassifier
from skbird.preprocessing import LogMel, RMSFilter, Segmenter
from skbird.preprocessing._vad import VADOp

FRAME_S = 0.05
TINY = {"backbone_weights": None, "verbose": 0, "random_state": 0, "max_epochs": 1}


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


def labels(texts):
    return [text.get_text() for text in texts]


class Halves(nn.Module):
    """Species 0 is what is bright in the lower half, species 1 in the upper half."""

    def __init__(self, n_species=2, **ignored):
        super().__init__()
        self.backbone = nn.Module()
        self.backbone.blocks = nn.Sequential(nn.AvgPool2d(2), Split())
        self.weights = nn.Parameter(torch.ones(n_species))

    def forward(self, x):
        return self.backbone.blocks(x).mean(dim=(2, 3)) * self.weights


class Split(nn.Module):
    def forward(self, x):
        lower = torch.linspace(0, 1, x.shape[2], device=x.device)[:, None] < 0.5
        return torch.cat([x * lower, x * ~lower], dim=1)


@pytest.fixture(scope="module")
def patches():
    """Eight segments in which both species call, each at a moment of its own.

    Returns spectrograms, Y and the boxes of the calls, 8 bands by 0.4 s.
    """
    X = np.zeros((8, 32, 64))
    boxes = []
    for row in range(8):
        for species, band in (("low", 4), ("high", 20)):
            first = 7 * row if species == "low" else 49 - 7 * row
            X[row, band : band + 8, first : first + 8] = 1
            start, end = FRAME_S * (first - 0.5), FRAME_S * (first + 7.5)
            # One box reaches from centre to centre of the outermost bands.
            box = (f"row {row}", species, start, end, band + 0.1, band + 6.9)
            boxes.append(box)
    columns = ["path", "species", "start", "end", "low_hz", "high_hz"]
    Y = pd.DataFrame(np.ones((8, 2)), columns=["low", "high"])
    return (
        Spectrograms.from_arrays(X, frame_s=FRAME_S),
        Y,
        pd.DataFrame(boxes, columns=columns),
    )


@pytest.fixture(scope="module")
def halves(patches):
    X, Y, _ = patches
    net = CNNClassifier(module=Halves, lr=1e-9, weight_decay=0.0, **TINY)
    return net.fit(X, Y)


@pytest.fixture(scope="module")
def sed(patches):
    X, Y, _ = patches
    return {
        axis: livened([SEDClassifier("lcnet_035", axis, **TINY).fit(X, Y)])[-1]
        for axis in ("time", "frequency")
    }


# Spectrograms -----------------------------------------------------------------------


def test_ticks_are_at_round_kilohertz():
    mel_hz = np.geomspace(100, 10_000, 81)
    _, axis = plt.subplots()
    image = draw_spectrogram(axis, np.zeros((81, 10)), mel_hz, 0.5, 20.0)
    ticks = dict(zip(labels(axis.get_yticklabels()), axis.get_yticks(), strict=True))
    assert list(ticks) == ["0.125", "0.25", "0.5", "1", "2", "4", "8"]
    assert ticks["1"] == pytest.approx(40)  # the middle of two decades
    assert image.get_extent() == [19.75, 24.75, -0.5, 80.5]
    assert axis.get_ylabel() == "frequency (kHz)"


def test_features_without_hertz_are_bands():
    _, axis = plt.subplots()
    draw_spectrogram(axis, np.zeros((20, 10)), range(20), 0.1)
    assert axis.get_ylabel() == "band"


def test_empty_bands_do_not_flatten_the_colours():
    noise = np.random.default_rng(0).normal(-20, 3, (40, 50))
    resampled = np.concatenate([noise, np.full((10, 50), -100.0)])
    limits = []
    for decibel in (noise, resampled):
        image = draw_spectrogram(plt.subplots()[1], decibel, range(len(decibel)), 0.1)
        limits.append(image.get_clim())
    assert limits[0] == limits[1]


def test_the_row_is_drawn_as_training_sees_it(write_wav):
    rng = np.random.default_rng(0)
    level = np.repeat([0.3, 0.001, 0.1, 0.3], 16_000 * 5)
    path = write_wav("a.wav", level * rng.standard_normal(len(level)))
    rows = pd.DataFrame({"path": [path] * 2, "start": [0.0, 5.0], "end": [5.0, 20.0]})
    front_end = make_pipeline(
        Segmenter(5.0, overlap=0.5), RMSFilter(mode="drop"), LogMel(32)
    )
    display = SpectrogramDisplay.from_estimator(front_end, rows, row=1)
    spectrogram, segments, rms = display.axes_
    expected = front_end.fit_transform(rows)[[1]].segment_weights
    np.testing.assert_array_equal(display.segment_weights, expected)
    assert labels(segments.texts) == [f"{weight:.2f}" for weight in expected]
    assert 0 in expected
    hatched = [patch.get_hatch() is not None for patch in segments.patches]
    assert hatched == (expected == 0).tolist()
    starts = [patch.get_x() for patch in segments.patches]
    np.testing.assert_allclose(starts, 5 + np.arange(0, 12.5, 2.5), atol=0.05)
    assert spectrogram.get_xlim()[0] == pytest.approx(5, abs=0.1)
    assert rms.get_ylabel() == "level (dBFS)"
    assert rms.lines[0].get_ydata()[50] == pytest.approx(-60, abs=5)
    limit = rms.lines[1].get_ydata()[0]
    dropped = display.traces[0].levels < limit
    np.testing.assert_array_equal(dropped, expected == 0)
    assert display.axes_[-1].get_xlabel() == "time (s)"
    display.figure_.canvas.draw()


def test_the_threshold_of_speech_is_that_of_the_collection():
    op = VADOp((("CSA", 0.3), ("default", 0.5)), 0.2, "weight", False)
    values = np.r_[np.full(100, 0.4), np.zeros(100)]
    for collection, limit, weight in (("CSA", 0.3, 0.5), ("XC", 0.5, 1.0)):
        one = trace(op, values, np.zeros(1), 6.4, {"collection": collection})
        assert one.limit == limit
        assert one.name == "P(speech)"
        np.testing.assert_allclose(one.weights, weight)


def test_segments_that_overlap_lie_in_lanes_of_their_own():
    assert stack_lanes([0, 2.5, 5, 7.5, 8], 5) == [0, 1, 0, 1, 2]
    assert stack_lanes([0, 4.99, 10], 5) == [0, 0, 0]


def test_rows_that_cannot_be_drawn_say_why(write_wav, tmp_path):
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"no audio")
    paths = [write_wav("a.wav", np.zeros(16_000)), str(broken)]
    logmel = LogMel(16, on_error="skip")
    with (
        pytest.warns(UserWarning, match="cannot be used"),
        pytest.raises(ValueError, match=r"broken\.wav could not be read"),
    ):
        SpectrogramDisplay.from_estimator(logmel, paths, row=1)
    with pytest.raises(ValueError, match="row=2 must be a whole number from 0 to 1"):
        SpectrogramDisplay.from_estimator(logmel, paths, row=2)
    with pytest.raises(TypeError, match="has no LogMel"):
        SpectrogramDisplay.from_estimator(RMSFilter(), paths)


# Predictions ------------------------------------------------------------------------


@pytest.fixture
def night(write_wav):
    rng = np.random.default_rng(0)
    path = write_wav("night.wav", 0.1 * rng.standard_normal(16_000 * 20))
    return segment_table([path])


PROBA = np.array(
    [[0.1, 0.7, 0.2], [0.9, 0.3, 0.1], [np.nan] * 3, [0.0, 0.1, 0.3]], dtype=float
)


def test_species_over_time_and_their_truth(night):
    Y = pd.DataFrame(
        [[0, 1, 0], [1, np.nan, 0], [0, 0, 1], [0, 0, 0]],
        columns=["owl", "frog", "bat"],
    )
    display = PredictionDisplay.from_predictions(night, PROBA, Y, top_species=2)
    spectrogram, predicted, truth = display.axes_
    assert spectrogram.get_title() == "night.wav"
    for axis in (predicted, truth):
        # The bat is true somewhere: a miss must be seen.
        assert labels(axis.get_yticklabels()) == ["owl", "frog", "bat"]
        assert len(axis.collections) == 4
    drawn = np.column_stack([mesh.get_array() for mesh in predicted.collections]).T
    np.testing.assert_array_equal(np.ma.filled(drawn, np.nan), PROBA)
    drawn = np.column_stack([mesh.get_array() for mesh in truth.collections]).T
    np.testing.assert_array_equal(np.ma.filled(drawn, np.nan), Y)
    left = [mesh.get_coordinates()[0, 0, 0] for mesh in truth.collections]
    assert left == [0, 5, 10, 15]
    assert display.axes_[-1].get_xlim() == (0, 20)
    display.figure_.canvas.draw()


def test_the_likeliest_species_come_first():
    assert choose_species(PROBA[:, ::-1], None, 2).tolist() == [2, 1]
    truth = np.array([[np.nan, 0.2, 1.0]])
    assert choose_species(PROBA, truth, 1).tolist() == [0, 2]


def test_any_classifier_of_rows_is_drawn(night):
    class Listener:
        species_ = ("owl", "frog")
        classes_ = (np.array([0, 1]), np.array([0]))

        def predict_proba(self, rows):
            p = rows["start"].to_numpy() / 20
            return [np.column_stack([1 - p, p]), np.ones((len(rows), 1))]

    display = PredictionDisplay.from_estimator(Listener(), night[1:], top_species=1)
    (_, predicted) = display.axes_
    assert labels(predicted.get_yticklabels()) == ["owl"]
    drawn = [mesh.get_array().item() for mesh in predicted.collections]
    assert drawn == [0.25, 0.5, 0.75]
    assert display.spectrograms[0][0] == 5.0
    assert display.spectrograms[0][1].shape[1] == pytest.approx(15 / 0.032, abs=2)


def test_a_pipeline_shows_its_own_spectrogram(night, sed):
    front_end = [Segmenter(1.024, overlap=0.0), LogMel(32, hop_length=256)]
    X = make_pipeline(*front_end).fit_transform(night)
    net = CNNClassifier("lcnet_035", **TINY).fit(X, np.eye(4)[:, :2])
    pipe = FrozenEstimator(make_pipeline(*front_end, net))
    display = PredictionDisplay.from_estimator(pipe, night)
    assert display.frame_s == 0.016
    assert len(display.mel_hz) == 32
    assert labels(display.axes_[1].get_yticklabels()) == [
        str(net.species_[column]) for column in display.shown_
    ]


def test_predictions_of_one_recording_only(night):
    two = pd.concat([night, night.assign(path="other.wav")])
    with pytest.raises(ValueError, match="X has rows of 2 recordings"):
        PredictionDisplay.from_predictions(two, np.zeros((8, 2)))
    with pytest.raises(ValueError, match="proba has shape"):
        PredictionDisplay.from_predictions(night, np.zeros((3, 2)))
    with pytest.raises(ValueError, match="Y has shape"):
        PredictionDisplay.from_predictions(night, PROBA, np.zeros((4, 2)))


# Attention --------------------------------------------------------------------------


def test_attention_over_time_is_drawn_in_seconds(sed, patches):
    net, X = sed["time"], patches[0]
    display = AttentionDisplay.from_estimator(net, X, row=2, species="high")
    activations = net.activations(X[[2]])[0]
    np.testing.assert_array_equal(display.attention, activations.attention[0])
    np.testing.assert_array_equal(display.probability, activations.probability[0, :, 1])
    attention, probability = display.axes_[2].patches
    values, edges, _ = attention.get_data()
    np.testing.assert_allclose(values, display.attention / display.attention.max())
    np.testing.assert_allclose(edges[[0, -1]], [-0.025, 3.175], atol=1e-6)
    assert probability.get_label() == "P(high)"
    shade = display.axes_[1].images[1].get_array()[..., 3]
    assert shade.shape == (1, len(values))
    assert shade[0].argmin() == display.attention.argmax()
    assert display.axes_[2].get_xlabel() == "time (s)"
    assert display.figure_.get_suptitle().startswith("row 2: high, probability 0.")
    display.figure_.canvas.draw()


def test_attention_over_frequency_shares_the_ordinate(sed, patches):
    display = AttentionDisplay.from_estimator(sed["frequency"], patches[0], species=0)
    curve = display.axes_[2].patches[0]
    _, edges, _ = curve.get_data()
    np.testing.assert_allclose(edges[[0, -1]], [-0.5, 31.5])
    assert curve.orientation == "horizontal"
    assert display.axes_[2].get_ylim() == display.axes_[0].get_ylim()
    assert display.axes_[1].images[1].get_array().shape[1] == 1
    display.figure_.canvas.draw()


def test_attention_needs_a_network_that_has_it(halves, patches):
    X = patches[0]
    with pytest.raises(TypeError, match="CNNClassifier has no attention"):
        AttentionDisplay.from_estimator(halves, X)
    with pytest.raises(TypeError, match="ends with LogMel"):
        AttentionDisplay.from_estimator(make_pipeline(LogMel()), X)
    with pytest.raises(ValueError, match="species='wren' is not among the 2"):
        GradCAMDisplay.from_estimator(halves, X, species="wren")
    with pytest.raises(ValueError, match="segment=1 must lie from 0 to 0"):
        GradCAMDisplay.from_estimator(halves, X, segment=1)


def test_the_segment_in_which_the_species_is_likeliest(halves):
    X = np.zeros((1, 32, 192))
    X[0, 4:12, 140:150] = 1
    long = Spectrograms.from_arrays(X, frame_s=FRAME_S)
    one = Spectrograms.from_arrays(X[:, :, :64], frame_s=FRAME_S).format
    long = Spectrograms(long.rows.assign(start=7.0), long.entries, [192], one)
    display = GradCAMDisplay.from_estimator(halves, long, species="low")
    assert display.start_s == pytest.approx(7 + FRAME_S * 126)
    at_first = GradCAMDisplay.from_estimator(halves, long, species="low", segment=0)
    assert at_first.start_s == 7.0
    assert at_first.axes_[1].get_title(loc="left") == "blocks.1 (no evidence)"


# Grad-CAM ---------------------------------------------------------------------------


@pytest.mark.slow
def test_the_map_lies_where_the_evidence_of_the_species_is(halves, patches):
    X, _, boxes = patches
    for box in boxes.itertuples():
        row = int(box.path.split()[1])
        display = GradCAMDisplay.from_estimator(halves, X, row=row, species=box.species)
        (name, cam), *others = display.maps.items()
        assert (name, others) == ("blocks.1", [])
        assert cam.shape == (32, 64)
        region = boxes_to_region(
            [[box.start, box.end, box.low_hz, box.high_hz]],
            FRAME_S * np.arange(64),
            X.format.mel_hz,
        )
        assert energy_inside(cam[None], region[None]) > 0.7
        assert pointing_game(cam[None], region[None]) == pytest.approx(1)


@pytest.mark.slow
def test_all_blocks_have_a_panel(sed, patches):
    display = GradCAMDisplay.from_estimator(sed["time"], patches[0], blocks="all")
    names = [f"blocks.{number}" for number in range(6)]
    assert list(display.maps) == names
    titles = [axis.get_title(loc="left") for axis in display.axes_]
    assert [title.split(" ")[0] for title in titles] == ["spectrogram", *names]
    assert len(display.figure_.axes) == 7 + 1  # and the colour bar
    # Seconds stand below the lowest panel of each column, full row or not.
    assert [axis.get_xlabel() != "" for axis in display.axes_] == 3 * [False] + 4 * [
        True
    ]
    display.figure_.canvas.draw()
    some = GradCAMDisplay.from_estimator(sed["time"], patches[0], blocks=(0, 5))
    assert list(some.maps) == ["blocks.0", "blocks.5"]
    np.testing.assert_array_equal(some.maps["blocks.5"], display.maps["blocks.5"])


def test_given_axes_are_used(sed, patches):
    _, axes = plt.subplots(1, 2)
    display = GradCAMDisplay.from_estimator(
        sed["time"], patches[0], layer="blocks.2.1.conv_pw", axes=axes
    )
    assert display.figure_ is axes[0].figure
    assert axes[1].get_title(loc="left").startswith("blocks.2.1.conv_pw")
    with pytest.raises(ValueError, match="axes has 1 axis, but 2 are needed"):
        display.plot(axes=axes[:1])


@pytest.mark.parametrize("axis", ["time", "frequency"])
def test_grad_cam_by_hand(sed, patches, axis):
    net, X = sed[axis], patches[0]
    segments, species = [3, 0, 5], [1, 0, 1]
    kept = {}
    module = net.module_.eval()
    layer = module.backbone.blocks[3]
    hook = layer.register_forward_hook(lambda _, __, out: kept.update(out=out))
    inputs = torch.from_numpy(X.to_numpy(segments))[:, None].to(net.device)
    logits = module(inputs)
    logit = logits[range(3), species].sum()
    (gradient,) = torch.autograd.grad(logit, kept["out"])
    hook.remove()
    channels = gradient.mean(dim=(2, 3), keepdim=True) * kept["out"]
    expected = channels.sum(dim=1).relu().detach().cpu().numpy()
    assert np.abs(expected[0] - expected[2]).max() > 0.1 * expected.max()
    close = {"rtol": 1e-3, "atol": 1e-4 * expected.max()}
    maps = grad_cam(net, X, segments, species, "blocks.3")
    np.testing.assert_allclose(maps, expected, **close)
    by_one = pickle.loads(pickle.dumps(net)).set_params(batch_size=1)
    in_batches = grad_cam(by_one, X, segments, species, "backbone.blocks.3")
    np.testing.assert_allclose(in_batches, maps, **close)


def test_the_network_stays_as_it_is(sed, patches):
    net, X = sed["time"], patches[0]
    net.module_.train()
    first = next(net.module_.parameters())
    first.requires_grad_(False)
    for value in net.module_.parameters():
        value.grad = None
    before = {name: value.clone() for name, value in net.module_.state_dict().items()}
    GradCAMDisplay.from_estimator(net, X, blocks="all")
    AttentionDisplay.from_estimator(net, X)
    for part in net.module_.modules():
        assert part.training
        assert not part._forward_hooks
        assert not part._backward_hooks
        assert not part._forward_pre_hooks
    learnable = [value.requires_grad for value in net.module_.parameters()]
    assert learnable == [False] + [True] * (len(learnable) - 1)
    assert all(value.grad is None for value in net.module_.parameters())
    for name, value in net.module_.state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=0)
    first.requires_grad_(True)


def test_frozen_and_pickled_networks_are_explained_too(sed, patches):
    net, X = sed["time"], patches[0]
    expected = grad_cam(net, X, [0], [0], "blocks.0")
    loaded = pickle.loads(pickle.dumps(net))
    np.testing.assert_array_equal(grad_cam(loaded, X, [0], [0], "blocks.0"), expected)
    loaded.module_.requires_grad_(False)
    np.testing.assert_array_equal(grad_cam(loaded, X, [0], [0], "blocks.0"), expected)


def test_pipelines_are_explained_from_their_files(birds):
    X, Y = birds
    front_end = [Segmenter(1.0), LogMel(32, low_hz=100)]
    net = CNNClassifier("lcnet_035", **TINY)
    pipe = make_pipeline(*front_end, net).fit(X, Y)
    display = GradCAMDisplay.from_estimator(pipe, X["path"].tolist(), row=3)
    assert display.title.startswith("bird3.wav: ")
    assert labels(display.axes_[0].get_yticklabels())[-1] == "4"
    assert display.decibel.shape[0] == 32


def test_layers_are_named_or_refused(sed, halves, patches):
    net, X = sed["time"], patches[0]
    resnet = CNNClassifier("test_resnet", **TINY).fit(X, patches[1])
    assert block_names(resnet)[-1] == "layer4"
    assert grad_cam(resnet, X, [0], [0], "layer2").shape[0] == 1
    for options, message in (
        ({"layer": "blocks.1", "blocks": "all"}, "exclude each other"),
        ({"layer": "block.1"}, r"layer='block.1' is not a layer.*'blocks.1'"),
        ({"blocks": (0, 6)}, "must be 'all' or numbers from 0 to 5"),
        ({"blocks": "every"}, "must be 'all' or numbers from 0 to 5"),
    ):
        with pytest.raises(ValueError, match=message):
            GradCAMDisplay.from_estimator(net, X, **options)
    with pytest.raises(ValueError, match="not a map"):
        GradCAMDisplay.from_estimator(resnet, X, layer="classifier")


def test_a_missing_captum_names_its_remedy(halves, patches, monkeypatch):
    monkeypatch.setitem(sys.modules, "captum.attr", None)
    with pytest.raises(ImportError, match=r"pip install .*\[explain\]'"):
        GradCAMDisplay.from_estimator(halves, patches[0])


def test_resized_maps_keep_places_and_levels():
    maps = np.array([[[0.0, 0, 0, 4]], [[2, 2, 2, 2]]])
    large = resize(maps, (3, 16))
    assert large.shape == (2, 3, 16)
    np.testing.assert_allclose(large[1], 2)
    assert (large[0].argmax(axis=1) >= 13).all()
    assert (large[0, :, :10] == 0).all()
    # Linear between the centres of cells, level beyond the outermost.
    halves = resize(np.array([[0.0, 1.0]]), (8,))[0]
    np.testing.assert_allclose(halves, [0, 0, 0.125, 0.375, 0.625, 0.875, 1, 1])


# The measure ------------------------------------------------------------------------


def test_energy_and_peak_inside_by_hand():
    maps = np.array([[[4, 0], [1, 3]], [[2, 2], [0, 0]], [[0, 0], [0, 0]]])
    region = np.array([[[0, 1], [0, 1]], [[1, 0], [0, 0]], [[1, 0], [0, 0]]], bool)
    np.testing.assert_allclose(energy_inside(maps, region), [3 / 8, 1 / 2, 1 / 4])
    np.testing.assert_allclose(pointing_game(maps, region), [0, 1 / 2, 1 / 4])


def test_the_control_is_the_mean_over_all_pairs():
    rng = np.random.default_rng(0)
    share = energy_share(rng.random((6, 3, 4)).astype(np.float32))
    region = (rng.random((6, 3, 4)) < 0.3).astype(np.float32)
    expected = [
        np.mean([(share[j] * region[i]).sum() for j in range(6) if j != i])
        for i in range(6)
    ]
    np.testing.assert_allclose(others_inside(share, region), expected, rtol=1e-5)
    own = [(share[i] * region[i]).sum() for i in range(6)]
    np.testing.assert_allclose(share_inside(share, region), own, rtol=1e-5)


def test_peaks_lie_in_the_middle_of_their_cells():
    maps = np.array([[[0, 0], [0, 5]], [[3, 0], [0, 3]]], np.float32)
    first, second = place_peaks(maps, (8, 20))
    assert np.argwhere(first).tolist() == [[6, 15]]
    assert first.max() == 1
    assert np.argwhere(second).tolist() == [[2, 5], [6, 15]]
    assert second.max() == 0.5
    fine = np.random.default_rng(0).random((2, 8, 20))
    assert place_peaks(fine, (8, 20))[1].argmax() == fine[1].argmax()


def test_boxes_mark_bands_and_frames():
    mel_hz = [100, 200, 400, 800]
    times = np.arange(10) * 0.1
    region = boxes_to_region([[0.2, 0.45, 380, 500]], times, mel_hz)
    assert np.flatnonzero(region.any(axis=1)).tolist() == [2]
    assert np.flatnonzero(region.any(axis=0)).tolist() == [2, 3, 4]
    two = boxes_to_region(
        [[0.2, 0.45, 380, 500], [-1, 0.1, np.nan, np.nan]], times, mel_hz
    )
    assert two[:, 0].all()
    assert two[2, 2]
    assert not two[0, 2]


@pytest.mark.parametrize(
    ("maps", "message"),
    [([[[1, -1]]], "below 0"), ([[[1, np.nan]]], "NaN"), ([[1, 1]], "the same")],
)
def test_maps_are_checked(maps, message):
    with pytest.raises(ValueError, match=message):
        energy_inside(maps, [[[True, False]]])


def test_a_network_that_looks_at_the_calls_is_told_from_one_that_does_not(
    halves, patches
):
    X, _, boxes = patches
    report = explanation_report(halves, X, boxes)
    assert (report["n_examples"] == 16).all()
    looking = report.loc["blocks.1"]
    assert (looking["low"] > 0.2).all()
    assert looking.loc[("both", "pointing"), "value"] == pytest.approx(1)
    assert looking.loc[("both", "energy"), "value"] > 0.7
    # The first block is the input: it cannot tell which of the calls is whose.
    assert report.loc[("blocks.0", "both", "energy"), "value"] < 0.55
    blind = boxes.assign(path=np.roll(boxes["path"], 6))
    report = explanation_report(halves, X, blind).loc["blocks.1"]
    assert (report.xs("time")["gain"] < 0.1).all()


def test_gain_is_value_less_control_over_recordings(halves, patches):
    X, _, boxes = patches
    options = {"random_state": 0}
    report = explanation_report(halves, X, boxes, layers="blocks.1", **options)
    np.testing.assert_allclose(report["gain"], report["value"] - report["control"])
    assert (report["low"] <= report["gain"] + 1e-6).all()
    assert (report["gain"] <= report["high"] + 1e-6).all()
    again = explanation_report(halves, X, boxes, layers=["blocks.1"], **options)
    pd.testing.assert_frame_equal(again, report)
    few = explanation_report(halves, X, boxes, layers=["blocks.1"], max_examples=5)
    assert (few["n_examples"] == 5).all()


def test_attention_is_judged_along_its_own_axis(sed, patches):
    X, _, boxes = patches
    for axis in ("time", "frequency"):
        report = explanation_report(sed[axis], X, boxes, layers=())
        assert report.index.tolist() == [
            (name, axis, measure)
            for name in ("attention", "steps")
            for measure in ("pointing", "energy")
        ]
        # Attention knows no species: once per segment, with the calls of both.
        assert report.loc["attention", "n_examples"].tolist() == [8, 8]
        assert report.loc["steps", "n_examples"].tolist() == [16, 16]
        # Hardly trained steps are nearly even: they hold what their region shares.
        share = {"time": 15 / 64, "frequency": 16 / 32}[axis]
        energy = report.loc[("attention", axis, "energy"), "value"]
        assert energy == pytest.approx(share, rel=0.2)


def test_boxes_count_from_the_start_of_the_recording(halves, patches):
    X, _, boxes = patches
    later = Spectrograms(X.rows.assign(start=30.0), X.entries, X.n_frames, X.format)
    shifted = boxes.assign(start=boxes["start"] + 30, end=boxes["end"] + 30)
    pd.testing.assert_frame_equal(
        explanation_report(halves, later, shifted, random_state=0),
        explanation_report(halves, X, boxes, random_state=0),
    )
    with pytest.raises(ValueError, match="in 0 segments of X"):
        explanation_report(halves, later, boxes)


def test_boxes_are_checked(halves, patches):
    X, _, boxes = patches
    with pytest.raises(TypeError, match="boxes must be a DataFrame"):
        explanation_report(halves, X, None)
    with pytest.raises(ValueError, match=r"no columns \['end'\]"):
        explanation_report(halves, X, boxes.drop(columns="end"))
    unknown = explanation_report(halves, X, boxes.drop(columns=["low_hz", "high_hz"]))
    assert len(unknown)
    with pytest.raises(ValueError, match="max_examples=1"):
        explanation_report(halves, X, boxes, max_examples=1, min_overlap_s=0.05)
    strangers = boxes.assign(species="wren")
    with pytest.raises(ValueError, match="2 are needed"):
        explanation_report(halves, X, strangers)


# The truth --------------------------------------------------------------------------


def test_calls_of_a_soundscape_are_where_its_rows_say():
    rng = np.random.default_rng(1)
    audio, present, calls = synthesize_soundscape([2, 0], "S01", 60.0, rng)
    rebuilt = np.zeros_like(present)
    starts = np.arange(0, 60, 5.0)
    for species, start, end, low_hz, high_hz in calls:
        assert 0 <= start < end <= 60
        shared = np.minimum(starts + 5, end) - np.maximum(starts, start)
        rebuilt[:, [2, 0].index(species)] |= shared >= 0.3
        if species == 2:  # a cricket, in a band that is otherwise quiet
            assert 6000 < low_hz < high_hz < 8000
            part = audio[int(32_000 * start) : int(32_000 * end)]
            power = np.abs(np.fft.rfft(part)) ** 2
            hz = np.fft.rfftfreq(len(part), 1 / 32_000)
            assert low_hz - 50 < hz[hz > 5000][power[hz > 5000].argmax()] < high_hz + 50
    np.testing.assert_array_equal(rebuilt, present)


@pytest.mark.slow
def test_displays_are_imported_without_torch_and_matplotlib():
    code = """
import sys, skbird.inspection._grad_cam_display, skbird.inspection._attention
import skbird.inspection._spectrogram, skbird.inspection._explanation_report
print({"torch", "matplotlib", "captum"} & set(sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "set()\n", done.stderr
