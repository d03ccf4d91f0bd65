"""Batches of segments for training and prediction."""

from contextlib import closing
from copy import copy

import numpy as np
import torch
from torch.utils.data import Dataset

from skbird.nn._reader import read_batches, send
from skbird.nn._segment_draws import SegmentDraws


class SegmentDataset(Dataset):
    """Spectrograms with their targets, as the training loop sees them.

    Parameters
    ----------
    spectrograms : Spectrograms
        The rows; those without segments that weigh something are never drawn.
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
    segment_draws : SegmentDraws
        Draws segments of given rows.
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
        self.segment_draws = SegmentDraws(self.bounds, spectrograms.segment_weights)
        usable = self.segment_draws.n_weighing > 0
        usable &= self._are_known()
        if sample_weight is not None:
            usable &= sample_weight > 0
        self.usable = np.flatnonzero(usable)
        self.row_factors = {}
        self.draw_shifts = None

    def copy(self):
        """Return one of the same rows, which callbacks may change by itself."""
        other = copy(self)
        other.row_factors = dict(self.row_factors)
        return other

    @property
    def learnt(self):
        """What is learnt of the spectrograms, as data that tell it from else."""
        known = np.nan_to_num(self.target, nan=-1.0)
        return [known, self.sample_weight, self.label_weight]

    def targets_of(self, rows, starts_s):
        """Return the targets of segments.

        Parameters
        ----------
        rows : ndarray of shape (n,), int
            The row of each segment.
        starts_s : ndarray of shape (n,)
            Where it starts, in seconds after the start of its row.

        Returns
        -------
        ndarray of shape (n, n_species), float32
        """
        return self.target[rows]

    def _are_known(self):
        return ~np.isnan(self.target).all(axis=1)

    def starts_of(self, chosen, shift):
        """Return where segments start that are moved by some frames, in seconds.

        Parameters
        ----------
        chosen : ndarray of shape (n,), int
            Numbers of segments.
        shift : int or ndarray of shape (n,), int
            Frames; no segment leaves its row.

        Returns
        -------
        ndarray of shape (n,), float64
            After the start of the row.
        """
        data = self.spectrograms
        frame_s = data.format.frame_s
        n_frames = data.n_frames[data.segment_rows[chosen]]
        last_s = np.maximum(n_frames - data.format.frames_per_segment, 0) * frame_s
        return np.clip(data.segment_starts[chosen] + shift * frame_s, 0, last_s)

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
        drawn = self.segment_draws.draw(rng, self._draw_rows(rng), segments_per_row)
        return rng.permutation(drawn)

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
        ``rows`` and ``starts`` (batch,), the row of each segment and where it starts
        there in seconds, on the CPU, and, if there are any, ``label_weight`` (batch,
        n_species); `target` is (batch, n_species). Callbacks may replace what is in
        them.
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
        # All that is drawn is drawn before the first batch: how far ahead they are read
        # must not matter.
        jobs = [
            (chosen, self._draw_shifts(len(chosen)))
            for chosen in np.array_split(drawn, len(self))
        ]
        with closing(read_batches(self._read, jobs, self.device)) as batches:
            for inputs in batches:
                target = inputs.pop("target")
                yield [inputs, target]

    def _draw_shifts(self, n):
        data = self.dataset
        if data.draw_shifts is None:
            return 0
        return data.draw_shifts(self.rng, n, data.spectrograms.format.frame_s)

    def _read(self, job):
        data = self.dataset
        chosen, shift = job
        rows = data.spectrograms.segment_rows[chosen]
        segments = data.spectrograms.segments(chosen, shift)
        starts = data.starts_of(chosen, shift)
        batch = {
            "segments": to_segment_tensor(segments, self.device),
            "rows": torch.from_numpy(rows),
            "starts": torch.from_numpy(starts),
            "target": send(data.targets_of(rows, starts), self.device),
        }
        if data.label_weight is not None:
            batch["label_weight"] = send(data.label_weight[rows], self.device)
        return batch


def to_segment_tensor(segments, device="cpu"):
    """Turn (n, n_frames, n_mels) float16 into (n, 1, n_mels, n_frames) float32.

    Parameters
    ----------
    segments : ndarray of shape (n, n_frames, n_mels), float16
    device : str or torch.device, default="cpu"
        They are copied there as float16, and converted there.

    Returns
    -------
    tensor
    """
    segments = send(segments, device).float().transpose(1, 2).unsqueeze(1)
    # What works on them is faster on a GPU if time comes last in memory, too.
    return segments.contiguous() if segments.is_cuda else segments


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
