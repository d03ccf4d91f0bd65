"""``skbird cross-validate``."""

import click

from skbird.cli import _console
from skbird.cli._groups import group_rows
from skbird.cli._outputs import (
    OVERWRITE,
    check_new,
    check_spares,
    file_option,
    write_table,
)
from skbird.cli._read_settings import read_settings
from skbird.cli._settings import (
    CONFIG,
    DATA,
    SET,
    setting_flags,
    work_dir_option,
)
from skbird.cli._train import check_work_dir
from skbird.cli._training_data import find_readable, load_labelled
from skbird.utils._text import counted

_UNUSED = {
    "hold_out": "each part of the recordings is held out in turn (--folds)",
}


@click.command(
    name="cross-validate",
    epilog="""\b
Examples:
  skbird cross-validate recordings --out folds.csv
  skbird cross-validate birdclef-2025 --recipe report --groups collection \\
    --folds 3 --out folds.csv""",
)
@DATA
@file_option("Write a line per fold and species, as CSV.", ".csv", required=True)
@click.option(
    "--folds",
    type=click.IntRange(2, 1000),
    default=5,
    show_default=True,
    help="Number of trainings. Each is judged on the part of the recordings that it "
    "was not given.",
)
@CONFIG
@setting_flags(*_UNUSED)
@SET
@work_dir_option(" and the state of the trainings")
@OVERWRITE
def cross_validate(data, out, folds, config, assignments, work_dir, overwrite, **flags):
    """Judge settings of `skbird train` by cross-validation, without keeping a model.

    DATA is what `skbird train` takes. Call the same command again if it was
    interrupted.
    """
    settings = read_settings(config, flags, assignments, unused=_UNUSED)
    check_spares(out, data, config)
    check_new(out, overwrite)
    work_dir = work_dir or out.with_name(f"{out.name}.work")
    check_work_dir(work_dir, out)
    from skbird.model_selection import cross_val_report

    loaded, settings = load_labelled(data, settings)
    X, Y, label_weight, _, errors = find_readable(
        loaded, settings, work_dir, compiles=False
    )
    groups, by = group_rows(X, settings, 1 / folds)
    n_taught = len(X) - len(X) // folds
    pipe = settings.make_pipeline(n_taught, work_dir, X.columns)
    work_dir.mkdir(parents=True, exist_ok=True)
    n_groups = counted(len(set(groups)), "group")
    n_rows = counted(len(X), "row")
    _console.say(f"{folds} folds, {n_rows} in all, in {n_groups}, by {by}")
    try:
        report = cross_val_report(
            pipe,
            X,
            Y,
            groups=groups,
            cv=folds,
            recording_ids="path",
            fit_params=_fit_params(settings, X, Y, label_weight),
            random_state=settings.seed,
            verbose=1,
        )
    except ValueError as exc:
        text = str(exc).replace(f"cv={folds}: n_splits={folds}", f"--folds {folds}")
        raise ValueError(text) from exc
    write_table(report.species.reset_index(), out)
    _console.say(f"Wrote {out}; {work_dir} may be deleted.")
    _console.show(*str(report).split("\n"))
    errors = _add_unread(errors, X, report.proba)
    click.get_current_context().exit(_console.say_left_out(errors))


def _fit_params(settings, X, Y, label_weight):
    weights = settings.row_weights(X, Y)
    rows = {} if weights is None else {"sample_weight": weights}
    return {"label_weight": label_weight, **rows}


def _add_unread(errors, X, proba):
    """Add the errors of recordings that failed only when they were decoded."""
    import pandas as pd

    from skbird.archive import file_errors
    from skbird.data import check_rows

    unread = proba.isna().all(axis=1).to_numpy()
    found = file_errors(check_rows(X), unread, {})
    return pd.concat([errors, pd.DataFrame(found, columns=["path", "error"])])
