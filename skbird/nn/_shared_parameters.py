"""Parameters that several networks share, documented once."""

import inspect
import re

_TITLE = re.compile(r"^(\w[\w ]*)\n-+\n", re.MULTILINE)
_ENTRY = re.compile(r"\n(?=\S)")  # what belongs to an entry is indented


def with_parameters_of(other):
    """Complete a class that hands its ``**kwargs`` on to the parameters of another.

    Its signature and docstring get those of the other class as well, so that
    scikit-learn, ``help`` and notebooks see what they would see if all were written out
    again.

    Parameters
    ----------
    other : type
        Its docstring is in the form of numpydoc.

    Returns
    -------
    callable
        A decorator. What the class itself says of a parameter or an attribute stays.
    """

    def complete(cls):
        signature = _merge_signatures(cls, other)
        cls.__init__.__signature__ = signature
        if cls.__doc__:  # python -OO leaves them out
            cls.__doc__ = _merge_docstrings(cls, other, list(signature.parameters))
        return cls

    return complete


def _merge_signatures(cls, other):
    own, shared = (inspect.signature(c.__init__).parameters for c in (cls, other))
    leading = [
        parameter
        for name, parameter in own.items()
        if name not in shared or parameter.kind is parameter.POSITIONAL_OR_KEYWORD
    ]
    known = {parameter.name for parameter in leading}
    # In the order of the other class, with defaults of one's own.
    rest = [own.get(name, shared[name]) for name in shared if name not in known]
    return inspect.Signature(leading + rest)


def _merge_docstrings(cls, other, names):
    """Return the docstring of a class with the parameters `names` in this order."""
    own, shared = _sections(cls), _sections(other)
    parameters = _entries(shared, "Parameters") | _entries(own, "Parameters")
    attributes = _entries(shared, "Attributes") | _entries(own, "Attributes")
    in_order = [parameters[name] for name in names if name in parameters]
    head = own.pop("").rstrip()
    own["Parameters"] = "\n".join(in_order)
    own["Attributes"] = "\n".join(attributes.values())
    titles = dict.fromkeys(["Parameters", "Attributes", *own])
    texts = [f"{title}\n{'-' * len(title)}\n{own[title].rstrip()}" for title in titles]
    return "\n\n".join([head, *texts])


def _sections(cls):
    """Return the text of each section of a docstring, by title."""
    head, *rest = _TITLE.split(inspect.cleandoc(cls.__doc__))
    return {"": head, **dict(zip(rest[::2], rest[1::2], strict=True))}


def _entries(sections, title):
    """Return the entries of a list of parameters, by name."""
    entries = _ENTRY.split(sections.get(title, "").rstrip())
    return {entry.split()[0].strip("*"): entry for entry in entries if entry}
