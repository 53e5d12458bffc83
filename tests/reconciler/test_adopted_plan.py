"""Adopted configurations and servers in a plan: pure, recognised by id, never acted upon while observed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from generator.spec.operations import Policy
from reconciler.bindings import bind
from reconciler.desired import (
    SHORT,
    Adopted,
    Desired,
    DesiredArtifact,
    DesiredBest,
    DesiredConfiguration,
    DesiredDeployment,
    DesiredOutput,
)
from reconciler.drift_runs import run_findings, server_findings
from reconciler.exitcode import ExitCode
from reconciler.explain import same_value
from reconciler.find import known_artifact
from reconciler.health import Health, Reason
from reconciler.live import Artifact, Configuration, Deployment, Live, TemplateState
from reconciler.plan import plan
from reconciler.plan_model import Plan
from reconciler.promotion import Step, promotions
from reconciler.status import status
from tests.reconciler.builders import EXECUTABLE, SCENARIO, World, configuration, desired, execution
from tests.reconciler.fake import START

POLICY = Policy(max_launches_per_apply=3, max_concurrent=2)
THEIRS = "c-theirs"


def _artifact(of: str | None = None, kind: str = "dataset", id_: str = "a-theirs") -> Artifact:
    url = "ai://default/theirs" if of is None else f"ai://default/{of}/model"
    return Artifact(id_, "model" if of else "digits", kind, url, SCENARIO, START, {}, of)


def _wanted(observe: bool, content: str | None = None, rate: str = "0.1") -> DesiredConfiguration:
    """What `adopt` writes for a configuration `theirs` with one foreign artifact."""
    known = DesiredArtifact(f"artifact/{SCENARIO}/digits", SCENARIO, "digits", "dataset", "a-theirs")
    plain = configuration("theirs", {"rate": rate}, known)  # type: ignore[arg-type]
    first = configuration("theirs", {"rate": "0.1"}, known)  # type: ignore[arg-type]
    digits = first.full_name[-SHORT:] if content is None else content
    return replace(plain, adopted=Adopted(THEIRS, digits, observe))


def _desired(wanted: DesiredConfiguration, want: int = 1, **more: object) -> Desired:
    made = desired([wanted], [execution(wanted, want=want)])
    known = tuple(i for i in wanted.inputs.values() if isinstance(i, DesiredArtifact))
    return replace(made, datasets=(), artifacts=known, **more)


@pytest.fixture
def live(tmp_path: Path) -> Live:
    """An AI Core in which somebody has run `My digits` once; everything of ours is onboarded and synced."""
    world = World(tmp_path, desired())
    world.apply()
    world.server.finish()
    seen = world.observe()
    theirs = Configuration(
        THEIRS, "My digits", SCENARIO, EXECUTABLE, START, {"rate": "1e-1"}, {"datain": "a-theirs"}
    )
    run = replace(seen.executions[0], id="e-theirs", configuration=THEIRS, configuration_name="My digits")
    return replace(
        seen,
        artifacts=(_artifact(), _artifact("e-theirs", "model", "a-model")),
        configurations=(theirs,),
        executions=(run,),
        templates={EXECUTABLE: TemplateState(synced=True, published=True)},
    )


def _plan(wanted: DesiredConfiguration, live: Live, want: int = 1) -> Plan:
    return plan(_desired(wanted, want), live, POLICY)


@pytest.mark.parametrize("observe", [True, False])
def test_what_is_adopted_and_unchanged_asks_for_nothing(live: Live, observe: bool) -> None:
    """Whatever its name, and although it binds fewer and other texts than ours would."""
    made = _plan(_wanted(observe), live)
    assert made.empty
    assert made.warnings == ()
    assert made.exit_code is ExitCode.CONVERGED


def test_an_edit_is_a_warning_while_observed_and_one_launch_afterwards(live: Live) -> None:
    """The plan names the adopted configuration and the very field; put back, it counts again."""
    seen = _plan(_wanted(True, rate="0.2"), live)
    assert seen.empty
    (warning,) = seen.warnings
    assert warning.code == "adopted-differs"
    assert "parameters.rate: 1e-1 -> 0.2" in warning.message

    made = _plan(_wanted(False, rate="0.2"), live)
    assert [(c.action.value, c.reason) for c in made.changes] == [
        ("create", "differs from My digits"),
        ("launch", "no run of this configuration has completed"),
    ]
    assert [(f.path, f.before, f.after) for f in made.changes[0].fields] == [
        ("parameters.rate", "1e-1", "0.2")
    ]


def test_another_template_than_the_adopted_one_is_said(live: Live) -> None:
    """No field differs, and yet nobody vouches for it: the reason is no invention about a parameter."""
    other = _plan(_wanted(False, "0" * SHORT), live)
    assert (
        other.changes[0].reason
        == "the template, or a default, is not the one for which My digits was adopted"
    )
    unknown = _plan(_wanted(False, ""), live)
    assert "`adopt` names no content" in unknown.changes[0].reason
    assert _plan(_wanted(True, ""), live).warnings == ()


def test_a_configuration_of_another_executable_is_not_the_adopted_one(live: Live) -> None:
    """An id that means something else in this AI Core is said, and nothing is run in its place."""
    strange = replace(live, configurations=(replace(live.configurations[0], executable="other"),))
    made = _plan(_wanted(True), strange)
    assert made.empty
    assert [w.code for w in made.warnings] == ["adopted-missing"]


def test_observed_runs_are_neither_started_nor_stopped_nor_unhealthy(live: Live) -> None:
    """Too few, dead, far beyond any timeout: still nobody's business but theirs; managed, they are ours."""
    dead = replace(live, executions=tuple(replace(run, status="DEAD") for run in live.executions))
    wanted = _wanted(True)
    want = _desired(wanted)
    budget = replace(want.executions[0].budget, retries=0)
    want = replace(want, executions=(replace(want.executions[0], budget=budget),))
    made = plan(want, dead, POLICY)
    assert made.empty
    assert made.exit_code is ExitCode.CONVERGED
    assert _plan(wanted, live, want=3).empty
    rows = {row.address: row for row in status(_desired(wanted, 3), live, {}).rows}
    row = rows[f"execution/{SCENARIO}/theirs"]
    assert (row.health, row.reason) == (Health.SUSPENDED, Reason.OBSERVED)
    managed = _plan(_wanted(False), live, want=2)
    assert [(c.action.value, c.address) for c in managed.changes] == [
        ("launch", f"execution/{SCENARIO}/theirs#1")
    ]


