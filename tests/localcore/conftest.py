"""A real server process, a real Git repository, and the unmodified official SDK as client."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest
import requests
import yaml
from ai_api_client_sdk.ai_api_v2_client import AIAPIV2Client
from ai_core_sdk.ai_core_v2_client import AICoreV2Client
from ai_core_sdk.models import Artifact, InputArtifactBinding, ParameterBinding, Status

T = TypeVar("T")
FINAL = {Status.COMPLETED, Status.DEAD, Status.STOPPED}
SCENARIO = "demo"


def wait_for(check: Callable[[], T | None], seconds: float = 20.0, what: str = "the condition") -> T:
    """Ask again and again until the answer is true; fail after `seconds`."""
    deadline, pause = time.monotonic() + seconds, threading.Event()
    while time.monotonic() < deadline:
        found = check()
        if found:
            return found
        pause.wait(0.02)
    pytest.fail(f"{what} did not come true within {seconds} s")


def template(
    name: str, templates: list[dict[str, Any]], *, parameters: list[dict[str, str]] | None = None, **spec: Any
) -> dict[str, Any]:
    """A WorkflowTemplate with AI Core's mandatory labels and annotations.

    The first template is the entrypoint.
    """
    labels = {"scenarios.ai.sap.com/id": SCENARIO, "ai.sap.com/version": "1.0.0"}
    annotations = {"scenarios.ai.sap.com/name": "Demo", "executables.ai.sap.com/name": name.title()}
    arguments = {"parameters": parameters or []}
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "WorkflowTemplate",
        "metadata": {"name": name, "labels": labels, "annotations": annotations},
        "spec": {"entrypoint": templates[0]["name"], "arguments": arguments, "templates": templates, **spec},
    }


def serving(
    name: str, spec: str, *, parameters: list[dict[str, str]] | None = None, artifacts: tuple[str, ...] = ()
) -> dict[str, Any]:
    """A ServingTemplate with AI Core's mandatory labels and annotations; `spec` with its placeholders."""
    found = template(name, [shell("unused", "true")])
    inputs = {"parameters": parameters or [], "artifacts": [{"name": name} for name in artifacts]}
    inner = {
        "apiVersion": "serving.kserve.io/v1beta1",
        "metadata": {
            "annotations": "autoscaling.knative.dev/target: 1\n",
            "labels": "ai.sap.com/resourcePlan: starter\n",
        },
        "spec": spec,
    }
    return found | {
        "apiVersion": "ai.sap.com/v1alpha1",
        "kind": "ServingTemplate",
        "spec": {"inputs": inputs, "template": inner},
    }


def shell(name: str, line: str, **fields: Any) -> dict[str, Any]:
    """A container template that runs a shell line."""
    body = {"image": "docker.io/acme/image:1", "command": ["/bin/sh", "-c"], "args": [line]}
    body |= {
        key: fields.pop(key) for key in ("env", "envFrom", "volumeMounts", "workingDir") if key in fields
    }
    return {"name": name, "container": body, **fields}


