"""Admin objects: repositories, applications, secrets of three kinds, resource groups."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from ai_api_client_sdk.exception import (
    AIAPIInvalidRequestException,
    AIAPINotFoundException,
    AIAPIServerException,
)
from ai_core_sdk.models import Label, Status

CANARY = "s3cr3t-canary-0815"


def test_repositories(core: Any) -> None:
    """Proves: on-board once, 409 for the name again, credentials changed but never read, off-board."""
    client = core.client().repositories
    created = client.create(
        name="repo-one", url="https://git.example.invalid/a.git", username="u", password=CANARY
    )
    assert created.message == "Repository has been on-boarded."
    with pytest.raises(AIAPIServerException) as twice:
        client.create(name="repo-one", url="https://git.example.invalid/b.git", username="u", password="p")
    assert twice.value.status_code == 409
    found = client.get("repo-one")
    assert (found.name, found.url, found.status.value) == (
        "repo-one",
        "https://git.example.invalid/a.git",
        "COMPLETED",
    )
    assert client.modify("repo-one", username="v", password=CANARY).id == "repo-one"
    assert client.delete("repo-one").id == "repo-one"
    with pytest.raises(AIAPINotFoundException):
        client.get("repo-one")


@pytest.mark.parametrize("url", ["relative/path", "ftp://host/x", f"https://user:{CANARY}@host/x.git"])
def test_bad_repository_urls(core: Any, url: str) -> None:
    with pytest.raises(AIAPIInvalidRequestException, match="url") as refused:
        core.client().repositories.create(name="bad", url=url, username="u", password="p")
    assert CANARY not in str(refused.value)


def test_applications(core: Any, gitops: Any, support: Any) -> None:
    """Proves.

    "Unknown" in every field before a sync, then Synced, and the executables go with the application.
    """
    client = core.client()
    client.repositories.create(name="apps", url=str(gitops.root), username="u", password="p")
    create = {"application_name": "app-one", "repository_name": "apps", "path": "templates"}
    assert client.applications.create(revision="nowhere", **create).id == "app-one"
    status = client.applications.get_status("app-one")
    fields = ("health_status", "sync_status", "sync_started_at", "sync_finished_at", "reconciled_at")
    assert {getattr(status, field) for field in fields} == {"Unknown"}
    assert status.source.revision == "Unknown"
    wanted = "Unable to resolve 'nowhere' to a commit SHA"
    support.wait_for(lambda: wanted in client.applications.get_status("app-one").message, what="the reason")

    revision = gitops.write(
        "templates/app.yaml", support.template("from-app", [support.shell("main", "true")])
    )
    client.applications.modify("app-one", repository_url=str(gitops.root), path="templates", revision="main")
    support.wait_for(
        lambda: client.applications.get_status("app-one").source.revision == revision, what="sync"
    )
    status = client.applications.get_status("app-one")
    assert (status.health_status, status.sync_status) == ("Healthy", "Synced")
    assert [(one.name, one.kind, one.status) for one in status.sync_resources_status] == [
        ("from-app", "WorkflowTemplate", "Synced")
    ]
    raw = core.http("GET", "/v2/admin/applications/app-one/status").json()
    assert raw["syncRessourcesStatus"] == raw["syncResourcesStatus"]
    found = client.applications.get("app-one")
    assert (found.path, found.revision, found.repository_url) == ("templates", "main", str(gitops.root))
    assert "refresh" in client.applications.refresh("app-one").message
    assert client.executable.get("demo", "from-app").version_id == "1.0.0"
    assert [one.id for one in client.scenario.query_versions("demo").resources] == ["1.0.0"]
    client.applications.delete("app-one")
    with pytest.raises(AIAPINotFoundException):
        client.scenario.get("demo")


def test_application_rules(core: Any) -> None:
    client = core.client().applications
    with pytest.raises(AIAPIInvalidRequestException, match="repositoryName"):
        client.create(revision="main", path="x", application_name="app-two", repository_name="absent")
    with pytest.raises(AIAPIInvalidRequestException, match="applicationName"):
        client.create(revision="main", path="x", application_name="No_Good", repository_url="file:///x")
    with pytest.raises(AIAPIInvalidRequestException, match="revision"):
        client.create(
            revision="--upload-pack=x", path="x", application_name="app-two", repository_url="file:///x"
        )
    for call in (client.get, client.get_status, client.refresh, client.delete):
        with pytest.raises(AIAPINotFoundException):
            call("absent")


def test_object_store_secrets(core: Any) -> None:
    """Proves: `default` exists from the start; metadata is read back under AI Core's keys, data never."""
    client = core.client().object_store_secrets
    assert client.get("default").metadata["storage.ai.sap.com/type"] == "directory"
    fields = {
        "type": "S3",
        "data": {"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": CANARY},
        "bucket": "bucket",
        "endpoint": "s3.example.invalid",
        "region": "eu-central-1",
        "path_prefix": "prefix",
    }
    assert client.create(name="store", **fields).message == "secret has been created"
    with pytest.raises(AIAPIServerException):
        client.create(name="store", **fields)
    found = client.get("store")
    assert found.metadata["storage.ai.sap.com/pathPrefix"] == "prefix"
    assert CANARY not in json.dumps(found.metadata)
    assert client.modify(name="store", **fields | {"bucket": "other"}).id == "store"
    assert client.get("store").metadata["storage.ai.sap.com/bucket"] == "other"
    assert client.query().count == 2
    assert client.delete("store").id == "store"
    with pytest.raises(AIAPIInvalidRequestException, match="AWS_SECRET_ACCESS_KEY"):
        client.create(name="store", **fields | {"data": {"AWS_ACCESS_KEY_ID": "id"}})


