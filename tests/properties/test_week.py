"""A week of the daemon on simulated time: edits, failures, deaths and restarts, and nothing that grows.

2,000 rounds with Git, files and locks as they are, over an AI Core in memory; 200 over the local AI Core,
whose own threads and files are in this process. `CORESPEC_WEEK` sets the number of rounds of the first.
"""

from __future__ import annotations

import gc
import io
import json
import os
import random
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from types import SimpleNamespace
from typing import Any, Protocol

import pytest

from corespec.project import read_environment
from reconciler import connection, history
from reconciler.daemon import Daemon, Settings
from reconciler.journal import Journal
from reconciler.loop import Bell, DaemonClock, Loop
from reconciler.session import Session
from tests.properties.core import Core
from tests.properties.site import CATALOG, LAUNCH_ONLY, Site
from tests.reconciler.fake import FAULTS, FakeAICore, FakeClock, KilledError
from tests.reconciler.ledger import ACTIVE, Wish

pytestmark = pytest.mark.long

ROUNDS = int(os.environ.get("CORESPEC_WEEK", "2000"))
#: Bytes at which the event log is turned over here: small, so that a week fills it several times.
LOG_BYTES = 40_000


class SimulatedClock(DaemonClock):
    """Nobody waits: time goes on by what would have been waited."""

    def __init__(self, bell: Bell, clock: FakeClock) -> None:
        self._simulated = clock
        super().__init__(bell, clock)

    def monotonic(self) -> float:
        return self._simulated.now().timestamp()

    def wait(self, seconds: float) -> None:
        self.alive = self.monotonic()
        self._simulated.sleep(max(seconds, 0.001))


class MemoryCore(FakeAICore):
    """AI Core in memory that syncs what is pushed; old runs are removed, as somebody would in a year."""

    def __init__(self, origin: Path, clock: FakeClock) -> None:
        super().__init__(clock=clock)
        self._origin = origin

    @property
    def head(self) -> str:
        return (self._origin / "refs" / "heads" / "main").read_text().strip()

    @head.setter
    def head(self, value: str) -> None:
        """What is pushed decides."""

    def end(self, execution: str, status: str) -> None:
        self.finish(execution, status)

    def tidy(self) -> None:
        """The last run of each configuration is kept, and the log of requests forgotten."""
        last = {run["configurationName"]: run for run in self.executions}
        self.executions[:] = [
            run for run in self.executions if run["status"] in ACTIVE or run in last.values()
        ]
        self.artifacts[:] = [a for a in self.artifacts if a["kind"] == "dataset"]
        self.requests.clear()


class Keyed:
    """What a project needs to know of an AI Core in memory: a service key, and a place for data."""

    def __init__(self, root: Path) -> None:
        self.home = SimpleNamespace(root=root, objects=root / "objects")
        root.mkdir()
        key = {"clientid": "i", "clientsecret": "s", "url": "http://ai.example"}
        text = json.dumps(key | {"serviceurls": {"AI_API_URL": "http://ai.example"}})
        (root / "service-key.json").write_text(text)


class Server(Protocol):
    """What a week needs of an AI Core, in memory or local."""

    @property
    def executions(self) -> list[dict[str, Any]]: ...

    def end(self, execution: str, status: str) -> None: ...

    def tidy(self) -> None: ...


@dataclass(frozen=True)
class Sample:
    """What a process and its state hold after a round."""

    objects: int  #: of Python
    resident: int  #: bytes of memory
    files: int  #: open ones
    threads: int
    on_disk: int  #: bytes of working files

    @classmethod
    def take(cls, *folders: Path) -> Sample:
        gc.collect()
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        files = (path for folder in folders for path in folder.rglob("*") if path.is_file())
        return cls(
            objects=len(gc.get_objects()),
            resident=pages * os.sysconf("SC_PAGESIZE"),
            files=len(list(Path("/proc/self/fd").iterdir())),
            threads=threading.active_count(),
            on_disk=sum(path.stat().st_size for path in files),
        )


