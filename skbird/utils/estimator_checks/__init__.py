"""Checks that every estimator of skbird passes, and yours can too.

scikit-learn's own checks feed 2-D arrays; for estimators that take recordings hardly
any of them run. These make synthetic recordings and check on them what skbird
promises: rows stay as they are, answers depend on nothing but the row, fitting changes
neither the input nor later fits, pickles predict the same in a fresh process. The
checks of scikit-learn that need no input are run as well.

>>> from skbird.utils.estimator_checks import LevelClassifier, check_audio_estimator
>>> results = check_audio_estimator(LevelClassifier())

Each check is also a function, to call while you mend what it found:

>>> from skbird.preprocessing import Segmenter
>>> from skbird.utils.estimator_checks import check_keeps_rows
>>> check_keeps_rows(Segmenter(2.0))
"""

from skbird.utils._public import set_public_module
from skbird.utils.estimator_checks._data import CheckData
from skbird.utils.estimator_checks._level_classifier import LevelClassifier
from skbird.utils.estimator_checks._ops import (
    check_blocks,
    check_frozen_ops,
    check_measure_key,
    check_measured_series,
)
from skbird.utils.estimator_checks._rows import (
    check_containers,
    check_keeps_duration,
    check_keeps_rows,
    check_no_rows,
    check_row_order,
    check_segment_weights,
    check_subset_of_files,
    check_subset_of_rows,
    check_unreadable_rows,
)
from skbird.utils.estimator_checks._run import (
    check_audio_estimator,
    parametrize_with_audio_checks,
)
from skbird.utils.estimator_checks._state import (
    check_clone,
    check_fit_forgets,
    check_fit_returns_self,
    check_global_random_state,
    check_input_stays,
    check_params_stay,
    check_pickle,
    check_same_seed,
    check_set_params,
    check_unfitted,
)
from skbird.utils.estimator_checks._targets import (
    check_probabilities,
    check_score,
    check_soft_targets,
    check_species_columns,
    check_unknown_targets,
    check_unlabeled_rows,
)
from skbird.utils.estimator_checks._usage import (
    check_metadata_routing,
    check_pipeline,
    check_search,
    check_set_output,
    check_threads,
)

__all__ = [
    "CheckData",
    "LevelClassifier",
    "check_audio_estimator",
    "check_blocks",
    "check_clone",
    "check_containers",
    "check_fit_forgets",
    "check_fit_returns_self",
    "check_frozen_ops",
    "check_global_random_state",
    "check_input_stays",
    "check_keeps_duration",
    "check_keeps_rows",
    "check_measure_key",
    "check_measured_series",
    "check_metadata_routing",
    "check_no_rows",
    "check_params_stay",
    "check_pickle",
    "check_pipeline",
    "check_probabilities",
    "check_row_order",
    "check_same_seed",
    "check_score",
    "check_search",
    "check_segment_weights",
    "check_set_output",
    "check_set_params",
    "check_soft_targets",
    "check_species_columns",
    "check_subset_of_files",
    "check_subset_of_rows",
    "check_threads",
    "check_unfitted",
    "check_unknown_targets",
    "check_unlabeled_rows",
    "check_unreadable_rows",
    "parametrize_with_audio_checks",
]
set_public_module(globals())
