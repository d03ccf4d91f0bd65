import functools
import importlib.util
import pickle
import re
import runpy
import shutil
import sys
from functools import partial
from pathlib import Path

import matplotlib
import pandas as pd
import pytest

import skbird.datasets
import skbird.reports
from skbird.datasets import make_birdclef
from skbird.reports import describe_errors, describe_recordings

pytest.importorskip("onnx")
pytest.importorskip("optuna")
pytest.importorskip("openvino")
pytest.importorskip("captum")

from tiny_backbone import TINY
from tiny_encoder import write_encoder

matplotlib.use("Agg")
pytestmark = [
    pytest.mark.filterwarnings("ignore:Round .. 100% of the pseudo-labels"),
    pytest.mark.usefixtures("brief_recordings", "blank_pictures"),
]
EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
PNG = b"\x89PNG"
N = 24  # recordings: eight of a species on average, of three collections
SCORE = r"[01]\.\d{3}"
CACHED = {"train", "understand_predictions", "self_training"}
CACHED |= {"curriculum_and_hard_negatives"}
NETWORK = ("--backbone", TINY, "--epochs", "1")


@pytest.fixture(scope="module")
def tiny(brief_recordings, tmp_path_factory):
    """Return a folder of BirdCLEF's shape, as small as the examples can bear."""
    root = tmp_path_factory.mktemp("tiny") / "set"
    sizes = {"n_test": 2, "n_labeled": 0, "n_unlabeled": 2, "soundscape_s": 10.0}
    make_birdclef(root, n_species=3, n_recordings=N, **sizes)
    return root


