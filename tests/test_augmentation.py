import numpy as np
import pandas as pd
import pytest
import torch

from skbird.data import Clip, Spectrograms
from skbird.nn import (
    BackgroundNoise,
    CNNClassifier,
    CutMix,
    FrequencyMask,
    FrequencyResponse,
    Gain,
    Mixup,
    RandomErasing,
    SpectrogramAugmentor,
    TimeMask,
    TimeShift,
)
from skbird.nn._augmentation import db_to_power, power_to_db
from skbird.preprocessing import LogMel

SINGLE = [
    TimeMask(p=1.0),
    FrequencyMask(p=1.0),
    RandomErasing(p=1.0),
    Gain(p=1.0),
    FrequencyResponse(p=1.0),
    BackgroundNoise(p=1.0),
    TimeShift(max_s=0.5, p=1.0),
]


class FakeNet:
    """What augmentation needs to know of a net."""

    def __init__(self, format):
        self.format_ = format


@pytest.fixture
def rows():
    """200 rows in dB, between -80 and -20, (40 mels, 60 frames)."""
    rng = np.random.default_rng(0)
    return Spectrograms.from_arrays(
        rng.uniform(-80, -20, (200, 40, 60)), normalize="minmax", top_db=80.0
    )


@pytest.fixture
def segments(rows):
    torch.manual_seed(0)
    batch = rows.segments(np.arange(200)).astype(np.float32)
    return torch.from_numpy(batch.transpose(0, 2, 1).copy())[:, None]


@pytest.mark.parametrize("step", SINGLE, ids=lambda s: type(s).__name__)
def test_each_changes_its_share_of_the_segments(step, segments, rows):
    def n_changed(p):
        step.p = p
        changed = step.apply(segments, rows.format)
        assert changed.shape == segments.shape
        assert torch.isfinite(changed).all()
        return (changed != segments).flatten(1).any(1).sum()

    before = segments.clone()
    assert n_changed(0.0) == 0
    assert 60 < n_changed(0.5) < 140
    assert n_changed(1.0) == 200
    assert torch.equal(segments, before)


@pytest.mark.parametrize("step", SINGLE, ids=lambda s: type(s).__name__)
def test_nothing_is_augmented_in_prediction(step, segments, rows):
    batch = [{"segments": segments}, None]
    step.p = 1.0
    step.on_batch_begin(FakeNet(rows.format), batch, training=False)
    assert batch[0]["segments"] is segments
    step.on_batch_begin(FakeNet(rows.format), batch, training=True)
    assert batch[0]["segments"] is not segments


def silent(segments, changed):
    """Return where points took the lowest value of their segment."""
    lowest = segments.amin((2, 3), keepdim=True)
    return ((changed - lowest).abs() < 1e-3)[:, 0]


def test_time_masks_silence_one_stretch_of_time(segments, rows):
    masked = silent(segments, TimeMask(0.5, p=1.0).apply(segments, rows.format))
    columns = masked.all(dim=1).float()
    assert 0.2 < columns.mean() < 0.3  # uniform widths up to one half
    assert columns.mean(dim=1).max() <= 0.5
    edges = columns.diff(dim=1).abs().sum(dim=1)
    assert edges.max() <= 2
    assert not masked.all(dim=2).any()
    twice = TimeMask(0.5, p=1.0, n_masks=2).apply(segments, rows.format)
    assert silent(segments, twice).float().mean() > masked.float().mean() + 0.1


def test_frequency_masks_silence_one_band(segments, rows):
    masked = silent(segments, FrequencyMask(0.5, p=1.0).apply(segments, rows.format))
    bands = masked.all(dim=2).float()
    assert 0.2 < bands.mean() < 0.3
    assert bands.diff(dim=1).abs().sum(dim=1).max() <= 2
    assert not masked.all(dim=1).any()


