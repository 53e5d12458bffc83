"""A user's project against the local AI Core of this process, and the wire between, which can be broken."""

from __future__ import annotations

import random
import shutil
import subprocess
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from reconciler import connection
from reconciler.aicore import Headers, Pipe
from reconciler.plan_model import Plan
from reconciler.prune import Permission
from reconciler.session import Options, Result, Session
from reconciler.transport import RestClient, Transport
from tests.properties.core import Core
from tests.properties.specs import Data, shuffled, spelled
from tests.reconciler.fake import Fault
from tests.reconciler.ledger import Wish

CATALOG = Path(__file__).parent / "catalog"
SCENARIO, OTHER = "meters", "gauges"
READER, SWEEP, SERVER = "reader", "sweep", "server"
#: The execution of the other scenario.
GAUGE = "gauge"
METRIC = "mAP/allClasses"
LAUNCH_ONLY = Options(wait=False, sync_timeout=36000)


@dataclass
class Spec:
    """What the specs say, as their author thinks of it."""

    wishes: dict[str, Wish] = field(default_factory=lambda: {"a": Wish()})
    rates: tuple[str, ...] = ()  #: of the sweep; empty: there is none
    parallel: int | None = None  #: maxParallel of the sweep
    gauges: bool = False  #: whether there is another scenario
    content: str = "one"
    image: str = "1"
    server_image: str = "1"
    at_least: float | None = None  #: for the model server; None: there is none
    served_by_hand: datetime | None = None  #: the server is suspended until then
    concurrent: int = 4
    launches: int = 100

    def all_wishes(self) -> dict[str, Wish]:
        """Every execution by its name, a sweep's children too."""
        found = dict(self.wishes)
        found |= {f"{SWEEP}.rate-{rate}": Wish(rate=rate) for rate in self.rates}
        return found | ({GAUGE: Wish()} if self.gauges else {})

    def needed(self) -> set[str]:
        """Names that others refer to."""
        found = {name for wish in self.wishes.values() for name in (*wish.after, wish.reads) if name}
        return found | ({"a"} if self.at_least is not None else set())

    def documents(self) -> dict[str, Data]:
        """The scenarios by name."""
        made = {SCENARIO: self._meters()}
        return made | ({OTHER: _scenario(OTHER, self.image, {GAUGE: Wish()})} if self.gauges else {})

    def _meters(self) -> Data:
        made = _scenario(SCENARIO, self.image, self.wishes)
        if self.rates:
            made["configurations"][SWEEP] = {
                "executable": f"{SCENARIO}-train",
                "inputs": {"datain": "pictures"},
                "matrix": {"rate": [float(rate) for rate in self.rates]},
            }
            limit = {"maxParallel": self.parallel} if self.parallel else {}
            made["executions"][SWEEP] = {"configuration": SWEEP, "retries": 1, **limit}
        if self.at_least is not None:
            image = f"docker.io/acme/server:{self.server_image}"
            made["executables"]["meters-serve"] = _executable("digits-serve", image, "infer.s")
            of = ["a", SWEEP] if self.rates else ["a"]
            best = {"of": of, "metric": METRIC, "atLeast": self.at_least}
            made["deployments"] = {
                SERVER: {
                    "executable": "meters-serve",
                    "inputs": {"models": {"best": best}},
                    **_suspend(self.served_by_hand),
                }
            }
        return made


def _scenario(name: str, tag: str, wishes: Mapping[str, Wish]) -> Data:
    image = f"docker.io/acme/digits:{tag}"
    made: Data = {
        "apiVersion": "corespec/v1",
        "kind": "Scenario",
        "metadata": {"name": name, "title": "Digits"},
        "executables": {f"{name}-train": _executable("digits-train", image, "starter")},
        "datasets": {"pictures": {"source": "data", "path": f"{name}/pictures"}},
        "configurations": {},
        "executions": {},
    }
    for label, wish in wishes.items():
        executable, inputs = f"{name}-train", {"datain": "pictures"}
        if wish.reads:
            executable = f"{name}-refine"
            made["executables"][executable] = _executable("digits-refine", image, "starter")
            inputs |= {"modelin": {"from": f"{wish.reads}.model"}}  # type: ignore[dict-item]
        parameters = {"rate": float(wish.rate)}
        made["configurations"][label] = {
            "executable": executable,
            "inputs": inputs,
            "parameters": parameters,
        }
        made["executions"][label] = _execution(label, wish)
    return made


def _executable(workflow: str, image: str, plan: str) -> Data:
    return {"workflow": workflow, "image": image, "resourcePlan": plan}


def _execution(name: str, wish: Wish) -> Data:
    rerun = {"rerunAfter": wish.rerun_after.isoformat()} if wish.rerun_after else {}
    after = {"dependsOn": list(wish.after)} if wish.after else {}
    made = {"configuration": name, "want": wish.want, "retries": wish.retries}
    protect = {"protect": True} if wish.protect else {}
    return made | rerun | after | protect | _suspend(wish.suspended_until)


def _suspend(until: datetime | None) -> Data:
    return {"suspend": {"reason": "Review", "until": until.isoformat()}} if until else {}


