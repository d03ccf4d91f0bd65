"""Write one file of annotations per recording."""

import os
from pathlib import Path

import numpy as np

from skbird.annotations._audio_names import annotation_names
from skbird.utils._files import open_whole
from skbird.utils._params import check_list, check_path
from skbird.utils._text import counted


def write_per_recording(of_line, lines, folder, recordings, ending, header=()):
    """Write the lines of each recording into a file of its own.

    Parameters
    ----------
    of_line : Series of str
        The recording of each line.
    lines : ndarray of shape (n_lines,), object
        Text without line ends.
    folder : path-like
        Made if it is not there.
    recordings : sequence of path-like, dict or None
        What to write files of, also without lines; None: all that have lines. A dict
        says what to call the file of each, without its ending.
    ending : str
        Ending of the files' names.
    header : sequence of str
        Lines that begin each file.

    Returns
    -------
    list of Path
        The files, in the order of `recordings`.
    """
    annotated = list(dict.fromkeys(of_line))
    names = annotated if recordings is None else recordings
    if not isinstance(names, dict):
        names = [
            os.fspath(check_path(path, "recordings"))
            for path in check_list(names, "recordings", "paths")
        ]
        names = annotation_names(list(dict.fromkeys(names)))
    recordings = list(names)
    left_out = set(annotated) - set(recordings)
    if left_out:
        raise ValueError(
            f"boxes has boxes in {counted(len(left_out), 'file')} not in recordings, "
            f"such as {min(left_out)!r}. Add them to recordings, or drop their boxes; "
            "write paths alike in both."
        )
    folder = Path(check_path(folder, "folder"))
    folder.mkdir(parents=True, exist_ok=True)
    numbers = {recording: number for number, recording in enumerate(recordings)}
    number = np.array([numbers[recording] for recording in of_line], dtype=int)
    order = np.argsort(number, kind="stable")
    parts = np.split(
        lines[order], np.searchsorted(number[order], range(1, len(recordings)))
    )
    files = []
    for recording, part in zip(recordings, parts, strict=False):
        files.append(folder / f"{names[recording]}{ending}")
        with open_whole(files[-1], sync=False) as file:  # there may be thousands
            file.writelines(f"{line}\n" for line in [*header, *part])
    return files
