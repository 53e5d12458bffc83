"""Model servers in the loop: started, changed at their URL, left alone, never twice, never deleted."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from generator.spec.runs import Suspend
from reconciler.desired import Desired, DesiredBest, DesiredDeployment, DesiredTemplate
from reconciler.errors import ConflictError, ReconcilerError
from reconciler.exitcode import ExitCode
from reconciler.health import Health, Reason
from reconciler.plan import plan
from reconciler.plan_model import Action
from reconciler.report.text import plan_text, status_text
from reconciler.status import StatusRow, status
from reconciler.workbench import set_up
from tests.reconciler.builders import ENVIRONMENT, SCENARIO, World, at_rest, configuration, dataset, desired
from tests.reconciler.fake import FAULTS, FakeClock, KilledError
from tests.reconciler.project import CATALOG

METRIC = "mAP/allClasses"
ADDRESS = f"deployment/{SCENARIO}/scanner"
NAMES = ("a", "b", "c")
SPEC = """\
apiVersion: corespec/v1
kind: Scenario
metadata: {name: stub, title: Stub}
executables:
  trainer: {workflow: stub-train, image: "docker.io/acme/stub:1", resourcePlan: starter}
  server: {workflow: model-serving, image: "docker.io/acme/server:1", resourcePlan: infer.s}
datasets:
  words: {source: data, path: words}
configurations:
  base: {executable: trainer, inputs: {datain: words}}
  sweep: {executable: trainer, inputs: {datain: words}, matrix: {rate: [0.1, 0.2]}}
executions:
  base: {configuration: base}
  other: {configuration: base}
  sweep: {configuration: sweep}
deployments:
  scanner:
    executable: server
    inputs: {trainedmodels: {best: {of: [base, sweep, sweep.rate-0.1], metric: mAP/allClasses, atLeast: 0.8}}}
    parameters: {loglevel: 2}
    ttl: 12h
"""


def server_template(image: str = "docker.io/acme/server:1") -> DesiredTemplate:
    document = {"kind": "ServingTemplate", "metadata": {"name": "server"}, "spec": {"template": {"x": image}}}
    content = yaml.safe_dump(document).encode()
    path = "rendered/local/templates/server.yaml"
    return DesiredTemplate("template/server", SCENARIO, "server", path, content, document)


def serving(
    *names: str, at_least: float | None = None, image: str = "docker.io/acme/server:1", **fields: object
) -> Desired:
    """Trainings of these names, and a server of the best model of a, b and c."""
    made = [configuration(name, {"rate": str(number)}) for number, name in enumerate(names)]
    base = desired(made)
    candidates = tuple((f"execution/{SCENARIO}/{name}", "model") for name in NAMES)
    wanted = DesiredDeployment(
        ADDRESS,
        SCENARIO,
        "scanner",
        "server",
        {"loglevel": "3"},
        {"models": DesiredBest(candidates, NAMES, METRIC, at_least)},
        **fields,  # type: ignore[arg-type]
    )
    return replace(base, templates=(*base.templates, server_template(image)), deployments=(wanted,))


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path, serving("a"))


def measured(world: World, name: str, value: float, split: str = "test") -> str:
    """The training of that name completes with this figure; returns its id."""
    run = next(e for e in world.server.executions if e["configurationName"].startswith(f"{name}--"))
    world.server.track(run["id"], METRIC, value, split)
    world.server.finish(run["id"], outputs=["model"])
    return str(run["id"])


def served(world: World) -> World:
    """`a` has completed with 0.7, and its model serves."""
    world.apply()
    measured(world, "a", 0.7)
    world.apply()
    world.server.serve()
    return world


def add(world: World, name: str, value: float, split: str = "test") -> str:
    """Another training is asked for, and completes."""
    names = [d.configuration.name for d in world.want.executions]
    world.change(replace(serving(*names, name), deployments=world.want.deployments))
    world.apply()
    return measured(world, name, value, split)


def model_of(world: World) -> str:
    """The run whose model the only server serves."""
    (server,) = world.server.deployments
    bound = next(c for c in world.server.configurations if c["id"] == server["configurationId"])
    (binding,) = bound["inputArtifactBindings"]
    return str(next(a for a in world.server.artifacts if a["id"] == binding["artifactId"])["executionId"])


def steps(world: World) -> list[tuple[str, str]]:
    return [(c.action.value, c.reason) for c in world.plan().changes if c.address == ADDRESS]


def row(world: World) -> StatusRow:
    found = status(world.want, world.observe(), {}).rows
    return next(item for item in found if item.address == ADDRESS)


def test_a_server_waits_for_its_first_model(world: World) -> None:
    """Nothing is made for it, the plan says why, and the exit code stays 3."""
    world.apply()
    assert steps(world) == [("wait", "no completed run of a, b, c with a model yet")]
    assert world.plan().exit_code is ExitCode.PENDING
    assert row(world).reason is Reason.NO_MODEL
    assert [c["name"][0] for c in world.server.configurations] == ["a"]


def test_the_first_model_is_served_and_then_there_is_rest(world: World) -> None:
    """Configuration, then deployment, with the run's own artifact; afterwards the plan is empty."""
    world.apply()
    run = measured(world, "a", 0.7)
    assert [action for action, _ in steps(world)] == ["create", "deploy"]
    outcome = world.apply()
    assert [item.action for item in outcome.applied] == [Action.CREATE, Action.DEPLOY]
    assert model_of(world) == run
    for state in ("UNKNOWN", "PENDING", "RUNNING"):
        world.server.serve(state)
        assert world.plan().empty, state
    before = list(world.server.writes)
    world.apply()
    assert world.server.writes == before


