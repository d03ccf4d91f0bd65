"""Model files: what is written comes back, and nothing else gets in."""

import copy
import functools
import importlib
import inspect
import json
import os
import pickle
import pkgutil
import re
import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import RATE, livened
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.utils._param_validation import Interval

pytest.importorskip("onnxscript")
pytest.importorskip("onnx")
pytest.importorskip("openvino")
import onnx
from tiny_cnn import TinyCNN
from tiny_network import MEL, NETWORK, make_tiny_onnx

import skbird
import skbird.nn
from skbird.compose import CallTypeClassifier
from skbird.data import segment_table
from skbird.ensemble import FoldEnsemble, MultilabelVotingClassifier, SeedEnsemble
from skbird.inference import (
    CompiledNetwork,
    ModelFileError,
    _program_limits,
    compile_pipeline,
    load_model,
    save_model,
    trained_on,
)
from skbird.inference import _compile as compile_module
from skbird.inference._description import build
from skbird.inference._engines import OnnxRuntimeEngine
from skbird.inference._fields import FieldError, Number
from skbird.inference._model_archive import ModelArchive
from skbird.inference._model_parts import PARTS
from skbird.inference._programs import check_program
from skbird.inference._trained_on import describe_rows
from skbird.nn import CNNClassifier
from skbird.postprocessing import (
    ConformalClassifier,
    MultilabelCalibrator,
    SoundscapeReweighter,
    SoundscapeReweighterCV,
    ThresholdTuner,
)
from skbird.preprocessing import (
    BandPass,
    LogMel,
    Resampler,
    RMSFilter,
    Segmenter,
    VADFilter,
)
from skbird.semi_supervised import PseudoLabelSelfTraining


@pytest.fixture(scope="module")
def X_and_Y(bird_folder):
    return bird_folder, pd.get_dummies(bird_folder["species"]).astype(np.float32)


@pytest.fixture(scope="module")
def compiled(X_and_Y):
    model = make_pipeline(
        Resampler(RATE),
        BandPass(100, 7000),
        Segmenter(1.0),
        VADFilter(threshold={"XC": 0.7, "default": 0.5}),
        LogMel(32, verbose=0),
        CNNClassifier(module=TinyCNN, backbone_weights=None, max_epochs=1, verbose=0),
    ).fit(*X_and_Y)
    livened(model)
    reweighter = SoundscapeReweighter(FrozenEstimator(model)).fit(*X_and_Y)
    return compile_pipeline(reweighter, precision="float32")


@pytest.fixture(scope="module")
def saved(compiled, X_and_Y, tmp_path_factory):
    path = tmp_path_factory.mktemp("saved") / "birds.skbird"
    notes = {"metrics": {"macro_roc_auc": 0.9}, "license": "CC BY 4.0", "notes": "λ"}
    save_model(compiled, path, data=X_and_Y[0], **notes)
    return path.read_bytes()


@pytest.fixture
def path(saved, tmp_path):
    path = tmp_path / "birds.skbird"
    path.write_bytes(saved)
    return path


