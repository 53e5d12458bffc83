"""The files by which a supervisor and the server speak; either may die at any moment.

DIR/executions/<id>/
  lock         held by the supervisor as long as it lives: the only proof of life that cannot be stale
  job.json     what to run, written by the server; no secret
  state.json   how far it is, replaced in one step by the supervisor
  log.jsonl    what the containers wrote: one JSON object per line, times ascending
  supervisor.log  what the supervisor itself had to say
  nodes/       the containers' files while they run

DIR/deployments/<id>/<revision>/ has the same; the log of all revisions lies in DIR/deployments/<id>/.
"""

from __future__ import annotations

import fcntl
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localcore.home import read_json, write_json

RUNNING, SUCCEEDED, FAILED, STOPPED = "Running", "Succeeded", "Failed", "Stopped"
# Of a server: it does not answer yet, or not just now; it answers.
STARTING, READY = "Starting", "Ready"


@dataclass(frozen=True)
class Workplace:
    """The folder of one execution."""

    folder: Path

    @property
    def lock(self) -> Path:
        return self.folder / "lock"

    @property
    def log(self) -> Path:
        return self.folder / "log.jsonl"

    @property
    def supervisor_log(self) -> Path:
        return self.folder / "supervisor.log"

    def last_words(self) -> str:
        """The supervisor's own last line; empty when it said nothing."""
        if not self.supervisor_log.exists():
            return ""
        lines = self.supervisor_log.read_text(errors="replace").split("\n")
        return next((line for line in reversed(lines) if line.strip()), "")

    @property
    def nodes(self) -> Path:
        return self.folder / "nodes"

    def job(self) -> dict[str, Any]:
        return read_json(self.folder / "job.json")

    def write_job(self, job: dict[str, Any]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        write_json(self.folder / "job.json", job)

    def state(self) -> dict[str, Any]:
        """Empty before the supervisor has begun."""
        return read_json(self.folder / "state.json")

    def write_state(self, state: dict[str, Any]) -> None:
        write_json(self.folder / "state.json", state)

    def forget_state(self) -> None:
        """Before another supervisor takes over from one that has ended."""
        (self.folder / "state.json").unlink(missing_ok=True)

    def claim(self) -> int | None:
        """Become the supervisor; None when there is one. The descriptor must stay open."""
        descriptor = os.open(self.lock, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        return descriptor

    def supervised(self) -> bool:
        """Whether a supervisor lives."""
        if not self.lock.exists():
            return False
        descriptor = self.claim()
        if descriptor is None:
            return True
        os.close(descriptor)
        return False

    def supervisor_pid(self) -> int | None:
        """The pid of a living supervisor: read only while the lock proves that it lives."""
        pid = self.state().get("pid")
        return pid if isinstance(pid, int) and self.supervised() else None
