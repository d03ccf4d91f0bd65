"""check_encoder finds what is wrong with a spec, or with a model."""

import os
import re
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from toy_encoder import HZ, NAMES, RATE, hear, scores_of, spectrum, toy

from skbird.encoders import (
    EncoderOutput,
    _known_calls,
    check_encoder,
    load_encoder,
)
from skbird.encoders._encoder_checks import check_level
from skbird.encoders._known_calls import (
    KnownCalls,
    check_known_calls,
    check_known_spec,
)

FOLDER = Path(os.environ.get("SKBIRD_DATA", "../shared/data")) / "xc_california"


def failing(encoder, recordings=None, **options):
    table = check_encoder(encoder, recordings, on_fail=None, **options)
    return dict(table.loc[~table["passed"], ["check", "detail"]].to_numpy().tolist())


@pytest.fixture(scope="module")
def frogs(tmp_path_factory):
    """Seven recordings of each species, in noise, at twice the model's rate."""
    folder, rng, rows = tmp_path_factory.mktemp("frogs"), np.random.default_rng(0), []
    for name, hz in HZ.items():
        for number in range(7):
            t = np.arange(int(2.2 * 2 * RATE)) / (2 * RATE)
            samples = 0.2 * np.sin(2 * np.pi * hz * rng.uniform(0.97, 1.03) * t)
            samples += 0.01 * rng.standard_normal(len(t))
            path = folder / f"{hz}-{number}.wav"
            soundfile.write(path, samples, 2 * RATE)
            rows.append({"path": str(path), "species": name})
    return pd.DataFrame(rows)


def test_a_sound_model_passes(frogs):
    table = check_encoder(toy(), frogs)
    assert table.columns.tolist() == ["check", "passed", "detail"]
    assert table["passed"].all()
    assert len(table) == 13
    assert len(check_encoder(toy())) == 10
    only = {"embedding": toy().spec.outputs["embedding"]}
    assert len(check_encoder(toy(outputs=only, class_names=()))) == 9


@pytest.mark.parametrize(
    ("sample_rate", "window_s"), [(1000, 1.0), (8000, 0.05), (256_000, 0.02)]
)
def test_models_of_any_rate_and_window_pass(sample_rate, window_s):
    def bands(windows):
        levels = np.abs(np.fft.rfft(windows - windows.mean(axis=1, keepdims=True)))[
            :, 1:
        ]
        parts = np.stack([p.sum(axis=1) for p in np.array_split(levels, 24, axis=1)], 1)
        return {"embedding": parts / np.maximum(parts.sum(axis=1, keepdims=True), 1e-9)}

    only = {"embedding": toy().spec.outputs["embedding"]}
    changes = {"sample_rate": sample_rate, "window_s": window_s}
    assert not failing(toy(bands, outputs=only, class_names=(), **changes))


def with_embedding(make):
    """Return a model whose embedding is another."""

    def function(windows):
        return hear(windows) | {"embedding": make(windows)}

    return function


def with_scores(make):
    """Return a model whose scores are others."""
    return lambda windows: (
        hear(windows) | {"scores": make(scores_of(spectrum(windows)))}
    )


def sigmoid(scores):
    return 1 / (1 + np.exp(-scores))


def softmax(scores):
    odds = np.exp(scores)
    return odds / odds.sum(axis=1, keepdims=True)


def nearly_constant(windows):
    return 1 + 1e-3 * spectrum(windows)


def divided_by_level(windows):
    return spectrum(windows / np.abs(windows).max(axis=1, keepdims=True))


def in_half_precision(windows):
    level = (1e4 * np.abs(windows).mean(axis=1, keepdims=True)).astype(np.float16)
    return spectrum(windows) + 0 * (level * np.float16(16)).astype(np.float32)


def of_rhythm(windows):
    parts = windows[:, :7992].reshape(len(windows), 24, -1).std(axis=2)
    return parts / np.maximum(parts.sum(axis=1, keepdims=True), 1e-9)


def of_the_batch(windows):
    bands = spectrum(windows)
    return (bands - bands.mean(axis=0)) / (bands.std(axis=0) + 1e-3)


def of_the_one_before(windows):
    bands = spectrum(windows)
    return bands + np.roll(bands, 1, axis=0) * (np.arange(len(bands)) > 0)[:, None]


def of_chance(windows):
    return spectrum(windows) * (np.random.default_rng().random(24) > 0.3)


def of_level(windows):
    return spectrum(windows) * np.log1p(100 * windows.std(axis=1, keepdims=True))


def of_offset(windows):
    return spectrum(windows) + np.abs(windows.mean(axis=1, keepdims=True))


