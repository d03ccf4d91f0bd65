"""Networks that learn what a pretrained model hears, and the files of their weights."""

import io
import json
import logging
import pickle
import warnings
from contextlib import redirect_stderr

import numpy as np
import pandas as pd
import pytest
import soundfile
import torch
from click.testing import CliRunner
from safetensors.torch import load_file, save_file
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from tiny_backbone import TINY as BACKBONE
from tiny_cnn import TinyBackbone
from tiny_encoder import write_encoder
from toy_encoder import OUTPUTS, Counting, hear, quiet, toy, toy_spec

from skbird.cli._app import app
from skbird.data import SegmentGrid, SpectrogramFormat, Spectrograms
from skbird.encoders import EmbeddingEncoder, Windows, load_encoder
from skbird.inference import compile_pipeline, load_model, save_model
from skbird.nn import (
    CNNClassifier,
    CosineLoss,
    EmbeddingDistillation,
    RecipeCallback,
    SEDClassifier,
)
from skbird.nn._lessons import Lessons
from skbird.nn._weights_origin import origin_of
from skbird.preprocessing import LogMel, Resampler, Segmenter

RATE = 8000
TINY = {"backbone_weights": None, "verbose": 0, "random_state": 0, "batch_size": 16}


def student(teacher=None, **options):
    options = {**TINY, "backbone": BACKBONE, "max_epochs": 1, **options}
    return EmbeddingDistillation(toy() if teacher is None else teacher, **options)


def small(**options):
    return CNNClassifier(BACKBONE, **{**TINY, "max_epochs": 1, **options})


