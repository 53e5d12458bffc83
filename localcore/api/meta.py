"""What this server is and can do: the truth about itself, so that clients hide what it does not offer."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from localcore.api.context import Svc

router = APIRouter(prefix="/lm")
AI_API_VERSION = "2.42.0"


@router.get("/meta")
def meta(svc: Svc) -> dict[str, Any]:
    capabilities = {
        "multitenant": True,
        "shareable": False,
        "staticDeployments": False,
        "userDeployments": True,
        "userExecutions": True,
        "timeToLiveDeployments": True,
        "executionSchedules": False,
        "logs": {"executions": True, "deployments": True},
        "bulkUpdates": {"executions": True, "deployments": True},
    }
    limits = {
        "executions": {"maxRunningCount": svc.engine.max_running},
        "deployments": {"maxRunningCount": -1},
        "timeToLiveDeployments": {"minimum": "10m", "maximum": "-1"},
    }
    return {
        "runtimeIdentifier": "aicore",
        "runtimeApiVersion": AI_API_VERSION,
        "description": "local AI Core on one machine",
        "aiApi": {"version": AI_API_VERSION, "capabilities": capabilities, "limits": limits},
        "extensions": {
            "metrics": {"version": "1.0.0", "capabilities": {"extendedResults": True}},
            "resourceGroups": {"version": "1.2.0"},
        },
    }


@router.get("/meta/versions")
def versions(svc: Svc) -> dict[str, Any]:
    found = {"versionId": "v2", "url": f"{svc.url}/v2", "description": "AI API v2"}
    return {"versions": [found]}


@router.get("/healthz")
def healthz(svc: Svc) -> dict[str, str]:
    """READY as long as the engines and the Git sync are at work; why one ended is in the server's log."""
    parts = (("engine", svc.engine), ("deployments' engine", svc.deployments), ("Git sync", svc.sync))
    ended = [name for name, part in parts if not part.alive]
    if ended:
        return {"status": "NOT READY", "message": f"the {' and the '.join(ended)} ended; restart the server"}
    return {"status": "READY", "message": "the local AI Core is ready"}
