"""From a fitted pipeline to predictions on a machine that has only CPUs, and no torch.

Fits an EfficientNet-B0 on a synthetic data set, compiles it, writes it to a model file,
loads that in a fresh process, which predicts the test soundscapes, and prints how much
faster that is than the pipeline, and what it costs in accuracy.

    python examples/cpu_inference.py
    pip install 'skbird[cpu]'  # all that the machine needs which predicts
"""

import argparse
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from skbird.data import make_birdclef, segment_table

OUTPUT = Path("cpu_inference_output")


def fit(data, backbone, epochs):
    """Fit a pipeline, here for a few epochs."""
    from sklearn.pipeline import make_pipeline

    from skbird.nn import CNNClassifier
    from skbird.preprocessing import BandPass, LogMel, Resampler, Segmenter

    pipe = make_pipeline(
        Resampler(32_000),
        BandPass(50, 16_000),
        Segmenter(5.0),
        LogMel(verbose=False),
        CNNClassifier(
            backbone, weights=None, max_epochs=epochs, lr=2e-3, random_state=0
        ),
    )
    return pipe.fit(data.X, data.Y)


def predict(model_path, folder, out):
    """Load a model file and predict soundscapes: what the fresh process does."""
    sys.modules["torch"] = None  # as if it were not installed
    from skbird.inference import load_model

    model = load_model(model_path)
    rows = segment_table(sorted(Path(folder).glob("*.ogg")))
    proba, seconds = timed(model.predict_proba, rows)
    np.savez(out, proba=proba, seconds=seconds)


def timed(function, X):
    """Return the result of a function and the seconds of the quickest of its calls."""
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        result = function(X)
        seconds.append(time.perf_counter() - start)
    return result, min(seconds)


def compare(backbone, epochs):
    """Fit, compile, save, predict in a fresh process, print the comparison."""
    from skbird.inference import compile_pipeline, save_model
    from skbird.metrics import macro_roc_auc

    data = make_birdclef(OUTPUT / "birdclef", random_state=0)
    rows, folder = data.test, Path(data.test["path"].iloc[0]).parent
    pipe = fit(data, backbone, epochs)
    proba, seconds = timed(pipe.predict_proba, rows)
    audio_s = (rows["end"] - rows["start"]).sum()
    print(f"\n{audio_s:.0f} s of soundscapes, {len(rows)} rows")
    print(f"{'':<16}{'seconds':>9}{'speed-up':>10}{'difference':>12}{'macro AUC':>11}")

    def show(name, seconds_now, proba_now):
        difference = np.abs(proba_now - proba).max()
        score = macro_roc_auc(data.test_Y, proba_now)
        speed_up = f"{seconds / seconds_now:.1f} x"
        print(
            f"{name:<16}{seconds_now:9.2f}{speed_up:>10}{difference:12.1e}{score:11.4f}"
        )

    show("pipeline", seconds, proba)
    for precision in ("fp32", "auto"):
        compiled = compile_pipeline(pipe, data.X[:8], precision=precision)
        used = compiled.network.precision
        path = OUTPUT / f"birds_{used}.skbird"
        save_model(compiled, path, data=data.X, licence="CC0-1.0")
        out = OUTPUT / f"proba_{used}.npz"
        # A fresh process, as on another machine.
        command = [sys.executable, __file__, "--model", path, "--soundscapes", folder]
        subprocess.run([*map(str, command), "--out", str(out)], check=True)
        result = np.load(out)
        show(f"openvino {used}", float(result["seconds"]), result["proba"])
        if used == "fp32" and precision == "auto":
            print("(this CPU does not compute in bfloat16)")
    print(f"\nWrote {path} ({path.stat().st_size / 1e6:.0f} MB)")


def main():
    """Parse the command line and do one part or the other."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backbone", default="efficientnet_b0")
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--model", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--soundscapes", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.model:
        predict(args.model, args.soundscapes, args.out)
    else:
        compare(args.backbone, args.epochs)


if __name__ == "__main__":
    main()
