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

    def __init__(self):
        self.shared = False

    def pytest_runtest_setup(self, item):
        """Share exports from the first test on before which the exporter was loaded."""
        exporter = sys.modules.get("skbird.inference._export")
        if exporter is not None and not self.shared:
            self.shared = True
            for name in ("network_to_onnx", "network_to_torch"):
                setattr(exporter, name, shared(getattr(exporter, name)))


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