def test_a_better_model_is_one_patch_of_the_same_deployment(world: World) -> None:
    """The id, and with it the URL, stays; going back to an old model needs no new configuration."""
    served(world)
    (server,) = [dict(d) for d in world.server.deployments]
    run = add(world, "b", 0.8)
    writes = len(world.server.writes)
    made = world.plan()
    assert "b" not in [d["id"] for d in world.server.deployments]
    assert f"{METRIC} on test: {run} 0.8 is better than" in plan_text(made)
    world.apply()
    assert world.server.writes[writes:] == [
        "POST /lm/configurations",
        f"PATCH /lm/deployments/{server['id']}",
    ]
    (after,) = world.server.deployments
    assert (after["id"], after["deploymentUrl"]) == (server["id"], server["deploymentUrl"])
    assert model_of(world) == run
    assert world.plan().empty


@pytest.mark.parametrize("value", [0.69, 0.7, float("nan")])
def test_a_model_that_is_not_better_changes_nothing(world: World, value: float) -> None:
    """Worse, equal, or no number: no request is sent, and the status says what serves and why."""
    served(world)
    first = model_of(world)
    add(world, "b", value)
    assert world.plan().empty
    assert model_of(world) == first
    message = row(world).message
    assert message.startswith(f"serves {first} ({METRIC} 0.7 on test) since 2026-01-02T03:04+00:00")
    assert ("is not better" in message) == (value == value)


def test_a_model_without_a_figure_on_the_same_split_is_a_warning(world: World) -> None:
    """A figure on validation says too little to replace a tested model; somebody is told."""
    served(world)
    first = model_of(world)
    add(world, "b", 0.99, "validation")
    made = world.plan()
    assert made.empty
    assert [(w.address, w.code) for w in made.warnings] == [(ADDRESS, "not-comparable")]
    assert model_of(world) == first


def test_the_limit_holds_for_the_first_model_and_for_any_other(tmp_path: Path) -> None:
    """Below `atLeast` nothing is ever started; a model that serves stays when the limit is raised later."""
    world = World(tmp_path, serving("a", at_least=0.8))
    world.apply()
    first = measured(world, "a", 0.71)
    assert steps(world) == [("wait", f"best {METRIC} is 0.71 ({first} on test), atLeast 0.8")]
    world.apply()
    assert world.server.deployments == []
    run = add(world, "b", 0.85)
    world.apply()
    world.server.serve()
    assert model_of(world) == run
    world.change(serving("a", "b", at_least=0.9))
    assert world.plan().empty
    assert "it does not reach atLeast 0.9, and nothing else does" in row(world).message


def test_another_template_keeps_the_model(world: World) -> None:
    """The image of the server changes: the same model, another configuration, the same deployment."""
    served(world)
    run, (server,) = model_of(world), [d["id"] for d in world.server.deployments]
    world.change(serving("a", image="docker.io/acme/server:2"))
    world.apply()
    assert [d["id"] for d in world.server.deployments] == [server]
    assert model_of(world) == run
    assert len(world.server.configurations) == 3
    assert world.plan().empty