def test_random_erasing_silences_a_rectangle(segments, rows):
    changed = RandomErasing(0.2, p=1.0).apply(segments, rows.format)
    erased = (changed != segments)[:, 0]
    assert silent(segments, changed)[erased].all()
    area = erased.float().mean(dim=(1, 2))
    assert 0.05 < area.mean() < 0.15
    assert area.max() < 0.25
    high, wide = erased.any(dim=2).sum(dim=1), erased.any(dim=1).sum(dim=1)
    assert (erased.sum(dim=(1, 2)) / (high * wide)).median() > 0.99


@pytest.mark.parametrize("max_share", [0.001, 0.05, 0.5, 1.0])
@pytest.mark.parametrize(("make", "axis"), [(TimeMask, 1), (FrequencyMask, 0)])
def test_masks_are_of_all_lengths_up_to_the_longest(make, axis, max_share):
    segments = torch.rand(2000, 1, 40, 60) + 1
    masked = silent(segments, make(max_share, p=1.0).apply(segments, None))
    length = masked.all(dim=2 - axis).sum(dim=1)
    longest = max(round(max_share * (40, 60)[axis]), 1)
    counts = torch.bincount(length, minlength=longest + 1)
    assert len(counts) == longest + 1
    assert counts[0] == 0
    expected = 2000 / longest
    assert (counts[1:] > expected - 5 * expected**0.5 - 1).all()


@pytest.mark.parametrize("make", [TimeMask, FrequencyMask, RandomErasing])
def test_a_share_of_nothing_masks_nothing(make):
    segments = torch.rand(50, 1, 40, 60)
    assert torch.equal(make(0.0, p=1.0).apply(segments, None), segments)


@pytest.mark.parametrize("max_area", [0.001, 0.05, 0.5, 1.0])
def test_erased_areas_are_even_up_to_the_largest(max_area):
    segments = torch.rand(2000, 1, 40, 60) + 1
    changed = RandomErasing(max_area, p=1.0).apply(segments, None)
    area = (changed != segments).float().mean(dim=(1, 2, 3))
    point = 1 / 2400
    assert (area > 0).float().mean() > 0.99  # one point may be the lowest itself
    assert area.max() <= max(max_area, 2 * point) + 1e-6
    if max_area > 0.01:
        assert area.max() > 0.9 * max_area
        assert area.mean() == pytest.approx(0.55 * max_area, rel=0.1)


@pytest.mark.parametrize("mode", ["circular", "crop"])
def test_shifts_are_of_all_lengths_up_to_the_longest(mode, rows):
    frame_s, ramp = rows.format.frame_s, torch.arange(60.0).expand(3000, 1, 40, 60)
    step = TimeShift(10.5 * frame_s, mode, p=1.0)
    moved = step.apply(ramp, rows.format)[:, 0, 0, 0]
    shift = (-moved + 30) % 60 - 30
    if mode == "crop":
        shift = torch.from_numpy(
            step._draw_frames(np.random.RandomState(0), 3000, frame_s)
        )
    counts = torch.bincount(shift.long() + 10, minlength=21)
    assert len(counts) == 21
    assert counts[10] == 0
    assert (counts[[*range(10), *range(11, 21)]] > 90).all()


@pytest.mark.parametrize("step", [Mixup(), CutMix(p=1.0), CutMix(p=1.0, alpha=5.0)])
@pytest.mark.parametrize("n", [2, 3, 16])
def test_a_share_of_one_mixes_every_segment(step, n, rows):
    for _ in range(20):
        target = torch.eye(n)
        _, mixed, _ = run(step, [{"segments": torch.rand(n, 1, 40, 60)}, target], rows)
        assert ((mixed > 0).sum(dim=1) == 2).all()


def test_a_segment_that_is_alone_stays_itself(rows):
    segments, target = torch.rand(1, 1, 40, 60), torch.ones(1, 1)
    _, mixed, _ = run(Mixup(), [{"segments": segments}, target], rows)
    assert torch.equal(mixed, target)


def test_gain_moves_all_points_alike(segments, rows):
    change = Gain(6.0, p=1.0).apply(segments, rows.format) - segments
    assert change.flatten(1).std(dim=1).max() < 1e-3
    assert 5 < change.abs().max() <= 6.001


