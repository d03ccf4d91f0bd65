"""One row inside a pipeline: its spectrogram, its segments, its network."""

from dataclasses import dataclass
from numbers import Integral

import numpy as np
from scipy.special import expit
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import _num_samples

from skbird.data import as_spectrograms
from skbird.encoders import EmbeddingEncoder, PretrainedScores, Windows
from skbird.inspection._grad_cam import evaluating
from skbird.preprocessing import LogMel
from skbird.utils._nested import answering, steps_of
from skbird.utils._text import counted


def split_front_end(estimator):
    """Return the steps before `LogMel`, and the `LogMel`; None if there is none.

    Of a model around others, such as a post-processor or an ensemble, the steps are
    those of the first pipeline in it.
    """
    for model in answering(estimator):
        steps = steps_of(model)
        for number, step in enumerate(steps):
            if isinstance(step, LogMel):
                return steps[:number], step
    return None


def split_network(estimator):
    """Return the steps before a network, and the network.

    Raises
    ------
    TypeError
        If there is no network of skbird at the end.
    """
    *steps, net = steps_of(estimator)
    needed = "where a CNNClassifier or a SEDClassifier is needed, by itself or at the "
    needed += "end of a Pipeline"
    if split_encoder(estimator) is not None:
        raise TypeError(
            f"estimator has a pretrained model and ends with {type(net).__name__}, "
            f"{needed}: a pretrained model has no layers to look into."
        )
    from skbird.nn import SegmentNet

    if not isinstance(net, SegmentNet):
        raise TypeError(
            f"estimator ends with {type(net).__name__}, {needed}. Of an estimator "
            "around a pipeline pass what it holds, such as estimator_."
        )
    return steps, net


def split_encoder(estimator):
    """Return the steps before a pretrained model, and its step; None if there is none.

    Of a model around others the first that has one is taken.
    """
    for model in answering(estimator):
        steps = steps_of(model)
        for number, step in enumerate(steps):
            if isinstance(step, EmbeddingEncoder | PretrainedScores):
                return steps[:number], step
    return None


def embed_rows(estimator, X):
    """Return the embeddings of rows by a network or a pretrained model.

    Returns
    -------
    ndarray of shape (n_rows, n_features)

    Raises
    ------
    TypeError
        If there is neither.
    """
    split = split_encoder(estimator)
    if split is None:
        steps, net = split_network(estimator)
        return net.embed(as_spectrograms(transform(steps, X)))
    steps, encoder = split
    if isinstance(encoder, PretrainedScores):
        names = ("step_s", "cache_dir", "n_jobs", "on_error", "verbose")
        options = {name: getattr(encoder, name) for name in names}
        encoder = EmbeddingEncoder(encoder.encoder_, **options)
        encoder.encoder.check_output("embedding")
    return pooled(encoder.transform(transform(steps, X)))


def pooled(embeddings):
    """Return one vector for each row, of `Windows` their mean."""
    return embeddings.pool() if isinstance(embeddings, Windows) else embeddings


def transform(steps, X):
    """Take X through transformers that need no fit, or are fitted."""
    for step in steps:
        X = step.transform(X)
    return X


def take_row(X, row):
    """Return X with one of its rows only.

    Raises
    ------
    ValueError
        If there is no such row.
    """
    n_rows = _num_samples(X)
    if not isinstance(row, Integral) or not -n_rows <= row < n_rows:
        raise ValueError(
            f"row={row!r} must be a whole number from 0 to {n_rows - 1}: X has "
            f"{counted(n_rows, 'row')}."
        )
    return _safe_indexing(X, [int(row) % n_rows])


def check_readable(X):
    """Raise an error if the one row of `Spectrograms` could not be read."""
    if X.n_segments == 0:
        reason = X.errors["error"].iloc[0] if len(X.errors) else "it holds nothing"
        raise ValueError(
            f"The row of {X.paths[0]} could not be read: {reason} Choose another row."
        )


def row_start(X):
    """Return the second of the recording at which the one row of X starts."""
    start = float(X.rows["start"].iloc[0]) if "start" in X.rows else 0.0
    return 0.0 if np.isnan(start) else start


def find_species(net, species):
    """Return the column of a species, given by name or by number.

    Raises
    ------
    ValueError
        If the network does not know it.
    """
    names = list(net.species_)
    if species in names:
        return names.index(species)
    if isinstance(species, Integral) and 0 <= species < len(names):
        return int(species)
    raise ValueError(
        f"species={species!r} is not among the {len(names)} that the network knows, "
        f"such as {names[:5]}; species_ lists them."
    )


@dataclass(frozen=True)
class Segment:
    """One segment of a row, as a network sees it.

    Attributes
    ----------
    spectrograms : Spectrograms
        The row.
    number : int
        Number of the segment within the row.
    column : int
        Column of the species.
    species : str
        Name of the species.
    probability : float
        Probability of the species in this segment.
    """

    spectrograms: object
    number: int
    column: int
    species: str
    probability: float

    @property
    def decibel(self):
        """The spectrogram, (n_mels, n_frames) float32, not normalised."""
        return self.spectrograms.segments([self.number])[0].T.astype(np.float32)

    @property
    def title(self):
        """The file, the species and its probability, as figures are headed."""
        recording = str(self.spectrograms.paths[0]).rpartition("/")[2]
        return f"{recording}: {self.species}, probability {self.probability:.2f}"

    @property
    def start_s(self):
        """Second of the recording at which the segment starts."""
        within = self.spectrograms.segment_starts[self.number]
        return row_start(self.spectrograms) + within


def choose_segment(estimator, X, row, species, segment):
    """Choose a segment of a row, and a species.

    Parameters
    ----------
    estimator : network, or Pipeline that ends with one
    X : what the estimator predicts
    row : int
    species : str, int or None
        None chooses the likeliest.
    segment : int or None
        None chooses that in which the species is likeliest.

    Returns
    -------
    net : SegmentNet
    chosen : Segment
    """
    steps, net = split_network(estimator)
    spectrograms = as_spectrograms(transform(steps, take_row(X, row)))
    check_readable(spectrograms)
    proba = segment_proba(net, spectrograms)
    if species is None:
        column = int(proba.max(axis=0).argmax())
    else:
        column = find_species(net, species)
    n_segments = len(proba)
    if segment is None:
        segment = int(proba[:, column].argmax())
    elif not 0 <= segment < n_segments:
        raise ValueError(
            f"segment={segment!r} must lie from 0 to {n_segments - 1}: the row has "
            f"{counted(n_segments, 'segment')}."
        )
    name, probability = str(net.species_[column]), float(proba[segment, column])
    return net, Segment(spectrograms, segment, column, name, probability)


def segment_proba(net, X):
    """Return the probability of each species in each segment."""
    from skbird.nn import map_segments, spectrograms_for

    with evaluating(net.module_):
        logits = map_segments(net, spectrograms_for(net, X), net.module_)
    return expit(logits)
