"""JSON from files that may be damaged."""

import json


def parse_json(text):
    """Return what a text of JSON holds.

    Parameters
    ----------
    text : str or bytes

    Returns
    -------
    object

    Raises
    ------
    ValueError
        If it is no JSON, or is nested too deep to be read.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("its lists are nested too deep") from None