class Shared:
    """Keep the input in the object, where another thread may replace it."""

    def __call__(self, windows):
        self.windows = windows
        time.sleep(0.01)
        return hear(self.windows[: len(windows)])


@pytest.mark.parametrize(
    ("function", "check", "message"),
    [
        (nearly_constant, "varied", "nearly identical embeddings.*input_name"),
        (divided_by_level, "finite", "NaN.*embedding of silence"),
        (in_half_precision, "finite", "square wave of full scale.*65504"),
        (of_rhythm, "pitch", "does not hear pitch"),
        (of_the_batch, "batch", "alone than in one batch"),
        (of_the_one_before, "batch", "alone than in one batch"),
        (of_chance, "repeatable", "dropout"),
        (of_level, "level", "20 dB softer.*level_sensitive=true"),
        (of_offset, "level", "constant offset.*'mean_peak'"),
    ],
)
@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
@pytest.mark.filterwarnings("ignore:overflow:RuntimeWarning")
def test_models_that_others_have_shipped_fail(function, check, message):
    found = failing(toy(with_embedding(function)))
    assert check in found
    assert re.search(message, found[check])


def test_threads_that_share_a_buffer_are_found():
    assert "lock" in failing(toy(Shared()))["threads"]


@pytest.mark.parametrize(
    ("make", "activation", "message"),
    [
        (lambda scores: scores, "none", "no probabilities"),
        (sigmoid, "sigmoid", r"within \[0, 1\] already: activation='sigmoid' would"),
        (softmax, "softmax", "sum to 1: activation='softmax' would be applied twice"),
        (sigmoid, "softmax", "already: activation='softmax'"),
        (lambda scores: 0 * scores - 1, "sigmoid", "same for all sounds"),
    ],
)
def test_scores_that_are_not_what_the_activation_says(make, activation, message):
    found = failing(toy(with_scores(make), activation=activation))
    assert list(found) == ["scores"]
    assert re.search(message, found["scores"])


@pytest.mark.parametrize(
    ("make", "activation"),
    [
        (sigmoid, "none"),
        (softmax, "none"),
        (lambda scores: scores, "softmax"),
        (lambda scores: scores, "sigmoid"),
    ],
)
def test_scores_with_the_right_activation_pass(make, activation):
    assert not failing(toy(with_scores(make), activation=activation))


def test_a_declared_sensitivity_passes():
    assert not failing(toy(with_embedding(of_level), level_sensitive=True))
    assert not failing(toy(with_embedding(of_level), level="peak"))
    assert not failing(toy(with_embedding(of_offset), level="mean_peak"))


@pytest.mark.parametrize("level", ["peak", "mean_peak"])
def test_levels_that_the_model_sets_itself_fail(level):
    found = failing(toy(level=level))
    assert list(found) == ["level"]
    assert "put level='none' in the spec" in found["level"]


def test_outputs_of_another_shape_fail_before_all_else():
    outputs = {"embedding": EncoderOutput("embedding", [7])}
    found = failing(toy(outputs=outputs, class_names=()))
    assert list(found) == ["runs"]
    assert "its spec says (2, 7)" in found["runs"]


def test_errors_of_a_function_are_said():
    def breaks(windows):
        raise RuntimeError("no such device")

    assert failing(toy(breaks)) == {"runs": "RuntimeError: no such device"}


def test_raises_or_warns_as_wanted():
    wrong = toy(level="peak")
    with pytest.raises(
        ValueError, match=r"toy fails 1 of 10 checks:\n  level: The mod"
    ):
        check_encoder(wrong)
    with pytest.warns(UserWarning, match="toy fails 1 of 10 checks"):
        table = check_encoder(wrong, on_fail="warn")
    assert (~table["passed"]).sum() == 1
    with pytest.raises(ValueError, match="on_fail"):
        check_encoder(wrong, on_fail="no")


# With recordings -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ((*NAMES[1:], "Noise"), "one class later"),
        (("Noise", *NAMES[:-1]), "one class earlier"),
        ((NAMES[2], NAMES[3], NAMES[0], NAMES[1]), "Only 0 of 28 known calls land"),
    ],
)
def test_names_in_another_order_fail(frogs, names, message):
    found = failing(toy(class_names=names), frogs)
    assert message in found["known calls"]


def test_names_that_fit_in_alphabetic_order_are_said(frogs):
    def alphabetic(windows):
        order = np.argsort(NAMES)
        return hear(windows) | {"scores": hear(windows)["scores"][:, order]}

    names = (NAMES[1], NAMES[3], NAMES[0], NAMES[2])
    found = failing(toy(alphabetic, class_names=names), frogs)
    assert "in the alphabetic order of the names" in found["known calls"]


