"""Specs of pretrained models, in files and out of them; they may be a stranger's."""

import json
import math
import pickle
from dataclasses import replace

import numpy as np
import pytest
from toy_encoder import NAMES, toy_spec

from skbird.encoders import (
    EncoderOutput,
    EncoderSpec,
    TrainingSource,
    read_spec,
    write_spec,
)
from skbird.encoders._spec_files import known_specs

TOML = """
name = "toads"
version = "1"
sample_rate = 32000
window_s = 5.0
outputs.embedding = {name = "embedding", shape = [128]}
"""


@pytest.fixture
def write(tmp_path):
    """Write a spec; return its path."""

    def write(content, name="toads.json"):
        path = tmp_path / name
        if isinstance(content, dict):
            content = json.dumps(content)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def table(**changes):
    values = {
        "name": "toads",
        "version": "1",
        "sample_rate": 32000,
        "window_s": 5.0,
        "outputs": {"embedding": {"name": "embedding", "shape": [128]}},
    }
    return values | changes


def test_known_specs_say_what_users_must_know():
    specs = known_specs()
    assert {"birdnet-2.4", "perch-2", "birdnet-3-preview", "yamnet"} <= set(specs)
    for name, spec in specs.items():
        assert spec.name == name
        assert spec.file
        assert spec.homepage
        assert spec.training
        assert spec.package or (spec.url or "https://").startswith("https://")
        assert hash(spec) == hash(pickle.loads(pickle.dumps(spec)))


def test_every_spec_survives_writing(tmp_path):
    full = toy_spec(
        training=[TrainingSource("XC", until="2023-06-01")],
        sha256="0" * 64,
        labels_file="labels.csv",
        class_names=('a "b", c', "Käuz;\t", "\u2028", "ü"),
        level="peak",
        level_sensitive=True,
        channels=3,
    )
    for spec in (*known_specs().values(), full):
        path = tmp_path / f"{spec.name}.json"
        write_spec(spec, path)
        assert read_spec(path) == spec
        assert read_spec(path).key == spec.key


def test_numbers_of_numpy_are_written(tmp_path):
    spec = EncoderSpec(
        "a", "1", np.int64(8000), np.float64(1.5), {"embedding": EncoderOutput(0, [2])}
    )
    write_spec(spec, tmp_path / "a.json")
    assert read_spec(tmp_path / "a.json") == spec


def test_toml_and_json_are_read(write):
    assert read_spec(write(TOML, "toads.toml")) == read_spec(write(table()))
    assert read_spec(write(b"\xef\xbb\xbf" + json.dumps(table()).encode()))
    assert read_spec(write(TOML.encode("utf-16"), "toads.toml"))


def test_windows_are_counted_in_whole_samples():
    assert toy_spec(sample_rate=16_000, window_s=0.982).window_samples == 15_712
    assert toy_spec(sample_rate=44_100, window_s=144_000 / 44_100).window_samples == (
        144_000
    )


def test_the_key_changes_with_what_changes_numbers():
    spec = toy_spec()
    for change in (
        {"level": "peak"},
        {"sample_rate": 9000},
        {"resampler": "polyphase"},
        {"channels": 0},
        {"pad": "cycle"},
        {"input_type": "float16"},
    ):
        assert replace(spec, **change).key != spec.key
    assert replace(spec, license="CC0", homepage="https://a.org").key == spec.key


