"""Text as other programs write it, and as they may read it."""

import re

_BREAKS = re.compile("[\x00-\x1f\x7f\x85\u2028\u2029]+")
_FORMULA = re.compile(r"'*[=+\-@]")
_GUARDED = re.compile(r"'+[=+\-@]")


def decode_text(raw):
    """Decode the bytes of a file in whatever encoding programs write text.

    Parameters
    ----------
    raw : bytes

    Returns
    -------
    str
        Line ends are as they were.
    """
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):  # "Unicode text" of spreadsheets
        return raw.decode("utf-16", errors="replace")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("cp1252", errors="replace")  # Raven and Excel on Windows


def one_line(text):
    """Replace tabs, line breaks and other control characters by a space."""
    return _BREAKS.sub(" ", text)


def guard_formula(text):
    """Put a quote before text that a spreadsheet would take for a formula.

    Text that has such a quote already gets another, so that `unguard_formula` gives
    back every text.
    """
    return f"'{text}" if _FORMULA.match(text) else text


def unguard_formula(text):
    """Take away the quote that `guard_formula` put there."""
    return text[1:] if _GUARDED.match(text) else text
