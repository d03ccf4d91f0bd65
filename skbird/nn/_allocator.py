"""Keep glibc from giving big tensors' memory back to the kernel after every batch."""

import ctypes
import sys
from functools import lru_cache

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # from glibc's malloc.h


@lru_cache(maxsize=1)
def keep_freed_memory():
    """Raise the allocator's thresholds, once per process; does nothing but on glibc.

    By default each large activation is mapped anew and page-faulted in on every batch,
    which doubles the time of a CPU training step. The process keeps its peak memory
    instead.
    """
    if not sys.platform.startswith("linux"):
        return
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):  # another C library, such as musl
        return
    mallopt(_M_MMAP_THRESHOLD, 2**30)
    mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
