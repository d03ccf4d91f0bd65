"""Say something on standard error, and not again."""

import sys
from weakref import WeakKeyDictionary

# By stream: what was said where nobody reads it is not said yet.
_said = WeakKeyDictionary()


def say_once(text):
    """Print a text to standard error, unless it was printed there before.

    Parameters
    ----------
    text : str
        What does not print, such as commands to a terminal, becomes a space.
    """
    seen = "".join(c if c.isprintable() else " " for c in text)
    if sys.stderr is not None and seen not in _said.setdefault(sys.stderr, set()):
        _said[sys.stderr].add(seen)
        print(seen, file=sys.stderr)
