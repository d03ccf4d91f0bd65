"""Text as other programs write it, and as they may read it."""

import codecs
import re
import warnings

_BREAKS = re.compile("[\x00-\x1f\x7f\x85\u2028\u2029]+")
_FORMULA = re.compile(r"'*[=+\-@]")
_GUARDED = re.compile(r"'+[=+\-@]")


def decode_text(raw, name="A table"):
    """Decode the bytes of a file: UTF-8, UTF-16 with its mark, or Windows-1252.

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
        If it is UTF-8 except for some bytes; these become U+FFFD.
    """
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):  # "Unicode text" of spreadsheets
        return raw.decode("utf-16", errors="replace")
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