def edit(path, member, change, packing=zipfile.ZIP_STORED):
    """Change a member of a zip file."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    members[member] = change(members.get(member, b""))
    with zipfile.ZipFile(path, "w", packing) as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def edit_about(path, **values):
    edit(path, "skbird.json", lambda text: json.dumps(json.loads(text) | values))


@pytest.mark.slow
def test_comes_back_with_what_is_known_of_it(path, compiled, X_and_Y):
    model = load_model(path)
    X, _ = X_and_Y
    np.testing.assert_allclose(
        model.predict_proba(X), compiled.predict_proba(X), atol=1e-4
    )
    assert model.about_["species"] == ["dove", "wren"]
    assert model.about_["metrics"] == {"macro_roc_auc": 0.9}
    assert model.about_["license"] == "CC BY 4.0"
    assert model.about_["notes"] == "λ"
    assert model.about_["data"]["n_rows"] == 12
    assert "threshold={'XC': 0.7" in model.about_["model"]
    assert len(model.about_["model"]) < 5000  # no weights


def test_networks_print_how_long_their_programs_are(path, compiled):
    for model in (compiled, load_model(path)):
        program = model.estimator_.network.program
        assert repr(program) == f"<{len(program)} bytes>"


@pytest.mark.slow
def test_loads_where_there_is_no_torch(path, X_and_Y, compiled, tmp_path):
    X, _ = X_and_Y
    X.to_csv(tmp_path / "rows.csv")
    np.save(tmp_path / "proba.npy", compiled.predict_proba(X))
    code = (
        "import sys, numpy as np, pandas as pd\n"
        "class NoTorch:\n"
        "    def find_spec(self, name, *args):\n"
        "        if name in ('torch', 'skorch', 'timm', 'torchaudio'):\n"
        "            raise ImportError(name)\n"
        "sys.meta_path.insert(0, NoTorch())\n"
        "from skbird.inference import load_model\n"
        "proba = load_model('birds.skbird').predict_proba(pd.read_csv('rows.csv'))\n"
        "np.testing.assert_allclose(proba, np.load('proba.npy'), atol=1e-4)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)


@pytest.mark.slow
def test_threads_may_load_one_file_at_once(path, X_and_Y):
    X, _ = X_and_Y
    with ThreadPoolExecutor(8) as pool:
        models = list(pool.map(load_model, [path] * 8))
    first, *others = (model.predict_proba(X) for model in models)
    for proba in others:
        np.testing.assert_allclose(proba, first, atol=1e-6)


def test_the_fingerprint_is_of_the_rows_not_of_their_place(X_and_Y):
    X, _ = X_and_Y
    names = X["path"].str.split("/").str[-2:].str.join("/")
    moved = X.assign(path="/elsewhere/" + names)[::-1]
    assert describe_rows(moved) == describe_rows(X)
    assert describe_rows(X[1:]) != describe_rows(X)
    paths = list(X["path"])
    assert describe_rows(paths) == describe_rows(X[["path"]])


def test_recordings_of_the_training_are_known_by_name(path, compiled, X_and_Y):
    folder = Path(X_and_Y[0]["path"][0]).parent.name
    X = [f"elsewhere/{folder}/bird3.wav", "others/bird3.wav", f"{folder}/bird99.wav"]
    assert trained_on(load_model(path), X).tolist() == [True, False, False]
    assert trained_on(load_model(path), X_and_Y[0]).all()
    assert not trained_on(compiled, X).any()
    edit_about(path, data=None)
    assert not trained_on(load_model(path), X).any()


def test_a_changed_model_is_refused(path):
    content = path.read_bytes()
    place = content.index(b"networks/0.onnx") + 5000
    path.write_bytes(content[:place] + b"?" + content[place + 1 :])
    with pytest.raises(ModelFileError, match=r"birds\.skbird .*damaged .*CRC-32"):
        load_model(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "no model file"), (b"PK\x03\x04 cut off", "no model file")],
)
def test_what_is_no_model_file_is_refused(tmp_path, content, message):
    (tmp_path / "x.skbird").write_bytes(content)
    with pytest.raises(ModelFileError, match=rf"x\.skbird is {message}"):
        load_model(tmp_path / "x.skbird")
    with pytest.raises(FileNotFoundError, match=r"y\.skbird"):
        load_model(tmp_path / "y.skbird")


def test_a_zip_of_something_else_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(ModelFileError, match=r"skbird\.json is missing"):
        load_model(tmp_path / "x.zip")


def test_later_formats_say_what_to_install(path):
    edit_about(path, format=3, skbird="9.0")
    with pytest.raises(ModelFileError, match=r"format 3, written by skbird 9\.0.*this"):
        load_model(path)


def test_files_that_could_run_code_are_not_read_any_more(path):
    edit_about(path, format=1, skbird="0.1.0.dev0")
    edit(path, "model.skops", lambda _: b"")
    with pytest.raises(ModelFileError, match=r"format 1.*could run code.*save it anew"):
        load_model(path)


def test_other_models_are_refused_and_leave_no_file(tmp_path):
    class Homemade(LogisticRegression):
        species_ = ("dove",)

    model = Homemade().fit(np.eye(2), [0, 1])
    with pytest.raises(TypeError, match=r"Homemade cannot be stored safely.*compile"):
        save_model(model, tmp_path / "x.skbird")
    assert not list(tmp_path.iterdir())


class BandPassOfMine(BandPass):
    """A step that skbird does not know."""


def test_steps_that_are_not_skbirds_are_refused(compiled, tmp_path):
    model = pickle.loads(pickle.dumps(compiled))
    model.estimator_.front_end.steps[1] = ("mine", BandPassOfMine())
    with pytest.raises(TypeError, match=r"BandPassOfMine is none of Resampler"):
        save_model(model, tmp_path / "x.skbird")


def test_networks_compiled_for_torch_are_refused(compiled, tmp_path):
    model = pickle.loads(pickle.dumps(compiled))
    model.estimator_.network.backend = "torch"
    with pytest.raises(TypeError, match=r"backend: 'torch' is none of \('openvino'"):
        save_model(model, tmp_path / "x.skbird")


def test_notes_must_be_texts_and_metrics_numbers(compiled, tmp_path):
    with pytest.raises(TypeError, match=r"metrics\['auc'\] is of type list"):
        save_model(compiled, tmp_path / "x.skbird", metrics={"auc": [1]})
    with pytest.raises(TypeError, match="license"):
        save_model(compiled, tmp_path / "x.skbird", license=5)
    values = {"auc": np.float32(0.5), "unknown": np.nan}
    save_model(compiled, tmp_path / "x.skbird", metrics=values)
    about = load_model(tmp_path / "x.skbird").about_
    assert about["metrics"] == {"auc": 0.5, "unknown": None}


# -- A file is data -------------------------------------------------------------------


def edit_model(path, change):
    """Change the description in a model file."""

    def rewrite(text):
        plain = json.loads(text)
        change(plain)
        return json.dumps(plain)

    edit(path, "model.json", rewrite)


def every_callable():
    """Name everything callable that any module of skbird has, in all likely ways."""
    names = set()
    for info in pkgutil.walk_packages(skbird.__path__, "skbird."):
        module = importlib.import_module(info.name)
        for name, value in vars(module).items():
            if callable(value) or isinstance(value, type(os)):
                names |= {name, f"{info.name}.{name}", f"{info.name}:{name}"}
                names |= {getattr(value, "__name__", name)}
                if isinstance(value, type(os)):
                    names |= {f"{info.name}.{name}.{inner}" for inner in dir(value)}
    return names


@pytest.mark.slow
@pytest.mark.parametrize("step", [5, pytest.param(1, marks=pytest.mark.thorough)])
def test_nothing_callable_but_the_list_can_be_named_in_a_file(path, step):
    names = every_callable()
    assert "skbird.utils._files.os.replace" in names
    assert len(names) > 10_000
    names = {*sorted(names)[::step], "os.replace", "skbird.utils._files.os.replace"}
    with zipfile.ZipFile(path) as archive:
        plain = json.loads(archive.read("model.json"))
        program = archive.read("networks/0.onnx")
    pipeline = plain["inner"][0]
    accepted = set()
    for model, place in ((plain, plain), (pipeline, pipeline["front_end"][0])):
        right = place["part"]
        for name in names:
            place["part"] = name
            try:
                build(model, lambda number, network: program)
            except FieldError:
                continue
            accepted.add(name)
        place["part"] = right
    # What is accepted is what stood there, or a class of the list of the same shape.
    assert accepted <= set(PARTS)


def ends_of(field):
    """Return the (low, high) of the numbers that a field takes, or None."""
    fields = getattr(field, "fields", [field])
    numbers = [f for f in fields if isinstance(f, Number)]
    return (numbers[0].low, numbers[0].high) if numbers else None


def test_files_hold_what_estimators_take():
    for part in PARTS.values():
        constraints = getattr(part.type, "_parameter_constraints", {})
        for name, field in part.params.items():
            for constraint in constraints.get(name, []):
                if isinstance(constraint, Interval) and ends_of(field) is not None:
                    low, high = ends_of(field)
                    # What has no end for estimators must have a far one in files.
                    most = 65_535 if constraint.right is None else constraint.right
                    assert low <= constraint.left, (part.type, name)
                    assert high >= most, (part.type, name)


def test_every_argument_of_every_part_is_known_or_left_out():
    for name, part in PARTS.items():
        arguments = set(inspect.signature(part.type).parameters)
        inner = {part.inner} if part.inner else set()
        if part.type in (SeedEnsemble, FoldEnsemble):
            inner = {"estimator"}
        assert arguments == {*part.params, *part.left_out} | inner, name


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m.update(part="os.system"), "'os.system' is none of"),
        (lambda m: m.update(part=["a"]), "none of"),
        (lambda m: m.update(extra=1), "has .*'extra'"),
        (lambda m: m.pop("species"), "has "),
        (
            lambda m: m["params"].update(level_power=-1),
            r"level_power: -1 is not in \[0, inf\]",
        ),
        (lambda m: m["params"].update(level_power="nan"), "level_power: nan is not in"),
        (lambda m: m["params"].update(top_rows=1.5), "top_rows: .*no integer"),
        (lambda m: m["params"].update(top_rows=True), "top_rows: .*no number"),
        (lambda m: m["params"].update(__class__="x"), "where .* are expected"),
        (lambda m: m["state"].update(estimator_=1), "where .* are expected"),
        (lambda m: m.update(species=["dove"]), "of 1 columns holds a model of 2"),
        (lambda m: m.update(species=["dove", "owl"]), "column 'owl' where .* 'wren'"),
        (lambda m: m.update(inner=[]), "needs 1 to 1 inner models"),
        (lambda m: m["inner"].append(m["inner"][0]), "needs 1 to 1 inner models"),
        (lambda m: network_of(m).update(network=7), "networks/7.onnx is missing"),
        (lambda m: network_of(m)["format"].update(mel_hz=[]), "has not 1 to 4096"),
        (
            lambda m: (
                network_of(m)["params"].update(batch_size=4096),
                network_of(m)["grid"].update(segment_s=600),
            ),
            "MiB of memory",
        ),
        (lambda m: logmel_of(m).update(cache_dir="/tmp"), "where .* are expected"),
        (lambda m: logmel_of(m).update(n_fft=10**9), "n_fft: .*not in"),
        (lambda m: logmel_of(m).update(hop_length=16, n_mels=1024), "of spectrograms"),
        (
            lambda m: logmel_of(m).update(low_hz=9000.0, high_hz=1.0),
            "low_hz=9000 must be",
        ),
        (
            lambda m: m["inner"][0]["front_end"].pop(),
            "one LogMel or EmbeddingEncoder, at its end",
        ),
        (lambda m: m["inner"][0]["front_end"][0].update(name="a__b"), "are named"),
    ],
)
def test_values_that_are_not_on_the_list_are_refused(path, change, message):
    edit_model(path, change)
    with pytest.raises(ModelFileError, match=rf"(?s)birds\.skbird .*{message}"):
        load_model(path)


def network_of(model):
    return model["inner"][0]["inner"][0]


def logmel_of(model):
    return model["inner"][0]["front_end"][-1]["params"]


def test_descriptions_nested_too_deep_are_refused(path):
    def nest(model):
        inner = model["inner"]
        for _ in range(20):
            inner = [model | {"inner": inner}]
        model["inner"] = inner

    edit_model(path, nest)
    with pytest.raises(ModelFileError, match="nested deeper than"):
        load_model(path)
    edit(path, "model.json", lambda _: "[" * 100_000)
    with pytest.raises(ModelFileError, match=r"damaged .*RecursionError"):
        load_model(path)


def test_a_file_is_read_with_a_bound_on_its_size(path):
    size = path.stat().st_size
    with pytest.raises(
        ModelFileError, match=rf"more than max_bytes={size - 1}\..*raise"
    ):
        load_model(path, max_bytes=size - 1)
    with ModelArchive(path, size) as archive:
        assert archive
    assert load_model(path, max_bytes=2**20)  # to run, networks need more than they are


@pytest.mark.slow
def test_zip_bombs_are_refused_before_they_unpack(path, tmp_path):
    edit(path, "model.json", lambda _: b"0" * 200_000_000, zipfile.ZIP_DEFLATED)
    assert path.stat().st_size < 5_000_000
    with pytest.raises(ModelFileError, match=r"model\.json unpacks to over 16 MiB"):
        load_model(path)


def test_packed_networks_are_refused(path):
    edit(path, "skbird.json", lambda text: text, zipfile.ZIP_DEFLATED)
    with pytest.raises(ModelFileError, match=r"networks/0\.onnx is packed"):
        load_model(path)


@pytest.mark.slow
def test_other_packings_and_too_many_members_are_refused(path, tmp_path):
    with zipfile.ZipFile(path) as archive:
        about = archive.read("skbird.json")
    with zipfile.ZipFile(tmp_path / "lzma.skbird", "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("skbird.json", about)
    with pytest.raises(ModelFileError, match="another way than deflate"):
        load_model(tmp_path / "lzma.skbird")
    with zipfile.ZipFile(tmp_path / "many.skbird", "w") as archive:
        for number in range(20_000):
            archive.writestr(str(number), b"")
    with pytest.raises(ModelFileError, match="too many members"):
        load_model(tmp_path / "many.skbird")


def test_what_is_no_regular_file_is_refused_before_it_is_opened(tmp_path):
    os.mkfifo(tmp_path / "x.skbird")
    for path in (tmp_path / "x.skbird", tmp_path, "/dev/zero"):
        with pytest.raises(ModelFileError, match="is no regular file"):
            load_model(path)


@pytest.mark.parametrize(
    "values",
    [
        {"metrics": {"a": [1]}},
        {"metrics": 5},
        {"species": "dove"},
        {"data": {"a": 1}},
        {"data": {"n_rows": 1, "sha256": "", "files": "AAA="}},
        {"license": 5},
    ],
)
def test_what_a_file_says_of_itself_is_checked(path, values):
    edit_about(path, **values)
    with pytest.raises(ModelFileError, match=r"birds\.skbird is no model file"):
        load_model(path)


# -- Networks are arithmetic ----------------------------------------------------------


@pytest.fixture
def edit_network(path):
    """Change the ONNX program in a model file, and load it."""

    def change_and_load(change):
        def rewrite(program):
            model = onnx.load_from_string(program)
            change(model)
            return model.SerializeToString()

        edit(path, "networks/0.onnx", rewrite)
        return load_model(path)

    return change_and_load


def add(model, kind, inputs, outputs, **attributes):
    model.graph.node.append(onnx.helper.make_node(kind, inputs, outputs, **attributes))


def weigh(model, name, values):
    tensor = onnx.numpy_helper.from_array(np.array(values), name)
    model.graph.initializer.append(tensor)


def loop(model):
    body = onnx.helper.make_graph([], "body", [], [])
    add(model, "Loop", ["", ""], ["x"], body=body)


def outside(model):
    tensor = model.graph.initializer[0]
    tensor.data_location = onnx.TensorProto.EXTERNAL
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "/etc/passwd"


def outside_constant(model):
    value = onnx.numpy_helper.from_array(np.zeros(3, np.float32))
    entry = value.external_data.add()
    entry.key, entry.value = "location", "secret.txt"
    add(model, "Constant", [], ["x"], value=value)


def promise(model):
    model.graph.initializer[0].dims[0] = 2**40


def explode(model):
    weigh(model, "size", np.array([2**16, 2**16], dtype=np.int64))
    weigh(model, "nothing", np.zeros(1, np.float32))
    add(model, "Expand", ["nothing", "size"], ["x"])


def repeat(model):
    weigh(model, "times", np.array([1, 2**10, 2**10], dtype=np.int64))
    add(model, "Tile", ["segments", "times"], ["x"])


def wrap(model):
    # 2^16 * 2^16 is 0 where it is counted in 32 bits, and 2^32 elsewhere.
    weigh(model, "side", np.array([2**16], dtype=np.int32))
    add(model, "Mul", ["side", "side"], ["area"])
    add(model, "Cast", ["area"], ["n"], to=onnx.TensorProto.INT64)
    weigh(model, "nothing", np.zeros(1, np.float32))
    add(model, "Expand", ["nothing", "n"], ["x"])


def cut(model):
    # 256 is 0 in 8 bits.
    weigh(model, "many", np.array([256]))
    add(model, "Cast", ["many"], ["few"], to=onnx.TensorProto.UINT8)


def divide(model):
    weigh(model, "a", np.array([-(2**63)]))
    weigh(model, "b", np.array([-1]))
    add(model, "Div", ["a", "b"], ["x"])


def fold(model):
    # Engines compute all of them beforehand.
    weigh(model, "size", np.array([4, 1_000_000]))
    weigh(model, "nothing", np.zeros(1, np.float32))
    for n in range(30):
        add(model, "Expand", ["nothing", "size"], [f"c{n}"])
        add(model, "ReduceMax", [f"c{n}"], [f"x{n}"])


def postpone(model):
    # Small in the file's order; depth first, every large result waits for the next.
    weigh(model, "size", np.array([5000, 4, model_frames(model), 32]))
    weigh(model, "axis", np.array([0]))
    add(model, "ReduceMax", ["segments"], ["x0"], keepdims=0)
    add(model, "Unsqueeze", ["segments", "axis"], ["u"])
    for n in range(20):
        add(model, "Expand", ["u", "size"], [f"e{n}"])
        add(model, "Sin", [f"e{n}"], [f"f{n}"])
        add(model, "Add", [f"f{n}", f"x{n}"], [f"a{n}"])
        add(model, "ReduceMax", [f"a{n}"], [f"x{n + 1}"], keepdims=0)


def model_frames(model):
    return model.graph.input[0].type.tensor_type.shape.dim[1].dim_value


def widen(model):
    # One channel takes the place of sixteen.
    weigh(model, "size", np.array([4, 1, 3000, 3000]))
    weigh(model, "nothing", np.zeros(1, np.float32))
    add(model, "Expand", ["nothing", "size"], ["x"])


def measure(model):
    add(model, "Shape", ["segments"], ["size"])
    add(model, "Reshape", ["segments", "size"], ["x"])


def overflow(model):
    # 4 times this is 4 in 64 bits.
    weigh(model, "times", np.array([2**62 + 1, 1, 1]))
    add(model, "Tile", ["segments", "times"], ["x"])


def reflect(model):
    weigh(model, "pads", np.array([0, 0, 0, 0, 0, 9]))
    add(model, "Pad", ["segments", "pads"], ["x"], mode="reflect")


def crop(model):
    weigh(model, "pads", np.array([0, 0, 0, 0, 0, -9]))
    add(model, "Pad", ["segments", "pads"], ["x"])


def look_up(model):
    add(model, "ArgMax", ["segments"], ["place"])
    add(model, "Gather", ["segments", "place"], ["x"])


def look_beyond(model):
    weigh(model, "place", np.array([4]))
    add(model, "Gather", ["segments", "place"], ["x"])


def stretch(model):
    add(model, "MaxPool", ["segments"], ["x"], kernel_shape=[2**40])


def enlarge(model, name):
    """Make a large matrix of the segments."""
    weigh(model, "size", np.array([4096, 4096]))
    weigh(model, "nothing", np.zeros(1, np.float32))
    add(model, "ReduceMax", ["segments"], ["loudest"], keepdims=0)
    add(model, "Mul", ["loudest", "nothing"], ["moving"])
    add(model, "Expand", ["moving", "size"], [name])


def toil(model):
    enlarge(model, "x0")
    for n in range(100):
        add(model, "MatMul", [f"x{n}", f"x{n}"], [f"x{n + 1}"])


def contract(model):
    enlarge(model, "a")
    for n in range(100):
        add(model, "Einsum", ["a", "a"], [f"x{n}"], equation="ij,jk->ik")


def double(model):
    weigh(model, "size", np.array([1]))
    weigh(model, "size", np.array([2]))


def tear(model):
    add(model, "Split", ["segments"], list("abcde"), num_outputs=2)


def dots(model):
    add(model, "Einsum", ["segments", "segments"], ["x"], equation="a....,b->a")


def chain(model):
    equation = "a,b,ac,bc->c"
    add(model, "Einsum", ["segments"] * 4, ["x"], equation=equation)


def filters(model, shape, bias=None):
    """Give the segments one channel; return the name of the result."""
    weigh(model, "W", np.zeros(shape, np.float32))
    weigh(model, "B", np.zeros(bias or shape[0], np.float32))
    weigh(model, "first", np.array([1]))
    add(model, "Unsqueeze", ["segments", "first"], ["one"])
    return "one"


def lengthen(model):
    add(model, "Conv", [filters(model, (2, 1, 3, 3), 50_000), "W", "B"], ["x"])


def space(model):
    weigh(model, "second", np.array([2]))
    add(model, "Unsqueeze", [filters(model, (2, 1, 1, 3, 3)), "second"], ["two"])
    add(model, "Conv", ["two", "W", "B"], ["x"])


def spread(model):
    weigh(model, "slope", np.zeros((99, 1, 1, 1), np.float32))
    add(model, "PRelu", ["segments", "slope"], ["x"])


def limit(model):
    weigh(model, "low", np.zeros((9999, 1, 1), np.float32))
    add(model, "Clip", ["segments", "low"], ["x"])


def scale(model):
    weigh(model, "many", np.zeros((9999, 1, 1), np.float32))
    add(model, "LayerNormalization", ["segments", "many"], ["x"])


def skip(model):
    add(model, "Max", ["segments", ""], ["x"])


def leave_out(model):
    add(model, "Concat", ["segments", ""], ["x"], axis=0)


def disguise(model):
    add(model, "Constant", [], ["x"], value=onnx.numpy_helper.from_array(np.ones(3)))
    model.graph.node[-1].attribute[0].type = onnx.AttributeProto.INT


def thin(model):
    # Engines pad a column to sixteen.
    add(model, "ReduceMax", ["segments"], ["loudest"], keepdims=0)
    weigh(model, "row", np.array([1, 1]))
    add(model, "Reshape", ["loudest", "row"], ["small"])
    weigh(model, "first", np.array([1, 2**21]))
    weigh(model, "short", np.zeros((2**21, 1), np.float32))
    add(model, "Expand", ["small", "first"], ["wide"])
    for n in range(9):
        add(model, "MatMul", ["wide", "short"], [f"x{n}"])


def share(model):
    # Each use may become a copy.
    one = filters(model, (1024, 1, 32, 32))
    for n in range(9):
        add(model, "Conv", [one, "W", "B"], [f"x{n}"])


def shadow(model):
    add(model, "Relu", ["segments"], ["segments"])


def disorder(model):
    add(model, "Relu", ["y"], ["x"])
    add(model, "Relu", ["segments"], ["y"])


def swarm(model):
    model.opset_import.extend([onnx.OperatorSetIdProto()] * 3_000_000)


def default(model):
    weigh(model, "segments", np.zeros(3, np.float32))


def hide(model):
    # The size depends on the values of the input.
    add(model, "NonZero", ["segments"], ["x"])


def reuse(model):
    function = onnx.helper.make_function(
        "mine", "f", ["a"], ["b"], [onnx.helper.make_node("Relu", ["a"], ["b"])], []
    )
    model.functions.append(function)


def foreign(model):
    node = onnx.helper.make_node("PyOp", ["segments"], ["x"], domain="ai.onnx.contrib")
    model.graph.node.append(node)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (loop, "'Loop' is not on the list"),
        (outside, "are in another file"),
        (outside_constant, "are in another file"),
        (promise, "are .* bytes, not"),
        (explode, "MiB of memory"),
        (repeat, "result of shape|MiB of memory"),
        (wrap, "Mul has numbers of kind|are numbers of kind 6"),
        (cut, "has numbers of kind int64"),
        (divide, "Div has numbers of kind int64"),
        (fold, "MiB of memory"),
        (postpone, "MiB of memory"),
        (widen, "MiB of memory"),
        (measure, "'Shape' is not on the list"),
        (overflow, "Tile has a result of shape"),
        (reflect, "Pad repeats its input"),
        (crop, "Pad has other pads"),
        (look_up, "'ArgMax' is not on the list"),
        (look_beyond, "Gather reads beyond the 4 entries"),
        (stretch, "another 'kernel_shape' than"),
        (toil, "needs .* multiplications"),
        (contract, "needs .* multiplications"),
        (double, "two have one name"),
        (tear, "Split has 5 results"),
        (dots, "Einsum has no equation"),
        (chain, "Einsum has 4 inputs"),
        (lengthen, "Conv has another bias"),
        (space, "Conv is no 1-D, 2-D"),
        (spread, "PRelu broadcasts its input"),
        (limit, "Clip has many limits"),
        (scale, "LayerNormalization has weights of another shape"),
        (skip, "Max lacks an input"),
        (leave_out, "Concat lacks an input"),
        (disguise, "Constant has the attributes"),
        (thin, "MiB of memory"),
        (share, "MiB of memory"),
        (shadow, "has a result without a name of its own"),
        (disorder, "Relu uses 'y' before it is there"),
        (swarm, "more than 300000 fields"),
        (default, "among its weights"),
        (hide, "'NonZero' is not on the list"),
        (reuse, "operators of its own"),
        (foreign, r"'ai\.onnx\.contrib\.PyOp' is not on the list"),
        (lambda m: m.graph.output.pop(), "not one input and one output"),
        (lambda m: m.graph.node.pop(), r"logits of shape \[\]"),
        (lambda m: m.graph.ClearField("node"), r"logits of shape \[\]"),
    ],
)
def test_networks_that_are_no_plain_arithmetic_are_refused(
    edit_network, change, message
):
    with pytest.raises(ModelFileError, match=rf"birds\.skbird is not .*{message}"):
        edit_network(change)


def test_the_limits_leave_room_for_networks_of_a_hundred_times_the_work(
    path, monkeypatch
):
    for name in ("_MAX_WORK_PER_S", "_MAX_WORK"):
        most = getattr(_program_limits, name)
        monkeypatch.setattr(_program_limits, name, most / 100)
    assert load_model(path)


def test_inputs_that_may_be_left_out_may_have_no_name(edit_network):
    def normalize(model):
        n_mels = model.graph.input[0].type.tensor_type.shape.dim[2].dim_value
        weigh(model, "scale", np.ones(n_mels, np.float32))
        add(model, "LayerNormalization", ["segments", "scale", ""], ["x"])

    assert edit_network(normalize)


def test_a_network_is_read_once(path):
    def repeat(model):
        network = network_of(model)
        ensemble = {"part": "FoldEnsemble", "params": {"threshold": 0.5}}
        ensemble["state"] = {}
        ensemble |= {"species": network["species"], "inner": [network] * 2}
        pipeline = model["inner"][0]
        pipeline["inner"] = [ensemble]

    edit_model(path, repeat)
    with pytest.raises(ModelFileError, match=r"birds\.skbird .*the same network"):
        load_model(path)


def test_numbers_beyond_floats_are_refused(path):
    edit_model(path, lambda m: m["params"].update(level_power=[10**400]))
    with pytest.raises(ModelFileError, match=r"birds\.skbird .*beyond what a float"):
        load_model(path)


def test_onnxruntime_gets_full_batches_only():
    shapes = []

    class Session:
        def run(self, outputs, inputs):
            shapes.append(inputs["segments"].shape)
            return [inputs["segments"][:, 0]]

    engine = OnnxRuntimeEngine.__new__(OnnxRuntimeEngine)
    engine.batch_size, engine._session = 4, Session()
    batches = [np.ones((4, 3, 2)), np.ones((1, 3, 2))]
    assert engine.run(batches).shape == (5, 2)
    assert shapes == [(4, 3, 2)] * 2


def test_networks_keep_nothing_that_another_reader_could_follow(edit_network):
    def decorate(model):
        model.producer_name = "ORTM"  # what ONNX Runtime's own format begins with
        model.metadata_props.add(key="a", value="b")

    network = edit_network(decorate).estimator_.network
    assert b"ORTM" not in network.program
    assert not onnx.load_from_string(network.program).metadata_props


def test_a_network_of_another_size_than_described_is_refused(path):
    edit_about(path, species=["dove", "owl", "wren"])
    edit_model(
        path,
        lambda m: [
            x.update(species=["dove", "owl", "wren"]) for x in (m, network_of(m))
        ],
    )
    with pytest.raises(ModelFileError, match=r"logits of shape \[4, 2\]"):
        load_model(path)


# -- What compiles can be saved -------------------------------------------------------


WRAPPERS = {
    "voting": lambda e: MultilabelVotingClassifier(
        [("a", e), ("b", e)], weights=[1, 2], voting="auto", cv=2, threshold=0.4
    ),
    "min": lambda e: MultilabelVotingClassifier([("a", e), ("b", e)], voting="min"),
    "own weights": lambda e: MultilabelVotingClassifier(
        [("a", e), ("b", e)], weights="greedy", per_species=True, cv=2
    ),
    "seeds": lambda e: SeedEnsemble(e, 2, threshold=[0.3, 0.6]),
    "folds": lambda e: FoldEnsemble(e, cv=2, threshold=0.3),
    "reweighter": lambda e: SoundscapeReweighter(
        e, kernel=(1, 2, 1), level_power=[0.5, 1]
    ),
    "chosen": lambda e: SoundscapeReweighterCV(e, per_species=True, cv=2),
    "platt": lambda e: MultilabelCalibrator(e, cv=2, threshold=0.4),
    "isotonic": lambda e: MultilabelCalibrator(e, method="isotonic", cv=2),
    "thresholds": lambda e: ThresholdTuner(e, objective="precision", cv=2),
    "sets": lambda e: ConformalClassifier(e, cv=2),
    "types": lambda e: CallTypeClassifier(e, combine="noisy_or"),
    "students": lambda e: PseudoLabelSelfTraining(
        e, teacher=e, soft_threshold=0.5, hard_threshold=0.5, mix="auto", verbose=0
    ),
}


class Stub(ClassifierMixin, BaseEstimator):
    """Says what the rows say, so that the wrappers around it are fitted in no time."""

    def __init__(self, random_state=None):
        self.random_state = random_state

    def fit(self, X, y):
        self.species_ = np.array(["dove", "wren"])
        self.classes_ = np.tile([0, 1], (2, 1))
        return self

    def predict_proba(self, X):
        return X[["p", "q"]].to_numpy()


@pytest.fixture(scope="module")
def wrapped():
    """Wrappers by name, fitted around stubs."""
    rng = np.random.default_rng(0)
    present = rng.random((80, 2)) < 0.5
    X = pd.DataFrame(np.clip(present * 0.4 + 0.5 * rng.random((80, 2)), 0, 1))
    X.columns = ["p", "q"]
    X = X.assign(path=[f"{n // 4}.wav" for n in range(80)], type="")
    Y = pd.DataFrame(present, columns=["dove", "wren"]).astype(np.float32)
    fitted = {}
    for name, make in WRAPPERS.items():
        labels = Y.copy()
        if name == "students":
            labels.iloc[70:] = -1
        fitted[name] = make(Stub().fit(X, Y)).fit(X, labels)
    return fitted


@pytest.fixture(scope="module")
def network():
    """A network of two operations: what stands around it is tested."""
    options = {"backend": "onnxruntime", "precision": "float32", "n_threads": 1}
    return CompiledNetwork(
        make_tiny_onnx(), NETWORK.format, ["dove", "wren"], "max", **options
    )


def put_inside(wrapper, inner):
    """Return a compiled wrapper, as `compile_pipeline` makes it of a fitted one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compile_module, "_compile_network", lambda net, *_: net)
        patch.setattr(skbird.nn, "SegmentNet", CompiledNetwork)
        wrapper = copy.copy(wrapper)
        if hasattr(wrapper, "estimators_"):
            wrapper.estimators_ = [inner for _ in wrapper.estimators_]
        else:
            wrapper.estimator_ = inner
        compiled = compile_module._compile(wrapper, {}, [])
    compiled.max_difference_ = 1e-6
    return compiled


