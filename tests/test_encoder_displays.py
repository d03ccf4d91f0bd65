"""Displays and pages of models that are made of a pretrained one."""

import re

import numpy as np
import pandas as pd
import pytest
import soundfile
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skbird.encoders import (
    EmbeddingEncoder,
    EncoderOutput,
    EncoderSpec,
    PretrainedScores,
    load_encoder,
)
from skbird.inspection import (
    EmbeddingMapDisplay,
    GradCAMDisplay,
    SpectrogramDisplay,
    explanation_report,
)
from skbird.preprocessing import RMSFilter
from skbird.reports import describe_errors

plt = pytest.importorskip("matplotlib.pyplot")
RATE = 8000
SPECIES = "Bufo bufo", "Rana arvalis"
TONES = 500.0, 1500.0


def _toads(windows):
    """Return the levels of two tones, and scores that rise with them."""
    n = windows.shape[1]
    spectrum = np.abs(np.fft.rfft(windows, axis=1)) * 2 / n
    level = spectrum[:, [round(hz * n / RATE) for hz in TONES]]
    return {"embedding": level, "scores": 1 / (1 + np.exp(3 - 60 * level))}


def toads(**changes):
    outputs = {
        "embedding": EncoderOutput("levels", [2]),
        "scores": EncoderOutput("scores", [2]),
    }
    fields = {"outputs": outputs, "class_names": SPECIES} | changes
    return load_encoder(_toads, EncoderSpec("toads", "1", RATE, 1.0, **fields))


@pytest.fixture(scope="module")
def encoder():
    return toads()


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    """Twenty-four recordings of 2.5 s, each with the tone of a species."""
    folder = tmp_path_factory.mktemp("toads")
    rng = np.random.default_rng(0)
    time_s = np.arange(round(2.5 * RATE)) / RATE
    files = []
    for number in range(24):
        tone = np.sin(2 * np.pi * TONES[number % 2] * time_s)
        sound = rng.uniform(0.1, 0.3) * tone + rng.normal(0, 0.01, len(time_s))
        files.append(str(folder / f"{number}.wav"))
        soundfile.write(files[-1], sound, RATE)
    Y = pd.DataFrame(np.eye(2)[np.arange(24) % 2], columns=list(SPECIES))
    return pd.DataFrame({"path": files}), Y


@pytest.fixture(scope="module")
def models(encoder, rows):
    """Fitted models with a pretrained one in them."""
    X, Y = rows
    step = EmbeddingEncoder(encoder, verbose=0)
    probe = make_pipeline(step, StandardScaler(), KNeighborsClassifier(1)).fit(X, Y)
    search = GridSearchCV(probe, {"kneighborsclassifier__n_neighbors": [1]}, cv=2)
    windows = EmbeddingEncoder(encoder, output="windows", verbose=0)
    return {
        "step": step,
        "probe": probe,
        "search": search.fit(X, Y),
        "windows": windows,
        "scores": PretrainedScores(encoder, verbose=0).fit(X, Y),
    }


def test_maps_show_the_embeddings_of_any_model_with_an_encoder(encoder, models, rows):
    X, _ = rows
    expected = EmbeddingEncoder(encoder, verbose=0).transform(X)
    options = {"random_state": 0}
    toads, frogs = X[::2], X[1::2]
    arrays = EmbeddingMapDisplay.from_embeddings(
        expected[::2], expected[1::2], **options
    )
    assert arrays.separability > 0.99
    for name, model in models.items():
        display = EmbeddingMapDisplay.from_estimator(model, toads, frogs, **options)
        np.testing.assert_allclose(
            display.train_points, arrays.train_points, atol=1e-5, err_msg=name
        )
    windows = models["windows"].transform(X)
    same = EmbeddingMapDisplay.from_embeddings(windows[::2], windows[1::2], **options)
    np.testing.assert_allclose(same.train_points, arrays.train_points, atol=1e-5)
    plt.close("all")


