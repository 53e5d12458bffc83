"""What happened to each object: five records each, equal ones counted, bounded, nothing lost to noise."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.errors import ApiError, LockHeldError, ReconcilerError
from reconciler.events import Emitter, EventKind
from reconciler.health import Health, Reason, Sync
from reconciler.history import KEPT, LOG_BYTES, EventLog, Histories, Record, read_records
from reconciler.status import StatusRow
from tests.reconciler.fake import START, FakeClock


def _record(reason: str, minute: int, address: str = "execution/s/e", kind: str = "done") -> Record:
    moment = START + timedelta(minutes=minute)
    return Record(address, "info", reason, "said", "c0ffee", moment, "local", kind=kind)


def _row(address: str, health: Health, reason: Reason, message: str = "") -> StatusRow:
    return StatusRow(address, Sync.SYNCED, health, reason, message)


@given(st.lists(st.tuples(st.sampled_from("abcdefgh"), st.sampled_from(["x/1", "x/2"])), max_size=60))
def test_each_object_keeps_its_latest_and_counts_them(said: list[tuple[str, str]]) -> None:
    """At most five, in the order in which they last happened, each with how often since it was first kept."""
    records = [_record(reason, minute, address) for minute, (reason, address) in enumerate(said)]
    for address in ("x/1", "x/2"):
        own = [reason for reason, of in said if of == address]
        found = Histories(records).of("local", address)
        latest = list(dict.fromkeys(reversed(own)))[:KEPT]
        assert [one.reason for one in reversed(found)] == latest
        assert len(found) <= KEPT
        assert all(1 <= one.count <= own.count(one.reason) for one in found)
        assert all((one.first or one.timestamp) <= one.timestamp for one in found)


@given(st.lists(st.sampled_from("abc"), max_size=30), st.integers(0, 30))
def test_a_history_that_is_written_and_read_is_the_same(said: list[str], cut: int) -> None:
    """Whatever was condensed on the way: the counts of a file that was turned over go on."""
    records = [_record(reason, minute) for minute, reason in enumerate(said)]
    whole = Histories(records).of("local", "execution/s/e")
    begun = Histories(records[:cut]).of("local", "execution/s/e")
    assert Histories([*begun, *records[cut:]]).of("local", "execution/s/e") == whole


def test_a_deed_that_began_is_shown_until_it_ended() -> None:
    """A process that was killed at it leaves the beginning; otherwise only the end matters."""
    begun = _record("Begun", 1, kind="started")
    assert [one.reason for one in Histories([begun]).every()] == ["Begun"]
    assert [one.reason for one in Histories([begun, _record("Launched", 2)]).every()] == ["Launched"]


def test_the_shape_is_that_of_a_message(tmp_path: Path) -> None:
    """The keys that docs/operate.md shows for messages, and how often; deeds and ends by their names."""
    log = EventLog(tmp_path / "events.jsonl", "local")
    emit = Emitter(FakeClock(), log, log=log)
    emit.at("c0ffee")
    emit(EventKind.DONE, "execution/s/e", "e--1", id="e1", action="launch")
    emit(EventKind.ENDED, "execution/s/e", "baseline  dead", status="DEAD")
    emit(EventKind.STAGE, "launch", "1 to do")
    first, second = (json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines())
    assert first == {
        "format_version": "1.0",
        "environment": "local",
        "object": "execution/s/e",
        "severity": "info",
        "reason": "Launched",
        "message": "e--1",
        "revision": "c0ffee",
        "timestamp": START.isoformat(),
        "first_timestamp": START.isoformat(),
        "count": 1,
        "kind": "done",
        "data": {"id": "e1", "action": "launch"},
    }
    assert (second["severity"], second["reason"]) == ("error", "Dead")


def test_states_are_written_when_they_change(tmp_path: Path) -> None:
    """What is well and was never heard of is not written; what is wrong is, once; and its recovery."""
    path = tmp_path / "events.jsonl"
    emit = Emitter(FakeClock(), log=EventLog(path, "local"))
    bad = _row("template/x", Health.DEGRADED, Reason.SYNC_FAILED, "x: no such field")
    well = _row("template/x", Health.HEALTHY, Reason.READY)
    other = _row("dataset/s/d", Health.HEALTHY, Reason.READY)
    for row in (well, bad, bad, well, well, bad):
        emit.states([row, other])
    said = [(record.severity, record.reason) for record in read_records(path)]
    assert said == [("error", "SyncFailed"), ("info", "Ready"), ("error", "SyncFailed")]
    (again, first) = sorted(Histories(read_records(path)).every(), key=lambda one: one.count, reverse=True)
    assert (again.reason, again.count, first.reason) == ("SyncFailed", 2, "Ready")


def test_a_round_that_fails_and_the_one_that_ends_well_again(tmp_path: Path) -> None:
    """About the environment as a whole, once for each with a count; a lock of somebody else is no failure."""
    path = tmp_path / "events.jsonl"
    log = EventLog(path, "local")
    emit = Emitter(FakeClock(), log, log=log)
    for error in (ApiError("no such thing"), ApiError("no such thing"), LockHeldError("held")):
        with pytest.raises(ReconcilerError), emit.failures():
            raise error
    emit.states([])
    emit.states([])
    found = Histories(read_records(path)).of("local", "environment/local")
    assert [(one.reason, one.count, one.severity) for one in found] == [
        ("ApiError", 2, "error"),
        ("Recovered", 1, "info"),
    ]


def test_the_file_is_bounded_and_keeps_what_is_rare(tmp_path: Path) -> None:
    """Twenty thousand noisy events turn the file over; the one rare failure is still there."""
    path = tmp_path / "events.jsonl"
    log = EventLog(path, "local")
    emit = Emitter(FakeClock(), log)
    emit(EventKind.FAILED, "dataset/s/rare", "the bucket is gone")
    noise = [_record(f"Reason{n % 7}", n, f"execution/s/{n % 50}") for n in range(20_000)]
    for begin in range(0, len(noise), 500):
        log._append(noise[begin : begin + 500])
    assert path.with_suffix(".1.jsonl").exists()
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) < 2 * LOG_BYTES + 500 * 400
    found = Histories(read_records(path))
    assert [one.message for one in found.of("local", "dataset/s/rare")] == ["the bucket is gone"]
    assert len(found.of("local", "execution/s/7")) == KEPT


def test_a_line_that_a_crash_has_cut_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    log = EventLog(path, "local")
    emit = Emitter(FakeClock(), log)
    emit(EventKind.DONE, "a/b", "done", action="create")
    path.write_bytes(path.read_bytes() + b'{"object": "a/b", "sever\n[]\n\xff\n')
    emit(EventKind.FAILED, "a/b", "failed")
    assert [record.reason for record in read_records(path)] == ["Created", "Failed"]
    assert list(read_records(tmp_path / "none.jsonl")) == []
