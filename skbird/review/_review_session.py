from numbers import Integral
from pathlib import Path
from threading import Lock

import numpy as np
import pandas as pd
from sklearn.utils import check_random_state

from skbird.review._choices import N_BANDS, Choices
from skbird.review._choose_for_review import STRATEGIES
from skbird.review._detections import check_detections, keys_of, stack
from skbird.review._filters import check_filters, check_number, check_text, matching
from skbird.review._judged import Judged
from skbird.review._store import JUDGEMENTS, ReviewStore
from skbird.review._tables import check_names, check_predictions
from skbird.utils._params import MOST, check_params, check_path
from skbird.utils._sklearn_compat import Interval, StrOptions
from skbird.utils._truth import validate_threshold

_LONGEST_NOTE, _LONGEST_NAME = 2000, 200  # characters
_TOLD = ("judgement", "other_species", "note", "reviewer", "time")
_CONSTRAINTS = {
    "n_per_species": [Interval(Integral, N_BANDS, MOST, closed="both")],
    "strategy": [StrOptions(set(STRATEGIES))],
    "random_state": ["random_state"],
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
        and ``time`` or ``date`` (where the name of the recording does not tell it).
    path : str or path-like
        The SQLite file of the reviews, which is made if it is not there.
    folder : str or path-like, default=None
        Where the recordings lie. Only such are played. By default where ``path`` says.
    n_per_species : int >= 5, default=100
        How many detections of each species are chosen.
    strategy : {"stratified", "top", "uncertain", "diverse", "random"}
        What is chosen, by default "stratified": see `choose_for_review`. The bands are
        five.
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
        self._choices = Choices(self.detections, self._keys, n_per_species, seed)
        self.species = self._choices.species
        self._judged = Judged(self._store, self._keys)
        self._judged.place_in_bands(self._choices)
        self._handed_out, self._lock = {}, Lock()

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
        names, proba, rows = check_predictions(proba, X, species)
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
        strategy : {"stratified", "top", "uncertain", "diverse", "random"}, default=None
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
        check_filters(
            n=n,
            species=species,
            site=site,
            min_proba=min_proba,
            max_proba=max_proba,
            strategy=strategy,
            after=after,
            reviewer=reviewer,
        )
        chosen = self._choices.chosen(strategy or self.strategy)
        fits = self._judged.state() < 0
        fits &= matching(
            self.detections,
            species=species,
            site=site,
            first_date=first_date,
            last_date=last_date,
            min_proba=min_proba,
            max_proba=max_proba,
        )
        behind = np.flatnonzero(chosen == after)
        chosen = np.roll(chosen, -1 - behind[0]) if len(behind) else chosen
        found = chosen[fits[chosen]]
        with self._lock:
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
        check_number(number, len(self.detections))
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
            other_species = check_text(other_species, "other_species", _LONGEST_NAME)
            if other_species == self.detections["species"][number]:
                raise ValueError(
                    f"other_species={other_species!r:.60} is the species of the "
                    "detection. Say 'yes', or name another one."
                )
        return self._store.add(
            check_text(reviewer, "reviewer", _LONGEST_NAME),
            self._describe(number),
            judgement,
            other_species,
            check_text(note, "note", _LONGEST_NOTE, least=0),
        )

    def _describe(self, number):
        """Return what the file says of a detection, beside what is heard."""
        keys = ["recording", "path", "start", "end", "species", "probability"]
        found = dict(zip(keys, self.detections.loc[number, keys], strict=True))
        found["end"] = None if np.isnan(found["end"]) else found["end"]
        return found | self._choices.stratum(number)

    def undo(self, reviewer):
        """Take back the last judgement of a reviewer; again: the one before.

        Parameters
        ----------
        reviewer : str

        Returns
        -------
        int or None
            The number of the detection; None if there is nothing to take back of the
            detections of this session.

        Raises
        ------
        OSError
            If it could not be written. Then nothing is taken back.
        """
        check_text(reviewer, "reviewer", _LONGEST_NAME)
        return self._judged.undo(reviewer.strip())

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
        check_number(number, len(self.detections))
        entry = self._judged.latest(number)
        return entry and {name: entry[name] for name in _TOLD}

    def progress(self):
        """Count what is judged.

        Returns
        -------
        DataFrame
            One line per species, which is the index: ``n_detections``, ``n_chosen`` by
            the strategy of the session, ``n_left`` of these, ``n_reviews``, and of
            these ``yes``, ``no``, ``uncertain`` and ``other``.
        """
        state = self._judged.state()
        chosen = self._choices.chosen(self.strategy)
        count = self._choices.count
        counts = {
            "n_detections": count(slice(None)),
            "n_chosen": count(chosen),
            "n_left": count(chosen[state[chosen] < 0]),
            "n_reviews": count(state >= 0),
        }
        counts |= {name: count(state == k) for k, name in enumerate(JUDGEMENTS)}
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