def test_docker_secrets(core: Any) -> None:
    """Proves: a second create of a name changes nothing and raises nothing, as AI Core was seen to do."""
    client = core.client().docker_registry_secrets
    data = {".dockerconfigjson": json.dumps({"auths": {"registry.example.invalid": {"password": CANARY}}})}
    assert "created" in client.create(name="acme-docker", data=data).message
    assert client.create(name="acme-docker", data=data).message == "Secret exists"
    assert client.get("acme-docker").name == "acme-docker"
    assert client.modify(name="acme-docker", data=data).id == "acme-docker"
    with pytest.raises(AIAPIInvalidRequestException, match="dockerconfigjson"):
        client.create(name="bad", data={".dockerconfigjson": CANARY})
    assert client.delete("acme-docker").id == "acme-docker"


def test_generic_secrets_reach_the_container_only(core: Any, gitops: Any, support: Any) -> None:
    """Proves: the group's secret wins over the tenant's; a container gets the decoded value.

    No file of the server but its database holds it, and no log does.
    """
    client = core.client().secrets
    tenant, group = (base64.b64encode(text.encode()).decode() for text in ("tenant-value", CANARY))
    client.create(name="credentials", data={"TOKEN": tenant})
    client.create(name="credentials", data={"TOKEN": group}, ai_tenant_scope=False)
    assert [one.name for one in client.query().resources] == ["credentials"]
    reference = {"secretKeyRef": {"name": "credentials", "key": "TOKEN"}}
    env = [{"name": "GIVEN", "valueFrom": reference}]
    line = 'test "$GIVEN" = s3cr3t"-canary"-0815 && test "$TOKEN" = "$GIVEN" && echo right'
    main = support.shell("main", line, env=env, envFrom=[{"secretRef": {"name": "credentials"}}])
    gitops.write("templates/secret.yaml", support.template("secretive", [main]))
    core.sync(gitops)
    found = core.finished(core.execute("secretive"))
    assert found.status == Status.COMPLETED, found.status_message
    for path in core.data.rglob("*"):
        if path.is_file() and not path.name.startswith("localcore.db"):
            assert CANARY.encode() not in path.read_bytes(), path
            assert group.encode() not in path.read_bytes(), path
    assert client.modify("credentials", data={"TOKEN": tenant}).message == "The secret has been modified"
    assert "deleted" in client.delete("credentials", ai_tenant_scope=False).message
    assert client.query(ai_tenant_scope=False).count == 0


