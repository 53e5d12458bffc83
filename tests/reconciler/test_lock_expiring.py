"""A lock that expires: one holder at a time whatever happens to it, and the next one after expiry only."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from reconciler.daemon import classify
from reconciler.errors import (
    InputRejectedError,
    LockHeldError,
    LockLostError,
    LockUnavailableError,
    TerminalError,
)
from reconciler.guarded import Guarded
from reconciler.lock_base import LIFETIME, MARGIN, LockRecord
from reconciler.lock_expiring import ExpiringLock
from reconciler.loop import Ending
from tests.reconciler.builders import World, configuration, desired
from tests.reconciler.fake import FakeAICore, FakeClock
from tests.reconciler.slots import MemorySlot

SECOND = timedelta(seconds=1)


def _record(slot: MemorySlot) -> LockRecord:
    return LockRecord.parse(slot.content or b"")


def test_the_record_says_who_does_what_and_until_when() -> None:
    """Everything that somebody who waits wants to know; nothing else."""
    slot = MemorySlot()
    lock = slot.lock("apply")
    lock.acquire()
    record = _record(slot)
    assert set(record.document()) == {
        *("format_version", "token", "host", "user", "process", "operation"),
        *("commit", "taken_at", "expires_at", "released"),
    }
    assert (record.token, record.operation, record.commit) == (lock.token, "apply", "c" * 40)
    assert record.expires_at == slot.clock.now() + LIFETIME
    assert len(lock.token) == 32
    assert slot.lock().token != lock.token


def test_the_second_writer_learns_who_holds_the_lock() -> None:
    """Exit code 5 and the holder; a released lock is free at once."""
    slot = MemorySlot()
    with slot.lock("apply"):
        with pytest.raises(
            LockHeldError, match=r"process \d+ is at work on .*default \(apply, since"
        ) as raised:
            slot.lock("reconcile").acquire()
        assert raised.value.exit_code == 5
    with slot.lock("reconcile") as second:
        second.check()
    assert slot.lock().look() is None


def test_waiting_is_on_the_clock_of_the_package() -> None:
    """`--lock-timeout` waits for a holder that gives the lock back, and no longer than it says."""
    slot = MemorySlot()
    first = slot.lock()
    first.acquire()

    class Patient(FakeClock):
        def sleep(self, seconds: float) -> None:
            super().sleep(seconds)
            if len(self.slept) == 3:
                first.release()

    patient = Patient()
    slot.lock(clock=patient, timeout=60).acquire()
    assert patient.slept == [2.0, 2.0, 2.0]
    impatient = FakeClock()
    with pytest.raises(LockHeldError):
        slot.lock(clock=impatient, timeout=5).acquire()
    assert sum(impatient.slept) == 5


def test_a_killed_holder_is_followed_after_expiry_and_not_before() -> None:
    """Nothing was released: the lock is left alone until its expiry and the margin have passed."""
    slot = MemorySlot()
    slot.lock().acquire()
    slot.clock.moment += LIFETIME + MARGIN
    with pytest.raises(LockHeldError, match="no sign of life"):
        slot.lock().acquire()
    slot.clock.moment += SECOND
    slot.lock().acquire()


def test_a_renewed_lock_is_not_taken_over() -> None:
    slot = MemorySlot()
    holder = slot.lock()
    holder.acquire()
    for _ in range(20):
        slot.clock.moment += LIFETIME / 4
        holder.refresh()
        holder.check()
    with pytest.raises(LockHeldError):
        slot.lock().acquire()


@pytest.mark.parametrize("wrong", [timedelta(hours=-5), timedelta(hours=5)], ids=["behind", "ahead"])
def test_the_clocks_of_hosts_do_not_matter(wrong: timedelta) -> None:
    """Five hours off: neither is a lock taken too early, nor kept too long."""
    slot = MemorySlot()
    off = FakeClock(slot.clock.now() + wrong)
    holder = slot.lock(clock=off)
    holder.acquire()
    holder.check()
    with pytest.raises(LockHeldError):
        slot.lock(clock=FakeClock(slot.clock.now() - wrong)).acquire()
    slot.clock.moment += LIFETIME + MARGIN + SECOND
    slot.lock(clock=off).acquire()


def test_without_the_stores_time_the_hosts_own_counts() -> None:
    slot = MemorySlot(dated=False)
    slot.lock(clock=FakeClock()).acquire()
    later = FakeClock()
    later.moment += LIFETIME + MARGIN
    with pytest.raises(LockHeldError):
        slot.lock(clock=later).acquire()
    later.moment += SECOND
    slot.lock(clock=later).acquire()


def test_check_notices_every_way_to_lose_the_lock() -> None:
    """Taken over, unlocked, deleted, expired: each stops the writer, terminally."""

    def expire(slot: MemorySlot) -> None:
        slot.clock.moment += LIFETIME + SECOND

    def take_over(slot: MemorySlot) -> None:
        slot.clock.moment += LIFETIME + MARGIN + SECOND
        slot.lock().acquire()

    def unlock(slot: MemorySlot) -> None:
        slot.lock().unlock(_record(slot).token)

    def delete(slot: MemorySlot) -> None:
        slot.content, slot.tag = None, ""

    for lose in (expire, take_over, unlock, delete):
        slot = MemorySlot()
        lock = slot.lock()
        lock.acquire()
        lock.check()
        lose(slot)
        with pytest.raises(LockLostError, match="stops writing") as raised:
            lock.check()
        assert isinstance(raised.value, TerminalError)
        assert raised.value.exit_code == 5


def test_check_notices_that_the_heartbeat_has_died() -> None:
    """The lock is still ours now; nobody will renew it, and the next write may be a long one."""
    slot = MemorySlot()
    with slot.lock() as lock:
        lock.check()
        lock._stop.set()
        assert lock._heart is not None
        lock._heart.join()
        with pytest.raises(LockLostError, match="not renewed"):
            lock.check()


def test_a_heartbeat_that_finds_the_lock_lost_ends_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """It never takes the lock back; one that cannot reach the store tries again."""
    monkeypatch.setattr("reconciler.lock_base._HEARTBEAT_SECONDS", 0.001)
    slot = MemorySlot(down=False)
    lock = slot.lock()
    lock.__enter__()
    slot.down = True
    with pytest.raises(LockUnavailableError):
        lock.check()
    slot.content, slot.tag, slot.down = None, "", False
    assert lock._heart is not None
    lock._heart.join(10)
    assert not lock._heart.is_alive()
    with pytest.raises(LockLostError, match="taken away"):
        lock.check()
    lock.release()
    assert slot.content is None


def test_a_lost_answer_is_not_a_lost_lock() -> None:
    """The write was done and its answer did not arrive: what lies there decides."""
    slot = MemorySlot(lose_answers=1)
    lock = slot.lock()
    lock.acquire()
    slot.lose_answers = 1
    lock.refresh()
    lock.check()
    slot.lose_answers = 1
    lock.release()
    assert slot.lock().look() is None


def test_release_leaves_the_lock_of_another_alone() -> None:
    slot = MemorySlot()
    first, second = slot.lock(), slot.lock()
    first.acquire()
    slot.clock.moment += LIFETIME + MARGIN + SECOND
    second.acquire()
    before = slot.content
    first.release()
    assert slot.content == before
    second.check()


def test_of_two_that_find_it_free_one_gets_it() -> None:
    """The other one looked as well before either wrote."""
    slot = MemorySlot()
    rival = slot.lock("rival")

    def rival_first() -> None:
        slot.before_put = lambda: None
        rival.acquire()

    slot.before_put = rival_first
    with pytest.raises(LockHeldError, match="rival"):
        slot.lock().acquire()
    rival.check()


def test_a_store_that_ignores_conditions_is_refused() -> None:
    """It would give the lock to everybody."""
    with pytest.raises(LockUnavailableError, match="not honoured") as raised:
        MemorySlot(honest=False).lock().acquire()
    assert raised.value.exit_code == 1
    assert "lock: {type: file}" in raised.value.remedy


def test_a_store_that_refuses_every_condition_is_refused() -> None:
    """It could be taken once and never be renewed."""
    slot = MemorySlot()
    takes_once = slot.put
    slot.put = lambda content, replacing: not replacing and takes_once(content, replacing)  # type: ignore[method-assign]
    with pytest.raises(LockUnavailableError, match="not understood"):
        slot.lock().acquire()


@pytest.mark.parametrize("content", [b"", b"\xff", b"[]", b"{}", b'{"format_version": 2}'])
def test_what_cannot_be_read_is_not_free(content: bytes) -> None:
    """A newer version's lock perhaps: fails closed, exit code 1."""
    slot = MemorySlot(content=content, tag="1")
    for attempt in (slot.lock().acquire, slot.lock().look):
        with pytest.raises(LockUnavailableError, match="no lock that this version"):
            attempt()
    assert slot.content == content


