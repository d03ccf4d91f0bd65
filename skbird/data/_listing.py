"""Which files of a folder are recordings."""

import os
from pathlib import Path

# What libsndfile reads and recorders or archives write.
AUDIO_SUFFIXES = frozenset(
    ".aif .aifc .aiff .au .caf .flac .mp3 .oga .ogg .opus .rf64 .snd .w64 .wav".split()
)


def list_audio(folder):
    """Return the audio files of a folder, at any depth, sorted.

    Parameters
    ----------
    folder : str or path-like

    Returns
    -------
    list of str

    Raises
    ------
    NotADirectoryError
        If it is no folder.
    ValueError
        If there are none.
    """
    if not Path(folder).is_dir():
        raise NotADirectoryError(f"{str(folder)!r} is not a folder.")
    paths = [
        os.path.join(parent, name)
        for parent, _, names in os.walk(folder)
        for name in names
        # macOS leaves "._name.wav" beside each file on cards and sticks.
        if Path(name).suffix.lower() in AUDIO_SUFFIXES and not name.startswith(".")
    ]
    if not paths:
        raise ValueError(
            f"The folder {str(folder)!r} holds no audio files: none with the "
            f"suffixes {', '.join(sorted(AUDIO_SUFFIXES))}."
        )
    return sorted(paths)
