"""Recognise species in wildlife recordings with scikit-learn pipelines.

The rooms, each a subpackage:

- :mod:`skbird.audio`: sound files, whatever their format
- :mod:`skbird.data`: what X and Y are
- :mod:`skbird.datasets`: recordings and labels from disk, and synthetic ones
- :mod:`skbird.preprocessing`: from paths to spectrograms
- :mod:`skbird.nn`: networks and how they are trained
- :mod:`skbird.recipes`: whole pipelines by name
- :mod:`skbird.compose`: call types as classes
- :mod:`skbird.semi_supervised`: learning from recordings without labels
- :mod:`skbird.ensemble`: several models
- :mod:`skbird.postprocessing`: reweighting, calibration, thresholds
- :mod:`skbird.model_selection`: splits that do not leak, scores with intervals
- :mod:`skbird.metrics`: scores and tables, species by species
- :mod:`skbird.inspection`: what was learnt, drawn
- :mod:`skbird.reports`: pages about recordings and errors
- :mod:`skbird.inference`: prediction without torch, and model files
- :mod:`skbird.archive`: prediction of archives of any size
- :mod:`skbird.annotations`: files of other programs, in and out
- :mod:`skbird.base`: base classes for classifiers of one's own
- :mod:`skbird.cli`: the command line
- :mod:`skbird.utils`: checks for estimators of one's own

Importing ``skbird`` loads none of them and needs no torch: each is loaded when it is
first used.
"""

import lazy_loader

__version__ = "0.1.0.dev0"

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=[
        "annotations",
        "archive",
        "audio",
        "base",
        "cli",
        "compose",
        "data",
        "datasets",
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
        "semi_supervised",
        "utils",
    ],
)
__all__ += ["__version__"]
