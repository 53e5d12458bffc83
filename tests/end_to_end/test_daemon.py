"""The daemon as a process, against a real AI Core of this machine and a bare repository. Nothing is faked."""

from __future__ import annotations

import json
import os
import signal
import socket

import pytest

from corespec.verbs.reconcile import _signals
from reconciler.loop import Bell
from reconciler.webhook import signature
from tests.end_to_end.daemon import Receiver, Running, children, ended, operated, push
from tests.end_to_end.world import World, corespec, launches

SECRET, KEY = "hook-c4nary", "key-c4nary"
OPERATED = """\
daemon: {interval: 1h, retryInterval: 10m, webhook: {provider: generic, secret: 'env:HOOK_SECRET'}}
notifications:
- {type: hmac, url: 'env:ALERT_URL', secret: 'env:ALERT_KEY', severity: error}
- {type: slack, url: 'env:ALERT_URL', severity: info}
"""


def settled(running: Running, name: str) -> None:
    """Wait, by calling, until the run of the execution has ended well."""
    for _ in range(60):
        running.ask("/webhook", b"", X_Signature=signature(SECRET, b""))
        running.expect("round-ended")
        if running.figure('corespec_objects{health="Progressing"}') == 0:
            return
    pytest.fail(f"{name} does not come to rest")


@pytest.mark.timeout(280)
def test_a_push_wakes_it_an_alert_is_sent_and_sigterm_ends_it(world: World) -> None:
    """From the first round through a pushed edit, a broken one and its mending, to exit code 0."""
    operated(world, OPERATED)
    with Receiver() as receiver:
        environ = {"HOOK_SECRET": SECRET, "ALERT_URL": receiver.url, "ALERT_KEY": KEY}
        with Running(world, environ=environ) as running:
            first = running.expect("round-ended")
            assert len(first["round"]) == 8
            assert first["commit"]
            settled(running, "the first run")
            assert running.ask("/healthz")[0] == 200
            assert running.ask("/readyz")[0] == 200
            assert running.figure("corespec_launches_total") == 1
            assert running.figure("corespec_drift_objects") == 0
            assert running.figure('corespec_api_requests_total{code="200"}') > 5

            world.edit(world.scenario, "base_learning_rate: 0.001", "base_learning_rate: 0.0003")
            push(world, "Learn more slowly")
            assert running.ask("/webhook", b"{}", X_Signature="sha256=guess")[0] == 401
            body = json.dumps({"ref": "refs/heads/main"}).encode()
            assert running.ask("/webhook", body, X_Signature=signature(SECRET, body))[0] == 202
            launched = running.expect("done", "execution/")
            assert launched["action"] == "launch"
            running.expect("round-ended")
            settled(running, "the second run")
            assert len(launches(world.writes())) >= 2

            world.edit(world.scenario, "want: 1", "want: many")
            push(world, "Break")
            running.ask("/webhook", body, X_Signature=signature(SECRET, body))
            failed = running.expect("round-failed")
            assert (failed["level"], failed["reason"]) == ("error", "InputError")
            assert running.ask("/healthz")[0] == 200
            assert running.ask("/readyz")[0] == 503
            alerts = {sent: headers for headers, sent in iter_messages(receiver)}
            signed = next(sent for sent in alerts if b"format_version" in sent)
            assert alerts[signed]["X-Signature"] == signature(KEY, signed)
            told = json.loads(signed)
            assert (told["object"], told["severity"]) == ("environment/local", "error")
            assert "want" in told["message"]

            world.edit(world.scenario, "want: many", "want: 1")
            push(world, "Mend")
            running.ask("/webhook", body, X_Signature=signature(SECRET, body))
            running.expect("round-ended")
            assert running.ask("/readyz")[0] == 200

            before = world.writes()
            running.ask("/webhook", body, X_Signature=signature(SECRET, body))  # the same call once more
            running.expect("round-ended")
            assert world.writes() == before, "a call that is repeated writes nothing"

            helpers = children(running.process.pid)
            assert len(helpers) <= 4, "Git's own, and they do not pile up"
            assert running.end() == 0
            assert all(ended(pid) for pid in helpers)
            assert running.lines[-1]["event"] == "stopped"
            assert running.complaints == ""
            shown = json.dumps(running.lines)
            for canary in (SECRET, KEY, "T0KEN"):
                assert canary not in shown
    # the lock is free: another writer is not kept out
    assert corespec(*world.arguments("apply", "--yes", "--no-wait")).code == 0


def iter_messages(receiver: Receiver) -> list[tuple[dict[str, str], bytes]]:
    """Messages up to the two about the environment itself; Slack hears of runs as well."""
    found: list[tuple[dict[str, str], bytes]] = []
    while sum(b"environment/local" in body for _, body in found) < 2:
        headers, body = receiver.next()
        found.append((dict(headers), body))
    return found


def test_sighup_starts_a_round_and_ctrl_c_ends_with_130(world: World) -> None:
    operated(world, "daemon: {interval: 1h}\n")
    with Running(world) as running:
        running.expect("round-ended")
        running.process.send_signal(signal.SIGHUP)
        running.expect("round-ended")
        assert running.ask("/webhook", b"")[0] == 404, "no webhook was asked for"
        assert running.end(signal.SIGINT) == 130


def test_sigterm_ends_a_round_that_waits(world: World) -> None:
    """The application follows another folder, so the templates never come: ten minutes, or SIGTERM."""
    world.edit(world.environment, "publish: direct", "publish: direct\n  path: rendered/elsewhere")
    push(world, "Follow another folder")
    with Running(world) as running:
        running.expect("waiting", "application/")
        assert running.ask("/readyz") == (200, "the first round is under way\n")
        assert running.end() == 0
        assert [line["event"] for line in running.lines[-2:]] == ["round-stopped", "stopped"]
        assert running.complaints == ""
    world.edit(world.environment, "\n  path: rendered/elsewhere", "")
    push(world, "Follow the right one")
    assert "is at work" not in world.run("apply", "--yes", "--no-wait").err


def test_a_second_signal_ends_at_once() -> None:
    """The first one is a request; who asks again does not want to wait for an answer of the network."""
    bell = Bell()
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), _signals(bell) as interrupted:  # noqa: PT012 - two signals
        os.kill(os.getpid(), signal.SIGTERM)
        assert bell.stopping
        assert not interrupted
        os.kill(os.getpid(), signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is before


def test_the_interval_of_the_environment_is_read_again(world: World) -> None:
    """A pushed interval holds from the next round on."""
    operated(world, "daemon: {interval: 1h}\n")
    with Running(world) as running:
        running.expect("round-ended")
        world.edit(world.environment, "interval: 1h", "interval: 1s")
        push(world, "Faster")
        running.process.send_signal(signal.SIGHUP)
        for _ in range(3):
            running.expect("round-ended")
        assert running.end() == 0


@pytest.mark.parametrize("listen", ["8790", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:x", ":80"])
def test_an_address_that_is_none_is_refused(world: World, listen: str) -> None:
    refused = world.run("reconcile", "--listen", listen)
    assert refused.code == 2
    assert "HOST:PORT" in refused.err


def test_a_taken_address_is_refused_before_the_first_round(world: World) -> None:
    before = world.writes()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        refused = world.run("reconcile", "--listen", f"127.0.0.1:{taken.getsockname()[1]}")
    assert refused.code == 2
    assert "in use" in refused.err
    assert world.writes() == before


def test_listening_is_for_the_daemon(world: World) -> None:
    assert world.run("reconcile", "--once", "--listen", "127.0.0.1:0").code == 2
