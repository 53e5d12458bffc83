"""Deployments, driven by the official SDK: real servers as processes, reached through the inference path."""

from __future__ import annotations

import base64
import json
import os
import signal
import socket
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests
from ai_api_client_sdk.models.base_models import BasicModifyRequest
from ai_core_sdk.exception import (
    AIAPIInvalidRequestException,
    AIAPINotFoundException,
    AIAPIPreconditionFailedException,
)
from ai_core_sdk.models import Artifact, InputArtifactBinding, ParameterBinding, Status, TargetStatus

SERVER = """
import http.server, json, os, pathlib, sys, time
port, host, models = int(sys.argv[1]), sys.argv[2], pathlib.Path(sys.argv[3])
greeting = os.environ["GREETING"]
if greeting == "refuse":
    sys.exit("this greeting is not for me")

class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if gate := self.headers.get("X-Gate"):
            pathlib.Path(gate + ".begun").touch()
            while not os.path.exists(gate):
                time.sleep(0.02)
        if self.path == "/crash":
            os._exit(3)
        if self.path == "/stream":
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for piece in (b"one", b"two"):
                self.wfile.write(b"%x\\r\\n%s\\r\\n" % (len(piece), piece))
            self.wfile.write(b"0\\r\\n\\r\\n")
            return
        told = {
            "method": self.command, "path": self.path, "bytes": len(body), "greeting": greeting,
            "model": sorted(p.name for p in models.iterdir()), "pid": os.getpid(), "host": host,
            "headers": sorted(name.lower() for name in self.headers), "token": os.environ["TOKEN"],
        }
        content = json.dumps(told).encode()
        self.send_response(418 if self.path == "/teapot" else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("X-Kept", "yes")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    do_GET = do_HEAD = do_POST = do_DELETE = answer

print("serving", flush=True)
http.server.ThreadingHTTPServer((host, port), Handler).serve_forever()
"""
SPEC = """\
predictor:
  minReplicas: 1
  containers:
  - name: kserve-container
    image: docker.io/acme/server:1
    command: ["/bin/sh", "-c"]
    args: ["exec python {script} 9001 0.0.0.0 /mnt/models"]
    ports: [{{containerPort: 9001, protocol: TCP}}]
    readinessProbe: {{httpGet: {{path: /ready, port: 9001}}}}
    env:
    - {{name: STORAGE_URI, value: "{{{{inputs.artifacts.model}}}}"}}
    - {{name: GREETING, value: "{{{{inputs.parameters.greeting}}}}"}}
    - name: TOKEN
      valueFrom: {{secretKeyRef: {{name: server-token, key: token}}}}
"""
TOKEN = base64.b64encode(b"canary").decode()
PARAMETERS = [{"name": "greeting", "type": "string", "default": "hello"}]


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("server") / "server.py"
    path.write_text(SERVER)
    return path


class World:
    """A server with one ServingTemplate, and what the tests do with it."""

    def __init__(self, core: Any, gitops: Any, support: Any, script: Path, name: str = "reader") -> None:
        self.core, self.gitops, self.support, self.name = core, gitops, support, name
        spec = SPEC.format(script=script)
        document = support.serving(name, spec, parameters=PARAMETERS, artifacts=("model",))
        gitops.write(f"templates/{name}.yaml", document)
        core.sync(gitops)
        core.put("models/a/weights", "1")
        self.client = core.client()
        if not self.client.secrets.query().resources:
            self.client.secrets.create(name="server-token", data={"token": TOKEN})

    def configure(self, greeting: str = "hello", url: str = "ai://default/models/a") -> str:
        model = self.client.artifact.create("model", Artifact.Kind.MODEL, url, self.support.scenario)
        bindings = [ParameterBinding("greeting", greeting)], [InputArtifactBinding("model", model.id)]
        return str(self.client.configuration.create("c", self.support.scenario, self.name, *bindings).id)

    def deploy(self, greeting: str = "hello", **options: str) -> str:
        return str(self.client.deployment.create(self.configure(greeting, **options)).id)

    def reaches(self, identifier: str, status: Status, message: str = "") -> Any:
        def check() -> Any:
            found = self.client.deployment.get(identifier)
            return found if found.status == status and message in (found.status_message or "") else None

        return self.support.wait_for(check, 30, f"{status} of {identifier}")

    def ask(self, identifier: str, path: str = "/", method: str = "GET", **options: Any) -> requests.Response:
        found: requests.Response = self.core.http(
            method, f"/v2/inference/deployments/{identifier}{path}", **options
        )
        return found

    def processes(self, identifier: str) -> list[int]:
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                environment = (entry / "environ").read_bytes().split(b"\0")
            except OSError:
                continue
            if any(one.startswith(f"LOCALCORE_NODE={identifier}/".encode()) for one in environment):
                found.append(int(entry.name))
        return found


