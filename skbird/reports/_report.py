"""The result of functions that describe: tables, figures and a page."""

from pathlib import Path

from skbird.reports._page import render_page
from skbird.reports._page_parts import Plot, Plots, Table
from skbird.utils._files import open_whole


class Report:
    """Tables and figures, and the page that shows them.

    Made by :func:`skbird.reports.describe_recordings`,
    :func:`skbird.reports.describe_errors` and
    :func:`skbird.reports.describe_survey`.

    Parameters
    ----------
    title : str
    sections : list of Section

    Attributes
    ----------
    tables : dict of str to DataFrame
        All lines of the tables on the page, and more.
    figures : dict of str to matplotlib.figure.Figure

    Examples
    --------
    >>> import numpy as np, soundfile, tempfile
    >>> from pathlib import Path
    >>> from skbird.reports import describe_recordings
    >>> folder = Path(tempfile.mkdtemp())
    >>> soundfile.write(folder / "a.wav", np.zeros(16_000), 16_000)
    >>> report = describe_recordings([folder / "a.wav"], verbose=False)
    >>> page = report.to_html(folder / "report.html")
    >>> "unreadable" in report.tables
    True
    """

    def __init__(self, title, sections):
        self.title = title
        self.sections = sections
        parts = [part for section in sections for part in section.parts]
        self.tables = {part.name: part.frame for part in parts if type(part) is Table}
        plots = [plot for part in parts if type(part) is Plots for plot in part.plots]
        plots += [part for part in parts if type(part) is Plot]
        self.figures = {plot.name: plot.figure for plot in plots}

    def __repr__(self):
        return f"Report({self.title!r}, tables={list(self.tables)})"

    def to_html(self, path):
        """Write one HTML page that needs no other file and no network.

        Tables are sorted and searched in it, clips played; names and texts in it are
        data, never markup.

        Parameters
        ----------
        path : str or path-like
            Overwritten if it is there; its folder must be.

        Returns
        -------
        pathlib.Path
            Where the page is.
        """
        page = render_page(self.title, self.sections)
        with open_whole(path) as file:
            file.write(page)
        return Path(path)
