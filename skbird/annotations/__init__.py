"""Write predictions in the formats that other programs and competitions read."""

from skbird.annotations._events import proba_to_events
from skbird.annotations._submission import write_submission
from skbird.utils._public import set_public_module

__all__ = ["proba_to_events", "write_submission"]
set_public_module(globals())
