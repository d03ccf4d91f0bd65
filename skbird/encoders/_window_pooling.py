"""From the scores of windows to the logits of rows, and gradients back."""

from dataclasses import dataclass, field

import numpy as np


class OneWindow:
    """Rows of one window each: the scores are the logits."""

    n_parts = 1

    def logits(self, scores):
        """Return the logits of the rows: see `LogMeanExp`."""
        return scores[0]

    def gradient(self, scores, logits, gradient):
        """Return the gradient by the scores: see `LogMeanExp`."""
        return gradient[None]


@dataclass(frozen=True)
class LogMeanExp:
    """Weighted log-mean-exp over the windows of a row.

    Between the mean (`sharpness` near 0) and the maximum (infinite), so that a call in
    one of many windows counts, and yet each window has a gradient.

    Parameters
    ----------
    bounds : ndarray of shape (n_rows + 1,), int
        Windows ``bounds[k]`` to ``bounds[k + 1]``, at least one, are those of row k.
    weights : ndarray of shape (n_windows,), float32
        Above 0, in each row 1 in all.
    sharpness : float > 0
    """

    bounds: np.ndarray = field(repr=False)
    weights: np.ndarray = field(repr=False)
    sharpness: float

    n_parts = 1

    def logits(self, scores):
        """Pool the windows of each row.

        Parameters
        ----------
        scores : ndarray of shape (n_parts, n_windows, n_species), float32

        Returns
        -------
        ndarray of shape (n_rows, n_species), float32
        """
        highest, _, total = self._parts(scores)
        return (highest + np.log(total)) / np.float32(self.sharpness)

    def gradient(self, scores, logits, gradient):
        """Return the gradient by the scores of windows.

        Parameters
        ----------
        scores : ndarray of shape (n_parts, n_windows, n_species), float32
        logits : ndarray of shape (n_rows, n_species), float32
            What `logits` made of them.
        gradient : ndarray of shape (n_rows, n_species), float32
            The gradient by the logits.

        Returns
        -------
        ndarray of the shape of `scores`
        """
        _, powers, total = self._parts(scores)
        powers *= self._spread(gradient / total)
        return powers[None]

    def _parts(self, scores):
        sharp = scores[0] * np.float32(self.sharpness)
        highest = np.maximum.reduceat(sharp, self.bounds[:-1])
        sharp -= self._spread(highest)
        powers = np.exp(sharp, out=sharp)
        powers *= self.weights[:, None]
        return highest, powers, np.add.reduceat(powers, self.bounds[:-1])

    def _spread(self, of_rows):
        return np.repeat(of_rows, np.diff(self.bounds), axis=0)


@dataclass(frozen=True)
class Attention:
    """Mean of the windows' scores, weighted by attention that is learned.

    The first part of the scores is what the windows say, the second how much they are
    listened to: a softmax over the windows of the row, species by species.

    Parameters
    ----------
    bounds, weights
        See `LogMeanExp`.
    """

    bounds: np.ndarray = field(repr=False)
    weights: np.ndarray = field(repr=False)

    n_parts = 2

    def logits(self, scores):
        """Pool the windows of each row: see `LogMeanExp`."""
        return np.add.reduceat(self._shares(scores) * scores[0], self.bounds[:-1])

    def gradient(self, scores, logits, gradient):
        """Return the gradient by the scores: see `LogMeanExp`."""
        by_said = self._shares(scores) * self._spread(gradient)
        by_attention = by_said * (scores[0] - self._spread(logits))
        return np.stack([by_said, by_attention])

    def _shares(self, scores):
        # Attention has no level of its own, so that the highest can be taken off.
        highest = np.maximum.reduceat(scores[1], self.bounds[:-1])
        powers = np.exp(scores[1] - self._spread(highest))
        powers *= self.weights[:, None]
        powers /= self._spread(np.add.reduceat(powers, self.bounds[:-1]))
        return powers

    def _spread(self, of_rows):
        return np.repeat(of_rows, np.diff(self.bounds), axis=0)


@dataclass(frozen=True)
class RowLoss:
    """Binary cross-entropy of rows, species by species.

    Parameters
    ----------
    present : ndarray of shape (n_rows, n_species), float32
        Weight of the outcome that the species is there.
    total : ndarray of shape (n_rows, n_species), float32
        Weight of both outcomes.
    pooling : OneWindow, LogMeanExp or Attention
    """

    present: np.ndarray = field(repr=False)
    total: np.ndarray = field(repr=False)
    pooling: object

    def take(self, species):
        """Return the loss of some species: a slice, mask or list of numbers."""
        return RowLoss(self.present[:, species], self.total[:, species], self.pooling)

    def value(self, scores):
        """Return the loss of each species, (n_species,) float64."""
        logits = self.pooling.logits(scores)
        loss = np.log1p(np.exp(-np.abs(logits)))
        loss += np.maximum(logits, 0)
        loss *= self.total
        loss -= self.present * logits
        return loss.sum(axis=0, dtype=np.float64)

    def gradient(self, scores):
        """Return the gradient by the scores, of their shape."""
        logits = self.pooling.logits(scores)
        with np.errstate(over="ignore"):  # exp(89) is infinite, the sigmoid then 0
            gradient = self.total / (1 + np.exp(-logits)) - self.present
        return self.pooling.gradient(scores, logits, gradient)
