"""What `--prune` takes away, and what it must never: AI Core in memory, drawn states."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from generator.spec.operations import Policy, Prune
from reconciler.apply import apply
from reconciler.bindings import bind
from reconciler.desired import Adopted, Desired, DesiredDeployment
from reconciler.errors import ApiError, InputRejectedError, PolicyError
from reconciler.events import Emitter, Event
from reconciler.exitcode import ExitCode
from reconciler.plan import plan
from reconciler.plan_model import Plan, StageName
from reconciler.prune import Permission, Pruning, Thing, Word, unwanted
from reconciler.report.text import plan_text
from tests.reconciler.builders import SCENARIO, World, configuration, desired, execution
from tests.reconciler.fake import FAULTS
from tests.reconciler.test_serving import server_template

STATES = ("UNKNOWN", "PENDING", "RUNNING", "COMPLETED", "DEAD", "STOPPED", "STOPPING")
PLENTY = Policy(
    max_launches_per_apply=100, max_concurrent=100, prune=Prune(max_percent=99, max_objects=10000)
)


def wanting(*rates: str, protect: bool = False) -> Desired:
    """One training for each rate, named after it."""
    made = [configuration(f"c{rate}", {"rate": rate}) for rate in rates]
    runs = [replace(execution(one), protect=protect) for one in made]
    return desired(made or [configuration("idle", {"rate": "0"})], runs)


def pruning(
    world: World, words: Mapping[Thing, Word] | Word = Word.FREE, gone: int = 0, **allowed: Any
) -> Pruning:
    """The permission, with the same word about everything that is not wanted."""
    live = world.observe()
    things = unwanted(bind(world.want.ordered(), live), live)
    said = words if isinstance(words, Mapping) else dict.fromkeys(things, words)
    return Pruning(Permission(**allowed), said, gone)


def planned(world: World, policy: Policy = PLENTY, **how: Any) -> Plan:
    return plan(world.want, world.observe(), policy, (), pruning(world, **how))


def carried_out(world: World, policy: Policy = PLENTY, **how: Any) -> list[Event]:
    """Apply a pruning plan; what was told."""
    told: list[Event] = []
    made = planned(world, policy, **how)
    apply(
        made,
        world.want,
        world.observe(),
        world.aicore,
        world.place(),
        Emitter(world.server.clock, told.append),
    )
    return told


def acts(made: Plan) -> list[tuple[str, str]]:
    return [(change.action.value, change.name) for change in made.of(StageName.PRUNE)]


def ids(world: World) -> list[str]:
    return [run["id"] for run in world.server.executions]


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Trainings 1, 2 and 3 have completed; 3 is wanted no more."""
    made = World(tmp_path, wanting("1", "2", "3"))
    made.apply()
    made.server.finish(outputs=["model"])
    made.change(wanting("1", "2"))
    return made


def test_nothing_is_taken_away_unasked(world: World) -> None:
    """Without --prune a run that no spec wants is neither in the plan nor a pending change."""
    assert world.plan().exit_code is ExitCode.CONVERGED
    world.apply()
    assert len(world.server.executions) == 3


def test_a_run_that_no_spec_wants_is_deleted_and_what_cannot_be_is_retired(world: World) -> None:
    """The plan says what it is and why; its configuration stays, as AI Core deletes none."""
    gone = ids(world)[2]
    made = planned(world)
    assert acts(made) == [("prune", gone)]
    assert f"  - prune execution/{SCENARIO}/c3  {gone}" in plan_text(made)
    assert made.exit_code is ExitCode.PENDING
    carried_out(world)
    assert gone not in ids(world)
    assert [change.address for change in planned(world).retired] == [f"configuration/{SCENARIO}/c3"]
    assert planned(world).exit_code is ExitCode.CONVERGED


@pytest.mark.parametrize("status", STATES)
@pytest.mark.parametrize("stop", [False, True])
def test_every_state_of_a_run(world: World, status: str, stop: bool) -> None:
    """AI Core stops RUNNING and PENDING and deletes the rest; what may run goes with --stop-running alone."""
    run = world.server.executions[2]
    run.update(status=status)
    made = planned(world, stop_running=stop)
    runs = status in {"UNKNOWN", "PENDING", "RUNNING"}
    if runs and not stop:
        assert acts(made) == []
        assert [problem.code for problem in made.warnings] == ["kept"]
        assert "--stop-running stops it" in made.warnings[0].message
        assert made.exit_code is ExitCode.CONVERGED
        return
    action = {"RUNNING": "stop", "PENDING": "stop", "STOPPING": "wait"}.get(status, "prune")
    assert acts(made) == [(action, run["id"])]


