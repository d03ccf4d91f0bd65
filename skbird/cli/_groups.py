"""Which recordings are trained on, or held out, together."""

_AUTHOR = "author"
_NAMED = 3


def group_rows(X, settings, share):
    """Return the group of each row, and what the groups are.

    Parameters
    ----------
    X : DataFrame
    settings : Settings
    share : float
        Share of the rows that are held out at a time.

    Returns
    -------
    groups : ndarray of shape (n_rows,), object
        Names. Copies of a recording are in one group.
    by : str
    """
    from skbird.model_selection import leak_groups

    column, note = settings.groups, ""
    if column is None:
        column, note = _find_authors(X, share)
    numbers = leak_groups(X, author=column, date=None)
    names = X["path"].astype(str)
    if column is not None:
        known = _known(X[column])
        names = X[column].astype(str).str.strip().where(known, names)
        if not known.all():
            n_alone = (~known).sum()
            note = f" (unknown in {n_alone} of {len(X)} rows, which stand alone)"
    names = names.groupby(numbers).transform(_name_group)
    return names.to_numpy(dtype=object), f"{column or 'recording'}{note}"


def _find_authors(X, share):
    """Return the column of recordists; or None, and why they are not gone by."""
    missing = f"there is no column {_AUTHOR!r}"
    if _AUTHOR in X:
        authors = X[_AUTHOR][_known(X[_AUTHOR])].astype(str).str.strip()
        n_authors, n_wanted = authors.nunique(), 2 / share
        if n_authors >= n_wanted:
            return _AUTHOR, ""
        missing = f"the column {_AUTHOR!r} is empty"
        if n_authors:
            too_few = f"{n_authors} of them, and {n_wanted:.0f} are needed"
            return None, f" (too few recordists: {too_few}; figures may be too good)"
    return None, f" (recordists are not known: {missing}; figures may be too good)"


def _known(column):
    return column.astype("string").str.strip().fillna("").ne("").astype(bool)


def _name_group(names):
    """Return what to call a group; copies may tie several of the named together."""
    names = list(names.unique())
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more
