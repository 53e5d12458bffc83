"""Executions while they run: a live panel on a terminal, plain lines in a log."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from reconciler.watch import Progress

#: Seconds between two lines about the same execution in a log, unless its state or stage changes.
LINE_SECONDS = 10.0

_COLOURS = {"COMPLETED": "green", "RUNNING": "cyan", "DEAD": "red", "STOPPED": "yellow"}


class Display:
    """Shows looks as they come in; a context manager, so that a terminal is whole again whatever happens."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._clock = clock
        self._live = Live(console=console, auto_refresh=False) if console.is_terminal else None
        self._said: dict[str, tuple[tuple[str, str], float]] = {}

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def say(self, text: str) -> None:
        """One line of what was done, above the panel."""
        self._console.print(text, markup=False)

    def show(self, rows: Sequence[Progress]) -> None:
        """Replace what is shown by `rows`."""
        if self._live is not None:
            self._live.update(panel(rows), refresh=True)
            return
        for row in rows:
            self._line(row)

    def _line(self, row: Progress) -> None:
        now, state = self._clock(), (row.status, row.stage)
        before = self._said.get(row.execution)
        if before is not None and before[0] == state and now - before[1] < LINE_SECONDS:
            return
        self._said[row.execution] = (state, now)
        self._console.print(line(row), markup=False)


def line(row: Progress) -> str:
    """One execution as one line of a log."""
    words = [f"{row.configuration} {row.execution}: {row.status}"]
    if row.stage:
        words.append(row.stage)
    if row.step is not None and row.total_steps is not None:
        words.append(f"step {row.step}/{row.total_steps}")
    words += _measured(row)
    if row.message:
        words.append(row.message)
    return ", ".join(words)


def panel(rows: Sequence[Progress]) -> Panel:
    """All executions as a panel: who, how far, how long still, how good."""
    blocks = [_block(row) for row in rows]
    return Panel(Group(*blocks), title="executions", title_align="left", border_style="dim")


def _block(row: Progress) -> Table:
    table = Table.grid(padding=(0, 2))
    head = Text.assemble((row.configuration, "bold"), "  ", (row.status, _COLOURS.get(row.status, "dim")))
    if row.stage:
        head.append(f"  {row.stage}")
    table.add_row(head, Text(row.execution, style="dim"))
    if row.fraction is not None:
        steps = (
            f"{row.step}/{row.total_steps}" if row.step is not None and row.total_steps is not None else ""
        )
        table.add_row(
            ProgressBar(total=1.0, completed=row.fraction, width=48), f"{row.fraction:4.0%} {steps}"
        )
    measured = "   ".join(_measured(row))
    if measured:
        table.add_row(measured)
    if row.message:
        table.add_row(Text(row.message, style="red" if row.status == "DEAD" else ""))
    return table


def _measured(row: Progress) -> list[str]:
    words = []
    if row.eta_seconds is not None and row.status == "RUNNING":
        words.append(f"ETA {duration(row.eta_seconds)}")
    if row.loss is not None:
        words.append(f"loss {row.loss:.3f}")
    if row.mean_ap is not None:
        words.append(f"mAP {row.mean_ap:.3f}")
    return words


def duration(seconds: float) -> str:
    """A span for people: 47 s, 3:07, 1:02:09."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
