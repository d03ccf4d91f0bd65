"""Pages about recordings, errors and surveys, as self-contained HTML files."""

from skbird.reports._describe_errors import describe_errors
from skbird.reports._describe_recordings import describe_recordings
from skbird.reports._describe_survey import describe_survey
from skbird.reports._report import Report
from skbird.utils._public import set_public_module

__all__ = [
    "Report",
    "describe_errors",
    "describe_recordings",
    "describe_survey",
]
set_public_module(globals())
