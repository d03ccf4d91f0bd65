"""Audio files: found, opened whatever their format, and read where they are whole."""

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
