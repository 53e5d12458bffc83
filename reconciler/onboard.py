"""Admin objects of the tenant, carried out: created when absent, brought in line when they differ.

A creation is observed-absent -> create -> on doubt look again (`retry.ensure`). An update replaces whole
values, so that after any doubt it is simply sent again. Each write of values is followed by its mark
(`reconciler.marks`); whoever is killed between the two writes the same values once more.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from generator.errors import ReferenceUnavailableError
from generator.spec.environment import Environment
from reconciler.adminvalues import store_body, values
from reconciler.aicore import AICoreWriter
from reconciler.clock import Clock
from reconciler.connection import credentials
from reconciler.desired import Onboarding
from reconciler.errors import AuthenticationError, NotFoundError, NotHealthyError, TerminalError
from reconciler.marks import OWN_LABEL, Marker, label_of
from reconciler.onboarding import find_application
from reconciler.plan_model import Action, Change
from reconciler.retry import ensure, write_again

_PROVISION_TIMEOUT = timedelta(minutes=5)
_PROVISION_PAUSE = 3.0


@dataclass(frozen=True, slots=True)
class Onboarder:
    """Does what the onboarding stage lists."""

    aicore: AICoreWriter
    environment: Environment
    root: Path
    clock: Clock
    #: told of an object (address) whose values were written, and whose mark AI Core refuses
    warn: Callable[[str, str], None] = lambda _address, _message: None
    #: makes marks; None: that of the environment's credentials
    marker: Marker | None = None

    def carry_out(self, change: Change) -> None:
        """Create or update the object of one change.

        Raises AuthenticationError when a reference leads nowhere, and what the port raises.
        """
        kind, _, name = change.address.partition("/")
        want: Onboarding = change.subject
        kinds: dict[str, Callable[[str, Onboarding, bool], None]] = {
            "resource-group": self._resource_group,
            "object-store-secret": self._object_store_secret,
            "docker-secret": self._docker_secret,
            "secret": self._secret,
            "repository": self._repository,
            "application": self._application,
        }
        kinds[kind](name, want, change.action is Action.CREATE)

    def _resource_group(self, name: str, want: Onboarding, absent: bool) -> None:
        if absent:
            self._ensure(
                lambda: name in self.aicore.resource_groups(),
                lambda: self.aicore.create_resource_group(name, want.group_labels),
            )
            self._provisioned(name)
        labels = self.aicore.resource_group_labels(name)
        if not want.group_labels.items() <= labels.items():
            merged = {**labels, **want.group_labels}
            self._again(lambda: self.aicore.patch_resource_group(name, merged))

    def _provisioned(self, name: str) -> None:
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

    def _object_store_secret(self, name: str, want: Onboarding, absent: bool) -> None:
        address = f"object-store-secret/{name}"
        data = self._values(address)
        body = store_body(self.environment, name, data)
        made = absent and self._ensure(
            lambda: name in self.aicore.object_store_secrets(),
            lambda: self.aicore.create_object_store_secret(body),
        )
        if not made:
            self._again(lambda: self.aicore.patch_object_store_secret(body))
        self._mark(address, data, want)

    def _docker_secret(self, name: str, want: Onboarding, absent: bool) -> None:
        address = f"docker-secret/{name}"
        data = self._values(address)
        made = absent and self._ensure(
            lambda: name in self.aicore.docker_secrets(),
            lambda: self.aicore.create_docker_secret(name, data),
        )
        if not made:
            self._again(lambda: self.aicore.patch_docker_secret(name, data))
        self._mark(address, data, want)

    def _secret(self, name: str, want: Onboarding, absent: bool) -> None:
        """The mark goes with the values, in one request."""
        address, wide = f"secret/{name}", want.secrets[name]
        data = self._values(address)
        mark = {OWN_LABEL: self._marker().make(address, data)}
        made = absent and self._ensure(
            lambda: name in self.aicore.generic_secrets(tenant_wide=wide),
            lambda: self.aicore.create_generic_secret(name, data, mark, tenant_wide=wide),
        )
        if not made:
            labels = {**self.aicore.generic_secrets(tenant_wide=wide).get(name, {}), **mark}
            self._again(lambda: self.aicore.patch_generic_secret(name, data, labels, tenant_wide=wide))

    def _repository(self, name: str, want: Onboarding, absent: bool) -> None:
        address = f"repository/{name}"
        login = self._values(address)
        made = absent and self._ensure(
            lambda: any(r.name == name for r in self.aicore.repositories()),
            lambda: self.aicore.create_repository(name, want.repository_url, **login),
        )
        if not want.git_credentials:
            return
        if not made:
            self._again(lambda: self.aicore.patch_repository(name, **login))
        self._mark(address, login, want)

    def _application(self, name: str, want: Onboarding, absent: bool) -> None:
        if absent:
            self._ensure(
                lambda: find_application(want, self.aicore.applications()) is not None,
                lambda: self.aicore.create_application(name, want.repository, want.path, want.branch),
            )
            return
        url = want.repository_url
        self._again(lambda: self.aicore.patch_application(name, url, want.path, want.branch))

    def _ensure(self, exists: Callable[[], bool], create: Callable[[], bool | None]) -> bool:
        """Whether it was surely this call that made the object, with what it was given."""
        return ensure(lambda: False if exists() else None, lambda: create() is not False, self.clock)

    def _again(self, write: Callable[[], None]) -> None:
        write_again(write, self.clock)

    def _values(self, address: str) -> dict[str, str]:
        try:
            return values(self.environment, self.root, address)
        except ReferenceUnavailableError as error:
            raise AuthenticationError(str(error)) from None

    def _marker(self) -> Marker:
        return self.marker or Marker(credentials(self.environment, self.root))

    def _mark(self, address: str, data: dict[str, str], want: Onboarding) -> None:
        """Keep the mark beside the labels that the resource group has.

        Where AI Core refuses it, the values are right all the same, and are written again by each apply.
        """
        group = want.resource_group
        mark = {label_of(address): self._marker().make(address, data)}
        try:
            labels = {**self.aicore.resource_group_labels(group), **mark}
            self._again(lambda: self.aicore.patch_resource_group(group, labels))
        except TerminalError as error:
            self.warn(address, f"AI Core refuses the mark of this value: {error.message}")