def test_the_frequency_response_is_smooth_and_steady_in_time(segments, rows):
    step = FrequencyResponse(6.0, n_points=3, p=1.0)
    change = (step.apply(segments, rows.format) - segments)[:, 0]
    assert change.std(dim=2).max() < 1e-3
    assert 5 < change.abs().max() <= 6.001
    # Straight between three points: one bend.
    bends = change.mean(dim=2).diff(n=2, dim=1).abs() > 0.05
    assert bends.sum(dim=1).max() <= 2


def test_noise_has_the_ratio_asked_for(segments, rows):
    step = BackgroundNoise(min_snr_db=10.0, max_snr_db=10.0, p=1.0)
    before = db_to_power(segments)
    added = db_to_power(step.apply(segments, rows.format)) - before
    ratio = power_to_db(before.mean((2, 3)) / added.mean((2, 3)))
    torch.testing.assert_close(ratio, torch.full_like(ratio, 10.0), atol=0.1, rtol=0)


def test_pink_noise_falls_with_frequency():
    hz = tuple(100.0 * 2 ** np.arange(6))
    silence = np.full((500, 6, 60), -90.0)
    rows = Spectrograms.from_arrays(silence)
    format = type(rows.format)(hz, 0.016, rows.format.grid)
    noisy = BackgroundNoise(None, -40, -40, p=1.0).apply(
        torch.from_numpy(silence).float()[:, None], format
    )
    level = power_to_db(db_to_power(noisy).mean(dim=(0, 1, 3)))
    np.testing.assert_allclose(level.diff().numpy(), -3.01, atol=0.2)


def test_noise_fluctuates_from_point_to_point():
    silence = np.full((400, 6, 60), -90.0)
    format = Spectrograms.from_arrays(silence).format
    noise = db_to_power(
        BackgroundNoise(None, -40, -40, p=1.0).apply(
            torch.from_numpy(silence).float()[:, None], format
        )
    )
    relative = noise / noise.mean(dim=(0, 3), keepdim=True)
    # An exponential distribution has the variance 1, along whatever axis.
    for axis in (0, 2, 3):
        assert relative.var(dim=axis).mean() == pytest.approx(1, abs=0.1)
    assert relative.median() == pytest.approx(np.log(2), abs=0.05)


def test_given_background_is_what_is_added(rows):
    noise = np.full((3, 40, 60), -90.0)
    noise[:, 7] = -30.0
    step = BackgroundNoise(Spectrograms.from_arrays(noise), 0, 0, p=1.0)
    quiet = torch.full((4, 1, 40, 60), -60.0)
    added = db_to_power(step.apply(quiet, rows.format)) - db_to_power(quiet)
    assert (added[:, :, 7].mean() / added.mean()) == pytest.approx(40, rel=0.01)
    other = Spectrograms.from_arrays(np.zeros((1, 16, 60)))
    with pytest.raises(ValueError, match="background has segments of 16 mel bands"):
        BackgroundNoise(other, p=1.0).apply(quiet, rows.format)
    nothing = Spectrograms(rows.rows[:1], [None], [0], rows.format)
    with pytest.raises(ValueError, match="background has no segments"):
        BackgroundNoise(nothing, p=1.0).apply(quiet, rows.format)


def test_circular_shifts_keep_all_frames(segments, rows):
    moved = TimeShift(max_s=0.3, p=1.0).apply(segments, rows.format)
    torch.testing.assert_close(moved.sort(dim=3).values, segments.sort(dim=3).values)
    frames = {
        n
        for old, new in zip(segments, moved, strict=True)
        for n in range(60)
        if torch.equal(old.roll(n, dims=2), new)
    }
    assert frames
    assert all(n <= 19 or n >= 41 for n in frames)  # 0.3 s are 18.75 frames
    assert len(frames) > 20


def ramp_rows(n_rows):
    """Return rows of 200 frames, in segments of 21, whose values count the frames."""
    ramp = np.tile(np.arange(200, dtype=np.float16)[:, None], (1, 8))
    format = Spectrograms.from_arrays(np.zeros((1, 8, 21))).format
    table = pd.DataFrame({"path": ["a"] * n_rows})
    return Spectrograms(table, [ramp] * n_rows, [200] * n_rows, format)