def test_what_is_stopped_is_deleted_by_the_next_apply(world: World) -> None:
    """Both are the same deed, so that a plan that was looked at covers both."""
    world.server.executions[2].update(status="RUNNING")
    before = planned(world, stop_running=True)
    carried_out(world, stop_running=True)
    assert world.server.executions[2]["status"] == "STOPPED"
    after = planned(world)
    assert acts(after) == [("prune", ids(world)[2])]
    assert (before.digest, after.within(before)) == (after.digest, True)
    carried_out(world)
    assert len(world.server.executions) == 2


@pytest.mark.parametrize("word", [Word.PROTECTED, Word.UNSHOWN])
def test_what_is_protected_or_not_shown_to_be_free_stays(world: World, word: Word) -> None:
    """It is a warning, with the reason, and success: nothing is pending."""
    made = planned(world, words=word, stop_running=True)
    assert acts(made) == []
    assert [problem.code for problem in made.warnings] == ["kept"]
    assert made.exit_code is ExitCode.CONVERGED


def test_a_thing_that_nobody_asked_about_stays(world: World) -> None:
    """No word is no permission."""
    assert acts(planned(world, words={})) == []


def test_runs_of_an_earlier_content_are_protected_by_the_block_as_it_is(tmp_path: Path) -> None:
    """`protect: true` holds for all runs of the name, whatever its parameters were."""
    world = World(tmp_path, wanting("1", "2"))
    world.apply()
    world.server.finish()
    other = configuration("c1", {"rate": "7"})
    runs = [replace(execution(other), protect=True), execution(configuration("c2", {"rate": "2"}))]
    world.change(desired([other, configuration("c2", {"rate": "2"})], runs))
    world.apply()
    world.server.finish()
    assert acts(planned(world, stop_running=True)) == []


def test_a_completed_run_stays_until_its_successor_has_completed(tmp_path: Path) -> None:
    """Else a rollback in between would find nothing."""
    world = World(tmp_path, wanting("1", "2"))
    world.apply()
    world.server.finish()
    edited = configuration("c1", {"rate": "7"})
    world.change(desired([edited, configuration("c2", {"rate": "2"})]))
    world.apply()
    made = planned(world)
    assert (acts(made), [p.message.partition("(")[0] for p in made.warnings]) == (
        [],
        ["not pruned: what takes its place is not there yet "],
    )
    world.server.finish()
    assert acts(planned(world)) == [("prune", ids(world)[0])]


def test_what_a_server_serves_stays_with_the_run_that_made_it(world: World) -> None:
    """The model's run tells its figures; while the server lives it is needed."""
    artifact = next(a for a in world.server.artifacts if a.get("executionId") == ids(world)[2])
    somebodys = {
        "id": "k1",
        "name": "by-hand",
        "scenarioId": SCENARIO,
        "executableId": "server",
        "createdAt": "2026-01-02T03:04:05Z",
        "inputArtifactBindings": [{"key": "models", "artifactId": artifact["id"]}],
    }
    world.server.configurations.append(somebodys)
    world.server.post("/lm/deployments", {"configurationId": "k1"})
    made = planned(world)
    assert acts(made) == []
    assert "what it has written is in use" in made.warnings[0].message
    world.server.deployments[0].update(status="STOPPED")
    assert acts(planned(world)) == [("prune", ids(world)[2])]


def test_what_is_not_ours_is_not_touched(world: World) -> None:
    """A configuration without a content hash in its name is somebody else's, and so are its runs."""
    foreign = {**world.server.configurations[2], "id": "foreign", "name": "c3"}
    world.server.configurations.append(foreign)
    run = {**world.server.executions[2], "id": "theirs", "configurationId": "foreign"}
    world.server.executions.append(run)
    carried_out(world)
    assert "theirs" in ids(world)
    assert planned(world).empty


def test_what_a_spec_has_adopted_is_wanted_whatever_its_name(world: World) -> None:
    """Somebody else's corespec gives hashes too; the id in the spec says that it is wanted here."""
    gone = world.server.configurations[2]
    adopted = replace(configuration("taken-over", {"rate": "3"}), adopted=Adopted(gone["id"], "", True))
    world.change(desired([*world.want.configurations, adopted], world.want.executions))
    assert planned(world).of(StageName.PRUNE) == ()


