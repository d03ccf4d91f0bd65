import warnings
from collections.abc import Mapping

import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.utils.validation import check_is_fitted

from skbird.base import MultilabelMixin
from skbird.data import as_recordings
from skbird.encoders._embedding_encoder import EmbeddingEncoder
from skbird.encoders._encoder_step import EncoderStepMixin, warn_of_errors
from skbird.encoders._heard_rows import HeardRows
from skbird.encoders._probe_classifier import ProbeClassifier
from skbird.encoders._windows import compute_windows
from skbird.utils._names import match_names
from skbird.utils._params import THRESHOLD, check_list
from skbird.utils._rows import check_targets
from skbird.utils._sklearn_compat import HasMethods, StrOptions
from skbird.utils._weights import check_label_weight

_NAMED = 5  # species that a warning spells out


class PretrainedScores(EncoderStepMixin, MultilabelMixin, BaseEstimator):
    """The classes of a pretrained model as a classifier: nothing need be trained.

    `fit` finds the species of Y among the classes of the model by their scientific
    names; `predict_proba` returns the model's own probabilities of them. So
    ``cross_val_score`` compares it with a probe and a network on the same folds, and
    ensembles, calibration, thresholds, reweighting and self-training work around it.

    Parameters
    ----------
    encoder : str, path or Encoder, default="birdnet-2.4"
        A model with scores; see :func:`load_encoder`.
    species : list of str, default=None
        The species to predict where `fit` gets no Y. None: all classes of the model.
    names : mapping, default=None
        The scientific name of each species whose column of Y has another name, such as
        the eBird codes of BirdCLEF: ``dict(zip(taxonomy.primary_label,
        taxonomy.scientific_name))``. Those without an entry are taken as they are.
        Case, blanks and underscores do not matter.
    unmatched : {"probe", "nan"} or classifier, default="probe"
        What species get that the model does not know: an estimate by a classifier that
        is trained on the embeddings of the rows of `fit`, `ProbeClassifier` or another;
        or NaN. A warning names them.
    pooling : {"max", "mean"}, default="max"
        How the windows of a row become one probability.
    step_s : float > 0, default=None
        See :class:`EmbeddingEncoder`, as for the parameters below.
    cache_dir : str, path or None, default=None
    n_jobs : int in [-1000, 1000] or None, default=-1
    on_error : {"raise", "skip"}, default="raise"
    verbose : int, default=1
    threshold : float or array-like of shape (n_species,), default=0.5
        Probability from which `predict` says that a species is present.

    Attributes
    ----------
    species_ : ndarray of shape (n_species,)
        The columns of Y, or the classes of the model.
    classes_ : ndarray of shape (n_species, 2)
        [0, 1] for each species.
    matched_ : ndarray of shape (n_species,), bool
        Which of them the model knows.
    encoder_ : Encoder
        The model.

    See Also
    --------
    EmbeddingEncoder : Features for classifiers of your own.

    Examples
    --------
    >>> import numpy as np, soundfile, tempfile
    >>> from pathlib import Path
    >>> from skbird.encoders import EncoderOutput, EncoderSpec, PretrainedScores
    >>> from skbird.encoders import load_encoder
    >>> path = Path(tempfile.mkdtemp()) / "toad.wav"
    >>> soundfile.write(path, np.full(8000 * 5, 0.5), 8000)
    >>> names = ["Bufo bufo", "Rana arvalis"]
    >>> outputs = {"scores": EncoderOutput(0, [2])}
    >>> spec = EncoderSpec("levels", "1", 8000, 2.0, outputs, class_names=names)
    >>> def levels(windows):
    ...     loud = np.abs(windows).mean(axis=1)
    ...     return {"scores": np.column_stack([loud, 1 - loud])}
    >>> model = PretrainedScores(load_encoder(levels, spec), species=["Rana arvalis"])
    >>> model.fit([path]).predict_proba([path])
    array([[0.5]], dtype=float32)
    """

    _parameter_constraints: dict = {
        **EncoderStepMixin._parameter_constraints,
        "species": ["array-like", None],
        "names": [Mapping, None],
        "unmatched": [
            StrOptions({"probe", "nan"}),
            HasMethods(["fit", "predict_proba"]),
        ],
        "pooling": [StrOptions({"max", "mean"})],
        "threshold": THRESHOLD,
    }

    def __init__(
        self,
        encoder="birdnet-2.4",
        *,
        species=None,
        names=None,
        unmatched="probe",
        pooling="max",
        step_s=None,
        cache_dir=None,
        n_jobs=-1,
        on_error="raise",
        verbose=1,
        threshold=0.5,
    ):
        self.encoder = encoder
        self.species = species
        self.names = names
        self.unmatched = unmatched
        self.pooling = pooling
        self.step_s = step_s
        self.cache_dir = cache_dir
        self.n_jobs = n_jobs
        self.on_error = on_error
        self.verbose = verbose
        self.threshold = threshold

    def fit(self, X=None, y=None, sample_weight=None, label_weight=None):
        """Find the species among the classes of the model.

        Parameters
        ----------
        X : sequence of paths, DataFrame with a column ``path``, or Recordings
            The rows. They are heard only if there are species that the model does not
            know, and `unmatched` is not "nan". None where there is no y either.
        y : DataFrame or array-like of shape (n_rows, n_species), default=None
            Its columns name the species; an array's columns are `species`.
        sample_weight : array of shape (n_rows,), default=None
            For the classifier of the species that the model does not know.
        label_weight : array of shape (n_rows, n_species), default=None
            For the same.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If the model has no scores, its classes have no names, or no species is
            known to it.
        """
        recordings = self._open_for(X, y, "scores")
        shape = None if y is None else check_targets(recordings, y)
        species = self._wanted(y)
        if y is not None:
            label_weight = check_label_weight(label_weight, shape, species)
        place = self._places(species)
        self.matched_ = np.array([name in place for name in species], dtype=bool)
        self.columns_ = np.array([place.get(name, -1) for name in species], dtype=int)
        self.species_ = np.array(species, dtype=object)
        self.classes_ = np.tile([0, 1], (len(species), 1))
        self._fit_probe(recordings, y, sample_weight, label_weight)
        return self

    def predict_proba(self, X):
        """Predict the probability of each species.

        Parameters
        ----------
        X : sequence of paths, DataFrame with a column ``path``, or Recordings
            The rows.

        Returns
        -------
        ndarray of shape (n_rows, n_species), float32
            In [0, 1]. NaN in rows that could not be read, and for species that nothing
            is known of.
        """
        check_is_fitted(self, "species_")
        recordings = as_recordings(X)
        known = tuple(self.columns_[self.matched_].tolist())
        proba = np.full((len(recordings), len(self.species_)), np.nan, np.float32)
        if known:
            windows = compute_windows(
                recordings,
                self.encoder_,
                "scores",
                columns=known,
                probabilities=True,
                step="PretrainedScores",
                at_predict=True,
                **self._options,
            )
            warn_of_errors(windows)
            proba[:, self.matched_] = windows.pool(self.pooling)
        if self.probe_ is not None:
            # What was learned stays; what to do about bad rows may have changed.
            self.probe_.encoder.set_params(**self._options)
            proba[:, ~self.matched_] = self.probe_.predict_proba(recordings)
        return proba

    def row_errors(self, X):
        """Say which rows cannot be used, and why.

        Parameters
        ----------
        X : sequence of paths, DataFrame with a column ``path``, or Recordings
            The rows, such as those that `predict_proba` gives NaN.

        Returns
        -------
        DataFrame
            Columns ``row``, ``path``, ``error``: those of `on_error` "skip".
        """
        check_is_fitted(self, "species_")
        step = EmbeddingEncoder(self.encoder_, output="scores", **self._options)
        return step.row_errors(X)

    def _wanted(self, y):
        names = self.encoder_.class_names
        if not names:
            raise ValueError(
                f"Nothing says which classes the scores of {self.encoder_.spec.name} "
                "are of. Give class_names or labels_file in its spec."
            )
        columns = getattr(y, "columns", None)
        if columns is None:
            columns = names if self.species is None else self.species
        species = check_list(columns, "species")
        if y is not None and np.shape(y)[1] != len(species):
            raise ValueError(
                f"y has {np.shape(y)[1]} columns without names for {len(species)} "
                "species. Pass a DataFrame whose columns name them, or species=[...]."
            )
        if y is not None and columns is names:
            warnings.warn(
                f"The columns of y have no names; they are taken for the classes of "
                f"{self.encoder_.spec.name} in its order: {', '.join(species[:3])}, "
                "... Pass a DataFrame, or species=[...]: cross_val_predict takes the "
                "names away.",
                stacklevel=3,
            )
        return species

    def _places(self, species):
        """Return at which place the model has each species that it knows."""
        names = self.encoder_.class_names
        first = {}
        for place, name in enumerate(names):
            first.setdefault(name, place)
        given = self.names or {}
        meant = {one: str(given.get(one, one)) for one in species}
        matched = match_names(meant.values(), first)
        return {one: first[matched[m]] for one, m in meant.items() if m in matched}

    def _fit_probe(self, recordings, y, sample_weight, label_weight):
        self.probe_ = None
        lacking = self.species_[~self.matched_]
        if not len(lacking):
            return
        shown = ", ".join(map(str, lacking[:_NAMED]))
        more = f" and {len(lacking) - _NAMED} more" if len(lacking) > _NAMED else ""
        can_learn = y is not None and self.unmatched != "nan"
        can_learn &= "embedding" in self.encoder_.spec.outputs
        if not can_learn and not self.matched_.any():
            raise ValueError(
                f"{self.encoder_.spec.name} knows none of the species {shown}{more}. "
                "Pass names={column: scientific name}."
            )
        warnings.warn(
            f"{self.encoder_.spec.name} does not know {shown}{more}: they get "
            + ("an estimate of a probe." if can_learn else "NaN.")
            + " Pass names={column: scientific name} if it calls them otherwise.",
            stacklevel=3,
        )
        if can_learn:
            labels = (
                y.loc[:, lacking]
                if hasattr(y, "loc")
                else np.asarray(y)[:, ~self.matched_]
            )
            given = {"sample_weight": sample_weight, "label_weight": label_weight}
            weights = {name: w for name, w in given.items() if w is not None}
            if "label_weight" in weights:
                weights["label_weight"] = label_weight[:, ~self.matched_]
            self.probe_ = self._probe().fit(recordings, labels, **weights)

    def _probe(self):
        """Return a pipeline from rows to the species that the model does not know."""
        head = ProbeClassifier() if self.unmatched == "probe" else clone(self.unmatched)
        return HeardRows(EmbeddingEncoder(self.encoder_, **self._options), head)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = False
        tags.target_tags.multi_output = True
        tags.target_tags.single_output = False
        return tags
