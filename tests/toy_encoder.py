"""A small function that hears pitch, as pretrained models do, and its spec."""

import numpy as np

from skbird.encoders import EmbeddingEncoder, EncoderOutput, EncoderSpec, load_encoder

RATE = 8000
N_BANDS = 24
NAMES = ("Rana arvalis", "Bufo bufo", "Hyla arborea", "Alytes obstetricans")
#: Of tones of the species; the model is silent on what lies between.
HZ = dict(zip(NAMES, (300, 600, 1200, 2400), strict=True))
EDGES = np.geomspace(50, 4000, N_BANDS + 1)
OUTPUTS = {
    "embedding": EncoderOutput("embedding", [N_BANDS]),
    "scores": EncoderOutput("scores", [len(NAMES)]),
}


def spectrum(windows):
    """Return the shares of bands in the sound of each window: (n, N_BANDS)."""
    windows = windows - windows.mean(axis=1, keepdims=True)
    power = np.abs(np.fft.rfft(windows * np.hanning(windows.shape[1]))) ** 2
    places = np.digitize(np.arange(power.shape[1]) * RATE / windows.shape[1], EDGES)
    bands = np.stack([power[:, places == k + 1].sum(axis=1) for k in range(N_BANDS)], 1)
    total = bands.sum(axis=1, keepdims=True)
    return np.sqrt(bands / np.maximum(total, 1e-30))


def scores_of(bands):
    """Return logits of the species: where the sound is."""
    places = np.digitize(list(HZ.values()), EDGES) - 1
    return 8 * bands[:, places] - 4


def hear(windows):
    """Hear pitch, and nothing but pitch."""
    bands = spectrum(windows)
    return {"embedding": bands, "scores": scores_of(bands)}


class Counting:
    """Count the windows that it hears."""

    def __init__(self):
        self.n = 0

    def __call__(self, windows):
        self.n += len(windows)
        return hear(windows)

    def __getstate__(self):
        return {}  # the count does not make it another function


def toy_spec(**changes):
    """Return the spec of `hear`."""
    values = {
        "name": "toy",
        "version": "1",
        "sample_rate": RATE,
        "window_s": 1.0,
        "outputs": OUTPUTS,
        "activation": "sigmoid",
        "class_names": NAMES,
    }
    return EncoderSpec(**values | changes)


def toy(function=hear, **changes):
    """Return a toy encoder."""
    return load_encoder(function, toy_spec(**changes))


#: Of a ramp: 4 minutes of whole numbers that floats hold.
SCALE = 2.0**-21
ENDS = {"embedding": EncoderOutput("ends", [2])}


def ends(windows):
    """Return the first and the last sample: where a window is."""
    return {"embedding": windows[:, [0, -1]]}


def placed(**changes):
    """Return an encoder that says where its windows are, in samples of a ramp."""
    return toy(ends, outputs=ENDS, class_names=(), **changes)


def quiet(encoder, **options):
    return EmbeddingEncoder(encoder, verbose=0, **options)
