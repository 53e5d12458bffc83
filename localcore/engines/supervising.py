"""How a supervisor begins and ends: its folder's lock, its secrets on standard input, its orphans."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from localcore.engines.processes import adopt_orphans
from localcore.engines.state import Workplace

# The server went away, or another supervisor is at work: nothing was done, nothing is recorded.
EXIT_NOT_MINE = 75

Body = Callable[[Workplace, dict[str, Any], dict[str, Any]], Coroutine[Any, Any, None]]


def supervise(arguments: list[str], body: Body) -> int:
    """Run `body(workplace, job, secrets)` as the one supervisor of a folder; returns the exit code."""
    workplace = Workplace(Path(arguments[0]))
    try:
        secrets = json.load(sys.stdin)
    except ValueError:
        return EXIT_NOT_MINE
    if not _claimed(workplace) or workplace.state():
        return EXIT_NOT_MINE
    adopt_orphans()
    asyncio.run(body(workplace, workplace.job(), secrets))
    _reap()
    return 0


def _claimed(workplace: Workplace) -> bool:
    """Take the folder; the server's own look at the lock, a few microseconds long, is waited out."""
    for _ in range(20):
        if workplace.claim() is not None:
            return True
        time.sleep(0.05)
    return False


def _reap() -> None:
    """Collect adopted children, so that none stays behind as a zombie."""
    try:
        while os.waitpid(-1, 0)[0]:
            pass
    except ChildProcessError:
        return
