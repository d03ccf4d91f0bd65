import threading
from numbers import Integral, Real
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.utils import check_random_state

from skbird.data import check_rows
from skbird.review._choose_for_review import choose_of_species, number_bands
from skbird.review._detections import check_detections, keys_of, stack
from skbird.review._store import JUDGEMENTS, ReviewStore
from skbird.review._tables import check_names, name_species
from skbird.utils._params import MOST, check_params, check_path
from skbird.utils._proba import check_proba
from skbird.utils._sklearn_compat import Interval, StrOptions
from skbird.utils._text import counted
from skbird.utils._truth import validate_threshold

STRATEGIES = ("stratified", "top", "uncertain", "random")
_N_BANDS = 5
_LONGEST_NOTE, _LONGEST_NAME = 2000, 200  # characters
_CONSTRAINTS = {
    "n_per_species": [Interval(Integral, _N_BANDS, MOST, closed="both")],
    "strategy": [StrOptions(set(STRATEGIES))],
    "random_state": ["random_state"],
}
_FILTERS = {
    "n": [Interval(Integral, 1, MOST, closed="both")],
    "species": [str, None],
    "site": [str, None],
    "min_proba": [Interval(Real, 0, 1, closed="both")],
    "max_proba": [Interval(Real, 0, 1, closed="both")],
    "strategy": [StrOptions(set(STRATEGIES)), None],
    "reviewer": [str, None],
}