@pytest.mark.slow
@pytest.mark.parametrize("half", [0, pytest.param(1, marks=pytest.mark.thorough)])
@pytest.mark.parametrize("outer", WRAPPERS)
def test_what_compiles_can_be_saved_on_two_levels(
    outer, half, wrapped, network, bird_folder, tmp_path, monkeypatch
):
    # Files hold how models print: scikit-learn looks at the same signatures each time.
    monkeypatch.setattr(inspect, "signature", functools.cache(inspect.signature))
    X = segment_table(bird_folder["path"][:2], 1.5, 1.5)
    X = MEL.transform(Resampler(RATE).transform(X))
    path = tmp_path / "birds.skbird"
    models = {"alone": put_inside(wrapped[outer], network)}
    turn = [*wrapped].index(outer)
    for number, (name, inner) in enumerate(wrapped.items()):
        if (turn + number) % 2 == half:
            models[name] = put_inside(wrapped[outer], put_inside(inner, network))
    for name, model in models.items():
        save_model(model, path)
        loaded = load_model(path)
        assert type(loaded) is type(model), name
        for method in ("predict_proba", "predict", "predict_set"):
            if hasattr(model, method) and (method, outer) != ("predict", "rank"):
                found = getattr(loaded, method)(X)
                np.testing.assert_array_equal(found, getattr(model, method)(X), name)
        assert loaded.species_.tolist() == ["dove", "wren"]
        assert loaded.max_difference_ == 1e-6
        save_model(loaded, path)  # and again


