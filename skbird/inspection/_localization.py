"""Measures of how much of a map lies inside a region: array functions."""

import numpy as np

from skbird.inspection._axes import band_edges
from skbird.utils._params import as_floats


def energy_inside(maps, region):
    """Return the share of each map that lies inside a region.

    Parameters
    ----------
    maps : array of shape (n, ...)
        Values >= 0. A map of zeros counts as an even one.
    region : array of the same shape
        True (1) inside, False (0) outside; shares in [0, 1] for regions in part.

    Returns
    -------
    ndarray of shape (n,)
        In [0, 1].

    Raises
    ------
    ValueError
        If shapes differ, or a map is negative somewhere or NaN.

    References
    ----------
    Wang et al., "Score-CAM: Score-Weighted Visual Explanations for Convolutional
    Neural Networks", CVPR Workshops 2020, section 4.3: the energy-based pointing game.

    Examples
    --------
    >>> import numpy as np
    >>> from skbird.inspection import energy_inside
    >>> energy_inside([[[1, 3], [0, 0]]], [[[False, True], [False, True]]])
    array([0.75])
    """
    maps, region = _check_pair(maps, region)
    return share_inside(energy_share(maps), region)


def pointing_game(maps, region):
    """Return whether the highest point of each map lies inside a region.

    Parameters
    ----------
    maps : array of shape (n, ...)
        Values >= 0.
    region : array of the same shape
        True (1) inside, False (0) outside; shares in [0, 1] for regions in part.

    Returns
    -------
    ndarray of shape (n,)
        In [0, 1]: 1 inside, 0 outside; of several highest points, the share inside.

    Raises
    ------
    ValueError
        If shapes differ, or a map is negative somewhere or NaN.

    References
    ----------
    Zhang et al., "Top-Down Neural Attention by Excitation Backprop", IJCV 2018,
    section 4.1; without its tolerance around the region.

    Examples
    --------
    >>> import numpy as np
    >>> from skbird.inspection import pointing_game
    >>> pointing_game([[[1, 3], [0, 0]]], [[[False, True], [False, True]]])
    array([1.])
    """
    maps, region = _check_pair(maps, region)
    return share_inside(peak_share(maps), region)


def energy_share(maps):
    """Scale maps (n, ...) >= 0 to a sum of 1 each; those of 0 become even."""
    axes = tuple(range(1, maps.ndim))
    silent = ~maps.any(axis=axes, keepdims=True)
    maps = np.where(silent, np.float32(1), maps)
    return maps / maps.sum(axis=axes, keepdims=True)


def peak_share(maps):
    """Share out 1 among the highest points of each map (n, ...); elsewhere it is 0."""
    axes = tuple(range(1, maps.ndim))
    highest = maps == maps.max(axis=axes, keepdims=True)
    return highest / highest.sum(axis=axes, keepdims=True, dtype=np.float32)


def place_peaks(maps, shape):
    """Put the highest cells of coarse maps where their centres lie on a finer grid.

    Interpolation would move the peak of a cell at the edge to the edge itself.

    Parameters
    ----------
    maps : ndarray of shape (n, ...)
        Cells of equal size that share out the axes of the grid.
    shape : tuple of int
        Shape of the grid.

    Returns
    -------
    ndarray of shape (n, *shape), float32
        1 at the highest place, 0 elsewhere; of several, each has its share.
    """
    centres = [
        ((np.arange(n_cells) + 0.5) * size / n_cells).astype(int)
        for n_cells, size in zip(maps.shape[1:], shape, strict=True)
    ]
    peaks = np.zeros((len(maps), *shape), np.float32)
    peaks[np.ix_(range(len(maps)), *centres)] = peak_share(maps)
    return peaks


def share_inside(share, region):
    """Add up what of each share (n, ...) lies inside its region, (n, ...)."""
    n = len(share)
    pair = share.reshape(n, -1), region.reshape(n, -1)
    return np.einsum("np,np->n", *pair, dtype=np.float64)


def others_inside(share, region):
    """Return what of the other shares lies inside each region, on average.

    Parameters
    ----------
    share, region : ndarray of shape (n, ...), n >= 2

    Returns
    -------
    ndarray of shape (n,)
        Entry i is the mean of ``share_inside`` of all shares but i in region i:
        shuffling without random numbers, in time linear in n.
    """
    total = np.broadcast_to(share.sum(axis=0), share.shape)
    return (share_inside(total, region) - share_inside(share, region)) / (
        len(share) - 1
    )


def boxes_to_region(boxes, times, mel_hz):
    """Mark what lies inside boxes on a spectrogram.

    Parameters
    ----------
    boxes : array-like of shape (n_boxes, 4)
        ``start``, ``end`` in seconds, ``low_hz``, ``high_hz`` (NaN: unknown, which
        takes in the whole band).
    times : array of shape (n_frames,)
        Seconds of the centres of the frames, ascending.
    mel_hz : sequence of shape (n_mels,)
        Centres of the mel bands in Hz, ascending.

    Returns
    -------
    ndarray of shape (n_mels, n_frames), bool
        A band is inside if any of it is, a frame if its centre is.
    """
    edges = band_edges(mel_hz)
    region = np.zeros((len(mel_hz), len(times)), dtype=bool)
    for start, end, low_hz, high_hz in np.asarray(boxes, dtype=float):
        first, stop = np.searchsorted(times, start), np.searchsorted(times, end)
        # Comparisons with NaN, an unknown edge, are false.
        bands = ~(edges[1:] < low_hz) & ~(edges[:-1] > high_hz)
        region[bands, first:stop] = True
    return region


def _check_pair(maps, region):
    maps = as_floats(maps, "maps", np.float32)
    region = as_floats(region, "region", np.float32)
    if maps.shape != region.shape or maps.ndim < 2:
        raise ValueError(
            f"maps has shape {maps.shape} and region {region.shape}: the same is "
            "needed, (n, ...) with n maps."
        )
    if not (maps >= 0).all():
        raise ValueError("maps holds NaN or numbers below 0. Cut them at 0.")
    return maps, region
