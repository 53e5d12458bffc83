"""Every state of a run and of an application has one verdict."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.exitcode import ExitCode, exit_code
from reconciler.health import Health, Reason, RunBudget, application, execution, runs, worst
from reconciler.live import ApplicationStatus, Execution, SyncedResource
from tests.reconciler.fake import START

HOUR = timedelta(hours=1)


def _run(status: str, id_: str = "e1", age: timedelta = HOUR, **extra: object) -> Execution:
    fields: dict[str, object] = {
        "id": id_,
        "configuration": "c",
        "configuration_name": "baseline--0123456789ab",
        "scenario": "s",
        "executable": "x",
        "status": status,
        "target_status": "COMPLETED",
        "created_at": START - age,
        "modified_at": START - age,
    }
    return Execution(**(fields | extra))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("status", "health", "reason"),
    [
        ("COMPLETED", Health.HEALTHY, Reason.COMPLETED),
        ("DEAD", Health.DEGRADED, Reason.STALLED),
        ("RUNNING", Health.PROGRESSING, Reason.RUNNING),
        ("PENDING", Health.PROGRESSING, Reason.QUEUED),
        ("UNKNOWN", Health.PROGRESSING, Reason.QUEUED),
        ("STOPPING", Health.SUSPENDED, Reason.STOPPED_BY_HAND),
        ("STOPPED", Health.SUSPENDED, Reason.STOPPED_BY_HAND),
        ("SOMETHING-NEW", Health.UNKNOWN, Reason.UNREADABLE),
    ],
)
def test_each_state_of_an_execution(status: str, health: Health, reason: Reason) -> None:
    """Including states that nobody has told us about."""
    verdict = execution(_run(status))
    assert (verdict.health, verdict.reason) == (health, reason)


def test_nothing_has_run_yet() -> None:
    """As many launches as are wanted."""
    state = runs(RunBudget(want=2), [], START)
    assert (state.verdict.reason, state.launches) == (Reason.NOT_STARTED, 2)


def test_a_completed_run_is_enough() -> None:
    """Level-triggered: who started it and when does not matter."""
    assert runs(RunBudget(), [_run("COMPLETED")], START).verdict.health is Health.HEALTHY


def test_a_run_under_way_counts_as_pending_success() -> None:
    """No second launch beside it, even when it is older than rerunAfter."""
    budget = RunBudget(rerun_after=START - HOUR / 2)
    assert runs(budget, [_run("RUNNING")], START).launches == 0


def test_rerun_after_forgets_older_runs() -> None:
    """A completed run from before no longer counts."""
    state = runs(RunBudget(rerun_after=START - HOUR / 2), [_run("COMPLETED")], START)
    assert state.launches == 1


def test_a_rerun_in_the_future_waits() -> None:
    """It is suspended until then, whatever the machine's schedule."""
    state = runs(RunBudget(rerun_after=START + HOUR), [_run("COMPLETED")], START)
    assert (state.verdict.reason, state.launches) == (Reason.WAITING_FOR_RERUN, 0)


def test_dead_runs_are_retried_and_then_stalled() -> None:
    """`retries` more attempts, then none until the spec changes."""
    budget = RunBudget(retries=1)
    assert runs(budget, [_run("DEAD", message="boom")], START).launches == 1
    stalled = runs(budget, [_run("DEAD"), _run("DEAD", "e2", HOUR / 2, message="boom")], START)
    assert (stalled.launches, stalled.verdict.reason) == (0, Reason.STALLED)
    assert "e2: boom" in stalled.verdict.message


def test_a_run_stopped_by_hand_is_not_started_again() -> None:
    """A person had a reason; moving rerunAfter starts anew."""
    assert runs(RunBudget(), [_run("STOPPED")], START).launches == 0
    later = RunBudget(rerun_after=START - HOUR / 2)
    assert runs(later, [_run("STOPPED")], START).launches == 1


def test_an_overdue_run_is_stopped_and_counts_as_failed() -> None:
    """After its timeout a run is stopped; stopped that late, it uses up one retry instead of suspending."""
    budget = RunBudget(timeout=HOUR / 2, retries=1)
    assert [run.id for run in runs(budget, [_run("RUNNING")], START).overdue] == ["e1"]
    stopped = _run("STOPPED", completed_at=START)
    assert runs(budget, [stopped], START).launches == 1


def test_nothing_is_wanted() -> None:
    """want: 0 keeps the configuration and runs nothing."""
    assert runs(RunBudget(want=0), [], START).verdict.reason is Reason.NOT_WANTED


_STATES = st.sampled_from(["COMPLETED", "DEAD", "RUNNING", "PENDING", "UNKNOWN", "STOPPED", "STOPPING"])


@given(st.lists(_STATES, max_size=8), st.integers(0, 4), st.integers(0, 3))
def test_launching_what_is_asked_and_completing_it_is_enough(
    states: list[str], want: int, retries: int
) -> None:
    """Never more than `want` runs at a time, and after the launches complete nothing more is asked."""
    before = [_run(status, f"e{n}") for n, status in enumerate(states)]
    state = runs(RunBudget(want=want, retries=retries), before, START)
    active = sum(run.active for run in before)
    assert state.launches + active <= max(want, active)
    done = [_run("COMPLETED", f"n{n}") for n in range(state.launches)]
    finished = [_run("COMPLETED", run.id) if run.active else run for run in before]
    assert runs(RunBudget(want=want, retries=retries), finished + done, START).launches == 0


def _application(**fields: object) -> ApplicationStatus:
    base: dict[str, object] = {
        "health": "Healthy",
        "sync": "Synced",
        "message": "",
        "revision": "a",
        "reconciled_at": "",
    }
    return ApplicationStatus(**(base | fields))  # type: ignore[arg-type]


def test_each_state_of_an_application() -> None:
    """Absent, synced, on its way, refused by AI Core, and refused for one template."""
    broken = SyncedResource("digits", "WorkflowTemplate", "SyncFailed", "unknown field")
    assert application(None).reason is Reason.ABSENT
    assert application(_application()).health is Health.HEALTHY
    assert application(_application(sync="OutOfSync")).reason is Reason.SYNCING
    assert (
        application(_application(sync="Unknown", message="app path does not exist")).reason
        is Reason.SYNC_FAILED
    )
    assert "unknown field" in application(_application(resources=(broken,))).message


def test_the_worst_health_wins() -> None:
    """Roll-up over rows; no rows are healthy."""
    assert worst([]) is Health.HEALTHY
    assert worst([Health.PROGRESSING, Health.DEGRADED, Health.HEALTHY]) is Health.DEGRADED


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        ([], 0),
        ([3, 0], 3),
        ([4, 3], 4),
        ([5, 4], 5),
        ([2, 5], 2),
        ([1, 2], 1),
        ([130, 1], 130),
    ],
)
def test_exit_codes_have_one_order(codes: list[int], expected: int) -> None:
    """130 > 1 > 2 > 5 > 4 > 3 > 0."""
    assert exit_code(codes) is ExitCode(expected)
