"""The options that verbs share, each declared once."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from corespec.errors import CommandError

if TYPE_CHECKING:
    from reconciler.prune import Permission


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
Wait = Annotated[
    bool, typer.Option("--wait/--no-wait", help="Stay until every execution that is wanted has ended.")
]
MaxLaunches = Annotated[
    int | None,
    typer.Option("--max-launches", min=0, metavar="N", help="Instead of the policy's maxLaunchesPerApply."),
]
Prune = Annotated[
    bool,
    typer.Option("--prune", help="Delete executions and deployments of ours that no spec wants any more."),
]
PruneLimit = Annotated[
    int | None,
    typer.Option("--prune-limit", min=0, metavar="N", help="With --prune: instead of policy.prune."),
]
StopRunning = Annotated[
    bool, typer.Option("--stop-running", help="With --prune: stop what still runs, to delete it then.")
]
LockTimeout = Annotated[
    float, typer.Option("--lock-timeout", min=0, metavar="SECONDS", help="Wait that long for another writer.")
]
SyncTimeout = Annotated[
    float,
    typer.Option("--sync-timeout", min=1, metavar="SECONDS", help="Wait that long for AI Core's Git sync."),
]
Execution = Annotated[
    str | None,
    typer.Argument(help="Its id, or the name of its configuration; default: the latest one."),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def permission(prune: bool, limit: int | None, stop_running: bool) -> Permission | None:
    """What the three options of pruning allow together. Raises CommandError for two without the first."""
    from reconciler.prune import Permission  # verbs that only render do without

    if not prune and (limit is not None or stop_running):
        option = "--stop-running" if stop_running else "--prune-limit"
        raise CommandError(f"{option} belongs to --prune", remedy="Give both, or none.")
    return Permission(limit, stop_running) if prune else None
