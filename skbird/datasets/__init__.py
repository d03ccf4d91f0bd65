"""Load data sets as tables of rows and labels, and make synthetic ones."""

from skbird.datasets._birdclef import load_birdclef
from skbird.datasets._load_recordings import load_recordings
from skbird.datasets._make_birdclef import make_birdclef
from skbird.utils._public import set_public_module

__all__ = [
    "load_birdclef",
    "load_recordings",
    "make_birdclef",
]
set_public_module(globals())

# For the other rooms; not public.
from skbird.datasets._birdclef import BIRDCLEF_TABLES, is_birdclef
