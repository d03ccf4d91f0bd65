"""Settings that cannot work are refused before any recording is looked at."""

import os
from pathlib import Path

import pandas as pd
import pytest
import soundfile
from click.testing import CliRunner
from conftest import RATE, tone

pytest.importorskip("torch")
from tiny_backbone import TINY

from skbird.audio import AudioReadError
from skbird.cli import _training_data
from skbird.cli._app import app
from skbird.cli._rehearsal import _write_noise
from skbird.cli._settings import Settings

SHORT = (
    f"--backbone {TINY} --backbone-weights none --epochs 1 --segment-s 1 "
    "--n-mels 16 --sample-rate 16000 --segments-per-row 1"
).split()
NET = "sedclassifier"


@pytest.fixture
def train(tmp_path, monkeypatch):
    """Return a function that trains, up to where recordings would be opened."""

    def stop(X, channels):
        raise ValueError("recordings are opened")

    for species in ("dove", "wren"):
        (tmp_path / "birds" / species).mkdir(parents=True)
        path = tmp_path / "birds" / species / "1.wav"
        soundfile.write(path, tone(1000, 1), RATE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(_training_data, "_readable_rows", stop)

    def run(*args, data="birds", out="birds.pkl"):
        arguments = ["train", data, "--out", out, *SHORT, *map(str, args)]
        return CliRunner().invoke(app, arguments, prog_name="skbird")

    return run


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("rmsfilter__quantile=2", "'quantile' parameter of RMSFilter"),
        ("bandpass__low_hz=-5", "'low_hz' parameter of BandPass"),
        ("bandpass__low_hz=9000", "low_hz=9000"),
        ("segmenter__overlap=1", "'overlap' parameter of Segmenter"),
        ("logmel__high_hz=100000", "high_hz=100000 must lie"),
        ("logmel__n_jobs=x", "'n_jobs' parameter of LogMel"),
        (f"{NET}__lr=abc", "'lr' parameter of SEDClassifier"),
        (f"{NET}__precision=float8", "'precision' parameter of SEDClassifier"),
        (f"{NET}__attention=both", "'attention' parameter of SEDClassifier"),
        (f"{NET}__callbacks__mixup__alpha=-1", "'alpha' parameter of Mixup"),
        (f"{NET}__callbacks__validation__fraction=3", "parameter of ValidationSplit"),
        (f"{NET}__criterion__label_smoothing=-1", "label_smoothing"),
        (f"{NET}__optimizer__betas=x", "fails with these settings"),
        (f"{NET}__device=nowhere", "device='nowhere' cannot be used"),
        (f"{NET}__batch_size=0", "'batch_size' parameter"),
        ("rmsfilter=3", "rmsfilter=3: it takes an object of Python"),
        (f'{NET}__tta_shifts_s=["a"]', "tta_shifts_s must hold real numbers"),
        (f"{NET}__tta_shifts_s=[1e308]", "tta_shifts_s has 1e+308"),
        (f"{NET}__tta_shifts_s=[nan]", "tta_shifts_s has nan"),
        ("logmel=passthrough", "logmel='passthrough': it takes an object"),
        ("steps=[]", "steps=[]: it takes an object of Python"),
        (f"{NET}__callbacks__mixup=1", "mixup=1: it takes an object of Python"),
        (f"{NET}__optimizer=Adm", "optimizer='Adm' is no optimizer of torch.optim"),
        (f"{NET}__optimizer=LBFGS", "optimizer=LBFGS does not train these networks"),
        (f"{NET}__optimizer=Muon", "ASGD, Adadelta, Adafactor,"),  # torch 2.8 has none
        (f"{NET}__criterion=Focal", "Known: BCEFocalLoss, BinaryCrossEntropy"),
        (f"{NET}__callbacks__mixup__alpha=1e-300", "'alpha' parameter of Mixup"),
        (f"{NET}__callbacks__shift__max_s=1e300", "'max_s' parameter of TimeShift"),
        (f"{NET}__callbacks__gain__max_db=1e300", "'max_db' parameter of Gain"),
        (f"{NET}__batch_size={10**30}", "'batch_size' parameter"),
        (f"{NET}__dataset=x", "dataset has no effect"),
        (f"{NET}__iterator_train__num_workers=2", "num_workers has no effect"),
        (f"{NET}__iterator_valid__batch_size=2", "batch_size has no effect"),
        (f"{NET}__torch_load_kwargs=x", "torch_load_kwargs has no effect"),
        (f"{NET}__predict_nonlinearity=x", "predict_nonlinearity has no effect"),
        ("logmel__n_jobs=100000", "'n_jobs' parameter of LogMel"),
        ("logmel__n_mels=1000000000", "'n_mels' parameter of LogMel"),
        ("resampler__sample_rate=200000000", "'sample_rate' parameter of Resampler"),
        ("resampler__channels=900", "'channels' parameter of Resampler"),
        ("logmel__cache_dir=3", "'cache_dir' parameter of LogMel"),
        (f"{NET}__callbacks__mixup__beta=1", "has no parameter"),
        ("nothing__x=1", "there is no 'nothing__x'"),
    ],
)
def test_bad_parameters_fail_before_the_work(train, setting, message):
    result = train("--set", setting)
    assert result.exit_code in (1, 2)
    assert message in result.stderr
    assert "recordings are opened" not in result.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    "setting",
    [
        f"{NET}__callbacks__validation__fraction=0.01",
        f"{NET}__callbacks__mixup__alpha=0.2",
        f"{NET}__lr=5.0",
        f"{NET}__criterion=BCEFocalLoss",
        f"{NET}__optimizer=SGD",
        "vadfilter__threshold=0.3",
        f"{NET}__callbacks__mixup=None",
        f"{NET}={{lr = 0.01, callbacks = {{mixup = {{alpha = 0.2}}}}}}",
        "bandpass=passthrough",
        f"{NET}__batch_size=64",
        "rmsfilter__quantile=0.1",
        "logmel__top_db=None",
    ],
)
def test_good_parameters_do_not(train, setting):
    assert "recordings are opened" in train("--set", setting).stderr


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--backbone-weights", "gone.pt"), "neither 'pretrained', None nor a file"),
        (("--backbone-weights", "birds"), "neither 'pretrained', None nor a file"),
        (("--backbone", "lcnet_036"), "is not a model of timm"),
        (("--work-dir", "birds/dove/1.wav"), "is a file"),
        (("--work-dir", "birds/dove/1.wav/x"), "cannot be written to"),
        (("--work-dir", "birds.pkl"), "is --out"),
        (("--segment-s", "1e9"), "--segment-s"),
        (("--segment-s", "nan"), "--segment-s"),
        (("--config", "birds"), "is a directory"),
        (("--config", "/dev/zero"), "is a device, not a file"),
        (("--config", "pipe"), "is a pipe, not a file"),
        (("--config", "large.toml"), "10,000 MB, and at most 1 are read"),
        (("--config", "deep.toml"), "is no TOML file"),
        (("--config", "digits.toml"), "is no TOML file"),
        (("--config", "latin.toml"), "is no TOML file"),
        (("--sample-rate", "50"), "sample"),
        (("--channels", "256"), "0 is the first, 255 the last"),
        (("--channels", "9" * 5000), "0 is the first, 255 the last"),
        (("--lr", "nan"), "nan is not a number"),
        (("--hold-out", "nan"), "nan is not a number"),
        (("--config", "nan.toml"), "nan is not a number"),
    ],
)
def test_bad_flags_fail_before_the_work(train, tmp_path, flags, message):
    os.mkfifo(tmp_path / "pipe")
    with open(tmp_path / "large.toml", "wb") as file:
        file.truncate(10_000_000_000)  # takes no space on the disk
    (tmp_path / "deep.toml").write_text(f"epochs = {'[' * 5000}")
    (tmp_path / "digits.toml").write_text(f"epochs = {'9' * 5000}")
    (tmp_path / "nan.toml").write_text("lr = nan")
    (tmp_path / "latin.toml").write_bytes(b"backbone = '\xe9'")
    result = train(*flags)
    assert result.exit_code in (1, 2)
    assert message in result.stderr
    assert "recordings are opened" not in result.stderr