def test_a_normalization_that_is_missing_fails_by_known_calls(frogs):
    def needs_levels(windows):
        peak = np.abs(windows).max(axis=1, keepdims=True)
        bands = spectrum(windows) * np.where(np.abs(peak - 0.25) < 0.01, 1, -1)
        return {"embedding": np.abs(bands), "scores": scores_of(bands)}

    found = failing(toy(needs_levels), frogs)
    assert "better with level='peak'" in found["known spec"]
    assert "28 rank" not in found["known spec"]  # 24 are tried
    assert not failing(toy(needs_levels, level="peak"), frogs).keys() & {"known spec"}


def test_a_wrong_sample_rate_fails_by_known_calls(frogs):
    spec = toy().spec
    wrong = toy().with_spec(replace(spec, sample_rate=16_000, window_s=0.5))
    found = failing(wrong, frogs)
    assert "known calls" in found or "known spec" in found


def test_recordings_must_say_what_they_are_of(frogs):
    with pytest.raises(ValueError, match="no column 'species'"):
        check_encoder(toy(), frogs[["path"]])
    with pytest.raises(ValueError, match=r"none is the same. Pass names="):
        check_encoder(toy(), frogs.assign(species="amerob"))
    only = {"embedding": toy().spec.outputs["embedding"]}
    with pytest.raises(ValueError, match="leave recordings out"):
        check_encoder(toy(outputs=only, class_names=()), frogs)


def test_codes_are_translated_and_others_left_out(frogs):
    codes = {name.split()[0].lower(): name for name in NAMES}
    named = frogs.assign(species=frogs["species"].str.split().str[0].str.lower())
    named.loc[0, "species"] = None
    assert not failing(toy(), named, names=codes)
    labeled = frogs.rename(columns={"species": "primary_label"})
    assert not failing(toy(), labeled)


def test_the_same_embedding_for_real_recordings_fails(frogs):
    def hears_only_tones(windows):
        tonal = spectrum(windows).max(axis=1) > 2
        return spectrum(windows) if tonal.any() else np.ones((len(windows), 24))

    assert "recordings" in failing(toy(with_embedding(hears_only_tones)), frogs)


# Real models ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def birdnet():
    pytest.importorskip("ai_edge_litert")
    try:
        return load_encoder("birdnet-2.4", download=False)
    except FileNotFoundError as exc:
        pytest.skip(str(exc))


@pytest.mark.slow
def test_birdnet_passes_and_a_wrong_normalization_of_it_fails(birdnet):
    assert not failing(birdnet)
    wrong = birdnet.with_spec(replace(birdnet.spec, level="mean_peak"))
    passed, detail = check_level(wrong)
    assert not passed
    assert "The model levels windows itself" in detail
    assert "put level='none' in the spec" in detail


@pytest.mark.slow
@pytest.mark.skipif(
    not FOLDER.is_dir(), reason="SKBIRD_DATA names no folder with xc_california/"
)
def test_known_calls_tell_the_spec_of_birdnet_from_wrong_ones(birdnet, monkeypatch):
    rows = pd.read_csv(FOLDER / "metadata.csv")[["path", "primary_label"]]
    rows["path"] = [str(FOLDER / path) for path in rows["path"]]
    rows = rows.groupby("primary_label").head(2)[:16]
    spec, names = birdnet.spec, birdnet.class_names
    known = KnownCalls.read(rows, birdnet)
    assert check_known_calls(birdnet, known)[0]
    late = birdnet.with_spec(replace(spec, class_names=("nothing", *names[:-1])))
    passed, detail = check_known_calls(late, KnownCalls.read(rows, late))
    assert not passed
    assert "one class earlier" in detail
    monkeypatch.setattr(_known_calls, "_RATES", (48_000,))
    assert check_known_spec(birdnet, known)[0]
    half = birdnet.with_spec(replace(spec, sample_rate=24_000, window_s=6.0))
    passed, detail = check_known_spec(half, known)
    assert not passed
    assert "better with sample_rate=48000 and window_s=3" in detail


@pytest.mark.slow
def test_yamnet_passes():
    pytest.importorskip("onnxruntime")
    try:
        yamnet = load_encoder("yamnet", download=False)
    except FileNotFoundError as exc:
        pytest.skip(str(exc))
    assert not failing(yamnet)


def test_threads_are_used_at_once():
    seen = set()

    def notes_threads(windows):
        seen.add(threading.get_ident())
        time.sleep(0.001)
        return hear(windows)

    assert not failing(toy(notes_threads))
    assert len(seen) > 1