def test_learned_weights_of_each_species_are_given_to_the_compiled(wrapped, network):
    compiled = put_inside(wrapped["own weights"], network)
    assert compiled.weights.shape == (2, 2)
    assert not compiled.per_species
    assert wrapped["own weights"].per_species


@pytest.mark.slow
def test_a_whole_self_training_can_be_saved_and_needs_no_torch(
    X_and_Y, tmp_path, compiled
):
    X, Y = X_and_Y
    pipe = make_pipeline(
        Resampler(RATE),
        "passthrough",
        make_pipeline(Segmenter(1.0), RMSFilter(scope="train")),
        LogMel(32, verbose=0),
        CNNClassifier(module=TinyCNN, backbone_weights=None, max_epochs=1, verbose=0),
    )
    Y = Y.copy()
    Y.iloc[10:] = -1
    teacher = livened(clone(pipe).fit(X[:10], Y[:10]))
    model = PseudoLabelSelfTraining(pipe, teacher=teacher, max_iter=1, verbose=0)
    compiled = compile_pipeline(model.fit(X, Y), precision="float32")
    assert b"skbird.nn" not in pickle.dumps(compiled)
    save_model(compiled, tmp_path / "x.skbird")
    loaded = load_model(tmp_path / "x.skbird")
    np.testing.assert_array_equal(loaded.predict_proba(X), compiled.predict_proba(X))
    front_end = loaded.estimator_.front_end
    assert [type(step) for step in front_end] == [
        Resampler,
        Segmenter,
        RMSFilter,
        LogMel,
    ]


