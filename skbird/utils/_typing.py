"""Hints that several rooms share."""

import os
from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd

PathLike = str | os.PathLike[str]
Paths = Sequence[PathLike] | np.ndarray | pd.Series
Rows = Paths | pd.DataFrame  # what check_rows takes
Files = PathLike | Paths
FileNames = Paths | dict[str, str]  # a name for the file of each recording
Names = Sequence[str] | np.ndarray | pd.Index
NanRows = Literal["raise", "omit"]
Channels = Literal["mean", "loudest"] | int
Key = slice | Sequence[int] | np.ndarray  # what chooses several rows
