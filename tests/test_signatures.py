"""Docstrings list the parameters that there are, in order, with their defaults."""

import ast
import inspect
import re

from public_names import public_callables, signature_of

EMPTY = inspect.Parameter.empty
#: What skorch and scikit-learn call, and users do not; and what the module describes.
UNDESCRIBED = re.compile(
    r"_scorer$|\.on_\w+$|Classifier\.(infer|get_\w+|train_step\w*|partial_fit)$"
    r"|estimator_checks\.(check_|LevelClassifier\.)|\.(augment|apply)$"
)
CALLABLES = {
    name: member
    for name, member in public_callables().items()
    if signature_of(member) is not None
}


def own_parameters(member):
    """Return the parameters that a docstring has to describe, and their defaults."""
    stars = {
        inspect.Parameter.VAR_POSITIONAL: "*",
        inspect.Parameter.VAR_KEYWORD: "**",
    }
    return {
        stars.get(parameter.kind, "") + name: parameter.default
        for name, parameter in signature_of(member).parameters.items()
        if name not in ("self", "cls")
    }


def described_parameters(member):
    """Return the parameters of a docstring, each with the type and default it says.

    None if there is no such section.
    """
    section = re.search(
        r"^Parameters\n-{10}\n(.*?)(?=^\S[^\n]*\n---|\Z)",
        inspect.getdoc(member) or "",
        re.MULTILINE | re.DOTALL,
    )
    if section is None:
        return None
    found = {}
    for line in re.findall(r"^(\S.*)$", section[1].replace("\\\n", ""), re.MULTILINE):
        names, _, kind = line.partition(" : ")
        names = re.split(r",\s*", names)
        kind, _, said = kind.partition(", default=")
        # One line may have several parameters, and then the default of each.
        each = said.split(", ") if 1 < len(names) == len(said.split(", ")) else None
        for number, name in enumerate(names):
            found[name] = kind, each[number] if each else said
    return found


DESCRIBED = {
    name: described
    for name, member in CALLABLES.items()
    if (described := described_parameters(member)) is not None
}


def is_said(default, said):
    """Return whether a docstring says the default that a signature has."""
    try:
        return ast.literal_eval(said) == default
    except (ValueError, SyntaxError):
        pass
    if inspect.isclass(default):
        return said == default.__name__
    return said in (repr(default), f"{type(default).__name__}()")


def test_the_parameters_are_those_of_the_docstring_in_order():
    wrong = {
        name: ([*described], [*own_parameters(CALLABLES[name])])
        for name, described in DESCRIBED.items()
        if [*described] != [*own_parameters(CALLABLES[name])]
    }
    assert wrong == {}


def test_defaults_are_those_of_the_docstring():
    wrong = []
    for name, described in DESCRIBED.items():
        for parameter, default in own_parameters(CALLABLES[name]).items():
            kind, said = described.get(parameter, ("", ""))
            if default is EMPTY:
                is_right = said == ""
            elif said == "":  # "See ..." stands for a type and a default elsewhere
                is_right = kind in ("", "ignored")
            else:
                is_right = "factory" in repr(default) or is_said(default, said)
            if not is_right:
                wrong.append(f"{name}: {parameter}={default!r}, said to be {said!r}")
    assert wrong == []


def test_what_has_parameters_describes_them():
    lacking = [
        name
        for name, member in CALLABLES.items()
        if name not in DESCRIBED
        and own_parameters(member)
        and not UNDESCRIBED.search(name)
        and "Attributes\n----------" not in (inspect.getdoc(member) or "")
        and not (inspect.isclass(member) and issubclass(member, Exception))
    ]
    assert lacking == []


def test_everything_public_says_what_it_is():
    lacking = []
    for name, member in CALLABLES.items():
        first, _, _ = (inspect.getdoc(member) or "").partition("\n")
        if not first.endswith(".") or len(first.split()) < 3:
            lacking.append((name, first))
    assert lacking == []
