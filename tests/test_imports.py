"""What importing costs, and what runs without torch."""

import pkgutil
import re
import subprocess
import sys
from ast import literal_eval

import numpy as np
import pytest
import soundfile

import skbird
from skbird.utils._extras import install_hint


def run(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


# Makes packages look as if they were not installed.
HIDE = """
import sys
from importlib.abc import MetaPathFinder

from skbird.utils._extras import install_hint
class Hide(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"torch", "timm", "skorch", "silero_vad"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Hide())
"""


ROOMS = [room.name for room in pkgutil.iter_modules(skbird.__path__)]


@pytest.fixture(scope="module")
def loaded():
    """What an interpreter has loaded with each room, one after the other."""
    rooms = sorted(ROOMS, key=lambda room: (room != "annotations", room == "nn"))
    code = f"""
import sys, skbird
found = {{"skbird": list(sys.modules)}}
for room in {rooms}:
    getattr(skbird, room)
    found[room] = list(sys.modules)
print(found)
"""
    return {room: set(names) for room, names in literal_eval(run(code)).items()}


def test_import_skbird_loads_nothing_heavy(loaded):
    assert not {"torch", "librosa", "pandas", "sklearn"} & loaded["skbird"]


@pytest.mark.slow
def test_importing_annotations_needs_no_extra(loaded):
    assert not {"crowsetta", "pyarrow.parquet"} & loaded["annotations"]


@pytest.mark.slow
def test_nothing_but_networks_loads_torch(loaded):
    assert [room for room, names in loaded.items() if "torch" in names] == ["nn"]


@pytest.mark.slow
def test_import_nn_loads_no_models_of_other_packages(loaded):
    heavy = {"timm", "torchvision", "torch._dynamo", "librosa.util", "onnx"}
    assert not heavy & loaded["nn"]


@pytest.mark.slow
def test_the_package_lists_its_subpackages(loaded):
    rooms = {f"skbird.{room}" for room in ROOMS}
    assert set(re.findall(r":mod:`([a-z_.]+)`", skbird.__doc__)) == rooms
    assert {f"skbird.{room}" for room in skbird.__all__} == {
        "skbird.__version__",
        *rooms,
    }
    assert skbird.data.check_rows.__module__ == "skbird.data"
    assert all(f"skbird.{room}" in loaded[room] for room in ROOMS)


@pytest.fixture(scope="module")
def without_torch(tmp_path_factory):
    """What is printed where torch is missing: by most of skbird, and by its VAD."""
    path = str(tmp_path_factory.mktemp("sound") / "a.wav")
    noise = np.random.default_rng(0).normal(0, 0.1, 16_000 * 6)
    soundfile.write(path, noise, 16_000)
    code = f"""{HIDE}
import skbird.annotations, skbird.compose, skbird.data, skbird.ensemble, skbird.metrics
import skbird.model_selection, skbird.postprocessing, skbird.semi_supervised
from skbird.preprocessing import LogMel, RMSFilter, VADFilter
print(LogMel(16).fit_transform(RMSFilter().transform([{path!r}])).n_segments)
try:
    VADFilter().transform([{path!r}])[0].weights
except ImportError as exc:
    print(exc)
"""
    return run(code).split("\n", 1)


@pytest.mark.slow
def test_everything_but_networks_and_voices_runs_without_torch(without_torch):
    assert without_torch[0] == "2"


@pytest.mark.slow
def test_a_missing_extra_names_its_remedy(without_torch):
    assert install_hint("train") in without_torch[1]


def test_networks_without_torch_name_the_remedy():
    code = """
from importlib import util
original = util.find_spec
util.find_spec = lambda name: None if name == "torch" else original(name)
try:
    import skbird.nn
except ImportError as exc:
    print(exc)
"""
    assert f"needs torch; install it with: {install_hint('train')}" in run(code)
