"""What is broken in the fault matrix: scenes that together send every request that an apply can send."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from generator.spec.operations import Policy, Prune
from reconciler.adminvalues import held_values, store_fields
from reconciler.aicore import AICoreWriter
from reconciler.apply import apply
from reconciler.deriving import _onboarding
from reconciler.desired import Desired
from reconciler.errors import ReconcilerError
from reconciler.events import Emitter
from reconciler.live import Live
from reconciler.onboard import Onboarder
from reconciler.plan import plan
from reconciler.plan_model import Plan, StageName
from tests.reconciler.builders import World, at_rest, configuration, desired
from tests.reconciler.stub import Stub, Wire
from tests.reconciler.test_onboard import MARKER, everything
from tests.reconciler.test_prune import pruning, wanting
from tests.reconciler.test_serving import measured, serving

PLENTY = Policy(max_launches_per_apply=100, max_concurrent=100, prune=Prune(max_percent=99))


class Scene:
    """An empty tenant, its AI Core behind HTTP, and the wire between, which can be broken."""

    def __init__(self, folder: Path, stub: Stub) -> None:
        self.world = World(folder, self.wanted(), policy=PLENTY, server=stub.server)
        self.stub = stub
        self.world.aicore = AICoreWriter(Wire(stub), stub.server.clock)
        self.prepare()
        self.before = len(stub.server.requests)

    def wanted(self) -> Desired:
        """The specs at the beginning: one dataset, one execution."""
        return desired([configuration()])

    def prepare(self) -> None:
        """What happens before the apply that is broken."""

    def plan(self) -> Plan:
        return self.world.plan()

    def carry_out(self) -> None:
        """One whole apply. Raises ReconcilerError."""
        self.world.apply()

    def rest(self) -> tuple[Any, ...]:
        """What AI Core holds in the end."""
        return at_rest(self.world)

    def requests(self) -> list[str]:
        """What the apply has sent."""
        return self.stub.server.requests[self.before :]

    def apply(self) -> tuple[int, str]:
        """Exit code and message of one apply."""
        try:
            self.carry_out()
            return int(self.plan().exit_code), ""
        except ReconcilerError as error:
            return error.exit_code, str(error)

    def converge(self) -> None:
        """The wire is whole again: one apply ends the work, and another finds nothing to do."""
        self.stub.wrong = None
        assert self.apply() == (0, "")
        assert self.plan().empty
        writes = list(self.world.server.writes)
        assert self.apply() == (0, "")
        assert self.world.server.writes == writes
        self.world.server.finish()


class Serving(Scene):
    """A model has been measured, and is to be served."""

    def wanted(self) -> Desired:
        return serving("a")

    def prepare(self) -> None:
        self.world.apply()
        measured(self.world, "a", 0.7)


class Promotion(Serving):
    """A better one has been measured."""

    def prepare(self) -> None:
        super().prepare()
        self.world.apply()
        self.world.server.serve()
        self.world.change(serving("a", "b"))
        self.world.apply()
        measured(self.world, "b", 0.9)


class Pruning(Scene):
    """Of three executions and a server only one execution is wanted; one of the others still runs."""

    def wanted(self) -> Desired:
        return serving("a", "b")

    def prepare(self) -> None:
        self.world.apply()
        measured(self.world, "a", 0.7)
        self.world.apply()
        self.world.server.serve("DEAD")
        self.world.change(wanting("1"))
        self.world.apply()
        (last,) = [run for run in self.world.server.executions if run["configurationName"].startswith("c1--")]
        self.world.server.finish(last["id"], outputs=["model"])
        self.world.server.start()

    def plan(self) -> Plan:
        allowed = pruning(self.world, limit=9, stop_running=True)
        return plan(self.world.want, self.world.observe(), PLENTY, (), allowed)

    def carry_out(self) -> None:
        for _ in range(2):  # what was stopped is deleted by the next apply
            world, live = self.world, self.world.observe()
            apply(self.plan(), world.want, live, world.aicore, world.place(), Emitter(world.server.clock))


class Administration(Scene):
    """A resource group, secrets, and a repository with credentials; then one of the values changes."""

    def wanted(self) -> Desired:
        self.environment = everything()
        return replace(
            desired(), onboarding=_onboarding(self.environment, "url", store_fields(self.environment))
        )

    def live(self) -> Live:
        world, want = self.world, self.world.want.onboarding
        live = world.observe()
        return replace(live, held=held_values(self.environment, world.root, want, live, MARKER))

    def plan(self) -> Plan:
        made = plan(self.world.want, self.live(), PLENTY)
        return replace(made, stages=tuple(s for s in made.stages if s.name is StageName.ONBOARD))

    def carry_out(self) -> None:
        world = self.world
        port = Onboarder(world.aicore, self.environment, world.root, world.server.clock, marker=MARKER)
        for change in self.plan().of(StageName.ONBOARD):
            port.carry_out(change)

    def rest(self) -> tuple[Any, ...]:
        server = self.world.server
        kept = (server.groups, server.store_secrets, server.docker_secrets, server.secrets)
        return (
            *(sorted((name, str(item.get("data"))) for name, item in of.items()) for of in kept),
            *at_rest(self.world),
        )


class Rotation(Administration):
    """Passwords and keys are others since."""

    def prepare(self) -> None:
        with pytest.MonkeyPatch.context() as patch:
            for name in ("D_PASS", "S3_SECRET"):
                patch.setenv(name, "an-earlier-one")
            self.carry_out()


def scenes() -> Iterator[type[Scene]]:
    """The order in which their requests come in the table."""
    yield from (Scene, Serving, Promotion, Pruning, Administration, Rotation)