def test_further_runs_of_an_adopted_configuration_are_no_drift(live: Live) -> None:
    """How often it was run before it was adopted nobody knows; one that is stopped while it is managed is."""
    again = replace(live.executions[0], id="e-again")
    busy = replace(live, executions=(*live.executions, again))
    assert list(run_findings(_desired(_wanted(True)), busy, {})) == []
    assert list(run_findings(_desired(_wanted(False)), busy, {})) == []
    stopped = replace(live, executions=(replace(live.executions[0], status="STOPPED"),))
    assert list(run_findings(_desired(_wanted(True)), stopped, {})) == []
    assert [f.path for f in run_findings(_desired(_wanted(False)), stopped, {})] == ["e-theirs"]


def test_an_artifact_that_is_gone(live: Live) -> None:
    """A warning while it is only looked at, an error where a configuration of ours would be bound to it."""
    without = replace(live, artifacts=())
    assert [w.code for w in _plan(_wanted(True), without).warnings] == ["adopted-missing"]
    made = _plan(_wanted(False), without)
    assert [e.address for e in made.errors] == [f"artifact/{SCENARIO}/digits"]
    assert made.exit_code is ExitCode.REJECTED


def test_an_artifact_by_its_url_is_the_oldest_one(live: Live) -> None:
    """Two registrations of one URL: nothing changes when the second appears."""
    wanted = DesiredArtifact("artifact/x/y", SCENARIO, "y", "dataset", url="ai://default/theirs")
    twice = (
        *live.artifacts,
        replace(live.artifacts[0], id="a-0", created_at=START.replace(year=START.year + 1)),
    )
    found = known_artifact(wanted, twice)
    assert found is not None
    assert found.id == "a-theirs"


