"""What a plan says about the time of the runs that it starts: only what completed runs took."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from generator.spec.operations import Policy
from reconciler.expectation import LATEST, Expectation, Minutes, expectation
from reconciler.live import Execution
from reconciler.report.text import plan_text
from tests.reconciler.builders import World, configuration, desired
from tests.reconciler.fake import START

KEY = ("meters", "digits")


def _run(
    number: int, minutes: float | None, status: str = "COMPLETED", executable: str = "digits"
) -> Execution:
    begin = START + timedelta(hours=number)
    return Execution(
        id=f"e{number:04}",
        configuration="c",
        configuration_name="baseline--0",
        scenario="meters",
        executable=executable,
        status=status,
        target_status="COMPLETED",
        created_at=begin,
        modified_at=begin,
        started_at=None if minutes is None else begin,
        completed_at=None if minutes is None else begin + timedelta(minutes=minutes),
    )


def test_nothing_to_start_expects_nothing() -> None:
    """No launches, no figure, however long the history is."""
    assert expectation([], [_run(1, 5)]) == Expectation()
    assert Expectation().document() == {"launches": 0, "minutes": None, "executables": []}


def test_without_history_nothing_is_invented() -> None:
    """Failed, stopped and running runs, those without times, and other executables' are no history."""
    others = [
        _run(1, 5, "DEAD"),
        _run(2, 6, "STOPPED"),
        _run(3, 7, "RUNNING"),
        _run(4, None),
        _run(5, -1),
        _run(6, 9, executable="letters"),
    ]
    found = expectation([KEY, KEY], others)
    assert (found.launches, found.minutes, str(found)) == (2, None, "")
    assert found.document()["executables"][0]["runs"] == 0


def test_the_shortest_and_the_longest_run_are_told() -> None:
    """Of each run, in whole minutes, outwards; exact to a tenth in JSON."""
    found = expectation([KEY, KEY], [_run(1, 12.34), _run(2, 14.2), _run(3, 13), _run(4, 12.5)])
    assert str(found) == "about 12 to 15 minutes each, from 4 earlier runs"
    assert found.document() == {
        "launches": 2,
        "minutes": {"low": 12.3, "high": 14.2},
        "executables": [
            {
                "scenario": "meters",
                "executable": "digits",
                "launches": 2,
                "runs": 4,
                "minutes": {"low": 12.3, "high": 14.2},
            }
        ],
    }


def test_only_the_latest_runs_count() -> None:
    """Last year's machine says nothing about today's."""
    found = expectation([KEY], [_run(0, 600), *(_run(n, 10) for n in range(1, LATEST + 1))])
    assert str(found) == f"about 10 minutes each, from {LATEST} earlier runs"


def test_several_executables_are_told_apart() -> None:
    """One without history leaves the whole without a figure, and is named."""
    started = [KEY, ("meters", "letters")]
    found = expectation(started, [_run(1, 3)])
    assert found.minutes is None
    assert str(found) == "digits: about 3 minutes each, from 1 earlier run; letters: no earlier run"
    both = expectation(started, [_run(1, 3), _run(2, 90, executable="letters")])
    assert both.minutes == Minutes(3, 90)


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [
        (0.0, 0.0, "up to 1 minute"),
        (0.2, 0.9, "up to 1 minute"),
        (0.5, 2.5, "up to 3 minutes"),
        (1.0, 1.0, "about 1 minute"),
        (7.0, 7.0, "about 7 minutes"),
        (12.3, 14.2, "about 12 to 15 minutes"),
    ],
)
def test_minutes_in_words(low: float, high: float, text: str) -> None:
    assert str(Minutes(low, high)) == text


@given(st.lists(st.integers(0, 100), max_size=30), st.integers(1, 3))
def test_the_order_of_the_history_is_irrelevant(minutes: list[int], launches: int) -> None:
    """Pure, and within what was measured."""
    runs = [_run(number, took) for number, took in enumerate(minutes)]
    found = expectation([KEY] * launches, runs)
    assert found == expectation([KEY] * launches, list(reversed(runs)))
    assert found.launches == launches
    if minutes:
        assert found.minutes is not None
        assert min(minutes) <= found.minutes.low <= found.minutes.high <= max(minutes)


def test_a_plan_counts_what_it_starts_and_not_what_waits(tmp_path: Path) -> None:
    """The figure enters the text, and not the plan's identity: history may grow while a person reads."""
    world = World(tmp_path, desired())
    world.apply()
    world.server.start()
    world.server.clock.moment += timedelta(minutes=9)
    world.server.finish()
    more = [configuration(f"run{n}", {"rate": f"0.{n}"}) for n in range(3)]
    world.change(desired([configuration(), *more]))
    world.policy = Policy(max_launches_per_apply=9, max_concurrent=2)
    made = world.plan()
    assert made.expected.launches == 2
    assert "2 to launch (about 9 minutes each, from 1 earlier run), 1 to wait." in plan_text(made)
    without = world.server.executions[0]
    without["startTime"] = without["completionTime"]
    again = world.plan()
    assert (again.digest, again.expected == made.expected) == (made.digest, False)
