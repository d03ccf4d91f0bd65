"""Tables of priors in files."""

import io
import re

import pandas as pd

from skbird.utils._files import read_bytes
from skbird.utils._text import decode_text

_WEEKS = 48
_SAMPLES = "Sample Size:"
_SCIENTIFIC = re.compile(r"<em[^>]*>([^<]+)</em>")


def read_prior_table(path):
    """Read a table of priors.

    Parameters
    ----------
    path : path-like
        CSV with a header and commas, semicolons or tabs; or the bar chart of a region
        as eBird gives it ("Download Histogram Data").

    Returns
    -------
    DataFrame
        Of a bar chart ``species``, ``week`` and ``prior``, the share of checklists.
    """
    text = decode_text(read_bytes(path), str(path)).lstrip("\ufeff")
    if re.search(rf"^{_SAMPLES}\t", text, re.MULTILINE):
        return _bar_chart(text, path)
    return pd.read_csv(io.StringIO(text), sep=None, engine="python")


def _bar_chart(text, path):
    shares = {}
    for line in text[text.index(_SAMPLES) :].splitlines()[1:]:
        name, *cells = line.rstrip("\t").split("\t")
        if not name.strip():
            continue
        try:
            shares[_species(name)] = [float(cell) for cell in cells]
        except ValueError:
            raise ValueError(
                f"{path} has no numbers in the line {line!r:.100}"
            ) from None
    wrong = [name for name, values in shares.items() if len(values) != _WEEKS]
    if wrong or not shares:
        raise ValueError(
            f"{path} begins as a bar chart of eBird, but has not {_WEEKS} shares for "
            f"{wrong[0] if wrong else 'any species'}."
        )
    wide = pd.DataFrame(shares, index=pd.RangeIndex(1, _WEEKS + 1, name="week"))
    long = wide.melt(ignore_index=False, var_name="species", value_name="prior")
    return long.reset_index()


def _species(name):
    """Return the scientific name where there is one."""
    match = _SCIENTIFIC.search(name)
    return (match[1] if match else name).strip()
