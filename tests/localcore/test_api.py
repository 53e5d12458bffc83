"""The parts of the AI API that need no execution: rights, limits, lists, meta."""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests
from ai_api_client_sdk.exception import (
    AIAPIInvalidRequestException,
    AIAPINotFoundException,
    AIAPIServerException,
)
from ai_core_sdk.models import Artifact, Label, ParameterBinding

MODEL, DATASET = Artifact.Kind.MODEL, Artifact.Kind.DATASET


def test_token_by_form_and_by_basic(core: Any) -> None:
    """Proves: both ways of SAP's clients, and a life that spares the SDK a token request per call."""
    key, url = core.key, f"{core.url}/oauth/token"
    form = {
        "grant_type": "client_credentials",
        "client_id": key["clientid"],
        "client_secret": key["clientsecret"],
    }
    answer = requests.post(url, data=form, timeout=10).json()
    assert (answer["expires_in"], answer["token_type"]) == (43199, "bearer")
    basic = requests.post(
        url,
        data={"grant_type": "client_credentials"},
        auth=(key["clientid"], key["clientsecret"]),
        timeout=10,
    )
    assert basic.status_code == 200
    assert requests.post(url, data=form | {"client_secret": "wrong"}, timeout=10).status_code == 401
    assert requests.post(url, data=form | {"grant_type": "password"}, timeout=10).status_code == 400


@pytest.mark.parametrize("token", [None, "Bearer", "Bearer x", "Bearer 9999999999.abc.def", "Basic eDp5"])
def test_401_without_a_valid_token(core: Any, token: str | None) -> None:
    headers = {"Authorization": token} if token else {}
    for path in ("/v2/lm/artifacts", "/v2/admin/secrets", "/_localcore/requests"):
        answer = requests.get(core.url + path, headers=headers, timeout=10)
        assert answer.status_code == 401
        assert answer.json()["error"]["code"] == "401"


def test_403_for_an_unknown_group(core: Any) -> None:
    """Proves: the plain text of AI Core's gateway, which the SDK hands on as message."""
    with pytest.raises(AIAPIServerException, match="RBAC: access denied"):
        core.client("nowhere").artifact.query()


def test_foreign_host_names_are_refused(core: Any) -> None:
    """Proves: a web page that resolves its own name to 127.0.0.1 gets nothing."""
    answer = requests.get(f"{core.url}/ready", headers={"Host": "evil.example:80"}, timeout=10)
    assert answer.status_code == 403
    assert requests.get(f"{core.url}/ready", timeout=10).json() == {"status": "READY"}


def test_artifacts(core: Any) -> None:
    """Proves: create, get, filters, search, label selectors, counts and pages through the SDK."""
    client = core.client()
    label = Label("ext.ai.sap.com/corespec", "abc")
    first = client.artifact.create("Alpha data", DATASET, "ai://default/a", "art", "first", labels=[label])
    second = client.artifact.create("alpha data", MODEL, "gs://bucket/b", "art", "other")
    assert (first.message, first.url) == ("Artifact acknowledged", "ai://default/a")
    found = client.artifact.get(first.id)
    assert (found.name, found.kind, found.description, found.labels[0].value) == (
        "Alpha data",
        DATASET,
        "first",
        "abc",
    )

    def ids(**query: Any) -> list[str]:
        return [one.id for one in client.artifact.query(scenario_id="art", **query).resources]

    assert ids() == [second.id, first.id], "newest first"
    assert ids(kind=MODEL) == [second.id]
    assert ids(name="Alpha data") == [first.id]
    assert ids(search="Alpha") == [first.id]
    assert ids(search="ALPHA", search_case_insensitive=True) == [second.id, first.id]
    assert ids(artifact_label_selector=["ext.ai.sap.com/corespec=abc"]) == [first.id]
    assert ids(artifact_label_selector=["ext.ai.sap.com/corespec!=abc"]) == [second.id]
    assert ids(top=1, skip=1) == [first.id]
    assert client.artifact.count(scenario_id="art") == 2
    with pytest.raises(AIAPINotFoundException):
        client.artifact.get("00000000-0000-0000-0000-000000000000")


def test_configurations(core: Any) -> None:
    """Proves: same-named configurations are two.

    Bindings come back whole; search and `executableIds` filter.
    """
    client = core.client()
    binding = [ParameterBinding("rate", "0.1")]
    made = [client.configuration.create("conf", "con", f"exec-{n}", binding).id for n in (1, 2)]
    found = client.configuration.get(made[0])
    assert (found.executable_id, found.parameter_bindings[0].value) == ("exec-1", "0.1")
    query = client.configuration.query(scenario_id="con", executable_ids=["exec-2"])
    assert [one.id for one in query.resources] == [made[1]]
    assert client.configuration.query(search="onf").count == 2
    assert client.configuration.count(scenario_id="con", search="nope") == 0


