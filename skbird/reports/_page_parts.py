"""The parts of a section of a report."""

import io
from dataclasses import dataclass, field
from functools import cached_property

import pandas as pd


@dataclass(frozen=True)
class Section:
    """A heading, a sentence or two, and what is below."""

    title: str
    note: str
    parts: list


@dataclass(frozen=True)
class Facts:
    """Figures that sum it up: names and values."""

    facts: dict


@dataclass(frozen=True)
class Text:
    """Paragraphs, such as of methods."""

    paragraphs: list


@dataclass(frozen=True)
class Table:
    """A table that can be sorted and searched; the page holds its first lines."""

    name: str  # in Report.tables
    title: str
    frame: pd.DataFrame
    note: str = ""
    max_rows: int = 1000
    shown: pd.DataFrame | None = None  # the first lines otherwise than in `frame`


# With one of these settings, a figure is never without an engine.
_LAYOUTS = "figure.autolayout", "figure.constrained_layout.use"


@dataclass(frozen=True)
class Plot:
    """A figure, what it shows, and a text for those who cannot see it."""

    name: str  # in Report.figures
    figure: object
    caption: str
    alt: str

    @cached_property
    def svg(self):
        """The figure as SVG, the same bytes each time."""
        import matplotlib

        buffer = io.BytesIO()
        options = {"svg.hashsalt": self.name, "savefig.facecolor": "white"}
        options |= dict.fromkeys(_LAYOUTS, False)
        with matplotlib.rc_context(options):
            layout = self.figure.get_layout_engine()
            if layout is not None:
                # Placed now, and no engine left: with any, savefig would draw it twice.
                layout.execute(self.figure)
                self.figure.set_layout_engine(None)
            self.figure.savefig(buffer, format="svg", metadata={"Date": None})
        return buffer.getvalue()

    @property
    def size(self):
        """Width and height in CSS pixels."""
        return tuple(round(inches * 96) for inches in self.figure.get_size_inches())


@dataclass(frozen=True)
class Plots:
    """Figures side by side where there is room."""

    plots: list


@dataclass(frozen=True)
class Content:
    """A file that is in the page."""

    data: bytes
    type: str  # MIME


@dataclass(frozen=True)
class SoundClip:
    """A stretch of a recording to be heard and seen."""

    number: int  # of the clip in the page
    title: str
    kind: str
    where: str  # the file, and the seconds of it
    start_s: float = 0.0
    end_s: float = 0.0
    top_hz: float = 16_000.0
    tone: str = ""  # "bad", "miss": the colour of its kind
    numbers: dict = field(default_factory=dict)
    texts: tuple = ()
    audio: Content | None = None
    image: Content | None = None
    extra: Content | None = None
    error: str = ""

    def name(self, kind):
        """Id of the place where the bytes are kept."""
        return f"clip-{self.number}-{kind}"


@dataclass(frozen=True)
class SoundClips:
    """Clips that can be searched, sorted and played."""

    clips: list
