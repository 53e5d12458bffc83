"""A secret is planted behind every reference of an environment, and looked for everywhere.

Everywhere: what verbs print, the exceptions that they show with `--verbose`, every log record at level DEBUG,
libraries' included, and every file that is left behind. The folder of the local AI Core is left out: it plays
the service, which has to keep what it is given.
"""

from __future__ import annotations

import json
import logging
import socket
from datetime import UTC, datetime
from pathlib import Path

import pytest
import urllib3

from generator.spec.operations import Notification
from reconciler.clock import SystemClock
from reconciler.notify import Notice, Notifier, targets
from tests.end_to_end.world import Result, World
from tests.reconciler.stub import Stub

NAMES = (
    "STORE_ID",
    "STORE_KEY",
    "DOCKER_USER",
    "DOCKER_PASSWORD",
    "GIT_USER",
    "GIT_PASSWORD",
    "WEBHOOK_SECRET",
    "NOTIFY_URL",
    "NOTIFY_KEY",
)
REFERENCES = """\
docker:
  registry: docker.io/acme
  secret: %(name)s-docker
  username: env:DOCKER_USER
  password: env:DOCKER_PASSWORD
daemon: {webhook: {provider: github, secret: env:WEBHOOK_SECRET}}
notifications: [{type: hmac, url: env:NOTIFY_URL, secret: env:NOTIFY_KEY, severity: info}]
"""
STORE = """\
  %(name)s-s3:
    type: s3
    bucket: words
    endpoint: http://127.0.0.1:%(port)d
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
    ("plan", "-o", "json"),
    ("apply", "--yes"),
    ("plan",),
    ("status", "-o", "json"),
    ("drift",),
    ("reconcile", "--once"),
)


@pytest.fixture
def canaries(world: World, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The planted values; the service key's own secret is one of them."""
    monkeypatch.setenv("DEBUG", "true")  # the SDK logs bodies then, if it is let
    planted = {name: f"canary-{name.lower().replace('_', '-')}-7f3a91c2" for name in NAMES}
    planted["NOTIFY_URL"] = f"http://127.0.0.1:{_closed_port()}/{planted['NOTIFY_URL']}"
    for name, value in planted.items():
        monkeypatch.setenv(name, value)
    with world.environment.open("a") as page:
        page.write(REFERENCES % {"name": world.name})
    world.edit(world.environment, "git:\n", STORE % {"name": world.name, "port": _closed_port()})
    world.push("Plant")
    key = json.loads((world.local / "service-key.json").read_text())
    return [*(value.rpartition("/")[2] for value in planted.values()), key["clientsecret"]]


def _closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_no_secret_is_ever_seen(
    world: World,
    canaries: list[str],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The whole way, then a wrong key, a server that is not there, and a store that nobody serves."""
    caplog.set_level(logging.DEBUG)
    results = [world.run(*verb, "--verbose") for verb in VERBS]
    assert [result.code for result in results] == [0, 0, 0, 3, 0, 0, 0, 0, 0]
    assert len(world.writes()) >= 7, "the secrets have been sent to AI Core"
    key = json.loads((world.local / "service-key.json").read_text())
    monkeypatch.setattr(SystemClock, "sleep", lambda self, seconds: None)
    monkeypatch.setattr(urllib3.Retry, "sleep", lambda self, response=None: None)
    working = world.environment.read_text()
    for change in ({"clientsecret": canaries[-1] + "x"}, _elsewhere()):
        results += _with_key(world, {**key, **change})
    world.environment.write_text(working)
    text = world.scenario.read_text()
    text = text.replace("source: data/words,", f"source: data/words, objectStore: {world.name}-s3,")
    world.scenario.write_text(text.replace(f"path: {world.name}/words", f"path: {world.name}/other"))
    world.push("Move the data")
    results.append(world.run("plan", "--verbose"))
    assert results[-1].code in {1, 2}, "nobody serves that bucket"
    for result in results:
        _clean(canaries, f"{result.out}\n{result.err}", "output")
    assert any(record.levelno == logging.DEBUG for record in caplog.records)
    for record in caplog.records:
        _clean(canaries, record.getMessage(), f"log {record.name}")
    _clean_files(canaries, tmp_path, except_for=tmp_path / "key.json")


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


def _clean_files(canaries: list[str], root: Path, except_for: Path) -> None:
    for path in root.rglob("*"):
        if path.is_file() and path != except_for:
            _clean(canaries, path.read_bytes().decode("utf-8", "replace"), str(path.relative_to(root)))


def _clean(canaries: list[str], text: str, where: str) -> None:
    for canary in canaries:
        assert canary not in text, f"{where} holds {canary}"


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
