"""`python -m localcore --data DIR [--port N]`: run a local AI Core until SIGTERM or Ctrl-C."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from localcore.errors import LocalcoreError
from localcore.home import Home
from localcore.server import Options, default_max_running, serve

EXIT_INPUT = 2


def _positive(text: str) -> float:
    number = float(text)
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return number


def _count(text: str) -> int:
    return int(_positive(str(int(text))))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m localcore", description="An AI-Core-compatible server for one machine."
    )
    parser.add_argument(
        "--data", required=True, type=Path, metavar="DIR", help="folder for everything the server keeps"
    )
    parser.add_argument(
        "--port", type=int, metavar="N", help="port on 127.0.0.1 (default: that of the last run)"
    )
    parser.add_argument(
        "--sync-interval", type=_positive, default=10.0, metavar="SECONDS", help="between looks at Git (10)"
    )
    parser.add_argument(
        "--max-running", type=_count, metavar="N", help="executions at once (one per four cores)"
    )
    parser.add_argument(
        "--grace", type=_positive, default=10.0, metavar="SECONDS", help="from SIGTERM to SIGKILL (10)"
    )
    parser.add_argument(
        "--keep-running", action="store_true", help="on SIGTERM leave running executions to the next server"
    )
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0 after a stop on request, 2 with one line on stderr when the server cannot start."""
    options = _parser().parse_args(arguments)
    os.umask(0o077)
    try:
        serve(
            Options(
                home=Home(options.data.absolute()),
                port=options.port,
                sync_interval=options.sync_interval,
                max_running=options.max_running or default_max_running(),
                grace=options.grace,
                keep_running=options.keep_running,
            )
        )
    except ModuleNotFoundError as error:
        print(f"localcore: {error.name} is missing: pip install 'corespec[local]'", file=sys.stderr)
        return EXIT_INPUT
    except LocalcoreError as error:
        print(f"localcore: {error}", file=sys.stderr)
        return EXIT_INPUT
    return 0


if __name__ == "__main__":
    sys.exit(main())
