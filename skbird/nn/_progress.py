"""The progress bar of a training."""

from skorch.callbacks import Callback

from skbird.utils._progress import progress_bar


class EpochProgress(Callback):
    """Show a bar over all batches with epoch, loss and the time left.

    Nothing is shown with ``verbose=0``. The losses stay in ``net.history_``.

    Examples
    --------
    >>> from skbird.nn import EpochProgress, SEDClassifier
    >>> callbacks = SEDClassifier(verbose=1).get_default_callbacks()
    >>> isinstance(dict(callbacks)["progress"], EpochProgress)
    True
    """

    transient = ("bar_",)

    def on_train_begin(self, net, X=None, y=None, **kwargs):
        """Open the bar."""
        self.n_batches_ = 0
        self.bar_ = progress_bar(
            total=net.max_epochs * net.steps_per_epoch(X),
            desc=type(net).__name__,
            unit="batch",
            verbose=net.verbose,
        )

    def on_batch_end(self, net, batch=None, training=False, **kwargs):
        """Move the bar on."""
        if training:
            self.n_batches_ += 1
            # More than one where a training goes on that was killed.
            self.bar_.update(self.n_batches_ - self.bar_.n)

    def on_epoch_end(self, net, **kwargs):
        """Report the epoch."""
        loss = net.history[-1, "train_loss"]
        epoch = len(net.history)
        report = f"epoch {epoch}/{net.max_epochs}, loss {loss:.4f}"
        self.bar_.set_postfix_str(report, refresh=False)

    def on_train_end(self, net, **kwargs):
        """Close the bar."""
        self.bar_.close()

    def __getstate__(self):
        # An open bar holds a lock, which does not pickle.
        return {k: v for k, v in self.__dict__.items() if k not in self.transient}
