"""How images and their digests are reported: tables and lines for people, JSON for programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from corespec import output
from corespec.options import Format
from generator.images.build import BuiltImage
from generator.images.lock import LockEntry, LockState
from generator.images.targets import Target
from generator.spec.locks import LOCK_PATH


def built_row(target: Target, built: BuiltImage, bill: str | None) -> dict[str, Any]:
    """One image that was built, as `-o json` tells it; `bill` is the path of its bill of materials."""
    return {
        "image": built.reference,
        "executables": list(target.executables),
        "id": built.id,
        "size": built.size,
        "steps": built.steps,
        "cached": built.cached,
        "sbom": bill,
    }


def say_built(environment: str, rows: Sequence[Mapping[str, Any]], form: Format) -> None:
    """Print what was built."""
    if form is Format.JSON:
        output.emit({"environment": environment, "images": list(rows)})
        return
    table = output.table("image", "executables", "size", "from the cache")
    for row in rows:
        size = f"{row['size'] / 1e6:,.0f} MB"
        table.add_row(
            row["image"], ", ".join(row["executables"]), size, f"{row['cached']} of {row['steps']} steps"
        )
    if rows:
        output.show(table)
    else:
        output.say("No executable of this environment has an image that is built here.")


def say_entries(environment: str, entries: Sequence[LockEntry], form: Format) -> None:
    """Print each tag with its digest; a moved one with the digest before and the digest now."""
    if form is Format.JSON:
        images = [
            {
                "image": item.reference,
                "state": item.state.value,
                "locked": item.locked,
                "digest": item.found,
            }
            for item in entries
        ]
        output.emit({"environment": environment, "lock": LOCK_PATH, "images": images})
        return
    for item in entries:
        output.say(f"{item.reference}  {item.state.value}")
        if item.state is LockState.MOVED:
            output.say(f"  - {item.locked}")
        output.say(f"  {'+' if item.state is not LockState.SAME else ' '} {item.found}")
    if not entries:
        output.say("No image of this environment can be locked.")
