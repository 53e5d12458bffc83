"""Metrics through the SDK and from inside a container."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
import requests
from ai_api_client_sdk.exception import AIAPIInvalidRequestException, AIAPINotFoundException
from ai_core_sdk.models import Metric, MetricCustomInfo, MetricLabel, MetricTag
from ai_core_sdk.tracking import Tracking

MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture
def execution(core: Any) -> str:
    """An execution that never runs: its executable does not exist."""
    return str(core.execute("never-there"))


def _metric(name: str = "mAP/allClasses", value: float = 0.5, step: int = 1) -> Metric:
    return Metric(name, value, MOMENT, step, [MetricLabel("data_split", "test")])


def test_series_grow_and_names_are_overwritten(core: Any, execution: str) -> None:
    """Proves: metrics append; tags and custom infos of the same name are replaced; nothing else is lost."""
    metrics = core.client().metrics
    metrics.modify(execution, metrics=[_metric()], tags=[MetricTag("a", "1")])
    metrics.log_metrics([_metric(step=2), _metric("Error Rate", 0.25)], execution_id=execution)
    metrics.set_custom_info(
        execution_id=execution, custom_info=[MetricCustomInfo("corespec/progress", "old")]
    )
    metrics.set_custom_info(
        execution_id=execution, custom_info=[MetricCustomInfo("corespec/progress", "new" * 999)]
    )
    found = metrics.query(execution_ids=[execution, "e000000000000000"])
    assert found.count == 1
    resource = found.resources[0]
    assert [(one.name, one.step) for one in resource.metrics] == [
        ("mAP/allClasses", 1),
        ("mAP/allClasses", 2),
        ("Error Rate", 1),
    ]
    assert resource.metrics[0] == _metric(), "value, time, step and labels come back as they went"
    assert [(tag.name, tag.value) for tag in resource.tags] == [("a", "1")]
    assert [info.value for info in resource.custom_info] == ["new" * 999]
    assert core.http("GET", f"/v2/lm/metrics?executionIds={execution}&$select=tags").json()["resources"][
        0
    ].keys() == {
        "executionId",
        "createdAt",
        "modifiedAt",
        "tags",
    }
    metrics.delete(execution)
    with pytest.raises(AIAPINotFoundException, match="Metrics was not found"):
        metrics.delete(execution)


def test_the_pods_way(core: Any, execution: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Proves: `Tracking()` with the variables of a pod, without token or group, writes to its execution."""
    monkeypatch.setenv("AICORE_EXECUTION_ID", execution)
    monkeypatch.setenv("AICORE_TRACKING_ENDPOINT", core.url)
    Tracking().log_metrics([_metric()], artifact_name="trainedmodel")
    Tracking().set_tags([MetricTag("t", "v")])
    resource = core.client().metrics.query(execution_ids=[execution]).resources[0]
    assert resource.metrics[0].labels[-1].name == "metrics.ai.sap.com/Artifact.name"
    assert resource.tags[0].name == "t"
    assert Tracking().query(execution_ids=[execution]).count == 1
    stray = requests.patch(f"{core.url}/api/v1/metrics", json={"executionId": "e000000000000000"}, timeout=10)
    assert stray.status_code == 404


def test_both_content_types(core: Any, execution: str) -> None:
    body = {
        "executionId": execution,
        "metrics": [{"name": "m", "value": "0.5", "timestamp": "2026-01-01T00:00:00Z"}],
    }
    for kind in ("application/json", "application/merge-patch+json"):
        assert (
            core.http("PATCH", "/v2/lm/metrics", json=body, headers={"Content-Type": kind}).status_code == 204
        )
    found = core.http("GET", f"/v2/lm/metrics?$filter=executionId eq '{execution}'").json()["resources"][0]
    assert [metric["value"] for metric in found["metrics"]] == [0.5, 0.5]


@pytest.mark.parametrize(
    ("extra", "status"),
    [
        ({"metrics": [{"name": "m", "value": 1}] * 1001}, 413),
        ({"tags": [{"name": f"t{n}", "value": "v"} for n in range(101)]}, 413),
        ({"customInfo": [{"name": f"i{n}", "value": "v"} for n in range(101)]}, 413),
        ({"customInfo": [{"name": "i", "value": "v" * 6_000_000}]}, 413),
        ({"tags": [{"name": "t", "value": "v" * 257}]}, 400),
        ({"metrics": [{"name": "m", "value": 1, "labels": [{"name": "l", "value": "v"}] * 21}]}, 400),
        ({"metrics": [{"name": "m", "value": 1, "step": -1}]}, 400),
        ({"metrics": [{"name": "m", "value": "high"}]}, 400),
        ({"metrics": [{"name": "m", "value": "NaN"}]}, 400),
        ({"metrics": [{"name": "m", "value": 1, "timestamp": "yesterday"}]}, 400),
    ],
)
def test_limits_leave_nothing_behind(core: Any, execution: str, extra: dict[str, Any], status: int) -> None:
    """Proves: what passes a limit is refused whole."""
    answer = core.http("PATCH", "/v2/lm/metrics", json={"executionId": execution, **extra})
    assert answer.status_code == status, answer.text
    assert core.http("GET", f"/v2/lm/metrics?executionIds={execution}").json()["count"] == 0


def test_the_limit_is_of_the_whole_series(core: Any, execution: str) -> None:
    body = {"executionId": execution, "metrics": [{"name": "m", "value": 1}] * 600}
    assert core.http("PATCH", "/v2/lm/metrics", json=body).status_code == 204
    assert core.http("PATCH", "/v2/lm/metrics", json=body).json()["error"]["code"] == "02000005"
    found = core.http("GET", f"/v2/lm/metrics?executionIds={execution}").json()
    assert len(found["resources"][0]["metrics"]) == 600


def test_bad_queries(core: Any, execution: str) -> None:
    """Proves: the query's own rules: ids or filter but not both, ten ids, known operators and sections."""
    with pytest.raises(AIAPIInvalidRequestException):
        core.client().metrics.modify(execution_id="")
    path = "/v2/lm/metrics"
    assert core.http("GET", path).status_code == 400
    assert core.http("GET", f"{path}?executionIds=a&$filter=executionId eq 'x'").status_code == 400
    assert core.http("GET", f"{path}?$filter=executionId gt 'x'").status_code == 501
    assert core.http("GET", f"{path}?$filter=executionId in ('abcd','{execution}')").status_code == 200
    assert core.http("GET", f"{path}?executionIds={','.join('abcdefghijk')}").status_code == 400
    assert core.http("GET", f"{path}?executionIds={execution}&$select=loss").status_code == 400
