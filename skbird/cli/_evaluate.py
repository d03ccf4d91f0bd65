"""``skbird evaluate``."""

import click

from skbird.cli import _console
from skbird.cli._annotated import annotation_options
from skbird.cli._labelled import (
    DATA,
    THRESHOLD,
    predict_labelled,
)
from skbird.cli._models import MODEL, open_model, trust_options
from skbird.cli._outputs import check_spares, file_option, write_table


@click.command(
    epilog="""\b
Examples:
  skbird evaluate birds.skbird birds.skbird.heldout.csv --out species.csv
  skbird evaluate birds.skbird soundscapes --annotations raven_tables"""
)
@MODEL
@DATA
@annotation_options
@file_option("Write a line per species, as CSV.", ".csv")
@THRESHOLD
@trust_options
def evaluate(model, data, annotations, out, threshold, trust):
    """Judge a model on labelled recordings, species by species.

    DATA is what `skbird train` takes, recordings that the model was not trained on, or
    with --annotations a folder of recordings. Of a BirdCLEF folder, its labelled
    soundscapes are taken; those of the test only if there are no others: name their
    folder and their table (--annotations) for the last judgement.
    """
    check_spares(out, data, annotations.path)
    from skbird.cli._scores import say_heard, score
    from skbird.inference import trained_on

    model = open_model(model, trust)
    X, Y, proba, errors = predict_labelled(model, data, annotations)
    try:
        is_new = not trained_on(model, X).any()
        heard = say_heard(model, X)
        scores = score(X, Y, proba, threshold, is_new=is_new, heard=heard)
    except ValueError:
        _console.say_left_out(errors)  # which may be why
        raise
    if out is not None:
        write_table(scores.species, out)
        _console.say(f"Wrote {out}")
    scores.show()
    click.get_current_context().exit(_console.say_left_out(errors))
