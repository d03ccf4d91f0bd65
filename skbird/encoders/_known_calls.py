"""Calls of known species, which must land on their class, and best as the spec says."""

from collections import Counter
from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import binomtest

from skbird.data import Recordings, as_recordings, check_rows
from skbird.encoders._encoder_checks import features, judge_varied
from skbird.encoders._front_ends import resample_as
from skbird.encoders._window_op import HearOp, cut_windows, window_starts
from skbird.utils._names import match_names, plain_name

_MOST_ROWS = 40
_MOST_TRIED = 24  # with other specs
_MOST_S = 60.0  # of a row
_LOUDEST = 2  # windows of a row
_TOP = 0.01  # of the classes
_RATES = (16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
_SURE = 0.002  # of a sign test, as several specs are tried
_BITS = 0.5  # by which the rank, as a power of two, must be better


@dataclass(frozen=True)
class KnownCalls:
    """Rows of recordings with the classes of an encoder that they are of.

    Parameters
    ----------
    clips : list of Clip
    places : ndarray of shape (n_clips,), int
        Of the class among the scores.
    """

    clips: list
    places: np.ndarray

    @classmethod
    def read(cls, recordings, encoder, names=None):
        """Read some rows of each species that the encoder knows.

        Raises
        ------
        ValueError
            If no column says which species they are of, or the encoder knows none.
        """
        if not isinstance(recordings, Recordings):
            recordings = as_recordings(check_rows(recordings, input_name="recordings"))
        if recordings.channels == "mean" != encoder.spec.channels:
            recordings = recordings.then(HearOp(encoder.spec.channels))
        places = _places(recordings.rows, encoder, names)
        chosen = _some_of_each(places)
        end = np.minimum(recordings.rows["end"], recordings.rows["start"] + _MOST_S)
        recordings = recordings.assign(end=end.to_numpy())[chosen]
        return cls([recordings[row] for row in range(len(chosen))], places[chosen])

    def head(self, n):
        """Return the first rows."""
        return KnownCalls(self.clips[:n], self.places[:n])

    def loudest(self, spec):
        """Return the loudest windows of each row: (n_rows * 2, n_samples) or less.

        Returns
        -------
        windows : ndarray of shape (n_windows, n_samples)
        rows : ndarray of shape (n_windows,), int
        """
        windows, rows = [], []
        for row, clip in enumerate(self.clips):
            samples = resample_as(
                clip.samples, clip.sample_rate, spec.sample_rate, spec.resampler
            )
            starts = window_starts(clip.duration_s, spec.window_s, spec.window_s)
            cut = cut_windows(samples, starts, spec)
            loud = np.argsort(-cut.std(axis=1), kind="stable")[:_LOUDEST]
            windows.append(cut[loud])
            rows += [row] * len(loud)
        return np.concatenate(windows), np.array(rows)

    def scores(self, encoder):
        """Return the highest probabilities of each row: (n_rows, n_classes)."""
        windows, rows = self.loudest(encoder.spec)
        scores = encoder.run(windows, ["scores"])["scores"]
        n_classes = scores.shape[-1]
        scores = encoder.probabilities(scores.reshape(-1, n_classes))
        scores = scores.reshape(len(windows), -1, n_classes).max(axis=1)
        return np.stack([scores[rows == r].max(axis=0) for r in range(len(self.clips))])


def check_known_variety(encoder, known):
    """Tell recordings of real sound apart."""
    windows, rows = known.loudest(encoder.spec)
    firsts = np.unique(rows, return_index=True)[1]
    return judge_varied(features(encoder, windows[firsts]), "recordings")


def check_known_calls(encoder, known):
    """Let known calls land on their class, and no better in another order."""
    n_classes = encoder.spec.outputs["scores"].shape[-1]
    most = max(0, int(_TOP * n_classes) - 1)
    scores = known.scores(encoder)
    ours = ranks_of(scores, known.places)
    landed = int((ours <= most).sum())
    found = f"{landed} of {len(known.clips)} known calls land on their class"
    if n_classes > 100:
        found += f", or among the first {most + 1} of {n_classes}"
    better = {}
    for order, places in _other_orders(encoder, known).items():
        theirs = ranks_of(scores, places)
        gain = _clearly_better(theirs, ours)
        if gain is not None and (theirs <= most).mean() >= 0.5:
            better.setdefault(gain, order)
    if better:
        return False, (
            f"The class names are not in the order of the model: known calls land "
            f"{better[max(better)]}. As it is, {found}."
        )
    if 2 * landed < len(known.clips):
        return False, (
            f"Only {found}. Are class_names those of this file, in its order, and "
            "sample_rate, window_s and level those that the authors give?"
        )
    return True, found


def check_known_spec(encoder, known):
    """Let known calls land nowhere better with another sample rate or level."""
    known = known.head(_MOST_TRIED)
    ours = ranks_of(known.scores(encoder), known.places)
    better = {}
    for spec in _other_specs(encoder.spec):
        theirs = ranks_of(known.scores(encoder.with_spec(spec)), known.places)
        gain = _clearly_better(theirs, ours)
        if gain is not None:
            change = _change(encoder.spec, spec)
            wins, losses = (theirs < ours).sum(), (theirs > ours).sum()
            text = (
                f"Known calls land better with {change}: {wins} of {len(ours)} rank "
                f"higher, {losses} lower. Put that into the spec if the authors say so."
            )
            better.setdefault(gain, text)
    if better:
        return False, better[max(better)]
    return True, "other sample rates and levels are no better"


def ranks_of(scores, places):
    """Return how many classes get a higher score than the right one, in each row.

    Parameters
    ----------
    scores : ndarray of shape (n_rows, n_classes)
    places : ndarray of shape (n_rows,), int
        Of the right class. Of classes with the same score, half count; there is none
        at places outside.
    """
    n_classes = scores.shape[1]
    inside = (places >= 0) & (places < n_classes)
    chosen = np.where(inside, places, 0)[:, None]
    right = np.take_along_axis(scores, chosen, axis=1)
    ranks = (scores > right).sum(axis=1) + ((scores == right).sum(axis=1) - 1) // 2
    return np.where(inside, ranks, n_classes)


def _clearly_better(theirs, ours):
    """Return by how many powers of two ranks are better; None: perhaps by chance."""
    gain = np.log2(1 + ours) - np.log2(1 + theirs)
    wins, losses = int((gain > 0).sum()), int((gain < 0).sum())
    if not wins or gain.mean() < _BITS:
        return None
    p = binomtest(wins, wins + losses, alternative="greater").pvalue
    return gain.mean() if p < _SURE else None


def _other_orders(encoder, known):
    plain = [plain_name(name) for name in encoder.class_names]
    alphabetic = np.argsort(np.argsort(plain, kind="stable"))
    later = "one class later (does the list lack its first line?)"
    earlier = "one class earlier (is its first line a heading: 'headed lines'?)"
    return {
        later: known.places + 1,
        earlier: known.places - 1,
        "right in the alphabetic order of the names": alphabetic[known.places],
    }


def _places(rows, encoder, names):
    column = next((c for c in ("species", "primary_label") if c in rows), None)
    if column is None:
        raise ValueError(
            "recordings has no column 'species' (or 'primary_label') that says what "
            f"is heard. It has {list(rows.columns)}."
        )
    known = encoder.class_names
    labels = rows[column].fillna("").astype(str)
    meant = {label: str((names or {}).get(label, label)) for label in labels.unique()}
    matched = match_names(meant.values(), known)
    first = {name: place for place, name in reversed(list(enumerate(known)))}
    found = {k: first[matched[m]] for k, m in meant.items() if m in matched}
    if not found:
        raise ValueError(
            f"recordings has the species {', '.join(meant)!s:.200}, and "
            f"{encoder.spec.name} such classes as {', '.join(known[:3])!s:.200}: none "
            "is the same. Pass names={species: class name}."
        )
    return labels.map(found).fillna(-1).to_numpy().astype(int)


def _some_of_each(places):
    """Return rows of known species, one of each species before a second one."""
    rows = np.flatnonzero(places >= 0)
    seen = Counter()
    turns = []
    for place in places[rows].tolist():
        turns.append(seen[place])
        seen[place] += 1
    return rows[np.argsort(turns, kind="stable")][:_MOST_ROWS]


def _other_specs(spec):
    for level in ("none", "peak", "mean_peak"):
        if level != spec.level:
            yield replace(spec, level=level)
    n = spec.window_samples
    for rate in _RATES:
        if rate != spec.sample_rate:
            yield replace(spec, sample_rate=rate, window_s=n / rate)


def _change(spec, other):
    names = ("level", "sample_rate", "window_s")
    changed = [n for n in names if getattr(spec, n) != getattr(other, n)]
    shown = {name: getattr(other, name) for name in changed}
    return " and ".join(
        f"{name}={value:g}" if name == "window_s" else f"{name}={value!r}"
        for name, value in shown.items()
    )
