"""A page about recordings before anything is learnt from them."""

from numbers import Integral, Real

import numpy as np
import pandas as pd
from sklearn.utils import check_random_state

from skbird.audio import row_channels
from skbird.data import check_rows, check_some_rows
from skbird.reports import _recording_sections as sections
from skbird.reports import _recording_tables as tables
from skbird.reports._clips import Cut, make_clips
from skbird.reports._report import Report
from skbird.reports._scan import choose_decoded, scan
from skbird.utils._params import MOST, N_JOBS, as_floats, check_params
from skbird.utils._sklearn_compat import check_matplotlib_support
from skbird.utils._text import counted
from skbird.utils._truth import PRESENT_FROM

_CONSTRAINTS = {
    "speech": ["boolean"],
    "near_duplicates": ["boolean"],
    "title": [str],
    "random_state": ["random_state"],
    "n_jobs": N_JOBS,
    "verbose": ["verbose"],
}


def describe_recordings(
    X,
    Y=None,
    *,
    max_decoded=1000,
    speech=False,
    near_duplicates=True,
    n_clips=40,
    clip_s=5.0,
    title="Recordings",
    random_state=None,
    n_jobs=-1,
    verbose=1,
):
    """Describe recordings: labels, levels, noise, copies, what cannot be read.

    Each file is opened once, in threads: its header is read, and of some files the
    first minute is decoded. A file that cannot be read is listed and costs the others
    nothing.

    Parameters
    ----------
    X : DataFrame or sequence of paths
        Rows. Of a table these columns are used if they are there: ``start`` and
        ``end``, ``channels`` (of those of the first row a file is heard; without it
        their mean), ``collection``, ``primary_label`` and ``secondary_labels`` as
        :func:`skbird.data.encode_labels` reads them, ``author``, ``rating``,
        ``latitude`` and ``longitude``.
    Y : DataFrame of shape (n_rows, n_species), default=None
        Which species are in the rows; by default what the labels of X say. From 0.5
        on a species counts as heard.
    max_decoded : int >= 0 or None, default=1000
        Number of files to decode, drawn at random, equally many from each collection
        if there are enough. None: all of them, at about 0.05 s per file on one core (25
        minutes for 30,000 in ogg).
    speech : bool, default=False
        Whether to look for human speech in the decoded files; needs silero-vad.
    near_duplicates : bool, default=True
        Whether to compare the sound of the decoded files. Files with the same bytes are
        found in any case, among all files.
    n_clips : int >= 0, default=40
        Clips on the page: examples of each problem, and some drawn at random.
    clip_s : float > 0, default=5.0
        Length of a clip in seconds; of longer recordings the loudest stretch is taken.
    title : str, default="Recordings"
        Title of the page.
    random_state : int, RandomState instance or None, default=None
        Seed for drawing files and clips.
    n_jobs : int, default=-1
        Threads, as in joblib.
    verbose : int, default=1
        0 shows no progress.

    Returns
    -------
    Report
        ``report.to_html(path)`` writes the page. ``report.tables`` holds "findings",
        "recordings" (one line per file), "collections", "sample_rates", "unreadable",
        "duplicates" and, if labels are known, "species" and "together". Levels are in
        dB of full scale; ``noise_dbfs`` is the level that the quietest 10 % of
        stretches of 50 ms stay below, ``contrast_db`` how far above it the loudest 1 %
        are; ``quiet_mean`` says whether the mean of the channels is some 6 dB or more
        quieter than the loudest of them.

    Raises
    ------
    ImportError
        If matplotlib, or silero-vad if asked for, is not installed.
    ValueError
        If Y has other rows than X, or a parameter is out of range.

    See Also
    --------
    describe_errors : A page about the errors of a model.
    skbird.model_selection.find_leaks : Copies on both sides of a split.

    Examples
    --------
    >>> import numpy as np, pandas as pd, soundfile, tempfile
    >>> from pathlib import Path
    >>> from skbird.reports import describe_recordings
    >>> folder = Path(tempfile.mkdtemp())
    >>> rng = np.random.default_rng(0)
    >>> for name in ("a.wav", "b.wav"):
    ...     soundfile.write(folder / name, 0.1 * rng.standard_normal(16_000), 16_000)
    >>> X = pd.DataFrame({"path": [folder / "a.wav", folder / "b.wav", "gone.wav"],
    ...                   "primary_label": ["amerob", "amerob", "norcar"]})
    >>> report = describe_recordings(X, verbose=0)
    >>> report.tables["species"][["species", "recordings"]]
      species  recordings
    0  amerob           2
    1  norcar           1
    >>> report.tables["unreadable"]["path"].tolist()
    ['gone.wav']
    >>> page = report.to_html(folder / "report.html")
    """
    check_matplotlib_support("describe_recordings")
    _check_limits(max_decoded=max_decoded, n_clips=n_clips)
    check_params(
        "describe_recordings",
        _CONSTRAINTS,
        speech=speech,
        near_duplicates=near_duplicates,
        title=title,
        random_state=random_state,
        n_jobs=n_jobs,
        verbose=verbose,
    )
    if not isinstance(clip_s, Real) or not clip_s > 0:
        raise ValueError(f"clip_s={clip_s!r} must be above 0 seconds.")
    rows = check_rows(X)
    check_some_rows(rows)
    Y = _check_targets(Y, rows)
    rng = check_random_state(random_state)
    if "collection" not in rows:
        rows["collection"] = "all"
    rows["collection"] = rows["collection"].fillna("unknown").astype(str)
    for name in ("rating", "latitude", "longitude"):
        if name in rows:
            rows[name] = pd.to_numeric(rows[name], errors="coerce")
    files = rows.drop_duplicates("path").drop(columns=["start", "end"])
    files = files.reset_index(drop=True)
    decoded = choose_decoded(files["collection"], max_decoded, rng)
    channels = [row_channels(file) for file in files.to_dict("records")]
    found, fingerprints = scan(
        files["path"],
        channels,
        decoded,
        speech=speech,
        near_duplicates=near_duplicates,
        n_jobs=n_jobs,
        verbose=verbose,
    )
    files = pd.concat([files.drop(columns=found, errors="ignore"), found], axis=1)
    texts, findings = tables.name_problems(files)
    files.insert(1, "problems", texts)
    copies = tables.find_copies(files, fingerprints, n_jobs)
    copies = tables.label_copies(copies, rows, Y)
    rows["seconds"] = _seconds(rows, files)
    cuts = _choose_cuts(files, rows, Y, n_clips, rng)
    return Report(
        title,
        sections.recording_sections(
            rows,
            files,
            Y,
            findings,
            copies,
            make_clips(cuts, clip_s, n_jobs=n_jobs, verbose=verbose),
        ),
    )


