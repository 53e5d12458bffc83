"""Any sequence of edits, failures, interruptions and applies: a state machine looks for one that does harm.

After every apply, finished or broken, an opinion of its own (`ledger`) says whether a run was started without
a reason, whether anything exists twice, and whether anything was touched that is not ours.
`CORESPEC_EXAMPLES` sets how many sequences are tried.
"""

from __future__ import annotations

import contextlib
import os
import random
import tempfile
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

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

from generator.spec.operations import Policy
from generator.spec.runs import Suspend
from reconciler.bindings import bind
from reconciler.desired import DesiredOutput
from reconciler.errors import ReconcilerError
from reconciler.plan_model import Action, Change
from tests.reconciler.builders import SCENARIO, World, configuration, dataset, desired, execution, template
from tests.reconciler.builders import template_document as document
from tests.reconciler.fake import FAULTS, KilledError
from tests.reconciler.ledger import ACTIVE, FOREIGN, Ledger, Wish, foreign, plant, short, since

EXAMPLES = int(os.environ.get("CORESPEC_EXAMPLES", "40"))
STEPS = 25
#: The sequence that fails is short enough to read, and making it shorter may take minutes.
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)
NAMES = ("a", "b", "c")
#: Reads what `a` writes, and comes after `b`.
READER = "reader"

names = st.sampled_from(NAMES)
contents = st.sampled_from(["one", "two", "three"])


