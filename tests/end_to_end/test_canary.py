"""A secret is planted behind every reference of an environment, and looked for everywhere.

Everywhere: what verbs print, the exceptions that they show with `--verbose`, every log record at level DEBUG,
libraries' included, arguments of child processes, every file that is left behind, what Git keeps, records of
locks, and what the daemon serves and says. As it is, in URLs, and in base64. The service has to keep what it
is given: the local AI Core does so in its database and its service key, which their owner alone can read, and
nowhere else.
"""

from __future__ import annotations

import base64
import json
import logging
import re
import socket
import stat
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import urllib3

from generator.spec.environment import Environment
from generator.spec.operations import Notification
from reconciler.clock import SystemClock
from reconciler.notify import Notice, Notifier, targets
from tests.end_to_end.canaries import PLANTED, VARIABLES, Hunter, canary, forms, reference_fields
from tests.end_to_end.daemon import Running
from tests.end_to_end.world import Result, World, git
from tests.integration.git_http import has_backend
from tests.integration.git_http import serving as serving_git
from tests.reconciler.leases import NAMESPACE
from tests.reconciler.leases import serving as serving_leases
from tests.reconciler.stub import Stub

REFERENCES = """\
docker:
  registry: docker.io/acme
  secret: %(name)s-docker
  username: env:DOCKER_USER
  password: env:DOCKER_PASSWORD
secrets:
  %(name)s-hub: {data: {TOKEN: env:GENERIC_VALUE}}
daemon: {webhook: {provider: github, secret: env:WEBHOOK_SECRET}}
notifications: [{type: hmac, url: env:NOTIFY_URL, secret: env:NOTIFY_KEY, severity: info}]
"""
STORE = """\
  %(name)s-s3:
    type: s3
    bucket: words
    endpoint: %(endpoint)s
    accessKeyId: env:STORE_ID
    secretAccessKey: env:STORE_KEY
    register: true
git:
  username: env:GIT_USER
  password: env:GIT_PASSWORD
"""
VERBS: tuple[tuple[str, ...], ...] = (
    ("validate",),
    ("render",),
    ("publish",),
    ("plan", "-o", "json", "--out", "plan.json"),
    ("apply", "--yes"),
    ("plan",),
    ("status", "-o", "json"),
    ("drift",),
    ("metrics", "--compare"),
    ("reconcile", "--once"),
)


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    """The endpoint of an S3 that takes any key; its bucket is `words`."""
    server = pytest.importorskip("moto.server", reason="needs moto: pip install 'corespec[dev]'")
    running = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    endpoint = f"http://127.0.0.1:{running._server.server_port}"
    urllib3.request("PUT", f"{endpoint}/words")
    yield endpoint
    running.stop()