@pytest.fixture
def world(core: Any, gitops: Any, support: Any, script: Path) -> Iterator[World]:
    made = World(core, gitops, support, script)
    yield made
    for one in made.client.deployment.query().resources:
        if one.status in (Status.PENDING, Status.RUNNING):
            made.client.deployment.modify(one.id, TargetStatus.STOPPED)
            made.reaches(one.id, Status.STOPPED)
        made.client.deployment.delete(one.id)


@pytest.fixture
def own_world(own_core: Any, own_gitops: Any, support: Any, script: Path) -> World:
    return World(own_core.start(), own_gitops, support, script)


def test_a_whole_life(world: World) -> None:
    """Proves: created, served with its model and parameter, stopped, deleted; and nothing is left of it."""
    client = world.client
    created = client.deployment.create(world.configure())
    assert (created.message, created.status.value, created.deployment_url) == (
        "Deployment scheduled.",
        "UNKNOWN",
        "",
    )
    found = world.reaches(created.id, Status.RUNNING)
    assert found.deployment_url == f"{world.core.url}/v2/inference/deployments/{created.id}"
    assert (found.target_status, found.last_operation.value) == (TargetStatus.RUNNING, "CREATE")
    assert found.details["resources"]["backend_details"]["predictor"]["resource_plan"] == "starter"
    assert client.deployment.get(created.id, select="status").status == Status.RUNNING
    assert client.deployment.count(scenario_id="demo") == 1
    told = world.ask(created.id, "/v1/models/m:predict?x=1%202&y", "POST", data=b"picture").json()
    assert (told["method"], told["path"], told["bytes"]) == ("POST", "/v1/models/m:predict?x=1%202&y", 7)
    assert (told["greeting"], told["model"], told["host"]) == ("hello", ["weights"], "127.0.0.1")
    assert told["token"] == "canary"
    folder = world.core.data / "deployments" / created.id
    written = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    assert b"canary" not in written, "a secret goes through a pipe, never through a file"
    lines = [line.msg for line in client.deployment.query_logs(created.id).data.result]
    assert lines[:2] == ["ai://default/models/a lies at /mnt/models", "serving"]
    with pytest.raises(AIAPIPreconditionFailedException, match="Stop it first"):
        client.deployment.delete(created.id)
    client.deployment.modify(created.id, TargetStatus.STOPPED)
    stopped = world.reaches(created.id, Status.STOPPED)
    assert (stopped.target_status, stopped.completion_time is None) == (TargetStatus.STOPPED, False)
    assert world.processes(created.id) == []
    assert world.ask(created.id).status_code == 503
    with pytest.raises(AIAPIPreconditionFailedException, match="cannot be updated"):
        client.deployment.modify(created.id, configuration_id=world.configure("other"))
    client.deployment.delete(created.id)
    with pytest.raises(AIAPINotFoundException):
        client.deployment.get(created.id)
    assert not (world.core.data / "deployments" / created.id).exists()


