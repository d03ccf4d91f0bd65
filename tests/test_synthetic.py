"""make_birdclef: the shape of the set, its determinism, and the sounds themselves."""

import json
from collections import Counter

import numpy as np
import pandas as pd
import pytest
import soundfile

from skbird.datasets import make_birdclef
from skbird.datasets._make_birdclef import _plan_recordings
from skbird.datasets._synthetic_calls import (
    room_response,
    shape_spectrum,
    synthesize_call,
    synthesize_noise,
    synthesize_voice,
)
from skbird.datasets._synthetic_scenes import COLLECTIONS, synthesize_soundscape
from skbird.datasets._synthetic_species import SPECIES, Pattern

TINY = {
    "n_species": 4,
    "n_recordings": 32,
    "n_test": 2,
    "n_labeled": 1,
    "n_unlabeled": 1,
    "soundscape_s": 12.0,
}


def _rms(audio):
    return np.sqrt(np.mean(np.square(audio, dtype=float)))


def _band_share(audio, sample_rate, low_hz, high_hz):
    power = np.abs(np.fft.rfft(audio)) ** 2
    hz = np.fft.rfftfreq(len(audio), 1 / sample_rate)
    return power[(hz >= low_hz) & (hz <= high_hz)].sum() / power.sum()


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("synthetic") / "set"


@pytest.fixture(scope="module")
def data(root):
    return make_birdclef(root, **TINY, n_jobs=2)


@pytest.mark.slow
def test_shape_of_2025(root, data):
    train = pd.read_csv(root / "train.csv")
    assert list(train.columns) == [
        *("primary_label", "secondary_labels", "type", "filename", "collection"),
        *("rating", "url", "latitude", "longitude", "scientific_name"),
        *("common_name", "author", "license"),
    ]
    taxonomy = pd.read_csv(root / "taxonomy.csv")
    assert list(taxonomy.columns) == [
        *("primary_label", "inat_taxon_id", "scientific_name", "common_name"),
        "class_name",
    ]
    assert data.species == sorted(data.species)
    assert list(data.sample_submission["row_id"]) == list(data.test["row_id"])
    assert list(data.sample_submission.columns[1:]) == data.species


def test_rows_and_truth_agree(data):
    assert data.Y.shape == (32, 4)
    assert data.test_Y.shape == (2 * 3, 4)
    assert data.soundscapes_Y.shape == (3, 4)
    assert len(data.unlabeled) == 3
    assert set(np.unique(data.test_Y)) == {0, 1}
    assert data.test_Y.sum().sum() > 0


def test_every_collection_holds_every_species(data):
    counts = pd.crosstab(data.X["primary_label"], data.X["collection"])
    assert set(counts.columns) == {"XC", "iNat", "CSA"}
    assert (counts > 0).all(axis=None)
    totals = data.X["primary_label"].value_counts()
    assert totals.max() >= 3 * totals.min()
    assert data.X.groupby("collection")["author"].nunique().min() > 1


def test_recordings_are_as_their_collection_is(data):
    rates = {c.name: set(c.sample_rates) for c in COLLECTIONS}
    for path, collection in zip(data.X["path"], data.X["collection"], strict=True):
        info = soundfile.info(path)
        assert info.samplerate in rates[collection]
        assert 4 <= info.duration <= 25
    assert set(data.X.loc[data.X["collection"] != "XC", "rating"]) == {0.0}
    assert data.X.loc[data.X["collection"] == "XC", "rating"].between(1, 5).all()


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    """Make sets of few recordings, each of which takes a while."""

    def make(**options):
        return make_birdclef(
            tmp_path_factory.mktemp("few"), **TINY | {"n_recordings": 6}, **options
        )

    return make


@pytest.fixture(scope="module")
def few_data(few):
    return few(n_jobs=2)


