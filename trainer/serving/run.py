"""The server's process: listen, load, answer, and end well when told to."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import uvicorn
from typing_extensions import override

from trainer.errors import InputError
from trainer.inference.models import Model, Settings, chosen
from trainer.inference.session import gpu_available, usable_cores
from trainer.logs import log_to_stdout
from trainer.parameters.serving import ServingParameters
from trainer.serving.app import create_app
from trainer.serving.batching import Batcher, Policy
from trainer.serving.gate import Gate
from trainer.serving.labels import parse_models
from trainer.serving.memory import share_one_heap
from trainer.serving.metrics import Meters
from trainer.serving.registry import Registry
from trainer.serving.reload import Reloader
from trainer.serving.requests import Limits
from trainer.serving.service import Service

logger = logging.getLogger(__name__)

LEVELS = (logging.CRITICAL, logging.ERROR, logging.WARNING, logging.INFO, logging.DEBUG)
"""By the parameter ``loglevel``."""

BODIES = 256_000_000
"""Bytes of request bodies in memory at once; more wait, unread."""

FAREWELL_SECONDS = 25
"""Requests that are under way get so long after SIGTERM: Kubernetes kills after 30."""


def run(parameters: ServingParameters, host: str, port: int) -> int:
    """Serve until SIGTERM or SIGINT; 0 after a good end.

    Raises ``InputError`` (exit 2) for models that are none and for an address that cannot be listened on.
    """
    level = LEVELS[parameters.loglevel]
    log_to_stdout(level)
    share_one_heap()
    logging.getLogger("uvicorn.error").setLevel(level)  # its name for everything that is no access
    settings = Settings(
        gpu=parameters.gpu_deployment,
        pin=parameters.cpuaffinity,
        shared=True,
        threshold=chosen(parameters.score_threshold),
        overlap=chosen(parameters.iou_threshold),
    )
    places = parse_models(parameters.models)
    limits = Limits(
        request_bytes=int(parameters.maximum_request_megabytes * 1_000_000),
        pictures=parameters.maximum_pictures,
        pixels=int(parameters.maximum_megapixels * 1_000_000),
    )
    cores = usable_cores()
    runs = 1 if parameters.gpu_deployment and gpu_available() else cores
    policy = Policy(parameters.maximum_batch, parameters.batch_milliseconds / 1000, runs)
    meters = Meters()
    with (
        _listening(host, port) as listener,
        ThreadPoolExecutor(max(2, cores), "reading") as readers,
        ThreadPoolExecutor(len(places) * runs, "computing") as computers,
    ):

        def batcher(label: str, model: Model) -> Batcher:
            return Batcher(model, computers, policy, partial(_count, meters, label))

        registry = Registry(places, settings, batcher, largest_batch=policy.size, runs=runs)
        gate = Gate(parameters.maximum_requests, max(BODIES, limits.request_bytes))
        service = Service(registry, limits, parameters.requesttimeout, readers, gate, meters)
        server = _Server(
            uvicorn.Config(
                create_app(service),
                log_config=None,
                access_log=False,
                server_header=False,
                lifespan="off",
                timeout_graceful_shutdown=FAREWELL_SECONDS,
            )
        )
        registry.start(server.stop)
        logger.info("listening on http://%s:%d", host, listener.getsockname()[1])
        asyncio.run(
            _serve(server, listener, Reloader(registry, meters.reloads.add), parameters.reload_seconds)
        )
    if registry.failure:
        raise registry.failure
    logger.info("ended")
    return 0


def _count(meters: Meters, label: str, pictures: int) -> None:
    meters.batches.observe(pictures, label)


async def _serve(server: uvicorn.Server, listener: socket.socket, reloader: Reloader, seconds: float) -> None:
    """Answer and look for changed models until told to end."""
    if hasattr(signal, "SIGHUP"):
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, reloader.ask)
    looking = asyncio.create_task(reloader.run(seconds))
    try:
        await server.serve(sockets=[listener])
    finally:
        looking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await looking


class _Server(uvicorn.Server):
    """Takes the signals without passing them on afterwards: an end that was asked for is no failure."""

    def stop(self) -> None:
        """End when the requests under way are answered; may be called from any thread."""
        self.should_exit = True

    @override
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        signals = (signal.SIGTERM, signal.SIGINT)
        before = {number: signal.signal(number, self.handle_exit) for number in signals}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


@contextlib.contextmanager
def _listening(host: str, port: int) -> Iterator[socket.socket]:
    """A socket that listens on ``host`` and ``port``; port 0 takes a free one."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.create_server((host, port), family=family, backlog=2048)
    except (OSError, OverflowError) as error:
        raise InputError(f"cannot listen on {host}:{port} ({error}): choose another address") from error
    with listener:
        # Connections inherit it. Else an answer's body waits up to 40 ms for the receipt of its head: asyncio
        # sees to that only for sockets that name their protocol, and these do not.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield listener
