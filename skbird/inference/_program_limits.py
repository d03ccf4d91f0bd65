"""Limits of memory and time for all networks of a model file together."""

from skbird.inference._engines import Limits
from skbird.inference._model_archive import RAISE_IT, ModelFileError
from skbird.inference._programs import MAX_OPERATIONS, ProgramError, check_program

MAX_BYTES = 128 * 2**20
# How many times the size of its file a model may need for what it computes.
_WORKING_SHARE = 3
# Two cores need up to three times what the sound lasts. ConvNeXt-T needs 3e9, and
# EfficientNet-B0 half of it.
_MAX_WORK_PER_S = 6e10
# A recording of a second needs a whole batch, of each network.
_MAX_WORK = 6e11
# Four times what a network may have, or 20 times EfficientNet-B0.
_MAX_OPERATIONS = 4 * MAX_OPERATIONS


class LimitedPrograms:
    """Gives networks their checked programs, and adds up their memory and work.

    Parameters
    ----------
    read : function of int to bytes
        Gives the program of that number.
    path : str, default=None
        Path of the model file, for messages.
    max_bytes : int, default=None
        See `load_model`. None: without limit.
    """

    def __init__(self, read, path=None, max_bytes=None):
        self._read = read
        self._path = path
        self._max_bytes = max_bytes
        self._work = self._work_per_s = self._n_operations = 0
        self._limits = []
        self._n_bytes = 0

    @property
    def needed_bytes(self):
        """The least `max_bytes` that these networks can be loaded with."""
        return -(-self._n_bytes // _WORKING_SHARE)

    def __call__(self, number, network):
        """Return the program of a network that is otherwise complete."""
        checked = check_program(
            self._read(number),
            shape=network.input_shape,
            n_species=len(network.species),
            frame_scores=network.frame_scores,
        )
        grid, passes = network.format.grid, 1 + len(network.tta_shifts_s)
        # By so much sound does a batch advance: overlaps are computed twice.
        step_s = grid.segment_s * (1 - grid.overlap) * network.input_shape[0]
        self._n_bytes += checked.n_bytes
        if self._max_bytes is not None and self.needed_bytes > self._max_bytes:
            raise ModelFileError(
                f"{self._path} is not loaded: batches of {network.input_shape[0]} "
                f"segments need {self._n_bytes >> 20} MiB of memory, more than "
                f"{_WORKING_SHARE} times max_bytes={self._max_bytes}. {RAISE_IT}"
            )
        self._work += checked.work * passes
        self._work_per_s += checked.work * passes / step_s
        for what, work, most in (
            ("second of sound", self._work_per_s, _MAX_WORK_PER_S),
            ("batch", self._work, _MAX_WORK),
        ):
            if work > most:
                raise ProgramError(
                    f"a {what} needs {work:.0e} multiplications, more than {most:.0e}"
                )
        self._n_operations += checked.n_operations
        if self._n_operations > _MAX_OPERATIONS:
            raise ProgramError(
                f"its networks have more than {_MAX_OPERATIONS} operations together"
            )
        network._limits = Limits(checked.shapes, most_streams=1)
        self._limits.append(network._limits)
        return checked.program

    def limit_streams(self):
        """Let engines compute as many batches at a time as there may be memory for.

        It is known only when all networks are: they share the memory.
        """
        most = _WORKING_SHARE * self._max_bytes // max(self._n_bytes, 1)
        for limits in self._limits:
            limits.most_streams = max(most, 1)
