"""``skbird report``."""

import click

from skbird.cli import _console
from skbird.cli._annotated import annotation_options
from skbird.cli._labelled import (
    DATA,
    THRESHOLD,
    predict_labelled,
)
from skbird.cli._models import MODEL, encoders_in, open_model, trust_options
from skbird.cli._outputs import file_option


@click.command(
    epilog="""\b
Example:
  skbird report birds.skbird birds.skbird.heldout.csv --out errors.html"""
)
@MODEL
@DATA
@annotation_options
@file_option("The page.", ".html", ".htm", required=True)
@THRESHOLD
@click.option(
    "--clips",
    type=click.IntRange(0),
    default=100,
    show_default=True,
    help="Number of errors shown as clips to see and listen to.",
)
@click.option(
    "--grad-cam",
    is_flag=True,
    help="Show where the network looked; needs a pickled pipeline, torch and captum.",
)
@trust_options
def report(
    model,
    data,
    annotations,
    out,
    threshold,
    clips,
    grad_cam,
    trust,
):
    """Write a page about the errors of a model, with clips to play.

    DATA is what `skbird evaluate` takes: recordings that the model was not trained on.
    """
    from skbird.inspection import GradCAMDisplay
    from skbird.reports import describe_errors

    _check_packages("matplotlib", *["captum"] * grad_cam)
    if grad_cam and model.suffix.lower() == ".skbird":
        raise click.UsageError(
            f"--grad-cam: {model} has no layers to look into. Pass what `skbird train` "
            f"left in its work folder, {model}.work/{model.stem}.pipeline.pkl, with "
            "--trust-pickle."
        )
    model = open_model(model, trust)
    if grad_cam and encoders_in(model):
        raise click.UsageError(
            "--grad-cam: a pretrained model has no layers to look into. Leave it out."
        )
    X, Y, proba, errors = predict_labelled(model, data, annotations)

    def explain(row, species):
        display = GradCAMDisplay.from_estimator(model, X, row=row, species=species)
        return display.figure_

    page = describe_errors(
        X,
        Y,
        proba,
        threshold=threshold,
        n_clips=clips,
        explain=explain if grad_cam else None,
        title=f"Errors: {data.resolve().name}",
        random_state=0,
    )
    _console.say(f"Wrote {page.to_html(out)}")
    click.get_current_context().exit(_console.say_left_out(errors))


def _check_packages(*names):
    """Raise an error now if a package is missing that the page needs."""
    from importlib.util import find_spec

    from skbird.utils._extras import install_hint

    for name in names:
        if find_spec(name) is None:
            # The extra that has matplotlib has torch, too, which is large.
            alone = "pip install matplotlib"
            hint = install_hint("explain") if name == "captum" else alone
            raise ImportError(f"The page needs {name}: {hint}")
