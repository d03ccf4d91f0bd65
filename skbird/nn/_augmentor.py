"""Augmentation chosen by the species group of each segment."""

from collections.abc import Mapping
from itertools import chain

import numpy as np
import torch

from skbird.nn._augmentation import SHARE, SegmentAugmentation
from skbird.nn._masking import FrequencyMask, RandomErasing, TimeMask
from skbird.nn._recipe_callback import RecipeCallback


class SpectrogramAugmentor(RecipeCallback):
    """Augment each segment as suits the group of its species, before it is mixed.

    Parameters
    ----------
    by_group : mapping of str to list, default=None
        The augmentations of each group, such as ``{"Amphibia": [TimeMask(p=0.8)]}``;
        the key None is for segments of all other groups. The default follows the
        report on BirdCLEF 2025: masks and erasing for all, more of time for amphibians,
        whose calls repeat, more of frequency for insects, whose calls are broad.
    species_groups : str or mapping of str to str, default="group"
        The column of the row table that names the group, as ``load_birdclef`` gives
        it; or the group of each species, where a row belongs to its most certain one.
    p : float in [0, 1], default=1.0
        Share of the segments that are given to the augmentations of their group, each
        of which has a `p` of its own; 0 switches all of this off.

    Examples
    --------
    >>> from skbird.nn import CNNClassifier, FrequencyMask, SpectrogramAugmentor
    >>> augment = SpectrogramAugmentor({"Insecta": [FrequencyMask(0.3, p=0.8)]})
    >>> net = CNNClassifier(backbone_weights=None).set_params(
    ...     callbacks__augment=augment,
    ...     callbacks__time_mask__p=0,
    ...     callbacks__frequency_mask__p=0,
    ... )
    """

    _parameter_constraints: dict = {
        "by_group": [Mapping, None],
        "species_groups": [str, Mapping],
        "p": SHARE,
    }

    transient = ("by_group_", "keys_", "codes_")

    def __init__(self, by_group=None, species_groups="group", p=1.0):
        self.by_group = by_group
        self.species_groups = species_groups
        self.p = p

    def check_parameters(self):
        """Check also the augmentations of each group."""
        super().check_parameters()
        if self.p == 0:
            return
        for group, steps in self._by_group().items():
            if not isinstance(steps, list | tuple) or not all(
                isinstance(step, SegmentAugmentation) for step in steps
            ):
                raise ValueError(
                    f"by_group[{group!r}]={steps!r} must be a list of augmentations of "
                    "single segments, such as [TimeMask(p=0.5)]."
                )
            for step in steps:
                if getattr(step, "mode", None) == "crop":
                    raise ValueError(
                        f"by_group[{group!r}] has TimeShift(mode='crop'), which works "
                        "for all groups or none: set callbacks__shift__mode instead."
                    )
                step.check_parameters()

    def _by_group(self):
        return _report() if self.by_group is None else self.by_group

    def on_train_begin(self, net, X=None, y=None, **kwargs):
        """Check the parameters and find the group of each row."""
        super().on_train_begin(net, X=X, y=y)
        if self.p == 0:
            return
        self.by_group_ = self._by_group()
        for step in chain.from_iterable(self.by_group_.values()):
            step.on_train_begin(net, X=X, y=y)
        row_groups = self._row_groups(X, net.species_)
        self.keys_ = list(self.by_group_)
        rest = self.keys_.index(None) if None in self.keys_ else -1
        code = {key: number for number, key in enumerate(self.keys_)}
        self.codes_ = torch.tensor([code.get(group, rest) for group in row_groups])

    def _row_groups(self, dataset, species):
        rows = dataset.spectrograms.rows
        if isinstance(self.species_groups, Mapping):
            missing = [name for name in species if name not in self.species_groups]
            if missing:
                raise ValueError(
                    f"species_groups names no group for {len(missing)} species, "
                    f"such as {missing[0]!r}."
                )
            most_certain = np.nan_to_num(dataset.target, nan=-1.0).argmax(axis=1)
            return [self.species_groups[species[column]] for column in most_certain]
        if self.species_groups not in rows:
            raise ValueError(
                f"X has no column species_groups={self.species_groups!r}; its columns "
                f"are {list(rows.columns)}. Pass a mapping of species to groups."
            )
        return rows[self.species_groups]

    def on_batch_begin(self, net, batch=None, training=False, **kwargs):
        """Change the batch in place."""
        if not training or self.p == 0:
            return
        inputs = batch[0]
        code = self.codes_[inputs["rows"]]
        code = torch.where(torch.rand(len(code)) < self.p, code, -1)
        segments = inputs["segments"].clone()
        for number, key in enumerate(self.keys_):
            chosen = torch.nonzero(code == number)[:, 0]
            if len(chosen):
                chosen = chosen.to(segments.device, non_blocking=True)
                part = segments[chosen]
                for step in self.by_group_[key]:
                    part = step.apply(part, net.format_)
                segments[chosen] = part
        inputs["segments"] = segments


def _report():
    """Return the assignment of the report on BirdCLEF 2025."""
    return {
        "Amphibia": [TimeMask(0.3, p=0.8), FrequencyMask(0.1, p=0.3)],
        "Insecta": [TimeMask(0.1, p=0.3), FrequencyMask(0.25, p=0.8)],
        None: [TimeMask(), FrequencyMask(), RandomErasing(p=0.3)],
    }
