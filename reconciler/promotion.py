"""Which model each deployment shall serve, and why. Pure.

The best completed run is the candidate. A model that serves keeps its place unless the candidate is strictly
better on the same split: a worse, unmeasured or ineligible one never takes it. What was not read is "not
evaluated", and decides nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from generator.fingerprint import template_fingerprint
from reconciler.bindings import completed_runs, only_model, written
from reconciler.desired import (
    Adopted,
    Desired,
    DesiredBest,
    DesiredConfiguration,
    DesiredDeployment,
    DesiredOutput,
    Input,
    full_name,
)
from reconciler.explain import own_name
from reconciler.figures import last_values, lower_is_better
from reconciler.find import find_configurations
from reconciler.health import Health, Reason, Verdict, deployment_health
from reconciler.live import Deployment, Live
from reconciler.suspension import suspended

#: Splits that say how good a model is, the one that says most first.
SPLITS = ("test", "validation")
#: AI Core accepts another configuration for a dead deployment that long, then it removes the deployment.
DEAD_IS_KEPT = timedelta(days=7)
#: A server that starts is let start; one that takes longer may need the other configuration to start at all.
PATIENCE = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Model:
    """The model of a completed run. `figures`: the last value by split; None where they were not read."""

    run: str
    created_at: datetime
    output: str
    artifact: str
    figures: Mapping[str, float] | None

    @property
    def split(self) -> str | None:
        """Where its figure comes from: test before validation."""
        return next((split for split in SPLITS if split in (self.figures or {})), None)

    @property
    def value(self) -> float | None:
        return self.figures[self.split] if self.figures and self.split else None


@dataclass(frozen=True, slots=True)
class Choice:
    """The model for one input (None: there is none yet), and why it is this one."""

    model: Model | None
    reason: str
    serves: str = ""  #: the run whose model serves now, with its figure
    aside: str = ""  #: what a reader of the status should know besides
    stuck: bool = False  #: there is a candidate, and nothing to compare it with


class Step(StrEnum):
    """What is to be done for a deployment."""

    NOTHING = "nothing"
    WAIT = "wait"
    CREATE = "create"
    UPDATE = "update"


@dataclass(frozen=True, slots=True)
class Promotion:
    """One deployment: the server that is there, what it shall serve, and the step between them."""

    wanted: DesiredDeployment
    servers: tuple[Deployment, ...]  #: ours that live: more than one is a conflict
    configuration: DesiredConfiguration | None  #: what it shall serve; None: not decided yet
    step: Step
    reason: str
    choices: tuple[Choice, ...] = ()
    suspended: str = ""  #: why nothing may be changed now

    @property
    def server(self) -> Deployment | None:
        return self.servers[0] if len(self.servers) == 1 else None

    @property
    def stuck(self) -> bool:
        return any(choice.stuck for choice in self.choices)


def promotions(desired: Desired, live: Live) -> tuple[Promotion, ...]:
    """What follows for each deployment, by address. `desired` is bound (`bindings.bind`)."""
    return tuple(_promotion(wanted, desired, live) for wanted in desired.deployments)


def runs_to_measure(desired: Desired, live: Live) -> tuple[str, ...]:
    """Ids of the runs whose metrics decide: the candidates, and those whose models serve."""
    return tuple(sorted({model.run for model in _all_models(desired, live)}))


def _all_models(desired: Desired, live: Live) -> Iterable[Model]:
    for wanted in desired.deployments:
        for port, best in wanted.inputs.items():
            if isinstance(best, DesiredBest):
                yield from candidates(best, desired, live)
                for server in own_servers(wanted, live):
                    if serving := _serving(server, port, best, live):
                        yield serving


def candidates(best: DesiredBest, desired: Desired, live: Live) -> tuple[Model, ...]:
    """The models of the completed runs that count."""
    executions = {wanted.address: wanted for wanted in desired.executions}
    return tuple(
        _model(run.id, run.created_at, artifact.name, artifact.id, best.metric, live)
        for address, output in best.candidates
        if address in executions
        for run in completed_runs(executions[address], live)
        if (artifact := written(run, output, live) if output else only_model(run, live))
    )


def _model(run: str, created_at: datetime, output: str, artifact: str, metric: str, live: Live) -> Model:
    metrics = live.metrics.get(run)
    if metrics is None:
        return Model(run, created_at, output, artifact, None)
    values = {split: last_values(metrics, split).get(metric) for split in SPLITS}
    figures = {split: value for split, value in values.items() if value is not None}
    return Model(run, created_at, output, artifact, figures)


def _serving(server: Deployment, port: str, best: DesiredBest, live: Live) -> Model | None:
    """The model that a server has; None where it is no output of a run."""
    configuration = live.configurations_by_id.get(server.configuration)
    artifact = live.artifacts_by_id.get(configuration.inputs.get(port, "")) if configuration else None
    if artifact is None or artifact.execution is None:
        return None
    return _model(artifact.execution, artifact.created_at, artifact.name, artifact.id, best.metric, live)


def choose(best: DesiredBest, found: Iterable[Model], serving: Model | None) -> Choice:
    """The model to bind among those found, and the one that serves now."""
    models = tuple(found)
    measured = sorted((m for m in models if m.value is not None), key=lambda m: _rank(m, best.metric))
    eligible = [model for model in measured if _reaches(model, best)]
    if serving is None:
        if eligible:
            return Choice(eligible[0], f"{_named(eligible[0], best)} is the best of {', '.join(best.of)}")
        return Choice(None, _why_none(best, models, measured))
    serves = _named(serving, best)
    rival = next((model for model in eligible if model.run != serving.run), None)
    if rival is None:
        return _keep(best, serving, measured)
    # On the split of the model that serves: from validation one may come to test, and never back.
    split, old = serving.split, serving.value
    new = (rival.figures or {}).get(split) if split else None
    if new is None or old is None:
        lack = "it was not evaluated" if serving.figures is None else "they have no figure of the same split"
        reason = f"{serves} stays: {_named(rival, best)} cannot be compared with it, because {lack}"
        return Choice(serving, reason, serves, reason, stuck=True)
    if (new < old) if lower_is_better(best.metric) else (new > old):
        reason = f"{best.metric} on {split}: {rival.run} {new:g} is better than {serving.run} {old:g}"
        return Choice(rival, reason, serves, reason)
    return _keep(best, serving, measured)


def _rank(model: Model, metric: str) -> tuple[int, float, datetime, str]:
    value = model.value or 0.0
    split = SPLITS.index(model.split or SPLITS[-1])
    return (split, value if lower_is_better(metric) else -value, model.created_at, model.run)


def _reaches(model: Model, best: DesiredBest) -> bool:
    if best.at_least is None or model.value is None:
        return model.value is not None
    return model.value <= best.at_least if lower_is_better(best.metric) else model.value >= best.at_least


def _keep(best: DesiredBest, serving: Model, measured: list[Model]) -> Choice:
    """The model that serves stays; of the others the best one is named, so that nobody wonders."""
    words = []
    if serving.value is not None and not _reaches(serving, best):
        words.append(f"it does not reach {_limit(best)}, and nothing else does")
    others = [model for model in measured if model.run != serving.run]
    if others:
        why = "is not better" if _reaches(others[0], best) else f"does not reach {_limit(best)}"
        words.append(f"best candidate {others[0].run} {others[0].value:g} {why}")
    serves, aside = _named(serving, best), "; ".join(words)
    return Choice(serving, f"{serves} stays; {aside}" if aside else f"{serves} stays", serves, aside)


def _limit(best: DesiredBest) -> str:
    return f"atLeast {best.at_least:g}"


def _named(model: Model, best: DesiredBest) -> str:
    if model.figures is None:
        return f"{model.run} ({best.metric} not evaluated)"
    if model.value is None:
        return f"{model.run} (no {best.metric})"
    return f"{model.run} ({best.metric} {model.value:g} on {model.split})"


def _why_none(best: DesiredBest, models: tuple[Model, ...], measured: list[Model]) -> str:
    of = ", ".join(best.of)
    if not models:
        return f"no completed run of {of} with a model yet"
    if measured:
        top = measured[0]
        return f"best {best.metric} is {top.value:g} ({top.run} on {top.split}), {_limit(best)}"
    if any(model.figures is None for model in models):
        return f"{best.metric} of {of} was not evaluated"
    return f"no completed run of {of} has tracked {best.metric} on {' or '.join(SPLITS)}"


def own_servers(wanted: DesiredDeployment, live: Live) -> tuple[Deployment, ...]:
    """Deployments that serve a configuration of this deployment's name, and the adopted one; anybody else's
    are left alone. One that is only observed has that one server.
    """
    adopted = wanted.adopted.id if wanted.adopted else ""
    if wanted.observed:
        return tuple(server for server in live.deployments if server.id == adopted)
    found = [
        server
        for server in live.deployments
        if (server.scenario, server.executable) == (wanted.scenario, wanted.executable)
        and (configuration := live.configurations_by_id.get(server.configuration))
        and (own_name(configuration) == wanted.name or server.id == adopted)
    ]
    return tuple(sorted(found, key=lambda server: (server.created_at, server.id)))


def _living(wanted: DesiredDeployment, live: Live) -> tuple[Deployment, ...]:
    """Those under way; where there is none, the last dead one that AI Core still lets us change."""
    servers = [server for server in own_servers(wanted, live) if not server.ended]
    active = tuple(server for server in servers if server.status != "DEAD")
    dead = [s for s in servers if s.status == "DEAD" and live.observed_at - s.modified_at < DEAD_IS_KEPT]
    return active or tuple(dead[-1:])


def _promotion(wanted: DesiredDeployment, desired: Desired, live: Live) -> Promotion:
    servers = _living(wanted, live)
    if len(servers) > 1:
        return Promotion(wanted, servers, None, Step.NOTHING, "")
    server = next(iter(servers), None)
    choices = {
        port: choose(
            best, candidates(best, desired, live), _serving(server, port, best, live) if server else None
        )
        for port, best in wanted.inputs.items()
        if isinstance(best, DesiredBest)
    }
    configuration = _configuration(wanted, choices, desired, server)
    step, reason = _step(wanted, server, configuration, live)
    said = "; ".join(choice.reason for choice in choices.values())
    rests = suspended(wanted.suspend, live.observed_at)
    return Promotion(
        wanted,
        servers,
        configuration,
        Step.NOTHING if rests or wanted.observed else step,
        "; ".join(part for part in (reason, said) if part),
        tuple(choices.values()),
        rests,
    )


def _configuration(
    wanted: DesiredDeployment, choices: Mapping[str, Choice], desired: Desired, server: Deployment | None
) -> DesiredConfiguration | None:
    inputs: dict[str, Input] = {}
    for port, source in wanted.inputs.items():
        if not isinstance(source, DesiredBest):
            inputs[port] = source
            continue
        model = choices[port].model
        if model is None:
            return None
        inputs[port] = DesiredOutput("", model.output, model.run, model.artifact)
    template = next((t.document for t in desired.templates if t.executable == wanted.executable), None)
    if template is None:
        return None
    return DesiredConfiguration(
        address=wanted.address,
        scenario=wanted.scenario,
        executable=wanted.executable,
        name=wanted.name,
        full_name=full_name(
            wanted.name, wanted.executable, template_fingerprint(template), wanted.parameters, inputs
        ),
        parameters=wanted.parameters,
        inputs=inputs,
        adopted=_adopted(wanted, server),
    )


def _adopted(wanted: DesiredDeployment, server: Deployment | None) -> Adopted | None:
    """What the adopted server served when it was adopted."""
    adopted = wanted.adopted
    if adopted is None or server is None or server.id != adopted.id:
        return None
    return Adopted(adopted.configuration, adopted.content)


def _step(
    wanted: DesiredDeployment,
    server: Deployment | None,
    configuration: DesiredConfiguration | None,
    live: Live,
) -> tuple[Step, str]:
    """What to do, by the table of what AI Core allows in which state."""
    if configuration is None:
        return Step.WAIT, ""
    if server is None:
        return _without_server(wanted, live)
    if server.configuration in {found.id for found in find_configurations(configuration, live)}:
        return Step.NOTHING, ""
    waiting = live.observed_at - server.modified_at < PATIENCE
    if server.status == "UNKNOWN" or (server.status == "PENDING" and waiting):
        return Step.WAIT, f"{server.id} is {server.status}: it is given another configuration when it runs"
    return Step.UPDATE, f"{server.id} serves {server.configuration_name}"


def _without_server(wanted: DesiredDeployment, live: Live) -> tuple[Step, str]:
    for server in own_servers(wanted, live):
        if server.status in {"RUNNING", "PENDING", "UNKNOWN", "STOPPING", "DELETING"}:
            return Step.WAIT, f"{server.id} is being stopped"
    stopped = [s for s in own_servers(wanted, live) if s.status in {"STOPPED", "DEAD"}]
    if stopped:
        return Step.CREATE, f"{stopped[-1].id} is {stopped[-1].status} and cannot be started again: a new URL"
    return Step.CREATE, "no deployment of it exists"


def promotion_health(promotion: Promotion) -> Verdict:
    """How a deployment does, and in words which model serves and why."""
    server = promotion.server
    if len(promotion.servers) > 1:
        ids = ", ".join(server.id for server in promotion.servers)
        return Verdict(Health.DEGRADED, Reason.STALLED, f"several deployments are its own: {ids}")
    if server is None:
        return _without_a_server(promotion)
    verdict = deployment_health(server)
    verb = {"RUNNING": "serves", "DEAD": "died with"}.get(server.status, "is to serve")
    models = ", ".join(choice.serves for choice in promotion.choices if choice.serves)
    since = f" since {server.modified_at.isoformat(timespec='minutes')}" if verb == "serves" else ""
    said = [
        f"{verb} {models or server.configuration_name}{since}",
        verdict.message,
        *(choice.aside for choice in promotion.choices),
        f"suspended: {promotion.suspended}" if promotion.suspended else "",
        "only observed" if promotion.wanted.observed else "",
    ]
    return Verdict(verdict.health, verdict.reason, "; ".join(part for part in said if part))


def _without_a_server(promotion: Promotion) -> Verdict:
    if promotion.wanted.observed:
        return Verdict(Health.MISSING, Reason.ABSENT, "only observed, and AI Core has it no more")
    if promotion.suspended:
        return Verdict(Health.SUSPENDED, Reason.SUSPENDED, promotion.suspended)
    reason = Reason.NOT_STARTED if promotion.configuration else Reason.NO_MODEL
    return Verdict(Health.MISSING, reason, promotion.reason)
