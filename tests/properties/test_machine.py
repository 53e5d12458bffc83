"""Any sequence of edits, runs, faults and applies, through files, Git and HTTP, against the local AI Core.

After every apply, finished or broken, an opinion of its own (`tests.reconciler.ledger`), which knows what was
written in the specs and what AI Core holds, says whether a run was started without a reason, whether anything
exists twice, and whether anything was touched that is not ours. `CORESPEC_SEQUENCES` sets how many sequences
are tried.
"""

from __future__ import annotations

import contextlib
import copy
import itertools
import os
import tempfile
from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from generator.errors import GeneratorError
from reconciler.bindings import bind
from reconciler.errors import PolicyError, ReconcilerError
from reconciler.plan_model import Action, Change, Plan
from reconciler.prune import Permission
from tests.properties.core import Core, running
from tests.properties.site import GAUGE, METRIC, READER, SCENARIO, SERVER, Site, Spec
from tests.reconciler.fake import FAULTS, FakeClock, Fault, KilledError
from tests.reconciler.ledger import ACTIVE, FOREIGN, Ledger, Wish, short, since

EXAMPLES = int(os.environ.get("CORESPEC_SEQUENCES", "12"))
STEPS = 25
#: The sequence that fails is short enough to read, and making it shorter may take minutes.
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
NAMES = ("a", "b", "c")

names = st.sampled_from(NAMES)
rates = st.sampled_from(["0.1", "0.2"])


