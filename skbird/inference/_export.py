"""Export networks of skbird.nn as programs for the engines; this needs torch."""

import copy
import io
import warnings

import numpy as np
import torch
from torch import nn

from skbird.data import FLOOR_DB
from skbird.nn import normalize_batch, uncompiled
from skbird.preprocessing import window


class SegmentsToLogits(nn.Module):
    """Torch module from segments, as `Spectrograms` keep them, to logits.

    Parameters
    ----------
    net : SegmentNet
        Fitted.
    steps : bool
        Whether to give the logits of each step, for frame scores.
    """

    def __init__(self, net, steps):
        super().__init__()
        self.module = copy.deepcopy(uncompiled(net.module_)).cpu()
        self.steps = steps
        self.normalize = net.format_.normalize
        self.top_db = net.format_.top_db

    def forward(self, segments):
        """Map (batch, n_frames, n_mels) in dB to (batch, n_species[, n_steps])."""
        segments = segments.transpose(1, 2).unsqueeze(1)
        segments = normalize_batch(segments, self.normalize, self.top_db)
        if self.steps:
            return self.module.step_maps(segments)[0]
        return self.module(segments)


class SamplesToSegments(nn.Module):
    """Torch module from samples to segments, in operators that every runtime has.

    Parameters
    ----------
    mel : MelOp
    filters : ndarray of shape (n_fft // 2 + 1, n_mels), float32
    """

    def __init__(self, mel, filters):
        super().__init__()
        self.hop_length, self.half = mel.hop_length, mel.n_fft // 2
        self.n_bins = 1 + self.half
        # A Fourier transform as a convolution: not every runtime has another.
        waves = np.exp(-2j * np.pi * np.arange(mel.n_fft) / mel.n_fft)
        waves = waves[
            np.outer(np.arange(self.n_bins), np.arange(mel.n_fft)) % mel.n_fft
        ]
        kernels = np.concatenate([waves.real, waves.imag]) * window(mel.n_fft)
        kernels = kernels[:, None].astype(np.float32)
        self.register_buffer("kernels", torch.from_numpy(kernels))
        self.register_buffer("filters", torch.from_numpy(filters))

    def forward(self, samples):
        """Map (batch, n_samples) to (batch, n_frames, n_mels) in dB."""
        padded = nn.functional.pad(samples.unsqueeze(1), (self.half, self.half))
        spectrum = nn.functional.conv1d(padded, self.kernels, stride=self.hop_length)
        real, imaginary = spectrum[:, : self.n_bins], spectrum[:, self.n_bins :]
        power = (real * real + imaginary * imaginary).transpose(1, 2)
        mel = (power @ self.filters).clamp(min=10 ** (FLOOR_DB / 10))
        return 10 * torch.log10(mel)


def probabilities_to_onnx(net, notes, n_samples=None, mel=None, filters=None):
    """Export a fitted network for other runtimes, with its front end if wanted.

    Parameters
    ----------
    net : SegmentNet
        Fitted.
    notes : dict of str to str
        Kept in the model.
    n_samples : int, default=None
        Length of a segment.
    mel : MelOp, default=None
    filters : ndarray, default=None
        See `SamplesToSegments`.

    Returns
    -------
    bytes
        A model from ``samples`` (batch, n_samples), or without `n_samples` from
        ``segments`` (batch, n_frames, n_mels), to ``probabilities``.
    """
    layers = [SegmentsToLogits(net, steps=False), nn.Sigmoid()]
    example, dynamic = _example(net)
    if n_samples is not None:
        layers.insert(0, SamplesToSegments(mel, filters))
        example, dynamic = torch.zeros(2, n_samples), {"samples": dynamic["segments"]}
    module = nn.Sequential(*layers)
    return to_onnx(module, example, dynamic, ["probabilities"], notes)


def network_to_onnx(net, *, steps=False):
    """Export a fitted network for OpenVINO and ONNX Runtime.

    Parameters
    ----------
    net : SegmentNet
        Fitted.
    steps : bool, default=False
        See `SegmentsToLogits`.

    Returns
    -------
    bytes
        A model with the input ``segments`` (batch, n_frames, n_mels), float32, in dB,
        and the output ``logits``.
    """
    return to_onnx(SegmentsToLogits(net, steps), *_example(net), ["logits"])


def network_to_torch(net, *, steps=False):
    """Export a fitted network for torch; the parameters are those of `network_to_onnx`.

    Returns
    -------
    bytes
        What `torch.export` saves of the same function.
    """
    segments, dynamic = _example(net)
    module = SegmentsToLogits(net, steps).eval().to(memory_format=torch.channels_last)
    buffer = io.BytesIO()
    with torch.no_grad():
        program = torch.export.export(
            module, (segments,), dynamic_shapes={"segments": dynamic["segments"]}
        )
    torch.export.save(program, buffer)
    return buffer.getvalue()


def _example(net):
    # One segment would be taken for a constant.
    shape = 2, net.format_.frames_per_segment, net.format_.n_mels
    return torch.zeros(shape) - 50.0, {"segments": {0: torch.export.Dim("batch")}}


def to_onnx(module, example, dynamic_shapes, output_names, notes=None):
    """Export a torch module.

    Parameters
    ----------
    module : torch.nn.Module
        With one input.
    example : torch.Tensor
        An input.
    dynamic_shapes : dict
        The name of the input, and which of its axes may have another length.
    output_names : list of str
    notes : dict of str to str, default=None
        Kept in the model, for whoever runs it.

    Returns
    -------
    bytes
    """
    for layer in module.modules():
        # The same program, but operators that work in place are taken apart and put
        # together again, which doubled the time of some networks.
        if getattr(layer, "inplace", False):
            layer.inplace = False
    buffer = io.BytesIO()
    with torch.no_grad(), warnings.catch_warnings():
        # Some versions of torch warn so of what they do themselves.
        warnings.filterwarnings("ignore", ".*LeafSpec", FutureWarning)
        program = torch.onnx.export(
            module.eval(),
            (example,),
            input_names=list(dynamic_shapes),
            output_names=output_names,
            # Sequential calls its input otherwise.
            dynamic_shapes=tuple(dynamic_shapes.values()),
            dynamo=True,
            verbose=False,
        )
        _forget_sources(program.model)
        program.model.metadata_props.update(notes or {})
        program.save(buffer)
    return buffer.getvalue()


def _forget_sources(model):
    """Remove what the exporter notes of its origin, such as paths of this machine."""
    for node in model.graph.all_nodes():
        node.metadata_props.clear()
        node.doc_string = None
