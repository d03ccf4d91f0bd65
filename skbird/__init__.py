"""Recognise species in wildlife recordings with scikit-learn pipelines.

The rooms, each a subpackage:

- :mod:`skbird.audio`: sound files of any format
- :mod:`skbird.data`: the tables X and Y, lazy recordings, spectrograms
- :mod:`skbird.datasets`: recordings and labels from disk, and synthetic ones
- :mod:`skbird.preprocessing`: from paths to spectrograms
- :mod:`skbird.encoders`: pretrained models of birds and other sounds
- :mod:`skbird.nn`: networks and how they are trained
- :mod:`skbird.recipes`: whole pipelines by name
- :mod:`skbird.compose`: call types as classes
- :mod:`skbird.semi_supervised`: learning from recordings without labels
- :mod:`skbird.active`: which rows to label next
- :mod:`skbird.ensemble`: several models voting
- :mod:`skbird.postprocessing`: reweighting, calibration, thresholds
- :mod:`skbird.model_selection`: splits that do not leak, scores with intervals
- :mod:`skbird.metrics`: scores and tables, species by species
- :mod:`skbird.inspection`: displays of predictions, errors and networks
- :mod:`skbird.reports`: HTML pages about recordings, errors and surveys
- :mod:`skbird.inference`: prediction without torch, and model files
- :mod:`skbird.archive`: prediction of archives of any size
- :mod:`skbird.review`: judging predictions by ear, and what follows from it
- :mod:`skbird.annotations`: read and write annotations of other programs
- :mod:`skbird.survey`: when and where it was recorded, effort, activity, histories
- :mod:`skbird.base`: base classes for classifiers of your own
- :mod:`skbird.cli`: the command line
- :mod:`skbird.utils`: checks for estimators of your own

Importing ``skbird`` loads none of them and needs no torch: each is loaded when it is
first used.

Names of parameters mean the same in every room. Each line has one; what it says in
brackets, after "not", is what the same thing must not be called.

Rows and what is known of them:

- ``X``: the rows: file paths, a row table, `Recordings` or `Spectrograms`
  (not ``rows``, ``paths``)
- ``Y``: a table of species (n_rows, n_species), truth or labels. Where scikit-learn
  gives the name it is ``y``: in ``fit``, ``score``, ``split`` and callbacks of skorch;
  metrics take ``y_true``
- ``proba``: probabilities of species (n_rows, n_species), or other scores where only
  their order counts; of several models, a list of them
  (not ``y_score``, ``y_prob``, ``probas``)
- ``species``: names of the columns of Y
- ``groups``: what rows have in common, such as their recordist or site: an array
  (n_rows,), or the name of a column where there is an X
- ``species_groups``: the class of animals (Aves, Amphibia, ...) of each species
- ``recording_ids``: which recording a row is from, whatever names or numbers say so
- ``train``, ``test``: numbers, or masks, of the rows that a model is trained and tested
  on, as splitters yield them. Never the rows themselves, which are ``X_train``
- ``train_predictions``: the pair ``(y_true, proba)`` of the rows trained on;
  ``train_embeddings`` their embeddings, beside ``soundscape_embeddings``
- ``sample_weight``, ``label_weight``, ``segment_weights``, ``window_weights``: of rows,
  of labels, of segments, of the windows of a pretrained model. ``weights`` without
  more are those of an ensemble's members, as in scikit-learn's ``VotingClassifier``;
  ``backbone_weights`` are a network's

Files:

- ``recordings``: audio files (not ``audio``)
- ``files``: other files that are read, such as annotations; ``path`` is one of any kind
- ``folder``: a folder of such files

Numbers that decide:

- ``threshold``: from which probability on a species counts as present, or in
  `VADFilter` human speech (not ``cutoff``). It is a parameter of the estimator:
  ``predict`` takes X, as in scikit-learn, and beside it ``groups`` where rows of a file
  are looked at together
- ``min_positives``: how many rows must have a species (not ``min_positive``)
- ``top_species``, ``top_rows``: how many of the highest, of what (not ``top_k``)
- ``level_power``, ``proba_power``, ``pacing_power``, ``class_power``,
  ``rating_power``: the exponent of what (not ``power``)
- ``level_share``, ``labeled_share``: the part of what (not ``share``)
- ``segment_s``, ``step_s``, ``block_s``, ``chunk_s``: seconds. Rows and segments are
  ``segment_s`` long; an archive is predicted and stored in blocks; a compiled pipeline
  works through chunks
- ``low_hz``, ``high_hz``: the edges of a band in Hz (not ``fmin``, ``fmax``)
- ``precision``: number format of a network, one of "float32", "bfloat16", "float16"
  and "auto" (not ``dtype``)

The same rule everywhere:

- ``n_jobs``: threads or processes, as in joblib. What reads audio uses all cores,
  ``n_jobs=-1``. What fits or runs models has scikit-learn's ``n_jobs=None``, which is
  one, or what `joblib.parallel_config` says: `predict_archive`, too, whose jobs are
  processes with a model each
- ``verbose``: an int; 0 shows nothing, 1 progress
- ``random_state``: None by default, which draws anew in each call. `make_birdclef` and
  `make_survey` alone begin with 0: what they make is found again by the next call
- Spelling is scikit-learn's: ``labeled``, ``normalize``, ``summarize``

Words in results and messages:

- held-out rows: rows that the model which predicts them was not trained on
- embedding: the vector of features in which a network sums up a row
- pooled: of segments, combined into one value of their row; of predictions, those of
  all folds, or of all species, ranked or counted together
- margin: the distance of a score from the threshold, a measure of confidence
- F score: the harmonic mean of precision and recall, weighted by ``beta``

What a call finds out is in what it returns (``Spectrograms.errors``), not in the
estimator; ``history_`` of what is trained in epochs or rounds is a DataFrame. The one
exception is ``CompiledPipeline.errors_``: probabilities have no place for it.
"""

import lazy_loader

__version__ = "0.2.0"

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=[
        "active",
        "annotations",
        "archive",
        "audio",
        "base",
        "cli",
        "compose",
        "data",
        "datasets",
        "encoders",
        "ensemble",
        "inference",
        "inspection",
        "metrics",
        "model_selection",
        "nn",
        "postprocessing",
        "preprocessing",
        "recipes",
        "reports",
        "review",
        "semi_supervised",
        "survey",
        "utils",
    ],
)
__all__ += ["__version__"]
