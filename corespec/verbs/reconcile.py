"""`corespec reconcile`: the whole way from the branch to AI Core, once or again and again."""

from __future__ import annotations

import random
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from enum import StrEnum
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from corespec import output
from corespec.errors import CommandError
from corespec.options import (
    Catalog,
    Directory,
    Environment,
    Format,
    LockTimeout,
    MaxLaunches,
    Output,
    Prune,
    PruneLimit,
    StopRunning,
    SyncTimeout,
    permission,
)
from corespec.outcome import report
from corespec.progress import Display
from corespec.project import read_environment, session
from reconciler.clock import SystemClock
from reconciler.daemon import Daemon, Settings
from reconciler.endpoint import Answers, Endpoint
from reconciler.exitcode import ExitCode
from reconciler.journal import Journal
from reconciler.loop import Bell, DaemonClock, Loop
from reconciler.observability import METERS
from reconciler.session import Options, Session


class LogFormat(StrEnum):
    """How the daemon's log is written."""

    TEXT = "text"
    JSON = "json"


def run(
    directory: Directory = Path(),
    environment: Environment = None,
    catalog: Catalog = None,
    once: Annotated[bool, typer.Option("--once", help="One round, for cron; otherwise a daemon.")] = False,
    interval: Annotated[
        float | None,
        typer.Option("--interval", min=1, metavar="SECONDS", help="Instead of the environment's interval."),
    ] = None,
    listen: Annotated[
        str | None,
        typer.Option(
            "--listen",
            metavar="HOST:PORT",
            help="Serve /healthz, /readyz, /metrics and /webhook there; port 0 takes a free one.",
        ),
    ] = None,
    log_format: Annotated[
        LogFormat, typer.Option("--log-format", help="The daemon's log: a line for each event.")
    ] = LogFormat.TEXT,
    wait: Annotated[
        bool | None,
        typer.Option("--wait/--no-wait", help="Stay until the executions have ended; default: with --once."),
    ] = None,
    max_launches: MaxLaunches = None,
    prune: Prune = False,
    prune_limit: PruneLimit = None,
    stop_running: StopRunning = False,
    lock_timeout: LockTimeout = 0.0,
    sync_timeout: SyncTimeout = 600.0,
    form: Output = Format.TEXT,
) -> int:
    """Follow the branch, validate, render, publish where the environment allows it, and apply.

    As a daemon: SIGTERM finishes the current write and ends with 0, Ctrl-C does so with 130, a second one
    of them ends at once; SIGHUP starts a round.
    """
    options = Options(
        wait=once if wait is None else wait,
        max_launches=max_launches,
        prune=permission(prune, prune_limit, stop_running),
        lock_timeout=lock_timeout,
        sync_timeout=sync_timeout,
    )
    if once:
        if listen is not None:
            raise CommandError(
                "--listen is for the daemon, and --once is none", remedy="Leave one of them out."
            )
        return _round(session(directory, environment, catalog), options, form)
    address = None if listen is None else _address(listen)
    bell, clock = Bell(), SystemClock()
    journal = Journal(sys.stdout, "json" if Format.JSON in (form, log_format) else "text", clock)
    daemon_clock = DaemonClock(bell, clock)
    daemon = Daemon(
        session(directory, environment, catalog, daemon_clock),
        lambda: read_environment(directory, environment),
        Settings(options, interval),
        bell,
        daemon_clock,
        journal,
    )
    return _daemon(daemon, bell, daemon_clock, journal, address)


def _daemon(
    daemon: Daemon, bell: Bell, clock: DaemonClock, journal: Journal, address: tuple[str, int] | None
) -> int:
    with ExitStack() as opened:
        opened.callback(daemon.close)
        interrupted = opened.enter_context(_signals(bell))
        url = "" if address is None else opened.enter_context(_endpoint(daemon, address)).url
        listening = f"; listening at {url}" if url else ""
        journal.write("info", "started", f"a round every {daemon.pace().interval:g} s{listening}", url=url)
        Loop(daemon.round, daemon.pace, bell, clock, random.random).run()
        journal.write("info", "stopped", "asked to end")
    return ExitCode.INTERRUPTED if interrupted else ExitCode.CONVERGED


def _endpoint(daemon: Daemon, address: tuple[str, int]) -> Endpoint:
    answers = Answers(daemon.health, daemon.ready, METERS.text, daemon.webhook)
    try:
        return Endpoint(*address, answers)
    except OSError as error:
        host, port = address
        raise CommandError(
            f"nothing can listen at {host}:{port}: {error.strerror or error}",
            remedy="Free the address, or give another one: --listen HOST:PORT (port 0 takes a free one).",
        ) from None


def _address(listen: str) -> tuple[str, int]:
    host, colon, port = listen.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not (colon and host and port.isascii() and port.isdigit() and int(port) < 65536):
        raise CommandError(f"--listen {listen}: not HOST:PORT", remedy="For example: --listen 127.0.0.1:8790")
    return host, int(port)


@contextmanager
def _signals(bell: Bell) -> Iterator[list[int]]:
    """Signals become calls at the bell; as before when the daemon has ended. Gives a list with SIGINT in it
    once somebody has pressed Ctrl-C.
    """

    def stop(number: int, _: FrameType | None) -> None:
        if bell.stopping:
            raise KeyboardInterrupt
        interrupted.extend([number] if number == signal.SIGINT else [])
        bell.stop()

    def call(_: int, __: FrameType | None) -> None:
        bell.call()

    interrupted: list[int] = []
    handlers: dict[signal.Signals, Callable[[int, FrameType | None], None]]
    handlers = {signal.SIGTERM: stop, signal.SIGINT: stop, signal.SIGHUP: call}
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield interrupted
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _round(opened: Session, options: Options, form: Format) -> int:
    if form is Format.JSON:
        return report(opened.reconcile_once(options), form)
    with Display(output.console()) as display:
        result = opened.reconcile_once(options, listener=display)
    return report(result, form)