@pytest.mark.parametrize("flags", [("--channels", "1"), ("--segment-s", "40")])
def test_good_settings_pass_the_rehearsal(train, flags):
    assert "recordings are opened" in train(*flags).stderr


def test_tables_of_the_file_may_be_nested(train, tmp_path):
    (tmp_path / "n.toml").write_text("[set.sedclassifier]\nlr = -1.0\n")
    assert "'lr' parameter of SEDClassifier" in train("--config", "n.toml").stderr
    (tmp_path / "n.toml").write_text("[set.sedclassifier]\nlr = 0.01\n")
    assert "recordings are opened" in train("--config", "n.toml").stderr


@pytest.mark.slow
def test_the_network_is_compiled_in_the_rehearsal(train, monkeypatch):
    pytest.importorskip("openvino")
    pytest.importorskip("onnxscript")

    def fail(*args, **kwargs):
        raise ValueError("not compiled")

    assert "recordings are opened" in train(out="birds.skbird").stderr
    monkeypatch.setattr("skbird.inference.compile_pipeline", fail)
    assert "not compiled" in train(out="birds.skbird").stderr
    assert "recordings are opened" in train(out="birds.pkl").stderr


def test_channels_of_a_table_have_an_end(train, tmp_path):
    table = "path,primary_label,channels\nbirds/dove/1.wav,dove,900\n"
    (tmp_path / "birds.csv").write_text(f"{table}birds/wren/1.wav,wren,1\n")
    assert "0 is the first, 255 the last" in train(data="birds.csv").stderr


def test_rows_of_channels_that_files_lack_are_left_out_before_the_pass(tmp_path):
    path = str(tmp_path / "mono.wav")
    soundfile.write(path, tone(1000, 1), RATE)
    X = pd.DataFrame({"path": [path, path], "channels": ["7", None]})
    readable, errors = _training_data._readable_rows(X)
    assert readable.tolist() == [False, True]
    assert "has 1 channel, and not that of channels=7" in errors["error"].item()
    with pytest.raises(AudioReadError, match="has 1 channel, and not that of"):
        _training_data._readable_rows(X[["path"]], 7)


