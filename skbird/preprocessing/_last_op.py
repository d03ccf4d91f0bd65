"""What ends the lazy part of a pipeline: base class."""


class LastOp:
    """Base class of what is computed of the samples of a row in the end.

    A subclass is a frozen dataclass whose ``repr`` shows all that the numbers depend
    on: cached ones are found by it. Rows of many minutes come to it in blocks.
    """

    #: The step that has it, for messages.
    step = "LogMel"
    #: What it makes, for messages and progress bars.
    label = "spectrograms"
    #: What helps against rows that cannot be read, and against a lack of memory.
    skip_remedy = (
        ", or pass on_error='skip' to LogMel: they are then not trained on, and their "
        "predictions are NaN."
    )
    disk_remedy = "Give LogMel a cache_dir to keep them on disk instead."
    #: What a block must hold before and after its own part, in whole seconds.
    lead_s = 4
    tail_s = 1
    #: Sample rate that it brings clips to, in Hz; 0: it leaves them.
    highest_rate = 0
    #: Audio in seconds that one thread works on at a time.
    task_s = 600

    def __call__(self, clip, offset_s=0.0, lead_s=0.0, core_s=None):
        """Return frames (n_frames, n_values).

        Parameters
        ----------
        clip : Clip
            The part of a row that begins at `offset_s`.
        offset_s : float
        lead_s : float
            The first seconds of the clip are there only for filters to settle.
        core_s : float or None
            What comes after the next `core_s` is the business of the next part; None:
            there is no next part.

        Returns
        -------
        ndarray of shape (n_frames, n_values)
        """
        raise NotImplementedError

    def check_rate(self, sample_rate):
        """Raise ValueError if clips of a sample rate are nothing for it."""

    def bytes_per_s(self, sample_rate):
        """Return how many bytes a second of audio becomes."""
        raise NotImplementedError

    def is_entry(self, array):
        """Return whether an array (n_values, n_frames) can be one that it made."""
        raise NotImplementedError