@pytest.mark.slow
def test_crops_come_from_elsewhere_in_the_row():
    X = ramp_rows(1)
    starts = []

    class Spy(TimeShift):
        def on_batch_begin(self, net, batch=None, training=False, **kwargs):
            starts.extend(batch[0]["segments"][:, 0, 0, 0].tolist())

    net = CNNClassifier(
        "test_efficientnet",
        backbone_weights=None,
        max_epochs=40,
        segments_per_row=4,
        verbose=0,
        random_state=0,
        callbacks__shift=Spy(max_s=0.08, mode="crop", p=1.0),
        callbacks__mixup=None,
    )
    net.fit(X, np.ones((1, 1)))
    off_grid = np.array(starts) % 20
    assert len(np.unique(off_grid)) > 5
    assert min(starts) >= 0
    assert max(starts) <= 179
    assert ((off_grid <= 5) | (off_grid >= 15) | (np.array(starts) >= 174)).all()
    starts.clear()
    net.set_params(callbacks__shift=Spy(mode="crop", p=0.0)).fit(X, np.ones((1, 1)))
    assert set(np.array(starts) % 20) <= {0, 19}  # the last segment ends with the row


@pytest.mark.parametrize("p", [0.25, 0.5, 1.0])
def test_crops_move_their_share_of_the_segments(p):
    moved = []

    class Spy(TimeShift):
        def on_batch_begin(self, net, batch=None, training=False, **kwargs):
            starts = batch[0]["segments"][:, 0, 0, 0].cpu().numpy()
            moved.append(np.mean((starts % 20 > 0) & (starts < 179)))

    net = by_group_net(
        batch_size=400,
        segments_per_row=4,
        callbacks__shift=Spy(max_s=0.3, mode="crop", p=p),
    )
    net.fit(ramp_rows(100), np.ones((100, 1)))
    # A tenth cannot move: beyond the first frame or the last.
    assert moved == pytest.approx([0.9 * p], abs=0.1)


# Mixing ------------------------------------------------------------------------------


@pytest.fixture
def batch(segments):
    target = torch.eye(200)[:, :40].clone()
    return [{"segments": segments, "label_weight": torch.rand(200, 40)}, target]


def run(step, batch, rows):
    changed = [dict(batch[0]), batch[1]]
    step.on_batch_begin(FakeNet(rows.format), changed, training=True)
    return changed[0]["segments"], changed[1], changed[0].get("label_weight")


@pytest.mark.parametrize("make", [Mixup, CutMix])
def test_mixing_changes_a_share_and_labels_with_it(make, batch, rows):
    same = run(make(p=0.0), batch, rows)
    assert same[0] is batch[0]["segments"]
    assert same[1] is batch[1]
    _, target, weight = run(make(alpha=1.0, p=0.5), batch, rows)
    changed = (target != batch[1]).any(dim=1)
    # Partners without any label leave zeros as they are.
    assert 10 < changed.sum() < 60
    assert (weight != batch[0]["label_weight"]).any(dim=1).float().mean() < 0.7
    labelled = batch[1].any(dim=1)
    own = target[labelled][batch[1][labelled] == 1]
    assert own.min() >= 0.5  # what a segment mostly is stays itself


def test_mixing_in_log_mel_interpolates(batch, rows):
    segments = batch[0]["segments"]
    mixed, target, weight = run(Mixup(alpha=1.0), batch, rows)
    low, high = segments.amin((2, 3), keepdim=True), segments.amax((2, 3), keepdim=True)
    normal = (segments - low) / (high - low)
    row = int(((target[:40] > 0) & (target[:40] < 1)).any(dim=1).nonzero()[0])
    share = target[row, row]
    partner = (mixed[row] - share * normal[row]) / (1 - share)
    distance = (normal - partner).abs().amax((1, 2, 3))
    assert distance.min() < 1e-3
    other = int(distance.argmin())
    expected = share * batch[1][row] + (1 - share) * batch[1][other]
    torch.testing.assert_close(target[row], expected)
    own = batch[0]["label_weight"]
    torch.testing.assert_close(weight[row], share * own[row] + (1 - share) * own[other])