class GitOps:
    """A Git repository that localcore syncs from."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(parents=True)
        self.git("init", "--quiet", "--initial-branch=main")
        self.write("templates/README.md", "templates")

    def git(self, *arguments: str) -> str:
        identity = [
            "-c",
            "user.name=test",
            "-c",
            "user.email=test@example.invalid",
            "-c",
            "commit.gpgsign=false",
        ]
        done = subprocess.run(
            ["git", *identity, *arguments], cwd=self.root, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def commit(self) -> str:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", "change")
        return self.git("rev-parse", "HEAD")

    def write(self, path: str, content: str | dict[str, Any]) -> str:
        """Write a file and commit; returns the revision."""
        place = self.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(content if isinstance(content, str) else yaml.safe_dump(content), encoding="utf-8")
        return self.commit()

    def remove(self, path: str) -> str:
        (self.root / path).unlink()
        return self.commit()


class Core:
    """A server on a data folder, and its clients."""

    def __init__(self, data: Path, *options: str) -> None:
        self.data = data
        self.options = options
        self.process: subprocess.Popen[str] | None = None
        self.environment = dict(os.environ)

    def start(self) -> Core:
        command = [sys.executable, "-m", "localcore", "--data", str(self.data), "--grace", "2", *self.options]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=self.environment
        )
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        if not self.process.stdout.readline():
            pytest.fail(f"the server did not start: {self.process.stderr.read()}")
        wait_for(lambda: requests.get(f"{self.url}/ready", timeout=5).ok, what="readiness")
        return self

    @property
    def key(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.data / "service-key.json").read_text())
        return found

    @property
    def url(self) -> str:
        return str(self.key["url"])

    def _credentials(self) -> dict[str, str]:
        key = self.key
        return {
            "auth_url": key["url"] + "/oauth/token",
            "client_id": key["clientid"],
            "client_secret": key["clientsecret"],
        }

    def client(self, resource_group: str = "default") -> AICoreV2Client:
        return AICoreV2Client(base_url=f"{self.url}/v2", resource_group=resource_group, **self._credentials())

    def plain_client(self) -> AIAPIV2Client:
        """The client that also knows schedules and healthz."""
        return AIAPIV2Client(base_url=f"{self.url}/v2/lm", resource_group="default", **self._credentials())

    def http(self, method: str, path: str, **options: Any) -> requests.Response:
        """A raw request with a token."""
        form = {"grant_type": "client_credentials", "client_id": self.key["clientid"]}
        form["client_secret"] = self.key["clientsecret"]
        token = requests.post(f"{self.url}/oauth/token", data=form, timeout=10).json()["access_token"]
        headers = {
            "Authorization": f"Bearer {token}",
            "AI-Resource-Group": "default",
            **options.pop("headers", {}),
        }
        return requests.request(method, self.url + path, headers=headers, timeout=30, **options)

    def kill(self) -> None:
        """kill -9, as a crash would."""
        assert self.process is not None
        self.process.kill()
        self._gone()

    def terminate(self) -> int:
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self._gone()

    def _gone(self) -> int:
        assert self.process is not None
        code = self.process.wait(30)
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()
        return code

    # what most tests need

    def sync(self, gitops: GitOps, name: str = "templates") -> None:
        """On-board the repository once and wait until its newest revision is synced."""
        client, revision = self.client(), gitops.git("rev-parse", "HEAD")
        if not any(found.name == name for found in client.repositories.query().resources):
            client.repositories.create(name=name, url=str(gitops.root), username="user", password="password")
            client.applications.create(
                revision="main", path="templates", application_name=name, repository_name=name
            )
        client.applications.refresh(name)
        wait_for(
            lambda: client.applications.get_status(name).source.revision == revision,
            what=f"sync of {revision}",
        )

    def put(self, path: str, content: str) -> str:
        """Store an object; returns the URL of its folder."""
        place = self.data / "objects" / "default" / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(content, encoding="utf-8")
        return f"ai://default/{Path(path).parent}"

    def configure(
        self, executable: str, parameters: dict[str, str] | None = None, inputs: dict[str, str] | None = None
    ) -> str:
        """A configuration for input artifacts given by URL."""
        client = self.client()
        bindings = []
        for key, url in (inputs or {}).items():
            artifact = client.artifact.create(
                name=key, kind=Artifact.Kind.DATASET, url=url, scenario_id=SCENARIO
            )
            bindings.append(InputArtifactBinding(key, artifact.id))
        created = client.configuration.create(
            name=f"{executable} configuration",
            scenario_id=SCENARIO,
            executable_id=executable,
            parameter_bindings=[ParameterBinding(key, value) for key, value in (parameters or {}).items()],
            input_artifact_bindings=bindings,
        )
        return str(created.id)

    def execute(
        self, executable: str, parameters: dict[str, str] | None = None, inputs: dict[str, str] | None = None
    ) -> str:
        configuration = self.configure(executable, parameters, inputs)
        return str(self.client().execution.create(configuration).id)

    def finished(self, execution_id: str, seconds: float = 30.0) -> Any:
        """The execution once it has a final state."""
        client = self.client()

        def check() -> Any:
            found = client.execution.get(execution_id)
            return found if found.status in FINAL else None

        return wait_for(check, seconds, f"the end of {execution_id}")

    def lines(self, execution_id: str) -> list[str]:
        return [line.msg for line in self.client().execution.query_logs(execution_id).data.result]

    def reaches(self, execution_id: str, status: Status) -> None:
        client = self.client()
        wait_for(
            lambda: client.execution.get(execution_id).status == status, what=f"{status} of {execution_id}"
        )


def processes_of(execution_id: str) -> list[int]:
    """Living processes of an execution, by the variable that each of them inherits."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            environment = (entry / "environ").read_bytes()
            state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if f"AICORE_EXECUTION_ID={execution_id}".encode() in environment.split(b"\0") and state != "Z":
            found.append(int(entry.name))
    return found


class Support:
    """The helpers of this folder, as one fixture."""

    template = staticmethod(template)
    serving = staticmethod(serving)
    shell = staticmethod(shell)
    wait_for = staticmethod(wait_for)
    processes_of = staticmethod(processes_of)
    GitOps = GitOps
    Core = Core
    scenario = SCENARIO


@pytest.fixture(scope="session")
def support() -> type[Support]:
    return Support


@pytest.fixture(scope="module")
def core(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Core]:
    """A server for a whole module; several executions at once, Git looked at on demand only.

    Its folder has a name that a shell would split, so every test of a workflow proves that none does.
    """
    options = ("--max-running", "4", "--sync-interval", "3600")
    found = Core(tmp_path_factory.mktemp("core") / "core's data", *options).start()
    yield found
    found.terminate()


@pytest.fixture(scope="module")
def gitops(tmp_path_factory: pytest.TempPathFactory) -> GitOps:
    return GitOps(tmp_path_factory.mktemp("gitops") / "repository")


@pytest.fixture
def own_core(tmp_path: Path) -> Iterator[Core]:
    """A server that one test may kill; not started yet."""
    found = Core(tmp_path / "data", "--max-running", "1", "--sync-interval", "3600")
    yield found
    if found.process is not None and found.process.poll() is None:
        found.terminate()


@pytest.fixture
def own_gitops(tmp_path: Path) -> GitOps:
    return GitOps(tmp_path / "repository")


@contextmanager
def _within(seconds: float) -> Iterator[None]:
    """The block takes at most `seconds` of this process's own time.

    What others do on the machine does not count.
    """
    before = time.process_time()
    yield
    spent = time.process_time() - before
    assert spent <= seconds, f"took {spent:.2f} s of processor time, more than {seconds} s"


@pytest.fixture
def benchmark_seconds() -> Callable[[float], AbstractContextManager[None]]:
    return _within
