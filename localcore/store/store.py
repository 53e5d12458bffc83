"""All tables behind one handle, as the API, the Git sync and the engine share it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from localcore.store import secrets
from localcore.store.admin import Admin
from localcore.store.artifacts import Artifacts
from localcore.store.catalog import Catalog
from localcore.store.configurations import Configurations
from localcore.store.database import Database
from localcore.store.deployments import Deployments
from localcore.store.executions import Executions
from localcore.store.metrics import Metrics


class Store:
    def __init__(self, path: Path) -> None:
        self._database = Database(path)
        self.admin = Admin(self._database)
        self.catalog = Catalog(self._database)
        self.artifacts = Artifacts(self._database)
        self.configurations = Configurations(self._database)
        self.executions = Executions(self._database, self.artifacts)
        self.deployments = Deployments(self._database)
        self.metrics = Metrics(self._database)
        self.object_stores = secrets.Secrets(self._database, secrets.OBJECT_STORE)
        self.docker_secrets = secrets.Secrets(self._database, secrets.DOCKER)
        self.generic_secrets = secrets.Secrets(self._database, secrets.GENERIC)
        self._seed()

    def _seed(self) -> None:
        """What exists from the start: the resource group and, in a new one, its object store `default`."""
        if self.admin.create_group("default", []):
            self.object_stores.create("default", "default", {}, {"storage.ai.sap.com/type": "directory"})

    def bindings(
        self, resource_group: str, configuration: dict[str, Any]
    ) -> tuple[dict[str, str], dict[str, str]]:
        """What a configuration binds: value by parameter, URL by input artifact."""
        values = {binding["key"]: binding["value"] for binding in configuration["parameterBindings"]}
        bound = {
            binding["key"]: self.artifacts.get(resource_group, binding["artifactId"])
            for binding in configuration["inputArtifactBindings"]
        }
        return values, {key: found["url"] for key, found in bound.items() if found is not None}

    def close(self) -> None:
        self._database.close()
