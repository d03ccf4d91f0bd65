"""Read and write annotations and predictions in the formats of other programs.

All annotations are tables of boxes: a line per call, with ``path``, ``start`` and
``end`` in seconds, ``low_hz`` and ``high_hz`` (NaN: unknown), ``species``, perhaps a
``score``, and further columns.
"""

from skbird.annotations._audacity import read_audacity, write_audacity
from skbird.annotations._birdnet import read_birdnet, write_birdnet
from skbird.annotations._box_files import read_boxes, write_boxes
from skbird.annotations._box_rows import boxes_to_rows
from skbird.annotations._crowsetta import read_crowsetta
from skbird.annotations._events import proba_to_events
from skbird.annotations._kaleidoscope import read_kaleidoscope
from skbird.annotations._read_annotations import read_annotations
from skbird.annotations._read_raven import read_raven
from skbird.annotations._read_submission import read_submission
from skbird.annotations._submission import write_submission
from skbird.annotations._write_raven import write_raven
from skbird.utils._public import set_public_module

__all__ = [
    "boxes_to_rows",
    "proba_to_events",
    "read_annotations",
    "read_audacity",
    "read_birdnet",
    "read_boxes",
    "read_crowsetta",
    "read_kaleidoscope",
    "read_raven",
    "read_submission",
    "write_audacity",
    "write_birdnet",
    "write_boxes",
    "write_raven",
    "write_submission",
]
set_public_module(globals())

# For the other rooms; not public.
from skbird.annotations._audio_names import AudioFinder, NameFinder, annotation_names
from skbird.annotations._boxes import BOX_COLUMNS, check_boxes
from skbird.annotations._events import check_stretches
from skbird.annotations._files import write_csv
from skbird.annotations._places import place_boxes
from skbird.annotations._read_annotations import annotation_files
from skbird.annotations._submission import (
    ROW_ID,
    arrange,
    as_species_table,
    read_like,
    row_ids,
)
