"""Write sections of tables, figures and clips as one self-contained HTML file."""

import base64
import hashlib
from importlib.resources import files
from numbers import Integral, Real
from string import Template

import numpy as np
import pandas as pd

import skbird
from skbird.inspection import clean_text
from skbird.reports._markup import element, join
from skbird.utils._text import counted

_FILES = files("skbird.reports")


def render_page(title, sections):
    """Return the whole page.

    Scripts and styles other than the page's own, and everything from elsewhere, are
    forbidden by its content security policy, should escaping ever fail.

    Parameters
    ----------
    title : str
    sections : list of Section

    Returns
    -------
    str
    """
    style, script = (
        _FILES.joinpath(f"page.{end}").read_text(encoding="utf-8")
        for end in ("css", "js")
    )
    links = [
        element("a", section.title, href=f"#section-{number}")
        for number, section in enumerate(sections)
    ]
    body = [
        _render_section(section, f"section-{number}")
        for number, section in enumerate(sections)
    ]
    policy = (
        "default-src 'none'; base-uri 'none'; form-action 'none'; "
        "img-src data: blob:; media-src blob:; "
        f"style-src '{_digest(style)}'; script-src '{_digest(script)}'"
    )
    return Template(
        _FILES.joinpath("page.html").read_text(encoding="utf-8")
    ).substitute(
        title=element("span", title)[len("<span>") : -len("</span>")],
        policy=policy,
        style=style,
        script=script,
        version=skbird.__version__,
        body=join(
            [
                element("nav", join(links), aria_label="Sections"),
                element("main", join(body), id="main"),
            ]
        ),
        data=join(_stores(sections), "\n"),
    )


def _digest(text):
    digest = hashlib.sha256(text.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"


def _render_section(section, name):
    parts = [
        render(part, f"{name}-part-{number}")
        for number, part in enumerate(section.parts)
    ]
    return element(
        "section",
        element("h2", section.title, id=f"{name}-title"),
        element("p", section.note, class_="note") if section.note else "",
        parts,
        id=name,
        aria_labelledby=f"{name}-title",
    )


def render(part, name):
    """Return the HTML of a part of a section; `name` is its id."""
    return _RENDERERS[type(part).__name__](part, name)


def _render_facts(part, name):
    facts = [
        element("div", element("dt", key), element("dd", _shown(value)[0]))
        for key, value in part.facts.items()
    ]
    return element("dl", facts, id=name)


def _render_text(part, name):
    return element("div", [element("p", text) for text in part.paragraphs], id=name)


def _render_table(part, name):
    frame = part.frame
    if len(frame) == 0:
        return join([element("h3", part.title), element("p", "None.", class_="note")])
    shown = (frame if part.shown is None else part.shown).head(part.max_rows)
    kinds = [_kind(shown[column]) for column in shown.columns]
    head = [
        element(
            "th",
            element("button", str(column).replace("_", " "), type="button"),
            scope="col",
            data_kind=kind,
        )
        for column, kind in zip(shown.columns, kinds, strict=True)
    ]
    rows = [
        element(
            "tr", [_cell(value, kind) for value, kind in zip(row, kinds, strict=True)]
        )
        for row in shown.itertuples(index=False, name=None)
    ]
    note = part.note
    if len(shown) < len(frame):
        note += (
            f" The first {len(shown)} of {counted(len(frame), 'line')}; the whole "
            f"table is report.tables[{part.name!r}]."
        )
    table = element(
        "table",
        element("thead", element("tr", head)),
        element("tbody", rows),
        aria_labelledby=f"{name}-title",
    )
    return element(
        "div",
        element("h3", part.title, id=f"{name}-title"),
        element("p", note, class_="note") if note else "",
        _controls(f"Search {part.title.lower()}"),
        element(
            "div",
            table,
            class_="scroll",
            tabindex="0",
            role="region",
            aria_labelledby=f"{name}-title",
        ),
        data_list=True,
        id=name,
    )


def _controls(label, *others):
    search = element("input", type="search", aria_label=label, placeholder="Search")
    count = element("span", class_="count", role="status")
    return element("div", search, *others, count, class_="controls")


def _kind(column):
    is_number = pd.api.types.is_numeric_dtype(column)
    return "number" if is_number and not pd.api.types.is_bool_dtype(column) else "text"


def _cell(value, kind):
    text, key = _shown(value)
    class_ = "number" if kind == "number" else "long" if len(text) > 30 else None
    if isinstance(value, pd.Timestamp):
        class_ = "time"
    return element("td", text, class_=class_, data_value=None if key == text else key)


def _shown(value):
    """Return a value as it is shown, and as it is sorted."""
    if isinstance(value, (bool, np.bool_)):
        return ("yes", "1") if value else ("no", "0")
    if value is None or (pd.api.types.is_scalar(value) and pd.isna(value)):
        return "–", ""
    if isinstance(value, pd.Timestamp):
        is_day = value.tz is None and value == value.normalize()
        zone = "" if value.tz is None else f" {value.tzname()}"
        text = f"{value:%Y-%m-%d}" if is_day else f"{value:%Y-%m-%d %H:%M}{zone}"
        return text, value.isoformat()
    if isinstance(value, Integral):
        return f"{value:,}".replace(",", "\u2009"), str(value)
    if isinstance(value, Real):
        return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}", repr(
            float(value)
        )
    return clean_text(value), clean_text(value)


