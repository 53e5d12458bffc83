"""`corespec demo`: the whole way on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from corespec import output
from corespec.demo import run as steps


def run(
    data: Annotated[
        Path | None,
        typer.Option("--data", metavar="DIR", help="Your own Pascal VOC folder, used where it lies."),
    ] = None,
    clean: Annotated[bool, typer.Option("--clean", help="Stop the demos and remove .demo/.")] = False,
) -> int:
    """Draw meters (or take your pictures), render, push, train, measure, and read a picture; all in .demo/.

    Run it again and it goes on where it was; nothing is trained twice. Ten minutes at most on two cores.
    """
    if clean:
        return steps.clean()
    try:
        return steps.demo(data)
    except KeyboardInterrupt:
        output.note("A training that runs goes on in the local AI Core; the demo picks it up when run again.")
        raise