class Edits(RuleBasedStateMachine):
    """The specs of one scenario with up to four executions, an AI Core, and somebody else's objects in it."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        self.wishes: dict[str, Wish] = {"a": Wish()}
        self.content, self.image, self.order = "one", "docker.io/acme/digits:1", 0
        self.seen: dict[tuple[object, ...], str] = {}  #: content of a configuration -> its name

    @initialize(limit=st.integers(1, 4))
    def begin(self, limit: int) -> None:
        policy = Policy(max_launches_per_apply=100, max_concurrent=limit)
        self.world = World(Path(self._folder.name), desired(), policy=policy)
        self.ledger = Ledger(self.world.server)
        self.theirs = plant(self.world.server)
        self._push()

    def teardown(self) -> None:
        self._folder.cleanup()

    # Edits of the specs. Values are few, so that they come back: nothing may be launched for what was done.

    @rule(name=names, rate=st.sampled_from(["0.1", "0.2"]))
    def set_parameter(self, name: str, rate: str) -> None:
        """Adds the configuration where it is absent; often the very value it had before."""
        self._wish(name, rate=rate)

    @rule(name=names, want=st.integers(0, 3))
    def want_more_or_fewer(self, name: str, want: int) -> None:
        self._wish(name, want=want)

    @rule(name=names)
    def remove(self, name: str) -> None:
        """A name that others wait for stays, as `validate` demands."""
        needed = {n for wish in self.wishes.values() for n in (*wish.after, wish.reads)}
        if name not in needed and len(self.wishes) > 1:
            self.wishes.pop(name, None)
            self._push()

    @rule(name=names)
    def rerun(self, name: str) -> None:
        """rerunAfter is moved to now: what was done counts no longer."""
        self.world.server.clock.sleep(1)
        self._wish(name, rerun_after=self.world.server.clock.now())

    @rule(name=names)
    def rerun_later(self, name: str) -> None:
        self._wish(name, rerun_after=self.world.server.clock.now() + timedelta(hours=1))

    @rule(name=names, hours=st.integers(0, 2))
    def suspend(self, name: str, hours: int) -> None:
        """For some hours; none lifts it."""
        until = self.world.server.clock.now() + timedelta(hours=hours)
        self._wish(name, suspended_until=until if hours else None)

    @rule()
    def add_reader(self) -> None:
        """An execution that reads a model of `a` and waits for `b`."""
        for name in ("a", "b"):
            self.wishes.setdefault(name, Wish())
        self._wish(READER, reads="a", after=("b",))

    @rule()
    def remove_reader(self) -> None:
        if len(self.wishes) > 1:
            self.wishes.pop(READER, None)
            self._push()

    @rule(content=contents)
    def change_data(self, content: str) -> None:
        self.content = content
        self._push()

    @rule(tag=st.sampled_from(["1", "2"]))
    def change_image(self, tag: str) -> None:
        self.image = f"docker.io/acme/digits:{tag}"
        self._push()

    @rule(seed=st.integers(1, 1000))
    def reorder(self, seed: int) -> None:
        """Files and keys in another order, and a new commit: the plan is the same."""
        before = self.world.plan()
        self.order = seed
        self._push()
        after = self.world.plan()
        assert [c for c in before.changes if _acts(c)] == [c for c in after.changes if _acts(c)]

    # What goes on in AI Core.

    @rule(status=st.sampled_from(["COMPLETED", "COMPLETED", "DEAD", "STOPPED"]), name=names)
    def end_one(self, status: str, name: str) -> None:
        """An execution completes, fails, or is stopped by somebody."""
        self.world.server.clock.sleep(30)
        self.world.server.finish(status=status, only=f"{name}--", outputs=_outputs(status))

    @rule()
    def start(self) -> None:
        self.world.server.start()

    @rule(minutes=st.sampled_from([1, 59, 120]))
    def time_passes(self, minutes: int) -> None:
        self.world.server.clock.sleep(minutes * 60)

    # Applies.

    @rule()
    def apply(self) -> None:
        self._apply()

    @rule(name=st.sampled_from(sorted(FAULTS)), index=st.integers(0, 30))
    def apply_with_a_fault(self, name: str, index: int) -> None:
        """One request goes wrong, whether the server has acted or not, or the process is killed there."""
        server = self.world.server
        server.fault, server.fault_at = FAULTS[name], len(server.requests) + index
        with contextlib.suppress(KilledError, ReconcilerError):
            self._apply()
        server.fault = None

    @rule()
    def come_to_rest(self) -> None:
        """Everything that is started completes: then all that can be done is done, and no write is sent."""
        for _ in range(40):
            self._apply()
            self.world.server.clock.sleep(5)
            if not any(run["status"] in ACTIVE for run in self._runs()):
                break
            for name in {str(run["configurationName"]) for run in self._runs()}:
                self.world.server.finish(only=name, outputs=["model"])
        self._apply()
        writes = list(self.world.server.writes)
        made = self.world.plan()
        assert not [change for change in made.changes if change.action is not Action.WAIT]
        self._nothing_is_lost(made.changes)
        self._apply()
        assert self.world.server.writes == writes

    def _nothing_is_lost(self, waiting: tuple[Change, ...]) -> None:
        """Every wish is fulfilled, or it is known why not; what waits, waits for one that is not."""
        held = {name for name in self.wishes if not self._fulfilled(name)}
        for name in held:
            wish = self.wishes[name]
            assert self._excused(wish) or held & {*wish.after, wish.reads} or self._gave_up(name), name
        for change in waiting:
            wish = self.wishes[change.address.rpartition("/")[2].partition("#")[0]]
            assert held & {*wish.after, wish.reads}, change

    def _fulfilled(self, name: str) -> bool:
        want = bind(self.world.want, self.world.observe())
        full_name = next(wanted.full_name for wanted in want.configurations if wanted.name == name)
        return self.ledger.has_completed(full_name, self.wishes[name])

    def _excused(self, wish: Wish) -> bool:
        """Switched off, or told to wait for a time that has not come."""
        now = self.world.server.clock.now()
        return wish.want == 0 or any(
            moment and moment > now for moment in (wish.rerun_after, wish.suspended_until)
        )

    def _gave_up(self, name: str) -> bool:
        """A person stopped one, or the retries are used up."""
        wish = self.wishes[name]
        for full_name in {
            r["configurationName"] for r in self._runs() if short(r["configurationName"]) == name
        }:
            ended = [run["status"] for run in since(self._runs(), full_name, wish)]
            if "STOPPED" in ended or ended.count("DEAD") > wish.retries:
                return True
        return False

    @invariant()
    def nothing_of_others_was_touched(self) -> None:
        if hasattr(self, "theirs"):
            assert foreign(self.world.server) == self.theirs
            ids = {item["id"] for item in self.theirs}
            written = " ".join(self.world.server.writes[5:])
            assert not [id_ for id_ in ids if id_ in written]

    @invariant()
    def nothing_exists_twice(self) -> None:
        if hasattr(self, "ledger"):
            self.ledger.single()

    @precondition(lambda self: hasattr(self, "world"))
    @invariant()
    def content_and_name_are_one(self) -> None:
        """The same content has one name for ever, and no other content has it."""
        for wanted in self.world.want.configurations:
            if wanted.full_name:
                key = (wanted.name, wanted.parameters["rate"], self.content, self.image)
                assert self.seen.setdefault(key, wanted.full_name) == wanted.full_name
        assert len(set(self.seen.values())) == len(self.seen)

    def _apply(self) -> None:
        self.ledger.open()
        try:
            self.world.apply()
        finally:
            self.ledger.close(self.wishes, self._names(), self.world.policy.max_concurrent)

    def _names(self) -> dict[str, str]:
        return {wanted.name: wanted.full_name for wanted in self.world.want.configurations}

    def _runs(self) -> list[dict[str, Any]]:
        return [run for run in self.world.server.executions if run["configurationName"] != FOREIGN]

    def _wish(self, name: str, **fields: object) -> None:
        self.wishes[name] = replace(self.wishes.get(name, Wish()), **fields)  # type: ignore[arg-type]
        self._push()

    def _push(self) -> None:
        """Render and push the specs as they are now."""
        data, made = dataset(content=self.content), template(document(self.image))
        runs, configurations = [], []
        for name, wish in self.wishes.items():
            wanted = configuration(name, {"rate": wish.rate}, data, made)
            if wish.reads:
                model = DesiredOutput(f"execution/{SCENARIO}/{wish.reads}", "model")
                wanted = replace(wanted, full_name="", inputs={**wanted.inputs, "modelin": model})
            configurations.append(wanted)
            until = wish.suspended_until
            run = execution(wanted, want=wish.want, retries=wish.retries, rerun_after=wish.rerun_after)
            runs.append(
                replace(
                    run,
                    suspend=Suspend(reason="Review", until=until) if until else None,
                    depends_on=tuple(f"execution/{SCENARIO}/{other}" for other in wish.after),
                )
            )
        shuffle = random.Random(self.order).shuffle
        shuffle(runs)
        shuffle(configurations)
        want = replace(
            desired([configuration(data=data, with_template=made)], runs, [made]),
            configurations=tuple(configurations),
            executions=tuple(runs),
        )
        self.world.change(want, content={"pictures": self.content})


def _outputs(status: str) -> list[str]:
    return ["model"] if status == "COMPLETED" else []


def _acts(change: Change) -> bool:
    return change.action is not Action.SYNC


def test_no_sequence_of_edits_faults_and_applies_does_harm() -> None:
    run_state_machine_as_test(
        Edits,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            phases=PHASES,
            report_multiple_bugs=False,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_a_run_of_yesterday_takes_a_place_of_max_concurrent(tmp_path: Path) -> None:
    """Found by the machine: it costs as much as one of today, until it ends."""
    policy = Policy(max_launches_per_apply=9, max_concurrent=1)
    world = World(tmp_path, desired([configuration("a", {"rate": "0.1"})]), policy=policy)
    world.apply()
    world.change(desired([configuration("a", {"rate": "0.2"})]))
    world.apply()
    assert len(world.server.executions) == 1
    assert [change.action for change in world.plan().changes] == [Action.WAIT]
    world.server.finish()
    world.apply()
    assert len(world.server.executions) == 2