def test_the_output_of_an_observed_run_is_an_input(live: Live) -> None:
    """`from:` binds the artifact that somebody else's run has written."""
    observed = _wanted(True)
    reads = replace(
        configuration("reads"), inputs={"datain": DesiredOutput(f"execution/{SCENARIO}/theirs", "model")}
    )
    want = replace(_desired(observed), configurations=(observed, reads))
    bound = {one.name: one for one in bind(want, live).configurations}["reads"].inputs["datain"]
    assert isinstance(bound, DesiredOutput)
    assert (bound.run, bound.artifact) == ("e-theirs", "a-model")


def _server(configuration_: str = THEIRS) -> Deployment:
    return Deployment(
        "d-theirs", configuration_, "My server", SCENARIO, EXECUTABLE, "RUNNING", "RUNNING", START, START
    )


def _deployment(adopted: Adopted, rate: str = "0.1") -> DesiredDeployment:
    model = DesiredArtifact(f"artifact/{SCENARIO}/model", SCENARIO, "model", "model", "a-model")
    return DesiredDeployment(
        f"deployment/{SCENARIO}/reader", SCENARIO, "reader", EXECUTABLE, {"rate": rate}, {"datain": model},
        adopted=adopted,
    )  # fmt: skip


def test_a_server_of_theirs_is_taken_over_without_a_change_and_patched_after_an_edit(live: Live) -> None:
    """Observed: nothing, even where the specs say otherwise. Managed: its content decides, its URL stays."""
    want = desired()
    at_first = replace(want, deployments=(_deployment(Adopted("d-theirs", observe=True)),))
    serving = replace(live, deployments=(_server(),))
    (seen,) = promotions(at_first, serving)
    assert seen.step is Step.NOTHING
    assert seen.server is not None
    assert seen.configuration is not None
    adopted = Adopted("d-theirs", seen.configuration.full_name[-SHORT:], configuration=THEIRS)
    (kept,) = promotions(replace(want, deployments=(_deployment(adopted),)), serving)
    assert kept.step is Step.NOTHING
    (moved,) = promotions(replace(want, deployments=(_deployment(adopted, "0.2"),)), serving)
    assert moved.step is Step.UPDATE
    # Patched since: the server has another configuration, which stands for nothing that was adopted.
    other = replace(live.configurations[0], id="c-new", name="another")
    patched = replace(live, deployments=(_server("c-new"),), configurations=(*live.configurations, other))
    (after,) = promotions(replace(want, deployments=(_deployment(adopted),)), patched)
    assert after.step is Step.UPDATE


def test_an_observed_server_that_is_gone_is_not_replaced(live: Live) -> None:
    """Missing in the status, a warning in the plan, and no drift: it was theirs."""
    want = replace(desired(), deployments=(_deployment(Adopted("d-theirs", observe=True)),))
    (seen,) = promotions(want, live)
    assert seen.step is Step.NOTHING
    rows = {row.address: row for row in status(want, live, {}).rows}
    assert rows[f"deployment/{SCENARIO}/reader"].health is Health.MISSING
    assert list(server_findings(want, live)) == []
    warnings = plan(want, live, POLICY).warnings
    assert [w.code for w in warnings if w.address.endswith("reader")] == ["adopted-missing"]


def test_the_best_of_observed_runs_needs_no_workflow(live: Live) -> None:
    """Nobody here knows what their executable writes: its only model is the candidate."""
    observed = _wanted(True)
    best = DesiredBest(((f"execution/{SCENARIO}/theirs", ""),), ("theirs",), "mAP/allClasses")
    server = DesiredDeployment(
        f"deployment/{SCENARIO}/reader", SCENARIO, "reader", EXECUTABLE, {}, {"datain": best}
    )
    want = replace(desired([observed], [execution(observed)]), deployments=(server,))
    measured = replace(live, metrics={})
    (found,) = promotions(want, measured)
    assert "was not evaluated" in found.reason


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("0.001", "1e-3", True),
        ("true", "True", True),
        ("a", "A", False),
        ("x", "x", True),
        ("1", "2", False),
        ("", "0", False),
    ],
)
def test_equal_values_in_other_words_are_no_change(one: str, other: str, same: bool) -> None:
    assert same_value(one, other) is same
