"""The settings of ``skbird train``, from flags or a file."""

import math
from dataclasses import dataclass, field, fields
from pathlib import Path

import click

from skbird.cli._encoder_training import check_encoder_here, encoder_pipeline
from skbird.cli._numbers import FloatRange
from skbird.cli._parameters import add_filters, from_text, spread, unknown_name

RECIPES = ("default", "report", "fast")  # that train one network on labels
_MIN_EPOCH = 1000  # segments
_THRESHOLD = 0.5  # of the report's VADFilter, in collections that it does not name

DATA = click.argument("data", type=click.Path(exists=True, path_type=Path))
CONFIG = click.option(
    "--config",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A TOML file of settings; flags on the command line override it.",
)
SET = click.option(
    "--set",
    "assignments",
    multiple=True,
    metavar="NAME=VALUE",
    help="Another parameter of the pipeline, such as rmsfilter__quantile=0.5.",
)


def work_dir_option(kept):
    """Return the option ``--work-dir``, which keeps the spectrograms and what else."""
    return click.option(
        "--work-dir",
        type=click.Path(file_okay=False, path_type=Path),
        help=f"Folder for spectrograms{kept}.  [default: <out>.work]",
    )


def _setting(default, kind, text):
    return field(default=default, metadata={"kind": kind, "help": text})


class Channels(click.ParamType):
    """Channels of a recording, as `Resampler` takes them."""

    name = "text"

    def convert(self, value, param, ctx):
        """Return the text if it means channels."""
        from skbird.audio import check_channels

        try:
            check_channels(value)
        except ValueError as exc:
            self.fail(str(exc), param, ctx)
        return value


