"""Parameters are called what the glossary in the docstring of `skbird` calls them."""

import inspect
import re

import pytest
from public_names import public_callables, signature_of

import skbird

CALLABLES = public_callables()
#: (name, parameter) that is called otherwise, and why that is right.
EXCEPTIONS = {
    **dict.fromkeys(
        [
            ("skbird.data.Recordings", "rows"),
            ("skbird.data.Spectrograms", "rows"),
            ("skbird.encoders.Windows", "rows"),
        ],
        "the row table itself, which X becomes",
    ),
    ("skbird.data.Spectrograms.read", "rows"): "numbers of rows",
    ("skbird.active.ActiveLearner.teach", "rows"): "numbers of rows",
    ("skbird.encoders.Windows.stacked", "rows"): "numbers of rows",
    ("skbird.datasets.make_birdclef", "random_state"): "what is written is found again",
    ("skbird.datasets.make_survey", "random_state"): "truth that others compare with",
}
#: Methods whose parameters scikit-learn and skorch name.
NAMED_BY_OTHERS = re.compile(
    r"\.(fit|fit_transform|partial_fit|score|split|get_n_splits|get_loss|on_\w+)$"
)
#: What reads audio uses all cores; the rest follows scikit-learn.
READS_AUDIO = {
    "skbird.datasets.make_birdclef",
    "skbird.encoders.EmbeddingEncoder",
    "skbird.encoders.PretrainedScores",
    "skbird.model_selection.find_leaks",
    "skbird.preprocessing.LogMel",
    "skbird.reports.describe_errors",
    "skbird.reports.describe_recordings",
    "skbird.survey.mark_unusable",
}
#: The same parameter may be inherited by classes in the room of another.
PARAMETERS = [
    (name, parameter)
    for name, member in CALLABLES.items()
    if signature_of(member) is not None
    for parameter in signature_of(member).parameters.values()
]


def lines_of_glossary():
    text = skbird.__doc__.partition("Names of parameters")[2]
    return [" ".join(line.split()) for line in re.split(r"\n- |\n\n", text)]


def forbidden():
    """Return a dict of each word that the glossary forbids to the line it is in."""
    words = {}
    for line in lines_of_glossary():
        for group in re.findall(r"\(not ([^)]*)\)", line):
            words |= dict.fromkeys(re.findall(r"``(\w+)``", group), line)
    return words


def places(names):
    return sorted(
        f"{name}({parameter.name})"
        for name, parameter in PARAMETERS
        if parameter.name in names and (name, parameter.name) not in EXCEPTIONS
    )


def defaults(parameter_name):
    return {
        name: parameter.default
        for name, parameter in PARAMETERS
        if parameter.name == parameter_name
        and parameter.default is not inspect.Parameter.empty
        and (name, parameter_name) not in EXCEPTIONS
    }


@pytest.mark.parametrize("word", sorted(forbidden()))
def test_no_parameter_has_a_word_that_the_glossary_forbids(word):
    assert places({word}) == [], forbidden()[word]


def test_the_glossary_forbids_what_was_once_said_in_several_ways():
    old = {"y_score", "probas", "paths", "top_k", "power", "share", "fmin"}
    assert old <= forbidden().keys()


def test_each_word_of_the_glossary_is_the_name_of_a_parameter():
    used = {parameter.name for _, parameter in PARAMETERS}
    for line in lines_of_glossary():
        words = re.match(r"((``\w+``(, )?)+):", line)
        for word in re.findall(r"``(\w+)``", words[1] if words else ""):
            assert word in used, line


def test_tables_of_species_are_y_only_where_others_name_them():
    found = [name for name, p in PARAMETERS if p.name == "y"]
    assert [name for name in found if not NAMED_BY_OTHERS.search(name)] == []


def test_names_are_spelled_as_scikit_learn_spells_them():
    british = re.compile(r"labell|normalis|summaris|optimis|initialis|colour|licen[c]e")
    found = {p.name for _, p in PARAMETERS} | {
        name.split(".")[-1] for name in CALLABLES
    }
    assert [name for name in sorted(found) if british.search(name)] == []


def test_predict_takes_rows_and_at_most_their_groups():
    predicts = {n: m for n, m in CALLABLES.items() if n.endswith(".predict")}
    del predicts["skbird.encoders.GeoModel.predict"]  # of places, not of rows
    for name, method in predicts.items():
        wanted = ["self", "X"]
        if "Reweighter" in name:
            wanted.append("groups")
        assert [*signature_of(method).parameters] == wanted, name


def test_what_reads_audio_uses_all_cores_and_what_fits_models_one():
    found = defaults("n_jobs")
    assert {name for name, value in found.items() if value == -1} == READS_AUDIO
    assert {found[name] for name in found.keys() - READS_AUDIO} == {None}


def test_verbose_is_an_int():
    for name, value in defaults("verbose").items():
        assert type(value) is int, name
        doc = re.search(r"verbose : (.*)", inspect.getdoc(CALLABLES[name]))
        assert doc[1] == f"int, default={value}", name


def test_nothing_is_seeded_unasked():
    assert set(defaults("random_state").values()) == {None}


def test_groups_may_be_a_column_where_there_is_an_x():
    for name, member in CALLABLES.items():
        names = signature_of(member) and [*signature_of(member).parameters]
        if not names or not {"X", "groups"} <= set(names):
            continue
        doc = re.search(r"groups : (.*)", inspect.getdoc(member) or "")
        assert doc is None or doc[1].startswith(("str or array-like", "ignored")), name


def test_train_is_the_numbers_of_rows():
    for name, member in CALLABLES.items():
        names = [*getattr(signature_of(member), "parameters", ())]
        assert ("train" in names) == ("test" in names), name
        if "train" in names:
            doc = re.search(r"train, test : (.*)", inspect.getdoc(member))
            assert doc[1] == "array-like of int", name


def test_histories_are_tables():
    for name, member in CALLABLES.items():
        doc = re.search(r"^history_ : (.*)", inspect.getdoc(member) or "", re.M)
        assert doc is None or doc[1].startswith("DataFrame"), name


def test_exceptions_are_still_there():
    found = {(name, parameter.name) for name, parameter in PARAMETERS}
    assert EXCEPTIONS.keys() <= found