def test_channels_of_the_table_pass_the_rehearsal(train, tmp_path):
    table = "path,primary_label,channels\nbirds/dove/1.wav,dove,1\n"
    (tmp_path / "birds.csv").write_text(f"{table}birds/wren/1.wav,wren,1\n")
    result = train(data="birds.csv")
    assert "recordings are opened" in result.stderr


def test_the_rehearsal_needs_no_hard_links(train, monkeypatch):
    def refuse(self, target):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    assert "recordings are opened" in train().stderr


def test_the_noise_of_a_rehearsal_is_short(tmp_path):
    rows = pd.DataFrame({"path": ["a.wav", "b.wav"]})
    _write_noise(rows, tmp_path, Settings(segment_s=600.0, channels="1"))
    found = [soundfile.info(path) for path in rows["path"]]
    assert [(sound.duration, sound.channels) for sound in found] == [(20, 2)] * 2


@pytest.mark.parametrize("name", ["birds.pkl", "birds.pkl.heldout.csv"])
def test_a_model_is_replaced_only_if_that_is_asked_for(train, tmp_path, name):
    (tmp_path / name).write_text("of another training")
    refused = train()
    assert refused.exit_code == 2
    assert f"{name} is there already, from another training" in refused.stderr
    assert "Pass --overwrite to replace it, or another --out." in refused.stderr
    assert not (tmp_path / "birds.pkl.work").exists()
    assert "recordings are opened" in train("--overwrite").stderr
    # What lies beside a model that is not written counts for nothing.
    if name != "birds.pkl":
        assert "recordings are opened" in train("--hold-out", 0).stderr


def test_a_training_goes_on_that_was_broken_off_before_it_was_judged(train, tmp_path):
    (tmp_path / "birds.pkl").write_text("of this training")
    (tmp_path / "birds.pkl.work").mkdir()
    mark = tmp_path / "birds.pkl.work" / "unjudged"
    mark.write_bytes(os.fsencode(tmp_path / "birds.pkl"))
    assert "recordings are opened" in train().stderr
    mark.write_bytes(os.fsencode(tmp_path / "other.pkl"))
    assert "is there already" in train().stderr


def test_keys_that_are_flags_are_named_so(train, tmp_path):
    (tmp_path / "n.toml").write_text("license = 'CC0'\n")
    result = train("--config", "n.toml")
    assert result.exit_code == 2
    assert "license goes on the command line only, as --license." in result.stderr
    result = train("--hold-out", 0, "--groups", "path")
    assert "nothing is held out, so that groups has no effect" in result.stderr


def test_a_refused_training_leaves_no_folders(train, tmp_path):
    assert train("--work-dir", "one/two/three").exit_code == 1
    assert not (tmp_path / "one").exists()


@pytest.mark.parametrize("name", ["pipe.csv", "zero.tsv"])
def test_a_table_is_a_file(tmp_path, name):
    if name == "pipe.csv":
        os.mkfifo(tmp_path / name)
    else:
        (tmp_path / name).symlink_to("/dev/zero")
    for command in (["describe", name], ["train", name, "--out", "b.pkl"]):
        arguments = [command[0], str(tmp_path / name), *command[2:]]
        result = CliRunner().invoke(app, arguments, prog_name="skbird")
        assert result.exit_code == 1
        assert "not a file" in result.stderr


def test_a_model_is_a_file(tmp_path):
    (tmp_path / "m.pkl").symlink_to("/dev/zero")
    soundfile.write(tmp_path / "a.wav", tone(1000, 1), RATE)
    arguments = ["predict", str(tmp_path / "m.pkl"), str(tmp_path), "--out", "e.csv"]
    result = CliRunner().invoke(app, [*arguments, "--trust-pickle"])
    assert result.exit_code == 1
    assert "is a device, not a file" in result.stderr


@pytest.mark.parametrize(
    "flag", ["--threshold", "--max-gap-s", "--segment-s", "--step-s", "--time-budget-s"]
)
def test_numbers_are_numbers(tmp_path, flag):
    (tmp_path / "m.pkl").touch()
    arguments = ["predict", str(tmp_path / "m.pkl"), str(tmp_path), "--out", "e.csv"]
    result = CliRunner().invoke(app, [*arguments, flag, "nan"])
    assert result.exit_code == 2
    assert "nan is not a number" in result.stderr


def test_a_report_asks_for_its_packages_first(tmp_path, monkeypatch):
    monkeypatch.setattr(
        "importlib.util.find_spec", lambda name: None if name == "captum" else name
    )
    (tmp_path / "m.pkl").touch()
    arguments = ["report", str(tmp_path / "m.pkl"), str(tmp_path), "--grad-cam"]
    arguments += ["--trust-pickle", "--out", str(tmp_path / "page.html")]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 1
    assert "The page needs captum: pip install" in result.stderr
