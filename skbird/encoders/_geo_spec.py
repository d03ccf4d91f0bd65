"""What must travel with the file of a model of places and seasons."""

from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from numbers import Integral
from pathlib import Path

from skbird.encoders._spec import LABEL_FORMATS, EncoderOutput
from skbird.encoders._spec_checks import check_places
from skbird.encoders._spec_files import read_table
from skbird.utils._params import check_params
from skbird.utils._sklearn_compat import Interval, StrOptions


@dataclass(frozen=True)
class GeoModelSpec:
    """What must be known of the file of a model of places and seasons to use it.

    Such a model takes latitude, longitude (degrees) and week, and gives the probability
    of each species. A year has 48 weeks for them all, four per month.

    Parameters
    ----------
    name : str
        Short, such as "geomodel-3".
    version : str
        Of the model.
    n_classes : int >= 1
        Number of probabilities.
    whole_year : int, default=None
        Week that means the whole year to the model. None: it knows none; the highest
        probability of the weeks is taken.
    input_name : str, default=None
        Tensor that takes the places; None: the only one.
    output : str or int, default=0
        Name or place of the output.
    class_names : sequence of str, default=()
        Scientific names of the species in the order of the probabilities.
    labels_file : str, default=None
        A file beside the model that has them instead.
    labels_format : str, default="lines"
        Its format, as for :class:`EncoderSpec`.
    labels_column : str, default=None
    labels_sha256 : str, default=None
    taxonomy, license, file, sha256, package, package_folder, url, homepage
        As for :class:`EncoderSpec`.

    Examples
    --------
    >>> from skbird.encoders import GeoModelSpec
    >>> GeoModelSpec("toads", "1", 2, class_names=["Bufo bufo", "Rana arvalis"]).version
    '1'
    """

    name: str
    version: str
    n_classes: int
    whole_year: int | None = None
    input_name: str | None = None
    output: str | int = 0
    class_names: tuple[str, ...] = field(default=(), repr=False)
    labels_file: str | None = None
    labels_format: str = "lines"
    labels_column: str | None = None
    labels_sha256: str | None = None
    taxonomy: str | None = None
    license: str | None = None
    file: str | None = None
    sha256: str | None = None
    package: str | None = None
    package_folder: str = ""
    url: str | None = None
    homepage: str | None = None

    def __post_init__(self):
        check_params("GeoModelSpec", _CONSTRAINTS, **vars(self))
        check_places(self)
        object.__setattr__(self, "class_names", tuple(self.class_names))
        if self.class_names and len(self.class_names) != self.n_classes:
            raise ValueError(
                f"{len(self.class_names)} class_names are given for "
                f"n_classes={self.n_classes}."
            )

    @property
    def outputs(self):
        """The outputs as an `EncoderSpec` has them, for the runtimes."""
        return {"scores": EncoderOutput(self.output, [self.n_classes])}


_TEXT = [str, None]
_CONSTRAINTS = {
    "name": [str],
    "version": [str],
    "n_classes": [Interval(Integral, 1, 10_000_000, closed="both")],
    "whole_year": [Interval(Integral, -1, 1000, closed="both"), None],
    "input_name": _TEXT,
    "output": [str, Interval(Integral, 0, 1000, closed="both")],
    "class_names": [list, tuple],
    "labels_file": _TEXT,
    "labels_format": [StrOptions(set(LABEL_FORMATS))],
    "labels_column": _TEXT,
    "labels_sha256": _TEXT,
    "taxonomy": _TEXT,
    "license": _TEXT,
    "file": _TEXT,
    "sha256": _TEXT,
    "package": _TEXT,
    "package_folder": [str],
    "url": _TEXT,
    "homepage": _TEXT,
}


def read_geo_spec(path):
    """Read the spec of a model of places and seasons; see `read_spec`."""
    return read_table(path, GeoModelSpec)


@cache
def known_geo_specs():
    """Return the specs of geo models that come with skbird, by name."""
    folder = Path(str(files("skbird.encoders") / "geo_specs"))
    specs = [read_geo_spec(path) for path in sorted(folder.glob("*.toml"))]
    return {spec.name: spec for spec in specs}
