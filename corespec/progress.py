"""What an apply does while it does it: a live panel on a terminal, plain lines in a log."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from reconciler.events import Event, EventKind
from reconciler.report.text import duration, progress_text
from reconciler.watch import Progress

#: Seconds between two lines about the same thing in a log, unless its state or stage changes.
LINE_SECONDS = 10.0

_COLOURS = {"COMPLETED": "green", "RUNNING": "cyan", "DEAD": "red", "STOPPED": "yellow"}
_SIGNS = {EventKind.DONE: "✓", EventKind.CHECKED: "✓", EventKind.WARNING: "!", EventKind.FAILED: "✗"}
_TICKS = frozenset({EventKind.RUNNING, EventKind.ENDED, EventKind.UPLOADING})


class Display:
    """Listens to the events of an apply; a context manager, so that a terminal is always left whole."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console
        self._clock = clock
        self._live = Live(console=console, auto_refresh=False) if console.is_terminal else None
        self._looks: dict[str, Progress] = {}
        self._uploads: dict[str, Mapping[str, Any]] = {}
        self._said: dict[str, tuple[tuple[str, str], float]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def __call__(self, event: Event) -> None:
        """Show one event; a `reconciler.events.Listener`."""
        if event.kind is EventKind.STAGE:
            return
        if event.kind not in _TICKS:
            self._uploads.pop(event.address, None)
            self._console.print(
                f"{_SIGNS.get(event.kind, '·')} {event.address}: {event.message}", markup=False
            )
        elif event.kind is EventKind.UPLOADING:
            self._uploads[event.address] = event.data
            self._tick(event.address, ("", ""), f"· {event.address}: {_uploaded(event.data)}")
        else:
            look = Progress(**event.data)
            self._looks[look.execution] = look
            self._tick(look.execution, (look.status, look.stage), progress_text(look))
        if self._live is not None and event.kind in _TICKS:
            self._live.start()  # with the first figures: a question may stand on the terminal before that
            self._live.update(self._picture(), refresh=True)

    def _tick(self, subject: str, state: tuple[str, str], text: str) -> None:
        """In a log: say it when the state has changed or a while has passed."""
        if self._live is not None:
            return
        now, before = self._clock(), self._said.get(subject)
        if before is None or before[0] != state or now - before[1] >= LINE_SECONDS:
            self._said[subject] = (state, now)
            self._console.print(text, markup=False)

    def _picture(self) -> RenderableType:
        lines: list[RenderableType] = [_upload(address, data) for address, data in self._uploads.items()]
        return Group(*lines, panel(list(self._looks.values()))) if self._looks else Group(*lines)


def panel(looks: Sequence[Progress]) -> Panel:
    """All executions as a panel: who, how far, how long still, how good."""
    blocks = [_block(look) for look in looks]
    return Panel(Group(*blocks), title="executions", title_align="left", border_style="dim")


def _block(look: Progress) -> Table:
    table = Table.grid(padding=(0, 2))
    head = Text.assemble((look.configuration, "bold"), "  ", (look.status, _COLOURS.get(look.status, "dim")))
    if look.stage and not look.ended:
        head.append(f"  {look.stage}")
    table.add_row(head, Text(look.execution, style="dim"))
    if look.fraction is not None:
        steps = f"{look.step}/{look.total_steps}" if look.step is not None and look.total_steps else ""
        bar = ProgressBar(total=1.0, completed=look.fraction, width=48)
        table.add_row(bar, f"{look.fraction:4.0%} {steps}")
    if measured := "   ".join(_measured(look)):
        table.add_row(measured)
    if look.message:
        table.add_row(Text(look.message, style="red" if look.status == "DEAD" else ""))
    return table


def _measured(look: Progress) -> list[str]:
    words = [f"after {duration(look.elapsed_seconds)}"] if look.elapsed_seconds else []
    if look.eta_seconds is not None and not look.ended:
        words.append(f"{duration(look.eta_seconds)} left")
    if look.loss is not None:
        words.append(f"loss {look.loss:.3f}")
    if look.mean_ap is not None:
        words.append(f"mAP {look.mean_ap:.3f}")
    return words


def _uploaded(data: Mapping[str, Any]) -> str:
    done, whole = int(data["bytes_done"]), int(data["bytes"])
    words = [f"{data['files_done']}/{data['files']} files", f"{done / 1e6:.1f} of {whole / 1e6:.1f} MB"]
    if rate := data.get("rate"):
        words.append(f"{rate / 1e6:.1f} MB/s")
    if (left := data.get("eta_seconds")) is not None and done < whole:
        words.append(f"{duration(left)} left")
    return ", ".join(words)


def _upload(address: str, data: Mapping[str, Any]) -> Table:
    done, whole = int(data["bytes_done"]), int(data["bytes"])
    table = Table.grid(padding=(0, 2))
    table.add_row(Text(f"  {address}"), ProgressBar(total=max(whole, 1), completed=done or 0, width=32))
    table.add_row(Text(""), Text(_uploaded(data), style="dim"))
    return table
