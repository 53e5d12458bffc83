"""Why a run failed: the infrastructure, the user's code or data, or nobody can tell. Pure.

What decides is quoted, so that a wrong verdict is seen. The rules are a table: the first that fits, in what
AI Core says before what the run printed, is the verdict. docs/reconcile.md shows the same table.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Failure", "FailureClass", "classify"]

#: Longest evidence that is quoted, characters.
_QUOTED = 160


class FailureClass(StrEnum):
    """Who has to do something about it."""

    INFRASTRUCTURE = "infrastructure"  #: nobody: another try may do
    USER = "user"  #: whoever wrote the spec, the data or the code
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Failure:
    """`repeats`: the same content fails in the same way again, so that another try is wasted money."""

    kind: FailureClass
    evidence: str = ""
    repeats: bool = False

    def __str__(self) -> str:
        """`infrastructure failure: "OOMKilled"`; empty for one that nobody can tell."""
        return "" if self.kind is FailureClass.UNKNOWN else f'{self.kind} failure: "{self.evidence}"'

    def document(self) -> dict[str, str | bool]:
        return {"class": self.kind.value, "evidence": self.evidence, "repeats": self.repeats}


@dataclass(frozen=True, slots=True)
class _Rule:
    pattern: re.Pattern[str]
    kind: FailureClass
    repeats: bool = False


def _rules(kind: FailureClass, *patterns: str, repeats: bool = False) -> tuple[_Rule, ...]:
    return tuple(_Rule(re.compile(pattern, re.IGNORECASE), kind, repeats) for pattern in patterns)


_EXIT = r"exit(?:ed with)? (?:code|status):? ?"
#: What Kubernetes, Argo, AI Core and the local AI Core say when they are at fault.
_PLATFORM = _rules(
    FailureClass.INFRASTRUCTURE,
    r"\bOOMKilled\b",
    r"\bEvicted\b|low on resource|\bpreempt(?:ed|ion)\b|\bPreempting\b",
    r"\bImagePullBackOff\b|\bErrImagePull\b|failed to pull (?:and unpack )?image",
    r"\bNodeLost\b|\bnode (?:was )?lost\b|node .{0,60}not ready|node shutdown|\bNodeShutdown\b",
    r"\bpod (?:was )?deleted\b|pod .{0,80} not found|\bUnschedulable\b|\bFailedScheduling\b|\bFailedMount\b",
    r"\bCreateContainerError\b|\bContainerStatusUnknown\b|\bContainerCreating\b.{0,40}timed? ?out",
    r"failed to (?:load|save) (?:artifact|outputs?)|" + _EXIT + r"64\b",
    r"no space left on device",
    _EXIT + r"(?:137|143)\b|\bended by SIG(?:KILL|TERM)\b|\bsignal: (?:killed|terminated)\b",
    r"supervisor of this execution ended without a result|the supervisor failed",
    r"local AI Core was shut down while|stopped by a signal from outside",
)
#: What the run itself has printed and only a machine can be the reason of.
_MACHINE = _rules(
    FailureClass.INFRASTRUCTURE,
    r"CUDA error: (?:uncorrectable ECC|an illegal instruction|unspecified launch failure)",
    r"\bGPU has fallen off the bus\b|\bNVRM: Xid\b",
    r"no space left on device",
    _EXIT + r"(?:137|143)\b|signal: (?:killed|terminated)",
)
#: The trainer, and every program that follows its convention: 2 is bad data or parameters.
_INPUT = _rules(FailureClass.USER, _EXIT + r"2\b", repeats=True)
_CODE = _rules(
    FailureClass.USER,
    _EXIT + r"(?:[1-9]\d?|1\d\d|2[0-4]\d|25[0-5])\b",
    r"CUDA out of memory|\bOutOfMemoryError\b",
    r"^Traceback \(most recent call last\)",
    r"^error: ",
)


def classify(message: str, details: Sequence[str] = (), log: Sequence[str] = ()) -> Failure:
    """The verdict on a run that is DEAD.

    `message` and `details` are what AI Core says of it, `log` its last lines in their order; the last ones
    say most. Nothing that fits is `unknown`.
    """
    said, printed = (message, *details), tuple(reversed(log))
    for texts, rules in (
        (said, _PLATFORM),
        ((*said, *printed), _INPUT),
        (printed, _MACHINE),
        ((*said, *printed), _CODE),
    ):
        if found := _first(texts, rules):
            return found
    return Failure(FailureClass.UNKNOWN)


def _first(texts: Iterable[str], rules: Iterable[_Rule]) -> Failure | None:
    known = tuple(rules)
    for text in texts:
        for rule in known:
            if match := rule.pattern.search(text):
                return Failure(rule.kind, _quoted(text, match), rule.repeats)
    return None


def _quoted(text: str, match: re.Match[str]) -> str:
    """The line around what was found, cut to a length that a table bears."""
    begin = text.rfind("\n", 0, match.start()) + 1
    end = text.find("\n", match.end())
    line = " ".join(text[begin : end if end >= 0 else None].split())
    if len(line) <= _QUOTED:
        return line
    start = max(0, min(match.start() - begin, len(line) - _QUOTED))
    return f"…{line[start : start + _QUOTED - 2]}…"
