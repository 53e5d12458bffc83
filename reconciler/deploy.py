"""Starting and changing model servers; taking away what no spec wants any more."""

from __future__ import annotations

import contextlib

from reconciler.aicore import AICoreWriter
from reconciler.clock import Clock
from reconciler.errors import ApiError, NotFoundError
from reconciler.live import Deployment, Live
from reconciler.plan_model import Action, Change
from reconciler.promotion import Promotion, Step
from reconciler.retry import ensure


def deploy(promotion: Promotion, configuration: str, aicore: AICoreWriter, live: Live, clock: Clock) -> str:
    """Carry out the step of a promotion with this configuration (id); returns the deployment's id.

    Raises what the port raises. A deployment that is changed keeps its id and URL.
    """
    scenario, server = promotion.wanted.scenario, promotion.server
    if promotion.step is Step.UPDATE and server is not None:
        changed = server.id

        def serves() -> str | None:
            found = {d.id: d.configuration for d in aicore.deployments(scenario)}
            return changed if found.get(changed) == configuration else None

        def change() -> str:
            aicore.patch_deployment(changed, configuration)
            return changed

        return ensure(serves, change, clock)
    if promotion.step is not Step.CREATE:
        raise ApiError(f"{promotion.wanted.address}: nothing can be done in this state.")
    known = {d.id for d in live.deployments}

    def find() -> str | None:
        fresh = [
            d for d in aicore.deployments(scenario) if d.configuration == configuration and d.id not in known
        ]
        return min(fresh, key=lambda d: (d.created_at, d.id)).id if fresh else None

    return ensure(find, lambda: aicore.create_deployment(configuration, promotion.wanted.ttl), clock)


def take_away(change: Change, aicore: AICoreWriter, clock: Clock) -> str:
    """Stop or delete what the change is about; returns its id. Raises what the port raises."""
    server = isinstance(change.subject, Deployment)
    if change.action is Action.STOP:
        act, ending = (aicore.stop_deployment if server else aicore.stop_execution), {"STOPPED", "DELETED"}
    else:
        act, ending = (aicore.delete_deployment if server else aicore.delete_execution), {"DELETED"}

    def done() -> str | None:
        try:
            found = aicore.deployment(change.name) if server else aicore.execution(change.name)
        except NotFoundError:
            return change.name
        return change.name if found.target_status in ending or found.status in ending else None

    def take() -> str:
        with contextlib.suppress(NotFoundError):  # gone already: an attempt whose answer was lost
            act(change.name)
        return change.name

    return ensure(done, take, clock)