def test_maps_leave_out_rows_that_cannot_be_read(encoder, rows, tmp_path):
    X, _ = rows
    (tmp_path / "bad.wav").write_bytes(b"RIFF")
    worse = pd.concat([X, pd.DataFrame({"path": [str(tmp_path / "bad.wav")]})])
    step = EmbeddingEncoder(encoder, on_error="skip", verbose=0)
    with pytest.warns(UserWarning, match="1 of 25 rows cannot be used"):
        display = EmbeddingMapDisplay.from_estimator(step, worse, X)
    assert len(display.train_points) == len(display.soundscape_points) == 24
    plt.close("all")


def test_maps_need_embeddings(rows):
    X, Y = rows
    outputs = {"scores": EncoderOutput("scores", [2])}
    model = PretrainedScores(toads(outputs=outputs), verbose=0).fit(X, Y)
    with pytest.raises(ValueError, match="output='embedding' is none of toads"):
        EmbeddingMapDisplay.from_estimator(model, X, X)


def test_a_pretrained_model_has_no_layers_to_look_into(models, rows):
    X, _ = rows
    boxes = pd.DataFrame({"path": X["path"], "start": 0.0, "end": 1.0})
    boxes = boxes.assign(species=SPECIES[0], low_hz=0.0, high_hz=1000.0)
    for name in ("probe", "search", "scores"):
        with pytest.raises(TypeError, match="a pretrained model has no layers"):
            GradCAMDisplay.from_estimator(models[name], X)
        with pytest.raises(TypeError, match="a pretrained model has no layers"):
            explanation_report(models[name], X, boxes)


# Pages ----------------------------------------------------------------------


def _run(*arguments):
    from click.testing import CliRunner

    from skbird.cli._app import app

    result = CliRunner().invoke(app, [*map(str, arguments)], prog_name="skbird")
    return result.exit_code, result.output


@pytest.fixture
def known_toads(tmp_path, monkeypatch):
    """Let skbird know a small pretrained model by its name."""
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")

    from tiny_encoder import write_encoder

    from skbird.encoders._spec_files import known_specs

    (tmp_path / "models" / "toads").mkdir(parents=True)
    monkeypatch.setenv("SKBIRD_ENCODERS", str(tmp_path / "models"))
    path = write_encoder(tmp_path / "models" / "toads")
    encoder = load_encoder(path, runtime="onnxruntime")
    monkeypatch.setitem(known_specs(), "toads", encoder.spec)
    return encoder


def _model_file(kind, encoder, X, Y, folder):
    """Return a name, or the path of a model of some kind, and what goes with it."""
    import pickle

    from skbird.encoders import AttentionProbe, ProbeClassifier
    from skbird.inference import compile_pipeline, save_model

    if kind == "name":
        return ["toads"]
    step = EmbeddingEncoder(encoder, verbose=0)
    model = make_pipeline(step, ProbeClassifier()).fit(X, Y)
    if kind == "scores.skbird":
        model = PretrainedScores(encoder, verbose=0).fit(X, Y)
    if kind == "attention.pkl":
        windows = EmbeddingEncoder(encoder, output="windows", verbose=0)
        model = make_pipeline(windows, AttentionProbe(max_iter=5)).fit(X, Y)
    if kind.endswith(".pkl"):
        (folder / kind).write_bytes(pickle.dumps(model))
        return [folder / kind, "--trust-pickle"]
    save_model(compile_pipeline(model), folder / kind)
    return [folder / kind]


