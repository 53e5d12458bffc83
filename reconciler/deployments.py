"""The part of a plan that is about model servers. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from reconciler.desired import Desired, DesiredConfiguration
from reconciler.explain import differences, own_name, predecessor
from reconciler.find import find_configurations
from reconciler.health import Health, deployment_health
from reconciler.live import Live
from reconciler.plan_model import Action, Category, Change, Problem
from reconciler.promotion import Promotion, Step, promotions

_ACTIONS = {Step.WAIT: Action.WAIT, Step.CREATE: Action.DEPLOY, Step.UPDATE: Action.UPDATE}


@dataclass(frozen=True, slots=True)
class Serving:
    """What is to be done for model servers, and what is wrong with them."""

    wanted: tuple[DesiredConfiguration, ...]  #: what they shall serve
    names: frozenset[str]  #: of the configurations in AI Core that they serve or shall serve
    configurations: tuple[Change, ...]  #: to be created
    deployments: tuple[Change, ...]
    warnings: tuple[Problem, ...]
    errors: tuple[Problem, ...]
    unhealthy: tuple[Problem, ...]


def plan_deployments(desired: Desired, live: Live, held: Collection[str] = ()) -> Serving:
    """`desired` is bound (`bindings.bind`). Servers of the executables in `held` are left alone."""
    everything = promotions(desired, live)
    found = [promotion for promotion in everything if promotion.wanted.executable not in held]
    return Serving(
        wanted=tuple(p.configuration for p in found if p.configuration),
        names=frozenset(
            {p.configuration.full_name for p in everything if p.configuration}
            | {server.configuration_name for p in everything for server in p.servers}
        ),
        configurations=tuple(change for p in found for change in _configuration(p, desired, live)),
        deployments=tuple(_change(p) for p in found if p.step in _ACTIONS),
        warnings=tuple(_stuck(p) for p in found if p.stuck and not p.wanted.observed),
        errors=tuple(_several(p) for p in found if len(p.servers) > 1),
        unhealthy=tuple(problem for p in found for problem in _unhealthy(p)),
    )


def _configuration(promotion: Promotion, desired: Desired, live: Live) -> Iterator[Change]:
    wanted = promotion.configuration
    if wanted is None or promotion.step not in {Step.CREATE, Step.UPDATE}:
        return
    if find_configurations(wanted, live):
        return
    old = predecessor(wanted, live)
    template = next(t.document for t in desired.templates if t.executable == wanted.executable)
    fields = differences(old, wanted, template, live) if old else ()
    reason = "no configuration of this name and content exists"
    if old:
        reason = f"differs from {old.name}" if fields else f"the template differs from the one of {old.name}"
    yield Change(
        wanted.address, Action.CREATE, Category.SERVE, reason, wanted.full_name, fields, subject=wanted
    )


def _change(promotion: Promotion) -> Change:
    name = promotion.configuration.full_name if promotion.configuration else ""
    return Change(
        promotion.wanted.address,
        _ACTIONS[promotion.step],
        Category.SERVE,
        promotion.reason,
        name,
        subject=promotion,
    )


def _stuck(promotion: Promotion) -> Problem:
    return Problem(
        promotion.wanted.address,
        "not-comparable",
        promotion.reason,
        "To let the candidate serve, stop the deployment in AI Core; the next apply starts another.",
    )


def _several(promotion: Promotion) -> Problem:
    ids = ", ".join(f"{server.id} ({server.status})" for server in promotion.servers)
    return Problem(
        promotion.wanted.address,
        "conflict",
        f"several deployments in AI Core are its own: {ids}",
        "Stop all but one of them in AI Core.",
    )


def _unhealthy(promotion: Promotion) -> Iterator[Problem]:
    """A dead server is not started again with what it died of."""
    server = promotion.server
    if server is None or promotion.suspended or promotion.step is not Step.NOTHING:
        return
    if promotion.wanted.observed:
        return
    verdict = deployment_health(server)
    if verdict.health is Health.DEGRADED:
        yield Problem(
            promotion.wanted.address,
            verdict.reason.value,
            f"{server.id} is {server.status}: {verdict.message or 'AI Core says no more'}",
            "Read its log in AI Core, then change the spec; or delete it there, and apply starts another.",
        )


def unwanted(desired: Desired, live: Live) -> Iterator[Problem]:
    """Servers of ours that no spec asks for: they cost money until somebody stops them."""
    wanted = {(d.scenario, d.executable, d.name) for d in desired.deployments}
    adopted = {d.adopted.id for d in desired.deployments if d.adopted}
    for server in sorted(live.deployments, key=lambda d: (d.scenario, d.id)):
        configuration = live.configurations_by_id.get(server.configuration)
        name = own_name(configuration) if configuration and server.id not in adopted else None
        if name is None or server.ended or (server.scenario, server.executable, name) in wanted:
            continue
        yield Problem(
            f"deployment/{server.scenario}/{name}",
            "retired",
            f"no longer wanted, and {server.id} of {server.executable} is {server.status}",
            "When nobody needs it: corespec apply --prune --stop-running stops and deletes it.",
        )
