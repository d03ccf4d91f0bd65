"""Text as other programs write it, and as they may read it."""

import codecs
import re
import warnings

_BREAKS = re.compile("[\x00-\x1f\x7f\x85\u2028\u2029]+")
_FORMULA = re.compile(r"'*[=+\-@]")
_GUARDED = re.compile(r"'+[=+\-@]")
# Hardly a number is written so, but names of sites and recorders are. Of 16 digits, a
# float does not keep all: two numbers might become the same.
_NO_NUMBER = re.compile(r"\s*(0\d|\d+[eE]\d+\s*$|\d{16,}\s*$|.*_)")
# What spreadsheets make of columns that are short of UTF-16's mark.
_NULS_AT_ODD = re.compile(rb"(?:[^\0]\0){8}")
_NULS_AT_EVEN = re.compile(rb"(?:\0[^\0]){8}")


def counted(number, one, several=None):
    """Return a number and what it counts, as in "1 row" and "2 rows".

    Parameters
    ----------
    number : int
        How many there are.
    one : str
        What is counted, in the singular; perhaps with its verb: "file has".
    several : str, default=None
        The same in the plural; by default the singular with an s.

    Returns
    -------
    str
    """
    if number == 1:
        return f"1 {one}"
    return f"{number} {f'{one}s' if several is None else several}"


def none_of(number, one, several=None):
    """Return how a sentence begins that is true of none of so many.

    Parameters
    ----------
    number : int
    one, several : str
        As `counted` takes them.

    Returns
    -------
    str

    Examples
    --------
    >>> f"{none_of(3, 'row')} can be read.", f"{none_of(1, 'row')} can be read."
    ('None of the 3 rows can be read.', 'No row can be read.')
    """
    if number == 1:
        return f"No {one}"
    return f"None of the {counted(number, one, several)}"


def decode_text(raw, name="A table"):
    """Decode the bytes of a file: UTF-8, UTF-16, or Windows-1252.

    Parameters
    ----------
    raw : bytes
    name : str
        How the warning calls the file.

    Returns
    -------
    str
        Line ends are as they were.

    Warns
    -----
    UserWarning
        If it is UTF-8 or UTF-16 except for some bytes; these become U+FFFD.
    """
    if encoding := _utf_16(raw):
        text = raw.decode(encoding, errors="replace")
        if n_bad := text.count("\ufffd"):
            warnings.warn(
                f"{name} is UTF-16 except for bytes in {n_bad} places; each is read as "
                "'\ufffd'. Is the file cut off? Correct the names there.",
                UserWarning,
                stacklevel=2,
            )
        return text
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        text = raw.decode("utf-8-sig", errors="replace")
        n_bad = text.count("\ufffd")
        n_good = sum(not char.isascii() for char in text) - n_bad
        # Text of Windows is hardly ever UTF-8 by chance; UTF-8 may be cut off.
        cut_off = n_bad == 1 and exc.reason == "unexpected end of data"
        is_utf8 = n_good > 0 or cut_off or raw.startswith(codecs.BOM_UTF8)
        if not is_utf8:
            return raw.decode("cp1252", errors="replace")  # Raven and Excel there
        # The rest of a line that has begun is one more.
        line = len((exc.object[: exc.start] + b"x").splitlines())
    warnings.warn(
        f"{name} is UTF-8 except for bytes in {n_bad} places, the first in line "
        f"{line}; each is read as '\ufffd'. Correct the names there.",
        UserWarning,
        stacklevel=2,
    )
    return text


def refuse_binary(text, name):
    """Raise an error if what was decoded from a file is no text."""
    if "\0" in text:
        raise ValueError(
            f"{name} is no text. If it is a spreadsheet, open it there and save it as "
            "CSV."
        )


def _utf_16(raw):
    """Return which UTF-16 the bytes of a file are in; None: another encoding."""
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):  # "Unicode text" of spreadsheets
        return "utf-16"
    if len(raw) % 2:
        return None
    if _NULS_AT_ODD.match(raw):
        return "utf-16-le"
    return "utf-16-be" if _NULS_AT_EVEN.match(raw) else None


def one_line(text):
    """Replace tabs, line breaks and other control characters by a space."""
    return _BREAKS.sub(" ", text)


def as_utf_8(text):
    r"""Spell out what UTF-8 cannot hold, such as bytes of names in another encoding.

    Examples
    --------
    >>> as_utf_8("K\udce4uz.wav")
    'K\\udce4uz.wav'
    """
    return text.encode("utf-8", errors="backslashreplace").decode("utf-8")


def looks_like_name(text):
    """Return whether what Python takes for a number is rather a name, such as 007."""
    return _NO_NUMBER.match(text) is not None


def guard_formula(text):
    """Put a quote before text that a spreadsheet would take for a formula.

    Text that has such a quote already gets another, so that `unguard_formula` gives
    back every text.
    """
    return f"'{text}" if _FORMULA.match(text) else text


def unguard_formula(text):
    """Take away the quote that `guard_formula` put there."""
    return text[1:] if _GUARDED.match(text) else text
