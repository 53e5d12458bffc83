"""A user's project against a real local AI Core: bare repository, clone, specs, data."""

from __future__ import annotations

import json
import subprocess
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from reconciler.session import Options, Session

CATALOG = Path(__file__).parent / "catalog"
SPEC = """\
apiVersion: corespec/v1
kind: Scenario
metadata: {{name: {name}, title: Stub}}
executables:
  {name}-x: {{workflow: stub-train, image: "docker.io/acme/stub:1", resourcePlan: starter}}
datasets:
  words: {{source: data, path: {name}/words}}
configurations:
  baseline: {{executable: {name}-x, inputs: {{datain: words}}, parameters: {{rate: 0.5}}}}
executions:
  baseline: {{configuration: baseline, retries: 1}}
"""
PLACE = """\
apiVersion: corespec/v1
kind: Environment
metadata: {{name: local}}
aiCore: {{connection: serviceKey, serviceKey: "file:{key}"}}
objectStores:
  default: {{type: directory, path: {data}/objects/default}}
git: {{url: {origin}, repository: {name}-git, application: {name}-app, publish: direct}}
"""


class QuickClock:
    """The machine's clock, on which waiting costs a twentieth of the time."""

    def __init__(self) -> None:
        self._skipped = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self._skipped

    def sleep(self, seconds: float) -> None:
        time.sleep(min(seconds / 20, 0.2))
        self._skipped += timedelta(seconds=seconds)


QUICK = Options(poll_seconds=2.0, sync_timeout=36000)
LAUNCH_ONLY = Options(wait=False, sync_timeout=36000)


@dataclass(frozen=True)
class Project:
    """One project; `name` keeps it apart from others on the same server."""

    root: Path
    name: str
    data: Path  #: the server's folder

    @property
    def clone(self) -> Path:
        return self.root / "project"

    @property
    def spec(self) -> Path:
        return self.clone / "specs" / "stub.yaml"

    def build(self, server: str) -> Project:
        """Write and push everything; `server`: base URL, that of a proxy perhaps."""
        key = json.loads((self.data / "service-key.json").read_text())
        key["url"], key["serviceurls"] = server, {"AI_API_URL": server}
        self.root.mkdir(parents=True, exist_ok=True)
        (self.root / "key.json").write_text(json.dumps(key))
        origin = self.root / "origin.git"
        self._git("init", "--quiet", "--bare", "--initial-branch=main", str(origin), cwd=self.root)
        self._git("init", "--quiet", "--initial-branch=main", str(self.clone), cwd=self.root)
        self._git("remote", "add", "origin", str(origin))
        (self.clone / "specs" / "environments").mkdir(parents=True)
        (self.clone / "data").mkdir()
        (self.clone / "data" / "word.txt").write_text("word\n")
        self.spec.write_text(SPEC.format(name=self.name))
        place = PLACE.format(key=self.root / "key.json", data=self.data, origin=origin, name=self.name)
        (self.clone / "specs" / "environments" / "local.yaml").write_text(place)
        self.push("Begin")
        return self

    def edit(self, before: str, after: str) -> None:
        text = self.spec.read_text()
        assert before in text
        self.spec.write_text(text.replace(before, after))
        self.push(f"Change {before}")

    def push(self, message: str) -> None:
        self._git("add", "specs")
        self._git("commit", "--quiet", "--message", message)
        self._git("push", "--quiet", "origin", "main")

    def session(self) -> Session:
        return Session(self.clone, "local", (CATALOG,), clock=QuickClock(), lock_folder=self.root / "locks")

    def publish(self) -> Project:
        """Bring rendered/ to the branch."""
        session = self.session()
        bench = session.bench()
        session.checkout(bench).publish(bench.rendered)
        return self

    def propose(self) -> None:
        """From now on what is rendered has to be merged by somebody."""
        path = self.clone / "specs" / "environments" / "local.yaml"
        path.write_text(path.read_text().replace("publish: direct", "publish: pull-request"))
        self.push("Ask for review")

    def heads(self) -> dict[str, str]:
        """Commit of each branch on the server."""
        lines = self._git("ls-remote", "--heads", "origin").splitlines()
        return {
            name.removeprefix("refs/heads/"): commit
            for commit, _, name in (one.partition("\t") for one in lines)
        }

    def merge(self, branch: str) -> None:
        """Somebody accepts a pull request, elsewhere."""
        reviewer = self.root / "reviewer"
        self._git("clone", "--quiet", str(self.root / "origin.git"), str(reviewer), cwd=self.root)
        self._git("merge", "--quiet", "--no-edit", f"origin/{branch}", cwd=reviewer)
        self._git("push", "--quiet", "origin", "main", cwd=reviewer)

    def _git(self, *arguments: str, cwd: Path | None = None) -> str:
        done = subprocess.run(
            ["git", *arguments], cwd=cwd or self.clone, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()