@dataclass(frozen=True)
class Settings:
    """Settings of a training: each is a flag, and a key of the configuration file.

    Attributes
    ----------
    set : dict
        Further parameters of the pipeline, by the names that ``set_params`` takes; in
        the file a table, on the command line one flag each.
    given : frozenset of str
        Names of the settings that the user gave; it is neither a flag nor a key.
    """

    recipe: str = _setting(
        "default",
        click.Choice(RECIPES),
        "The pipeline that is trained, see skbird.recipes; the other flags change it. "
        "'report' is that of the report on BirdCLEF 2025, 'fast' suits a laptop.",
    )
    encoder: str = _setting(
        "auto",
        click.STRING,
        "A pretrained model, such as birdnet-2.4 (`skbird models list` names all): "
        "instead of a network a linear probe on it is trained, for which few "
        "recordings suffice. 'none': a network. 'auto': birdnet-2.4 if it is here, "
        "recordings are few, and no flag is of networks.",
    )
    backbone: str = _setting(
        None,
        click.STRING,
        "A convolutional network of timm. By default the recipe's, such as "
        "efficientnet_b0.",
    )
    backbone_weights: str = _setting(
        "pretrained",
        click.STRING,
        "'pretrained' (ImageNet, from the network), 'none', or a file.",
    )
    epochs: int = _setting(20, click.IntRange(1), "Passes over the recordings.")
    segments_per_row: int = _setting(
        None,
        click.IntRange(1),
        "Segments drawn from each recording in an epoch. By default 1, or more if that "
        "is fewer than 1000 segments in all.",
    )
    batch_size: int = _setting(
        32, click.IntRange(1), "Segments per step of the optimiser."
    )
    lr: float = _setting(
        None,
        FloatRange(0, min_open=True),
        "Highest learning rate. By default the recipe's, such as 0.001.",
    )
    sample_rate: int = _setting(
        32_000,
        click.IntRange(1000, 1_000_000),
        "Sample rate in Hz to which recordings are resampled. Sounds above half of it "
        "are lost.",
    )
    channels: str = _setting(
        "mean",
        Channels(),
        "Channel to use of recordings with several: 'mean', 'loudest', or a number "
        "from 0.",
    )
    segment_s: float = _setting(
        5.0,
        FloatRange(0, 600, min_open=True),
        "Length in seconds of a segment, which the network hears at once.",
    )
    n_mels: int = _setting(
        None,
        click.IntRange(1, 4096),
        "Frequency bands (mel) of the spectrograms. By default the recipe's, such as "
        "128.",
    )
    secondary_weight: float = _setting(
        0.5,
        FloatRange(0, 1),
        "Weight of secondary labels; 0 leaves them out, 1 trusts them in full.",
    )
    hold_out: float = _setting(
        0.2,
        FloatRange(0, 0.5),
        "Approximate share of the recordings that is held out of the training, to "
        "judge the model. They are listed in <out>.heldout.csv. 0: train on all.",
    )
    groups: str = _setting(
        None,
        click.STRING,
        "Column of the table, such as site: recordings with the same value are all "
        "trained on or all held out. By default author, if there are enough authors. "
        "Copies of a recording stay together in any case.",
    )
    seed: int = _setting(
        0,
        click.IntRange(0),
        "Seed of all random choices, such as which recordings to hold out.",
    )
    set: dict = field(default_factory=dict)
    given: frozenset = field(default=frozenset(), repr=False, compare=False)

    @property
    def has_encoder(self):
        """Whether a probe on a pretrained model is trained, not a network."""
        return self.encoder not in (None, "auto", "none")

    @property
    def _weights(self):
        return (
            None if self.backbone_weights.lower() == "none" else self.backbone_weights
        )

    def check_network(self, pipe):
        """Raise an error about the network now, not after hours of decoding.

        Parameters
        ----------
        pipe : Pipeline
            As `make_pipeline` returned it.
        """
        from skbird.utils._sklearn_compat import validate_params_of

        if self.has_encoder:
            check_encoder_here(self)
            return
        for _, step in pipe.steps[:-1]:
            if step != "passthrough":
                validate_params_of(step)  # sizes are used below
        mel, net = pipe["logmel"], pipe["sedclassifier"]
        per_s = pipe["resampler"].sample_rate / mel.hop_length
        n_frames = 1 + int(pipe["segmenter"].segment_s * per_s + 1e-6)
        try:
            net.check_input(mel.n_mels, n_frames)
        except (ValueError, OSError) as exc:
            raise ValueError(
                f"{exc} (These come from --backbone {net.backbone} --backbone-weights "
                f"{self.backbone_weights}. For backbone_weights=None pass "
                "--backbone-weights none; set other parameters of the network with "
                "--set sedclassifier__NAME=VALUE.)"
            ) from exc
        except (TypeError, RuntimeError) as exc:  # of torch
            raise ValueError(f"The network fails with these settings: {exc}") from exc

    def row_weights(self, X, Y):
        """Return how often each row is drawn; None is alike.

        The report on BirdCLEF 2025 drew rare species more often.
        """
        if self.recipe != "report":
            return None
        from skbird.data import recording_weights

        return recording_weights(X, Y)

    def assumptions(self, columns):
        """Say what the recipe assumes because columns are missing.

        Parameters
        ----------
        columns : sequence of str
            Columns of the table of recordings.

        Returns
        -------
        list of str
        """
        if self.recipe != "report":
            return []
        missing = {
            "collection": "speech counts from the same probability in all recordings, "
            f"{_THRESHOLD} (--set vadfilter__threshold=... changes it).",
            "group": "the same masks are drawn for all species.",
        }
        if any(name.split("__")[0] == "vadfilter" for name in self.set):
            del missing["collection"]  # who sets the filter knows what it does
        return [
            f"There is no column {name!r}: {text}"
            for name, text in missing.items()
            if name not in columns
        ]

    def make_pipeline(self, n_rows, work_dir, columns=()):
        """Return the pipeline to be fitted.

        Parameters
        ----------
        n_rows : int
            Number of rows to train on. An epoch draws several segments of each if they
            are few.
        work_dir : Path
            Where spectrograms and the state of the training are kept.
        columns : sequence of str
            Columns of the table of recordings, see `assumptions`.

        Returns
        -------
        Pipeline
        """
        if self.has_encoder:
            return encoder_pipeline(self, work_dir)
        from skbird import recipes

        options = {"backbone_weights": self._weights, "random_state": self.seed}
        if self.backbone is not None:
            options["backbone"] = self.backbone
        if self.recipe == "report":
            options["species_groups"] = "group" if "group" in columns else None
        pipe = getattr(recipes, self.recipe)(cache_dir=work_dir / "cache", **options)
        if self.recipe == "report" and "collection" not in columns:
            pipe.set_params(vadfilter__threshold=_THRESHOLD)
        pipe = add_filters(pipe, self.set)
        params = self._params(n_rows, work_dir, pipe.get_params())
        pipe.set_params(bandpass__high_hz=None, **params)
        known = pipe.get_params()
        given = spread(self.set, known)
        # A criterion and callbacks have parameters that only fitting lays open.
        steps = {name.split("__")[0] for name in known}
        for name in given:
            if name not in known and name.split("__")[0] not in steps:
                raise click.UsageError(f"set: {unknown_name(name, known)}")
        return pipe.set_params(**from_text(given, known))

    def _params(self, n_rows, work_dir, known):
        """Return the parameters that flags set, of those that a pipeline has."""
        from skbird.audio import check_channels

        segments_per_row = self.segments_per_row or math.ceil(_MIN_EPOCH / n_rows)
        params = {
            "resampler__sample_rate": self.sample_rate,
            "resampler__channels": check_channels(self.channels),
            "segmenter__segment_s": self.segment_s,
            "rmsfilter__random_state": self.seed,
            "logmel__n_mels": self.n_mels,
            "logmel__on_error": "skip",
            "sedclassifier__segments_per_row": segments_per_row,
            "sedclassifier__max_epochs": self.epochs,
            "sedclassifier__lr": self.lr,
            "sedclassifier__batch_size": self.batch_size,
            "sedclassifier__checkpoint_dir": work_dir / "checkpoints",
        }
        return {n: v for n, v in params.items() if n in known and v is not None}


DEFAULTS = Settings()


def setting_flags(*left_out):
    """Return a decorator that adds a flag for each of the `Settings` to a command.

    Parameters
    ----------
    *left_out : str
        Names of settings that the command has no use for.
    """

    def add(command):
        for setting in reversed(fields(Settings)):
            if setting.name not in ("set", "given", *left_out):
                command = _flag(setting)(command)
        return command

    return add


def _flag(setting):
    # No default: a file counts more than the default, and a flag more than a file.
    kind, text = setting.metadata["kind"], setting.metadata["help"]
    if setting.default is not None:  # by show_default it would be in brackets
        text = f"{text}  [default: {setting.default}]"
    return click.option(f"--{setting.name.replace('_', '-')}", type=kind, help=text)
