"""Callbacks that decide how often each row is drawn in an epoch."""

from numbers import Real

import numpy as np
import torch
from pandas.api.types import is_numeric_dtype
from torch.nn import functional as F

from skbird.nn._recipe_callback import RecipeCallback
from skbird.utils._sklearn_compat import Interval, StrOptions


class Curriculum(RecipeCallback):
    """Start with the easy rows and admit the others by and by.

    In epoch t of T (from 0) the easiest share

        ``min(1, (start^a + (1 - start^a) t / (full T)) ^ (1 / a))``

    of the rows is drawn, a being `pacing_power`. Epochs stay as long as they are: rows
    come more often instead. The history has ``curriculum_rows``, the number admitted in
    each epoch.

    Parameters
    ----------
    start : float in (0, 1], default=0.3
        Share of the rows in the first epoch; 1 switches the curriculum off.
    full : float in (0, 1], default=0.5
        Share of the epochs after which all rows are in.
    pacing_power : float > 0, default=1.0
        1 admits at a steady pace; 2 fast at first (the square-root pacing of Platanios
        et al.); below 1 slowly at first.
    by : str, default="rating"
        What tells easy from hard: a numeric column of the row table, such as a rating
        or the entropy of a teacher's predictions
        (:func:`skbird.metrics.prediction_entropy`), or "loss": the row's latest loss in
        this training. The first epoch, which has none yet, takes all rows then.
    easy : {"high", "low"}, default="high"
        Which end of the column is easy. Losses are always easy when low. Rows without
        a value count as the median.

    References
    ----------
    Bengio et al., "Curriculum learning", ICML 2009; Kumar et al., "Self-paced learning
    for latent variable models", NeurIPS 2010 (by loss); Platanios et al.,
    "Competence-based curriculum learning", NAACL 2019 (pacing).

    Examples
    --------
    >>> import numpy as np
    >>> from skbird.nn import CNNClassifier
    >>> rng = np.random.default_rng(0)
    >>> X, Y = rng.standard_normal((8, 32, 64)), np.tile([[1, 0], [0, 1]], (4, 1))
    >>> net = CNNClassifier(
    ...     "lcnet_035",
    ...     backbone_weights=None,
    ...     max_epochs=4,
    ...     callbacks__curriculum__start=0.25,
    ...     callbacks__curriculum__by="loss",
    ...     random_state=0,
    ...     verbose=0,
    ... )
    >>> net.fit(X, Y).history_["curriculum_rows"].tolist()
    [8, 5, 8, 8]
    """

    _parameter_constraints: dict = {
        "start": [Interval(Real, 0, 1, closed="right")],
        "full": [Interval(Real, 0, 1, closed="right")],
        "pacing_power": [Interval(Real, 0, np.inf, closed="neither")],
        "by": [str],
        "easy": [StrOptions({"high", "low"})],
    }

    def __init__(self, start=0.3, full=0.5, pacing_power=1.0, by="rating", easy="high"):
        self.start = start
        self.full = full
        self.pacing_power = pacing_power
        self.by = by
        self.easy = easy

    def on_train_begin(self, net, X=None, y=None, **kwargs):
        """Order the rows by difficulty."""
        super().on_train_begin(net, X=X, y=y)
        self.epoch_ = 0
        self.losses_ = []
        self.difficulty_ = None
        if self.start < 1:
            self.difficulty_ = self._of_column(X.spectrograms.rows)

    def _of_column(self, table):
        if self.by == "loss":
            return np.full(len(table), np.nan)
        if self.by not in table or not is_numeric_dtype(table[self.by]):
            raise ValueError(
                f"X has no column by={self.by!r} of numbers; its columns are "
                f"{list(table.columns)}. Add one, or use by='loss'."
            )
        values = table[self.by].to_numpy(dtype=float)
        return -values if self.easy == "high" else values

    def admitted_share(self, epoch, n_epochs):
        """Return the share of the rows admitted in an epoch, counted from 0.

        Parameters
        ----------
        epoch, n_epochs : int
            Number of the epoch, and how many there are.

        Returns
        -------
        float in (0, 1]
        """
        progress = min(epoch / (self.full * n_epochs), 1.0)
        start = self.start**self.pacing_power
        return (start + (1 - start) * progress) ** (1 / self.pacing_power)

    def on_epoch_begin(self, net, dataset_train=None, **kwargs):
        """Admit the easiest rows, as many as this epoch may draw."""
        if self.difficulty_ is None:
            return
        usable = dataset_train.usable
        difficulty = self.difficulty_[usable]
        known = ~np.isnan(difficulty)
        n_admitted = len(usable)
        if known.any():
            difficulty[~known] = np.median(difficulty[known])
            share = self.admitted_share(self.epoch_, net.max_epochs)
            n_admitted = max(int(np.ceil(share * len(usable))), 1)
        # Equals, as most ratings are, in random order: not by their place in the table.
        order = np.lexsort((net.rng_.permutation(len(usable)), difficulty))
        admitted = np.zeros(len(self.difficulty_))
        admitted[usable[order[:n_admitted]]] = 1.0
        dataset_train.row_factors["curriculum"] = admitted
        net.history.record("curriculum_rows", n_admitted)
        self.epoch_ += 1

    def on_batch_end(self, net, batch=None, training=False, y_pred=None, **kwargs):
        """Note the losses of the batch."""
        if not training or self.difficulty_ is None or self.by != "loss":
            return
        inputs, target = batch
        known = ~torch.isnan(target)
        terms = F.binary_cross_entropy_with_logits(
            y_pred.detach(), torch.nan_to_num(target), reduction="none"
        )
        loss = (terms * known).sum(dim=1) / known.sum(dim=1).clamp(min=1)
        self.losses_.append((inputs["rows"], loss))

    def on_epoch_end(self, net, **kwargs):
        """Take the latest loss of each row; to read each step holds up a GPU."""
        for rows, loss in self.losses_:
            self.difficulty_[rows.numpy()] = loss.cpu().numpy()
        self.losses_ = []

    def on_train_end(self, net, **kwargs):
        """Forget the losses of an epoch that was broken off."""
        self.losses_ = []