@pytest.mark.parametrize(
    "kind", ["name", "probe.pkl", "attention.pkl", "probe.skbird", "scores.skbird"]
)
def test_pages_of_models_with_an_encoder(kind, known_toads, rows, tmp_path):
    X, Y = rows
    (tmp_path / "bad.wav").write_bytes(b"RIFF")
    labels = Y.idxmax(axis=1).to_list()
    labels[0] = SPECIES[1]  # an error to be shown
    table = pd.DataFrame({"path": X["path"], "species": labels})
    table.loc[len(table)] = [str(tmp_path / "bad.wav"), SPECIES[0]]
    table.to_csv(tmp_path / "rows.csv", index=False)
    model, *options = _model_file(kind, known_toads, X, Y, tmp_path)
    page = tmp_path / "errors.html"
    code, text = _run("report", model, tmp_path / "rows.csv", "--out", page, *options)
    assert code == 3, text  # one recording was left out
    html = page.read_text()
    assert "0.wav, 0.0 to 2.5 s" in html
    assert len(re.findall(r'data-store="\S*image"', html)) == 2  # spectrograms
    assert ">rows not read</dt><dd>1</dd>" in html.replace("\n", "")
    if kind == "name":
        code, text = _run("evaluate", model, tmp_path / "rows.csv", *options)
        assert code == 3, text
        assert "Macro ROC-AUC" in text


@pytest.mark.parametrize("kind", ["name", "probe.pkl"])
def test_grad_cam_of_a_pretrained_model_is_refused(kind, known_toads, rows, tmp_path):
    pytest.importorskip("captum")
    X, Y = rows
    model, *options = _model_file(kind, known_toads, X, Y, tmp_path)
    page = tmp_path / "errors.html"
    code, text = _run("report", model, tmp_path, "--out", page, "--grad-cam", *options)
    assert code == 2
    assert "a pretrained model has no layers to look into" in text


def test_species_with_errors_come_first_in_long_tables():
    names = [f"species {number}" for number in range(1001)]
    Y = pd.DataFrame(0, index=range(3), columns=names)
    Y.iloc[0, 1000] = 1
    proba = np.zeros(Y.shape)
    proba[2, 999] = 0.9
    table = describe_errors(None, Y, proba).tables["species"]
    assert table["species"].head(3).tolist() == [names[999], names[1000], names[0]]
    assert len(table) == 1001


def test_species_that_a_model_does_not_know_are_named_on_the_page(tmp_path):
    rng = np.random.default_rng(0)
    Y = pd.DataFrame(rng.integers(0, 2, (20, 3)), columns=list("abc"))
    proba = rng.random((20, 3))
    proba[:, 1] = np.nan
    proba[3] = np.nan
    options = {"threshold": [0.9, 0.5, 0.1], "train_predictions": (Y, proba)}
    report = describe_errors(None, Y, proba, **options)
    html = report.to_html(tmp_path / "page.html").read_text()
    assert "<dt>species without scores</dt><dd>b</dd>" in html
    assert "<dt>rows not read</dt><dd>1</dd>" in html
    errors = report.tables["errors"]
    assert set(errors["species"]) == {"a", "c"}
    kept = Y[["a", "c"]], proba[:, [0, 2]]
    same = describe_errors(None, *kept, threshold=[0.9, 0.1]).tables["errors"]
    pd.testing.assert_frame_equal(errors, same)
    numbered = describe_errors(
        None, Y.to_numpy(), proba, threshold=options["threshold"]
    )
    assert set(numbered.tables["errors"]["species"]) == {0, 2}


def test_windows_of_a_pretrained_model_are_drawn(encoder, models, rows):
    X, _ = rows
    step = EmbeddingEncoder(encoder, step_s=0.5, verbose=0)
    display = SpectrogramDisplay.from_estimator(make_pipeline(RMSFilter(), step), X)
    assert display.segment_s == 1.0
    assert list(display.segment_starts) == pytest.approx([0, 0.5, 1, 1.5], abs=0.03)
    assert len(display.traces) == 1
    scores = SpectrogramDisplay.from_estimator(models["scores"], X)
    assert list(scores.segment_starts) == pytest.approx([0, 1, 1.5], abs=0.03)
    sparse = EmbeddingEncoder(encoder, step_s=2.0)
    with pytest.raises(TypeError, match="without gaps between its windows"):
        SpectrogramDisplay.from_estimator(sparse, X)
    plt.close("all")