def _render_plot(part, name):
    encoded = base64.b64encode(part.svg).decode()
    image = element(
        "img",
        src=f"data:image/svg+xml;base64,{encoded}",
        alt=part.alt,
        class_="plot",
        width=part.size[0],
        height=part.size[1],
    )
    return element("figure", image, element("figcaption", part.caption), id=name)


def _render_plots(part, name):
    plots = [_render_plot(plot, f"{name}-{n}") for n, plot in enumerate(part.plots)]
    return element("div", plots, class_="plots", id=name)


def _render_clips(part, name):
    if not part.clips:
        return element("p", "No clips.", class_="note")
    kinds = list(dict.fromkeys(clip.kind for clip in part.clips))
    options = [element("option", "all", value="")]
    options += [element("option", kind, value=kind) for kind in kinds]
    numbers = dict.fromkeys(key for clip in part.clips for key in clip.numbers)
    orders = [element("option", "as listed", value="place 1")]
    for number, key in enumerate(numbers):
        orders.append(element("option", f"{key}, high first", value=f"key{number} -1"))
        orders.append(element("option", f"{key}, low first", value=f"key{number} 1"))
    controls = _controls(
        "Search clips",
        element("label", "Kind", element("select", options, class_="kind")),
        element("label", "Order", element("select", orders, class_="order")),
    )
    cards = [
        _render_clip(clip, place, list(numbers))
        for place, clip in enumerate(part.clips)
    ]
    return element(
        "div",
        controls,
        element("ul", cards, class_="clips"),
        data_list=True,
        id=name,
    )


def _render_clip(clip, place, numbers):
    sound = f"{clip.title}, {clip.kind}, {clip.where}"
    spans = [f"{clip.start_s:.1f} s", f"{clip.end_s:.1f} s"]
    keys = {
        f"data_key{number}": _shown(clip.numbers.get(key))[1]
        for number, key in enumerate(numbers)
    }
    facts = [f"{key} {_shown(value)[0]}" for key, value in clip.numbers.items()]
    picture = element(
        "img",
        data_store=clip.name("image"),
        alt=f"Spectrogram: {sound}; 0 to {clip.top_hz / 1000:.0f} kHz, mel scale.",
    )
    extra = element(
        "img",
        data_store=clip.name("extra"),
        alt=f"What the model looked at: {sound}.",
        class_="extra",
    )
    return element(
        "li",
        element("h3", clip.title),
        element("p", element("span", clip.kind, class_=f"badge {clip.tone}")),
        [picture, element("div", [element("span", s) for s in spans], class_="axis")]
        if clip.image
        else element("p", clip.error, class_="note"),
        extra if clip.extra else "",
        element("p", " · ".join(facts)) if facts else "",
        [element("p", text) for text in clip.texts],
        element("p", clip.where, class_="note"),
        element(
            "button",
            "Play",
            type="button",
            class_="play",
            data_store=clip.name("audio"),
            aria_label=f"Play {sound}",
        )
        if clip.audio
        else "",
        class_="clip",
        data_kind=clip.kind,
        data_place=place,
        **keys,
    )


def _stores(sections):
    """Yield the bytes of clips, as text that the browser passes over in one step."""
    for section in sections:
        for part in section.parts:
            for clip in getattr(part, "clips", ()):
                for kind in ("image", "extra", "audio"):
                    content = getattr(clip, kind)
                    if content:
                        yield element(
                            "script",
                            base64.b64encode(content.data).decode(),
                            type="text/plain",
                            id=clip.name(kind),
                            data_type=content.type,
                        )


_RENDERERS = {
    "Facts": _render_facts,
    "Text": _render_text,
    "Table": _render_table,
    "Plot": _render_plot,
    "Plots": _render_plots,
    "SoundClips": _render_clips,
}