class HardNegativeMining(RecipeCallback):
    """Draw rows more often in which the network hears species that are not there.

    A row is hard if, in the epoch before, a species absent from its segment scored
    above a threshold. Scores are those of the training itself, which cost nothing: with
    dropout and augmentation; in a mixture a species is absent if neither part has it.
    The history has ``hard_negatives``: for each species the number of rows that it was
    wrongly heard in.

    Parameters
    ----------
    boost : float >= 1, default=3.0
        How much more often hard rows are drawn; 1 switches the mining off.
    threshold : float in (0, 1), default=0.5
        Probability from which an absent species makes a row hard.

    References
    ----------
    Shrivastava et al., "Training region-based object detectors with online hard example
    mining", CVPR 2016.

    Examples
    --------
    >>> import numpy as np
    >>> from skbird.nn import CNNClassifier
    >>> rng = np.random.default_rng(0)
    >>> X, Y = rng.standard_normal((8, 32, 64)), np.tile([[1, 0], [0, 1]], (4, 1))
    >>> net = CNNClassifier(
    ...     "lcnet_035",
    ...     backbone_weights=None,
    ...     max_epochs=2,
    ...     callbacks__hard_negatives__boost=3.0,
    ...     random_state=0,
    ...     verbose=0,
    ... )
    >>> sorted(net.fit(X, Y).history_["hard_negatives"].iloc[-1])
    ['species 0', 'species 1']
    """

    _parameter_constraints: dict = {
        "boost": [Interval(Real, 1, np.inf, closed="left")],
        "threshold": [Interval(Real, 0, 1, closed="neither")],
    }

    def __init__(self, boost=3.0, threshold=0.5):
        self.boost = boost
        self.threshold = threshold

    def on_epoch_begin(self, net, dataset_train=None, **kwargs):
        """Begin the epoch with no row marked as hard."""
        self.wrong_ = np.zeros(dataset_train.target.shape, bool)
        self.heard_ = []

    def on_batch_end(self, net, batch=None, training=False, y_pred=None, **kwargs):
        """Mark rows in which an absent species scored high."""
        if not training or self.boost == 1:
            return
        inputs, target = batch
        wrong = (torch.sigmoid(y_pred.detach()) > self.threshold) & (target == 0)
        self.heard_.append((inputs["rows"], wrong))

    def on_epoch_end(self, net, dataset_train=None, **kwargs):
        """Raise how often the hard rows are drawn."""
        if self.boost == 1:
            return
        for rows, wrong in self.heard_:
            np.logical_or.at(self.wrong_, rows.numpy(), wrong.cpu().numpy())
        self.heard_ = []
        hard = self.wrong_.any(axis=1)
        dataset_train.row_factors["hard_negatives"] = np.where(hard, self.boost, 1.0)
        counts = dict(zip(net.species_, self.wrong_.sum(axis=0).tolist(), strict=True))
        net.history.record("hard_negatives", counts)

    def on_train_end(self, net, **kwargs):
        """Forget the rows."""
        self.wrong_ = self.heard_ = None