def test_everything_is_never_taken_away(world: World) -> None:
    """Specs that want nothing are refused before any write, and no option lifts that."""
    world.change(wanting())
    writes = len(world.server.writes)
    with pytest.raises(PolicyError, match="everything of ours") as raised:
        carried_out(world, limit=1000)
    assert raised.value.exit_code == ExitCode.REJECTED
    assert len(world.server.writes) == writes


@pytest.mark.parametrize(
    ("policy", "limit", "refused"),
    [
        (Prune(max_percent=20, max_objects=10), None, True),
        (Prune(max_percent=34, max_objects=10), None, False),
        (Prune(max_percent=33, max_objects=10), None, True),
        (Prune(max_percent=1, max_objects=1), 1, False),
        (Prune(max_percent=99, max_objects=10), 0, True),
    ],
)
def test_more_than_the_policy_allows_is_refused_whole(
    world: World, policy: Prune, limit: int | None, refused: bool
) -> None:
    """One of three is 33.3 %. --prune-limit takes the place of both limits, either way."""
    chosen = Policy(prune=policy)
    made = planned(world, chosen, limit=limit)
    assert bool(made.errors) is refused
    if refused:
        assert made.exit_code is ExitCode.REJECTED
        assert "--prune-limit 1" in made.errors[0].remedy
        with pytest.raises(PolicyError):
            carried_out(world, chosen, limit=limit)
        assert len(world.server.executions) == 3


def test_the_limit_is_for_the_whole_apply(tmp_path: Path) -> None:
    """What earlier rounds of an apply have taken away counts."""
    world = World(tmp_path, wanting(*"123456789"))
    world.apply()
    world.server.finish()
    world.change(wanting(*"12345678"))
    assert not planned(world, gone=1, limit=2).errors
    assert planned(world, gone=2, limit=2).errors


def test_one_that_cannot_be_deleted_hinders_no_other_and_stays_listed(tmp_path: Path) -> None:
    """The refusal is told, the others go, the exit code is that of the refusal, and the next plan has it."""
    world = World(tmp_path, wanting(*"12345"))
    world.apply()
    world.server.finish()
    world.change(wanting(*"123"))
    stubborn, other = ids(world)[3:]
    send = world.server.delete

    def delete(path: str) -> Mapping[str, Any]:
        if path.endswith(stubborn):
            raise ApiError("it cannot be deleted (418)")
        return send(path)

    world.server.delete = delete  # type: ignore[method-assign]
    with pytest.raises(ApiError, match="418"):
        carried_out(world)
    assert (stubborn in ids(world), other in ids(world)) == (True, False)
    assert acts(planned(world)) == [("prune", stubborn)]


@pytest.mark.parametrize("kind", [name for name in FAULTS if "killed" not in name])
@pytest.mark.parametrize("running", [False, True])
def test_a_request_that_goes_wrong_ends_in_the_same(world: World, kind: str, running: bool) -> None:
    """Before or after the server has acted: looked at again, sent again, gone."""
    world.server.executions[2].update(status="RUNNING" if running else "DEAD")
    made, live = planned(world, stop_running=True), world.observe()
    world.server.fault, world.server.fault_at = FAULTS[kind], len(world.server.requests)
    apply(made, world.want, live, world.aicore, world.place(), Emitter(world.server.clock))
    carried_out(world, stop_running=True)
    assert len(world.server.executions) == 2


def serving(*executables: str, protect: bool = False) -> Desired:
    """One server `reader` of an uploaded model, for each executable (one at a time makes sense)."""
    base = wanting("1", "2", "3")
    template = server_template()
    templates = [
        replace(
            template,
            address=f"template/{one}",
            executable=one,
            path=f"rendered/local/templates/{one}.yaml",
        )
        for one in executables
    ]
    servers = tuple(
        DesiredDeployment(
            f"deployment/{SCENARIO}/reader",
            SCENARIO,
            "reader",
            one,
            {},
            {"models": base.datasets[0]},
            protect=protect,
        )
        for one in executables
    )
    return replace(base, templates=(*base.templates, *templates), deployments=servers)


@pytest.fixture
def served(tmp_path: Path) -> World:
    """A server that nobody wants any more, and three trainings that are."""
    world = World(tmp_path, serving("s1"))
    world.apply()
    world.server.finish()
    world.server.serve()
    world.change(serving())
    return world