ARTIFACT = {"name": "n", "kind": "model", "url": "ai://default/x", "scenarioId": "demo"}
CONFIGURATION = {"name": "n", "scenarioId": "demo", "executableId": "exec"}


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("artifacts", ARTIFACT | {"kind": "picture"}, "kind"),
        ("artifacts", ARTIFACT | {"name": "a" * 257}, "name"),
        ("artifacts", ARTIFACT | {"name": "emoji \N{PILE OF POO}"}, "name"),
        ("artifacts", ARTIFACT | {"url": "no url"}, "url"),
        ("artifacts", ARTIFACT | {"labels": [{"key": "other/x", "value": "y"}]}, "labels.0.key"),
        ("artifacts", {"name": "n"}, "kind"),
        ("artifacts", [], "body"),
        ("configurations", CONFIGURATION | {"executableId": "x"}, "executableId"),
        (
            "configurations",
            CONFIGURATION | {"parameterBindings": [{"key": "k", "value": "v" * 5001}]},
            "parameterBindings.0.value",
        ),
        (
            "configurations",
            CONFIGURATION | {"parameterBindings": [{"key": "k", "value": "1"}, {"key": "k", "value": "2"}]},
            "parameterBindings",
        ),
        (
            "configurations",
            CONFIGURATION | {"inputArtifactBindings": [{"key": "k", "artifactId": "absent"}]},
            "inputArtifactBindings.0.artifactId",
        ),
        ("executions", {}, "configurationId"),
    ],
)
def test_400_names_the_field(core: Any, path: str, body: Any, field: str) -> None:
    answer = core.http("POST", f"/v2/lm/{path}", json=body)
    error = answer.json()["error"]
    assert answer.status_code == 400, answer.text
    assert error["target"] == field
    assert field in error["message"]
    assert error["requestId"]


@pytest.mark.parametrize(
    "query", ["$top=-1", "top=x", "$top=100001", "$skip=a", "kind=x", "$search=~", "$expand=x"]
)
def test_400_for_a_bad_query(core: Any, query: str) -> None:
    assert core.http("GET", f"/v2/lm/artifacts?{query}").status_code == 400


def test_malformed_json_and_oversized_bodies(core: Any) -> None:
    """Proves: both are client errors in AI Core's envelope, declared length or not."""
    headers = {"Content-Type": "application/json"}
    bad = core.http("POST", "/v2/lm/artifacts", data="{", headers=headers)
    assert (bad.status_code, bad.json()["error"]["code"]) == (400, "01010019")
    large = core.http("POST", "/v2/lm/artifacts", data=b" " * 9_000_000, headers=headers)
    assert (large.status_code, large.json()["error"]["code"]) == (413, "02000005")
    chunked = core.http("POST", "/v2/lm/artifacts", data=iter([b" " * 1_000_000] * 9), headers=headers)
    assert chunked.status_code == 413


def test_unknown_paths_and_methods_have_the_envelope(core: Any) -> None:
    assert core.http("GET", "/v2/lm/nothing").json()["error"]["code"] == "404"
    assert core.http("DELETE", "/v2/lm/artifacts").status_code == 405


def test_meta_tells_the_truth(core: Any) -> None:
    """Proves: what is not offered is not claimed, and is refused clearly."""
    client, plain = core.client(), core.plain_client()
    meta = client.meta.get()
    assert meta.runtime_identifier == "aicore"
    assert meta.ai_api.capabilities.user_executions
    assert meta.ai_api.capabilities.bulk_updates.executions
    assert meta.ai_api.capabilities.user_deployments
    assert meta.ai_api.capabilities.time_to_live_deployments
    raw = core.http("GET", "/v2/lm/meta").json()["aiApi"]["limits"]  # the SDK drops this limit
    assert raw["timeToLiveDeployments"] == {"minimum": "10m", "maximum": "-1"}
    assert not meta.ai_api.capabilities.execution_schedules
    assert meta.ai_api.limits.executions.max_running_count == 4
    assert client.meta.get_versions().versions[0].version_id == "v2"
    assert plain.healthz.get().status.value == "READY"
    assert client.deployment.query().count == 0
    assert plain.execution_schedule.query().count == 0
    assert client.deployment.count() == 0
    schedule = core.http("POST", "/v2/lm/executionSchedules", json={})
    assert (schedule.status_code, "not offered" in schedule.text) == (501, True)
    with pytest.raises(AIAPINotFoundException):
        client.deployment.get("d000000000000000")
    assert client.model.query().count == 0


def test_the_record_of_requests(core: Any) -> None:
    """Proves: writing requests are counted and recorded without a secret.

    Reads and tokens do not count as writes.
    """
    before = core.http("GET", "/_localcore/requests").json()
    core.client().artifact.query()
    after_read = core.http("GET", "/_localcore/requests").json()
    assert after_read["writes"] == before["writes"]
    core.http("POST", "/v2/inference/deployments/d000000000000000/x")
    assert core.http("GET", "/_localcore/requests").json()["inference"] == before["inference"] + 1
    core.client().artifact.create("recorded", MODEL, "ai://default/canary-url", "demo")
    assert core.http("GET", "/_localcore/requests").json()["writes"] == before["writes"] + 1
    lines = (core.data / "requests.jsonl").read_text().splitlines()
    last = json.loads(lines[-1])
    assert (last["method"], last["path"], last["status"]) == ("POST", "/v2/lm/artifacts", 201)
    assert set(last) == {"time", "method", "path", "status"}


def test_bad_create_raises_in_the_sdk(core: Any) -> None:
    with pytest.raises(AIAPIInvalidRequestException, match="url"):
        core.client().artifact.create("n", MODEL, "nonsense", "demo")
