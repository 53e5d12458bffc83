"""`corespec resume`: let go on what was suspended."""

from __future__ import annotations

from pathlib import Path

from corespec import output
from corespec.editing import Address, Block, Commit, Only, edit
from corespec.errors import CommandError
from corespec.options import Directory, Format, Output
from generator.splice import remove_key


def run(
    address: Address,
    directory: Directory = Path(),
    environment: Only = None,
    commit: Commit = False,
    form: Output = Format.TEXT,
) -> int:
    """Take `suspend` out of the block of an execution or deployment.

    Changes the spec and nothing else: push it. Comments, order and quoting stay as they are.
    """

    def change(block: Block, before: str) -> str:
        after = remove_key(block.path, before, (*block.where, "suspend"))
        others = ", ".join(block.elsewhere)
        if others and after == before:
            raise CommandError(
                f"{block.address} is not suspended in {block.path}, but in {others}",
                remedy="-e NAME is for what is suspended in one environment; without it, for what is in all.",
            )
        if others:
            output.note(f"It stays suspended by {others}.")
        return after

    return edit(directory, address, environment, change, "Resume", commit=commit, form=form)