class Specs(RuleBasedStateMachine):
    """A project with up to two scenarios, an AI Core, and somebody else's objects in it."""

    @initialize(concurrent=st.integers(1, 4))
    def begin(self, concurrent: int) -> None:
        self._opened = contextlib.ExitStack()
        folder = Path(self._opened.enter_context(tempfile.TemporaryDirectory()))
        self.core: Core = self._opened.enter_context(running(folder / "core", FakeClock()))
        patch = self._opened.enter_context(pytest.MonkeyPatch.context())
        self.site = Site(folder, self.core)
        self.site.wired(patch)
        self.spec = self.site.spec
        self.spec.concurrent = concurrent
        self.ledger = Ledger(self.core)  # type: ignore[arg-type]  # the same lists of objects
        self.theirs = _plant(self.core)
        self.measured: dict[str, float] = {}  #: run -> value
        self.serves: dict[str, str] = {}  #: deployment -> run whose model it serves
        self.seen: dict[tuple[object, ...], str] = {}  #: content of a configuration -> its name
        self.bound: dict[tuple[object, ...], str] = {}  #: what a reader is and reads -> its name
        self.protected: dict[str, bool] = {}  #: as the specs said when they last had the name
        self.readers: set[str] = set()  #: configurations of it
        self.pushed, self.order = False, 0

    def teardown(self) -> None:
        if hasattr(self, "_opened"):
            self._opened.close()

    # Edits. Values are few, so that they come back: nothing may be launched for what was done.

    @rule(name=names, rate=rates)
    def set_parameter(self, name: str, rate: str) -> None:
        """Adds the configuration where it is absent; often the very value it had before."""
        self._wish(name, rate=rate)

    @rule(name=names, want=st.integers(0, 3))
    def want_more_or_fewer(self, name: str, want: int) -> None:
        self._wish(name, want=want)

    @rule(name=names)
    def remove(self, name: str) -> None:
        """A name that others refer to stays, as `validate` demands."""
        if name not in self.spec.needed() and len(self.spec.wishes) > 1:
            self.spec.wishes.pop(name, None)
            self.pushed = False

    @rule(name=names, minutes=st.sampled_from([0, 60]))
    def rerun(self, name: str, minutes: int) -> None:
        """rerunAfter is moved to now, or to later: what was done counts no longer."""
        self.core.clock.sleep(1)
        self._wish(name, rerun_after=self.core.clock.now() + timedelta(minutes=minutes))

    @rule(name=names, hours=st.integers(0, 2))
    def suspend(self, name: str, hours: int) -> None:
        """For some hours; none lifts it."""
        self._wish(name, suspended_until=self._in(hours))

    @rule()
    def add_reader(self) -> None:
        """An execution that reads a model of `a` and waits for `b`."""
        for name in ("a", "b"):
            self.spec.wishes.setdefault(name, Wish())
        self._wish(READER, reads="a", after=("b",))

    @rule()
    def remove_reader(self) -> None:
        self.spec.wishes.pop(READER, None)
        self.pushed = False

    @rule(
        values=st.lists(st.sampled_from(["0.1", "0.2", "0.3"]), max_size=3, unique=True),
        parallel=st.sampled_from([None, 1]),
    )
    def sweep(self, values: list[str], parallel: int | None) -> None:
        """A value more is a run more; in another order they are the same."""
        self.spec.rates, self.spec.parallel = tuple(values), parallel
        self.pushed = False

    @rule(there=st.booleans())
    def second_scenario(self, there: bool) -> None:
        """Another file with a scenario of its own."""
        self.spec.gauges, self.pushed = there, False

    @rule(content=st.sampled_from(["one", "two"]))
    def change_data(self, content: str) -> None:
        self.spec.content, self.pushed = content, False

    @rule(tag=st.sampled_from(["1", "2"]))
    def change_image(self, tag: str) -> None:
        self.spec.image, self.pushed = tag, False

    @rule(at_least=st.sampled_from([0.3, 0.6]), tag=st.sampled_from(["1", "2"]))
    def deploy(self, at_least: float, tag: str) -> None:
        """The best model of `a` and of the sweep shall serve."""
        self.spec.wishes.setdefault("a", Wish())
        self.spec.at_least, self.spec.server_image, self.pushed = at_least, tag, False

    @rule(hours=st.integers(0, 2))
    def suspend_the_server(self, hours: int) -> None:
        self.spec.served_by_hand, self.pushed = self._in(hours), False

    @rule()
    def forget_the_server(self) -> None:
        self.spec.at_least, self.pushed = None, False

    @rule(launches=st.sampled_from([0, 1, 100, 100]))
    def limit_launches(self, launches: int) -> None:
        self.spec.launches, self.pushed = launches, False

    @rule(name=names, protect=st.booleans())
    def protect(self, name: str, protect: bool) -> None:
        """It holds after the block is gone, too."""
        self._wish(name, protect=protect)

    @rule(order=st.integers(1, 10**6))
    def write_it_another_way(self, order: int) -> None:
        """Other order of keys, spelling and remarks, and a new commit: the very same plan."""
        self._push()
        before = self.site.plan()
        self.order, self.pushed = order, False
        self._push()
        assert self.site.plan().digest == before.digest

    @rule(letters=st.sampled_from(["ab", "ba"]))
    def rename_files(self, letters: str) -> None:
        """Other names, and another order of files: rendered files name their source, and that is all."""
        self._push()
        before = self.site.plan()
        self.site.letters, self.pushed = letters, False
        self._push()
        assert _without_templates(self.site.plan()) == _without_templates(before)

    # What goes on in AI Core.

    @rule(
        status=st.sampled_from(["COMPLETED", "COMPLETED", "DEAD", "STOPPED"]),
        which=st.integers(0, 5),
        value=st.sampled_from([None, 0.2, 0.5, 0.7, 0.9]),
    )
    def end_one(self, status: str, which: int, value: float | None) -> None:
        """A run completes, fails, or is stopped by somebody; later ones may be first."""
        self.core.clock.sleep(30)
        if active := self._active():
            self._end(active[which % len(active)]["id"], status, value)

    @rule()
    def start(self) -> None:
        for run in self._active():
            self.core.run(run["id"])

    @rule(status=st.sampled_from(["RUNNING", "RUNNING", "DEAD"]))
    def server_starts_or_dies(self, status: str) -> None:
        self.core.serve(SERVER, status)

    @rule(minutes=st.sampled_from([1, 59, 120]))
    def time_passes(self, minutes: int) -> None:
        self.core.clock.sleep(minutes * 60)

    # Applies.

    @rule()
    def apply(self) -> None:
        self._apply()

    @rule(limit=st.sampled_from([None, 1, 5]), stop_running=st.booleans())
    def prune(self, limit: int | None, stop_running: bool) -> None:
        self._apply(Permission(limit, stop_running))

    @rule(
        name=st.sampled_from(sorted(FAULTS)),
        index=st.integers(0, 60),
        prune=st.sampled_from([None, Permission(5, stop_running=True)]),
    )
    def apply_with_a_fault(self, name: str, index: int, prune: Permission | None) -> None:
        """One request goes wrong, whether the server has acted or not, or the process is killed there."""
        wire = self.site.wire
        wire.fault, wire.fault_at = FAULTS[name], len(wire.sent) + index
        with contextlib.suppress(KilledError, ReconcilerError, GeneratorError):
            self._apply(prune)
        wire.fault = None

    @rule()
    def come_to_rest(self) -> None:
        """Everything that is started completes: then all that can be done is done, and no write is sent."""
        self.spec.launches, self.pushed = 100, False
        for number in range(40):
            self._apply()
            self.core.serve(SERVER)
            self.core.settle()
            self.core.clock.sleep(5)
            active = self._active()
            if not active:
                break
            for run in active:
                self._end(run["id"], "COMPLETED", (number % 10) / 10)
        self._apply()
        self.core.serve(SERVER)
        self._apply()
        writes = list(self.core.writes)
        made = self.site.plan()
        assert not [change for change in made.changes if change.action is not Action.WAIT]
        self._nothing_is_lost(made.changes)
        self._the_best_serves()
        self._apply()
        assert self.core.writes == writes

    # What must hold.

    @invariant()
    def nothing_of_others_was_touched(self) -> None:
        if hasattr(self, "theirs"):
            assert _foreign(self.core) == self.theirs
            ids = {str(item.get("id", FOREIGN)) for item in self.theirs}
            mine = self.core.writes[self.core.planted :]
            assert not [line for line in mine if ids & set(line.split("/"))]

    @invariant()
    def nothing_exists_twice(self) -> None:
        if hasattr(self, "ledger"):
            self.ledger.single()

    @precondition(lambda self: hasattr(self, "site") and self.pushed)
    @invariant()
    def content_and_name_are_one(self) -> None:
        """The same content has one name for ever, and no other content has it."""
        every = self.spec.all_wishes()
        for name, full_name in self.site.names().items():
            if full_name:
                key = (name, every[name].rate, self.spec.content, self.spec.image)
                assert self.seen.setdefault(key, full_name) == full_name
        assert len(set(self.seen.values())) == len(self.seen)

    def _nothing_is_lost(self, waiting: tuple[Change, ...]) -> None:
        """Every wish is fulfilled, or it is known why not; what waits, waits for one that is not."""
        every, full = self.spec.all_wishes(), self._full_names()
        held = {n for n, wish in every.items() if not self.ledger.has_completed(full.get(n, ""), wish)}
        for name in held:
            wish = every[name]
            assert self._excused(wish) or held & {*wish.after, wish.reads} or self._gave_up(name), name
        for change in waiting:
            name = change.address.rpartition("/")[2].partition("#")[0]
            if name != SERVER:
                assert held & {*every[name].after, every[name].reads}, change

    def _full_names(self) -> dict[str, str]:
        """As the plan sees them: with the outputs that are there."""
        view = self.site.session().view()
        return {one.name: one.full_name for one in bind(view.bench.desired, view.live).configurations}

    def _excused(self, wish: Wish) -> bool:
        """Switched off, or told to wait for a time that has not come."""
        now = self.core.clock.now()
        return wish.want == 0 or any(
            moment and moment > now for moment in (wish.rerun_after, wish.suspended_until)
        )

    def _gave_up(self, name: str) -> bool:
        """A person stopped one, or the retries are used up."""
        wish, runs = self.spec.all_wishes()[name], self._runs()
        for full_name in {r["configurationName"] for r in runs if short(r["configurationName"]) == name}:
            ended = [run["status"] for run in since(runs, full_name, wish)]
            if "STOPPED" in ended or ended.count("DEAD") > wish.retries:
                return True
        return False

    def _check_reader(self) -> None:
        """As long as nobody edits anything, a reader keeps to the model that it was given first."""
        wish, read = self.spec.wishes.get(READER), self.spec.wishes.get("a")
        for made in self.core.configurations:
            if short(made["name"]) == READER and made["id"] not in self.readers and wish and read:
                self.readers.add(made["id"])
                key = (wish.rate, read.rate, read.rerun_after, self.spec.content, self.spec.image)
                assert self.bound.setdefault(key, made["name"]) == made["name"], "it reads another model now"

    def _check_pruned(self, before: dict[str, dict[str, Any]], allowed: Permission | None) -> None:
        """What is gone was ours, was not wanted and not protected, did not run, and is not everything."""
        left = {run["id"]: run for run in self._owned()}
        gone = [item for id_, item in before.items() if id_ not in left]
        stopped = [item for id_, item in before.items() if id_ in left and _told_to_stop(item, left[id_])]
        names = set(self.site.names().values())
        for item in (*gone, *stopped):
            assert allowed is not None, f"{item['configurationName']} was taken away"
            name = short(item["configurationName"])
            assert item["configurationName"] not in names or name == SERVER, f"{name} is wanted"
            assert not self.protected.get(name), f"{name} is protected"
        for item in gone:
            # AI Core stops nothing that is UNKNOWN; it is deleted at once (docs/reconcile.md).
            unstoppable = item["status"] == "UNKNOWN" and allowed is not None and allowed.stop_running
            assert unstoppable or item["status"] in {"COMPLETED", "DEAD", "STOPPED"}, item
            assert item["id"] not in self.serves.values() or not self._living(), "its model serves"
        assert not stopped or (allowed and allowed.stop_running)
        if gone:
            assert left, "everything is gone"
            assert allowed is not None
            assert allowed.limit is None or len(gone) <= allowed.limit
        if any(short(item["configurationName"]) == "a" for item in gone):
            self.bound.clear()  # what a reader read may have to be made again

    def _owned(self) -> list[dict[str, Any]]:
        return [*self._runs(), *self._servers()]

    # Model servers.

    def _servers(self) -> list[dict[str, Any]]:
        return [d for d in self.core.deployments if short(d["configurationName"]) == SERVER]

    def _living(self) -> list[dict[str, Any]]:
        return [d for d in self._servers() if d["status"] not in {"STOPPED", "STOPPING", "DEAD"}]

    def _check_servers(self) -> None:
        """One at most; a worse model, or one that is not good enough, has replaced nothing."""
        living = self._living()
        assert len(living) <= 1, living
        for server in living:
            run = self._run_served(server)
            before = self.serves.get(server["id"])
            if run != before:
                assert self.measured[run] >= (self.spec.at_least or 0), "it is not good enough"
                assert before is None or self.measured[run] > self.measured[before], "it is not better"
            self.serves[server["id"]] = run

    def _run_served(self, server: dict[str, Any]) -> str:
        bound = next(c for c in self.core.configurations if c["id"] == server["configurationId"])
        artifact = bound["inputArtifactBindings"][0]["artifactId"]
        return str(next(a for a in self.core.artifacts if a["id"] == artifact)["executionId"])

    def _the_best_serves(self) -> None:
        """Of all models that count and are good enough none is better than the one that serves."""
        until, at_least = self.spec.served_by_hand, self.spec.at_least
        living = [d for d in self._servers() if d["status"] == "RUNNING"]
        if at_least is None or (until and until > self.core.clock.now()):
            return
        if [d for d in self._servers() if d["status"] == "DEAD"]:
            return
        full = self._full_names()
        counted = [
            self.measured[run["id"]]
            for name, wish in self.spec.all_wishes().items()
            if name == "a" or name.startswith("sweep")
            for run in since(self._runs(), full.get(name, ""), wish)
            if run["status"] == "COMPLETED" and run["id"] in self.measured
        ]
        good = [value for value in counted if value >= at_least]
        if good:
            assert [self.measured[self._run_served(d)] for d in living] >= [max(good)]

    # How it is done.

    def _apply(self, prune: Permission | None = None) -> None:
        self._push()
        self.ledger.open()
        writes, before = len(self.core.writes), {run["id"]: run for run in self._owned()}
        try:
            self.site.reconcile(prune)
        except PolicyError:
            assert len(self.core.writes) == writes, "refused, and nothing was written"
        finally:
            self.ledger.close(self.spec.all_wishes(), self.site.names(), self.spec.concurrent)
            self._check_pruned(before, prune)
            self._check_servers()
            self._check_reader()

    def _push(self) -> None:
        if not self.pushed:
            self.site.write(self.order)
            self.pushed = True
            self.protected |= {name: wish.protect for name, wish in self.spec.all_wishes().items()}

    def _wish(self, name: str, **fields: Any) -> None:
        self.spec.wishes[name] = replace(self.spec.wishes.get(name, Wish()), **fields)
        self.pushed = False

    def _in(self, hours: int) -> datetime | None:
        return self.core.clock.now() + timedelta(hours=hours) if hours else None

    def _end(self, run: str, status: str, value: float | None) -> None:
        self.core.end(run, status)
        if status == "COMPLETED" and value is not None:
            self.core.track(run, METRIC, value)
            self.measured[run] = value

    def _runs(self) -> list[dict[str, Any]]:
        return [run for run in self.core.executions if run["configurationName"] != FOREIGN]

    def _active(self) -> list[dict[str, Any]]:
        return [run for run in self._runs() if run["status"] in ACTIVE]


