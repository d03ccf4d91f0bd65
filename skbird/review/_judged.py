"""What holds of the detections of a session, kept up with its file."""

from threading import Lock

import numpy as np

from skbird.review._detections import keys_of
from skbird.review._store import JUDGEMENTS


class Judged:
    """What was said of detections, by this and by other processes.

    Parameters
    ----------
    store : ReviewStore
    keys : Index
        As `keys_of` gives them, of all detections.
    """

    def __init__(self, store, keys):
        self._store, self._keys = store, keys
        self._lock = Lock()
        self._newest = 0
        self._said = {}  # by number: the entries that hold, the latest last
        self._state = np.full(len(keys), -1)

    def state(self):
        """Return what holds of each detection: a number of `JUDGEMENTS`, or -1."""
        with self._lock:
            self._refresh()
            return self._state.copy()

    def latest(self, number):
        """Return the entry that holds of a detection, or None."""
        with self._lock:
            self._refresh()
            said = self._said.get(number)
            return said[-1] if said else None

    def _refresh(self):
        if self._store.newest() == self._newest:
            return
        entries = self._store.entries(self._newest)
        self._newest = int(entries["entry"].iloc[-1])
        numbers = self._keys.get_indexer(keys_of(entries))
        for number, entry in zip(numbers, entries.to_dict("records"), strict=True):
            if number < 0:
                continue  # of a detection that this session has not
            said = self._said.setdefault(int(number), [])
            if entry["judgement"] in JUDGEMENTS:
                said.append(entry)
            else:
                said[:] = [one for one in said if one["entry"] != entry["undoes"]]
            held = JUDGEMENTS.index(said[-1]["judgement"]) if said else -1
            self._state[number] = held