@pytest.fixture(scope="module")
def downloaded(tiny, tmp_path_factory):
    """Return the same as Kaggle has it: without test soundscapes and truth."""
    root = tmp_path_factory.mktemp("downloaded") / "birdclef"
    hidden = ("soundscape_truth.csv", "soundscape_calls.csv", "*.json")
    shutil.copytree(tiny, root, ignore=shutil.ignore_patterns(*hidden))
    for path in (root / "test_soundscapes").iterdir():
        path.unlink()
    return root


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """Return a file of weights, in place of ImageNet's, which need a network."""
    timm, torch = pytest.importorskip("timm"), pytest.importorskip("torch")
    path = tmp_path_factory.mktemp("weights") / "tiny.pt"
    torch.save(timm.create_model(TINY).state_dict(), path)
    return path


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """Return the folder in which examples find the spectrograms of those before."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def run(tiny, cache, tmp_path, monkeypatch, capfd):
    """Return a function that runs an example and returns its output."""
    import matplotlib.pyplot as plt

    def load_tiny(root, **sizes):
        return skbird.datasets.load_birdclef(tiny)

    def describe(*tables, n_clips, **options):
        return describe_errors(*tables, n_clips=2, **options)

    few_clips = partial(describe_recordings, n_clips=2)

    def run(name, *options):
        command = [name, "--output", tmp_path / "out", *options]
        if name in CACHED:
            command += ["--cache", cache]
        monkeypatch.setattr(sys, "argv", list(map(str, command)))
        monkeypatch.setattr(skbird.datasets, "make_birdclef", load_tiny)
        monkeypatch.setattr(skbird.reports, "describe_errors", describe)
        monkeypatch.setattr(skbird.reports, "describe_recordings", few_clips)
        runpy.run_path(str(EXAMPLES / f"{name}.py"), run_name="__main__")
        return capfd.readouterr().out

    yield run
    plt.close("all")


def pictures(folder):
    """Return the names of the pictures in a folder, and check that they are some."""
    paths = sorted(folder.glob("*.png"))
    assert all(path.read_bytes().startswith(PNG) for path in paths)
    return [path.stem for path in paths]


@pytest.mark.slow
def test_eda_tells_what_the_data_hold(run, tmp_path):
    shown = run("eda")
    assert f"{N} recordings of 3 species" in shown
    assert re.search(rf"copies of another file +0 +{N}", shown)
    assert "duplicates: 0" in shown
    assert "unreadable: 0" in shown
    assert {"noise", "level_dbfs", "species_collections"} <= {
        *pictures(tmp_path / "out")
    }
    assert "<html" in (tmp_path / "out" / "recordings.html").read_text()


@pytest.mark.slow
def test_eda_lists_copies_and_damage(run, downloaded, tmp_path):
    root = shutil.copytree(downloaded, tmp_path / "damaged")
    table = pd.read_csv(root / "train.csv")
    few = table.groupby("primary_label").head(4)
    few.to_csv(root / "train.csv", index=False)
    one, two, three = sorted(root.glob("train_audio/910001/*.ogg"))[:3]
    shutil.copy(one, two)
    three.write_bytes(b"no sound")
    shown = run("eda", "--root", root)
    assert "duplicates: 2" in shown
    assert one.name in shown
    assert "unreadable: 1" in shown
    assert three.name in shown


@pytest.mark.slow
def test_the_second_pass_finds_the_cache(run, tmp_path):
    shown = run("precompute")
    assert re.search(r"First pass [\d.]+ s, with other filters again [\d.]+ s", shown)
    # Spectrogram, voice and level of each recording; the second pass added none.
    assert len(list((tmp_path / "out" / "cache").rglob("*.npy"))) == 3 * N
    assert re.search(r"Cache: \d+ MB for 0\.\d\d hours", shown)
    assert pictures(tmp_path / "out") == ["CSA", "XC", "iNat", "weights"]


@pytest.mark.slow
def test_train_judges_on_held_out_collections_and_saves_the_model(run, tmp_path):
    shown = run("train", *NETWORK)
    assert re.search(rf"Macro ROC-AUC {SCORE} \[", shown)
    for collection in ("CSA", "XC", "iNat"):
        assert re.search(rf"\d +{collection} +\d+", shown)
    assert re.search(rf"Macro ROC-AUC of the test soundscapes: {SCORE}", shown)
    assert pictures(tmp_path / "out") == ["history"]
    saved = pickle.loads((tmp_path / "out" / "model.pickle").read_bytes())
    assert len(list(saved[-1].module_.parameters())) > 1


@pytest.mark.slow
def test_predictions_are_explained(run, tmp_path):
    shown = run("understand_predictions", *NETWORK)
    assert re.search(r"Trained on \d+ recordings, \d+ held out", shown)
    assert "recall_gap" in shown
    assert re.search(r"bn1 +[\d.]+ +[\d.]+", shown)
    assert pictures(tmp_path / "out") == [
        *("attention", "confusions", "explanations", "grad_cam", "reliability"),
        *("support", "thresholds"),
    ]
    page = (tmp_path / "out" / "errors.html").read_text()
    assert "<html" in page
    assert re.search("<button[^>]* data-store=", page)  # a clip to be played


@pytest.mark.slow
def test_students_learn_from_soundscapes(run, tmp_path):
    shown = run("self_training", *NETWORK)
    assert f"{N} recordings with labels, 4 rows without" in shown
    assert re.search(rf"labels alone: macro ROC-AUC {SCORE}", shown)
    assert re.search(rf"self-trained: macro ROC-AUC {SCORE}", shown)
    assert pictures(tmp_path / "out") == ["rounds"]


@pytest.mark.slow
def test_curricula_are_compared_with_another_seed(run, tmp_path):
    shown = run("curriculum_and_hard_negatives", *NETWORK)
    for way in ("curriculum by entropy", "hard negatives", "plain, another seed"):
        assert re.search(rf"{way} +[+-]{SCORE} \[[+-]{SCORE}, [+-]{SCORE}\]", shown)
    assert pictures(tmp_path / "out") == [
        *("curriculum_by_entropy", "gains", "hard_negatives"),
    ]


@pytest.mark.slow
def test_a_fresh_process_without_torch_predicts_the_same(run, tmp_path):
    shown = run("cpu_inference", *NETWORK)
    assert "20 s of soundscapes, 4 rows" in shown
    line = re.search(r"compiled, float32 +([\d.]+) +([\d.]+) +([\d.]+)", shown)
    assert float(line[3]) < 1e-4
    submission = pd.read_csv(tmp_path / "out" / "birds_float32.csv", index_col="row_id")
    assert submission.shape == (4, 3)
    assert submission.index[0].endswith("_5")


@pytest.mark.slow
def test_a_survey_is_compared_with_its_truth(run, tmp_path):
    pytest.importorskip("astral")
    shown = run("survey", "--weeks", 1, "--reviews", 60)
    assert "6 sites, 1 week, 4 species" in shown
    for column in ("precision_low", "rows with calls", "confirmed"):
        assert column in shown
    assert pictures(tmp_path / "out") == ["activity"]
    assert "<html" in (tmp_path / "out" / "survey.html").read_text()
    wide = pd.read_csv(tmp_path / "out" / "history_wide.csv")
    assert len(wide) == 4 * 6


@pytest.mark.slow
def test_what_to_label_next_is_asked(run, tmp_path):
    shown = run("active_learning", "--rounds", "3", "--batch", "3")
    assert re.search(r"\d+ recordings to ask for, \d+ of other authors", shown)
    for name in ("random", "rare species", "CoreSet"):
        assert f"\n{name}: the labels are spent" in shown
    assert pictures(tmp_path / "out") == ["curves"]
    assert (tmp_path / "out" / "learner.pickle").stat().st_size > 1000


@pytest.mark.slow
def test_learning_curves_of_a_few_labels(run, tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(EXAMPLES)
    stand_in = importlib.import_module("_stand_in")
    make = functools.partial(stand_in.make_encoder, n_epochs=2, n_recordings=14)
    monkeypatch.setattr(stand_in, "make_encoder", make)
    shown = run("few_labels", "--draws", 1, "--epochs", 1)
    assert "classes for 2 of the 3 species" in shown
    assert "was not trained on: CSA." in shown
    score = rf"{SCORE} ± {SCORE}"
    for model in ("statistics", "network from scratch", "probe", "encoder's scores"):
        # Macro ROC-AUC, accuracy, and ROC-AUC of known and unknown species.
        assert re.search(rf"{model} +1( +{score}){{4}}\n +2( +{score}){{4}}\n", shown)
    assert pictures(tmp_path / "out") == ["learning_curve"]


@pytest.mark.slow
def test_an_encoder_that_knows_no_species_has_a_probe(run, tiny, tmp_path):
    encoder = write_encoder(tmp_path)
    options = "--encoder", encoder, "--data", tiny
    shown = run("few_labels", *options, "--draws", 2, "--epochs", 1)
    assert "classes for 0 of the 3 species" in shown
    assert "a fifth of the values of 'author'" in shown
    assert "probe" in shown
    assert "encoder's scores" not in shown
    assert pictures(tmp_path / "out") == ["learning_curve"]


@pytest.mark.slow
def test_the_search_over_encoders_computes_windows_once(run, tiny, tmp_path):
    low = write_encoder(tmp_path, "low")
    high = write_encoder(tmp_path, "high", tones=(2000.0, 2500.0, 3500.0))
    shown = run("search_encoder", "--encoder", low, high, "--trials", 8)
    computed = {}
    trial = rf"trial +\d+: {SCORE}  (\w+).onnx .* windows of (\d+) recordings computed"
    for name, n in re.findall(trial, shown):
        computed.setdefault(name, []).append(int(n))
    assert sum(map(len, computed.values())) == 8
    assert {"low", "high"} == set(computed)
    for first, *later in computed.values():
        assert first == N
        assert set(later) == {0}
    assert re.search(rf"Best: {SCORE} out of fold", shown)


# The others read a folder by the same function.
THOROUGH = pytest.mark.thorough


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "found"),
    [
        pytest.param(
            "precompute", "Recordings that could not be read: 0", marks=THOROUGH
        ),
        ("train", "it predicts:"),
        pytest.param("understand_predictions", "roc_auc_gap", marks=THOROUGH),
        pytest.param(
            "self_training", " recordings with labels, 4 rows without", marks=THOROUGH
        ),
        pytest.param(
            "curriculum_and_hard_negatives", "plain, another seed", marks=THOROUGH
        ),
        pytest.param("cpu_inference", "20 s of soundscapes, 4 rows", marks=THOROUGH),
    ],
)
def test_examples_take_a_folder_as_downloaded(run, downloaded, weights, name, found):
    options = ["--root", downloaded, "--limit", 20]
    if name != "precompute":
        options += [*NETWORK, "--weights", weights]
    assert found in run(name, *options)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_the_search_shares_the_cache_and_goes_on(tmp_path, monkeypatch, capsys):
    spec = importlib.util.spec_from_file_location(
        "optuna_search", EXAMPLES / "optuna_search.py"
    )
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    monkeypatch.setattr(example, "OUTPUT", tmp_path)
    # The search takes the recordings only.
    no_soundscapes = {"n_test": 1, "n_labeled": 0, "n_unlabeled": 1}
    sizes = {"n_species": 3, "soundscape_s": 10.0, **no_soundscapes}
    make_set = partial(make_birdclef, **sizes)
    monkeypatch.setattr(example, "make_birdclef", make_set)
    make_pipeline = example.make_pipeline

    def make_small(cache_dir):
        small = {
            "backbone": TINY,
            "max_epochs": 1,
            "segments_per_row": 1,
        }
        return make_pipeline(cache_dir).set_params(
            **{f"net__{name}": value for name, value in small.items()}
        )

    monkeypatch.setattr(example, "make_pipeline", make_small)
    monkeypatch.setattr(sys, "argv", ["search", "--trials", "2", "--recordings", "18"])
    example.main()
    shown = capsys.readouterr().out
    assert "2 trials: {'complete': 2}" in shown
    assert "Front end: 108 rows in" in shown  # 2 trials, 3 folds, 18 rows
    n_files = len(list((tmp_path / "cache").rglob("*.npy")))
    monkeypatch.setattr(sys, "argv", ["search", "--trials", "3", "--recordings", "18"])
    example.main()
    assert "3 trials: {'complete': 3}" in capsys.readouterr().out
    # The third trial found all its spectrograms in the cache.
    assert len(list((tmp_path / "cache").rglob("*.npy"))) == n_files