def _without_templates(plan: Plan) -> list[Change]:
    return [change for change in plan.changes if change.action not in {Action.PUBLISH, Action.SYNC}]


def _told_to_stop(before: dict[str, Any], after: dict[str, Any]) -> bool:
    return after["targetStatus"] != before["targetStatus"] and after["targetStatus"] in {"STOPPED", "DELETED"}


def _plant(core: Core) -> list[dict[str, Any]]:
    """Objects of somebody else in the same scenario, and an application beside ours."""
    body = {"name": FOREIGN, "kind": "dataset", "url": "ai://default/elsewhere", "scenarioId": SCENARIO}
    artifact = core.post("/v2/lm/artifacts", body)
    configuration = core.post(
        "/v2/lm/configurations",
        {
            "name": FOREIGN,
            "scenarioId": SCENARIO,
            "executableId": f"{SCENARIO}-train",
            "parameterBindings": [{"key": "rate", "value": "0.1"}],
            "inputArtifactBindings": [{"key": "datain", "artifactId": artifact}],
        },
    )
    done = core.post("/v2/lm/executions", {"configurationId": configuration})
    core.post("/v2/lm/executions", {"configurationId": configuration})
    held = core.store.configurations.get("default", configuration)
    assert held is not None
    core.store.deployments.create("default", held)  # the API would ask for an executable first
    application = {
        "applicationName": FOREIGN,
        "repositoryUrl": "https://git.example/other",
        "path": "p",
        "revision": "main",
    }
    core.post("/v2/admin/applications", application)
    core.end(done)
    core.planted = len(core.writes)
    return _foreign(core)


