"""From a network of skbird.nn to ONNX; the only place here that needs torch."""

import copy
import io

import torch
from torch import nn

from skbird.nn._batches import normalize_batch


class SegmentsToLogits(nn.Module):
    """From segments as spectrograms keep them to logits: all that depends on torch.

    Parameters
    ----------
    net : SegmentNet
        Fitted.
    steps : bool
        Whether to give the logits of each step, for frame scores.
    """

    def __init__(self, net, steps):
        super().__init__()
        module = getattr(net.module_, "_orig_mod", net.module_)
        self.module = copy.deepcopy(module).cpu()
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


def network_to_onnx(net, *, steps=False):
    """Export a fitted network.

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
    format = net.format_
    # One segment would be taken for a constant.
    example = torch.zeros(2, format.frames_per_segment, format.n_mels) - 50.0
    buffer = io.BytesIO()
    with torch.no_grad():
        program = torch.onnx.export(
            SegmentsToLogits(net, steps).eval(),
            (example,),
            input_names=["segments"],
            output_names=["logits"],
            dynamic_shapes={"segments": {0: torch.export.Dim("batch")}},
            dynamo=True,
            verbose=False,
        )
        _forget_sources(program.model)
        program.save(buffer)
    return buffer.getvalue()


def _forget_sources(model):
    """Remove what the exporter notes of its origin, such as paths of this machine."""
    for node in model.graph.all_nodes():
        node.metadata_props.clear()
        node.doc_string = None
