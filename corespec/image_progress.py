"""Building and pushing images while it happens: a live picture on a terminal, plain lines in a log."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from generator.images.events import ImageEvent, ImageEventKind

#: Characters of an instruction or a line that are shown; a RUN of pip may have many hundreds.
WIDTH = 100
#: Layers that are drawn at once.
LAYERS = 12
#: What registries say of a layer that needs nothing more.
_SETTLED = frozenset({"Pushed", "Layer already exists", "Pull complete", "Already exists"})


class ImageDisplay:
    """Listens to image events; a context manager, so that a terminal is always left whole."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, auto_refresh=False) if console.is_terminal else None
        self._step: ImageEvent | None = None
        self._output = ""
        self._layers: dict[str, ImageEvent] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.update("", refresh=True)
            self._live.stop()

    def __call__(self, event: ImageEvent) -> None:
        """Show one event; a `generator.images.events.Listener`."""
        match event.kind:
            case ImageEventKind.STEP:
                self._step, self._output, self._layers = event, "", {}
                self._say(f"{event.image} {event.step}/{event.steps}: {_short(event.message)}")
            case ImageEventKind.CACHED:
                self._say("  from the cache")
            case ImageEventKind.OUTPUT:
                self._output = event.message
                self._say(f"  {_short(event.message)}")
            case ImageEventKind.LAYER:
                self._layer(event)
            case ImageEventKind.DONE:
                self._step, self._output, self._layers = None, "", {}
                self._console.print(f"✓ {event.image} {event.message}", markup=False, soft_wrap=True)
        if self._live is not None:
            self._live.start()
            self._live.update(self._picture(), refresh=True)

    def _layer(self, event: ImageEvent) -> None:
        """In a log, a layer is worth a line when it is settled."""
        before = self._layers.get(event.layer)
        self._layers[event.layer] = event
        if event.message in _SETTLED and (before is None or before.message != event.message):
            self._say(f"  {event.layer} {event.message}")

    def _say(self, text: str) -> None:
        if self._live is None:
            self._console.print(text, markup=False, soft_wrap=True)

    def _picture(self) -> RenderableType:
        parts: list[RenderableType] = []
        if self._step is not None:
            head = f"{self._step.image}  step {self._step.step} of {self._step.steps}"
            parts += [Text(head, style="bold"), Text(f"  {_short(self._step.message)}")]
        if self._output:
            parts.append(Text(f"  {_short(self._output)}", style="dim"))
        if moving := [item for item in self._layers.values() if item.message not in _SETTLED]:
            parts.append(_bars(moving[:LAYERS]))
        return Group(*parts)


def _bars(layers: list[ImageEvent]) -> Table:
    table = Table.grid(padding=(0, 2))
    for item in layers:
        bar = ProgressBar(total=item.total, completed=min(item.done, item.total), width=32)
        known = f"{item.done / 1e6:.1f} of {item.total / 1e6:.1f} MB" if item.total else ""
        table.add_row(Text(f"  {item.layer}", style="dim"), item.message, bar if item.total else "", known)
    return table


def _short(text: str) -> str:
    """One line of at most WIDTH characters."""
    line = " ".join(text.split())
    return line if len(line) <= WIDTH else f"{line[: WIDTH - 1]}…"
