"""HTML in which text is text: whatever a recordist named a file, it runs nothing.

Elements are made by `element` alone. Its children are escaped unless they were made by
it, its attributes always are, so that nobody has to remember.
"""

import html

from skbird.inspection import clean_text


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def element(tag, *children, **attributes):
    """Make an element.

    Parameters
    ----------
    tag : str
    *children : Markup, str, number or list of these
        What is no `Markup` is escaped.
    **attributes : str, number, bool or None
        A trailing underscore is dropped, other underscores become hyphens: ``class_``,
        ``data_row``. None and False leave the attribute out, True gives it no value.

    Returns
    -------
    Markup

    Examples
    --------
    >>> print(element("td", "<img onerror=...>", title='"', class_="name"))
    <td title="&quot;" class="name">&lt;img onerror=...&gt;</td>
    """
    opening = tag
    for name, value in attributes.items():
        if value is None or value is False:
            continue
        opening += f" {name.rstrip('_').replace('_', '-')}"
        if value is not True:
            opening += f'="{_escape(value)}"'
    inside = "".join(_markup_of(child) for child in children)
    if tag in _VOID:
        return Markup(f"<{opening}>")
    return Markup(f"<{opening}>{inside}</{tag}>")


_VOID = frozenset({"img", "input", "meta"})


def join(parts, separator=""):
    """Join pieces of HTML; text among them is escaped."""
    return Markup(separator.join(_markup_of(part) for part in parts))


def _markup_of(child):
    if isinstance(child, Markup):
        return child
    if isinstance(child, list | tuple):
        return join(child)
    return _escape(child)


def _escape(value):
    return html.escape(clean_text(value), quote=True)