# -- All of a file's networks together ------------------------------------------------


def widest(program, shape, **kwargs):
    return check_program(program, shape=shape, **kwargs)._replace(n_bytes=250 * 2**20)


@pytest.fixture
def greedy(monkeypatch):
    """Each network needs 250 MiB, as far as one can see."""
    monkeypatch.setattr(_program_limits, "check_program", widest)


def test_networks_are_counted_together(compiled, path, tmp_path, greedy):
    assert load_model(path)
    pair = FoldEnsemble(compiled.estimator_)
    pair.estimators_ = [compiled.estimator_, copy.deepcopy(compiled.estimator_)]
    pair.species_, pair.classes_ = compiled.species_, compiled.classes_
    both = tmp_path / "both.skbird"
    with pytest.warns(UserWarning, match="max_bytes=174762667 .*--max-model-mib 167 "):
        save_model(pair, both)
    with pytest.raises(ModelFileError, match=r"both\.skbird .* 500 MiB .*raise max_b"):
        load_model(both)
    assert load_model(both, max_bytes=174762667)


def test_what_save_model_advises_can_be_passed_to_load_model(
    compiled, tmp_path, monkeypatch
):
    def wide(program, **kwargs):
        return check_program(program, **kwargs)._replace(n_bytes=4 * 2**30)

    monkeypatch.setattr(_program_limits, "check_program", wide)
    with pytest.warns(UserWarning, match="max_bytes=1431655766 ") as noted:
        save_model(compiled, tmp_path / "wide.skbird")
    needed = int(re.search(r"max_bytes=(\d+)", str(noted[0].message))[1])
    assert load_model(tmp_path / "wide.skbird", max_bytes=needed)


