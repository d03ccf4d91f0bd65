"""Text that several rooms print."""

import numpy as np
import pytest

from skbird.utils._text import counted


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((0, "row"), "0 rows"),
        ((1, "row"), "1 row"),
        ((2, "row"), "2 rows"),
        ((np.int64(1), "box", "boxes"), "1 box"),
        ((3, "box", "boxes"), "3 boxes"),
        ((1, "file is", "files are"), "1 file is"),
        ((0, "file is", "files are"), "0 files are"),
    ],
)
def test_one_thing_is_not_counted_as_several(arguments, text):
    assert counted(*arguments) == text