def front_end(n_mels=32):
    mel = LogMel(n_mels=n_mels, n_fft=512, hop_length=256, n_jobs=1, verbose=0)
    return make_pipeline(Resampler(RATE), Segmenter(1.5, overlap=0.5), mel)


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    """Tones of 2.5 s at about the pitches of the toy's species, in a little noise."""
    folder = tmp_path_factory.mktemp("tones")
    rng = np.random.default_rng(0)
    time = np.arange(RATE * 5 // 2) / RATE
    paths = []
    for number, hz in enumerate(np.resize([300.0, 600.0, 1200.0, 2400.0], 40)):
        hz *= rng.uniform(0.98, 1.02)
        sound = 0.3 * np.sin(2 * np.pi * hz * time)
        paths.append(str(folder / f"{number}.wav"))
        soundfile.write(paths[-1], sound + 0.01 * rng.normal(size=len(time)), RATE)
    return paths


@pytest.fixture(scope="module")
def X(recordings):
    return front_end().fit_transform(recordings)


@pytest.fixture(scope="module")
def Y():
    return np.eye(2)[np.arange(40) % 2]


@pytest.fixture(scope="module")
def taught(X):
    masks = ("time_mask", "frequency_mask", "erasing")
    seen = {f"callbacks__{name}": None for name in masks}  # it is the pitch that counts
    return student(max_epochs=8, lr=1e-2, batch_size=8, **seen).fit(X[:30])


@pytest.fixture(scope="module")
def weights(taught, tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "toy.safetensors"
    taught.save_weights(path, license="CC BY-NC-SA 4.0")
    return path


# What is learnt -----------------------------------------------------------------------


def test_embeddings_of_held_out_sounds_come_nearer_to_the_teachers(X, taught):
    before = student(lr=1e-12).fit(X[:30])
    assert taught.score(X[30:]) > before.score(X[30:]) + 0.3
    assert taught.embed(X).shape == (40, TinyBackbone.num_features)
    losses = taught.history_["train_loss"]
    assert losses.iloc[-1] < losses.iloc[0]


def test_scores_of_the_teacher_can_be_learnt_beside(X):
    net = student(score_weight=1.0, max_epochs=2).fit(X)
    assert net.module_.classifier.out_features == 24 + 4  # all classes are heard
    assert net.score(X) <= 1
    spec = toy_spec(outputs={"embedding": OUTPUTS["embedding"]}, class_names=())
    without = student(load_encoder(hear, spec), score_weight=1.0)
    with pytest.raises(ValueError, match="output='scores' is none of toy"):
        without.fit(X)


def test_classes_that_the_teacher_never_hears_teach_nothing(X):
    def deaf(windows):
        scores = hear(windows)["scores"]
        scores[:, 1:3] = -9
        return {"embedding": hear(windows)["embedding"], "scores": scores}

    net = student(toy(deaf), score_weight=1.0).fit(X)
    assert net.module_.classifier.out_features == 24 + 2
    silent = toy(lambda w: {**hear(w), "scores": np.full((len(w), 4), -9)})
    with pytest.warns(UserWarning, match="none of its 4 classes"):
        student(silent, score_weight=1.0).fit(X)


def test_rows_tables_and_spectrograms_are_the_same_to_the_teacher(recordings, X):
    given = EmbeddingEncoder(toy(), output="windows", verbose=0).transform(recordings)
    heard, by_hand = student().fit(X), student().fit(X, given)
    np.testing.assert_allclose(heard.embed(X), by_hand.embed(X), atol=1e-6)
    cut = make_pipeline(*front_end()[:-1]).fit_transform(recordings)
    net = student().fit(cut)
    assert net.format_.n_mels == 128
    assert net.score(cut) == pytest.approx(net.score(cut[:], given), abs=1e-5)
    assert student().fit(recordings[:4]).format_.grid.segment_s == 5.0


def test_the_teacher_hears_each_window_once(X, tmp_path):
    counting = Counting()
    net = student(toy(counting), cache_dir=tmp_path)
    net.fit(X)
    n = counting.n
    assert n == 40 * 3  # windows of 1 s, the last of which ends with the row
    clone(net).set_params(lr=1e-4).fit(X)
    net.score(X)
    assert counting.n == n


def test_a_teacher_may_be_an_encoder_step_a_transformer_or_a_file(X, tmp_path):
    twice = student(quiet(toy(), step_s=0.5)).fit(X)
    assert twice.n_values_ == 24

    class Means:
        def transform(self, rows):
            return np.tile(np.arange(3.0), (len(rows), 1))

    assert student(Means()).fit(X).score(X) > 0
    path = write_encoder(tmp_path)
    net = student(str(path), cache_dir=tmp_path).fit(X)
    net.save_weights(tmp_path / "w.safetensors")
    origin = origin_of(tmp_path / "w.safetensors")
    assert origin.teacher["name"] == "toads"
    assert origin.teacher["sha256"] == load_encoder(path).identity
    assert origin.licenses == ["CC0"]


def test_a_pipeline_may_end_with_it(recordings):
    pipe = make_pipeline(*front_end(), student())
    assert pipe.fit(recordings).score(recordings) <= 1


# Time ---------------------------------------------------------------------------------


def test_a_stretch_is_the_mean_of_the_windows_that_overlap_it_by_how_long():
    windows = Windows.from_arrays([np.eye(4), np.full((2, 4), 7.0)], step_s=3.0)
    lessons = Lessons(windows)
    said = lessons.at(np.array([0, 0, 1]), np.array([2.5, 0.0, 5.0]), 5.0)
    np.testing.assert_allclose(said[0], [0.1, 0.6, 0.3, 0], atol=1e-6)
    np.testing.assert_allclose(said[1], [0.6, 0.4, 0, 0], atol=1e-6)
    np.testing.assert_allclose(said[2], 7)  # what lies behind the last is not there


def test_windows_that_are_not_finite_or_not_there_are_left_out():
    first = np.array([[1.0, 2.0], [np.nan, 1.0]])
    windows = Windows.from_arrays([first, np.empty((0, 2)), [[np.inf, 1.0]]])
    lessons = Lessons(windows)
    said = lessons.at(np.arange(3), np.zeros(3), 2.0)
    np.testing.assert_array_equal(said[0], [1, 2])
    assert np.isnan(said[1:]).all()
    assert lessons.known.tolist() == [True, False, True]


def test_what_all_rows_have_in_common_is_not_learnt(X):
    rng = np.random.default_rng(0)
    own, common = rng.normal(size=(40, 24)), 100 * rng.random(24)
    net = student().fit(X, own + common)
    np.testing.assert_allclose(net.embedding_mean_, (own + common).mean(axis=0), 1e-4)
    assert abs(net.score(X, own + common)) < 0.5  # the mean alone would have 0.99
    np.testing.assert_allclose(
        net.score(X, own + common), student().fit(X, own).score(X, own), atol=1e-2
    )


def test_the_mean_is_that_of_rows_and_there_is_none_of_one():
    long, short = [[0.0, 2.0], [1.0, 4.0]], [[0.0, 9.0]]
    windows = Windows.from_arrays([long, short, np.empty((0, 2))])
    np.testing.assert_array_equal(Lessons(windows).mean(), [0.25, 6.0])
    np.testing.assert_array_equal(Lessons(np.ones((1, 3))).mean(), np.zeros(3))


class Look(RecipeCallback):
    """Keeps where the segments of batches start, and what they are to give."""

    transient = ("seen_",)

    def on_train_begin(self, net, **kwargs):
        self.seen_ = []

    def on_batch_begin(self, net, batch=None, **kwargs):
        self.seen_ += zip(batch[0]["starts"].tolist(), batch[1].tolist(), strict=True)


def test_segments_that_are_moved_take_their_target_along():
    rows = pd.DataFrame({"path": ["a.wav"] * 40})
    frames = np.random.default_rng(0).normal(-60, 5, (65, 32)).astype(np.float16)
    format = SpectrogramFormat(tuple(range(32)), 1 / 16, SegmentGrid(1.0, 0.0))
    X = Spectrograms(rows, [frames] * 40, [65] * 40, format)  # of 4 s
    seconds = np.column_stack([np.arange(4.0), np.ones(4)])
    net = student(callbacks__shift__mode="crop", callbacks=[("look", Look())])
    net.fit(X, Windows.from_arrays([seconds] * 40))
    starts, said = zip(*dict(net.callbacks_)["look"].seen_, strict=True)
    moved = np.array(said)[:, 0] + net.embedding_mean_[0]
    np.testing.assert_allclose(moved, starts, atol=1e-5)
    assert len({start % 1 for start in starts}) > 4
    assert 0 <= min(starts) <= max(starts) <= 3


# Labels and embeddings in one training ------------------------------------------------


@pytest.mark.parametrize("make", [CNNClassifier, SEDClassifier])
def test_embeddings_can_be_learnt_beside_labels(X, Y, make):
    options = {**TINY, "max_epochs": 2, "lr": 3e-3}
    net = make(BACKBONE, **options, callbacks__distill__teacher=toy())
    net.set_params(callbacks__distill__weight=5.0, callbacks__average__decay=0.5)
    net.fit(X, Y)
    losses = net.history_["train_loss"]
    assert losses.iloc[0] > 4  # that of the embeddings is in it
    assert losses.iloc[-1] < losses.iloc[0] - 0.1
    plain = make(BACKBONE, **options).fit(X, Y)
    assert net.module_.state_dict().keys() == plain.module_.state_dict().keys()
    assert "features" not in vars(net.module_)
    assert len(net.optimizer_.param_groups) == len(plain.optimizer_.param_groups)
    again = pickle.loads(pickle.dumps(net))
    np.testing.assert_array_equal(again.predict_proba(X), net.predict_proba(X))


def test_rows_without_a_teachers_values_learn_labels_only(X, Y):
    def fitted(teacher, weight=1.0):
        net = small(callbacks__distill__teacher=teacher)
        return net.set_params(callbacks__distill__weight=weight).fit(X, Y)

    values = np.full((40, 3), np.nan)
    with pytest.warns(UserWarning, match="says nothing of any row: .* NaN throughout"):
        nothing = fitted(values).predict_proba(X)
    np.testing.assert_array_equal(nothing, fitted(values + 1, 7.0).predict_proba(X))
    values[:20] = np.random.default_rng(0).normal(size=(20, 3))
    net = fitted(values)
    assert np.isfinite(net.history_["train_loss"]).all()
    assert np.isfinite(net.predict_proba(X)).all()
    assert not np.array_equal(net.predict_proba(X), nothing)


def test_tables_tuples_and_arrays_teach_the_same(X, Y):
    values = np.random.default_rng(0).normal(size=(40, 3))
    frame = pd.DataFrame(values)
    net = small(callbacks__distill__weight=1.0)
    proba = [
        clone(net.set_params(callbacks__distill__teacher=teacher)).fit(X, Y)
        for teacher in (values, frame, tuple(map(tuple, values)))
    ]
    proba = [fitted.predict_proba(X) for fitted in proba]
    np.testing.assert_array_equal(proba[1], proba[0])
    np.testing.assert_array_equal(proba[2], proba[0])
    with pytest.raises(ValueError, match=r"teacher is a DataFrame.* as y of fit"):
        student(frame).fit(X)


def test_windows_of_nothing_are_warned_of(X):
    silent = Windows.from_arrays([np.full((3, 2), np.nan)] * 40)
    with pytest.warns(UserWarning, match="says nothing of any row"):
        student().fit(X, silent)


def test_a_teacher_that_no_checkpoint_can_tell_is_refused_before_it_hears(
    X, Y, tmp_path
):
    heard = []
    open_teacher = toy(lambda windows: heard.append(1) or hear(windows))
    step = FunctionTransformer(lambda rows: heard.append(1) or np.ones((len(rows), 2)))
    heard.clear()
    for teacher in open_teacher, step:
        net = student(teacher, checkpoint_dir=tmp_path)
        for start in net.check_early, lambda net=net: net.fit(X):
            with pytest.raises(ValueError, match=r"checkpoint_dir='.* which teacher"):
                start()
        net = small(callbacks__distill__teacher=teacher, checkpoint_dir=tmp_path)
        with pytest.raises(ValueError, match="which callbacks__distill__teacher"):
            net.check_input(32, 64)
    assert not heard


def test_switched_off_it_looks_for_no_teacher(X, Y):
    net = small(callbacks__distill__teacher="nowhere", callbacks__distill__weight=0.0)
    found = net.fit(X, Y).predict_proba(X)
    without = small(callbacks__distill=None).fit(X, Y).predict_proba(X)
    np.testing.assert_array_equal(found, without)


# Kills --------------------------------------------------------------------------------


class Kill(RecipeCallback):
    """Breaks the training off."""

    epoch = None  # no parameter: those belong to what is resumed

    def on_batch_begin(self, net, **kwargs):
        if len(net.history) == self.epoch:
            raise KeyboardInterrupt


def killed_and_resumed(net, monkeypatch, *data):
    """Fit a net, of which another process was killed in the second epoch."""
    net = net.set_params(callbacks=[("kill", Kill)])
    with monkeypatch.context() as patched:
        patched.setattr(Kill, "epoch", 2)
        with pytest.raises(KeyboardInterrupt):
            clone(net).fit(*data)
    return clone(net).fit(*data)


def test_killed_and_resumed_is_the_same_as_uninterrupted(X, tmp_path, monkeypatch):
    whole = student(max_epochs=3).fit(X)
    net = student(max_epochs=3, checkpoint_dir=tmp_path)
    resumed = killed_and_resumed(net, monkeypatch, X)
    np.testing.assert_array_equal(resumed.embed(X), whole.embed(X))
    assert len(resumed.history_) == 3


def test_training_goes_on_with_embeddings_beside_labels(X, Y, tmp_path, monkeypatch):
    options = {"max_epochs": 3, "callbacks__distill__teacher": toy()}
    options["callbacks__distill__weight"] = 1.0
    whole = small(**options).fit(X, Y)
    net = small(**options, checkpoint_dir=tmp_path)
    resumed = killed_and_resumed(net, monkeypatch, X, Y)
    np.testing.assert_array_equal(resumed.predict_proba(X), whole.predict_proba(X))


def test_a_warm_start_learns_embeddings_again(X, Y):
    net = small(callbacks__distill__teacher=np.ones((40, 3)), warm_start=True)
    net.set_params(callbacks__distill__weight=1.0).fit(X, Y)
    assert len(net.fit(X, Y).history_) == 2
    net = student(warm_start=True).fit(X, np.ones((40, 3)))
    with pytest.raises(ValueError, match="continues with 3 values"):
        net.fit(X, np.ones((40, 4)))


def test_another_teacher_is_another_training(X, tmp_path):
    net = student(checkpoint_dir=tmp_path)
    net.fit(X, np.ones((40, 3)))
    net.fit(X, np.zeros((40, 3)) + 2)
    assert len(list(tmp_path.glob("*.pt"))) == 2


def as_step(path):
    return make_pipeline(quiet(path))


@pytest.mark.parametrize("wrap", [str, as_step])
def test_another_file_of_the_teacher_is_another_training(X, Y, tmp_path, wrap):
    first, other = (500.0, 1500.0, 3000.0), (700.0, 1200.0, 2000.0)
    for n, tones in [(1, first), (1, first), (2, other)]:
        teacher = wrap(write_encoder(tmp_path, tones=tones))
        net = small(callbacks__distill__teacher=teacher, checkpoint_dir=tmp_path)
        net.set_params(callbacks__distill__weight=1.0).fit(X, Y)
        assert len(list(tmp_path.glob("*.pt"))) == n


def test_another_file_of_weights_is_another_training(X, Y, weights, tmp_path):
    free = student(random_state=1).fit(X)
    path, states = tmp_path / "start.safetensors", tmp_path / "states"
    net = small(backbone_weights=path, checkpoint_dir=states)

    def started_from(write):
        write(path)
        return clone(net).fit(X, Y)

    first = started_from(lambda path: path.write_bytes(weights.read_bytes()))
    other = started_from(lambda path: free.save_weights(path, license="CC0"))
    fresh = clone(net).set_params(checkpoint_dir=None).fit(X, Y)
    np.testing.assert_array_equal(other.predict_proba(X), fresh.predict_proba(X))
    assert not np.array_equal(other.predict_proba(X), first.predict_proba(X))
    assert (first.weights_license_, other.weights_license_) == (
        "CC BY-NC-SA 4.0",
        "CC0",
    )
    started_from(lambda path: None)
    assert len(list(states.glob("*.pt"))) == 2


def test_weights_of_the_module_parameter_count_too(X, Y, weights, tmp_path):
    net = small(module__backbone_weights=weights).fit(X, Y)
    assert net.weights_license_ == "CC BY-NC-SA 4.0"


# Files of weights ---------------------------------------------------------------------


class Said(logging.Handler):
    """Keeps what is logged as a warning."""

    def __init__(self):
        super().__init__(logging.WARNING)
        self.texts = []

    def emit(self, record):
        self.texts.append(record.getMessage())


@pytest.fixture(scope="module")
def of_timm(X, tmp_path_factory):
    """A network that timm makes, and the weights that it has learnt."""
    net = student(backbone="lcnet_035").fit(X[:8])
    path = tmp_path_factory.mktemp("weights") / "lcnet.safetensors"
    net.save_weights(path, license="CC0")
    return net, path


@pytest.mark.parametrize("make", [CNNClassifier, SEDClassifier])
def test_networks_start_from_the_weights(X, Y, of_timm, make):
    taught, weights = of_timm
    said = Said()
    logging.getLogger("timm").addHandler(said)
    options = {**TINY, "backbone_weights": weights, "max_epochs": 1, "lr": 1e-12}
    net = make("lcnet_035", **options).fit(X[:8], Y[:8])
    wanted = taught.module_.backbone.state_dict()
    found = net.module_.backbone.state_dict()
    assert wanted.keys() == found.keys()
    name = "conv_stem.weight"
    torch.testing.assert_close(found[name], wanted[name], atol=1e-6, rtol=0)
    logging.getLogger("timm").removeHandler(said)
    assert said.texts == []  # timm has nothing to warn of


def test_weights_say_what_they_are(weights, taught):
    origin = origin_of(weights)
    assert origin.backbone == BACKBONE
    assert origin.teacher == {"name": "toy", "version": "1", "sha256": None}
    assert origin.license == "CC BY-NC-SA 4.0"
    assert (origin.n_rows, origin.hours) == (30, round(taught.hours_, 3))
    assert origin.hours == pytest.approx(30 * 2.5 / 3600, abs=1e-3)
    assert origin.mel["segment_s"] == 1.5
    assert len(origin.mel["mel_hz"]) == 32
    assert load_file(weights).keys() == taught.module_.backbone.state_dict().keys()


def test_the_license_is_said_once_where_weights_are_written_and_read(
    X, Y, taught, tmp_path, capsys
):
    path = tmp_path / "once.safetensors"
    taught.save_weights(path, license="CC BY-NC-SA 4.0")
    said = capsys.readouterr().err
    assert "once.safetensors: distilled from toy; license" in said
    assert "CC BY-NC-SA 4.0" in said
    path = path.rename(tmp_path / "other.safetensors")
    with redirect_stderr(io.StringIO()):  # where nobody reads it
        small(backbone_weights=path).fit(X, Y)
    for _ in range(2):
        small(backbone_weights=path).fit(X, Y)
    assert capsys.readouterr().err.count("CC BY-NC-SA 4.0") == 1


def test_licenses_are_handed_on(X, weights, tmp_path):
    path = tmp_path / "second.safetensors"
    net = student(backbone_weights=weights).fit(X, np.ones((40, 3)))
    net.save_weights(path, license="Apache-2.0")
    assert origin_of(path).license == "Apache-2.0 and CC BY-NC-SA 4.0"


NC, FREE = "CC BY-NC-SA 4.0", "CC0"


def origin_said_by(net, folder, **options):
    net.save_weights(folder / "said.safetensors", **options)
    return origin_of(folder / "said.safetensors")


def test_what_was_learnt_from_stays_when_parameters_and_files_change(
    X, weights, tmp_path
):
    path = tmp_path / "start.safetensors"
    path.write_bytes(weights.read_bytes())
    net = student(toy(license=FREE), backbone_weights=path).fit(X)
    assert net.weights_license_ == f"{FREE} and {NC}"
    path.unlink()
    net = pickle.loads(pickle.dumps(net))
    net.set_params(teacher=toy(name="other"), backbone_weights=None, backbone="other")
    origin = origin_said_by(net, tmp_path)
    assert origin.licenses == [FREE, NC]
    assert (origin.teacher["name"], origin.backbone) == ("toy", BACKBONE)
    assert origin_said_by(net, tmp_path, license="CC BY 4.0").licenses == [
        "CC BY 4.0",
        NC,
    ]


def test_a_warm_start_adds_teachers(X, tmp_path):
    net = student(toy(license=NC), warm_start=True).fit(X)
    for _ in range(2):
        net.set_params(teacher=toy(name="free", license=FREE)).fit(X)
    origin = origin_said_by(net, tmp_path)
    assert (origin.licenses, origin.teacher) == ([NC, FREE], {"name": "toy and free"})
    assert net.set_params(warm_start=False).fit(X).weights_license_ == FREE


def test_terms_that_are_not_known_are_handed_on(X, tmp_path):
    path = tmp_path / "unknown.safetensors"
    student().fit(X, np.ones((40, 3))).save_weights(path)
    assert origin_of(path).license == "none stated"
    net = student(toy(license=FREE), backbone_weights=path).fit(X)
    assert origin_said_by(net, tmp_path).license == f"{FREE} and none stated"


def test_networks_taught_beside_labels_have_the_license_of_the_teacher(
    recordings, X, Y, tmp_path
):
    step = quiet(toy(license=NC), output="windows")
    net = small(callbacks__distill__weight=1.0, checkpoint_dir=tmp_path)
    teachers = [
        (toy(license=NC), NC),
        (make_pipeline(step).fit(recordings), NC),
        (step.transform(recordings)[:], NC),
        (toy(), "none stated"),
        (np.ones((40, 3)), "none stated"),
    ]
    for teacher, license in teachers:
        net.set_params(callbacks__distill__teacher=teacher)
        assert clone(net).fit(X, Y).weights_license_ == license
    again = clone(net).set_params(callbacks__distill__teacher=teachers[0][0])
    assert again.fit(X, Y).teachers_ == [toy(license=NC).origin]  # not trained again
    assert len(list(tmp_path.glob("*.pt"))) == len(teachers)


def test_teachers_in_pipelines_and_windows_are_looked_through(recordings, X, tmp_path):
    step = quiet(toy(license=NC), output="windows")
    windows = step.transform(recordings)
    for net in student(make_pipeline(step)).fit(X), student().fit(X, windows):
        origin = origin_said_by(net, tmp_path)
        assert (origin.license, origin.teacher["name"]) == (NC, "toy")


@pytest.mark.slow
def test_compiled_networks_have_the_license_of_the_teacher(recordings, Y):
    taught = small(callbacks__distill__teacher=toy(license=NC))
    taught.set_params(callbacks__distill__weight=1.0)
    pipe = make_pipeline(*front_end(), taught).fit(recordings, Y)
    compiled = compile_pipeline(pipe, backend="torch")
    assert compiled.network.weights_license == NC


@pytest.mark.slow
def test_models_tell_the_license_of_distilled_weights(recordings, Y, weights, tmp_path):
    pipe = make_pipeline(*front_end(), small(backbone_weights=weights))
    pipe.fit(recordings, Y)
    assert pipe[-1].weights_license_ == "CC BY-NC-SA 4.0"
    path = tmp_path / "birds.skbird"
    save_model(compile_pipeline(pipe, backend="onnxruntime"), path, license="CC0")
    assert load_model(path).network.weights_license == "CC BY-NC-SA 4.0"
    said = CliRunner().invoke(app, ["models", "info", str(path)]).output
    assert "license:      CC0" in said
    assert "distilled weights; license that holds for them: CC BY-NC-SA 4.0" in said
    said = CliRunner().invoke(app, ["models", "info", str(path), "--json"]).output
    assert json.loads(said)["weights_licenses"] == ["CC BY-NC-SA 4.0"]


def test_other_spectrograms_than_those_distilled_with_are_warned_of(
    recordings, X, Y, weights
):
    other = front_end(n_mels=40).fit_transform(recordings)
    with pytest.warns(UserWarning, match=r"toy\.safetensors was distilled .* mel_hz"):
        small(backbone_weights=weights).fit(other, Y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        small(backbone_weights=weights).fit(X, Y)
        small(backbone_weights=weights).check_input(32, 64)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("licenses", "CC0", "licenses is no list"),
        ("licenses", {"CC0": 1}, "licenses is no list"),
        ("licenses", [1], "licenses is no list of texts"),
        ("teacher", {"name": {"a": 1}}, "teacher has no name"),
        ("mel", [], "mel is no table"),
        ("hours", "x", "hours is no number"),
        ("n_rows", None, "n_rows is no whole number"),
    ],
)
def test_the_field_of_changed_notes_is_named(weights, tmp_path, name, value, message):
    path = tmp_path / "changed.safetensors"
    notes = {**vars(origin_of(weights)), name: value}
    save_file(load_file(weights), path, {"skbird": json.dumps(notes)})
    with pytest.raises(ValueError, match=rf"changed\.safetensors' says .*{message}"):
        small(backbone_weights=path).check_input(32, 64)


def test_axes_beyond_all_numbers_are_other_axes(X, Y, weights, tmp_path):
    path = tmp_path / "huge.safetensors"
    notes = vars(origin_of(weights))
    notes = {**notes, "mel": {**notes["mel"], "frame_s": 10**400}}
    save_file(load_file(weights), path, {"skbird": json.dumps(notes)})
    with pytest.warns(UserWarning, match=r"huge\.safetensors was .* differ in frame_s"):
        small(backbone_weights=path).fit(X, Y)


def test_changed_notes_are_refused(weights, tmp_path):
    for number, notes in enumerate(["[1]", "{", '{"backbone": 3}', "[" * 5000]):
        path = tmp_path / f"{number}.safetensors"
        save_file(load_file(weights), path, {"skbird": notes})
        with pytest.raises(ValueError, match="says of its origin cannot be read"):
            small(backbone_weights=path).check_input(32, 64)
    save_file(load_file(weights), path, {"other": json.dumps({})})
    assert origin_of(path) is None


# Faults -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "y", "message"),
    [
        ({}, np.ones((3, 2)), "y has 3 rows, but X has 40"),
        ({}, np.ones(40), r"y has shape \(40,\)"),
        ({}, np.full((40, 2), np.nan), "nothing to train on"),
        ({"score_weight": 1.0}, np.ones((40, 2)), "score_weight=1 needs a teacher"),
        ({"score_weight": -1.0}, None, "score_weight"),
        ({"teacher": "nowhere"}, None, "nowhere"),
        ({"warm_start": True, "score_weight": 1.0}, None, "warm_start=True"),
    ],
)
def test_what_is_wrong_is_said(X, options, y, message):
    with pytest.raises(ValueError, match=message):
        student().set_params(**options).fit(X, y)


