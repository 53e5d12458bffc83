"""The daemon's rounds over an AI Core in memory: what they log, count, tell and leave for later."""

from __future__ import annotations

import io
import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from generator.errors import InputError, RepositoryError
from generator.spec.environment import Environment
from reconciler.apply import apply
from reconciler.daemon import _LEAST_PATIENCE, Daemon, Settings, classify
from reconciler.errors import (
    AmbiguousError,
    ConflictError,
    LockHeldError,
    NotHealthyError,
    PolicyError,
    ReconcilerError,
    TransientError,
)
from reconciler.events import Emitter
from reconciler.journal import Journal
from reconciler.loop import Bell, DaemonClock, Ended, Ending, Pace, StopRequestedError
from reconciler.observability import METERS
from reconciler.session import Options, Result
from reconciler.status import status
from reconciler.steward import Nobody, Steward
from reconciler.webhook import signature
from tests.reconciler.builders import ENVIRONMENT, World, configuration, desired, execution
from tests.reconciler.fake import FakeClock

OPERATED = {
    "daemon": {"interval": "300s", "retryInterval": "30s"},
    "notifications": [{"type": "generic", "url": "env:ALERT_URL", "severity": "info"}],
}


class HandClock(DaemonClock):
    """Monotonic time that a test sets."""

    def __init__(self, bell: Bell) -> None:
        self.time = 5000.0
        super().__init__(bell, FakeClock())

    def monotonic(self) -> float:
        return self.time


class Rounds:
    """A session whose rounds are those of `World`; `spoil` may raise in the place of Git."""

    environment = "local"

    def __init__(self, world: World, root: Path) -> None:
        self.world, self.root = world, root
        self.steward: Steward = Nobody()
        self.spoil: Callable[[], None] = lambda: None

    def reconcile_once(self, options: Options, *, listener: Any) -> Result:
        self.spoil()
        world, live = self.world, self.world.observe()
        made = world.plan()
        place = replace(world.place(), guard=self.steward.check)
        part = self.steward.shorten(made)
        emit = Emitter(world.server.clock, listener)
        done = apply(part, world.want, live, world.aicore, place, emit)
        return Result(made, done.applied, (), world.plan(), status(world.want, world.observe(), {}))


