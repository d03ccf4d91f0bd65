"""Time files to probabilities on a CPU, against a notebook and decoding alone.

Usage::

    python benchmarks/inference.py --backbone efficientnet_b0

Ten one-minute ogg files, 206 species, 5-s rows. The systems take turns, each in a
process of its own that is warm; figures are medians over the rounds, ratios those of
each round:

- ``decoding``: soundfile in as many threads as there are cores, and nothing else.
- ``notebook``: librosa and eager torch, file by file, as tutorials have it.
- ``skbird``: the fitted pipeline.
- ``openvino fp32``, ``openvino bf16``, ``onnxruntime fp32``: what `compile_pipeline`
  makes of it.

``benchmarks/real_audio.py --compiled openvino`` says what compiling costs in accuracy.
"""

import argparse
import pickle
import statistics
import tempfile
import time
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pandas as pd
from _common import take_turns, write_results
from front_end import RATE, write_soundscapes

N_FILES = 10
N_SPECIES = 206
COMPILED = {
    "openvino fp32": {"backend": "openvino", "precision": "float32"},
    "openvino bf16": {"backend": "openvino", "precision": "bfloat16"},
    "onnxruntime fp32": {"backend": "onnxruntime", "precision": "float32"},
}
KINDS = ("decoding", "notebook", "skbird", *COMPILED)


def make_models(folder, backbone, prefix="", kinds=tuple(COMPILED), **options):
    """Write a pipeline and compiled ones, from a process of its own.

    Parameters
    ----------
    folder : Path
        Where the recordings are, and the pickles will be.
    backbone : str
    prefix : str
        What the names of the pickles begin with.
    kinds : sequence of str
        Which of the compiled ones.
    **options
        Parameters of LogMel.
    """
    process = get_context("spawn").Process(
        target=_make_models, args=(folder, backbone, prefix, kinds, options)
    )
    process.start()
    process.join()
    if process.exitcode != 0:
        raise SystemExit(f"The models of {backbone} could not be made; see above.")


def _make_models(folder, backbone, prefix, kinds, options):
    from sklearn.pipeline import make_pipeline

    from skbird.inference import compile_pipeline
    from skbird.nn import CNNClassifier
    from skbird.preprocessing import BandPass, LogMel, Resampler, Segmenter

    paths = sorted(str(path) for path in folder.glob("row*.ogg"))
    Y = np.random.default_rng(0).integers(0, 2, (N_FILES, N_SPECIES))
    pipe = make_pipeline(
        Resampler(RATE),
        BandPass(50, 16_000),
        Segmenter(5.0),
        LogMel(**{"n_mels": 128, "verbose": 0, **options}),
        CNNClassifier(backbone, backbone_weights=None, max_epochs=1, verbose=0),
    ).fit(paths, Y)
    models = {"skbird": pipe}
    for kind in kinds:
        models[kind] = compile_pipeline(pipe, tolerance=0.1, **COMPILED[kind])
    for kind, model in models.items():
        (folder / f"{prefix}{kind}.pkl").write_bytes(pickle.dumps(model))


def decode_all(folder, backbone):
    """Return a function that decodes the files in threads."""
    import soundfile
    from joblib import Parallel, delayed

    paths = sorted(folder.glob("row*.ogg"))
    decode = delayed(soundfile.read)

    def run():
        Parallel(-1, prefer="threads")(decode(path, dtype="float32") for path in paths)

    return run


def notebook(folder, backbone):
    """Return a function that predicts as tutorials do."""
    import librosa
    import timm
    import torch

    model = timm.create_model(backbone, in_chans=1, num_classes=N_SPECIES).eval()
    paths = sorted(folder.glob("row*.ogg"))

    def run():
        for path in paths:
            samples, rate = librosa.load(path, sr=RATE)
            batch = []
            for segment in np.split(samples, len(samples) // (5 * rate)):
                mel = librosa.feature.melspectrogram(
                    y=segment, sr=rate, n_mels=128, n_fft=1024, hop_length=512
                )
                decibel = librosa.power_to_db(mel, ref=np.max)
                batch.append((decibel - decibel.min()) / np.ptp(decibel))
            with torch.no_grad():
                torch.sigmoid(model(torch.tensor(np.array(batch))[:, None]))

    return run


def predict_rows(folder, kind):
    """Return a function that predicts rows of 5 s with a pickled model."""
    from skbird.data import segment_table

    rows = segment_table(sorted(folder.glob("row*.ogg")))
    model = pickle.loads((folder / f"{kind}.pkl").read_bytes())
    return lambda: model.predict_proba(rows)


def serve(kind, folder, backbone, pipe):
    """Time a run whenever asked; a process of its own."""
    make = {"decoding": decode_all, "notebook": notebook}.get(kind)
    run = make(folder, backbone) if make else predict_rows(folder, kind)
    run()
    run()
    pipe.send(True)
    while pipe.recv():
        start = time.perf_counter()
        run()
        pipe.send(time.perf_counter() - start)


class Warm:
    """A process that has predicted twice, and predicts again whenever it is asked."""

    def __init__(self, kind, folder, backbone):
        context = get_context("spawn")
        self.pipe, far = context.Pipe()
        context.Process(
            target=serve, args=(kind, folder, backbone, far), daemon=True
        ).start()
        far.close()  # if the process dies, `recv` says so
        self.pipe.recv()

    def time(self):
        """Return the seconds that all files take."""
        self.pipe.send(True)
        return self.pipe.recv()

    def close(self):
        """End the process."""
        self.pipe.send(False)


def main():
    """Parse the command line, measure, print and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backbone", default="efficientnet_b0")
    parser.add_argument("--rounds", type=int, default=7)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_soundscapes(folder, N_FILES)
        make_models(folder, args.backbone)
        systems = {kind: Warm(kind, folder, args.backbone) for kind in KINDS}
        seconds = take_turns(systems, args.rounds)
    lines = {}
    for kind, taken in seconds.items():
        pairs = list(zip(seconds["notebook"], seconds["decoding"], taken, strict=True))
        lines[kind] = {
            "s of audio per s": 60 * N_FILES / statistics.median(taken),
            "times the notebook": statistics.median(n / t for n, _, t in pairs),
            "time / decoding": statistics.median(t / d for _, d, t in pairs),
        }
    print(pd.DataFrame(lines).T.round({"s of audio per s": 0}).to_string())
    print(f"written to {write_results('inference', vars(args), lines)}")


if __name__ == "__main__":
    main()
