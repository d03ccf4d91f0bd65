"""Keep glibc from giving big tensors' memory back to the kernel after every batch."""

import ctypes
import os
import sys
from functools import lru_cache

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # from glibc's malloc.h
# The switch, and what users set who tune the allocator themselves.
_SWITCH = "SKBIRD_KEEP_FREED_MEMORY"
_BY_THE_USER = ("MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES")


@lru_cache(maxsize=1)
def keep_freed_memory():
    """Raise the allocator's thresholds, once per process; does nothing but on glibc.

    By default each large activation is mapped anew and page-faulted in on every batch,
    which doubles the time of a CPU training step. The process keeps its peak memory
    instead. The environment variable ``SKBIRD_KEEP_FREED_MEMORY=0`` turns this off, and
    so do settings of glibc's own.
    """
    if not sys.platform.startswith("linux") or os.environ.get(_SWITCH) == "0":
        return
    if any(name in os.environ for name in _BY_THE_USER):
        return
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):  # another C library, such as musl
        return
    mallopt(_M_MMAP_THRESHOLD, 2**30)
    mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
