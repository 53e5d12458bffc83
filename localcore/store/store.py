"""All tables behind one handle, as the API, the Git sync and the engine share it."""

from __future__ import annotations

from pathlib import Path

from localcore.store import secrets
from localcore.store.admin import Admin
from localcore.store.artifacts import Artifacts
from localcore.store.catalog import Catalog
from localcore.store.configurations import Configurations
from localcore.store.database import Database
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
        self.metrics = Metrics(self._database)
        self.object_stores = secrets.Secrets(self._database, secrets.OBJECT_STORE)
        self.docker_secrets = secrets.Secrets(self._database, secrets.DOCKER)
        self.generic_secrets = secrets.Secrets(self._database, secrets.GENERIC)
        self._seed()

    def _seed(self) -> None:
        """What exists from the start: the resource group and, in a new one, its object store `default`."""
        if self.admin.create_group("default", []):
            self.object_stores.create("default", "default", {}, {"storage.ai.sap.com/type": "directory"})

    def close(self) -> None:
        self._database.close()
