"""From the parts of an archive run to the files of other programs."""

_KEYS = ["path", "start", "end"]


def find_events(result, threshold, max_gap_s):
    """Join the rows of an archive run to events, part by part.

    Parameters
    ----------
    result : ArchiveResult
        With a column per species.
    threshold, max_gap_s : float
        See :func:`skbird.annotations.proba_to_events`.

    Returns
    -------
    events : DataFrame
    paths : list of str
        All recordings that could be read.
    """
    import pandas as pd

    from skbird.annotations import proba_to_events

    events, paths = [], []
    for part in sorted(result.folder.glob("part-*.parquet")):
        table = pd.read_parquet(part)
        rows, proba = table[_KEYS], table.drop(columns=_KEYS)
        # Whole files are in a part, so that no event is cut.
        events.append(proba_to_events(proba, rows, threshold, max_gap_s))
        paths += rows["path"].unique().tolist()
    events = pd.concat(events, ignore_index=True)
    return events.assign(score=events["score"].round(4)), paths


def _csv(events, out, paths, model):
    from skbird.annotations import write_boxes

    write_boxes(events, out)


def _birdnet(events, out, paths, model):
    from skbird.annotations import write_birdnet

    write_birdnet(events, out)


def _raven(events, out, paths, model):
    from skbird.annotations import write_raven

    params = model.get_params()
    rates = [v for n, v in params.items() if n.split("__")[-1] == "sample_rate"]
    # Raven wants frequencies: those that the model hears.
    full_band_hz = rates[0] / 2 if rates else None
    write_raven(events, out, paths=paths, full_band_hz=full_band_hz)


def _audacity(events, out, paths, model):
    from skbird.annotations import write_audacity

    write_audacity(events, out, paths=paths)


EVENTS = {"csv": _csv, "raven": _raven, "audacity": _audacity, "birdnet": _birdnet}


def write_kaggle(result, out, like):
    """Write the submission of an archive run; unreadable rows get 0."""
    from skbird.annotations import write_submission

    table = result.read()
    proba = table.drop(columns=_KEYS)
    write_submission(proba, table[_KEYS], out, like=like, fill_nan=0.0)