class Wire:
    """Counts the requests of the reconciler; the one at `fault_at` goes wrong."""

    def __init__(self) -> None:
        self.fault: Fault | None = None
        self.fault_at = 0
        self.sent: list[str] = []
        self._lock = threading.Lock()

    def carry(self, request: str, act: Callable[[], Any]) -> Any:
        with self._lock:
            hit = self.fault is not None and len(self.sent) == self.fault_at
            self.sent.append(request)
        if hit and self.fault is not None:
            if self.fault.acted:
                act()
            raise self.fault.error()
        return act()

    def transport(self, client: RestClient) -> _Wired:
        return self.through(Transport(client))

    def through(self, real: Pipe) -> _Wired:
        return _Wired(self, real)


@dataclass
class _Wired:
    """A transport that goes by a wire."""

    wire: Wire
    real: Pipe

    def get(self, path: str, params: Data | None = None, headers: Headers | None = None) -> Any:
        return self.wire.carry(f"GET {path}", lambda: self.real.get(path, params, headers))

    def post(self, path: str, body: Mapping[str, Any], headers: Headers | None = None) -> Any:
        return self.wire.carry(f"POST {path}", lambda: self.real.post(path, body, headers))

    def patch(self, path: str, body: Mapping[str, Any], headers: Headers | None = None) -> Any:
        return self.wire.carry(f"PATCH {path}", lambda: self.real.patch(path, body, headers))

    def delete(self, path: str) -> Any:
        return self.wire.carry(f"DELETE {path}", lambda: self.real.delete(path))


class Site:
    """One project: bare repository, clone, data. What is written is committed and pushed."""

    def __init__(self, root: Path, core: Core) -> None:
        self.root, self.core, self.wire = root, core, Wire()
        self.clone = root / "project"
        self.spec = Spec()
        self.letters = "ab"  #: the first ones of the scenarios' files
        self.pushed = False
        self.stores: Data = {}  #: object stores besides the default one
        self.more: Data = {}  #: added to the environment
        self.broken = False  #: what is written cannot be read
        origin = root / "origin.git"
        self._git("init", "--quiet", "--bare", "--initial-branch=main", str(origin), cwd=root)
        self._git("init", "--quiet", "--initial-branch=main", str(self.clone), cwd=root)
        self._git("remote", "add", "origin", str(origin))
        (self.clone / "specs" / "environments").mkdir(parents=True)
        (self.clone / "data").mkdir()

    def wired(self, patch: pytest.MonkeyPatch) -> None:
        """From now on every request of a session goes by the wire."""
        patch.setattr(connection, "Transport", self.wire.transport)

    def write(self, order: int = 0) -> None:
        """Write everything; `order` chooses the order of keys, spelling and remarks."""
        chance = random.Random(order)
        for old in (self.clone / "specs").glob("*.yaml"):
            old.unlink()
        for letter, (name, document) in zip(self.letters, self.spec.documents().items(), strict=False):
            self._spell(f"{letter}-{name}.yaml", document, chance)
        self._spell("environments/local.yaml", self._environment(), chance)
        if self.broken:
            (self.clone / "specs" / f"{self.letters[0]}-{SCENARIO}.yaml").write_text("kind: [")
        (self.clone / "data" / "a.txt").write_text(self.spec.content)
        self._git("add", "--all", "specs")
        self._git("commit", "--quiet", "--allow-empty", "--message", "Edit")
        if self.pushed:
            self._git("pull", "--quiet", "--rebase", "origin", "main")  # what others have rendered
        self._git("push", "--quiet", "origin", "HEAD:main")
        self.pushed = True

    def _spell(self, path: str, document: Data, chance: random.Random) -> None:
        remark = f"# {chance.random()}\n" if chance.random() < 0.5 else ""
        (self.clone / "specs" / path).write_text(remark + spelled(shuffled(document, chance), chance))

    def _environment(self) -> Data:
        objects = str(self.core.home.objects / "default")
        return {
            "apiVersion": "corespec/v1",
            "kind": "Environment",
            "metadata": {"name": "local"},
            "aiCore": {"connection": "local", "data": str(self.core.home.root)},
            "objectStores": {"default": {"type": "directory", "path": objects}, **self.stores},
            "git": {
                "url": str(self.root / "origin.git"),
                "repository": "digits-git",
                "application": "digits-app",
                "publish": "direct",
            },
            "policy": {
                "maxLaunchesPerApply": self.spec.launches,
                "maxConcurrent": self.spec.concurrent,
            },
            **self.more,
        }

    def session(self) -> Session:
        """A process that has just been started, as far as its memory goes."""
        return Session(
            self.clone, "local", (CATALOG,), clock=self.core.clock, lock_folder=self.root / "locks"
        )

    def plan(self) -> Plan:
        return self.session().plan()

    def reconcile(self, prune: Permission | None = None) -> Result:
        """The whole way from the branch to AI Core, without waiting for runs."""
        return self.session().reconcile_once(replace(LAUNCH_ONLY, prune=prune))

    def names(self) -> dict[str, str]:
        """What the configurations of the specs are called; empty where that depends on a run."""
        wanted = self.session().bench().desired.configurations
        return {one.name: one.full_name for one in wanted}

    def clone_for(self, writer: str) -> Path:
        """A clone of what is pushed, in which nobody edits."""
        place = self.root / writer
        self._git("clone", "--quiet", str(self.root / "origin.git"), str(place), cwd=self.root)
        shutil.copytree(self.clone / "data", place / "data")
        return place

    def _git(self, *arguments: str, cwd: Path | None = None) -> None:
        subprocess.run(["git", *arguments], cwd=cwd or self.clone, check=True, capture_output=True)
