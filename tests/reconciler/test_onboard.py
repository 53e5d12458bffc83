"""Tenant objects are made when absent, their secrets come from references, and values are never shown."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from generator.spec.environment import Environment
from reconciler.aicore import AICoreWriter
from reconciler.desired import Desired
from reconciler.errors import ApiError, AuthenticationError, NotHealthyError
from reconciler.live import Live
from reconciler.onboard import Onboarder
from reconciler.plan import plan
from reconciler.plan_model import StageName
from tests.reconciler.builders import ENVIRONMENT, desired
from tests.reconciler.fake import START, FakeAICore


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


def _want() -> Desired:
    base = desired()
    onboarding = replace(
        base.onboarding,
        resource_group="vision",
        object_store_secrets=("default",),
        docker_secret="acme-docker",
    )
    return replace(base, onboarding=onboarding)


@pytest.fixture
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("S3_KEY", "S3_SECRET", "D_USER", "D_PASS"):
        monkeypatch.setenv(name, f"value-of-{name}")


def _create(server: FakeAICore, root: Path) -> None:
    onboarder = Onboarder(AICoreWriter(server, server.clock), FULL, root, server.clock)
    for change in plan(_want(), Live(observed_at=START), FULL.policy).of(StageName.ONBOARD):
        onboarder.create(change)


@pytest.mark.usefixtures("secrets")
def test_everything_the_environment_declares_is_made(tmp_path: Path) -> None:
    """Resource group first, then secrets, repository and application."""
    server = FakeAICore()
    _create(server, tmp_path)
    assert [write.rpartition("/")[2] for write in server.writes] == [
        "resourceGroups",
        "objectStoreSecrets",
        "dockerRegistrySecrets",
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
        object_store_secrets=frozenset({"default"}),
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
