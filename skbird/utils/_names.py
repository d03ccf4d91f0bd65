"""Names that people and systems spell in several ways: of species, and of files."""

import os
import re
import unicodedata
import warnings
from collections import Counter, defaultdict

from skbird.utils._text import counted

_SHOWN = 5
# "nocall" is BirdCLEF's word for a stretch without a target species.
_NO_SPECIES = frozenset({"", "nocall", "no call"})
_NO_NAME = re.compile("[\ud800-\udc7f\udd00-\udfff]")
_ESCAPED = re.compile(r"\\x([89a-f][0-9a-f])")


def plain_name(name):
    r"""Spell a label without regard to case, blanks, underscores and Unicode form.

    Runs of blanks and underscores count as one blank; a blank is not the same as none.

    Examples
    --------
    >>> plain_name(" Pica_pica")
    'pica pica'
    >>> plain_name("Ka\u0308uz") == plain_name("K\u00c4UZ")
    True
    """
    return " ".join(same_text(name).casefold().replace("_", " ").split())


def names_species(label):
    """Return whether a label names a species: an empty one and "nocall" do not.

    Examples
    --------
    >>> names_species("amerob"), names_species("No_Call")
    (True, False)
    """
    return plain_name(label) not in _NO_SPECIES


def match_names(names, known, plain=plain_name):
    """Say which known name each name stands for: the same, else one spelled alike.

    Parameters
    ----------
    names : iterable of str
    known : iterable of str
    plain : callable, default=plain_name
        Two names are alike if it makes the same of both.

    Returns
    -------
    dict of str to str
        Without the names that are like no known one, or like several.

    Examples
    --------
    >>> match_names(["Pica_pica", "Parus major", "owl"], ["Pica pica", "Parus major"])
    {'Pica_pica': 'Pica pica', 'Parus major': 'Parus major'}
    """
    known = dict.fromkeys(known)
    names = dict.fromkeys(names)
    matched = {name: name for name in names if name in known}
    if len(matched) < len(names):
        alike = defaultdict(list)
        for name in known:
            alike[plain(name)].append(name)
        for name in names:
            candidates = alike.get(plain(name), ())
            if name not in matched and len(candidates) == 1:
                matched[name] = candidates[0]
    return {name: matched[name] for name in names if name in matched}


def commonest_names(labels):
    """Return one spelling of each name, sorted: the one that occurs most often.

    Examples
    --------
    >>> commonest_names(["Pica_pica", "Parus major", "Pica pica", "Pica pica"])
    ['Parus major', 'Pica pica']
    """
    counts, chosen = Counter(labels), {}
    for name in sorted(counts, key=lambda name: (-counts[name], name)):
        chosen.setdefault(plain_name(name), name)
    return sorted(chosen.values())


def settle_names(labels, species, *, stacklevel):
    """Say which species each label is of as `match_names` does, and warn of doubts.

    Parameters
    ----------
    labels, species : iterable of str
    stacklevel : int
        Stack level of the warnings, as seen from the caller.

    Returns
    -------
    dict of str to str

    Warns
    -----
    UserWarning
        If labels are spelled otherwise than their species, or species are alike.
    """
    _warn_of_twins(species, stacklevel + 1)
    meant = match_names(labels, species)
    pairs = [f"{a!r} for {b!r}" for a, b in sorted(meant.items()) if a != b]
    if pairs:
        shown = ", ".join(pairs[:_SHOWN]) + ", ..." * (len(pairs) > _SHOWN)
        warnings.warn(
            f"{counted(len(pairs), 'label is', 'labels are')} taken for a species "
            "whose name differs in case, blanks, underscores or the form of "
            f"accents only: {shown}. Spell them alike; or if they are different "
            "species, name each in species.",
            UserWarning,
            stacklevel=stacklevel + 1,
        )
    return meant


def _warn_of_twins(species, stacklevel):
    alike = defaultdict(list)
    for name in species:
        alike[plain_name(name)].append(name)
    twins = [names for names in alike.values() if len(names) > 1]
    if twins:
        warnings.warn(
            f"species has {' and '.join(map(repr, twins[0]))}, which differ in case, "
            "blanks, underscores or the form of accents only "
            f"({counted(len(twins), 'such case')}): each is a species of its own. If "
            "they are one, name it once.",
            UserWarning,
            stacklevel=stacklevel + 1,
        )


def same_text(text):
    r"""Spell text in one way: macOS writes the dots of ä as a letter of their own.

    Examples
    --------
    >>> same_text("Ka\u0308uz.wav") == same_text("K\u00e4uz.wav")
    True
    """
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def plain_path(path):
    r"""Spell a path without regard to Unicode form and Windows' backslashes.

    Examples
    --------
    >>> plain_path(r"site1\night.wav")
    'site1/night.wav'
    """
    return same_text(path).replace("\\", "/")


def printable_path(path):
    r"""Spell a path that is not UTF-8 as text can hold it: ``\xe4`` for the byte.

    Tables, Parquet and terminals cannot hold the name itself. `existing_path` finds
    its file.

    Parameters
    ----------
    path : str or path-like

    Returns
    -------
    str or path-like
        `path` itself if it is UTF-8.
    """
    text = os.fspath(path)
    if text.isascii():
        return path
    try:
        text.encode()
        return path
    except UnicodeEncodeError:
        # Bytes of a name are U+DC80 to U+DCFF in Python; other surrogates name nothing.
        raw = _NO_NAME.sub("\ufffd", text).encode(errors="surrogateescape")
        return raw.decode(errors="backslashreplace")


def existing_path(path, folder=""):
    r"""Return the path by which a file is there, however it is spelled.

    Tables come from Windows, which separates folders by backslashes, and from macOS,
    which writes accents in another form than all others.

    Parameters
    ----------
    path : str
        May have been spelled by `printable_path`.
    folder : str, default=""
        From which `path` counts, unless it is absolute.

    Returns
    -------
    str
        Path of a file that exists, else `path` as it is.

    Examples
    --------
    >>> existing_path("night.wav", "site1")
    'site1/night.wav'
    """
    whole = os.path.join(folder, path)
    plain = path.isascii() and "\\" not in path
    if plain or os.path.lexists(whole):
        return whole
    unescaped = _ESCAPED.sub(lambda match: chr(0xDC00 + int(match[1], 16)), path)
    for spelled in (path, path.replace("\\", "/"), unescaped):
        found = _find(spelled, folder)
        if found is not None:
            return found
    return whole


def _find(path, folder):
    """Return the path of what exists, its parts spelled in either form, or None."""
    drive, path = os.path.splitdrive(path)
    place = os.path.join(folder, drive, os.sep if os.path.isabs(path) else "")
    for part in path.split("/"):
        forms = (part, *(unicodedata.normalize(form, part) for form in ("NFC", "NFD")))
        candidates = (os.path.join(place, form) for form in dict.fromkeys(forms))
        place = next(filter(os.path.lexists, candidates), None)
        if place is None:
            return None
    return place


def one_line(name):
    r"""Return a name as text without line breaks: they are written as ``\n``."""
    return re.sub(r"\r\n?|\n", r"\\n", str(name))