@pytest.mark.slow
def test_same_seed_same_samples_whatever_the_threads(few, few_data):
    again = few(n_jobs=1)
    for name in ("X", "test"):
        paths = few_data[name]["path"], again[name]["path"]
        for first, second in zip(*paths, strict=True):
            np.testing.assert_array_equal(
                soundfile.read(first)[0], soundfile.read(second)[0]
            )
    pd.testing.assert_frame_equal(few_data.test_Y, again.test_Y)
    pd.testing.assert_frame_equal(few_data.Y, again.Y)


@pytest.mark.slow
def test_another_seed_gives_another_set(few, few_data):
    assert not np.array_equal(few_data.test_Y, few(random_state=1).test_Y)


def test_the_same_set_is_reused(root, data):
    path = data.X["path"][0]
    with open(path, "rb") as file:
        before = file.read()
    again = make_birdclef(root, **TINY)
    with open(path, "rb") as file:
        # Each Ogg stream has a random serial number: equal bytes mean not rewritten.
        assert file.read() == before
    pd.testing.assert_frame_equal(again.X, data.X)


def test_another_set_in_root_is_left_alone(root, data):
    with pytest.raises(FileExistsError, match=r"'random_state': 0.*Asked for.*: 3"):
        make_birdclef(root, **TINY, random_state=3)
    assert json.loads((root / "skbird_synthetic.json").read_text())["random_state"] == 0


def test_foreign_files_are_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(FileExistsError, match="no manifest of make_birdclef"):
        make_birdclef(tmp_path, **TINY)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_failed_run_leaves_nothing(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError("No space left on device")

    monkeypatch.setattr("skbird.datasets._make_birdclef._write_ogg", fail)
    with pytest.raises(OSError, match="No space left"):
        make_birdclef(tmp_path / "set", **TINY)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_species": 1}, r"n_species=1 must be a whole number from 2 to 200"),
        ({"n_species": 201}, "n_species=201"),
        ({"rarest_share": 0}, "rarest_share=0 must be above 0"),
        ({"background": (0.5, 0.6)}, "must be probabilities that sum to 1"),
        (
            {"n_recordings": 3},
            "n_recordings=3 must be a whole number from 4 to 1000000",
        ),
        ({"n_test": 0}, "n_test=0"),
        ({"random_state": None}, "random_state=None"),
        ({"soundscape_s": 2}, "soundscape_s=2 must be at least 5.0 s"),
    ],
)
def test_mistakes(tmp_path, change, message):
    with pytest.raises(ValueError, match=message):
        make_birdclef(tmp_path / "set", **{**TINY, **change})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("species", SPECIES, ids=lambda species: species.label)
def test_calls_are_sound(species):
    for pattern in filter(None, (species.song, species.call)):
        call = synthesize_call(pattern, 32_000)
        assert call.dtype == np.float32
        assert np.isfinite(call).all()
        assert _rms(call[call != 0]) == pytest.approx(1, rel=0.1)


def test_confusable_species_share_their_band():
    songs = {s.label: synthesize_call(s.song, 32_000) for s in SPECIES}
    for label in ("upwwhi1", "dowwhi1", "lohcha1", "hilcha1", "slotri1", "quitri1"):
        assert _band_share(songs[label], 32_000, 2300, 5000) > 0.95


def test_pitch_and_tempo():
    whistle = Pattern(((2000, 2000),), 0.2, 0.4, 3)
    quick = synthesize_call(whistle, 16_000, pitch=1.5, tempo=2)
    assert len(quick) == pytest.approx(len(synthesize_call(whistle, 16_000)) / 2, abs=2)
    assert _band_share(quick, 16_000, 2900, 3100) > 0.9


def test_harmonics_above_nyquist_are_left_out():
    call = synthesize_call(Pattern(((3000, 3000),), 0.2, 0.4, 1, (1, 1)), 8_000)
    assert _band_share(call, 8_000, 2900, 3100) > 0.95


