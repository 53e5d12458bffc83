"""The AI Core of this machine as a process: started detached, found by its pid file, stopped by a signal.

Corespec knows it like any foreign server: by `python -m localcore`, the files it writes into its data folder
(`localcore.pid`, `localcore.log`) and its HTTP address. Nothing of it is imported.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from corespec.errors import CommandError
from reconciler.exitcode import ExitCode

READY_SECONDS = 60.0
STOP_SECONDS = 30.0
_POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class LocalServer:
    """A server that answers; `url` is the address of its AI API."""

    data: Path
    pid: int
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> Path:
        return self.data / "localcore.log"


def running(data: Path) -> LocalServer | None:
    """The server of this data folder if it is alive and answers, else None."""
    server = _recorded(data)
    return server if server is not None and _alive(server.pid) and _ready(server.port) else None


def start(data: Path, port: int | None = None) -> tuple[LocalServer, bool]:
    """The server of this data folder, and whether it had to be started.

    Raises CommandError when the extra is missing, the port is in use (exit 2) or it does not become ready.
    """
    found = running(data)
    if found is not None:
        return found, False
    _require_extra()
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    log = data / "localcore.log"
    begin = log.stat().st_size if log.exists() else 0
    command = [sys.executable, "-m", "localcore", "--data", str(data)]
    if port is not None:
        command += ["--port", str(port)]
    with log.open("ab") as stream:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream, start_new_session=True
        )
    return _await_ready(process, data, log, begin), True


def stop(data: Path) -> LocalServer | None:
    """Ask the server of this data folder to end and wait until it has; None when none was running."""
    server = _recorded(data)
    if server is None or not _alive(server.pid) or not _ready(server.port):
        return None
    os.kill(server.pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while _alive(server.pid):
        if time.monotonic() > deadline:
            raise CommandError(
                f"the local AI Core (process {server.pid}) did not end within {STOP_SECONDS:.0f} s",
                remedy=f"Read {server.log}, or end it with `kill -9 {server.pid}`: it survives that.",
                code=ExitCode.FAILURE,
            )
        time.sleep(_POLL_SECONDS)
    return server


def _await_ready(process: subprocess.Popen[bytes], data: Path, log: Path, begin: int) -> LocalServer:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        code = process.poll()
        if code is not None:
            reason = _last_line(log, begin) or f"it ended with code {code}"
            raise CommandError(
                f"the local AI Core did not start: {reason}",
                remedy=f"Its log is {log}.",
                code=ExitCode.REJECTED if code == 2 else ExitCode.FAILURE,
            )
        server = _recorded(data)
        if server is not None and server.pid == process.pid and _ready(server.port):
            return server
        time.sleep(_POLL_SECONDS)
    process.kill()
    raise CommandError(
        f"the local AI Core did not answer within {READY_SECONDS:.0f} s",
        remedy=f"Read its log {log}.",
        code=ExitCode.FAILURE,
    )


def _require_extra() -> None:
    missing = [name for name in ("localcore", "fastapi", "uvicorn") if find_spec(name) is None]
    if missing:
        raise CommandError(
            f"the local AI Core needs {' and '.join(missing)}, which this installation lacks",
            remedy="Install the extra: pip install 'corespec[local]'",
        )


def _recorded(data: Path) -> LocalServer | None:
    try:
        record = json.loads((data / "localcore.pid").read_text(encoding="utf-8"))
        return LocalServer(data, int(record["pid"]), int(record["port"]))
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


def _alive(pid: int) -> bool:
    """Whether the process lives; one that we started ourselves and that has ended is reaped on the way."""
    try:
        if os.waitpid(pid, os.WNOHANG)[0] == pid:
            return False
    except ChildProcessError:
        pass
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _ready(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/ready")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _last_line(log: Path, begin: int) -> str:
    text = log.read_bytes()[begin:].decode("utf-8", errors="replace")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else ""
