"""Finding and ending processes, so that nothing an execution started outlives it.

A container's processes are found in three ways, because each alone can be escaped: the process group, the
family tree (children that made a session of their own are adopted by the supervisor), and the variable
AICORE_EXECUTION_ID in their environment.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
from pathlib import Path

_PROC = Path("/proc")
_PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans() -> None:
    """Make this process the parent of its descendants' orphans (Linux); elsewhere nothing happens."""
    if _PROC.joinpath("self/stat").exists():
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _parents() -> dict[int, int]:
    """Parent of every living process; zombies are left out."""
    found = {}
    for entry in _PROC.glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            state, parent = entry.read_text(errors="replace").rpartition(")")[2].split()[:2]
            if state not in ("Z", "X"):
                found[int(entry.parent.name)] = int(parent)
    return found


def descendants(ancestor: int) -> set[int]:
    """Every living process below `ancestor`, however deep."""
    children: dict[int, list[int]] = {}
    for pid, parent in _parents().items():
        children.setdefault(parent, []).append(pid)
    found: set[int] = set()
    open_ends = [ancestor]
    while open_ends:
        for child in children.get(open_ends.pop(), []):
            if child not in found:
                found.add(child)
                open_ends.append(child)
    return found


def marked(entry: str) -> set[int]:
    """Every living process with `entry` (NAME=value) in the environment it was started with; not this one."""
    wanted = entry.encode()
    alive = _parents()
    found = set()
    for pid in alive:
        with contextlib.suppress(OSError):
            if wanted in (_PROC / str(pid) / "environ").read_bytes().split(b"\0"):
                found.add(pid)
    return found - {os.getpid()}


def send(pids: set[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, number)


def send_group(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)
