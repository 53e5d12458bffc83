"""Tenant objects are made when absent, their secrets come from references, and values are never shown."""

from __future__ import annotations

import base64
import contextlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from generator.spec.environment import Environment
from reconciler.adminvalues import held_values, store_fields
from reconciler.aicore import AICoreWriter
from reconciler.connection import Credentials
from reconciler.deriving import _onboarding
from reconciler.desired import Desired
from reconciler.directorystore import DirectoryStore
from reconciler.errors import ApiError, AuthenticationError, NotHealthyError, TransientError
from reconciler.live import Live
from reconciler.marks import Marker
from reconciler.observe import observe
from reconciler.onboard import Onboarder
from reconciler.plan import plan
from reconciler.plan_model import Action, Category, Change, StageName
from tests.reconciler.builders import ENVIRONMENT, FakeGit, desired
from tests.reconciler.fake import FAULTS, START, FakeAICore, KilledError


def _environment(**parts: Any) -> Environment:
    document = ENVIRONMENT.model_dump(mode="json", by_alias=True, exclude_unset=True)
    return Environment.model_validate(document | parts)


S3 = {
    "type": "s3",
    "bucket": "b",
    "pathPrefix": "p",
    "endpoint": "http://127.0.0.1:9000",
    "accessKeyId": "env:S3_KEY",
    "secretAccessKey": "env:S3_SECRET",
    "register": True,
}
DOCKER = {
    "registry": "docker.io/acme",
    "secret": "acme-docker",
    "username": "env:D_USER",
    "password": "env:D_PASS",
}
FULL = _environment(resourceGroup="vision", objectStores={"default": S3}, docker=DOCKER)


MARKER = Marker(Credentials("https://ai.example/v2", {"client_secret": "secret-of-the-key"}))


def _want() -> Desired:
    base = desired()
    onboarding = replace(
        base.onboarding,
        resource_group="vision",
        object_store_secrets=store_fields(FULL),
        docker_secret="acme-docker",
    )
    return replace(base, onboarding=onboarding)


