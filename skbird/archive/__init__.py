"""Predict archives of any size: block by block, resumed after a kill."""

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
