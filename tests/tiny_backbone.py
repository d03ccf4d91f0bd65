"""The backbone of tiny_cnn by a name of timm, for all that takes no module."""

from timm.models import register_model
from tiny_cnn import TinyBackbone

TINY = "tiny_birds"


@register_model
def tiny_birds(pretrained=False, pretrained_cfg_overlay=None, **options):
    """Return a backbone of two convolutions, with random or given weights."""
    backbone = TinyBackbone()
    if pretrained:
        backbone.load_state_dict(pretrained_cfg_overlay["state_dict"])
    return backbone
