"""Whole processes, measured: what a user waits for, what the machine spends, what memory it takes."""

from __future__ import annotations

import os
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

_SHOWN = 3000


class TookTooLongError(Exception):
    """A command was ended because it took longer than allowed."""


@dataclass(frozen=True)
class Cost:
    """Of one process with its children: wall-clock seconds, CPU seconds, most memory of one of them in MB."""

    seconds: float
    cpu: float
    memory: float


def run(
    command: list[str],
    *,
    cwd: Path | None = None,
    env: dict[str, str] | None = None,
    timeout: float | None = None,
    code: int = 0,
) -> Cost:
    """Run a command that must end with exit code `code`; its output is shown only when it does not.

    Raises RuntimeError, and TookTooLongError after `timeout` seconds.
    """
    with tempfile.TemporaryFile() as output:
        begin = time.perf_counter()
        process = subprocess.Popen(command, cwd=cwd, env=env, stdout=output, stderr=subprocess.STDOUT)
        alarm = threading.Timer(timeout, process.kill) if timeout else None
        if alarm:
            alarm.start()
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - begin
        process.returncode = os.waitstatus_to_exitcode(status)
        if alarm:
            alarm.cancel()
        if process.returncode == code:
            return Cost(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)
        if timeout and seconds >= timeout:
            raise TookTooLongError(f"`{' '.join(command)}` did not end within {timeout / 60:g} minutes")
        output.seek(0)
        said = output.read().decode(errors="replace")[-_SHOWN:]
        raise RuntimeError(f"{' '.join(command)} ended with exit code {process.returncode}:\n{said}")


def middle(costs: list[Cost]) -> Cost:
    """The median of each figure, and of memory the most."""
    return Cost(
        median(cost.seconds for cost in costs),
        median(cost.cpu for cost in costs),
        max(cost.memory for cost in costs),
    )