def test_a_time_to_live(world: World) -> None:
    """Proves: it is told back, and when it is over the deployment is stopped and removed with its files."""
    created = world.client.deployment.create(world.configure(), ttl="10m")
    assert created.ttl == "10m"
    assert world.reaches(created.id, Status.RUNNING).ttl == "10m"
    with sqlite3.connect(world.core.data / "localcore.db", timeout=30) as database:
        (due,) = database.execute(
            "SELECT unixepoch(expires_at) - unixepoch(created_at) FROM deployments WHERE id = ?",
            (created.id,),
        ).fetchone()
        database.execute("UPDATE deployments SET expires_at = created_at WHERE id = ?", (created.id,))
    database.close()
    assert due in (600, 601)

    def gone() -> bool:
        return created.id not in {one.id for one in world.client.deployment.query().resources}

    world.support.wait_for(gone, 30, f"{created.id} to be removed")
    assert world.processes(created.id) == []
    assert not (world.core.data / "deployments" / created.id).exists()


def test_the_inference_path(world: World) -> None:
    """Proves: methods, status, headers, streams and large bodies pass; our token and group do not."""
    one, two = world.deploy(), world.deploy("ciao")
    for identifier in (one, two):
        world.reaches(identifier, Status.RUNNING)
    told = world.ask(one, "/x", headers={"X-Own": "1"}).json()
    assert "x-own" in told["headers"]
    assert not {"authorization", "ai-resource-group", "transfer-encoding"} & set(told["headers"])
    assert world.ask(two).json()["greeting"] == "ciao", "two servers that declare one port serve side by side"
    teapot = world.ask(one, "/teapot")
    assert (teapot.status_code, teapot.headers["X-Kept"], teapot.headers["Content-Type"]) == (
        418,
        "yes",
        "application/json",
    )
    assert world.ask(one, "/stream").text == "onetwo"
    assert world.ask(one, "/", "HEAD").headers["X-Kept"] == "yes"
    assert world.ask(one, "", "DELETE").json()["path"] == "/"
    assert world.ask(one, "/", "POST", data=b"x" * 9_000_000).json()["bytes"] == 9_000_000
    url = f"{world.core.url}/v2/inference/deployments/{one}/x"
    assert requests.get(url, timeout=10).status_code == 401
    groupless = world.core.http(
        "GET", f"/v2/inference/deployments/{one}/x", headers={"AI-Resource-Group": None}
    )
    assert (groupless.status_code, groupless.text) == (403, "RBAC: access denied")
    assert world.ask(one, headers={"AI-Resource-Group": "absent"}).status_code == 403
    assert world.ask("d000000000000000").json()["error"]["code"] == "01010016"


def test_an_update_keeps_the_url_and_drops_no_request(world: World) -> None:
    """Proves: the old configuration answers until the new one does; then its process is gone."""
    identifier = world.deploy("old")
    before = world.reaches(identifier, Status.RUNNING)
    old = world.ask(identifier).json()["pid"]
    world.client.deployment.modify(identifier, configuration_id=world.configure("new"))
    statuses: set[int] = set()

    def answered() -> bool:
        answer = world.ask(identifier)
        statuses.add(answer.status_code)
        return bool(answer.json().get("greeting") == "new")

    world.support.wait_for(answered, 30, "the new greeting")
    assert statuses == {200}
    after = world.reaches(identifier, Status.RUNNING)
    assert (after.deployment_url, after.last_operation.value) == (before.deployment_url, "UPDATE")
    assert after.latest_running_configuration_id == before.configuration_id != after.configuration_id
    world.support.wait_for(lambda: old not in world.processes(identifier), what="the end of the old server")


def test_an_update_waits_for_requests_under_way(world: World, tmp_path: Path) -> None:
    """Proves: a request that the old server has begun is answered by it, though the new one leads already."""
    identifier = world.deploy("old")
    world.reaches(identifier, Status.RUNNING)
    gate = tmp_path / "gate"
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(world.ask, identifier, headers={"X-Gate": str(gate)})
        world.support.wait_for((tmp_path / "gate.begun").exists, what="the slow request")
        world.client.deployment.modify(identifier, configuration_id=world.configure("new"))
        world.support.wait_for(lambda: world.ask(identifier).json()["greeting"] == "new", 30, "the new one")
        assert not slow.done()
        gate.touch()
        assert slow.result(30).json()["greeting"] == "old"
    world.support.wait_for(lambda: len(world.processes(identifier)) == 1, what="the end of the old server")


