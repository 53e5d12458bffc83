"""Every way to say where AI Core is, and every way to get it wrong; no key ever touches os.environ."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from generator.spec.environment import Environment
from reconciler.connection import connect, connect_readonly, credentials, from_service_key
from reconciler.errors import AuthenticationError
from tests.reconciler.builders import ENVIRONMENT

KEY = {
    "clientid": "id",
    "clientsecret": "hidden-value",
    "url": "https://auth.example",
    "serviceurls": {"AI_API_URL": "https://api.example"},
}


def _environment(**place: Any) -> Environment:
    document = ENVIRONMENT.model_dump(mode="json", by_alias=True, exclude_unset=True)
    return Environment.model_validate(document | {"aiCore": place})


def test_a_service_key_by_environment_variable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It is handed over as arguments; the process's environment is as before."""
    monkeypatch.setenv("MY_KEY", json.dumps(KEY))
    before = dict(os.environ)
    found = credentials(_environment(connection="serviceKey", serviceKey="env:MY_KEY"), tmp_path)
    assert found.base_url == "https://api.example/v2"
    assert found.arguments == {
        "client_id": "id",
        "client_secret": "hidden-value",
        "auth_url": "https://auth.example/oauth/token",
    }
    assert dict(os.environ) == before
    assert "hidden-value" not in repr(found)


def test_the_local_key_and_both_ports(tmp_path: Path) -> None:
    """`local` reads the service key that the local AI Core has left in its data folder."""
    data = tmp_path / ".corespec" / "local"
    data.mkdir(parents=True)
    (data / "service-key.json").write_text(json.dumps(KEY))
    environment = _environment(connection="local")
    assert not hasattr(connect_readonly(environment, tmp_path), "create_execution")
    assert hasattr(connect(environment, tmp_path), "create_execution")


def test_a_local_ai_core_that_was_never_started(tmp_path: Path) -> None:
    """The remedy is the command that starts it."""
    with pytest.raises(AuthenticationError) as raised:
        credentials(_environment(connection="local"), tmp_path)
    assert "corespec local up" in raised.value.remedy


def test_a_certificate_instead_of_a_secret() -> None:
    """x509 keys are posted to their own URL; the SDK takes one kind of credential at a time."""
    key = KEY | {"certificate": "C", "key": "K", "certurl": "https://cert.example/"}
    found = from_service_key(json.dumps(key), "key")
    assert found.arguments == {
        "client_id": "id",
        "cert_str": "C",
        "key_str": "K",
        "auth_url": "https://cert.example/oauth/token",
    }


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "not JSON"),
        ("[]", "lacks"),
        (json.dumps({k: v for k, v in KEY.items() if k != "serviceurls"}), "serviceurls"),
        (json.dumps({k: v for k, v in KEY.items() if k != "clientsecret"}), "exactly one"),
    ],
)
def test_a_broken_service_key_is_named_not_shown(text: str, says: str) -> None:
    """The field that is missing, never a value."""
    with pytest.raises(AuthenticationError, match=says) as raised:
        from_service_key(text, "the key")
    assert "hidden-value" not in str(raised.value)
    assert raised.value.exit_code == 2


def test_a_profile_wins_over_a_service_key_in_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The environment names a profile: a key of another place must not be used in its stead."""
    monkeypatch.setenv("AICORE_HOME", str(tmp_path))
    monkeypatch.setenv("AICORE_SERVICE_KEY", json.dumps(KEY))
    profile = {
        "AICORE_CLIENT_ID": "other",
        "AICORE_CLIENT_SECRET": "s",
        "AICORE_AUTH_URL": "https://auth.other",
        "AICORE_BASE_URL": "https://api.other/v2",
        "AICORE_RESOURCE_GROUP": "elsewhere",
    }
    (tmp_path / "config_team.json").write_text(json.dumps(profile))
    found = credentials(_environment(connection="profile", profile="team"), tmp_path)
    assert found.base_url == "https://api.other/v2"
    assert found.arguments["client_id"] == "other"
    assert "resource_group" not in found.arguments


@pytest.mark.parametrize("content", [None, "{", '{"AICORE_CLIENT_ID": "x"}'])
def test_a_profile_that_does_not_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: str | None
) -> None:
    """Absent, damaged or incomplete: the remedy is the SDK's own command."""
    monkeypatch.setenv("AICORE_HOME", str(tmp_path))
    if content is not None:
        (tmp_path / "config_team.json").write_text(content)
    with pytest.raises(AuthenticationError) as raised:
        credentials(_environment(connection="profile", profile="team"), tmp_path)
    assert "aicore configure -p team" in raised.value.remedy


def test_a_reference_that_leads_nowhere(tmp_path: Path) -> None:
    """The reference is named."""
    with pytest.raises(AuthenticationError, match="env:NOT_SET_ANYWHERE"):
        credentials(_environment(connection="serviceKey", serviceKey="env:NOT_SET_ANYWHERE"), tmp_path)
