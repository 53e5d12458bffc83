"""From a deployment's row to a running supervisor of one revision."""

from __future__ import annotations

import subprocess
from dataclasses import asdict
from typing import Any

from localcore import objectstores
from localcore.engines.job import bundle
from localcore.engines.launch import spawn
from localcore.engines.server import Server, read_server
from localcore.engines.state import Workplace
from localcore.home import Home
from localcore.serving import ServingSpec, render
from localcore.store.database import Row, unpack
from localcore.store.store import Store
from localcore.workflow.errors import WorkflowError
from localcore.workflow.model import Workflow

_MODULE = "localcore.engines.server_supervisor"


class ServerLauncher:
    def __init__(self, store: Store, home: Home, grace: float) -> None:
        self._store, self._grace = store, grace
        self._deployments = home.shell_safe_root() / "deployments"
        self._objects = home.objects.resolve()

    def marker(self, workplace: Workplace) -> str:
        """What every process of a revision carries in its environment."""
        return f"{workplace.folder.parent.name}/{workplace.folder.name}"

    def start(self, row: Row, workplace: Workplace) -> subprocess.Popen[bytes]:
        """Raises WorkflowError, ServingError or ObjectStoreError for what can never be served."""
        spec = self._spec(row, workplace)
        server = read_server(spec)
        folder = self._deployments / row["id"] / str(row["revision"])
        job = {
            "spec": asdict(spec),
            "plan": server.plan,
            "folder": str(folder),
            "log": str(folder.parent / "log.jsonl"),
            "objects": str(self._objects),
            "environment": {"AI-MAIN-TENANT": "local", "AI-RESOURCE-GROUP": row["resource_group"]},
            "marker": self.marker(workplace),
            "grace": self._grace,
        }
        return spawn(_MODULE, workplace, job, self._secrets(row["resource_group"], server), row["id"])

    def _spec(self, row: Row, workplace: Workplace) -> ServingSpec:
        """As it was when the revision was started first, else rendered: a template may change meanwhile."""
        known: dict[str, Any] = workplace.job()
        if known:
            return ServingSpec(**known["spec"])
        group = row["resource_group"]
        executable = self._store.catalog.executable(row["executable_id"], row["scenario_id"])
        configuration = self._store.configurations.get(group, row["configuration_id"])
        if executable is None or configuration is None:
            raise WorkflowError(
                f"executable {row['executable_id']} of scenario {row['scenario_id']} went away"
            )
        return render(unpack(executable["template"]), *self._store.bindings(group, configuration))

    def _secrets(self, group: str, server: Server) -> dict[str, Any]:
        """Only those that the container names, and the store that its model lies in."""
        stores = {objectstores.split_url(server.model)[0]} if server.model else set()
        template = server.template
        workflow = Workflow(template.name, template.name, {template.name: template}, {})
        return bundle(self._store, group, workflow, stores).packed()
