"""Which rows to label next, so that few labels teach most.

A query chooses rows of a pool; `ActiveLearner` is the loop around it: it asks, takes
the answers, trains again, and says when to stop.
"""

from skbird.active._active_learner import ActiveLearner
from skbird.active._cluster_query import ClusterQuery
from skbird.active._core_set_query import CoreSetQuery
from skbird.active._query import Query
from skbird.active._random_query import RandomQuery
from skbird.active._rare_species_query import RareSpeciesQuery
from skbird.active._typiclust_query import TypiClustQuery
from skbird.active._uncertainty_query import UncertaintyQuery
from skbird.utils._public import set_public_module

__all__ = [
    "ActiveLearner",
    "ClusterQuery",
    "CoreSetQuery",
    "Query",
    "RandomQuery",
    "RareSpeciesQuery",
    "TypiClustQuery",
    "UncertaintyQuery",
]
set_public_module(globals())
