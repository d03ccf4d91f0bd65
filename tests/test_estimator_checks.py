"""The battery over all public estimators, and what it catches."""

import importlib
import pkgutil

import pytest
from estimator_cases import ESTIMATORS

import skbird
from skbird.utils.estimator_checks import (
    parametrize_with_audio_checks,
)

# Public classes with a method `fit` that are no estimators for the battery, and why.
EXCUSED = {}
_BY_SKORCH = "skorch's nets set these attributes in __init__"
_OF_FILES = "looks at all rows of a file, by design"
BY_DESIGN = {
    "CNNClassifier": {"sklearn_check_no_attributes_set_in_init": _BY_SKORCH},
    "SEDClassifier": {"sklearn_check_no_attributes_set_in_init": _BY_SKORCH},
    "SoundscapeReweighter": {"check_subset_of_rows": _OF_FILES},
    "SoundscapeReweighterCV": {"check_subset_of_rows": _OF_FILES},
}


def public_estimators():
    """Yield the public classes with a `fit` of all public modules."""
    for module in pkgutil.walk_packages(skbird.__path__, "skbird."):
        if "._" in module.name:
            continue
        namespace = importlib.import_module(module.name)
        for name in getattr(namespace, "__all__", ()):
            item = getattr(namespace, name)
            if isinstance(item, type) and callable(getattr(item, "fit", None)):
                yield item


def test_every_public_estimator_is_checked_or_excused():
    checked = {type(estimator) for estimator in ESTIMATORS}
    assert {
        cls for cls in public_estimators() if cls.__name__ not in EXCUSED
    } == checked


def expected_failed_checks(estimator):
    return BY_DESIGN.get(type(estimator).__name__, {})


@pytest.mark.filterwarnings("ignore:.*occurred during set_params:UserWarning")
@parametrize_with_audio_checks(
    ESTIMATORS, expected_failed_checks=expected_failed_checks
)
def test_audio_estimator(check):
    check()
