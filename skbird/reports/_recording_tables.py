"""Tables of a data report: files, species, collections, findings, copies."""

import numpy as np
import pandas as pd

from skbird.audio import find_near_duplicates
from skbird.data import (
    encode_labels,
    parse_primary_label,
    parse_secondary_labels,
    says_absent,
)
from skbird.model_selection import number_contents
from skbird.utils._linked import number_linked
from skbird.utils._names import commonest_names, match_names, plain_name
from skbird.utils._truth import PRESENT_FROM


def _has_quiet_mean(files):
    return files["quiet_mean"].eq(True)


# Name of the problem: which files have it, and what it means.
PROBLEMS = {
    "unreadable": (
        lambda files: files["error"] != "",
        "Cannot be opened or decoded. `skbird train` leaves it out; in Python, fit "
        "stops at it unless on_error='skip'.",
    ),
    "cut short": (
        lambda files: files["is_cut"].eq(True),
        "Holds less sound than its header promises; its note says how much.",
    ),
    "quiet mean of channels": (
        _has_quiet_mean,
        "The mean, which is heard here and trained on, is some 6 dB or more quieter "
        "than the loudest: others are all but silent, or have the opposite sign. "
        "'loudest' takes one: in a column 'channels', by `skbird train --channels`, or "
        "by Resampler(channels='loudest').",
    ),
    "near-silent": (
        lambda files: (files["peak_dbfs"] < -60) & ~_has_quiet_mean(files),
        "Peak below -60 dB of full scale. The labelled species can hardly be heard.",
    ),
    "clipped": (
        lambda files: files["clipped"] > 0.001,
        "More than 0.1 % of the samples at full scale. Clipping adds false harmonics.",
    ),
    "nothing stands out": (
        lambda files: files["contrast_db"] < 3,
        "The loudest 1 % are less than 3 dB above the noise. Can the species be heard?",
    ),
    "mostly speech": (
        lambda files: files["speech"] > 0.5,
        "Speech for more than half of the time. The network may learn the voice.",
    ),
    "short": (
        lambda files: files["duration_s"] < 1,
        "Below 1 s. It is repeated to fill a segment.",
    ),
    "long": (
        lambda files: files["duration_s"] > 300,
        "Above 5 minutes. Most of its segments may lack the species on its label.",
    ),
    "low sample rate": (
        lambda files: files["sample_rate"] < 16_000,
        "Below 16 kHz: nothing above 8 kHz is in it, however it is resampled.",
    ),
}


def encode_all(rows):
    """Return Y of all species that primary or secondary labels name, or None."""
    if "primary_label" not in rows:
        return None
    names = _primary_names(rows)
    if "secondary_labels" in rows:
        known = frozenset(map(plain_name, names))
        for cell in rows["secondary_labels"]:
            names += parse_secondary_labels(cell, known)
    return encode_labels(rows, commonest_names(names))[0] if names else None


def _primary_names(rows):
    """Return the species in ``primary_label``, as often as they are there."""
    cells = map(parse_primary_label, rows["primary_label"])
    return [name for names in cells for name in names if not says_absent(name)]


def name_problems(files):
    """Return the problems of each file as text, and a table that counts them."""
    masks = {name: test(files).to_numpy() for name, (test, _) in PROBLEMS.items()}
    texts = [
        "; ".join(name for name, mask in masks.items() if mask[row])
        for row in range(len(files))
    ]
    looked_at = {"short": "duration_s", "long": "duration_s"}
    looked_at |= {"low sample rate": "sample_rate", "nothing stands out": "contrast_db"}
    looked_at |= {"near-silent": "peak_dbfs", "clipped": "clipped"}
    looked_at |= {"mostly speech": "speech", "unreadable": "error"}
    looked_at |= {"cut short": "is_cut", "quiet mean of channels": "quiet_mean"}
    lines = []
    for name, (_, meaning) in PROBLEMS.items():
        n_seen = files[looked_at[name]].notna().sum()
        if n_seen:
            lines.append((name, int(masks[name].sum()), n_seen, meaning))
    columns = ["finding", "number", "looked_at", "meaning"]
    return texts, pd.DataFrame(lines, columns=columns)


def find_copies(files, fingerprints, n_jobs):
    """List files that are in a group of the same bytes or sound.

    Parameters
    ----------
    files : DataFrame
        With ``path`` and ``error``.
    fingerprints : list of ndarray
    n_jobs : int

    Returns
    -------
    DataFrame
        ``group``, ``kind``, ``path``; one line per file that has a copy.
    """
    readable = np.flatnonzero(files["error"] == "")
    paths = files["path"].to_numpy(dtype=object)
    content = np.full(len(files), -1)
    content[readable] = number_contents(paths[readable], n_jobs, False)
    same = pd.Series(content).duplicated(keep=False).to_numpy()
    # One file of each content is compared by its sound.
    first = pd.Series(content[readable]).drop_duplicates().index
    of_sound = readable[first]
    pairs = of_sound[find_near_duplicates([fingerprints[row] for row in of_sound])]
    to_first = of_sound[np.maximum(content[readable], 0)] if len(readable) else readable
    edges = np.vstack([pairs, np.column_stack([readable, to_first])])
    group = pd.Series(number_linked(edges[:, 0], edges[:, 1], len(files)))
    copied = group.duplicated(keep=False).to_numpy()
    return pd.DataFrame(
        {
            "group": pd.factorize(group[copied])[0] + 1,
            "kind": np.where(same[copied], "same bytes", "same sound"),
            "path": paths[copied],
        }
    ).sort_values("group", kind="stable", ignore_index=True)


