"""Batches of segments for training and prediction."""

import numpy as np
import torch
from torch.utils.data import Dataset


class SegmentDataset(Dataset):
    """Spectrograms with their targets, as the training loop sees them.

    Parameters
    ----------
    spectrograms : Spectrograms
        The rows; those without segments are never drawn.
    target : ndarray of shape (n_rows, n_species), float32
        In [0, 1]; NaN = unknown.
    sample_weight : ndarray of shape (n_rows,), default=None
        How often a row is drawn, relative to the others.
    label_weight : ndarray of shape (n_rows, n_species), default=None
        Factor of each label's loss.

    Attributes
    ----------
    usable : ndarray of int
        The rows that are trained on.
    row_factors : dict of str to ndarray of shape (n_rows,)
        By which callbacks raise or lower how often a row is drawn; 0 leaves it out.
    draw_shifts : callable or None
        ``(rng, n, frame_s)`` -> n numbers of frames by which to move drawn segments.
    """

    def __init__(self, spectrograms, target, sample_weight=None, label_weight=None):
        self.spectrograms = spectrograms
        self.target = target
        self.sample_weight = sample_weight
        self.label_weight = label_weight
        rows = np.arange(len(spectrograms) + 1)
        self.bounds = np.searchsorted(spectrograms.segment_rows, rows)
        usable = np.diff(self.bounds) > 0
        usable &= ~np.isnan(target).all(axis=1)
        if sample_weight is not None:
            usable &= sample_weight > 0
        self.usable = np.flatnonzero(usable)
        self.row_factors = {}
        self.draw_shifts = None

    def exclude(self, rows):
        """Take rows out of the training for good."""
        self.usable = np.setdiff1d(self.usable, rows)

    def __len__(self):
        return len(self.usable)

    def draw(self, rng, segments_per_row):
        """Draw the segments of one epoch, shuffled.

        Where all rows weigh the same, each comes as often as the others; otherwise rows
        are drawn with replacement. The segments of a row are drawn by their weights.

        Parameters
        ----------
        rng : numpy.random.RandomState
        segments_per_row : int

        Returns
        -------
        ndarray of shape (len(self) * segments_per_row,), int
            Numbers of segments. A row's segments repeat only if it has too few.
        """
        drawn = [
            self.draw_of_row(rng, row, segments_per_row) for row in self._draw_rows(rng)
        ]
        return rng.permutation(np.concatenate(drawn))

    def _draw_rows(self, rng):
        n_rows = len(self.usable)
        weight = np.ones(n_rows)
        if self.sample_weight is not None:
            weight = self.sample_weight[self.usable]
        for factor in self.row_factors.values():
            weight = weight * factor[self.usable]
        wanted = self.usable[weight > 0]
        if np.ptp(weight[weight > 0]) > 0:
            return rng.choice(self.usable, n_rows, p=weight / weight.sum())
        n_times, n_left = divmod(n_rows, len(wanted))
        return np.concatenate(
            [np.tile(wanted, n_times), rng.permutation(wanted)[:n_left]]
        )

    def draw_of_row(self, rng, row, n):
        first, stop = self.bounds[row], self.bounds[row + 1]
        weights = self.spectrograms.segment_weights[first:stop].astype(np.float64)
        share = weights / weights.sum()
        enough = np.count_nonzero(share) >= n
        return first + rng.choice(stop - first, n, replace=not enough, p=share)


class TrainingBatches:
    """The batches of one epoch each time it is iterated.

    Parameters
    ----------
    dataset : SegmentDataset
        What to draw from.
    batch_size : int
        At most so many segments a batch; all batches of an epoch are about as large.
    segments_per_row : int
        Segments drawn of each row and epoch.
    rng : numpy.random.RandomState
        Draws them.
    device : torch.device
        Where the batches are wanted.

    Yields
    ------
    [inputs, target] : list
        `inputs` is a dict with ``segments`` (batch, 1, n_mels, n_frames) float32 in dB,
        ``rows`` (batch,), the row of each segment, on the CPU, and, if there are any,
        ``label_weight`` (batch, n_species); `target` is (batch, n_species). Callbacks
        may replace what is in them.
    """

    def __init__(self, dataset, batch_size, segments_per_row, rng, device):
        self.dataset = dataset
        self.batch_size = batch_size
        self.segments_per_row = segments_per_row
        self.rng = rng
        self.device = device

    def __len__(self):
        n_segments = len(self.dataset) * self.segments_per_row
        return -(-n_segments // self.batch_size)

    def __iter__(self):
        data = self.dataset
        drawn = data.draw(self.rng, self.segments_per_row)
        for chosen in np.array_split(drawn, len(self)):
            rows = data.spectrograms.segment_rows[chosen]
            shift = 0
            if data.draw_shifts is not None:
                frame_s = data.spectrograms.format.frame_s
                shift = data.draw_shifts(self.rng, len(chosen), frame_s)
            segments = to_segment_tensor(data.spectrograms.segments(chosen, shift))
            inputs = {
                "segments": segments.to(self.device),
                "rows": torch.from_numpy(rows),
            }
            if data.label_weight is not None:
                weight = torch.from_numpy(data.label_weight[rows])
                inputs["label_weight"] = weight.to(self.device)
            yield [inputs, torch.from_numpy(data.target[rows]).to(self.device)]


def to_segment_tensor(segments):
    """Turn (n, n_frames, n_mels) float16 into (n, 1, n_mels, n_frames) float32."""
    return torch.from_numpy(segments).float().transpose(1, 2).unsqueeze(1)


def normalize_batch(segments, normalize, top_db):
    """Normalise each segment: the torch twin of `normalize_segments`.

    Normalising twice changes nothing, so that augmentation may do so before mixing.

    Parameters
    ----------
    segments : tensor of shape (batch, 1, n_mels, n_frames)
        In dB.
    normalize : {"minmax", "standard", None}
    top_db : float or None

    Returns
    -------
    tensor of the same shape
    """
    axes = (2, 3)
    if top_db is not None:
        loudest = segments.amax(axes, keepdim=True)
        segments = torch.maximum(segments, loudest - top_db)
    if normalize == "minmax":
        low = segments.amin(axes, keepdim=True)
        extent = segments.amax(axes, keepdim=True) - low
        # Segments of digital silence are flat: they become 0, not 0 / 0.
        return (segments - low) / extent.clamp(min=1e-3)
    if normalize == "standard":
        mean = segments.mean(axes, keepdim=True)
        deviation = segments.std(axes, correction=0, keepdim=True)
        return (segments - mean) / deviation.clamp(min=1e-3)
    return segments
