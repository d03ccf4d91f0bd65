"""The training loop: epochs, steps, the loss, and their record."""

from contextlib import closing

import pandas as pd
import torch
from skorch.history import History
from skorch.utils import TeeGenerator

from skbird.nn._batches import SegmentDataset, TrainingBatches, normalize_batch
from skbird.nn._checkpoint import TrainingCheckpoint
from skbird.nn._divergence import LastSound, check_epoch
from skbird.nn._precision import (
    PRECISIONS,
    autocast,
    choose_precision,
    depthwise_in_float32,
)
from skbird.nn._probe import check_batches
from skbird.nn._recipe_callback import RecipeCallback
from skbird.nn._step_losses import StepLosses
from skbird.utils._finite import NotFiniteError


class TrainingLoop:
    """Part of `SegmentNet`: the loop that trains it on a `SegmentDataset`.

    It takes the place of skorch's loop where that falls short: it goes on after a kill,
    stops where numbers are no longer finite, and trains in half precision.
    """

    @property
    def history(self):
        """The record that skorch and its callbacks keep of epochs and batches."""
        return self._history

    @history.setter
    def history(self, value):
        self._history = value

    @property
    def history_(self):
        """The epochs of the training as a DataFrame: loss, seconds and size."""
        if not self._history:
            raise AttributeError(f"{type(self).__name__} has no history_ before fit.")
        table = pd.DataFrame(self._history.to_list()).set_index("epoch")
        return table.drop(columns="batches")

    @history_.setter
    def history_(self, value):
        self._history = value  # skorch's own name for its record

    def initialize_history(self):
        """Begin the record of a training anew."""
        self.history = History()
        return self

    def partial_fit(self, X, y=None, classes=None, **fit_params):
        """Run the training loop; `fit` calls it.

        Unlike skorch's, it lets a KeyboardInterrupt through: a net whose training was
        broken off must not pass for a fitted one.
        """
        if not isinstance(X, SegmentDataset):
            raise TypeError(
                f"{type(self).__name__} has no partial_fit for data of one's own. To "
                "go on training, use fit with warm_start=True."
            )
        state, checkpoint = None, None
        if self.checkpoint_dir is not None:
            checkpoint = TrainingCheckpoint(self.checkpoint_dir, self, X)
            state = checkpoint.load()
        if state is not None and state["finished"]:
            checkpoint.restore(state, self, X)
            return self
        self.precision_ = state["precision"] if state else self._choose_precision(X)
        self.scaler_ = torch.amp.GradScaler(
            torch.device(self.device).type, enabled=self.precision_ == "float16"
        )
        self.stop_training_ = False
        n_before = len(self.history)
        self.notify("on_train_begin", X=X, y=y)
        try:
            if state is not None:
                checkpoint.restore(state, self, X)
            check_batches(self, X)
            with self._fast_layers():
                finished = self._run_epochs(X, y, checkpoint, n_before)
        finally:
            self.notify("on_train_end", X=X, y=y)
        # One that diverged stays unfinished: called again, it says so again.
        if checkpoint is not None and finished:
            checkpoint.save(self, X, finished=True)
        return self

    def _run_epochs(self, X, y, checkpoint, n_before):
        """Train; return False if that ended early because the network diverged."""
        sound = LastSound(self)
        while len(self.history) - n_before < self.max_epochs:
            if self.stop_training_:
                break
            try:
                self.fit_loop(X, y, epochs=1)
            except NotFiniteError as exc:
                sound.go_back(self, n_before, exc)
                return False
            sound.note(self)
            if checkpoint is not None:
                checkpoint.save(self, X, finished=False)
        return True

    def run_single_epoch(self, iterator, training, prefix, step_fn, **fit_params):
        """Train an epoch: skorch's, without waiting for the device at each step.

        It stops where the loss is not finite: on a CPU before any callback takes note
        of it, elsewhere some steps later.
        """
        if iterator is None:  # that of a train_split, which is refused
            return
        losses = StepLosses(self.history)
        with closing(iter(iterator)) as batches:
            for batch in batches:
                self.notify("on_batch_begin", batch=batch, training=training)
                step = step_fn(batch, **fit_params)
                losses.note(step["loss"])
                self.history.record_batch(f"{prefix}_batch_size", len(batch[1]))
                self.notify("on_batch_end", batch=batch, training=training, **step)
        losses.read()
        self.history.record(f"{prefix}_batch_count", len(iterator))

    def on_epoch_end(self, net, **kwargs):
        """Stop where weights are not finite, before any callback judges them."""
        check_epoch(self)

    def _fast_layers(self):
        on_cpu = torch.device(self.device).type == "cpu"
        return depthwise_in_float32(
            self.module_, on_cpu and self.precision_ != "float32"
        )

    def _choose_precision(self, dataset):
        if self.precision == "auto":
            return choose_precision(self, dataset)
        return self.precision

    @property
    def recipe(self):
        """The callbacks that change what is learnt."""
        return [c for _, c in self.callbacks_ if isinstance(c, RecipeCallback)]

    def steps_per_epoch(self, dataset):
        """Return the number of batches that an epoch of a `SegmentDataset` has.

        Parameters
        ----------
        dataset : SegmentDataset
            The rows that the network is trained on.

        Returns
        -------
        int
        """
        return len(self.get_iterator(dataset, training=True))

    def n_first_steps(self, dataset, steps_share):
        """Return how many steps a share of all training steps is, but never all.

        Parameters
        ----------
        dataset : SegmentDataset
            The rows that the network is trained on.
        steps_share : float in [0, 1)
            The share of the training's steps.

        Returns
        -------
        int
        """
        n_steps = self.max_epochs * self.steps_per_epoch(dataset)
        return min(round(steps_share * n_steps), n_steps - 1)

    def get_iterator(self, dataset, training=False):
        """Return the batches of a `SegmentDataset`."""
        return TrainingBatches(
            dataset, self.batch_size, self.segments_per_row, self.rng_, self.device
        )

    def train_step(self, batch, **fit_params):
        """Take one step of the optimizer: skorch's, with losses scaled for float16."""
        self._zero_grad_optimizer()
        step = self.train_step_single(batch)
        self.scaler_.unscale_(self.optimizer_)
        self.notify(
            "on_grad_computed",
            named_parameters=TeeGenerator(self.get_all_learnable_params()),
            batch=batch,
            training=True,
        )
        self.scaler_.step(self.optimizer_)
        self.scaler_.update()
        return step

    def train_step_single(self, batch, **fit_params):
        """Compute the gradients of a batch."""
        if not self.module_.training:  # a callback has predicted
            self._set_training(True)
        inputs, target = batch
        for callback in self.recipe:
            inputs = callback.change_inputs(inputs, self)
        device_type = target.device.type
        with autocast(device_type, PRECISIONS[self.precision_]):
            logits = self.infer(inputs).float()
        loss = self.get_loss(logits, target, X=inputs, training=True)
        for callback in self.recipe:
            loss = callback.add_to_loss(loss, self, inputs)
        self.scaler_.scale(loss).backward()
        return {"loss": loss, "y_pred": logits}

    def infer(self, x, **fit_params):
        """Return the logits of a batch."""
        segments = normalize_batch(
            x["segments"], self.format_.normalize, self.format_.top_db
        )
        return self.module_(segments.contiguous(memory_format=torch.channels_last))

    def get_loss(self, y_pred, y_true, X=None, training=False):
        """Return the loss of a batch."""
        return self.criterion_(y_pred, y_true, X.get("label_weight"))
