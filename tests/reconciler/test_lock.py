"""One writer at a time, a holder with a name, and nothing left behind by a killed one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from reconciler.errors import InputRejectedError, LockHeldError, LockLostError
from reconciler.lock import FileLock, default_folder
from reconciler.lock_base import LockRecord
from tests.reconciler.fake import FakeClock

PLACE = ("http://ai.example", "default")


def test_the_second_writer_learns_who_holds_the_lock(tmp_path: Path) -> None:
    """Exit code 5, the holder and its operation, and the option to wait."""
    with FileLock(*PLACE, "apply", folder=tmp_path), pytest.raises(LockHeldError) as raised:
        FileLock(*PLACE, "plan", folder=tmp_path).__enter__()
    assert raised.value.exit_code == 5
    assert f"process {os.getpid()}" in str(raised.value)
    assert "(apply, since " in str(raised.value)
    assert "--lock-timeout" in raised.value.remedy
    assert list(tmp_path.glob("*.json")) == []


def test_places_do_not_disturb_each_other(tmp_path: Path) -> None:
    """The lock belongs to one API and one resource group."""
    with FileLock(*PLACE, "a", folder=tmp_path), FileLock(PLACE[0], "other", "b", folder=tmp_path) as second:
        second.check()


def test_a_silent_holder_is_said_to_be_silent(tmp_path: Path) -> None:
    """Past its expiry the record no longer looks alive, and is never broken for that."""
    clock = FakeClock()
    with FileLock(*PLACE, "apply", folder=tmp_path, clock=clock):
        clock.moment += timedelta(hours=1)
        with pytest.raises(LockHeldError, match="no sign of life"):
            FileLock(*PLACE, "apply", folder=tmp_path, clock=clock).__enter__()


def test_a_lost_lock_stops_the_writer(tmp_path: Path) -> None:
    """The token is compared before each write."""
    with FileLock(*PLACE, "apply", folder=tmp_path) as lock:
        lock.check()
        record = next(tmp_path.glob("*.json"))
        record.write_text(json.dumps({"token": "another"}))
        with pytest.raises(LockLostError, match="taken away"):
            lock.check()


def test_a_killed_writer_leaves_no_lock(tmp_path: Path) -> None:
    """The system releases it; the stale record does not matter."""
    code = (
        "import sys; from pathlib import Path; from reconciler.lock import FileLock\n"
        f"lock = FileLock(*{PLACE!r}, 'apply', folder=Path(sys.argv[1])); lock.__enter__()\n"
        "print('held', flush=True); sys.stdin.read()"
    )
    root = Path(__file__).parents[2]
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=root,
    )
    assert holder.stdin is not None
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    with pytest.raises(LockHeldError):
        FileLock(*PLACE, "apply", folder=tmp_path).__enter__()
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    holder.stdin.close()
    holder.stdout.close()
    with FileLock(*PLACE, "apply", folder=tmp_path, timeout=5) as lock:
        lock.check()


def test_no_lock_no_write(tmp_path: Path) -> None:
    """Where no lock can be made, the writer fails instead of going on without."""
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputRejectedError, match="No lock can be made"):
        FileLock(*PLACE, "apply", folder=tmp_path / "file" / "locks").__enter__()


def test_the_folder_is_the_users(tmp_path: Path) -> None:
    """All checkouts of one user share it; a variable moves it."""
    assert default_folder({"CORESPEC_STATE_DIR": "/x"}) == Path("/x/locks")
    assert default_folder({"XDG_STATE_HOME": "/s"}) == Path("/s/corespec/locks")


def test_waiting_is_on_the_clock_of_the_package(tmp_path: Path) -> None:
    """As long as was asked for, and no longer."""
    clock = FakeClock()
    with FileLock(*PLACE, "apply", folder=tmp_path), pytest.raises(LockHeldError):
        FileLock(*PLACE, "apply", folder=tmp_path, clock=clock, timeout=1).acquire()
    assert sum(clock.slept) == pytest.approx(1)


def test_a_renewal_moves_the_expiry_and_nothing_else(tmp_path: Path) -> None:
    clock = FakeClock()
    with FileLock(*PLACE, "apply", folder=tmp_path, commit="c" * 40, clock=clock) as lock:
        path = next(tmp_path.glob("*.json"))
        first = LockRecord.parse(path.read_bytes())
        clock.moment += timedelta(seconds=30)
        lock.refresh()
        second = LockRecord.parse(path.read_bytes())
    assert second == replace(first, expires_at=first.expires_at + timedelta(seconds=30))
    assert (first.token, first.commit) == (lock.token, "c" * 40)


def test_a_renewal_does_not_bring_a_removed_lock_back(tmp_path: Path) -> None:
    """Somebody has unlocked it: the holder stops, whatever its heartbeat does."""
    with FileLock(*PLACE, "apply", folder=tmp_path) as lock:
        FileLock(*PLACE, "unlock", folder=tmp_path).unlock(lock.token)
        with pytest.raises(LockLostError):
            lock.refresh()
        assert list(tmp_path.glob("*.json")) == []
        with pytest.raises(LockLostError):
            lock.check()


def test_the_record_of_the_dead_is_no_lock(tmp_path: Path) -> None:
    """The system knows of no holder: the lock is free."""
    lock = FileLock(*PLACE, "apply", folder=tmp_path)
    lock.acquire()
    lock._lock.release()
    assert list(tmp_path.glob("*.json"))
    assert FileLock(*PLACE, "look", folder=tmp_path).look() is None
    with FileLock(*PLACE, "apply", folder=tmp_path) as heir:
        heir.check()
