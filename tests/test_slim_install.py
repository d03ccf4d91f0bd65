"""What ``pip install 'skbird[cpu]'`` brings is enough to load a model and predict."""

import subprocess
import sys
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import RATE, livened
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from sklearn.pipeline import make_pipeline

import skbird

pytest.importorskip("onnxscript")
pytest.importorskip("openvino")
pytest.importorskip("onnx")
from tiny_cnn import TinyCNN

from skbird.inference import compile_pipeline, save_model
from skbird.nn import CNNClassifier
from skbird.preprocessing import BandPass, LogMel, Resampler, Segmenter

PREDICT = """
import importlib.util, sys
import numpy as np
from skbird.inference import load_model
assert importlib.util.find_spec("torch") is None
model = load_model("birds.skbird")
X = open("paths.txt").read().split("\\n")
np.testing.assert_allclose(model.predict_proba(X), np.load("proba.npy"), atol=1e-4)
from skbird.archive import predict_archive
predict_archive(model, X, "archive", verbose=0)
"""


def requirements(name, extras=()):
    """Return the distributions that an installation of one brings."""
    found, seen, waiting = {}, set(), [(name, frozenset(extras))]
    while waiting:
        name, extras = wanted = waiting.pop()
        if wanted in seen:
            continue
        seen.add(wanted)
        try:
            found[canonicalize_name(name)] = dist = distribution(name)
        except PackageNotFoundError:
            continue  # for other platforms or versions of Python
        for line in dist.requires or ():
            needed = Requirement(line)
            chosen = [{"extra": extra} for extra in ("", *extras)]
            if needed.marker is None or any(map(needed.marker.evaluate, chosen)):
                waiting.append((needed.name, frozenset(needed.extras)))
    return found


@pytest.fixture
def slim_folder(tmp_path):
    """Link what an installation without torch would have into a folder."""
    folder = tmp_path / "site-packages"
    folder.mkdir()
    (folder / "skbird").symlink_to(Path(skbird.__file__).parent)
    brought = requirements("skbird", ["cpu", "archive"])
    assert {"openvino", "onnx"} <= set(brought), "outdated: pip install -e . again"
    assert not {"torch", "timm", "skorch"} & set(brought)
    del brought["skbird"]
    for dist in brought.values():
        for name in {file.parts[0] for file in dist.files} - {"..", "__pycache__"}:
            link, place = folder / name, dist.locate_file(name)
            if not link.exists():
                link.symlink_to(place)
    return folder


@pytest.mark.slow
def test_predicts_where_torch_is_not_installed(bird_folder, slim_folder, tmp_path):
    X = list(bird_folder["path"])
    Y = pd.get_dummies(bird_folder["species"]).astype(np.float32)
    model = make_pipeline(
        Resampler(RATE),
        BandPass(100, 7000),
        Segmenter(1.0),
        LogMel(32, verbose=0),
        CNNClassifier(module=TinyCNN, backbone_weights=None, max_epochs=1, verbose=0),
    )
    compiled = compile_pipeline(livened(model.fit(X, Y)), precision="float32")
    save_model(compiled, tmp_path / "birds.skbird")
    np.save(tmp_path / "proba.npy", compiled.predict_proba(X))
    (tmp_path / "paths.txt").write_text("\n".join(X))
    # -S leaves out the packages of this environment.
    code = f"import sys; sys.path.insert(0, {str(slim_folder)!r}){PREDICT}"
    command = [sys.executable, "-S", "-c", code]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert len(pd.read_parquet(tmp_path / "archive")) > 0
