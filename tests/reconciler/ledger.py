"""What may be launched, worked out from what AI Core holds and from nothing else: a second opinion."""

from __future__ import annotations

import copy
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tests.reconciler.builders import SCENARIO
from tests.reconciler.fake import FakeAICore

ACTIVE = frozenset({"UNKNOWN", "PENDING", "RUNNING"})
FOREIGN = "by-hand"


@dataclass(frozen=True)
class Wish:
    """One execution of the spec, as its author thinks of it."""

    rate: str = "0.1"
    want: int = 1
    retries: int = 1
    rerun_after: datetime | None = None
    suspended_until: datetime | None = None
    after: tuple[str, ...] = ()  #: dependsOn
    protect: bool = False
    reads: str = ""  #: `from`: the execution whose model it reads


@dataclass
class Ledger:
    """Compares what a server holds before and after an apply."""

    server: FakeAICore
    _before: list[dict[str, Any]] = field(default_factory=list)

    def open(self) -> None:
        """An apply begins."""
        self._before = copy.deepcopy(self.server.executions)

    def close(self, wishes: dict[str, Wish], names: dict[str, str], limit: int) -> None:
        """It has ended, in whatever way: no run was started without a reason.

        `names`: what the configurations of the spec are called now, empty where that depends on a run.
        """
        now = self.server.clock.now()
        old = {run["id"] for run in self._before}
        started = Counter(run["configurationName"] for run in self.server.executions if run["id"] not in old)
        for name, count in started.items():
            wish = wishes.get(short(name))
            assert wish is not None, f"{name} is not wanted and was started"
            assert names[short(name)] in {name, ""}, f"{name} is of yesterday and was started"
            counted = since(self._before, name, wish)
            completed = sum(run["status"] == "COMPLETED" for run in counted)
            active = sum(run["configurationName"] == name and run["status"] in ACTIVE for run in self._before)
            failed = sum(run["status"] == "DEAD" for run in counted)
            assert count <= wish.want - completed - active, f"{name}: {count} started, {completed} completed"
            assert failed <= wish.retries, f"{name} has used up its retries"
            assert wish.rerun_after is None or wish.rerun_after <= now
            assert wish.suspended_until is None or wish.suspended_until <= now
            for needed in (*wish.after, *filter(None, [wish.reads])):
                assert self.has_completed(names[needed], wishes[needed]), (
                    f"{name} was started before {needed}"
                )
        under_way = sum(run["status"] in ACTIVE for run in self.server.executions if mine(run))
        before = sum(run["status"] in ACTIVE for run in self._before if mine(run))
        assert under_way <= max(limit, before), f"{under_way} under way at one time"

    def has_completed(self, full_name: str, wish: Wish) -> bool:
        """Whether the runs of that configuration which count have completed as often as is wanted."""
        runs = since(self.server.executions, full_name, wish)
        return bool(full_name) and sum(run["status"] == "COMPLETED" for run in runs) >= max(1, wish.want)

    def single(self) -> None:
        """Nothing exists twice: no configuration of one name, no artifact of one content."""
        names = Counter(c["name"] for c in self.server.configurations)
        urls = Counter(a["url"] for a in self.server.artifacts)
        assert max(names.values(), default=1) == 1, names
        assert max(urls.values(), default=1) == 1, urls
        assert len(self.server.applications) <= 2
        assert len(self.server.repositories) <= 1


def short(name: str) -> str:
    """The spec's name in a configuration's."""
    return name.rpartition("--")[0]


def mine(run: dict[str, Any]) -> bool:
    return FOREIGN not in str(run["configurationName"])


def since(runs: list[dict[str, Any]], name: str, wish: Wish) -> list[dict[str, Any]]:
    """Runs of a configuration that count.

    AI Core cuts `createdAt` to the second, and so is `rerunAfter` (docs/spec.md): a run that was created at
    06.5 says 06, and is none from before 06.5.
    """
    moment = wish.rerun_after and wish.rerun_after.replace(microsecond=0)
    return [
        run
        for run in runs
        if run["configurationName"] == name
        and (moment is None or datetime.fromisoformat(run["createdAt"]) >= moment)
    ]


def plant(server: FakeAICore) -> list[dict[str, Any]]:
    """Objects of somebody else in the same scenario; returns them."""
    artifact = dict(server.post("/lm/artifacts", _artifact()))
    bound = [{"key": "datain", "artifactId": artifact["id"]}]
    body = {
        "name": FOREIGN,
        "scenarioId": SCENARIO,
        "executableId": "digits",
        "parameterBindings": [{"key": "rate", "value": "0.1"}],
        "inputArtifactBindings": bound,
    }
    configuration = server.post("/lm/configurations", body)
    server.post("/lm/executions", {"configurationId": configuration["id"]})
    server.post("/lm/deployments", {"configurationId": configuration["id"]})
    other = {"applicationName": FOREIGN, "repositoryName": "other", "path": "p", "revision": "main"}
    server.post("/admin/applications", other | {"repositoryUrl": "elsewhere"})
    server.finish(only=FOREIGN)
    return foreign(server)


def foreign(server: FakeAICore) -> list[dict[str, Any]]:
    """A copy of everything that is somebody else's, as it is now."""
    runs = [*server.executions, *server.deployments]
    return copy.deepcopy(
        [item for item in [*server.artifacts, *server.configurations] if item["name"] == FOREIGN]
        + [item for item in runs if item["configurationName"] == FOREIGN]
        + [server.applications[FOREIGN]]
    )


def _artifact() -> dict[str, Any]:
    url = "ai://default/elsewhere"
    return {"name": FOREIGN, "kind": "dataset", "url": url, "scenarioId": SCENARIO, "labels": []}
