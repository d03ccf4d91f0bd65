"""Find the length of a recording by decoding it, once."""

from concurrent.futures import Future

from skbird.audio._audio_header import AudioReadError

# Frames decoded together; behind an error, few are tried again, to lose little.
_BLOCK, _SMALL_BLOCK = 2**16, 2**6
_counted: dict[
    tuple, Future
] = {}  # by file identity: what was found, or will be by another thread


def count_once(identity, count):
    """Return what `count` found for this file, now or at an earlier call.

    Threads that ask for the same file wait for the first of them.

    Parameters
    ----------
    identity : tuple
        Path, size and time of the file.
    count : callable
        Called without arguments if the file is a new one.

    Returns
    -------
    object
        What `count` returned.
    """
    mine = Future()
    found = _counted.setdefault(identity, mine)
    if found is mine:
        try:
            mine.set_result(count())
        except BaseException as exc:
            _counted.pop(identity)  # it may pass: the next caller tries again
            mine.set_exception(exc)
    return found.result()


def count_frames(opener, most):
    """Decode a file to its end, in blocks.

    Parameters
    ----------
    opener : callable
        Opens a decoder.
    most : int
        Frames beyond which nothing is believed any more.

    Returns
    -------
    n_frames : int
        That can be decoded.
    error : str
        What ended the decoding; "" for the end of the file.
    """
    n_frames, error = 0, ""
    for block in (_BLOCK, _SMALL_BLOCK):
        decoder = opener()
        try:
            if n_frames:
                decoder.seek(n_frames)
            while n_frames < most:
                n_read = len(decoder.read(block))
                n_frames += n_read
                if n_read < block:
                    return n_frames, ""
            return n_frames, ""
        except AudioReadError as exc:
            error = str(exc)
        finally:
            decoder.close()
    return n_frames, error