def test_names_are_counted_together(path):
    names = ["a" * 200, *map(str, range(49_999))]

    def lengthen(model):
        network = network_of(model)
        network["species"] = names
        ensemble = {"part": "FoldEnsemble", "params": {"threshold": 0.5}}
        ensemble["state"] = {}
        others = [network | {"network": number} for number in range(2)]
        ensemble |= {"species": names, "inner": others}
        model["inner"][0]["inner"] = [ensemble]

    edit_model(path, lengthen)
    with pytest.raises(ModelFileError, match="names of species are over 64 MiB"):
        load_model(path)


@pytest.mark.parametrize("backend", ["openvino", "onnxruntime"])
def test_what_an_engine_refuses_is_said(compiled, X_and_Y, backend):
    pytest.importorskip(backend)
    model = copy.deepcopy(compiled)
    network = model.estimator_.network
    network.set_params(backend=backend, program=b"no program")
    with pytest.raises(RuntimeError, match=f"{backend} cannot run the network of this"):
        model.predict_proba(X_and_Y[0])


def test_what_belongs_to_the_machine_is_left_out(compiled, path):
    other = copy.deepcopy(compiled)
    other.estimator_.network.n_threads = 1
    other.estimator_.front_end[-1].n_jobs = 2
    other.estimator_.front_end[-1].cache_dir = "/home/ann/cache"
    save_model(other, path)
    assert "/home/ann" not in load_model(path).about_["model"]
    pipeline = load_model(path).estimator_
    assert pipeline.network.n_threads is None
    assert pipeline.front_end[-1].n_jobs == LogMel().n_jobs
