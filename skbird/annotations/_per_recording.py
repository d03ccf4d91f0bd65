"""Write one file of annotations per recording."""

import os
from pathlib import Path

import numpy as np
import pandas as pd

from skbird.annotations._audio_names import annotation_names
from skbird.utils._files import open_whole


def write_per_recording(
    of_line, lines, folder, recordings, ending, header=(), overwrite=True
):
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
        Of the files' names.
    header : sequence of str
        Lines that begin each file.
    overwrite : bool
        Whether to replace files that hold something else.

    Returns
    -------
    list of Path
        The files, in the order of `recordings`.

    Raises
    ------
    FileExistsError
        If one holds something else and must not be replaced; none is written.
    """
    annotated = list(dict.fromkeys(of_line))
    names = annotated if recordings is None else recordings
    if not isinstance(names, dict):
        names = annotation_names(list(dict.fromkeys(map(os.fspath, names))))
    recordings = list(names)
    left_out = set(annotated) - set(recordings)
    if left_out:
        raise ValueError(
            f"boxes has boxes in {len(left_out)} recordings that are not in paths, "
            f"such as {min(left_out)!r}. Add them to paths, or drop their boxes; write "
            "paths alike in both."
        )
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    number = pd.Index(recordings).get_indexer(of_line)
    order = np.argsort(number, kind="stable")
    parts = np.split(
        lines[order], np.searchsorted(number[order], range(1, len(recordings)))
    )
    files = [folder / f"{name}{ending}" for name in names.values()]
    texts = ["".join(f"{line}\n" for line in [*header, *part]) for part in parts]
    contents = dict(zip(files, texts, strict=False))
    if not overwrite:
        _check_same(contents)
    for file, text in contents.items():
        with open_whole(file) as opened:
            opened.write(text)
    return list(contents)


def _check_same(contents):
    """Complain of files that hold something else: somebody may have worked on them."""
    others = [
        file
        for file, text in contents.items()
        if file.exists() and file.read_bytes() != text.encode()
    ]
    if others:
        raise FileExistsError(
            f"{others[0]} is there already and holds something else, and so are "
            f"{len(others) - 1} others. Pass overwrite=True, or another folder."
        )
