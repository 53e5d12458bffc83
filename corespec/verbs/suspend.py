"""`corespec suspend`: say in the spec that something shall rest for a while."""

from __future__ import annotations

import json
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
    reason: Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why, for whoever finds it.")],
    until: Annotated[
        str | None,
        typer.Option("--until", metavar="TIME", help="When it ends by itself: 2026-02-01T08:00:00Z, or 36h."),
    ] = None,
    directory: Directory = Path(),
    environment: Only = None,
    commit: Commit = False,
    form: Output = Format.TEXT,
) -> int:
    """Write `suspend` into the block of an execution or deployment: nothing of it is started or changed, what
    runs goes on.

    Changes the spec and nothing else: push it. Comments, order and quoting stay as they are.
    """
    if not reason.strip():
        raise CommandError("--reason is empty", remedy="Say why, for whoever finds it.")
    ends = moment(until, datetime.now(UTC), "--until") if until else None
    if ends and ends <= datetime.now(UTC):
        raise CommandError(f"--until {until} is over already", remedy="Give a time to come.")
    said = {"reason": reason.strip()} | ({"until": f"{ends:%Y-%m-%dT%H:%M:%SZ}"} if ends else {})
    quoted = json.dumps(said["reason"], ensure_ascii=False)
    text = f"{{reason: {quoted}" + (f", until: {said['until']}}}" if ends else "}")

    def change(block: Block, before: str) -> str:
        return set_key(block.path, before, (*block.where, "suspend"), Flow(text), said)

    return edit(directory, address, environment, change, "Suspend", commit=commit, form=form)
