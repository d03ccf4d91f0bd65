"""``skbird train``."""

import pickle
from pathlib import Path

import click

from skbird.cli import _console
from skbird.cli._settings import read_settings, setting_option

_N_COMPARED = 16  # recordings on which the compiled model is compared


@click.command(
    epilog="""\b
Examples:
  skbird train recordings --out birds.skbird
  skbird train metadata.csv --out birds.skbird --backbone mobilenetv3_small_050
\b
A file for --config has the names of the flags, and a table for the rest:
  backbone = "efficientnet_b0"
  epochs = 30
  [set]
  sedclassifier__callbacks__mixup__alpha = 0.2"""
)
@click.argument("data", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--out",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="The model: .skbird, which predicts fast on CPUs and without torch; or .pkl, "
    "a pickled pipeline.",
)
@click.option(
    "--config",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A TOML file; flags count more.",
)
@setting_option("backbone", str, "A convolutional network of timm.")
@setting_option(
    "weights", str, "'pretrained' (ImageNet, from the network), 'none', or a file."
)
@setting_option("epochs", click.IntRange(1), "Rounds over the recordings.")
@setting_option(
    "segments_per_row",
    click.IntRange(1),
    "Segments of each recording in an epoch. By default 1, or what makes 1000 in all.",
)
@setting_option("batch_size", click.IntRange(1), "Segments in a step.")
@setting_option("lr", click.FloatRange(0, min_open=True), "Highest learning rate.")
@setting_option("sample_rate", click.IntRange(1), "In Hz.")
@setting_option("segment_s", click.FloatRange(0, min_open=True), "Seconds.")
@setting_option("n_mels", click.IntRange(1), "Mel bands.")
@setting_option(
    "secondary_weight", click.FloatRange(0, 1), "Weight of secondary labels."
)
@setting_option(
    "hold_out",
    click.FloatRange(0, 0.5),
    "Share of the recordings to judge the model by, not trained on. They are listed in "
    "<out>.heldout.csv. 0: train on all.",
)
@setting_option(
    "groups",
    str,
    "Column of the table: what must not be on both sides of --hold-out, such as site. "
    "By default author, if there are enough; copies stay together in any case.",
)
@setting_option("seed", click.IntRange(0), "Of all that is drawn.")
@click.option(
    "--set",
    "assignments",
    multiple=True,
    metavar="NAME=VALUE",
    help="Another parameter of the pipeline, such as rmsfilter__quantile=0.1.",
)
@click.option("--licence", help="Under which others may use the model; noted in it.")
@click.option(
    "--work-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="Spectrograms and the state of the training, from which a killed one goes on. "
    "May be deleted afterwards.  [default: <out>.work]",
)
def train(data, out, config, assignments, licence, work_dir, **flags):
    """Train a network on labelled recordings, judge it, and write it to a file.

    DATA is a folder with a folder per species, a table (.csv, .tsv, .parquet) with the
    columns path and primary_label, or the folder of a BirdCLEF competition. Call the
    same command again if it was interrupted.
    """
    settings = read_settings(config, flags, assignments)
    _check_out(out)
    import pandas as pd

    from skbird.data import load_recordings

    loaded = load_recordings(data, secondary_weight=settings.secondary_weight)
    _console.say(loaded.DESCR)
    X, errors = _drop_unreadable(loaded.X)
    Y, label_weight = (Y.loc[X.index] for Y in (loaded.Y, loaded.label_weight))
    train_rows, test_rows = _split(X, Y, settings)
    settings.check_backbone()
    work_dir = work_dir or out.with_name(f"{out.name}.work")
    pipe = settings.make_pipeline(len(train_rows), work_dir)
    pipe.fit(
        X.iloc[train_rows].reset_index(drop=True),
        Y.iloc[train_rows].reset_index(drop=True),
        sedclassifier__label_weight=label_weight.iloc[train_rows],
    )
    # Damage in the middle of a file shows only when it is decoded.
    errors = pd.concat([errors, pipe[-2].errors_[["path", "error"]]])
    model = _finish(pipe, out, X.iloc[train_rows[:_N_COMPARED]], work_dir)
    metrics = {}
    if len(test_rows):
        metrics = _judge(model, X.iloc[test_rows], Y.iloc[test_rows], out)
    if out.suffix == ".skbird":
        from skbird.inference import save_model

        save_model(
            model, out, metrics=metrics, data=X.iloc[train_rows], licence=licence
        )
    _console.say(f"Wrote {out}; {work_dir} may be deleted.")
    click.get_current_context().exit(_console.say_left_out(errors))