def test_a_store_that_is_down_gives_no_lock() -> None:
    slot = MemorySlot(down=True)
    with pytest.raises(LockUnavailableError) as raised:
        slot.lock().acquire()
    assert (raised.value.exit_code, raised.value.transient) == (1, True)


def test_a_release_that_does_not_arrive_hides_no_result() -> None:
    """The apply is over and has done what it should; the lock expires."""
    slot = MemorySlot()
    with slot.lock():
        slot.down = True
    slot.down = False
    assert slot.lock().look() is not None


def test_an_interrupted_take_leaves_no_lock() -> None:
    """Ctrl-C after the write, before anybody knows of it."""
    slot = MemorySlot()
    look, looks = slot.get, []

    def interrupted() -> Any:
        looks.append(1)
        if len(looks) == 2:
            raise KeyboardInterrupt
        return look()

    slot.get = interrupted  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        slot.lock().acquire()
    assert _record(slot).released


def test_unlock_removes_that_very_lock() -> None:
    """A token of another, or of an earlier holder, removes nothing; the holder stops."""
    slot = MemorySlot()
    with pytest.raises(InputRejectedError, match="Nobody holds"):
        slot.lock().unlock("x")
    holder = slot.lock()
    holder.acquire()
    with pytest.raises(InputRejectedError, match="another token"):
        slot.lock().unlock("x")
    holder.check()
    assert slot.lock().unlock(holder.token).token == holder.token
    with pytest.raises(LockLostError):
        holder.check()
    slot.lock().acquire()