@pytest.fixture
def planted(world: World, bucket: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The planted values by variable; the service key's own secret is one of them."""
    monkeypatch.setenv("DEBUG", "true")  # the SDK logs bodies then, if it is let
    values = {name: canary(name) for name in VARIABLES}
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("NOTIFY_URL", f"http://127.0.0.1:{_closed_port()}/{values['NOTIFY_URL']}")
    with world.environment.open("a") as page:
        page.write(REFERENCES % {"name": world.name})
    world.edit(world.environment, "git:\n", STORE % {"name": world.name, "endpoint": bucket})
    world.push("Plant")
    key = json.loads((world.local / "service-key.json").read_text())
    return {**values, "KEY": key["clientsecret"]}


@pytest.fixture
def hunter(planted: dict[str, str]) -> Hunter:
    return Hunter(planted.values())


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The command line of every process that is started from here: anybody on the machine can list them."""
    found: list[str] = []
    start = subprocess.Popen.__init__

    def listed(self: Any, args: Any, *rest: Any, **options: Any) -> None:
        found.append(args if isinstance(args, str) else " ".join(map(str, args)))
        start(self, args, *rest, **options)

    monkeypatch.setattr(subprocess.Popen, "__init__", listed)
    return found


def _closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_every_reference_has_a_canary() -> None:
    """A field that is added to the models without one fails here."""
    assert sorted(reference_fields(Environment)) == sorted(PLANTED)


@pytest.mark.parametrize("name", ["plain", "url", "base64", "json"])
def test_the_hunter_finds_what_is_there(name: str) -> None:
    """In each spelling, wherever in a text it begins."""
    value = canary("GIT_PASSWORD")
    spelled = {
        "plain": value,
        "url": f"http://x:{urllib3.util.parse_url('http://h/' + value).path}@host",
        "json": json.dumps({"a": value}),
    }
    if name == "base64":
        texts = [base64.b64encode(("x" * n + value + "tail").encode()).decode() for n in range(4)]
    else:
        texts = [spelled[name]]
    for text in texts:
        assert any(form in text.encode() for form in forms(value)), text


def test_no_secret_is_ever_seen(
    world: World,
    planted: dict[str, str],
    hunter: Hunter,
    commands: list[str],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The whole way, a rotation; then a wrong key, a server that is not there, a store that nobody serves."""
    caplog.set_level(logging.DEBUG)
    monkeypatch.chdir(tmp_path)
    results = [world.run(*verb, "--verbose") for verb in VERBS]
    assert [result.code for result in results] == [0, 0, 0, 3, 0, 0, 0, 0, 0, 0]
    assert len(world.writes()) >= 12, "the secrets have been sent to AI Core, and their marks"
    for name in ("DOCKER_PASSWORD", "GENERIC_VALUE"):
        monkeypatch.setenv(name, f"{planted[name]}-second")
    results += [world.run(*verb, "--verbose") for verb in (("plan", "-o", "json"), ("apply", "--yes"))]
    assert [result.code for result in results[-2:]] == [3, 0]
    results += _with_wrong_secrets(world, planted["KEY"], monkeypatch)
    for result in results:
        hunter.clean(f"{result.out}\n{result.err}", "output")
    assert any(record.levelno == logging.DEBUG for record in caplog.records)
    for record in caplog.records:
        hunter.clean(record.getMessage(), f"log {record.name}")
        hunter.clean(record.exc_text or "", f"log {record.name}")
    assert any("git" in command for command in commands)
    hunter.clean("\n".join(commands), "a command line")
    hunter.clean(git("log", "--all", "--patch", cwd=world.origin), "history")
    hunter.clean(git("config", "--list", cwd=world.project), "configuration of Git")
    assert hunter.clean_files(tmp_path, [tmp_path / "key.json"]) > 50
    _clean_service(hunter, world.local)


def _with_wrong_secrets(world: World, secret: str, monkeypatch: pytest.MonkeyPatch) -> list[Result]:
    """Each request that carries one fails."""
    key = json.loads((world.local / "service-key.json").read_text())
    monkeypatch.setattr(SystemClock, "sleep", lambda self, seconds: None)
    monkeypatch.setattr(urllib3.Retry, "sleep", lambda self, response=None: None)
    working = world.environment.read_text()
    results: list[Result] = []
    for change in ({"clientsecret": f"{secret}x"}, _elsewhere()):
        results += _with_key(world, {**key, **change})
    world.environment.write_text(working)
    text = world.scenario.read_text()
    text = text.replace("source: data/words,", f"source: data/words, objectStore: {world.name}-s3,")
    world.scenario.write_text(text.replace(f"path: {world.name}/words", f"path: {world.name}/other"))
    closed = f"endpoint: http://127.0.0.1:{_closed_port()}"
    world.environment.write_text(re.sub(r"endpoint: \S+", closed, working))
    world.push("Move the data")
    results.append(world.run("plan", "--verbose"))
    assert results[-1].code in {1, 2}, "nobody serves that bucket"
    return results


def _clean_service(hunter: Hunter, data: Path) -> None:
    """The local AI Core: its logs, requests and what runs left behind; all but where it keeps secrets."""
    vault = [data / "service-key.json", *data.glob("localcore.db*")]
    for path in vault:
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    assert stat.S_IMODE(data.stat().st_mode) == 0o700
    assert hunter.clean_files(data, vault) > 5


def _elsewhere() -> dict[str, object]:
    """The token endpoint answers, the AI API does not."""
    return {"serviceurls": {"AI_API_URL": f"http://127.0.0.1:{_closed_port()}"}}


def _with_key(world: World, key: dict[str, object]) -> list[Result]:
    """Verbs with a service key that leads nowhere."""
    path = world.root / "key.json"
    path.write_text(json.dumps(key))
    text = world.environment.read_text()
    line = next(one for one in text.splitlines() if one.startswith("aiCore:"))
    world.environment.write_text(
        text.replace(line, f"aiCore: {{connection: serviceKey, serviceKey: 'file:{path}'}}")
    )
    world.push("Another key")
    results = [world.run(verb, "--verbose") for verb in ("plan", "status")]
    assert all(result.code in {1, 2} for result in results)
    return results


def test_no_lock_holds_a_secret(
    world: World, hunter: Hunter, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The record in a bucket, and that of a Lease, while they are there and after their release."""
    results = [world.run("render"), world.run("publish")]
    with world.environment.open("a") as page:
        page.write(f"lock: {{type: s3, objectStore: {world.name}-s3}}\n")
    world.push("Lock in a bucket")
    results.append(world.run("apply", "--yes", "--verbose"))
    listed = urllib3.request("GET", f"{bucket}/words").data
    assert b"corespec/locks/" in listed
    for part in listed.split(b"<Key>")[1:]:
        place = part.partition(b"</Key>")[0].decode()
        hunter.clean(urllib3.request("GET", f"{bucket}/words/{place}").data, place)
    lease = f"{{type: lease, namespace: {NAMESPACE}}}"
    world.edit(world.environment, f"{{type: s3, objectStore: {world.name}-s3}}", lease)
    world.push("Lock by a Lease")
    with serving_leases() as server:
        monkeypatch.setenv("KUBECONFIG", str(server.kubeconfig(tmp_path)))
        results.append(world.run("apply", "--yes", "--verbose"))
        assert server.leases
        hunter.clean(json.dumps(server.leases), "a Lease")
    assert [result.code for result in results] == [0, 0, 0, 0]
    for result in results:
        hunter.clean(f"{result.out}\n{result.err}", "output")


def test_the_daemon_says_and_serves_no_secret(world: World, hunter: Hunter) -> None:
    """Its log, its figures and probes, refusals of its webhook, and what lies in its clone."""
    with Running(world, "--verbose") as daemon:
        daemon.expect("round-ended")
        answers = [daemon.ask(path)[1] for path in ("/metrics", "/readyz", "/healthz", "/nowhere")]
        answers += [daemon.ask("/webhook", b"{}", X_Hub_Signature_256="sha256=00")[1]]
        assert daemon.end() == 0
    hunter.clean("\n".join(answers), "an answer")
    hunter.clean(json.dumps(daemon.lines), "the log")
    hunter.clean(daemon.complaints, "standard error")
    assert hunter.clean_files(daemon.clone) > 20


@pytest.mark.skipif(not has_backend(), reason="needs git-http-backend: apt-get install git")
def test_git_credentials_stay_between_corespec_and_the_server(
    world: World, hunter: Hunter, commands: list[str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A Git server that refuses them: no error, log, command line, remote or file repeats them."""
    caplog.set_level(logging.DEBUG)
    with serving_git(tmp_path / "server") as server:
        server.create()
        git("remote", "set-url", "origin", server.url(), cwd=world.project)
        world.edit(world.environment, f"url: {world.origin}", f"url: {server.url()}")
        results = [world.run("render"), *(world.run(verb, "--verbose") for verb in ("publish", "plan"))]
        world.run("reconcile", "--once", "--verbose")
    assert results[1].code in {1, 2}
    for result in results:
        hunter.clean(f"{result.out}\n{result.err}", "output")
    hunter.clean("\n".join(record.getMessage() for record in caplog.records), "log")
    assert any("http" in command for command in commands) or any("push" in command for command in commands)
    hunter.clean("\n".join(commands), "a command line")
    hunter.clean_files(tmp_path)


def test_a_message_that_arrives_leaves_no_address_in_the_log(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Who knows the address of a channel can write there; libraries log paths at level DEBUG."""
    caplog.set_level(logging.DEBUG)
    stub = Stub()
    monkeypatch.setenv("NOTIFY_URL", f"{stub.url}/canary-address-51b0")
    monkeypatch.setenv("NOTIFY_KEY", "canary-key-51b0")
    wanted = Notification.model_validate(
        {"type": "hmac", "url": "env:NOTIFY_URL", "secret": "env:NOTIFY_KEY"}
    )
    found, wrong = targets([wanted], Path())
    complaints: list[str] = []
    notifier = Notifier(complaints.append)
    notifier.tell([Notice("a", "error", "r", "m", "", "local", datetime.now(UTC))], found)
    notifier.close()
    stub.close()
    assert stub.server.requests == ["POST /canary-address-51b0"]
    assert (wrong, complaints) == ([], [])
    assert "canary" not in caplog.text
