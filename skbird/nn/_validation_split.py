"""Validation within the training: best epoch, early stopping, soup."""

from numbers import Integral, Real

import numpy as np
import pandas as pd

from skbird.metrics import macro_roc_auc
from skbird.nn._recipe_callback import RecipeCallback
from skbird.nn._weights import copy_weights, mean_weights
from skbird.utils._finite import NotFiniteError
from skbird.utils._rows import check_groups, groups_of_rows
from skbird.utils._sklearn_compat import Interval, StrOptions
from skbird.utils._text import counted
from skbird.utils._truth import PRESENT_FROM


class ValidationSplit(RecipeCallback):
    """Hold recordings out of the training and keep the weights that predict them best.

    After each epoch the macro ROC-AUC on the held-out rows goes into the history as
    ``valid_score``. Each species keeps at least one group to train on, so that the
    rarest ones may be missing from the validation.

    Parameters
    ----------
    fraction : float in [0, 1), default=0.1
        Share of the groups that are held out; 0 switches all of this off.
    groups : str or array-like of shape (n_rows,), default="path"
        Column of the row table, or one name or number per row; rows with the same one
        stay together. "path" keeps recordings whole; "author" or "collection" judge on
        sources not trained on.
    keep : {"best", "soup", "last"}, default="best"
        Weights of the best epoch; the mean of the weights of the `n_soup` best ones;
        or those of the last.
    n_soup : int >= 1, default=3
        Epochs in the soup.
    patience : int >= 1, default=None
        Stop when so many epochs in a row brought no better score.

    References
    ----------
    Wortsman et al., "Model soups", ICML 2022; of epochs of one training, as the second
    place of BirdCLEF 2024 used them.

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
    ...     callbacks__validation__fraction=0.25,
    ...     random_state=0,
    ...     verbose=0,
    ... )
    >>> len(net.fit(X, Y).history_["valid_score"])
    2
    """

    _parameter_constraints: dict = {
        "fraction": [Interval(Real, 0, 1, closed="left")],
        "groups": [str, "array-like"],
        "keep": [StrOptions({"best", "soup", "last"})],
        "n_soup": [Interval(Integral, 1, None, closed="left")],
        "patience": [Interval(Integral, 1, None, closed="left"), None],
    }
    transient = ("held_out_",)

    def __init__(
        self, fraction=0.1, groups="path", keep="best", n_soup=3, patience=None
    ):
        self.fraction = fraction
        self.groups = groups
        self.keep = keep
        self.n_soup = n_soup
        self.patience = patience

    def on_train_begin(self, net, X=None, y=None, **kwargs):
        """Take the held-out rows out of the training."""
        super().on_train_begin(net, X=X, y=y)
        self.best_ = []  # (score, epoch, weights) of the best epochs, best first
        self.held_out_ = None
        if self.fraction == 0:
            return
        if net.warm_start and net.random_state is None:
            raise ValueError(
                f"fraction={self.fraction:g} with warm_start=True needs random_state "
                "to be an int: each fit would hold out other recordings, which the fit "
                "before was trained on."
            )
        held_out = self._choose(X, net.rng_)
        X.exclude(held_out)
        self.held_out_ = X.spectrograms[held_out], X.target[held_out]

    def _choose(self, dataset, rng):
        rows = dataset.usable
        codes = pd.factorize(self._groups_of(dataset.spectrograms, rows))[0]
        n_groups = codes.max() + 1
        present = np.zeros((n_groups, dataset.target.shape[1]), bool)
        np.logical_or.at(present, codes, dataset.target[rows] >= PRESENT_FROM)
        n_wanted = max(round(self.fraction * n_groups), 1)
        left, chosen = present.sum(axis=0), []
        for group in rng.permutation(n_groups):
            if len(chosen) < n_wanted and not (left[present[group]] == 1).any():
                chosen.append(group)
                left = left - present[group]
        if not present[chosen].any():
            raise ValueError(
                f"fraction={self.fraction:g} leaves nothing to validate on: of the "
                f"{n_groups} groups ({self.groups!r}) none has a species that another "
                "one has too. Set fraction=0, or group by another column."
            )
        held_out = rows[np.isin(codes, chosen)]
        heard = dataset.target[held_out] >= PRESENT_FROM
        absent = dataset.target[held_out] < PRESENT_FROM
        if not (heard.any(axis=0) & absent.any(axis=0)).any():
            n_rows = counted(len(held_out), "row")
            raise ValueError(
                f"{n_rows} held out (fraction={self.fraction:g}) cannot be judged: no "
                "species is both present and absent. Hold out more."
            )
        return held_out

    def _groups_of(self, spectrograms, rows):
        """Return the groups of some rows; those of others may be missing."""
        if isinstance(self.groups, str):
            return groups_of_rows(spectrograms.rows.iloc[rows], self.groups)
        if len(self.groups) != len(spectrograms):
            raise ValueError(
                f"groups has {len(self.groups)} rows, but X has {len(spectrograms)}. "
                "For folds and searches name a column of X."
            )
        return check_groups(np.asarray(self.groups)[rows], len(rows))

    def on_epoch_end(self, net, **kwargs):
        """Score the rows held out with the weights of this epoch."""
        if self.held_out_ is None:
            return
        X, target = self.held_out_
        try:
            proba = net.predict_proba(X)
        except NotFiniteError:
            raise NotFiniteError(
                "the network answers NaN or infinity for the rows held out"
            ) from None
        score = macro_roc_auc(target, proba, nan_rows="omit")
        net.history.record("valid_score", score)
        epoch = len(net.history)
        weights = copy_weights(net.module_) if self.keep != "last" else None
        ranking = [*self.best_, (score, epoch, weights)]
        ranking.sort(key=lambda entry: -entry[0])
        self.best_ = ranking[: self.n_soup if self.keep == "soup" else 1]
        net.history.record("valid_score_best", self.best_[0][1] == epoch)
        if self.patience is not None and epoch - self.best_[0][1] >= self.patience:
            net.stop_training_ = True

    def on_train_end(self, net, **kwargs):
        """Load the weights to keep."""
        if self.best_ and self.keep != "last":
            net.module_.load_state_dict(mean_weights([w for _, _, w in self.best_]))
        self.best_, self.held_out_ = [], None
