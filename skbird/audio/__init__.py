"""Find audio files, open them in any format, and read what is undamaged."""

from skbird.audio._audio_header import AudioHeader, AudioReadError
from skbird.audio._listing import list_audio
from skbird.audio._read_audio import read_audio, read_header
from skbird.utils._public import set_public_module

__all__ = [
    "AudioHeader",
    "AudioReadError",
    "list_audio",
    "read_audio",
    "read_header",
]
set_public_module(globals())

# For the other rooms; not public.
from skbird.audio._audio_file import AudioFile
from skbird.audio._channels import (
    WORDS,
    check_channels,
    check_column,
    missing_channel,
    row_channels,
    warn_of_cancelled,
)
from skbird.audio._fingerprint import FINGERPRINT_S, find_near_duplicates, fingerprint
from skbird.audio._listing import (
    AUDIO_SUFFIXES,
    drop_links,
    find_audio,
    list_folders,
    warn_left_out,
)
from skbird.audio._read_audio import cut_short, no_samples, read_headers, stretch_frames