def test_the_daemon_stands_by_and_comes_again() -> None:
    """Held or lost: locked. Unreachable: tried again. Refused for good: no use in trying."""
    assert classify(LockHeldError("held")) is Ending.LOCKED
    assert classify(LockLostError("lost")) is Ending.LOCKED
    assert classify(LockUnavailableError("down", transient=True)) is Ending.TRANSIENT
    assert classify(LockUnavailableError("refused")) is Ending.TERMINAL


class _Stolen:
    """A pipe behind which somebody takes the lock over after `after` writes."""

    def __init__(self, server: FakeAICore, slot: MemorySlot, after: int) -> None:
        self._server, self._slot, self._left = server, slot, after

    def get(self, path: str, params: Mapping[str, str] | None = None) -> Any:
        return self._server.get(path, params)

    def post(self, path: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        answer = self._server.post(path, body)
        self._left -= 1
        if self._left == 0:
            self._slot.clock.moment += LIFETIME + MARGIN + SECOND
            self._slot.lock("thief").acquire()
        return answer

    def patch(self, path: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        return self._server.patch(path, body)

    def delete(self, path: str) -> Mapping[str, Any]:
        return self._server.delete(path)


def test_a_lock_lost_in_the_middle_of_an_apply_stops_it_there(tmp_path: Path) -> None:
    """At every write in turn: not one more is sent, and a later apply ends where an undisturbed one does."""

    def world(name: str) -> World:
        return World(tmp_path / name, desired([configuration(f"c{n}", {"rate": str(n)}) for n in range(2)]))

    whole = world("whole")
    whole.apply()
    total = len(whole.server.writes)
    assert total > 5
    for after in range(1, total):
        cut, slot = world(str(after)), MemorySlot()
        lock = slot.lock()
        lock.acquire()
        cut.aicore._pipe = Guarded(_Stolen(cut.server, slot, after), lock.check)
        with pytest.raises(LockLostError):
            cut.apply()
        assert len(cut.server.writes) == after
        cut.aicore._pipe = cut.server
        cut.apply()
        assert len(cut.server.executions) == len(whole.server.executions)


HOLDERS = st.integers(0, 1)


class OneWriter(RuleBasedStateMachine):
    """Two hosts with clocks of their own, and every order of taking, renewing, dying and unlocking.

    The model knows one thing: which lock was the last to be taken, and until when.
    """

    @initialize(skews=st.tuples(st.integers(-7200, 7200), st.integers(-7200, 7200)))
    def begin(self, skews: tuple[int, int]) -> None:
        self.slot = MemorySlot()
        self.skews = [timedelta(seconds=skew) for skew in skews]
        self.locks: list[ExpiringLock | None] = [None, None]
        self.zombies: list[ExpiringLock] = []
        self.owner: ExpiringLock | None = None
        self.expires: datetime = self.slot.clock.now()

    @property
    def now(self) -> datetime:
        return self.slot.clock.now()

    @rule(who=HOLDERS)
    def take(self, who: int) -> None:
        if self.locks[who] is not None:
            return
        lock = self.slot.lock(f"host {who}", FakeClock(self.now + self.skews[who]))
        if self.owner is not None and self.now <= self.expires + MARGIN:
            with pytest.raises(LockHeldError):
                lock.acquire()
            return
        lock.acquire()
        self.locks[who] = self.owner = lock
        self.expires = self.now + LIFETIME

    @rule(who=HOLDERS)
    def renew(self, who: int) -> None:
        lock = self.locks[who]
        if lock is None:
            return
        if lock is self.owner:
            lock.refresh()
            self.expires = self.now + LIFETIME
        else:
            with pytest.raises(LockLostError):
                lock.refresh()

    @rule(who=HOLDERS)
    def give_back(self, who: int) -> None:
        lock, self.locks[who] = self.locks[who], None
        if lock is not None:
            lock.release()
            self.zombies.append(lock)
            self.owner = None if lock is self.owner else self.owner

    @rule(who=HOLDERS)
    def kill(self, who: int) -> None:
        lock, self.locks[who] = self.locks[who], None
        if lock is not None:
            self.zombies.append(lock)

    @precondition(lambda self: self.owner is not None)
    @rule()
    def unlock(self) -> None:
        assert self.owner is not None
        self.slot.lock("unlock").unlock(self.owner.token)
        self.owner = None

    @rule(seconds=st.integers(1, 80))
    def wait(self, seconds: int) -> None:
        self.slot.clock.sleep(seconds)

    @rule()
    def lose_an_answer(self) -> None:
        self.slot.lose_answers = 1

    @invariant()
    def the_owner_alone_may_write(self) -> None:
        if not hasattr(self, "slot"):
            return
        for lock in [*filter(None, self.locks), *self.zombies]:
            if lock is self.owner and self.now <= self.expires:
                lock.check()
            else:
                with pytest.raises(LockLostError):
                    lock.check()


OneWriter.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestOneWriter = OneWriter.TestCase