def _foreign(core: Core) -> list[dict[str, Any]]:
    """A copy of everything that is somebody else's, as it is now."""
    runs = [*core.executions, *core.deployments]
    application = core.applications[FOREIGN]
    return copy.deepcopy(
        [item for item in [*core.artifacts, *core.configurations] if item["name"] == FOREIGN]
        + [item for item in runs if item["configurationName"] == FOREIGN]
        + [{key: application[key] for key in ("name", "repository_url", "path", "revision")}]
    )


@pytest.mark.timeout(1800)
def test_no_sequence_of_edits_faults_and_applies_does_harm() -> None:
    """Apply then plan is empty; nothing twice, nothing lost, nothing of others touched."""
    run_state_machine_as_test(
        Specs,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            phases=PHASES,
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_a_rerun_that_is_asked_for_within_a_second_is_started_once(site: Site) -> None:
    """AI Core keeps `createdAt` to the second: the run that was started must not seem to come before."""
    site.write()
    site.reconcile()
    site.core.end(site.core.executions[-1]["id"])
    site.core.clock.sleep(60.8)
    site.spec.wishes["a"] = Wish(rerun_after=site.core.clock.now())
    site.write()
    for _ in range(3):
        site.reconcile()
        site.core.end(site.core.executions[-1]["id"])
    assert len(site.core.executions) == 2


@pytest.mark.parametrize("name", ["killed before", "killed after"])
def test_killed_at_every_request_in_turn(site: Site, name: str) -> None:
    """The first life ends at its first request, the next at its second: the end is that of a whole one."""
    site.spec = _rich()
    site.write()
    lives = [_killed_in_turn(site, FAULTS[name])]
    for run in site.core.executions:
        site.core.end(run["id"])
        site.core.track(run["id"], METRIC, 0.9)
    lives.append(_killed_in_turn(site, FAULTS[name]))
    assert min(lives) > 10
    assert Counter(short(run["configurationName"]) for run in site.core.executions) == dict.fromkeys(
        ["a", "b", READER, GAUGE, "sweep.rate-0.1", "sweep.rate-0.2"], 1
    )
    assert [(short(d["configurationName"]), d["status"]) for d in site.core.deployments] == [
        (SERVER, "UNKNOWN")
    ]
    Ledger(site.core).single()  # type: ignore[arg-type]  # the same lists of objects
    assert {a["name"] for a in site.core.artifacts if a["kind"] == "dataset"} == {"pictures"}
    assert len(site.core.configurations) == 7


def _rich() -> Spec:
    """Two scenarios, a sweep, an execution that reads and one that waits, a model server."""
    wishes = {"a": Wish(), "b": Wish(rate="0.2"), READER: Wish(reads="a", after=("b",))}
    return Spec(wishes, rates=("0.1", "0.2"), gauges=True, at_least=0.3, concurrent=9)


def _killed_in_turn(site: Site, fault: Fault) -> int:
    """How many lives it took until one came through."""
    wire = site.wire
    for life in itertools.count():
        wire.fault, wire.fault_at = fault, len(wire.sent) + life
        try:
            site.reconcile()
        except KilledError:
            continue
        finally:
            wire.fault = None
        return life
    raise AssertionError
