"""What ``skbird train`` can be told, by flags or in a file."""

import math
import tomllib
from dataclasses import asdict, dataclass, field, fields, replace
from difflib import get_close_matches

import click

_MIN_EPOCH = 1000  # segments


@dataclass(frozen=True)
class Settings:
    """Of a training; the keys of a configuration file have the same names.

    Attributes
    ----------
    set : dict
        Further parameters of the pipeline, by the names that ``set_params`` takes.
    """

    backbone: str = "efficientnet_b0"
    weights: str = "pretrained"
    epochs: int = 20
    segments_per_row: int | None = None
    batch_size: int = 32
    lr: float = 1e-3
    sample_rate: int = 32_000
    segment_s: float = 5.0
    n_mels: int = 128
    secondary_weight: float = 0.5
    hold_out: float = 0.2
    groups: str | None = None
    seed: int = 0
    set: dict = field(default_factory=dict)

    @property
    def _weights(self):
        return None if self.weights.lower() == "none" else self.weights

    def check_backbone(self):
        """Complain of backbone and weights now, not after hours of decoding."""
        from skbird.nn._backbone import make_backbone

        make_backbone(self.backbone, self._weights, 0.0)

    def make_pipeline(self, n_rows, work_dir):
        """Return the pipeline to be fitted.

        Parameters
        ----------
        n_rows : int
            To be trained on. An epoch goes through few rows several times.
        work_dir : Path
            Where spectrograms and the state of the training are kept.

        Returns
        -------
        Pipeline
        """
        from sklearn.pipeline import make_pipeline

        from skbird.nn import SEDClassifier
        from skbird.preprocessing import (
            BandPass,
            LogMel,
            Resampler,
            RMSFilter,
            Segmenter,
        )

        segments_per_row = self.segments_per_row or math.ceil(_MIN_EPOCH / n_rows)
        pipe = make_pipeline(
            Resampler(self.sample_rate),
            BandPass(50.0, None),
            Segmenter(self.segment_s),
            RMSFilter(random_state=self.seed),
            LogMel(self.n_mels, cache_dir=work_dir / "cache", on_error="skip"),
            SEDClassifier(
                self.backbone,
                weights=self._weights,
                segments_per_row=segments_per_row,
                max_epochs=self.epochs,
                lr=self.lr,
                batch_size=self.batch_size,
                checkpoint_dir=work_dir / "checkpoints",
                random_state=self.seed,
            ),
        )
        known = pipe.get_params()
        # A criterion and callbacks have parameters that only fitting lays open.
        steps = {name.split("__")[0] for name in known}
        for name in self.set:
            if name not in known and name.split("__")[0] not in steps:
                raise click.UsageError(f"set: {_unknown(name, known)}")
        return pipe.set_params(**self.set)


DEFAULTS = Settings()


def read_settings(config, flags, assignments):
    """Put together what a file and flags say; flags count more.

    Parameters
    ----------
    config : Path or None
        A TOML file.
    flags : dict
        By the names of `Settings`; None: not given.
    assignments : sequence of str
        ``name=value`` with parameters of the pipeline; the value as in TOML, or text.

    Returns
    -------
    Settings

    Raises
    ------
    click.UsageError
        If a name is unknown, or a value is of another kind.
    """
    settings = DEFAULTS
    if config is not None:
        settings = replace(settings, **_read_toml(config))
    given = {name: value for name, value in flags.items() if value is not None}
    pairs = dict(map(_parse_assignment, assignments))
    return replace(settings, **given, set=settings.set | pairs)


def _read_toml(path):
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as exc:
        raise click.UsageError(f"{path} is no TOML file: {exc}") from None
    known = asdict(DEFAULTS)
    numbers = {"segments_per_row": int, "groups": str}
    for name, value in values.items():
        if name not in known:
            raise click.UsageError(f"{path}: {_unknown(name, known)}")
        kind = numbers.get(name, type(known[name]))
        if kind is float and type(value) is int:
            values[name] = float(value)
        elif type(value) is not kind:
            raise click.UsageError(
                f"{path}: {name} = {value!r} must be of type {kind.__name__}."
            )
    return values


def _parse_assignment(text):
    name, equals, value = text.partition("=")
    if not equals:
        raise click.UsageError(f"--set {text!r}: write NAME=VALUE.")
    try:
        return name, tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return name, None if value == "None" else value


def _unknown(name, known):
    near = get_close_matches(name, known, n=3)
    hint = (
        f"Did you mean {' or '.join(near)}?" if near else f"Known: {', '.join(known)}"
    )
    return f"there is no {name!r}. {hint}"


def setting_option(name, kind, text):
    """Return the flag of a setting, whose default is that of `Settings`."""
    default = {f.name: f.default for f in fields(Settings)}[name]
    flag = "--" + name.replace("_", "-")
    show = False if default is None else str(default)
    return click.option(flag, type=kind, help=text, show_default=show)