def test_files_of_weights_have_their_ending(taught, tmp_path):
    with pytest.raises(ValueError, match=r"must end in \.safetensors"):
        taught.save_weights(tmp_path / "weights.pt")
    with pytest.raises(TypeError, match="license=3 must be a text"):
        taught.save_weights(tmp_path / "weights.safetensors", license=3)


def test_rows_that_cannot_be_read_are_left_out(recordings, tmp_path):
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"RIFF")
    rows = [*recordings[:6], str(broken)]
    with pytest.warns(UserWarning, match="1 of 7 rows cannot be used"):
        net = student(on_error="skip").fit(rows)
    assert net.n_rows_ == 6


def test_the_cosine_loss_counts_rows_that_have_a_direction():
    target = torch.tensor([[1.0, 0], [0, 0], [torch.nan, 1]])
    said = torch.tensor([[0.0, 2], [1, 1], [1, 1]], requires_grad=True)
    loss = CosineLoss()(said, target)
    loss.backward()
    assert loss.item() == pytest.approx(1)
    assert torch.isfinite(said.grad).all()
    assert CosineLoss()(said[1:], target[1:]).item() == 0


def test_the_command_line_writes_weights(recordings, tmp_path):
    teacher = write_encoder(tmp_path)
    out = tmp_path / "weights.safetensors"
    arguments = [
        "distill",
        *recordings[:4],
        "--teacher",
        str(teacher),
        "--out",
        str(out),
    ]
    arguments += ["--backbone", BACKBONE, "--backbone-weights", "none"]
    arguments += ["--epochs", "1", "--segments-per-row", "1"]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert "Wrote" in result.output
    assert origin_of(out).n_rows == 4
    again = CliRunner().invoke(app, arguments)
    assert again.exit_code == 2
    assert "is there already" in again.output
