"""The battery over all public estimators, and what it catches."""

import importlib
import multiprocessing
import os
import pkgutil
import subprocess
import sys
from collections import Counter
from concurrent.futures.process import BrokenProcessPool

import pytest
from broken_promises import MUTATIONS, break_promise
from estimator_cases import ESTIMATORS
from forks import started

import skbird
from skbird.utils import _process_folder, estimator_checks
from skbird.utils.estimator_checks import (
    CheckData,
    LevelClassifier,
    _fresh_process,
    check_audio_estimator,
    parametrize_with_audio_checks,
)
from skbird.utils.estimator_checks._fresh_process import answers_in_fresh_process

# Public classes with a method `fit` that are no estimators for the battery, and why.
EXCUSED = {
    "ClipTransformer": "a base",
    "PostProcessor": "a base",
    "ThresholdFromReviews": "learns from reviews, not from rows; test_review",
}
_BY_SKORCH = "skorch's nets set these attributes in __init__"
_FROM_UNLABELLED = "learns from unlabelled rows"
_OF_FILES = "looks at all rows of a file, by design"
_WITHOUT_SPECIES = "writes weights; a Pipeline would hand it labels as embeddings"
#: Estimators that are alike: one mutation breaks one of them, the next another.
KINDS = (
    ("Resampler", "BandPass", "Segmenter"),
    ("VADFilter", "RMSFilter"),
    ("CNNClassifier", "SEDClassifier"),
    ("CompiledNetwork", "CompiledPipeline"),
    ("HearingProbeClassifier", "HearingAttentionProbe"),
    ("MultilabelCalibrator", "ThresholdTuner", "ConformalClassifier"),
    ("SoundscapeReweighter", "SoundscapeReweighterCV"),
    ("SeedEnsemble", "FoldEnsemble", "MultilabelVotingClassifier"),
)
BY_DESIGN = {
    "CNNClassifier": {"sklearn_check_no_attributes_set_in_init": _BY_SKORCH},
    "SEDClassifier": {"sklearn_check_no_attributes_set_in_init": _BY_SKORCH},
    "EmbeddingDistillation": {
        "sklearn_check_no_attributes_set_in_init": _BY_SKORCH,
        "check_pipeline": _WITHOUT_SPECIES,
        "check_search": _WITHOUT_SPECIES,
    },
    "PseudoLabelSelfTraining": {"check_unlabeled_rows": _FROM_UNLABELLED},
    "SoundscapeReweighter": {"check_subset_of_rows": _OF_FILES},
}


BY_NAME = {type(estimator).__name__: estimator for estimator in ESTIMATORS}


@pytest.mark.slow
@pytest.mark.parametrize("killed", [False, True], ids=["end", "kill"])
def test_recordings_go_with_the_process_or_the_next(killed, tmp_path):
    code = (
        f"import os, tempfile; tempfile.tempdir = {str(tmp_path)!r}\n"
        "from skbird.utils.estimator_checks import CheckData; CheckData()"
    )
    if killed:
        started(exec, f"{code}; os._exit(0)").join()
    else:
        subprocess.run([sys.executable, "-c", code], check=True)
    left = list(tmp_path.glob("skbird-checks-*"))
    assert len(left) == (1 if killed else 0)
    make = _process_folder._make_folder.__wrapped__  # as in two processes
    folders = {make("skbird-checks-", str(tmp_path), k) for k in range(2)}
    assert len(folders) == 2  # the second spares the first
    assert set(tmp_path.glob("skbird-checks-*")) == folders


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


def skbird_class(estimator):
    """Return the class of an estimator, or what it is derived from in tests."""
    mro = type(estimator).__mro__
    return next(cls for cls in mro if cls.__module__.startswith("skbird."))


def test_every_public_estimator_is_checked_or_excused():
    checked = {skbird_class(estimator) for estimator in ESTIMATORS}
    public = {cls for cls in public_estimators() if cls.__name__ not in EXCUSED}
    assert public == checked


def expected_failed_checks(estimator):
    return BY_DESIGN.get(type(estimator).__name__, {})


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*occurred during set_params:UserWarning")
@parametrize_with_audio_checks(
    ESTIMATORS, expected_failed_checks=expected_failed_checks
)
def test_audio_estimator(check):
    check()


def of_each_kind(broken, turn):
    """Name the estimators that a mutation breaks; of a kind one, in turn."""
    names = [name for name, one in BY_NAME.items() if broken.applies(one)]
    # What breaks other networks breaks it, too.
    left_out = {"EmbeddingDistillation"}
    for kind in KINDS:
        alike = [name for name in kind if name in names]
        left_out |= {name for k, name in enumerate(alike) if k != turn % len(alike)}
    return [name for name in names if name not in left_out]