def test_an_unknown_label_stays_unknown_in_mixtures_only(rows, batch):
    target = batch[1].clone()
    target[:100, 0] = torch.nan
    _, mixed, _ = run(Mixup(alpha=1.0), [batch[0], target], rows)
    assert mixed[:100, 0].isnan().all()
    assert mixed[100:, 0].isnan().any()
    _, alone, _ = run(Mixup(alpha=1.0, p=0.2), [batch[0], target], rows)
    assert alone[100:, 0].isnan().float().mean() < 0.25


def test_union_keeps_the_higher_target(rows, segments):
    target = torch.tensor([[1.0, 0.0, torch.nan, 0.2], [0.0, 1.0, 0.0, 0.6]])
    weight = torch.tensor([[1.0, 1.0, 1.0, 0.5], [1.0, 0.5, 1.0, 0.7]])
    batch = [{"segments": segments[:2], "label_weight": weight}, target]
    _, united, new_weight = run(Mixup(alpha=1.0, labels="union"), batch, rows)
    expected = torch.tensor([1.0, 1.0, torch.nan, 0.6]).expand(2, 4)
    torch.testing.assert_close(united, expected, equal_nan=True)
    torch.testing.assert_close(new_weight[0, :2], torch.tensor([1.0, 0.5]))
    torch.testing.assert_close(new_weight[:, 3], torch.tensor([0.7, 0.7]))


def test_mixing_powers_is_mixing_waveforms():
    """To the tolerance that Mixup's docstring states."""
    rng = np.random.default_rng(0)
    rate, n = 32_000, 5 * 32_000
    mel = LogMel(128, verbose=0).make_op()

    def log_mel(samples):
        return mel(Clip(samples, rate)).T

    a, b = rng.standard_normal((2, n)) * 0.1
    b = b * np.linspace(0.1, 2.0, n)
    share = 0.7
    truth = log_mel(share * a + (1 - share) * b)
    pair = np.stack([log_mel(a), log_mel(b)])[:, None]
    step = Mixup(domain="power", equalize=False)
    own = torch.from_numpy(pair).float()
    mixed, _ = step._mix_segments(own, own.flip(0), torch.full((2, 1, 1, 1), share))
    difference = mixed[0, 0].numpy() - truth
    loud = truth > truth.max() - 40
    assert abs(difference[loud].mean()) < 0.5
    assert np.quantile(np.abs(difference[loud]), 0.95) < 6
    # Mixing the logarithms instead is far off.
    logs = share * pair[0, 0] + (1 - share) * pair[1, 0]
    assert np.abs(logs - truth)[loud].mean() > 1.5 * np.abs(difference[loud]).mean()


def test_equalize_brings_segments_to_one_level(rows, segments):
    quiet = segments.clone()
    quiet[::2] -= 40
    batch = [{"segments": quiet}, torch.zeros(200, 1)]
    step = Mixup(alpha=50.0, domain="power")
    even, _, _ = run(step, batch, rows)
    # A quiet segment is not drowned by a loud one, which comes at its level.
    assert (even - quiet)[::2].amax((2, 3)).max() < 60
    assert even[::2].amax((2, 3)).max() < -50
    step.equalize = False
    uneven, _, _ = run(step, batch, rows)
    assert uneven[::2].amax((2, 3)).max() > -40


@pytest.mark.parametrize("shape", ["stretch", "rectangle"])
def test_cutmix_pastes_a_part_of_another(shape, batch, rows):
    segments = batch[0]["segments"]
    low, high = segments.amin((2, 3), keepdim=True), segments.amax((2, 3), keepdim=True)
    normal = ((segments - low) / (high - low))[:, 0]
    mixed, target, _ = run(CutMix(p=1.0, shape=shape), batch, rows)
    kept = (mixed[:, 0] == normal).float()
    torch.testing.assert_close(
        target[:40].diagonal(), kept[:40].mean(dim=(1, 2)), atol=0.02, rtol=0
    )
    replaced = 1 - kept
    if shape == "stretch":
        assert set(replaced.mean(dim=1).round(decimals=1).flatten().tolist()) == {0, 1}
    else:
        assert replaced.mean(dim=1).max() < 0.95


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (Mixup(domain="mel"), "The 'domain' parameter of"),
        (Mixup(labels="both"), "The 'labels' parameter of"),
        (CutMix(shape="disc"), "The 'shape' parameter of"),
        (TimeShift(mode="roll"), "The 'mode' parameter of"),
        (BackgroundNoise(None, 9, 3), "min_snr_db=9 must not be above max_snr_db=3"),
    ],
)
def test_bad_parameters_are_named(step, message):
    with pytest.raises(ValueError, match=message):
        step.on_train_begin(None)