def test_a_server_that_no_spec_wants_is_stopped_and_deleted_when_that_is_allowed(served: World) -> None:
    """Without --stop-running it serves on, and the plan says so once."""
    kept = planned(served)
    assert (acts(kept), [problem.code for problem in kept.warnings]) == ([], ["kept"])
    server = served.server.deployments[0]["id"]
    assert acts(planned(served, stop_running=True)) == [("stop", server)]
    carried_out(served, stop_running=True)
    assert acts(planned(served)) == [("prune", server)]
    carried_out(served)
    assert served.server.deployments == []


def test_a_server_stays_until_the_one_of_its_new_executable_serves(served: World) -> None:
    """The name is wanted with another executable: no gap."""
    served.change(serving("s2"))
    served.apply()
    assert acts(planned(served, stop_running=True)) == []
    served.server.serve()
    assert acts(planned(served, stop_running=True)) == [("stop", served.server.deployments[0]["id"])]


def test_a_protected_server_stays_although_its_executable_has_changed(served: World) -> None:
    """The block of its name protects it."""
    served.change(serving("s2", protect=True))
    served.apply()
    served.server.serve()
    assert acts(planned(served, stop_running=True)) == []


RUNS = st.lists(st.tuples(st.sampled_from("123456"), st.sampled_from(STATES)), min_size=1, max_size=12)


def _drawn(path: Path, runs: list[tuple[str, str]], wanted: set[str]) -> World:
    """A world in which these runs are, and these trainings are wanted."""
    world = World(path, wanting(*"123456"))
    world.apply()
    world.server.executions.clear()
    names = {c["name"].partition("--")[0]: c for c in world.server.configurations}
    for name, status in runs:
        world.server.post("/lm/executions", {"configurationId": names[f"c{name}"]["id"]})
        world.server.executions[-1].update(status=status)
    world.change(wanting(*sorted(wanted)))
    return world


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    runs=RUNS,
    wanted=st.sets(st.sampled_from("123456")),
    word=st.sampled_from(Word),
    stop=st.booleans(),
    limits=st.builds(Prune, max_percent=st.integers(1, 100), max_objects=st.integers(1, 8)),
)
def test_no_drawn_state_loses_what_it_must_not(
    tmp_path_factory: pytest.TempPathFactory,
    runs: list[tuple[str, str]],
    wanted: set[str],
    word: Word,
    stop: bool,
    limits: Prune,
) -> None:
    """Whatever is there and wanted: nothing wanted, protected or running goes, never everything, never more
    than the limits; what is refused is refused before the first write; and a second apply has nothing left.
    """
    world = _drawn(tmp_path_factory.mktemp("w"), runs, wanted)
    before = {run["id"]: (run["configurationName"][1], run["status"]) for run in world.server.executions}
    policy, writes = Policy(max_launches_per_apply=100, prune=limits), len(world.server.writes)
    how: dict[str, Any] = {"words": word, "stop_running": stop}
    try:
        carried_out(world, policy, **how)
    except PolicyError:
        assert len(world.server.writes) == writes
        return
    left = set(ids(world))
    gone = {id_: seen for id_, seen in before.items() if id_ not in left}
    assert not gone or word is Word.FREE
    assert len(gone) < len(before)
    assert len(gone) <= limits.max_objects
    assert len(gone) * 100 <= limits.max_percent * len(before)
    for name, status in gone.values():
        assert name not in wanted
        assert status in {"COMPLETED", "DEAD", "STOPPED"} or (stop and status == "UNKNOWN")
    for run in world.server.executions:
        known = before.get(run["id"])
        if known and known[1] in {"RUNNING", "PENDING"} and (not stop or known[0] in wanted):
            assert run["status"] == known[1]
    after = planned(world, PLENTY, **how)
    assert not {name for action, name in acts(after) if action == "prune"} & set(before) - {
        id_ for id_, (_, status) in before.items() if status in {"RUNNING", "PENDING"}
    }


def test_a_refusal_of_the_service_is_exit_code_2(world: World) -> None:
    """A run that began to run between the look and the request: AI Core refuses, the next plan knows."""
    made, live = planned(world, stop_running=True), world.observe()
    world.server.executions[2].update(status="RUNNING")
    with pytest.raises(InputRejectedError):
        apply(made, world.want, live, world.aicore, world.place(), Emitter(world.server.clock))
    assert acts(planned(world, stop_running=True)) == [("stop", ids(world)[2])]
