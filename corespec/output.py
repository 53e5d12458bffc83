"""What verbs print: results on stdout, messages on stderr, JSON whenever it was asked for."""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table

    from corespec.errors import Failure

FORMAT_VERSION = "1.0"


def wants_json(arguments: Sequence[str]) -> bool:
    """Whether the command line asks for JSON; an error may come before it is parsed."""
    pairs = zip(arguments, [*arguments[1:], ""], strict=True)
    return any(
        word in {"-ojson", "--output=json"} or (word in {"-o", "--output"} and value == "json")
        for word, value in pairs
    )


def emit(document: Mapping[str, Any]) -> None:
    """Print one JSON document with its format version in front."""
    versioned = {"format_version": FORMAT_VERSION, **document}
    sys.stdout.write(json.dumps(versioned, indent=2, ensure_ascii=False) + "\n")
    sys.stdout.flush()  # a verb may go on for hours, and its reader is a program


def say(text: str = "") -> None:
    """One line or block of a result."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def note(text: str) -> None:
    """A message beside the result."""
    sys.stdout.flush()
    sys.stderr.write(text + "\n")


def fail(failure: Failure, *, as_json: bool) -> None:
    """Print a failure: its message on stderr, and as JSON on stdout where JSON is expected there."""
    if as_json:
        emit(failure.document())
    sys.stdout.flush()
    sys.stderr.write(failure.message if failure.details else f"error: {failure.message}")
    sys.stderr.write("\n")


def trace(error: BaseException) -> None:
    """Print the traceback that `--verbose` asks for."""
    sys.stderr.write("".join(traceback.format_exception(error)))


def table(*columns: str, right: bool = False) -> Table:
    """An empty table as all verbs draw them; with `right`, every column but the first is aligned right."""
    from rich import box
    from rich.table import Table

    drawn = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for index, column in enumerate(columns):
        drawn.add_column(column, justify="right" if right and index else "left", overflow="fold")
    return drawn


def show(*parts: RenderableType) -> None:
    """Print rich parts without the blanks at the ends of lines."""
    screen = console()
    with screen.capture() as captured:
        for part in parts:
            screen.print(part)
    say("\n".join(line.rstrip() for line in captured.get().splitlines()))


def console(*, stderr: bool = False) -> Console:
    """A rich console: colours and live panels only on a terminal, wide lines elsewhere."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    return Console(file=stream, width=None if stream.isatty() else 120, highlight=False, soft_wrap=False)
