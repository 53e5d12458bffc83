"""What every benchmark prints: rows of figures, ratios against the peer, and what was left out and why."""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

FORMAT_VERSION = 1


class PeerMissingError(Exception):
    """The peer cannot run on this machine; the message says how to get it."""


@dataclass(frozen=True)
class Row:
    """Figures of one contender, by name; seconds are wall-clock."""

    name: str
    figures: dict[str, float | int | str]


@dataclass
class Report:
    """The outcome of one benchmark; `ratios` say in their names what is divided by what."""

    benchmark: str
    parameters: dict[str, Any]
    rows: list[Row] = field(default_factory=list)
    ratios: dict[str, float] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def text(self) -> str:
        """A table for people."""
        names = list(dict.fromkeys(name for row in self.rows for name in row.figures))
        table = [
            ["", *names],
            *([row.name, *(_cell(row.figures.get(name)) for name in names)] for row in self.rows),
        ]
        widths = [max(len(line[column]) for line in table) for column in range(len(names) + 1)]
        lines = [
            f"{self.benchmark}  {', '.join(f'{key} {value}' for key, value in self.parameters.items())}",
            "",
        ]
        lines += [
            "  ".join(
                _pad(cell, width, first=not i)
                for i, (cell, width) in enumerate(zip(line, widths, strict=True))
            )
            for line in table
        ]
        lines += ["", *(f"{name}: {value:.2f}" for name, value in self.ratios.items())]
        lines += [f"skipped {name}: {reason}" for name, reason in self.skipped.items()]
        return "\n".join([*lines, *self.notes]) + "\n"

    def json(self) -> str:
        """The same for programs, with the machine it ran on."""
        machine = {"cpus": os.cpu_count(), "python": platform.python_version(), "system": platform.platform()}
        return (
            json.dumps({"format_version": FORMAT_VERSION, "machine": machine, **asdict(self)}, indent=2)
            + "\n"
        )

    def compare(self, name: str, ours: float, peer: float) -> None:
        """Keep `peer / ours`: above 1 we need less of it than the peer."""
        self.ratios[name] = peer / ours


def _cell(value: float | int | str | None) -> str:
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _pad(text: str, width: int, *, first: bool) -> str:
    return text.ljust(width) if first else text.rjust(width)


def parser(description: str | None) -> argparse.ArgumentParser:
    """The options that all benchmarks share."""
    made = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument(
        "-o", "--output", choices=("text", "json"), default="text", help="how to print the figures"
    )
    return made


def show(report: Report, output: str) -> None:
    """Print a report the way the user asked for."""
    print(report.json() if output == "json" else report.text(), end="")


def best_of(repeats: int, work: Callable[[], object]) -> float:
    """Wall-clock seconds of the fastest of several runs: what the work costs when nothing disturbs it."""
    times: list[float] = []
    for _ in range(repeats):
        begin = time.perf_counter()
        work()
        times.append(time.perf_counter() - begin)
    return min(times)


def positive(text: str) -> int:
    """An argparse type: a whole number above zero."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not above zero")
    return number