def test_a_server_outlives_the_trainings_of_its_model(world: World) -> None:
    """New content is asked for and has not run: what serves goes on, and a worse result changes nothing."""
    served(world)
    first = model_of(world)
    newer = [replace(configuration("a", {"rate": "7"}))]
    world.change(replace(serving("a"), configurations=tuple(newer), executions=desired(newer).executions))
    world.apply()
    assert steps(world) == []
    run = next(e for e in world.server.executions if e["id"] != first)
    world.server.track(run["id"], METRIC, 0.5)
    world.server.finish(outputs=["model"])
    assert world.plan().empty
    assert model_of(world) == first


def test_a_suspended_deployment_is_left_as_it_is(world: World) -> None:
    """No server is started; one that runs goes on with its model, until the time is over."""
    until = world.server.clock.now() + timedelta(hours=1)
    pause = Suspend.model_validate({"reason": "audit", "until": until.isoformat()})
    world.change(serving("a", suspend=pause))
    world.apply()
    measured(world, "a", 0.7)
    assert world.plan().empty
    assert (row(world).health, row(world).reason) == (Health.SUSPENDED, Reason.SUSPENDED)
    world.server.clock.moment += timedelta(hours=2)
    world.apply()
    world.server.serve()
    first = model_of(world)
    world.change(serving("a", suspend=Suspend(reason="audit")))
    add(world, "b", 0.9)
    assert world.plan().empty
    assert model_of(world) == first
    assert "suspended: audit" in row(world).message


def test_a_dead_server_is_patched_with_something_else_only(world: World) -> None:
    """What it died of is not tried again; a better model is given to the same deployment."""
    served(world)
    world.server.serve("DEAD")
    made = world.plan()
    assert made.empty
    assert made.exit_code is ExitCode.NOT_HEALTHY
    (server,) = [d["id"] for d in world.server.deployments]
    run = add(world, "b", 0.9)
    world.apply()
    assert [d["id"] for d in world.server.deployments] == [server]
    assert model_of(world) == run


def test_a_stopped_server_cannot_be_patched_and_is_made_anew(world: World) -> None:
    """AI Core's rule; the plan says that the URL is another. While it stops, nothing is done."""
    served(world)
    (old,) = world.server.deployments
    old.update(status="STOPPING", targetStatus="STOPPED")
    assert [action for action, _ in steps(world)] == ["wait"]
    old.update(status="STOPPED")
    assert [action for action, _ in steps(world)] == ["deploy"]
    assert "a new URL" in steps(world)[0][1]
    world.apply()
    assert [d["status"] for d in world.server.deployments] == ["STOPPED", "UNKNOWN"]
    assert world.plan().empty


def test_a_server_that_starts_is_let_start_but_not_for_ever(world: World) -> None:
    """A better model waits while the server is on its way; one that hangs is given it all the same."""
    served(world)
    world.server.serve("PENDING")
    add(world, "b", 0.9)
    assert [action for action, _ in steps(world)] == ["wait"]
    world.server.clock.moment += timedelta(minutes=11)
    assert [action for action, _ in steps(world)] == ["create", "update"]


def test_two_servers_of_ours_are_an_error_and_others_are_left_alone(world: World) -> None:
    """Which of the two would keep its URL is not for us to say."""
    served(world)
    (server,) = world.server.deployments
    bound = next(c for c in world.server.configurations if c["id"] == server["configurationId"])
    foreign = bound | {"id": "foreign", "name": "by-hand"}
    world.server.configurations.append(foreign)
    other = server | {"id": "d-foreign", "configurationId": "foreign", "configurationName": "by-hand"}
    world.server.deployments.append(other)
    assert world.plan().empty
    world.server.deployments.append(server | {"id": "d-twin"})
    made = world.plan()
    assert made.exit_code is ExitCode.REJECTED
    assert server["id"] in made.errors[0].message
    assert "d-twin" in made.errors[0].message
    with pytest.raises(ConflictError):
        world.apply()


def test_a_block_that_is_gone_stops_nothing(world: World) -> None:
    """The server goes on and costs money: a warning says so, for as long as it runs."""
    served(world)
    world.change(replace(world.want, deployments=()))
    made = world.plan()
    assert made.empty
    assert [(w.address, w.code) for w in made.warnings] == [(ADDRESS, "retired")]
    world.apply()
    assert [d["status"] for d in world.server.deployments] == ["RUNNING"]
    world.server.deployments[0].update(status="STOPPED")
    assert world.plan().warnings == ()


def test_a_server_whose_template_is_held_is_left_alone(world: World) -> None:
    """Its template waits to be merged: no change, and the configuration that it serves is not retired."""
    served(world)
    world.change(serving("a", image="docker.io/acme/server:2"))
    made = plan(world.want, world.observe(), world.policy, {"server"})
    assert made.empty
    assert made.retired == ()