def test_a_server_that_fails_and_is_brought_back(world: World) -> None:
    """Proves: DEAD with its last words; another configuration revives it; nothing of the first is left."""
    identifier = world.deploy("refuse")
    assert world.reaches(identifier, Status.DEAD).status_message == "this greeting is not for me"
    assert world.processes(identifier) == []
    world.client.deployment.modify(identifier, configuration_id=world.configure("hello"))
    found = world.reaches(identifier, Status.RUNNING)
    assert (found.status_message, found.completion_time) == (None, None)
    world.client.deployment.modify(identifier, configuration_id=world.configure("refuse"))
    dead = world.reaches(identifier, Status.DEAD)
    assert dead.latest_running_configuration_id == found.configuration_id


def test_a_model_that_is_not_there(world: World) -> None:
    identifier = world.deploy(url="ai://default/nowhere")
    assert (
        "nothing is stored at ai://default/nowhere" in world.reaches(identifier, Status.DEAD).status_message
    )


def test_a_server_that_does_not_answer(world: World, support: Any) -> None:
    """Proves: PENDING with the reason, without an end, until somebody stops it."""
    container = {"name": "c", "command": ["sleep", "inf"], "env": [{"name": "P", "value": "8080"}]}
    spec = json.dumps({"predictor": {"containers": [container]}})
    world.name = "silent"
    served = support.serving("silent", spec, parameters=PARAMETERS, artifacts=("model",))
    world.gitops.write("templates/silent.yaml", served)
    world.core.sync(world.gitops)
    identifier = world.deploy()
    world.reaches(identifier, Status.PENDING, "waiting for the server to answer on port")
    assert (
        world.ask(identifier).json()["error"]["message"].startswith(f"Deployment '{identifier}' is PENDING")
    )
    world.client.deployment.modify(identifier, TargetStatus.STOPPED)
    world.reaches(identifier, Status.STOPPED)
    assert world.processes(identifier) == []


