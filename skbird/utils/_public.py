"""Make public objects carry their public address."""


def set_public_module(namespace):
    """Set ``__module__`` of all names in ``__all__`` to the package that exports them.

    Pickles then name the public path, so that the private files are free to move.

    Parameters
    ----------
    namespace : dict
        ``globals()`` of the package's ``__init__``.
    """
    for name in namespace["__all__"]:
        namespace[name].__module__ = namespace["__name__"]