def test_a_dataset_is_served_without_any_training(tmp_path: Path) -> None:
    """A model that was brought along: registered, bound, deployed; `ttl` is passed on."""
    data = dataset()
    want = serving("a", ttl="12h")
    (block,) = want.deployments
    world = World(tmp_path, replace(want, deployments=(replace(block, inputs={"models": data}),)))
    world.apply()
    (server,) = world.server.deployments
    assert server["ttl"] == "12h"
    world.server.finish()
    assert world.plan().empty
    world.change(replace(want, datasets=world.want.datasets))
    assert [action for action, _ in steps(world)] == ["wait"]


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=st.lists(st.sampled_from([0.1, 0.4, 0.6, 0.8, float("nan")]), min_size=1, max_size=3))
def test_what_is_served_never_gets_worse(
    tmp_path_factory: pytest.TempPathFactory, values: list[float]
) -> None:
    """Trainings complete one by one: one deployment, one PATCH for each record, and rest after each apply."""
    world, known, best, records = World(tmp_path_factory.mktemp("any"), serving()), [], 0.5, 0
    for name, value in zip(NAMES, values, strict=False):
        known.append(name)
        world.change(serving(*known, at_least=0.5))
        world.apply()
        run = measured(world, name, value)
        world.apply()
        world.server.serve()
        if value > best:
            best, records = value, records + 1
            assert model_of(world) == run
        assert world.plan().empty == bool(records)
    written = [line.split()[0] for line in world.server.writes if "/deployments" in line]
    assert written == (["POST"] + ["PATCH"] * (records - 1) if records else [])


def test_the_candidates_are_all_children_of_what_is_named(tmp_path: Path) -> None:
    """From the spec: a sweep stands for its children, a child for itself."""
    (tmp_path / "specs" / "environments").mkdir(parents=True)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.txt").write_text("a")
    (tmp_path / "specs" / "stub.yaml").write_text(SPEC)
    text = yaml.safe_dump(ENVIRONMENT.model_dump(mode="json", by_alias=True, exclude_unset=True))
    (tmp_path / "specs" / "environments" / "local.yaml").write_text(text)
    want = set_up(tmp_path, "local", (CATALOG,), FakeClock()).desired
    (scanner,) = want.deployments
    best = scanner.inputs["trainedmodels"]
    assert isinstance(best, DesiredBest)
    prefix = "execution/stub"
    assert best.candidates == (
        (f"{prefix}/base", "model"),
        (f"{prefix}/sweep.rate-0.1", "model"),
        (f"{prefix}/sweep.rate-0.2", "model"),
    )
    assert (best.metric, best.at_least, scanner.ttl) == (METRIC, 0.8, "12h")
    assert scanner.parameters["loglevel"] == "2"


def test_status_shows_the_model_and_the_url(world: World) -> None:
    served(world)
    (server,) = world.server.deployments
    found = row(world)
    assert (found.health, found.reason) == (Health.HEALTHY, Reason.SERVING)
    document = found.document(world.server.clock.now())
    assert document["deployment"] == server["id"]
    assert document["deployment_url"] == f"https://answers/{server['id']}"
    text = status_text(status(world.want, world.observe(), {}))
    assert f"    serves {model_of(world)} ({METRIC} 0.7 on test)" in text


def _promotion(root: Path) -> World:
    """A world in which one apply creates a configuration and patches, and another server is created."""
    world = World(root, serving("a", "b"))
    world.apply()
    measured(world, "a", 0.7)
    return world


@pytest.mark.parametrize("name", FAULTS)
def test_any_fault_at_any_request_ends_the_same(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    """One server, one patch and two configurations, whichever request of both applies breaks in any way."""
    for phase in range(2):
        expected, requests = None, 1
        index = -1
        while index < requests:
            world = _promotion(tmp_path_factory.mktemp("serve"))
            if phase:
                world.apply()
                world.server.serve()
                measured(world, "b", 0.9)
            start = len(world.server.requests)
            if index >= 0:
                world.server.fault, world.server.fault_at = FAULTS[name], start + index
            with contextlib.suppress(KilledError, ReconcilerError):
                world.apply()
            world.server.fault = None
            world.apply()
            world.server.serve()
            if index < 0:
                requests = len(world.server.requests) - start
                expected = at_rest(world)
            assert world.plan().empty, (phase, index)
            assert at_rest(world) == expected, (phase, index)
            assert len(world.server.deployments) == 1
            index += 1
