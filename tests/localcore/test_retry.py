"""Retry strategies: which failures are retried, after how long, and what the walk makes of it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localcore.workflow.model import Retry, Template
from localcore.workflow.parse import parse
from localcore.workflow.plan import ERRORED, FAILED, SUCCEEDED, Outcome
from localcore.workflow.retry import POLICIES, transient, verdict
from localcore.workflow.walk import Walker

RETRIES = st.builds(
    Retry,
    limit=st.none() | st.integers(0, 20),
    policy=st.sampled_from(POLICIES),
    pause=st.floats(0, 100),
    factor=st.integers(1, 10),
    longest=st.none() | st.floats(0, 1000),
)


@given(RETRIES, st.sampled_from((FAILED, ERRORED)), st.integers(1, 10_000), st.floats(0, 10_000))
def test_any_verdict(retry: Retry, status: str, attempts: int, elapsed: float) -> None:
    """Proves: never beyond the limit or the duration, never without a reason for stopping."""
    found = verdict(retry, status, "i/o timeout", attempts=attempts, elapsed=elapsed)
    if not found.again:
        assert found.reason
        return
    assert retry.limit is None or attempts <= retry.limit
    assert retry.longest is None or elapsed + found.pause <= retry.longest
    assert found.pause >= (1.0 if retry.limit is None else retry.pause)


@pytest.mark.parametrize(
    ("policy", "status", "message", "again"),
    [
        ("OnFailure", FAILED, "exit 1", True),
        ("OnFailure", ERRORED, "no input", False),
        ("OnError", FAILED, "exit 1", False),
        ("OnError", ERRORED, "no input", True),
        ("Always", FAILED, "exit 1", True),
        ("Always", ERRORED, "no input", True),
        ("OnTransientError", FAILED, "exit 1", False),
        ("OnTransientError", FAILED, "read tcp: connection reset by peer", True),
        ("OnTransientError", ERRORED, "Connect timeout on endpoint URL", True),
        ("OnTransientError", ERRORED, "nothing is stored there", False),
    ],
)
def test_policies(policy: str, status: str, message: str, again: bool) -> None:
    """Proves: Argo's table of policies."""
    assert verdict(Retry(1, policy), status, message, attempts=1, elapsed=0).again is again


@pytest.mark.parametrize(
    "message",
    [
        "dial tcp 10.0.0.1:443: i/o timeout",
        "net/http: TLS handshake timeout",
        "connect: connection refused",
        'pods "x" is forbidden: exceeded quota',
        "Could not connect to the endpoint URL",
        "SlowDown: please reduce your request rate",
    ],
)
def test_transient_errors(message: str) -> None:
    assert transient(message)


