"""Who is told what, how often, and that telling never harms a round."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import requests

from generator.spec.operations import Notification
from reconciler.health import Health, Reason, Sync
from reconciler.notify import DELAYS, Memory, Notice, Notifier, Target, notices, targets
from reconciler.status import Status, StatusRow
from reconciler.webhook import signature

NOW = datetime(2026, 1, 1, tzinfo=UTC)
URL = "https://chat.example/T0KEN"
NOTICE = Notice(
    "execution/m/a", "error", "Stalled", "It <failed> & stays so.", "abcdef0123456789", "live", NOW
)


def row(health: Health, reason: Reason, address: str = "execution/m/a", message: str = "") -> StatusRow:
    return StatusRow(address, Sync.SYNCED, health, reason, message)


def told(memory: Memory, *rows: StatusRow) -> list[tuple[str, str]]:
    return [(n.severity, n.reason) for n in notices(Status("live", NOW, "", rows), "c", memory)]


STALLED = row(Health.DEGRADED, Reason.STALLED)
RUNNING = row(Health.PROGRESSING, Reason.RUNNING)
DONE = row(Health.HEALTHY, Reason.COMPLETED)


def test_a_reason_is_told_once_until_it_changes(tmp_path: Path) -> None:
    memory = Memory(tmp_path / "m.json")
    assert told(memory, RUNNING) == [], "what was so when we came is no news"
    assert told(memory, STALLED) == [("error", "Stalled")]
    assert told(memory, STALLED) == []
    assert told(memory, replace(STALLED, message="said otherwise")) == []
    assert told(memory, RUNNING) == [("info", "Running")]
    assert told(memory, DONE) == [("info", "Completed")]
    assert told(memory, STALLED) == [("error", "Stalled")]


def test_a_fault_that_was_there_when_we_came_is_told(tmp_path: Path) -> None:
    assert told(Memory(tmp_path / "m.json"), STALLED) == [("error", "Stalled")]


def test_a_restart_repeats_nothing(tmp_path: Path) -> None:
    told(Memory(tmp_path / "m.json"), STALLED)
    assert told(Memory(tmp_path / "m.json"), STALLED) == []


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"\xff", b'{"execution/m/a": 7}', b"[" * 100_000])
def test_a_damaged_memory_is_an_empty_one(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "m.json").write_bytes(content)
    assert told(Memory(tmp_path / "m.json"), STALLED) == [("error", "Stalled")]


def test_a_memory_that_cannot_be_written_harms_nobody(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    memory = Memory(tmp_path / "file" / "m.json")
    assert told(memory, STALLED) == [("error", "Stalled")]
    assert told(memory, STALLED) == []


def test_what_is_gone_is_forgotten(tmp_path: Path) -> None:
    memory = Memory(tmp_path / "m.json")
    told(memory, STALLED)
    memory.keep([])
    assert json.loads((tmp_path / "m.json").read_text()) == {}


def test_two_failures_of_one_reason_are_told_apart_by_their_mark(tmp_path: Path) -> None:
    memory = Memory(tmp_path / "m.json")
    assert [bool(memory.failing(NOTICE, mark)) for mark in ("c1", "c1", "c2")] == [True, False, True]


def test_the_generic_message() -> None:
    body, headers = Target("generic", URL).request(NOTICE)
    assert headers["Content-Type"] == "application/json"
    assert json.loads(body) == {
        "format_version": "1.0",
        "environment": "live",
        "object": "execution/m/a",
        "severity": "error",
        "reason": "Stalled",
        "message": "It <failed> & stays so.",
        "revision": "abcdef0123456789",
        "timestamp": "2026-01-01T00:00:00+00:00",
    }


def test_the_signed_message_can_be_checked() -> None:
    body, headers = Target("hmac", URL, "key").request(NOTICE)
    assert headers["X-Signature"] == signature("key", body)


def test_slack_gets_text_in_which_nothing_is_markup() -> None:
    body, _ = Target("slack", URL).request(NOTICE)
    text = json.loads(body)["text"]
    assert text.splitlines() == [
        "[error] live: execution/m/a Stalled",
        "It &lt;failed&gt; &amp; stays so.",
        "commit abcdef0123",
    ]


def test_a_long_message_is_cut() -> None:
    body, _ = Target("generic", URL).request(replace(NOTICE, message="x" * 10**6))
    assert len(body) < 3000


def test_a_target_shows_nothing_of_itself() -> None:
    shown = repr(Target("hmac", URL, "key"))
    assert "T0KEN" not in shown
    assert "key" not in shown


class Outside:
    """Answers in turn; counts the pauses."""

    def __init__(self, *answers: int | requests.RequestException) -> None:
        self.answers = list(answers)
        self.sent: list[bytes] = []
        self.paused: list[float] = []
        self.complaints: list[str] = []

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        self.sent.append(body)
        answer = self.answers.pop(0)
        if isinstance(answer, requests.RequestException):
            raise answer
        return answer

    def send(self) -> bool:
        notifier = Notifier(self.complaints.append, self.post)
        return notifier.send(Target("slack", URL), NOTICE, self.paused.append)


DOWN = requests.ConnectionError(f"cannot reach {URL}")


def test_what_may_pass_is_tried_again() -> None:
    outside = Outside(503, DOWN, 429, 200)
    assert outside.send()
    assert outside.paused == list(DELAYS)
    assert outside.complaints == []


def test_it_is_given_up_with_one_line_that_names_no_address() -> None:
    outside = Outside(DOWN, DOWN, DOWN, DOWN)
    assert not outside.send()
    assert outside.complaints == ["slack: ConnectionError; not told: execution/m/a Stalled"]


@pytest.mark.parametrize("status", [400, 401, 404, 410])
def test_a_refusal_is_not_asked_again(status: int) -> None:
    outside = Outside(status)
    assert not outside.send()
    assert outside.complaints == [f"slack: HTTP {status}; not told: execution/m/a Stalled"]


def test_a_redirect_is_not_followed() -> None:
    outside = Outside(302, 302, 302, 302)
    assert not outside.send()


def test_sending_is_in_the_background_and_close_waits_for_it() -> None:
    outside = Outside(200, 200)
    notifier = Notifier(outside.complaints.append, outside.post)
    mild, strict = Target("generic", URL, severity="info"), Target("generic", URL, severity="error")
    notifier.tell([NOTICE, replace(NOTICE, severity="info")], [mild])
    notifier.close(30)
    assert len(outside.sent) == 2
    outside.answers = [200]
    notifier = Notifier(outside.complaints.append, outside.post)
    notifier.tell([NOTICE, replace(NOTICE, severity="info")], [strict])
    notifier.close(30)
    assert len(outside.sent) == 3, "the second one was below its severity"


def test_a_queue_that_is_full_loses_messages_and_says_so() -> None:
    complaints: list[str] = []
    notifier = Notifier(complaints.append, lambda url, body, headers: 503)
    notifier.tell([NOTICE] * 400, [Target("generic", URL)])
    assert any("one is lost" in said for said in complaints)
    notifier._ending.set()


def test_a_reference_that_cannot_be_read_leaves_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOD_URL", URL)
    monkeypatch.delenv("NO_URL", raising=False)
    wanted = [
        Notification.model_validate({"type": "generic", "url": f"env:{name}"})
        for name in ("NO_URL", "GOOD_URL")
    ]
    found, wrong = targets(wanted, Path())
    assert [target.url for target in found] == [URL]
    assert len(wrong) == 1
    assert wrong[0].startswith("notifications[0]: env:NO_URL is not set")
