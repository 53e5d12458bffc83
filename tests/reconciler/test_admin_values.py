"""Admin objects against a real local AI Core: created, kept in line, rotated; values are never shown."""

from __future__ import annotations

import base64
import json
import sqlite3
from pathlib import Path

import pytest
from ai_core_sdk.ai_core_v2_client import AICoreV2Client
from ai_core_sdk.models import Label

from reconciler.connection import credentials
from reconciler.exitcode import ExitCode
from reconciler.plan_model import Action, Change, Plan, StageName
from reconciler.session import Session
from tests.reconciler.project import LAUNCH_ONLY, Project
from tests.reconciler.proxy import BREAKS, Broken, Proxy

pytestmark = pytest.mark.long

NAMES = ("S3_ID", "S3_KEY", "D_USER", "D_PASS", "TOKEN", "WIDE", "G_USER", "G_PASS")
DECLARED = """\
docker: {{registry: docker.io/acme, secret: {name}-docker, username: env:D_USER, password: env:D_PASS}}
resourceGroupLabels: {{ext.ai.sap.com/{name}: vision}}
secrets:
  {name}-hub: {{data: {{TOKEN: env:TOKEN, other.key: env:D_USER}}}}
  {name}-wide: {{data: {{TOKEN: env:WIDE}}, tenantWide: true}}
"""
STORE = """objectStores:
  {name}-s3: {{type: s3, bucket: b, endpoint: "http://127.0.0.1:9", pathPrefix: p, region: eu,
    accessKeyId: env:S3_ID, secretAccessKey: env:S3_KEY, register: true}}
"""


