"""Predict archives of any size, block by block; resume a run that was killed."""

from skbird.archive._manifest import OtherRunError
from skbird.archive._predict_archive import predict_archive
from skbird.archive._result import ArchiveResult
from skbird.utils._public import set_public_module

__all__ = [
    "ArchiveResult",
    "OtherRunError",
    "predict_archive",
]
set_public_module(globals())

# For the other rooms; not public.
from skbird.archive._block_work import readable_proba
from skbird.archive._faults import file_errors
from skbird.archive._manifest import places_of_run
from skbird.archive._part_files import MANIFEST, part_paths, read_part
