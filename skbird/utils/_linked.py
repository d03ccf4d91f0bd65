"""What links join, directly or by way of others."""

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components


def number_linked(first, second, n_things):
    """Give numbers to things, the same to those that links join.

    Parameters
    ----------
    first, second : ndarray of int, shape (n_links,)
        The two things of each link, in [0, n_things).
    n_things : int

    Returns
    -------
    ndarray of int, shape (n_things,)

    Examples
    --------
    >>> import numpy as np
    >>> from skbird.utils._linked import number_linked
    >>> number_linked(np.array([0, 3]), np.array([2, 2]), 4).tolist()
    [0, 1, 0, 0]
    """
    # SciPy before 1.12 takes graphs of 32-bit numbers only; of others it returns
    # nonsense, with no more than a line on stderr.
    ends = first.astype(np.int32), second.astype(np.int32)
    graph = coo_array((np.ones(len(first)), ends), shape=(n_things, n_things))
    return connected_components(graph, directed=False)[1]