class ReviewSession:
    """Judge detections by ear; what was said is in a file before the next one comes.

    Several sessions, in several processes, may write into one file.

    Parameters
    ----------
    detections : DataFrame
        One line per detection: ``path``, ``start`` and ``end`` in seconds (without:
        whole recordings), ``species``, ``probability`` in [0, 1] (or ``score``), and if
        wanted ``low_hz`` and ``high_hz``, ``site`` (else the folder of the recording)
        and ``time`` or ``date`` (else the name of the recording tells it).
    path : str or path-like
        The SQLite file of the reviews, which is made if it is not there.
    folder : str or path-like, default=None
        Where the recordings lie. Only such are played. By default where ``path`` says.
    n_per_species : int >= 5, default=100
        How many detections of each species are chosen.
    strategy : {"stratified", "top", "uncertain", "random"}, default="stratified"
        What is chosen, see `choose_for_review`. The bands are five.
    random_state : int, RandomState instance or None, default=None
        Seed of the choice. None: a seed that the file of reviews holds, so that a
        session which is opened again has the same detections.

    Attributes
    ----------
    detections : DataFrame
        All detections, by number.
    species : list of str
        The species that have detections, sorted.
    path : Path
        The file of the reviews.

    Raises
    ------
    TypeError, ValueError
        If a table or a parameter is wrong, or the file holds something else.
    OSError
        If the file cannot be written.

    See Also
    --------
    read_reviews : What was said.
    ThresholdFromReviews : What is learnt from it.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import pandas as pd
    >>> from skbird.review import ReviewSession
    >>> detections = pd.DataFrame(
    ...     {"path": "SITE_20240501_053000.wav", "start": [0.0, 5.0, 10.0],
    ...      "end": [5.0, 10.0, 15.0], "species": ["wren", "wren", "owl"],
    ...      "probability": [0.9, 0.4, 0.7]}
    ... )
    >>> path = Path(tempfile.mkdtemp()) / "reviews.sqlite"
    >>> session = ReviewSession(detections, path, strategy="top")
    >>> [number] = session.next(species="wren")
    >>> session.detections.loc[number, "time"]
    Timestamp('2024-05-01 05:30:00')
    >>> _ = session.judge(number, "yes", reviewer="Ada")
    >>> session.progress()[["n_detections", "n_reviews", "yes"]]
             n_detections  n_reviews  yes
    species
    owl                 1          0    0
    wren                2          1    1
    """

    def __init__(
        self,
        detections,
        path,
        *,
        folder=None,
        n_per_species=100,
        strategy="stratified",
        random_state=None,
    ):
        check_params(
            "ReviewSession",
            _CONSTRAINTS,
            n_per_species=n_per_species,
            strategy=strategy,
            random_state=random_state,
        )
        self.detections = check_detections(
            detections, None if folder is None else check_path(folder, "folder")
        )
        self.path = Path(check_path(path))
        self.n_per_species = n_per_species
        self.strategy = strategy
        self._store = ReviewStore(self.path)
        seed = self._store.seed
        if random_state is not None:
            seed = check_random_state(random_state).randint(2**31 - 1)
        self._keys = keys_of(self.detections)
        # By name, so that neither order nor further detections change what is drawn.
        self._drawn = pd.util.hash_array(
            self._keys.to_numpy(object), hash_key=f"{seed:016d}", categorize=False
        )
        numbers, names = pd.factorize(self.detections["species"], sort=True)
        self._species_number, self.species = numbers, names.tolist()
        self._of_species = np.split(
            np.argsort(numbers, kind="stable"), np.bincount(numbers).cumsum()[:-1]
        )
        self._proba = self.detections["probability"].to_numpy()
        self._choices = {}
        self._band, self._band_size = self._number_bands()
        by_chance = [self._chosen(name) for name in ("stratified", "random")]
        self._by_chance = np.zeros(len(self.detections), bool)
        self._by_chance[np.concatenate(by_chance)] = True
        self._lock = threading.RLock()
        self._newest = 0
        self._said = {}  # by number: the entries that hold, the latest last
        self._state = np.full(len(self.detections), -1)
        self._handed_out = {}

    @classmethod
    def from_proba(cls, proba, X, path, *, threshold=0.1, species=None, **options):
        """Make a session of predictions.

        Parameters
        ----------
        proba : array-like or DataFrame of shape (n_rows, n_species)
            What was predicted, in [0, 1]. NaN is not detected.
        X : DataFrame or sequence of paths
            The rows. Further columns, such as ``site``, are kept.
        path : str or path-like
            The SQLite file of the reviews.
        threshold : float or array-like of shape (n_species,), default=0.1
            Probability from which on a row is a detection.
        species : sequence of str, default=None
            Names of the columns of `proba`. By default those of the DataFrame, or
            numbers.
        **options
            As for `ReviewSession`.

        Returns
        -------
        ReviewSession

        Raises
        ------
        TypeError, ValueError
            If shapes differ or a parameter is out of range.

        Examples
        --------
        >>> import tempfile
        >>> from pathlib import Path
        >>> from skbird.review import ReviewSession
        >>> path = Path(tempfile.mkdtemp()) / "reviews.sqlite"
        >>> X = ["a.wav", "b.wav"]
        >>> proba = [[0.9, 0.0], [0.2, 0.7]]
        >>> session = ReviewSession.from_proba(
        ...     proba, X, path, species=["owl", "wren"]
        ... )
        >>> len(session.detections)
        3
        """
        names = name_species(proba, species)
        proba = check_proba(proba, None)
        rows = check_rows(X)
        if len(rows) != len(proba):
            raise ValueError(
                f"proba has {counted(len(proba), 'row')}, but X has {len(rows)}. Pass "
                "the rows that were predicted, in their order."
            )
        threshold = validate_threshold(threshold, len(names))
        table = pd.DataFrame(proba, columns=check_names(names))
        return cls(stack(table, rows, threshold), path, **options)

    def next(
        self,
        n=1,
        *,
        species=None,
        site=None,
        first_date=None,
        last_date=None,
        min_proba=0.0,
        max_proba=1.0,
        strategy=None,
        after=None,
        reviewer=None,
    ):
        """Return which detections come next: chosen, and not judged yet.

        Parameters
        ----------
        n : int >= 1, default=1
            How many, at most.
        species, site : str, default=None
            Only of this species, or site.
        first_date, last_date : date-like, default=None
            Only of recordings of these days and those between.
        min_proba, max_proba : float in [0, 1], default=0.0, 1.0
            Only of such a probability.
        strategy : {"stratified", "top", "uncertain", "random"}, default=None
            By default that of the session.
        after : int, default=None
            Begin behind this detection, and go on from the first at the end.
        reviewer : str, default=None
            Who asks: others get other detections, as long as there are some.

        Returns
        -------
        list of int
            Numbers of detections; none if all are judged.

        Raises
        ------
        ValueError
            If a filter is out of range.
        """
        check_params(
            "next",
            _FILTERS,
            n=n,
            species=species,
            site=site,
            min_proba=min_proba,
            max_proba=max_proba,
            strategy=strategy,
            reviewer=reviewer,
        )
        chosen = self._chosen(strategy or self.strategy)
        fits = (self._proba >= min_proba) & (self._proba <= max_proba)
        if species is not None:
            fits &= self.detections["species"].to_numpy() == species
        if site is not None:
            fits &= self.detections["site"].to_numpy() == site
        day = self.detections["time"].to_numpy().astype("datetime64[D]")
        if first_date is not None:
            fits &= day >= _day(first_date, "first_date")
        if last_date is not None:
            fits &= day <= _day(last_date, "last_date")
        with self._lock:
            self._refresh()
            fits &= self._state < 0
            if after is not None:
                behind = np.flatnonzero(chosen == after)
                chosen = np.roll(chosen, -1 - behind[0]) if len(behind) else chosen
            found = chosen[fits[chosen]]
            theirs = [o for r, o in self._handed_out.items() if r != reviewer]
            is_free = ~np.isin(found, theirs)
            found = np.r_[found[is_free], found[~is_free]][:n].tolist()
            if reviewer is not None and found:
                self._handed_out[reviewer] = found[0]
        return found

    def judge(self, number, judgement, *, reviewer, other_species=None, note=""):
        """Say what is heard. It is in the file when this returns.

        Parameters
        ----------
        number : int
            Of the detection.
        judgement : {"yes", "no", "uncertain", "other"}
            "other": not this species, but another one.
        reviewer : str
            Who says so.
        other_species : str, default=None
            Which, with "other".
        note : str, default=""
            Anything worth remembering.

        Returns
        -------
        int
            The number of the entry in the file.

        Raises
        ------
        ValueError
            If there is no such detection or judgement, or a text is too long.
        OSError
            If it could not be written. Then it is not in the file.
        """
        detection = self.detections.loc[self._check_number(number)]
        if judgement not in JUDGEMENTS:
            raise ValueError(
                f"judgement={judgement!r:.60} must be one of {', '.join(JUDGEMENTS)}."
            )
        if (judgement == "other") != (other_species is not None):
            raise ValueError(
                f"other_species={other_species!r:.60} does not go with judgement="
                f"{judgement!r}. Name a species with 'other', and with it only."
            )
        if other_species is not None:
            other_species = _check_text(other_species, "other_species", _LONGEST_NAME)
        by_chance = bool(self._by_chance[number])
        return self._store.add(
            _check_text(reviewer, "reviewer", _LONGEST_NAME),
            {
                "path": detection["path"],
                "start": float(detection["start"]),
                "end": None if np.isnan(detection["end"]) else float(detection["end"]),
                "species": detection["species"],
                "probability": float(detection["probability"]),
                "stratum": int(self._band[number]) if by_chance else None,
                "stratum_size": int(self._band_size[number]) if by_chance else None,
            },
            judgement,
            other_species,
            _check_text(note, "note", _LONGEST_NOTE, least=0),
        )

    def undo(self, reviewer):
        """Take back the last judgement of a reviewer; again: the one before.

        Parameters
        ----------
        reviewer : str

        Returns
        -------
        int or None
            The number of the detection; None if there is nothing to take back, or it
            is of a detection that this session has not.

        Raises
        ------
        OSError
            If it could not be written. Then nothing is taken back.
        """
        undone = self._store.undo(_check_text(reviewer, "reviewer", _LONGEST_NAME))
        if undone is None:
            return None
        number = self._keys.get_indexer(keys_of(pd.DataFrame([undone])))[0]
        return None if number < 0 else int(number)

    def said(self, number):
        """Return what holds of a detection, and who said it.

        Parameters
        ----------
        number : int

        Returns
        -------
        dict or None
            ``judgement``, ``other_species``, ``note``, ``reviewer`` and ``time``; None
            if nobody judged.
        """
        self._check_number(number)
        with self._lock:
            self._refresh()
            said = self._said.get(number)
        if not said:
            return None
        told = ("judgement", "other_species", "note", "reviewer", "time")
        return {name: said[-1][name] for name in told}

    def progress(self):
        """Count what is judged.

        Returns
        -------
        DataFrame
            One line per species, which is the index: ``n_detections``, ``n_chosen`` by
            the strategy of the session, ``n_left`` of these, ``n_reviews``, and of
            these ``yes``, ``no``, ``uncertain`` and ``other``.
        """
        with self._lock:
            self._refresh()
            state = self._state.copy()
        chosen = self._chosen(self.strategy)

        def count(numbers):
            return np.bincount(
                self._species_number[numbers], minlength=len(self.species)
            )

        counts = {
            "n_detections": count(slice(None)),
            "n_chosen": count(chosen),
            "n_left": count(chosen[state[chosen] < 0]),
            "n_reviews": count(state >= 0),
        }
        for place, name in enumerate(JUDGEMENTS):
            counts[name] = count(state == place)
        return pd.DataFrame(counts, index=pd.Index(self.species, name="species"))

    def serve(self, *, port=0, reviewer="", open_browser=True):
        """Show the page on which to judge, until the program is interrupted (Ctrl-C).

        The page is for this machine alone: only it can reach the address, which holds
        a password of its own.

        Parameters
        ----------
        port : int in [0, 65535], default=0
            0: any that is free.
        reviewer : str, default=""
            The name that the page begins with.
        open_browser : bool, default=True
            Whether the page is opened; the address is printed in any case.

        Raises
        ------
        ImportError
            If Starlette or uvicorn are missing.
        OSError
            If the port is taken.
        """
        from skbird.review._serve import serve

        serve(self, port, reviewer, open_browser)

    def _check_number(self, number):
        is_number = isinstance(number, Integral) and not isinstance(number, bool)
        if not is_number or not 0 <= number < len(self.detections):
            raise ValueError(
                f"number={number!r:.60} is no detection; there are those from 0 to "
                f"{len(self.detections) - 1}."
            )
        return number

    def _chosen(self, strategy):
        if strategy not in self._choices:
            parts = [np.empty(0, np.int64)]
            for numbers in self._of_species:
                chosen, _, _ = choose_of_species(
                    self._proba[numbers],
                    self._drawn[numbers],
                    self.n_per_species,
                    strategy,
                    _N_BANDS,
                )
                parts.append(numbers[chosen])
            self._choices[strategy] = np.concatenate(parts)
        return self._choices[strategy]

    def _number_bands(self):
        """Return the band of each detection, and how many detections are in it."""
        band = np.zeros(len(self.detections), np.int64)
        for numbers in self._of_species:
            band[numbers] = number_bands(self._proba[numbers], _N_BANDS)
        cell = self._species_number * _N_BANDS + band
        return band, np.bincount(cell, minlength=1)[cell]

    def _refresh(self):
        """Learn what this and other processes have written since."""
        entries = self._store.entries(self._newest)
        if not len(entries):
            return
        self._newest = int(entries["entry"].iloc[-1])
        numbers = self._keys.get_indexer(keys_of(entries))
        for number, entry in zip(numbers, entries.to_dict("records"), strict=True):
            if number < 0:
                continue  # of detections that this session has not
            said = self._said.setdefault(int(number), [])
            if entry["judgement"] is None:
                said[:] = [one for one in said if one["entry"] != entry["undoes"]]
            else:
                said.append(entry)
            state = JUDGEMENTS.index(said[-1]["judgement"]) if said else -1
            self._state[number] = state


def _day(date, name):
    try:
        return np.datetime64(pd.Timestamp(date).date(), "D")
    except (TypeError, ValueError) as exc:
        raise ValueError(
            f"{name}={date!r:.60} is no date; write it as 2024-05-01."
        ) from exc


def _check_text(text, name, longest, least=1):
    if not isinstance(text, str) or not least <= len(text.strip()) <= longest:
        raise ValueError(
            f"{name}={text!r:.60} must be a text of {least} to {longest} characters."
        )
    return text.strip()
