"""What importing costs, and what runs without torch."""

import pkgutil
import re
import subprocess
import sys

import numpy as np
import pytest

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


def test_import_skbird_loads_nothing_heavy():
    heavy = "{'torch', 'librosa', 'pandas', 'sklearn'}"
    assert run(f"import sys, skbird; print({heavy} & set(sys.modules))") == "set()\n"


@pytest.mark.slow
def test_import_nn_loads_no_models_of_other_packages():
    heavy = "{'timm', 'torchvision', 'torch._dynamo', 'librosa.util', 'onnx'}"
    code = f"import sys, skbird.nn; print({heavy} & set(sys.modules))"
    assert run(code) == "set()\n"


@pytest.mark.slow
def test_the_package_lists_its_subpackages():
    rooms = {f"skbird.{room.name}" for room in pkgutil.iter_modules(skbird.__path__)}
    assert set(re.findall(r":mod:`([a-z_.]+)`", skbird.__doc__)) == rooms
    assert {f"skbird.{room}" for room in skbird.__all__} == {
        "skbird.__version__",
        *rooms,
    }
    code = "import skbird; print(skbird.data.check_rows.__module__, skbird.__version__)"
    assert run(code).split() == ["skbird.data", skbird.__version__]


@pytest.mark.slow
def test_everything_but_networks_and_voices_runs_without_torch(write_wav):
    path = write_wav("a.wav", np.random.default_rng(0).normal(0, 0.1, 16_000 * 6))
    code = f"""{HIDE}
import skbird.annotations, skbird.compose, skbird.data, skbird.ensemble, skbird.metrics
import skbird.model_selection, skbird.postprocessing, skbird.semi_supervised
from skbird.preprocessing import LogMel, RMSFilter
print(LogMel(16).fit_transform(RMSFilter().transform([{path!r}])).n_segments)
"""
    assert run(code) == "2\n"


@pytest.mark.slow
def test_a_missing_extra_names_its_remedy(write_wav):
    path = write_wav("a.wav", np.zeros(16_000))
    code = f"""{HIDE}
from skbird.preprocessing import VADFilter
try:
    VADFilter().transform([{path!r}])[0].weights
except ImportError as exc:
    print(exc)
"""
    assert install_hint("train") in run(code)


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