def label_copies(copies, rows, Y):
    """Add what copies are labelled as, and whether labels within a group differ."""
    if Y is None or len(copies) == 0:
        return copies
    present = Y.to_numpy() >= PRESENT_FROM
    named = pd.Series(
        [", ".join(map(str, Y.columns[row])) for row in present], index=rows["path"]
    )
    named = named.groupby(level=0).agg(lambda texts: ", ".join(sorted(set(texts))))
    copies = copies.assign(species=named.reindex(copies["path"]).to_numpy())
    differ = copies.groupby("group")["species"].transform("nunique") > 1
    return copies.assign(labels_differ=differ)


def count_species(rows, Y):
    """Count rows, hours, authors, collections and ratings of each species.

    Parameters
    ----------
    rows : DataFrame
        With ``path``, ``collection``, ``seconds`` and, if known, ``author``,
        ``rating``, ``primary_label``.
    Y : DataFrame of shape (n_rows, n_species)

    Returns
    -------
    DataFrame
        One line per species, the commonest first.
    """
    present = Y.to_numpy() >= PRESENT_FROM
    row, column = np.nonzero(present)
    heard = rows.iloc[row].assign(_species=column)
    of_species = heard.groupby("_species")
    count = pd.DataFrame(index=np.arange(Y.shape[1]))
    count["species"] = Y.columns
    count["rows"] = present.sum(axis=0)
    count["recordings"] = of_species["path"].nunique()
    if "primary_label" in rows:
        names, species = _primary_names(rows), Y.columns.astype(str)
        meant = match_names(names, species)
        primary = pd.Series([meant.get(name) for name in names]).value_counts()
        count["as_primary"] = primary.reindex(species).to_numpy()
    count["hours"] = of_species["seconds"].sum() / 3600
    if "author" in rows:
        count["authors"] = of_species["author"].nunique()
    count["collections"] = of_species["collection"].nunique()
    if "rating" in rows:
        count["median_rating"] = of_species["rating"].median()
    sure = ["recordings", "as_primary", "hours", "authors", "collections"]
    whole = [name for name in sure if name in count]
    count[whole] = count[whole].fillna(0)
    for name in set(whole) - {"hours"}:
        count[name] = count[name].astype(int)
    return count.sort_values("rows", ascending=False, kind="stable", ignore_index=True)


def count_collections(files):
    """Sum up each collection: numbers, hours, and medians of what was measured."""
    groups = files.groupby("collection")
    table = groups.agg(
        recordings=("path", "size"),
        unreadable=("error", lambda errors: int((errors != "").sum())),
        hours=("duration_s", lambda seconds: seconds.sum() / 3600),
        median_s=("duration_s", "median"),
        decoded=("level_dbfs", "count"),
    )
    for name in ("level_dbfs", "noise_dbfs", "contrast_db"):
        table[f"median_{name}"] = groups[name].median()
    table["clipped_files"] = groups["clipped"].agg(
        lambda share: (share.dropna() > 0.001).mean()
    )
    if files["speech"].notna().any():
        table["mean_speech"] = groups["speech"].mean()
    for name in ("author", "rating"):
        if name in files:
            how = "nunique" if name == "author" else "median"
            table[f"{name}s" if name == "author" else "median_rating"] = groups[
                name
            ].agg(how)
    return table.sort_values("recordings", ascending=False).reset_index()


def species_findings(species):
    """Count species that a model can hardly learn, or can only memorise."""
    tests = [("species with fewer than 5 recordings", species["recordings"] < 5)]
    if (species["collections"] > 1).any():  # else there is only one, or none is known
        tests.append(("species from one collection", species["collections"] <= 1))
    if "authors" in species:
        tests.append(("species by one author", species["authors"] <= 1))
    meanings = {
        "species with fewer than 5 recordings": "No split leaves enough on both sides.",
        "species from one collection": (
            "The collection's noise gives the species away, and no test on another "
            "collection is possible."
        ),
        "species by one author": "The microphone and the place give it away.",
    }
    lines = [(name, int(t.sum()), len(species), meanings[name]) for name, t in tests]
    return pd.DataFrame(lines, columns=["finding", "number", "looked_at", "meaning"])


def count_together(Y):
    """Count the rows in which two species are heard, the commonest pairs first."""
    present = (Y.to_numpy() >= PRESENT_FROM).astype(np.float32)
    together = np.triu(present.T @ present, 1)
    first, second = np.nonzero(together)
    counts = present.sum(axis=0)
    number = together[first, second]
    table = pd.DataFrame(
        {
            "species": Y.columns[first],
            "with": Y.columns[second],
            "rows": number.astype(int),
            "share_of_first": number / counts[first],
            "share_of_second": number / counts[second],
        }
    )
    return table.sort_values("rows", ascending=False, kind="stable", ignore_index=True)
