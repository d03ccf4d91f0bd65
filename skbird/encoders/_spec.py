"""What must travel with the file of a pretrained model."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import date
from difflib import get_close_matches
from numbers import Integral

from skbird.encoders._spec_checks import (
    FINITE,
    SCALE,
    check_text,
    check_together,
)
from skbird.utils._params import POSITIVE, check_params
from skbird.utils._sklearn_compat import Interval, StrOptions

ROLES = ("embedding", "scores", "frames", "spatial")
LABEL_FORMATS = (
    "lines",
    "headed lines",
    "scientific_common",
    "code_scientific_common",
    "csv",
)
_MOST_VALUES = 10_000_000  # of an output, for one window


@dataclass(frozen=True)
class EncoderOutput:
    """One output of a pretrained model.

    Parameters
    ----------
    name : str or int
        Name of the tensor, also of an inner one, or its place among the outputs.
    shape : tuple of int
        Without the batch.
    scale, zero_point : float, default=1.0, 0.0
        A quantised model's value q stands for ``scale * (q - zero_point)``.

    Examples
    --------
    >>> from skbird.encoders import EncoderOutput
    >>> EncoderOutput("embedding", [1024]).shape
    (1024,)
    """

    name: str | int
    shape: tuple[int, ...]
    scale: float = 1.0
    zero_point: float = 0.0

    def __post_init__(self):
        check_params(
            "EncoderOutput",
            {
                "name": [str, Interval(Integral, 0, 1000, closed="both")],
                "shape": [list, tuple],
                "scale": [SCALE],
                "zero_point": [FINITE],
            },
            **vars(self),
        )
        check_text("name", str(self.name))
        shape = tuple(self.shape)
        n_values = 1
        for n in shape:
            if not isinstance(n, Integral) or isinstance(n, bool) or n < 1:
                n_values = 0
            n_values *= n if n_values else 0
        if not 1 <= n_values <= _MOST_VALUES or not 1 <= len(shape) <= 4:
            raise ValueError(
                f"shape={list(shape)!r:.100} of output {self.name!r} must be one to "
                f"four whole numbers of at most {_MOST_VALUES:,} values together."
            )
        object.__setattr__(self, "shape", tuple(int(n) for n in shape))


@dataclass(frozen=True)
class TrainingSource:
    """A collection that a pretrained model has been trained on.

    Parameters
    ----------
    collection : str
        As the column ``collection`` of a row table has it, such as "XC".
    until : str, default=None
        Day, "YYYY-MM-DD", until which recordings were taken. None: not known.

    Examples
    --------
    >>> from skbird.encoders import TrainingSource
    >>> TrainingSource("XC", until="2023-06-01").until
    '2023-06-01'
    """

    collection: str
    until: str | None = None

    def __post_init__(self):
        check_params(
            "TrainingSource",
            {"collection": [str], "until": [str, None]},
            **vars(self),
        )
        check_text("collection", self.collection)
        if self.until is not None:
            try:
                date.fromisoformat(self.until)
            except ValueError:
                raise ValueError(
                    f"until={self.until!r:.50} must be a day, as in '2023-06-01'."
                ) from None


@dataclass(frozen=True)
class EncoderSpec:
    """What must be known of the file of a pretrained model to use it rightly.

    Programs that leave this to whoever calls the model get other numbers from the same
    file: one removes the mean of each window, the next does not.

    Parameters
    ----------
    name : str
        Short, such as "birdnet-2.4".
    version : str
        Of the model.
    sample_rate : int in [1000, 1_000_000]
        In Hz, of the samples that the model takes.
    window_s : float > 0
        Length of a window in seconds.
    outputs : mapping of str to EncoderOutput
        Keys are roles: "embedding", "scores" (of the classes), "frames" (scores over
        time), "spatial" (embeddings over time and frequency).
    step_s : float > 0, default=None
        From one window to the next, where the user asks for nothing else. None: as
        long as a window.
    input_name : str, default=None
        Tensor that takes the windows; None: the only one.
    input_shape : tuple, default=("batch", "samples")
        Of the input; besides these two words, ones may stand in it. Models that do not
        take samples have one window of their front end, such as ("batch", 1, 96, 64).
    input_type : {"float32", "float16", "uint8"}, default="float32"
        Of the input.
    input_scale, input_zero_point : float, default=1.0, 0.0
        What a quantised input stands for; see `EncoderOutput`.
    channels : {"mean", "loudest"} or int >= 0, default="mean"
        Which channel the model is meant to hear.
    resampler : {"soxr_hq", "polyphase"}, default="soxr_hq"
        How recordings of other rates are resampled.
    level : {"none", "peak", "mean_peak"}, default="none"
        How each window is levelled: not at all, its peak brought to `level_peak`, or
        its mean removed before that.
    level_peak : float > 0, default=0.25
    level_sensitive : bool, default=False
        Whether the model is meant to hear how loud a window is, or a constant offset.
    pad : {"zero", "cycle"}, default="zero"
        How a row shorter than a window fills it.
    front_end : {"samples", "yamnet"}, default="samples"
        What the model takes: samples, or the log-mel patch of YAMNet.
    activation : {"none", "sigmoid", "softmax"}, default="none"
        What makes probabilities of the scores; "none" if they are probabilities.
    class_names : sequence of str, default=()
        Names of the classes in the order of the scores, scientific where it is species.
    labels_file : str, default=None
        A file beside the model that has them instead.
    labels_format : {"lines", "headed lines", "scientific_common", \
            "code_scientific_common", "csv"}, default="lines"
        Its format: a name per line, without or with one line before them; such a line
        as "Turdus merula_Common Blackbird"; code, scientific and common name with tabs
        between them; or a table with `labels_column`.
    labels_column : str, default=None
    labels_sha256 : str, default=None
        Of the `labels_file`: names in another order would be false.
    taxonomy : str, default=None
        List and version that the names follow, such as "eBird/Clements 2021".
    license : str, default=None
        Of the weights. None: not known.
    training : sequence of TrainingSource, default=()
        What the model has been trained on, as far as is known.
    file : str, default=None
        Name of the model's file.
    sha256 : str, default=None
        Of that file.
    package : str, default=None
        Package of Python that carries the files, and...
    package_folder : str, default=""
        ... the folder in it.
    url : str, default=None
        Address of the folder that has the files.
    homepage : str, default=None
        Where the model is described.

    Examples
    --------
    >>> from skbird.encoders import EncoderOutput, EncoderSpec
    >>> spec = EncoderSpec(
    ...     name="toads",
    ...     version="1",
    ...     sample_rate=32_000,
    ...     window_s=5.0,
    ...     outputs={"embedding": EncoderOutput("embedding", [128])},
    ... )
    >>> spec.window_samples
    160000
    """

    name: str
    version: str
    sample_rate: int
    window_s: float
    outputs: Mapping[str, EncoderOutput]
    step_s: float | None = None
    input_name: str | None = None
    input_shape: tuple[str | int, ...] = ("batch", "samples")
    input_type: str = "float32"
    input_scale: float = 1.0
    input_zero_point: float = 0.0
    channels: str | int = "mean"
    resampler: str = "soxr_hq"
    level: str = "none"
    level_peak: float = 0.25
    level_sensitive: bool = False
    pad: str = "zero"
    front_end: str = "samples"
    activation: str = "none"
    class_names: tuple[str, ...] = field(default=(), repr=False)
    labels_file: str | None = None
    labels_format: str = "lines"
    labels_column: str | None = None
    labels_sha256: str | None = None
    taxonomy: str | None = None
    license: str | None = None
    training: tuple[TrainingSource, ...] = ()
    file: str | None = None
    sha256: str | None = None
    package: str | None = None
    package_folder: str = ""
    url: str | None = None
    homepage: str | None = None

    def __post_init__(self):
        check_params("EncoderSpec", _CONSTRAINTS, **vars(self))
        outputs = _outputs(self.outputs)
        training = tuple(_build(TrainingSource, s, "training") for s in self.training)
        for name, value in (
            ("outputs", outputs),
            ("training", training),
            ("input_shape", tuple(self.input_shape)),
            ("class_names", tuple(self.class_names)),
        ):
            object.__setattr__(self, name, value)
        check_together(self)

    def __hash__(self):
        return hash((self.name, self.version, self.sha256, self.key))

    @property
    def window_samples(self) -> int:
        """Samples in a window."""
        return round(self.window_s * self.sample_rate)

    @property
    def key(self) -> str:
        """What the numbers depend on, besides the model's file."""
        return repr(tuple(getattr(self, name) for name in _CHANGE_NUMBERS))


