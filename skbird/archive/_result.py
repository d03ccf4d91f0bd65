"""The result of a run over an archive."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from skbird.archive._part_files import part_path, read_part
from skbird.utils._parquet import to_frame
from skbird.utils._text import counted


@dataclass(frozen=True, eq=False, repr=False)
class ArchiveResult:
    """Result of `predict_archive`; printing it gives a summary.

    Attributes
    ----------
    folder : Path
        Folder of the results.
    parts : list of Path
        The Parquet files in it, in the order of the recordings.
    n_files : int
        Recordings in the archive, readable or not.
    n_rows : int
        Rows that `read` returns.
    hours : float
        Hours of audio in the archive.
    seconds : float
        Seconds that this call took.
    times_real_time : float
        Seconds of audio that this call predicted, divided by `seconds`. 0 if all had
        been predicted before.
    errors : DataFrame
        ``path`` and ``error`` of recordings of which some or all rows are missing.
    dropped : list of str
        Parts of the model left out to fit the time budget, and for which recordings.
    columns : sequence of str
        Columns that `read` returns if there are no parts.

    Examples
    --------
    >>> import numpy as np, soundfile, tempfile
    >>> from pathlib import Path
    >>> from skbird.archive import predict_archive
    >>> from skbird.utils.estimator_checks import LevelClassifier
    >>> folder = Path(tempfile.mkdtemp())
    >>> for night in range(2):
    ...     soundfile.write(folder / f"{night}.wav", np.full(80_000, 0.1), 8000)
    >>> model = LevelClassifier().fit([folder / "0.wav"], [[1]])
    >>> result = predict_archive(model, folder, folder / "out", verbose=False)
    >>> result.n_files, result.n_rows
    (2, 4)
    """

    folder: Path
    parts: list[Path]
    n_files: int
    n_rows: int
    hours: float
    seconds: float
    times_real_time: float
    errors: pd.DataFrame
    dropped: list[str]
    columns: Sequence[str] = ()

    def read(self) -> pd.DataFrame:
        """Read all rows, in the order of the recordings.

        Returns
        -------
        DataFrame
            ``path``, ``start``, ``end``, further columns of the row table, and a column
            per species or ``species`` and ``probability``. It must fit into memory;
            else read the parts one by one.

        Raises
        ------
        ValueError
            If a part has been damaged since.
        """
        if not self.parts:
            return pd.DataFrame(columns=list(self.columns))
        tables = map(read_part, self.parts)
        return pd.concat(map(to_frame, tables), ignore_index=True)

    def __str__(self) -> str:
        lines = [
            f"{counted(self.n_files, 'recording')}, {self.hours:.3g} hours: "
            f"{counted(self.n_rows, 'row')} in {self.folder}",
            f"  {self.seconds:.0f} s, {self.times_real_time:.0f} x real time",
        ]
        if len(self.errors):
            first = self.errors.iloc[0]
            lines.append(
                f"  {counted(len(self.errors), 'recording')} with errors, see .errors; "
                f"the first: {first['path']}: {first['error']}"
            )
        lines += [f"  dropped to fit the time budget: {text}" for text in self.dropped]
        return "\n".join(lines)

    __repr__ = __str__


def summarize(folder, blocks, infos, predicted_s, seconds):
    """Make the result of a run.

    Parameters
    ----------
    folder : Path
    blocks : Blocks
    infos : dict of int to PartInfo
        Of all parts, by number.
    predicted_s : float
        Seconds of audio that this call predicted.
    seconds : float
        That it took.

    Returns
    -------
    ArchiveResult
    """
    errors = [error for info in infos.values() for error in info.errors]
    dropped = {}
    for number, info in infos.items():
        for what in info.dropped:
            dropped.setdefault(what, []).append(number)
    return ArchiveResult(
        folder=folder,
        parts=[part_path(folder, number) for number in sorted(infos)],
        n_files=int(blocks.n_files.sum()),
        n_rows=sum(info.n_rows for info in infos.values()),
        hours=blocks.audio_s.sum() / 3600,
        seconds=seconds,
        times_real_time=predicted_s / seconds,
        errors=pd.DataFrame(blocks.in_order(errors), columns=["path", "error"]),
        dropped=[
            f"{what}, for {counted(blocks.n_files[numbers].sum(), 'recording')} from "
            f"{blocks.first_path(numbers[0])} on"
            for what, numbers in dropped.items()
        ],
    )
