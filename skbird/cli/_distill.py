"""``skbird distill``."""

from pathlib import Path

import click

from skbird.cli import _console
from skbird.cli._inputs import read_inputs
from skbird.cli._numbers import FloatRange
from skbird.cli._outputs import OVERWRITE, check_new, file_option
from skbird.cli._settings import work_dir_option
from skbird.utils._text import counted


@click.command(
    epilog="""\b
Examples:
  skbird distill recordings --teacher birdnet-2.4 --out weights.safetensors
  skbird distill soundscapes --backbone lcnet_100 --out weights.safetensors"""
)
@click.argument(
    "data", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path)
)
@file_option("File of the weights.", ".safetensors", required=True)
@click.option(
    "--teacher",
    default="birdnet-2.4",
    show_default=True,
    help="A pretrained model (`skbird models list`), or the path of its file.",
)
@click.option(
    "--backbone",
    default="efficientnet_b0",
    show_default=True,
    help="A convolutional network of timm.",
)
@click.option(
    "--backbone-weights",
    default="pretrained",
    show_default=True,
    help="What it starts from: pretrained (ImageNet), none, or a file.",
)
@click.option(
    "--epochs", type=click.IntRange(1), default=20, show_default=True, help="Passes."
)
@click.option(
    "--segments-per-row",
    type=click.IntRange(1, 10_000),
    default=4,
    show_default=True,
    help="Segments drawn of each recording in each epoch: more of long ones.",
)
@click.option(
    "--batch-size", type=click.IntRange(1), default=32, show_default=True, help="Size."
)
@click.option(
    "--lr",
    type=FloatRange(0, min_open=True),
    default=1e-3,
    show_default=True,
    help="Highest learning rate.",
)
@work_dir_option(", the teacher's windows and the state of the training")
@OVERWRITE
def distill(
    data,
    out,
    teacher,
    backbone,
    backbone_weights,
    epochs,
    segments_per_row,
    batch_size,
    lr,
    work_dir,
    overwrite,
):
    """Teach a network what a pretrained model hears in recordings without labels.

    DATA are recordings and folders of them, or a table of rows. The weights are what
    --backbone-weights of `skbird train` takes. They are derived from those of the
    teacher, and stay under its license. Call the same command again if it was
    interrupted.
    """
    check_new(out, overwrite)
    inputs = read_inputs(data)

    import pandas as pd

    from skbird.nn import EmbeddingDistillation
    from skbird.recipes import default

    work_dir = work_dir or out.with_name(f"{out.name}.work")
    student = EmbeddingDistillation(
        teacher,
        backbone,
        backbone_weights=None if backbone_weights == "none" else backbone_weights,
        cache_dir=work_dir / "cache",
        segments_per_row=segments_per_row,
        max_epochs=epochs,
        batch_size=batch_size,
        lr=lr,
        checkpoint_dir=work_dir / "checkpoints",
        random_state=0,
    )
    student.check_early()
    front_end = default(backbone, backbone_weights=None, cache_dir=work_dir / "cache")
    front_end = front_end[:-1].set_params(logmel__on_error="skip")
    rows = inputs.paths if inputs.table is None else inputs.table
    heard = front_end.fit_transform(rows)
    if not (heard.n_frames > 0).any():
        _console.say_left_out(heard.errors)
        raise ValueError("None of the recordings can be read.")
    student.fit(heard)
    student.save_weights(out)
    _console.say(
        f"Wrote {out}, distilled from {counted(student.n_rows_, 'row')} of "
        f"{student.hours_:.3g} hours; {work_dir} may be deleted."
    )
    errors = pd.concat([heard.errors[["path", "error"]], inputs.left_out])
    click.get_current_context().exit(_console.say_left_out(errors))