_CONSTRAINTS = {
    "name": [str],
    "version": [str],
    "sample_rate": [Interval(Integral, 1000, 1_000_000, closed="both")],
    "window_s": [POSITIVE],
    "outputs": [Mapping],
    "step_s": [POSITIVE, None],
    "input_name": [str, None],
    "input_shape": [list, tuple],
    "input_type": [StrOptions({"float32", "float16", "uint8"})],
    "input_scale": [SCALE],
    "input_zero_point": [FINITE],
    "channels": [
        StrOptions({"mean", "loudest"}),
        Interval(Integral, 0, 255, closed="both"),
    ],
    "resampler": [StrOptions({"soxr_hq", "polyphase"})],
    "level": [StrOptions({"none", "peak", "mean_peak"})],
    "level_peak": [SCALE],
    "level_sensitive": ["boolean"],
    "pad": [StrOptions({"zero", "cycle"})],
    "front_end": [StrOptions({"samples", "yamnet"})],
    "activation": [StrOptions({"none", "sigmoid", "softmax"})],
    "class_names": [list, tuple],
    "labels_file": [str, None],
    "labels_format": [StrOptions(set(LABEL_FORMATS))],
    "labels_column": [str, None],
    "labels_sha256": [str, None],
    "taxonomy": [str, None],
    "license": [str, None],
    "training": [list, tuple],
    "file": [str, None],
    "sha256": [str, None],
    "package": [str, None],
    "package_folder": [str],
    "url": [str, None],
    "homepage": [str, None],
}
_CHANGE_NUMBERS = (
    "sample_rate",
    "window_s",
    "input_type",
    "input_scale",
    "input_zero_point",
    "channels",
    "resampler",
    "level",
    "level_peak",
    "pad",
    "front_end",
)