def cases():
    """Yield mutations and estimators; of a mutation all but two are for thorough runs.

    The two are those that were chosen least for the mutations before.
    """
    times_chosen = Counter()
    for turn, (mutation, broken) in enumerate(MUTATIONS.items()):
        names = of_each_kind(broken, turn)
        chosen = sorted(names, key=times_chosen.__getitem__)[:2]
        times_chosen.update(chosen)
        for name in names:
            marks = [] if name in chosen else [pytest.mark.thorough]
            yield pytest.param(mutation, name, marks=marks)


def run_check(mutation, name):
    """Run the check that must find a mutation on a mutated estimator."""
    check = getattr(estimator_checks, MUTATIONS[mutation].check)
    check(break_promise(mutation, BY_NAME[name]))


@pytest.mark.slow
@pytest.mark.parametrize(("mutation", "estimator"), [*cases()], ids=str)
def test_a_broken_promise_is_found(mutation, estimator):
    match = MUTATIONS[mutation].match
    with pytest.raises(AssertionError, match=rf"(?s)breaks a promise.*Seen: .*{match}"):
        run_check(mutation, estimator)


def test_each_check_finds_something():
    found = {mutation.check for mutation in MUTATIONS.values()}
    names = {name for name in estimator_checks.__all__ if name.startswith("check_")}
    assert names - found == {"check_audio_estimator"}


def test_an_error_names_estimator_promise_and_what_was_seen():
    with pytest.raises(AssertionError) as caught:
        run_check("drops the last row", "LogMel")
    assert str(caught.value) == (
        "DropsTheLastRowLogMel breaks a promise.\n"
        "  check_keeps_rows: As many rows come out as go in.\n"
        "  Seen: transform of 12 rows returned 11."
    )


@pytest.mark.slow
def test_results_tell_what_passed_failed_and_was_skipped():
    broken = break_promise("drops the last row", BY_NAME["Segmenter"])
    reasons = {"check_row_order": "loses rows"}
    results = check_audio_estimator(
        broken, expected_failed_checks=reasons, on_fail=None
    )
    status = {result["check_name"]: result["status"] for result in results}
    assert status["check_keeps_rows"] == "failed"
    assert status["check_row_order"] == "xfail"
    assert status["check_probabilities"] == "skipped"
    assert status["sklearn_check_estimator_repr"] == "passed"
    with pytest.raises(AssertionError, match="breaks a promise"):
        check_audio_estimator(broken)
    with pytest.warns(UserWarning, match="As many rows come out as go in"):
        check_audio_estimator(broken, on_fail="warn")


def test_unknown_names_of_checks_are_refused():
    with pytest.raises(ValueError, match=r"names \['check_nothing'\]; the checks are"):
        check_audio_estimator(
            LevelClassifier(), expected_failed_checks={"check_nothing": ""}
        )
    with pytest.raises(ValueError, match=r"on_fail='stop' must be 'raise', 'warn'"):
        check_audio_estimator(LevelClassifier(), on_fail="stop")


def test_nothing_is_forked_where_a_gpu_is(monkeypatch):
    """A GPU that was asked for before a fork is out of use after it."""
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    methods = multiprocessing.get_all_start_methods()
    forks = "forkserver" if "forkserver" in methods else "spawn"
    assert _fresh_process._start_method() == forks
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    assert _fresh_process._start_method() == "spawn"
    monkeypatch.delitem(sys.modules, "torch")  # nothing here can use a GPU
    assert _fresh_process._start_method() == forks


@pytest.mark.slow
def test_processes_that_are_not_forked_know_the_pickle_alone(monkeypatch):
    monkeypatch.setattr(_fresh_process, "_start_method", lambda: "spawn")
    match = MUTATIONS["keeps state in the class"].match
    with pytest.raises(AssertionError, match=rf"(?s)Seen: .*{match}"):
        run_check("keeps state in the class", "LogMel")
    data = CheckData()
    fitted = LevelClassifier().fit(data.X, data.Y)
    assert answers_in_fresh_process(fitted, data.X[:2])


class Deadly(LevelClassifier):
    """Kills the process that asks it."""

    def __setstate__(self, state):
        os._exit(1)


@pytest.mark.slow
def test_a_killed_process_costs_no_other_estimator():
    data = CheckData()
    X = data.X[:2]
    with pytest.raises(BrokenProcessPool, match="terminated"):
        answers_in_fresh_process(Deadly().fit(data.X, data.Y), X)
    assert answers_in_fresh_process(LevelClassifier().fit(data.X, data.Y), X)