def _check_limits(**limits):
    for name, value in limits.items():
        if value is None and name == "max_decoded":
            continue
        if not isinstance(value, Integral) or not 0 <= value <= MOST:
            raise ValueError(
                f"{name}={value!r} must be a whole number, at least 0 and at most "
                f"{MOST:,}."
            )


def _check_targets(Y, rows):
    if Y is None:
        return tables.encode_all(rows)
    if not isinstance(Y, pd.DataFrame):
        Y = as_floats(Y, "Y")
        if Y.ndim != 2:
            raise ValueError(
                f"Y has shape {Y.shape}, but (n_rows, n_species) is needed."
            )
        Y = pd.DataFrame(Y)
    if len(Y) != len(rows):
        raise ValueError(
            f"Y has {counted(len(Y), 'row')} and X {len(rows)}; pass the targets of "
            "these rows."
        )
    return Y.reset_index(drop=True)


def _seconds(rows, files):
    """Length of each row; NaN if its file cannot be read."""
    whole = files.set_index("path")["duration_s"].reindex(rows["path"]).to_numpy()
    end = np.fmin(rows["end"].to_numpy(dtype=float), whole)
    return np.maximum(end - rows["start"].to_numpy(), 0)


def _choose_cuts(files, rows, Y, n_clips, rng):
    """Choose files to be heard: of each problem in turn, and some without any."""
    shuffled = files.iloc[rng.permutation(len(files))]
    shuffled = shuffled[shuffled["error"] == ""]
    kinds = shuffled["problems"].where(
        shuffled["problems"] != "", "drawn from " + shuffled["collection"]
    )
    turn = kinds.groupby(kinds).cumcount()
    chosen = shuffled.iloc[np.argsort(turn.to_numpy(), kind="stable")[:n_clips]]
    labels = {}
    if Y is not None:
        wanted = np.flatnonzero(rows["path"].isin(chosen["path"]))
        for row in wanted[::-1]:
            names = Y.columns[Y.iloc[row] >= PRESENT_FROM]
            labels[rows["path"][row]] = ", ".join(map(str, names))
    cuts = []
    for place, file in chosen.sort_index().iterrows():
        bad = file["problems"] != ""
        numbers = {
            "level (dBFS)": file["level_dbfs"],
            "noise (dBFS)": file["noise_dbfs"],
            "contrast (dB)": file["contrast_db"],
        }
        about = {
            "title": labels.get(file["path"], "") or "no species",
            "kind": kinds[place],
            "tone": "bad" if bad else "",
            "numbers": {k: v for k, v in numbers.items() if np.isfinite(v)},
            "texts": (file["collection"],),
        }
        cuts.append(Cut(file["path"], about=about, channels=row_channels(file)))
    return cuts
