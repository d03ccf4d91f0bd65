"""From recordings and predictions to a survey's results: times, effort, activity.

A table of recordings, as `recording_times` makes it, has a line per file: ``path``,
``site``, ``start_time`` (UTC), ``duration_s`` and ``time_zone``, that of the place, in
which days and hours of results are. A column ``usable`` may say which to leave out.
"""

from skbird.survey._accumulation_display import AccumulationDisplay
from skbird.survey._activity import activity
from skbird.survey._activity_display import ActivityDisplay
from skbird.survey._call_density import call_density
from skbird.survey._check_deployments import check_deployments
from skbird.survey._detection_history import detection_history
from skbird.survey._effort import effort
from skbird.survey._mark_unusable import mark_unusable
from skbird.survey._recording_times import recording_times
from skbird.survey._richness import accumulation, first_detections
from skbird.survey._site_activity_display import SiteActivityDisplay
from skbird.survey._sun import sun_times
from skbird.utils._public import set_public_module

__all__ = [
    "AccumulationDisplay",
    "ActivityDisplay",
    "SiteActivityDisplay",
    "accumulation",
    "activity",
    "call_density",
    "check_deployments",
    "detection_history",
    "effort",
    "first_detections",
    "mark_unusable",
    "recording_times",
    "sun_times",
]
set_public_module(globals())

# For the other rooms; not public.
from skbird.survey._zones import zone_of