def test_a_port_that_is_taken(world: World, support: Any) -> None:
    """Proves: a server that cannot be told its port needs that very port, and says so."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        container = {"name": "c", "command": ["sleep"], "args": ["inf"], "ports": [{"containerPort": port}]}
        spec = json.dumps({"predictor": {"containers": [container]}})
        world.name = "fixed"
        served = support.serving("fixed", spec, parameters=PARAMETERS, artifacts=("model",))
        world.gitops.write("templates/fixed.yaml", served)
        world.core.sync(world.gitops)
        world.reaches(world.deploy(), Status.DEAD, f"port {port} is taken")


def test_a_single_object_lies_in_the_model_folder(world: World) -> None:
    identifier = world.deploy(url="ai://default/models/a/weights")
    world.reaches(identifier, Status.RUNNING)
    assert world.ask(identifier).json()["model"] == ["weights"]


def test_a_crashed_server_is_started_again(world: World) -> None:
    """Proves: after it has answered once, a server that dies comes back; its state tells of it meanwhile."""
    identifier = world.deploy()
    world.reaches(identifier, Status.RUNNING)
    first = world.ask(identifier).json()["pid"]
    assert world.ask(identifier, "/crash", "POST").json()["error"]["code"] == "502"

    def again() -> bool:
        answer = world.ask(identifier)
        return answer.status_code == 200 and answer.json()["pid"] != first

    world.support.wait_for(again, 30, "another process")
    lines = [line.msg for line in world.client.deployment.query_logs(identifier).data.result]
    assert any(line.endswith("it is started again in 0.5 s") for line in lines)


def test_what_is_refused(world: World, support: Any) -> None:
    """Proves: states, other executables, both or neither field, a time to live; bulk changes one by one."""
    client = world.client
    identifier = world.deploy()
    world.reaches(identifier, Status.RUNNING)
    world.gitops.write(
        "templates/other.yaml",
        support.serving("other", "predictor: {}", parameters=PARAMETERS, artifacts=("model",)),
    )
    world.core.sync(world.gitops)
    world.name = "other"
    with pytest.raises(AIAPIInvalidRequestException, match="another scenario or executable"):
        client.deployment.modify(identifier, configuration_id=world.configure())
    assert "exactly one container" in world.reaches(world.deploy(), Status.DEAD).status_message
    for ttl in ("9m", "0d", "99999999d"):
        with pytest.raises(AIAPIInvalidRequestException, match="at least 10m"):
            client.deployment.create(world.configure(), ttl=ttl)
    path = f"/v2/lm/deployments/{identifier}"
    for body in ({}, {"targetStatus": "STOPPED", "configurationId": world.configure()}):
        assert world.core.http("PATCH", path, json=body).status_code == 400
    change = BasicModifyRequest(identifier, TargetStatus.STOPPED)
    answers = client.deployment.bulk_modify([change]).deployments
    assert answers[0].message == "Deployment modification scheduled"
    world.reaches(identifier, Status.STOPPED)
    bulk = {"deployments": [{"id": identifier, "targetStatus": "STOPPED"}]}
    again = world.core.http("PATCH", "/v2/lm/deployments", json=bulk).json()["deployments"][0]
    assert again["error"]["code"] == "01010076"


def test_it_waits_for_what_is_missing(own_world: World) -> None:
    """Proves: UNKNOWN with the reason while the object store secret `default` is missing; deletable."""
    client = own_world.client
    client.object_store_secrets.delete("default")
    identifier = own_world.deploy()
    own_world.reaches(identifier, Status.UNKNOWN, "no object store secret named default")
    with pytest.raises(AIAPIPreconditionFailedException, match="Current status UNKNOWN cannot be changed"):
        client.deployment.modify(identifier, TargetStatus.STOPPED)
    client.deployment.delete(identifier)


def test_a_killed_server_finds_its_deployments_again(own_world: World) -> None:
    """Proves: kill -9 of the local AI Core ends no model server; the next one leads to the same process."""
    identifier = own_world.deploy()
    own_world.reaches(identifier, Status.RUNNING)
    pid = own_world.ask(identifier).json()["pid"]
    own_world.core.kill()
    assert pid in own_world.processes(identifier)
    own_world.core.start()
    own_world.support.wait_for(lambda: own_world.ask(identifier).ok, what="an answer")
    assert own_world.ask(identifier).json()["pid"] == pid


def test_a_killed_supervisor_is_replaced(own_world: World) -> None:
    """Proves: a deployment is wanted until somebody stops it: it is served again, and only once."""
    identifier = own_world.deploy()
    own_world.reaches(identifier, Status.RUNNING)
    pid = own_world.ask(identifier).json()["pid"]
    state = json.loads((own_world.core.data / "deployments" / identifier / "1" / "state.json").read_text())
    os.kill(state["pid"], signal.SIGKILL)

    def served() -> bool:
        answer = own_world.ask(identifier)
        return answer.status_code == 200 and answer.json()["pid"] != pid

    own_world.support.wait_for(served, 30, "another server")
    assert pid not in own_world.processes(identifier)


def test_a_restart_serves_again(own_world: World) -> None:
    """Proves: an orderly end stops the servers, and the next start brings them back under the same URL."""
    identifier = own_world.deploy()
    url = own_world.reaches(identifier, Status.RUNNING).deployment_url
    assert own_world.core.terminate() == 0
    assert own_world.processes(identifier) == []
    own_world.core.start()
    own_world.client = own_world.core.client()
    assert own_world.reaches(identifier, Status.RUNNING).deployment_url == url
    own_world.support.wait_for(lambda: own_world.ask(identifier).ok, what="an answer")