BAD = [
    ({"levle": "peak"}, "has 'levle'.*Did you mean 'level'"),
    ({"__class__": "os.system"}, "has '__class__'"),
    ({"key": "x"}, "has 'key'"),
    ({"sample_rate": "48000"}, "sample_rate"),
    ({"sample_rate": 48000.0}, "sample_rate"),
    ({"sample_rate": 10**30}, "sample_rate"),
    ({"window_s": math.nan}, "window_s"),
    ({"window_s": math.inf}, "window_s"),
    ({"window_s": 1e308}, "window_s=1e\\+308 at"),
    ({"window_s": 1e-300}, "samples; a window has 1 to"),
    ({"window_s": -3}, "window_s"),
    ({"step_s": 1e-12}, "step_s=1e-12 must be 0.005 or more"),
    ({"step_s": 0}, "step_s"),
    ({"level_peak": 1e300}, "level_peak"),
    ({"level": "rms"}, "level"),
    ({"level_sensitive": "yes"}, "level_sensitive"),
    ({"channels": -1}, "channels"),
    ({"input_zero_point": math.nan}, "input_zero_point"),
    ({"input_scale": 1e-300}, "input_scale"),
    ({"input_shape": ["samples"]}, "input_shape"),
    ({"input_shape": ["batch", "samples", 2]}, "input_shape"),
    ({"input_shape": ["batch", [1]]}, "input_shape"),
    ({"input_shape": ["batch", "samples", "samples"]}, "input_shape"),
    ({"input_shape": ["batch", *[1] * 50, "samples"]}, "input_shape"),
    ({"front_end": "yamnet", "input_shape": ["batch", 10**9]}, "input_shape"),
    ({"name": "../toads"}, "must be letters"),
    ({"name": ".."}, "must be letters"),
    ({"name": "toads\n"}, "must be letters"),
    ({"name": "t" * 81}, "must be letters"),
    ({"name": 5}, "name"),
    ({"file": "../model.onnx"}, "without a folder"),
    ({"file": "/etc/passwd"}, "without a folder"),
    ({"file": "C:model.onnx"}, "without a folder"),
    ({"file": "a\\b.onnx"}, "without a folder"),
    ({"file": ".."}, "without a folder"),
    ({"labels_file": "..%2f"}, "without a folder"),
    ({"labels_file": "a\0b"}, "without a folder"),
    ({"labels_file": "x" * 300}, "without a folder"),
    ({"package": "os.path"}, "package"),
    ({"package": "../x"}, "package"),
    ({"package_folder": "../../x"}, "within the package"),
    ({"package_folder": "/etc"}, "within the package"),
    ({"package_folder": "C:\\x"}, "within the package"),
    ({"license": "CC0\x1b[2J"}, "license.*one line"),
    ({"homepage": "x" * 5000}, "homepage.*one line"),
    ({"version": "1\n2"}, "version.*one line"),
    ({"sha256": "0" * 63}, "sha256"),
    ({"sha256": "A" * 64}, "sha256"),
    ({"class_names": "Bufo bufo"}, "class_names"),
    ({"class_names": ["Bufo bufo"]}, "no 'scores'"),
    ({"training": [{"collection": "XC", "until": "June"}]}, "until='June' must be a"),
    ({"training": [{"collection": "a\nb"}]}, "collection.*one line"),
    ({"training": ["XC"]}, "training='XC' must be a table"),
    ({"training": {"collection": "XC"}}, "training"),
    ({"outputs": {}}, "outputs"),
    ({"outputs": []}, "outputs"),
    ({"outputs": {"logits": {"name": 0, "shape": [3]}}}, "logits"),
    ({"outputs": {"scores": {"name": 0}}}, "outputs.scores lacks shape"),
    ({"outputs": {"scores": [0, [3]]}}, "outputs.scores=.*must be a table"),
    ({"outputs": {"scores": {"name": -1, "shape": [3]}}}, "name"),
    ({"outputs": {"scores": {"name": True, "shape": [3], "x": 1}}}, "has 'x'"),
    ({"outputs": {"scores": {"name": 0, "shape": []}}}, "shape"),
    ({"outputs": {"scores": {"name": 0, "shape": [0]}}}, "shape"),
    ({"outputs": {"scores": {"name": 0, "shape": [2.0]}}}, "shape"),
    ({"outputs": {"scores": {"name": 0, "shape": [10**6] * 4}}}, "shape"),
    ({"outputs": {"scores": {"name": 0, "shape": [1] * 9}}}, "shape"),
    ({"outputs": {"scores": {"name": 0, "shape": [2], "scale": 0}}}, "scale"),
    (
        {"outputs": {"scores": {"name": 0, "shape": [2], "zero_point": math.inf}}},
        "zero",
    ),
    ({"outputs": {"scores": {"name": "a\nb", "shape": [2]}}}, "one line"),
]


