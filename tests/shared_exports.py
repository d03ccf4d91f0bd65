"""Networks are exported once in a run of the tests, however many of them compile it."""

import functools
import hashlib
import io
import sys


class SharedExports:
    """Plugin that keeps what networks were exported to, by all that they are made of.

    An export takes seconds, and says the same of the same network: about half of those
    that the tests ask for are of a network that was exported before.
    """

    def pytest_collection_finish(self):
        """Share exports if a test may train what can be exported."""
        if "skbird.nn" in sys.modules:
            from skbird.inference import _export as exporter

            for name in ("network_to_onnx", "network_to_torch"):
                setattr(exporter, name, shared(getattr(exporter, name)))
            exporter.to_onnx = with_shared_operators(exporter.to_onnx)


def with_shared_operators(export):
    """Return a function that exports, for which torch lists its operators once.

    It would take a second for each network, and comes to the same.
    """

    @functools.cache
    def share_operators():
        from torch.onnx._internal.exporter._registration import ONNXRegistry

        listed = functools.cache(ONNXRegistry.from_torchlib)
        ONNXRegistry.from_torchlib = staticmethod(listed)

    @functools.wraps(export)
    def export_sharing(*args):
        share_operators()
        return export(*args)

    return export_sharing


def shared(export):
    """Return a function that exports, or gives what the same call gave."""
    import torch

    exported = {}

    @functools.wraps(export)
    def export_once(net, *, steps=False):
        parts = io.BytesIO()
        # Unlike pickles, the same bytes for the same weights.
        torch.save((net.module_, net.format_, steps), parts)
        key = hashlib.sha256(parts.getvalue()).digest()
        if key not in exported:
            exported[key] = export(net, steps=steps)
        return exported[key]

    return export_once
