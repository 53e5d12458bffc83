"""From an execution's row to a running supervisor."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from typing import Any

from localcore import objectstores
from localcore.engines.job import Bundle, Job, bundle, filtered
from localcore.engines.state import Workplace
from localcore.home import Home
from localcore.store.database import Row, unpack
from localcore.store.store import Store
from localcore.workflow.errors import WorkflowError
from localcore.workflow.parse import parse

log = logging.getLogger(__name__)

_MODULE = "localcore.engines.supervisor"


class Launcher:
    """`url` is where containers find the tracking endpoint; `grace` the seconds from SIGTERM to SIGKILL."""

    def __init__(self, store: Store, home: Home, url: str, grace: float) -> None:
        self._store, self._url, self._grace = store, url, grace
        self._executions = home.shell_safe_root() / "executions"
        self._objects = home.objects.resolve()

    def prepare(self, row: Row) -> tuple[Job, Bundle] | None:
        """The job of an execution; None when its executable went away in the meantime.

        Raises WorkflowError or ObjectStoreError for what can never run.
        """
        group = row["resource_group"]
        executable = self._store.catalog.executable(row["executable_id"], row["scenario_id"])
        configuration = self._store.configurations.get(group, row["configuration_id"])
        if executable is None or configuration is None:
            return None
        document = unpack(executable["template"])
        inputs = self._inputs(group, configuration["inputArtifactBindings"])
        stores = {objectstores.split_url(url)[0] for url in inputs.values()}
        job = Job(
            execution_id=row["id"],
            document=document,
            parameters={item["key"]: item["value"] for item in configuration["parameterBindings"]},
            inputs=inputs,
            folder=str(self._executions / row["id"]),
            objects=str(self._objects),
            environment=self._environment(row),
            grace=self._grace,
        )
        return job, bundle(self._store, group, parse(document), stores)

    def _inputs(self, group: str, bindings: list[dict[str, str]]) -> dict[str, str]:
        """Artifact URL by input port."""
        found = {}
        for binding in bindings:
            artifact = self._store.artifacts.get(group, binding["artifactId"])
            if artifact is None:
                message = f"artifact {binding['artifactId']} of input {binding['key']} does not exist"
                raise WorkflowError(message)
            found[binding["key"]] = artifact["url"]
        return found

    def _environment(self, row: Row) -> dict[str, str]:
        """What AI Core sets in every pod (aicore.md section 5); the hyphens are its own."""
        return {
            "AICORE_EXECUTION_ID": row["id"],
            "AICORE_TRACKING_ENDPOINT": self._url,
            "AI-MAIN-TENANT": "local",
            "AI-RESOURCE-GROUP": row["resource_group"],
        }

    def spawn(self, workplace: Workplace, job: Job, secrets: Bundle) -> subprocess.Popen[bytes]:
        return spawn(_MODULE, workplace, job.packed(), secrets.packed(), job.execution_id)


def spawn(
    module: str, workplace: Workplace, job: dict[str, Any], secrets: dict[str, Any], name: str
) -> subprocess.Popen[bytes]:
    """Start a supervisor in a session of its own; the secrets go through a pipe, never through a file."""
    workplace.write_job(job)
    with workplace.supervisor_log.open("ab") as output:
        child = subprocess.Popen(
            [sys.executable, "-m", module, str(workplace.folder)],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=filtered(os.environ),
            start_new_session=True,
        )
    if child.stdin is not None:
        try:
            child.stdin.write(json.dumps(secrets).encode())
            child.stdin.close()
        except BrokenPipeError:
            log.warning("%s: the supervisor ended at once", name)
    log.info("%s: started, supervisor %d", name, child.pid)
    return child
