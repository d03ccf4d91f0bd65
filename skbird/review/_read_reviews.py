import numpy as np
import pandas as pd

from skbird.review._store import ReviewStore
from skbird.utils._params import check_params, check_path

_DETECTION = ["path", "start", "end", "species"]
_JUDGED = {"yes": 1.0, "no": 0.0, "uncertain": np.nan, "other": 0.0}


def read_reviews(path, *, history=False):
    """Read the reviews that `ReviewSession` wrote.

    Parameters
    ----------
    path : str or path-like
        The SQLite file.
    history : bool, default=False
        Whether to return all that was ever said, also what was said anew or taken back.

    Returns
    -------
    DataFrame
        One line per detection, in the order of the judgements; of several judgements
        the latest. With the columns that `choose_for_review` gives, and

        - ``judged``: 1 right, 0 wrong, NaN uncertain
        - ``other_species``: what it is instead, if that was said
        - ``reviewer``, ``time`` (UTC) and ``note``

        ``stratum`` and ``weight`` are NaN for what was not chosen by chance. The weight
        says for how many detections one stands: those of its band, shared among those
        of it that were judged with certainty.

        With `history`, one line per entry: also ``entry``, its number, ``judgement`` as
        it was said, and ``undoes``, the number of the entry that it takes back.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is no file of reviews.

    See Also
    --------
    ReviewSession : Writes them.
    ThresholdFromReviews : Learns from them.
    reviews_to_rows : Makes rows to train on.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import pandas as pd
    >>> from skbird.review import ReviewSession, read_reviews
    >>> path = Path(tempfile.mkdtemp()) / "reviews.sqlite"
    >>> detections = pd.DataFrame(
    ...     {"path": ["a.wav", "b.wav"], "start": 0.0, "end": 5.0, "species": "wren",
    ...      "probability": [0.9, 0.4]}
    ... )
    >>> session = ReviewSession(detections, path)
    >>> _ = session.judge(0, "yes", reviewer="Ada")
    >>> _ = session.judge(1, "other", reviewer="Ada", other_species="owl")
    >>> read_reviews(path)[["path", "weight", "judged", "reviewer"]]
        path  weight  judged reviewer
    0  a.wav     1.0     1.0      Ada
    1  b.wav     1.0     0.0      Ada
    """
    check_params("read_reviews", {"history": ["boolean"]}, history=history)
    entries = ReviewStore(check_path(path), make=False).entries()
    entries["time"] = pd.to_datetime(entries["time"], utc=True)
    entries["judged"] = entries["judgement"].map(_JUDGED).astype(np.float64)
    told = ["judged", "other_species", "reviewer", "time", "note"]
    chosen = [*_DETECTION, "probability", "stratum", "weight"]
    if history:
        return entries[
            ["entry", *_DETECTION, "probability", *told, "judgement", "undoes"]
        ]
    undone = entries["entry"].isin(entries["undoes"]) | entries["undoes"].notna()
    detection = ["recording", *_DETECTION[1:]]
    latest = entries[~undone].drop_duplicates(detection, keep="last")
    latest = latest.reset_index(drop=True)
    band = latest.groupby(["species", "stratum"])
    n_told = band["judged"].transform("count").clip(lower=1)
    latest["weight"] = band["stratum_size"].transform("last") / n_told
    return latest[[*chosen, *told]]
