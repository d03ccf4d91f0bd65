"""The samples of FFmpeg's frames, whatever numbers it keeps them in."""

import numpy as np

_SCALES = {"u8": 2**7, "s16": 2**15, "s32": 2**31, "s64": 2**63}


def as_float(frame):
    """Return the samples of a frame, (n_frames, n_channels), full scale 1."""
    values, kind = frame.to_ndarray(), frame.format.name
    if frame.format.is_planar:
        values, kind = values.T, kind.removesuffix("p")
    else:
        values = values.reshape(-1, frame.layout.nb_channels)
    if kind == "u8":
        values = values.astype(np.float32) - _SCALES[kind]
    values = np.ascontiguousarray(values, np.float32)
    return values / np.float32(_SCALES[kind]) if kind in _SCALES else values
