"""Combine several classifiers into one.

``VotingClassifier`` in ``sklearn.ensemble`` refuses targets with several labels. These
meta-estimators take them, fit whole pipelines and combine their probabilities: of
different pipelines, of one pipeline with several seeds, of the folds of a
cross-validation. The maths is there as functions too, for predictions that are at hand
already. To average the weights of networks in place of their predictions, see
``skbird.nn.soup``.
"""

from skbird.ensemble._combine import combine_proba
from skbird.ensemble._fold_ensemble import FoldEnsemble
from skbird.ensemble._seed_ensemble import SeedEnsemble
from skbird.ensemble._voting import MultilabelVotingClassifier
from skbird.ensemble._weights import fit_weights
from skbird.utils._public import set_public_module

__all__ = [
    "FoldEnsemble",
    "MultilabelVotingClassifier",
    "SeedEnsemble",
    "combine_proba",
    "fit_weights",
]
set_public_module(globals())

# For the other rooms; not public.
from skbird.ensemble._proba_ensemble import ProbaEnsemble
