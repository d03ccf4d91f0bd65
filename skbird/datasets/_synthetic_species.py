"""Made-up species and their calls.

They are made so that recognising them takes time structure. Within a group they share a
frequency band and differ in the direction of a sweep, the order of two notes or the
rate of pulses: what an average over time throws away.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Pattern:
    """A call of a species: evenly spaced notes, each a sweep.

    Attributes
    ----------
    sweeps_hz : tuple of (from_hz, to_hz)
        One sweep per note; a longer call goes through them again from the first.
    note_s, period_s : float
        Length of a note, and time from one note to the next, in seconds.
    n_notes : int
        Notes per call.
    harmonics : tuple of float, default=(1.0,)
        Amplitude of the fundamental and its multiples.
    buzz_hz : float, default=0.0
        Rate of the amplitude modulation that makes a note rough; 0 is a pure tone.
    """

    sweeps_hz: tuple[tuple[float, float], ...]
    note_s: float
    period_s: float
    n_notes: int
    harmonics: tuple[float, ...] = (1.0,)
    buzz_hz: float = 0.0

    @property
    def band_hz(self):
        """Lowest and highest frequency of the sweeps and their harmonics."""
        hz = [end for sweep in self.sweeps_hz[: self.n_notes] for end in sweep]
        return min(hz), max(hz) * len(self.harmonics)


@dataclass(frozen=True)
class Species:
    """A made-up species: its names, its song and, for some, a second call type."""

    label: str
    common_name: str
    group: str
    song: Pattern
    call: Pattern | None = None

    @property
    def scientific_name(self):
        """Latin-looking name: the group, then the parts of the common name."""
        first, last = self.common_name.lower().split()
        return f"{self.group} {first}{last}us"


_UP, _DOWN = (2600, 4600), (4600, 2600)
_LOW, _HIGH = (2800, 2800), (4400, 4400)
_FROG, _STEP = (1150, 1050), ((1350, 1250), (950, 850))
_CRICKET = (6800, 6900)
_CROAK = (1.0, 0.5, 0.2)
_THROAT = (1.0, 0.8, 0.6, 0.4, 0.3, 0.2)
_BARK = Pattern(((650, 480),), 0.14, 0.45, 4, _THROAT, 45)
_CHIP_DOWN = Pattern(((3900, 3300),), 0.07, 0.22, 3)
_CHIP_UP = Pattern(((3300, 3900),), 0.07, 0.22, 3)

# Commonest first, so that any number of them has confusable pairs. As in BirdCLEF 2025,
# birds have eBird-like codes and all others the number of an iNaturalist-like taxon.
_FIRST = tuple(
    Species(*row)
    for row in (
        ("upwwhi1", "Upward Whistler", "Aves", Pattern((_UP,), 0.3, 0.45, 4), _CHIP_UP),
        ("910001", "Slow Frog", "Amphibia", Pattern((_FROG,), 0.06, 0.24, 9, _CROAK)),
        ("920001", "Slow Cricket", "Insecta", Pattern((_CRICKET,), 0.11, 0.36, 8)),
        ("dowwhi1", "Downward Whistler", "Aves", Pattern((_DOWN,), 0.3, 0.45, 4)),
        (
            "930001",
            "Rising Howler",
            "Mammalia",
            Pattern(((380, 760),), 0.9, 1.2, 2, _THROAT),
            _BARK,
        ),
        (
            "lohcha1",
            "Low-high Chanter",
            "Aves",
            Pattern((_LOW, _HIGH), 0.24, 0.3, 2),
            _CHIP_DOWN,
        ),
        ("910002", "Quick Frog", "Amphibia", Pattern((_FROG,), 0.06, 0.11, 18, _CROAK)),
        ("hilcha1", "High-low Chanter", "Aves", Pattern((_HIGH, _LOW), 0.24, 0.3, 2)),
        ("920002", "Quick Cricket", "Insecta", Pattern((_CRICKET,), 0.05, 0.12, 22)),
        (
            "930002",
            "Falling Howler",
            "Mammalia",
            Pattern(((760, 380),), 0.9, 1.2, 2, _THROAT),
        ),
        ("slotri1", "Slow Triller", "Aves", Pattern((_UP,), 0.07, 0.2, 9)),
        ("quitri1", "Quick Triller", "Aves", Pattern((_UP,), 0.05, 0.085, 20)),
        ("910003", "Step Frog", "Amphibia", Pattern(_STEP, 0.1, 0.24, 8, _CROAK)),
        (
            "nashon1",
            "Nasal Honker",
            "Aves",
            Pattern(((900, 850),), 0.25, 0.6, 3, _THROAT),
        ),
    )
)

_MOST = 200
# Of each group: how many of ten, its band in Hz, harmonics, length of notes in seconds,
# and what its species are called.
_GROUPS = {
    "Aves": (
        6,
        (1800, 6500),
        (1.0,),
        (0.05, 0.3),
        "Warbler Finch Pipit Thrush Babbler",
    ),
    "Amphibia": (2, (700, 2500), _CROAK, (0.04, 0.12), "Toad Treefrog"),
    "Insecta": (1, (5000, 9000), (1.0,), (0.03, 0.15), "Cicada Katydid"),
    "Mammalia": (1, (350, 900), _THROAT, (0.15, 0.9), "Monkey Fox"),
}
_ADJECTIVES = (
    "Amber Ashen Azure Banded Bare Black Brown Buff Coastal Common Crested Dusky Dwarf "
    "Eastern Forest Giant Golden Gray Green Hill Island Jungle Least Lesser Little "
    "Marsh Masked Mottled Mountain Northern Olive Pale Pied Plain Red Ringed River "
    "Rufous Sandy Scaled Shy Slaty Snowy Southern Spotted Striped Swamp Tawny Twilight "
    "Western White Wood Yellow"
).split()


def _more_species():
    """Draw species until there are `_MOST`, in pairs that share a band."""
    kinds = [group for group, (share, *_) in _GROUPS.items() for _ in range(share)]
    numbers = dict.fromkeys(_GROUPS, 0)
    for number in range(len(_FIRST), _MOST):
        group = kinds[number // 2 % len(kinds)]
        _, band_hz, harmonics, note_s, nouns = _GROUPS[group]
        rng = np.random.default_rng([14, number // 2])  # the same for both of a pair
        k = numbers[group]
        numbers[group] += 1
        nouns = nouns.split()
        first, last = _ADJECTIVES[k // len(nouns)], nouns[k % len(nouns)]
        code = f"{first[:3]}{last[:3]}1".lower()
        if group != "Aves":
            code = str(910_100 + 10_000 * (list(_GROUPS).index(group) - 1) + k)
        song = _draw_pattern(band_hz, note_s, harmonics, number % 2, rng)
        yield Species(code, f"{first} {last}", group, song)


def _draw_pattern(band_hz, note_s, harmonics, is_second, rng):
    """Draw notes in a band; of a pair one is the other reversed, or twice as quick."""
    center_hz = float(np.exp(rng.uniform(*np.log(band_hz))))
    spread = float(rng.uniform(1.05, 1.6))
    low, high = center_hz / spread, center_hz * spread
    sweeps = [((low, high),), ((low, low), (high, high)), ((center_hz, center_hz),)]
    sweep = sweeps[rng.integers(len(sweeps))]
    length_s = float(np.exp(rng.uniform(*np.log(note_s))))
    period_s = length_s * float(rng.uniform(1.3, 2.5))
    if is_second:
        reverse = tuple(note[::-1] for note in sweep[::-1])
        quick = 1.0 if reverse != sweep else 0.45
        sweep, length_s, period_s = reverse, quick * length_s, quick * period_s
    n_notes = int(np.clip(1.2 / period_s, 2, 25))
    return Pattern(sweep, length_s, period_s, n_notes, harmonics)


SPECIES = (*_FIRST, *_more_species())