@pytest.fixture(autouse=True)
def _quick_marks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Marks are as they are but for the work that they cost."""
    monkeypatch.setattr("reconciler.marks._COST", 2)


@pytest.fixture
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("S3_KEY", "S3_SECRET", "D_USER", "D_PASS"):
        monkeypatch.setenv(name, f"value-of-{name}")


def _create(server: FakeAICore, root: Path) -> None:
    onboarder = Onboarder(AICoreWriter(server, server.clock), FULL, root, server.clock, marker=MARKER)
    for change in plan(_want(), Live(observed_at=START), FULL.policy).of(StageName.ONBOARD):
        onboarder.carry_out(change)


@pytest.mark.usefixtures("secrets")
def test_everything_the_environment_declares_is_made(tmp_path: Path) -> None:
    """Resource group first, then secrets, repository and application."""
    server = FakeAICore()
    _create(server, tmp_path)
    assert [write.removeprefix("POST /admin/") for write in server.writes] == [
        "resourceGroups",
        "objectStoreSecrets",
        "PATCH /admin/resourceGroups/vision",
        "dockerRegistrySecrets",
        "PATCH /admin/resourceGroups/vision",
        "repositories",
        "applications",
    ]
    store = server.store_secrets["default"]
    assert store["data"] == {
        "AWS_ACCESS_KEY_ID": "value-of-S3_KEY",
        "AWS_SECRET_ACCESS_KEY": "value-of-S3_SECRET",
    }
    assert (store["bucket"], store["endpoint"], store["usehttps"]) == ("b", "127.0.0.1:9000", "0")
    config = json.loads(server.docker_secrets["acme-docker"]["data"][".dockerconfigjson"])
    assert config["auths"]["https://index.docker.io/v1/"]["username"] == "value-of-D_USER"


def test_a_missing_secret_stops_before_it_is_sent(tmp_path: Path) -> None:
    """The reference is named, exit code 2."""
    server = FakeAICore()
    with pytest.raises(AuthenticationError, match="env:S3_KEY"):
        _create(server, tmp_path)
    assert server.store_secrets == {}


def test_nothing_is_asked_of_a_group_that_does_not_exist() -> None:
    """The plan begins with the group; what exists is not made again, and values are never compared."""
    live = Live(
        observed_at=START,
        resource_groups=frozenset({"vision"}),
        object_store_secrets={"default": store_fields(FULL)["default"]},
        docker_secrets=frozenset({"acme-docker"}),
    )
    names = [
        change.address.split("/")[0] for change in plan(_want(), live, FULL.policy).of(StageName.ONBOARD)
    ]
    assert names == ["repository", "application"]


@pytest.mark.usefixtures("secrets")
def test_a_group_that_is_never_ready(tmp_path: Path) -> None:
    """PROVISIONING for ever ends in exit code 4, ERROR at once."""
    for status, error in (("PROVISIONING", NotHealthyError), ("ERROR", ApiError)):
        server = FakeAICore(group_status=status)
        with pytest.raises(error, match="vision"):
            _create(server, tmp_path)


def everything() -> Environment:
    group = {"ext.ai.sap.com/team": "vision"}
    git = {"url": "url", "repository": "gitops", "application": "meter-app"}
    return _environment(
        resourceGroup="vision",
        resourceGroupLabels=group,
        objectStores={"default": S3},
        docker=DOCKER,
        secrets={"hub": {"data": {"TOKEN": "env:D_PASS"}}},
        git={**git, "username": "env:D_USER", "password": "env:D_PASS"},
    )


def _changes(server: FakeAICore, root: Path, environment: Environment) -> list[Change]:
    """What the onboarding stage of a whole plan holds."""
    want = _onboarding(environment, "url", store_fields(environment))
    whole = replace(desired(), onboarding=want)
    port = AICoreWriter(server, server.clock)
    live = observe(port, whole, {"default": DirectoryStore(root)}, FakeGit(), server.clock)
    live = replace(live, held=held_values(environment, root, want, live, MARKER))
    return list(plan(whole, live, environment.policy).of(StageName.ONBOARD))


def _bring_in_line(server: FakeAICore, root: Path, environment: Environment) -> None:
    onboarder = Onboarder(AICoreWriter(server, server.clock), environment, root, server.clock, marker=MARKER)
    for change in _changes(server, root, environment):
        onboarder.carry_out(change)


@pytest.mark.usefixtures("secrets")
@pytest.mark.parametrize("name", FAULTS)
def test_every_write_of_creation_and_rotation_broken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """At each request in turn: run again, and everything is there once, with the latest values."""
    environment = everything()
    requests, index = 1, 0
    while index < requests:
        monkeypatch.setenv("D_PASS", "first")
        server = FakeAICore()
        _bring_in_line(server, tmp_path, environment)
        monkeypatch.setenv("D_PASS", "second")
        before = len(server.requests)
        server.fault, server.fault_at = FAULTS[name], before + index
        with contextlib.suppress(TransientError, KilledError):
            _bring_in_line(server, tmp_path, environment)
        requests = len(server.requests) - before
        server.fault = None
        _bring_in_line(server, tmp_path, environment)
        assert _changes(server, tmp_path, environment) == []
        config = server.docker_secrets["acme-docker"]["data"][".dockerconfigjson"]
        assert json.loads(config)["auths"]["https://index.docker.io/v1/"]["password"] == "second"
        assert server.secrets["hub"]["data"] == {"TOKEN": base64.b64encode(b"second").decode()}
        assert server.repositories["gitops"]["password"] == "second"
        assert sum(write.startswith("POST") for write in server.writes) == 6
        index += 1
    assert requests > 10


@pytest.mark.usefixtures("secrets")
def test_a_create_that_found_something_is_followed_by_a_patch(tmp_path: Path) -> None:
    """AI Core answers 'Secret exists' without an error: then nobody knows whose value it holds."""
    server = FakeAICore(message="Secret exists")
    server.docker_secrets["acme-docker"] = {"name": "acme-docker", "data": {}}
    port = AICoreWriter(server, server.clock)
    want = _onboarding(FULL, "url", {})
    change = Change(
        "docker-secret/acme-docker", Action.CREATE, Category.ONBOARD, "", "acme-docker", subject=want
    )
    server.groups["vision"] = {"resourceGroupId": "vision"}
    Onboarder(port, FULL, tmp_path, server.clock, marker=MARKER).carry_out(change)
    assert "value-of-D_PASS" in server.docker_secrets["acme-docker"]["data"][".dockerconfigjson"]


@pytest.mark.usefixtures("secrets")
def test_a_mark_that_is_refused_is_a_warning(tmp_path: Path) -> None:
    """The value is right; who may not label the group hears why it will be written again."""
    server = FakeAICore()
    said: list[tuple[str, str]] = []
    port = AICoreWriter(server, server.clock)
    onboarder = Onboarder(
        port, FULL, tmp_path, server.clock, lambda *words: said.append(words), marker=MARKER
    )
    change = Change(
        "docker-secret/acme-docker",
        Action.CREATE,
        Category.ONBOARD,
        "",
        "acme-docker",
        subject=_onboarding(FULL, "url", {}),
    )
    onboarder.carry_out(change)
    assert "acme-docker" in server.docker_secrets
    ((address, message),) = said
    assert address == "docker-secret/acme-docker"
    assert "mark" in message