@dataclass
class Week:
    """A daemon for so many rounds. What happens before each is drawn."""

    site: Site
    server: Server
    clock: FakeClock
    rounds: int
    chance: random.Random = field(default_factory=lambda: random.Random(7))
    endings: Counter[str] = field(default_factory=Counter)
    happened: Counter[str] = field(default_factory=Counter)
    quiet: list[int] = field(default_factory=list)  #: requests of the rounds with nothing to do
    samples: list[Sample] = field(default_factory=list)
    done: int = 0
    clean: bool = True  #: nothing has happened since the last round

    def live(self) -> None:
        """Lives of the process, one after the other, until the rounds are done."""
        self.site.write()
        while self.done < self.rounds:
            self.happened["start"] += 1
            try:
                self._life()
            except KilledError:
                self.happened["kill"] += 1
                self.site.wire.fault = None

    def _life(self) -> None:
        bell, site = Bell(), self.site
        clock = SimulatedClock(bell, self.clock)
        locks = site.root / "state" / "locks"
        session = Session(site.clone, "local", (CATALOG,), clock=clock, lock_folder=locks)
        self.log = io.StringIO()
        daemon = Daemon(
            session,
            lambda: read_environment(site.clone, "local"),
            Settings(LAUNCH_ONLY),
            bell,
            clock,
            Journal(self.log, "json", clock),
        )
        Loop(lambda: self._round(daemon, bell), daemon.pace, bell, clock, self.chance.random).run()
        daemon.close()

    def _round(self, daemon: Daemon, bell: Bell) -> Any:
        self._happen(bell)
        wire, before = self.site.wire, len(self.site.wire.sent)
        self.done += 1
        ended = daemon.round()
        self.endings[ended.ending.value] += 1
        if self.clean and ended.ending.value == "ok" and "0 done" in self.log.getvalue():
            self.quiet.append(len(wire.sent) - before)
        wire.sent.clear()
        wire.fault, self.clean = None, True
        self.log.seek(0)
        self.log.truncate()
        self.server.tidy()
        if self.done % max(1, self.rounds // 24) == 0:
            self.samples.append(Sample.take(self.site.clone / ".corespec", self.site.root / "state"))
        if self.done >= self.rounds:
            bell.stop()
        return ended

    def _happen(self, bell: Bell) -> None:
        """What people and machines do between two rounds."""
        if self.site.broken:
            self.site.broken, self.clean = False, False
            self.site.write()
        every: dict[str, tuple[float, Callable[[], None]]] = {
            "edit": (0.05, self._edit),
            "rerun": (0.01, self._rerun),
            "broken spec": (0.005, self._break),
            "run ends": (0.3, self._end),
            "fault": (0.05, self._fault),
            "call": (0.05, bell.call),
            "stop": (0.004, bell.stop),
        }
        for name, (likely, happen) in every.items():
            if self.chance.random() < likely:
                self.happened[name] += 1
                self.clean = self.clean and name in {"call", "stop"}
                happen()

    def _edit(self) -> None:
        """One of twelve contents."""
        chance, spec = self.chance, self.site.spec
        spec.wishes = {"a": Wish(rate=str(chance.randint(1, 3)))}
        if chance.random() < 0.5:
            spec.wishes["b"] = Wish(rate=str(chance.randint(1, 2)), after=("a",))
        spec.image = chance.choice("12")
        self.site.write(chance.randint(1, 10**6))

    def _rerun(self) -> None:
        name, wish = self.chance.choice(sorted(self.site.spec.wishes.items()))
        moved = Wish(rate=wish.rate, after=wish.after, rerun_after=self.clock.now())
        self.site.spec.wishes[name] = moved
        self.site.write()

    def _break(self) -> None:
        """Somebody pushes what cannot be read; it is mended before the round after the next."""
        self.site.broken = True
        self.site.write()

    def _end(self) -> None:
        for run in self.server.executions:
            if run["status"] in ACTIVE:
                self.server.end(run["id"], "DEAD" if self.chance.random() < 0.2 else "COMPLETED")

    def _fault(self) -> None:
        self.site.wire.fault = FAULTS[self.chance.choice(sorted(FAULTS))]
        self.site.wire.fault_at = self.chance.randint(0, 12)


def nothing_grows(week: Week) -> None:
    """The second half of the week ends as it began."""
    half = week.samples[len(week.samples) // 2 :]
    early, late = half[: len(half) // 2], half[len(half) // 2 :]

    def grown(what: Callable[[Sample], int]) -> float:
        return median(map(what, late)) - median(map(what, early))

    assert grown(lambda sample: sample.files) <= 0
    assert grown(lambda sample: sample.threads) <= 0
    assert grown(lambda sample: sample.objects) < 0.01 * half[0].objects
    assert grown(lambda sample: sample.resident) < 4_000_000
    assert max(sample.on_disk for sample in half) < 3 * LOG_BYTES
    requests_stay_as_few(week)


def requests_stay_as_few(week: Week) -> None:
    half = len(week.quiet) // 2
    assert half > week.rounds // 8
    assert max(week.quiet[half:]) <= max(week.quiet[:half])


@pytest.mark.timeout(1800)
def test_a_week(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With `-s` it shows what happened, and what the process held after a quarter, a half and all of it."""
    monkeypatch.setattr(history, "LOG_BYTES", LOG_BYTES)
    clock = FakeClock()
    server = MemoryCore(tmp_path / "origin.git", clock)
    site = Site(tmp_path, Keyed(tmp_path / "core"))  # type: ignore[arg-type]
    monkeypatch.setattr(connection, "Transport", lambda client: site.wire.through(server))
    week = Week(site, server, clock, ROUNDS)
    began = clock.now()
    week.live()
    quarters = [week.samples[len(week.samples) * quarter // 4 - 1] for quarter in (1, 2, 4)]
    print(dict(week.happened), dict(week.endings), *quarters, max(week.quiet), sep="\n")
    nothing_grows(week)
    assert (clock.now() - began).days >= 5 * ROUNDS // 2000
    assert min(week.happened.values()) > 0
    assert week.endings["ok"] > 0.8 * ROUNDS
    assert week.endings["terminal"] > 0, "broken specs"


@pytest.mark.timeout(900)
def test_some_hours_over_the_local_ai_core(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same, with the requests on a wire: no more of them, nothing on disk, nothing twice."""
    monkeypatch.setattr(history, "LOG_BYTES", LOG_BYTES)
    core = site.core
    monkeypatch.setattr(Core, "tidy", lambda self: self.requests.clear(), raising=False)
    week = Week(site, core, core.clock, 200)  # type: ignore[arg-type]  # tidy was added
    week.live()
    requests_stay_as_few(week)
    assert max(sample.on_disk for sample in week.samples) < 3 * LOG_BYTES
    assert min(week.happened.values()) > 0
    moved = week.happened["rerun"]
    runs = Counter(run["configurationName"] for run in core.executions if run["status"] == "COMPLETED")
    assert sum(runs.values()) <= len(runs) + moved, "no content has completed twice without being asked to"
