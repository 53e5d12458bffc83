"""`corespec status --watch`: a live table on a terminal, a line for each change in a log."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from corespec.output import table
from reconciler.errors import TransientError
from reconciler.report.text import duration, status_text
from reconciler.status import BEST_METRIC, Status, StatusRow

_COLOURS = {
    "Healthy": "green",
    "Progressing": "cyan",
    "Suspended": "yellow",
    "Missing": "yellow",
    "Degraded": "red",
    "Unknown": "magenta",
}


def watch_status(
    look: Callable[[], Status], console: Console, seconds: float, sleep: Callable[[float], None]
) -> None:
    """Look every so many seconds until Ctrl-C.

    A look that fails for a passing reason is said and tried again; what was seen last stays on the screen.
    Raises what `look` raises for good.
    """
    screen = Live(console=console, auto_refresh=False) if console.is_terminal else None
    shown: Status | None = None
    unread = ""
    try:
        with screen or nullcontext():
            while True:
                before, said = shown, unread
                try:
                    shown, unread = look(), ""
                except TransientError as error:
                    unread = error.message
                if screen is not None:
                    screen.update(picture(shown, unread), refresh=True)
                else:
                    _log(console, before, shown, unread if unread != said else "")
                sleep(seconds)
    except KeyboardInterrupt:
        return


def _log(console: Console, before: Status | None, now: Status | None, unread: str) -> None:
    """In a log: everything once, then what has changed."""
    if unread:
        console.print(f"cannot be read now, and is asked again: {unread}", markup=False, soft_wrap=True)
    elif now is not None and before is None:
        console.print(status_text(now), end="", markup=False, soft_wrap=True)
    elif now is not None and before is not None and now is not before:
        for line in changes(before, now):
            console.print(line, markup=False, soft_wrap=True)


def changes(before: Status, now: Status) -> list[str]:
    """`time address: sync health reason message` of each row that is new or another; of those gone too."""
    old = {row.address: _state(row) for row in before.rows}
    new = {row.address: _state(row) for row in now.rows}
    moment = f"{now.observed_at:%Y-%m-%d %H:%M:%SZ}"
    lines = [f"{moment} {address}: {state}" for address, state in new.items() if old.get(address) != state]
    return lines + [f"{moment} {address}: no longer wanted" for address in old if address not in new]


def _state(row: StatusRow) -> str:
    best = f"{BEST_METRIC} {row.best:.3f}" if row.best is not None else ""
    return " ".join(filter(None, (row.sync.value, row.health.value, row.reason.value, best, row.message)))


def picture(status: Status | None, unread: str = "") -> RenderableType:
    """The rows of `corespec status` as a table."""
    parts: list[RenderableType] = []
    if status is not None:
        drawn = table("ADDRESS", "SYNC", "HEALTH", "REASON", "AGE", "REVISION", "LAST RUN", BEST_METRIC)
        for row in status.rows:
            age = duration((status.observed_at - row.since).total_seconds()) if row.since else "-"
            reason = Text(row.reason.value)
            if row.message and row.health.value != "Healthy":
                reason.append(f"\n{row.message}", style="dim")
            health = Text(row.health.value, style=_COLOURS[row.health.value])
            best = f"{row.best:.3f}" if row.best is not None else "-"
            run, held = row.execution or row.deployment or "-", row.revision[:10] or "-"
            sync = Text(row.sync.value)
            drawn.add_row(Text(row.address), sync, health, reason, age, Text(held), Text(run), best)
        parts.append(drawn)
        words = f"Environment {status.environment}: {status.health.value}, {status.observed_at:%H:%M:%SZ}. "
        parts.append(Text(f"{words}Ctrl-C ends."))
    if unread:
        parts.append(Text(f"cannot be read now, and is asked again: {unread}", style="red"))
    return Group(*parts)
