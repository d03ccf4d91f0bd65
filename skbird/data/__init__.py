"""The form of X and Y: row tables, recordings, spectrograms and labels."""

from skbird.data._labels import encode_labels
from skbird.data._ops import ClipOp, WeightOp
from skbird.data._read_rows import read_rows
from skbird.data._recordings import Clip, Recordings, as_recordings
from skbird.data._row_table import check_rows, segment_table
from skbird.data._sampling import recording_weights
from skbird.data._segments import SegmentGrid, row_weights, segment_means
from skbird.data._spectrogram_format import SpectrogramFormat
from skbird.data._spectrograms import Spectrograms
from skbird.utils._public import set_public_module

__all__ = [
    "Clip",
    "ClipOp",
    "Recordings",
    "SegmentGrid",
    "SpectrogramFormat",
    "Spectrograms",
    "WeightOp",
    "as_recordings",
    "check_rows",
    "encode_labels",
    "read_rows",
    "recording_weights",
    "row_weights",
    "segment_means",
    "segment_table",
]
set_public_module(globals())

# For the other rooms; not public.
from skbird.data._frame_scores import score_rows_by_moments
from skbird.data._inputs import as_spectrograms, check_same_axes, with_same_axes
from skbird.data._joined import join_rows
from skbird.data._label_table import read_label_table, read_plain_table
from skbird.data._labels import (
    encode_table,
    parse_primary_label,
    parse_secondary_labels,
    read_pairs,
    say_without,
    says_absent,
)
from skbird.data._pooling import POOLINGS, check_shifts, pool_rows, score_rows
from skbird.data._read_rows import TABLE_SUFFIXES
from skbird.data._recordings import file_identity
from skbird.data._row_table import check_some_rows, in_one_layout
from skbird.data._spectrogram_format import FLOOR_DB
from skbird.data._spectrograms import no_errors
