"""The compiled pipeline: files to probabilities, some files at a time."""

import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, clone

from skbird.audio import AudioReadError, read_headers
from skbird.base import MultilabelMixin
from skbird.data import as_recordings, no_errors
from skbird.utils._progress import progress_bar
from skbird.utils._text import counted


class CompiledPipeline(MultilabelMixin, BaseEstimator):
    """Compiled pipeline: front end and networks that predict files without torch.

    :func:`compile_pipeline` makes it. Files go through in blocks: while the networks
    work on one, the front end makes the spectrograms of the next, so that memory does
    not grow with the number of files.

    Parameters
    ----------
    front_end : Pipeline
        The steps up to and with `LogMel` or `EmbeddingEncoder`.
    network : estimator object
        Predicts spectrograms: a `CompiledNetwork`, or an ensemble of them. Or windows:
        a `CompiledProbe`.
    chunk_s : float > 0, default=600.0
        Sound in a block, in seconds; whole files, so that it may be more.
    verbose : int, default=0
        0 shows no progress bar; else there is one if it takes longer than two seconds.

    Attributes
    ----------
    species_ : ndarray of str
    classes_ : ndarray of shape (n_species, 2)
        The two values of each label, [0, 1].
    max_difference_ : float
        The largest difference of a probability to the model that was compiled, on the
        rows that `compile_pipeline` compared.
    errors_ : DataFrame
        Columns ``row``, ``path``, ``error``: the rows that the latest call could not
        read.

    Examples
    --------
    >>> import numpy as np, soundfile, tempfile
    >>> from pathlib import Path
    >>> from sklearn.pipeline import make_pipeline
    >>> from skbird.inference import compile_pipeline
    >>> from skbird.nn import CNNClassifier
    >>> from skbird.preprocessing import LogMel
    >>> folder = Path(tempfile.mkdtemp())
    >>> path = folder / "frog.wav"
    >>> rng = np.random.default_rng(0)
    >>> soundfile.write(path, 0.1 * rng.standard_normal(32_000 * 5), 32_000)
    >>> net = CNNClassifier("test_efficientnet", backbone_weights=None, max_epochs=1,
    ...                     random_state=0, verbose=0)
    >>> pipe = make_pipeline(LogMel(n_mels=32), net).fit([path], [[0, 1]])
    >>> compiled = compile_pipeline(pipe, precision="float32")
    >>> compiled.predict_proba([path]).shape
    (1, 2)
    """

    def __init__(self, front_end, network, *, chunk_s=600.0, verbose=0):
        self.front_end = front_end
        self.network = network
        self.chunk_s = chunk_s
        self.verbose = verbose

    @property
    def species_(self):
        """The species, in the order of the columns of ``predict_proba``."""
        return self.network.species_

    @property
    def classes_(self):
        """The two values of each label, [0, 1]."""
        return self.network.classes_

    @property
    def _threshold(self):
        return self.network._threshold

    def fit(self, X, y=None):
        """Do nothing: front end and networks are fitted.

        Parameters
        ----------
        X, y : ignored

        Returns
        -------
        self : CompiledPipeline
        """
        return self

    def predict_proba(self, X):
        """Predict the probability of each species in each row.

        Parameters
        ----------
        X : sequence of paths, DataFrame with a column ``path``, or Recordings
            The rows.

        Returns
        -------
        ndarray of shape (n_rows, n_species), float32
            NaN for rows that could not be read.

        Raises
        ------
        AudioReadError
            If rows cannot be read and ``on_error`` of `LogMel` is "raise".
        """
        recordings = as_recordings(X)
        for _, step in self.front_end.steps[:-1]:
            recordings = step.transform(recordings)
        logmel = clone(self.front_end[-1]).set_params(verbose=0)
        seconds = self._check_files(recordings, logmel)
        blocks = cut_blocks(recordings.rows["path"], seconds, self.chunk_s)
        proba = np.full((len(recordings), len(self.species_)), np.nan, np.float32)
        errors = []
        bar = progress_bar(
            total=round(seconds.sum()),
            desc="predict",
            unit="s",
            delay=2,
            verbose=self.verbose,
        )
        with bar, ThreadPoolExecutor(1) as front, warnings.catch_warnings():
            warnings.filterwarnings("ignore", r"\d+ of \d+ rows? cannot be used")
            waiting = None
            for block in [*blocks, None]:
                # The next block before the network's turn: the two overlap.
                coming = None
                if block is not None:
                    coming = block, front.submit(logmel.transform, recordings[block])
                if waiting is not None:
                    rows, spectrograms = waiting[0], waiting[1].result()
                    proba[rows] = self.network.predict_proba(spectrograms)
                    failed = spectrograms.errors
                    errors.append(failed.assign(row=rows[failed["row"].astype(int)]))
                    bar.update(round(seconds[rows].sum()))
                waiting = coming
        self._report(errors, len(recordings))
        return proba

    def _check_files(self, recordings, logmel):
        """Return the seconds of each row; complain now of files that are no audio."""
        rows = recordings.rows
        paths = rows["path"].unique()
        headers = read_headers(paths, n_jobs=logmel.n_jobs, verbose=0)
        duration = {}
        for path, header in zip(paths, headers, strict=True):
            if not isinstance(header, AudioReadError):
                duration[path] = header.duration_s
            elif logmel.on_error == "raise":
                raise AudioReadError(
                    f"{header}\nMend or leave out its rows, or set on_error='skip' of "
                    f"the pipeline's {type(logmel).__name__}: their predictions are "
                    "then NaN."
                )
        end = np.fmin(rows["end"], rows["path"].map(duration).astype(float))
        return (end - rows["start"]).clip(lower=0).fillna(0).to_numpy(dtype=float)

    def _report(self, errors, n_rows):
        errors = pd.concat(errors, ignore_index=True) if errors else no_errors()
        self.errors_ = errors
        if len(errors):
            first = errors.iloc[0]
            warnings.warn(
                f"{len(errors)} of {counted(n_rows, 'row')} cannot be used and will be "
                f"left out; errors_ lists them. The first is row {first['row']}: "
                f"{first['error']}",
                stacklevel=3,
            )

    def __getstate__(self):
        # What the latest call could not read is no part of the model.
        state = super().__getstate__()
        return {key: value for key, value in state.items() if key != "errors_"}

    def __sklearn_is_fitted__(self):
        return True

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        tags.input_tags.string = True
        return tags


def cut_blocks(paths, seconds, chunk_s):
    """Cut rows into blocks of whole files.

    Parameters
    ----------
    paths : Series of shape (n_rows,)
        The file of each row.
    seconds : ndarray of shape (n_rows,)
        The sound of each row.
    chunk_s : float
        Sound from which on a block is complete.

    Returns
    -------
    list of ndarray of int
        The rows of each block, each row once.
    """
    number, files = pd.factorize(paths)
    of_file = np.bincount(number, weights=seconds, minlength=len(files))
    # A file begins a block if those before it fill one.
    before = np.concatenate([[0.0], np.cumsum(of_file)[:-1]])
    block = np.unique((before // chunk_s), return_inverse=True)[1]
    order = np.argsort(block[number], kind="stable")
    return np.split(order, np.cumsum(np.bincount(block[number])))[:-1]