class Moments:
    """Time that passes only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0
        self.pauses: list[float] = []

    def time(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds


class Attempts:
    """A runner whose leaves end as they are told, in order, the last one for ever."""

    def __init__(self, *outcomes: Outcome) -> None:
        self.outcomes = list(outcomes)
        self.deadlines: list[float | None] = []
        self.retries: list[str | None] = []
        self.nodes: dict[str, tuple[str, str]] = {}
        self.said: list[str] = []

    async def run(
        self, node: str, template: Template, scope: Mapping[str, str], artifacts: Mapping[str, str]
    ) -> Outcome:
        self.deadlines.append(template.deadline)
        self.retries.append(scope.get("retries"))
        return self.outcomes.pop(0) if len(self.outcomes) > 1 else self.outcomes[0]

    def note(self, node: str, template: str, status: str, message: str = "") -> None:
        self.nodes[node] = (status, message)

    def say(self, node: str, text: str) -> None:
        self.said.append(text)


BAD, GOOD = Outcome(FAILED, "bad"), Outcome(SUCCEEDED)
LEAF: dict[str, Any] = {"name": "leaf", "container": {"command": ["true"]}}


def _walk(document: dict[str, Any], runner: Attempts) -> tuple[Outcome, Moments]:
    moments = Moments()
    return asyncio.run(Walker(parse(document), runner, {}, moments).walk()), moments


def _retried(support: Any, strategy: dict[str, Any], **fields: Any) -> dict[str, Any]:
    found: dict[str, Any] = support.template("flow", [{**LEAF, "retryStrategy": strategy, **fields}])
    return found


def test_pauses_grow(support: Any) -> None:
    """Proves: duration, duration * factor, duration * factor squared; `{{retries}}` counts along."""
    runner = Attempts(BAD, BAD, BAD, GOOD)
    document = _retried(support, {"limit": 5, "backoff": {"duration": "10s", "factor": 3}})
    outcome, moments = _walk(document, runner)
    assert outcome.status == SUCCEEDED
    assert moments.pauses == [10, 30, 90]
    assert runner.retries == ["0", "1", "2", "3"]
    assert runner.said[0] == "retry 1 of 5 begins in 10 s: bad"


def test_the_longest_duration(support: Any) -> None:
    """Proves: no retry begins after maxDuration, and what is left of it is the deadline of each retry."""
    runner = Attempts(BAD)
    backoff = {"duration": 40, "factor": 1, "maxDuration": 100}
    document = _retried(support, {"limit": 9, "backoff": backoff}, activeDeadlineSeconds=7)
    outcome, moments = _walk(document, runner)
    assert moments.pauses == [40, 40]
    assert runner.deadlines == [7, 60, 20]
    assert outcome.message == "bad (a retry would exceed backoff.maxDuration of 100 s)"
    assert runner.nodes["flow"] == (FAILED, outcome.message)


def test_without_a_limit(support: Any) -> None:
    """Proves: an empty strategy retries until it succeeds, but not in a tight loop."""
    outcome, moments = _walk(_retried(support, {}), Attempts(*[BAD] * 50, GOOD))
    assert outcome.status == SUCCEEDED
    assert moments.pauses == [1.0] * 50


def test_what_the_policy_does_not_cover_fails_at_once(support: Any) -> None:
    runner = Attempts(BAD)
    outcome, moments = _walk(_retried(support, {"limit": 3, "retryPolicy": "OnError"}), runner)
    assert (outcome.message, moments.pauses) == ("bad", [])
    assert runner.said == ["not tried again: retryPolicy OnError does not cover this"]


def test_a_whole_dag_is_retried(support: Any) -> None:
    """Proves: a strategy of a DAG runs all of it again, and its attempts are nodes of their own."""
    tasks = [{"name": "a", "template": "leaf"}, {"name": "b", "template": "leaf", "dependencies": ["a"]}]
    main = {"name": "main", "dag": {"tasks": tasks}, "retryStrategy": {"limit": 1}}
    runner = Attempts(GOOD, BAD, GOOD, GOOD)
    outcome, _ = _walk(support.template("flow", [main, LEAF]), runner)
    assert outcome.status == SUCCEEDED
    assert runner.nodes["flow(0).b"] == (FAILED, "bad")
    assert runner.nodes["flow(1).b"][0] == SUCCEEDED
    assert runner.nodes["flow"] == (SUCCEEDED, "succeeded at retry 1")


@pytest.mark.parametrize(
    ("tolerated", "ending", "expected"),
    [
        ({"failed": True}, BAD, SUCCEEDED),
        ({"failed": True}, Outcome(ERRORED, "no input"), ERRORED),
        ({"error": True}, Outcome(ERRORED, "no input"), SUCCEEDED),
        ({"error": True}, BAD, FAILED),
    ],
)
def test_errors_and_failures_are_two_things(
    support: Any, tolerated: dict[str, bool], ending: Outcome, expected: str
) -> None:
    """Proves: `continueOn` and `depends` tell an error from a failure."""
    step = {"name": "a", "template": "leaf", "continueOn": tolerated}
    main = {"name": "main", "steps": [[step]]}
    assert _walk(support.template("flow", [main, LEAF]), Attempts(ending))[0].status == expected
    word = "Errored" if ending.status == ERRORED else "Failed"
    tasks = [{"name": "a", "template": "leaf"}, {"name": "b", "template": "leaf", "depends": f"a.{word}"}]
    dag = {"name": "main", "dag": {"tasks": tasks}}
    runner = Attempts(ending, GOOD)
    assert _walk(support.template("flow", [dag, LEAF]), runner)[0].status == SUCCEEDED
    assert runner.nodes["flow.b"][0] == SUCCEEDED
