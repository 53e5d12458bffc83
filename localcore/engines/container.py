"""One container as a process.

Started without a shell of ours, heard line by line, ended with all it started.
"""

from __future__ import annotations

import asyncio
import signal
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from localcore.engines.logfile import MAX_LINE, LogWriter
from localcore.engines.processes import marked, send, send_group

_RESULT_LINES = 1000
_POLL = 0.05


@dataclass(frozen=True)
class Command:
    """What to start: arguments, environment, folder, and the marker that its processes carry."""

    arguments: Sequence[str]
    environment: Mapping[str, str]
    folder: Path
    node: str
    marker: str


@dataclass(frozen=True)
class Ending:
    """How it ended: exit code (negative: a signal), the last thing it said, and its standard output."""

    code: int
    last_words: str
    output: str
    timed_out: bool = False


class _Ear:
    """Copies one stream into the log; a carriage return ends a line too, so that progress bars show."""

    def __init__(self, log: LogWriter, stream: str, node: str) -> None:
        self._log, self._stream, self._node = log, stream, node
        self.lines: deque[str] = deque(maxlen=_RESULT_LINES)

    def _line(self, raw: bytes) -> None:
        text = raw.decode("utf-8", "replace").rstrip("\r\n")
        if text.strip():
            self.lines.append(text)
            self._log.write(text, stream=self._stream, node=self._node)

    async def listen(self, reader: asyncio.StreamReader) -> None:
        rest = b""
        while chunk := await reader.read(65_536):
            *whole, rest = (rest + chunk).replace(b"\r", b"\n").split(b"\n")
            for line in whole:
                self._line(line)
            if len(rest) > MAX_LINE:
                self._line(rest)
                rest = b""
        self._line(rest)


async def terminate(pid: int, marker: str, grace: float) -> None:
    """SIGTERM to the group and everything that carries the marker;

    SIGKILL to what is left after `grace` seconds.
    """
    send_group(pid, signal.SIGTERM)
    send(await asyncio.to_thread(marked, marker), signal.SIGTERM)
    clock = asyncio.get_running_loop().time
    deadline = clock() + grace
    while clock() < deadline:
        if not await asyncio.to_thread(marked, marker):
            return
        await asyncio.sleep(_POLL)
    await kill(pid, marker)


async def kill(pid: int, marker: str) -> None:
    """SIGKILL until nothing is left: a process may fork between two looks."""
    send_group(pid, signal.SIGKILL)
    while left := await asyncio.to_thread(marked, marker):
        send(left, signal.SIGKILL)
        await asyncio.sleep(_POLL)


async def run(command: Command, log: LogWriter, *, deadline: float | None, grace: float) -> Ending:
    """Run to the end, or to `deadline` seconds, or to cancellation; whichever it is, no process is left
    behind.

    Raises OSError when the program cannot be started.
    """
    process = await asyncio.create_subprocess_exec(
        *command.arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=dict(command.environment),
        cwd=command.folder,
        start_new_session=True,
    )
    out, err = _Ear(log, "stdout", command.node), _Ear(log, "stderr", command.node)
    ears = [
        asyncio.create_task(ear.listen(reader))
        for ear, reader in ((out, process.stdout), (err, process.stderr))
        if reader is not None
    ]
    timed_out = False
    try:
        async with asyncio.timeout(deadline):
            await process.wait()
    except TimeoutError:
        timed_out = True
        await terminate(process.pid, command.marker, grace)
    except asyncio.CancelledError:
        await terminate(process.pid, command.marker, grace)
        raise
    finally:
        await kill(process.pid, command.marker)
        await process.wait()
        await asyncio.gather(*ears)
    words = (err.lines or out.lines or deque([""]))[-1]
    return Ending(process.returncode or 0, words.strip(), "\n".join(out.lines), timed_out)
