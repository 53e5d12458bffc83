"""Objects of the tenant that an environment declares: created when absent, never changed or read back."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from generator.errors import ReferenceUnavailableError
from generator.spec.environment import Docker, Environment, S3Store
from generator.spec.references import SecretReference
from reconciler.aicore import AICoreWriter
from reconciler.clock import Clock
from reconciler.desired import Onboarding
from reconciler.errors import AuthenticationError, NotFoundError, NotHealthyError
from reconciler.plan import find_application
from reconciler.plan_model import Change
from reconciler.retry import ensure

#: How Docker's own hub is called in a docker config file.
_DOCKER_HUB = "https://index.docker.io/v1/"
_PROVISION_TIMEOUT = timedelta(minutes=5)
_PROVISION_PAUSE = 3.0


@dataclass(frozen=True, slots=True)
class Onboarder:
    """Creates what the onboarding stage lists; each object once."""

    aicore: AICoreWriter
    environment: Environment
    root: Path
    clock: Clock

    def create(self, change: Change) -> None:
        """Create the object of one change. Raises AuthenticationError when a reference leads nowhere."""
        kind, _, name = change.address.partition("/")
        want: Onboarding = change.subject
        kinds: dict[str, Callable[[str, Onboarding], None]] = {
            "resource-group": self._resource_group,
            "object-store-secret": self._object_store_secret,
            "docker-secret": self._docker_secret,
            "repository": self._repository,
            "application": self._application,
        }
        kinds[kind](name, want)

    def _resource_group(self, name: str, _want: Onboarding) -> None:
        self._ensure(
            lambda: name in self.aicore.resource_groups(), lambda: self.aicore.create_resource_group(name)
        )
        deadline = self.clock.now() + _PROVISION_TIMEOUT
        while not self._group_ready(name):
            if self.clock.now() >= deadline:
                raise NotHealthyError(
                    f"AI Core has not set up resource group {name} within {_PROVISION_TIMEOUT}.",
                    remedy="Look at it in AI Core, then run again.",
                )
            self.clock.sleep(_PROVISION_PAUSE)

    def _group_ready(self, name: str) -> bool:
        try:
            return self.aicore.resource_group_ready(name)
        except NotFoundError:
            return False  # accepted, not yet visible

    def _object_store_secret(self, name: str, _want: Onboarding) -> None:
        store = self.environment.object_stores[name]
        if not isinstance(store, S3Store):  # pragma: no cover - the model allows `register` for S3 alone
            return
        endpoint = (
            store.endpoint.resolve()
            if store.endpoint
            else f"https://s3.{store.region or 'us-east-1'}.amazonaws.com"
        )
        secure = not endpoint.startswith("http://")
        body = {
            "name": name,
            "type": "S3",
            "bucket": store.bucket.resolve(),
            "endpoint": endpoint.partition("://")[2] or endpoint,
            "region": store.region or "us-east-1",
            "pathPrefix": store.path_prefix or "",
            "usehttps": "1" if secure else "0",
            "verifyssl": "1" if secure else "0",
            "data": {
                "AWS_ACCESS_KEY_ID": self._secret(store.access_key_id),
                "AWS_SECRET_ACCESS_KEY": self._secret(store.secret_access_key),
            },
        }
        self._ensure(
            lambda: name in self.aicore.object_store_secrets(),
            lambda: self.aicore.create_object_store_secret(body),
        )

    def _docker_secret(self, name: str, _want: Onboarding) -> None:
        docker = self.environment.docker
        if docker is None:  # pragma: no cover - planned only where there is a docker section
            return
        content = self._dockerconfigjson(docker)
        self._ensure(
            lambda: name in self.aicore.docker_secrets(),
            lambda: self.aicore.create_docker_secret(name, content),
        )

    def _dockerconfigjson(self, docker: Docker) -> str:
        host = docker.registry.resolve().split("/")[0]
        login = {"username": self._secret(docker.username), "password": self._secret(docker.password)}
        return json.dumps({"auths": {_DOCKER_HUB if host == "docker.io" else host: login}})

    def _repository(self, name: str, want: Onboarding) -> None:
        git = self.environment.git
        username, password = self._secret(git.username), self._secret(git.password)
        self._ensure(
            lambda: any(r.name == name for r in self.aicore.repositories()),
            lambda: self.aicore.create_repository(name, want.repository_url, username, password),
        )

    def _application(self, name: str, want: Onboarding) -> None:
        self._ensure(
            lambda: find_application(want, self.aicore.applications()) is not None,
            lambda: self.aicore.create_application(name, want.repository, want.path, want.branch),
        )

    def _ensure(self, exists: Callable[[], bool], create: Callable[[], None]) -> None:
        def made() -> bool:
            create()
            return True

        ensure(lambda: exists() or None, made, self.clock)

    def _secret(self, reference: SecretReference | None) -> str:
        if reference is None:
            return ""
        try:
            return reference.resolve(self.root)
        except ReferenceUnavailableError as error:
            raise AuthenticationError(str(error)) from None