@pytest.mark.parametrize(("change", "message"), BAD)
def test_what_a_spec_cannot_be_is_refused(write, change, message):
    with pytest.raises((ValueError, TypeError), match=message) as caught:
        read_spec(write(table(**change)))
    assert "toads.json" in str(caught.value)


@pytest.mark.parametrize("lacking", ["name", "version", "window_s", "outputs"])
def test_what_is_lacking_is_named(write, lacking):
    values = table()
    del values[lacking]
    with pytest.raises(ValueError, match=f"lacks {lacking}"):
        read_spec(write(values))


@pytest.mark.parametrize(
    ("content", "name", "message"),
    [
        ("[" * 100_000, "a.json", "cannot be read as JSON.*nested"),
        ("a = " + "[" * 100_000, "a.toml", "cannot be read as TOML"),
        ("a = " + "{a = " * 100_000, "a.toml", "cannot be read as TOML"),
        ("1" * 10_000, "a.json", "cannot be read as JSON"),
        ("a = " + "1" * 10_000, "a.toml", "cannot be read as TOML"),
        ("[]", "a.json", "must be a table"),
        ("null", "a.json", "must be a table"),
        ("", "a.json", "cannot be read as JSON"),
        ("", "a.toml", "lacks name"),
        ("\0\1\2", "a.toml", "cannot be read as TOML"),
        (b"\xff\xfe\x00", "a.json", "cannot be read as JSON"),
        ('{"name": "\\ud800"}', "a.json", "a.json"),
        ("name = 1\nname = 2", "a.toml", "cannot be read as TOML"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*is UTF-16 except:UserWarning")
def test_bombs_and_damage_are_refused(write, content, name, message):
    with pytest.raises((ValueError, TypeError), match=message):
        read_spec(write(content, name))


def test_files_that_are_too_large_or_none_are_refused(tmp_path, write):
    with pytest.raises(ValueError, match="at most 10 are read"):
        read_spec(write(b" " * 10_000_001))
    with pytest.raises(ValueError, match=r"must end in \.toml or \.json"):
        read_spec(write(TOML, "toads.yaml"))
    with pytest.raises(FileNotFoundError, match="No such file"):
        read_spec(tmp_path / "no.json")
    with pytest.raises(TypeError, match="a path is needed"):
        read_spec(5)
    (tmp_path / "folder.json").mkdir()
    with pytest.raises(ValueError, match="a folder, not a file"):
        read_spec(tmp_path / "folder.json")


@pytest.mark.parametrize("part", [".a", " . a", '."a b"', ".'='"])
@pytest.mark.parametrize("line", ["a{} = 1", "[a{}]", "b = {{a{} = 1}}"])
def test_keys_without_end_are_refused_at_once(write, part, line):
    with pytest.raises(ValueError, match=r"a\.toml.*nested too deep"):
        read_spec(write(line.format(part * 100_000), "a.toml"))


def test_specs_are_written_as_json_and_nothing_else(tmp_path):
    with pytest.raises(ValueError, match=r"must end in \.json"):
        write_spec(toy_spec(), tmp_path / "toads.toml")
    with pytest.raises(TypeError, match="must be an EncoderSpec"):
        write_spec(table(), tmp_path / "toads.json")
    assert list(tmp_path.iterdir()) == []


def test_names_must_be_as_many_as_scores():
    with pytest.raises(ValueError, match="3 class_names are given for 4 scores"):
        toy_spec(class_names=NAMES[:3])
    with pytest.raises(TypeError, match="must be texts"):
        toy_spec(class_names=[1, 2, 3, 4])