@pytest.mark.parametrize(
    "kind", ["hiss", "traffic", "wind", "rain", "stream", "insects"]
)
def test_noise_has_unit_level(kind, rng):
    noise = synthesize_noise(kind, 16_001, 22_050, rng)
    assert noise.shape == (16_001,)
    assert noise.dtype == np.float32
    assert _rms(noise) == pytest.approx(1, rel=1e-3)


def test_unknown_noise(rng):
    with pytest.raises(ValueError, match=r"kind='snow' must be one of .*'rain'"):
        synthesize_noise("snow", 100, 8000, rng)


def test_voice_is_low_and_in_syllables(rng):
    voice = synthesize_voice(2.0, 16_000, rng)
    assert voice.shape == (32_000,)
    assert _band_share(voice, 16_000, 80, 4000) > 0.6
    levels = np.array([_rms(part) for part in np.split(voice, 100)])
    assert levels.max() > 5 * np.quantile(levels, 0.1)


def test_shape_spectrum_passes_its_band(rng):
    white = rng.standard_normal(16_000)
    shaped = shape_spectrum(white, 16_000, low_hz=1000, high_hz=2000)
    assert _band_share(shaped, 16_000, 700, 3000) > 0.95
    np.testing.assert_allclose(shape_spectrum(white, 16_000), white, atol=1e-4)


def test_room_has_unit_energy_and_decays(rng):
    room = room_response(16_000, rng, rt60_s=0.5, direct_db=0)
    assert len(room) == 8001
    assert np.sum(room.astype(float) ** 2) == pytest.approx(1, rel=1e-4)
    assert _rms(room[1:1000]) > 30 * _rms(room[-1000:])


def test_presence_is_where_the_call_is():
    # A cricket in a stream: its band is otherwise quiet.
    rng = np.random.default_rng(1)
    audio, present, _ = synthesize_soundscape([2, 0], "S01", 60.0, rng)
    assert audio.shape == (60 * 32_000,)
    assert present.shape == (12, 2)
    assert np.abs(audio).max() <= 1
    chirps = shape_spectrum(audio, 32_000, low_hz=6000, high_hz=8000)
    levels = np.array([_rms(row) for row in np.split(chirps, 12)])
    cricket = present[:, 0]
    assert 0 < cricket.sum() < 12
    assert levels[cricket].min() > levels[~cricket].min()
    assert levels[cricket].mean() > 2 * np.median(levels[~cricket])


def test_long_tail_adds_up():
    plan = _plan_recordings(12, 300, 0)
    counts = Counter(species for species, _ in plan)
    assert len(plan) == 300
    assert sorted(counts.values(), reverse=True) == [counts[i] for i in range(12)]
    assert min(counts.values()) >= 6


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_species_beyond_the_first_are_drawn_in_pairs():
    labels = [species.label for species in SPECIES]
    assert len(set(labels)) == len({s.scientific_name for s in SPECIES}) == 200
    for first, second in zip(SPECIES[14::2], SPECIES[15::2], strict=True):
        assert first.group == second.group
        assert first.song.band_hz == second.song.band_hz
        assert first.song != second.song
        assert first.song.band_hz[0] > 100
        assert synthesize_call(second.song, 32_000).any()


def test_shares_and_backgrounds_are_as_asked_for(tmp_path):
    options = {"n_recordings": 32, "n_test": 1, "n_labeled": 0, "n_unlabeled": 0}
    options |= {"n_species": 16, "rarest_share": 1.0, "background": [0, 0, 1]}
    data = make_birdclef(tmp_path / "set", **options, soundscape_s=5)
    train = pd.read_csv(tmp_path / "set" / "train.csv")
    assert (train["primary_label"].value_counts() == 2).all()
    n_heard = train["secondary_labels"].str.count(r"\w+")
    assert n_heard.max() == 2
    assert n_heard.mean() > 1.4  # recordists miss some
    assert len(data.species) == 16
