"""`corespec status`: one row for each address."""

from __future__ import annotations

import sys
from pathlib import Path

from corespec.options import Catalog, Directory, Environment, Format, Output
from corespec.project import session
from reconciler.exitcode import ExitCode
from reconciler.health import Health, Sync
from reconciler.report.json import status_json
from reconciler.report.text import status_text
from reconciler.status import Status


def run(
    directory: Directory = Path(),
    environment: Environment = None,
    catalog: Catalog = None,
    form: Output = Format.TEXT,
) -> int:
    """Say for everything the specs want whether AI Core has it, how it does, and why not.

    Exit code 0 when all is in sync, 3 when something is not, 4 when something is degraded.
    """
    status = session(directory, environment, catalog).status()
    sys.stdout.write(status_json(status) if form is Format.JSON else status_text(status))
    return _exit_code(status)


def _exit_code(status: Status) -> ExitCode:
    if any(row.health is Health.DEGRADED for row in status.rows):
        return ExitCode.NOT_HEALTHY
    if any(row.sync is not Sync.SYNCED for row in status.rows):
        return ExitCode.PENDING
    return ExitCode.CONVERGED