def _outputs(given):
    unknown = [role for role in given if role not in ROLES]
    if unknown or not given:
        raise ValueError(
            f"outputs has the keys {sorted(map(str, given))}; one or more of "
            f"{', '.join(ROLES)} are needed, and no other."
        )
    return {
        role: _build(EncoderOutput, o, f"outputs.{role}") for role, o in given.items()
    }


def spec_from_table(table, cls=EncoderSpec, where="spec"):
    """Return the spec that a table of names and values describes.

    Parameters
    ----------
    table : Mapping
        Such as TOML or JSON hold.
    cls : type
        Of the spec.
    where : str
        How errors call it.

    Returns
    -------
    EncoderSpec, or what `cls` is
    """
    return _build(cls, table, where)


def _build(cls, table, where):
    if isinstance(table, cls):
        return table
    if not isinstance(table, Mapping):
        raise TypeError(f"{where}={table!r:.100} must be a table of names and values.")
    known = [f.name for f in fields(cls)]
    for name in table:
        if name not in known:
            near = get_close_matches(str(name), known, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise ValueError(
                f"{where} has {name!r:.100}, which no {cls.__name__} has.{hint}"
            )
    try:
        return cls(**table)
    except TypeError as exc:
        missing = re.findall(r"'(\w+)'", str(exc)) if "missing" in str(exc) else []
        if not missing:
            raise
        raise ValueError(f"{where} lacks {', '.join(missing)}.") from None
