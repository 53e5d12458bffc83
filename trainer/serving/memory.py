"""Memory that stays what it was: one heap for all threads of a server."""

from __future__ import annotations

import ctypes
import platform

_M_ARENA_MAX = -8
"""From glibc's malloc.h."""


def share_one_heap() -> bool:
    """Let threads share a heap; whether this system's C library can be told so.

    glibc gives threads heaps of their own, of which each keeps the most that it ever needed: a server that
    decodes pictures of all sizes on several threads grows until every thread has met the largest. Call it
    before the threads are there.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    return bool(ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1))
