"""Writers as the processes that they are: daemons and a cron on clones of their own.

Each tells the server, by a request, when it has taken the lock and before it gives it back. So the server's
own record shows whose turn it was when a write came.
"""

from __future__ import annotations

import io
import multiprocessing
import os
import signal
import sys
from collections.abc import Iterable, Mapping
from multiprocessing.connection import Connection, wait
from pathlib import Path

import requests

from corespec.__main__ import main
from reconciler import loop
from reconciler.lock_base import Lock
from tests.properties.core import Core, Request
from tests.properties.site import CATALOG

TAKEN, GIVEN = "/told/taken", "/told/given"
ROUND_ENDS = frozenset({"round-ended", "round-failed"})
_PATIENCE = 60.0
#: One clean process that has loaded everything once; each writer is forked from it.
_SPAWN = multiprocessing.get_context("forkserver")
_SPAWN.set_forkserver_preload(["corespec.verbs.reconcile", "hera.workflows.models", __name__])


class Writer:
    """One process. `daemon`: `corespec reconcile`, called by SIGHUP; otherwise `--once`, again and again."""

    def __init__(
        self, name: str, clone: Path, core: Core, environ: Mapping[str, str], *, daemon: bool
    ) -> None:
        self.name, self._daemon = name, daemon
        ours, theirs = _SPAWN.Pipe()
        self._line: Connection[object, object] = ours
        self.endings: list[str] = []
        arguments = ["reconcile", "-C", str(clone), "--catalog", str(CATALOG), "--no-wait"]
        arguments += ["--log-format", "json", "--interval", "86400"] if daemon else ["--once", "-o", "json"]
        told = {**os.environ, **environ, "AI_CLIENT_TYPE": name}
        target = _daemon if daemon else _cron
        self.process = _SPAWN.Process(target=target, args=(theirs, arguments, told, core.url))
        self.process.start()
        theirs.close()

    @property
    def pid(self) -> int:
        assert self.process.pid is not None
        return self.process.pid

    def call(self) -> None:
        """Start a round; `ended` waits for its end."""
        if self._daemon:
            os.kill(self.pid, signal.SIGHUP)
        else:
            self._line.send("go")

    def ended(self) -> str:
        """How the round ended: `ok`, `locked`, or what was said. `killed` where the process is no more."""
        assert wait([self._line, self.process.sentinel], _PATIENCE), f"{self.name} says nothing"
        try:
            ending = str(self._line.recv())
        except (EOFError, ConnectionResetError):
            self.process.join(_PATIENCE)
            ending = "killed" if self.process.exitcode == -signal.SIGKILL else f"{self.process.exitcode}"
        self.endings.append(ending)
        return ending

    def close(self) -> None:
        if self.process.is_alive():
            self.process.terminate()
        self.process.join(_PATIENCE)
        self._line.close()


def one_writer_at_a_time(record: Iterable[Request], died: Mapping[str, int] | None = None) -> int:
    """Assert it; returns how often the lock was taken. `died`: writer -> place in the record of its death."""
    holder, turns = "", 0
    ends = {place: name for name, place in (died or {}).items()}
    for place, request in enumerate(record):
        if ends.get(place) == holder:
            holder = ""
        if request.path == TAKEN:
            assert not holder, f"{request.writer} holds the lock of {holder}"
            holder, turns = request.writer, turns + 1
        elif request.path == GIVEN:
            assert holder == request.writer
            holder = ""
        elif request.method != "GET":
            assert holder == request.writer, f"{request.writer} writes ({request.line}) in {holder}'s turn"
    return turns


class _Log(io.TextIOBase):
    """Takes a daemon's lines and passes on how its rounds end."""

    def __init__(self, line: Connection[object, object]) -> None:
        self._line = line

    def write(self, text: str) -> int:
        import json

        for one in text.splitlines():
            said = json.loads(one)
            if said["event"] == "round-ended":
                self._line.send("ok")
            elif said["event"] == "round-failed":
                held = said["reason"] == "LockHeldError"
                self._line.send("locked" if held else f"{said['reason']}: {said['message']}")
        return len(text)


def _daemon(
    line: Connection[object, object], arguments: list[str], environ: dict[str, str], url: str
) -> None:
    _prepare(environ, url)
    loop.BREATH = 0.0  # a round may follow the one before at once
    sys.stdout = _Log(line)
    sys.exit(main(arguments))


def _cron(line: Connection[object, object], arguments: list[str], environ: dict[str, str], url: str) -> None:
    _prepare(environ, url)
    while line.recv() == "go":
        out, complaints = io.StringIO(), io.StringIO()
        sys.stdout, sys.stderr = out, complaints
        code = main(arguments)
        known = {0: "ok", 3: "ok", 5: "locked"}
        line.send(known.get(code, f"{code}: {complaints.getvalue()}"))


def _prepare(environ: dict[str, str], url: str) -> None:
    os.environ.clear()
    os.environ.update(environ)
    take, give = Lock.acquire, Lock.release

    def acquire(lock: Lock) -> None:
        take(lock)
        _tell(url + TAKEN, environ)

    def release(lock: Lock) -> None:
        _tell(url + GIVEN, environ)
        give(lock)

    Lock.acquire, Lock.release = acquire, release  # type: ignore[method-assign]


def _tell(address: str, environ: Mapping[str, str]) -> None:
    requests.get(address, headers={"AI-Client-Type": environ["AI_CLIENT_TYPE"]}, timeout=10).close()
