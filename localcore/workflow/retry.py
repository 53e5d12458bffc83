"""Whether a node that ended badly is tried again, and when: `retryStrategy` as Argo defines it; pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from localcore.workflow.model import Retry
from localcore.workflow.plan import ERRORED, FAILED

# The first is the default. OnFailure covers the container itself, OnError what failed around it: its inputs,
# its outputs, a value that cannot be resolved.
POLICIES = ("OnFailure", "Always", "OnError", "OnTransientError")
# The errors of networks and quotas that pass by themselves, by their words.
_TRANSIENT = re.compile(
    r"exceeded quota|timed? ?out|connection (reset|refused|was closed)|could not connect"
    r"|temporar(ily|y failure)|too many requests|service unavailable|slow ?down"
    r"|network is unreachable|broken pipe",
    re.IGNORECASE,
)
# Without a limit and without backoff nothing else would hold a container back that fails at once.
_BREATH = 1.0
# Exponent beyond which a pause grows no more: it is longer than any deadline by then.
_STEEPEST = 40


@dataclass(frozen=True)
class Verdict:
    """`again` after `pause` seconds, or not, with the reason."""

    again: bool
    pause: float = 0.0
    reason: str = ""


def transient(message: str) -> bool:
    """Whether a failure's message is one of an error that passes by itself."""
    return _TRANSIENT.search(message) is not None


def _covered(policy: str, status: str, message: str) -> bool:
    if policy == "OnTransientError":
        return transient(message)
    return policy == "Always" or status == {"OnFailure": FAILED, "OnError": ERRORED}[policy]


def verdict(retry: Retry, status: str, message: str, *, attempts: int, elapsed: float) -> Verdict:
    """What follows after `attempts` attempts, the first of which began `elapsed` seconds ago."""
    if not _covered(retry.policy, status, message):
        return Verdict(False, reason=f"retryPolicy {retry.policy} does not cover this")
    if retry.limit is not None and attempts > retry.limit:
        return Verdict(False, reason=f"no more retries left of {retry.limit}")
    pause = retry.pause * float(retry.factor) ** min(attempts - 1, _STEEPEST)
    if retry.limit is None:
        pause = max(pause, _BREATH)
    if retry.longest is not None and elapsed + pause > retry.longest:
        return Verdict(False, reason=f"a retry would exceed backoff.maxDuration of {retry.longest:g} s")
    return Verdict(True, pause)