def test_generic_secrets_as_the_specification_has_them(core: Any) -> None:
    """Proves: labels are replaced when named and kept when not; no base64 is a 400 that repeats nothing.

    A secret of the tenant tells which resource groups have it.
    """
    labels = [{"key": "ext.ai.sap.com/one", "value": "1"}]
    group, tenant = {"AI-Tenant-Scope": "false"}, {"AI-Tenant-Scope": "true", "AI-Resource-Group": "*"}
    body = {"name": "labelled", "data": {"some.key": "eA=="}, "labels": labels}
    assert core.http("POST", "/v2/admin/secrets", json=body, headers=group).status_code == 200
    found = core.http("GET", "/v2/admin/secrets/labelled", headers=group).json()
    assert (found["labels"], "resourceGroupSecretsSyncStatus" in found) == (labels, False)
    place = "/v2/admin/secrets/labelled"
    assert core.http("PATCH", place, json={"data": {"a": "eA=="}}, headers=group).status_code == 200
    assert core.http("GET", place, headers=group).json()["labels"] == labels
    other = {"data": {"a": "eA=="}, "labels": []}
    assert core.http("PATCH", place, json=other, headers=group).status_code == 200
    assert core.http("GET", place, headers=group).json()["labels"] == []
    assert core.http("GET", place, headers=tenant).status_code == 404
    for data in ({"x": CANARY}, {"no good": "eA=="}):
        refused = core.http("POST", "/v2/admin/secrets", json={"name": "bad", "data": data}, headers=group)
        assert (refused.status_code, CANARY in refused.text) == (400, False)
    body = {"name": "wide", "data": {"x": "eA=="}}
    assert core.http("POST", "/v2/admin/secrets", json=body, headers=tenant).status_code == 200
    found = core.http("GET", "/v2/admin/secrets/wide", headers=tenant).json()
    assert found["resourceGroupSecretsSyncStatus"]["default"] is True
    for name, headers in (("labelled", group), ("wide", tenant)):
        assert core.http("DELETE", f"/v2/admin/secrets/{name}", headers=headers).status_code == 200


def test_no_answer_repeats_a_secret(core: Any) -> None:
    """Proves: a refused request with a secret in it is not echoed, and neither answers nor logs hold one."""
    bodies: dict[str, Any] = {
        "objectStoreSecrets": {"name": "UPPER", "type": "S3", "data": {"AWS_SECRET_ACCESS_KEY": CANARY}},
        "secrets": {"name": "UPPER", "data": {"x": CANARY}},
        "repositories": {"name": "UPPER", "url": "/x", "password": CANARY},
    }
    for path, body in bodies.items():
        answer = core.http("POST", f"/v2/admin/{path}", json=body)
        assert answer.status_code == 400
        assert CANARY not in answer.text
    assert CANARY not in (core.data / "localcore.log").read_text()
    assert core.key["clientsecret"] not in (core.data / "localcore.log").read_text()


def test_resource_groups(core: Any, support: Any) -> None:
    """Proves: groups with labels.

    What lies in one is not seen from another; nothing runs without an object store.
    """
    client = core.client().resource_groups
    label = [Label("ext.ai.sap.com/team", "blue")]
    assert client.create(resource_group_id="team-blue", labels=label).resource_group_id == "team-blue"
    found = client.get("team-blue")
    assert (found.status, found.labels[0].value) == ("PROVISIONED", "blue")
    assert [one.resource_group_id for one in client.query().resources] == ["default", "team-blue"]
    listed = core.http("GET", "/v2/admin/resourceGroups?labelSelector=ext.ai.sap.com/team=blue").json()
    assert listed["count"] == 1
    client.modify("team-blue", labels=[Label("ext.ai.sap.com/team", "red")])
    assert client.get("team-blue").labels[0].value == "red"

    blue = core.client("team-blue")
    configuration = blue.configuration.create("conf", "demo", "exec-blue").id
    assert core.client().configuration.query(search="conf", executable_ids=["exec-blue"]).count == 0
    with pytest.raises(AIAPINotFoundException):
        core.client().configuration.get(configuration)
    execution = blue.execution.create(configuration).id
    support.wait_for(lambda: blue.execution.get(execution).status_message, what="the reason it is UNKNOWN")
    assert client.delete("team-blue").id == "team-blue"
    with pytest.raises(AIAPINotFoundException):
        client.get("team-blue")
    with pytest.raises(AIAPIInvalidRequestException):
        client.delete("default")


def test_execution_waits_for_the_default_store(core: Any, gitops: Any, support: Any) -> None:
    """Proves.

    Without a secret `default` an execution is UNKNOWN with the reason, and goes on when it is registered.
    """
    gitops.write("templates/waiting.yaml", support.template("waiting", [support.shell("main", "true")]))
    core.sync(gitops)
    core.client().resource_groups.create(resource_group_id="waiting")
    client = core.client("waiting")
    execution = client.execution.create(client.configuration.create("conf", "demo", "waiting").id).id
    support.wait_for(lambda: client.execution.get(execution).status_message, what="the reason")
    assert "object store secret named default" in client.execution.get(execution).status_message
    client.object_store_secrets.create(
        name="default", type="directory", data={}, bucket=None, endpoint=None, region=None, path_prefix=None
    )
    support.wait_for(lambda: client.execution.get(execution).status == Status.COMPLETED, what="its end")