@pytest.mark.parametrize(
    ("step", "name"),
    [
        (CutMix(p=1.5), "p"),
        (Mixup(alpha=0), "alpha"),
        (TimeMask(max_share=2), "max_share"),
        (FrequencyMask(n_masks=0), "n_masks"),
        (TimeMask(n_masks=10**12), "n_masks"),
        (FrequencyResponse(n_points=10**12), "n_points"),
        (TimeShift(max_s=np.inf), "max_s"),
        (Gain(max_db=np.inf), "max_db"),
        (Mixup(alpha=np.inf), "alpha"),
        (BackgroundNoise(min_snr_db=np.nan), "min_snr_db"),
        (BackgroundNoise(max_snr_db=np.inf), "max_snr_db"),
        (RandomErasing(max_area=3), "max_area"),
        (FrequencyResponse(n_points=1), "n_points"),
        (BackgroundNoise(background=["a.wav"]), "background"),
        (Gain(max_db=-1), "max_db"),
        (SpectrogramAugmentor(by_group=[]), "by_group"),
    ],
)
def test_parameters_out_of_range_are_named(step, name):
    with pytest.raises(ValueError, match=f"The '{name}' parameter of"):
        step.on_train_begin(None)


def test_a_hidden_label_of_the_partner_does_not_hide_a_certain_one():
    target = torch.tensor([[1.0], [torch.nan]])
    weight = torch.tensor([[1.0], [0.0]])
    share = torch.tensor([[0.7], [0.7]])
    united, new_weight = Mixup(labels="union")._mix_labels(
        target, target.flip(0), weight, weight.flip(0), share
    )
    assert united.tolist() == [[1.0], [1.0]]
    assert new_weight.tolist() == [[1.0], [1.0]]


def test_power_mixtures_keep_the_level_of_the_segment(rows, segments):
    batch = [{"segments": segments - 15}, torch.zeros(200, 1)]
    mixed, _, _ = run(Mixup(alpha=0.4, domain="power"), batch, rows)
    level = mixed.amax((2, 3)) - batch[0]["segments"].amax((2, 3))
    assert level.abs().max() < 7
    assert level.abs().mean() < 3


# By group ----------------------------------------------------------------------------


class Mark(Gain):
    """Adds `max_db` to all points."""

    def augment(self, segments, format):
        return segments + self.max_db


def by_group_net(**options):
    off = ("mixup", "shift", "time_mask", "frequency_mask", "erasing")
    options = {f"callbacks__{name}": None for name in off} | options
    return CNNClassifier(
        "test_efficientnet",
        backbone_weights=None,
        max_epochs=1,
        verbose=0,
        random_state=0,
        **options,
    )


@pytest.fixture
def grouped(rows):
    table = rows.rows.assign(group=np.tile(["Aves", "Amphibia", "Insecta", "x"], 50))
    X = Spectrograms(table, rows.entries, rows.n_frames, rows.format)
    Y = pd.DataFrame(np.tile(np.eye(4), (50, 1)), columns=list("abcd"))
    return X, Y


