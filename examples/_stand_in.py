"""A small pretrained encoder for the examples, in place of BirdNET.

What it has learnt from are synthetic recordings too, but others than those that the
examples judge: other animals, other recordists, and the collections XC and iNat only.
Of the species of an example it knows every other one, as real models know many species
and lack yours. Besides, it has learnt each of its species played slower and faster:
more sounds to tell apart make an embedding that serves for sounds it never heard.
"""

from pathlib import Path

import numpy as np
import onnx
import soxr
import torch
from torch import nn

from skbird.datasets import make_birdclef
from skbird.encoders import EncoderOutput, EncoderSpec, TrainingSource, write_spec
from skbird.preprocessing import Resampler

RATE, N_FFT, HOP, N_MELS = 16_000, 512, 256, 48
COLLECTIONS = "XC", "iNat"
SPEEDS = {"": 1.0, ", slow": 0.7, ", fast": 1.4}  # what is behind the species' name
WIDTH, N_VALUES, BATCH = 16, 64, 32


class FrontEnd(nn.Module):
    """From samples (batch, n_samples) to decibels (batch, n_mels, n_frames)."""

    def __init__(self):
        super().__init__()
        bins = np.arange(N_FFT // 2 + 1)
        angle = 2 * np.pi * np.outer(bins, np.arange(N_FFT)) / N_FFT
        waves = np.concatenate([np.cos(angle), np.sin(angle)]) * np.hanning(N_FFT)
        edges = np.geomspace(300, 7600, N_MELS + 2)[:, None] * N_FFT / RATE
        rise = (bins - edges[:-2]) / np.maximum(edges[1:-1] - edges[:-2], 1)
        fall = (edges[2:] - bins) / np.maximum(edges[2:] - edges[1:-1], 1)
        mel = np.maximum(np.minimum(rise, fall), 0)
        self.register_buffer("waves", torch.from_numpy(waves[:, None]).float())
        self.register_buffer("mel", torch.from_numpy(mel).float())

    def forward(self, samples):
        """Compute the power of each band in each frame."""
        parts = nn.functional.conv1d(samples[:, None], self.waves, stride=HOP)
        real, imaginary = parts.chunk(2, dim=1)
        return torch.log(self.mel @ (real**2 + imaginary**2) + 1e-6)


class Body(nn.Module):
    """From decibels to an embedding, and from that to the scores of classes."""

    def __init__(self, n_classes):
        super().__init__()
        widths = 1, WIDTH, 2 * WIDTH, 4 * WIDTH, N_VALUES
        layers = []
        for k in range(4):
            stride = 2 if k == 0 else 1
            layers += [
                nn.Conv2d(widths[k], widths[k + 1], 3, stride, padding=1, bias=False),
                nn.BatchNorm2d(widths[k + 1]),
                nn.ReLU(),
            ]
            if k < 3:
                layers.append(nn.MaxPool2d(2))
        self.layers = nn.Sequential(*layers)
        self.head = nn.Linear(N_VALUES, n_classes)

    def forward(self, bands):
        """Return embedding (batch, n_values) and scores (batch, n_classes)."""
        bands = bands - bands.mean(dim=2, keepdim=True)  # steady noise
        bands = bands / (bands.std(dim=(1, 2), keepdim=True) + 1e-3)
        embedding = self.layers(bands[:, None]).amax(dim=2).mean(dim=2)
        return embedding, self.head(embedding)


def make_encoder(folder, species, *, window_s=3.0, n_epochs=12, n_recordings=180):
    """Train an encoder, if that has not been done before.

    Parameters
    ----------
    folder : Path
        Gets the recordings to learn from, the model and its spec.
    species : list of str
        Scientific names of what it will be judged on; it learns every other one.
    window_s : float
        Length of its windows in seconds.
    n_epochs, n_recordings : int
        How long, and from how much, it learns.

    Returns
    -------
    Path
        Of the .onnx file; the spec is beside it.
    """
    path = Path(folder) / f"stand_in_{window_s:g}s.onnx"
    if path.is_file():
        return path
    sizes = {"n_test": 1, "n_labeled": 0, "n_unlabeled": 0, "soundscape_s": 5.0}
    data = make_birdclef(
        Path(folder) / "elsewhere",
        n_species=14,
        n_recordings=n_recordings,
        random_state=1,
        **sizes,
    )
    heard = data.X["collection"].isin(COLLECTIONS)
    heard &= ~data.X["scientific_name"].isin(sorted(species)[1::2])
    X = data.X[heard].reset_index(drop=True)
    names, labels = np.unique(X["scientific_name"].astype(str), return_inverse=True)
    class_names = [name + speed for speed in SPEEDS for name in names]
    n_samples = round(window_s * RATE)
    front_end, body = FrontEnd(), Body(len(class_names))
    bands = list_bands(X, n_samples, front_end)
    labels = np.concatenate([labels + k * len(names) for k in range(len(SPEEDS))])
    train(body, bands, labels, (n_samples - N_FFT) // HOP + 1, n_epochs)
    write_model(path, nn.Sequential(front_end, body), class_names, window_s)
    return path


def list_bands(X, n_samples, front_end):
    """Return the decibels of all recordings at one speed after the other."""
    recordings = Resampler(RATE).transform(X)
    clips = [recordings[row].samples for row in range(len(X))]
    bands = []
    for speed in SPEEDS.values():
        for samples in clips:
            played = soxr.resample(samples, RATE * speed, RATE)
            played = np.resize(played, max(len(played), n_samples))
            played = 0.25 * played / max(np.abs(played).max(), 1e-9)
            with torch.no_grad():
                bands.append(front_end(torch.from_numpy(played)[None])[0].numpy())
    return bands


def train(body, bands, labels, n_frames, n_epochs):
    """Train on windows cut at random, each class as often as the others."""
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    body.apply(lambda m: m.reset_parameters() if hasattr(m, "weight") else None)
    share = 1 / np.bincount(labels)[labels]
    n_steps = n_epochs * -(-len(labels) // BATCH)
    optimizer = torch.optim.AdamW(body.parameters(), weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 6e-3, n_steps)
    for _ in range(n_steps):
        rows = rng.choice(len(labels), BATCH, p=share / share.sum())
        starts = [rng.integers(bands[row].shape[1] - n_frames + 1) for row in rows]
        windows = [
            bands[row][:, start : start + n_frames]
            for row, start in zip(rows, starts, strict=True)
        ]
        _, scores = body(torch.from_numpy(np.stack(windows)))
        loss = nn.functional.cross_entropy(scores, torch.from_numpy(labels[rows]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()


def write_model(path, model, class_names, window_s):
    """Write the model as ONNX, and its spec beside it."""
    names = "embedding", "scores"
    program = torch.onnx.export(
        model.eval(),
        (torch.zeros(2, round(window_s * RATE)),),
        input_names=["samples"],
        output_names=list(names),
        dynamic_shapes=({0: torch.export.Dim("batch")},),
        dynamo=True,
        verbose=False,
    )
    # Last, and by another name, so that a killed run leaves no half a model.
    scratch = path.with_suffix(".part")
    onnx.save(program.model_proto, scratch)
    spec = EncoderSpec(
        name=path.stem,
        version="1",
        sample_rate=RATE,
        window_s=window_s,
        outputs={
            "embedding": EncoderOutput(names[0], [N_VALUES]),
            "scores": EncoderOutput(names[1], [len(class_names)]),
        },
        input_name="samples",
        level="peak",
        activation="softmax",
        class_names=class_names,
        license="CC0",
        training=[TrainingSource(name) for name in COLLECTIONS],
        file=path.name,
    )
    write_spec(spec, path.with_suffix(".json"))
    scratch.rename(path)
