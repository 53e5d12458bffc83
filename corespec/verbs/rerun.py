"""`corespec rerun`: let an execution run once more, although nothing of it has changed."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from corespec.editing import Address, Block, Commit, Only, edit
from corespec.errors import CommandError
from corespec.moments import moment
from corespec.options import Directory, Format, Output
from generator.splice import Flow, set_key


def run(
    address: Address,
    after: Annotated[
        str,
        typer.Option("--after", metavar="TIME", help="Runs created before it count no more: now, or a time."),
    ] = "now",
    directory: Directory = Path(),
    environment: Only = None,
    commit: Commit = False,
    form: Output = Format.TEXT,
) -> int:
    """Move `rerunAfter` of an execution: runs from before count no more, failed ones neither, and what others
    read of its output is made again.

    Changes the spec and nothing else: push it; `corespec plan` shows what it would launch.
    """
    now = datetime.now(UTC)
    since = now if after == "now" else moment(after, now, "--after")
    text = f"{since:%Y-%m-%dT%H:%M:%SZ}"

    def change(block: Block, before: str) -> str:
        if block.where[-2] != "executions":
            raise CommandError("a deployment has no runs", remedy="Name an execution.")
        return set_key(block.path, before, (*block.where, "rerunAfter"), Flow(text), text)

    return edit(directory, address, environment, change, "Rerun", commit=commit, form=form)
