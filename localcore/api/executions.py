"""Executions: started, listed, stopped, deleted; and their logs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse

from localcore import clock, ids
from localcore.api.bodies import BulkBody, ExecutionBody, TargetBody
from localcore.api.context import Group, Paging, Svc, items, number, parameter
from localcore.api.filters import choice
from localcore.api.scenarios import listed
from localcore.engines import logfile
from localcore.errors import ApiError, invalid, not_found
from localcore.store.database import Row
from localcore.store.executions import ACTIVE, FINAL, status_document
from localcore.store.query import Where

router = APIRouter(prefix="/lm/executions")
NOT_FOUND = "01010020"


def _where(request: Request, group: str) -> Where:
    query = request.query_params
    where = Where().equal("resource_group", group).equal("scenario_id", query.get("scenarioId"))
    where.equal("configuration_id", query.get("configurationId"))
    where.among("executable_id", items(request, "executableIds", 1000))
    if query.get("executionScheduleId") is not None:
        where.conditions.append("0")  # there are no schedules here, so no execution has one
    return where.equal("status", choice(request, "status", (*ACTIVE, *FINAL)))


def reduced(request: Request) -> bool:
    selected = parameter(request, "select")
    if selected not in (None, "status"):
        raise invalid("$select", f"'{selected}' is not supported; only status is")
    return selected == "status"


def _found(svc: Svc, group: str, execution_id: str) -> Row:
    row = svc.store.executions.find(group, execution_id)
    if row is None:
        raise not_found("Execution", execution_id, NOT_FOUND)
    return row


@router.post("", status_code=202)
def create(svc: Svc, group: Group, body: ExecutionBody) -> dict[str, Any]:
    configuration = svc.store.configurations.get(group, body.configuration_id)
    if configuration is None:
        raise invalid("configurationId", f"configuration '{body.configuration_id}' does not exist")
    executable = svc.store.catalog.executable(configuration["executableId"], configuration["scenarioId"])
    if executable is not None and executable["deployable"]:
        message = f"executable '{executable['id']}' is a ServingTemplate: it is deployed, not executed"
        raise invalid("configurationId", message)
    identifier = svc.store.executions.create(group, configuration)
    svc.engine.wake()
    answer = {"id": identifier, "message": "Execution scheduled", "status": "UNKNOWN"}
    return answer | {"targetStatus": "COMPLETED"}


@router.get("")
def query(request: Request, svc: Svc, group: Group, page: Paging) -> dict[str, Any]:
    where = _where(request, group)
    found = svc.store.executions.page(where, page, reduced=reduced(request))
    return listed(found, svc.store.executions.count(where))


@router.patch("", status_code=202)
def bulk(request: Request, svc: Svc, group: Group, body: BulkBody) -> dict[str, Any]:
    """Each on its own: one that cannot be changed does not hinder the others."""
    results: list[dict[str, Any]] = []
    for item in body.executions:
        try:
            results.append(_change(svc, group, item.id, item.target_status))
        except ApiError as error:
            described = {"code": error.code, "message": error.message}
            described |= {"requestId": ids.request_id(), "target": request.url.path}
            results.append({"id": item.id, "error": described})
    return {"executions": results}


@router.get("/$count", response_class=PlainTextResponse)
def count(request: Request, svc: Svc, group: Group) -> str:
    return str(svc.store.executions.count(_where(request, group)))


@router.get("/{execution_id}")
def get(request: Request, svc: Svc, group: Group, execution_id: str) -> dict[str, Any]:
    row = _found(svc, group, execution_id)
    return status_document(row) if reduced(request) else svc.store.executions.full(row)


def _change(svc: Svc, group: str, execution_id: str, target: str) -> dict[str, Any]:
    if target == "STOPPED":
        svc.engine.request_stop(group, execution_id)
        return {"id": execution_id, "message": "Execution modification scheduled"}
    svc.engine.delete(group, execution_id)
    return {"id": execution_id, "message": "Deletion scheduled", "targetStatus": "DELETED"}


@router.patch("/{execution_id}", status_code=202)
def modify(svc: Svc, group: Group, execution_id: str, body: TargetBody) -> dict[str, Any]:
    return _change(svc, group, execution_id, body.target_status)


@router.delete("/{execution_id}", status_code=202)
def delete(svc: Svc, group: Group, execution_id: str) -> dict[str, Any]:
    return _change(svc, group, execution_id, "DELETED")


def _moment(request: Request, name: str, default: datetime) -> str:
    text = request.query_params.get(name)
    if text is None:
        return clock.precise(default)
    try:
        return clock.precise(clock.parse(text))
    except ValueError:
        raise invalid(name, f"'{text}' is not an ISO 8601 time") from None


@router.get("/{execution_id}/logs")
def logs(request: Request, svc: Svc, group: Group, execution_id: str) -> dict[str, Any]:
    _found(svc, group, execution_id)
    return log_lines(request, svc.engine.workplace(execution_id).log)


def log_lines(request: Request, log: Path) -> dict[str, Any]:
    """The lines from `start` (an hour ago) to `end` (now), at most `$top` (1,000), oldest first."""
    now = datetime.now(UTC)
    order = (parameter(request, "order") or "asc").lower()
    if order not in ("asc", "desc"):
        raise invalid("$order", f"'{order}' is neither asc nor desc")
    lines = logfile.read(
        log,
        start=_moment(request, "start", now - timedelta(hours=1)),
        end=_moment(request, "end", now + timedelta(seconds=1)),
        top=max(1, number(request, "top", 1000, 5000)),
        descending=order == "desc",
    )
    return {"data": {"result": lines}}