def _check_out(out):
    """Complain now of what would fail after hours of training."""
    if out.suffix not in (".skbird", ".pkl"):
        raise click.UsageError(f"--out {out} must end in .skbird or .pkl.")
    if not out.parent.is_dir():
        raise click.UsageError(f"--out {out}: there is no folder {out.parent}.")
    if out.suffix == ".skbird":
        try:
            import onnxscript  # noqa: F401
            import openvino  # noqa: F401
            import skops.io  # noqa: F401
        except ImportError as exc:
            raise ImportError(
                f"Model files need {exc.name}: pip install 'skbird[cpu,train]'. Or "
                "write a pickle: --out ending in .pkl."
            ) from None


def _drop_unreadable(X):
    """Return the rows whose files can be opened, and the errors of the others."""
    import pandas as pd

    from skbird.data import AudioReadError
    from skbird.data._audio import read_headers

    paths = X["path"].unique()
    headers = zip(paths, read_headers(paths, verbose=True), strict=True)
    broken = [(p, str(h)) for p, h in headers if isinstance(h, AudioReadError)]
    errors = pd.DataFrame(broken, columns=["path", "error"])
    X = X[~X["path"].isin(errors["path"])]
    if not len(X):
        raise AudioReadError(
            f"None of the {len(paths)} recordings can be read. The first: "
            f"{broken[0][1]}"
        )
    return X, errors


def _split(X, Y, settings):
    """Return the rows to train on and those to judge by."""
    import numpy as np

    from skbird.model_selection import group_train_test_split, leak_groups

    if settings.groups is not None and settings.groups not in X:
        raise click.UsageError(
            f"--groups {settings.groups}: the recordings have no such column, but "
            f"{', '.join(map(str, X.columns))}."
        )
    if settings.hold_out == 0:
        return np.arange(len(X)), np.arange(0)
    author = settings.groups or ("author" if "author" in X else None)
    groups = leak_groups(X, author=author, date=None)
    if settings.groups is None and len(np.unique(groups)) < 2 / settings.hold_out:
        # Too few authors: recordings at least are apart.
        groups = leak_groups(X, author=None, date=None)
    options = {"test_size": settings.hold_out, "random_state": settings.seed}
    try:
        return group_train_test_split(Y, groups, **options)
    except ValueError as exc:
        raise ValueError(f"{exc} Or train on all: --hold-out 0.") from None


def _finish(pipe, out, X, work_dir):
    """Return what predicts, after the training has been made safe."""
    if out.suffix == ".pkl":
        pipe.set_params(logmel__cache_dir=None, sedclassifier__checkpoint_dir=None)
        path = out
    else:
        path = work_dir / "pipeline.pkl"
    from skbird.utils._files import open_whole

    with open_whole(path, "wb") as file:
        pickle.dump(pipe, file)
    if out.suffix == ".pkl":
        return pipe
    from skbird.inference import compile_pipeline

    try:
        return compile_pipeline(pipe, X.reset_index(drop=True))
    except ValueError as exc:
        _console.say(f"{exc} Taken: fp32.")
        return compile_pipeline(pipe, X.reset_index(drop=True), precision="fp32")


def _judge(model, X, Y, out):
    """Print how good a model is on rows it was not trained on; return the figures."""
    from skbird.cli._evaluate import show_scores

    table = out.with_name(f"{out.stem}.heldout.csv")
    held_out = X.assign(path=[str(Path(path).absolute()) for path in X["path"]])
    held_out.to_csv(table, index=False)
    _console.say(f"Held out: {len(X)} rows, listed in {table}")
    proba = model.predict_proba(X.reset_index(drop=True))
    return show_scores(X, Y, proba)