def collect(X, Y, augment):
    """Return the mean change of the segments of each of the four species in turn."""
    from skorch.callbacks import Callback

    change = {}

    class Look(Callback):
        def on_batch_begin(self, net, batch=None, training=False, **kwargs):
            rows, segments = batch[0]["rows"].numpy(), batch[0]["segments"]
            original = X.segments(rows).astype(np.float32)
            new = segments[:, 0].cpu().numpy().transpose(0, 2, 1)
            for difference, species in zip(new - original, rows % 4, strict=True):
                change.setdefault(int(species), []).append(difference.mean())

    net = by_group_net(callbacks__augment=augment, callbacks=[Look()]).fit(X, Y)
    assert dict(net.callbacks_)["augment"] is not None
    return {species: np.mean(values) for species, values in sorted(change.items())}


@pytest.mark.slow
def test_each_group_gets_its_own_augmentation(grouped):
    X, Y = grouped
    by_group = {
        "Aves": [Mark(1, p=1)],
        "Amphibia": [Mark(3, p=1)],
        None: [Mark(7, p=1)],
    }
    changes = collect(X, Y, SpectrogramAugmentor(by_group))
    assert changes == pytest.approx({0: 1, 1: 3, 2: 7, 3: 7}, abs=0.1)
    changes = collect(X, Y, SpectrogramAugmentor(by_group, p=0.5))
    assert 0.2 < changes[0] < 0.8
    assert 2 < changes[2] < 5
    del by_group[None]
    changes = collect(X, Y, SpectrogramAugmentor(by_group))
    assert changes == pytest.approx({0: 1, 1: 3, 2: 0, 3: 0}, abs=0.1)
    groups = {"a": "Amphibia", "b": "Aves", "c": "Aves", "d": "x"}
    changes = collect(X, Y, SpectrogramAugmentor(by_group, groups))
    assert changes == pytest.approx({0: 3, 1: 1, 2: 1, 3: 0}, abs=0.1)


def test_an_unknown_label_does_not_decide_the_group(grouped):
    X, Y = grouped
    step = SpectrogramAugmentor(
        {name: [Mark(n, p=1)] for n, name in enumerate(Y, start=1)},
        dict(zip(Y, Y, strict=True)),
    )
    unknown = Y.mask(Y == 0) * 0.2
    assert collect(X, unknown, step) == pytest.approx({0: 1, 1: 2, 2: 3, 3: 4}, abs=0.1)


def test_the_reports_assignment_is_the_default(grouped, segments):
    X, Y = grouped
    step = SpectrogramAugmentor()
    by_group_net(callbacks__augment=step).fit(X, Y)
    shares = {}
    for row, group in enumerate(["Aves", "Amphibia", "Insecta"]):
        inputs = {
            "segments": segments,
            "rows": torch.full((200,), row),
        }
        step.on_batch_begin(FakeNet(X.format), [inputs, None], training=True)
        masked = silent(segments, inputs["segments"])
        shares[group] = (
            masked.all(dim=1).float().mean().item(),  # of time
            masked.all(dim=2).float().mean().item(),  # of frequency
        )
    assert shares["Amphibia"][0] > 1.5 * shares["Aves"][0]
    assert shares["Insecta"][1] > 1.5 * shares["Aves"][1]
    assert shares["Insecta"][0] < shares["Aves"][0]


def test_bad_groups_are_named(grouped, rows):
    X, Y = grouped
    with pytest.raises(ValueError, match="no column species_groups='class'"):
        collect(X, Y, SpectrogramAugmentor(species_groups="class"))
    with pytest.raises(ValueError, match="no group for 3 species, such as 'b'"):
        collect(X, Y, SpectrogramAugmentor(species_groups={"a": "Aves"}))
    for steps in ([Mixup()], TimeMask()):
        with pytest.raises(ValueError, match=r"by_group\['Aves'\].*must be a list"):
            collect(X, Y, SpectrogramAugmentor({"Aves": steps}))
    with pytest.raises(ValueError, match=r"by_group\['Aves'\] has TimeShift"):
        collect(X, Y, SpectrogramAugmentor({"Aves": [TimeShift(mode="crop")]}))


def test_groups_are_augmented_before_segments_are_mixed():
    names = [name for name, _ in CNNClassifier()._default_callbacks]
    raw = [names.index(name) for name in ("gain", "response", "noise", "augment")]
    assert max(raw) < names.index("mixup") < names.index("cutmix")
