"""What X and Y are: row tables, recordings, spectrograms, labels and data sets."""

from skbird.data._audio import read_audio, read_header
from skbird.data._audio_header import AudioHeader, AudioReadError
from skbird.data._labels import encode_labels
from skbird.data._listing import list_audio
from skbird.data._read_rows import read_rows
from skbird.data._recordings import Clip, Recordings, WeightOp, as_recordings
from skbird.data._rows import check_rows, segment_table
from skbird.data._sampling import recording_weights
from skbird.data._segments import SegmentGrid, row_weights, segment_means
from skbird.data._spectrograms import SpectrogramFormat, Spectrograms
from skbird.utils._public import set_public_module

__all__ = [
    "AudioHeader",
    "AudioReadError",
    "Clip",
    "Recordings",
    "SegmentGrid",
    "SpectrogramFormat",
    "Spectrograms",
    "WeightOp",
    "as_recordings",
    "check_rows",
    "encode_labels",
    "list_audio",
    "read_audio",
    "read_header",
    "read_rows",
    "recording_weights",
    "row_weights",
    "segment_means",
    "segment_table",
]
set_public_module(globals())
