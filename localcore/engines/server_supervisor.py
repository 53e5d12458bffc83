"""`python -m localcore.engines.server_supervisor FOLDER`: serves one revision of a deployment.

It brings the model, starts the container on a free port of 127.0.0.1, says in `state.json` when it answers,
and starts it again when it dies after it has answered. A container that dies before it ever answered has
failed. SIGTERM ends it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
from pathlib import Path
from typing import Any

from localcore import clock, objectstores
from localcore.engines import container
from localcore.engines.logfile import LogWriter
from localcore.engines.node import Node
from localcore.engines.processes import descendants, send
from localcore.engines.runner import environment_of, failure
from localcore.engines.server import MODELS, Server, names_its_port, on_port, read_server
from localcore.engines.state import FAILED, READY, STARTING, STOPPED, Workplace
from localcore.engines.supervising import supervise
from localcore.errors import ObjectStoreError
from localcore.serving import ServingSpec
from localcore.workflow.errors import WorkflowError

HOST = "127.0.0.1"
_LOOK = 0.1
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 60.0
NODE = "predictor"
#: A server may run for months.
_LOG_BYTES = 20_000_000


class ServerSupervisor:
    def __init__(self, workplace: Workplace, job: dict[str, Any], secrets: dict[str, Any]) -> None:
        self._workplace, self._job, self._secrets = workplace, job, secrets
        self._log = LogWriter(Path(job["log"]), _LOG_BYTES)
        self._started = clock.now()

    def record(self, phase: str, message: str = "", port: int | None = None) -> None:
        state = {"pid": os.getpid(), "phase": phase, "message": message, "startedAt": self._started}
        self._workplace.write_state(state | ({"port": port} if port else {}))

    async def run(self) -> None:
        """Serve to a recorded end."""
        task = asyncio.ensure_future(self._serve())
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        self.record(STARTING)
        try:
            phase, message = FAILED, await task
        except (WorkflowError, ObjectStoreError, OSError) as error:
            phase, message = FAILED, str(error)
        except asyncio.CancelledError:
            phase, message = STOPPED, "stopped"
        if phase == FAILED:
            self._say(message)
        await asyncio.to_thread(self._clean)
        self.record(phase, message)
        self._log.close()

    def _say(self, text: str) -> None:
        self._log.write(text, stream="stderr", node=NODE, container="supervisor")

    def _clean(self) -> None:
        send(descendants(os.getpid()), signal.SIGKILL)
        objectstores.remove(self._workplace.nodes)

    async def _serve(self) -> str:
        """Until it fails for good; returns why."""
        server = read_server(ServingSpec(**self._job["spec"]))
        place = Node(Path(self._job["folder"]), 1, server.template)
        await asyncio.to_thread(self._stage, place, server)
        now = asyncio.get_running_loop().time
        pause = _FIRST_PAUSE
        while True:
            begun = now()
            answered, message = await self._once(server)
            if not answered:
                return message
            if now() - begun > _LONGEST_PAUSE:
                pause = _FIRST_PAUSE  # it has served well for a while
            self._say(f"{message}; it is started again in {pause:g} s")
            self.record(STARTING, message)
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    def _stage(self, place: Node, server: Server) -> None:
        """The storage initializer: what lies at STORAGE_URI comes to /mnt/models."""
        place.prepare()
        if server.model is None:
            return
        name, path = objectstores.split_url(server.model)
        store = objectstores.open_store(self._secrets["stores"][name], Path(self._job["objects"]))
        target = place.locate(MODELS)
        if not store.download(path, target):
            raise ObjectStoreError(f"nothing is stored at {server.model}")
        if target.is_file():  # a single object lies in the folder under its own name, as KServe puts it there
            content = target.rename(target.with_name("single"))
            target.mkdir()
            content.rename(target / path.rpartition("/")[2])
        objectstores.protect(target)
        self._say(f"{server.model} lies at {MODELS}")

    async def _once(self, server: Server) -> tuple[bool, str]:
        """Run the container to its end: whether it has ever answered, and how it ended."""
        port = _free_port(server)
        place = Node(Path(self._job["folder"]), 1, on_port(server, port))
        marker = f"LOCALCORE_NODE={self._job['marker']}"
        command = container.Command(
            place.arguments({}),
            environment_of(self._job["environment"], marker, place.environment({}, self._secrets["secrets"])),
            place.cwd({}),
            NODE,
            marker,
        )
        self.record(STARTING, f"waiting for the server to answer on port {port}")
        running = asyncio.create_task(
            container.run(command, self._log, deadline=None, grace=self._job["grace"])
        )
        ready = asyncio.create_task(_until_it_answers(port, server.probe))
        try:
            await asyncio.wait({running, ready}, return_when=asyncio.FIRST_COMPLETED)
            answered = ready.done()
            if answered:
                self.record(READY, port=port)
            ending = await running
        finally:
            for task in (ready, running):
                task.cancel()
            await asyncio.gather(ready, running, return_exceptions=True)
        return answered, failure(NODE, ending, None) or "the server ended by itself"


def _free_port(server: Server) -> int:
    """A port to listen on; the declared one where the container does not let it be chosen.

    Raises WorkflowError when that is taken.
    """
    wanted = 0 if names_its_port(server) else server.port
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, wanted))
        except OSError as error:
            raise WorkflowError(
                f"port {wanted} is taken, and the container's command does not say which port it listens on"
            ) from error
        port: int = probe.getsockname()[1]
    return port


async def _until_it_answers(port: int, path: str) -> None:
    while not await _answers(port, path):
        await asyncio.sleep(_LOOK)


async def _answers(port: int, path: str) -> bool:
    """An open port, or where there is a probe a good answer to it."""
    try:
        reader, writer = await asyncio.open_connection(HOST, port)
    except OSError:
        return False
    try:
        if not path:
            return True
        writer.write(f"GET {path} HTTP/1.1\r\nHost: {HOST}:{port}\r\nConnection: close\r\n\r\n".encode())
        await writer.drain()
        words = (await reader.readline()).split()
    except OSError:
        return False
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
    return len(words) > 1 and words[1][:1] in (b"2", b"3")


async def _run(workplace: Workplace, job: dict[str, Any], secrets: dict[str, Any]) -> None:
    await ServerSupervisor(workplace, job, secrets).run()


if __name__ == "__main__":
    sys.exit(supervise(sys.argv[1:], _run))