class Case:
    """A daemon, and everything that it can be seen by."""

    def __init__(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ALERT_URL", "https://chat.example/T0KEN")
        self.world = World(tmp_path, desired([configuration(f"c{n}", {"rate": str(n)}) for n in range(3)]))
        self.root = tmp_path / "project"
        self.root.mkdir()
        self._git("init", "--quiet", "--initial-branch=main")
        self.commit()
        self.rounds = Rounds(self.world, self.root)
        self.bell, self.log, self.sent = Bell(), io.StringIO(), list[dict[str, str]]()
        self.clock = HandClock(self.bell)
        self.environment = ENVIRONMENT
        self.operate(**OPERATED)
        journal = Journal(self.log, "json", self.clock)
        reading: Callable[[], Environment] = lambda: self.environment  # noqa: E731
        settings = Settings(Options(wait=False))
        self.daemon = Daemon(self.rounds, reading, settings, self.bell, self.clock, journal)  # type: ignore[arg-type]
        monkeypatch.setattr("reconciler.notify._post", lambda *_: 200)
        monkeypatch.setattr(
            self.daemon._notifier, "tell", lambda told, to: self.sent.extend(n.document() for n in told)
        )

    def _git(self, *words: str) -> None:
        subprocess.run(["git", *words], cwd=self.root, check=True, capture_output=True)

    def commit(self) -> None:
        self._git("commit", "--quiet", "--allow-empty", "--message", "A commit")

    def operate(self, **sections: Any) -> None:
        known = ENVIRONMENT.model_dump(by_alias=True, mode="json", exclude_defaults=True, exclude_none=True)
        self.environment = Environment.model_validate({**known, **sections})

    def fails(self, error: BaseException) -> Ended:
        """A round that ends with `error` before it does anything."""

        def spoil() -> None:
            raise error

        self.rounds.spoil = spoil
        try:
            return self.daemon.round()
        finally:
            self.rounds.spoil = lambda: None

    def lines(self, event: str) -> list[dict[str, Any]]:
        found = [json.loads(line) for line in self.log.getvalue().splitlines()]
        return [line for line in found if line["event"] == event]

    def made(self) -> set[str]:
        return {item["name"].partition("--")[0] for item in self.world.server.configurations}


@pytest.fixture
def case(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Case:
    return Case(tmp_path, monkeypatch)


def test_a_round_is_logged_and_counted(case: Case) -> None:
    before = METERS.rounds.value("ok"), METERS.launches.value()
    assert case.daemon.round() == Ended(Ending.OK)
    assert METERS.rounds.value("ok") == before[0] + 1
    assert METERS.launches.value() == before[1] + 3
    assert METERS.objects.value("Progressing") == 3
    assert METERS.last_success.value() == case.clock.now().timestamp()
    (began,), (end,) = case.lines("round-began"), case.lines("round-ended")
    assert began["round"] == end["round"]
    assert len(end["commit"]) == 40
    assert case.daemon.ready() == (True, "the last round ended well")


@pytest.mark.parametrize(
    ("error", "ending"),
    [
        (TransientError("429", retry_after=40), Ending.TRANSIENT),
        (AmbiguousError("503"), Ending.TRANSIENT),
        (NotHealthyError("not synced"), Ending.TRANSIENT),
        (RepositoryError("no network", transient=True), Ending.TRANSIENT),
        (OSError(28, "no space"), Ending.TRANSIENT),
        (RepositoryError("diverged"), Ending.TERMINAL),
        (InputError([]), Ending.TERMINAL),
        (ConflictError("holds something else"), Ending.TERMINAL),
        (PolicyError("too many"), Ending.TERMINAL),
        (LockHeldError("kim is at work"), Ending.LOCKED),
    ],
)
def test_what_a_failure_means_for_the_next_round(case: Case, error: BaseException, ending: Ending) -> None:
    assert classify(error) is ending
    before = METERS.rounds.value(ending.value)
    ended = case.fails(error)
    assert ended == Ended(ending, getattr(error, "retry_after", None))
    assert METERS.rounds.value(ending.value) == before + 1
    assert case.daemon.ready()[0] is (ending is Ending.LOCKED), "who stands by is ready"


def test_a_fault_of_the_program_is_not_swallowed(case: Case) -> None:
    with pytest.raises(ZeroDivisionError):
        case.fails(ZeroDivisionError())


class Refuse:
    """AI Core refuses whatever names `name`, until it is mended."""

    def __init__(self, case: Case, name: str, error: Callable[[], ReconcilerError]) -> None:
        self.case, self.name, self.error = case, name, error
        case.world.aicore._pipe = self  # type: ignore[assignment]
        self.broken = True

    def post(self, path: str, body: dict[str, Any]) -> Any:
        if self.broken and str(body.get("name", "")).startswith(self.name):
            raise self.error()
        return self.case.world.server.post(path, body)

    def __getattr__(self, attribute: str) -> Any:
        return getattr(self.case.world.server, attribute)


def test_one_object_at_fault_does_not_stop_the_others(case: Case) -> None:
    """The round goes on without it and what needs it, and says so; it is tried again after its own pause."""
    refusing = Refuse(case, "c0", lambda: TransientError("not now"))
    ended = case.daemon.round()
    assert ended == Ended(Ending.OK, None, 30.0), "it is due then"
    assert case.made() == {"c1", "c2"}
    assert len(case.world.server.executions) == 2
    assert [line["address"] for line in case.lines("failed")] == ["configuration/meters/c0"]
    case.clock.time += 10
    assert case.daemon.round() == Ended(Ending.OK, None, 20.0), "called in between"
    assert [line["address"] for line in case.lines("held-back")] == ["configuration/meters/c0"]
    refusing.broken = False
    case.clock.time += 20
    case.daemon.round()
    assert case.made() == {"c0", "c1", "c2"}
    assert len(case.world.server.executions) == 3
    assert case.daemon.round() == Ended(Ending.OK)


def test_two_that_fail_and_may_pass_are_the_services_fault(case: Case) -> None:
    """It is not asked on and on: the round ends, the next one comes soon, and begins with the others."""
    refusing = Refuse(case, "c", lambda: TransientError("not now"))
    assert case.daemon.round() == Ended(Ending.OK, None, 30.0)
    assert len(case.lines("failed")) == 2
    refusing.broken = False
    case.clock.time += 30
    case.daemon.round()
    assert case.made() == {"c2"}
    case.clock.time += 30
    case.daemon.round()
    assert case.made() == {"c0", "c1", "c2"}


def test_what_fails_for_good_is_left_out_until_the_interval_or_a_commit(case: Case) -> None:
    refusing = Refuse(case, "c0", lambda: ConflictError("no"))
    assert case.daemon.round() == Ended(Ending.OK, None, 300.0)
    case.clock.time += 30
    assert case.daemon.round() == Ended(Ending.OK, None, 270.0)
    assert case.made() == {"c1", "c2"}
    refusing.broken = False
    case.daemon.round()
    assert case.made() == {"c1", "c2"}, "its pause is not over"
    case.commit()
    case.daemon.round()
    assert case.made() == {"c0", "c1", "c2"}


def test_a_stop_is_heard_before_the_next_write(case: Case) -> None:
    """The write under way is finished, the next is not begun, and the round is no failure."""
    stopping = Refuse(case, "-", lambda: TransientError(""))

    def post(path: str, body: dict[str, Any]) -> Any:
        answer = case.world.server.post(path, body)
        if path == "/lm/configurations":
            case.bell.stop()
        return answer

    stopping.post = post  # type: ignore[method-assign]
    with pytest.raises(StopRequestedError):
        case.daemon.round()
    assert len(case.world.server.configurations) == 1
    assert case.world.server.executions == []
    assert case.lines("round-failed") == []


def test_a_failure_that_passes_is_told_when_it_lasts(case: Case) -> None:
    for told in (0, 0, 1, 1):
        case.fails(TransientError("unreachable"))
        assert len(case.sent) == told
    assert case.sent[0]["reason"] == "TransientError"
    case.daemon.round()
    assert case.sent[1]["reason"] == "Recovered"
    assert case.sent[1]["severity"] == "info"


def test_a_failure_for_good_is_told_at_once_and_again_after_a_commit(case: Case) -> None:
    case.fails(PolicyError("4 launches, 3 allowed"))
    case.fails(PolicyError("4 launches, 3 allowed"))
    assert [one["object"] for one in case.sent] == ["environment/local"]
    assert case.sent[0]["message"] == "4 launches, 3 allowed"
    case.commit()
    case.fails(PolicyError("5 launches, 3 allowed"))
    assert len(case.sent) == 2


def test_a_stalled_run_is_told(case: Case) -> None:
    wanted = [configuration(f"c{n}", {"rate": str(n)}) for n in range(3)]
    case.world.change(desired(wanted, [execution(one, retries=0) for one in wanted]))
    case.daemon.round()
    case.world.server.finish(status="DEAD")
    case.daemon.round()
    case.daemon.round()
    stalled = [one for one in case.sent if one["reason"] == "Stalled"]
    assert {one["object"] for one in stalled} == {f"execution/meters/c{n}" for n in range(3)}
    assert len(stalled) == 3
    assert METERS.objects.value("Degraded") == 3


def test_the_pace_is_read_again_and_a_broken_file_changes_nothing(case: Case) -> None:
    assert case.daemon.pace() == Pace(300, 30)
    case.operate(daemon={"interval": "60s", "retryInterval": "5s"})
    case.daemon.round()
    assert case.daemon.pace() == Pace(60, 5)

    def broken() -> Environment:
        raise InputError([])

    case.daemon._read = broken
    case.daemon.round()
    assert case.daemon.pace() == Pace(60, 5)


def test_it_is_alive_until_it_has_been_silent_for_long(case: Case) -> None:
    case.daemon.round()
    case.clock.time += 3 * 300 - 1
    assert case.daemon.health()[0]
    case.clock.time += 2
    assert not case.daemon.health()[0]
    case.clock.check()
    assert case.daemon.health()[0]
    case.operate(daemon={"interval": "1s"})
    case.daemon.round()
    case.clock.time += _LEAST_PATIENCE - 1
    assert case.daemon.health()[0], "one request may take minutes"


def test_a_webhook_calls_a_round(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    assert case.daemon.webhook({}, b"") is None
    case.operate(daemon={"webhook": {"provider": "generic", "secret": "env:HOOK"}})
    case.daemon.round()
    monkeypatch.delenv("HOOK", raising=False)
    refused = case.daemon.webhook({}, b"")
    assert refused
    assert refused.status == 503
    monkeypatch.setenv("HOOK", "c4nary")
    for _ in range(5):
        refused = case.daemon.webhook({"X-Signature": "guess"}, b"")
        assert refused
        assert refused.status == 401
    assert not case.bell.called
    assert len(case.lines("call-refused")) == 1, "whoever guesses does not fill the log"
    accepted = case.daemon.webhook({"X-Signature": signature("c4nary", b"")}, b"")
    assert accepted
    assert accepted.status == 202
    assert case.bell.called
    assert "c4nary" not in case.log.getvalue()
