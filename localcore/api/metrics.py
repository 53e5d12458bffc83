"""Metrics, for clients with a token and, at another path, for the containers that run here without one."""

from __future__ import annotations

import math
import re
from typing import Any

from fastapi import APIRouter, Request, Response

from localcore import clock
from localcore.api.bodies import MetricsBody
from localcore.api.context import Group, Svc, number, parameter
from localcore.api.executions import NOT_FOUND
from localcore.errors import ApiError, invalid, not_found
from localcore.store.metrics import MAX_METRICS, MAX_VALUES, too_large

router = APIRouter(prefix="/lm/metrics")
pod_router = APIRouter(prefix="/api/v1/metrics")

MAX_QUERIED = 10
_SECTIONS = ("metrics", "tags", "customInfo")
_EQUAL = re.compile(r"executionId\s+eq\s+'([\w.-]+)'")
_IN = re.compile(r"executionId\s+in\s+\(?((?:\s*'[\w.-]+'\s*,?)+)\)?")


def _group_of(svc: Svc, execution_id: str) -> str:
    """The group of a pod's execution; it is not taken from the pod's header.

    The SDK fills that header from a variable with hyphens in its name, which common shells do not hand on.
    """
    row = svc.store.executions.row(execution_id)
    if row is None:
        raise not_found("Execution", execution_id, NOT_FOUND)
    return str(row["resource_group"])


def _metric(metric: Any) -> dict[str, Any]:
    """A metric as stored and returned. Raises ApiError 400 for what JSON or the SDK cannot carry back."""
    if not math.isfinite(metric.value):
        raise invalid(f"metrics.{metric.name}.value", "must be a finite number")
    moment = clock.now_precise()
    if metric.timestamp is not None:
        try:
            moment = clock.precise(clock.parse(metric.timestamp))
        except ValueError:
            raise invalid(f"metrics.{metric.name}.timestamp", "is not an ISO 8601 time") from None
    shortened = moment.replace(".000000Z", "Z")
    found = {"name": metric.name, "value": metric.value, "timestamp": shortened}
    if metric.step is not None:
        found["step"] = metric.step
    return found | {"labels": [label.wire() for label in metric.labels]}


def _patch(svc: Svc, group: str, body: MetricsBody) -> Response:
    if svc.store.executions.find(group, body.execution_id) is None:
        raise not_found("Execution", body.execution_id, NOT_FOUND)
    for name, found, limit in (("metrics", body.metrics, MAX_METRICS), ("tags", body.tags, MAX_VALUES)):
        if len(found) > limit:
            raise too_large(f"{len(found)} {name}; at most {limit} are allowed")
    sections = {
        "metrics": [_metric(metric) for metric in body.metrics],
        "tags": [tag.wire() for tag in body.tags],
        "customInfo": [info.wire() for info in body.custom_info],
    }
    svc.store.metrics.append(group, body.execution_id, sections)
    return Response(status_code=204)


def _filtered(text: str) -> list[str]:
    """The ids of the deprecated `$filter`: `executionId eq 'x'` or `executionId in ('x','y')`."""
    equal = _EQUAL.fullmatch(text.strip())
    if equal is not None:
        return [equal[1]]
    among = _IN.fullmatch(text.strip())
    if among is None:
        raise ApiError(501, f"$filter: {text!r} is not supported; executionId eq or in is")
    return re.findall(r"'([\w.-]+)'", among[1])


def _wanted(request: Request) -> list[str]:
    listed, condition = request.query_params.get("executionIds"), parameter(request, "filter")
    if listed and condition:
        raise invalid("executionIds", "executionIds and $filter exclude each other")
    wanted = _filtered(condition) if condition else [one for one in (listed or "").split(",") if one]
    if not wanted:
        raise invalid("executionIds", "is missing")
    if len(wanted) > MAX_QUERIED:
        raise invalid("executionIds", f"{len(wanted)} ids; at most {MAX_QUERIED} are allowed")
    return wanted


def _query(request: Request, svc: Svc, group: str) -> dict[str, Any]:
    selected = (parameter(request, "select") or "*").split(",")
    unknown = sorted(set(selected) - {*_SECTIONS, "*"})
    if unknown:
        raise invalid("$select", f"'{unknown[0]}' is none of {', '.join(_SECTIONS)} and *")
    sections = frozenset(_SECTIONS if "*" in selected else selected)
    found = svc.store.metrics.query(group, _wanted(request), sections)
    skip, top = number(request, "skip", 0, 2**31), number(request, "top", 1000, 10_000)
    return {"count": len(found), "resources": found[skip : skip + top]}


def _delete(request: Request, svc: Svc, group: str) -> dict[str, Any]:
    execution_id = request.query_params.get("executionId", "")
    if not svc.store.metrics.delete(group, execution_id):
        raise ApiError(404, "Metrics was not found.", code="02010055", details=[])
    return {"id": execution_id, "message": "Metric Resource was successfully deleted"}


@router.patch("", status_code=204)
def patch(svc: Svc, group: Group, body: MetricsBody) -> Response:
    return _patch(svc, group, body)


@router.get("")
def query(request: Request, svc: Svc, group: Group) -> dict[str, Any]:
    return _query(request, svc, group)


@router.delete("")
def delete(request: Request, svc: Svc, group: Group) -> dict[str, Any]:
    return _delete(request, svc, group)


@pod_router.patch("", status_code=204)
def pod_patch(svc: Svc, body: MetricsBody) -> Response:
    return _patch(svc, _group_of(svc, body.execution_id), body)


@pod_router.get("")
def pod_query(request: Request, svc: Svc) -> dict[str, Any]:
    return _query(request, svc, _group_of(svc, _wanted(request)[0]))


@pod_router.delete("")
def pod_delete(request: Request, svc: Svc) -> dict[str, Any]:
    return _delete(request, svc, _group_of(svc, request.query_params.get("executionId", "")))