@pytest.fixture
def declaring(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project whose environment declares every kind of admin object, and was applied."""
    for name in NAMES:
        monkeypatch.setenv(name, f"first-{name.lower()}")
    text = _place(project).read_text() + DECLARED.format(name=project.name)
    text = text.replace("objectStores:\n", STORE.format(name=project.name))
    text = text.replace("publish: direct", "publish: direct, username: env:G_USER, password: env:G_PASS")
    _place(project).write_text(text)
    project.push("Declare")
    project.publish()
    assert project.session().apply(LAUNCH_ONLY) is not None
    assert _admin(project.session()) == []
    return project


def _place(project: Project) -> Path:
    return project.clone / "specs" / "environments" / "local.yaml"


def _admin(session: Session) -> list[Change]:
    return list(session.plan().of(StageName.ONBOARD))


def _client(project: Project) -> AICoreV2Client:
    """The official SDK, as somebody else uses it."""
    found = credentials(project.session().bench().environment, project.clone)
    return AICoreV2Client(base_url=found.base_url, resource_group="default", **found.arguments)


def _stored(project: Project, kind: str, name: str) -> dict[str, str]:
    """What AI Core holds, from its own database."""
    with sqlite3.connect(project.data / "localcore.db") as database:
        query = "SELECT data FROM secrets WHERE kind = ? AND name = ?"
        rows = database.execute(query, (kind, name)).fetchall()
    ((text,),) = rows
    found: dict[str, str] = json.loads(text)
    return found


ROTATIONS: dict[str, tuple[str, str]] = {
    "S3_KEY": ("object-store-secret", "s3"),
    "D_PASS": ("docker-secret", "docker"),
    "TOKEN": ("secret", "hub"),
    "WIDE": ("secret", "wide"),
    "G_PASS": ("repository", "git"),
}


def test_a_rotated_value_is_one_update_and_then_nothing(
    declaring: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of each kind: the plan shows it (exit code 3) without the value, apply sends it, the plan is empty."""
    for variable in ROTATIONS:
        monkeypatch.setenv(variable, f"second-{variable.lower()}")
    made = declaring.session().plan()
    changes = made.of(StageName.ONBOARD)
    assert sorted(change.address for change in changes) == sorted(
        f"{kind}/{declaring.name}-{end}" for kind, end in ROTATIONS.values()
    )
    assert {(one.action, one.reason, one.fields) for one in changes} == {
        (Action.UPDATE, "secret values changed (hash differs)", ())
    }
    assert "second-" not in json.dumps(made.document())
    assert made.exit_code is ExitCode.PENDING
    declaring.session().apply(LAUNCH_ONLY)
    assert _admin(declaring.session()) == []
    name = declaring.name
    assert _stored(declaring, "object-store", f"{name}-s3")["AWS_SECRET_ACCESS_KEY"] == "second-s3_key"
    assert "second-d_pass" in _stored(declaring, "docker", f"{name}-docker")[".dockerconfigjson"]
    hub = _stored(declaring, "generic", f"{name}-hub")
    assert {key: base64.b64decode(value).decode() for key, value in hub.items()} == {
        "TOKEN": "second-token",
        "other.key": "first-d_user",
    }
    with sqlite3.connect(declaring.data / "localcore.db") as database:
        query = "SELECT username, password FROM repositories WHERE name = ?"
        assert database.execute(query, (f"{name}-git",)).fetchone() == ("first-g_user", "second-g_pass")


def test_scopes_of_generic_secrets(declaring: Project) -> None:
    """One for the resource group, one for the tenant; the SDK sees each where it belongs."""
    client, name = _client(declaring).secrets, declaring.name
    of_group = {one.name for one in client.query(ai_tenant_scope=False).resources}
    of_tenant = {one.name for one in client.query().resources}
    assert (f"{name}-hub" in of_group, f"{name}-hub" in of_tenant) == (True, False)
    assert (f"{name}-wide" in of_group, f"{name}-wide" in of_tenant) == (False, True)


def test_what_ai_core_shows_is_compared_field_by_field(declaring: Project) -> None:
    """A label and a store changed by hand, an application led elsewhere, an edited environment."""
    client, name = _client(declaring), declaring.name
    kept = client.resource_groups.get("default").labels
    foreign = Label("ext.ai.sap.com/foreign", "stays")
    others = [one for one in kept if one.key != f"ext.ai.sap.com/{name}"]
    client.resource_groups.modify("default", labels=[*others, foreign])
    client.applications.modify(f"{name}-app", repository_url="/elsewhere", path="other", revision="mine")
    text = _place(declaring).read_text()
    _place(declaring).write_text(text.replace("pathPrefix: p,", "pathPrefix: q,"))
    found = {
        change.address: {field.path: (field.before, field.after) for field in change.fields}
        for change in _admin(declaring.session())
    }
    assert found.pop("resource-group/default") == {f"labels.ext.ai.sap.com/{name}": (None, "vision")}
    prefix = "storage.ai.sap.com/pathPrefix"
    assert found.pop(f"object-store-secret/{name}-s3") == {prefix: ("p", "q")}
    moved = found.pop(f"application/{name}-app")
    assert moved["path"] == ("other", "rendered/local/templates")
    assert moved["revision"] == ("mine", "main")
    assert moved["repositoryUrl"] == ("/elsewhere", str(declaring.root / "origin.git"))
    assert found == {}
    declaring.session().apply(LAUNCH_ONLY)
    assert _admin(declaring.session()) == []
    labels = {one.key: one.value for one in client.resource_groups.get("default").labels}
    assert (labels["ext.ai.sap.com/foreign"], labels[f"ext.ai.sap.com/{name}"]) == ("stays", "vision")


def test_a_lost_mark_means_written_once_more(declaring: Project) -> None:
    """Never unchanged by guess: who removes the labels, or makes a secret anew, sees values rewritten."""
    client, name = _client(declaring), declaring.name
    client.resource_groups.modify("default", labels=[Label(f"ext.ai.sap.com/{name}", "vision")])
    client.secrets.delete(f"{name}-hub", ai_tenant_scope=False)
    client.secrets.create(name=f"{name}-hub", data={"TOKEN": "eA=="}, ai_tenant_scope=False)
    changes = _admin(declaring.session())
    assert {change.address.partition("/")[0] for change in changes} == {
        "object-store-secret",
        "docker-secret",
        "repository",
        "secret",
    }
    assert {change.action for change in changes} == {Action.UPDATE}
    assert all("nobody knows" in change.reason for change in changes)
    declaring.session().apply(LAUNCH_ONLY)
    assert _admin(declaring.session()) == []
    assert set(_stored(declaring, "generic", f"{name}-hub")) == {"TOKEN", "other.key"}


def test_a_value_that_is_not_here_is_neither_changed_nor_unchanged(
    declaring: Project, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A machine without the secret plans and applies everything else, says so, and writes nothing of it."""
    monkeypatch.delenv("D_PASS")
    made: Plan = declaring.session().plan()
    assert made.of(StageName.ONBOARD) == ()
    warned = [problem for problem in made.warnings if problem.code == "not-compared"]
    assert [problem.address for problem in warned] == [f"docker-secret/{declaring.name}-docker"]
    assert "env:D_PASS is not set" in warned[0].message
    before = list(proxy.writes)
    declaring.session().apply(LAUNCH_ONLY)
    assert [write for write in proxy.writes[len(before) :] if "dockerRegistrySecrets" in write] == []


def test_a_patch_in_doubt_is_sent_again(
    declaring: Project, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first PATCH of a value, and that of its mark, have their answers lost: the end is the same."""
    name = declaring.name
    victims = [
        f"PATCH /v2/admin/dockerRegistrySecrets/{name}-docker",
        "PATCH /v2/admin/resourceGroups/default",
    ]
    monkeypatch.setenv("D_PASS", "third")

    def decide(_index: int, request: str) -> Broken | None:
        if request not in victims:
            return None
        victims.remove(request)
        return BREAKS["reset after the server acted"]

    proxy.decide = decide
    declaring.session().apply(LAUNCH_ONLY)
    assert victims == []
    assert _admin(declaring.session()) == []
    assert "third" in _stored(declaring, "docker", f"{name}-docker")[".dockerconfigjson"]
