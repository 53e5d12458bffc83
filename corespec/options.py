"""The options that verbs share, each declared once."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Format(StrEnum):
    """How a verb prints its result."""

    TEXT = "text"
    JSON = "json"


Directory = Annotated[
    Path,
    typer.Option("--directory", "-C", metavar="DIR", help="Project folder: the one that holds specs/."),
]
Environment = Annotated[
    str | None,
    typer.Option("--environment", "-e", metavar="NAME", help="Default: the only one, or `local`."),
]
Catalog = Annotated[
    list[Path] | None,
    typer.Option("--catalog", metavar="DIR", help="A folder of workflows of your own; repeatable."),
]
Output = Annotated[Format, typer.Option("--output", "-o", help="Print for people, or as versioned JSON.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
