"""Starting and ending a server: lock, port, key, services.

The order matters for what a crash leaves behind.
"""

from __future__ import annotations

import logging
import logging.handlers
import os
import signal
import socket
import threading
from dataclasses import dataclass

from localcore import auth
from localcore.errors import StartError
from localcore.home import Home

HOST = "127.0.0.1"
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Options:
    """How to run; times in seconds. `port` None: the port of the last run, or a free one the first time."""

    home: Home
    port: int | None = None
    sync_interval: float = 10.0
    max_running: int = 1
    grace: float = 10.0
    keep_running: bool = False


def default_max_running() -> int:
    """One execution at a time on a small machine; otherwise one per four cores."""
    return max(1, (os.cpu_count() or 1) // 4)


def listen(port: int) -> socket.socket:
    """A listening socket on 127.0.0.1. Raises StartError when the port is taken."""
    # asyncio switches Nagle's delay off only where the protocol is named: without it, an answer's body waits
    # up to 40 ms for the receipt of its head.
    found = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind((HOST, port))
    except (OSError, OverflowError) as error:
        found.close()
        message = f"port {port} on {HOST} cannot be used ({error}): choose another with --port, or free it"
        raise StartError(message) from error
    found.listen(128)
    return found


def _thread_ended(ended: threading.ExceptHookArgs) -> None:
    """An error nobody foresaw ended a thread: say so in the log; `/v2/lm/healthz` shows it too."""
    name = ended.thread.name if ended.thread else "a thread"
    trace = (ended.exc_type, ended.exc_value or ended.exc_type(), ended.exc_traceback)
    log.critical("%s ended by an error", name, exc_info=trace)


def start_logging(home: Home) -> None:
    """DIR/localcore.log: 3 files of 5 MB at most; requests are recorded elsewhere, secrets nowhere."""
    handler = logging.handlers.RotatingFileHandler(
        home.log, maxBytes=5_000_000, backupCount=2, encoding="utf-8"
    )
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    threading.excepthook = _thread_ended
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.INFO)


def serve(options: Options) -> None:
    """Run until SIGTERM or SIGINT. Raises StartError or StoreError when it cannot start."""
    home = options.home
    home.prepare()
    lock = home.claim()
    try:
        port = options.port if options.port is not None else auth.remembered_port(home)
        with listen(port or 0) as listener:
            start_logging(home)
            _serve(options, listener)
    finally:
        os.close(lock)


def _serve(options: Options, listener: socket.socket) -> None:
    # Imported only now: a folder in use or a port taken is told at once, without the web framework.
    import uvicorn

    from localcore.api.app import create_app
    from localcore.api.context import Services
    from localcore.api.requests import RequestLog
    from localcore.engines.process import ProcessEngine
    from localcore.engines.serving import DeploymentEngine
    from localcore.gitsync import GitSync
    from localcore.store.store import Store

    home = options.home
    port = listener.getsockname()[1]
    url = f"http://{HOST}:{port}"
    credentials = auth.load_credentials(home)
    store = Store(home.database)
    auth.save_service_key(home, credentials, url)
    engine = ProcessEngine(store, home, url, max_running=options.max_running, grace=options.grace)
    deployments = DeploymentEngine(store, home, url, grace=options.grace)

    def changed() -> None:
        engine.wake()
        deployments.wake()

    sync = GitSync(store, home.git, options.sync_interval, changed)
    services = Services(home, store, engine, deployments, sync, credentials, url)
    app = create_app(services, RequestLog(home.requests))
    config = uvicorn.Config(
        app, log_config=None, access_log=False, lifespan="off", timeout_graceful_shutdown=3
    )
    # uvicorn ends on these signals and then raises them again, which would end us before the executions are.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)
    for part in (engine, deployments, sync):
        part.start()
    home.announce(port, url)
    print(f"local AI Core on {url}, data in {home.root}", flush=True)
    log.info("serving %s", url)
    try:
        uvicorn.Server(config).run(sockets=[listener])
    finally:
        sync.stop()
        deployments.shutdown(keep_running=options.keep_running)
        engine.shutdown(keep_running=options.keep_running)
        if not options.keep_running:
            home.drop_link()
        home.pid.unlink(missing_ok=True)
        store.close()
        log.info("ended")
